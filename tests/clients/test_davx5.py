"""DAVx5 (dav4jvm) and the apps behind it: discovery, lists, sync with tokens, conditional edits."""

from __future__ import annotations

import pytest

from davclient import CALDAV, CARDDAV, CS, DAV, ICAL, Answer, Multistatus
from davsamples import card, event, task
from enginedav import EngineDav, World

HEAD = "<?xml version='1.0' encoding='UTF-8' ?>"
SPACES = 'xmlns="DAV:" xmlns:CAL="urn:ietf:params:xml:ns:caldav" xmlns:CARD="urn:ietf:params:xml:ns:carddav"'
CALENDAR, BOOK = "/anna/calendar/", "/anna/contacts/"

_PREFIXES = {DAV: "", CALDAV: "CAL:", CARDDAV: "CARD:"}
_OTHER = {CS: "http://calendarserver.org/ns/", ICAL: "http://apple.com/ns/ical/"}


@pytest.fixture
def phone(world: World) -> EngineDav:
    client = world.client()
    client.headers = {
        "User-Agent": "DAVx5/4.5.12-ose (dav4jvm; okhttp/5.1.0) Android/15",
        "Accept-Language": "de-DE, de;q=0.7, *;q=0.5",
        "Accept-Encoding": "br, gzip",
        "Content-Type": "application/xml; charset=utf-8",
    }
    return client


def element(name: str) -> str:
    namespace, _, local = name.rpartition("}")
    if (prefix := _PREFIXES.get(namespace + "}")) is not None:
        return f"<{prefix}{local} />"
    return f'<n0:{local} xmlns:n0="{namespace[1:]}" />'


def propfind(dav: EngineDav, path: str, *names: str, depth: str = "0") -> Multistatus:
    inside = "".join(map(element, names))
    return dav(
        "PROPFIND", path, f"{HEAD}<propfind {SPACES}><prop>{inside}</prop></propfind>", Depth=depth
    ).multistatus()


def sync(dav: EngineDav, path: str, token: str = "", *, limit: int = 0) -> Answer:
    most = f"<limit><nresults>{limit}</nresults></limit>" if limit else ""
    body = (
        f"{HEAD}<sync-collection {SPACES}><sync-token>{token}</sync-token><sync-level>1</sync-level>{most}"
        "<prop><getetag /></prop></sync-collection>"
    )
    return dav("REPORT", path, body, Depth="0")


def multiget(dav: EngineDav, path: str, hrefs: list[str]) -> Multistatus:
    card_data = '<CARD:address-data content-type="text/vcard" version="4.0" />'
    name, data = (
        ("CARD:addressbook", card_data) if path == BOOK else ("CAL:calendar", "<CAL:calendar-data />")
    )
    if name == "CAL:calendar":
        data += "<CAL:schedule-tag />"
    listed = "".join(f"<href>{href}</href>" for href in hrefs)
    body = f"{HEAD}<{name}-multiget {SPACES}><prop><getcontenttype /><getetag />{data}</prop>{listed}</{name}-multiget>"
    return dav("REPORT", path, body, Depth="0").multistatus()


def test_services_are_detected_from_the_root(phone: EngineDav) -> None:
    options = phone("OPTIONS", "/")
    found = propfind(
        phone,
        "/",
        CALDAV + "calendar-home-set",
        CARDDAV + "addressbook-home-set",
        DAV + "resourcetype",
        DAV + "displayname",
        CALDAV + "calendar-description",
        ICAL + "calendar-color",
        DAV + "current-user-privilege-set",
        DAV + "current-user-principal",
    ).only()

    assert {"calendar-access", "addressbook"} <= {
        token.strip() for token in options.headers["dav"].split(",")
    }
    assert found.hrefs(DAV + "current-user-principal") == ["/anna/"]


def test_homes_and_groups_of_the_principal(phone: EngineDav) -> None:
    found = propfind(
        phone,
        "/anna/",
        DAV + "displayname",
        DAV + "resourcetype",
        CALDAV + "calendar-home-set",
        CS + "calendar-proxy-read-for",
        CS + "calendar-proxy-write-for",
        CARDDAV + "addressbook-home-set",
        DAV + "group-membership",
        CALDAV + "calendar-user-address-set",
    ).only()

    assert found.hrefs(CALDAV + "calendar-home-set") == ["/anna/"]
    assert found.hrefs(CARDDAV + "addressbook-home-set") == ["/anna/"]
    assert found.hrefs(DAV + "group-membership") == []


