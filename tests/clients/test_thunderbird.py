"""Thunderbird: discovery, webdav-sync, and what it asks the user after a 412."""

from __future__ import annotations

import pytest

from davclient import CALDAV, CARDDAV, CS, DAV, Multistatus
from davsamples import card, event, task
from enginedav import EngineDav, World

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
CALENDAR, BOOK = "/anna/calendar/", "/anna/contacts/"
SPACES = "xmlns:D='DAV:' xmlns:CS='http://calendarserver.org/ns/' xmlns:C='urn:ietf:params:xml:ns:caldav'"


@pytest.fixture
def bird(world: World) -> EngineDav:
    client = world.client()
    client.headers = {
        "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.0",
        "Accept": "text/xml",
        "Accept-Language": "de,en-US;q=0.7,en;q=0.3",
        "Accept-Charset": "utf-8,*;q=0.1",
        "Content-Type": "text/xml; charset=utf-8",
        "Cache-Control": "no-cache",
        "Pragma": "no-cache",
    }
    return client


def propfind(dav: EngineDav, path: str, names: str, *, depth: str = "0") -> Multistatus:
    inside = "".join(f"<{name}/>" for name in names.split())
    body = f"{HEAD}<D:propfind {SPACES} xmlns:A='http://apple.com/ns/ical/' xmlns:CR='urn:ietf:params:xml:ns:carddav'>"
    return dav("PROPFIND", path, f"{body}<D:prop>{inside}</D:prop></D:propfind>", Depth=depth).multistatus()


DETECTED = (
    "D:resourcetype D:owner D:displayname D:current-user-principal D:current-user-privilege-set A:calendar-color"
    " C:calendar-home-set"
)


def test_calendars_are_detected_from_the_root(bird: EngineDav) -> None:
    root = propfind(bird, "/", DETECTED).only()
    principal = propfind(bird, root.hrefs(DAV + "current-user-principal")[0], DETECTED).only()
    home = propfind(bird, principal.hrefs(CALDAV + "calendar-home-set")[0], DETECTED, depth="1")

    calendars = [
        href
        for href, one in home.found.items()
        if one.values[DAV + "resourcetype"].find(CALDAV + "calendar") is not None
    ]
    assert calendars == [CALENDAR]
    assert home[CALENDAR].text(DAV + "displayname") == "calendar"
    granted = {node[0].tag for node in home[CALENDAR].values[DAV + "current-user-privilege-set"]}
    # It is offered as writable where one of these is there.
    assert granted & {DAV + "write", DAV + "write-content", DAV + "write-properties", DAV + "all"}


def test_a_calendar_is_checked_before_it_is_used(bird: EngineDav) -> None:
    found = propfind(
        bird,
        CALENDAR,
        "D:resourcetype D:owner D:current-user-principal D:current-user-privilege-set D:supported-report-set"
        " C:supported-calendar-component-set CS:getctag",
    ).only()
    options = bird("OPTIONS", "/anna/")

    reports = {node.tag for node in found.values[DAV + "supported-report-set"].iter()}
    assert {DAV + "sync-collection", CALDAV + "calendar-multiget"} <= reports
    assert "calendar-access" in options.headers["dav"]
    # While there is no scheduling it must not be announced, or Thunderbird asks for boxes.
    assert "calendar-schedule" not in options.headers["dav"]
    assert "calendar-auto-schedule" not in options.headers["dav"]


def test_the_principals_are_found_by_their_home(bird: EngineDav) -> None:
    names = propfind(bird, "/anna/", "D:principal-collection-set").only()
    body = (
        f"{HEAD}<D:principal-property-search {SPACES}><D:property-search><D:prop><C:calendar-home-set/></D:prop>"
        "<D:match>/anna/</D:match></D:property-search><D:prop><C:calendar-home-set/><C:calendar-user-address-set/>"
        "<C:schedule-inbox-URL/><C:schedule-outbox-URL/></D:prop></D:principal-property-search>"
    )

    answer = bird("REPORT", names.hrefs(DAV + "principal-collection-set")[0], body, Depth="0")

    # Only asked for the boxes of scheduling: nobody, or the user.
    assert set(answer.multistatus()) <= {"/anna/"}


def sync(dav: EngineDav, path: str, token: str = "") -> Multistatus:
    inside = f"<sync-token>{token}</sync-token>" if token else "<sync-token/>"
    body = (
        f'{HEAD}<sync-collection xmlns="DAV:">{inside}<sync-level>1</sync-level>'
        "<prop><getcontenttype/><getetag/></prop></sync-collection>"
    )
    return dav("REPORT", path, body, Depth="1").multistatus()


