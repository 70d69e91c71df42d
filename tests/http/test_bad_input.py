"""Bad input: a 4xx with a sentence, in bounded time and memory, and nothing changed."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from davclient import DAV, NS, Answer, basic, parse_raw, raw
from davsamples import calendar as vcalendar
from davsamples import card, event

XML_METHODS = ["PROPFIND", "PROPPATCH", "REPORT", "MKCOL", "MKCALENDAR"]

BOMB = (
    "<!DOCTYPE b [<!ENTITY a '"
    + "x" * 1000
    + "'>"
    + "".join(
        f"<!ENTITY {name} '{f'&{before};' * 10}'>"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
)

BROKEN = {
    "cut": f"<D:propfind {NS}><D:prop>",
    "two roots": "<a/><b/>",
    "text": "hello",
    "binary": b"\x00\x01\x02\xff\xfe" * 50,
    "no namespace": "<D:propfind/>",
    "an entity": "<!DOCTYPE x [<!ENTITY a 'b'>]><D:propfind xmlns:D='DAV:'>&a;</D:propfind>",
    "an entity bomb": BOMB + "]><b>&i;</b>",
    "an external entity": "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><D:propfind xmlns:D='DAV:'>&a;</D:propfind>",
    "an external DTD": "<!DOCTYPE x SYSTEM 'http://127.0.0.1:9/x.dtd'><x/>",
    "deep": "<a>" * 100_000 + "</a>" * 100_000,
    "deep in DAV": f"<D:propfind {NS}>" + "<D:prop>" * 1000 + "</D:prop>" * 1000 + "</D:propfind>",
    "wide": f"<D:propfind {NS}><D:prop>" + "<D:x/>" * 200_000 + "</D:prop></D:propfind>",
    "an unknown encoding": "<?xml version='1.0' encoding='klingon'?><a/>",
    "a wrong encoding": "<?xml version='1.0' encoding='utf-8'?><a>ä</a>".encode("latin-1"),
    "utf-16 without its mark": "<a/>".encode("utf-16-le"),
    "many attributes": "<a " + " ".join(f"a{n}='1'" for n in range(50_000)) + "/",
    "one long name": "<" + "a" * 1_000_000 + ">",
    "a control character": f"<D:propfind {NS}>\x01</D:propfind>",
}


def state(dav, *places: str) -> list[str]:
    return [dav.value(place, DAV + "sync-token").text or "" for place in places]


def refused(answer: Answer) -> bool:
    """A 4xx, with words for a person."""
    assert 400 <= answer.status < 500, (answer.status, answer.body[:300])
    assert len(answer.sentence) > 10, answer.body[:300]
    return True


def memory(pid: int) -> int:
    """The most memory that a process has had so far, in MiB."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("only Linux says how much memory a process has had")
    for line in status.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    raise AssertionError("no VmHWM")


@pytest.mark.parametrize("method", XML_METHODS)
@pytest.mark.parametrize("name", BROKEN)
def test_broken_xml_is_refused_in_words(dav, calendar, method, name):
    path = "/anna/made-by-mistake/" if method.startswith("MK") else calendar
    before = state(dav, calendar)
    begin = time.perf_counter()

    answer = dav(method, path, BROKEN[name], Depth="0")

    assert time.perf_counter() - begin < 5
    assert refused(answer)
    assert state(dav, calendar) == before
    assert dav("PROPFIND", "/anna/made-by-mistake/", Depth="0").status == 404


