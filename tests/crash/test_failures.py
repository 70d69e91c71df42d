"""What goes wrong around a server: a full disk, a race of first starts, readers that hang on."""

from __future__ import annotations

import json
import os
import resource
import socket
import sqlite3
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import serverprocess
from davclient import DAV, Dav, basic
from davsamples import event
from serverprocess import tagwerk

HOME = "/anna/calendar/"


def add_anna(data: Path) -> None:
    tagwerk("user", "add", "anna", "--password-stdin", "--data", data, stdin="secret\n")


def limit_file_size(server, size: int) -> None:
    """Let no file of the server's grow beyond `size` bytes, as on a disk that is full."""
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


on_sqlite = pytest.mark.parametrize("any_engine", ["sqlite"], indirect=True)


@on_sqlite
@pytest.mark.slow
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of another process are Linux's")
def test_a_full_disk_refuses_writes_and_goes_on_reading(new_server, tmp_path):
    server = new_server()
    add_anna(server.data)
    client = Dav(server.url)
    fill = "X-FILL:" + "x" * 20_000
    assert client.put(HOME + "before.ics", event("before")).status == 201
    largest = max(path.stat().st_size for path in server.data.iterdir())
    limit_file_size(server, largest + 100_000)
    stored, refused = [], []
    for number in range(30):
        answer = client.put(f"{HOME}{number}.ics", event(str(number), more=fill))
        (stored if answer.status == 201 else refused).append((number, answer))

    listed = client.propfind(HOME, DAV + "getetag", depth="1").names

    assert refused
    assert {answer.status for _, answer in refused} <= {503, 507}
    assert all(answer.sentence for _, answer in refused)
    assert not any(str(server.data) in answer.sentence for _, answer in refused)
    assert f"{server.data}/tagwerk.sqlite" in server.log.read_text()
    assert set(listed) - {""} == {"before.ics"} | {f"{number}.ics" for number, _ in stored}
    limit_file_size(server, resource.RLIM_INFINITY)
    assert client.put(HOME + "after.ics", event("after")).status == 201
    assert json.loads(tagwerk("check", "--json", "--data", server.data).stdout)["ok"]
    client.close()


def test_several_first_starts_at_once_make_one_database(tmp_path, new_data):
    data = new_data(tmp_path / "data")

    with ThreadPoolExecutor(3) as pool:
        servers = [done.result() for done in [pool.submit(serverprocess.start, data) for _ in range(3)]]

    add_anna(data)
    clients = [Dav(server.url) for server in servers]
    assert [client.put(f"{HOME}{n}.ics", event(str(n))).status for n, client in enumerate(clients)] == [
        201
    ] * 3
    assert [client.sync(HOME).multistatus().names for client in clients] == [["0.ics", "1.ics", "2.ics"]] * 3
    for client in clients:
        client.close()
    assert [server.stop() for server in servers] == [0, 0, 0]


@pytest.mark.long
@pytest.mark.slow
def test_stopping_does_not_wait_for_readers_that_hang(new_server):
    server = new_server()
    add_anna(server.data)
    client = Dav(server.url)
    for number in range(60):
        client.put(f"{HOME}{number}.ics", event(str(number), more="X-FILL:" + "x" * 500_000))
    client.close()
    parts = urlsplit(server.url)
    hanging = [socket.create_connection((parts.hostname, parts.port)) for _ in range(4)]
    for number, connection in enumerate(hanging):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        target = HOME if number % 2 else f"{HOME}1.ics"
        connection.sendall(
            f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: {basic('anna', 'secret')}\r\n\r\n".encode()
        )
    idle = [socket.create_connection((parts.hostname, parts.port)) for _ in range(4)]
    time.sleep(1)
    begin = time.monotonic()

    code = server.stop()

    assert code == 0
    assert time.monotonic() - begin < 20
    for connection in (*hanging, *idle):
        connection.close()


def test_a_database_that_is_none_is_said_in_a_sentence(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "tagwerk.sqlite").write_bytes(b"this is no database, and it is long enough to be read" * 100)

    done = tagwerk("serve", "--data", data, "--port", "0", check=False)

    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@on_sqlite
def test_a_damaged_page_is_found_by_check_and_stops_nobody_else(new_server):
    server = new_server()
    add_anna(server.data)
    client = Dav(server.url)
    for number in range(200):
        client.put(f"{HOME}{number}.ics", event(str(number), more="X-FILL:" + "x" * 5000))
    client.close()
    assert server.stop() == 0
    path = server.data / "tagwerk.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(os.urandom(8192))

    done = tagwerk("check", "--data", server.data, check=False)

    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    again = serverprocess.start(server.data)
    reader = Dav(again.url)
    statuses = {reader.get(f"{HOME}{number}.ics").status for number in range(200)}
    reader.close()
    assert again.stop() == 0
    assert 200 in statuses
    assert statuses <= {200, 404, 503}


@on_sqlite
def test_a_folder_of_a_newer_program_is_refused_in_words(new_server):
    server = new_server()
    assert server.stop() == 0
    with closing(sqlite3.connect(server.data / "tagwerk.sqlite")) as database, database:
        database.execute(
            "UPDATE meta SET value = '9999' WHERE key IN ('schema_version', 'compatible_version')"
        )
        database.execute("UPDATE meta SET value = '9999' WHERE key LIKE '%compat%'")

    done = subprocess.run(
        [*serverprocess.command(), "serve", "--data", str(server.data), "--port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
        env=serverprocess.environment(),
    )

    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "newer" in done.stderr
