"""Long answers: what becomes of them when clients take them slowly, or no longer.

Where it matters when a client reads, the socket's side is played by the test: a real one depends on buffers.
"""

from __future__ import annotations

import asyncio
import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from davclient import Dav
from davsamples import event
from serverprocess import ServerProcess
from tagwerk import settings as configuration
from tagwerk.dav.message import Response
from tagwerk.errors import Unavailable
from tagwerk.http import app as http_app
from tagwerk.http.backlog import IN_MEMORY, PIECE

SCOPE = {"type": "http", "method": "GET", "path": "/", "raw_path": b"/", "http_version": "1.1"}


class Endless:
    """A frame whose answer never ends; `closed` when it was given up."""

    def __init__(self) -> None:
        self.closed = False

    def handle(self, scope: object, body: bytes, path: str) -> Response:
        return Response(200, {"Content-Type": "text/plain"}, self._parts())

    def _parts(self) -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 65536
        finally:
            self.closed = True


async def run(
    frame: Endless, folder: Path, *, takes: int, headers: list[tuple[bytes, bytes]], method: str = "GET"
) -> list[dict]:
    """What a client gets that takes so many messages and then goes, or stops to read."""
    sent: list[dict] = []
    gone = asyncio.Event()
    requests = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict:
        if requests:
            return requests.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict) -> None:
        sent.append(message)
        if len(sent) == takes:
            gone.set()

    settings = configuration.load(None, data=folder, environ={})
    application = http_app.create(settings, frame, frame)
    scope = {**SCOPE, "method": method, "headers": headers}
    await asyncio.wait_for(application(scope, receive, send), 20)
    return sent


@pytest.mark.parametrize("headers", [[], [(b"accept-encoding", b"gzip")]])
def test_an_answer_that_nobody_takes_any_longer_is_given_up(tmp_path, headers):
    frame = Endless()

    sent = asyncio.run(run(frame, tmp_path, takes=3, headers=headers))

    assert frame.closed
    assert len(sent) < 10
    assert sent[-1]["more_body"], "what is cut off must not look whole"


def test_head_gives_up_what_it_does_not_send(tmp_path):
    frame = Endless()

    sent = asyncio.run(run(frame, tmp_path, takes=3, headers=[], method="HEAD"))

    assert frame.closed
    assert sent[1:] == [{"type": "http.response.body", "body": b""}]


def test_a_client_that_stops_to_read_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(http_app, "_STALLED_SECONDS", 0.05)
    frame = Endless()

    async def stalled() -> None:
        requests = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> dict:
            if not requests:
                await asyncio.Event().wait()
            return requests.pop()

        async def send(message: dict) -> None:
            if message["type"] == "http.response.body":
                await asyncio.Event().wait()

        settings = configuration.load(None, data=tmp_path, environ={})
        application = http_app.create(settings, frame, frame)
        await asyncio.wait_for(application({**SCOPE, "headers": []}, receive, send), 20)

    asyncio.run(stalled())

    assert frame.closed


class Long:
    """A frame whose answer is longer than what is kept in memory; it fails at the end if it is told to."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.made = threading.Event()
        self.parts = [bytes([65 + number]) * PIECE for number in range(3 * IN_MEMORY)]
        self._failure = failure

    def handle(self, scope: object, body: bytes, path: str) -> Response:
        return Response(200, {"Content-Type": "text/plain"}, self._parts())

    def close(self) -> None:
        pass

    def _parts(self) -> Iterator[bytes]:
        try:
            yield from self.parts
            if self._failure is not None:
                raise self._failure
        finally:
            self.made.set()


async def taken_late(frame: Long, folder: Path) -> list[dict]:
    """What a client gets that reads nothing until all of the answer is made."""
    sent: list[dict] = []
    requests = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict:
        if not requests:
            await asyncio.Event().wait()
        return requests.pop()

    async def send(message: dict) -> None:
        if message["type"] == "http.response.body":
            assert await asyncio.to_thread(frame.made.wait, 20)
        sent.append(message)

    settings = configuration.load(None, data=folder, environ={})
    application = http_app.create(settings, frame, frame)
    try:
        await asyncio.wait_for(application({**SCOPE, "headers": []}, receive, send), 20)
    except Unavailable:
        pass
    return sent


def test_an_answer_is_made_whether_its_client_reads_or_not(tmp_path):
    frame = Long()

    sent = asyncio.run(taken_late(frame, tmp_path))

    assert b"".join(each.get("body", b"") for each in sent) == b"".join(frame.parts)


def test_an_answer_that_fails_on_the_way_does_not_look_whole(tmp_path):
    frame = Long(Unavailable("The database is away."))

    sent = asyncio.run(taken_late(frame, tmp_path))

    assert len(sent) > 1
    assert sent[-1]["more_body"]


def test_clients_that_do_not_read_keep_nobody_out(server: ServerProcess, calendar: str, dav: Dav):
    whole = 0
    for number in range(12):
        text = event(str(number), summary="x" * 500_000)
        assert dav.put(f"{calendar}{number}.ics", text).status == 201
        whole += 500_000
    address = urlsplit(server.url)
    login = base64.b64encode(b"anna:secret").decode()
    request = (
        f"GET {calendar} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic {login}\r\n\r\n"
    )

    with ExitStack() as stack:
        readers = []
        for _ in range(24):
            reader = stack.enter_context(socket.socket())
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.settimeout(60)
            reader.connect((address.hostname, address.port))
            reader.sendall(request.encode())
            readers.append(reader)
        begun = [reader.recv(12) for reader in readers]
        statuses = {dav.get(f"{calendar}{number}.ics").status for number in range(5)}
        read = 0
        while part := readers[-1].recv(1 << 20):
            read += len(part)

    assert set(begun) == {b"HTTP/1.1 200"}
    assert statuses == {200}
    assert read > whole
