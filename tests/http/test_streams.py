"""Long answers: what becomes of them when nobody takes them any longer.

The socket's side is played by the test, because when a real one notices depends on buffers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagwerk import settings as configuration
from tagwerk.dav.message import Response
from tagwerk.http import app as http_app

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
