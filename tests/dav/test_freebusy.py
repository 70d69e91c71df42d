"""free-busy-query: what counts, where it can be asked (RFC 4791 7.10, RFC 7953, RFC 6638 9.1)."""

from __future__ import annotations

import pytest

from davclient import CALDAV, NS, Answer
from davsamples import calendar as wrapped
from davsamples import event, task
from enginedav import EngineDav, World
from tagwerk.model import Kind

DAY = 'start="20260301T000000Z" end="20260302T000000Z"'


def ask(dav: EngineDav, path: str, span: str = DAY, *, rest: str = "", depth: str = "1") -> Answer:
    return dav.report(
        path, f"<C:free-busy-query {NS}><C:time-range {span}/>{rest}</C:free-busy-query>", depth=depth
    )


def busy(dav: EngineDav, path: str, span: str = DAY, *, rest: str = "") -> list[str]:
    answer = ask(dav, path, span, rest=rest)
    assert answer.status == 200, answer.body
    text = answer.text.replace("\r\n ", "")
    return [line.removeprefix("FREEBUSY") for line in text.split("\r\n") if line.startswith("FREEBUSY")]


def component(kind: str, text: str) -> bytes:
    return wrapped(f"BEGIN:{kind}\nUID:x\nDTSTAMP:20260101T000000Z\n{text}\nEND:{kind}")


EVENT = "DTSTART:20260301T100000Z\nDTEND:20260301T110000Z\n"
TEN = ":20260301T100000Z/20260301T110000Z"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (EVENT, [TEN]),
        (EVENT + "TRANSP:OPAQUE", [TEN]),
        (EVENT + "STATUS:CONFIRMED", [TEN]),
        (EVENT + "STATUS:X-STRANGE", [TEN]),
        (EVENT + "TRANSP:TRANSPARENT", []),
        (EVENT + "STATUS:CANCELLED", []),
        (EVENT + "STATUS:TENTATIVE", [";FBTYPE=BUSY-TENTATIVE" + TEN]),
        (EVENT + "STATUS:TENTATIVE\nTRANSP:TRANSPARENT", []),
        (EVENT + "transp:transparent", []),
        ("DTSTART:20260301T100000Z", []),
        ("DTSTART:20260301T100000Z\nDURATION:PT0S", []),
        ("DTSTART;VALUE=DATE:20260301", [":20260301T000000Z/20260302T000000Z"]),
        # What begins before the range and ends after it is cut.
        ("DTSTART:20260228T100000Z\nDURATION:P7D", [":20260301T000000Z/20260302T000000Z"]),
        ("DTSTART:20260301T230000Z\nDURATION:PT2H", [":20260301T230000Z/20260302T000000Z"]),
        ("DTSTART:20260302T000000Z\nDURATION:PT2H", []),
        ("DTSTART:20260228T230000Z\nDURATION:PT1H", []),
        ("DTSTART:20200301T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY", [TEN]),
        ("DTSTART:20200301T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY\nEXDATE:20260301T100000Z", []),
    ],
)
def test_an_event_counts_by_its_status_and_transparency(
    dav: EngineDav, calendar: str, text: str, expected: list[str]
) -> None:
    dav.put(calendar + "x.ics", component("VEVENT", text))

    assert busy(dav, calendar) == expected


def test_an_override_counts_for_itself(dav: EngineDav, calendar: str) -> None:
    dav.put(
        calendar + "x.ics",
        wrapped(
            f"BEGIN:VEVENT\nUID:x\nDTSTAMP:20260101T000000Z\n{EVENT}RRULE:FREQ=DAILY;COUNT=3\nEND:VEVENT\n"
            "BEGIN:VEVENT\nUID:x\nDTSTAMP:20260101T000000Z\nRECURRENCE-ID:20260302T100000Z\n"
            "DTSTART:20260302T100000Z\nDTEND:20260302T110000Z\nTRANSP:TRANSPARENT\nEND:VEVENT\n"
        ),
    )

    found = busy(dav, calendar, 'start="20260301T000000Z" end="20260305T000000Z"')

    assert found == [TEN, ":20260303T100000Z/20260303T110000Z"]


def test_periods_of_one_type_that_overlap_or_touch_are_one(dav: EngineDav, calendar: str) -> None:
    times = {"a": "100000", "b": "103000", "c": "113000", "d": "200000"}
    for uid, time in times.items():
        dav.put(f"{calendar}{uid}.ics", event(uid, start=f"20260301T{time}Z"))
    dav.put(calendar + "t.ics", event("t", start="20260301T103000Z", more="STATUS:TENTATIVE"))

    assert busy(dav, calendar) == [
        ":20260301T100000Z/20260301T123000Z",
        ";FBTYPE=BUSY-TENTATIVE:20260301T103000Z/20260301T113000Z",
        ":20260301T200000Z/20260301T210000Z",
    ]


