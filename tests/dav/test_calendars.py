"""Calendars as collections: properties and limits (RFC 4791 5.2), making them, add-member, quota."""

from __future__ import annotations

from xml.sax.saxutils import escape

import pytest

from davclient import CALDAV, CARDDAV, CS, DAV, ICAL, NS, Answer
from davsamples import BERLIN, card, event, task
from davsamples import calendar as wrapped
from enginedav import EngineDav, World
from tagwerk.model import Kind
from tagwerk.store.principals import principal_by_name, set_quota
from tagwerk.store.sqlite import SqliteEngine

OC, NC = "{http://owncloud.org/ns}", "{http://nextcloud.com/ns}"


def comps(names: list[str]) -> str:
    inside = "".join(f'<C:comp name="{name}"/>' for name in names)
    return f"<C:supported-calendar-component-set>{inside}</C:supported-calendar-component-set>"


def test_5_2_what_a_calendar_says_of_itself(dav: EngineDav, calendar: str) -> None:
    found = dav.propfind(
        calendar,
        CALDAV + "supported-calendar-component-set",
        CALDAV + "supported-calendar-data",
        CALDAV + "max-resource-size",
        CALDAV + "min-date-time",
        CALDAV + "max-date-time",
        CALDAV + "max-instances",
        CALDAV + "max-attendees-per-instance",
        CALDAV + "supported-collation-set",
        CALDAV + "schedule-calendar-transp",
    ).only()

    components = [node.get("name") for node in found.values[CALDAV + "supported-calendar-component-set"]]
    (data,) = found.values[CALDAV + "supported-calendar-data"]
    assert components == ["VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"]
    assert (data.get("content-type"), data.get("version")) == ("text/calendar", "2.0")
    assert found.text(CALDAV + "max-resource-size") == str(10 * 1024 * 1024)
    assert {node.text for node in found.values[CALDAV + "supported-collation-set"]} >= {
        "i;ascii-casemap",
        "i;octet",
    }
    assert found.values[CALDAV + "schedule-calendar-transp"][0].tag == CALDAV + "opaque"
    assert not found.others


def test_an_address_book_says_nothing_of_calendars(dav: EngineDav, book: str) -> None:
    found = dav.propfind(
        book, CALDAV + "supported-calendar-component-set", CARDDAV + "supported-address-data"
    ).only()

    assert found.others == {CALDAV + "supported-calendar-component-set": 404}
    versions = {node.get("version") for node in found.values[CARDDAV + "supported-address-data"]}
    assert versions == {"3.0", "4.0"}


@pytest.mark.parametrize(
    "name", ["max-resource-size", "supported-calendar-data", "max-instances", "supported-collation-set"]
)
def test_what_the_server_says_cannot_be_changed(dav: EngineDav, calendar: str, name: str) -> None:
    answer = dav.proppatch(calendar, set=f"<C:{name}>x</C:{name}>")

    assert answer.multistatus().only().others == {CALDAV + name: 403}
    assert "cannot-modify-protected-property" in answer.text


# Limits are enforced as they are announced.


def announced(dav: EngineDav, path: str, name: str) -> int:
    return int(dav.value(path, name).text or "")


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_max_resource_size_of_events(world: World, calendar: str, method: str) -> None:
    dav = world.client(max_resource_size=2000)
    most = announced(dav, calendar, CALDAV + "max-resource-size")
    room = most - len(event("a", more="DESCRIPTION:"))
    fits = event("a", more="DESCRIPTION:" + "x" * room)

    def send(body: bytes, name: str) -> Answer:
        path = calendar if method == "POST" else calendar + name
        return dav(method, path, body, **{"Content-Type": "text/calendar"})

    too_large = send(fits.replace(b"UID:a", b"UID:bc"), "b.ics")

    assert len(fits) == most
    assert send(fits, "a.ics").status == 201
    assert (too_large.status, too_large.condition) == (403, CALDAV + "max-resource-size")


def test_max_resource_size_of_cards(world: World, book: str) -> None:
    dav = world.client(max_resource_size=2000)
    most = announced(dav, book, CARDDAV + "max-resource-size")

    answer = dav.put(book + "c.vcf", card("c", more="NOTE:" + "x" * most))

    assert (answer.status, answer.condition) == (403, CARDDAV + "max-resource-size")


