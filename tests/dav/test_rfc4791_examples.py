"""The examples of RFC 4791 7.8, 7.9 and 7.10 on the calendar of its appendix B."""

from __future__ import annotations

import pytest

from davclient import CALDAV, DAV, NS, Multistatus
from davsamples import lines
from enginedav import EngineDav
from rfc4791samples import OBJECTS, ZONE, wrapped

DATA = CALDAV + "calendar-data"


@pytest.fixture
def bernard(dav: EngineDav, calendar: str) -> EngineDav:
    for name, content in OBJECTS.items():
        assert dav.put(calendar + name, content).status == 201
    return dav


def data(found: Multistatus, path: str) -> str:
    """The calendar data of an object; the XML has its line ends as they are."""
    return found[path].text(DATA)


def query(dav: EngineDav, calendar: str, filters: str, *, props: str = "<D:getetag/><C:calendar-data/>"):
    return dav.query(calendar, filters, props=props).multistatus()


def test_7_8_1_partial_retrieval_of_events_by_time_range(bernard: EngineDav, calendar: str) -> None:
    names = [
        "SUMMARY",
        "UID",
        "DTSTART",
        "DTEND",
        "DURATION",
        "RRULE",
        "RDATE",
        "EXRULE",
        "EXDATE",
        "RECURRENCE-ID",
    ]
    props = "".join(f'<C:prop name="{name}"/>' for name in names)

    found = query(
        bernard,
        calendar,
        '<C:comp-filter name="VEVENT"><C:time-range start="20060104T000000Z" end="20060105T000000Z"/>'
        "</C:comp-filter>",
        props='<D:getetag/><C:calendar-data><C:comp name="VCALENDAR"><C:prop name="VERSION"/>'
        f'<C:comp name="VEVENT">{props}</C:comp><C:comp name="VTIMEZONE"/></C:comp></C:calendar-data>',
    )

    assert found.names == ["abcd2.ics", "abcd3.ics"]
    # The text of the RFC: "the only property returned in the VCALENDAR object is VERSION".
    assert data(found, calendar + "abcd2.ics") == wrapped(
        ZONE
        + """\
BEGIN:VEVENT
DTSTART;TZID=US/Eastern:20060102T120000
DURATION:PT1H
RRULE:FREQ=DAILY;COUNT=5
SUMMARY:Event #2
UID:00959BC664CA650E933C892C@example.com
END:VEVENT
BEGIN:VEVENT
DTSTART;TZID=US/Eastern:20060104T140000
DURATION:PT1H
RECURRENCE-ID;TZID=US/Eastern:20060104T120000
SUMMARY:Event #2 bis
UID:00959BC664CA650E933C892C@example.com
END:VEVENT
BEGIN:VEVENT
DTSTART;TZID=US/Eastern:20060106T140000
DURATION:PT1H
RECURRENCE-ID;TZID=US/Eastern:20060106T120000
SUMMARY:Event #2 bis bis
UID:00959BC664CA650E933C892C@example.com
END:VEVENT
""",
        prodid=False,
    )
    assert data(found, calendar + "abcd3.ics") == wrapped(
        ZONE
        + """\
BEGIN:VEVENT
DTSTART;TZID=US/Eastern:20060104T100000
DURATION:PT1H
SUMMARY:Event #3
UID:DC6C50A017428C5216A2F1CD@example.com
END:VEVENT
""",
        prodid=False,
    )


def test_7_8_2_partial_retrieval_of_recurring_events(bernard: EngineDav, calendar: str) -> None:
    span = 'start="20060103T000000Z" end="20060105T000000Z"'

    found = query(
        bernard,
        calendar,
        f'<C:comp-filter name="VEVENT"><C:time-range {span}/></C:comp-filter>',
        props=f"<C:calendar-data><C:limit-recurrence-set {span}/></C:calendar-data>",
    )

    whole = OBJECTS["abcd2.ics"]
    second = whole[
        whole.index("BEGIN:VEVENT", whole.index("Event #2 bis\r\n")) : whole.index("END:VCALENDAR")
    ]
    assert found.names == ["abcd2.ics", "abcd3.ics"]
    assert "Event #2 bis bis" in second
    assert data(found, calendar + "abcd2.ics") == whole.replace(second, "")
    assert data(found, calendar + "abcd3.ics") == OBJECTS["abcd3.ics"]


