"""Dates, times, durations and periods as programs write them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tagwerk.contentline import Line
from tagwerk.ical.values import (
    Duration,
    Moment,
    parse_duration,
    parse_moment,
    parse_offset,
    parse_period,
    read_moment,
    show_duration,
    show_utc,
    to_instant,
    to_local,
)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("20260102", Moment(datetime(2026, 1, 2), True)),
        ("20260102T030405", Moment(datetime(2026, 1, 2, 3, 4, 5))),
        ("20260102T030405Z", Moment(datetime(2026, 1, 2, 3, 4, 5), utc=True)),
        ("20260102t030405z", Moment(datetime(2026, 1, 2, 3, 4, 5), utc=True)),
        (" 20260102T030405Z ", Moment(datetime(2026, 1, 2, 3, 4, 5), utc=True)),
        ("2026-01-02T03:04:05", Moment(datetime(2026, 1, 2, 3, 4, 5))),
        ("20260102T0304", Moment(datetime(2026, 1, 2, 3, 4))),
        ("20260102T030405.000Z", Moment(datetime(2026, 1, 2, 3, 4, 5), utc=True)),
        ("20260102T030405+0100", Moment(datetime(2026, 1, 2, 2, 4, 5), utc=True)),
        ("20260102T240000", Moment(datetime(2026, 1, 3))),
        ("20161231T235960Z", Moment(datetime(2016, 12, 31, 23, 59, 59), utc=True)),
        ("00010101T000000Z", Moment(datetime(1, 1, 1), utc=True)),
    ],
)
def test_a_moment_is_read_as_programs_write_it(text: str, moment: Moment) -> None:
    assert parse_moment(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "20260230",
        "20261301T000000",
        "20260101T250000",
        "00000101",
        "2026W011",
        "2026010",
        "٢٠٢٦٠١٠١",
    ],
)
def test_what_is_no_moment_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"is neither|does not exist"):
        parse_moment(text)


@pytest.mark.parametrize(
    ("head", "value", "moment"),
    [
        ("DTSTART", "20260102", Moment(datetime(2026, 1, 2), True)),
        ("DTSTART;VALUE=DATE", "20260102T000000", Moment(datetime(2026, 1, 2), True)),
        ("DTSTART;VALUE=DATE-TIME", "20260102", Moment(datetime(2026, 1, 2), True)),
        ('DTSTART;TZID="A:B"', "20260102T030405", Moment(datetime(2026, 1, 2, 3, 4, 5), tzid="A:B")),
        ("dtstart;tzid=A", "20260102T030405Z", Moment(datetime(2026, 1, 2, 3, 4, 5), utc=True)),
    ],
)
def test_a_property_says_what_its_value_is(head: str, value: str, moment: Moment) -> None:
    assert read_moment(Line(head, value, 0)) == moment


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("P1W", Duration(7)),
        ("-P1DT2H", Duration(-1, -7200)),
        ("+PT1H30M", Duration(0, 5400)),
        ("pt15m", Duration(0, 900)),
        ("PT", Duration()),
        ("P1H", Duration(0, 3600)),
        ("P1W2D", Duration(9)),
    ],
)
def test_a_duration_keeps_days_apart_from_seconds(text: str, duration: Duration) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text", ["", "1D", "P1M", "P1Y", "P-1D", "PT1.5H", "P999999999999W", "P" + "9" * 5000 + "D"]
)
def test_what_is_no_duration_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|longer"):
        parse_duration(text)


def test_a_period_has_an_end_or_a_duration() -> None:
    assert parse_period("20260101T100000Z/PT1H").duration == Duration(0, 3600)
    assert parse_period("20260101T100000/20260101T110000", tzid="A").end == Moment(
        datetime(2026, 1, 1, 11), tzid="A"
    )
    with pytest.raises(ValueError, match="no slash"):
        parse_period("20260101T100000Z")


def test_an_offset_is_less_than_a_day() -> None:
    assert parse_offset("-0330") == -12_600
    assert parse_offset("+01:00:30") == 3630
    with pytest.raises(ValueError, match="a day or more"):
        parse_offset("+5744")


def test_a_time_in_a_gap_counts_with_the_offset_before_it() -> None:
    berlin = ZoneInfo("Europe/Berlin")

    assert show_utc(to_instant(datetime(2026, 3, 29, 2, 30), berlin)) == "20260329T013000Z"


def test_a_time_that_occurs_twice_is_the_first() -> None:
    berlin = ZoneInfo("Europe/Berlin")

    assert show_utc(to_instant(datetime(2026, 10, 25, 2, 30), berlin)) == "20261025T003000Z"


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize("local", [datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)])
def test_the_ends_of_time_can_be_converted(zone: str, local: datetime) -> None:
    instant = to_instant(local, ZoneInfo(zone))

    assert show_utc(instant)
    assert to_local(instant, ZoneInfo(zone))
    assert to_instant(local, UTC) - instant == ZoneInfo(zone).utcoffset(local).total_seconds()


def test_a_duration_is_written_back() -> None:
    assert [show_duration(seconds) for seconds in (0, 61, 3600, 3601, 93_600)] == [
        "PT0S",
        "PT1M1S",
        "PT1H",
        "PT1H0M1S",
        "PT26H",
    ]
