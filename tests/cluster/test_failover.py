"""Two Tagwerk nodes on a primary with a streaming standby: the primary dies under load, the standby takes over.

Every write that was answered is there afterwards, and every client that follows tokens
knows all of it.  `synchronous_commit = remote_write` (or more) with the standby as a
synchronous one is what docs/operations.md asks for.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import postgrescluster
import serverprocess
from davclient import DAV, Dav
from davsamples import event
from postgrescluster import Cluster
from serverprocess import ServerProcess, tagwerk

pytestmark = [pytest.mark.slow, pytest.mark.long]

HOME = "/anna/calendar/"
WRITERS = 4


@pytest.fixture
def pair() -> Iterator[tuple[Cluster, Cluster]]:
    """A primary and the standby that it waits for at every commit."""
    postgrescluster.binaries()
    with postgrescluster.own(tcp=True) as primary, postgrescluster.standby_of(primary) as standby:
        primary.query("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.query("ALTER SYSTEM SET synchronous_commit = 'remote_write'")
        primary.query("SELECT pg_reload_conf()")
        yield primary, standby


@pytest.fixture
def nodes(pair: tuple[Cluster, Cluster], tmp_path: Path) -> Iterator[list[ServerProcess]]:
    """Two servers that know both databases and use the one that writes."""
    primary, standby = pair
    url = (
        f"postgresql://tagwerk@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/postgres"
        "?target_session_attrs=read-write&connect_timeout=2"
    )
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        serverprocess.keep_in(folder, url)
    tagwerk("user", "add", "anna", "--password-stdin", "--data", folders[0], stdin="secret\n")
    running = [serverprocess.start(folder) for folder in folders]
    yield running
    for each in running:
        each.stop()


class Writer:
    """Writes until it is told to stop, asking another node again where one does not answer."""

    def __init__(self, nodes: list[ServerProcess], number: int) -> None:
        self._nodes, self._number = nodes, number
        self.stored: dict[str, str] = {}
        self.statuses: set[int] = set()

    def run(self, stopped: threading.Event) -> None:
        turn = 0
        clients = [Dav(node.url) for node in self._nodes]
        while not stopped.is_set():
            name = f"{self._number}-{turn}.ics"
            turn += 1
            try:
                answer = clients[turn % len(clients)].put(HOME + name, event(name))
            except (OSError, http.client.HTTPException):
                continue
            self.statuses.add(answer.status)
            if answer.status in (201, 204) and answer.etag:
                self.stored[name] = answer.etag
            else:
                assert answer.headers.get("retry-after"), answer
                time.sleep(0.1)
        for client in clients:
            client.close()


class Follower:
    """A client that knows the calendar by its sync tokens alone."""

    def __init__(self, nodes: list[ServerProcess]) -> None:
        self._clients = [Dav(node.url) for node in nodes]
        self._token = ""
        self._turn = 0
        self.known: dict[str, str] = {}

    def page(self) -> bool:
        self._turn += 1
        answer = self._clients[self._turn % len(self._clients)].sync(HOME, self._token, limit=20)
        if answer.status == 503:
            return False
        if answer.status == 403:
            assert answer.condition == DAV + "valid-sync-token"
            self._token, self.known = "", {}
            return True
        found = answer.multistatus()
        self.known |= {
            href.removeprefix(HOME): one.etag for href, one in found.found.items() if one.status is None
        }
        self._token = found.token
        return found.truncated

    def run(self, stopped: threading.Event) -> None:
        while not stopped.is_set():
            self.page()
            time.sleep(0.05)
        while self.page():
            pass
        for client in self._clients:
            client.close()


def wait_until(condition: Callable[[], bool], *, seconds: float) -> float:
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < seconds
        time.sleep(0.05)
    return time.monotonic() - begin


def test_a_standby_that_takes_over_has_every_answered_write(pair, nodes):
    primary, standby = pair
    stopped = threading.Event()
    writers = [Writer(nodes, number) for number in range(WRITERS)]
    follower = Follower(nodes)
    written = threading.Event()
    threads = [threading.Thread(target=writer.run, args=(stopped,), daemon=True) for writer in writers]
    threads.append(threading.Thread(target=follower.run, args=(written,), daemon=True))
    for thread in threads:
        thread.start()
    wait_until(lambda: sum(len(writer.stored) for writer in writers) > 80, seconds=60)

    primary.kill()
    before = sum(len(writer.stored) for writer in writers)
    standby.promote()

    took = wait_until(lambda: sum(len(writer.stored) for writer in writers) > before + 40, seconds=60)
    stopped.set()
    for thread in threads[:-1]:
        thread.join(60)
    written.set()
    threads[-1].join(60)
    stored = {name: etag for writer in writers for name, etag in writer.stored.items()}
    with closing(Dav(nodes[0].url)) as anna:
        listed = anna.sync(HOME).multistatus().found
    there = {href.removeprefix(HOME): one.etag for href, one in listed.items()}
    assert stored.items() <= there.items()
    assert follower.known == there
    assert set.union(*(writer.statuses for writer in writers)) <= {201, 204, 503}
    assert took < 60
