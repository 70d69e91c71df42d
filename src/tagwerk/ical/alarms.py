"""When alarms go off (RFC 5545 3.6.6, 3.8.6; RFC 4791 9.9)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from tagwerk.contentline import Component
from tagwerk.ical.occurrences import Instance
from tagwerk.ical.values import DAY, Duration, parse_duration, parse_moment, to_instant, to_local
from tagwerk.ical.zones import Zones
from tagwerk.model import FOREVER

_MOST_REPEATS: Final = 10**9


@dataclass(frozen=True, slots=True)
class Alarm:
    """The TRIGGER of a VALARM: `at` an instant, or `offset` from the start or the end of an instance.

    It goes off `repeat` times more, `pause` seconds apart.
    """

    at: int | None
    offset: Duration
    from_end: bool
    repeat: int
    pause: int

    @property
    def reach(self) -> tuple[int, int]:
        """How many seconds before and after an instance it can go off at most."""
        offset = self.offset.days * DAY + self.offset.seconds
        room = DAY if self.offset.days else 0
        return max(0, room - offset), max(0, room + offset + self.repeat * self.pause)


def alarms(component: Component, zones: Zones) -> Iterator[tuple[Component, Alarm]]:
    """The alarms of `component`; those whose trigger cannot be read are left out."""
    for child in component.children:
        if child.name == "VALARM":
            try:
                yield child, read_alarm(child, zones)
            except ValueError:
                continue  # the object is kept as it is; an alarm nobody understands never rings


def read_alarm(component: Component, zones: Zones) -> Alarm:
    """The trigger of a VALARM.

    Raises:
        ValueError: it has none, or one that cannot be read.
    """
    line = component.first("TRIGGER")
    if line is None:
        raise ValueError("the VALARM has no TRIGGER")
    repeat, pause = _repeats(component)
    text = line.value.strip()
    if "P" not in text.upper():
        # VALUE=DATE-TIME is often left out.
        moment = parse_moment(text, tzid=line.param("TZID").strip())
        return Alarm(zones.instant(moment), Duration(), False, repeat, pause)
    from_end = line.param("RELATED").strip().upper() == "END"
    return Alarm(None, parse_duration(text), from_end, repeat, pause)


def _repeats(component: Component) -> tuple[int, int]:
    """How often and how many seconds apart it goes off again; not at all if that cannot be read."""
    count = component.value("REPEAT").strip()
    try:
        length = parse_duration(component.value("DURATION"))
    except ValueError:
        return 0, 0
    pause = length.days * DAY + length.seconds
    if pause <= 0 or not count.isdecimal():
        return 0, 0
    return min(int(count[:10]), _MOST_REPEATS), pause


def rings(alarm: Alarm, instance: Instance | None, start: int, end: int) -> bool:
    """Whether `alarm` goes off from `start` on and before `end`: for `instance`, or at its own time.

    A trigger in days goes by the calendar of the instance's zone, so that a day before
    10:00 is 10:00 also when the clocks change.
    """
    first = alarm.at
    if first is None:
        if instance is None or instance.end >= FOREVER:
            return False
        anchor = instance.end if alarm.from_end else instance.start
        first = anchor + alarm.offset.seconds
        if alarm.offset.days:
            try:
                local = to_local(anchor, instance.zone) + timedelta(days=alarm.offset.days)
                first = to_instant(local, instance.zone) + alarm.offset.seconds
            except OverflowError:
                first += alarm.offset.days * DAY
    if first >= end:
        return False
    if first >= start:
        return True
    if not alarm.repeat:
        return False
    needed = -(-(start - first) // alarm.pause)
    return needed <= alarm.repeat and first + needed * alarm.pause < end
