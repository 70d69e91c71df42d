"""What recurring-ical-events says of calendar objects, and what the engine says of the same ones.

`icalendar` and `recurring_ical_events` share no code with the server.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events

from davclient import CALDAV, NS
from enginedav import EngineDav

_DATA = CALDAV + "calendar-data"


@dataclass(frozen=True, order=True)
class Instance:
    start: int
    end: int
    summary: str
    busy: str


def instant(value: date | datetime, zone: tzinfo) -> int:
    """Seconds since 1970 of what `icalendar` read."""
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if value.tzinfo is None:
        value = value.replace(tzinfo=zone)
    return round((value - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())


def overlaps(found: Instance, start: int, end: int) -> bool:
    """The table for VEVENT in RFC 4791 9.9."""
    if found.start == found.end:
        return start <= found.start < end
    return start < found.end and end > found.start


def task_overlaps(found: Instance, start: int, end: int) -> bool:
    """The rows of the table for VTODO in RFC 4791 9.9 that have DTSTART, with and without DUE."""
    if found.start == found.end:
        return start <= found.start < end
    return (start < found.end or start <= found.start) and (end > found.start or end >= found.end)


def kind_of(event: icalendar.Event) -> str:
    """The table of RFC 4791 7.10."""
    if event.get("TRANSP") == "TRANSPARENT" or event.get("STATUS") == "CANCELLED":
        return ""
    return "BUSY-TENTATIVE" if event.get("STATUS") == "TENTATIVE" else "BUSY"


def expected(
    content: bytes, start: int, end: int, zone: tzinfo, *, component: str = "VEVENT"
) -> list[Instance]:
    """What the other library finds.  It is asked for a few days more, and cut as the RFC says."""
    last, holds = ("DTEND", overlaps) if component == "VEVENT" else ("DUE", task_overlaps)
    window = [shown(start) - timedelta(days=6), shown(end) + timedelta(days=6)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # It remembers the VTIMEZONEs of every calendar that it read, by their names; this makes it forget.
        icalendar.use_zoneinfo()
        calendar = icalendar.Calendar.from_ical(content)
        made = [
            Instance(
                instant(event["DTSTART"].dt, zone),
                instant(event[last].dt, zone),
                str(event["SUMMARY"]),
                kind_of(event),
            )
            for event in recurring_ical_events.of(calendar, components=[component]).between(*window)
        ]
    return sorted({one for one in made if holds(one, start, end)})


def shown(seconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def span(start: int, end: int) -> str:
    return f'start="{shown(start):%Y%m%dT%H%M%SZ}" end="{shown(end):%Y%m%dT%H%M%SZ}"'


def in_zone(zone: tzinfo) -> str:
    return f"<C:timezone-id>{zone.key}</C:timezone-id>" if isinstance(zone, ZoneInfo) else ""


def queried(
    dav: EngineDav,
    path: str,
    start: int,
    end: int,
    zone: tzinfo,
    *,
    inside: str = "",
    component: str = "VEVENT",
) -> set[str]:
    filters = f'<C:comp-filter name="{component}"><C:time-range {span(start, end)}/>{inside}</C:comp-filter>'
    return set(dav.query(path, filters, rest=in_zone(zone)).multistatus().names)


def expanded(
    dav: EngineDav, path: str, start: int, end: int, zone: tzinfo, *, component: str = "VEVENT"
) -> dict[str, list[Instance]]:
    """The instances of every object that the server returns for the range."""
    bounds = span(start, end)
    found = dav.query(
        path,
        f'<C:comp-filter name="{component}"><C:time-range {bounds}/></C:comp-filter>',
        props=f"<C:calendar-data><C:expand {bounds}/></C:calendar-data>",
        rest=in_zone(zone),
    ).multistatus()
    return {
        href.rsplit("/", 1)[1]: sorted(instances_in(one.text(_DATA), zone, component=component))
        for href, one in found.found.items()
    }


def instances_in(text: str, zone: tzinfo, *, component: str = "VEVENT") -> Iterator[Instance]:
    """The events of an expanded object, each by itself."""
    calendar = icalendar.Calendar.from_ical(text)
    assert not calendar.walk("VTIMEZONE")
    for event in calendar.walk(component):
        assert not {"RRULE", "RDATE", "EXDATE", "EXRULE"} & set(event)
        assert "TZID" not in event["DTSTART"].params
        yield Instance(
            instant(event["DTSTART"].dt, zone),
            instant(event.end if component == "VEVENT" else event.get("DUE", event["DTSTART"]).dt, zone),
            str(event["SUMMARY"]),
            kind_of(event),
        )


def busy(dav: EngineDav, path: str, start: int, end: int, zone: tzinfo) -> dict[str, list[tuple[int, int]]]:
    """The periods of each type that the server says are not free."""
    answer = dav.report(
        path, f"<C:free-busy-query {NS}><C:time-range {span(start, end)}/>{in_zone(zone)}</C:free-busy-query>"
    )
    assert answer.status == 200, answer.body
    found: dict[str, list[tuple[int, int]]] = {}
    for line in answer.text.replace("\r\n ", "").split("\r\n"):
        name, _, value = line.partition(":")
        if name.startswith("FREEBUSY"):
            kind = name.partition("FBTYPE=")[2] or "BUSY"
            for period in value.split(","):
                first, last = (
                    round(datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp())
                    for text in period.split("/")
                )
                found.setdefault(kind, []).append((first, last))
    return found


def union(instances: list[Instance], start: int, end: int) -> dict[str, list[tuple[int, int]]]:
    """The time that instances take inside of the range, by type."""
    merged: dict[str, list[tuple[int, int]]] = {}
    for one in sorted(instances):
        first, last = max(one.start, start), min(one.end, end)
        if not one.busy or first >= last:
            continue
        found = merged.setdefault(one.busy, [])
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return merged


def asked(dav: EngineDav, path: str, bounds: tuple[int, int], zone: tzinfo) -> dict[str, object]:
    """What the engine says of a calendar and a range, by every way to ask."""
    start, end = bounds
    return {
        "query": queried(dav, path, start, end, zone),
        # A condition that columns cannot decide makes the server look inside.
        "query that looks inside": queried(dav, path, start, end, zone, inside='<C:prop-filter name="UID"/>'),
        "expand": expanded(dav, path, start, end, zone),
        "busy": busy(dav, path, start, end, zone),
    }


def wanted(contents: Mapping[str, bytes], bounds: tuple[int, int], zone: tzinfo) -> dict[str, object]:
    """What the other library says of the same objects, as `asked` has it."""
    start, end = bounds
    known = {name: expected(content, start, end, zone) for name, content in contents.items()}
    known = {name: instances for name, instances in known.items() if instances}
    every = [instance for instances in known.values() for instance in instances]
    names = set(known)
    return {
        "query": names,
        "query that looks inside": names,
        "expand": known,
        "busy": union(every, start, end),
    }