def test_7_8_3_expanded_retrieval_of_recurring_events(bernard: EngineDav, calendar: str) -> None:
    span = 'start="20060103T000000Z" end="20060105T000000Z"'

    found = query(
        bernard,
        calendar,
        f'<C:comp-filter name="VEVENT"><C:time-range {span}/></C:comp-filter>',
        props=f"<C:calendar-data><C:expand {span}/></C:calendar-data>",
    )

    # Erratum 1 of the example: times in UTC are written with a Z.
    assert found.names == ["abcd2.ics", "abcd3.ics"]
    assert components(data(found, calendar + "abcd2.ics")) == [
        {
            "DTSTAMP": "20060206T001121Z",
            "DTSTART": "20060103T170000Z",
            "DURATION": "PT1H",
            "RECURRENCE-ID": "20060103T170000Z",
            "SUMMARY": "Event #2",
            "UID": "00959BC664CA650E933C892C@example.com",
        },
        {
            "DTSTAMP": "20060206T001121Z",
            "DTSTART": "20060104T190000Z",
            "DURATION": "PT1H",
            "RECURRENCE-ID": "20060104T170000Z",
            "SUMMARY": "Event #2 bis",
            "UID": "00959BC664CA650E933C892C@example.com",
        },
    ]
    assert components(data(found, calendar + "abcd3.ics")) == [
        {
            "ATTENDEE;PARTSTAT=ACCEPTED;ROLE=CHAIR": "mailto:cyrus@example.com",
            "ATTENDEE;PARTSTAT=NEEDS-ACTION": "mailto:lisa@example.com",
            "DTSTAMP": "20060206T001220Z",
            "DTSTART": "20060104T150000Z",
            "DURATION": "PT1H",
            "LAST-MODIFIED": "20060206T001330Z",
            "ORGANIZER": "mailto:cyrus@example.com",
            "SEQUENCE": "1",
            "STATUS": "TENTATIVE",
            "SUMMARY": "Event #3",
            "UID": "DC6C50A017428C5216A2F1CD@example.com",
            "X-ABC-GUID": "E1CX5Dr-0007ym-Hz@example.com",
        }
    ]


def components(text: str) -> list[dict[str, str]]:
    """The lines of every VEVENT, the components in the order of their starts."""
    assert "VTIMEZONE" not in text
    events = [part.partition("END:VEVENT")[0] for part in text.split("BEGIN:VEVENT\r\n")[1:]]
    found = [dict(line.split(":", 1) for line in event.split("\r\n") if line) for event in events]
    return sorted(found, key=lambda event: event["DTSTART"])


def test_7_8_4_partial_retrieval_of_stored_free_busy_components(bernard: EngineDav, calendar: str) -> None:
    span = 'start="20060102T000000Z" end="20060103T000000Z"'

    found = query(
        bernard,
        calendar,
        f'<C:comp-filter name="VFREEBUSY"><C:time-range {span}/></C:comp-filter>',
        props=f"<C:calendar-data><C:limit-freebusy-set {span}/></C:calendar-data>",
    )

    text = data(found, calendar + "abcd8.ics")
    kept = [line for line in text.split("\r\n") if line.startswith("FREEBUSY")]
    assert found.names == ["abcd8.ics"]
    assert kept == ["FREEBUSY;FBTYPE=BUSY-TENTATIVE:20060102T100000Z/20060102T120000Z"]
    assert 'ORGANIZER;CN="Bernard Desruisseaux":mailto:bernard@example.com\r\n' in text


def test_7_8_5_retrieval_of_todos_by_alarm_time_range(bernard: EngineDav, calendar: str) -> None:
    # The tasks of appendix B are due on a day and have no start, so that their alarms, which
    # are related to the start, ring at no time (RFC 5545 3.8.6.3); the one in the answer of
    # the example is due at a time.
    assert bernard.delete(calendar + "abcd5.ics").status == 204
    changed = OBJECTS["abcd5.ics"].replace(
        "DUE;VALUE=DATE:20060106", "DTSTART;TZID=US/Eastern:20060106T120000\r\nDURATION:PT1H"
    )
    bernard.put(calendar + "abcd5.ics", changed.replace("BEGIN:VTODO", lines(ZONE).decode() + "BEGIN:VTODO"))

    found = query(
        bernard,
        calendar,
        '<C:comp-filter name="VTODO"><C:comp-filter name="VALARM">'
        '<C:time-range start="20060106T100000Z" end="20060107T100000Z"/></C:comp-filter></C:comp-filter>',
    )

    assert found.names == ["abcd5.ics"]


def test_7_8_6_retrieval_of_an_event_by_uid(bernard: EngineDav, calendar: str) -> None:
    found = query(
        bernard,
        calendar,
        '<C:comp-filter name="VEVENT"><C:prop-filter name="UID"><C:text-match collation="i;octet"\n'
        ">DC6C50A017428C5216A2F1CD@example.com</C:text-match></C:prop-filter></C:comp-filter>",
    )

    assert found.names == ["abcd3.ics"]
    assert data(found, calendar + "abcd3.ics") == OBJECTS["abcd3.ics"]


