"""What is HTTP about the engine: conditions, ranges, HEAD, Prefer (RFC 9110 13, 14; RFC 8144; RFC 7240)."""

from __future__ import annotations

import pytest

from davclient import CALDAV, DAV, NS
from davsamples import card, event
from enginedav import NOW, EngineDav, World

BODY = event("a")
DATE = "Mon, 02 Feb 2026 02:40:00 GMT"
EARLIER, LATER = "Sun, 01 Feb 2026 00:00:00 GMT", "Tue, 03 Feb 2026 00:00:00 GMT"


@pytest.fixture
def path(dav: EngineDav, calendar: str) -> str:
    """The path of an event, last changed at DATE."""
    assert dav.put(calendar + "a.ics", BODY).status == 201
    return calendar + "a.ics"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("If_None_Match", "ETAG", 304),
        ("If_None_Match", "W/ETAG", 304),
        ("If_None_Match", '"x", ETAG', 304),
        ("If_None_Match", "*", 304),
        ("If_None_Match", '"x"', 200),
        ("If_Match", "ETAG", 200),
        ("If_Match", "*", 200),
        ("If_Match", '"x"', 412),
        ("If_Match", "W/ETAG", 412),
        ("If_Modified_Since", DATE, 304),
        ("If_Modified_Since", LATER, 304),
        ("If_Modified_Since", EARLIER, 200),
        ("If_Modified_Since", "nonsense", 200),
        ("If_Unmodified_Since", DATE, 200),
        ("If_Unmodified_Since", EARLIER, 412),
        ("If_Unmodified_Since", "nonsense", 200),
    ],
)
def test_reading_on_condition(
    dav: EngineDav, path: str, method: str, name: str, value: str, status: int
) -> None:
    etag = dav.get(path).etag or ""

    answer = dav(method, path, **{name: value.replace("ETAG", etag)})

    assert answer.status == status
    if status == 304:
        assert answer.body == b""
        assert answer.etag == etag
    if status == 200:
        assert answer.body == (BODY if method == "GET" else b"")


def test_an_etag_counts_for_more_than_a_date(dav: EngineDav, path: str) -> None:
    etag = dav.get(path).etag or ""

    assert dav.get(path, If_None_Match='"x"', If_Modified_Since=LATER).status == 200
    assert dav.get(path, If_None_Match=etag, If_Modified_Since=EARLIER).status == 304
    assert dav.get(path, If_Match=etag, If_Unmodified_Since=EARLIER).status == 200


@pytest.mark.parametrize(
    ("headers", "there", "not_there"),
    [
        ({"If_None_Match": "*"}, 412, 201),
        ({"If_Match": "*"}, 204, 412),
        ({"If_Match": "ETAG"}, 204, 412),
        ({"If_Match": '"x"'}, 412, 412),
        ({"If_None_Match": '"x"'}, 204, 201),
        ({"If_None_Match": "ETAG"}, 412, 201),
        ({"If_Unmodified_Since": DATE}, 204, 201),
        ({"If_Unmodified_Since": EARLIER}, 412, 201),
        ({}, 204, 201),
    ],
)
def test_writing_on_condition(
    dav: EngineDav, path: str, calendar: str, headers: dict[str, str], there: int, not_there: int
) -> None:
    etag = dav.get(path).etag or ""
    headers = {name: value.replace("ETAG", etag) for name, value in headers.items()}

    assert dav.put(path, event("a", summary="new"), **headers).status == there
    assert dav.put(calendar + "new.ics", event("new"), **headers).status == not_there
    assert (b"SUMMARY:new" in dav.get(path).body) is (there == 204)
    assert dav.get(calendar + "new.ics").status == (200 if not_there == 201 else 404)


