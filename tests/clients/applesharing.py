"""How Apple's programs share calendars: what they send, and how strictly they read what comes back.

CalDAV.framework takes a sharee or a notification only if it has certain elements exactly
once; macOS refuses a whole home ("NSCocoaErrorDomain 1570") where a sharee lacks one.
"""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from urllib.parse import unquote
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from appleclient import HEADERS, HOME, MACOS, element, prop, propfind, root

from davclient import CALDAV, CS, DAV, Answer, Dav, Found, Multistatus
from enginedav import EngineDav, World
from tagwerk.sharing.notices import notifications_of
from tagwerk.store.principals import principal_by_name

STATES = ("noresponse", "accepted", "declined", "invalid", "deleted")
TEXT_XML = {"Content-Type": "text/xml"}


def ask(world: World) -> None:
    """From now on nothing is accepted by itself."""
    world.settings = dataclasses.replace(
        world.settings, sharing=dataclasses.replace(world.settings.sharing, accept="ask")
    )


def give_notifications(world: World, *names: str) -> None:
    """What `tagwerk user add` gives everybody: a place for notifications."""
    with world.store.write() as txn:
        for name in names:
            principal = principal_by_name(txn, name)
            assert principal is not None
            notifications_of(txn, principal.id, now=int(world.clock()))


def add_person(world: World, name: str, display_name: str = "") -> str:
    """One more user; their home."""
    world.add_user(name, display_name=display_name, addresses=(f"{name}@example.org",))
    give_notifications(world, name)
    return f"/{name}/"


def device_of(world: World, user: str, agent: str = MACOS, **limits: object) -> EngineDav:
    """A device of somebody's with a program of Apple's."""
    client = world.client(user, **limits)
    client.headers = {**HEADERS, "User-Agent": agent}
    return client


# What is sent

FOUND = (
    CALDAV + "calendar-user-address-set",
    CALDAV + "calendar-user-type",
    DAV + "displayname",
    CS + "email-address-set",
    CS + "first-name",
    CS + "last-name",
    DAV + "principal-URL",
    CS + "record-type",
)
"""What the person picker asks of those whom it finds."""


def search(dav: Dav, *words: str, context: str = "") -> Multistatus:
    """The person picker while one types."""
    said = f' context="{context}"' if context else ""
    tokens = "".join(f"<C:search-token>{word}</C:search-token>" for word in words)
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<C:calendarserver-principal-search{said}'
        f' xmlns:A="DAV:" xmlns:C="http://calendarserver.org/ns/">{tokens}'
        f"<C:limit><C:nresults>50</C:nresults></C:limit>{prop(*FOUND)}</C:calendarserver-principal-search>\n"
    )
    return dav("REPORT", "/", body, Depth="0").multistatus()


def older_search(dav: Dav, word: str) -> Multistatus:
    """The person picker where a server has only RFC 3744."""
    names = (DAV + "displayname", CS + "email-address-set", CS + "first-name", CS + "last-name")
    inside = "".join(
        f'<A:property-search>{prop(name)}<A:match match-type="starts-with">{word}</A:match></A:property-search>'
        for name in names
    )
    body = root("principal-property-search", inside + prop(*FOUND))
    return dav(
        "REPORT", "/", body.replace("-search xmlns", '-search test="anyof" xmlns', 1), Depth="0"
    ).multistatus()


def mark(dav: Dav, path: str, *, shared: bool = True) -> Answer:
    """What iOS sends before a calendar gets its first sharee, or when the last one has gone."""
    kinds = element(DAV + "collection") + element(CALDAV + "calendar")
    kinds += element(CS + "shared-owner") if shared else ""
    inside = f"<A:resourcetype>{kinds}</A:resourcetype>"
    return dav("PROPPATCH", path, root("propertyupdate", f"<A:set>\n<A:prop>{inside}</A:prop>\n</A:set>"))


def sharee(href: str, access: str = "read-write", *, name: str = "", summary: str = "calendar") -> str:
    """One whom the dialogue adds, or whose access it changes."""
    common = f"<C:common-name>{name}</C:common-name>" if name else "<C:common-name/>"
    return (
        f'<C:set><A:href xmlns:A="DAV:">{href}</A:href>{common}<C:summary>{summary}</C:summary>'
        f"<C:{access}/></C:set>"
    )


def removal(href: str, inside: str = "") -> str:
    """One whom it removes."""
    return f'<C:remove><A:href xmlns:A="DAV:">{href}</A:href>{inside}</C:remove>'


def share_body(*parts: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<C:share xmlns:C="http://calendarserver.org/ns/">'
        f"{''.join(parts)}</C:share>\n"
    )


def share(dav: Dav, path: str, *parts: str) -> None:
    """The dialogue's "Done"; macOS shows an error at anything but 2xx."""
    answer = dav("POST", path, share_body(*parts), **TEXT_XML)
    assert (answer.status, answer.body) == (200, b""), answer.text


def reply(
    dav: Dav, home: str, invitation: Invitation, *, accepted: bool = True, href: str = "mailto:me@example.org"
) -> Answer:
    """The buttons of an invitation; iOS leaves out the last slash of the URL and undoes its escapes."""
    host = escape(unquote(invitation.host.rstrip("/")))
    said = element(CS + ("invite-accepted" if accepted else "invite-declined"))
    inside = (
        f'<A:href xmlns:A="DAV:">{href}</A:href>{said}'
        f'<C:hosturl xmlns:C="http://calendarserver.org/ns/"><A:href xmlns:A="DAV:">{host}</A:href></C:hosturl>'
        f"{element(CS + 'in-reply-to', invitation.uid)}{element(CS + 'summary', escape(invitation.summary))}"
    )
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<C:invite-reply xmlns:C="http://calendarserver.org/ns/">{inside}</C:invite-reply>\n'
    return dav("POST", home, body, **TEXT_XML)