def test_7_8_7_retrieval_of_events_by_partstat(bernard: EngineDav, calendar: str) -> None:
    def matching(state: str) -> list[str]:
        return query(
            bernard,
            calendar,
            '<C:comp-filter name="VEVENT"><C:prop-filter name="ATTENDEE">'
            '<C:text-match collation="i;ascii-casemap">mailto:lisa@example.com</C:text-match>'
            f'<C:param-filter name="PARTSTAT"><C:text-match collation="i;ascii-casemap">{state}</C:text-match>'
            "</C:param-filter></C:prop-filter></C:comp-filter>",
        ).names

    assert matching("NEEDS-ACTION") == ["abcd3.ics"]
    # ACCEPTED is Cyrus, not Lisa: both conditions are about one property.
    assert matching("ACCEPTED") == []


def test_7_8_8_retrieval_of_events_only(bernard: EngineDav, calendar: str) -> None:
    found = query(bernard, calendar, '<C:comp-filter name="VEVENT"/>')

    assert found.names == ["abcd1.ics", "abcd2.ics", "abcd3.ics"]
    for name in found.names:
        assert data(found, calendar + name) == OBJECTS[name]


def test_7_8_9_retrieval_of_all_pending_todos(bernard: EngineDav, calendar: str) -> None:
    found = query(
        bernard,
        calendar,
        '<C:comp-filter name="VTODO"><C:prop-filter name="COMPLETED"><C:is-not-defined/></C:prop-filter>'
        '<C:prop-filter name="STATUS"><C:text-match negate-condition="yes">CANCELLED</C:text-match>'
        "</C:prop-filter></C:comp-filter>",
    )

    assert found.names == ["abcd4.ics", "abcd5.ics"]


def test_7_8_10_an_unsupported_property_is_queried_like_any_other(bernard: EngineDav, calendar: str) -> None:
    # The server of the example does not index X-ABC-GUID and says supported-filter; this one looks inside.
    found = query(
        bernard,
        calendar,
        '<C:comp-filter name="VEVENT"><C:prop-filter name="X-ABC-GUID"><C:text-match>ABC</C:text-match>'
        "</C:prop-filter></C:comp-filter>",
    )
    other = query(
        bernard,
        calendar,
        '<C:comp-filter name="VEVENT"><C:prop-filter name="X-ABC-GUID"><C:text-match>e1cx5dr</C:text-match>'
        "</C:prop-filter></C:comp-filter>",
    )

    assert found.names == []
    assert other.names == ["abcd3.ics"]


def test_7_9_1_successful_multiget(bernard: EngineDav, calendar: str) -> None:
    found = bernard.multiget(
        calendar,
        calendar + "abcd1.ics",
        calendar + "mtg1.ics",
        props="<D:getetag/><C:calendar-data/>",
    ).multistatus()

    assert data(found, calendar + "abcd1.ics") == OBJECTS["abcd1.ics"]
    assert found[calendar + "abcd1.ics"].etag == bernard.get(calendar + "abcd1.ics").etag
    assert found[calendar + "mtg1.ics"].status == 404


def test_7_10_1_successful_free_busy_query(bernard: EngineDav, calendar: str) -> None:
    answer = bernard.report(
        calendar,
        f'<C:free-busy-query {NS}><C:time-range start="20060104T140000Z" end="20060105T220000Z"/>'
        "</C:free-busy-query>",
    )

    # The example counts the events only; appendix B's VFREEBUSY is in the collection as well
    # ("VFREEBUSY components", 7.10), of which the time of BUSY-UNAVAILABLE lies in the range.
    busy = sorted(line for line in answer.text.split("\r\n") if line.startswith("FREEBUSY"))
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/calendar")
    assert "DTSTART:20060104T140000Z\r\nDTEND:20060105T220000Z\r\n" in answer.text
    assert busy == [
        "FREEBUSY:20060104T190000Z/20060104T200000Z",
        "FREEBUSY:20060105T170000Z/20060105T180000Z",
        "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20060104T150000Z/20060104T160000Z",
        "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20060105T100000Z/20060105T120000Z",
    ]


def test_the_whole_calendar_as_appendix_b_asks_for_it(bernard: EngineDav, calendar: str) -> None:
    found = query(bernard, calendar, "")

    assert {href.removeprefix(calendar): data(found, href) for href in found} == OBJECTS
    assert all(found[href].values.keys() == {DAV + "getetag", DATA} for href in found)
