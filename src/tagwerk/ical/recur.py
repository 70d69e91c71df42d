"""The text of a recurrence rule (RFC 5545 3.3.10, RFC 7529)."""

from __future__ import annotations

import dataclasses
import enum
import re
from dataclasses import dataclass
from typing import Final, Self, TypeVar

from tagwerk.ical.values import Moment, parse_moment

LONGEST_TEXT: Final = 4000

_WEEKDAYS: Final = {"MO": 0, "TU": 1, "WE": 2, "TH": 3, "FR": 4, "SA": 5, "SU": 6}
_BYDAY = re.compile(r"([+-]?[0-9]{1,2})?\s*(MO|TU|WE|TH|FR|SA|SU)\Z")
_NUMBER = re.compile(r"[+-]?[0-9]{1,9}\Z")


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


SECONDS: Final = {
    Frequency.WEEKLY: 604_800,
    Frequency.DAILY: 86_400,
    Frequency.HOURLY: 3600,
    Frequency.MINUTELY: 60,
    Frequency.SECONDLY: 1,
}


@dataclass(frozen=True, slots=True)
class Recur:
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
            return min(times, 86_400 / SECONDS[self.frequency] / self.interval * inside)
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

    def for_dates(self) -> Self:
        """The rule for a DTSTART that is a DATE: BYHOUR and its kin are ignored (RFC 5545 3.3.10).

        Raises:
            ValueError: its instances would be hours, minutes or seconds apart.
        """
        if self.frequency > Frequency.DAILY:
            raise ValueError(f"FREQ={self.frequency.name} needs a DTSTART with a time")
        if not (self.by_hour or self.by_minute or self.by_second):
            return self
        return dataclasses.replace(self, by_hour=(), by_minute=(), by_second=())


R = TypeVar("R", bound=Recur)


def parse_recur(text: str, kind: type[R]) -> R:
    """The rule that `text` writes, as a `kind`.

    Case, blanks, the order of the parts, empty parts and unknown ``X-`` parts do not
    matter.

    Raises:
        UnsupportedRule: RSCALE is not Gregorian (RFC 7529 3).
        ValueError: a part is missing, unknown or out of its range.
    """
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"a recurrence rule of {len(text)} characters is too long")
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
    rule = kind(
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
    if rule.frequency is Frequency.DAILY and rule.by_day and _asks_only_for_weekdays(rule):
        # Outlook's "every weekday".  As a weekly rule it is the same, and regular.
        rule = dataclasses.replace(rule, frequency=Frequency.WEEKLY, by_day=_plain(rule.by_day))
    return rule


def _asks_only_for_weekdays(rule: Recur) -> bool:
    others = rule.by_month or rule.by_week or rule.by_year_day or rule.by_month_day or rule.by_set_pos
    return rule.interval == 1 and not others


def _plain(by_day: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    return tuple(sorted({(0, weekday) for _, weekday in by_day}))


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
