"""calendar-query: filters, where it can be asked, time zones, limits (RFC 4791 7.8, 9.7)."""

from __future__ import annotations

import pytest

from davclient import CALDAV, DAV, NS
from davsamples import BERLIN, card, event, task
from davsamples import calendar as wrapped
from enginedav import EngineDav, World
from tagwerk.model import Kind

MEETING = wrapped(
    """
BEGIN:VEVENT
UID:m
DTSTAMP:20260101T000000Z
DTSTART:20260301T080000Z
DURATION:PT1H
SUMMARY:Größe\\, Straße; ÄRGER
DESCRIPTION:Zeile eins\\nZeile zwei
CATEGORIES:WORK,Büro
LOCATION:Raum 1
ORGANIZER;CN="Müller, Anna":mailto:anna@example.org
ATTENDEE;CN=Ben;PARTSTAT=ACCEPTED;ROLE=CHAIR:mailto:ben@example.org
ATTENDEE;CN=Carla;PARTSTAT=DECLINED:mailto:carla@example.org
X-COLOR;X-A=1;X-A=2:blue
BEGIN:VALARM
ACTION:DISPLAY
DESCRIPTION:Los
TRIGGER:-PT10M
END:VALARM
BEGIN:VALARM
ACTION:AUDIO
TRIGGER:-PT20M
END:VALARM
END:VEVENT
"""
)


def comp(inside: str, name: str = "VEVENT") -> str:
    return f'<C:comp-filter name="{name}">{inside}</C:comp-filter>'


def prop(name: str, inside: str = "") -> str:
    return f'<C:prop-filter name="{name}">{inside}</C:prop-filter>'


def param(name: str, inside: str = "") -> str:
    return f'<C:param-filter name="{name}">{inside}</C:param-filter>'


def text(value: str, attributes: str = "") -> str:
    return f"<C:text-match {attributes}>{value}</C:text-match>"


MISSING = "<C:is-not-defined/>"

HOLDS = [
    comp(""),
    comp(prop("SUMMARY")),
    comp(prop("summary")),
    comp(prop("X-COLOR")),
    comp(prop("SUMMARY", text("größe", 'collation="i;unicode-casemap"'))),
    comp(prop("SUMMARY", text("ärger", 'collation="i;unicode-casemap"'))),
    comp(prop("SUMMARY", text("GRÖSSE", 'collation="i;unicode-casemap"'))),
    comp(prop("SUMMARY", text("STRASSE", 'collation="i;unicode-casemap"'))),
    comp(prop("SUMMARY", text("größe, STR", 'collation="i;ascii-casemap"'))),
    comp(prop("SUMMARY", text("Größe, Straße; ÄRGER", 'collation="i;octet"'))),
    comp(prop("SUMMARY", text("größe", 'collation="i;octet" negate-condition="yes"'))),
    comp(prop("SUMMARY", text("größe", 'match-type="starts-with" collation="i;ascii-casemap"'))),
    comp(prop("SUMMARY", text("ÄRGER", 'match-type="ends-with"'))),
    comp(prop("LOCATION", text("raum 1", 'match-type="equals"'))),
    comp(prop("DESCRIPTION", text("eins\nZeile"))),
    comp(prop("CATEGORIES", text("büro"))),
    comp(prop("CATEGORIES", text("work,"))),
    comp(prop("SUMMARY", text(""))),
    comp(prop("GEO", MISSING)),
    comp(prop("ATTENDEE", param("PARTSTAT"))),
    comp(prop("ATTENDEE", param("partstat", text("accepted")))),
    comp(prop("ATTENDEE", text("ben@") + param("PARTSTAT", text("ACCEPTED")) + param("CN", text("ben")))),
    comp(prop("ATTENDEE", param("ROLE", MISSING))),
    comp(prop("ATTENDEE", text("carla") + param("ROLE", MISSING))),
    comp(prop("ORGANIZER", param("CN", text("Müller, Anna", 'collation="i;octet"')))),
    comp(prop("ATTENDEE", param("PARTSTAT", text("ACCEPTED", 'negate-condition="yes"')))),
    comp(prop("X-COLOR", param("X-A", text("2")))),
    comp(comp("", "VALARM")),
    comp(comp(prop("ACTION", text("AUDIO")), "VALARM") + comp(prop("ACTION", text("DISPLAY")), "VALARM")),
    comp(comp(prop("TRIGGER", text("-PT10M")) + prop("DESCRIPTION", text("Los")), "VALARM")),
    comp(comp(MISSING, "X-NOTHING")),
    comp(MISSING, "VTODO"),
    comp("") + comp(MISSING, "VTODO"),
    comp("", "vevent"),
    prop("VERSION", text("2.0")),
    prop("METHOD", MISSING),
    comp("") + prop("PRODID", text("tests")),
]

