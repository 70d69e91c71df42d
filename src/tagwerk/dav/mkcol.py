"""MKCOL, extended MKCOL and MKCALENDAR (RFC 4918 9.3, RFC 5689, RFC 4791 5.3.1)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from tagwerk.dav import paths, xml
from tagwerk.dav.caldav import COMPONENT_SET, component_set
from tagwerk.dav.message import Response
from tagwerk.dav.multistatus import answer
from tagwerk.dav.proppatch import check, failed_propstats, store
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import RESERVED_NAMES, Context, Where, resolve_home, shown, where_is
from tagwerk.errors import CALDAV, DAV, Conflict, InvalidXml, MethodNotAllowed, Refused, UnsupportedMedia
from tagwerk.model import Kind
from tagwerk.store.collections import create_collection, find_binding_of

feature = Feature("RFC 5689", tokens=("extended-mkcol",))

_MKCALENDAR_RESPONSE = CALDAV + "mkcalendar-response"
_RESOURCETYPE = "{DAV:}resourcetype"
_CALENDAR = {"{DAV:}collection", CALDAV + "calendar"}
_ADDRESSBOOK = {"{DAV:}collection", "{urn:ietf:params:xml:ns:carddav}addressbook"}


@feature.method("MKCOL", on=Where.NEW_COLLECTION, writes=True)
def mkcol(context: Context) -> Response:
    """RFC 5689: what is made is what the resourcetype in the body says."""
    body = context.request.body
    media = context.request.header("content-type").partition(";")[0].strip().lower()
    if body.strip() and media and not media.endswith("xml"):
        raise UnsupportedMedia(f"MKCOL takes XML, not {media} (RFC 4918 9.3.1).")
    root = xml.parse(body) if body.strip() else None
    if root is not None and root.tag != "{DAV:}mkcol":
        raise UnsupportedMedia(f"The body of MKCOL is DAV:mkcol, not {root.tag}.")
    properties = _properties(root)
    types = next((node for node in properties if node.tag == _RESOURCETYPE), None)
    wanted = {child.tag for child in types} if types is not None else {"{DAV:}collection"}
    if wanted == _CALENDAR:
        return _make(context, Kind.CALENDAR, root, answered="{DAV:}mkcol-response")
    if wanted == _ADDRESSBOOK:
        return _make(context, Kind.ADDRESSBOOK, root, answered="{DAV:}mkcol-response")
    _location(context, calendar=False)
    raise Refused(
        "Only calendars and address books can be made here; name one in DAV:resourcetype.",
        condition=DAV + "valid-resourcetype",
    )


@feature.method("MKCALENDAR", on=Where.NEW_COLLECTION, writes=True)
def mkcalendar(context: Context) -> Response:
    """RFC 4791 5.3.1."""
    root = xml.parse(context.request.body) if context.request.body.strip() else None
    if root is not None and root.tag != CALDAV + "mkcalendar":
        raise InvalidXml(f"The body of MKCALENDAR is CALDAV:mkcalendar, not {root.tag}.")
    return _make(context, Kind.CALENDAR, root, answered=_MKCALENDAR_RESPONSE)


def _properties(root: Element | None) -> list[Element]:
    if root is None:
        return []
    return [
        node for part in root.iterfind("{DAV:}set") for prop in part.iterfind("{DAV:}prop") for node in prop
    ]


def _location(context: Context, *, calendar: bool) -> tuple[str, str]:
    """The home and the name where the collection is to be made.

    Raises:
        MethodNotAllowed: there is something already.
        Conflict: what should hold it is not there.
        Refused: collections cannot be made there.
    """
    segments = paths.split(context.request.path)
    where = where_is(context)
    if not where & Where.NEW:
        error = MethodNotAllowed("There is something already.", allow=context.registry.allowed(where))
        error.condition = DAV + "resource-must-be-null"
        raise error
    home = resolve_home(context, segments[0])
    if segments[1] in RESERVED_NAMES:
        raise Refused(f"{segments[1]!r} is the server's own name for something.")
    if len(segments) > 2:
        if find_binding_of(context.txn, home.principal.id, segments[1]) is None:
            raise Conflict(f"There is no collection {segments[1]!r} to make another one in.")
        raise Refused(
            "Calendars and address books hold no other collections.",
            condition=CALDAV + "calendar-collection-location-ok" if calendar else "",
        )
    return segments[0], segments[1]


def _make(context: Context, kind: Kind, root: Element | None, *, answered: str) -> Response:
    home, name = _location(context, calendar=kind is Kind.CALENDAR)
    if any(ord(char) < 32 or ord(char) == 127 for char in name):
        raise Refused("The name of a collection holds a control character.")
    where = Where.CALENDAR if kind is Kind.CALENDAR else Where.ADDRESSBOOK
    components: tuple[str, ...] = ()
    changes: dict[str, str | None] = {}
    failures: dict[str, Refused] = {}
    for node in _properties(root):
        try:
            if node.tag == COMPONENT_SET and kind is Kind.CALENDAR:
                components = component_set(node)
            elif node.tag != _RESOURCETYPE:
                changes[node.tag] = check(context, where, node)
        except Refused as error:
            failures[node.tag] = error
    href = context.href(home, name, collection=True)
    if failures:
        return _failed(href, list(changes), failures, root=answered)
    binding = create_collection(
        context.txn, context.user.id, name=name, kind=kind, now=context.now, components=components
    )
    if changes and root is not None:
        store(context, shown(context, binding, home), changes, languages=xml.languages(root))
    return Response(201, {"Location": href, "Cache-Control": "no-cache"})


def _failed(href: str, others: list[str], failures: dict[str, Refused], *, root: str) -> Response:
    """RFC 5689 5.1 and RFC 4791 5.3.1.1: which property stood in the way; nothing was made."""
    stats = failed_propstats(others, failures)
    if root == _MKCALENDAR_RESPONSE:
        return answer(iter([f"<D:response>{xml.href(href)}{stats}</D:response>\n"]))
    return Response(
        403, {"Content-Type": xml.XML_TYPE, "Cache-Control": "no-cache"}, xml.document(root, stats)
    )
