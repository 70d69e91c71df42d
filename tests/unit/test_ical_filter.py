"""Filters on calendar objects: the tables of RFC 4791 9.9 and the rules of 9.7."""

from __future__ import annotations

from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

import pytest

from icalsamples import calendar, utc
from tagwerk.collation import MatchType, TextMatch
from tagwerk.contentline import Component, parse
from tagwerk.ical.filter import (
    CompFilter,
    ParamFilter,
    Prefilter,
    PropFilter,
    TimeRange,
    matches,
    prefilter,
)
from tagwerk.model import ALWAYS, FOREVER


def span(start: str, end: str) -> TimeRange:
    return TimeRange(utc(start) if start else ALWAYS, utc(end) if end else FOREVER)


def of(kind: str, **wanted: object) -> CompFilter:
    return CompFilter("VCALENDAR", comps=(CompFilter(kind, **wanted),))  # type: ignore[arg-type]


def holds(cal: Component, wanted: CompFilter, *, zone: tzinfo = UTC) -> bool:
    return matches(cal, wanted, zone=zone)


def in_range(cal: Component, start: str, end: str, *, zone: tzinfo = UTC) -> bool:
    kind = cal.children[0].name
    return holds(cal, of(kind, time_range=span(start, end)), zone=zone)


EVENT = "DTSTART:20260101T100000Z"


@pytest.mark.parametrize(
    ("lines", "start", "end", "result"),
    [
        (f"{EVENT} DTEND:20260101T110000Z", "20260101T105959Z", "20260101T120000Z", True),
        (f"{EVENT} DTEND:20260101T110000Z", "20260101T110000Z", "20260101T120000Z", False),
        (f"{EVENT} DTEND:20260101T110000Z", "20260101T090000Z", "20260101T100000Z", False),
        (f"{EVENT} DTEND:20260101T110000Z", "20260101T090000Z", "20260101T100001Z", True),
        (f"{EVENT} DURATION:PT1H", "20260101T110000Z", "20260101T120000Z", False),
        (f"{EVENT} DURATION:PT0S", "20260101T100000Z", "20260101T120000Z", True),
        (EVENT, "20260101T100000Z", "20260101T100001Z", True),
        (EVENT, "20260101T100001Z", "20260101T120000Z", False),
        (EVENT, "20260101T090000Z", "20260101T100000Z", False),
        ("DTSTART;VALUE=DATE:20260101", "20260101T235959Z", "20260102T120000Z", True),
        ("DTSTART;VALUE=DATE:20260101", "20260102T000000Z", "20260102T120000Z", False),
        (EVENT, "20260101T090000Z", "", True),
        (EVENT, "", "20260101T100000Z", False),
    ],
)
def test_events_overlap_as_the_table_says(lines: str, start: str, end: str, result: bool) -> None:
    assert in_range(calendar(lines), start, end) is result


@pytest.mark.parametrize(
    ("lines", "start", "end", "result"),
    [
        # DTSTART and DURATION: both ends are inside.
        (f"{EVENT} DURATION:PT1H", "20260101T110000Z", "20260101T120000Z", True),
        (f"{EVENT} DURATION:PT1H", "20260101T110001Z", "20260101T120000Z", False),
        (f"{EVENT} DURATION:PT1H", "20260101T090000Z", "20260101T100000Z", False),
        (f"{EVENT} DURATION:PT0S", "20260101T090000Z", "20260101T100000Z", True),
        # DTSTART and DUE.
        (f"{EVENT} DUE:20260101T110000Z", "20260101T110000Z", "20260101T120000Z", False),
        (f"{EVENT} DUE:20260101T110000Z", "20260101T105959Z", "20260101T120000Z", True),
        (f"{EVENT} DUE:20260101T100000Z", "20260101T100000Z", "20260101T100000Z", True),
        (f"{EVENT} DUE:20260101T110000Z", "20260101T090000Z", "20260101T100000Z", False),
        # DTSTART alone.
        (EVENT, "20260101T100000Z", "20260101T110000Z", True),
        (EVENT, "20260101T090000Z", "20260101T100000Z", False),
        # DUE alone: not at the start of the range, but at its end.
        ("DUE:20260101T100000Z", "20260101T090000Z", "20260101T100000Z", True),
        ("DUE:20260101T100000Z", "20260101T100000Z", "20260101T110000Z", False),
        ("DUE:20260101T100000Z COMPLETED:20270101T100000Z", "20270101", "20270102", False),
        # COMPLETED and CREATED.
        ("CREATED:20260101T100000Z COMPLETED:20260103T100000Z", "20260102", "20260102T120000Z", True),
        ("CREATED:20260101T100000Z COMPLETED:20260103T100000Z", "20260104", "20260105", False),
        ("CREATED:20260102T100000Z COMPLETED:20260103T100000Z", "20260101", "20260102", False),
        ("COMPLETED:20260101T100000Z", "20260101T100000Z", "20260101T110000Z", True),
        ("COMPLETED:20260101T100000Z", "20260101T090000Z", "20260101T100000Z", True),
        ("COMPLETED:20260101T100000Z", "20260102", "20260103", False),
        ("CREATED:20260101T100000Z", "20260102", "20260103", True),
        ("CREATED:20260101T100000Z", "20251230", "20260101T100000Z", False),
        ("SUMMARY:x", "20260102", "20260103", True),
    ],
)
def test_tasks_overlap_as_the_table_says(lines: str, start: str, end: str, result: bool) -> None:
    assert in_range(calendar(lines, kind="VTODO"), start, end) is result


