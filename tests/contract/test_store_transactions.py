"""Transactions: all or nothing, snapshots, savepoints, and writers that wait for each other."""

from __future__ import annotations

import threading

import pytest
from store_samples import NOW, event

from tagwerk.errors import Unavailable
from tagwerk.store import open_engine
from tagwerk.store.collections import find_binding
from tagwerk.store.objects import etags, put_object
from tagwerk.store.observed import ObservedEngine
from tagwerk.store.principals import add_principal, principal_by_name
from tagwerk.store.schema import meta
from tagwerk.store.sync import changes_since


class Stop(Exception):
    """Thrown by a test."""


def test_a_write_is_there_after_its_block(store, url):
    with store.write() as txn:
        add_principal(txn, "anna", now=NOW)

    other = open_engine(url)
    with other.read() as txn:
        found = principal_by_name(txn, "anna")
    other.close()
    assert found is not None


def test_a_write_that_raises_leaves_nothing(store):
    with pytest.raises(Stop), store.write() as txn:
        add_principal(txn, "anna", now=NOW)
        raise Stop

    with store.read() as txn:
        assert principal_by_name(txn, "anna") is None


def test_what_still_runs_when_the_program_ends_hears_that_the_database_is_away(url):
    engine = open_engine(url)
    with engine.write() as txn:
        add_principal(txn, "anna", now=NOW)
    engine.close()

    with pytest.raises(Unavailable), engine.write() as txn:
        add_principal(txn, "berta", now=NOW)
    with pytest.raises(Unavailable), engine.read() as txn:
        principal_by_name(txn, "anna")

    again = open_engine(url)
    with again.read() as txn:
        names = [name for name in ("anna", "berta") if principal_by_name(txn, name)]
    again.close()
    assert names == ["anna"]


def test_a_savepoint_is_undone_alone(store):
    with store.write() as txn:
        add_principal(txn, "anna", now=NOW)
        with pytest.raises(Stop), txn.savepoint():
            add_principal(txn, "berta", now=NOW)
            with txn.savepoint():
                add_principal(txn, "carla", now=NOW)
            raise Stop
        with txn.savepoint():
            add_principal(txn, "dora", now=NOW)

    with store.read() as txn:
        names = [name for name in ("anna", "berta", "carla", "dora") if principal_by_name(txn, name)]
    assert names == ["anna", "dora"]


def test_a_read_sees_one_moment(store, calendar):
    with store.read() as reader:
        before = list(etags(reader, calendar.id))
        with store.write() as txn:
            put_object(txn, calendar.id, "a.ics", upload=event("a"), now=NOW)
        after = list(etags(reader, calendar.id))

    assert before == after == []


def test_reading_cannot_write(store):
    with pytest.raises(Exception, match=r"readonly|read-only"), store.read() as txn:
        add_principal(txn, "anna", now=NOW)


def test_writers_in_threads_and_engines_lose_nothing(store, url, calendar, current):
    other = open_engine(url)

    def write(engine, prefix):
        for number in range(25):
            uid = f"{prefix}{number}"
            with engine.write() as txn:
                put_object(txn, calendar.id, uid, upload=event(uid), now=NOW)

    threads = [
        threading.Thread(target=write, args=(engine, f"{name}-"))
        for name, engine in (("a", store), ("b", store), ("c", other), ("d", other))
    ]
    known, token = {}, None
    for thread in threads:
        thread.start()

    while any(thread.is_alive() for thread in threads) or token is None:
        with store.read() as txn:
            found = changes_since(txn, current(txn), token, limit=10)
        known.update(found.changed)
        token = found.token
    for thread in threads:
        thread.join()
    with store.read() as txn:
        known.update(changes_since(txn, current(txn), token, limit=1000).changed)
        there = dict(etags(txn, calendar.id))
    other.close()

    assert len(there) == 100
    assert known == there


def test_an_engine_can_be_closed_twice(url):
    engine = open_engine(url)

    engine.close()
    engine.close()


def test_a_binding_is_the_same_in_every_engine(store, url, calendar):
    other = open_engine(url)

    with other.read() as txn:
        found = find_binding(txn, "anna", "work")
    other.close()

    assert found is not None
    assert found.collection == calendar


