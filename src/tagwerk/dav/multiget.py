"""The multiget reports: many objects by their hrefs (RFC 4791 7.9, RFC 6352 8.7)."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from tagwerk.dav import paths
from tagwerk.dav.message import Response
from tagwerk.dav.multistatus import ObjectWriter, Part, Wanted, answer, status_response, wanted
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import (
    CollectionResource,
    Context,
    ObjectResource,
    Resource,
    Where,
    resolve_collection,
)
from tagwerk.dav.transform import prepare_data
from tagwerk.errors import CALDAV, CARDDAV, InvalidXml, TagwerkError

feature = Feature("RFC 4791 and RFC 6352 multiget")


@feature.report(CALDAV + "calendar-multiget", on=Where.HOMES | Where.CALENDAR | Where.EVENT)
def calendar_multiget(context: Context, resource: Resource, root: Element) -> Response:
    """RFC 4791 7.9."""
    return _multiget(context, resource, root, where=Where.CALENDAR)


@feature.report(CARDDAV + "addressbook-multiget", on=Where.HOMES | Where.ADDRESSBOOK | Where.CARD)
def addressbook_multiget(context: Context, resource: Resource, root: Element) -> Response:
    """RFC 6352 8.7."""
    return _multiget(context, resource, root, where=Where.ADDRESSBOOK)


def _multiget(context: Context, resource: Resource, root: Element, *, where: Where) -> Response:
    hrefs = [(node.text or "").strip() for node in root.iterfind("{DAV:}href")]
    most = context.settings.dav.max_multiget
    if not hrefs:
        raise InvalidXml("A multiget names the objects it wants with DAV:href; this one names none.")
    if len(hrefs) > most:
        raise InvalidXml(f"A multiget may name {most} objects; this one names {len(hrefs)}.")
    prepare_data(context, root)
    asked = wanted(context.request, root)
    return answer(_responses(context, resource, list(dict.fromkeys(hrefs)), asked, where))


def _responses(
    context: Context, resource: Resource, hrefs: list[str], asked: Wanted, where: Where
) -> Iterator[Part]:
    """Collection by collection, in no order; 404 for what is not there."""
    scope = paths.split(context.request.path)
    if isinstance(resource, ObjectResource):
        scope = scope[:2]
    named: dict[tuple[str, ...], dict[str, str]] = {}
    for href in hrefs:
        segments = _inside(context, href, scope)
        if segments is None:
            yield status_response(href, "404 Not Found")
        else:
            named.setdefault(segments[:2], {})[segments[2]] = href
    for place, objects in named.items():
        yield from _of_collection(context, place, objects, asked, where)


def _inside(context: Context, href: str, scope: tuple[str, ...]) -> tuple[str, ...] | None:
    try:
        segments = paths.of_href(href, context.request, looked_at=True)
    except (TagwerkError, ValueError):
        return None
    return segments if len(segments) == 3 and segments[: len(scope)] == scope else None


def _of_collection(
    context: Context, place: tuple[str, ...], objects: dict[str, str], asked: Wanted, where: Where
) -> Iterator[Part]:
    try:
        collection: CollectionResource | None = resolve_collection(context, place)
    except TagwerkError:
        collection = None
    if collection is None or collection.where is not where:
        for href in objects.values():
            yield status_response(href, "404 Not Found")
        return
    missing = dict(objects)
    for name, response in ObjectWriter(context, collection, asked).responses(list(objects)):
        del missing[name]
        yield response
    for href in missing.values():
        yield status_response(href, "404 Not Found")
