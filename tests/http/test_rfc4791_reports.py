"""calendar-query, calendar-multiget and free-busy-query (RFC 4791 7), over HTTP."""

from __future__ import annotations

import pytest

from davclient import CALDAV, DAV, NS
from davsamples import BERLIN, event, lines, task
from davsamples import calendar as vcalendar

DATA = CALDAV + "calendar-data"


def between(start: str, end: str, component: str = "VEVENT") -> str:
    return f'<C:comp-filter name="{component}"><C:time-range start="{start}" end="{end}"/></C:comp-filter>'


def zone(text: str) -> str:
    return lines(f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{text}END:VCALENDAR\n").decode()


@pytest.fixture
def filled(dav, calendar):
    """A calendar with one of each."""
    bodies = {
        "march.ics": event(
            "march", start="20260310T080000Z", summary="Zahnarzt", more="LOCATION:Praxis\nCATEGORIES:a,b"
        ),
        "april.ics": event("april", start="20260410T080000Z", summary="Elternabend", more="STATUS:CANCELLED"),
        "allday.ics": vcalendar(
            "BEGIN:VEVENT\nUID:allday\nDTSTAMP:20260101T000000Z\nDTSTART;VALUE=DATE:20260320\nSUMMARY:Feiertag\n"
            "TRANSP:TRANSPARENT\nEND:VEVENT"
        ),
        "weekly.ics": vcalendar(
            BERLIN + "BEGIN:VEVENT\nUID:weekly\nDTSTAMP:20260101T000000Z\n"
            "DTSTART;TZID=Europe/Berlin:20260105T090000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY\nSUMMARY:Standup\n"
            "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT15M\nDESCRIPTION:x\nEND:VALARM\nEND:VEVENT"
        ),
        "task.ics": task("task", summary="Steuer", more="DUE:20260531T120000Z"),
        "done.ics": task("done", summary="Fertig", more="STATUS:COMPLETED\nCOMPLETED:20260102T000000Z"),
    }
    for name, body in bodies.items():
        assert dav.put(calendar + name, body).status == 201
    return calendar


def test_a_query_by_component_finds_every_object_of_it(dav, filled):
    assert dav.query(filled, '<C:comp-filter name="VTODO"/>').multistatus().names == ["done.ics", "task.ics"]
    assert len(dav.query(filled, '<C:comp-filter name="VEVENT"/>').multistatus()) == 4
    assert len(dav.query(filled, "").multistatus()) == 6
    assert dav.query(filled, '<C:comp-filter name="VJOURNAL"/>').multistatus().names == []


def test_a_time_range_finds_what_overlaps_it_and_nothing_else(dav, filled):
    found = {
        "march": dav.query(filled, between("20260301T000000Z", "20260401T000000Z")).multistatus().names,
        "a free day": dav.query(filled, between("20260304T000000Z", "20260305T000000Z")).multistatus().names,
        "long ago": dav.query(filled, between("19990101T000000Z", "20000101T000000Z")).multistatus().names,
        "far ahead": dav.query(filled, between("20990101T000000Z", "21000101T000000Z")).multistatus().names,
        "ends when it begins": dav.query(filled, between("20260310T070000Z", "20260310T080000Z"))
        .multistatus()
        .names,
        "begins when it ends": dav.query(filled, between("20260310T090000Z", "20260310T100000Z"))
        .multistatus()
        .names,
    }

    assert found == {
        "march": ["allday.ics", "march.ics", "weekly.ics"],
        "a free day": [],
        "long ago": [],
        "far ahead": ["weekly.ics"],
        "ends when it begins": [],
        "begins when it ends": [],
    }


def test_an_open_range_has_one_side(dav, filled):
    after = '<C:comp-filter name="VEVENT"><C:time-range start="20260401T000000Z"/></C:comp-filter>'
    before = '<C:comp-filter name="VEVENT"><C:time-range end="20260110T000000Z"/></C:comp-filter>'

    assert dav.query(filled, after).multistatus().names == ["april.ics", "weekly.ics"]
    assert dav.query(filled, before).multistatus().names == ["weekly.ics"]


def test_all_day_events_follow_the_time_zone_of_the_request(dav, filled):
    before = between("20260319T230000Z", "20260319T233000Z")

    utc = dav.query(filled, before).multistatus().names
    berlin = dav.query(filled, before, rest=f"<C:timezone>{zone(BERLIN)}</C:timezone>").multistatus().names

    assert utc == []
    assert berlin == ["allday.ics"]


def test_all_day_events_follow_the_time_zone_of_the_calendar(dav, filled):
    before = between("20260319T230000Z", "20260319T233000Z")
    dav.proppatch(filled, set=f"<C:calendar-timezone>{zone(BERLIN)}</C:calendar-timezone>")

    assert dav.query(filled, before).multistatus().names == ["allday.ics"]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ('<C:prop-filter name="SUMMARY"><C:text-match>zahn</C:text-match></C:prop-filter>', ["march.ics"]),
        ('<C:prop-filter name="summary"><C:text-match>ZAHN</C:text-match></C:prop-filter>', ["march.ics"]),
        (
            '<C:prop-filter name="SUMMARY"><C:text-match collation="i;octet">zahn</C:text-match></C:prop-filter>',
            [],
        ),
        ('<C:prop-filter name="LOCATION"/>', ["march.ics"]),
        (
            '<C:prop-filter name="LOCATION"><C:is-not-defined/></C:prop-filter>',
            ["allday.ics", "april.ics", "weekly.ics"],
        ),
        (
            '<C:prop-filter name="SUMMARY"><C:text-match negate-condition="yes">a</C:text-match></C:prop-filter>',
            [],
        ),
        (
            '<C:prop-filter name="STATUS"><C:text-match negate-condition="yes">CANCELLED</C:text-match>'
            "</C:prop-filter>",
            [],
        ),
        ('<C:comp-filter name="VALARM"/>', ["weekly.ics"]),
        (
            '<C:comp-filter name="VALARM"><C:is-not-defined/></C:comp-filter>',
            ["allday.ics", "april.ics", "march.ics"],
        ),
        (
            '<C:prop-filter name="DTSTART"><C:param-filter name="TZID"><C:text-match>Berlin</C:text-match>'
            "</C:param-filter></C:prop-filter>",
            ["weekly.ics"],
        ),
        (
            '<C:prop-filter name="CATEGORIES"><C:text-match>b</C:text-match></C:prop-filter>'
            '<C:prop-filter name="SUMMARY"><C:text-match>Zahn</C:text-match></C:prop-filter>',
            ["march.ics"],
        ),
        (
            '<C:prop-filter name="UID"><C:text-match collation="i;octet">weekly</C:text-match></C:prop-filter>',
            ["weekly.ics"],
        ),
    ],
)
def test_property_filters(dav, filled, filters, names):
    answer = dav.query(filled, f'<C:comp-filter name="VEVENT">{filters}</C:comp-filter>')

    assert answer.multistatus().names == names


