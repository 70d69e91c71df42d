"""kill -9 during a stream of writes: what was answered is there, and nothing is half there."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import serverprocess
from davclient import DAV, Dav
from davsamples import event
from serverprocess import ServerProcess, tagwerk
from tagwerk.cli.check import examine
from tagwerk.store import open_engine

ROUNDS = 4
WRITERS = 2
HOME = "/anna/calendar/"


@dataclass(slots=True)
class Writer:
    """Writes until the server is gone; knows what was answered and what may have happened."""

    number: int
    left: dict[str, str] = field(default_factory=dict)
    """Name to ETag, as answered."""
    pending: str = ""
    """The name of the write that was not answered."""
    turns: int = 0

    def write_until_it_dies(self, url: str, seed: int) -> None:
        rng = random.Random(seed)
        client = Dav(url)
        try:
            while True:
                self._write_one(client, rng)
        except (OSError, http.client.HTTPException):
            client.close()

    def _write_one(self, client: Dav, rng: random.Random) -> None:
        name = f"w{self.number}-{rng.randrange(60)}.ics"
        self.pending = name
        self.turns += 1
        if name in self.left and rng.random() < 0.3:
            answer = client.delete(HOME + name)
            assert answer.status in (204, 404), answer
            del self.left[name]
        else:
            answer = client.put(HOME + name, event(f"uid-{name}", summary=f"turn {self.turns}"))
            assert answer.status in (201, 204), answer
            assert answer.etag is not None
            self.left[name] = answer.etag
        self.pending = ""


@pytest.fixture
def data(tmp_path: Path, new_data: Callable[[Path], Path]) -> Path:
    folder = new_data(tmp_path / "data")
    tagwerk("user", "add", "anna", "--password-stdin", "--data", folder, stdin="secret\n")
    return folder


def kill_while_writing(server: ServerProcess, writers: list[Writer], seed: int) -> None:
    before = sum(writer.turns for writer in writers)
    threads = [
        threading.Thread(target=writer.write_until_it_dies, args=(server.url, seed + writer.number))
        for writer in writers
    ]
    for thread in threads:
        thread.start()
    while sum(writer.turns for writer in writers) < before + 20:
        time.sleep(0.005)
    time.sleep(random.Random(seed).random() / 5)
    server.kill()
    for thread in threads:
        thread.join()


def compare(client: Dav, writers: list[Writer]) -> None:
    """Every answered write is there; the one without an answer was made whole or not at all."""
    listed = client.propfind(HOME, DAV + "getetag", depth="1")
    etags = {href.removeprefix(HOME): one.etag for href, one in listed.found.items() if href != HOME}
    for writer in writers:
        mine = {name: etag for name, etag in etags.items() if name.startswith(f"w{writer.number}-")}
        expected = dict(writer.left)
        if writer.pending:
            mine.pop(writer.pending, None)
            expected.pop(writer.pending, None)
        assert mine == expected
        if writer.pending:
            learn(client, writer)


def learn(client: Dav, writer: Writer) -> None:
    """See what became of the write without an answer, and that its bytes are whole."""
    got = client.get(HOME + writer.pending)
    if got.status == 200:
        assert got.body.startswith(b"BEGIN:VCALENDAR")
        assert got.body.endswith(b"END:VCALENDAR\r\n")
        assert got.etag is not None
        writer.left[writer.pending] = got.etag
    else:
        writer.left.pop(writer.pending, None)
    writer.pending = ""


def problems(database_url: str) -> list[str]:
    """What `tagwerk check` finds, without starting a process for it."""
    engine = open_engine(database_url)
    try:
        return examine(engine).problems
    finally:
        engine.close()


def follow(client: Dav, token: str, known: dict[str, str]) -> str:
    found = client.sync(HOME, token).multistatus()
    for href, one in found.found.items():
        name = href.removeprefix(HOME)
        if one.status is None:
            known[name] = one.etag
        else:
            known.pop(name, None)
    return found.token


@pytest.mark.slow
@pytest.mark.parametrize("rounds", [ROUNDS, pytest.param(50, marks=pytest.mark.long)])
def test_every_answered_write_survives_kill_9(data, rounds):
    writers = [Writer(number) for number in range(WRITERS)]
    token, known = "", {}

    for turn in range(rounds):
        server = serverprocess.start(data)
        client = Dav(server.url)
        token = follow(client, token, known)
        compare(client, writers)
        assert known == {name: etag for writer in writers for name, etag in writer.left.items()}
        client.close()
        kill_while_writing(server, writers, seed=turn * 100)
        assert problems(server.database_url) == []

    assert sum(writer.turns for writer in writers) > rounds * 20
    server = serverprocess.start(data)
    client = Dav(server.url)
    follow(client, token, known)
    compare(client, writers)
    client.close()
    assert server.stop() == 0
    checked = tagwerk("check", "--json", "--data", data)
    assert json.loads(checked.stdout)["ok"] is True


@pytest.mark.slow
def test_sigterm_finishes_what_is_running_and_answers_it(data):
    server = serverprocess.start(data)
    writers = [Writer(number) for number in range(WRITERS)]
    threads = [
        threading.Thread(target=writer.write_until_it_dies, args=(server.url, writer.number))
        for writer in writers
    ]
    for thread in threads:
        thread.start()
    while sum(writer.turns for writer in writers) < 50:
        time.sleep(0.005)

    code = server.stop()

    for thread in threads:
        thread.join()
    assert code == 0
    again = serverprocess.start(data)
    client = Dav(again.url)
    compare(client, writers)
    client.close()
    assert again.stop() == 0
