"""The instances of a calendar object (RFC 5545 3.8.5, RFC 4791 9.9).

A series is a master with its overrides.  Its instances are named by their original
local time, on the clock of the master's DTSTART: that is what rules make, what EXDATE
removes and what RECURRENCE-ID points to, whatever zone or form a program has written
these in.  Only instances inside the window that is asked for are ever made.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, tzinfo
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from tagwerk.contentline import Component, Line
from tagwerk.ical.rrule import Rule, RunawayRule
from tagwerk.ical.timing import Lines, Shape, TimeError, Timing, overlaps, time_lines, timing
from tagwerk.ical.values import (
    DAY,
    EPOCH,
    LAST_LOCAL,
    Moment,
    clamped,
    parse_moment,
    parse_period,
    read_moment,
    to_instant,
    to_local,
)
from tagwerk.ical.zones import Zones
from tagwerk.model import ALWAYS, FOREVER

SCHEDULED: Final = frozenset({"VEVENT", "VTODO", "VJOURNAL"})
"""The components that have instances."""

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


@dataclass(frozen=True, slots=True)
class Override:
    """A component with RECURRENCE-ID; `original` is the local time on the master's clock."""

    component: Component
    timing: Timing
    moment: Moment
    original: datetime

    def shifted(self, original: datetime) -> datetime:
        """Where RANGE=THISANDFUTURE moves the later instance `original` (RFC 5545 3.8.4.4)."""
        delta = self.timing.moment.local - self.original
        return clamped(original, delta.days * DAY + delta.seconds)


@dataclass(slots=True)
class Series:
    """A master and its overrides; without a master only these.

    `rules` and `exclusions` go with UNTIL on the master's clock.  `lengths` are exact
    lengths in seconds of instances that RDATE gives as a period.  `dates` is sorted.
    """

    master: Component | None = None
    timing: Timing | None = None
    recurring: bool = False
    rules: list[tuple[Rule, datetime | None]] = field(default_factory=list)
    exclusions: list[tuple[Rule, datetime | None]] = field(default_factory=list)
    dates: list[datetime] = field(default_factory=list)
    lengths: dict[datetime, int] = field(default_factory=dict)
    excluded: set[datetime] = field(default_factory=set)
    excluded_days: set[date] = field(default_factory=set)
    overrides: dict[datetime, Override] = field(default_factory=dict)
    ranges: list[Override] = field(default_factory=list)


Found = tuple[int, int, datetime, Timing, datetime, Component]
"""Start, end, local start, timing, original local start, component."""


def instances(calendar: Component, start: int, end: int, *, zone: tzinfo) -> Iterator[Instance]:
    """The instances that overlap the range from `start` to `end` as RFC 4791 9.9 has it.

    Instances of one series come in the order of their original times, overrides after
    them.  `zone` is where floating times are.  `ALWAYS` and `FOREVER` leave a side open.
    A VTODO without any date is one instance from ALWAYS to FOREVER, if it matches at all.

    Raises:
        TimeError: the object has dates that cannot be read.
        RunawayRule: there are more than `MAX_INSTANCES`.
    """
    zones = Zones(calendar, zone)
    for each in all_series(calendar.children, zones):
        for begin, finish, local, when, original, component in found(each, start, end):
            name = recurrence_id(each, original)
            moment = when.moment
            yield Instance(begin, finish, when.floating, moment.all_day, name, component, local, when.zone)
        if each.timing is None and each.master is not None and undated(each.master, start, end, zones):
            yield Instance(ALWAYS, FOREVER, False, False, None, each.master, datetime.min, zone)


def all_series(components: Iterable[Component], zones: Zones) -> list[Series]:
    """The series among `components`, one for every kind and UID.

    Raises:
        TimeError: a date, duration or rule cannot be read.
    """
    groups: dict[tuple[str, str], list[Component]] = {}
    chosen = [component for component in components if component.name in SCHEDULED]
    if len(chosen) == 1:
        return [one_series(chosen, zones)]
    for component in chosen:
        groups.setdefault((component.name, component.value("UID").strip()), []).append(component)
    made: list[Series] = []
    for group in groups.values():
        masters = [component for component in group if component.first("RECURRENCE-ID") is None]
        if len(masters) > 1:
            # Two masters cannot be; each keeps its own instances, the first has the overrides.
            made += [one_series([other], zones) for other in masters[1:]]
            group = [component for component in group if component not in masters[1:]]
        made.append(one_series(group, zones))
    return made


