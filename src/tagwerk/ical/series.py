"""A recurring component as a set of instances (RFC 5545 3.8.5).

A series is a master with its overrides.  Its instances are named by their original
local time, on the clock of the master's DTSTART: that is what rules make, what EXDATE
removes and what RECURRENCE-ID points to, whatever zone or form a program has written
these in.  Only what is inside the window that is asked for is ever made.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice

from tagwerk.contentline import Component
from tagwerk.ical.rrule import Rule, RunawayRule
from tagwerk.ical.timing import Timing
from tagwerk.ical.values import DAY, EARLIEST, LATEST, Moment, clamped, to_local

_LOOKED_UP = 64
_MAX_RULED_OUT = 20_000
_ROOM = 2 * DAY
"""The clocks of two places are never further apart."""


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
    `overrides` go by the original time, `by_component` has those with RANGE too.
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
    by_component: dict[int, Override] = field(default_factory=dict)


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


def segments(
    series: Series, when: Timing, start: int, end: int, *, only: Set[int] | None = None
) -> Iterator[tuple[datetime, datetime, Override | None]]:
    """Windows of original local times that can overlap the range, with room for changes of the clock.

    Each goes with the override whose RANGE=THISANDFUTURE is in force there; it moves
    instances, perhaps by years, so it has a window of its own.  `only` has the ids of the
    components whose windows are wanted.
    """
    bounds = [override.original for override in series.ranges]
    if only is None or id(series.master) in only:
        low, high = window(when, 0, start, end)
        yield low, min([high, *bounds[:1]]), None
    for override, following in zip(series.ranges, [*bounds[1:], datetime.max], strict=False):
        if only is not None and id(override.component) not in only:
            continue
        delta = override.timing.moment.local - override.original
        low, high = window(override.timing, delta.days * DAY + delta.seconds, start, end)
        yield max(low, clamped(override.original, 1)), min(high, following), override


def window(when: Timing, moved: int, start: int, end: int) -> tuple[datetime, datetime]:
    """The local times that can overlap the range if they are `moved` by so many seconds."""
    low, high = datetime.min, datetime.max
    if start > EARLIEST:
        low = clamped(to_local(start, when.zone), -moved - when.days * DAY - when.seconds - _ROOM)
    if end < LATEST:
        high = clamped(to_local(end, when.zone), _ROOM - moved)
    return low, high


def originals(series: Series, low: datetime, high: datetime) -> Iterator[datetime]:
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
        merged = _without_ruled_out(series, first, merged)
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


def _without_ruled_out(series: Series, first: datetime, ordered: Iterable[datetime]) -> Iterator[datetime]:
    """`ordered` without what EXRULE names (RFC 2445 4.8.5.2), a few of its instances looked up at a time.

    After `_MAX_RULED_OUT` in a row it is taken that all the others are ruled out too.
    """
    known: list[tuple[datetime, set[datetime]]] = [(datetime.min, set())] * len(series.exclusions)
    in_a_row = 0
    for original in ordered:
        for index, (rule, until) in enumerate(series.exclusions):
            if original > known[index][0]:
                named = list(islice(_quietly(rule, first, original, datetime.max, until), _LOOKED_UP))
                reach = named[-1] if len(named) == _LOOKED_UP else datetime.max
                known[index] = reach, set(named)
        if any(original in named for _, named in known):
            in_a_row += 1
            if in_a_row > _MAX_RULED_OUT:
                return
        else:
            in_a_row = 0
            yield original