def test_max_attendees_per_instance(dav: EngineDav, calendar: str) -> None:
    most = announced(dav, calendar, CALDAV + "max-attendees-per-instance")
    attendees = [f"ATTENDEE:mailto:{number}@example.org" for number in range(most + 1)]

    fits = dav.put(calendar + "a.ics", event("a", more="\n".join(attendees[:most])))
    too_many = dav.put(calendar + "b.ics", event("b", more="\n".join(attendees)))

    assert fits.status == 201
    assert (too_many.status, too_many.condition) == (403, CALDAV + "max-attendees-per-instance")


def test_max_instances(dav: EngineDav, calendar: str) -> None:
    most = announced(dav, calendar, CALDAV + "max-instances")

    fits = dav.put(calendar + "a.ics", event("a", more=f"RRULE:FREQ=HOURLY;COUNT={most}"))
    too_many = dav.put(calendar + "b.ics", event("b", more=f"RRULE:FREQ=HOURLY;COUNT={most + 1}"))

    assert fits.status == 201
    assert (too_many.status, too_many.condition) == (403, CALDAV + "max-instances")


@pytest.mark.parametrize("rule", ["FREQ=SECONDLY", "FREQ=MINUTELY", "FREQ=SECONDLY;COUNT=99999999"])
def test_rules_that_run_away_are_refused_at_once(dav: EngineDav, calendar: str, rule: str) -> None:
    answer = dav.put(calendar + "a.ics", event("a", more=f"RRULE:{rule}"))

    assert (answer.status, answer.condition) == (403, CALDAV + "max-instances")


@pytest.mark.parametrize("name", ["min-date-time", "max-date-time"])
def test_the_first_and_the_last_time_can_be_stored(dav: EngineDav, calendar: str, name: str) -> None:
    start = dav.value(calendar, CALDAV + name).text or ""

    assert dav.put(calendar + "a.ics", event("a", start=start)).status == 201
    assert dav.query(calendar, '<C:comp-filter name="VEVENT"/>').multistatus().names == ["a.ics"]


# Components


def test_a_calendar_takes_what_it_says_it_takes(world: World, dav: EngineDav) -> None:
    tasks = world.add_collection("tasks", components=("VTODO",))

    refused = dav.put(tasks + "a.ics", event("a"))

    assert (refused.status, refused.condition) == (403, CALDAV + "supported-calendar-component")
    assert dav.put(tasks + "t.ics", task("t")).status == 201
    assert [node.get("name") for node in dav.value(tasks, CALDAV + "supported-calendar-component-set")] == [
        "VTODO"
    ]


# Making calendars


def test_5_3_1_2_the_example_of_mkcalendar(dav: EngineDav) -> None:
    zone = wrapped(
        "BEGIN:VTIMEZONE\nTZID:US-Eastern\nLAST-MODIFIED:19870101T000000Z\nBEGIN:STANDARD\nDTSTART:19671029T020000\n"
        "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nTZOFFSETFROM:-0400\nTZOFFSETTO:-0500\nTZNAME:Eastern Standard Time (US & Canada)\n"
        "END:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:19870405T020000\nRRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=4\nTZOFFSETFROM:-0500\n"
        "TZOFFSETTO:-0400\nTZNAME:Eastern Daylight Time (US & Canada)\nEND:DAYLIGHT\nEND:VTIMEZONE"
    ).decode()

    answer = dav(
        "MKCALENDAR",
        "/anna/events/",
        f"<C:mkcalendar {NS}><D:set><D:prop><D:displayname>Lisa's Events</D:displayname><C:calendar-description "
        f'xml:lang="en">Calendar restricted to events.</C:calendar-description>{comps(["VEVENT"])}'
        f"<C:calendar-timezone><![CDATA[{zone}]]></C:calendar-timezone></D:prop></D:set></C:mkcalendar>",
    )

    found = dav.propfind(
        "/anna/events/",
        DAV + "displayname",
        CALDAV + "calendar-description",
        CALDAV + "supported-calendar-component-set",
        CALDAV + "calendar-timezone",
        DAV + "resourcetype",
    ).only()
    assert answer.status == 201
    assert answer.headers["cache-control"] == "no-cache"
    assert found.text(DAV + "displayname") == "Lisa's Events"
    assert (
        found.values[CALDAV + "calendar-description"].get("{http://www.w3.org/XML/1998/namespace}lang")
        == "en"
    )
    assert [node.get("name") for node in found.values[CALDAV + "supported-calendar-component-set"]] == [
        "VEVENT"
    ]
    assert found.text(CALDAV + "calendar-timezone").split() == zone.split()


