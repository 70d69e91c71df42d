"""The free-busy-query report (RFC 4791 7.10)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import tzinfo
from itertools import islice
from xml.etree.ElementTree import Element

from tagwerk.contentline import Component, parse
from tagwerk.dav.calendar_filter import time_range
from tagwerk.dav.message import Response
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import CollectionResource, Context, Home, Resource, Where, collections_in
from tagwerk.dav.zones import zone_of
from tagwerk.errors import CALDAV, DAV, InvalidXml, Refused
from tagwerk.ical.filter import TimeRange
from tagwerk.ical.freebusy import BusyPeriod, busy_periods, busy_spans, merge, render, unavailable
from tagwerk.ical.rrule import RunawayRule
from tagwerk.ical.spans import are_spans
from tagwerk.model import Busy
from tagwerk.store.objects import Candidate

feature = Feature("RFC 4791 free-busy-query")

log = logging.getLogger(__name__)

MAX_PERIODS = 100_000
"""Busy periods, before they are merged, that one answer is made of."""

_OPAQUE = "<C:opaque/>"
TRANSPARENCY = CALDAV + "schedule-calendar-transp"


@feature.report(CALDAV + "free-busy-query", on=Where.HOMES | Where.CALENDAR)
def free_busy_query(context: Context, resource: Resource, root: Element) -> Response:
    """When somebody is busy, never with what."""
    node = root.find(CALDAV + "time-range")
    if node is None:
        raise InvalidXml("A free-busy-query holds a time-range.")
    span = time_range(node, needs_both=True)
    if isinstance(resource, Home):
        collections = collections_in(context, resource)
        context.read_collection_properties(collections)
        places = [found for found in collections if _counts(context, found)]
    else:
        assert isinstance(resource, CollectionResource)
        places = [resource]
    found = (
        period for place in places for period in busy_in(context, place, span, zone_of(context, root, place))
    )
    periods = list(islice(found, MAX_PERIODS + 1))
    if len(periods) > MAX_PERIODS:
        raise _too_many(f"There are over {MAX_PERIODS} periods of busy time in this range; ask for less.")
    body = render(merge(periods), span.start, span.end, dtstamp=context.now)
    return Response(200, {"Content-Type": "text/calendar; charset=utf-8"}, body)


def _too_many(sentence: str) -> Refused:
    return Refused(sentence, condition=DAV + "number-of-matches-within-limits")


def _counts(context: Context, place: CollectionResource) -> bool:
    """Whether a calendar counts for its owner's free-busy (RFC 6638 9.1)."""
    return place.where is Where.CALENDAR and "transparent" not in context.dead_properties(place).get(
        TRANSPARENCY, _OPAQUE
    )


def busy_in(
    context: Context, place: CollectionResource, span: TimeRange, zone: tzinfo
) -> Iterator[BusyPeriod]:
    """The busy time in a calendar; most of it is read from columns.

    Raises:
        Refused: an object has more instances in the range than can be counted: to leave
            it out would show somebody as free.
    """
    view = place.view
    own = view.own_names(context.txn)
    unread: list[str] = []
    for found in view.candidates(context.txn, component=None, start=span.start, end=span.end):
        if found.component not in ("VEVENT", "VFREEBUSY", "VAVAILABILITY"):
            continue
        told = view.columns_tell(found) and found.name not in own
        if told and found.busy == Busy.FREE:
            continue
        if told and _columns_suffice(found, span) and found.spans is not None:
            yield from busy_spans(found.spans, Busy(found.busy), span.start, span.end)
        else:
            unread.append(found.name)
    available: list[Component] = []
    for stored in view.named(context.txn, unread):
        calendar = parse((stored.content or b"").decode())[0]
        if stored.component == "VAVAILABILITY":
            available.append(calendar)
            continue
        try:
            yield from list(busy_periods(calendar, span.start, span.end, zone=zone))
        except RunawayRule as error:
            raise _too_many(f"{place.href}{stored.name}: {error}; ask for a shorter range.") from error
        except ValueError:
            _pass_over(place, f"The object of change {stored.modseq}")
    try:
        yield from unavailable(available, span.start, span.end, zone=zone)
    except RunawayRule as error:
        raise _too_many(f"{place.href}: {error}; ask for a shorter range.") from error
    except ValueError:
        _pass_over(place, "Availability")


def _pass_over(place: CollectionResource, what: str) -> None:
    # A name or a value of an object is nothing for the log; the number is a row of the database.
    log.warning("%s in %s cannot be understood and does not count for free-busy.", what, place.href)


def _columns_suffice(found: Candidate, span: TimeRange) -> bool:
    return (
        found.component == "VEVENT"
        and not found.floating
        and found.busy != Busy.MIXED
        and found.spans is not None
        and are_spans(found.spans)
        and found.spans_from <= span.start
        and span.end <= found.spans_until
    )