def test_the_lists_of_a_home(phone: EngineDav) -> None:
    push = "{https://bitfire.at/webdav-push}"
    found = propfind(
        phone,
        "/anna/",
        DAV + "resourcetype",
        DAV + "displayname",
        DAV + "owner",
        DAV + "current-user-privilege-set",
        ICAL + "calendar-color",
        CALDAV + "calendar-description",
        CALDAV + "calendar-timezone",
        CALDAV + "calendar-timezone-id",
        CALDAV + "supported-calendar-component-set",
        CARDDAV + "addressbook-description",
        CS + "source",
        push + "transports",
        push + "topic",
        depth="1",
    )

    for path, kind in ((CALENDAR, CALDAV + "calendar"), (BOOK, CARDDAV + "addressbook")):
        one = found[path]
        assert one.values[DAV + "resourcetype"].find(kind) is not None
        granted = {node[0].tag for node in one.values[DAV + "current-user-privilege-set"]}
        assert {DAV + "read", DAV + "write-content", DAV + "bind", DAV + "unbind"} <= granted
        assert one.others[push + "topic"] == 404


def test_the_capabilities_of_a_collection(phone: EngineDav) -> None:
    calendar = propfind(
        phone,
        CALENDAR,
        CALDAV + "max-resource-size",
        DAV + "supported-report-set",
        CS + "getctag",
        DAV + "sync-token",
    ).only()
    book = propfind(
        phone,
        BOOK,
        CARDDAV + "max-resource-size",
        CARDDAV + "supported-address-data",
        DAV + "supported-report-set",
        CS + "getctag",
        DAV + "sync-token",
    ).only()

    for one in (calendar, book):
        assert DAV + "sync-collection" in {
            node.tag for node in one.values[DAV + "supported-report-set"].iter()
        }
        assert one.text(DAV + "sync-token")
    # vCard 4 is used where the address book says that it knows it.
    versions = {node.get("version") for node in book.values[CARDDAV + "supported-address-data"]}
    assert "4.0" in versions


def known_after(phone: EngineDav, path: str, known: dict[str, str], token: str) -> tuple[dict[str, str], str]:
    """DAVx5's sync: pages of changes, then multigets in batches of ten."""
    known = dict(known)
    wanted: list[str] = []
    while True:
        found = sync(phone, path, token).multistatus()
        for href, one in found.found.items():
            if one.status == 404:
                known.pop(href, None)
            elif href != path and known.get(href) != one.etag:
                wanted.append(href)
        token = found.token
        if not found.truncated:
            break
    for begin in range(0, len(wanted), 10):
        for href, one in multiget(phone, path, wanted[begin : begin + 10]).found.items():
            known[href] = one.etag
    return known, token


@pytest.mark.parametrize("path", [CALENDAR, BOOK])
def test_a_collection_is_synced_in_pages_and_edited(
    world: World, phone: EngineDav, other: EngineDav, path: str
) -> None:
    small = world.client(sync_page_size=7)
    small.headers = phone.headers
    suffix = "vcf" if path == BOOK else "ics"

    def body(uid: str, text: str = "x") -> bytes:
        return card(uid, name=f"Name {text}") if path == BOOK else event(uid, summary=text)

    for number in range(25):
        other.put(f"{path}{number}.{suffix}", body(str(number)))
    known, token = known_after(small, path, {}, "")
    assert len(known) == 25

    # Edits of others while nothing was synced, and own ones with and without luck.
    other.put(f"{path}3.{suffix}", body("3", "theirs"))
    other.delete(f"{path}4.{suffix}")
    lost = phone.put(f"{path}3.{suffix}", body("3", "mine"), If_Match=known[f"{path}3.{suffix}"])
    gone = phone.delete(f"{path}4.{suffix}", If_Match=known[f"{path}4.{suffix}"])
    won = phone.put(f"{path}5.{suffix}", body("5", "mine"), If_Match=known[f"{path}5.{suffix}"])
    twice = phone.put(f"{path}5.{suffix}", body("5", "again"), If_None_Match="*")
    new = phone.put(f"{path}new.{suffix}", body("new"), If_None_Match="*")

    assert (lost.status, won.status, twice.status, new.status) == (412, 204, 412, 201)
    assert gone.status in (404, 412)
    known, token = known_after(small, path, known, token)
    there = other.propfind(path, DAV + "getetag", depth="1")
    assert known == {href: there[href].etag for href in there if href != path}
    assert known_after(small, path, known, token) == (known, token)


