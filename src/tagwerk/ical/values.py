"""Dates, times, durations and periods (RFC 5545 3.3.4, 3.3.5, 3.3.6, 3.3.9).

Values are read as real programs write them: lower case, dashes and colons as in
ISO 8601, a DATE where DATE-TIME was announced and the other way round, seconds left
out, the leap second.  A value that is no moment at all is a `ValueError` whose text
is a sentence for a person.

An instant is a number of seconds since 1970 UTC; it can be negative.  A local time is
a `datetime` without `tzinfo`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from tagwerk.contentline import Line

DAY: Final = 86_400
EPOCH: Final = datetime(1970, 1, 1)
EARLIEST: Final = -62_135_596_800
"""The instant of 0001-01-01T00:00:00Z, before which nothing can be written."""
LATEST: Final = 253_402_300_799
"""The instant of 9999-12-31T23:59:59Z."""
LAST_LOCAL: Final = datetime(9999, 12, 31, 23, 59, 59)

_MOMENT = re.compile(
    r"\s*([0-9]{4})-?([0-9]{2})-?([0-9]{2})"
    r"(?:\s*[Tt ]\s*([0-9]{2}):?([0-9]{2})(?::?([0-9]{2})(?:[.,][0-9]{1,9})?)?\s*([Zz]|[+-][0-9]{2}:?[0-9]{2})?)?\s*\Z"
)
_DURATION = re.compile(
    r"\s*([+-]?)P(?:([0-9]{1,12})W)?(?:([0-9]{1,12})D)?"
    r"(?:T?(?:([0-9]{1,12})H)?(?:(?<![PWD])([0-9]{1,12})M)?(?:([0-9]{1,12})S)?)?\s*\Z",
    re.IGNORECASE,
)
_OFFSET = re.compile(r"\s*([+-]?)([0-9]{2}):?([0-9]{2})(?::?([0-9]{2}))?\s*\Z")
_LONGEST_DAYS = 3_660_000


@dataclass(frozen=True, slots=True)
class Moment:
    """A DATE or DATE-TIME as it was written (RFC 5545 3.3.4, 3.3.5).

    `local` is what the clock shows, midnight for a DATE (`all_day`).  `utc` is the
    form with Z; otherwise `tzid` names the zone, and where that is empty the moment
    is floating.
    """

    local: datetime
    all_day: bool = False
    utc: bool = False
    tzid: str = ""


@dataclass(frozen=True, slots=True)
class Duration:
    """A DURATION (RFC 5545 3.3.6): `days` are nominal, `seconds` exact; both have its sign."""

    days: int = 0
    seconds: int = 0


@dataclass(frozen=True, slots=True)
class Period:
    """A PERIOD (RFC 5545 3.3.9): it ends at `end`, or after `duration`."""

    start: Moment
    end: Moment | None
    duration: Duration = Duration()


def read_moment(line: Line) -> Moment:
    """The DATE or DATE-TIME of a property like DTSTART.

    Raises:
        ValueError: it is neither.
    """
    if ";" not in line.head:
        return parse_moment(line.value)
    params = line.params
    tzid = params["TZID"][0].strip() if "TZID" in params else ""
    date = "VALUE" in params and params["VALUE"][0].strip().upper() == "DATE"
    return parse_moment(line.value, tzid=tzid, date=date)


def parse_moment(text: str, *, tzid: str = "", date: bool = False) -> Moment:
    """`text` as a moment of the zone `tzid`; `date` makes it a DATE whatever it looks like.

    A UTC offset after the time, which RFC 5545 3.3.5 forbids and programs send, is honoured.

    Raises:
        ValueError: there is no such day or time, or it is written in no known way.
    """
    if not date and len(text) in (15, 16) and text[4:8].isdecimal() and text[9:15].isdecimal():
        # Nearly all of them look like this, and reading them is what a PUT does most.
        try:
            if len(text) == 15:
                return Moment(datetime.fromisoformat(text), False, False, tzid)
            if text[15] == "Z":
                return Moment(datetime.fromisoformat(text[:15]), False, True)
        except ValueError:
            pass
    match = _MOMENT.match(text)
    if match is None:
        raise ValueError(f"{_shown(text)} is neither a date nor a date with time")
    year, month, day, hour, minute, second, suffix = match.groups()
    try:
        if hour is None or date:
            return Moment(datetime(int(year), int(month), int(day)), True)
        # RFC 5545 3.3.12: who does not know leap seconds reads 60 as 59.
        local = datetime(
            int(year), int(month), int(day), 0 if hour == "24" else int(hour), int(minute),
            59 if second == "60" else int(second or 0),
        )  # fmt: skip
        if hour == "24":
            local += timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{_shown(text)} does not exist: {error}") from error
    if suffix is None:
        return Moment(local, False, False, tzid)
    if suffix not in "Zz":
        local = clamped(local, -parse_offset(suffix))
    return Moment(local, False, True)


def parse_duration(text: str) -> Duration:
    """`text` as a duration.

    Raises:
        ValueError: it is none, or longer than ten thousand years.
    """
    match = _DURATION.match(text)
    if match is None:
        raise ValueError(f"{_shown(text)} is no duration")
    sign, weeks, days, hours, minutes, seconds = match.groups()
    whole = 7 * int(weeks or 0) + int(days or 0)
    rest = 3600 * int(hours or 0) + 60 * int(minutes or 0) + int(seconds or 0)
    if whole + rest // DAY > _LONGEST_DAYS:
        raise ValueError(f"{_shown(text)} is longer than all of time")
    return Duration(-whole, -rest) if sign == "-" else Duration(whole, rest)


def parse_period(text: str, *, tzid: str = "") -> Period:
    """`text` as a period.

    Raises:
        ValueError: one of its halves cannot be read, or it has none.
    """
    first, slash, second = text.partition("/")
    if not slash:
        raise ValueError(f"{_shown(text)} is no period: there is no slash in it")
    start = parse_moment(first, tzid=tzid)
    if "P" in second.upper():
        return Period(start, None, parse_duration(second))
    return Period(start, parse_moment(second, tzid=tzid))


def parse_offset(text: str) -> int:
    """A UTC-OFFSET (RFC 5545 3.3.14) in seconds.

    Raises:
        ValueError: it is none, or a day or more.
    """
    match = _OFFSET.match(text)
    if match is None:
        raise ValueError(f"{_shown(text)} is no offset from UTC")
    sign, hours, minutes, seconds = match.groups()
    total = 3600 * int(hours) + 60 * int(minutes) + int(seconds or 0)
    if total >= DAY:
        raise ValueError(f"{_shown(text)} is no offset from UTC: it is a day or more")
    return -total if sign == "-" else total


def clamped(local: datetime, seconds: int) -> datetime:
    """`local` moved by `seconds`, and not out of the years that can be written."""
    try:
        return local + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.min if seconds < 0 else LAST_LOCAL


def to_instant(local: datetime, zone: tzinfo) -> int:
    """The instant at which the clocks of `zone` show `local`.

    A time that occurs twice is the first of them, and one that is skipped is counted
    with the offset before the gap (RFC 5545 3.3.5): what `fold=0` means.
    """
    since = local - EPOCH
    wall = since.days * DAY + since.seconds
    if zone is UTC:
        return wall
    offset = zone.utcoffset(local)
    return wall - offset.days * DAY - offset.seconds if offset else wall


def to_local(instant: int, zone: tzinfo) -> datetime:
    """What the clocks of `zone` show at `instant`, within the years that can be written."""
    moment = EPOCH + timedelta(seconds=min(max(instant, EARLIEST), LATEST))
    if zone is UTC:
        return moment
    try:
        return zone.fromutc(moment.replace(tzinfo=zone)).replace(tzinfo=None, fold=0)
    except OverflowError:
        return moment


def show_utc(instant: int) -> str:
    """`instant` as a DATE-TIME in UTC."""
    moment = EPOCH + timedelta(seconds=min(max(instant, EARLIEST), LATEST))
    return show_local(moment) + "Z"


def show_local(local: datetime) -> str:
    """`local` as a DATE-TIME without a zone."""
    # strftime does not fill the year up on every platform, and is slower.
    return f"{local.year:04}{local.month:02}{local.day:02}T{local.hour:02}{local.minute:02}{local.second:02}"


def show_date(local: datetime) -> str:
    """The day of `local` as a DATE."""
    return f"{local.year:04}{local.month:02}{local.day:02}"


def show_duration(seconds: int) -> str:
    """A length of time, exact and not negative, as a DURATION."""
    hours, rest = divmod(max(0, seconds), 3600)
    minutes, left = divmod(rest, 60)
    text = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes or (hours and left) else "")
    return "PT" + text + (f"{left}S" if left or not text else "")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