def test_what_nobody_waits_for_is_written_with_the_commit(store):
    with store.write() as txn:
        txn.later("INSERT INTO meta (key, value) VALUES (?, ?)", ("note", "one"))
        txn.later("UPDATE meta SET value = ? WHERE key = ?", ("two", "note"))

    with store.read() as txn:
        assert meta(txn, "note") == "two"


def test_an_error_that_nobody_waited_for_undoes_all(store):
    with pytest.raises(Exception, match=r"meta|busy"), store.write() as txn:
        add_principal(txn, "anna", now=NOW)
        txn.later("INSERT INTO meta (key, value) VALUES ('schema_version', '0')")
        txn.later("INSERT INTO meta (key, value) VALUES ('note', 'kept')")

    with store.read() as txn:
        assert principal_by_name(txn, "anna") is None
        assert meta(txn, "note") == ""


def test_an_error_that_nobody_waited_for_belongs_to_its_savepoint(store):
    with store.write() as txn:
        add_principal(txn, "anna", now=NOW)
        with pytest.raises(Exception, match="meta"), txn.savepoint():
            add_principal(txn, "berta", now=NOW)
            txn.later("INSERT INTO meta (key, value) VALUES ('schema_version', '0')")
        txn.later("INSERT INTO meta (key, value) VALUES ('note', 'kept')")

    with store.read() as txn:
        assert principal_by_name(txn, "anna") is not None
        assert principal_by_name(txn, "berta") is None
        assert meta(txn, "note") == "kept"


def test_what_a_block_that_raises_left_to_be_sent_is_not_sent(store):
    with store.write() as txn:
        with pytest.raises(Stop), txn.savepoint():
            txn.later("INSERT INTO meta (key, value) VALUES ('note', 'lost')")
            raise Stop
        add_principal(txn, "anna", now=NOW)

    with store.read() as txn:
        assert meta(txn, "note") == ""


def test_an_answer_that_came_ahead_is_not_older_than_what_was_written_since(store):
    question = "SELECT value FROM meta WHERE key = ?", ("note",)

    with store.write() as txn:
        txn.ahead(*question)
        before = txn.row("SELECT 1")
        txn.later("INSERT INTO meta (key, value) VALUES ('note', 'new')")
        txn.ahead(*question)
        after = txn.row(*question)

    assert before == (1,)
    assert after == ("new",)


def test_questions_ahead_are_answered_each_with_its_own(store):
    with store.write() as txn:
        add_principal(txn, "anna", now=NOW)
        add_principal(txn, "berta", now=NOW)
    question = "SELECT name FROM principal WHERE name = ?"

    with store.glance() as txn:
        for name in ("anna", "berta", "carla"):
            txn.ahead(question, (name,))
        found = [txn.row(question, (name,)) for name in ("carla", "berta", "anna", "berta")]

    assert found == [None, ("berta",), ("anna",), ("berta",)]


def test_large_values_go_both_ways_at_once(store):
    text = "ä" * 3_000_000

    with store.write() as txn:
        for number in range(3):
            txn.later("INSERT INTO meta (key, value) VALUES (?, ?)", (f"note{number}", text))
            txn.ahead("SELECT value FROM meta WHERE key = ?", (f"note{number}",))
        found = [meta(txn, f"note{number}") for number in range(3)]

    assert found == [text] * 3


@pytest.mark.parametrize(
    "ask",
    [
        lambda txn, sql: txn.row(sql),
        lambda txn, sql: list(txn.rows(sql)),
        lambda txn, sql: list(txn.stream(sql)),
        lambda txn, sql: txn.execute(sql),
        lambda txn, sql: txn.many(sql, [()]),
    ],
)
def test_a_statement_that_fails_has_taken_its_time_too(store, ask):
    observed = ObservedEngine(store, lambda _mode, _seconds: None)

    with (
        observed.collecting() as queries,
        pytest.raises(Exception, match="nothing"),
        observed.write() as txn,
    ):
        ask(txn, "SELECT nothing")

    assert list(queries.by_statement) == ["SELECT nothing"]
