"""iOS: Calendar and Reminders, from the account's set-up on.

iOS asks with `Prefer: return=minimal` and `Brief: t`, lists its home at depth 1 whenever its ctag
changed, and syncs each calendar by its token.
"""

from __future__ import annotations

import pytest
from appleclient import (
    HOME,
    IOS,
    PRINCIPAL,
    WHO,
    device,
    element,
    multiget,
    prop,
    propfind,
    proppatch,
    root,
    sync,
)

from davclient import CALDAV, CS, DAV, ICAL, not_collections
from davsamples import BERLIN, event, task
from davsamples import calendar as wrapped
from enginedav import EngineDav, World

CALENDAR = "/anna/calendar/"
DATA = (
    CALDAV + "calendar-data",
    CS + "created-by",
    DAV + "getetag",
    CALDAV + "schedule-tag",
    CS + "updated-by",
)


@pytest.fixture
def phone(world: World) -> EngineDav:
    return device(world, IOS)


def test_an_account_is_found_from_the_root(phone: EngineDav) -> None:
    who = propfind(phone, "/", *WHO).only()
    principal = who.hrefs(DAV + "current-user-principal")[0]
    options = phone("OPTIONS", principal)
    found = propfind(phone, principal, *PRINCIPAL).only()

    tokens = {token.strip() for token in options.headers["dav"].split(",")}
    assert {"calendar-access", "access-control", "extended-mkcol", "sync-collection"} <= tokens
    assert found.text(DAV + "displayname") == "Anna Müller"
    assert found.hrefs(CALDAV + "calendar-user-address-set") == ["mailto:anna@example.org", "/anna/"]
    # The first href counts, whatever comes after it.
    assert found.hrefs(CALDAV + "calendar-home-set")[0] == "/anna/"
    # No inbox is announced while there is none.
    assert CALDAV + "schedule-inbox-URL" not in found.values


def test_who_may_be_searched_is_asked(phone: EngineDav) -> None:
    body = '<?xml version="1.0" encoding="UTF-8"?>\n<A:principal-search-property-set xmlns:A="DAV:"/>\n'

    answer = phone("REPORT", "/", body, Depth="0")

    assert answer.status == 200
    assert DAV + "principal-search-property" in {node.tag for node in answer.xml()}


def test_the_home_is_listed_with_what_a_calendar_needs_to_be_shown(world: World, phone: EngineDav) -> None:
    world.add_collection("reminders", components=("VTODO",))

    found = propfind(phone, "/anna/", *HOME, depth="1")

    collections = {"/anna/", CALENDAR, "/anna/reminders/", "/anna/contacts/"}
    assert set(found) - not_collections("/anna/") == collections
    calendar = found[CALENDAR]
    assert {node.tag for node in calendar.values[DAV + "resourcetype"]} == {
        DAV + "collection",
        CALDAV + "calendar",
    }
    privileges = {node[0].tag for node in calendar.values[DAV + "current-user-privilege-set"]}
    assert {DAV + "read", DAV + "write", DAV + "write-content", DAV + "write-properties"} <= privileges
    assert calendar.hrefs(DAV + "owner") == ["/anna/"]
    components = [node.get("name") for node in calendar.values[CALDAV + "supported-calendar-component-set"]]
    assert "VEVENT" in components
    of_tasks = found["/anna/reminders/"].values[CALDAV + "supported-calendar-component-set"]
    assert [node.get("name") for node in of_tasks] == ["VTODO"]
    assert calendar.text(DAV + "sync-token")
    assert calendar.text(CS + "getctag")


def test_default_alarms_are_kept_for_the_calendar_and_the_home(phone: EngineDav) -> None:
    alarm = "BEGIN:VALARM\r\nX-WR-ALARMUID:1\r\nTRIGGER:-PT15H\r\nACTION:NONE\r\nEND:VALARM\r\n".replace(
        "\r", "&#13;"
    )
    for path in ("/anna/", CALENDAR):
        proppatch(phone, path, element(CALDAV + "default-alarm-vevent-date", alarm))

        found = propfind(phone, path, CALDAV + "default-alarm-vevent-date").only()
        assert found.text(CALDAV + "default-alarm-vevent-date") == alarm.replace("&#13;", "\r")


