"""SQLite's writers take turns: processes that write all the time keep nobody waiting."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

import serverprocess
from tagwerk.errors import Unavailable
from tagwerk.store import open_engine
from tagwerk.store.queue import Queue
from tagwerk.store.schema import set_meta

BUSY = """
import sys, threading, time
from tagwerk.store import open_engine
from tagwerk.store.schema import set_meta
engine = open_engine(sys.argv[1])
until = time.monotonic() + float(sys.argv[2])
written = [0] * 4
def write(number):
    while time.monotonic() < until:
        with engine.write() as txn:
            set_meta(txn, f"{sys.argv[3]}-{number}", str(written[number]))
        written[number] += 1
threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(sum(written))
"""


@pytest.mark.slow
def test_processes_that_write_all_the_time_let_others_in(tmp_path):
    url = f"sqlite://{tmp_path}/tagwerk.sqlite"
    engine = open_engine(url)
    busy = [
        subprocess.Popen(
            [sys.executable, "-c", BUSY, url, "4", str(number)],
            env=serverprocess.environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    time.sleep(1)
    waited = []

    for number in range(20):
        begin = time.monotonic()
        with engine.write() as txn:
            set_meta(txn, "patient", str(number))
        waited.append(time.monotonic() - begin)
        time.sleep(0.05)

    written = [int(process.communicate(timeout=60)[0]) for process in busy]
    engine.close()
    assert max(waited) < 1.5
    assert min(written) * 3 > max(written)


@pytest.mark.slow
def test_a_long_read_blocks_no_writer(tmp_path):
    engine = open_engine(f"sqlite://{tmp_path}/tagwerk.sqlite")
    other = open_engine(f"sqlite://{tmp_path}/tagwerk.sqlite")
    with engine.read() as reading:
        reading.row("SELECT COUNT(*) FROM meta")
        begin = time.monotonic()

        for number in range(100):
            with other.write() as txn:
                set_meta(txn, "note", str(number))

        took = time.monotonic() - begin
        assert reading.row("SELECT value FROM meta WHERE key = 'note'") is None
    engine.close()
    other.close()
    assert took < 5


def test_who_waits_too_long_is_told_to_come_back(tmp_path):
    first = Queue(tmp_path / "database", patience=0.05)
    second = Queue(tmp_path / "database", patience=0.05)

    with first.turn(), pytest.raises(Unavailable, match="busy"), second.turn():
        pass

    with second.turn():
        pass
    first.close()
    second.close()


def test_a_process_that_dies_leaves_its_turn(tmp_path):
    code = (
        "import os, sys, pathlib\n"
        "from tagwerk.store.queue import Queue\n"
        "queue = Queue(pathlib.Path(sys.argv[1]), patience=1)\n"
        "with queue.turn():\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    place = tmp_path / "database"

    subprocess.run(
        [sys.executable, "-c", code, str(place)], env=serverprocess.environment(), check=False, timeout=30
    )

    queue = Queue(Path(place), patience=0.1)
    with queue.turn():
        pass
    queue.close()
