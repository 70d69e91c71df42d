"""``python -m radicale --config config/radicale.ini``, really started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from stock import HASH, NOW, event

from tagwerk.accounts.passwords import hash_password
from tagwerk.accounts.users import add_user
from tagwerk.store import credentials, open_engine
from tagwerk.store.principals import principal_by_name

CONFIG = Path(__file__).parents[2] / "config" / "radicale.ini"
ANNA = ("anna", "secret")
DEADLINE = 30.0


class Radicale:
    """A server process on a free port of the loopback."""

    def __init__(self, data: Path, log: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        environ = {name: value for name, value in os.environ.items() if not name.startswith("TAGWERK_")}
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "radicale", "--config", str(CONFIG), "--hosts", f"127.0.0.1:{port}"],
                env={**environ, "TAGWERK_DATA": str(data)},
                stdout=output,
                stderr=output,
            )
        self._wait(log)

    def _wait(self, log: Path) -> None:
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                requests.get(self.url, timeout=1, allow_redirects=False)
                return
            except requests.ConnectionError:
                time.sleep(0.1)
        pytest.fail("Radicale did not start: " + log.read_text())

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE)


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def servers(data, tmp_path):
    """Starts servers on one data folder, and ends them."""
    started: list[Radicale] = []

    def start() -> Radicale:
        started.append(Radicale(data, tmp_path / "log"))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop()


def test_it_starts_with_nothing_and_serves_a_new_user(servers, data):
    server = servers()
    assert requests.request("PROPFIND", server.url + "/", timeout=10).status_code == 401

    engine = open_engine(f"sqlite://{data}/tagwerk.sqlite")
    with engine.write() as txn:
        add_user(txn, "anna", now=NOW, password_hash=HASH)

    place = server.url + "/anna/calendar/a.ics"
    put = requests.put(place, event("a").encode(), auth=ANNA, timeout=10)
    got = requests.get(place, auth=ANNA, timeout=10)
    assert (put.status_code, got.status_code) == (201, 200)
    assert "SUMMARY:Frühstück" in got.content.decode()
    assert (data.stat().st_mode & 0o777) == 0o700

    with engine.write() as txn:
        changed = hash_password("changed")
        credentials.set_password(txn, principal_by_name(txn, "anna").id, changed, now=NOW)

    assert requests.get(place, auth=ANNA, timeout=10).status_code == 401
    assert requests.get(place, auth=("anna", "changed"), timeout=10).status_code == 200
    engine.close()
    assert server.stop() == 0


def test_two_processes_serve_one_database(servers, data):
    first, second = servers(), servers()
    engine = open_engine(f"sqlite://{data}/tagwerk.sqlite")
    with engine.write() as txn:
        add_user(txn, "anna", now=NOW, password_hash=HASH)
    engine.close()

    for number, server in enumerate((first, second) * 5):
        url = f"{server.url}/anna/calendar/{number}.ics"
        assert requests.put(url, event(str(number)).encode(), auth=ANNA, timeout=10).status_code == 201

    body = '<propfind xmlns="DAV:"><prop><getetag/><sync-token/></prop></propfind>'
    answers = [
        requests.request(
            "PROPFIND",
            server.url + "/anna/calendar/",
            data=body,
            headers={"Depth": "1"},
            auth=ANNA,
            timeout=10,
        ).text
        for server in (first, second)
    ]
    assert answers[0] == answers[1]
    assert answers[0].count("<response>") == 11


def test_a_storage_that_is_sound_is_verified(servers, data):
    servers().stop()

    verified = subprocess.run(
        [sys.executable, "-m", "radicale", "--config", str(CONFIG), "--verify-storage"],
        env={**os.environ, "TAGWERK_DATA": str(data)},
        capture_output=True,
        timeout=DEADLINE,
    )

    assert verified.returncode == 0, verified.stderr.decode()
