"""``DAV:multistatus``, written as it is produced (RFC 4918 13, 14.16)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from xml.etree.ElementTree import Element

from tagwerk.dav import paths, xml
from tagwerk.dav.message import Request, Response
from tagwerk.dav.registry import Property
from tagwerk.dav.resources import CollectionResource, Context, ObjectResource, Resource
from tagwerk.errors import InvalidXml
from tagwerk.model import Changes, Kind, StoredObject

GETETAG = "{DAV:}getetag"
DATA = ("{urn:ietf:params:xml:ns:caldav}calendar-data", "{urn:ietf:params:xml:ns:carddav}address-data")
_DATA_OF = {Kind.CALENDAR: DATA[0], Kind.ADDRESSBOOK: DATA[1]}

Part = str | bytes
"""A piece of an answer; bytes where there is much of it."""

MAX_PROPERTIES = 1_000
"""Properties that one request may ask for: each costs time for every resource in the answer."""

_LENGTH = "{DAV:}getcontentlength"
_BATCH = 500
_CHUNK = 64 * 1024
_OK = "<D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
_INSIDE = "</D:href><D:propstat><D:prop>"
_MISSING = "<D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The properties that a request asks for (RFC 4918 9.1).

    `names` in the order of the request; with `every` those of ``allprop`` besides;
    `names_only` is ``propname``.  `minimal` leaves missing ones out (RFC 8144 2.1).
    """

    names: tuple[str, ...] = ()
    every: bool = False
    names_only: bool = False
    minimal: bool = False


def wanted(request: Request, root: Element | None) -> Wanted:
    """What the body of a PROPFIND or REPORT asks for; no body asks for everything.

    Raises:
        InvalidXml: it asks in two ways at once, or for over `MAX_PROPERTIES`.
    """
    minimal = wants_minimal(request)
    if root is None:
        return Wanted(every=True, minimal=minimal)
    ways = [child for child in root if child.tag in ("{DAV:}prop", "{DAV:}allprop", "{DAV:}propname")]
    if len(ways) > 1:
        raise InvalidXml("The request asks for prop, allprop or propname at the same time; one is allowed.")
    if not ways:
        return Wanted(minimal=minimal)
    if ways[0].tag == "{DAV:}propname":
        return Wanted(names_only=True, minimal=minimal)
    if ways[0].tag == "{DAV:}prop":
        return Wanted(_bounded(ways[0]), minimal=minimal)
    included = root.find("{DAV:}include")
    return Wanted(_bounded(included) if included is not None else (), every=True, minimal=minimal)


def _bounded(node: Element) -> tuple[str, ...]:
    names = xml.names(node)
    if len(names) > MAX_PROPERTIES:
        raise InvalidXml(f"The request asks for {len(names)} properties; {MAX_PROPERTIES} are allowed.")
    return tuple(names)


def wants_minimal(request: Request) -> bool:
    """``Prefer: return=minimal`` (RFC 8144 2), or ``Brief: t`` as older clients say it."""
    return prefers(request, "minimal") or request.header("brief").strip().lower() == "t"


def prefers(request: Request, what: str) -> bool:
    """Whether the request has ``Prefer: return=`` with this value (RFC 7240 4.2)."""
    choices = request.header("prefer").lower().replace(" ", "").replace('"', "").split(",")
    return any(choice.partition(";")[0] == f"return={what}" for choice in choices)


def response_for(context: Context, resource: Resource, asked: Wanted) -> str:
    """The ``DAV:response`` of one resource."""
    live = context.registry.properties(resource.where)
    dead = context.dead_properties(resource)
    if asked.names_only:
        names = [name for name, prop in live.items() if prop.get(context, resource) is not None]
        content = "".join(xml.tags(name)[2] for name in dict.fromkeys((*names, *_names(dead))))
        return _response(resource.href, content, "", minimal=asked.minimal)
    names = list(asked.names)
    if asked.every:
        names = list(dict.fromkeys((*(n for n, p in live.items() if p.in_allprop), *_names(dead), *names)))
    found, missing = _evaluate(context, resource, names, live, dead, every=asked.every)
    return _response(resource.href, found, missing, minimal=asked.minimal)


def _names(dead: dict[str, str]) -> list[str]:
    return [name for name in dead if not name.startswith(xml.LANGUAGE_OF)]


def _evaluate(
    context: Context,
    resource: Resource,
    names: Sequence[str],
    live: dict[str, Property],
    dead: dict[str, str],
    *,
    every: bool,
) -> tuple[str, str]:
    found: list[str] = []
    missing: list[str] = []
    for name in names:
        prop = live.get(name)
        value = dead.get(name) if prop is None else prop.get(context, resource)
        if value is not None:
            found.append(property_element(name, value, dead))
        elif not (every and prop is not None and prop.in_allprop):
            missing.append(xml.tags(name)[2])
    return "".join(found), "".join(missing)


def property_element(name: str, value: str, dead: dict[str, str]) -> str:
    """A property with its value, in the language that is remembered in `dead` (RFC 4918 4.3)."""
    start, end, empty = xml.tags(name)
    if language := dead.get(xml.LANGUAGE_OF + name):
        start, empty = xml.in_language(start, language), xml.in_language(empty, language)
    return f"{start}{value}{end}" if value else empty


def propstats(found: list[str], missing: list[str]) -> str:
    """The ``DAV:propstat`` elements of properties as elements, and of the names that are not there."""
    parts = [f"<D:propstat><D:prop>{''.join(found)}</D:prop>{_OK}"] if found or not missing else []
    if missing:
        absent = "".join(xml.tags(name)[2] for name in missing)
        parts.append(f"<D:propstat><D:prop>{absent}</D:prop>{_MISSING}")
    return "".join(parts)


