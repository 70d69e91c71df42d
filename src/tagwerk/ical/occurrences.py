"""The instances of a calendar object (RFC 4791 9.9)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Set
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from tagwerk.contentline import Component
from tagwerk.ical.rrule import RunawayRule
from tagwerk.ical.schedule import all_series
from tagwerk.ical.series import Override, Series, originals, recurrence_id, segments, window
from tagwerk.ical.timing import Shape, Timing, overlaps
from tagwerk.ical.values import DAY, EPOCH, LAST_LOCAL, Moment, clamped, read_moment, to_instant
from tagwerk.ical.zones import Zones
from tagwerk.model import ALWAYS, FOREVER

MAX_INSTANCES: Final = 100_000
"""No question is answered with more instances than this."""

_STEADY: Final = 12 * DAY


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance of a calendar object.

    `start` and `end` are instants; `floating` says that they were found in the default
    zone.  `recurrence_id` names the instance as the master's DTSTART is written, and is
    None if the object does not recur.  `component` is what describes the instance: the
    master or an override.  `local` and `zone` are its start as a clock shows it.
    """

    start: int
    end: int
    floating: bool
    all_day: bool
    recurrence_id: Moment | None
    component: Component
    local: datetime
    zone: tzinfo


Found = tuple[int, int, datetime, Timing, datetime, Component]
"""Start, end, local start, timing, original local start, component."""


def instances(
    calendar: Component, start: int, end: int, *, zone: tzinfo, only: Collection[Component] | None = None
) -> Iterator[Instance]:
    """The instances that overlap the range from `start` to `end` as RFC 4791 9.9 has it.

    Instances of one series come in the order of their original times, overrides after
    them.  `zone` is where floating times are.  `ALWAYS` and `FOREVER` leave a side open.
    A VTODO without any date is one instance from ALWAYS to FOREVER, if it matches at all.
    `only` are the components whose instances are wanted; the others then cost nothing.

    Raises:
        TimeError: the object has dates that cannot be read.
        RunawayRule: there are more than `MAX_INSTANCES`.
    """
    zones = Zones(calendar, zone)
    yield from instances_of(all_series(calendar.children, zones), start, end, zones=zones, only=only)


def instances_of(
    series: Iterable[Series],
    start: int,
    end: int,
    *,
    zones: Zones,
    only: Collection[Component] | None = None,
) -> Iterator[Instance]:
    """As `instances`, of series that were read before.

    Raises:
        RunawayRule: there are more than `MAX_INSTANCES`.
    """
    ids = None if only is None else frozenset(map(id, only))
    for each in series:
        for begin, finish, local, when, original, component in found(each, start, end, only=ids):
            name = recurrence_id(each, original)
            moment = when.moment
            yield Instance(begin, finish, when.floating, moment.all_day, name, component, local, when.zone)
        if (
            each.timing is None
            and each.master is not None
            and _wanted(each.master, ids)
            and undated(each.master, start, end, zones)
        ):
            yield Instance(ALWAYS, FOREVER, False, False, None, each.master, datetime.min, zones.default)


def found(series: Series, start: int, end: int, *, only: Set[int] | None = None) -> Iterator[Found]:
    """The dated instances of `series` that overlap the range, as plain tuples.

    `only` has the ids of the components whose instances are wanted.

    Raises:
        RunawayRule: there are more than `MAX_INSTANCES`.
    """
    if series.timing is not None and series.master is not None:
        if series.recurring:
            yield from _from_master(series, series.timing, series.master, (start, end), only)
        elif _wanted(series.master, only) and series.timing.moment.local not in series.excluded:
            local = series.timing.moment.local
            yield from _placed(series.timing, local, local, series.master, start, end)
    for override in _overrides(series, only):
        local = override.timing.moment.local
        yield from _placed(override.timing, local, override.original, override.component, start, end)


def _overrides(series: Series, only: Set[int] | None) -> Iterable[Override]:
    """The overrides that are in force, where one was sent twice the newer."""
    if only is None:
        return series.overrides.values()
    chosen = [series.by_component[each] for each in only if each in series.by_component]
    return [override for override in chosen if series.overrides[override.original] is override]


def _wanted(component: Component, only: Set[int] | None) -> bool:
    return only is None or id(component) in only


def spans(series: Series, start: int, end: int, *, limit: int) -> list[tuple[int, int]]:
    """Start and end of the instances that `found` finds, no more than `limit`, in no certain order."""
    when = series.timing
    if (
        when is None
        or not series.recurring
        or series.lengths
        or series.ranges
        or when.shape is not Shape.SPAN
    ):
        return [item[:2] for item in islice(found(series, start, end), limit)]
    low, high = window(when, 0, start, end)
    starts = list(islice(originals(series, low, high), limit))
    if series.overrides:
        starts = [original for original in starts if original not in series.overrides]
    made = [
        (first, last)
        for first, last in _spans(starts, when)
        if first < end and (last > start or first == last == start)
    ]
    for override in series.overrides.values():
        local = override.timing.moment.local
        placed = _placed(override.timing, local, override.original, override.component, start, end)
        made += [item[:2] for item in placed]
    return made


