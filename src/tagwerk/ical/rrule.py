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
import enum
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final

from tagwerk.ical import rrule_days
from tagwerk.ical.rrule_days import Days
from tagwerk.ical.values import LAST_LOCAL, Moment, clamped, parse_moment

MAX_EMPTY: Final = 20_000
"""So many intervals without an instance are enough: Monday the 29th of February is 40 years away at most."""

MAX_COUNT: Final = 100_000
"""A COUNT beyond this is not walked."""

MAX_PER_INTERVAL: Final = 90_000
"""A day has 86,400 seconds; no interval may have more instances than this."""

_WEEKDAYS: Final = {"MO": 0, "TU": 1, "WE": 2, "TH": 3, "FR": 4, "SA": 5, "SU": 6}
_BYDAY = re.compile(r"([+-]?[0-9]{1,2})?\s*(MO|TU|WE|TH|FR|SA|SU)\Z")
_NUMBER = re.compile(r"[+-]?[0-9]{1,9}\Z")
_LONGEST_TEXT = 4000


class RunawayRule(ValueError):
    """A rule that has too many instances, or looks for its next one for too long."""


class UnsupportedRule(ValueError):
    """A rule of another calendar than the Gregorian (RFC 7529)."""


class Frequency(enum.IntEnum):
    """FREQ, from the longest interval to the shortest."""

    YEARLY = 0
    MONTHLY = 1
    WEEKLY = 2
    DAILY = 3
    HOURLY = 4
    MINUTELY = 5
    SECONDLY = 6