def one_series(group: list[Component], zones: Zones) -> Series:
    """The series of components that have one UID, at most one of them without RECURRENCE-ID.

    Raises:
        TimeError: a date, duration or rule cannot be read.
    """
    series = Series()
    overriding: list[tuple[Component, Lines]] = []
    for component in group:
        lines = time_lines(component)
        if "RECURRENCE-ID" in lines:
            overriding.append((component, lines))
        else:
            series.master, series.timing = component, timing(component, lines, zones)
            if len(lines) > 1:
                _read_recurrence(series, lines, zones)
    if overriding:
        series.recurring = True
        _read_overrides(series, overriding, zones)
    return series


def _read_recurrence(series: Series, lines: Lines, zones: Zones) -> None:
    when = series.timing
    if when is None:
        return
    for line in lines.get("RRULE", ()):
        series.rules.append(_rule(line, when, zones))
    for line in lines.get("EXRULE", ()):
        series.exclusions.append(_rule(line, when, zones))
    for line in lines.get("RDATE", ()):
        _read_dates(series, when, line, zones)
    for line in lines.get("EXDATE", ()):
        for moment in _moments(line):
            if moment.all_day and not when.moment.all_day:
                series.excluded_days.add(moment.local.date())
            else:
                series.excluded.add(_original(moment, when, zones))
    series.dates.sort()
    series.recurring = bool(series.rules or series.dates)


def _rule(line: Line, when: Timing, zones: Zones) -> tuple[Rule, datetime | None]:
    """The rule, and its UNTIL on the clock of the master."""
    try:
        rule = Rule.parse(line.value)
        if when.moment.all_day:
            rule = rule.for_dates()
    except ValueError as error:
        raise TimeError(f"{line.name}: {error}", line.index) from error
    until = rule.until
    if until is None:
        return rule, None
    if when.moment.all_day:
        return rule, until.local.replace(hour=0, minute=0, second=0)
    if until.utc and not when.floating:
        return rule, to_local(zones.instant(until), when.zone)
    return rule, None


def _read_dates(series: Series, when: Timing, line: Line, zones: Zones) -> None:
    tzid = line.param("TZID").strip() if ";" in line.head else ""
    for text in line.value.split(","):
        if not text.strip():
            continue
        try:
            if "/" not in text:
                series.dates.append(
                    _original(parse_moment(text, tzid=tzid, date=_is_date(line)), when, zones)
                )
                continue
            period = parse_period(text, tzid=tzid)
        except ValueError as error:
            raise TimeError(f"{line.name}: {error}", line.index) from error
        original = _original(period.start, when, zones)
        series.dates.append(original)
        if not when.moment.all_day:
            begin = to_instant(original, when.zone)
            length = period.duration.days * DAY + period.duration.seconds
            if period.end is not None:
                length = zones.instant(period.end) - zones.instant(period.start)
            series.lengths[original] = max(0, length if begin + length <= FOREVER else 0)


def _moments(line: Line) -> Iterator[Moment]:
    """The values of EXDATE; empty ones are passed over."""
    tzid = line.param("TZID").strip() if ";" in line.head else ""
    for text in line.value.split(","):
        if text.strip():
            try:
                yield parse_moment(text, tzid=tzid, date=_is_date(line))
            except ValueError as error:
                raise TimeError(f"{line.name}: {error}", line.index) from error


def _is_date(line: Line) -> bool:
    return ";" in line.head and line.param("VALUE").strip().upper() == "DATE"


def _original(moment: Moment, when: Timing, zones: Zones) -> datetime:
    """The local time on the clock of the master's DTSTART that `moment` means.

    Programs write EXDATE and RECURRENCE-ID in UTC, in another zone or without one, as a
    DATE for a master with time (Evolution, Exchange) and with a time for an all-day
    master (midnight here, or in UTC midnight of where they are).
    """
    local = moment.local
    if when.moment.all_day:
        if moment.all_day or local.time() == time.min:
            return local.replace(hour=0, minute=0, second=0)
        if zones.of(moment) is not None:
            here = to_local(zones.instant(moment), zones.default)
            if here.time() == time.min:
                return here
        return datetime.combine(local, time.min)
    if moment.all_day:
        return datetime.combine(local, when.moment.local.time())
    if when.floating:
        return local
    zone = zones.of(moment)
    if zone is None or zone is when.zone:
        return local
    return to_local(to_instant(local, zone), when.zone)


