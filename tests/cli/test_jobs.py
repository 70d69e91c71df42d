"""`tagwerk jobs` and `tagwerk worker`."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import serverprocess
from serverprocess import tagwerk
from tagwerk.store import open_engine
from tagwerk.store.outbox import add_job, fail_job, take_job


@pytest.fixture
def place(tmp_path: Path, new_data: Callable[[Path], Path]) -> Path:
    """A data folder with two jobs of a kind that nobody does; one has failed once."""
    folder = new_data(tmp_path / "data")
    tagwerk("user", "add", "anna", "--password-stdin", "--data", folder, stdin="secret\n")
    engine = open_engine(serverprocess.url_of(folder))
    now = int(time.time())
    with engine.write() as txn:
        add_job(txn, "letter", key="one", payload={"to": "anna"}, now=now)
        job = take_job(txn, ["letter"], now=now)
        assert job is not None
        fail_job(txn, job, "The ink is dry.", now=now)
        add_job(txn, "letter", key="two", payload={}, now=now)
    engine.close()
    return folder


def listed(place: Path, *words: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(
        tagwerk("jobs", "list", "--json", *words, "--data", place).stdout
    )
    return found


def test_jobs_are_listed_with_why_they_failed(place):
    found = {job["key"]: job for job in listed(place)}

    assert found["one"]["error"] == "The ink is dry."
    assert found["one"]["attempts"] == 1
    assert found["one"]["payload"] == {"to": "anna"}
    assert listed(place, "--dead") == []
    assert "The ink is dry." in tagwerk("jobs", "list", "--data", place).stdout
    assert "The ink is dry." in tagwerk("jobs", "--data", place).stdout
    assert json.loads(tagwerk("jobs", "--json", "--data", place).stdout) == list(found.values())


def test_a_job_is_retried_and_dropped_by_its_number(place):
    ids = {job["key"]: str(job["id"]) for job in listed(place)}

    tagwerk("jobs", "retry", ids["one"], "--data", place)
    tagwerk("jobs", "drop", ids["two"], "--data", place)

    (only,) = listed(place)
    assert (only["key"], only["attempts"]) == ("one", 0)
    assert only["due"] <= time.time()
    refused = tagwerk("jobs", "drop", ids["two"], "--data", place, check=False)
    assert refused.returncode == 1
    assert f"There is no job {ids['two']}." in refused.stderr


def test_a_job_that_cannot_be_read_is_shown_as_it_is(place):
    engine = open_engine(serverprocess.url_of(place))
    with engine.write() as txn:
        txn.execute("UPDATE outbox SET payload = '{bad' WHERE key = 'two'")
    engine.close()

    assert {job["key"]: job["payload"] for job in listed(place)} == {"one": {"to": "anna"}, "two": "{bad"}
    assert tagwerk("jobs", "--data", place).returncode == 0


def test_a_worker_plans_upkeep_and_ends_when_it_is_asked(place):
    process = subprocess.Popen(
        [*serverprocess.command(), "worker", "--database", serverprocess.url_of(place)],
        stdout=subprocess.PIPE,
        text=True,
        env=serverprocess.environment(),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "Tagwerk does the jobs.\n"

    deadline = time.monotonic() + 20
    while {job["kind"] for job in listed(place)} != {"letter", "upkeep"}:
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)

    assert process.returncode == 0


def test_a_server_does_jobs_unless_it_is_told_not_to(place, tmp_path):
    config = tmp_path / "tagwerk.ini"
    config.write_text("[jobs]\nrun = worker\n")
    server = serverprocess.start(place, "--config", config)
    assert server.stop() == 0
    without = {job["kind"] for job in listed(place)}

    server = serverprocess.start(place)
    assert server.stop() == 0

    assert without == {"letter"}
    assert {job["kind"] for job in listed(place)} == {"letter", "upkeep"}
