"""Delegation: who acts for whom on all of their calendars (apple-caldav-proxy.txt)."""

from __future__ import annotations

from hashlib import blake2b

from tagwerk.dav import login_rights, xml
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import (
    CollectionResource,
    Context,
    Home,
    ProxyGroup,
    Resource,
    Where,
    knows,
    proxy_groups,
)
from tagwerk.model import Access, Kind
from tagwerk.store.principals import delegators_of

feature = Feature("calendarserver.org proxy", tokens=("calendar-proxy",))

CS = "{http://calendarserver.org/ns/}"


@feature.live_property(CS + "calendar-proxy-read-for", on=Where.HOME)
def calendar_proxy_read_for(context: Context, resource: Resource) -> str:
    """5.3.1: whose calendars the user may read."""
    return _for(context, Access.READ)


@feature.live_property(CS + "calendar-proxy-write-for", on=Where.HOME)
def calendar_proxy_write_for(context: Context, resource: Resource) -> str:
    """5.3.2: whose calendars the user may change."""
    return _for(context, Access.WRITE)


def _for(context: Context, wanted: Access) -> str:
    if not login_rights.reaches(context.request.rights, Kind.CALENDAR):
        return ""
    return "".join(
        xml.href(context.href(who.name, collection=True))
        for who, access in delegators_of(context.txn, context.user.id)
        if access is wanted and who.state == "active"
    )


def proxy_memberships(context: Context) -> list[str]:
    """The groups of delegates that the user is in, as hrefs (5.2)."""
    found = []
    for who, access in delegators_of(context.txn, context.user.id):
        groups = proxy_groups(context, Home("", who))
        found += [group.href for group in groups if group.access is access and who.state == "active"]
    return found


def groups_acting(context: Context, resource: CollectionResource) -> list[ProxyGroup]:
    """The groups that have rights on a calendar because their members act for its owner.

    Who manages it knows each with somebody in it, who acts for the owner the group by which they do.
    """
    collection = resource.binding.collection
    owner = context.principal(collection.owner)
    if owner is None or collection.kind is not Kind.CALENDAR:
        return []
    levels: set[Access] = set()
    if resource.access.manages:
        levels = {access for _, access in context.delegates(owner.id)}
    elif not resource.own:
        levels = {resource.access}
    return [group for group in proxy_groups(context, Home("", owner)) if group.access in levels]


@feature.live_property("{DAV:}group-member-set", on=Where.PROXY)
def group_member_set(context: Context, resource: Resource) -> str | None:
    """5.2: set it to say who acts for you.  Others see of it whom they may look up."""
    if not isinstance(resource, ProxyGroup):
        return None
    own = resource.owner.id == context.user.id
    return "".join(
        xml.href(context.href(who.name, collection=True))
        for who, access in context.delegates(resource.owner.id)
        if access is resource.access and (own or knows(context, who))
    )


@feature.live_property("{DAV:}group-membership", on=Where.PROXY)
def group_membership(context: Context, resource: Resource) -> str:
    """RFC 3744 4.4: these groups are in no other."""
    return ""


@feature.live_property("{DAV:}getetag", on=Where.PROXY)
def getetag(context: Context, resource: Resource) -> str | None:
    """RFC 4918 15.6: changes with the members."""
    if not isinstance(resource, ProxyGroup):
        return None
    members = [who.name for who, access in context.delegates(resource.owner.id) if access is resource.access]
    return f'"{blake2b("/".join((resource.access, *members)).encode(), digest_size=16).hexdigest()}"'


@feature.live_property("{DAV:}principal-URL", on=Where.PROXY)
def principal_url(context: Context, resource: Resource) -> str:
    """RFC 3744 4.2."""
    return xml.href(resource.href)


@feature.live_property("{DAV:}alternate-URI-set", on=Where.PROXY)
def alternate_uri_set(context: Context, resource: Resource) -> str:
    """RFC 3744 4.1."""
    return ""
