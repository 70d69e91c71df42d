"""What a report returns of a recurring object (RFC 4791 9.6.5 to 9.6.7), and parts of one (9.6.1)."""

from __future__ import annotations

from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

import pytest

from icalsamples import calendar, utc
from tagwerk.contentline import Component, parse, serialize
from tagwerk.ical.expand import expand, limit_freebusy_set, limit_recurrence_set
from tagwerk.ical.partial import PropSelection, Selection, select
from tagwerk.ical.rrule import RunawayRule

BERLIN = ZoneInfo("Europe/Berlin")

# RFC 4791 appendix B, abcd2.ics, with the zone as programs name it.
ABCD2 = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example Corp.//CalDAV Client//EN
BEGIN:VTIMEZONE
TZID:US/Eastern
END:VTIMEZONE
BEGIN:VEVENT
DTSTAMP:20060206T001121Z
DTSTART;TZID=US/Eastern:20060102T120000
DURATION:PT1H
RRULE:FREQ=DAILY;COUNT=5
SUMMARY:Event #2
UID:00959BC664CA650E933C892C@example.com
END:VEVENT
BEGIN:VEVENT
DTSTAMP:20060206T001121Z
DTSTART;TZID=US/Eastern:20060104T140000
DURATION:PT1H
RECURRENCE-ID;TZID=US/Eastern:20060104T120000
SUMMARY:Event #2 bis
UID:00959BC664CA650E933C892C@example.com
END:VEVENT
BEGIN:VEVENT
DTSTAMP:20060206T001121Z
DTSTART;TZID=US/Eastern:20060106T140000
DURATION:PT1H
RECURRENCE-ID;TZID=US/Eastern:20060106T120000
SUMMARY:Event #2 bis bis
UID:00959BC664CA650E933C892C@example.com
END:VEVENT
END:VCALENDAR
"""


def expanded(cal: Component, start: str, end: str, *, zone: tzinfo = UTC) -> list[list[str]]:
    """The lines of every component that expansion makes."""
    text = expand(cal, utc(start), utc(end), zone=zone)
    if text is None:
        return []
    assert text.endswith("END:VCALENDAR\r\n")
    return [[f"{line.head}:{line.value}" for line in child.lines] for child in parse(text)[0].children]


def test_the_example_of_the_standard_is_expanded() -> None:
    assert expanded(parse(ABCD2)[0], "20060103", "20060105") == [
        [
            "DTSTAMP:20060206T001121Z",
            "DTSTART:20060103T170000Z",
            "RECURRENCE-ID:20060103T170000Z",
            "DURATION:PT1H",
            "SUMMARY:Event #2",
            "UID:00959BC664CA650E933C892C@example.com",
        ],
        [
            "DTSTAMP:20060206T001121Z",
            "DTSTART:20060104T190000Z",
            "DURATION:PT1H",
            "RECURRENCE-ID:20060104T170000Z",
            "SUMMARY:Event #2 bis",
            "UID:00959BC664CA650E933C892C@example.com",
        ],
    ]


def test_a_single_event_is_in_utc_and_has_no_name() -> None:
    cal = calendar(
        "DTSTART;TZID=Europe/Berlin:20260701T100000 DTEND;TZID=Europe/Berlin:20260701T110000 X-A:b"
    )

    assert expanded(cal, "20260701", "20260702") == [
        ["UID:1", "DTSTART:20260701T080000Z", "DTEND:20260701T090000Z", "X-A:b"]
    ]
    assert expand(cal, utc("20260702"), utc("20260703"), zone=UTC) is None


def test_all_day_events_stay_dates() -> None:
    cal = calendar("DTSTART;VALUE=DATE:20260101 DTEND;VALUE=DATE:20260103 RRULE:FREQ=WEEKLY EXDATE:20260108")

    assert expanded(cal, "20260102", "20260116", zone=BERLIN) == [
        [
            "UID:1",
            "DTSTART;VALUE=DATE:20260101",
            "RECURRENCE-ID;VALUE=DATE:20260101",
            "DTEND;VALUE=DATE:20260103",
        ],
        [
            "UID:1",
            "DTSTART;VALUE=DATE:20260115",
            "RECURRENCE-ID;VALUE=DATE:20260115",
            "DTEND;VALUE=DATE:20260117",
        ],
    ]


def test_floating_times_stay_floating() -> None:
    cal = calendar("DTSTART:20260328T220000 DTEND:20260329T060000 RRULE:FREQ=DAILY;COUNT=2")

    assert expanded(cal, "20260328", "20260401", zone=BERLIN) == [
        ["UID:1", "DTSTART:20260328T220000", "RECURRENCE-ID:20260328T220000", "DTEND:20260329T060000"],
        ["UID:1", "DTSTART:20260329T220000", "RECURRENCE-ID:20260329T220000", "DTEND:20260330T060000"],
    ]


def test_a_day_is_written_as_long_as_it_is() -> None:
    cal = calendar("DTSTART;TZID=Europe/Berlin:20260327T100000 DURATION:P1D RRULE:FREQ=DAILY;COUNT=2")

    assert [lines[3] for lines in expanded(cal, "20260327", "20260331")] == ["DURATION:P1D", "DURATION:PT23H"]


def test_a_period_of_rdate_keeps_its_length() -> None:
    cal = calendar("DTSTART:20260101T100000Z RDATE;VALUE=PERIOD:20260102T100000Z/PT3H SUMMARY:x")

    assert expanded(cal, "20260102", "20260103") == [
        ["UID:1", "DTSTART:20260102T100000Z", "RECURRENCE-ID:20260102T100000Z", "DURATION:PT3H", "SUMMARY:x"]
    ]


def test_this_and_future_names_every_instance_that_it_moves() -> None:
    cal = calendar(
        "DTSTART:20260101T100000Z RRULE:FREQ=DAILY;COUNT=4 SUMMARY:old",
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20260103T100000Z DTSTART:20260103T120000Z SUMMARY:new",
    )

    assert sorted(expanded(cal, "20260103", "20260105")) == [
        ["UID:1", f"RECURRENCE-ID:2026010{day}T100000Z", f"DTSTART:2026010{day}T120000Z", "SUMMARY:new"]
        for day in (3, 4)
    ]


def test_an_override_without_start_gets_one() -> None:
    cal = calendar("DTSTART:20260101T100000Z RRULE:FREQ=DAILY", "RECURRENCE-ID:20260102T100000Z SUMMARY:x")

    assert expanded(cal, "20260102", "20260103") == [
        ["DTSTART:20260102T100000Z", "UID:1", "RECURRENCE-ID:20260102T100000Z", "SUMMARY:x"]
    ]


def test_tasks_are_expanded_by_what_they_have() -> None:
    both = calendar("DTSTART:20260101T100000Z DUE:20260101T120000Z RRULE:FREQ=DAILY", kind="VTODO")
    due = calendar("DUE;TZID=Europe/Berlin:20260101T100000 RRULE:FREQ=DAILY", kind="VTODO")
    undated = calendar("SUMMARY:x", kind="VTODO")

    assert expanded(both, "20260102", "20260103") == [
        ["UID:1", "DTSTART:20260102T100000Z", "RECURRENCE-ID:20260102T100000Z", "DUE:20260102T120000Z"]
    ]
    assert expanded(due, "20260102", "20260103") == [
        ["UID:1", "DUE:20260102T090000Z", "RECURRENCE-ID:20260102T090000Z"]
    ]
    assert expanded(undated, "20260102", "20260103") == [["UID:1", "SUMMARY:x"]]


def test_nothing_refers_to_a_zone_any_more() -> None:
    body = (
        "BEGIN:VEVENT\nUID:1\nDTSTART;TZID=Europe/Berlin:20260101T100000\n"
        'X-A;TZID="Europe/Berlin";X-B=1:20260101T100000,20260701T100000\nX-C;TZID=Europe/Berlin:text\n'
        "BEGIN:VALARM\nTRIGGER:-PT5M\nX-D;TZID=Europe/Berlin:20260101T100000\nEND:VALARM\nEND:VEVENT\n"
    )
    cal = parse(
        f"BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Europe/Berlin\nEND:VTIMEZONE\n{body}END:VCALENDAR\n"
    )[0]

    text = expand(cal, utc("20260101"), utc("20260102"), zone=UTC)

    assert text is not None
    assert "VTIMEZONE" not in text
    assert "TZID" not in text
    assert "X-A;X-B=1:20260101T090000Z,20260701T080000Z\r\n" in text
    assert "X-D:20260101T090000Z\r\n" in text


def test_long_lines_are_folded() -> None:
    cal = calendar("DTSTART:20260101T100000Z DESCRIPTION:" + "ä" * 100)

    text = expand(cal, utc("20260101"), utc("20260102"), zone=UTC)

    assert text is not None
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))


def test_an_expansion_has_a_limit() -> None:
    cal = calendar("DTSTART:20260101T100000Z RRULE:FREQ=DAILY")

    with pytest.raises(RunawayRule):
        expand(cal, utc("20260101"), utc("20300101"), zone=UTC, limit=1000)


@pytest.mark.parametrize(
    ("start", "end", "kept"),
    [
        ("20060103", "20060104", 0),
        ("20060104T170000Z", "20060104T180000Z", 1),  # where it was
        ("20060104T190000Z", "20060104T200000Z", 1),  # where it is
        ("20060104T180000Z", "20060104T190000Z", 0),
        ("20060101", "20060201", 2),
    ],
)
def test_only_overrides_that_matter_are_returned(start: str, end: str, kept: int) -> None:
    text = limit_recurrence_set(parse(ABCD2)[0], utc(start), utc(end), zone=UTC)

    assert text.count("RECURRENCE-ID") == kept
    assert text.count("RRULE") == 1
    assert text.count("BEGIN:VTIMEZONE") == 1


def test_an_override_of_this_and_future_matters_later() -> None:
    cal = calendar(
        "DTSTART:20260101T100000Z RRULE:FREQ=DAILY",
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20260103T100000Z DTSTART:20260103T120000Z",
    )

    assert "RANGE" in limit_recurrence_set(cal, utc("20300101"), utc("20300102"), zone=UTC)
    assert "RANGE" not in limit_recurrence_set(cal, utc("20260101"), utc("20260102"), zone=UTC)


def test_only_busy_periods_in_the_range_are_returned() -> None:
    cal = calendar(
        "FREEBUSY:20260101T100000Z/PT1H,20260102T100000Z/PT1H FREEBUSY;FBTYPE=FREE:20260103T100000Z/PT1H X-A:1",
        kind="VFREEBUSY",
    )

    text = limit_freebusy_set(cal, utc("20260102"), utc("20260103"), zone=UTC)

    assert [f"{line.head}:{line.value}" for line in parse(text)[0].children[0].lines] == [
        "UID:1",
        "FREEBUSY:20260102T100000Z/PT1H",
        "X-A:1",
    ]


def test_a_selection_returns_what_it_names() -> None:
    cal = parse(ABCD2)[0]
    event = Selection("vevent", props=(PropSelection("UID"), PropSelection("summary", no_value=True)))

    text = select(cal, Selection("VCALENDAR", props=(PropSelection("VERSION"),), comps=(event,)))

    assert text.startswith("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nSUMMARY:\r\nUID:00959")
    assert text.count("BEGIN:VEVENT") == 3
    assert "VTIMEZONE" not in text


def test_an_empty_selection_is_the_whole_component() -> None:
    cal = parse(ABCD2)[0]

    assert select(cal, Selection("VCALENDAR")) == serialize(cal)
    assert select(cal, Selection("VCALENDAR", all_props=True, all_comps=True)) == serialize(cal)
    zone = select(cal, Selection("VCALENDAR", comps=(Selection("VTIMEZONE"),)))
    assert zone == (
        "BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nTZID:US/Eastern\r\nEND:VTIMEZONE\r\nEND:VCALENDAR\r\n"
    )


def test_all_properties_or_all_components_may_be_asked_for() -> None:
    cal = calendar("SUMMARY:x BEGIN:VALARM TRIGGER:PT0S END:VALARM")
    properties = Selection("VCALENDAR", comps=(Selection("VEVENT", all_props=True),))
    components = Selection("VCALENDAR", comps=(Selection("VEVENT", all_comps=True),))

    assert "SUMMARY" in select(cal, properties)
    assert "VALARM" not in select(cal, properties)
    assert "SUMMARY" not in select(cal, components)
    assert "TRIGGER" in select(cal, components)


def test_what_has_no_instances_stays_as_it_is() -> None:
    cal = calendar("FREEBUSY:20260101T100000Z/PT1H", kind="VFREEBUSY")

    assert expand(cal, 0, 1, zone=UTC) == serialize(cal)
