"""The calendar-query report (RFC 4791 7.8).

Columns decide most of it: component, time and folded text narrow the candidates in
SQL, the spans of an object decide a time range without reading it.  What is left is
read and matched as the RFC says.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, tzinfo
from xml.etree.ElementTree import Element

from tagwerk.contentline import parse
from tagwerk.dav.calendar_filter import read_filter
from tagwerk.dav.message import Response
from tagwerk.dav.multistatus import ObjectWriter, Part, Wanted, answer, limited, wanted
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import (
    CollectionResource,
    Context,
    Home,
    ObjectResource,
    Resource,
    Where,
    collections_in,
)
from tagwerk.dav.transform import prepare_data
from tagwerk.dav.zones import zone_of, zone_of_request
from tagwerk.errors import CALDAV
from tagwerk.ical.filter import CompFilter, Prefilter, matches, prefilter
from tagwerk.ical.spans import are_spans, iter_spans, spans_overlap
from tagwerk.ical.values import to_instant, to_local
from tagwerk.model import ALWAYS, FOREVER
from tagwerk.sharing.views import View
from tagwerk.store.objects import Candidate

feature = Feature("RFC 4791 calendar-query")

log = logging.getLogger(__name__)


@feature.report(CALDAV + "calendar-query", on=Where.HOMES | Where.CALENDAR | Where.EVENT)
def calendar_query(context: Context, resource: Resource, root: Element) -> Response:
    """RFC 4791 7.8, on a calendar, on one object, or on every calendar of a home."""
    asked = wanted(context.request, root)
    condition = read_filter(root)
    prepare_data(context, root, zone=zone_of_request(root) or UTC)  # refused also where nothing is found
    found = _responses(context, resource, root, asked, condition)
    return answer(limited(found, resource.href, most=context.settings.dav.max_results))


def _responses(
    context: Context, resource: Resource, root: Element, asked: Wanted, condition: CompFilter
) -> Iterator[Part]:
    only = resource.stored.name if isinstance(resource, ObjectResource) else ""
    if isinstance(resource, ObjectResource):
        places = [resource.parent]
    elif isinstance(resource, Home):
        places = [place for place in collections_in(context, resource) if place.where is Where.CALENDAR]
    else:
        assert isinstance(resource, CollectionResource)
        places = [resource]
    for place in places:
        zone = zone_of(context, root, place)
        prepare_data(context, root, zone=zone)
        yield from _of_collection(context, place, asked, condition, zone, only=only)


def _of_collection(
    context: Context,
    place: CollectionResource,
    asked: Wanted,
    condition: CompFilter,
    zone: tzinfo,
    *,
    only: str,
) -> Iterator[Part]:
    narrowed = prefilter(condition)
    found = place.view.candidates(
        context.txn,
        component=narrowed.component,
        start=narrowed.start,
        end=narrowed.end,
        needles=tuple((needle,) for needle in narrowed.needles),
    )
    verdicts = {
        candidate.name: (candidate.etag, answered)
        for candidate in found
        if (not only or candidate.name == only)
        and (answered := verdict(place.view, candidate, narrowed, zone)) is not False
    }
    writer = ObjectWriter(context, place, asked)
    if writer.needs_only_etag and all(sure for _, sure in verdicts.values()):
        for name, (etag, _) in verdicts.items():
            yield writer.etag_response(name, etag)
        return
    known = [name for name, (_, sure) in verdicts.items() if sure]
    for _, response in writer.responses(known):
        yield response
    unknown = [name for name, (_, sure) in verdicts.items() if sure is None]
    for stored in place.view.named(context.txn, unknown):
        if matches_content(stored.content or b"", condition, zone):
            yield writer.response(stored)


def verdict(view: View, candidate: Candidate, narrowed: Prefilter, zone: tzinfo) -> bool | None:
    """As `decide`, for what is seen of an object."""
    if view.columns_tell(candidate):
        return decide(candidate, narrowed, zone)
    return None


def decide(candidate: Candidate, narrowed: Prefilter, zone: tzinfo) -> bool | None:
    """Whether the columns say that an object matches; None where only its bytes can tell."""
    if not narrowed.exact:
        return None
    if narrowed.start == ALWAYS and narrowed.end == FOREVER:
        return True
    spans = candidate.spans
    if spans is None or not are_spans(spans):
        return None
    if narrowed.start < candidate.spans_from or narrowed.end > candidate.spans_until:
        return None
    if not candidate.floating or zone is UTC:
        return spans_overlap(spans, narrowed.start, narrowed.end)
    for begin, end in iter_spans(spans, narrowed.start - 86400, narrowed.end + 86400):
        first, last = (to_instant(to_local(instant, UTC), zone) for instant in (begin, end))
        if first < narrowed.end and (last > narrowed.start or first == last == narrowed.start):
            return True
    return False


def matches_content(content: bytes, condition: CompFilter, zone: tzinfo) -> bool:
    """Whether an object's bytes match; what cannot be decided is found rather than lost."""
    roots = parse(content.decode())
    try:
        return bool(roots) and matches(roots[0], condition, zone=zone)
    except ValueError:
        log.warning("A filter cannot be decided for an object; it counts as found.")
        return True
