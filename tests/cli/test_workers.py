"""`tagwerk serve --workers`: several processes that are one server, on each engine."""

from __future__ import annotations

import http.client
import itertools
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import serverprocess
from davclient import Dav
from davsamples import event
from serverprocess import ServerProcess, tagwerk
from tagwerk.http import tls

HOME = "/anna/calendar/"
WORKERS = 3


@pytest.fixture
def workers(tmp_path: Path, new_data: Callable[[Path], Path]) -> Iterator[Callable[..., ServerProcess]]:
    """Starts a server of several processes, with anna in its database."""
    running: list[ServerProcess] = []

    def start(*arguments: str, environ: Mapping[str, str] | None = None) -> ServerProcess:
        data = new_data(tmp_path / "data")
        tagwerk("user", "add", "anna", "--password-stdin", "--data", data, stdin="secret\n")
        # A machine that has other work to do is no reason for a line in the log.
        config = tmp_path / "workers.ini"
        config.write_text("[logging]\nslow_request_ms = 0\n")
        options = () if "--config" in arguments else ("--config", str(config))
        running.append(
            serverprocess.start(data, "--workers", str(WORKERS), *options, *arguments, environ=environ)
        )
        return running[-1]

    yield start
    for each in running:
        each.stop()


def pids(server: ServerProcess) -> list[int]:
    """The workers, oldest first."""
    parent = server.process.pid
    return list(map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split()))


@pytest.fixture
def clients() -> Iterator[Callable[..., list[Dav]]]:
    """Makes clients with a connection each, so that every worker gets some."""
    made: list[Dav] = []

    def make(server: ServerProcess, number: int, password: str = "secret") -> list[Dav]:
        made.extend(found := [Dav(server.url, "anna", password) for _ in range(number)])
        return found

    yield make
    for each in made:
        each.close()


def one(server: ServerProcess) -> AbstractContextManager[Dav]:
    """A client with a connection of its own."""
    return closing(Dav(server.url))


def status_of(client: Dav) -> int:
    return client.sync(HOME).status


def put(server: ServerProcess, number: int) -> int:
    with one(server) as client:
        return client.put(f"{HOME}{number}.ics", event(str(number))).status


def names(server: ServerProcess) -> list[str]:
    with one(server) as client:
        return client.sync(HOME).multistatus().names


def test_all_of_them_answer_and_end_together(workers):
    server = workers()
    before = pids(server)

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda number: put(server, number), range(40)))

    assert statuses == [201] * 40
    assert len(before) == WORKERS
    assert len(names(server)) == 40
    assert server.stop() == 0
    assert not any(Path(f"/proc/{pid}/fd/0").exists() for pid in before)
    assert server.log.read_text() == ""


def test_one_that_dies_is_started_again_and_nobody_else_notices(workers):
    server = workers()
    before = pids(server)

    os.kill(before[1], signal.SIGKILL)

    deadline = time.monotonic() + 20
    while len(pids(server)) < WORKERS or before[1] in pids(server):
        assert time.monotonic() < deadline
        with one(server) as client:
            assert status_of(client) == 207
        time.sleep(0.05)
    assert {before[0], before[2]} <= set(pids(server))
    assert f"process {before[1]}) was ended by signal 9; it is started again" in server.log.read_text()
    assert server.stop() == 0


def test_they_end_when_who_looks_after_them_is_killed(workers):
    server = workers()
    before = pids(server)

    server.kill()

    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}/fd/0").exists() for pid in before):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.long
