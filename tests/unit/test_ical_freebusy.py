"""Free-busy time (RFC 4791 7.10) and availability (RFC 7953)."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from icalsamples import calendar, utc
from tagwerk.contentline import Component, parse
from tagwerk.ical.facts import facts
from tagwerk.ical.freebusy import (
    BusyPeriod,
    BusyType,
    busy_periods,
    busy_spans,
    merge,
    render,
    unavailable,
)
from tagwerk.model import Busy

UTC = ZoneInfo("UTC")
EVENT = "DTSTART:20260101T100000Z DTEND:20260101T110000Z"
BUSY, TENTATIVE, AWAY = BusyType.BUSY, BusyType.TENTATIVE, BusyType.UNAVAILABLE


def periods(
    cal: Component, start: str = "20260101", end: str = "20260201"
) -> list[tuple[str, str, BusyType]]:
    found = merge(busy_periods(cal, utc(start), utc(end), zone=UTC))
    return [shown(period) for period in found]


def shown(period: BusyPeriod) -> tuple[str, str, BusyType]:
    text = render([period], 0, 0, dtstamp=0).decode()
    value = next(line for line in text.split("\r\n") if line.startswith("FREEBUSY")).partition(":")[2]
    return (value[6:13], value.partition("/")[2][6:13], period.type)


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ("", BUSY),
        ("TRANSP:OPAQUE STATUS:CONFIRMED", BUSY),
        ("STATUS:TENTATIVE", TENTATIVE),
        ("STATUS:CANCELLED", None),
        ("TRANSP:TRANSPARENT", None),
    ],
)
def test_an_event_is_busy_as_the_table_says(lines: str, kind: BusyType | None) -> None:
    expected = [] if kind is None else [("01T1000", "01T1100", kind)]

    assert periods(calendar(f"{EVENT} {lines}".strip())) == expected


def test_overrides_decide_for_their_instance() -> None:
    cal = calendar(
        f"{EVENT} RRULE:FREQ=DAILY;COUNT=3",
        "RECURRENCE-ID:20260102T100000Z DTSTART:20260102T100000Z DURATION:PT1H TRANSP:TRANSPARENT",
        "RECURRENCE-ID:20260103T100000Z DTSTART:20260103T120000Z DURATION:PT1H STATUS:TENTATIVE",
    )

    assert periods(cal) == [("01T1000", "01T1100", BUSY), ("03T1200", "03T1300", TENTATIVE)]


def test_busy_time_is_cut_at_the_range() -> None:
    assert periods(calendar(EVENT), "20260101T103000Z", "20260101T104500Z") == [("01T1030", "01T1045", BUSY)]


def test_an_event_without_length_makes_nobody_busy() -> None:
    assert periods(calendar("DTSTART:20260101T100000Z")) == []


def test_stored_busy_time_counts_by_its_type() -> None:
    cal = calendar(
        "FREEBUSY:20260101T100000Z/PT1H,20260101T110000Z/20260101T120000Z FREEBUSY;FBTYPE=FREE:20260102T100000Z/PT1H "
        "FREEBUSY;FBTYPE=busy-tentative:20260103T100000Z/PT1H FREEBUSY;FBTYPE=X-OUT:20260104T100000Z/PT1H,x",
        kind="VFREEBUSY",
    )

    assert periods(cal) == [
        ("01T1000", "01T1200", BUSY),
        ("03T1000", "03T1100", TENTATIVE),
        ("04T1000", "04T1100", BUSY),
    ]


def test_spans_say_the_same_as_the_object() -> None:
    cal = calendar(f"{EVENT} RRULE:FREQ=DAILY STATUS:TENTATIVE")
    known = facts(cal, now=utc("20260101"))
    start, end = utc("20260110T103000Z"), utc("20260120")

    found = list(busy_spans(known.spans or b"", known.busy, start, end))

    assert found == list(busy_periods(cal, start, end, zone=UTC))
    assert len(found) == 10
    assert list(busy_spans(known.spans or b"", Busy.FREE, start, end)) == []


def test_periods_of_one_type_that_touch_become_one() -> None:
    found = merge(
        [
            BusyPeriod(50, 60),
            BusyPeriod(10, 20),
            BusyPeriod(20, 30),
            BusyPeriod(12, 14),
            BusyPeriod(25, 55, TENTATIVE),
            BusyPeriod(70, 70),
        ]
    )

    assert found == [BusyPeriod(10, 30), BusyPeriod(25, 55, TENTATIVE), BusyPeriod(50, 60)]


def test_the_answer_is_one_component() -> None:
    text = render(
        [BusyPeriod(3600, 7200), BusyPeriod(7200, 9000, TENTATIVE)],
        0,
        86_400,
        dtstamp=5,
        uid="u",
        organizer="mailto:a@example.com",
        attendee="mailto:b@example.com",
        method="REPLY",
    )

    assert text.decode().split("\r\n") == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Tagwerk//Tagwerk//EN",
        "METHOD:REPLY",
        "BEGIN:VFREEBUSY",
        "DTSTAMP:19700101T000005Z",
        "UID:u",
        "ORGANIZER:mailto:a@example.com",
        "ATTENDEE:mailto:b@example.com",
        "DTSTART:19700101T000000Z",
        "DTEND:19700102T000000Z",
        "FREEBUSY:19700101T010000Z/19700101T020000Z",
        "FREEBUSY;FBTYPE=BUSY-TENTATIVE:19700101T020000Z/19700101T023000Z",
        "END:VFREEBUSY",
        "END:VCALENDAR",
        "",
    ]


def available(
    *, head: str = "", hours: str = "T080000/T180000", rule: str = "RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"
) -> str:
    first, _, last = hours.partition("/")
    return (
        f"BEGIN:VAVAILABILITY\n{head}BEGIN:AVAILABLE\nUID:a\nDTSTART;TZID=America/Montreal:20111002{first}\n"
        f"DTEND;TZID=America/Montreal:20111002{last}\n{rule}\nEND:AVAILABLE\nEND:VAVAILABILITY\n"
    )


def away(*texts: str, start: str, end: str) -> list[tuple[str, str, BusyType]]:
    calendars = [parse(f"BEGIN:VCALENDAR\n{text}END:VCALENDAR\n")[0] for text in texts]
    return [shown(period) for period in unavailable(calendars, utc(start), utc(end), zone=UTC)]


def test_time_that_is_not_offered_is_unavailable() -> None:
    # A Monday in Montreal, as in the example of the standard.
    found = away(available(), start="20111107T050000Z", end="20111108T050000Z")

    assert found == [("07T0500", "07T1300", AWAY), ("07T2300", "08T0500", AWAY)]


def test_availability_speaks_only_of_its_own_time() -> None:
    head = "DTSTART:20111107T120000Z\nDTEND:20111107T230000Z\nBUSYTYPE:BUSY\n"

    assert away(available(head=head), start="20111107T000000Z", end="20111108T000000Z") == [
        ("07T1200", "07T1300", BUSY)
    ]
    assert away(available(head=head), start="20111207T000000Z", end="20111208T000000Z") == []


def test_the_higher_priority_decides() -> None:
    usual = available()
    holidays = "BEGIN:VAVAILABILITY\nPRIORITY:1\nDTSTART:20111107T140000Z\nDURATION:PT1H\nEND:VAVAILABILITY\n"
    extra = available(head="PRIORITY:5\nDTSTART:20111107T230000Z\nDURATION:PT2H\n", hours="T180000/T200000")

    found = away(usual, holidays, extra, start="20111107T120000Z", end="20111108T020000Z")

    assert found == [
        ("07T1200", "07T1300", AWAY),
        ("07T1400", "07T1500", AWAY),
        ("08T0100", "08T0200", AWAY),
    ]


def test_two_of_one_priority_offer_together() -> None:
    morning = available(hours="T080000/T120000")
    evening = available(hours="T120000/T180000")

    assert away(morning, evening, start="20111107T130000Z", end="20111107T230000Z") == []
