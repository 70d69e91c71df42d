"""How Apple's programs write their requests: property names of many namespaces, declared on each."""

from __future__ import annotations

from davclient import CALDAV, CARDDAV, CS, DAV, ICAL, Multistatus
from enginedav import EngineDav, World

ME = "{http://me.com/_namespace/}"
PREFIXES = {DAV: "A", CALDAV: "B", CS: "C", ICAL: "D", ME: "E", CARDDAV: "F"}

HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate, br",
    "Accept-Language": "de-DE,de;q=0.9",
    "Brief": "t",
    "Connection": "keep-alive",
    "Content-Type": "text/xml",
    "Prefer": "return=minimal",
}

IOS = "iOS/18.1.1 (22B91) dataaccessd/1.0"
MACOS = "macOS/15.1 (24B83) CalendarAgent/1040"
CONTACTS = "macOS/15.1 (24B83) AddressBookCore/2695"

WHO = (DAV + "current-user-principal", DAV + "principal-URL", DAV + "resourcetype")
PRINCIPAL = (
    CALDAV + "calendar-home-set",
    CALDAV + "calendar-user-address-set",
    DAV + "current-user-principal",
    DAV + "displayname",
    CS + "dropbox-home-URL",
    CS + "email-address-set",
    CALDAV + "max-attendees-per-instance",
    CS + "notification-URL",
    DAV + "principal-collection-set",
    DAV + "principal-URL",
    DAV + "resource-id",
    CALDAV + "schedule-inbox-URL",
    CALDAV + "schedule-outbox-URL",
    DAV + "supported-report-set",
)
HOME = (
    DAV + "add-member",
    CS + "allowed-sharing-modes",
    ICAL + "autoprovisioned",
    ME + "bulk-requests",
    CALDAV + "calendar-alarm",
    ICAL + "calendar-color",
    CALDAV + "calendar-description",
    CALDAV + "calendar-free-busy-set",
    ICAL + "calendar-order",
    CALDAV + "calendar-timezone",
    DAV + "current-user-privilege-set",
    CALDAV + "default-alarm-vevent-date",
    CALDAV + "default-alarm-vevent-datetime",
    DAV + "displayname",
    CS + "getctag",
    CS + "invite",
    ICAL + "language-code",
    ICAL + "location-code",
    DAV + "owner",
    CS + "pre-publish-url",
    CS + "publish-url",
    CS + "push-transports",
    CS + "pushkey",
    DAV + "quota-available-bytes",
    DAV + "quota-used-bytes",
    ICAL + "refreshrate",
    DAV + "resource-id",
    DAV + "resourcetype",
    CALDAV + "schedule-calendar-transp",
    CALDAV + "schedule-default-calendar-URL",
    CS + "source",
    CS + "subscribed-strip-alarms",
    CS + "subscribed-strip-attachments",
    CS + "subscribed-strip-todos",
    CALDAV + "supported-calendar-component-set",
    CALDAV + "supported-calendar-component-sets",
    DAV + "supported-report-set",
    DAV + "sync-token",
)


def device(world: World, agent: str) -> EngineDav:
    """A device of anna's with a program of Apple's."""
    client = world.client()
    client.headers = {**HEADERS, "User-Agent": agent}
    return client


def element(name: str, inside: str = "") -> str:
    """An element as Apple writes it: every namespace but DAV: is declared where it is used."""
    namespace, _, local = name.rpartition("}")
    prefix = PREFIXES[namespace + "}"]
    declared = "" if prefix == "A" else f' xmlns:{prefix}="{namespace[1:]}"'
    head = f"{prefix}:{local}{declared}"
    return f"<{head}>{inside}</{prefix}:{local}>" if inside else f"<{head}/>"


def root(name: str, inside: str) -> str:
    """A whole body."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<A:{name} xmlns:A="DAV:">\n{inside}\n</A:{name}>\n'


def prop(*names: str) -> str:
    return "<A:prop>\n" + "\n".join(map(element, names)) + "\n</A:prop>"


def propfind(dav: EngineDav, path: str, *names: str, depth: str = "0") -> Multistatus:
    """PROPFIND as Apple sends it; nothing that is missing may be named in the answer."""
    answer = dav("PROPFIND", path, root("propfind", prop(*names)), Depth=depth)
    found = answer.multistatus()
    assert answer.headers["preference-applied"] == "return=minimal"
    assert not any(one.others for one in found.found.values())
    return found


def proppatch(dav: EngineDav, path: str, inside: str) -> None:
    """Set properties; what is asked for minimally is answered without a body (RFC 8144 2.2)."""
    body = root("propertyupdate", f"<A:set>\n<A:prop>{inside}</A:prop>\n</A:set>")
    answer = dav("PROPPATCH", path, body)
    assert (answer.status, answer.body) == (204, b"")


def sync(dav: EngineDav, path: str, token: str = "", *, depth: str = "1") -> Multistatus:
    """What changed in a collection."""
    inside = f"<A:sync-token>{token}</A:sync-token>\n<A:sync-level>1</A:sync-level>\n" + prop(
        DAV + "getcontenttype", DAV + "getetag"
    )
    return dav("REPORT", path, root("sync-collection", inside), Depth=depth).multistatus()


def multiget(dav: EngineDav, path: str, hrefs: list[str], *names: str, card: bool = False) -> Multistatus:
    """Many objects with their data."""
    prefix, namespace, local = (
        ("F", CARDDAV, "addressbook-multiget") if card else ("B", CALDAV, "calendar-multiget")
    )
    listed = "".join(f'<A:href xmlns:A="DAV:">{href}</A:href>\n' for href in hrefs)
    wanted = prop(*names).replace("<A:prop>", '<A:prop xmlns:A="DAV:">')
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{prefix}:{local} xmlns:{prefix}="{namespace[1:-1]}">\n'
        f"{wanted}\n{listed}</{prefix}:{local}>\n"
    )
    return dav("REPORT", path, body, Depth="1").multistatus()
