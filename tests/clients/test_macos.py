"""macOS: Calendar and Contacts.

Calendar asks for delegates with expand-property and looks for people as one types; Contacts takes
the first home it is told, and knows groups as cards of their own kind.
"""

from __future__ import annotations

import pytest
from appleclient import (
    CONTACTS,
    HOME,
    MACOS,
    ME,
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

from davclient import CALDAV, CARDDAV, CS, DAV
from davsamples import card, event, lines
from enginedav import EngineDav, World

BOOK = "/anna/contacts/"
CALENDAR = "/anna/calendar/"


@pytest.fixture
def mac(world: World) -> EngineDav:
    """Calendar."""
    return device(world, MACOS)


@pytest.fixture
def contacts(world: World) -> EngineDav:
    """Contacts."""
    return device(world, CONTACTS)


def test_an_account_is_set_up(mac: EngineDav) -> None:
    principal = propfind(mac, "/", *WHO).only().hrefs(DAV + "current-user-principal")[0]
    found = propfind(mac, principal, *PRINCIPAL).only()
    home = found.hrefs(CALDAV + "calendar-home-set")[0]

    reports = {node.tag for node in found.values[DAV + "supported-report-set"].iter()}
    assert {DAV + "expand-property", DAV + "principal-property-search"} <= reports
    assert CALENDAR in propfind(mac, home, *HOME, depth="1")


def test_delegates_are_asked_for_with_expand_property(mac: EngineDav) -> None:
    inner = (
        '<A:property name="email-address-set" namespace="http://calendarserver.org/ns/"/>'
        '<A:property name="displayname" namespace="DAV:"/>'
        '<A:property name="calendar-user-address-set" namespace="urn:ietf:params:xml:ns:caldav"/>'
    )
    asked = "".join(
        f'<A:property name="{name}" namespace="http://calendarserver.org/ns/">{inner}</A:property>'
        for name in ("calendar-proxy-write-for", "calendar-proxy-read-for")
    )

    answer = mac("REPORT", "/anna/", root("expand-property", asked), Depth="0")

    # Nobody has delegates here: the properties are not there, and the account goes on without.
    assert answer.status == 207
    assert list(answer.multistatus()) == ["/anna/"]


def test_the_quota_and_the_availability_of_the_home_are_asked_for(mac: EngineDav) -> None:
    quota = propfind(mac, "/anna/", DAV + "quota-available-bytes", DAV + "quota-used-bytes").only()
    availability = propfind(mac, "/anna/", CS + "calendar-availability").only()

    assert quota.text(DAV + "quota-used-bytes") == "0"
    assert not availability.values


def test_people_are_found_as_one_types(mac: EngineDav) -> None:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<C:calendarserver-principal-search xmlns:C="http://calendarserver.org/ns/"'
        ' xmlns:A="DAV:" context="attendee"><C:search-token>bert</C:search-token><C:search-token>weiß</C:search-token>'
        "<C:limit><C:nresults>50</C:nresults></C:limit>"
        f"{prop(DAV + 'displayname', CS + 'email-address-set', CALDAV + 'calendar-user-address-set', CALDAV + 'calendar-user-type', CS + 'record-type', DAV + 'principal-URL')}"
        "</C:calendarserver-principal-search>"
    )

    found = mac("REPORT", "/", body, Depth="0").multistatus()

    assert found.only().href == "/berta/"
    assert found.only().hrefs(CALDAV + "calendar-user-address-set")[0] == "mailto:berta@example.org"


def test_people_are_found_by_an_older_version_too(mac: EngineDav) -> None:
    def search(name: str) -> str:
        return f'<A:property-search><A:prop>{element(name)}</A:prop><A:match match-type="starts-with">berta</A:match></A:property-search>'

    inside = search(DAV + "displayname") + search(CS + "email-address-set") + search(CS + "first-name")
    body = root("principal-property-search", inside + prop(*PRINCIPAL)).replace(
        "search xmlns", 'search type="INDIVIDUAL" test="anyof" xmlns', 1
    )

    found = mac("REPORT", "/", body, Depth="0").multistatus()

    assert list(found) == ["/berta/"]


def test_a_calendar_is_read_and_a_whole_series_is_edited(mac: EngineDav, other: EngineDav) -> None:
    other.put(CALENDAR + "a.ics", event("a", more="RRULE:FREQ=WEEKLY"))
    listed = propfind(mac, CALENDAR, DAV + "getcontenttype", DAV + "getetag", depth="1")
    etag = listed[CALENDAR + "a.ics"].etag
    data = multiget(mac, CALENDAR, [CALENDAR + "a.ics"], CALDAV + "calendar-data", DAV + "getetag")

    changed = (
        data[CALENDAR + "a.ics"]
        .text(CALDAV + "calendar-data")
        .replace(
            "END:VCALENDAR",
            "BEGIN:VEVENT\r\nUID:a\r\nDTSTAMP:20260101T000000Z\r\nRECURRENCE-ID:20260308T080000Z\r\n"
            "DTSTART:20260308T100000Z\r\nDURATION:PT1H\r\nSUMMARY:later\r\nEND:VEVENT\r\nEND:VCALENDAR",
        )
    )
    answer = mac.put(CALENDAR + "a.ics", changed, If_Match=etag)

    assert answer.status == 204
    assert other.get(CALENDAR + "a.ics").body == changed.encode()


