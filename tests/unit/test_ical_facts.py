"""What is known about an object when it is stored."""

from __future__ import annotations

import struct
import time

import pytest

from icalsamples import calendar, utc
from tagwerk.contentline import Component, parse
from tagwerk.errors import CALDAV
from tagwerk.ical.facts import MAX_SPANS, InvalidTime, facts
from tagwerk.ical.spans import iter_spans, pack_spans, spans_overlap
from tagwerk.model import ALWAYS, FOREVER, Busy, Facts

NOW = utc("20260601")


def known(cal: Component) -> Facts:
    return facts(cal, now=NOW)


def pairs(cal: Component) -> list[tuple[int, int]]:
    spans = known(cal).spans
    assert spans is not None
    return list(struct.iter_unpack("<2q", spans))


def test_a_single_event_is_one_span() -> None:
    found = known(calendar("DTSTART:20260101T100000Z DTEND:20260101T110000Z"))

    assert (found.uid, found.component) == ("1", "VEVENT")
    assert (found.first, found.last) == (utc("20260101T100000Z"), utc("20260101T110000Z"))
    assert found.spans == struct.pack("<2q", found.first, found.last)
    assert (found.spans_from, found.spans_until) == (ALWAYS, FOREVER)
    assert not found.floating


def test_times_without_zone_are_counted_as_utc() -> None:
    found = known(calendar("DTSTART;VALUE=DATE:20260101"))

    assert found.floating
    assert (found.first, found.last) == (utc("20260101"), utc("20260102"))


def test_a_series_that_ends_is_known_as_a_whole() -> None:
    cal = calendar(
        "DTSTART;TZID=Europe/Berlin:20200101T100000 DURATION:PT1H RRULE:FREQ=WEEKLY;COUNT=30",
        "RECURRENCE-ID;TZID=Europe/Berlin:20200108T100000 DTSTART:20190101T100000Z",
    )

    found = known(cal)

    assert len(pairs(cal)) == 30
    assert pairs(cal) == sorted(pairs(cal))
    assert (found.first, found.last) == (utc("20190101T100000Z"), utc("20200722T090000Z"))
    assert (found.spans_from, found.spans_until) == (ALWAYS, FOREVER)


@pytest.mark.parametrize("rule", ["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,TU", "FREQ=HOURLY", "FREQ=YEARLY"])
def test_of_an_endless_series_the_time_around_now_is_known(rule: str) -> None:
    cal = calendar(f"DTSTART:20000101T100000Z DURATION:PT1H RRULE:{rule}")

    found = known(cal)

    assert found.last == FOREVER
    assert 0 < len(pairs(cal)) <= MAX_SPANS + 2
    assert ALWAYS < found.spans_from < NOW < found.spans_until < FOREVER


def test_a_series_that_begins_later_is_known_from_its_start() -> None:
    found = known(calendar("DTSTART:20400101T100000Z RRULE:FREQ=WEEKLY"))

    assert found.spans_from == ALWAYS
    assert found.spans_until > utc("20420101")


def test_a_long_series_that_is_over_is_known_until_its_end() -> None:
    found = known(calendar("DTSTART:19000101T100000Z RRULE:FREQ=DAILY;UNTIL=20001231T100000Z"))

    assert found.spans_until == FOREVER
    assert found.spans_from < utc("20000101")
    assert spans_overlap(found.spans or b"", utc("20001231"), utc("20010101"))


def test_where_only_some_times_float_the_object_has_to_be_read() -> None:
    cal = calendar(
        "DTSTART:20260101T100000 RRULE:FREQ=DAILY", "RECURRENCE-ID:20260102T100000 DTSTART:20260102T120000Z"
    )

    assert known(cal).spans is None


@pytest.mark.parametrize(
    ("lines", "busy"),
    [
        ("", Busy.BUSY),
        ("TRANSP:OPAQUE STATUS:CONFIRMED", Busy.BUSY),
        ("TRANSP:TRANSPARENT", Busy.FREE),
        ("STATUS:cancelled", Busy.FREE),
        ("STATUS:TENTATIVE", Busy.TENTATIVE),
        ("STATUS:TENTATIVE TRANSP:TRANSPARENT", Busy.FREE),
        ("STATUS:X-WHAT", Busy.BUSY),
    ],
)
def test_an_event_says_whether_it_makes_busy(lines: str, busy: Busy) -> None:
    assert known(calendar(f"DTSTART:20260101T100000Z {lines}".strip())).busy is busy


def test_where_instances_differ_the_object_has_to_be_read() -> None:
    cal = calendar(
        "DTSTART:20260101T100000Z RRULE:FREQ=DAILY", "RECURRENCE-ID:20260102T100000Z TRANSP:TRANSPARENT"
    )

    assert known(cal).busy is Busy.MIXED


def test_tasks_have_bounds_but_no_spans() -> None:
    dated = known(calendar("DUE:20260103T100000Z", kind="VTODO"))
    undated = known(calendar("SUMMARY:x", kind="VTODO"))

    assert (dated.first, dated.last, dated.spans) == (utc("20260103T100000Z"), utc("20260103T100000Z"), None)
    assert (undated.first, undated.last, undated.busy) == (ALWAYS, FOREVER, Busy.MIXED)


def test_bounds_reach_where_this_and_future_moves_instances() -> None:
    cal = calendar(
        "DTSTART:20260101T100000Z RRULE:FREQ=DAILY;COUNT=3",
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20260102T100000Z DTSTART:20260202T100000Z DURATION:P1D",
    )

    assert known(cal).last >= utc("20260204T100000Z")