def _response(href: str, found: str, missing: str, *, minimal: bool) -> str:
    parts = [f"<D:response><D:href>{xml.escape(href)}</D:href>"]
    if found or not missing or minimal:
        parts.append(f"<D:propstat><D:prop>{found}</D:prop>{_OK}")
    if missing and not minimal:
        parts.append(f"<D:propstat><D:prop>{missing}</D:prop>{_MISSING}")
    parts.append("</D:response>\n")
    return "".join(parts)


def status_response(href: str, status: str, *, condition: str = "", message: str = "") -> str:
    """A ``DAV:response`` that has only a status, such as ``404 Not Found``."""
    error = xml.element("{DAV:}error", xml.element(condition)) if condition else ""
    text = xml.element("{DAV:}responsedescription", xml.escape(message)) if message else ""
    return (
        f"<D:response><D:href>{xml.escape(href)}</D:href>"
        f"<D:status>HTTP/1.1 {status}</D:status>{error}{text}</D:response>\n"
    )


class ObjectWriter:
    """Writes the responses of many objects of one collection.

    What is the same for all of them is worked out once, and of each object only what
    is asked for is read.
    """

    def __init__(self, context: Context, collection: CollectionResource, asked: Wanted) -> None:
        self._context, self._collection, self._asked = context, collection, asked
        names = set(asked.names)
        plain = not asked.every and not asked.names_only and bool(names)
        self.needs_content = bool(names.intersection(DATA)) or (
            not collection.view.plain and (not plain or _LENGTH in names)
        )
        self.needs_only_etag = plain and names == {GETETAG}
        data = [name for name in asked.names if name in DATA]
        fits = _DATA_OF.get(collection.binding.collection.kind, "")
        self._data = fits if plain and data == [fits] and names <= {GETETAG, fits} else ""
        self._with_etag = GETETAG in names
        self._open = f"<D:response><D:href>{xml.escape(collection.href)}"
        start, end, _ = xml.tags(self._data or DATA[0])
        self._data_start, self._data_end = start, f"{end}</D:prop>{_OK}</D:response>\n".encode()
        if not (self.needs_only_etag or self._data):
            context.read_object_properties(collection)

    def responses(self, names: Sequence[str]) -> Iterator[tuple[str, Part]]:
        """Name and response of every object that exists among `names`, in no order."""
        txn, view = self._context.txn, self._collection.view
        for begin in range(0, len(names), _BATCH):
            batch = names[begin : begin + _BATCH]
            if self._data:
                for name, etag, content in view.contents(txn, batch):
                    yield name, self.data_response(name, etag, content)
            else:
                for stored in view.named(txn, batch, content=self.needs_content):
                    yield stored.name, self.response(stored)

    def responses_to(self, changes: Changes) -> Iterator[Part]:
        """The response of every object that `changes` names as changed."""
        if self.needs_only_etag:
            for name, etag in changes.changed:
                yield self.etag_response(name, etag)
        elif self._data:
            for name, etag, content in self._collection.view.contents_of(self._context.txn, changes):
                yield self.data_response(name, etag, content)
        else:
            for _, response in self.responses([name for name, _ in changes.changed]):
                yield response

    def etag_response(self, name: str, etag: str) -> str:
        """The response of an object of which only the ETag is asked."""
        return (
            f"{self._open}{paths.segment(name)}{_INSIDE}"
            f"<D:getetag>{etag}</D:getetag></D:prop>{_OK}</D:response>\n"
        )

    def data_response(self, name: str, etag: str, content: bytes) -> bytes:
        """The response of an object of which only its data is asked, with or without the ETag."""
        write = self._context.write_data
        data = xml.escape_bytes(content) if write is None else xml.escape(write(content)).encode()
        etag_part = f"<D:getetag>{etag}</D:getetag>" if self._with_etag else ""
        head = f"{self._open}{paths.segment(name)}{_INSIDE}{etag_part}{self._data_start}"
        return b"".join((head.encode(), data, self._data_end))

    def response(self, stored: StoredObject) -> Part:
        """The response of an object that was read; with its content if `needs_content`."""
        if self.needs_only_etag:
            return self.etag_response(stored.name, stored.etag)
        if self._data and stored.content is not None:
            return self.data_response(stored.name, stored.etag, stored.content)
        path = self._collection.href + paths.segment(stored.name)
        return response_for(self._context, ObjectResource(path, self._collection, stored), self._asked)


def answer(responses: Iterable[Part], *, tail: str = "", status: int = 207) -> Response:
    """The whole multistatus, produced while it is sent."""
    return Response(status, {"Content-Type": xml.XML_TYPE}, _stream(responses, tail))


def limited(responses: Iterator[Part], href: str, *, most: int) -> Iterator[Part]:
    """At most so many responses; where there would be more, 507 for the request's own URL says so.

    RFC 4791 7.8 and RFC 6352 8.6.2, DAV:number-of-matches-within-limits.
    """
    yield from islice(responses, most)
    if next(responses, None) is not None:
        yield truncated_response(href)


def truncated_response(href: str) -> str:
    """What says that there is more than was given (RFC 6578 3.6)."""
    return status_response(
        href, "507 Insufficient Storage", condition="{DAV:}number-of-matches-within-limits"
    )


def _stream(responses: Iterable[Part], tail: str) -> Iterator[bytes]:
    parts = [f"{xml.PROLOG}<D:multistatus{xml.DECLARATIONS}>\n".encode()]
    size = 0
    for part in responses:
        raw = part if isinstance(part, bytes) else part.encode()
        parts.append(raw)
        size += len(raw)
        if size >= _CHUNK:
            yield b"".join(parts)
            parts.clear()
            size = 0
    parts.append(f"{tail}</D:multistatus>\n".encode())
    yield b"".join(parts)