def test_what_was_begun_is_finished_before_they_end(workers):
    server = workers()
    stored: list[str] = []
    refused = threading.Event()

    def write(number: int) -> None:
        client = Dav(server.url)
        turn = 0
        while not refused.is_set():
            name = f"{number}-{turn}.ics"
            turn += 1
            try:
                answer = client.put(HOME + name, event(name))
            except (OSError, http.client.HTTPException):
                refused.set()
            else:
                assert answer.status == 201
                stored.append(name)
        client.close()

    threads = [threading.Thread(target=write, args=(number,), daemon=True) for number in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(1)

    code = server.stop()

    refused.set()
    for thread in threads:
        thread.join(20)
    assert code == 0
    again = serverprocess.start(server.data)
    assert set(stored) <= set(names(again))
    again.stop()


def test_a_changed_password_counts_in_every_process_from_the_next_request_on(workers, clients):
    server = workers()
    several = clients(server, 12)
    assert {status_of(client) for client in several} == {207}

    tagwerk("user", "password", "anna", "--password-stdin", "--data", server.data, stdin="changed\n")

    assert {status_of(client) for client in several} == {401}
    assert {status_of(client) for client in clients(server, 12, "changed")} == {207}


def test_a_removed_user_is_unknown_in_every_process_from_the_next_request_on(workers, clients):
    server = workers()
    several = clients(server, 12)
    assert {status_of(client) for client in several} == {207}

    tagwerk("user", "remove", "anna", "--yes", "--data", server.data)

    assert {status_of(client) for client in several} == {401}


@pytest.mark.slow
def test_many_who_write_into_one_calendar_get_no_error(workers):
    """On SQLite the processes queue up; nobody sees that a database is locked."""
    server = workers()

    def write(number: int) -> list[int]:
        client = Dav(server.url)
        statuses = [
            client.put(f"{HOME}{number}-{turn}.ics", event(f"{number}-{turn}")).status for turn in range(25)
        ]
        client.close()
        return statuses

    with ThreadPoolExecutor(12) as pool:
        statuses = [status for found in pool.map(write, range(12)) for status in found]

    assert statuses == [201] * 300
    assert server.log.read_text() == ""


def test_a_port_in_use_is_one_sentence(workers):
    server = workers()
    port = server.url.rstrip("/").rpartition(":")[2]

    done = tagwerk("serve", "--data", server.data, "--port", port, "--workers", "2", check=False)

    assert done.returncode == 1
    assert "in use" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_every_change_of_every_process_is_seen_by_who_watches(workers):
    server = workers()
    watching = subprocess.Popen(
        [
            *serverprocess.command(),
            *("collection", "watch", "anna", "calendar"),
            *("--database", server.database_url),
        ],
        stdout=subprocess.PIPE,
        text=True,
        env=serverprocess.environment(),
    )
    assert watching.stdout is not None
    first = watching.stdout.readline().split()

    statuses = [put(server, number) for number in range(10)]

    seen = [first]
    while int(seen[-1][2]) < int(first[2]) + 10:
        seen.append(watching.stdout.readline().split())
    watching.send_signal(signal.SIGINT)
    watching.communicate(timeout=20)
    assert statuses == [201] * 10
    assert {line[1] for line in seen} == {"calendar"}
    assert watching.returncode == 0


def test_all_of_them_read_a_new_certificate_when_they_are_asked_to(workers):
    server = workers("--self-signed")
    assert server.url.startswith("https://")
    folder = server.data
    before = tls.fingerprint(folder / "self-signed.pem")
    for name in ("self-signed.pem", "self-signed.key"):
        (folder / name).unlink()
    tls.self_signed(folder, tls.local_hosts())
    after = tls.fingerprint(folder / "self-signed.pem")
    assert {shown(server) for _ in range(10)} == {before}

    server.process.send_signal(signal.SIGHUP)

    deadline = time.monotonic() + 20
    while {shown(server) for _ in range(20)} != {after}:
        assert time.monotonic() < deadline
    assert len(pids(server)) == WORKERS


def shown(server: ServerProcess) -> str:
    """The SHA-256 of the certificate that a new connection meets."""
    address = urlsplit(server.url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((address.hostname, address.port), timeout=20) as plain,
        context.wrap_socket(plain) as encrypted,
    ):
        certificate = encrypted.getpeercert(binary_form=True)
    assert certificate is not None
    return sha256(certificate).digest().hex(":").upper()


def test_a_service_manager_hears_once_all_of_them_answer_and_that_they_live(workers, tmp_path):
    place = tmp_path / "manager"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(place))
        manager.settimeout(20)
        server = workers(environ={"NOTIFY_SOCKET": str(place), "WATCHDOG_USEC": "300000"})
        assert manager.recv(100) == b"READY=1"
        assert [manager.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        assert server.stop() == 0
        said = b""
        while said != b"STOPPING=1":
            said = manager.recv(100)


def numbers(server: ServerProcess) -> dict[str, float]:
    """What a new connection is told, by whichever worker takes it."""
    with one(server) as client:
        text = client.get("/-/metrics").text
    return {
        name: float(value)
        for name, value in (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    }


@contextmanager
def asleep(pid: int) -> Iterator[None]:
    """While one worker is stopped, another one takes every connection."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


STORED = 'tagwerk_requests_total{method="PUT",report="",status="201"}'
SYNCED = 'tagwerk_requests_total{method="REPORT",report="sync-collection",status="207"}'
SYNC_SECONDS = 'tagwerk_request_seconds_count{method="REPORT",report="sync-collection"}'


def test_whoever_is_asked_for_numbers_has_those_of_all(workers):
    server = workers("--workers", "2")
    first, second = pids(server)
    with asleep(first):
        for number in range(3):
            assert put(server, number) == 201
        of_second = numbers(server)
    with asleep(second):
        for number in range(3, 8):
            assert put(server, number) == 201
        assert len(names(server)) == 8
        of_first = numbers(server)

    assert (of_second[STORED], of_first[STORED]) == (3, 8)
    assert of_first['tagwerk_request_seconds_count{method="PUT",report=""}'] == 8
    assert of_first["tagwerk_sync_responses_count"] == 1
    assert of_first["tagwerk_start_time_seconds"] == of_second["tagwerk_start_time_seconds"]
    assert of_first["tagwerk_process_starts_total"] == 2
    assert of_first["tagwerk_database_up"] == 1


@pytest.mark.long
def test_no_number_shrinks_when_a_worker_dies(workers):
    server = workers("--workers", "2")
    first, second = pids(server)
    with asleep(second):
        for number in range(4):
            assert put(server, number) == 201
    before = numbers(server)

    os.kill(first, signal.SIGKILL)

    seen = [before]
    deadline = time.monotonic() + 20
    while seen[-1]["tagwerk_process_starts_total"] < 3:
        assert time.monotonic() < deadline
        seen.append(numbers(server))
        time.sleep(0.05)
    (replaced,) = set(pids(server)) - {second}
    with asleep(second):
        assert put(server, 4) == 201
        assert len(names(server)) == 5
        seen.append(numbers(server))
    assert replaced != first
    assert [each[STORED] for each in seen[:-1]] == [4] * (len(seen) - 1)
    assert (seen[-1][STORED], seen[-1][SYNCED], seen[-1][SYNC_SECONDS]) == (5, 1, 1)
    for earlier, later in itertools.pairwise(seen):
        shrunk = {name for name, value in earlier.items() if later.get(name, -1.0) < value}
        assert shrunk - {"tagwerk_outbox_depth", "tagwerk_outbox_dead"} == set()
