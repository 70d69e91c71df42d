"""What a calendar takes, and what it says when it does not (RFC 4791 4.1, 5.3.2), over HTTP."""

from __future__ import annotations

import time

import pytest

from davclient import CALDAV, DAV, basic, parse_raw, raw
from davsamples import BERLIN, card, event, lines, task
from davsamples import calendar as vcalendar


def refused(answer, condition):
    assert answer.status in (403, 409), (answer.status, answer.body)
    assert answer.condition == CALDAV + condition
    assert len(answer.sentence) > 10
    return True


def test_a_uid_is_unique_in_its_calendar(dav, calendar):
    dav.put(calendar + "a.ics", event("same"))

    answer = dav.put(calendar + "b.ics", event("same"))

    assert refused(answer, "no-uid-conflict")
    assert answer.xml().findtext(f"{CALDAV}no-uid-conflict/{DAV}href") == calendar + "a.ics"
    assert dav.get(calendar + "b.ics").status == 404


def test_the_same_uid_may_be_in_two_calendars(dav, calendar, make_collection):
    other = make_collection()

    answers = [dav.put(place + "a.ics", event("same")) for place in (calendar, other)]

    assert [answer.status for answer in answers] == [201, 201]


def test_a_uid_is_free_again_once_its_object_is_gone(dav, calendar):
    dav.put(calendar + "a.ics", event("same"))
    dav.delete(calendar + "a.ics")

    assert dav.put(calendar + "b.ics", event("same")).status == 201


def test_an_object_cannot_become_another_one(dav, calendar):
    dav.put(calendar + "a.ics", event("a"))

    answer = dav.put(calendar + "a.ics", event("b"))

    assert refused(answer, "no-uid-conflict")
    assert b"UID:a\r\n" in dav.get(calendar + "a.ics").body


def test_a_method_property_is_refused(dav, calendar):
    body = event("a").replace(b"VERSION:2.0\r\n", b"VERSION:2.0\r\nMETHOD:REQUEST\r\n")

    answer = dav.put(calendar + "a.ics", body)

    assert refused(answer, "valid-calendar-object-resource")
    assert "line 3" in answer.sentence


def test_two_events_with_different_uids_are_no_object(dav, calendar):
    one, two = (event(uid).split(b"\r\n", 3)[3].replace(b"END:VCALENDAR\r\n", b"") for uid in "ab")
    body = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n" + one + two + b"END:VCALENDAR\r\n"

    assert refused(dav.put(calendar + "a.ics", body), "valid-calendar-object-resource")


def test_an_event_and_a_task_are_no_object(dav, calendar):
    body = vcalendar(
        "BEGIN:VEVENT\nUID:a\nDTSTART:20260101T000000Z\nEND:VEVENT\nBEGIN:VTODO\nUID:a\nEND:VTODO"
    )

    assert refused(dav.put(calendar + "a.ics", body), "valid-calendar-object-resource")


def test_a_component_that_the_calendar_does_not_hold_is_refused(dav, make_collection):
    tasks = make_collection(components=("VTODO",))

    answers = dav.put(tasks + "t.ics", task()), dav.put(tasks + "a.ics", event("a"))

    assert answers[0].status == 201
    assert refused(answers[1], "supported-calendar-component")


@pytest.mark.parametrize("component", ["VEVENT", "VTODO", "VJOURNAL"])
def test_every_kind_of_component_is_stored(dav, calendar, component):
    body = vcalendar(
        f"BEGIN:{component}\nUID:a\nDTSTAMP:20260101T000000Z\nDTSTART:20260101T000000Z\nEND:{component}"
    )

    assert dav.put(calendar + "a.ics", body).status == 201
    assert dav.get(calendar + "a.ics").headers["content-type"].endswith(f"component={component}")


def test_only_time_zones_are_no_object(dav, calendar):
    assert refused(dav.put(calendar + "a.ics", vcalendar(BERLIN)), "valid-calendar-object-resource")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"\x00\x01\x02\xff" * 100,
        b"BEGIN:VCALENDAR\r\n",
        b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VCALENDAR\r\n",
        card("a"),
        b"<?xml version='1.0'?><x/>",
    ],
    ids=["empty", "text", "binary", "cut", "crossed", "card", "xml"],
)
def test_what_is_no_calendar_is_refused_and_nothing_changes(dav, calendar, body):
    token = dav.sync(calendar).multistatus().token

    answer = dav.put(calendar + "a.ics", body)

    assert refused(answer, "valid-calendar-data")
    assert dav.get(calendar + "a.ics").status == 404
    assert dav.sync(calendar).multistatus().token == token