def test_tasks_and_journals_do_not_count(dav: EngineDav, calendar: str) -> None:
    dav.put(calendar + "t.ics", task("t", more="DTSTART:20260301T100000Z\nDUE:20260301T120000Z"))
    dav.put(calendar + "j.ics", component("VJOURNAL", "DTSTART:20260301T100000Z"))

    assert busy(dav, calendar) == []


def test_stored_free_busy_counts(dav: EngineDav, calendar: str) -> None:
    dav.put(
        calendar + "f.ics",
        component(
            "VFREEBUSY",
            "DTSTART:20260301T000000Z\nDTEND:20260302T000000Z\nFREEBUSY:20260301T100000Z/PT1H,20260301T120000Z/PT1H\n"
            "FREEBUSY;FBTYPE=FREE:20260301T140000Z/PT1H\nFREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20260301T160000Z/PT1H\n"
            "FREEBUSY;FBTYPE=X-ODD:20260301T180000Z/PT1H",
        ),
    )

    assert busy(dav, calendar) == [
        TEN,
        ":20260301T120000Z/20260301T130000Z",
        ";FBTYPE=BUSY-UNAVAILABLE:20260301T160000Z/20260301T170000Z",
        ":20260301T180000Z/20260301T190000Z",
    ]


def test_what_availability_does_not_offer_is_unavailable(dav: EngineDav, calendar: str) -> None:
    dav.put(
        calendar + "v.ics",
        wrapped(
            "BEGIN:VAVAILABILITY\nUID:v\nDTSTAMP:20260101T000000Z\nDTSTART:20260101T000000Z\nBEGIN:AVAILABLE\nUID:w\n"
            "DTSTAMP:20260101T000000Z\nDTSTART:20260101T090000Z\nDTEND:20260101T170000Z\nRRULE:FREQ=DAILY\n"
            "END:AVAILABLE\nEND:VAVAILABILITY"
        ),
    )
    dav.put(calendar + "x.ics", component("VEVENT", EVENT))

    assert busy(dav, calendar) == [
        ";FBTYPE=BUSY-UNAVAILABLE:20260301T000000Z/20260301T090000Z",
        TEN,
        ";FBTYPE=BUSY-UNAVAILABLE:20260301T170000Z/20260302T000000Z",
    ]


def test_days_are_where_the_calendar_is(dav: EngineDav, calendar: str) -> None:
    dav.put(calendar + "x.ics", component("VEVENT", "DTSTART;VALUE=DATE:20260301"))
    span = 'start="20260228T000000Z" end="20260303T000000Z"'
    dav.proppatch(calendar, set="<C:calendar-timezone-id>Europe/Berlin</C:calendar-timezone-id>")

    of_calendar = busy(dav, calendar, span)
    of_request = busy(dav, calendar, span, rest="<C:timezone-id>America/New_York</C:timezone-id>")

    assert of_calendar == [":20260228T230000Z/20260301T230000Z"]
    assert of_request == [":20260301T050000Z/20260302T050000Z"]


def test_a_home_counts_the_calendars_that_are_not_transparent(world: World, dav: EngineDav) -> None:
    one, two = world.add_collection("one"), world.add_collection("two")
    world.add_collection("friends", Kind.ADDRESSBOOK)
    dav.put(one + "a.ics", event("a", start="20260301T100000Z"))
    dav.put(two + "b.ics", event("b", start="20260301T150000Z"))

    both = busy(dav, "/anna/")
    dav.proppatch(two, set="<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>")
    one_only = busy(dav, "/anna/")
    asked_itself = busy(dav, two)

    assert both == [TEN, ":20260301T150000Z/20260301T160000Z"]
    assert one_only == [TEN]
    assert asked_itself == [":20260301T150000Z/20260301T160000Z"]


def test_the_answer_is_one_vfreebusy_for_the_range(dav: EngineDav, calendar: str) -> None:
    answer = ask(dav, calendar)

    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert answer.text.count("BEGIN:VFREEBUSY") == 1
    assert "DTSTART:20260301T000000Z\r\nDTEND:20260302T000000Z\r\n" in answer.text
    assert "DTSTAMP:20260202T024000Z\r\n" in answer.text


@pytest.mark.parametrize(
    "span",
    [
        'start="20260301T000000Z"',
        'end="20260301T000000Z"',
        "",
        'start="20260302T000000Z" end="20260301T000000Z"',
    ],
)
def test_a_range_without_both_ends_is_refused(dav: EngineDav, calendar: str, span: str) -> None:
    answer = ask(dav, calendar, span)

    assert (answer.status, answer.condition) == (403, CALDAV + "valid-filter")


def test_a_range_of_centuries_is_answered_in_bounded_time(dav: EngineDav, calendar: str) -> None:
    dav.put(calendar + "x.ics", event("x", start="19000101T100000Z", more="RRULE:FREQ=DAILY"))

    answer = ask(dav, calendar, 'start="18000101T000000Z" end="23000101T000000Z"')

    assert answer.status in (200, 403, 507)
