"""The head of a request on the wire (RFC 9112 2 to 5)."""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

import pytest

from davclient import basic, parse_raw, raw
from davsamples import event

LOGIN = f"Authorization: {basic('anna', 'secret')}\r\n"


@pytest.mark.parametrize(
    "begun", ["GET / HTTP/1.1\r\nHost: x\r\nX: ", "GET /"], ids=["a header", "a request line"]
)
def test_a_head_without_end_is_refused_before_it_fills_the_memory(server, begun):
    url = urlsplit(server.url)

    sent = 0
    with socket.create_connection((url.hostname, url.port), timeout=20) as connection:
        connection.sendall(begun.encode())
        with pytest.raises(ConnectionError):
            while sent < 50_000_000:
                connection.sendall(b"a" * 100_000)
                sent += 100_000
                time.sleep(0.001)

    assert sent < 20_000_000


def test_many_headers_are_refused(server):
    head = (
        "GET / HTTP/1.1\r\nHost: x\r\n" + "".join(f"X{number}: a\r\n" for number in range(100_000)) + "\r\n"
    )

    assert parse_raw(raw(server.url, head.encode())).status == 400


def test_a_request_after_a_large_body_is_read(server, dav, calendar):
    one = (
        f"PUT {calendar}a.ics HTTP/1.1\r\nHost: x\r\n{LOGIN}Content-Length: 1000000\r\n\r\n" + "x" * 1_000_000
    )
    two = f"GET {calendar} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{LOGIN}\r\n"

    answer = raw(server.url, (one + two).encode())

    assert answer.startswith(b"HTTP/1.1 403")
    assert b"HTTP/1.1 200" in answer


def test_an_offer_of_another_protocol_is_passed_over(server, dav, calendar):
    head = (
        f"GET {calendar} HTTP/1.1\r\nHost: x\r\n{LOGIN}Connection: Upgrade, close\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )

    assert parse_raw(raw(server.url, head.encode())).status == 200


def test_a_request_after_head_of_a_long_answer_is_answered(server, dav, calendar):
    for name in ("a", "b", "c"):
        dav.put(f"{calendar}{name}.ics", event(name, more="DESCRIPTION:" + "x" * 100_000))
    one = f"HEAD {calendar} HTTP/1.1\r\nHost: x\r\n{LOGIN}\r\n"
    two = f"GET {calendar}a.ics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{LOGIN}\r\n"

    answer = raw(server.url, (one + two).encode())

    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert b"content-length" not in head
    assert b"transfer-encoding" not in head
    assert rest.startswith(b"HTTP/1.1 200")
    assert parse_raw(rest).body == dav.get(calendar + "a.ics").body
