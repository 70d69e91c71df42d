"""Request and answer bodies on the wire (RFC 9110 8.4, 10.1.1; RFC 9112 6, 7)."""

from __future__ import annotations

import gzip
import http.client
import socket
import time
import zlib
from urllib.parse import urlsplit

import pytest

from davclient import DAV, Dav, basic, parse_raw, propfind_body, raw, sync_body
from davsamples import event
from serverprocess import tagwerk

LOGIN = f"Authorization: {basic('anna', 'secret')}\r\n"


def chunks(body: bytes, size: int) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_chunked_put_is_stored_whole(server, dav, calendar, size):
    body = event("a")
    head = f"PUT {calendar}a.ics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{LOGIN}Transfer-Encoding: chunked\r\n\r\n"

    answer = parse_raw(raw(server.url, head.encode() + chunks(body, size)))

    assert answer.status == 201
    assert dav.get(calendar + "a.ics").body == body


def test_a_chunked_put_on_a_calendar_does_not_empty_it(server, dav, calendar):
    dav.put(calendar + "a.ics", event("a"))
    head = f"PUT {calendar} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{LOGIN}Transfer-Encoding: chunked\r\n\r\n"

    answer = parse_raw(raw(server.url, head.encode() + chunks(b"", 1)))

    assert answer.status == 405
    assert dav.get(calendar + "a.ics").status == 200


def test_a_chunked_propfind_is_read(server, calendar):
    body = propfind_body(DAV + "resourcetype").encode()
    head = f"PROPFIND {calendar} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nDepth: 0\r\n{LOGIN}Transfer-Encoding: chunked\r\n\r\n"

    answer = parse_raw(raw(server.url, head.encode() + chunks(body, 10)))

    assert answer.status == 207
    assert b"getetag" not in answer.body


def test_chunk_extensions_and_trailers_are_no_obstacle(server, dav, calendar):
    body = event("a")
    head = f"PUT {calendar}a.ics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{LOGIN}Transfer-Encoding: chunked\r\n\r\n"
    sent = b"%x;name=value\r\n%s\r\n0\r\nX-Trailer: y\r\n\r\n" % (len(body), body)

    answer = parse_raw(raw(server.url, head.encode() + sent))

    assert answer.status == 201
    assert dav.get(calendar + "a.ics").body == body