def shared_as(answer: Answer) -> str:
    """Where the server says that an accepted calendar is."""
    assert answer.status == 200, answer.text
    assert answer.headers["content-type"].startswith(("application/xml", "text/xml"))
    root = answer.xml()
    assert root.tag == CS + "shared-as"
    return only(root, DAV + "href").text or ""


# What is read


@dataclass(frozen=True, slots=True)
class Invitee:
    """A sharee in ``CS:invite``."""

    href: str
    name: str
    status: str
    access: str
    summary: str


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invite-notification."""

    path: str
    uid: str
    status: str
    access: str
    host: str
    organizer: str
    organizer_name: str
    summary: str
    components: tuple[str, ...]


def only(node: Element, name: str) -> Element:
    """The one child of that name, as the rules of the framework want it."""
    found = node.findall(name)
    assert len(found) == 1, (name, ElementTree.tostring(node, encoding="unicode"))
    return found[0]


def state(node: Element) -> str:
    """What was said to an invitation: exactly one element says it."""
    (found,) = [state for state in STATES if node.find(f"{CS}invite-{state}") is not None]
    return found


def level(node: Element) -> str:
    """``read`` or ``read-write``: nothing else is an access level."""
    (found,) = list(only(node, CS + "access"))
    assert found.tag in (CS + "read", CS + "read-write")
    return found.tag.removeprefix(CS)


def named(node: Element) -> str:
    """What somebody is called: a pair of names counts before the common name, so none may be half or empty."""
    names = [
        only(node, CS + name).text for name in ("first-name", "last-name") if node.find(CS + name) is not None
    ]
    assert len(names) in (0, 2)
    assert all(names), names
    common = only(node, CS + "common-name").text
    assert common
    assert not names or " ".join(filter(None, names)) == common
    return common


def invitees(found: Found) -> list[Invitee]:
    """With whom a calendar is shared; nobody where the property is not there."""
    invite = found.values.get(CS + "invite")
    return [] if invite is None else [_invitee(user) for user in invite.findall(CS + "user")]


def _invitee(user: Element) -> Invitee:
    return Invitee(
        only(user, DAV + "href").text or "",
        named(user),
        state(user),
        level(user),
        user.findtext(CS + "summary", ""),
    )


def organizer(found: Found) -> tuple[str, str]:
    """Who shares a calendar: URL and name."""
    node = only(found.values[CS + "invite"], CS + "organizer")
    return only(node, DAV + "href").text or "", named(node)


def types(found: Found) -> set[str]:
    return {node.tag for node in found.values[DAV + "resourcetype"]}


def privileges(found: Found) -> set[str]:
    return {node[0].tag.rpartition("}")[2] for node in found.values[DAV + "current-user-privilege-set"]}


def home(dav: Dav, path: str) -> Multistatus:
    """What a home holds, as iOS and macOS list it."""
    return propfind(dav, path, *HOME, depth="1")


def calendars(dav: Dav, path: str) -> dict[str, Found]:
    """The calendars of a home."""
    return {href: one for href, one in home(dav, path).found.items() if CALDAV + "calendar" in types(one)}


def told(dav: Dav, path: str) -> dict[str, Element]:
    """Every notification of somebody: as they list it, then fetch each, then believe the document."""
    place = propfind(dav, path, CS + "notification-URL").only().hrefs(CS + "notification-URL")[0]
    listed = propfind(dav, place, DAV + "getetag", DAV + "resourcetype", CS + "notificationtype", depth="1")
    assert types(listed[place]) >= {DAV + "collection", CS + "notification"}
    found = {}
    for href, one in listed.found.items():
        if href == place:
            continue
        got = dav.get(href)
        assert (got.status, got.etag) == (200, one.etag)
        assert got.headers["content-type"] == "application/xml; charset=utf-8"
        root = got.xml()
        assert root.tag == CS + "notification"
        assert only(root, CS + "dtstamp").text
        (inside,) = [node for node in root if node.tag != CS + "dtstamp"]
        (kind,) = list(one.values[CS + "notificationtype"])
        assert (kind.tag, kind.attrib, len(kind)) == (inside.tag, inside.attrib, 0)
        found[href] = inside
    return found


def invitations(dav: Dav, path: str) -> list[Invitation]:
    """The invitations among somebody's notifications."""
    return [
        _invitation(href, node)
        for href, node in told(dav, path).items()
        if node.tag == CS + "invite-notification"
    ]


def _invitation(href: str, node: Element) -> Invitation:
    assert only(node, DAV + "href").text
    who = only(node, CS + "organizer")
    components = node.find(CALDAV + "supported-calendar-component-set")
    return Invitation(
        href,
        only(node, CS + "uid").text or "",
        state(node),
        level(node),
        only(only(node, CS + "hosturl"), DAV + "href").text or "",
        only(who, DAV + "href").text or "",
        named(who),
        only(node, CS + "summary").text or "",
        () if components is None else tuple(comp.get("name", "") for comp in components),
    )


def replies(dav: Dav, path: str) -> list[tuple[str, str, str]]:
    """What the sharer is told: who, what they said, to which invitation."""
    return [
        (only(node, DAV + "href").text or "", state(node), only(node, CS + "in-reply-to").text or "")
        for node in told(dav, path).values()
        if node.tag == CS + "invite-reply"
    ]
