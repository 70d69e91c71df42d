"""A quarter of an hour of what clients do: memory and file descriptors stay where they were."""

from __future__ import annotations

import os
import random
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from davclient import DAV, Dav
from davsamples import event
from serverprocess import ServerProcess, tagwerk

SECONDS = int(os.environ.get("TAGWERK_SOAK_SECONDS", "900"))
CLIENTS = 6
HOME = "/anna/calendar/"


def used(server: ServerProcess) -> tuple[int, int]:
    """Resident bytes and open files of the server and its workers."""
    parent = server.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    resident = files = 0
    for pid in (str(parent), *children):
        resident += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        files += len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return resident, files


def behave(server: ServerProcess, number: int, stopped: threading.Event, failures: list[object]) -> None:
    """One client: polls, syncs, writes, deletes, and comes back with a new connection."""
    chosen = random.Random(number)
    while not stopped.is_set():
        with closing(Dav(server.url)) as client:
            token = client.sync(HOME).multistatus().token
            for _ in range(50):
                if stopped.is_set():
                    return
                name = f"{number}-{chosen.randrange(40)}.ics"
                answer = chosen.choice(
                    [
                        lambda name=name: client.put(HOME + name, event(name, summary=str(chosen.random()))),
                        lambda name=name: client.delete(HOME + name),
                        lambda token=token: client.sync(HOME, token),
                        lambda: client("PROPFIND", HOME, "", Depth="0"),
                    ]
                )()
                if answer.status not in (200, 201, 204, 207, 404):
                    failures.append(answer)


@pytest.mark.slow
@pytest.mark.long
def test_memory_and_files_stay_where_they_were(new_server):
    server = new_server("--workers", "2")
    tagwerk("user", "add", "anna", "--password-stdin", "--data", server.data, stdin="secret\n")
    stopped, failures = threading.Event(), []
    threads = [
        threading.Thread(target=behave, args=(server, number, stopped, failures), daemon=True)
        for number in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    time.sleep(SECONDS / 3)
    warm = used(server)

    time.sleep(SECONDS * 2 / 3)

    after = used(server)
    stopped.set()
    for thread in threads:
        thread.join(60)
    print(f"resident {warm[0] >> 20} MiB, then {after[0] >> 20}; files {warm[1]}, then {after[1]}")
    assert failures == []
    assert after[0] < warm[0] * 1.1 + 4 * 2**20
    assert after[1] <= warm[1] + 10
    with closing(Dav(server.url)) as client:
        assert client.propfind(HOME, DAV + "getetag", depth="1")