_SECONDS: Final = {
    Frequency.WEEKLY: 604_800,
    Frequency.DAILY: 86_400,
    Frequency.HOURLY: 3600,
    Frequency.MINUTELY: 60,
    Frequency.SECONDLY: 1,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """A RECUR value.  The lists are sorted and without duplicates; empty means absent.

    `by_day` holds pairs of the ordinal, 0 where there is none, and the weekday.  `skip` says
    what becomes of the 31st in a month of 30 days (RFC 7529 4.1): OMIT, FORWARD or BACKWARD.
    """

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: Moment | None = None
    week_start: int = 0
    by_month: tuple[int, ...] = ()
    by_week: tuple[int, ...] = ()
    by_year_day: tuple[int, ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_day: tuple[tuple[int, int], ...] = ()
    by_hour: tuple[int, ...] = ()
    by_minute: tuple[int, ...] = ()
    by_second: tuple[int, ...] = ()
    by_set_pos: tuple[int, ...] = ()
    skip: str = "OMIT"

    @staticmethod
    def parse(text: str) -> Rule:
        """The rule that `text` writes.

        Case, blanks, the order of the parts, empty parts and unknown ``X-`` parts do not
        matter.

        Raises:
            UnsupportedRule: RSCALE is not Gregorian (RFC 7529 3).
            ValueError: a part is missing, unknown or out of its range.
        """
        if len(text) > _LONGEST_TEXT:
            raise ValueError(f"a recurrence rule of {len(text)} characters is too long")
        return _parse(text)

    @property
    def endless(self) -> bool:
        """Whether neither COUNT nor UNTIL ends it."""
        return self.count is None and self.until is None

    @property
    def density(self) -> float:
        """A bound of the instances a day, in the long run; the rule may well have fewer."""
        hours = len(self.by_hour) or (24 if self.frequency >= Frequency.HOURLY else 1)
        minutes = len(self.by_minute) or (60 if self.frequency >= Frequency.MINUTELY else 1)
        seconds = len(self.by_second) or (60 if self.frequency is Frequency.SECONDLY else 1)
        times = hours * minutes * seconds
        if self.frequency >= Frequency.HOURLY:
            inside = {Frequency.HOURLY: minutes * seconds, Frequency.MINUTELY: seconds}.get(self.frequency, 1)
            return min(times, 86_400 / _SECONDS[self.frequency] / self.interval * inside)
        if self.frequency is Frequency.DAILY:
            return times / self.interval
        if self.frequency is Frequency.WEEKLY:
            days = 7 if self.by_month_day or self.by_year_day or self.by_week else 1
            return (len(self.by_day) or days) * times / 7 / self.interval
        days = 5 * len(self.by_day) or len(self.by_month_day) or 1
        if self.frequency is Frequency.MONTHLY:
            return (31 if self.by_year_day or self.by_week else days) * times / 28 / self.interval
        plain = not (self.by_day or self.by_month_day or self.by_year_day or self.by_week)
        return (len(self.by_month) or 1 if plain else 366) * times / 365 / self.interval

    def for_dates(self) -> Rule:
        """The rule for a DTSTART that is a DATE: BYHOUR and its kin are ignored (RFC 5545 3.3.10).

        Raises:
            ValueError: its instances would be hours, minutes or seconds apart.
        """
        if self.frequency > Frequency.DAILY:
            raise ValueError(f"FREQ={self.frequency.name} needs a DTSTART with a time")
        if not (self.by_hour or self.by_minute or self.by_second):
            return self
        return dataclasses.replace(self, by_hour=(), by_minute=(), by_second=())

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
        if _is_regular(self):
            base, seconds, offsets = _regular_frame(self, dtstart)
            if len(offsets) == 1:
                yield from _evenly(base, seconds, offsets[0], start, min(end, _after(final)))
                return
            batches = _regular(base, seconds, offsets, start)
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


def _until(until: Moment) -> datetime:
    # A DATE includes its whole day, whatever the time of DTSTART.
    return until.local.replace(hour=23, minute=59, second=59) if until.all_day else until.local


# ---------------------------------------------------------------- reading


@lru_cache(maxsize=2048)
def _parse(text: str) -> Rule:
    parts = _parts(text)
    name = parts.pop("FREQ", "")
    if not name:
        raise ValueError("the recurrence rule has no FREQ")
    if name not in Frequency.__members__:
        raise ValueError(f"FREQ={name[:20]} is no frequency")
    if parts.pop("RSCALE", "GREGORIAN") not in ("GREGORIAN", "GREGORY"):
        raise UnsupportedRule("only recurrence rules of the Gregorian calendar are supported")
    skip = parts.pop("SKIP", "OMIT")
    if skip not in ("OMIT", "FORWARD", "BACKWARD"):
        raise ValueError(f"SKIP={skip[:20]} is not OMIT, FORWARD or BACKWARD")
    until = parts.pop("UNTIL", "")
    week_start = parts.pop("WKST", "MO")
    if week_start not in _WEEKDAYS:
        raise ValueError(f"WKST={week_start[:20]} is no day of the week")
    rule = Rule(
        frequency=Frequency[name],
        interval=_positive("INTERVAL", parts.pop("INTERVAL", "1")),
        count=_positive("COUNT", parts.pop("COUNT")) if "COUNT" in parts else None,
        until=parse_moment(until) if until else None,
        week_start=_WEEKDAYS[week_start],
        by_month=_numbers("BYMONTH", parts, 1, 12),
        by_week=_numbers("BYWEEKNO", parts, 1, 53, signed=True),
        by_year_day=_numbers("BYYEARDAY", parts, 1, 366, signed=True),
        by_month_day=_numbers("BYMONTHDAY", parts, 1, 31, signed=True),
        by_day=_by_day(parts.pop("BYDAY", "")),
        by_hour=_numbers("BYHOUR", parts, 0, 23),
        by_minute=_numbers("BYMINUTE", parts, 0, 59),
        by_second=tuple(sorted({min(59, second) for second in _numbers("BYSECOND", parts, 0, 60)})),
        by_set_pos=_numbers("BYSETPOS", parts, 1, 366, signed=True),
        skip=skip,
    )
    for other in parts:
        if not other.startswith("X-"):
            raise ValueError(f"{other[:20]} is no part of a recurrence rule")
    return rule


def _parts(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    if "\\" in text:  # some programs escape the value as if it were text
        text = text.replace("\\", "")
    for part in text.upper().split(";"):
        name, equals, value = part.partition("=")
        name, value = name.strip(), value.strip()
        if not equals:
            if name:
                raise ValueError(f"{part[:40]!r} is no part of a recurrence rule: there is no = in it")
            continue
        if not value:
            continue
        if parts.setdefault(name, value) != value:
            raise ValueError(f"the recurrence rule has two different {name[:20]}")
    return parts


def _positive(name: str, text: str) -> int:
    if not _NUMBER.match(text) or int(text) < 0:
        raise ValueError(f"{name}={text[:20]} is no positive number")
    # 0 is sent, and means no more than the default.
    return max(1, int(text))


def _numbers(
    name: str, parts: dict[str, str], low: int, high: int, *, signed: bool = False
) -> tuple[int, ...]:
    numbers: set[int] = set()
    for item in parts.pop(name, "").split(","):
        text = item.strip()
        if not text:
            continue
        if not _NUMBER.match(text):
            raise ValueError(f"{name} has {text[:20]!r}, which is no number")
        number = int(text)
        if not low <= (abs(number) if signed else number) <= high:
            raise ValueError(f"{name} has {number}, which is not between {low} and {high}")
        numbers.add(number)
    return tuple(sorted(numbers))


def _by_day(text: str) -> tuple[tuple[int, int], ...]:
    days: set[tuple[int, int]] = set()
    for item in text.split(","):
        if not item.strip():
            continue
        match = _BYDAY.match(item.strip())
        if match is None:
            raise ValueError(f"BYDAY has {item.strip()[:20]!r}, which is no day of the week")
        ordinal = int(match.group(1) or 0)
        if abs(ordinal) > 53 or (match.group(1) and not ordinal):
            raise ValueError(f"BYDAY has {item.strip()!r}, but a year has 53 weeks")
        days.add((ordinal, _WEEKDAYS[match.group(2)]))
    return tuple(sorted(days))


# ---------------------------------------------------------------- evaluating


def _batches(rule: Rule, dtstart: datetime, start: datetime, stop: datetime) -> Iterator[list[datetime]]:
    """The instances of an irregular rule interval by interval, from the one that holds `start` to the one that holds `stop`.

    The first may begin before DTSTART, and the last may go beyond `stop`.

    Raises:
        RunawayRule: `MAX_EMPTY` intervals in a row were empty.
    """
    if start > stop:
        return iter(())
    if rule.frequency > Frequency.DAILY:
        return _timed(rule, dtstart, start, stop)
    return _dated(rule, dtstart, start, stop)


def _is_regular(rule: Rule) -> bool:
    """Whether every interval is like every other, so that arithmetic finds the n-th instance."""
    if rule.by_month or rule.by_week or rule.by_year_day or rule.by_month_day or rule.by_set_pos:
        return False
    if rule.frequency is Frequency.WEEKLY:
        return True
    if rule.by_day:
        return False
    if rule.frequency is Frequency.DAILY:
        return True
    if rule.frequency is Frequency.HOURLY:
        return not rule.by_hour
    if rule.frequency is Frequency.MINUTELY:
        return not (rule.by_hour or rule.by_minute)
    return rule.frequency is Frequency.SECONDLY and not (rule.by_hour or rule.by_minute or rule.by_second)


def _regular_frame(rule: Rule, dtstart: datetime) -> tuple[datetime, int, list[timedelta]]:
    """Where the first interval begins, the seconds from one to the next, the instances in one."""
    seconds = _SECONDS[rule.frequency] * rule.interval
    midnight = datetime.combine(dtstart, time.min)
    if rule.frequency > Frequency.DAILY:
        hour, minute = dtstart.hour, dtstart.minute if rule.frequency > Frequency.HOURLY else 0
        second = dtstart.second if rule.frequency is Frequency.SECONDLY else 0
        base = midnight + timedelta(hours=hour, minutes=minute, seconds=second)
        return base, seconds, _within(rule, dtstart)
    days = [0]
    if rule.frequency is Frequency.WEEKLY:
        # The week may begin before the year 1, so it is counted from DTSTART.
        back = (dtstart.weekday() - rule.week_start) % 7
        chosen = {weekday for _, weekday in rule.by_day} or {dtstart.weekday()}
        days = sorted((weekday - rule.week_start) % 7 - back for weekday in chosen)
    times = [timedelta(hours=t.hour, minutes=t.minute, seconds=t.second) for t in _times(rule, dtstart)]
    return midnight, seconds, [timedelta(days=day) + at for day in days for at in times]


def _evenly(
    base: datetime, seconds: int, offset: timedelta, start: datetime, end: datetime
) -> Iterator[datetime]:
    """The instances of a rule that has one in every interval."""
    ahead = start - base - offset
    index = max(0, -(-(ahead.days * 86_400 + ahead.seconds) // seconds))
    try:
        step = timedelta(seconds=seconds)
        instance = base + (index * step + offset)
        while instance < end:
            yield instance
            instance += step
    except OverflowError:
        return


def _after(final: datetime) -> datetime:
    return final + timedelta(seconds=1) if final < LAST_LOCAL else datetime.max


def _regular(
    base: datetime, seconds: int, offsets: list[timedelta], start: datetime
) -> Iterator[list[datetime]]:
    ahead = start - base - offsets[-1]
    index = max(0, -(-(ahead.days * 86_400 + ahead.seconds) // seconds))
    try:
        step = timedelta(seconds=seconds)
        base += index * step
        while True:
            yield _shifted(base, offsets)
            base += step
    except OverflowError:
        return


def _shifted(base: datetime, offsets: list[timedelta]) -> list[datetime]:
    """Every offset from `base` that is inside the years there are."""
    try:
        return [base + offset for offset in offsets]
    except OverflowError:
        low, high = datetime.min - base, LAST_LOCAL - base
        return [base + offset for offset in offsets if low <= offset <= high]


def _dated(rule: Rule, dtstart: datetime, start: datetime, stop: datetime) -> Iterator[list[datetime]]:
    """Intervals of a day and more."""
    times = _times(rule, dtstart)
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
    base, seconds, offsets = _regular_frame(rule, dtstart)
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


def _within(rule: Rule, dtstart: datetime) -> list[timedelta]:
    """The instances inside one interval of an hour, a minute or a second, from its beginning."""
    if rule.frequency is Frequency.SECONDLY:
        return [timedelta()]
    seconds = rule.by_second or (dtstart.second,)
    if rule.frequency is Frequency.MINUTELY:
        return [timedelta(seconds=second) for second in seconds]
    minutes = rule.by_minute or (dtstart.minute,)
    return [timedelta(minutes=minute, seconds=second) for minute in minutes for second in seconds]


def _times(rule: Rule, dtstart: datetime) -> list[time]:
    """The times of day of a rule whose interval is a day or more, in order."""
    if not (rule.by_hour or rule.by_minute or rule.by_second):
        return [dtstart.time()]
    return [
        time(hour, minute, second)
        for hour in rule.by_hour or (dtstart.hour,)
        for minute in rule.by_minute or (dtstart.minute,)
        for second in rule.by_second or (dtstart.second,)
    ]


def _positions(found: list[datetime], positions: tuple[int, ...]) -> list[datetime]:
    size = len(found)
    chosen = {position - 1 if position > 0 else size + position for position in positions}
    return [found[index] for index in sorted(chosen) if 0 <= index < size]


@lru_cache(maxsize=4096)
def _last_of_count(rule: Rule, dtstart: datetime) -> datetime | RunawayRule | None:
    """The last instance of a rule with COUNT; the failure is a value, so that it is remembered too."""
    count = rule.count or 1
    if _is_regular(rule):
        return _regular_nth(rule, dtstart, count)
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


def _regular_nth(rule: Rule, dtstart: datetime, count: int) -> datetime | None:
    base, seconds, offsets = _regular_frame(rule, dtstart)
    since = dtstart - base
    first = [offset for offset in offsets if offset >= since]
    if not first or first[0] != since:
        count -= 1
    if count == 0:
        return None
    try:
        if count <= len(first):
            return base + first[count - 1]
        intervals, index = divmod(count - len(first) - 1, len(offsets))
        return base + timedelta(seconds=seconds) * (intervals + 1) + offsets[index]
    except OverflowError:
        return LAST_LOCAL
