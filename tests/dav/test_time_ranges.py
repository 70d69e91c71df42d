"""The tables of RFC 4791 9.9, row by row, at and around every boundary.

The conditions are written down here a second time, as literally as Python allows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from davsamples import calendar as wrapped
from enginedav import EngineDav

HOUR, DAY = 3600, 86_400
NEVER, ALWAYS = 10**12, -(10**12)
BASE = 1_767_225_600  # 2026-01-01T00:00:00Z

Condition = Callable[[int, int], bool]


def show(instant: int) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%Y%m%dT%H%M%SZ")


def at(hours: int) -> str:
    return show(BASE + hours * HOUR)


def day(hours: int) -> str:
    return at(hours)[:8]


@dataclass(frozen=True)
class Row:
    kind: str
    lines: str
    overlaps: Condition
    spots: tuple[int, ...]
    """The hours at whose instants something could change."""


def span(start: int, end: int) -> Condition:
    """(start < END) AND (end > START)"""
    return lambda first, last: first < BASE + end * HOUR and last > BASE + start * HOUR


def spot(hours: int) -> Condition:
    """(start <= T) AND (end > T)"""
    return lambda first, last: first <= BASE + hours * HOUR < last


A, B = BASE + 10 * HOUR, BASE + 12 * HOUR

ROWS: Mapping[str, Row] = {
    "event with DTEND": Row("VEVENT", f"DTSTART:{at(10)}\nDTEND:{at(12)}", span(10, 12), (10, 12)),
    "event with DTEND, all day": Row(
        "VEVENT", f"DTSTART;VALUE=DATE:{day(24)}\nDTEND;VALUE=DATE:{day(72)}", span(24, 72), (24, 72)
    ),
    "event with DURATION": Row("VEVENT", f"DTSTART:{at(10)}\nDURATION:PT2H", span(10, 12), (10, 12)),
    "event with DURATION, all day": Row(
        "VEVENT", f"DTSTART;VALUE=DATE:{day(24)}\nDURATION:P2D", span(24, 72), (24, 72)
    ),
    "event with an empty DURATION": Row("VEVENT", f"DTSTART:{at(10)}\nDURATION:PT0S", spot(10), (10,)),
    "event with a start": Row("VEVENT", f"DTSTART:{at(10)}", spot(10), (10,)),
    "event with a day": Row("VEVENT", f"DTSTART;VALUE=DATE:{day(24)}", span(24, 48), (24, 48)),
    "task with DTSTART and DURATION": Row(
        "VTODO",
        f"DTSTART:{at(10)}\nDURATION:PT2H",
        lambda start, end: start <= B and (end > A or end >= B),
        (10, 12),
    ),
    "task with DTSTART and DUE": Row(
        "VTODO",
        f"DTSTART:{at(10)}\nDUE:{at(12)}",
        lambda start, end: (start < B or start <= A) and (end > A or end >= B),
        (10, 12),
    ),
    "task with DTSTART and the same DUE": Row(
        "VTODO",
        f"DTSTART:{at(10)}\nDUE:{at(10)}",
        lambda start, end: start <= A and (end > A or end >= A),
        (10,),
    ),
    "task with DTSTART": Row("VTODO", f"DTSTART:{at(10)}", spot(10), (10,)),
    "task with DUE": Row("VTODO", f"DUE:{at(12)}", lambda start, end: start < B and end >= B, (12,)),
    "task with COMPLETED and CREATED": Row(
        "VTODO",
        f"CREATED:{at(10)}\nCOMPLETED:{at(12)}",
        lambda start, end: (start <= A or start <= B) and (end >= A or end >= B),
        (10, 12),
    ),
    "task with COMPLETED": Row(
        "VTODO", f"COMPLETED:{at(12)}", lambda start, end: start <= B and end >= B, (12,)
    ),
    "task with CREATED": Row("VTODO", f"CREATED:{at(10)}", lambda start, end: end > A, (10,)),
    "task with nothing": Row("VTODO", "", lambda start, end: True, ()),
    "task with DTSTART and COMPLETED": Row(
        "VTODO", f"DTSTART:{at(10)}\nCOMPLETED:{at(20)}", spot(10), (10, 20)
    ),
    "journal with a time": Row("VJOURNAL", f"DTSTART:{at(10)}", spot(10), (10,)),
    "journal with a day": Row("VJOURNAL", f"DTSTART;VALUE=DATE:{day(24)}", span(24, 48), (24, 48)),
    "journal with nothing": Row("VJOURNAL", "", lambda start, end: False, ()),
    "free-busy with DTSTART and DTEND": Row(
        "VFREEBUSY",
        f"DTSTART:{at(10)}\nDTEND:{at(12)}\nFREEBUSY:{at(30)}/PT1H",
        lambda start, end: start <= B and end > A,
        (10, 12, 30),
    ),
    "free-busy with periods": Row(
        "VFREEBUSY",
        f"FREEBUSY;FBTYPE=FREE:{at(10)}/{at(12)},{at(30)}/PT2H",
        lambda start, end: span(10, 12)(start, end) or span(30, 32)(start, end),
        (10, 12, 30, 32),
    ),
    "free-busy with nothing": Row("VFREEBUSY", "", lambda start, end: False, ()),
}


def ranges(spots: tuple[int, ...]) -> list[tuple[int, int]]:
    """Ranges that begin and end at, a second before and a second after every instant of interest."""
    moments = sorted({BASE + hours * HOUR + step for hours in (0, *spots, 80) for step in (-1, 0, 1)})
    closed = [(first, last) for first in moments for last in moments if first < last]
    return [*closed, *((first, NEVER) for first in moments), *((ALWAYS, last) for last in moments)]


def time_range(first: int, last: int) -> str:
    start = f' start="{show(first)}"' if first != ALWAYS else ""
    end = f' end="{show(last)}"' if last != NEVER else ""
    return f"<C:time-range{start}{end}/>"


def put(dav: EngineDav, path: str, kind: str, text: str, *, uid: str = "x") -> None:
    body = wrapped(
        f"BEGIN:{kind}\nUID:{uid}\nDTSTAMP:20260101T000000Z\n{text}\nEND:{kind}".replace("\n\n", "\n")
    )
    answer = dav.put(path, body)
    assert answer.status == 201, answer.body


@pytest.mark.parametrize("name", ROWS)
def test_a_component_overlaps_as_its_row_says(dav: EngineDav, calendar: str, name: str) -> None:
    row = ROWS[name]
    put(dav, calendar + "x.ics", row.kind, row.lines)

    for first, last in ranges(row.spots):
        found = dav.query(
            calendar, f'<C:comp-filter name="{row.kind}">{time_range(first, last)}</C:comp-filter>'
        ).multistatus()

        assert bool(len(found)) is row.overlaps(first, last), (show(max(first, 0)), last)


@pytest.mark.parametrize("name", [name for name in ROWS if ROWS[name].kind == "VEVENT"])
def test_columns_and_contents_say_the_same(dav: EngineDav, calendar: str, name: str) -> None:
    """A second condition makes the server look inside; the answer stays."""
    row = ROWS[name]
    put(dav, calendar + "x.ics", row.kind, row.lines)
    inside = '<C:prop-filter name="UID"><C:text-match collation="i;octet">x</C:text-match></C:prop-filter>'

    for first, last in ranges(row.spots):
        found = dav.query(
            calendar, f'<C:comp-filter name="{row.kind}">{time_range(first, last)}{inside}</C:comp-filter>'
        ).multistatus()

        assert bool(len(found)) is row.overlaps(first, last), (show(max(first, 0)), last)


PROPERTIES: Mapping[str, tuple[str, str, str, int | None]] = {
    "COMPLETED": ("VTODO", f"COMPLETED:{at(10)}", "COMPLETED", 10),
    "CREATED": ("VEVENT", f"DTSTART:{at(0)}\nCREATED:{at(10)}", "CREATED", 10),
    "LAST-MODIFIED": ("VJOURNAL", f"LAST-MODIFIED:{at(10)}", "LAST-MODIFIED", 10),
    "DTSTART": ("VEVENT", f"DTSTART:{at(10)}\nDTEND:{at(20)}", "DTSTART", 10),
    "DTSTART of a day": ("VEVENT", f"DTSTART;VALUE=DATE:{day(24)}", "DTSTART", 24),
    "DTEND": ("VEVENT", f"DTSTART:{at(0)}\nDTEND:{at(10)}", "DTEND", 10),
    "the effective DTEND": ("VEVENT", f"DTSTART:{at(0)}\nDURATION:PT10H", "DTEND", 10),
    "DUE": ("VTODO", f"DUE:{at(10)}", "DUE", 10),
    "the effective DUE": ("VTODO", f"DTSTART:{at(0)}\nDURATION:PT10H", "DUE", 10),
    "a DTEND that is not there": ("VEVENT", f"DTSTART:{at(10)}", "DTEND", None),
    "a DUE that is not there": ("VTODO", f"DTSTART:{at(10)}", "DUE", None),
    "a property without a time": ("VEVENT", f"DTSTART:{at(10)}\nSUMMARY:{at(10)}x", "SUMMARY", None),
}


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_property_overlaps_when_its_time_is_in_the_range(dav: EngineDav, calendar: str, name: str) -> None:
    kind, text, wanted, hours = PROPERTIES[name]
    put(dav, calendar + "x.ics", kind, text)

    for first, last in ranges((10, 24)):
        found = dav.query(
            calendar,
            f'<C:comp-filter name="{kind}"><C:prop-filter name="{wanted}">{time_range(first, last)}'
            "</C:prop-filter></C:comp-filter>",
        ).multistatus()

        assert bool(len(found)) is (hours is not None and spot(hours)(first, last))


ALARMS: Mapping[str, tuple[str, str, tuple[int, ...]]] = {
    "before the start": (f"DTSTART:{at(24)}\nDURATION:PT2H", "TRIGGER:-PT1H", (23,)),
    "after the start": (f"DTSTART:{at(24)}\nDURATION:PT2H", "TRIGGER:PT1H", (25,)),
    "before the end": (f"DTSTART:{at(24)}\nDURATION:PT5H", "TRIGGER;RELATED=END:-PT1H", (28,)),
    "after the end": (f"DTSTART:{at(24)}\nDTEND:{at(29)}", "TRIGGER;RELATED=END:PT1H", (30,)),
    "at a time": (f"DTSTART:{at(24)}", f"TRIGGER;VALUE=DATE-TIME:{at(10)}", (10,)),
    "twice more": (f"DTSTART:{at(24)}", "TRIGGER:-PT1H\nREPEAT:2\nDURATION:PT4H", (23, 27, 31)),
    "again at a time": (
        f"DTSTART:{at(24)}",
        f"TRIGGER;VALUE=DATE-TIME:{at(10)}\nREPEAT:1\nDURATION:P1D",
        (10, 34),
    ),
    "for every instance": (f"DTSTART:{at(24)}\nRRULE:FREQ=DAILY;COUNT=3", "TRIGGER:-PT2H", (22, 46, 70)),
    "without a trigger": (f"DTSTART:{at(24)}", "REPEAT:1", ()),
}


@pytest.mark.parametrize("name", ALARMS)
@pytest.mark.parametrize("kind", ["VEVENT", "VTODO"])
def test_an_alarm_overlaps_when_it_rings_in_the_range(
    dav: EngineDav, calendar: str, kind: str, name: str
) -> None:
    text, alarm, rings = ALARMS[name]
    if kind == "VTODO":
        text = text.replace("DTEND", "DUE")
    put(dav, calendar + "x.ics", kind, f"{text}\nBEGIN:VALARM\nACTION:AUDIO\n{alarm}\nEND:VALARM")

    for first, last in ranges((*rings, 24)):
        found = dav.query(
            calendar,
            f'<C:comp-filter name="{kind}"><C:comp-filter name="VALARM">{time_range(first, last)}'
            "</C:comp-filter></C:comp-filter>",
        ).multistatus()

        assert bool(len(found)) is any(spot(hours)(first, last) for hours in rings), (first, last)


def test_a_task_that_is_due_rings_before_it_is_due(dav: EngineDav, calendar: str) -> None:
    put(
        dav,
        calendar + "x.ics",
        "VTODO",
        f"DUE:{at(24)}\nBEGIN:VALARM\nACTION:AUDIO\nTRIGGER;RELATED=END:-PT1H\nEND:VALARM",
    )

    def found(first: int, last: int) -> list[str]:
        return (
            dav.query(
                calendar,
                '<C:comp-filter name="VTODO"><C:comp-filter name="VALARM">'
                f"{time_range(BASE + first * HOUR, BASE + last * HOUR)}</C:comp-filter></C:comp-filter>",
            )
            .multistatus()
            .names
        )

    assert found(23, 24) == ["x.ics"]
    assert found(24, 25) == []


def test_a_range_on_the_calendar_itself_is_about_anything_in_it(dav: EngineDav, calendar: str) -> None:
    put(dav, calendar + "e.ics", "VEVENT", f"DTSTART:{at(10)}\nDURATION:PT1H", uid="e")
    put(dav, calendar + "t.ics", "VTODO", f"DUE:{at(10)}", uid="t")

    found = dav.query(calendar, time_range(BASE + 9 * HOUR, BASE + 10 * HOUR)).multistatus()

    assert found.names == ["t.ics"]


def test_a_range_on_an_unknown_component_finds_nothing(dav: EngineDav, calendar: str) -> None:
    put(dav, calendar + "e.ics", "VEVENT", f"DTSTART:{at(10)}\nDURATION:PT1H")

    found = dav.query(calendar, f'<C:comp-filter name="X-FOO">{time_range(BASE, NEVER)}</C:comp-filter>')

    assert len(found.multistatus()) == 0
