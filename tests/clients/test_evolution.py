"""Evolution and other GNOME programs: OPTIONS first, ctag polling, lists by query, sync tokens for contacts."""

from __future__ import annotations

import pytest

from davclient import CALDAV, CARDDAV, CS, DAV, Multistatus, not_collections
from davsamples import card, event, task
from enginedav import EngineDav, World

CALENDAR, BOOK = "/anna/calendar/", "/anna/contacts/"
SPACES = (
    'xmlns="DAV:" xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/" xmlns:C="urn:ietf:params:xml:ns:caldav"'
    ' xmlns:A="urn:ietf:params:xml:ns:carddav" xmlns:IC="http://apple.com/ns/ical/"'
)


@pytest.fixture
def desktop(world: World) -> EngineDav:
    client = world.client()
    client.headers = {
        "User-Agent": "Evolution/3.56.2",
        "Connection": "close",
        "Cache-Control": "no-cache",
        "Pragma": "no-cache",
        "Content-Type": "application/xml; charset=utf-8",
        "Accept-Encoding": "gzip, deflate, br",
    }
    return client


def propfind(dav: EngineDav, path: str, names: str, *, depth: str = "0") -> Multistatus:
    inside = "".join(f"<{name}/>" for name in names.split())
    body = f'<?xml version="1.0" encoding="utf-8"?>\n<propfind {SPACES}><prop>{inside}</prop></propfind>'
    return dav("PROPFIND", path, body, Depth=depth).multistatus()


def query(dav: EngineDav, component: str, inside: str = "") -> Multistatus:
    body = (
        f'<?xml version="1.0" encoding="utf-8"?>\n<C:calendar-query {SPACES}><D:prop><D:getetag/></D:prop><C:filter>'
        f'<C:comp-filter name="VCALENDAR"><C:comp-filter name="{component}">{inside}</C:comp-filter></C:comp-filter>'
        "</C:filter></C:calendar-query>"
    )
    return dav("REPORT", CALENDAR, body, Depth="1").multistatus()


def test_what_a_source_can_do_is_asked_with_options(desktop: EngineDav) -> None:
    for path, token in ((CALENDAR, "calendar-access"), (BOOK, "addressbook")):
        answer = desktop("OPTIONS", path)

        allow = {name.strip() for name in answer.headers["allow"].split(",")}
        tokens = {name.strip() for name in answer.headers["dav"].split(",")}
        assert answer.status == 200
        assert token in tokens
        # Evolution opens a source for writing only where PUT, POST or DELETE is allowed.
        assert allow & {"PUT", "POST", "DELETE"}
        assert {"PROPFIND", "REPORT"} <= allow


def test_an_account_finds_calendars_tasks_and_books(world: World, desktop: EngineDav) -> None:
    world.add_collection("tasks", components=("VTODO",))
    root = propfind(
        desktop,
        "/",
        "resourcetype current-user-principal principal-URL C:calendar-home-set C:calendar-user-address-set"
        " A:addressbook-home-set",
    ).only()
    principal = root.hrefs(DAV + "current-user-principal")[0]
    home = propfind(
        desktop,
        principal,
        "resourcetype current-user-principal C:calendar-home-set C:calendar-user-address-set A:addressbook-home-set",
    ).only()
    found = propfind(
        desktop,
        home.hrefs(CALDAV + "calendar-home-set")[0],
        "resourcetype displayname owner current-user-privilege-set C:calendar-description"
        " C:supported-calendar-component-set IC:calendar-color IC:calendar-order A:addressbook-description",
        depth="1",
    )

    assert home.hrefs(CALDAV + "calendar-user-address-set")[0] == "mailto:anna@example.org"
    assert home.hrefs(CARDDAV + "addressbook-home-set") == ["/anna/"]
    assert set(found) - not_collections("/anna/") == {"/anna/", CALENDAR, "/anna/tasks/", BOOK}
    tasks = found["/anna/tasks/"].values[CALDAV + "supported-calendar-component-set"]
    assert [node.get("name") for node in tasks] == ["VTODO"]


def test_the_ctag_is_polled_and_lists_are_compared(desktop: EngineDav, other: EngineDav) -> None:
    def ctag() -> str:
        return propfind(desktop, CALENDAR, "CS:getctag").only().text(CS + "getctag")

    other.put(CALENDAR + "a.ics", event("a"))
    other.put(CALENDAR + "t.ics", task("t"))
    before, known = ctag(), query(desktop, "VEVENT")
    assert ctag() == before
    other.put(CALENDAR + "a.ics", event("a", summary="new"))
    after, now = ctag(), query(desktop, "VEVENT")

    assert known.names == now.names == ["a.ics"]
    assert query(desktop, "VTODO").names == ["t.ics"]
    assert before != after
    assert known[CALENDAR + "a.ics"].etag != now[CALENDAR + "a.ics"].etag