def _read_overrides(series: Series, overriding: list[tuple[Component, Lines]], zones: Zones) -> None:
    when = series.timing
    for component, lines in overriding:
        line = lines["RECURRENCE-ID"][0]
        try:
            moment = read_moment(line)
        except ValueError as error:
            raise TimeError(f"{line.name}: {error}", line.index) from error
        own = timing(component, lines, zones)
        if own is None:
            continue
        original = moment.local if when is None else _original(moment, when, zones)
        if when is not None and moment.all_day and not when.moment.all_day:
            original = _on_day(series, original)
        override = Override(component, own, moment, original)
        other = series.overrides.get(original)
        if other is None or _sequence(component) >= _sequence(other.component):
            series.overrides[original] = override
        if line.param("RANGE").strip().upper() == "THISANDFUTURE":
            series.ranges.append(override)
    series.ranges.sort(key=lambda override: override.original)


def _on_day(series: Series, original: datetime) -> datetime:
    """The instance on the day of `original`, where only the day was written."""
    midnight = datetime.combine(original, time.min)
    return next(_originals(series, midnight, clamped(midnight, DAY)), original)


def _sequence(component: Component) -> int:
    text = component.value("SEQUENCE").strip()
    return int(text) if text.isdecimal() and len(text) < 12 else 0


def recurrence_id(series: Series, original: datetime) -> Moment | None:
    """The RECURRENCE-ID of the instance `original`, in the form of the master's DTSTART.

    Without a master it stays as the override has it.
    """
    if not series.recurring:
        return None
    if series.timing is None:
        override = series.overrides.get(original)
        return override.moment if override is not None else None
    moment = series.timing.moment
    return Moment(original, moment.all_day, moment.utc, moment.tzid)


def found(series: Series, start: int, end: int) -> Iterator[Found]:
    """The dated instances of `series` that overlap the range, as plain tuples.

    Raises:
        RunawayRule: there are more than `MAX_INSTANCES`.
    """
    if series.timing is not None and series.master is not None:
        if series.recurring:
            yield from _from_master(series, series.timing, series.master, start, end)
        elif series.timing.moment.local not in series.excluded:
            local = series.timing.moment.local
            yield from _placed(series.timing, local, local, series.master, start, end)
    for override in series.overrides.values():
        local = override.timing.moment.local
        yield from _placed(override.timing, local, override.original, override.component, start, end)


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
    low, high = _window(series, when, start, end)
    originals: Iterable[datetime] = islice(_originals(series, low, high), limit)
    if series.overrides:
        originals = [original for original in originals if original not in series.overrides]
    made = [span for span in _spans(originals, when) if overlaps(Shape.SPAN, span, start, end)]
    for override in series.overrides.values():
        local = override.timing.moment.local
        placed = _placed(override.timing, local, override.original, override.component, start, end)
        made += [item[:2] for item in placed]
    return made


def _spans(originals: Iterable[datetime], when: Timing) -> Iterator[tuple[int, int]]:
    zone, days, seconds = when.zone, when.days, when.seconds
    steady = zone is UTC or isinstance(zone, ZoneInfo)
    known_until, offset = datetime.min, 0
    for original in originals:
        since = original - EPOCH
        wall = since.days * DAY + since.seconds
        if original < known_until:
            begin = wall - offset
        else:
            begin = to_instant(original, zone)
            # No zone changes its clock twice within so few days.
            later = clamped(original, _STEADY)
            if steady and to_instant(later, zone) - begin == (later - original).total_seconds():
                known_until, offset = clamped(later, -days * DAY), wall - begin
        if not days and not (when.floating and zone is not UTC):
            yield begin, begin + seconds
        elif days and original < known_until:
            yield begin, begin + days * DAY + seconds
        else:
            yield begin, when.end(original, begin)