def test_colour_order_and_name_are_changed(phone: EngineDav) -> None:
    for name, value in (
        (ICAL + "calendar-color", "#FF2968FF"),
        (ICAL + "calendar-order", "2"),
        (DAV + "displayname", "Privat"),
    ):
        proppatch(phone, CALENDAR, element(name, value))

        assert propfind(phone, CALENDAR, name).only().text(name) == value


def test_apples_colour_with_an_attribute_is_taken(phone: EngineDav) -> None:
    proppatch(
        phone,
        CALENDAR,
        '<D:calendar-color xmlns:D="http://apple.com/ns/ical/" symbolic-color="red">#FF2968</D:calendar-color>',
    )

    assert (
        propfind(phone, CALENDAR, ICAL + "calendar-color").only().text(ICAL + "calendar-color") == "#FF2968"
    )


def test_a_new_calendar_and_a_new_list_are_made(phone: EngineDav) -> None:
    path = "/anna/6F1A63B8-3B7E-4E1B-8B0A-6C5B5B0A0E4B/"
    inside = (
        f"<A:set><A:prop>{element(ICAL + 'calendar-color', '#44A703FF')}{element(ICAL + 'calendar-order', '5')}"
        '<B:supported-calendar-component-set><B:comp name="VTODO"/></B:supported-calendar-component-set>'
        "<A:displayname>Einkauf</A:displayname></A:prop></A:set>"
    )
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<B:mkcalendar xmlns:B="urn:ietf:params:xml:ns:caldav" xmlns:A="DAV:">'
        f"{inside}</B:mkcalendar>"
    )

    answer = phone("MKCALENDAR", path, body)

    assert answer.status == 201
    found = propfind(phone, path, *HOME).only()
    assert found.text(DAV + "displayname") == "Einkauf"
    assert found.text(ICAL + "calendar-color") == "#44A703FF"


def known_after(phone: EngineDav, known: dict[str, str], token: str) -> tuple[dict[str, str], str]:
    """What a phone that knows something does to know everything; ETags by href."""
    found = sync(phone, CALENDAR, token)
    known = dict(known)
    wanted = []
    for href, one in found.found.items():
        if one.status == 404:
            known.pop(href, None)
        elif href != CALENDAR and known.get(href) != one.etag:
            wanted.append(href)
    if wanted:
        data = multiget(phone, CALENDAR, wanted, *DATA)
        for href in wanted:
            assert data[href].text(CALDAV + "calendar-data").startswith("BEGIN:VCALENDAR")
            known[href] = data[href].etag
    return known, found.token


def test_a_calendar_is_synced_edited_and_synced_again(phone: EngineDav, other: EngineDav) -> None:
    other.put(CALENDAR + "a.ics", event("a"))
    other.put(CALENDAR + "b.ics", event("b"))
    known, token = known_after(phone, {}, "")
    assert set(known) == {CALENDAR + "a.ics", CALENDAR + "b.ics"}

    # A new event on the phone, whose name iOS makes of the UID.
    mine = CALENDAR + "B7C1F0E2-6A4E-4B5D-9C6A-0E9C2A3D4F5B.ics"
    body = wrapped(
        BERLIN + "BEGIN:VEVENT\nCREATED:20260101T000000Z\nDTEND;TZID=Europe/Berlin:20260310T110000\n"
        "DTSTAMP:20260101T000000Z\nDTSTART;TZID=Europe/Berlin:20260310T100000\nLAST-MODIFIED:20260101T000000Z\n"
        "SEQUENCE:0\nSUMMARY:Zahnarzt\nUID:B7C1F0E2-6A4E-4B5D-9C6A-0E9C2A3D4F5B\nEND:VEVENT"
    )
    made = phone("PUT", mine, body, If_None_Match="*", **{"Content-Type": "text/calendar"})
    assert made.status == 201
    assert made.etag is not None
    known[mine] = made.etag

    # An edit here, an edit there, a removal there.
    edited = phone.put(CALENDAR + "a.ics", event("a", summary="edited"), If_Match=known[CALENDAR + "a.ics"])
    assert edited.status == 204
    known[CALENDAR + "a.ics"] = edited.etag or ""
    assert other.delete(CALENDAR + "b.ics").status == 204
    other.put(CALENDAR + "c.ics", event("c"))

    known, token = known_after(phone, known, token)
    assert known == {href: other.get(href).etag for href in (CALENDAR + "a.ics", CALENDAR + "c.ics", mine)}

    # A removal here.
    assert phone.delete(mine, If_Match=known.pop(mine)).status == 204
    assert known_after(phone, known, token)[0] == known


