"""Several writers and one reader: the reader misses nothing (RFC 6578; DESIGN, Synchronization)."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import writing

import serverprocess
from davclient import DAV, Dav
from davsamples import event

pytestmark = pytest.mark.slow

WRITERS = 4
WRITES = 200


class Follower:
    """Reads one page after the other, of every server in turn, and keeps what it learned."""

    def __init__(self, urls: list[str], place: str) -> None:
        self._clients = [Dav(url) for url in urls]
        self._place = place
        self._token = ""
        self.known: dict[str, str] = {}
        self.pages = 0

    def page(self) -> bool:
        """True while there are more."""
        client = self._clients[self.pages % len(self._clients)]
        self.pages += 1
        found = client.sync(self._place, self._token, limit=17).multistatus()
        for href, one in found.found.items():
            name = href.removeprefix(self._place)
            if one.status is None:
                self.known[name] = one.etag
            elif one.status == 404:
                self.known.pop(name, None)
        self._token = found.token
        return found.truncated

    def follow(self, until: Callable[[], bool]) -> None:
        """Read on until the writers are done, and then to the last page."""
        while not until():
            self.page()
        while self.page():
            pass

    def close(self) -> None:
        for client in self._clients:
            client.close()


def in_thread(url: str, place: str, number: int) -> dict[str, str]:
    return writing.write_many(url, place, number, WRITES)


def in_process(url: str, place: str, number: int) -> dict[str, str]:
    """The same, by a process of its own."""
    done = subprocess.run(
        [sys.executable, str(Path(writing.__file__)), url, place, str(number), str(WRITES)],
        capture_output=True,
        text=True,
        timeout=300,
        env=serverprocess.environment(),
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def write_and_follow(
    write: Callable[[str, str, int], dict[str, str]], urls: list[str], place: str
) -> Follower:
    """Run every writer and the follower; return the follower, which must know what the writers left."""
    follower = Follower(urls, place)
    with ThreadPoolExecutor(WRITERS) as pool:
        writers = [pool.submit(write, urls[number % len(urls)], place, number) for number in range(WRITERS)]
        follower.follow(until=lambda: all(writer.done() for writer in writers))
    left = {name: etag for writer in writers for name, etag in writer.result().items()}
    follower.close()
    assert follower.known == left
    return follower


@pytest.mark.parametrize("write", [in_thread, in_process])
def test_a_reader_ends_with_every_change_of_concurrent_writers(server, dav, calendar, write):
    follower = write_and_follow(write, [server.url], calendar)

    listed = dav.propfind(calendar, DAV + "getetag", depth="1")
    etags = {href.removeprefix(calendar): one.etag for href, one in listed.found.items() if href != calendar}
    assert etags == follower.known
    assert follower.pages > 10


def test_two_servers_on_one_database_are_one_server(server, new_server, calendar):
    second = new_server(data=server.data)

    write_and_follow(in_process, [server.url, second.url], calendar)


def test_conditional_changes_of_one_object_lose_nothing(server, dav, calendar):
    """Every writer counts up in the same object, and tries again when another was faster."""
    path = calendar + "counter.ics"
    dav.put(path, event("counter", summary="0"))

    def count_up(turns: int) -> None:
        client = Dav(server.url)
        while turns:
            got = client.get(path)
            now = int(got.text.split("SUMMARY:")[1].split("\r\n")[0])
            answer = client.put(path, event("counter", summary=str(now + 1)), If_Match=got.etag or "")
            assert answer.status in (204, 412)
            turns -= answer.status == 204
        client.close()

    with ThreadPoolExecutor(WRITERS) as pool:
        for done in [pool.submit(count_up, 25) for _ in range(WRITERS)]:
            done.result()

    assert b"SUMMARY:100\r\n" in dav.get(path).body


def test_the_same_new_name_is_made_once(server, calendar):
    """RFC 9110 13.1.2: of several who create it with If-None-Match: *, one does."""
    barrier = threading.Barrier(WRITERS)

    def create(number: int) -> list[int]:
        client = Dav(server.url)
        seen = []
        for turn in range(20):
            barrier.wait(30)
            seen.append(
                client.put(f"{calendar}{turn}.ics", event(f"{number}-{turn}"), If_None_Match="*").status
            )
        client.close()
        return seen

    with ThreadPoolExecutor(WRITERS) as pool:
        results = [done.result() for done in [pool.submit(create, number) for number in range(WRITERS)]]

    for statuses in zip(*results, strict=True):
        assert sorted(statuses) == [201, 412, 412, 412]


def test_a_long_import_does_not_block_readers(server, dav, calendar, make_collection):
    """Readers never wait for a writer (Kozea/Radicale#1694)."""
    other = make_collection()
    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(in_thread, server.url, calendar, number) for number in range(2)]
        slowest = 0.0
        while not all(writer.done() for writer in writers):
            begin = time.perf_counter()
            assert dav.sync(other).status == 207
            slowest = max(slowest, time.perf_counter() - begin)

    assert slowest < 5