@pytest.mark.parametrize(
    ("lines", "start", "end", "result"),
    [
        (EVENT, "20260101T100000Z", "20260101T110000Z", True),
        (EVENT, "20260101T100001Z", "20260101T110000Z", False),
        ("DTSTART;VALUE=DATE:20260101", "20260101T230000Z", "20260102T110000Z", True),
        ("SUMMARY:x", "20260101", "20270101", False),
    ],
)
def test_journal_entries_overlap_as_the_table_says(lines: str, start: str, end: str, result: bool) -> None:
    assert in_range(calendar(lines, kind="VJOURNAL"), start, end) is result


@pytest.mark.parametrize(
    ("lines", "start", "end", "result"),
    [
        (f"{EVENT} DTEND:20260101T110000Z", "20260101T110000Z", "20260101T120000Z", True),
        (f"{EVENT} DTEND:20260101T110000Z", "20260101T090000Z", "20260101T100000Z", False),
        (
            "FREEBUSY:20260101T100000Z/PT1H,20260102T100000Z/20260102T110000Z",
            "20260102T103000Z",
            "20260103",
            True,
        ),
        ("FREEBUSY:20260101T100000Z/PT1H,x", "20260101T110000Z", "20260103", False),
        (EVENT, "20260101", "20260102", False),
    ],
)
def test_busy_times_overlap_as_the_table_says(lines: str, start: str, end: str, result: bool) -> None:
    assert in_range(calendar(lines, kind="VFREEBUSY"), start, end) is result


def test_all_day_and_floating_times_are_in_the_zone_of_the_question() -> None:
    kiritimati = ZoneInfo("Pacific/Kiritimati")
    event = calendar("DTSTART;VALUE=DATE:20260101")

    assert in_range(event, "20251231T100000Z", "20251231T110000Z", zone=kiritimati)
    assert not in_range(event, "20260101T100000Z", "20260101T110000Z", zone=kiritimati)
    assert in_range(
        calendar("DTSTART:20260101T000000"), "20251231T100000Z", "20251231T100001Z", zone=kiritimati
    )


def test_every_instance_is_considered() -> None:
    series = calendar("DTSTART:20260101T100000Z DURATION:PT1H RRULE:FREQ=WEEKLY EXDATE:20300704T100000Z")

    assert in_range(series, "20300627T103000Z", "20300627T104000Z")
    assert not in_range(series, "20300704T103000Z", "20300704T104000Z")


ALARMED = (
    "DTSTART;TZID=Europe/Berlin:20260328T100000 DURATION:PT1H {0}BEGIN:VALARM ACTION:AUDIO {1} END:VALARM"
)


@pytest.mark.parametrize(
    ("trigger", "when"),
    [
        ("TRIGGER:-PT15M", "20260328T084500Z"),
        ("TRIGGER;RELATED=END:PT5M", "20260328T100500Z"),
        ("TRIGGER:-P1D", "20260327T090000Z"),
        ("TRIGGER:P1D", "20260329T080000Z"),
        ("TRIGGER;VALUE=DATE-TIME:20200101T000000Z", "20200101T000000Z"),
        ("TRIGGER:20200101T000000Z", "20200101T000000Z"),
        ("TRIGGER:-PT15M REPEAT:4 DURATION:PT5M", "20260328T090500Z"),
        ("TRIGGER;VALUE=DATE-TIME:20200101T000000Z REPEAT:99 DURATION:P1D", "20200401T000000Z"),
    ],
)
@pytest.mark.parametrize("rule", ["", "RRULE:FREQ=WEEKLY;INTERVAL=5 "])
def test_alarms_go_off_at_their_trigger(trigger: str, when: str, rule: str) -> None:
    cal = calendar(ALARMED.format(rule, trigger))
    second = utc(when)

    def rings(start: int, end: int) -> bool:
        alarm = CompFilter("VALARM", time_range=TimeRange(start, end))
        return holds(cal, of("VEVENT", comps=(alarm,)))

    assert rings(second, second + 1)
    assert not rings(second - 60, second)
    assert not rings(second + 1, second + 60)


