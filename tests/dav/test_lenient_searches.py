"""Searches that clients send although no standard has them so."""

from __future__ import annotations

from datetime import UTC

from tagwerk.collation import TextMatch
from tagwerk.contentline import parse
from tagwerk.ical.filter import CompFilter, PropFilter, matches

CALENDAR = parse(
    "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//EN\nBEGIN:VEVENT\nUID:1\nSUMMARY:Choir\nLOCATION:Hall\n"
    "DTSTART:20260101T100000Z\nEND:VEVENT\nEND:VCALENDAR\n"
)[0]


def under_vcalendar(*props):
    return matches(CALENDAR, CompFilter("VCALENDAR", props=props), zone=UTC)


def test_a_property_that_vcalendar_lacks_is_looked_for_in_its_components():
    assert under_vcalendar(PropFilter("SUMMARY", text=TextMatch("choir")))
    assert not under_vcalendar(PropFilter("SUMMARY", text=TextMatch("sprint")))


def test_properties_under_vcalendar_must_be_those_of_one_component():
    assert under_vcalendar(
        PropFilter("SUMMARY", text=TextMatch("choir")), PropFilter("LOCATION", text=TextMatch("hall"))
    )
    assert not under_vcalendar(
        PropFilter("SUMMARY", text=TextMatch("choir")), PropFilter("LOCATION", text=TextMatch("room"))
    )


def test_a_property_of_vcalendar_itself_is_found_there():
    assert under_vcalendar(PropFilter("PRODID", text=TextMatch("//x//")))
    assert not under_vcalendar(PropFilter("PRODID", is_not_defined=True))
