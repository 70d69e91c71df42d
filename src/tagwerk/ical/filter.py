"""Filters on calendar objects (RFC 4791 9.7 to 9.9).

`matches` decides about one parsed object; `prefilter` says what a store can decide
about all of them from what it knows without reading them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Final

from tagwerk.collation import TextMatch, casemap
from tagwerk.contentline import Component, Line
from tagwerk.ical.alarms import alarms, rings
from tagwerk.ical.occurrences import Instance, instances_of
from tagwerk.ical.rrule import RunawayRule
from tagwerk.ical.schedule import SCHEDULED, all_series
from tagwerk.ical.series import Series
from tagwerk.ical.timing import TimeError, read_period, time_lines, timing
from tagwerk.ical.values import read_moment
from tagwerk.ical.zones import Zones
from tagwerk.model import ALWAYS, FOREVER
from tagwerk.searchtext import is_searched

_OBJECTS: Final = frozenset({"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"})


@dataclass(frozen=True, slots=True)
class TimeRange:
    """``CALDAV:time-range`` (9.9): instants, the end is not inside; ALWAYS and FOREVER leave a side open."""

    start: int = ALWAYS
    end: int = FOREVER


@dataclass(frozen=True, slots=True)
class ParamFilter:
    """``CALDAV:param-filter`` (9.7.3)."""

    name: str
    is_not_defined: bool = False
    text: TextMatch | None = None


@dataclass(frozen=True, slots=True)
class PropFilter:
    """``CALDAV:prop-filter`` (9.7.2)."""

    name: str
    is_not_defined: bool = False
    time_range: TimeRange | None = None
    text: TextMatch | None = None
    params: tuple[ParamFilter, ...] = ()


@dataclass(frozen=True, slots=True)
class CompFilter:
    """``CALDAV:comp-filter`` (9.7.1).  Everything in it must hold for one and the same component."""

    name: str
    is_not_defined: bool = False
    time_range: TimeRange | None = None
    props: tuple[PropFilter, ...] = ()
    comps: tuple[CompFilter, ...] = ()


@dataclass(frozen=True, slots=True)
class Prefilter:
    """What must be true of the `Facts` of every object that a filter finds.

    `component` is its kind; something of it happens in the range from `start` to `end`,
    both included, as a VTODO that is due at `end` matches, and an event without length at
    `start`; all `needles` occur in `search`.  `exact`: nothing else is asked, so that `component`,
    and for a VEVENT its spans, decide without reading the object.
    """

    component: str | None = None
    start: int = ALWAYS
    end: int = FOREVER
    needles: tuple[str, ...] = field(default=())
    exact: bool = False


def matches(calendar: Component, wanted: CompFilter, *, zone: tzinfo) -> bool:
    """Whether the VCALENDAR `calendar` matches `wanted`, the filter for VCALENDAR.

    `zone` is where floating and all-day times are (RFC 4791 7.3).  What has dates that
    cannot be read, or so many instances that it cannot be found out, is at no time.
    """
    if wanted.name.upper() != calendar.name:
        return wanted.is_not_defined
    if wanted.is_not_defined:
        return False
    scope = _Scope(calendar, zone)
    if wanted.time_range is not None and not any(
        _in_range(scope, [child], wanted.time_range) for child in calendar.children
    ):
        return False
    return _calendar_has(scope, wanted.props) and all(
        _comp_matches(scope, calendar, comp) for comp in wanted.comps
    )


def _calendar_has(scope: _Scope, props: tuple[PropFilter, ...]) -> bool:
    """Whether the VCALENDAR has the properties, or one component in it has those that it lacks.

    By the letter (9.7.1) a filter in that of VCALENDAR is about VCALENDAR's own properties;
    clients that search without naming a kind of component put SUMMARY there.
    """
    lacking = [prop for prop in props if not _prop_matches(scope, scope.calendar, prop)]
    if any(prop.is_not_defined for prop in lacking):
        return False
    return not lacking or any(
        all(_prop_matches(scope, child, prop) for prop in lacking)
        for child in scope.calendar.children
        if child.name != "VTIMEZONE"
    )


def prefilter(wanted: CompFilter) -> Prefilter:
    """What can be decided about `wanted` without reading objects."""
    if wanted.name.upper() != "VCALENDAR" or wanted.is_not_defined:
        return Prefilter()
    kinds = [comp for comp in wanted.comps if comp.name.upper() in _OBJECTS and not comp.is_not_defined]
    if not kinds:
        return Prefilter(exact=not (wanted.comps or wanted.props or wanted.time_range))
    kind = kinds[0]
    name = kind.name.upper()
    span = kind.time_range if kind.time_range is not None and name != "VAVAILABILITY" else TimeRange()
    exact = (
        not (kind.props or kind.comps or wanted.props or wanted.time_range)
        and len(wanted.comps) == 1
        and (kind.time_range is None or name == "VEVENT")
    )
    needles = sorted({needle for comp in kinds for needle in _needles(comp)})
    return Prefilter(name, span.start, span.end, tuple(needles), exact)


def _needles(wanted: CompFilter) -> Iterator[str]:
    for prop in wanted.props:
        if prop.is_not_defined or not is_searched(prop.name.upper()):
            continue
        for text in (prop.text, *(param.text for param in prop.params if not param.is_not_defined)):
            if text is not None and not text.negate and text.text:
                yield casemap(text.text)
    for comp in wanted.comps:
        if not comp.is_not_defined:
            yield from _needles(comp)


class _Scope:
    """The object that is looked at; its series are read when they are first needed."""

    __slots__ = ("_series", "calendar", "zones")

    def __init__(self, calendar: Component, zone: tzinfo) -> None:
        self.calendar = calendar
        self.zones = Zones(calendar, zone)
        self._series: list[Series] | None = None

    def instances(self, wanted: list[Component], start: int, end: int) -> Iterator[Instance]:
        """The instances that `wanted` describe.

        Where they cannot be found out there are none: one object must not make a whole
        report fail.
        """
        try:
            if self._series is None:
                self._series = []
                self._series = all_series(self.calendar.children, self.zones)
            yield from instances_of(self._series, start, end, zones=self.zones, only=wanted)
        except (TimeError, RunawayRule):
            return


def _has(scope: _Scope, component: Component, wanted: CompFilter) -> bool:
    """Whether the properties and the components inside `component` are as `wanted` says."""
    return all(_prop_matches(scope, component, prop) for prop in wanted.props) and all(
        _comp_matches(scope, component, comp) for comp in wanted.comps
    )


def _comp_matches(scope: _Scope, parent: Component, wanted: CompFilter) -> bool:
    name = wanted.name.upper()
    named = [child for child in parent.children if child.name == name]
    if wanted.is_not_defined:
        return not named
    candidates = [child for child in named if _has(scope, child, wanted)]
    if not candidates or wanted.time_range is None:
        return bool(candidates)
    if name == "VALARM":
        return _alarm_rings(scope, parent, candidates, wanted.time_range)
    return _in_range(scope, candidates, wanted.time_range)


def _in_range(scope: _Scope, candidates: list[Component], span: TimeRange) -> bool:
    """Whether one of `candidates`, which are of one kind, overlaps the range (9.9)."""
    name = candidates[0].name
    if name in SCHEDULED:
        return next(scope.instances(candidates, span.start, span.end), None) is not None
    if name == "VFREEBUSY":
        return any(_freebusy_overlaps(scope.zones, component, span) for component in candidates)
    if name == "VAVAILABILITY":
        return any(_availability_overlaps(scope.zones, component, span) for component in candidates)
    # "The semantic of CALDAV:time-range is not defined for any other calendar components."
    return False


def _freebusy_overlaps(zones: Zones, component: Component, span: TimeRange) -> bool:
    first, last = (_instant(zones, component.first(name)) for name in ("DTSTART", "DTEND"))
    if first is not None and last is not None:
        return span.start <= last and span.end > first
    for line in component.all("FREEBUSY"):
        for text in line.value.split(","):
            period = read_period(text, line, zones)
            if period is not None and span.start < period[1] and span.end > period[0]:
                return True
    return False


def _availability_overlaps(zones: Zones, component: Component, span: TimeRange) -> bool:
    """A VAVAILABILITY covers the time from DTSTART to DTEND, open where one is missing (RFC 7953 3.1)."""
    try:
        when = timing(component, time_lines(component), zones)
    except TimeError:
        return False
    first = zones.instant(when.moment) if when is not None else ALWAYS
    last = FOREVER
    if when is not None and (component.first("DTEND") or component.first("DURATION")):
        last = when.end(when.moment.local, first)
    return span.start < last and span.end > first


def _alarm_rings(scope: _Scope, parent: Component, candidates: list[Component], span: TimeRange) -> bool:
    chosen = {id(component) for component in candidates}
    for component, alarm in alarms(parent, scope.zones):
        if id(component) not in chosen:
            continue
        if alarm.at is not None:
            if rings(alarm, None, span.start, span.end):
                return True
            continue
        before, after = alarm.reach
        start = span.start if span.start <= ALWAYS else span.start - after - 1
        end = span.end if span.end >= FOREVER else span.end + before + 1
        for instance in scope.instances([parent], start, end):
            if rings(alarm, instance, span.start, span.end):
                return True
    return False


def _prop_matches(scope: _Scope, component: Component, wanted: PropFilter) -> bool:
    name = wanted.name.upper()
    lines = component.all(name)
    if wanted.is_not_defined:
        return not lines
    if wanted.time_range is not None and name in ("DTSTART", "DTEND", "DUE") and component.name in SCHEDULED:
        if any(_params_match(line, wanted) for line in lines) or not (lines or wanted.params):
            return _effective_in_range(scope, component, name, wanted.time_range)
        return False
    return any(_line_matches(scope.zones, line, wanted) for line in lines)


def _line_matches(zones: Zones, line: Line, wanted: PropFilter) -> bool:
    if wanted.text is not None and not wanted.text.holds_for(line.text):
        return False
    if wanted.time_range is not None:
        instant = _instant(zones, line)
        if instant is None or not wanted.time_range.start <= instant < wanted.time_range.end:
            return False
    return _params_match(line, wanted)


def _effective_in_range(scope: _Scope, component: Component, name: str, span: TimeRange) -> bool:
    """9.9: "consider every recurrence instance", and DURATION where DTEND or DUE is missing."""
    lines = time_lines(component)
    if name not in lines and (name == "DTSTART" or not {"DTSTART", "DURATION"} <= lines.keys()):
        return False
    if (name == "DTEND" and component.name != "VEVENT") or (name == "DUE" and component.name != "VTODO"):
        return False
    start = span.start if span.start <= ALWAYS else span.start - 1
    end = span.end if span.end >= FOREVER else span.end + 1
    for instance in scope.instances([component], start, end):
        instant = instance.start if name == "DTSTART" else instance.end
        if span.start <= instant < span.end:
            return True
    return False


def _params_match(line: Line, wanted: PropFilter) -> bool:
    return all(_param_matches(line, param) for param in wanted.params)


def _param_matches(line: Line, wanted: ParamFilter) -> bool:
    values = line.params.get(wanted.name.upper())
    if wanted.is_not_defined:
        return values is None
    if values is None:
        return False
    return wanted.text is None or any(wanted.text.holds_for(value) for value in values)


def _instant(zones: Zones, line: Line | None) -> int | None:
    """The instant of a date property, None if it is missing or cannot be read."""
    if line is None:
        return None
    try:
        return zones.instant(read_moment(line))
    except ValueError:
        return None