def test_alarms_of_later_instances_go_off_too() -> None:
    cal = calendar(ALARMED.format("RRULE:FREQ=DAILY ", "TRIGGER:-PT15M"))
    alarm = CompFilter("VALARM", time_range=span("20300701T074500Z", "20300701T074501Z"))

    assert holds(cal, of("VEVENT", comps=(alarm,)))


def test_alarms_of_a_task_go_by_when_it_is_due() -> None:
    cal = calendar("DUE:20260101T100000Z BEGIN:VALARM TRIGGER;RELATED=END:-PT1H END:VALARM", kind="VTODO")
    alarm = CompFilter("VALARM", time_range=span("20260101T090000Z", "20260101T090001Z"))

    assert holds(cal, of("VTODO", comps=(alarm,)))


@pytest.mark.parametrize("trigger", ["TRIGGER:soon", "X-A:1", "TRIGGER:-PT15X"])
def test_an_alarm_that_cannot_be_read_never_goes_off(trigger: str) -> None:
    alarm = CompFilter("VALARM", time_range=TimeRange())

    assert not holds(calendar(ALARMED.format("", trigger)), of("VEVENT", comps=(alarm,)))


def test_a_component_is_there_or_not() -> None:
    cal = calendar(EVENT)

    assert holds(cal, CompFilter("vcalendar"))
    assert not holds(cal, CompFilter("VCALENDAR", is_not_defined=True))
    assert not holds(cal, CompFilter("VCARD"))
    assert holds(cal, CompFilter("VCARD", is_not_defined=True))
    assert holds(cal, of("vevent"))
    assert not holds(cal, of("VEVENT", is_not_defined=True))
    assert holds(cal, of("VTODO", is_not_defined=True))
    assert not holds(cal, of("VTODO"))


def text(needle: str, **more: object) -> TextMatch:
    return TextMatch(needle, **more)  # type: ignore[arg-type]


PERSON = "ATTENDEE;PARTSTAT=NEEDS-ACTION;CN=Lisa:mailto:lisa@example.com ATTENDEE:mailto:bernard@example.com"


@pytest.mark.parametrize(
    ("prop", "result"),
    [
        (PropFilter("SUMMARY"), True),
        (PropFilter("LOCATION"), False),
        (PropFilter("LOCATION", is_not_defined=True), True),
        (PropFilter("SUMMARY", is_not_defined=True), False),
        (PropFilter("summary", text=text("PARTY, hard")), True),
        (PropFilter("SUMMARY", text=text("party", match_type=MatchType.EQUALS)), False),
        (PropFilter("SUMMARY", text=text("party", negate=True)), False),
        (PropFilter("SUMMARY", text=text("work", negate=True)), True),
        (PropFilter("LOCATION", text=text("work", negate=True)), False),
        (
            PropFilter(
                "ATTENDEE", text=text("lisa"), params=(ParamFilter("PARTSTAT", text=text("needs-action")),)
            ),
            True,
        ),
        (PropFilter("ATTENDEE", text=text("bernard"), params=(ParamFilter("PARTSTAT"),)), False),
        (
            PropFilter(
                "ATTENDEE", text=text("bernard"), params=(ParamFilter("PARTSTAT", is_not_defined=True),)
            ),
            True,
        ),
        (PropFilter("ATTENDEE", params=(ParamFilter("cn", text=text("lisa", negate=True)),)), False),
        (PropFilter("DTSTAMP", time_range=span("20260101", "20260102")), True),
        (PropFilter("DTSTAMP", time_range=span("20260102", "20260103")), False),
        (PropFilter("COMPLETED", time_range=span("", "")), False),
    ],
)
def test_properties_match_as_the_standard_says(prop: PropFilter, result: bool) -> None:
    cal = calendar(f"{EVENT} SUMMARY:Party DTSTAMP:20260101T120000Z {PERSON}")
    summary = cal.children[0].first("SUMMARY")
    assert summary is not None
    summary.value = "Party\\, hard"

    assert holds(cal, of("VEVENT", props=(prop,))) is result