def _placed(
    when: Timing, local: datetime, original: datetime, component: Component, start: int, end: int
) -> Iterator[Found]:
    begin = to_instant(local, when.zone)
    finish = when.end(local, begin)
    if overlaps(when.shape, (begin, finish), start, end):
        yield begin, finish, local, when, original, component


def _from_master(series: Series, when: Timing, master: Component, start: int, end: int) -> Iterator[Found]:
    low, high = _window(series, when, start, end)
    shape, zone, examined = when.shape, when.zone, 0
    for original in _originals(series, low, high):
        examined += 1
        if examined > MAX_INSTANCES:
            raise RunawayRule(f"there are more than {MAX_INSTANCES} instances")
        if original in series.overrides:
            continue
        if series.ranges and (override := _in_force(series, original)):
            local = override.shifted(original)
            yield from _placed(override.timing, local, original, override.component, start, end)
            continue
        begin = to_instant(original, zone)
        finish = when.end(original, begin)
        if series.lengths and original in series.lengths:
            finish = begin + series.lengths[original]
        if overlaps(shape, (begin, finish), start, end):
            yield begin, finish, original, when, original, master


def _in_force(series: Series, original: datetime) -> Override | None:
    """The override with RANGE=THISANDFUTURE that `original` follows."""
    index = bisect_left(series.ranges, original, key=lambda override: override.original)
    return series.ranges[index - 1] if index else None


def _window(series: Series, when: Timing, start: int, end: int) -> tuple[datetime, datetime]:
    """The original local times that can overlap the range, with room for changes of the clock."""
    length = when.days * DAY + when.seconds
    back = max([length, *series.lengths.values()])
    ahead = 0
    for override in series.ranges:
        delta = override.timing.moment.local - override.original
        moved = delta.days * DAY + delta.seconds
        back = max(back, moved + override.timing.days * DAY + override.timing.seconds)
        ahead = max(ahead, -moved)
    room = 3 * DAY if series.ranges else DAY
    low = clamped(to_local(start, when.zone), -back - room)
    return low, clamped(to_local(end, when.zone), ahead + room)


def _originals(series: Series, low: datetime, high: datetime) -> Iterator[datetime]:
    """The recurrence set from `low` on and before `high`, in order (RFC 5545 3.8.5).

    DTSTART is the first instance whether the rule matches it or not.
    """
    assert series.timing is not None
    first = series.timing.moment.local
    sources: list[Iterable[datetime]] = [
        _quietly(rule, first, max(low, clamped(first, 1)), high, until) for rule, until in series.rules
    ]
    if low <= first < high:
        sources.append((first,))
    if series.dates:
        sources.append(series.dates[bisect_left(series.dates, low) : bisect_left(series.dates, high)])
    merged = _distinct(heapq.merge(*sources)) if len(sources) > 1 else iter(sources[0] if sources else ())
    if series.exclusions:
        removed = [_quietly(rule, first, max(low, first), high, until) for rule, until in series.exclusions]
        merged = _without(merged, heapq.merge(*removed))
    if not (series.excluded or series.excluded_days):
        return merged
    return (
        original
        for original in merged
        if original not in series.excluded
        and not (series.excluded_days and original.date() in series.excluded_days)
    )


def _quietly(
    rule: Rule, first: datetime, low: datetime, high: datetime, until: datetime | None
) -> Iterator[datetime]:
    """The instances of a rule; one that matches nothing more ends."""
    try:
        yield from rule.between(first, low, high, until=until)
    except RunawayRule:
        return


def _distinct(ordered: Iterable[datetime]) -> Iterator[datetime]:
    previous = None
    for original in ordered:
        if original != previous:
            yield original
        previous = original


def _without(ordered: Iterable[datetime], removed: Iterator[datetime]) -> Iterator[datetime]:
    gone = next(removed, None)
    for original in ordered:
        while gone is not None and gone < original:
            gone = next(removed, None)
        if gone != original:
            yield original


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
    if series.ranges and when is not None:
        low, high = _window(series, when, first, last)
        # `_window` goes the other way around, by the same distance.
        reach = max(first - to_instant(low, when.zone), to_instant(high, when.zone) - last)
        first, last = first - reach, last + reach if last != FOREVER else last
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