def test_other_components_are_named() -> None:
    assert known(calendar("DTSTART:20260101T100000Z", kind="VFREEBUSY")).component == "VFREEBUSY"


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("DTSTART:soon", "DTSTART: 'soon' is neither a date nor a date with time"),
        ("DTSTART:20260101T100000Z DTEND:late", "DTEND: 'late' is neither"),
        ("DTSTART:20260101T100000Z DURATION:long", "DURATION: 'long' is no duration"),
        ("DTSTART:20260101T100000Z RRULE:FREQ=OFTEN", "RRULE: FREQ=OFTEN is no frequency"),
        ("DTSTART:20260101T100000Z RDATE:x", "RDATE: 'x' is neither"),
        ("DTSTART:20260101T100000Z EXDATE:x", "EXDATE: 'x' is neither"),
        ("DTSTART;VALUE=DATE:20260101 RRULE:FREQ=HOURLY", "FREQ=HOURLY needs a DTSTART with a time"),
        ("SUMMARY:x", "the VEVENT has no DTSTART"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(lines: str, sentence: str) -> None:
    with pytest.raises(InvalidTime, match=sentence) as caught:
        known(calendar(lines))

    assert caught.value.condition == CALDAV + "valid-calendar-data"
    assert caught.value.index is not None


def test_a_rule_of_another_calendar_is_refused_as_the_standard_says() -> None:
    with pytest.raises(InvalidTime) as caught:
        known(calendar("DTSTART;VALUE=DATE:20260101 RRULE:RSCALE=HEBREW;FREQ=YEARLY"))

    assert caught.value.condition == CALDAV + "supported-rscale"


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=MINUTELY;INTERVAL=10",
        "FREQ=HOURLY;BYMINUTE=0,30",
        "FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6,7,8,9,10,11,12;BYMINUTE=0,15,30,45",
        "FREQ=DAILY;COUNT=50001",
        "FREQ=DAILY;BYMONTH=1;COUNT=999999999",
        "FREQ=MINUTELY;UNTIL=20300101T000000Z",
        "FREQ=SECONDLY;UNTIL=20260102T000000Z",
    ],
)
def test_a_runaway_rule_is_refused_at_once(rule: str) -> None:
    cal = calendar(f"DTSTART:20260101T000000Z RRULE:{rule}")
    begin = time.process_time()

    with pytest.raises(InvalidTime) as caught:
        known(cal)

    assert time.process_time() - begin < 0.5
    assert caught.value.condition == CALDAV + "max-instances"
    assert caught.value.index == 4


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=HOURLY",
        "FREQ=DAILY;UNTIL=21000101T000000Z",
        "FREQ=MINUTELY;COUNT=600",
        "FREQ=SECONDLY;BYHOUR=9;BYMINUTE=0;BYSECOND=0",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;COUNT=50000",
    ],
)
def test_a_rule_that_is_only_long_is_stored(rule: str) -> None:
    assert known(calendar(f"DTSTART:20260101T000000Z RRULE:{rule}")).spans is not None


def test_too_many_dates_are_refused() -> None:
    dates = ",".join(["20260101T100000Z"] * 50_001)

    with pytest.raises(InvalidTime) as caught:
        known(calendar(f"DTSTART:20260101T000000Z RDATE:{dates}"))

    assert caught.value.condition == CALDAV + "max-instances"


def test_an_object_is_known_fast() -> None:
    text = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART;TZID=Europe/Berlin:20260101T100000\nEND:VEVENT\nEND:VCALENDAR"
    cal = parse(text)[0]
    known(cal)
    begin = time.process_time()

    for _ in range(200):
        known(cal)

    assert (time.process_time() - begin) / 200 < 0.001


def test_spans_are_asked_without_unpacking_them() -> None:
    spans = pack_spans([(10, 100), (20, 30), (40, 40), (50, 60)])

    assert list(iter_spans(spans, 35, 45)) == [(10, 100), (40, 40)]
    assert list(iter_spans(spans, 0, 10)) == []
    assert list(iter_spans(b"", 0, 10)) == []
    assert not spans_overlap(b"", 0, 10)
    assert spans_overlap(spans, 99, 100)
    assert not spans_overlap(spans, 100, 200)


def test_a_span_without_length_counts_by_its_start() -> None:
    spans = pack_spans([(40, 40)])
    many = pack_spans([(10, 20), (40, 40)])

    for packed in (spans, many):
        assert spans_overlap(packed, 40, 41)
        assert not spans_overlap(packed, 39, 40)
        assert not spans_overlap(packed, 41, 42)
        assert list(iter_spans(packed, 40, 41)) == [(40, 40)]


@pytest.mark.parametrize("lines", ["DTSTART:soon", "DTSTART:20260101T100000Z RRULE:FREQ=SECONDLY"])
def test_offered_time_must_be_readable_too(lines: str) -> None:
    body = "BEGIN:AVAILABLE UID:2 " + lines + " END:AVAILABLE"

    with pytest.raises(InvalidTime):
        known(calendar(body, kind="VAVAILABILITY"))


def test_rules_share_what_a_series_may_have() -> None:
    twice = "DTSTART:20260101T000000Z RRULE:FREQ=HOURLY RRULE:FREQ=HOURLY;BYMINUTE=30"
    many = "DTSTART:20260101T000000Z " + " ".join(["RRULE:FREQ=YEARLY"] * 51)

    for lines in (twice, many):
        with pytest.raises(InvalidTime) as caught:
            known(calendar(lines))
        assert caught.value.condition == CALDAV + "max-instances"