def test_open_tasks_as_clients_ask_for_them(dav, filled):
    filters = (
        '<C:comp-filter name="VTODO"><C:prop-filter name="COMPLETED"><C:is-not-defined/></C:prop-filter>'
        '<C:prop-filter name="STATUS"><C:text-match negate-condition="yes">CANCELLED</C:text-match></C:prop-filter>'
        "</C:comp-filter>"
    )
    without_status = (
        '<C:comp-filter name="VTODO"><C:prop-filter name="COMPLETED"><C:is-not-defined/></C:prop-filter>'
        "</C:comp-filter>"
    )

    assert dav.query(filled, without_status).multistatus().names == ["task.ics"]
    assert dav.query(filled, filters).status == 207


def test_tasks_by_time(dav, filled):
    may = between("20260501T000000Z", "20260601T000000Z", "VTODO")
    june = between("20260601T000000Z", "20260701T000000Z", "VTODO")

    assert dav.query(filled, may).multistatus().names == ["task.ics"]
    assert dav.query(filled, june).multistatus().names == []


def test_calendar_data_comes_byte_for_byte(dav, filled):
    found = dav.query(
        filled, '<C:comp-filter name="VTODO"/>', props="<D:getetag/><C:calendar-data/>"
    ).multistatus()

    for href, one in found.found.items():
        # XML parsers turn CRLF into LF unless it was written as a reference.
        assert one.text(DATA).encode() == dav.get(href).body
        assert one.etag == dav.get(href).etag