def test_objects_are_fetched_written_and_deleted(desktop: EngineDav, other: EngineDav) -> None:
    other.put(CALENDAR + "a.ics", event("a"))
    body = (
        f'<?xml version="1.0" encoding="utf-8"?>\n<C:calendar-multiget {SPACES}><D:prop><D:getetag/><C:calendar-data/>'
        f"</D:prop><D:href>{CALENDAR}a.ics</D:href></C:calendar-multiget>"
    )
    found = desktop("REPORT", CALENDAR, body, Depth="1").multistatus().only()
    assert found.text(CALDAV + "calendar-data") == event("a").decode()

    media = {"Content-Type": "text/calendar; charset=utf-8"}
    made = desktop("PUT", CALENDAR + "new.ics", event("new"), If_None_Match="*", **media)
    changed = desktop("PUT", CALENDAR + "a.ics", event("a", summary="mine"), If_Match=found.etag, **media)
    stale = desktop("PUT", CALENDAR + "a.ics", event("a", summary="late"), If_Match=found.etag, **media)
    read = desktop.get(CALENDAR + "new.ics", Accept="text/calendar")

    assert (made.status, changed.status, stale.status) == (201, 204, 412)
    # "Missing ETag" is an error there.
    assert made.etag == read.etag
    assert desktop.delete(CALENDAR + "a.ics", If_Match=changed.etag or "").status == 204
    assert query(desktop, "VEVENT").names == ["new.ics"]


def test_free_busy_of_others_is_looked_for_by_address(desktop: EngineDav) -> None:
    body = (
        f'<?xml version="1.0" encoding="utf-8"?>\n<principal-property-search {SPACES}><property-search><prop>'
        "<C:calendar-user-address-set/></prop><match>mailto:berta@example.org</match></property-search><prop>"
        "<C:schedule-inbox-URL/><displayname/></prop></principal-property-search>"
    )

    answer = desktop("REPORT", "/", body, Depth="0").multistatus()

    assert list(answer) == ["/berta/"]


def test_own_free_busy_is_a_report(desktop: EngineDav, other: EngineDav) -> None:
    other.put(CALENDAR + "a.ics", event("a"))
    body = (
        f'<?xml version="1.0" encoding="utf-8"?>\n<C:free-busy-query {SPACES}>'
        '<C:time-range start="20260301T000000Z" end="20260302T000000Z"/></C:free-busy-query>'
    )

    answer = desktop("REPORT", CALENDAR, body, Depth="1")

    assert answer.status == 200
    assert "FREEBUSY:20260301T080000Z/20260301T090000Z" in answer.text


def test_contacts_use_tokens_and_searches(desktop: EngineDav, other: EngineDav) -> None:
    def sync(token: str = "") -> Multistatus:
        body = (
            f'<?xml version="1.0" encoding="utf-8"?>\n<sync-collection {SPACES}><sync-token>{token}</sync-token>'
            "<sync-level>1</sync-level><prop><getetag/></prop></sync-collection>"
        )
        return desktop("REPORT", BOOK, body, Depth="1").multistatus()

    first = sync()
    other.put(BOOK + "a.vcf", card("a"))
    second = sync(first.token)
    media = {"Content-Type": "text/vcard; charset=utf-8"}
    mine = desktop("PUT", BOOK + "b.vcf", card("b", name="Zoë Ünal"), If_None_Match="*", **media)
    third = sync(second.token)

    assert (first.names, second.names, third.names) == ([], ["a.vcf"], ["b.vcf"])
    assert third[BOOK + "b.vcf"].etag == mine.etag


def test_a_calendar_is_made_changed_and_removed_in_the_browser_for_collections(desktop: EngineDav) -> None:
    path = "/anna/3f2b8f5e9c/"
    body = (
        f'<?xml version="1.0" encoding="utf-8"?>\n<C:mkcalendar {SPACES}><set><prop><displayname>Neu</displayname>'
        "<C:calendar-description>Text</C:calendar-description><IC:calendar-color>#729fcf</IC:calendar-color>"
        '<C:supported-calendar-component-set><C:comp name="VEVENT"/></C:supported-calendar-component-set>'
        "</prop></set></C:mkcalendar>"
    )
    patch = (
        f'<?xml version="1.0" encoding="utf-8"?>\n<propertyupdate {SPACES}><set><prop><displayname>Alt</displayname>'
        "</prop></set><remove><prop><C:calendar-description/></prop></remove></propertyupdate>"
    )

    assert desktop("MKCALENDAR", path, body).status == 201
    desktop("PROPPATCH", path, patch).multistatus()
    found = propfind(desktop, path, "displayname C:calendar-description IC:calendar-color").only()
    assert found.text(DAV + "displayname") == "Alt"
    assert found.others == {CALDAV + "calendar-description": 404}
    assert desktop.delete(path).status == 204
