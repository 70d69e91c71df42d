"""From a host name to the collections (RFC 6764 5 and 6, RFC 5397, RFC 3744), over HTTP."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from davclient import CALDAV, CARDDAV, CS, DAV, Dav, not_collections, propfind_body
from davsamples import event
from serverprocess import tagwerk


@pytest.fixture
def nobody(server):
    client = Dav(server.url, None)
    yield client
    client.close()


@pytest.mark.parametrize("service", ["caldav", "carddav"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PROPFIND", "OPTIONS", "REPORT"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_well_known_redirects_with_and_without_credentials(dav, nobody, service, method, slash):
    for client in (dav, nobody):
        answer = client(method, f"/.well-known/{service}{slash}")

        assert answer.status in (301, 302, 303, 307, 308)
        assert urlsplit(answer.headers["location"]).path == "/"


def test_the_whole_way_from_the_host_to_the_collections(dav):
    path = urlsplit(dav("PROPFIND", "/.well-known/caldav").headers["location"]).path

    (principal,) = (
        dav.propfind(path, DAV + "current-user-principal").only().hrefs(DAV + "current-user-principal")
    )
    homes = dav.propfind(principal, CALDAV + "calendar-home-set", CARDDAV + "addressbook-home-set").only()
    (home,) = homes.hrefs(CALDAV + "calendar-home-set")
    (books,) = homes.hrefs(CARDDAV + "addressbook-home-set")

    assert home in dav.propfind(home, DAV + "resourcetype", depth="1").found
    assert books in dav.propfind(books, DAV + "resourcetype", depth="1").found


def test_the_principal_says_who_it_is(account):
    found = account.propfind(
        f"/{account.user}/",
        DAV + "displayname",
        DAV + "principal-URL",
        DAV + "resourcetype",
        DAV + "owner",
        DAV + "current-user-privilege-set",
        CALDAV + "calendar-user-address-set",
        CALDAV + "calendar-user-type",
        CS + "email-address-set",
    ).only()

    assert found.text(DAV + "displayname") == f"User {account.user}"
    assert found.hrefs(DAV + "principal-URL") == [f"/{account.user}/"]
    assert found.values[DAV + "resourcetype"].find(DAV + "principal") is not None
    assert f"mailto:{account.user}@example.org" in found.hrefs(CALDAV + "calendar-user-address-set")
    assert found.text(CALDAV + "calendar-user-type") == "INDIVIDUAL"


def test_the_owner_may_do_everything_with_a_collection(dav, calendar):
    privileges = {node[0].tag for node in dav.value(calendar, DAV + "current-user-privilege-set")}

    assert {DAV + name for name in ("read", "write", "write-content", "bind", "unbind")} <= privileges


@pytest.mark.parametrize(
    "method", ["PROPFIND", "GET", "REPORT", "PUT", "DELETE", "MKCALENDAR", "MOVE", "PROPPATCH"]
)
def test_nobody_is_asked_to_log_in(nobody, calendar, method):
    answer = nobody(method, calendar)

    assert answer.status == 401
    assert answer.headers["www-authenticate"].lower().startswith("basic realm=")
    assert 'charset="utf-8"' in answer.headers["www-authenticate"].lower()
    assert answer.sentence


def test_everything_works_below_a_prefix(new_server):
    server = new_server(server_base_path="/dav")
    tagwerk("user", "add", "anna", "--password-stdin", "--data", server.data, stdin="secret\n")
    client = Dav(server.url)

    for well_known in ("/.well-known/caldav", "/dav/.well-known/carddav"):
        assert urlsplit(client("PROPFIND", well_known).headers["location"]).path == "/dav/"
    (principal,) = (
        client.propfind("/dav/", DAV + "current-user-principal").only().hrefs(DAV + "current-user-principal")
    )
    assert principal == "/dav/anna/"
    (home,) = (
        client.propfind(principal, CALDAV + "calendar-home-set").only().hrefs(CALDAV + "calendar-home-set")
    )
    found = client.propfind(home, DAV + "resourcetype", depth="1")
    assert "/dav/anna/calendar/" in found.found
    assert client.put("/dav/anna/calendar/a.ics", event("a")).status == 201
    assert client.sync("/dav/anna/calendar/").multistatus().found.keys() == {"/dav/anna/calendar/a.ics"}
    assert client.multiget("/dav/anna/calendar/", "/dav/anna/calendar/a.ics").multistatus().names == ["a.ics"]
    assert client.move("/dav/anna/calendar/a.ics", "/dav/anna/calendar/b.ics").status == 201
    client.close()


def test_what_apple_asks_for_at_depth_1_of_the_home(account):
    body = propfind_body(
        *(
            DAV + name
            for name in ("add-member", "displayname", "owner", "quota-available-bytes", "quota-used-bytes")
        ),
        *(DAV + name for name in ("resource-id", "resourcetype", "supported-report-set", "sync-token")),
        *(DAV + "current-user-privilege-set" for _ in (1,)),
        *(CALDAV + name for name in ("calendar-description", "calendar-free-busy-set", "calendar-order")),
        *(
            CALDAV + name
            for name in ("calendar-timezone", "schedule-calendar-transp", "schedule-default-calendar-URL")
        ),
        *(
            CALDAV + name
            for name in ("supported-calendar-component-set", "supported-calendar-component-sets")
        ),
        *(CALDAV + name for name in ("default-alarm-vevent-date", "default-alarm-vevent-datetime")),
        *(
            CS + name
            for name in (
                "allowed-sharing-modes",
                "getctag",
                "pre-publish-url",
                "publish-url",
                "push-transports",
            )
        ),
        *(
            CS + name
            for name in ("pushkey", "refreshrate", "source", "subscribed-strip-alarms", "xmpp-server")
        ),
        "{http://apple.com/ns/ical/}calendar-color",
        "{http://apple.com/ns/ical/}calendar-order",
        "{http://me.com/_namespace/}bulk-requests",
    )

    home = f"/{account.user}/"
    found = account("PROPFIND", home, body, Depth="1").multistatus()

    assert set(found) - not_collections(home) == {
        home,
        *(home + name for name in ("calendar/", "tasks/", "contacts/")),
    }
    for one in found.found.values():
        assert DAV + "resourcetype" in one.values
        assert set(one.others.values()) <= {404}
