"""Writers in several processes, and readers who follow tokens: nobody passes a change (DESIGN, Synchronization).

The last test shows that the first one could fail: with numbers from a sequence the same
readers lose changes.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numbering
import pytest

import serverprocess
from tagwerk.model import Collection, Kind, SyncToken
from tagwerk.store import Engine, Transaction, open_engine
from tagwerk.store.collections import create_collection, find_binding
from tagwerk.store.objects import etags
from tagwerk.store.principals import add_principal
from tagwerk.store.sync import changes_since

pytestmark = pytest.mark.slow

WRITERS = 4
WRITES = 120
PAGES = (1, 7, 1000)

Reading = Callable[[Transaction], Collection]


class Reader:
    """Follows the collection in pages of one size, and checks that what it was told stays in order."""

    def __init__(self, engine: Engine, limit: int, collection: Reading) -> None:
        self._engine, self._limit, self._collection = engine, limit, collection
        self._token: SyncToken | None = None
        self.known: dict[str, str] = {}
        self.pages = 0

    def page(self) -> bool:
        with self._engine.read() as txn:
            changes = changes_since(txn, self._collection(txn), self._token, limit=self._limit)
        if self._token is not None:
            assert changes.token.position >= self._token.position
        self.known.update(changes.changed)
        for name in changes.removed:
            self.known.pop(name, None)
        self._token = changes.token
        self.pages += 1
        return changes.truncated

    def follow(self, done: threading.Event) -> None:
        while not done.is_set():
            self.page()
        while self.page():
            pass


def counted(txn: Transaction) -> Collection:
    """The collection with its own counter."""
    binding = find_binding(txn, "anna", "work")
    assert binding is not None
    return binding.collection


def with_the_newest_number(txn: Transaction) -> Collection:
    """The same, where nobody counts in the collection: it stands at the newest number that can be seen."""
    row = txn.row("SELECT COALESCE(MAX(modseq), 0) FROM object")
    assert row is not None
    return dataclasses.replace(counted(txn), modseq=row[0], shared_modseq=row[0])


def write_and_follow(url: str, how: str, reading: Reading) -> tuple[list[Reader], dict[str, str]]:
    """Let everybody run; the readers, and what is there in the end."""
    engine = open_engine(url)
    with engine.write() as txn:
        owner = add_principal(txn, "anna", now=0)
        create_collection(txn, owner.id, name="work", kind=Kind.CALENDAR, now=0)
    command = [sys.executable, str(Path(numbering.__file__)), url, how]
    writers = [
        subprocess.Popen(
            [*command, str(number), str(WRITES)], env=serverprocess.environment(), stderr=subprocess.PIPE
        )
        for number in range(WRITERS)
    ]
    done = threading.Event()
    readers = [Reader(engine, limit, reading) for limit in PAGES]
    threads = [threading.Thread(target=reader.follow, args=(done,), daemon=True) for reader in readers]
    for thread in threads:
        thread.start()
    said = [writer.communicate(timeout=200)[1] for writer in writers]
    done.set()
    for thread in threads:
        thread.join(60)
    assert [writer.returncode for writer in writers] == [0] * WRITERS, said
    with engine.read() as txn:
        there = dict(etags(txn, counted(txn).id))
    engine.close()
    return readers, there


def test_no_reader_ever_passes_a_change(url):
    readers, there = write_and_follow(url, "right", counted)

    assert [reader.known for reader in readers] == [there] * len(PAGES)
    assert len(there) > WRITERS * 10
    assert min(reader.pages for reader in readers) > 20


@pytest.mark.parametrize("any_engine", ["postgresql"], indirect=True)
def test_with_numbers_from_a_sequence_readers_lose_changes(url):
    engine = open_engine(url)
    with engine.write() as txn:
        txn.execute(f"CREATE SEQUENCE IF NOT EXISTS {numbering.SEQUENCE}")
    engine.close()

    readers, there = write_and_follow(url, "sequence", with_the_newest_number)

    assert any(reader.known != there for reader in readers)