@pytest.mark.parametrize("where", ["object", "collection"])
def test_deleting_on_condition(dav: EngineDav, path: str, calendar: str, where: str) -> None:
    target = path if where == "object" else calendar
    etag = dav.propfind(target, DAV + "getetag").only().etag

    assert dav.delete(target, If_Match='"x"').status == 412
    assert dav.delete(target, If_Unmodified_Since=EARLIER).status == 412
    assert dav.get(path).status == 200
    assert dav.delete(target, If_Match=etag).status == 204
    assert dav.get(path).status == 404


def test_a_calendar_as_a_whole_is_read_on_condition(dav: EngineDav, path: str, calendar: str) -> None:
    etag = dav.get(calendar).etag or ""

    assert dav.get(calendar, If_None_Match=etag).status == 304
    dav.put(path, event("a", summary="new"))
    assert dav.get(calendar, If_None_Match=etag).status == 200


SIZE = len(BODY)


@pytest.mark.parametrize(
    ("value", "status", "expected"),
    [
        ("bytes=0-3", 206, BODY[:4]),
        ("bytes=4-", 206, BODY[4:]),
        ("bytes=-5", 206, BODY[-5:]),
        (f"bytes=0-{SIZE + 99}", 206, BODY),
        (f"bytes=-{SIZE + 99}", 206, BODY),
        (f"bytes={SIZE}-", 416, b""),
        ("bytes=-0", 416, b""),
        ("bytes=5-4", 200, BODY),
        ("bytes=0-1,3-4", 200, BODY),
        ("lines=0-1", 200, BODY),
        ("bytes=x-", 200, BODY),
        ("BYTES=0-3", 206, BODY[:4]),
    ],
)
def test_ranges(dav: EngineDav, path: str, value: str, status: int, expected: bytes) -> None:
    answer = dav.get(path, Range=value)

    assert (answer.status, answer.body) == (status, expected)
    if status == 206:
        first = SIZE - len(expected) if value.startswith("bytes=-") else BODY.index(expected)
        assert answer.headers["content-range"] == f"bytes {first}-{first + len(expected) - 1}/{SIZE}"
    if status == 416:
        assert answer.headers["content-range"] == f"bytes */{SIZE}"


def test_if_range_gives_the_whole_where_something_changed(dav: EngineDav, path: str) -> None:
    etag = dav.get(path).etag or ""

    assert dav.get(path, Range="bytes=0-3", If_Range=etag).status == 206
    assert dav.get(path, Range="bytes=0-3", If_Range='"x"').status == 200
    assert dav.get(path, Range="bytes=0-3", If_Range="W/" + etag).status == 200


@pytest.mark.parametrize("where", ["/", "/anna/", "/anna/work/", "/anna/work/a.ics"])
def test_head_says_what_get_says(dav: EngineDav, path: str, where: str) -> None:
    get, head = dav.get(where), dav("HEAD", where)

    assert head.status == get.status == 200
    assert head.body == b""
    assert head.headers.get("content-length") in (None, str(len(get.body)))
    assert {k: v for k, v in head.headers.items() if k != "content-length"} == get.headers


# Prefer


@pytest.mark.parametrize(
    "headers",
    [
        {"Prefer": "return=minimal"},
        {"Prefer": 'return="minimal"'},
        {"Prefer": "wait=5, return=minimal"},
        {"Prefer": "return = minimal ; x=y"},
        {"Prefer": "RETURN=MINIMAL"},
        {"Brief": "t"},
        {"Brief": "T"},
    ],
)
@pytest.mark.parametrize("method", ["PROPFIND", "REPORT"])
def test_minimal_answers_leave_out_what_is_missing(
    dav: EngineDav, path: str, calendar: str, method: str, headers: dict[str, str]
) -> None:
    props = "<D:prop><D:getetag/><D:nothing/></D:prop>"
    body = (
        f"<D:propfind {NS}>{props}</D:propfind>"
        if method == "PROPFIND"
        else f"<C:calendar-multiget {NS}>{props}<D:href>{path}</D:href></C:calendar-multiget>"
    )

    minimal = dav(method, calendar, body, Depth="1", **headers)
    normal = dav(method, calendar, body, Depth="1")

    assert minimal.headers["preference-applied"] == "return=minimal"
    assert minimal.multistatus()[path].etag
    assert not minimal.multistatus()[path].others
    assert normal.multistatus()[path].others == {DAV + "nothing": 404}
    assert "preference-applied" not in normal.headers


