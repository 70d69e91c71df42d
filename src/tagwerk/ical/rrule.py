"""Recurrence rules (RFC 5545 3.3.10), evaluated on local time.

`Rule.between` begins where it is asked, not at the start of the rule, so that the
instances of one week cost the same whether the rule began last month or in 1900.
COUNT is turned into the last instance, by arithmetic where the rule is regular and
by walking once where it is not.  No question takes more than a bounded amount of
work: `RunawayRule` says that the bound was reached.

Days are proleptic Gregorian ordinals (`date.toordinal`), weekdays count from Monday.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final

from tagwerk.ical import rrule_days, rrule_regular
from tagwerk.ical.recur import LONGEST_TEXT, Frequency, Recur, UnsupportedRule, parse_recur
from tagwerk.ical.rrule_days import Days
from tagwerk.ical.values import LAST_LOCAL, Moment, clamped

__all__ = ["Frequency", "Rule", "RunawayRule", "UnsupportedRule"]

MAX_EMPTY: Final = 20_000
"""So many intervals without an instance are enough: Monday the 29th of February is 40 years away at most."""

MAX_COUNT: Final = 100_000
"""A COUNT beyond this is not walked."""

MAX_PER_INTERVAL: Final = 90_000
"""A day has 86,400 seconds; no interval may have more instances than this."""


class RunawayRule(ValueError):
    """A rule that has too many instances, or looks for its next one for too long."""


@dataclass(frozen=True, slots=True)
class Rule(Recur):
    """A recurrence rule that can be evaluated."""

    @staticmethod
    def parse(text: str) -> Rule:
        """The rule that `text` writes (`tagwerk.ical.recur.parse_recur`).

        Raises:
            UnsupportedRule: RSCALE is not Gregorian (RFC 7529 3).
            ValueError: a part is missing, unknown or out of its range.
        """
        return _parse(text) if len(text) <= LONGEST_TEXT else parse_recur(text, Rule)

    def between(
        self, dtstart: datetime, start: datetime, end: datetime, *, until: datetime | None = None
    ) -> Iterator[datetime]:
        """The instances from `start` on and before `end`, in order.

        `until` is UNTIL as the clock of DTSTART shows it; without it UNTIL is taken as it
        is written.  DTSTART itself is among the instances only if the rule matches it;
        it counts for COUNT in any case.

        Raises:
            RunawayRule: the next instance was looked for too long.
        """
        final = self.last(dtstart, until=until)
        if final is None:
            return
        start = max(start, dtstart)
        if rrule_regular.is_regular(self):
            base, seconds, offsets = rrule_regular.frame(self, dtstart)
            if len(offsets) == 1:
                yield from rrule_regular.evenly(base, seconds, offsets[0], start, min(end, _after(final)))
                return
            batches = rrule_regular.batches(base, seconds, offsets, start)
        else:
            batches = _batches(self, dtstart, start, min(end, final))
        for batch in batches:
            for instance in batch:
                if instance < start:
                    continue
                if instance >= end or instance > final:
                    return
                yield instance

    def last(self, dtstart: datetime, *, until: datetime | None = None) -> datetime | None:
        """A bound of the instances: none is later; the last itself where COUNT ends the rule.

        None if COUNT leaves nothing but a DTSTART that the rule does not match.

        Raises:
            RunawayRule: COUNT is too large, or its instances were looked for too long.
        """
        bound = LAST_LOCAL
        if self.until is not None:
            bound = until or _until(self.until)
        if self.count is None:
            return bound
        rule = self if self.until is None else dataclasses.replace(self, until=None)
        final = _last_of_count(rule, dtstart)
        if isinstance(final, RunawayRule):
            raise RunawayRule(str(final))
        return None if final is None else min(final, bound)


@lru_cache(maxsize=2048)
def _parse(text: str) -> Rule:
    return parse_recur(text, Rule)


def _until(until: Moment) -> datetime:
    # A DATE includes its whole day, whatever the time of DTSTART.
    return until.local.replace(hour=23, minute=59, second=59) if until.all_day else until.local


def _batches(rule: Rule, dtstart: datetime, start: datetime, stop: datetime) -> Iterator[list[datetime]]:
    """The instances of an irregular rule, interval by interval.

    They go from the interval that holds `start` to the one that holds `stop`.  The first may begin before DTSTART, and the last may go beyond `stop`.

    Raises:
        RunawayRule: `MAX_EMPTY` intervals in a row were empty.
    """
    if start > stop:
        return iter(())
    if rule.frequency > Frequency.DAILY:
        return _timed(rule, dtstart, start, stop)
    return _dated(rule, dtstart, start, stop)


def _after(final: datetime) -> datetime:
    return final + timedelta(seconds=1) if final < LAST_LOCAL else datetime.max


def _dated(rule: Rule, dtstart: datetime, start: datetime, stop: datetime) -> Iterator[list[datetime]]:
    """Intervals of a day and more."""
    times = rrule_regular.times_of_day(rule, dtstart)
    days = _days(rule, dtstart)
    final = stop.toordinal()
    if rule.skip != "OMIT":  # an instance may be in the interval after or before its own
        start, final = clamped(start, -31 * 86_400), final + 1
    empty = 0
    for first, ordinals in _intervals(rule, days, dtstart, start):
        if first > final:
            return
        if not ordinals:
            empty += 1
            _check_empty(rule, empty)
            continue
        if len(ordinals) * len(times) > MAX_PER_INTERVAL:
            raise RunawayRule("the recurrence rule has too many instances in one interval")
        found = [datetime.combine(date.fromordinal(day), at) for day in ordinals for at in times]
        if rule.by_set_pos:
            found = _positions(found, rule.by_set_pos)
        empty = 0 if found else empty + 1
        _check_empty(rule, empty)
        yield found


def _days(rule: Rule, dtstart: datetime) -> Days:
    """What the rule asks of a day, with what it leaves to DTSTART.

    An ordinal in BYDAY counts only where it is allowed, in MONTHLY and in YEARLY without
    BYWEEKNO; elsewhere the weekday alone is meant.
    """
    by_month, by_month_day, by_day = rule.by_month, rule.by_month_day, rule.by_day
    if not (rule.by_week or rule.by_year_day or by_month_day or by_day):
        if rule.frequency is Frequency.YEARLY:
            by_month = by_month or (dtstart.month,)
        if rule.frequency <= Frequency.MONTHLY:
            by_month_day = (dtstart.day,)
        elif rule.frequency is Frequency.WEEKLY:
            by_day = ((0, dtstart.weekday()),)
    elif rule.frequency is Frequency.YEARLY and not (rule.by_year_day or by_month_day or by_day):
        by_day = ((0, dtstart.weekday()),)
    counted = rule.frequency is Frequency.MONTHLY or (rule.frequency is Frequency.YEARLY and not rule.by_week)
    return Days(
        by_month,
        rule.by_week,
        rule.by_year_day,
        by_month_day,
        frozenset(weekday for ordinal, weekday in by_day if not (ordinal and counted)),
        tuple((ordinal, weekday) for ordinal, weekday in by_day if ordinal and counted),
        rule.week_start,
        rule.skip,
    )


def _check_empty(rule: Rule, empty: int) -> None:
    # The Gregorian calendar repeats itself after 400 years.
    limit = {Frequency.YEARLY: 500, Frequency.MONTHLY: 6000}.get(rule.frequency, MAX_EMPTY)
    if empty > limit:
        raise RunawayRule("the recurrence rule matches no day")


def _intervals(rule: Rule, days: Days, dtstart: datetime, start: datetime) -> Iterator[tuple[int, list[int]]]:
    """The first day of every interval from `start` on, and the days in it that match."""
    if rule.frequency is Frequency.YEARLY:
        return rrule_days.years(days, dtstart, start, rule.interval)
    if rule.frequency is Frequency.MONTHLY:
        return rrule_days.months(days, dtstart, start, rule.interval)
    if rule.frequency is Frequency.WEEKLY:
        return rrule_days.weeks(days, dtstart, start, rule.interval)
    return rrule_days.single(days, dtstart, start, rule.interval)


def _timed(rule: Rule, dtstart: datetime, start: datetime, stop: datetime) -> Iterator[list[datetime]]:
    """Intervals of an hour and less, passing over days, hours and minutes that cannot match."""
    days = _days(rule, dtstart)
    base, seconds, offsets = rrule_regular.frame(rule, dtstart)
    step = timedelta(seconds=seconds)
    ahead = start - base - offsets[-1]
    index = max(0, -(-(ahead.days * 86_400 + ahead.seconds) // seconds))
    day, day_matches = 0, False
    empty = 0
    try:
        current = base + index * step
        while current <= stop:
            if current.toordinal() != day:
                day = current.toordinal()
                day_matches = days.match(day)
            skip_to = _next_clock(rule, current) if day_matches else _next_day(days, day)
            if skip_to is None:
                found = [current + offset for offset in offsets]
                if rule.by_set_pos:
                    found = _positions(found, rule.by_set_pos)
                if found:
                    yield found
                empty = 0 if found else empty + 1
                current += step
            else:
                gap = skip_to - current
                current += max(1, -(-(gap.days * 86_400 + gap.seconds) // seconds)) * step
                empty += 1
            if empty > MAX_EMPTY:
                raise RunawayRule("the recurrence rule matches no time")
    except OverflowError:
        return


def _next_day(days: Days, day: int) -> datetime:
    following = rrule_days.next_candidate(days, day)
    if following > rrule_days.LAST_DAY:
        raise OverflowError
    return datetime.combine(date.fromordinal(following), time.min)


def _next_clock(rule: Rule, current: datetime) -> datetime | None:
    """The earliest time after `current` that BYHOUR, BYMINUTE and BYSECOND can allow, None if `current` is."""
    hour, minute, second = current.hour, current.minute, current.second
    frequency = rule.frequency
    if rule.by_hour and hour not in rule.by_hour:
        midnight = datetime.combine(current, time.min)
        return midnight + timedelta(hours=_following(rule.by_hour, hour, 24))
    if frequency >= Frequency.MINUTELY and rule.by_minute and minute not in rule.by_minute:
        return current + timedelta(minutes=_following(rule.by_minute, minute, 60) - minute, seconds=-second)
    if frequency is Frequency.SECONDLY and rule.by_second and second not in rule.by_second:
        return current + timedelta(seconds=_following(rule.by_second, second, 60) - second)
    return None


def _following(allowed: tuple[int, ...], value: int, size: int) -> int:
    """The first allowed number after `value`, or the `size` of the unit: its end."""
    index = bisect_right(allowed, value)
    return allowed[index] if index < len(allowed) else size


def _positions(found: list[datetime], positions: tuple[int, ...]) -> list[datetime]:
    size = len(found)
    chosen = {position - 1 if position > 0 else size + position for position in positions}
    return [found[index] for index in sorted(chosen) if 0 <= index < size]


@lru_cache(maxsize=4096)
def _last_of_count(rule: Rule, dtstart: datetime) -> datetime | RunawayRule | None:
    """The last instance of a rule with COUNT; the failure is a value, so that it is remembered too."""
    count = rule.count or 1
    if rrule_regular.is_regular(rule):
        return rrule_regular.nth(rule, dtstart, count)
    if count > MAX_COUNT:
        return RunawayRule(f"the recurrence rule has {count} instances")
    try:
        return _walk(rule, dtstart, count)
    except RunawayRule as error:
        return error.with_traceback(None)


def _walk(rule: Rule, dtstart: datetime, count: int) -> datetime | None:
    left, final = count, None
    for batch in _batches(rule, dtstart, dtstart, LAST_LOCAL):
        for instance in batch:
            if instance < dtstart:
                continue
            if final is None and instance != dtstart:
                # RFC 5545 3.3.10: DTSTART always counts as the first occurrence.
                left -= 1
            if left == 0:
                return final
            final = instance
            left -= 1
            if left == 0:
                return final
    return final