FAILS = [
    comp("", "VTODO"),
    comp("", "VALARM"),
    comp("") + comp("", "VTODO"),
    comp(prop("SUMMARY", text("grosse"))),
    comp(prop("SUMMARY", text("ärger"))),
    comp(prop("SUMMARY", text("ärger", 'collation="i;ascii-casemap"'))),
    comp(prop("SUMMARY", text("größe", 'collation="i;octet"'))),
    comp(prop("SUMMARY", text("Größe", 'negate-condition="yes"'))),
    comp(prop("SUMMARY", text("Straße", 'match-type="starts-with"'))),
    comp(prop("SUMMARY", text("Größe", 'match-type="equals"'))),
    comp(prop("SUMMARY", MISSING)),
    comp(prop("GEO")),
    comp(prop("GEO", text("x", 'negate-condition="yes"'))),
    comp(prop("SUMMARY", text("%"))),
    comp(prop("SUMMARY", text("Gr_ße"))),
    # Two conditions of one prop-filter are about one property.
    comp(prop("ATTENDEE", text("ben@") + param("PARTSTAT", text("DECLINED")))),
    comp(prop("ATTENDEE", text("ben@") + param("ROLE", MISSING))),
    comp(prop("ATTENDEE", param("X-NONE"))),
    comp(prop("SUMMARY", param("LANGUAGE", text("de", 'negate-condition="yes"')))),
    # Conditions of one comp-filter are about one component.
    comp(comp(prop("ACTION", text("AUDIO")) + prop("DESCRIPTION", text("Los")), "VALARM")),
    comp(comp(MISSING, "VALARM")),
    comp(comp("", "X-NOTHING")),
    comp(MISSING),
    prop("VERSION", MISSING),
    comp("") + prop("PRODID", text("Outlook")),
]


@pytest.mark.parametrize("filters", HOLDS)
def test_filters_that_hold(dav: EngineDav, calendar: str, filters: str) -> None:
    dav.put(calendar + "m.ics", MEETING)

    assert dav.query(calendar, filters).multistatus().names == ["m.ics"]


@pytest.mark.parametrize("filters", FAILS)
def test_filters_that_do_not_hold(dav: EngineDav, calendar: str, filters: str) -> None:
    dav.put(calendar + "m.ics", MEETING)

    assert dav.query(calendar, filters).multistatus().names == []


def whole(inside: str) -> str:
    return f'<C:filter><C:comp-filter name="VCALENDAR">{inside}</C:comp-filter></C:filter>'


def ranged(attributes: str) -> str:
    return whole(comp(f"<C:time-range {attributes}/>"))


VALID, SUPPORTED = CALDAV + "valid-filter", CALDAV + "supported-filter"