@pytest.mark.parametrize("method", ["MKCALENDAR", "MKCOL"])
def test_extended_errors_name_what_stood_in_the_way_and_nothing_is_made(dav: EngineDav, method: str) -> None:
    properties = (
        f"<D:displayname>x</D:displayname>{comps(['VEVENT', 'VNONSENSE'])}<D:getetag>x</D:getetag>"
        "<C:calendar-timezone>nonsense</C:calendar-timezone>"
    )
    if method == "MKCOL":
        properties += "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>"
        body = f"<D:mkcol {NS}><D:set><D:prop>{properties}</D:prop></D:set></D:mkcol>"
    else:
        body = f"<C:mkcalendar {NS}><D:set><D:prop>{properties}</D:prop></D:set></C:mkcalendar>"

    answer = dav(method, "/anna/new/", body)

    root = answer.xml()
    stats = {
        node.tag: (stat.findtext(DAV + "status") or "").split()[1]
        for stat in root.iter(DAV + "propstat")
        for node in stat.iterfind(f"{DAV}prop/*")
    }
    conditions = {node[0].tag for node in root.iter(DAV + "error")}
    # RFC 4791 5.3.1.1 answers with 207, RFC 5689 5.1 with mkcol-response.
    assert (answer.status, root.tag) in ((207, DAV + "multistatus"), (403, DAV + "mkcol-response"))
    assert (answer.status == 207) is (method == "MKCALENDAR")
    assert stats[DAV + "displayname"] == "424"
    assert stats[CALDAV + "supported-calendar-component-set"] == "403"
    assert stats[DAV + "getetag"] == "403"
    assert stats[CALDAV + "calendar-timezone"] == "403"
    assert {CALDAV + "supported-calendar-component", CALDAV + "valid-calendar-data"} <= conditions
    assert DAV + "cannot-modify-protected-property" in conditions
    assert dav("PROPFIND", "/anna/new/", Depth="0").status == 404


@pytest.mark.parametrize(
    ("types", "status"),
    [
        ("<D:collection/><C:calendar/>", 201),
        ("<C:calendar/><D:collection/>", 201),
        ("<D:collection/><CR:addressbook/>", 201),
        ("<D:collection/>", 403),
        ("<D:collection/><C:calendar/><CR:addressbook/>", 403),
        ('<D:collection/><x:x xmlns:x="urn:x"/>', 403),
        ("<C:calendar/>", 403),
    ],
)
def test_mkcol_makes_what_the_resourcetype_says(dav: EngineDav, types: str, status: int) -> None:
    answer = dav(
        "MKCOL",
        "/anna/new/",
        f"<D:mkcol {NS}><D:set><D:prop><D:resourcetype>{types}</D:resourcetype></D:prop></D:set></D:mkcol>",
    )

    assert answer.status == status
    assert (dav("PROPFIND", "/anna/new/", Depth="0").status == 207) is (status == 201)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/anna/work/", 405),
        ("/anna/work", 405),
        ("/anna/", 405),
        ("/", 405),
        ("/anna/work/a.ics", 405),
        ("/anna/work/inside/", 403),
        ("/anna/nothing/inside/", 409),
        ("/berta/new/", 403),
        ("/nobody/new/", 403),
    ],
)
def test_where_no_calendar_can_be_made(
    world: World, dav: EngineDav, calendar: str, path: str, status: int
) -> None:
    world.add_user("berta")
    dav.put(calendar + "a.ics", event("a"))

    assert dav("MKCALENDAR", path).status == status


