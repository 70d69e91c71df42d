"""The clocks of a VTIMEZONE (RFC 5545 3.6.5).

Only the offset from UTC is taken from it.  Onsets are computed for the years that are
asked for, so a zone of 1601 costs no more than one of today, and zones are remembered
by their text, as the same one stands in every object of a calendar.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import islice

from tagwerk.contentline import Component
from tagwerk.ical.rrule import Frequency, Rule, RunawayRule
from tagwerk.ical.values import EPOCH, clamped, parse_moment, parse_offset, parse_period

_MAX_OBSERVANCES = 1000
_MAX_RULES = 64
_MAX_DATES = 5000
_MAX_ONSETS = 100
_REACH = (1, 8, 40)
"""How many years back the onset is looked for that was in force when a year began."""


@dataclass(frozen=True, slots=True)
class Observance:
    """A STANDARD or DAYLIGHT: the onsets are on the clock that it ends, `before` and `after` are offsets."""

    start: datetime
    before: int
    after: int
    rules: tuple[tuple[Rule, datetime | None], ...]
    dates: tuple[datetime, ...]

    def onsets(self, begin: datetime, end: datetime) -> list[datetime]:
        """The onsets from `begin` on and before `end`."""
        found = [date for date in (self.start, *self.dates) if begin <= date < end]
        for rule, until in self.rules:
            try:
                found += islice(rule.between(self.start, begin, end, until=until), _MAX_ONSETS)
            except RunawayRule:
                continue
        return found


@dataclass(frozen=True, slots=True)
class _Year:
    """When the offset changes: as instants and on the clock, for fold=0 and fold=1.

    `offsets` has one more, the one before the first change.
    """

    instants: list[int]
    walls: list[int]
    folded: list[int]
    offsets: list[timedelta]


class OwnZone(tzinfo):
    """A zone made of observances; it answers for local times with `fold` as PEP 495 has it."""

    def __init__(self, name: str, observances: tuple[Observance, ...]) -> None:
        self._name = name
        self._observances = observances
        first = min(observances, key=lambda observance: observance.start)
        self._initial = first.before
        self._years: dict[int, _Year] = {}

    def utcoffset(self, when: datetime | None) -> timedelta:
        """The offset when the clocks of the zone show `when`."""
        if when is None:
            return timedelta(seconds=self._initial)
        since = (when if when.tzinfo is None else when.replace(tzinfo=None)) - EPOCH
        year = self._years.get(when.year) or self._around(when.year)
        index = bisect_right(year.folded if when.fold else year.walls, since.days * 86_400 + since.seconds)
        return year.offsets[index]

    def dst(self, _when: datetime | None) -> timedelta | None:
        """Unknown: a VTIMEZONE does not say by how much DAYLIGHT differs."""
        return None

    def tzname(self, _when: datetime | None) -> str:
        """The TZID."""
        return self._name

    def fromutc(self, when: datetime) -> datetime:
        """What the clocks show at the moment `when`, which is in UTC and has this zone."""
        since = when.replace(tzinfo=None) - EPOCH
        instant = since.days * 86_400 + since.seconds
        year = self._around(when.year)
        offset = year.offsets[bisect_right(year.instants, instant)]
        local = when + offset
        return local if self.utcoffset(local) == offset else local.replace(fold=1)

    def _around(self, year: int) -> _Year:
        found = self._years.get(year)
        if found is None:
            # A day more on both sides: the year of UTC is not that of the clock.
            begin = clamped(datetime(year, 1, 1), -2 * 86_400)
            end = clamped(datetime(year, 12, 31), 3 * 86_400)
            onsets: set[tuple[int, int, int]] = set()
            for observance in self._observances:
                dates = observance.onsets(begin, end)
                if previous := _latest(observance, begin):
                    dates.append(previous)
                for date in dates:
                    since = date - EPOCH
                    instant = since.days * 86_400 + since.seconds - observance.before
                    onsets.add((instant, observance.before, observance.after))
            found = self._years[year] = _year(sorted(onsets), self._initial)
        return found


def _year(onsets: list[tuple[int, int, int]], initial: int) -> _Year:
    # In the gap (fold=0) and the first time around, the old offset holds.
    return _Year(
        [instant for instant, _, _ in onsets],
        [instant + max(before, after) for instant, before, after in onsets],
        [instant + min(before, after) for instant, before, after in onsets],
        [timedelta(seconds=initial), *(timedelta(seconds=after) for _, _, after in onsets)],
    )


def _latest(observance: Observance, begin: datetime) -> datetime | None:
    """The last onset before `begin`."""
    candidates = [date for date in (observance.start, *observance.dates) if date < begin]
    for rule, until in observance.rules:
        try:
            final = rule.last(observance.start, until=until)
            final = begin if final is None else min(final, begin)
            for years in _REACH:
                earlier = clamped(final, -years * 366 * 86_400)
                end = clamped(final, 1) if final < begin else begin
                if found := list(islice(rule.between(observance.start, earlier, end, until=until), 10_000)):
                    candidates.append(found[-1])
                    break
        except RunawayRule:
            continue
    return max(candidates, default=None)


def zone_of_component(component: Component) -> tzinfo | None:
    """The zone of a VTIMEZONE, None if it has no observance that can be understood."""
    if len(component.children) > _MAX_OBSERVANCES:
        return None
    observances = tuple(
        (child.name, tuple((line.name, line.head, line.value) for line in child.lines))
        for child in component.children
        if child.name in ("STANDARD", "DAYLIGHT")
    )
    return _zone(component.value("TZID").strip()[:200], observances)


_Lines = tuple[tuple[str, str, str], ...]


@lru_cache(maxsize=256)
def _zone(name: str, parts: tuple[tuple[str, _Lines], ...]) -> tzinfo | None:
    observances = []
    for _, lines in parts:
        try:
            observances.append(_observance(lines))
        except ValueError:
            continue
    # Zones with their whole history have about twenty rules.
    if not observances or sum(len(observance.rules) for observance in observances) > _MAX_RULES:
        return None
    return OwnZone(name, tuple(observances))


def _observance(lines: _Lines) -> Observance:
    first = {name: value for name, _, value in reversed(lines)}
    missing = [name for name in ("DTSTART", "TZOFFSETFROM", "TZOFFSETTO") if name not in first]
    if missing:
        raise ValueError(f"the observance has no {missing[0]}")
    before = parse_offset(first["TZOFFSETFROM"])
    rules = []
    dates = []
    for name, _, value in lines:
        if name == "RRULE":
            rule = Rule.parse(value)
            if rule.frequency <= Frequency.MONTHLY:
                # UNTIL is in UTC (RFC 5545 3.6.5), the onset on the clock before it.
                until = rule.until
                local = clamped(until.local, before) if until is not None and until.utc else None
                rules.append((rule, local))
        elif name == "RDATE":
            for text in value.split(",")[:_MAX_DATES]:
                if text.strip():
                    moment = parse_period(text).start if "/" in text else parse_moment(text)
                    dates.append(clamped(moment.local, before) if moment.utc else moment.local)
    start = parse_moment(first["DTSTART"])
    local = clamped(start.local, before) if start.utc else start.local
    return Observance(local, before, parse_offset(first["TZOFFSETTO"]), tuple(rules), tuple(dates))
