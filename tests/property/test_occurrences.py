"""Instances and expansion against recurring-ical-events, on made-up events and on real ones.

Where the two differ on purpose, a comment below says why ours is right.
"""

from __future__ import annotations

import warnings
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import icalendar
import pytest
import recurring_ical_events
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tagwerk.contentline import Component, ContentLineError, parse
from tagwerk.ical.expand import expand
from tagwerk.ical.facts import facts
from tagwerk.ical.occurrences import instances
from tagwerk.ical.rrule import Rule
from tagwerk.ical.spans import iter_spans, spans_overlap
from tagwerk.ical.timing import TimeError
from tagwerk.ical.values import parse_moment, to_instant
from tagwerk.model import ALWAYS, FOREVER

_CORPUS = Path(__file__).parents[2] / "../shared/corpus"
_ZONES = ["", "Z", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "DATE"]
_RULES = [
    "FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=3",
    "FREQ=WEEKLY",
    "FREQ=WEEKLY;BYDAY=MO,WE,FR",
    "FREQ=MONTHLY",
    "FREQ=MONTHLY;BYDAY=-1FR",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "FREQ=YEARLY",
    "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU",
]


def _utc(text: str) -> int:
    return to_instant(parse_moment(text).local, UTC)


def _write(name: str, local: datetime, zone: str) -> str:
    if zone == "DATE":
        return f"{name};VALUE=DATE:{local:%Y%m%d}"
    if zone == "Z":
        return f"{name}:{local:%Y%m%dT%H%M%S}Z"
    return f"{name};TZID={zone}:{local:%Y%m%dT%H%M%S}" if zone else f"{name}:{local:%Y%m%dT%H%M%S}"


@st.composite
def _calendars(draw: st.DrawFn) -> str:
    """A recurring event with exceptions and overrides.

    Its times are by day, away from the hours in which clocks change: there
    recurring-ical-events keeps the length on the clock, and we the exact one, as RFC 5545
    3.8.5.3 says.
    """
    zone = draw(st.sampled_from(_ZONES))
    minutes = draw(st.integers(6 * 60, 20 * 60)) if zone != "DATE" else 0
    start = datetime(2024, 1, 1) + timedelta(days=draw(st.integers(0, 400)), minutes=minutes)
    rule = draw(st.sampled_from(_RULES))
    # DTSTART fits the rule: if it does not, it counts for COUNT with us (RFC 5545 3.3.10).
    start = next(Rule.parse(rule).between(start, start, datetime(2030, 1, 1)))
    ending = draw(st.sampled_from(["", ";COUNT=7", "UNTIL"]))
    if ending == "UNTIL":
        until = start + timedelta(days=draw(st.integers(0, 400)))
        ending = f";UNTIL={until:%Y%m%d}" if zone == "DATE" else f";UNTIL={until:%Y%m%dT235959}"
        ending += "Z" if zone not in ("", "DATE") else ""
    known = Rule.parse(rule).between(start, start, start + timedelta(days=500))
    originals = [original for original, _ in zip(known, range(12), strict=False)]
    lines = [_write("DTSTART", start, zone), f"RRULE:{rule}{ending}"]
    if zone == "DATE":
        lines.append(_write("DTEND", start + timedelta(days=draw(st.integers(1, 3))), zone))
    elif draw(st.booleans()):
        lines.append(f"DURATION:PT{draw(st.integers(1, 150))}M")
    else:
        lines.append(_write("DTEND", start + timedelta(minutes=draw(st.integers(1, 150))), zone))
    lines += [_write("EXDATE", gone, zone) for gone in draw(st.lists(st.sampled_from(originals), max_size=3))]
    text = "\r\n".join(lines)
    events = [f"BEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20240101T000000Z\r\n{text}\r\nEND:VEVENT\r\n"]
    for original in draw(st.lists(st.sampled_from(originals), max_size=3, unique=True)):
        if any(f"{original:%Y%m%d}" in line for line in lines if line.startswith("EXDATE")):
            continue
        if ending and original != start:
            # An override of an instance after the end is one with us and none with them.
            continue
        moved = original + timedelta(days=draw(st.integers(-20, 20)))
        body = "\r\n".join([_write("RECURRENCE-ID", original, zone), _write("DTSTART", moved, zone)])
        events.append(f"BEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20240101T000000Z\r\n{body}\r\nEND:VEVENT\r\n")
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{''.join(events)}END:VCALENDAR\r\n"


def _instant(value: date | datetime) -> int:
    if isinstance(value, datetime):
        return to_instant(value, UTC) if value.tzinfo is None else round(value.timestamp())
    return to_instant(datetime(value.year, value.month, value.day), UTC)