def _spans(starts: list[datetime], when: Timing) -> list[tuple[int, int]]:
    """Start and end of instances of a VEVENT, whose local starts are sorted."""
    zone, length = when.zone, when.days * DAY + when.seconds
    if zone is UTC:
        return [(wall, wall + length) for wall in map(_wall, starts)]
    made: list[tuple[int, int]] = []
    place = 0
    while place < len(starts):
        local = starts[place]
        begin = to_instant(local, zone)
        offset = _wall(local) - begin
        later = clamped(local, _STEADY)
        end = place + 1
        # No zone of the world changes its clock twice within so few days.
        if isinstance(zone, ZoneInfo) and _wall(later) - to_instant(later, zone) == offset:
            end = max(end, bisect_left(starts, clamped(later, -length), place))
            made += [(wall - offset, wall - offset + length) for wall in map(_wall, starts[place:end])]
        else:
            made.append((begin, when.end(local, begin)))
        place = end
    return made


def _wall(local: datetime) -> int:
    since = local - EPOCH
    return since.days * DAY + since.seconds


def _placed(
    when: Timing, local: datetime, original: datetime, component: Component, start: int, end: int
) -> Iterator[Found]:
    begin = to_instant(local, when.zone)
    finish = when.end(local, begin)
    if overlaps(when.shape, (begin, finish), start, end):
        yield begin, finish, local, when, original, component


def _from_master(
    series: Series,
    when: Timing,
    master: Component,
    span: tuple[int, int],
    only: Set[int] | None,
) -> Iterator[Found]:
    start, end = span
    examined = 0
    for low, high, override in segments(series, when, start, end, only=only):
        for original in originals(series, low, high):
            examined += 1
            if examined > MAX_INSTANCES:
                raise RunawayRule(f"there are more than {MAX_INSTANCES} instances")
            if original in series.overrides:
                continue
            if override is not None:
                local = override.shifted(original)
                yield from _placed(override.timing, local, original, override.component, start, end)
            elif original not in series.lengths:
                yield from _placed(when, original, original, master, start, end)
    for original, seconds in series.lengths.items() if _wanted(master, only) else ():
        if original not in series.overrides and not (series.ranges and original > series.ranges[0].original):
            begin = to_instant(original, when.zone)
            is_there = any(originals(series, original, clamped(original, 1)))
            if overlaps(when.shape, (begin, begin + seconds), start, end) and is_there:
                yield begin, begin + seconds, original, when, original, master


def undated(component: Component, start: int, end: int, zones: Zones) -> bool:
    """Whether a VTODO without DTSTART and DUE overlaps the range: the last four rows of RFC 4791 9.9."""
    if component.name != "VTODO":
        return False
    created, completed = (_instant_of(component, name, zones) for name in ("CREATED", "COMPLETED"))
    if completed is None:
        return created is None or end > created
    if created is None:
        return start <= completed <= end
    return (start <= created or start <= completed) and (end >= created or end >= completed)


def _instant_of(component: Component, name: str, zones: Zones) -> int | None:
    line = component.first(name)
    if line is None:
        return None
    try:
        return zones.instant(read_moment(line))
    except ValueError:
        return None  # no date of the schedule: a wrong one hides nothing


def bounds(series: Series) -> tuple[int, int]:
    """Instants between which everything of `series` happens, ALWAYS and FOREVER where there is no bound."""
    spots: list[tuple[int, int]] = []
    when = series.timing
    if when is None:
        if series.master is not None:
            return ALWAYS, FOREVER
    else:
        for local in {when.moment.local, *series.dates}:
            begin = to_instant(local, when.zone)
            spots.append((begin, max(when.end(local, begin), begin + series.lengths.get(local, 0))))
        spots += _last_of_rules(series, when)
    for override in series.overrides.values():
        begin = to_instant(override.timing.moment.local, override.timing.zone)
        spots.append((begin, override.timing.end(override.timing.moment.local, begin)))
    if not spots:
        return ALWAYS, FOREVER
    first, last = min(begin for begin, _ in spots), max(end for _, end in spots)
    for override in series.ranges:
        delta = override.timing.moment.local - override.original
        moved = delta.days * DAY + delta.seconds
        longest = override.timing.days * DAY + override.timing.seconds
        first = min(first, first + moved - 2 * DAY)
        last = last if last == FOREVER else max(last, last + moved + longest + 2 * DAY)
    return first, last


def _last_of_rules(series: Series, when: Timing) -> Iterator[tuple[int, int]]:
    for rule, until in series.rules:
        if rule.endless:
            yield FOREVER, FOREVER
            continue
        try:
            final = rule.last(when.moment.local, until=until)
        except RunawayRule:
            continue
        if final is not None:
            final = min(final, LAST_LOCAL)
            begin = to_instant(final, when.zone)
            yield begin, when.end(final, begin)