def test_expect_100_continue_is_answered_before_the_body_comes(server, dav, calendar):
    body = event("a")
    head = (
        f"PUT {calendar}a.ics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{LOGIN}"
        f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(head.encode())
        first = connection.recv(4096)
        connection.sendall(body)
        rest = b""
        while part := connection.recv(4096):
            rest += part

    assert first == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert parse_raw(rest).status == 201
    assert dav.get(calendar + "a.ics").body == body


def test_expect_100_continue_with_a_body_that_is_too_large_is_refused_before_it_comes(server, calendar):
    head = f"PUT {calendar}a.ics HTTP/1.1\r\nHost: x\r\n{LOGIN}Expect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n"
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(head.encode())
        answer = parse_raw(connection.recv(65536))

    assert answer.status == 413


def test_http_1_0_gets_a_whole_answer_and_an_end(server, dav, calendar):
    dav.put(calendar + "a.ics", event("a"))

    got = parse_raw(raw(server.url, f"GET {calendar}a.ics HTTP/1.0\r\n{LOGIN}\r\n".encode()))
    listed = parse_raw(
        raw(
            server.url,
            f"PROPFIND {calendar} HTTP/1.0\r\nDepth: 1\r\n{LOGIN}Content-Length: 0\r\n\r\n".encode(),
        )
    )

    assert got.status == 200
    assert got.body == event("a")
    assert "transfer-encoding" not in got.headers
    assert listed.status == 207
    assert listed.body.rstrip().endswith(b"</D:multistatus>")


def test_several_requests_on_one_connection_do_not_mix(server, dav, calendar):
    bodies = [event(f"u{number}") for number in range(5)]
    sent = b"".join(
        f"PUT {calendar}{number}.ics HTTP/1.1\r\nHost: x\r\n{LOGIN}Content-Length: {len(body)}\r\n\r\n".encode()
        + body
        for number, body in enumerate(bodies)
    )
    sent += f"GET {calendar}4.ics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{LOGIN}\r\n".encode()

    got = raw(server.url, sent)

    assert got.count(b"HTTP/1.1 201 ") == 5
    assert got.endswith(bodies[4])


def test_the_limit_holds_for_declared_and_chunked_bodies(new_server, password_hash):
    server = new_server(server_max_body_size="1 MiB")
    tagwerk("user", "add", "anna", "--password-stdin", "--data", server.data, stdin="secret\n")
    body = event("a", more="X-FILL:" + "x" * (1024 * 1024))
    path = "/anna/calendar/a.ics"
    head = f"PUT {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{LOGIN}"

    declared = parse_raw(raw(server.url, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body))
    chunked = parse_raw(
        raw(server.url, f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks(body, 65536))
    )

    client = Dav(server.url)
    assert (declared.status, chunked.status) == (413, 413)
    assert client.get(path).status == 404
    assert client.put(path, event("a")).status == 201
    client.close()


def test_multistatus_is_compressed_for_those_who_ask(dav, calendar):
    for number in range(40):
        dav.put(f"{calendar}{number}.ics", event(str(number)))
    body = propfind_body(DAV + "getetag")

    plain = dav("PROPFIND", calendar, body, Depth="1")
    packed = dav("PROPFIND", calendar, body, Depth="1", Accept_Encoding="gzip, deflate")
    not_wanted = dav("PROPFIND", calendar, body, Depth="1", Accept_Encoding="gzip;q=0, identity")

    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 3
    assert "content-encoding" not in not_wanted.headers
    for answer in (plain, packed, not_wanted):
        assert "accept-encoding" in answer.headers["vary"].lower()


def test_a_large_answer_is_streamed_whole_compressed_or_not(dav, calendar):
    fill = "X-FILL:" + "lorem ipsum " * 4000
    for number in range(20):
        dav.put(f"{calendar}{number}.ics", event(str(number), more=fill))

    plain = dav.sync(calendar, props="<D:getetag/><C:calendar-data/>")
    packed = dav("REPORT", calendar, _sync_with_data(), Depth="0", Accept_Encoding="gzip")

    assert len(plain.multistatus()) == 20
    assert len(plain.body) > 900_000
    assert zlib.decompress(packed.body, 16 + zlib.MAX_WBITS) == plain.body


def _sync_with_data() -> str:
    return sync_body(props="<D:getetag/><C:calendar-data/>")


def test_an_object_keeps_its_strong_etag_whatever_encoding_is_asked_for(dav, calendar):
    etag = dav.put(calendar + "a.ics", event("a", more="X-FILL:" + "x" * 5000)).etag

    got = dav.get(calendar + "a.ics", Accept_Encoding="gzip")

    assert got.etag == etag
    body = gzip.decompress(got.body) if got.headers.get("content-encoding") == "gzip" else got.body
    assert body == event("a", more="X-FILL:" + "x" * 5000)


def test_a_client_that_goes_away_in_the_middle_of_an_answer_blocks_nobody(server, dav, calendar):
    fill = "X-FILL:" + "lorem ipsum " * 20_000
    for number in range(20):
        dav.put(f"{calendar}{number}.ics", event(str(number), more=fill))
    parts = urlsplit(server.url)
    for _ in range(40):
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
            connection.sendall(f"GET {calendar} HTTP/1.1\r\nHost: x\r\n{LOGIN}\r\n".encode())
            connection.recv(100)
    begin = time.perf_counter()

    answer = dav.put(calendar + "new.ics", event("new"))

    assert answer.status == 201
    assert time.perf_counter() - begin < 5


def test_a_client_that_goes_away_in_the_middle_of_its_request_changes_nothing(server, dav, calendar):
    body = event("a")
    head = f"PUT {calendar}a.ics HTTP/1.1\r\nHost: x\r\n{LOGIN}Content-Length: {len(body)}\r\n\r\n"

    raw(server.url, head.encode() + body[:-30], end=True)

    assert dav.get(calendar + "a.ics").status == 404


def test_a_body_that_came_compressed_is_not_stored_as_it_is(dav, calendar):
    answer = dav.put(calendar + "a.ics", gzip.compress(event("a")), Content_Encoding="gzip")
    plain = dav.put(calendar + "b.ics", event("b"), Content_Encoding="identity")

    assert answer.status == 415
    assert answer.sentence
    assert plain.status == 201


def test_a_part_of_an_object_is_not_taken_for_the_whole(dav, calendar):
    answer = dav.put(calendar + "a.ics", event("a"), Content_Range="bytes 0-99/5000")

    assert answer.status == 400
    assert dav.get(calendar + "a.ics").status == 404


def test_get_with_a_body_is_no_obstacle(dav, calendar):
    dav.put(calendar + "a.ics", event("a"))

    assert dav("GET", calendar + "a.ics", b"what is this").status == 200


def test_a_connection_is_kept(server, anna):
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    connection.connect()
    used = connection.sock
    for _ in range(3):
        connection.request("OPTIONS", "/", headers={"Authorization": basic(anna, "secret")})
        connection.getresponse().read()
    same = connection.sock is used
    connection.close()

    assert same