def test_what_changed_elsewhere_is_not_overwritten(phone: EngineDav, other: EngineDav) -> None:
    etag = other.put(CALENDAR + "a.ics", event("a")).etag or ""
    other.put(CALENDAR + "a.ics", event("a", summary="theirs"))

    answer = phone.put(CALENDAR + "a.ics", event("a", summary="mine"), If_Match=etag)

    assert answer.status == 412
    assert b"SUMMARY:theirs" in other.get(CALENDAR + "a.ics").body


def test_a_token_that_is_no_longer_good_leads_to_a_new_first_sync(phone: EngineDav, other: EngineDav) -> None:
    _, token = known_after(phone, {}, "")
    other.delete(CALENDAR)
    other("MKCALENDAR", CALENDAR)
    other.put(CALENDAR + "new.ics", event("new"))
    body = root(
        "sync-collection",
        f"<A:sync-token>{token}</A:sync-token><A:sync-level>1</A:sync-level>{prop(DAV + 'getetag')}",
    )

    answer = phone("REPORT", CALENDAR, body, Depth="1")

    assert (answer.status, answer.condition) == (403, DAV + "valid-sync-token")
    assert set(known_after(phone, {}, "")[0]) == {CALENDAR + "new.ics"}


def test_the_home_is_polled_by_its_sync_token(phone: EngineDav, other: EngineDav) -> None:
    before = sync(phone, "/anna/", depth="0")
    other("MKCALENDAR", "/anna/more/")
    other.put(CALENDAR + "a.ics", event("a"))

    after = sync(phone, "/anna/", before.token, depth="0")

    assert set(after) == {"/anna/more/", CALENDAR}


def test_events_of_the_last_month_are_asked_for_where_not_all_are_wanted(
    phone: EngineDav, other: EngineDav
) -> None:
    other.put(CALENDAR + "old.ics", event("old", start="20200101T100000Z"))
    other.put(CALENDAR + "new.ics", event("new"))
    other.put(CALENDAR + "ever.ics", event("ever", start="20200101T100000Z", more="RRULE:FREQ=WEEKLY"))
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<B:calendar-query xmlns:B="urn:ietf:params:xml:ns:caldav">'
        f"{prop(DAV + 'getetag', DAV + 'getcontenttype').replace('<A:prop>', '<A:prop xmlns:A=' + chr(34) + 'DAV:' + chr(34) + '>')}"
        '<B:filter><B:comp-filter name="VCALENDAR"><B:comp-filter name="VEVENT">'
        '<B:time-range start="20260202T000000Z"/></B:comp-filter></B:comp-filter></B:filter></B:calendar-query>'
    )

    found = phone("REPORT", CALENDAR, body, Depth="1").multistatus()

    assert found.names == ["ever.ics", "new.ics"]


def test_a_reminder_is_completed(world: World, phone: EngineDav) -> None:
    place = world.add_collection("reminders", components=("VTODO",))
    etag = phone.put(place + "t.ics", task("t"), If_None_Match="*").etag or ""
    done = task("t", more="STATUS:COMPLETED\nPERCENT-COMPLETE:100\nCOMPLETED:20260202T100000Z")

    answer = phone.put(place + "t.ics", done, If_Match=etag)

    assert answer.status == 204
    open_tasks = phone.query(
        place,
        '<C:comp-filter name="VTODO"><C:prop-filter name="COMPLETED"><C:is-not-defined/></C:prop-filter></C:comp-filter>',
    )
    assert open_tasks.multistatus().names == []


def test_an_event_is_moved_to_another_calendar(world: World, phone: EngineDav) -> None:
    place = world.add_collection("private")
    etag = phone.put(CALENDAR + "a.ics", event("a")).etag or ""

    answer = phone(
        "MOVE", CALENDAR + "a.ics", Destination=phone.absolute(place + "a.ics"), Overwrite="F", If_Match=etag
    )

    assert answer.status == 201
    assert phone.get(place + "a.ics").etag == etag