def multiget(dav: EngineDav, path: str, hrefs: list[str]) -> Multistatus:
    listed = "".join(f"<D:href>{href}</D:href>" for href in hrefs)
    body = (
        f'{HEAD}<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/>'
        f"<C:calendar-data/></D:prop>{listed}</C:calendar-multiget>"
    )
    return dav("REPORT", path, body, Depth="1").multistatus()


def known_after(bird: EngineDav, known: dict[str, str], token: str) -> tuple[dict[str, str], str]:
    found = sync(bird, CALENDAR, token)
    known = dict(known)
    wanted = []
    for href, one in found.found.items():
        if one.status == 404:
            known.pop(href, None)
        elif one.text(DAV + "getcontenttype").startswith("text/calendar") and known.get(href) != one.etag:
            wanted.append(href)
    for begin in range(0, len(wanted), 100):
        for href, one in multiget(bird, CALENDAR, wanted[begin : begin + 100]).found.items():
            assert one.text(CALDAV + "calendar-data")
            known[href] = one.etag
    return known, found.token


def test_a_calendar_is_synced_and_edited(bird: EngineDav, other: EngineDav) -> None:
    for number in range(130):
        other.put(f"{CALENDAR}{number}.ics", event(str(number)))
    other.put(CALENDAR + "t.ics", task("t"))
    known, token = known_after(bird, {}, "")
    assert len(known) == 131

    path = CALENDAR + "0b9e7c1c-3b0e-4f0e-9a63-3c5f3f5b9f0a.ics"
    made = bird(
        "PUT", path, event("mine"), If_None_Match="*", **{"Content-Type": "text/calendar; charset=utf-8"}
    )
    changed = bird.put(CALENDAR + "1.ics", event("1", summary="mine"), If_Match=known[CALENDAR + "1.ics"])
    other.delete(CALENDAR + "2.ics")

    assert (made.status, changed.status) == (201, 204)
    # It takes the ETag of the answer, or fetches the object again where there is none.
    known[path] = made.etag or bird.get(path).etag or ""
    known[CALENDAR + "1.ics"] = changed.etag or ""
    assert known_after(bird, known, token)[0] == {k: v for k, v in known.items() if k != CALENDAR + "2.ics"}


def test_a_conflict_is_412_and_the_other_version_can_be_fetched(bird: EngineDav, other: EngineDav) -> None:
    etag = other.put(CALENDAR + "a.ics", event("a")).etag or ""
    other.put(CALENDAR + "a.ics", event("a", summary="theirs"))

    put = bird.put(CALENDAR + "a.ics", event("a", summary="mine"), If_Match=etag)
    deleted = bird.delete(CALENDAR + "a.ics", If_Match=etag)
    head = bird("HEAD", CALENDAR + "a.ics")
    # The user says: mine.
    again = bird.put(CALENDAR + "a.ics", event("a", summary="mine"))

    assert (put.status, deleted.status, head.status, again.status) == (412, 412, 200, 204)


def test_without_sync_the_ctag_says_whether_to_look(bird: EngineDav, other: EngineDav) -> None:
    before = propfind(bird, CALENDAR, "CS:getctag").only().text(CS + "getctag")
    other.put(CALENDAR + "a.ics", event("a"))
    after = propfind(bird, CALENDAR, "CS:getctag").only().text(CS + "getctag")
    listed = propfind(bird, CALENDAR, "D:getcontenttype D:resourcetype D:getetag", depth="1")

    assert before != after
    assert listed[CALENDAR + "a.ics"].text(DAV + "getcontenttype").startswith("text/calendar")


def test_contacts_are_synced(bird: EngineDav, other: EngineDav) -> None:
    home = (
        propfind(bird, "/anna/", "CR:addressbook-home-set").only().hrefs(CARDDAV + "addressbook-home-set")[0]
    )
    listed = propfind(
        bird,
        home,
        "D:resourcetype D:displayname D:current-user-privilege-set CS:getctag D:sync-token",
        depth="1",
    )
    assert listed[BOOK].values[DAV + "resourcetype"].find(CARDDAV + "addressbook") is not None
    other.put(BOOK + "a.vcf", card("a"))

    found = sync(bird, BOOK, listed[BOOK].text(DAV + "sync-token"))
    body = (
        f'{HEAD}<addressbook-multiget xmlns="urn:ietf:params:xml:ns:carddav" xmlns:d="DAV:"><d:prop><d:getetag/>'
        f"<address-data/></d:prop><d:href>{BOOK}a.vcf</d:href></addressbook-multiget>"
    )
    data = bird("REPORT", BOOK, body, Depth="1").multistatus()
    etag = data.only().etag
    changed = card("a", more="NOTE:changed", version="3.0")

    assert found.names == ["a.vcf"]
    assert data.only().text(CARDDAV + "address-data") == card("a").decode()
    put = bird("PUT", BOOK + "a.vcf", changed, If_Match=etag, **{"Content-Type": "text/vcard"})
    assert put.status == 204
