"""The change feed: every change is told, to everybody who watches, in every process, within a second."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from store_samples import NOW, event

import serverprocess
from tagwerk.model import Collection, CollectionId, Kind, Modseq
from tagwerk.store import Engine, open_engine
from tagwerk.store.collections import create_collection
from tagwerk.store.feed import GONE, Feed
from tagwerk.store.history import delete_collection
from tagwerk.store.objects import put_object

WRITER = """
import sys
from store_samples import NOW, event
from tagwerk.store import open_engine
from tagwerk.store.objects import put_object
engine = open_engine(sys.argv[1])
with engine.write() as txn:
    put_object(txn, int(sys.argv[2]), "other.ics", upload=event("other"), now=NOW)
"""


class Seen:
    """What a listener was told."""

    def __init__(self) -> None:
        self.told: list[tuple[CollectionId, Modseq]] = []
        self._changed = threading.Condition()

    def __call__(self, collection: CollectionId, modseq: Modseq) -> None:
        with self._changed:
            self.told.append((collection, modseq))
            self._changed.notify_all()

    def wait_for(self, collection: CollectionId, modseq: Modseq, *, seconds: float = 10) -> float:
        """How long it took until that was told."""
        begin = time.monotonic()
        with self._changed:
            assert self._changed.wait_for(lambda: (collection, modseq) in self.told, seconds), self.told
        return time.monotonic() - begin


@pytest.fixture
def feed(store: Engine) -> Iterator[Feed]:
    made = Feed(store)
    yield made
    made.close()


def put(engine: Engine, collection: Collection, name: str) -> Modseq:
    with engine.write() as txn:
        return put_object(txn, collection.id, f"{name}.ics", upload=event(name), now=NOW).modseq


def test_who_begins_to_watch_is_told_where_things_are(feed, calendar):
    seen = Seen()

    with feed.watch([calendar.id], seen):
        seen.wait_for(calendar.id, calendar.modseq)


def test_who_begins_later_is_told_where_things_are_though_nothing_changes(feed, calendar):
    first, second = Seen(), Seen()

    with feed.watch([calendar.id], first):
        first.wait_for(calendar.id, calendar.modseq)
        time.sleep(0.3)
        with feed.watch([calendar.id], second):
            second.wait_for(calendar.id, calendar.modseq)


def test_a_change_of_another_connection_is_told_within_a_second(feed, url, calendar):
    other, seen = open_engine(url), Seen()
    with feed.watch([calendar.id], seen):
        seen.wait_for(calendar.id, calendar.modseq)

        modseq = put(other, calendar, "a")

        assert seen.wait_for(calendar.id, modseq) < 1
    other.close()


def test_a_change_of_another_process_is_told(feed, url, calendar):
    seen = Seen()
    environ = serverprocess.environment() | {"PYTHONPATH": ":".join(sys.path)}
    with feed.watch([calendar.id], seen):
        seen.wait_for(calendar.id, calendar.modseq)

        subprocess.run([sys.executable, "-c", WRITER, url, str(calendar.id)], env=environ, check=True)

        seen.wait_for(calendar.id, Modseq(calendar.modseq + 1))


def test_everybody_is_told_what_they_watch_and_nothing_else(feed, store, anna, calendar):
    with store.write() as txn:
        book = create_collection(txn, anna.id, name="book", kind=Kind.ADDRESSBOOK, now=NOW).collection
    first, second = Seen(), Seen()
    with feed.watch([calendar.id], first), feed.watch([calendar.id, book.id], second):
        modseq = put(store, calendar, "a")
        for seen in (first, second):
            seen.wait_for(calendar.id, modseq)
        second.wait_for(book.id, book.modseq)

    assert {collection for collection, _ in first.told} == {calendar.id}


def test_nobody_is_told_after_they_stopped_watching(feed, store, calendar):
    gone, stays = Seen(), Seen()
    with feed.watch([calendar.id], stays):
        with feed.watch([calendar.id], gone):
            gone.wait_for(calendar.id, calendar.modseq)

        modseq = put(store, calendar, "a")
        stays.wait_for(calendar.id, modseq)

    assert gone.told == [(calendar.id, calendar.modseq)]


def test_a_collection_that_goes_is_told_as_gone(feed, store, calendar):
    seen = Seen()
    with feed.watch([calendar.id], seen):
        seen.wait_for(calendar.id, calendar.modseq)

        with store.write() as txn:
            delete_collection(txn, calendar.id)

        seen.wait_for(calendar.id, GONE)


def test_what_was_undone_is_not_told(feed, store, calendar):
    seen = Seen()
    with feed.watch([calendar.id], seen):
        seen.wait_for(calendar.id, calendar.modseq)

        with store.write() as txn:
            with pytest.raises(LookupError), txn.savepoint():
                put_object(txn, calendar.id, "a.ics", upload=event("a"), now=NOW)
                put_object(txn, calendar.id, "b.ics", upload=event("b"), now=NOW)
                raise LookupError
            modseq = put_object(txn, calendar.id, "c.ics", upload=event("c"), now=NOW).modseq

        seen.wait_for(calendar.id, modseq)
    assert [told for _, told in seen.told] == [calendar.modseq, modseq]


def test_many_changes_at_once_are_all_told(feed, store, anna):
    with store.write() as txn:
        made = [
            create_collection(txn, anna.id, name=f"c{number}", kind=Kind.CALENDAR, now=NOW).collection
            for number in range(700)
        ]
    seen = Seen()
    with feed.watch([each.id for each in made], seen):
        seen.wait_for(made[-1].id, made[-1].modseq)

        with store.write() as txn:
            for each in made:
                put_object(txn, each.id, "a.ics", upload=event("a"), now=NOW)

        for each in made:
            seen.wait_for(each.id, Modseq(each.modseq + 1))


def test_a_listener_that_fails_keeps_nobody_else_from_being_told(feed, store, calendar, caplog):
    def fail(_collection: CollectionId, _modseq: Modseq) -> None:
        raise LookupError("broken")

    seen = Seen()
    with feed.watch([calendar.id], fail), feed.watch([calendar.id], seen):
        seen.wait_for(calendar.id, put(store, calendar, "a"))

    assert "Somebody who watches a collection failed." in caplog.text


def test_the_last_of_a_stream_of_changes_is_told(feed, url, calendar):
    other, seen = open_engine(url), Seen()
    with feed.watch([calendar.id], seen):
        for number in range(200):
            modseq = put(other, calendar, str(number))

        seen.wait_for(calendar.id, modseq, seconds=2)
    other.close()
    assert [told for _, told in seen.told] == sorted(told for _, told in seen.told)


@pytest.mark.parametrize("any_engine", ["postgresql"], indirect=True)
def test_what_changed_while_the_connection_was_lost_is_told_afterwards(
    feed, url, calendar, monkeypatch: pytest.MonkeyPatch
):
    other, seen = open_engine(url), Seen()
    lost: Callable[[], None] = lambda: end_listeners(url)  # noqa: E731
    with feed.watch([calendar.id], seen):
        seen.wait_for(calendar.id, calendar.modseq)
        for turn in range(3):
            lost()
            modseq = put(other, calendar, str(turn))

            seen.wait_for(calendar.id, modseq, seconds=5)
    other.close()


def end_listeners(url: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
