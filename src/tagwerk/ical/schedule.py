"""Reading when a component recurs, and which instances are overridden (RFC 5545 3.8.4.4, 3.8.5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, time
from typing import Final

from tagwerk.contentline import Component, Line
from tagwerk.ical.rrule import Rule
from tagwerk.ical.series import Override, Series, originals
from tagwerk.ical.timing import Lines, TimeError, Timing, time_lines, timing
from tagwerk.ical.values import (
    DAY,
    Moment,
    clamped,
    parse_moment,
    parse_period,
    read_moment,
    to_instant,
    to_local,
)
from tagwerk.ical.zones import Zones
from tagwerk.model import FOREVER

SCHEDULED: Final = frozenset({"VEVENT", "VTODO", "VJOURNAL"})
"""The components that have instances."""


def all_series(components: Iterable[Component], zones: Zones) -> list[Series]:
    """The series among `components`, one for every kind and UID.

    Raises:
        TimeError: a date, duration or rule cannot be read.
    """
    chosen = [component for component in components if component.name in SCHEDULED]
    if len(chosen) == 1:
        return [one_series(chosen, zones)]
    return _grouped(chosen, zones)


def offers(availability: Component, zones: Zones) -> list[Series]:
    """The series of the AVAILABLE components in a VAVAILABILITY (RFC 7953 3.1).

    Raises:
        TimeError: a date, duration or rule cannot be read.
    """
    return _grouped([child for child in availability.children if child.name == "AVAILABLE"], zones)


def _grouped(components: list[Component], zones: Zones) -> list[Series]:
    groups: dict[tuple[str, str], list[Component]] = {}
    for component in components:
        groups.setdefault((component.name, component.value("UID").strip()), []).append(component)
    made: list[Series] = []
    for group in groups.values():
        masters = [component for component in group if component.first("RECURRENCE-ID") is None]
        if len(masters) > 1:
            # Two masters cannot be; each keeps its own instances, the first has the overrides.
            made += [one_series([other], zones) for other in masters[1:]]
            group = [component for component in group if component not in masters[1:]]
        made.append(one_series(group, zones))
    return made


def one_series(group: list[Component], zones: Zones) -> Series:
    """The series of components that have one UID, at most one of them without RECURRENCE-ID.

    Raises:
        TimeError: a date, duration or rule cannot be read.
    """
    series = Series()
    overriding: list[tuple[Component, Lines]] = []
    for component in group:
        lines = time_lines(component)
        if "RECURRENCE-ID" in lines:
            overriding.append((component, lines))
        else:
            series.master, series.timing = component, timing(component, lines, zones)
            if len(lines) > 1:
                _read_recurrence(series, lines, zones)
    if overriding:
        series.recurring = True
        _read_overrides(series, overriding, zones)
    return series


def _read_recurrence(series: Series, lines: Lines, zones: Zones) -> None:
    when = series.timing
    if when is None:
        return
    for line in lines.get("RRULE", ()):
        series.rules.append(_rule(line, when, zones))
    for line in lines.get("EXRULE", ()):
        series.exclusions.append(_rule(line, when, zones))
    for line in lines.get("RDATE", ()):
        _read_dates(series, when, line, zones)
    for line in lines.get("EXDATE", ()):
        for moment in _moments(line):
            if moment.all_day and not when.moment.all_day:
                series.excluded_days.add(moment.local.date())
            else:
                series.excluded.add(_original(moment, when, zones))
    series.dates.sort()
    series.recurring = bool(series.rules or series.dates)


def _rule(line: Line, when: Timing, zones: Zones) -> tuple[Rule, datetime | None]:
    """The rule, and its UNTIL on the clock of the master."""
    try:
        rule = Rule.parse(line.value)
        if when.moment.all_day:
            rule = rule.for_dates()
    except ValueError as error:
        raise TimeError(f"{line.name}: {error}", line.index) from error
    until = rule.until
    if until is None:
        return rule, None
    if when.moment.all_day:
        return rule, until.local.replace(hour=0, minute=0, second=0)
    if until.utc and not when.floating:
        return rule, to_local(zones.instant(until), when.zone)
    return rule, None


def _read_dates(series: Series, when: Timing, line: Line, zones: Zones) -> None:
    tzid = line.param("TZID").strip() if ";" in line.head else ""
    for text in line.value.split(","):
        if not text.strip():
            continue
        try:
            if "/" not in text:
                series.dates.append(
                    _original(parse_moment(text, tzid=tzid, date=_is_date(line)), when, zones)
                )
                continue
            period = parse_period(text, tzid=tzid)
        except ValueError as error:
            raise TimeError(f"{line.name}: {error}", line.index) from error
        original = _original(period.start, when, zones)
        series.dates.append(original)
        if not when.moment.all_day:
            begin = to_instant(original, when.zone)
            length = period.duration.days * DAY + period.duration.seconds
            if period.end is not None:
                length = zones.instant(period.end) - zones.instant(period.start)
            series.lengths[original] = max(0, length if begin + length <= FOREVER else 0)


def _moments(line: Line) -> Iterator[Moment]:
    """The values of EXDATE; empty ones are passed over."""
    tzid = line.param("TZID").strip() if ";" in line.head else ""
    for text in line.value.split(","):
        if text.strip():
            try:
                yield parse_moment(text, tzid=tzid, date=_is_date(line))
            except ValueError as error:
                raise TimeError(f"{line.name}: {error}", line.index) from error


def _is_date(line: Line) -> bool:
    return ";" in line.head and line.param("VALUE").strip().upper() == "DATE"


def _original(moment: Moment, when: Timing, zones: Zones) -> datetime:
    """The local time on the clock of the master's DTSTART that `moment` means.

    Programs write EXDATE and RECURRENCE-ID in UTC, in another zone or without one, as a
    DATE for a master with time (Evolution, Exchange) and with a time for an all-day
    master (midnight here, or in UTC midnight of where they are).
    """
    local = moment.local
    if when.moment.all_day:
        if moment.all_day or local.time() == time.min:
            return local.replace(hour=0, minute=0, second=0)
        if zones.of(moment) is not None:
            here = to_local(zones.instant(moment), zones.default)
            if here.time() == time.min:
                return here
        return datetime.combine(local, time.min)
    if moment.all_day:
        return datetime.combine(local, when.moment.local.time())
    if when.floating:
        return local
    zone = zones.of(moment)
    if zone is None or zone is when.zone:
        return local
    return to_local(to_instant(local, zone), when.zone)


def _read_overrides(series: Series, overriding: list[tuple[Component, Lines]], zones: Zones) -> None:
    when = series.timing
    for component, lines in overriding:
        line = lines["RECURRENCE-ID"][0]
        try:
            moment = read_moment(line)
        except ValueError as error:
            raise TimeError(f"{line.name}: {error}", line.index) from error
        own = timing(component, lines, zones)
        if own is None:
            continue
        original = moment.local if when is None else _original(moment, when, zones)
        if when is not None and moment.all_day and not when.moment.all_day:
            original = _on_day(series, original)
        override = Override(component, own, moment, original)
        series.by_component[id(component)] = override
        other = series.overrides.get(original)
        if other is None or _sequence(component) >= _sequence(other.component):
            series.overrides[original] = override
        if line.param("RANGE").strip().upper() == "THISANDFUTURE":
            series.ranges.append(override)
    series.ranges.sort(key=lambda override: override.original)


def _on_day(series: Series, original: datetime) -> datetime:
    """The instance on the day of `original`, where only the day was written."""
    midnight = datetime.combine(original, time.min)
    return next(originals(series, midnight, clamped(midnight, DAY)), original)


def _sequence(component: Component) -> int:
    text = component.value("SEQUENCE").strip()
    return int(text) if text.isdecimal() and len(text) < 12 else 0