# Properties of clients


CLIENT_PROPERTIES = {
    ICAL + "calendar-color": "#FF2968FF",
    ICAL + "calendar-order": "3",
    CALDAV + "calendar-description": "Termine & mehr",
    DAV + "displayname": "Arbeit <1>",
    OC + "calendar-enabled": "0",
    CALDAV + "calendar-timezone-id": "Europe/Berlin",
    "{urn:x}anything": "goes",
}


@pytest.mark.parametrize("name", CLIENT_PROPERTIES)
def test_what_clients_set_comes_back(dav: EngineDav, calendar: str, name: str) -> None:
    namespace, _, local = name[1:].rpartition("}")
    value = CLIENT_PROPERTIES[name]

    answer = dav.proppatch(calendar, set=f'<x:{local} xmlns:x="{namespace}">{escape(value)}</x:{local}>')

    assert set(answer.multistatus().only().values) == {name}
    assert dav.value(calendar, name).text == value


def test_what_nextcloud_clients_ask_for(dav: EngineDav, calendar: str) -> None:
    found = dav.propfind(
        calendar, OC + "owner-principal", NC + "owner-displayname", OC + "calendar-enabled"
    ).only()

    assert found.text(OC + "owner-principal") == "/anna/"
    assert found.text(NC + "owner-displayname") == "Anna Müller"
    assert found.text(OC + "calendar-enabled") == "1"


@pytest.mark.parametrize(
    ("element", "condition"),
    [
        ("<C:calendar-timezone>x</C:calendar-timezone>", "valid-calendar-data"),
        ("<C:calendar-timezone-id>Mars/Olympus</C:calendar-timezone-id>", "valid-timezone"),
        ("<C:schedule-calendar-transp><C:maybe/></C:schedule-calendar-transp>", ""),
        ("<I:calendar-color>javascript:alert(1)</I:calendar-color>", ""),
        ("<D:displayname><b/></D:displayname>", ""),
    ],
)
def test_a_value_that_does_not_fit_is_refused(
    dav: EngineDav, calendar: str, element: str, condition: str
) -> None:
    answer = dav.proppatch(calendar, set=element)

    found = answer.multistatus().only()
    assert list(found.others.values()) == [403]
    assert f"<C:{condition}/>" in answer.text or not condition


def test_the_zone_of_a_calendar_may_be_any_vtimezone(dav: EngineDav, calendar: str) -> None:
    text = wrapped(BERLIN.replace("Europe/Berlin", "Nowhere special")).decode()

    dav.proppatch(calendar, set=f"<C:calendar-timezone>{text}</C:calendar-timezone>")

    assert (dav.value(calendar, CALDAV + "calendar-timezone").text or "").split() == text.split()


# add-member (RFC 5995)


@pytest.mark.parametrize("kind", [Kind.CALENDAR, Kind.ADDRESSBOOK])
def test_post_stores_under_a_new_name(world: World, dav: EngineDav, kind: Kind) -> None:
    place = world.add_collection("place", kind)
    body, media = (event("a"), "text/calendar") if kind is Kind.CALENDAR else (card("a"), "text/vcard")
    (href,) = [node.text for node in dav.value(place, DAV + "add-member").iter(DAV + "href")]

    answer = dav("POST", href or "", body, **{"Content-Type": media})
    again = dav("POST", href or "", body, **{"Content-Type": media})

    assert answer.status == 201
    assert answer.headers["location"].startswith(place)
    assert dav.get(answer.headers["location"]).body == body
    assert dav.get(answer.headers["location"]).etag == answer.etag
    namespace = CALDAV if kind is Kind.CALENDAR else CARDDAV
    assert (again.status, again.condition) == (409, namespace + "no-uid-conflict")
    assert answer.headers["location"] in again.text


@pytest.mark.parametrize(
    ("body", "media", "status"), [(b"x", "text/calendar", 403), (event("a"), "text/html", 415)]
)
def test_post_refuses_what_put_refuses(
    dav: EngineDav, calendar: str, body: bytes, media: str, status: int
) -> None:
    assert dav("POST", calendar, body, **{"Content-Type": media}).status == status
    assert dav("POST", "/anna/", event("b"), **{"Content-Type": "text/calendar"}).status == 415


