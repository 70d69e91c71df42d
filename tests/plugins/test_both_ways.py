"""Stock Radicale and `tagwerk serve` on one database tell a client the same."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree

import pytest
from stock import card, event

from tagwerk import settings
from tagwerk.dav.engine import DavEngine
from tagwerk.dav.message import Request

CALENDAR, CONTACTS = "/anna/calendar/", "/anna/contacts/"
APPLE = "http://apple.com/ns/ical/"
SHARED = (
    "{DAV:}displayname",
    "{DAV:}getetag",
    "{DAV:}sync-token",
    "{DAV:}getlastmodified",
    f"{{{APPLE}}}calendar-color",
    "{urn:ietf:params:xml:ns:caldav}calendar-description",
)


@pytest.fixture
def serve(anna, engine, tmp_path):
    """A request to the DAV engine as `anna`: status, headers, body."""
    dav = DavEngine(engine, settings.load(None, data=tmp_path, environ=os.environ))

    def ask(method: str, path: str, body: str = "", **headers: str):
        response = dav.handle(Request(method, path, headers, body.encode(), "anna"))
        raw = response.body if isinstance(response.body, bytes) else b"".join(response.body)
        return response.status, response.headers, raw

    return ask


def propfind(names) -> str:
    props = "".join(f'<x:{name.partition("}")[2]} xmlns:x="{name[1:].partition("}")[0]}"/>' for name in names)
    return f'<propfind xmlns="DAV:"><prop>{props}</prop></propfind>'


def values(body: bytes) -> dict[tuple[str, str], str]:
    found = {}
    for response in ElementTree.fromstring(body).iterfind("{DAV:}response"):
        for propstat in response.iterfind("{DAV:}propstat"):
            if " 200 " in propstat.findtext("{DAV:}status"):
                for node in propstat.find("{DAV:}prop"):
                    found[response.findtext("{DAV:}href"), node.tag] = node.text or ""
    return found


@pytest.mark.parametrize("path", [CALENDAR, CONTACTS])
def test_properties_are_the_same_whoever_set_them(anna, serve, path):
    def set_to(name: str, color: str) -> str:
        return (
            f'<propertyupdate xmlns="DAV:" xmlns:A="{APPLE}"><set><prop><displayname>{name}</displayname>'
            f"<A:calendar-color>{color}</A:calendar-color></prop></set></propertyupdate>"
        )

    seen = []
    assert anna("PROPPATCH", path, set_to("Café &amp; Bar &lt;3", "#112233ff")).status == 207
    seen.append(
        (
            values(anna.propfind(path, *SHARED).body),
            values(serve("PROPFIND", path, propfind(SHARED), depth="0")[2]),
        )
    )
    assert serve("PROPPATCH", path, set_to("Noch &quot;eins&quot;", "#445566ff"))[0] == 207
    seen.append(
        (
            values(anna.propfind(path, *SHARED).body),
            values(serve("PROPFIND", path, propfind(SHARED), depth="0")[2]),
        )
    )

    for stock, ours in seen:
        assert stock == {key: value for key, value in ours.items() if key in stock}
    assert [stock[path, SHARED[0]] for stock, _ in seen] == ["Café & Bar <3", 'Noch "eins"']


def test_objects_are_the_same_whoever_put_them(anna, serve):
    anna("PUT", CALENDAR + "a.ics", event("a"))
    odd = event("b").replace("\r\n", "\n").replace("SUMMARY", "summary;X-A=ü")
    assert serve("PUT", CALENDAR + "b.ics", odd, **{"content-type": "text/calendar"})[0] == 201

    for name in ("a.ics", "b.ics"):
        got = anna("GET", CALENDAR + name)
        status, headers, body = serve("GET", CALENDAR + name)
        assert (got.status, got.body, got.headers["ETag"]) == (status, body, headers["ETag"])
    assert anna("GET", CALENDAR + "b.ics").text == odd


@pytest.mark.parametrize(("path", "make"), [(CALENDAR, event), (CONTACTS, card)])
def test_a_token_of_one_is_a_token_of_the_other(anna, serve, path, make):
    def serve_sync(token: str):
        status, _, body = serve(
            "REPORT",
            path,
            f'<sync-collection xmlns="DAV:"><sync-token>{token}</sync-token><sync-level>1</sync-level>'
            "<prop><getetag/></prop></sync-collection>",
        )
        assert status == 207
        return ElementTree.fromstring(body)

    anna("PUT", path + "a", make("a"))
    anna("PUT", path + "b", make("b"))
    of_stock = anna.sync(path).xml().findtext("{DAV:}sync-token")
    of_serve = serve_sync("").findtext("{DAV:}sync-token")
    anna("DELETE", path + "a")
    anna("PUT", path + "c", make("c"))

    assert of_stock == of_serve
    hrefs = {node.text for node in serve_sync(of_stock).iter("{DAV:}href")}
    assert hrefs == set(anna.sync(path, of_serve).statuses()) == {path + "a", path + "c"}


def test_queries_find_the_same(anna, serve):
    anna("PUT", CALENDAR + "a.ics", event("a"))
    anna("PUT", CALENDAR + "b.ics", event("b", summary="other").replace("DTSTART:2026", "DTSTART:2027"))
    anna(
        "PUT",
        CALENDAR + "c.ics",
        event("c").replace("DTSTART:20260301T080000Z", "DTSTART;VALUE=DATE:20260301"),
    )
    body = (
        '<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/></prop><C:filter>'
        '<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">'
        '<C:time-range start="20260301T000000Z" end="20260302T000000Z"/></C:comp-filter></C:comp-filter></C:filter>'
        "</C:calendar-query>"
    )

    stock = anna("REPORT", CALENDAR, body, depth="1").statuses()
    _, _, ours = serve("REPORT", CALENDAR, body, depth="1")

    assert set(stock) == {href for href, _ in values(ours)} == {CALENDAR + "a.ics", CALENDAR + "c.ics"}