@pytest.mark.parametrize("method", ["PROPFIND", "PROPPATCH", "REPORT", "MKCALENDAR"])
def test_xml_of_another_kind_is_refused_in_words(dav, calendar, method):
    path = "/anna/made-by-mistake/" if method.startswith("MK") else calendar

    answer = dav(method, path, "<made-up xmlns='urn:x'/>", Depth="0")

    assert refused(answer)


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("PROPFIND", f"<D:propfind {NS}/>"),
        ("PROPFIND", f"<D:propfind {NS}><D:allprop/><D:propname/></D:propfind>"),
        ("PROPPATCH", f"<D:propertyupdate {NS}/>"),
        ("PROPPATCH", ""),
        ("REPORT", ""),
        ("REPORT", f"<C:calendar-multiget {NS}/>"),
        ("REPORT", f"<C:calendar-query {NS}/>"),
        ("REPORT", f"<C:free-busy-query {NS}/>"),
        (
            "REPORT",
            f"<D:sync-collection {NS}><D:sync-token/><D:sync-level>7</D:sync-level><D:prop/></D:sync-collection>",
        ),
    ],
)
def test_bodies_that_ask_for_nothing_are_refused_in_words(dav, calendar, method, body):
    assert refused(dav(method, calendar, body, Depth="0"))


@pytest.mark.parametrize(
    "name",
    [
        "..",
        ".",
        "%2E%2E",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "a%2Fb.ics",
        "a%5Cb.ics",
        "a%00b.ics",
        "%00",
        "x" * 300 + ".ics",
        "%FF%FE.ics",
        "%C3%28.ics",
        "%ED%A0%80.ics",
        "%F0%9F%98%80" * 300,
    ],
)
def test_names_that_cannot_be_are_refused_for_every_method(dav, calendar, make_collection, name):
    dav.put(calendar + "a.ics", event("a"))
    before = state(dav, calendar)

    answers = [
        dav.put(calendar + name, event("b")),
        dav.get(calendar + name),
        dav.delete(calendar + name),
        dav.move(calendar + "a.ics", calendar + name),
        dav.copy(calendar + "a.ics", calendar + name),
        dav("PROPFIND", calendar + name, Depth="0"),
        dav("MKCALENDAR", f"/anna/{name}/"),
    ]

    assert all(map(refused, answers))
    assert state(dav, calendar) == before
    assert dav.get(calendar + "a.ics").status == 200


