"""The notification collection: what the server tells somebody (apple-caldav-notifications.txt)."""

from __future__ import annotations

from datetime import UTC, datetime

from tagwerk.dav import xml
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import Context, Home, ObjectResource, Resource, Where
from tagwerk.errors import CALDAV
from tagwerk.model import Access, Principal
from tagwerk.sharing.notices import Notice, notifications_of
from tagwerk.store.collections import NOTIFICATIONS
from tagwerk.store.principals import principal_by_name

feature = Feature("calendarserver.org notifications")

CS = "{http://calendarserver.org/ns/}"

_ROOTS = {"invite": "invite-notification", "reply": "invite-reply"}


@feature.live_property(CS + "notification-URL", on=Where.HOME)
def notification_url(context: Context, resource: Resource) -> str | None:
    """4.1.1: where it is; absent for whom nothing is told."""
    if not isinstance(resource, Home) or notifications_of(context.txn, resource.principal.id) is None:
        return None
    return xml.href(context.href(resource.principal.name, NOTIFICATIONS, collection=True))


@feature.live_property(CS + "notificationtype", on=Where.NOTIFICATION)
def notificationtype(context: Context, resource: Resource) -> str | None:
    """4.2.1: the element in the document, empty, with its attributes."""
    if not isinstance(resource, ObjectResource):
        return None
    notice = notice_of(context, resource)
    shared = ' shared-type="calendar"' if notice.kind == "invite" else ""
    return f"<CS:{_ROOTS[notice.kind]}{shared}/>"


def notice_of(context: Context, resource: ObjectResource) -> Notice:
    """What a notification says."""
    stored = resource.parent.view.find(context.txn, resource.stored.name, content=True)
    assert stored is not None
    assert stored.content is not None
    return Notice.loads(stored.content)


def document(context: Context, notice: Notice) -> bytes:
    """4.3.2: the notification itself."""
    when = datetime.fromtimestamp(notice.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    inside = _invitation(context, notice) if notice.kind == "invite" else _reply(context, notice)
    content = f"<CS:dtstamp>{when}</CS:dtstamp>{inside}"
    return xml.document(CS + "notification", content)


def _invitation(context: Context, notice: Notice) -> str:
    """apple-caldav-sharing.txt 6.15."""
    components = "".join(f'<C:comp name="{name}"/>' for name in notice.components)
    kind = ' shared-type="calendar"' if notice.content == "calendar" else ""
    return (
        f"<CS:invite-notification{kind}><CS:uid>{notice.uid}</CS:uid>"
        f"{xml.href(context.href(notice.grantee, collection=True))}"
        f"<CS:invite-{notice.status}/>{access_element(Access(notice.access))}{_host(context, notice)}"
        f"{_organizer(context, notice)}<CS:summary>{xml.escape(notice.title)}</CS:summary>"
        f"{xml.element(CALDAV + 'supported-calendar-component-set', components) if components else ''}"
        "</CS:invite-notification>"
    )


def _organizer(context: Context, notice: Notice) -> str:
    """Who shares it; by the name alone where they have been removed since."""
    owner = principal_by_name(context.txn, notice.owner)
    if owner is not None:
        return organizer(context, owner)
    href = xml.href(context.href(notice.owner, collection=True))
    return f"<CS:organizer>{href}{names(notice.owner, kind='')}</CS:organizer>"


def _reply(context: Context, notice: Notice) -> str:
    """apple-caldav-sharing.txt 6.22, as the sharer reads it."""
    who = principal_by_name(context.txn, notice.grantee)
    name = f"<CS:common-name>{xml.escape(who.display_name)}</CS:common-name>" if who else ""
    return (
        f"<CS:invite-reply>{xml.href(context.href(notice.grantee, collection=True))}{name}"
        f"<CS:invite-{notice.status}/>{_host(context, notice)}"
        f"<CS:in-reply-to>{notice.uid}</CS:in-reply-to><CS:summary>{xml.escape(notice.title)}</CS:summary>"
        "</CS:invite-reply>"
    )


def _host(context: Context, notice: Notice) -> str:
    href = context.href(notice.owner, notice.collection, collection=True)
    return f"<CS:hosturl>{xml.href(href)}</CS:hosturl>"


def access_element(access: Access) -> str:
    """6.11: what can be said of a level in the words of the protocol."""
    return f"<CS:access><CS:{'read-write' if access.writes else 'read'}/></CS:access>"


def organizer(context: Context, owner: Principal) -> str:
    """6.18: who shares it."""
    return f"<CS:organizer>{person(context, owner)}</CS:organizer>"


def person(context: Context, who: Principal) -> str:
    """A principal's URL and names."""
    return f"{xml.href(context.href(who.name, collection=True))}{names(who.display_name, kind=who.kind)}"


def names(title: str, *, kind: str) -> str:
    """6.19 to 6.21: what somebody is called; macOS refuses a list in which one has no common name."""
    both = "".join(
        f"<CS:{name}>{xml.escape(text)}</CS:{name}>" for name, text in parts_of(title, kind).items()
    )
    return f"<CS:common-name>{xml.escape(title)}</CS:common-name>{both}"


def parts_of(title: str, kind: str) -> dict[str, str]:
    """The names of a person, by their elements.

    Apple's clients show them instead of the whole one, however empty they are: so it is both, or none.
    """
    first, _, last = title.strip().rpartition(" ")
    return {"first-name": first, "last-name": last} if kind == "person" and first else {}
