"""VTIMEZONEs that this program writes mean the zones that they are named after."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tagwerk.contentline import parse
from tagwerk.ical.vtimezone import zone_of_component
from tagwerk.ical.zone_text import vtimezone, with_zones

ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Africa/Casablanca",
    "Africa/Cairo",
    "America/Nuuk",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Europe/Dublin",
    "America/Caracas",
    "Antarctica/Troll",
    "America/Santiago",
    "Asia/Tehran",
    "UTC",
    "Africa/Monrovia",
    "Europe/Moscow",
    "Asia/Pyongyang",
]


@pytest.mark.parametrize("name", ZONES)
def test_a_written_zone_has_the_offsets_of_its_name(name):
    text = vtimezone(name)
    assert text is not None
    written = zone_of_component(parse(text)[0])
    known = ZoneInfo(name)

    moments = [datetime(1970, 1, 3) + timedelta(days=3, hours=5) * step for step in range(16_000)]
    wrong = [
        moment
        for moment in moments
        if moment.year < 2100
        and moment.replace(tzinfo=UTC).astimezone(known).utcoffset()
        != moment.replace(tzinfo=UTC).astimezone(written).utcoffset()
    ]

    assert wrong == []


def test_changes_that_go_on_are_written_as_a_rule():
    text = vtimezone("Europe/Berlin") or ""

    assert "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU" in text
    assert "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU" in text
    assert len(text) < 2500


def test_a_name_that_means_no_zone_has_no_text():
    assert vtimezone("Our valley") is None
    assert vtimezone("../../etc/passwd") is None


def test_zones_that_are_referred_to_are_added_once_before_the_first_component():
    text = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=Europe/Berlin:20260101T100000\r\n"
        'DTEND;TZID="America/New_York":20260101T110000\r\nEXDATE;TZID=Europe/Berlin:20260102T100000\r\n'
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    )

    made = with_zones(text, parse(text)[0])

    assert made.count("BEGIN:VTIMEZONE") == 2
    assert made.index("END:VTIMEZONE") < made.index("BEGIN:VEVENT")
    assert with_zones(made, parse(made)[0]) == made