@pytest.mark.parametrize(
    "path",
    [
        b"/%",
        b"/%zz/%1",
        b"/anna/\xff\xfe/",
        b"/anna/\xc3\xa4/x.ics",
        b"//anna//x",
        b"/" + b"a" * 60_000,
        b"/" + b"/".join([b"a"] * 5000),
        b"*",
        b"http://127.0.0.1/anna/",
        b"/?" + b"q" * 20_000,
        b"anna/",
        b"/anna/#fragment",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PROPFIND", "PUT"])
def test_strange_request_targets_get_an_answer(server, dav, method, path):
    head = (
        method.encode() + b" " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n"
        b"Authorization: " + basic("anna", "secret").encode() + b"\r\n\r\n"
    )

    answer = parse_raw(raw(server.url, head))

    assert answer.status < 500
    assert dav("OPTIONS", "/").status == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(20_000)) + b"\r\n",
        b"PUT /anna/calendar/a.ics HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"PUT /anna/calendar/a.ics HTTP/1.1\r\nHost: x\r\nContent-Length: 1e9\r\n\r\n",
        b"PUT /anna/calendar/a.ics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"PUT /anna/calendar/a.ics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: \xff\xfe\r\nConnection: close\r\n\r\n",
    ],
    ids=range(11),
)
def test_what_is_no_http_does_not_stop_the_server(server, dav, request_bytes):
    answer = raw(server.url, request_bytes, end=True)

    assert b" 500 " not in answer[:20]
    assert dav("OPTIONS", "/").status == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_a_hundred_megabytes_are_refused_without_being_kept(server, dav, calendar, chunked):
    size, piece = 100 * 1024 * 1024, b"x" * (1024 * 1024)
    dav.put(calendar + "a.ics", event("a"))
    before, used = state(dav, calendar), memory(server.process.pid)
    head = (
        f"PUT {calendar}a.ics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {basic('anna', 'secret')}\r\n"
        + ("Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}")
        + "\r\n\r\n"
    )
    parts = urlsplit(server.url)
    got = b""
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as connection:
        connection.sendall(head.encode())
        try:
            for _ in range(size // len(piece)):
                connection.sendall(b"100000\r\n" + piece + b"\r\n" if chunked else piece)
            if chunked:
                connection.sendall(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass  # It may stop listening; it must have answered then.
        while part := connection.recv(65536):
            got += part

    answer = parse_raw(got)

    assert answer.status == 413
    assert answer.sentence
    assert state(dav, calendar) == before
    assert memory(server.process.pid) - used < 150


def test_a_declared_body_that_never_comes_blocks_nobody(server, dav, calendar):
    head = (
        f"PUT {calendar}a.ics HTTP/1.1\r\nHost: x\r\nAuthorization: {basic('anna', 'secret')}\r\n"
        "Content-Length: 1000\r\n\r\nBEGIN"
    )
    parts = urlsplit(server.url)
    waiting = [socket.create_connection((parts.hostname, parts.port), timeout=10) for _ in range(40)]
    for connection in waiting:
        connection.sendall(head.encode())
    begin = time.perf_counter()

    answer = dav.put(calendar + "b.ics", event("b"))

    assert answer.status == 201
    assert time.perf_counter() - begin < 5
    for connection in waiting:
        connection.close()
    assert dav.get(calendar + "a.ics").status == 404


@pytest.mark.parametrize(
    "kind", ["application/json", "image/png", "text/html", "multipart/form-data; boundary=x"]
)
def test_wrong_media_types_are_refused_in_words(dav, calendar, book, kind):
    before = state(dav, calendar, book)

    answers = [
        dav.put(calendar + "a.ics", event("a"), **{"Content-Type": kind}),
        dav.put(book + "a.vcf", card("a"), **{"Content-Type": kind}),
    ]

    assert all(map(refused, answers))
    assert state(dav, calendar, book) == before


@pytest.mark.parametrize(
    "kind", ["text/calendar; charset=klingon", "text/calendar; charset=", "/", ";;;", "é", "a" * 5000]
)
def test_strange_media_types_get_an_answer(dav, calendar, kind):
    assert dav.put(calendar + "a.ics", event("a"), **{"Content-Type": kind}).status < 500


@pytest.mark.parametrize(
    "body",
    [
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40,
        event("a") + b"\x00\xff\xfe" * 30,
        event("a").replace(b"SUMMARY:", b"SUMMARY:\x00\x01\x02"),
        event("a").replace(b"UID:a", b"UID:\xff\xfe"),
        b"BEGIN:VCALENDAR\r\n" * 50_000,
        b"BEGIN:VCALENDAR\r\n"
        + b"BEGIN:VEVENT\r\n" * 20_000
        + b"END:VEVENT\r\n" * 20_000
        + b"END:VCALENDAR\r\n",
        b":" * 1_000_000,
        b"A" * 1_000_000,
        b"\r\n" * 500_000,
        b" \r\n" * 300_000,
        b"A;" * 500_000 + b":",
        b'A;B="' * 200_000,
        vcalendar("BEGIN:VEVENT\nUID:a\nDTSTART:20260101T000000Z\n" + "X:\n" * 200_000 + "END:VEVENT"),
        vcalendar(
            "BEGIN:VEVENT\nUID:a\nDTSTART:20260101T000000Z\nRDATE:"
            + ",".join(["20260101T000000Z"] * 50_000)
            + "\nEND:VEVENT"
        ),
        vcalendar(
            "BEGIN:VEVENT\nUID:a\nDTSTART;TZID=x:20260101T000000\nEND:VEVENT\nBEGIN:VTIMEZONE\nTZID:x\n"
            "BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0000\nTZOFFSETTO:+0100\nRRULE:FREQ=SECONDLY\n"
            "END:STANDARD\nEND:VTIMEZONE"
        ),
        vcalendar("BEGIN:VEVENT\nUID:a\nDTSTART:00000000T999999Z\nDTEND:99999999T000000Z\nEND:VEVENT"),
        vcalendar("BEGIN:VEVENT\nUID:a\nDTSTART:20260101T000000Z\nDURATION:P" + "9" * 400 + "D\nEND:VEVENT"),
    ],
    ids=[
        "png",
        "trailing binary",
        "control characters",
        "broken utf-8",
        "only begins",
        "deep components",
        "colons",
        "one line",
        "empty lines",
        "folds",
        "parameters",
        "quotes",
        "many lines",
        "many dates",
        "a zone that never rests",
        "impossible dates",
        "a long duration",
    ],
)
def test_binary_and_hostile_calendars_are_stored_or_refused_at_once(dav, calendar, body):
    before = state(dav, calendar)
    begin = time.perf_counter()

    answer = dav.put(calendar + "a.ics", body)

    assert time.perf_counter() - begin < 5
    if answer.status == 201:
        query = '<C:comp-filter name="VEVENT"><C:time-range start="20260101T000000Z" end="20260102T000000Z"/></C:comp-filter>'
        begin = time.perf_counter()
        assert dav.query(calendar, query, props="<C:calendar-data/>").status == 207
        assert time.perf_counter() - begin < 5
        if answer.etag:
            assert dav.get(calendar + "a.ics").body == body
    else:
        assert refused(answer)
        assert state(dav, calendar) == before


@pytest.mark.parametrize(
    "body",
    [
        b"BEGIN:VCARD\r\n" * 50_000,
        b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:a\r\nFN:" + b"\xff" * 1000 + b"\r\nEND:VCARD\r\n",
        card("a", more="PHOTO;ENCODING=b:" + "!" * 100_000),
        card("a", more="NOTE;ENCODING=QUOTED-PRINTABLE:" + "=" * 100_000),
        card("a", more="\n".join(f"item{n}.TEL:{n}" for n in range(20_000))),
        card("a", version="9.9"),
    ],
    ids=["only begins", "broken utf-8", "no base64", "no quoted-printable", "many lines", "another version"],
)
def test_hostile_cards_are_stored_or_refused_at_once(dav, book, body):
    begin = time.perf_counter()

    answer = dav.put(book + "a.vcf", body)

    assert time.perf_counter() - begin < 5
    assert answer.status in (201, 403)
    assert answer.status == 201 or refused(answer)
    assert dav.search(book, "").status == 207


def test_too_many_hrefs_are_refused(dav, calendar):
    answer = dav.multiget(calendar, *(f"{calendar}{n}.ics" for n in range(60_000)))

    assert refused(answer)


def test_a_huge_property_is_refused_and_nothing_changes(dav, calendar):
    before = state(dav, calendar)

    answers = [
        dav.proppatch(calendar, set=f"<D:displayname>{'x' * 2_000_000}</D:displayname>"),
        dav.proppatch(calendar, set=f'<x:v xmlns:x="urn:x">{"x" * 2_000_000}</x:v>'),
    ]

    for answer in answers:
        assert set(answer.multistatus().only().others.values()) == {403}
    assert state(dav, calendar) == before


def test_expansion_over_centuries_is_bounded(dav, calendar):
    dav.put(calendar + "a.ics", event("a", start="19700101T000000Z", more="RRULE:FREQ=MINUTELY"))
    begin = time.perf_counter()

    answers = [
        dav.query(
            calendar,
            '<C:comp-filter name="VEVENT"/>',
            props='<C:calendar-data><C:expand start="00010101T000000Z" end="99991231T235959Z"/></C:calendar-data>',
        ),
        dav.report(
            calendar,
            f'<C:free-busy-query {NS}><C:time-range start="00010101T000000Z" end="99991231T235959Z"/></C:free-busy-query>',
        ),
    ]

    assert time.perf_counter() - begin < 10
    for answer in answers:
        assert answer.status in (200, 207, 403)
        assert len(answer.body) < 50_000_000


def test_the_server_has_not_grown_and_its_log_has_no_traceback(server, dav):
    """The last test of this file: what it was asked before has left nothing behind."""
    assert dav("OPTIONS", "/").status == 200
    assert memory(server.process.pid) < 600
    assert "Traceback" not in server.log.read_text()