# Contacts

CONTACTS_PRINCIPAL = (
    CARDDAV + "addressbook-home-set",
    CARDDAV + "directory-gateway",
    DAV + "displayname",
    CS + "email-address-set",
    DAV + "principal-collection-set",
    DAV + "principal-URL",
    DAV + "resource-id",
    DAV + "supported-report-set",
)
CONTACTS_HOME = (
    DAV + "add-member",
    ME + "bulk-requests",
    DAV + "current-user-privilege-set",
    DAV + "displayname",
    CARDDAV + "max-image-size",
    CARDDAV + "max-resource-size",
    CS + "me-card",
    DAV + "owner",
    CS + "push-transports",
    CS + "pushkey",
    DAV + "quota-available-bytes",
    DAV + "quota-used-bytes",
    DAV + "resource-id",
    DAV + "resourcetype",
    DAV + "supported-report-set",
    DAV + "sync-token",
    CS + "getctag",
)


def test_contacts_find_the_address_book(contacts: EngineDav) -> None:
    principal = propfind(contacts, "/", *WHO).only().hrefs(DAV + "current-user-principal")[0]
    found = propfind(contacts, principal, *CONTACTS_PRINCIPAL).only()
    home = found.hrefs(CARDDAV + "addressbook-home-set")[0]
    listed = propfind(contacts, home, *CONTACTS_HOME, depth="1")

    books = [
        href
        for href, one in listed.found.items()
        if one.values[DAV + "resourcetype"].find(CARDDAV + "addressbook") is not None
    ]
    assert books == [BOOK]
    reports = {node.tag for node in listed[BOOK].values[DAV + "supported-report-set"].iter()}
    assert {DAV + "sync-collection", CARDDAV + "addressbook-multiget"} <= reports


def test_contacts_are_synced_and_edited_with_photos_and_groups(contacts: EngineDav, other: EngineDav) -> None:
    photo = "PHOTO;ENCODING=b;TYPE=JPEG;X-ABCROP-RECTANGLE=ABClipRect_1&0&0&10&10&x==:" + "/9j/4AAQ" * 40
    theirs = card(
        "a", more=photo + "\nitem1.EMAIL;type=INTERNET;type=pref:a@example.org\nitem1.X-ABLabel:_$!<Work>!$_"
    )
    other.put(BOOK + "a.vcf", theirs)
    first = sync(contacts, BOOK)
    got = multiget(contacts, BOOK, [BOOK + "a.vcf"], DAV + "getetag", CARDDAV + "address-data", card=True)
    assert got.only().text(CARDDAV + "address-data") == theirs.decode()

    group = lines(
        "BEGIN:VCARD\nVERSION:3.0\nPRODID:-//Apple Inc.//macOS 15.1//EN\nN:Freunde\nFN:Freunde\n"
        "X-ADDRESSBOOKSERVER-KIND:group\nX-ADDRESSBOOKSERVER-MEMBER:urn:uuid:a\nREV:2026-01-01T00:00:00Z\n"
        "UID:3B5D2A10-7C3C-4B6D-A2E7-0C6B0F1D2E3F\nEND:VCARD\n"
    )
    path = BOOK + "3B5D2A10-7C3C-4B6D-A2E7-0C6B0F1D2E3F.vcf"
    made = contacts("PUT", path, group, If_None_Match="*", **{"Content-Type": "text/vcard; charset=utf-8"})

    assert made.status == 201
    assert other.get(path).body == group
    after = sync(contacts, BOOK, first.token)
    assert after.names == [path.removeprefix(BOOK)]
    assert contacts.delete(path, If_Match=made.etag or "").status == 204
    assert sync(contacts, BOOK, after.token).gone == [path.removeprefix(BOOK)]


def test_the_card_of_the_owner_can_be_set(contacts: EngineDav) -> None:
    contacts.put(BOOK + "me.vcf", card("me"))
    proppatch(contacts, "/anna/", element(CS + "me-card", f"<A:href>{BOOK}me.vcf</A:href>"))

    assert propfind(contacts, "/anna/", CS + "me-card").only().hrefs(CS + "me-card") == [BOOK + "me.vcf"]


def test_a_search_as_contacts_sends_it_finds_by_any_field(contacts: EngineDav, other: EngineDav) -> None:
    other.put(BOOK + "a.vcf", card("a", name="Anna Groß", more="EMAIL:x@example.org"))
    other.put(BOOK + "b.vcf", card("b", name="Berta Klein", more="EMAIL:gross@example.org"))
    other.put(BOOK + "c.vcf", card("c", name="Carl Lang"))
    fields = "".join(
        f'<F:prop-filter name="{name}" test="allof"><F:text-match collation="i;unicode-casemap" match-type="contains">'
        "gross</F:text-match></F:prop-filter>"
        for name in ("FN", "EMAIL", "NICKNAME", "ORG")
    )
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<F:addressbook-query xmlns:F="urn:ietf:params:xml:ns:carddav" xmlns:A="DAV:">'
        f'<A:prop><A:getetag/><F:address-data/></A:prop><F:filter test="anyof">{fields}</F:filter>'
        "<F:limit><F:nresults>50</F:nresults></F:limit></F:addressbook-query>"
    )

    found = contacts("REPORT", BOOK, body, Depth="1").multistatus()

    assert found.names == ["a.vcf", "b.vcf"]
