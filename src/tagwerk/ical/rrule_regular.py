"""Recurrence rules whose intervals are all alike (RFC 5545 3.3.10), so that arithmetic finds their instances."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta

from tagwerk.ical.recur import SECONDS, Frequency, Recur
from tagwerk.ical.values import LAST_LOCAL


def is_regular(rule: Recur) -> bool:
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


def frame(rule: Recur, dtstart: datetime) -> tuple[datetime, int, list[timedelta]]:
    """Where the first interval begins, the seconds from one to the next, the instances in one."""
    seconds = SECONDS[rule.frequency] * rule.interval
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
    times = [timedelta(hours=t.hour, minutes=t.minute, seconds=t.second) for t in times_of_day(rule, dtstart)]
    return midnight, seconds, [timedelta(days=day) + at for day in days for at in times]


def evenly(
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


def batches(
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


def nth(rule: Recur, dtstart: datetime, count: int) -> datetime | None:
    base, seconds, offsets = frame(rule, dtstart)
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


def _within(rule: Recur, dtstart: datetime) -> list[timedelta]:
    """The instances inside one interval of an hour, a minute or a second, from its beginning."""
    if rule.frequency is Frequency.SECONDLY:
        return [timedelta()]
    seconds = rule.by_second or (dtstart.second,)
    if rule.frequency is Frequency.MINUTELY:
        return [timedelta(seconds=second) for second in seconds]
    minutes = rule.by_minute or (dtstart.minute,)
    return [timedelta(minutes=minute, seconds=second) for minute in minutes for second in seconds]


def times_of_day(rule: Recur, dtstart: datetime) -> list[time]:
    """The times of day of a rule whose interval is a day or more, in order."""
    if not (rule.by_hour or rule.by_minute or rule.by_second):
        return [dtstart.time()]
    return [
        time(hour, minute, second)
        for hour in rule.by_hour or (dtstart.hour,)
        for minute in rule.by_minute or (dtstart.minute,)
        for second in rule.by_second or (dtstart.second,)
    ]