WRONG = {
    "no filter": ("", VALID),
    "two filters": (whole("").replace("</C:filter>", '<C:comp-filter name="VCALENDAR"/></C:filter>'), VALID),
    "another root": ('<C:filter><C:comp-filter name="VEVENT"/></C:filter>', VALID),
    "no name": (whole("<C:comp-filter/>"), VALID),
    "an unknown element": (whole("<C:strange/>"), SUPPORTED),
    "an unknown collation": (
        whole(comp(prop("SUMMARY", text("x", 'collation="i;klingon"')))),
        CALDAV + "supported-collation",
    ),
    "a local time": (ranged('start="20260101T000000"'), VALID),
    "a day": (ranged('start="20260101"'), VALID),
    "an impossible day": (ranged('start="20260230T000000Z"'), VALID),
    "an empty range": (ranged(""), VALID),
    "a range that goes backwards": (ranged('start="20260102T000000Z" end="20260101T000000Z"'), VALID),
    "a negation that is none": (whole(comp(prop("SUMMARY", text("x", 'negate-condition="ja"')))), VALID),
    "is-not-defined beside another condition": (whole(comp(prop("SUMMARY", MISSING + text("x")))), VALID),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_filter_is_refused_with_its_precondition(dav: EngineDav, calendar: str, name: str) -> None:
    filters, condition = WRONG[name]

    answer = dav.report(
        calendar, f"<C:calendar-query {NS}><D:prop><D:getetag/></D:prop>{filters}</C:calendar-query>"
    )

    assert (answer.status, answer.condition) == (403, condition)
    assert answer.sentence


def test_a_home_is_queried_in_all_its_calendars(world: World, dav: EngineDav, calendar: str) -> None:
    other = world.add_collection("private")
    world.add_collection("friends", Kind.ADDRESSBOOK)
    dav.put(calendar + "a.ics", event("a"))
    dav.put(other + "b.ics", event("b"))
    dav.put(other + "t.ics", task("t"))
    dav.put("/anna/friends/c.vcf", card("c"))

    found = dav.query("/anna/", comp("")).multistatus()

    assert sorted(found) == [other + "b.ics", calendar + "a.ics"]


def test_an_object_is_queried_alone(dav: EngineDav, calendar: str) -> None:
    dav.put(calendar + "a.ics", event("a"))
    dav.put(calendar + "b.ics", event("b"))

    found = dav.query(calendar + "a.ics", comp(""), depth="0").multistatus()
    other = dav.query(calendar + "a.ics", comp("", "VTODO"), depth="0").multistatus()

    assert list(found) == [calendar + "a.ics"]
    assert list(other) == []


def test_every_kind_of_property_comes_with_a_query(dav: EngineDav, calendar: str) -> None:
    dav.put(calendar + "m.ics", MEETING)
    dav.proppatch(calendar + "m.ics", set='<x:mark xmlns:x="urn:x">yes</x:mark>')

    found = dav.query(
        calendar,
        comp(""),
        props='<D:getetag/><D:getcontenttype/><D:resourcetype/><D:nothing/><x:mark xmlns:x="urn:x"/>'
        "<C:calendar-data/>",
    ).multistatus()

    only = found.only()
    assert only.text("{urn:x}mark") == "yes"
    assert only.text(DAV + "getcontenttype") == "text/calendar; charset=utf-8; component=VEVENT"
    assert only.text(CALDAV + "calendar-data") == MEETING.decode()
    assert only.others == {DAV + "nothing": 404}


def test_allprop_and_propname_and_nothing_can_be_asked_of_a_query(dav: EngineDav, calendar: str) -> None:
    dav.put(calendar + "m.ics", MEETING)
    filters = '<C:filter><C:comp-filter name="VCALENDAR"/></C:filter>'

    every, names, nothing = (
        dav.report(calendar, f"<C:calendar-query {NS}>{what}{filters}</C:calendar-query>")
        .multistatus()
        .only()
        for what in ("<D:allprop/>", "<D:propname/>", "")
    )

    assert every.etag == dav.get(calendar + "m.ics").etag
    assert DAV + "getetag" in names.values
    assert names.values[DAV + "getetag"].text is None
    assert not nothing.values


def test_more_than_the_limit_is_answered_with_507_and_what_fits(world: World, calendar: str) -> None:
    dav = world.client(max_results=3)
    for number in range(5):
        dav.put(f"{calendar}{number}.ics", event(str(number)))

    found = dav.query(calendar, comp("")).multistatus()
    fewer = dav.query(calendar, comp(prop("UID", text("0")))).multistatus()

    assert len(found.names) == 3
    assert found[calendar].status == 507
    assert found[calendar].condition == DAV + "number-of-matches-within-limits"
    assert not fewer.truncated


RANGE_OF_MARCH_1 = '<C:time-range start="20260301T000000Z" end="20260301T030000Z"/>'


@pytest.mark.parametrize(
    ("zone", "names"),
    [
        # The 1st of March begins in Auckland on the 28th, 11:00 UTC, and ends on the 1st, 11:00 UTC.
        ("<C:timezone-id>Pacific/Auckland</C:timezone-id>", ["day.ics", "fl.ics"]),
        # In New York it begins at 05:00 UTC.
        ("<C:timezone-id>America/New_York</C:timezone-id>", []),
        ("<C:timezone-id>UTC</C:timezone-id>", ["day.ics"]),
        ("", ["day.ics"]),
    ],
)
def test_days_and_floating_times_are_where_the_request_says(
    dav: EngineDav, calendar: str, zone: str, names: list[str]
) -> None:
    dav.put(
        calendar + "day.ics",
        wrapped("BEGIN:VEVENT\nUID:d\nDTSTAMP:20260101T000000Z\nDTSTART;VALUE=DATE:20260301\nEND:VEVENT"),
    )
    dav.put(calendar + "fl.ics", event("f", start="20260301T143000"))

    found = dav.query(calendar, comp(RANGE_OF_MARCH_1), rest=zone).multistatus()

    assert found.names == names


def test_a_time_zone_in_the_request_wins_over_that_of_the_calendar(dav: EngineDav, calendar: str) -> None:
    dav.put(calendar + "fl.ics", event("f", start="20260301T013000"))
    vtimezone = wrapped(BERLIN).decode()
    dav.proppatch(calendar, set=f"<C:calendar-timezone>{vtimezone}</C:calendar-timezone>")
    before_midnight = comp('<C:time-range start="20260301T003000Z" end="20260301T010000Z"/>')

    of_calendar = dav.query(calendar, before_midnight).multistatus()
    of_request = dav.query(calendar, before_midnight, rest="<C:timezone-id>UTC</C:timezone-id>").multistatus()
    in_full = dav.query(calendar, before_midnight, rest=f"<C:timezone>{vtimezone}</C:timezone>").multistatus()

    assert of_calendar.names == in_full.names == ["fl.ics"]
    assert of_request.names == []


def test_a_time_zone_by_name_can_be_set_on_the_calendar(dav: EngineDav, calendar: str) -> None:
    dav.put(calendar + "fl.ics", event("f", start="20260301T013000"))
    dav.proppatch(calendar, set="<C:calendar-timezone-id>Europe/Berlin</C:calendar-timezone-id>")

    found = dav.query(
        calendar, comp('<C:time-range start="20260301T003000Z" end="20260301T010000Z"/>')
    ).multistatus()

    assert found.names == ["fl.ics"]


@pytest.mark.parametrize(
    ("rest", "condition"),
    [
        ("<C:timezone>nonsense</C:timezone>", "valid-calendar-data"),
        ("<C:timezone>BEGIN:VCALENDAR\r\nEND:VCALENDAR</C:timezone>", "valid-calendar-data"),
        ("<C:timezone-id>Mars/Olympus_Mons</C:timezone-id>", "valid-timezone"),
    ],
)
def test_an_unknown_time_zone_is_refused(dav: EngineDav, calendar: str, rest: str, condition: str) -> None:
    dav.put(calendar + "a.ics", event("a"))

    answer = dav.query(calendar, comp(RANGE_OF_MARCH_1), rest=rest)

    assert (answer.status, answer.condition) == (403, CALDAV + condition)


def test_an_unknown_time_zone_is_refused_on_an_empty_home_as_well(dav: EngineDav) -> None:
    answer = dav.query("/anna/", comp(""), rest="<C:timezone-id>Mars/Olympus_Mons</C:timezone-id>")

    assert (answer.status, answer.condition) == (403, CALDAV + "valid-timezone")


@pytest.mark.parametrize(
    "media", ['content-type="text/html"', 'version="3.0"', 'content-type="application/calendar+json"']
)
def test_other_calendar_data_is_refused(dav: EngineDav, calendar: str, media: str) -> None:
    answer = dav.query(calendar, comp(""), props=f"<C:calendar-data {media}/>")

    assert (answer.status, answer.condition) == (403, CALDAV + "supported-calendar-data")


def test_a_range_that_reaches_to_the_ends_of_time_is_answered(dav: EngineDav, calendar: str) -> None:
    dav.put(calendar + "a.ics", event("a", more="RRULE:FREQ=DAILY"))

    found = dav.query(calendar, comp('<C:time-range start="00010101T000000Z" end="99991231T235959Z"/>'))

    assert found.multistatus().names == ["a.ics"]


@pytest.mark.parametrize(
    "inside",
    [
        '<C:time-range start="20260101T000000Z"/>' + prop("SUMMARY", text("special")),
        '<C:time-range start="20260101T000000Z"/>' + prop("LOCATION"),
        prop("DTSTART", '<C:time-range start="20260101T000000Z"/>') + prop("LOCATION"),
        prop("LOCATION") + comp('<C:time-range start="20260101T000000Z"/>', "VALARM"),
    ],
)
def test_an_override_is_looked_at_without_walking_its_endless_series(
    dav: EngineDav, calendar: str, inside: str
) -> None:
    series = event("a", start="20200101T080000Z", more="RRULE:FREQ=DAILY").decode()
    override = (
        "BEGIN:VEVENT\r\nUID:a\r\nDTSTAMP:20260101T000000Z\r\nRECURRENCE-ID:20210101T080000Z\r\n"
        "DTSTART:20210101T080000Z\r\nSUMMARY:special\r\nLOCATION:here\r\n"
        "BEGIN:VALARM\r\nACTION:AUDIO\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT\r\n"
    )
    dav.put(calendar + "a.ics", series.replace("END:VCALENDAR", override + "END:VCALENDAR"))

    late = dav.query(calendar, comp(inside)).multistatus()
    earlier = dav.query(calendar, comp(inside.replace("20260101", "20201231"))).multistatus()

    assert late.names == []
    assert earlier.names == ["a.ics"]
