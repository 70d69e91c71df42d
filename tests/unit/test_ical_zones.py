"""Time zones by the names that programs give them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from tagwerk.contentline import Component, parse
from tagwerk.ical.values import Moment
from tagwerk.ical.vtimezone import zone_of_component
from tagwerk.ical.zones import Zones, guessed_zone, named_zone, without_named_zones, zone_of_calendar

NEW_YORK = """BEGIN:VTIMEZONE
TZID:{name}
BEGIN:DAYLIGHT
DTSTART:20070311T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:20071104T020000
RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
END:STANDARD
END:VTIMEZONE
"""


def _calendar(timezone: str) -> Component:
    return parse(f"BEGIN:VCALENDAR\n{timezone}END:VCALENDAR\n")[0]


@pytest.mark.parametrize(
    ("tzid", "name"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        (" Europe/Berlin ", "Europe/Berlin"),
        ("/freeassociation.sourceforge.net/Europe/Berlin", "Europe/Berlin"),
        ("/freeassociation.sourceforge.net/Tzfile/America/Argentina/Ushuaia", "America/Argentina/Ushuaia"),
        ("/citadel.org/20210210_1/Europe/Berlin", "Europe/Berlin"),
        ("/mozilla.org/20070129_1/America/New_York", "America/New_York"),
        ("posix/Europe/Vaduz", "Europe/Vaduz"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("W. Europe Standard Time 1", "Europe/Berlin"),
        ("tokyo standard time", "Asia/Tokyo"),
    ],
)
def test_a_name_that_means_an_iana_zone_is_that_zone(tzid: str, name: str) -> None:
    assert named_zone(tzid) == ZoneInfo(name)


@pytest.mark.parametrize(
    ("tzid", "name"),
    [
        ("(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", "Europe/Amsterdam"),
        ("(GMT+01.00) Amsterdam / Berlin / Bern / Rome / Stockholm / Vienna", "Europe/Amsterdam"),
        ("(UTC-05:00) Eastern Time (US & Canada)", "America/New_York"),
        ("Pacific Time (US & Canada), Tijuana", "America/Los_Angeles"),
        ("Western/Central Europe", "Europe/Berlin"),
        ("(UTC+05:30) Chennai, Kolkata, Mumbai, New Delhi", "Asia/Kolkata"),
        ("Canberra, Melbourne, Sydney", "Australia/Sydney"),
        ("CEST", "Europe/Berlin"),
    ],
)
def test_a_description_is_guessed(tzid: str, name: str) -> None:
    assert guessed_zone(tzid) == ZoneInfo(name)


@pytest.mark.parametrize(
    ("tzid", "hours"),
    [("GMT+0100", 1), ("UTC-5", -5), ("+05:30", 5.5), ("GMT +0100 (Standard) / GMT +0200 (Daylight)", 1)],
)
def test_an_offset_in_a_name_is_an_offset(tzid: str, hours: float) -> None:
    assert guessed_zone(tzid) == timezone(timedelta(hours=hours))


@pytest.mark.parametrize(
    "tzid",
    [
        "",
        " ",
        "../../etc/passwd",
        "/etc/passwd",
        "a\0b",
        "x" * 300,
        "Europe",
        "Europe/",
        "/",
        "//",
        "13",
        "Factory",
        "\U0001f600",
    ],
)
def test_a_name_that_tells_nothing_is_no_zone(tzid: str) -> None:
    assert named_zone(tzid) is None
    assert guessed_zone(tzid) is None


def test_an_unknown_name_is_looked_up_in_the_object() -> None:
    zones = Zones(_calendar(NEW_YORK.format(name="My zone")), UTC)

    assert zones.instant(Moment(datetime(2026, 7, 1, 12), tzid="My zone")) == 1_782_921_600
    assert zones.of(Moment(datetime(2026, 7, 1, 12), tzid="Another")) is None


def test_a_description_is_first_looked_up_in_the_object() -> None:
    zones = Zones(_calendar(NEW_YORK.format(name="Pacific Time (US & Canada)\\, Tijuana")), UTC)

    zone = zones.find("Pacific Time (US & Canada), Tijuana")

    assert zone is not None
    assert zone.utcoffset(datetime(2026, 1, 1)) == timedelta(hours=-5)


def test_a_vtimezone_has_the_clock_of_the_zone_that_it_describes() -> None:
    own = zone_of_calendar(_calendar(NEW_YORK.format(name="x y z")))
    real = ZoneInfo("America/New_York")
    moments = [datetime(2009, 12, 31) + timedelta(minutes=30 * 37 * step) for step in range(8000)]

    assert all(own.utcoffset(moment) == real.utcoffset(moment) for moment in moments)
    assert all(
        own.utcoffset(moment.replace(fold=1)) == real.utcoffset(moment.replace(fold=1)) for moment in moments
    )
    moments += [datetime(2026, 11, 1, 5, 30), datetime(2026, 11, 1, 6), datetime(2026, 11, 1, 6, 30)]
    for moment in moments:
        here, there = (moment.replace(tzinfo=UTC).astimezone(zone) for zone in (own, real))
        assert (here.replace(tzinfo=None), here.fold) == (there.replace(tzinfo=None), there.fold)


def test_a_vtimezone_of_1601_answers_in_all_centuries() -> None:
    text = NEW_YORK.format(name="x").replace("20070311", "16010311").replace("20071104", "16011104")
    zone = zone_of_calendar(_calendar(text))

    summer = {zone.utcoffset(datetime(year, 7, 1)) for year in (1602, 1900, 2026, 2100, 9999)}

    assert summer == {timedelta(hours=-4)}
    assert zone.utcoffset(datetime(1, 1, 1)) == timedelta(hours=-5)


def test_a_vtimezone_whose_rules_ended_keeps_its_last_offset() -> None:
    text = NEW_YORK.format(name="x").replace("BYDAY=2SU", "BYDAY=2SU;UNTIL=20200308T070000Z")
    text = text.replace("BYDAY=1SU", "BYDAY=1SU;UNTIL=20191103T060000Z")
    zone = zone_of_calendar(_calendar(text))

    assert zone.utcoffset(datetime(2019, 12, 1)) == timedelta(hours=-5)
    assert zone.utcoffset(datetime(2026, 12, 1)) == timedelta(hours=-4)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "BEGIN:STANDARD\nEND:STANDARD\n",
        "BEGIN:STANDARD\nDTSTART:x\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0100\nEND:STANDARD\n",
        "BEGIN:STANDARD\nDTSTART:20000101T000000\nTZOFFSETFROM:+9900\nTZOFFSETTO:+0100\nEND:STANDARD\n",
    ],
)
def test_a_vtimezone_that_says_nothing_is_no_zone(body: str) -> None:
    calendar = _calendar(f"BEGIN:VTIMEZONE\nTZID:x\n{body}END:VTIMEZONE\n")

    assert zone_of_component(calendar.children[0]) is None
    assert zone_of_calendar(calendar, ZoneInfo("Europe/Berlin")) == ZoneInfo("Europe/Berlin")


def test_a_vtimezone_that_its_name_explains_is_left_out_and_another_one_kept():
    known = "BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nBEGIN:STANDARD\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    own = known.replace("Europe/Berlin", "Our valley")
    event = "BEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"

    left = without_named_zones(f"BEGIN:VCALENDAR\r\n{known}{own}{event}")

    assert left == f"BEGIN:VCALENDAR\r\n{own}{event}"
