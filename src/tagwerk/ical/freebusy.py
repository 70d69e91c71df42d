"""Free-busy time (RFC 4791 7.10), with availability (RFC 7953 5)."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from tagwerk.contentline import Component, fold
from tagwerk.ical.facts import busy_of
from tagwerk.ical.occurrences import found, instances
from tagwerk.ical.schedule import offers
from tagwerk.ical.spans import iter_spans
from tagwerk.ical.timing import read_period, time_lines, timing
from tagwerk.ical.values import show_utc
from tagwerk.ical.zones import Zones
from tagwerk.model import ALWAYS, FOREVER, Busy


class BusyType(enum.StrEnum):
    """FBTYPE (RFC 5545 3.2.9), without FREE."""

    BUSY = "BUSY"
    UNAVAILABLE = "BUSY-UNAVAILABLE"
    TENTATIVE = "BUSY-TENTATIVE"


_TYPES: Final = {kind.value: kind for kind in BusyType}
_OF_EVENT: Final = {Busy.BUSY: BusyType.BUSY, Busy.TENTATIVE: BusyType.TENTATIVE}


@dataclass(frozen=True, slots=True, order=True)
class BusyPeriod:
    """Time that is not free, from the instant `start` to the instant `end`."""

    start: int
    end: int
    type: BusyType = BusyType.BUSY


def busy_spans(spans: bytes, busy: Busy, start: int, end: int) -> Iterator[BusyPeriod]:
    """The busy time of a VEVENT whose `Facts` say all: `busy` is not MIXED, `spans` cover the range."""
    kind = _OF_EVENT.get(busy)
    if kind is not None:
        yield from _clipped(iter_spans(spans, start, end), kind, start, end)


def busy_periods(calendar: Component, start: int, end: int, *, zone: tzinfo) -> Iterator[BusyPeriod]:
    """The busy time that the VEVENT and VFREEBUSY components of an object make in the range.

    `zone` is where floating times are.

    Raises:
        TimeError: the object has dates that cannot be read.
        RunawayRule: it has too many instances.
    """
    kinds: dict[int, BusyType | None] = {}
    events = [child for child in calendar.children if child.name == "VEVENT"]
    for event in events:
        kinds[id(event)] = _OF_EVENT.get(busy_of(event))
    if any(kinds.values()):
        for instance in instances(calendar, start, end, zone=zone):
            kind = kinds.get(id(instance.component))
            if kind is not None:
                yield from _clipped([(instance.start, instance.end)], kind, start, end)
    zones = Zones(calendar, zone)
    for child in calendar.children:
        if child.name == "VFREEBUSY":
            yield from _of_freebusy(child, zones, start, end)


def unavailable(calendars: Iterable[Component], start: int, end: int, *, zone: tzinfo) -> list[BusyPeriod]:
    """The time of the range that the VAVAILABILITY components in `calendars` do not offer (RFC 7953 5).

    Of two that cover the same time the one of higher priority decides (PRIORITY 1 is the
    highest, 0 or none the lowest); among equals, what one offers is offered.

    Raises:
        TimeError: one of them has dates that cannot be read.
    """
    ordered: dict[int, list[tuple[Component, Zones]]] = {}
    for calendar in calendars:
        zones = Zones(calendar, zone)
        for child in calendar.children:
            if child.name == "VAVAILABILITY":
                ordered.setdefault(_priority(child), []).append((child, zones))
    taken: list[BusyPeriod] = []
    for _, group in sorted(ordered.items(), reverse=True):
        covered: list[tuple[int, int]] = []
        offered: list[tuple[int, int]] = []
        blocked: list[BusyPeriod] = []
        for component, zones in group:
            span = _covered(component, zones, start, end)
            if span is None:
                continue
            covered.append(span)
            kind = component.value("BUSYTYPE").strip().upper()
            blocked.append(BusyPeriod(*span, _TYPES.get(kind, BusyType.UNAVAILABLE)))
            offered += _offered(component, zones, span)
        taken = _minus(taken, covered) + _minus(blocked, offered)
    return merge(taken)


def merge(periods: Iterable[BusyPeriod]) -> list[BusyPeriod]:
    """`periods` in order, those of one type that overlap or touch made one (RFC 4791 7.10)."""
    last: dict[BusyType, tuple[int, int]] = {}
    merged: list[BusyPeriod] = []
    for period in sorted(periods):
        begin, finish = last.get(period.type, (period.start, period.start))
        if period.type in last and period.start > finish:
            merged.append(BusyPeriod(begin, finish, period.type))
            begin = period.start
        last[period.type] = begin, max(finish, period.end)
    merged += [BusyPeriod(begin, finish, kind) for kind, (begin, finish) in last.items()]
    return sorted(period for period in merged if period.start < period.end)


def render(
    periods: Iterable[BusyPeriod],
    start: int,
    end: int,
    *,
    dtstamp: int,
    uid: str = "",
    organizer: str = "",
    attendee: str = "",
    method: str = "",
    prodid: str = "-//Tagwerk//Tagwerk//EN",
) -> bytes:
    """A VCALENDAR with one VFREEBUSY for the range: the answer to a free-busy query (RFC 4791 7.10).

    `periods` are those of `merge`.  `organizer` and `attendee` are calendar addresses, and
    with `uid` and `method` they are for the reply to an iTIP request (RFC 5546 3.3.2).
    """
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{prodid}"]
    lines += [f"METHOD:{method}"] if method else []
    lines += ["BEGIN:VFREEBUSY", f"DTSTAMP:{show_utc(dtstamp)}"]
    lines += [f"UID:{uid}"] if uid else []
    lines += [f"ORGANIZER:{organizer}"] if organizer else []
    lines += [f"ATTENDEE:{attendee}"] if attendee else []
    lines += [f"DTSTART:{show_utc(start)}", f"DTEND:{show_utc(end)}"]
    for period in periods:
        kind = "" if period.type is BusyType.BUSY else f";FBTYPE={period.type}"
        lines.append(f"FREEBUSY{kind}:{show_utc(period.start)}/{show_utc(period.end)}")
    lines += ["END:VFREEBUSY", "END:VCALENDAR"]
    return "".join(map(fold, lines)).encode()


def _clipped(spans: Iterable[tuple[int, int]], kind: BusyType, start: int, end: int) -> Iterator[BusyPeriod]:
    for first, last in spans:
        begin, finish = max(first, start), min(last, end)
        if begin < finish:
            yield BusyPeriod(begin, finish, kind)


def _of_freebusy(component: Component, zones: Zones, start: int, end: int) -> Iterator[BusyPeriod]:
    for line in component.all("FREEBUSY"):
        kind = line.param("FBTYPE", "BUSY").strip().upper()
        if kind == "FREE":
            continue
        # RFC 5545 3.2.9: an unknown type is treated like BUSY.
        known = _TYPES.get(kind, BusyType.BUSY)
        spans = [read_period(text, line, zones) for text in line.value.split(",")]
        yield from _clipped([span for span in spans if span is not None], known, start, end)


def _priority(component: Component) -> int:
    """From 1, the highest, to 9; 10 where it is not defined (RFC 7953 3.1)."""
    text = component.value("PRIORITY").strip()
    return int(text) if text in "123456789" and text else 10


def _covered(component: Component, zones: Zones, start: int, end: int) -> tuple[int, int] | None:
    """What a VAVAILABILITY speaks about, inside the range."""
    when = timing(component, time_lines(component), zones)
    first, last = ALWAYS, FOREVER
    if when is not None:
        first = zones.instant(when.moment)
        if component.first("DTEND") is not None or component.first("DURATION") is not None:
            last = when.end(when.moment.local, first)
    begin, finish = max(first, start), min(last, end)
    return (begin, finish) if begin < finish else None


def _offered(component: Component, zones: Zones, span: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """The instances of AVAILABLE, inside `span`."""
    for series in offers(component, zones):
        for first, last, *_ in found(series, *span):
            yield max(first, span[0]), min(last, span[1])


def _minus(periods: list[BusyPeriod], removed: list[tuple[int, int]]) -> list[BusyPeriod]:
    """`periods` without the time of `removed`."""
    holes = [(hole.start, hole.end) for hole in merge(BusyPeriod(*span) for span in removed)]
    left: list[BusyPeriod] = []
    for period in periods:
        begin = period.start
        for first, last in holes:
            if last <= begin:
                continue
            if first >= period.end:
                break
            if first > begin:
                left.append(BusyPeriod(begin, first, period.type))
            begin = max(begin, last)
        if begin < period.end:
            left.append(BusyPeriod(begin, period.end, period.type))
    return left