def test_every_other_property_can_be_asked_for_too(dav, filled):
    found = dav.query(
        filled,
        '<C:comp-filter name="VTODO"/>',
        props="<D:getetag/><D:getcontenttype/><D:resourcetype/><D:getlastmodified/><C:calendar-data/>",
    ).multistatus()

    for one in found.found.values():
        assert len(one.values) == 5
        assert one.text(DAV + "getcontenttype").startswith("text/calendar")


def test_expansion_gives_instances_in_utc_without_rules(dav, filled):
    march = 'start="20260301T000000Z" end="20260401T000000Z"'
    found = dav.query(
        filled,
        '<C:comp-filter name="VEVENT"><C:prop-filter name="UID"><C:text-match>weekly</C:text-match>'
        "</C:prop-filter></C:comp-filter>",
        props=f"<C:calendar-data><C:expand {march}/></C:calendar-data>",
    ).multistatus()

    text = found.only().text(DATA)
    assert text.count("BEGIN:VEVENT") == 5
    assert "RRULE" not in text
    assert "VTIMEZONE" not in text
    assert "DTSTART:20260302T080000Z" in text
    assert "DTSTART:20260330T070000Z" in text  # after the change to summer time
    assert "RECURRENCE-ID:20260302T080000Z" in text


def test_part_of_the_data_can_be_asked_for(dav, filled):
    found = dav.query(
        filled,
        '<C:comp-filter name="VEVENT"><C:prop-filter name="LOCATION"/></C:comp-filter>',
        props='<C:calendar-data><C:comp name="VCALENDAR"><C:prop name="VERSION"/><C:comp name="VEVENT">'
        '<C:prop name="UID"/><C:prop name="SUMMARY"/></C:comp></C:comp></C:calendar-data>',
    ).multistatus()

    text = found.only().text(DATA)
    assert "SUMMARY:Zahnarzt" in text
    assert "UID:march" in text
    assert "LOCATION" not in text
    assert "DTSTART" not in text


def test_the_recurrence_set_can_be_limited(dav, calendar):
    overrides = "".join(
        f"BEGIN:VEVENT\nUID:r\nDTSTAMP:20260101T000000Z\nRECURRENCE-ID:2026{month}05T090000Z\n"
        f"DTSTART:2026{month}05T100000Z\nDURATION:PT1H\nSUMMARY:override {month}\nEND:VEVENT\n"
        for month in ("02", "06")
    )
    dav.put(
        calendar + "r.ics",
        vcalendar(
            "BEGIN:VEVENT\nUID:r\nDTSTAMP:20260101T000000Z\nDTSTART:20260105T090000Z\nDURATION:PT1H\n"
            "RRULE:FREQ=MONTHLY\nSUMMARY:master\nEND:VEVENT\n" + overrides
        ),
    )

    found = dav.query(
        calendar,
        '<C:comp-filter name="VEVENT"/>',
        props='<C:calendar-data><C:limit-recurrence-set start="20260201T000000Z" end="20260301T000000Z"/>'
        "</C:calendar-data>",
    ).multistatus()

    text = found.only().text(DATA)
    assert "SUMMARY:master" in text
    assert "SUMMARY:override 02" in text
    assert "SUMMARY:override 06" not in text


def test_a_query_on_one_object_is_about_that_object(dav, filled):
    assert dav.query(filled + "task.ics", '<C:comp-filter name="VTODO"/>', depth="0").multistatus().names == [
        "task.ics"
    ]
    assert (
        dav.query(filled + "task.ics", '<C:comp-filter name="VEVENT"/>', depth="0").multistatus().names == []
    )