@pytest.mark.parametrize(
    ("prop", "start", "end", "result"),
    [
        ("DTSTART", "20300704T100000Z", "20300704T100001Z", True),
        ("DTSTART", "20300704T100001Z", "20300704T110000Z", False),
        ("DTEND", "20300704T110000Z", "20300704T110001Z", True),
        ("DTEND", "20300704T100000Z", "20300704T110000Z", False),
        ("DUE", "20260101", "20400101", False),
    ],
)
def test_times_of_properties_are_those_of_every_instance(
    prop: str, start: str, end: str, result: bool
) -> None:
    cal = calendar("DTSTART:20260101T100000Z DURATION:PT1H RRULE:FREQ=WEEKLY")

    assert holds(cal, of("VEVENT", props=(PropFilter(prop, time_range=span(start, end)),))) is result


def test_time_and_text_must_hold_for_the_same_component() -> None:
    cal = calendar(
        "DTSTART:20260101T100000Z RRULE:FREQ=DAILY SUMMARY:usual",
        "RECURRENCE-ID:20260102T100000Z DTSTART:20260102T120000Z SUMMARY:special",
    )
    special = PropFilter("SUMMARY", text=text("special"))

    assert holds(cal, of("VEVENT", time_range=span("20260102", "20260103"), props=(special,)))
    assert not holds(cal, of("VEVENT", time_range=span("20260103", "20260104"), props=(special,)))


def test_nested_filters_hold_for_the_same_component() -> None:
    with_alarm = parse(
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260101T100000Z\nSUMMARY:a\nBEGIN:VALARM\nACTION:DISPLAY\n"
        "TRIGGER:PT0S\nEND:VALARM\nEND:VEVENT\nBEGIN:VEVENT\nRECURRENCE-ID:20260102T100000Z\nSUMMARY:b\nEND:VEVENT\n"
        "END:VCALENDAR\n"
    )[0]
    alarm = CompFilter("VALARM", props=(PropFilter("ACTION", text=text("DISPLAY")),))

    assert holds(with_alarm, of("VEVENT", props=(PropFilter("SUMMARY", text=text("a")),), comps=(alarm,)))
    assert not holds(with_alarm, of("VEVENT", props=(PropFilter("SUMMARY", text=text("b")),), comps=(alarm,)))


DAY = TimeRange(0, 86_400)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (CompFilter("VCALENDAR"), Prefilter(exact=True)),
        (of("VTODO"), Prefilter("VTODO", exact=True)),
        (of("vevent", time_range=DAY), Prefilter("VEVENT", 0, 86_400, exact=True)),
        (of("VTODO", time_range=DAY), Prefilter("VTODO", 0, 86_400)),
        (of("VEVENT", is_not_defined=True), Prefilter()),
        (
            of("VEVENT", props=(PropFilter("SUMMARY", text=text("Bär")),)),
            Prefilter("VEVENT", needles=("ba\u0308r",)),
        ),
        (of("VEVENT", props=(PropFilter("SUMMARY", text=text("x", negate=True)),)), Prefilter("VEVENT")),
        (of("VEVENT", props=(PropFilter("SUMMARY", is_not_defined=True),)), Prefilter("VEVENT")),
        (of("VEVENT", props=(PropFilter("DTSTART", text=text("2026")),)), Prefilter("VEVENT")),
        (
            of("VEVENT", props=(PropFilter("ATTENDEE", params=(ParamFilter("PARTSTAT", text=text("X")),)),)),
            Prefilter("VEVENT", needles=("x",)),
        ),
        (of("VEVENT", comps=(CompFilter("VALARM", time_range=DAY),)), Prefilter("VEVENT")),
        (of("VTIMEZONE"), Prefilter()),
        (CompFilter("VCARD"), Prefilter()),
    ],
)
def test_what_columns_can_decide_is_told_beforehand(wanted: CompFilter, expected: Prefilter) -> None:
    assert prefilter(wanted) == expected


def test_an_override_is_found_behind_an_endless_series() -> None:
    cal = calendar(
        "DTSTART:20260101T100000Z RRULE:FREQ=HOURLY",
        "RECURRENCE-ID:20260102T100000Z DTSTART:20400102T120000Z SUMMARY:special",
    )
    special = PropFilter("SUMMARY", text=text("special"))

    assert holds(cal, of("VEVENT", time_range=span("20260102", ""), props=(special,)))


def test_an_object_that_cannot_be_read_is_at_no_time() -> None:
    cal = calendar("DTSTART:soon SUMMARY:x")

    assert not holds(cal, of("VEVENT", time_range=TimeRange()))
    assert holds(cal, of("VEVENT", props=(PropFilter("SUMMARY"),)))