def test_a_wrong_media_type_is_refused_with_its_precondition(dav, calendar):
    answer = dav.put(calendar + "a.ics", event("a"), **{"Content-Type": "application/json"})

    assert answer.status in (403, 415)
    assert answer.condition == CALDAV + "supported-calendar-data"


@pytest.mark.parametrize(
    "kind", ["text/calendar", "text/calendar; component=vevent", 'TEXT/CALENDAR;charset="UTF-8"']
)
def test_media_types_are_read_as_they_are_written(dav, calendar, kind):
    assert dav.put(calendar + "a.ics", event("a"), **{"Content-Type": kind}).status == 201


def test_a_missing_media_type_is_no_obstacle(server, dav, calendar):
    body = event("a")
    head = (
        f"PUT {calendar}a.ics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Authorization: {basic('anna', 'secret')}\r\nContent-Length: {len(body)}\r\n\r\n"
    )

    answer = parse_raw(raw(server.url, head.encode() + body))

    assert answer.status == 201
    assert dav.get(calendar + "a.ics").body == body


def test_an_object_that_is_too_large_is_refused_with_its_precondition(dav, calendar):
    limit = int(dav.value(calendar, CALDAV + "max-resource-size").text)

    answer = dav.put(
        calendar + "a.ics", event("a", more="\n".join(["X-FILL:" + "x" * 70] * (limit // 77 + 1)))
    )

    assert refused(answer, "max-resource-size")


def test_recurring_events_with_overrides_are_kept_as_they_are(dav, calendar):
    body = vcalendar(
        f"{BERLIN}BEGIN:VEVENT\nUID:r\nDTSTAMP:20260101T000000Z\nDTSTART;TZID=Europe/Berlin:20260105T090000\n"
        "DURATION:PT1H\nRRULE:FREQ=WEEKLY\nEXDATE;TZID=Europe/Berlin:20260112T090000\nSUMMARY:weekly\nEND:VEVENT\n"
        "BEGIN:VEVENT\nUID:r\nDTSTAMP:20260101T000000Z\nRECURRENCE-ID;TZID=Europe/Berlin:20260119T090000\n"
        "DTSTART;TZID=Europe/Berlin:20260119T110000\nDURATION:PT1H\nSUMMARY:later\nEND:VEVENT"
    )

    stored = dav.put(calendar + "r.ics", body)

    assert stored.etag is not None
    assert dav.get(calendar + "r.ics").body == body


def test_overrides_without_a_master_are_an_object(dav, calendar):
    parts = "".join(
        f"BEGIN:VEVENT\nUID:r\nDTSTAMP:20260101T000000Z\nRECURRENCE-ID:202601{day:02}T090000Z\n"
        f"DTSTART:202601{day:02}T100000Z\nEND:VEVENT\n"
        for day in (5, 12)
    )

    assert dav.put(calendar + "r.ics", vcalendar(parts)).status == 201


def test_what_was_repaired_comes_without_an_etag(dav, calendar):
    body = event("a").replace(b"SUMMARY:", b"SUMMARY:\x0b")

    stored = dav.put(calendar + "a.ics", body)
    got = dav.get(calendar + "a.ics")

    if got.body == body:
        assert stored.etag == got.etag
    else:
        assert stored.status == 201
        assert stored.etag is None


def test_a_uid_is_no_longer_than_every_engine_can_index(dav, calendar):
    answer = dav.put(calendar + "long.ics", event("ü" * 513))

    assert refused(answer, "valid-calendar-object-resource")
    assert "line 4: the UID has 1026 bytes, at most 1024 are allowed" in answer.sentence
    assert dav.put(calendar + "fits.ics", event("ü" * 512)).status == 201


def test_an_object_without_a_uid_gets_one_and_says_so_by_leaving_out_the_etag(dav, calendar):
    body = event("a").replace(b"UID:a\r\n", b"")

    stored = dav.put(calendar + "a.ics", body)

    assert stored.status == 201
    assert stored.etag is None
    assert b"\r\nUID:" in dav.get(calendar + "a.ics").body


def test_latin_1_is_read_and_answered_as_utf_8(dav, calendar):
    body = event("a", summary="Frühstück").decode().encode("latin-1")

    stored = dav.put(calendar + "a.ics", body, **{"Content-Type": "text/calendar; charset=iso-8859-1"})

    assert stored.status == 201
    assert stored.etag is None
    assert dav.get(calendar + "a.ics").body == event("a", summary="Frühstück")


def test_a_byte_order_mark_does_no_harm(dav, calendar):
    answer = dav.put(calendar + "a.ics", b"\xef\xbb\xbf" + event("a"))

    assert answer.status == 201
    assert "Frühstück" in dav.get(calendar + "a.ics").body.decode("utf-8-sig")


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=DAILY",
        "FREQ=SECONDLY;COUNT=999999999",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYSECOND=" + ",".join(map(str, range(60))) + ";BYMINUTE=" + ",".join(map(str, range(60))),
        "FREQ=YEARLY;BYDAY=53MO;BYSETPOS=-366",
        "FREQ=DAILY;INTERVAL=99999999999999999999",
        "FREQ=DAILY;UNTIL=99991231T235959Z",
        "FREQ=MINUTELY;BYHOUR=25",
        "FREQ=WHENEVER",
        "FREQ=DAILY;COUNT=-1",
        "FREQ=DAILY;COUNT=" + "9" * 5000,
        "FREQ=DAILY;INTERVAL=0",
        ";;;=;",
    ],
)
def test_hostile_rules_are_stored_or_refused_at_once_and_do_not_stop_queries(dav, calendar, rule):
    dav.put(calendar + "good.ics", event("good", start="20260301T080000Z"))
    begin = time.perf_counter()
    stored = dav.put(calendar + "r.ics", event("r", start="20260101T080000Z", more=f"RRULE:{rule}"))
    answers = [
        dav.query(
            calendar,
            '<C:comp-filter name="VEVENT"><C:time-range start="20260228T000000Z" end="20260302T000000Z"/>'
            "</C:comp-filter>",
            props=f"<D:getetag/>{data}",
        )
        for data in (
            "",
            "<C:calendar-data/>",
            '<C:calendar-data><C:expand start="20260228T000000Z" end="20260302T000000Z"/></C:calendar-data>',
        )
    ]
    took = time.perf_counter() - begin

    assert stored.status in (201, 403)
    assert took < 8
    for answer in answers:
        if answer.status == 207:
            assert "good.ics" in answer.multistatus().names
        else:
            assert answer.status == 403
            assert answer.sentence


def test_long_names_and_values_survive(dav, calendar):
    body = lines(
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:"
        + "u" * 3000
        + "\nDTSTAMP:20260101T000000Z\n"
        "DTSTART:20260101T000000Z\nDESCRIPTION:" + "ü" * 100_000 + "\nEND:VEVENT\nEND:VCALENDAR\n"
    )

    assert dav.put(calendar + "a.ics", body).status in (201, 403)


def test_properties_of_a_calendar(dav, calendar):
    found = dav.propfind(
        calendar,
        CALDAV + "supported-calendar-component-set",
        CALDAV + "supported-calendar-data",
        CALDAV + "max-resource-size",
        CALDAV + "supported-collation-set",
        DAV + "supported-report-set",
    ).only()

    components = {node.get("name") for node in found.values[CALDAV + "supported-calendar-component-set"]}
    reports = {node.tag for node in found.values[DAV + "supported-report-set"].iter()}
    collations = {node.text for node in found.values[CALDAV + "supported-collation-set"]}
    assert {"VEVENT", "VTODO", "VJOURNAL"} <= components
    assert {"i;ascii-casemap", "i;octet"} <= collations
    assert {
        CALDAV + "calendar-query",
        CALDAV + "calendar-multiget",
        CALDAV + "free-busy-query",
        DAV + "sync-collection",
    } <= reports


def test_a_calendar_time_zone_must_be_one(dav, calendar):
    text = lines("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n" + BERLIN + "END:VCALENDAR\n").decode()

    good = dav.proppatch(calendar, set=f"<C:calendar-timezone>{text}</C:calendar-timezone>")
    bad = dav.proppatch(calendar, set="<C:calendar-timezone>Berlin</C:calendar-timezone>")

    assert good.multistatus().only().others == {}
    assert bad.multistatus().only().others == {CALDAV + "calendar-timezone": 403}
    assert "TZID:Europe/Berlin" in dav.value(calendar, CALDAV + "calendar-timezone").text
