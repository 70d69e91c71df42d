"""What a report returns of a recurring object: instances, or some overrides (RFC 4791 9.6.5 to 9.6.7)."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from tagwerk.contentline import Component, Line, fold, serialize
from tagwerk.ical.occurrences import MAX_INSTANCES, Found, found, undated
from tagwerk.ical.rrule import RunawayRule
from tagwerk.ical.schedule import SCHEDULED, all_series
from tagwerk.ical.series import Override, Series, recurrence_id
from tagwerk.ical.timing import Timing, overlaps, read_period
from tagwerk.ical.values import (
    DAY,
    Moment,
    clamped,
    parse_moment,
    show_date,
    show_duration,
    show_local,
    show_utc,
    to_instant,
    to_local,
)
from tagwerk.ical.zones import Zones

_RECURRENCE: Final = frozenset({"RRULE", "RDATE", "EXDATE", "EXRULE"})
_TZID = re.compile(r';\s*TZID\s*=\s*(?:"[^"]*"|[^";])*', re.IGNORECASE)


class _Slot(enum.Enum):
    START = enum.auto()
    END = enum.auto()
    NAME = enum.auto()
    LENGTH = enum.auto()


_SLOTS: Final = {
    "DTSTART": _Slot.START,
    "DTEND": _Slot.END,
    "DUE": _Slot.END,
    "RECURRENCE-ID": _Slot.NAME,
    "DURATION": _Slot.LENGTH,
}


def expand(
    calendar: Component, start: int, end: int, *, zone: tzinfo, limit: int = MAX_INSTANCES
) -> str | None:
    """The instances that overlap the range as components of their own, None if there are none (9.6.5).

    Times with a zone are in UTC, floating times and dates stay; there is no recurrence and
    no VTIMEZONE left.  Every instance of a recurring object has a RECURRENCE-ID.  Objects
    that have no instances, like VFREEBUSY, stay as they are.

    Raises:
        TimeError: the object has dates that cannot be read.
        RunawayRule: there are more than `limit` instances.
    """
    if not any(child.name in SCHEDULED for child in calendar.children):
        return serialize(calendar)
    zones = Zones(calendar, zone)
    parts: list[str] = []
    for series in all_series(calendar.children, zones):
        templates: dict[int, _Template] = {}
        for item in found(series, start, end):
            component = item[5]
            template = templates.get(id(component))
            if template is None:
                template = templates[id(component)] = _template(component, series, zones)
            if len(parts) >= limit:
                raise RunawayRule(f"there are more than {limit} instances in the range")
            parts.append(_instance(template, series, item, zones))
        if series.timing is None and series.master is not None and undated(series.master, start, end, zones):
            parts.append("".join(_plain(series.master, zones)))
    if not parts:
        return None
    head = "".join(fold(f"{line.head}:{line.value}") for line in calendar.lines)
    return f"BEGIN:VCALENDAR\r\n{head}{''.join(parts)}END:VCALENDAR\r\n"


def limit_recurrence_set(calendar: Component, start: int, end: int, *, zone: tzinfo) -> str:
    """The object with only those overrides that have to do with the range (9.6.6).

    An override stays if it overlaps the range where it is or where it was, or if it
    changes later instances and those are not all after the range.

    Raises:
        TimeError: the object has dates that cannot be read.
    """
    dropped: set[int] = set()
    for series in all_series(calendar.children, Zones(calendar, zone)):
        later = {id(override.component) for override in series.ranges}
        for override in series.overrides.values():
            if not _matters(series, override, start, end, changes_later=id(override.component) in later):
                dropped.add(id(override.component))
    return _written(calendar, [child for child in calendar.children if id(child) not in dropped])


def limit_freebusy_set(calendar: Component, start: int, end: int, *, zone: tzinfo) -> str:
    """The object with only those FREEBUSY periods that overlap the range (9.6.7)."""
    zones = Zones(calendar, zone)
    children: list[Component] = []
    for child in calendar.children:
        if child.name == "VFREEBUSY":
            limited = Component(child.name, child.index)
            limited.children = child.children
            for line in child.lines:
                if line.name == "FREEBUSY":
                    kept = [
                        text
                        for text in line.value.split(",")
                        if (span := read_period(text, line, zones)) and start < span[1] and end > span[0]
                    ]
                    if not kept:
                        continue
                    line = Line(line.head, ",".join(kept), line.index)
                limited.lines.append(line)
            child = limited
        children.append(child)
    return _written(calendar, children)


@dataclass(frozen=True, slots=True)
class _Template:
    """A component to be expanded: text, with slots where an instance puts what is its own."""

    component: Component
    parts: tuple[str | _Slot, ...]
    duration: str


def _template(component: Component, series: Series, zones: Zones) -> _Template:
    present = {_SLOTS[line.name] for line in component.lines if line.name in _SLOTS}
    added = [_Slot.NAME] if series.recurring and _Slot.NAME not in present else []
    if series.lengths and not present & {_Slot.END, _Slot.LENGTH}:
        added.append(_Slot.LENGTH)
    parts: list[str | _Slot] = []
    text = [f"BEGIN:{component.name}\r\n"]
    if not present & {_Slot.START, _Slot.END}:
        parts += ["".join(text), _Slot.START, *added]
        text.clear()
    anchor = _Slot.START if _Slot.START in present else _Slot.END
    for line in component.lines:
        if line.name in _RECURRENCE:
            continue
        slot = _SLOTS.get(line.name)
        if slot is None:
            text.append(_converted(line, zones))
        elif slot not in parts:
            parts += ["".join(text), slot]
            text.clear()
            if slot is anchor:
                parts += added
    text += [part for child in component.children for part in _plain(child, zones)]
    text.append(f"END:{component.name}\r\n")
    return _Template(component, (*parts, "".join(text)), component.value("DURATION").strip())


def _instance(template: _Template, series: Series, item: Found, zones: Zones) -> str:
    begin, _, local, when, original, _ = item
    out: list[str] = []
    for part in template.parts:
        if isinstance(part, str):
            out.append(part)
        elif part is _Slot.START:
            out.append(_shown("DTSTART", local, begin, when))
        elif part is _Slot.NAME:
            moment = recurrence_id(series, original)
            out.append(_name(moment, zones) if moment is not None else "")
        elif part is _Slot.END:
            out.append(_end(template.component, item))
        else:
            out.append(_length(template.duration, item))
    return "".join(out)


def _shown(name: str, local: datetime, instant: int, when: Timing) -> str:
    if when.moment.all_day:
        return f"{name};VALUE=DATE:{show_date(local)}\r\n"
    return f"{name}:{show_local(local) if when.floating else show_utc(instant)}\r\n"


def _end(component: Component, item: Found) -> str:
    _, finish, local, when, _, _ = item
    wall = clamped(local, when.days * DAY + when.seconds)
    if when.floating and not when.moment.all_day and to_instant(wall, when.zone) != finish:
        wall = to_local(finish, when.zone)  # a period of RDATE has a length of its own
    return _shown("DUE" if component.name == "VTODO" else "DTEND", wall, finish, when)


def _length(written: str, item: Found) -> str:
    """The DURATION as it was written, or the exact one where a day of it is longer or shorter in UTC."""
    begin, finish, _, when, _, _ = item
    if when.moment.all_day or when.floating or finish - begin == when.days * DAY + when.seconds:
        return f"DURATION:{written}\r\n" if written else ""
    return f"DURATION:{show_duration(finish - begin)}\r\n"


def _name(moment: Moment, zones: Zones) -> str:
    if moment.all_day:
        return f"RECURRENCE-ID;VALUE=DATE:{show_date(moment.local)}\r\n"
    zone = zones.of(moment)
    text = show_local(moment.local) if zone is None else show_utc(to_instant(moment.local, zone))
    return f"RECURRENCE-ID:{text}\r\n"


def _plain(component: Component, zones: Zones) -> Iterator[str]:
    """The component with its times in UTC and without recurrence, line by line."""
    yield f"BEGIN:{component.name}\r\n"
    for line in component.lines:
        if line.name not in _RECURRENCE:
            yield _converted(line, zones)
    for child in component.children:
        yield from _plain(child, zones)
    yield f"END:{component.name}\r\n"


def _converted(line: Line, zones: Zones) -> str:
    """The line, folded; in UTC if it refers to a time zone."""
    if ";" not in line.head or not _TZID.search(line.head):
        return fold(f"{line.head}:{line.value}")
    tzid = line.param("TZID").strip()
    values: list[str] = []
    for text in line.value.split(","):
        try:
            moment = parse_moment(text, tzid=tzid)
        except ValueError:
            return fold(f"{_TZID.sub('', line.head)}:{line.value}")  # no time after all
        zone = zones.of(moment)
        if moment.all_day:
            values.append(show_date(moment.local))
        else:
            values.append(show_local(moment.local) if zone is None else show_utc(zones.instant(moment)))
    return fold(f"{_TZID.sub('', line.head)}:{','.join(values)}")


def _matters(series: Series, override: Override, start: int, end: int, *, changes_later: bool) -> bool:
    own, when = override.timing, series.timing or override.timing
    begin = to_instant(own.moment.local, own.zone)
    if overlaps(own.shape, (begin, own.end(own.moment.local, begin)), start, end):
        return True
    begin = to_instant(override.original, when.zone)
    if overlaps(when.shape, (begin, when.end(override.original, begin)), start, end):
        return True
    return changes_later and begin < end


def _written(calendar: Component, children: list[Component]) -> str:
    copy = Component(calendar.name, calendar.index)
    copy.lines, copy.children = calendar.lines, children
    return serialize(copy)
