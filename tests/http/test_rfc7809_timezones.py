"""Time zones by reference (RFC 7809) and the service that distributes them (RFC 7808), over HTTP."""

from __future__ import annotations

import json

import pytest

from davclient import CALDAV, Dav

BARE = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nBEGIN:VEVENT\r\nUID:bare\r\nDTSTAMP:20260101T000000Z\r\n"
    "DTSTART;TZID=Europe/Berlin:20260701T100000\r\nSUMMARY:Bare\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
DATA = CALDAV + "calendar-data"


@pytest.fixture
def bare(account):
    path = f"/{account.user}/calendar/bare.ics"
    assert account.put(path, BARE).status == 201
    return path


def test_an_object_without_vtimezone_comes_with_one_where_it_is_asked_for(bare, account):
    plain = account.get(bare)
    full = account.get(bare, **{"CalDAV-Timezones": "T"})

    assert plain.text == BARE
    assert full.text.count("BEGIN:VTIMEZONE") == 1
    assert "TZID:Europe/Berlin" in full.text
    assert full.etag == plain.etag


def test_a_report_gives_the_zones_that_the_header_asks_for(bare, account):
    calendar = f"/{account.user}/calendar/"
    full = account.put(
        calendar + "full.ics", account.get(bare, **{"CalDAV-Timezones": "T"}).text.replace("bare", "full")
    )
    assert full.status == 201

    body = (
        '<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><C:calendar-data/></D:prop>'
        f"<D:href>{bare}</D:href><D:href>{calendar}full.ics</D:href></C:calendar-multiget>"
    )
    counts = {}
    for choice in ("T", "F"):
        found = account.report(calendar, body, **{"CalDAV-Timezones": choice}).multistatus()
        counts[choice] = [found[href].text(DATA).count("BEGIN:VTIMEZONE") for href in found]

    assert counts == {"T": [1, 1], "F": [0, 0]}


def test_the_two_names_of_a_calendars_zone_agree(account):
    calendar = f"/{account.user}/calendar/"

    account.proppatch(calendar, set="<C:calendar-timezone-id>America/New_York</C:calendar-timezone-id>")
    found = account.propfind(calendar, CALDAV + "calendar-timezone", CALDAV + "calendar-timezone-id").only()

    assert found.text(CALDAV + "calendar-timezone-id") == "America/New_York"
    assert "TZID:America/New_York" in found.text(CALDAV + "calendar-timezone")

    own = "BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nTZID:Asia/Tokyo\r\nEND:VTIMEZONE\r\nEND:VCALENDAR\r\n"
    account.proppatch(calendar, set=f"<C:calendar-timezone>{own}</C:calendar-timezone>")
    found = account.propfind(calendar, CALDAV + "calendar-timezone", CALDAV + "calendar-timezone-id").only()

    assert found.text(CALDAV + "calendar-timezone-id") == "Asia/Tokyo"
    assert "TZID:Asia/Tokyo" in found.text(CALDAV + "calendar-timezone")


def test_a_zone_that_nobody_knows_is_refused(account):
    answer = account.proppatch(
        f"/{account.user}/calendar/", set="<C:calendar-timezone-id>Our/Valley</C:calendar-timezone-id>"
    )

    assert "valid-timezone" in answer.text


def test_the_home_names_a_service_that_gives_the_zones(account, server):
    (service,) = (
        account.propfind(f"/{account.user}/", CALDAV + "timezone-service-set")
        .only()
        .hrefs(CALDAV + "timezone-service-set")
    )
    nobody = Dav(server.url, None)

    capabilities = json.loads(nobody.get(f"{service}/capabilities").text)
    zones = json.loads(nobody.get(f"{service}/zones").text)
    berlin = nobody.get(f"{service}/zones/Europe/Berlin")
    encoded = nobody.get(f"{service}/zones/Europe%2FBerlin")
    unknown = nobody.get(f"{service}/zones/Our/Valley")
    again = nobody.get(f"{service}/zones/Europe/Berlin", **{"If-None-Match": berlin.etag or ""})
    well_known = nobody("GET", "/.well-known/timezone")
    nobody.close()

    assert capabilities["version"] == 1
    assert "Europe/Berlin" in {zone["tzid"] for zone in zones["timezones"]}
    assert "TZID:Europe/Berlin" in berlin.text
    assert encoded.text == berlin.text
    assert (unknown.status, again.status) == (404, 304)
    assert well_known.headers["location"].endswith(service)