# Quota (RFC 4331)


def quota(dav: EngineDav, path: str = "/anna/") -> tuple[str | None, str | None]:
    found = dav.propfind(path, DAV + "quota-used-bytes", DAV + "quota-available-bytes").only()
    used, available = (found.values.get(DAV + name) for name in ("quota-used-bytes", "quota-available-bytes"))
    return (used.text if used is not None else None, available.text if available is not None else None)


def test_without_a_limit_only_what_is_used_is_said(dav: EngineDav, calendar: str) -> None:
    dav.put(calendar + "a.ics", event("a"))

    assert quota(dav) == (str(len(event("a"))), None)
    assert quota(dav, calendar) == quota(dav)


@pytest.mark.parametrize("how", ["PUT", "POST", "COPY", "COPY collection"])
def test_what_does_not_fit_is_507_and_what_fits_is_stored(world: World, calendar: str, how: str) -> None:
    size = len(event("a"))
    dav = world.client(quota=2 * size - 1)
    assert dav.put(calendar + "a.ics", event("a")).status == 201
    other = world.add_collection("other")

    answer = {
        "PUT": lambda: dav.put(calendar + "b.ics", event("b")),
        "POST": lambda: dav("POST", calendar, event("b"), **{"Content-Type": "text/calendar"}),
        "COPY": lambda: dav.copy(calendar + "a.ics", other + "a.ics"),
        "COPY collection": lambda: dav.copy(calendar, "/anna/copy/"),
    }[how]()

    assert (answer.status, answer.condition) == (507, DAV + "quota-not-exceeded")
    assert quota(dav) == (str(size), str(size - 1))
    assert dav.sync(calendar).multistatus().names == ["a.ics"]


def test_replacing_moving_and_deleting_count_what_they_change(world: World, calendar: str) -> None:
    size = len(event("a"))
    dav = world.client(quota=2 * size)
    other = world.add_collection("other")
    dav.put(calendar + "a.ics", event("a"))

    assert dav.put(calendar + "a.ics", event("a", more="NOTE:" + "x" * (size - 30))).status == 204
    assert dav.put(calendar + "a.ics", event("a", more="NOTE:" + "x" * size)).status == 507
    assert dav.put(calendar + "a.ics", event("a", summary="s")).status == 204
    assert dav.move(calendar + "a.ics", other + "a.ics").status == 201
    assert dav.put(calendar + "b.ics", event("b")).status == 201
    assert dav.delete(other).status == 204
    assert quota(dav) == (str(size), str(size))


def test_the_limit_of_a_user_counts_for_more_than_the_general_one(world: World, calendar: str) -> None:
    dav = world.client(quota=10)
    assert dav.put(calendar + "a.ics", event("a")).status == 507
    with world.store.write() as txn:
        anna = principal_by_name(txn, "anna")
        assert anna is not None
        set_quota(txn, anna.id, 0)

    assert dav.put(calendar + "a.ics", event("a")).status == 201
    assert quota(dav)[1] is None


def test_quota_cannot_be_set_by_clients(dav: EngineDav, calendar: str) -> None:
    answer = dav.proppatch(calendar, set="<D:quota-available-bytes>1</D:quota-available-bytes>")

    assert list(answer.multistatus().only().others.values()) == [403]


@pytest.mark.parametrize("any_engine", ["sqlite"], indirect=True)
def test_a_full_disk_is_told_in_the_log(
    world: World, calendar: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert isinstance(world.store, SqliteEngine)
    world.store._writer.execute("PRAGMA max_page_count = 1")

    answer = world.client().put(calendar + "a.ics", event("a", more="X-FILL:" + "x" * 100_000))

    assert (answer.status, answer.condition) == (507, "")
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert str(world.store._path) in caplog.records[0].getMessage()
    assert answer.sentence == "The disk of the server is full; try again later."


def test_the_ctag_is_there_for_collections(dav: EngineDav, calendar: str, book: str) -> None:
    for place in (calendar, book):
        assert dav.value(place, CS + "getctag").text == dav.value(place, DAV + "sync-token").text