def test_what_has_nothing_of_what_is_asked_is_still_named(dav: EngineDav, path: str) -> None:
    found = dav(
        "PROPFIND",
        path,
        f"<D:propfind {NS}><D:prop><D:nothing/></D:prop></D:propfind>",
        Depth="0",
        Prefer="return=minimal",
    ).multistatus()

    assert list(found) == [path]
    assert not found.only().others


def test_2_2_put_with_return_representation(dav: EngineDav, path: str, calendar: str) -> None:
    replaced = dav.put(path, event("a", summary="new"), Prefer="return=representation")
    made = dav.put(calendar + "b.ics", event("b"), Prefer="return=representation")

    assert (replaced.status, made.status) == (200, 201)
    assert replaced.body == event("a", summary="new")
    assert replaced.etag == dav.get(path).etag
    assert replaced.headers["preference-applied"] == "return=representation"
    assert replaced.headers["content-location"] == path
    assert replaced.headers["content-type"].startswith("text/calendar")


def test_a_repaired_object_is_shown_to_who_wants_to_see_it(dav: EngineDav, calendar: str) -> None:
    broken = event("a").replace(b"UID:a\r\n", b"")

    plain = dav.put(calendar + "a.ics", broken)
    shown = dav.put(
        calendar + "b.ics", event("b", summary="x").replace(b"UID:b\r\n", b""), Prefer="return=representation"
    )

    assert plain.etag is None
    assert b"\r\nUID:" in shown.body
    assert shown.etag == dav.get(calendar + "b.ics").etag


def test_3_2_a_failed_condition_shows_what_is_there(dav: EngineDav, path: str) -> None:
    answer = dav.put(path, event("a", summary="mine"), If_Match='"x"', Prefer="return=representation")

    assert answer.status == 412
    assert answer.body == BODY
    assert answer.etag == dav.get(path).etag


def test_without_a_user_everything_but_options_asks_for_a_login(world: World, path: str) -> None:
    nobody = EngineDav("http://dav.example.org", None, engine=world.engine())

    for method in ("GET", "PUT", "PROPFIND", "REPORT", "DELETE", "MKCALENDAR", "POST"):
        answer = nobody(method, path)
        assert answer.status == 401, method
        assert answer.headers["www-authenticate"] == 'Basic realm="Tagwerk", charset="UTF-8"'
    assert nobody("OPTIONS", path).status == 200


# Media types


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("text/calendar", 201),
        ("text/calendar; charset=utf-8; component=VEVENT", 201),
        ('TEXT/Calendar; charset="UTF-8"', 201),
        ("text/vcard", 415),
        ("application/json", 415),
        ("text/html; charset=utf-8", 415),
    ],
)
def test_media_types_of_calendar_objects(dav: EngineDav, calendar: str, kind: str, status: int) -> None:
    answer = dav("PUT", calendar + "x.ics", event("x"), **{"Content-Type": kind})

    assert answer.status == status
    if status == 415:
        assert answer.condition == CALDAV + "supported-calendar-data"


@pytest.mark.parametrize(
    "kind", ["text/vcard; charset=utf-8", "text/x-vcard", "text/directory; profile=vCard", "TEXT/VCARD"]
)
def test_media_types_of_cards(dav: EngineDav, book: str, kind: str) -> None:
    assert dav("PUT", book + "x.vcf", card("x"), **{"Content-Type": kind}).status == 201


def test_the_clock_of_the_server_is_in_the_answers(world: World, dav: EngineDav, path: str) -> None:
    world.clock.now = NOW + 3600
    dav.put(path, event("a", summary="x"))

    assert dav.get(path).headers["last-modified"] == "Mon, 02 Feb 2026 03:40:00 GMT"