@pytest.mark.parametrize(
    ("body", "condition"),
    [
        ('<C:comp-filter name="VEVENT"/>', "valid-filter"),
        ("", "valid-filter"),
        ('<C:comp-filter name="VCALENDAR"><C:comp-filter/></C:comp-filter>', "valid-filter"),
        (
            '<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="2026"/>'
            "</C:comp-filter></C:comp-filter>",
            "valid-filter",
        ),
        (
            '<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range/></C:comp-filter>'
            "</C:comp-filter>",
            "valid-filter",
        ),
        (
            '<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:prop-filter name="SUMMARY">'
            '<C:text-match collation="i;klingon">x</C:text-match></C:prop-filter></C:comp-filter></C:comp-filter>',
            "supported-collation",
        ),
        (
            '<C:comp-filter name="VCALENDAR"><C:made-up/></C:comp-filter>',
            "supported-filter",
        ),
    ],
)
def test_wrong_filters_are_refused_with_their_precondition(dav, filled, body, condition):
    answer = dav.report(
        filled,
        f"<C:calendar-query {NS}><D:prop><D:getetag/></D:prop><C:filter>{body}</C:filter></C:calendar-query>",
    )

    assert answer.status == 403
    assert answer.condition == CALDAV + condition
    assert answer.sentence


def test_multiget_answers_every_href_in_any_way_of_writing(dav, server, filled):
    hrefs = [
        filled + "march.ics",
        filled + "t%61sk.ics",
        dav.absolute(filled + "weekly.ics"),
        filled + "missing.ics",
    ]

    found = dav.multiget(filled, *hrefs, props="<D:getetag/><C:calendar-data/>").multistatus()

    by_name = {href.rsplit("/", 1)[1]: one for href, one in found.found.items()}
    assert {name: one.status for name, one in by_name.items() if one.status} == {"missing.ics": 404}
    assert len(found) == 4
    assert by_name["march.ics"].text(DATA).encode() == dav.get(filled + "march.ics").body


def test_multiget_finds_nothing_outside_of_its_collection(dav, filled, make_collection):
    other = make_collection()
    dav.put(other + "x.ics", event("x"))

    found = dav.multiget(
        filled, other + "x.ics", "/nobody/x/y.ics", "/anna/", "nonsense", "%FF"
    ).multistatus()

    assert {one.status for one in found.found.values()} == {404}


def test_multiget_at_the_home_reaches_every_calendar(dav, filled):
    found = dav.multiget("/anna/", filled + "march.ics").multistatus()

    assert found.names == ["march.ics"]


def test_free_busy(dav, filled):
    answer = dav.report(
        filled,
        f'<C:free-busy-query {NS}><C:time-range start="20260309T000000Z" end="20260321T000000Z"/></C:free-busy-query>',
    )

    text = answer.text
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/calendar")
    assert "BEGIN:VFREEBUSY" in text
    assert "20260310T080000Z/" in text  # Zahnarzt
    assert "20260316T080000Z/" in text  # the weekly one
    assert "20260320" not in text  # transparent
    assert "Zahnarzt" not in text


def test_free_busy_needs_a_time_range(dav, filled):
    answer = dav.report(filled, f"<C:free-busy-query {NS}/>")

    assert answer.status in (400, 403)
    assert answer.sentence


@pytest.mark.parametrize("path", ["/", "/anna/"])
def test_a_report_that_is_not_for_this_resource_is_refused(dav, path):
    answer = dav.report(path, f"<C:free-busy-query {NS}/>")

    assert answer.status in (400, 403)


def test_an_unknown_report_is_refused_with_its_precondition(dav, calendar):
    answer = dav.report(calendar, "<x xmlns='urn:x'/>")

    assert answer.status == 403
    assert answer.condition == DAV + "supported-report"


def test_one_strange_object_does_not_spoil_a_report(dav, filled):
    dav.put(filled + "odd.ics", event("odd", start="20260310T080000Z", more="RRULE:FREQ=DAILY;BYDAY=XX"))
    dav.put(filled + "odd2.ics", event("odd2", start="99991231T235959Z"))

    answer = dav.query(filled, between("20260309T000000Z", "20260311T000000Z"), props="<C:calendar-data/>")

    assert {"march.ics"} <= set(answer.multistatus().names)
