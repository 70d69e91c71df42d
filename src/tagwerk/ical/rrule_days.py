"""The days that a recurrence rule chooses (RFC 5545 3.3.10): BYMONTH, BYWEEKNO, BYYEARDAY, BYMONTHDAY, BYDAY.

Days are proleptic Gregorian ordinals (`date.toordinal`); the first, a Monday, is 1.
Every walk ends quietly with the year 9999.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

LAST_DAY: Final = date.max.toordinal()
LAST_YEAR: Final = 9999


@dataclass(frozen=True, slots=True)
class Days:
    """What is asked of a day; an empty list asks nothing, and all that is asked must hold.

    `weekdays` are those without an ordinal, `ordinals` those with one; a day that
    either names is good.  Ordinals count inside the month if there is `by_month`, or
    if it is a month that is walked, and else inside the year.
    """

    by_month: tuple[int, ...] = ()
    by_week: tuple[int, ...] = ()
    by_year_day: tuple[int, ...] = ()
    by_month_day: tuple[int, ...] = ()
    weekdays: frozenset[int] = frozenset()
    ordinals: tuple[tuple[int, int], ...] = ()
    week_start: int = 0
    skip: str = "OMIT"

    def match(self, day: int, nth: frozenset[int] = frozenset()) -> bool:
        """Whether the day is good; `nth` are the days that `ordinals` name."""
        if (self.weekdays or self.ordinals) and weekday(day) not in self.weekdays and day not in nth:
            return False
        if not (self.by_month or self.by_month_day or self.by_year_day or self.by_week):
            return True
        when = date.fromordinal(day)
        if self.by_month and when.month not in self.by_month:
            return False
        if self.by_month_day and when.day not in self.by_month_day:
            from_end = when.day - monthrange(when.year, when.month)[1] - 1
            if from_end not in self.by_month_day:
                return False
        if self.by_year_day:
            number = day - first_of_year(when.year) + 1
            if number not in self.by_year_day and number - year_length(when.year) - 1 not in self.by_year_day:
                return False
        return not self.by_week or _in_week(day, self.by_week, self.week_start)


def weekday(day: int) -> int:
    """The day of the week, from Monday, 0."""
    return (day + 6) % 7


def first_of_year(year: int) -> int:
    """The first of January, of year 1 to 10000."""
    before = year - 1
    return before * 365 + before // 4 - before // 100 + before // 400 + 1


def year_length(year: int) -> int:
    """365 or 366."""
    return 366 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 365


def years(days: Days, dtstart: datetime, start: datetime, interval: int) -> Iterator[tuple[int, list[int]]]:
    """Every `interval`-th year from the one of `start` on: its first day, and the days that match."""
    ahead = max(0, start.year - dtstart.year)
    year = dtstart.year + -(-ahead // interval) * interval
    while year <= LAST_YEAR:
        yield first_of_year(year), _matching(days, _of_year(days, year), _nth_of_year(days, year))
        year += interval


def months(days: Days, dtstart: datetime, start: datetime, interval: int) -> Iterator[tuple[int, list[int]]]:
    """Every `interval`-th month from the one of `start` on."""
    first = dtstart.year * 12 + dtstart.month - 1
    ahead = max(0, start.year * 12 + start.month - 1 - first)
    number = first + -(-ahead // interval) * interval
    while number < (LAST_YEAR + 1) * 12:
        year, month = divmod(number, 12)
        month += 1
        begin = date(year, month, 1).toordinal()
        if days.by_month and month not in days.by_month:
            yield begin, []
        else:
            size = monthrange(year, month)[1]
            nth = frozenset(_nth(days.ordinals, begin, begin + size - 1))
            yield begin, _matching(days, _of_month(days, begin, size, nth), nth)
        number += interval


def weeks(days: Days, dtstart: datetime, start: datetime, interval: int) -> Iterator[tuple[int, list[int]]]:
    """Every `interval`-th week, which begins on `week_start`, from the one of `start` on."""
    begin = dtstart.toordinal()
    begin -= (weekday(begin) - days.week_start) % 7
    step = 7 * interval
    begin += max(0, -(-(start.toordinal() - begin - 6) // step)) * step
    while begin <= LAST_DAY:
        week = range(max(1, begin), min(begin + 7, LAST_DAY + 1))
        yield begin, [day for day in week if days.match(day)]
        begin += step


def single(days: Days, dtstart: datetime, start: datetime, interval: int) -> Iterator[tuple[int, list[int]]]:
    """Every `interval`-th day from `start` on; months that cannot match are passed over at once."""
    first = dtstart.toordinal()
    day = first + max(0, -(-(start.toordinal() - first) // interval)) * interval
    while day <= LAST_DAY:
        if days.match(day):
            yield day, [day]
            day += interval
        else:
            yield day, []
            day += max(1, -(-(next_candidate(days, day) - day) // interval)) * interval


def next_candidate(days: Days, day: int) -> int:
    """A day after `day` before which none matches: the next one, or the first of a month of BYMONTH."""
    if not days.by_month:
        return day + 1
    when = date.fromordinal(day)
    if when.month in days.by_month:
        return day + 1
    later = [month for month in days.by_month if month > when.month]
    if later:
        return date(when.year, later[0], 1).toordinal()
    if when.year == LAST_YEAR:
        return LAST_DAY + 1
    return date(when.year + 1, days.by_month[0], 1).toordinal()


def _matching(days: Days, candidates: Iterable[int], nth: frozenset[int]) -> list[int]:
    if days.skip != "OMIT" and days.by_month_day and not (days.by_year_day or days.by_week):
        # A day that was moved is in another month, or has another number, than the rule says.
        days = replace(days, by_month=(), by_month_day=())
        return sorted({day for day in candidates if day <= LAST_DAY and days.match(day, nth)})
    return sorted({day for day in candidates if days.match(day, nth)})


def _of_year(days: Days, year: int) -> Iterable[int]:
    """Days of the year, among them all that match."""
    begin, size = first_of_year(year), year_length(year)
    if days.by_year_day:
        return [
            begin + (number - 1 if number > 0 else size + number)
            for number in days.by_year_day
            if abs(number) <= size
        ]
    if days.by_week:
        return [day for day in _of_weeks(days, year) if begin <= day < begin + size]
    if days.by_month_day or days.by_month:
        found: list[int] = []
        for month in days.by_month or range(1, 13):
            first = date(year, month, 1).toordinal()
            found += _of_month(days, first, monthrange(year, month)[1], _nth_of_year(days, year))
        return found
    return _by_weekday(days, begin, size, _nth_of_year(days, year))


def _of_month(days: Days, begin: int, size: int, nth: frozenset[int]) -> Iterable[int]:
    if not days.by_month_day:
        return _by_weekday(days, begin, size, nth)
    found = [
        begin + (number - 1 if number > 0 else size + number)
        for number in days.by_month_day
        if abs(number) <= size
    ]
    if days.skip != "OMIT" and len(found) < len(days.by_month_day):
        for number in days.by_month_day:
            # RFC 7529 4.1: to the next valid day, or back to the last one.
            if number > size:
                found.append(begin + size if days.skip == "FORWARD" else begin + size - 1)
            elif -number > size:
                found.append(begin if days.skip == "FORWARD" else begin - 1)
    return found


def _by_weekday(days: Days, begin: int, size: int, nth: frozenset[int]) -> Iterable[int]:
    if days.ordinals and not days.weekdays:
        return [day for day in nth if begin <= day < begin + size]
    if days.weekdays and not days.ordinals:
        return [
            day
            for chosen in days.weekdays
            for day in range(begin + (chosen - weekday(begin)) % 7, begin + size, 7)
        ]
    return range(begin, begin + size)


def _nth_of_year(days: Days, year: int) -> frozenset[int]:
    if not days.ordinals:
        return frozenset()
    if not days.by_month:
        begin = first_of_year(year)
        return frozenset(_nth(days.ordinals, begin, begin + year_length(year) - 1))
    found: set[int] = set()
    for month in days.by_month:
        begin = date(year, month, 1).toordinal()
        found.update(_nth(days.ordinals, begin, begin + monthrange(year, month)[1] - 1))
    return frozenset(found)


def _nth(ordinals: tuple[tuple[int, int], ...], first: int, last: int) -> Iterator[int]:
    """The days from `first` to `last` that are the n-th of their weekday among them."""
    for number, chosen in ordinals:
        if number > 0:
            day = first + (chosen - weekday(first)) % 7 + 7 * (number - 1)
        else:
            day = last - (weekday(last) - chosen) % 7 + 7 * (number + 1)
        if first <= day <= last:
            yield day


def _week_one(year: int, week_start: int) -> int:
    """The day on which week 1 begins: the first week with four days in the year (ISO 8601)."""
    fourth = first_of_year(year) + 3
    return fourth - (weekday(fourth) - week_start) % 7


def _of_weeks(days: Days, year: int) -> Iterator[int]:
    # A week belongs to the year that has most of it, so neighbours reach into this one.
    for owner in (year - 1, year, year + 1):
        begin, after = _week_one(owner, days.week_start), _week_one(owner + 1, days.week_start)
        for number in days.by_week:
            week = begin + 7 * (number - 1) if number > 0 else after + 7 * number
            if begin <= week < after:
                yield from range(week, week + 7)


def _in_week(day: int, numbers: tuple[int, ...], week_start: int) -> bool:
    year = date.fromordinal(day).year
    begin = _week_one(year, week_start)
    if day < begin:
        year, begin = year - 1, _week_one(year - 1, week_start)
    after = _week_one(year + 1, week_start)
    if day >= after:
        begin, after = after, _week_one(year + 2, week_start)
    number = (day - begin) // 7 + 1
    return number in numbers or number - (after - begin) // 7 - 1 in numbers
