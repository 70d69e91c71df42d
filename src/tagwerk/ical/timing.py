"""Where one component is in time: its start, its length, and which properties say so (RFC 5545 3.6).

Everything that a client may get wrong about DTSTART, DTEND, DUE and DURATION is
settled here, once, so that filters, expansion and free-busy agree on it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final

from tagwerk.contentline import Component, Line
from tagwerk.ical.values import (
    DAY,
    LAST_LOCAL,
    Duration,
    Moment,
    clamped,
    parse_duration,
    parse_period,
    read_moment,
    to_instant,
)
from tagwerk.ical.zones import Zones

NAMES: Final = frozenset(
    {"DTSTART", "DTEND", "DUE", "DURATION", "RECURRENCE-ID", "RRULE", "RDATE", "EXDATE", "EXRULE"}
)
"""The properties that place a component and its instances in time."""


class TimeError(ValueError):
    """A property that places a component in time cannot be read; `index` is that of its line."""

    def __init__(self, message: str, index: int) -> None:
        super().__init__(message)
        self.index = index


class Shape(enum.Enum):
    """Which row of the tables of RFC 4791 9.9 decides whether an instance overlaps a range."""

    SPAN = enum.auto()
    """VEVENT and VJOURNAL: from start to end."""
    TODO_DURATION = enum.auto()
    """VTODO with DTSTART and DURATION."""
    TODO_DUE = enum.auto()
    """VTODO with DTSTART and DUE."""
    TODO_START = enum.auto()
    """VTODO with DTSTART alone."""
    TODO_DUE_ONLY = enum.auto()
    """VTODO with DUE alone; start and end are both DUE."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Start and length of a component.

    `moment` is the start as it was written, `zone` the one that its local time is meant
    in.  The length is `days` on the calendar and then exact `seconds`: DTEND makes an
    exact length, DURATION may have both (RFC 5545 3.8.5.3), a DATE has only days.
    """

    moment: Moment
    zone: tzinfo
    floating: bool
    days: int
    seconds: int
    shape: Shape

    def end(self, local: datetime, start: int) -> int:
        """The instant at which the instance ends that begins at `local`, which is the instant `start`."""
        if not self.days:
            if self.floating and self.seconds:
                # Nobody knows the zone, so the length is that of the clock.
                return to_instant(clamped(local, self.seconds), self.zone)
            return start + self.seconds
        try:
            return to_instant(local + timedelta(days=self.days), self.zone) + self.seconds
        except OverflowError:
            return to_instant(LAST_LOCAL, self.zone)


Lines = dict[str, list[Line]]


def time_lines(component: Component) -> Lines:
    """The lines of `NAMES`, by name."""
    found: Lines = {}
    for line in component.lines:
        if line.name in NAMES:
            found.setdefault(line.name, []).append(line)
    return found


def timing(component: Component, lines: Lines, zones: Zones) -> Timing | None:
    """The timing of `component`, whose `time_lines` are `lines`; None if it has no start.

    An override without DTSTART begins when its instance did.  A VTODO without DTSTART
    begins at DUE.  What ends before it begins has no length, but an all-day event has
    at least one day.

    Raises:
        TimeError: a value cannot be read.
    """
    start = lines.get("DTSTART")
    is_todo = component.name == "VTODO"
    if start is None:
        start = lines.get("DUE") if is_todo else None
        if start is None:
            start = lines.get("RECURRENCE-ID")
            if start is None:
                return None
        elif "DTSTART" not in lines:
            moment, zone, floating = _begin(start[0], zones)
            return Timing(moment, zone, floating, 0, 0, Shape.TODO_DUE_ONLY)
    moment, zone, floating = _begin(start[0], zones)
    end = lines.get("DUE" if is_todo else "DTEND") if component.name != "VJOURNAL" else None
    if end is not None:
        finish = _read(end[0])
        days, seconds = _until(moment, zone, finish, zones)
        if moment.all_day and days <= 0 and not is_todo:
            days = 1
        return Timing(moment, zone, floating, days, seconds, Shape.TODO_DUE if is_todo else Shape.SPAN)
    length = lines.get("DURATION") if component.name != "VJOURNAL" else None
    if length is not None:
        days, seconds = _lasting(_duration(length[0]), moment)
        return Timing(moment, zone, floating, days, seconds, Shape.TODO_DURATION if is_todo else Shape.SPAN)
    if is_todo:
        return Timing(moment, zone, floating, 0, 0, Shape.TODO_START)
    return Timing(moment, zone, floating, 1 if moment.all_day else 0, 0, Shape.SPAN)


def overlaps(shape: Shape, span: tuple[int, int], start: int, end: int) -> bool:
    """Whether an instance of `shape`, which is at `span`, overlaps the range from `start` to `end`.

    RFC 4791 9.9, row by row.  A VEVENT of no length counts by its start, also where
    DTEND says so, for which the table has no row.
    """
    first, last = span
    if shape is Shape.SPAN:
        if first == last:
            return start <= first < end
        return start < last and end > first
    if shape is Shape.TODO_DURATION:
        return start <= last and (end > first or end >= last)
    if shape is Shape.TODO_DUE:
        return (start < last or start <= first) and (end > first or end >= last)
    if shape is Shape.TODO_START:
        return start <= first < end
    return start < last <= end


def read_period(text: str, line: Line, zones: Zones) -> tuple[int, int] | None:
    """The instants of one value of FREEBUSY, the text `text` of `line`; None if it cannot be read."""
    try:
        period = parse_period(text, tzid=line.param("TZID").strip() if ";" in line.head else "")
    except ValueError:
        return None
    begin = zones.instant(period.start)
    if period.end is not None:
        return begin, zones.instant(period.end)
    return begin, begin + period.duration.days * DAY + period.duration.seconds


def _begin(line: Line, zones: Zones) -> tuple[Moment, tzinfo, bool]:
    moment = _read(line)
    zone = zones.of(moment)
    return moment, zone or zones.default, zone is None


def _read(line: Line) -> Moment:
    try:
        return read_moment(line)
    except ValueError as error:
        raise TimeError(f"{line.name}: {error}", line.index) from error


def _duration(line: Line) -> Duration:
    try:
        return parse_duration(line.value)
    except ValueError as error:
        raise TimeError(f"{line.name}: {error}", line.index) from error


def _until(moment: Moment, zone: tzinfo, finish: Moment, zones: Zones) -> tuple[int, int]:
    """Days and seconds from a start to DTEND or DUE."""
    if moment.all_day:
        days = (finish.local.date() - moment.local.date()).days
        # A time after midnight, where a DATE should be, includes its day.
        if finish.local.hour or finish.local.minute or finish.local.second:
            days += 1
        return max(0, days), 0
    # A DATE, and a time of no zone, are meant on the clock of the start.
    finish_zone = zones.of(finish)
    if finish_zone is None and zones.of(moment) is None:
        length = finish.local - moment.local
        return 0, max(0, length.days * DAY + length.seconds)
    finish_zone = finish_zone or zone
    return 0, max(0, to_instant(finish.local, finish_zone) - to_instant(moment.local, zone))


def _lasting(length: Duration, moment: Moment) -> tuple[int, int]:
    days, seconds = max(0, length.days), max(0, length.seconds)
    if moment.all_day:
        return days + -(-seconds // DAY), 0
    return days, seconds