def test_contacts_come_as_vcard_4_whatever_they_were(phone: EngineDav, other: EngineDav) -> None:
    other.put(BOOK + "a.vcf", card("a", more="TEL;TYPE=CELL:1\nX-ANNIVERSARY:2000-01-01"))
    other.put(BOOK + "b.vcf", card("b", version="4.0"))

    found = multiget(phone, BOOK, [BOOK + "a.vcf", BOOK + "b.vcf"])

    for one in found.found.values():
        assert "\r\nVERSION:4.0\r\n" in one.text(CARDDAV + "address-data")


def test_a_time_range_limits_what_is_synced_without_a_token(phone: EngineDav, other: EngineDav) -> None:
    other.put(CALENDAR + "old.ics", event("old", start="20200101T100000Z"))
    other.put(CALENDAR + "new.ics", event("new"))
    other.put(CALENDAR + "ever.ics", event("ever", start="19990101T100000Z", more="RRULE:FREQ=YEARLY"))
    other.put(CALENDAR + "task.ics", task("task"))

    def listed(component: str, inside: str) -> list[str]:
        body = (
            f'{HEAD}<CAL:calendar-query {SPACES}><prop><getetag /></prop><CAL:filter><CAL:comp-filter name="VCALENDAR">'
            f'<CAL:comp-filter name="{component}">{inside}</CAL:comp-filter></CAL:comp-filter></CAL:filter>'
            "</CAL:calendar-query>"
        )
        return phone("REPORT", CALENDAR, body, Depth="1").multistatus().names

    assert listed("VEVENT", '<CAL:time-range start="20251104T000000Z" />') == ["ever.ics", "new.ics"]
    assert listed("VTODO", "") == ["task.ics"]
    assert listed("VJOURNAL", "") == []


@pytest.mark.parametrize("kind", ["calendar", "addressbook"])
def test_collections_are_made_renamed_and_deleted(phone: EngineDav, kind: str) -> None:
    path = "/anna/7d1e0fd2-9d1b-4d0c-8a8e-2f0c1e7d9b3a/"
    if kind == "calendar":
        types, rest = "<CAL:calendar />", (
            '<n0:calendar-color xmlns:n0="http://apple.com/ns/ical/">#E57373FF</n0:calendar-color>'
            "<CAL:calendar-timezone-id>Europe/Berlin</CAL:calendar-timezone-id>"
            '<CAL:supported-calendar-component-set><CAL:comp name="VEVENT" /><CAL:comp name="VTODO" />'
            "</CAL:supported-calendar-component-set>"
        )  # fmt: skip
    else:
        types, rest = "<CARD:addressbook />", "<CARD:addressbook-description>d</CARD:addressbook-description>"
    body = (
        f"{HEAD}<mkcol {SPACES}><set><prop><resourcetype><collection />{types}</resourcetype>"
        f"<displayname>Neu</displayname>{rest}</prop></set></mkcol>"
    )

    assert phone("MKCOL", path, body).status == 201
    assert propfind(phone, path, DAV + "displayname").only().text(DAV + "displayname") == "Neu"
    assert phone.delete(path).status == 204
    assert phone("PROPFIND", path, Depth="0").status == 404


def test_an_invalid_token_starts_again(phone: EngineDav) -> None:
    answer = sync(phone, CALENDAR, "http://example.org/ns/sync/123")

    assert (answer.status, answer.condition) == (403, DAV + "valid-sync-token")
    assert sync(phone, CALENDAR).multistatus().token


def test_names_with_odd_characters_come_back_as_they_are_written(phone: EngineDav) -> None:
    for name in ("a%20b.ics", "a%40b.ics", "%C3%A4.ics", "a%0Ab.ics", "a+b.ics", "a%2Bb.ics", "%7Ba%7D.ics"):
        uid = name.replace("%", "")
        put = phone.put(CALENDAR + name, event(uid), If_None_Match="*")

        listed = [href for href in sync(phone, CALENDAR).multistatus() if href != CALENDAR]

        assert put.status == 201
        assert len(listed) == 1
        assert multiget(phone, CALENDAR, listed).only().etag == put.etag
        assert phone.delete(listed[0], If_Match=put.etag or "").status == 204