def _theirs(text: str, start: datetime, end: datetime) -> list[tuple[int, int]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = icalendar.Calendar.from_ical(text)
        found = recurring_ical_events.of(made).between(start, end)
        return sorted({(_instant(event["DTSTART"].dt), _instant(event["DTEND"].dt)) for event in found})


def _ours(calendar: Component, start: int, end: int) -> list[tuple[int, int]]:
    return sorted((found.start, found.end) for found in instances(calendar, start, end, zone=UTC))


@settings(max_examples=250, deadline=None)
@given(_calendars(), st.integers(-30, 500), st.integers(1, 120))
def test_a_window_has_the_instances_that_recurring_ical_events_finds(text: str, day: int, size: int) -> None:
    start = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day)
    end = start + timedelta(days=size)

    found = _ours(parse(text)[0], _instant(start), _instant(end))

    # An override may have been moved to where another instance is.
    assert sorted(set(found)) == _theirs(text, start, end)


@settings(max_examples=150, deadline=None)
@given(_calendars(), st.integers(-30, 500), st.integers(1, 120))
def test_the_instances_of_an_expanded_object_are_those_of_the_object(text: str, day: int, size: int) -> None:
    start = _utc("20240101") + day * 86_400
    end = start + size * 86_400
    calendar = parse(text)[0]

    expanded = expand(calendar, start, end, zone=UTC)

    found = [] if expanded is None else _ours(parse(expanded)[0], ALWAYS, FOREVER)
    assert found == _ours(calendar, start, end)
    assert expanded is None or "RRULE" not in expanded
    assert expanded is None or "TZID" not in expanded


@settings(max_examples=150, deadline=None)
@given(_calendars(), st.integers(-800, 2000), st.integers(1, 120))
def test_spans_answer_as_the_object_does(text: str, day: int, size: int) -> None:
    calendar = parse(text)[0]
    known = facts(calendar, now=_utc("20250101"))
    start = _utc("20240101") + day * 86_400
    end = start + size * 86_400

    found = _ours(calendar, start, end)

    assume(known.spans is not None and known.spans_from <= start and end <= known.spans_until)
    assert list(iter_spans(known.spans or b"", start, end)) == found
    assert spans_overlap(known.spans or b"", start, end) == bool(found)
    assert not found or (known.first <= found[0][0] and known.last >= found[-1][1])


# Why we differ from recurring-ical-events on these files:
_DIFFERENT = {
    # DTSTART is an instance even where UNTIL is before it (RFC 5545 3.8.5.3).
    "ical4j-lotr.ics",
    # DTSTART counts for COUNT where the rule does not match it (RFC 5545 3.3.10).
    "ical4j-korganizer_sample.ics",
    # DTEND that is DTSTART, both dates: the day of the event is shown.
    "icalendar-example.ics",
    # RDATE with a period of dates, for an event with times.
    "icalendar-issue_1633_rdate_with_dates.ics",
    "icalendar-issue_1633_rdate_with_dates_and_tzid.ics",
    # UNTIL and BYDAY with blanks in it; recurring-ical-events gives up.
    "icalendar-issue_165_missing_event.ics",
    # A DATE where the parameter says DATE-TIME: an all-day event with us.
    "ical4j-schedule-unstable.ics",
}


def _files() -> list[Path]:
    return sorted(_CORPUS.glob("i*/*.ics"))


@pytest.mark.skipif(not _CORPUS.is_dir(), reason="the corpus of real calendars is not there")
@pytest.mark.parametrize("path", _files(), ids=lambda path: path.name)
def test_real_calendars_have_the_instances_that_recurring_ical_events_finds(path: Path) -> None:
    text = path.read_bytes().decode(errors="replace").lstrip("\ufeff")
    try:
        roots = [root for root in parse(text) if root.name == "VCALENDAR"]
        found = [_around(root) for root in roots]
    except (ContentLineError, TimeError) as error:
        pytest.skip(f"not readable: {error}")
    for root, (start, end, ours) in zip(roots, found, strict=True):
        try:
            expected = _theirs_of(text, roots.index(root), start, end)
        except Exception as error:
            pytest.skip(f"recurring-ical-events cannot read it: {error!r}")

        if path.name not in _DIFFERENT:
            assert ours == expected


def _around(root: Component) -> tuple[datetime, datetime, set[tuple[int, int]]]:
    events = [child for child in root.children if child.name == "VEVENT"]
    starts = [line.value.strip()[:4] for event in events for line in event.lines if line.name == "DTSTART"]
    years = [int(year) for year in starts if year.isdigit() and 1 < int(year) < 9990]
    first = max(1902, min(years, default=2000) - 1)
    start = datetime(first, 1, 1, tzinfo=UTC)
    end = datetime(max([first, *years]) + 3, 1, 1, tzinfo=UTC)
    found = instances(root, _instant(start), _instant(end), zone=UTC)
    return start, end, {(one.start, one.end) for one in found if one.component.name == "VEVENT"}


def _theirs_of(text: str, index: int, start: datetime, end: datetime) -> set[tuple[int, int]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = icalendar.Calendar.from_ical(text, multiple=True)[index]
        found = recurring_ical_events.of(made, components=["VEVENT"]).between(start, end)
        return {(_instant(event["DTSTART"].dt), _instant(event["DTEND"].dt)) for event in found}
