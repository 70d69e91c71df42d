"""What only PostgreSQL does: writers side by side, servers that come and go, and what is said about them."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from store_samples import NOW, event

import postgrescluster
from postgrescluster import Cluster
from tagwerk.errors import (
    ConfigurationError,
    Conflict,
    InvalidRequest,
    Refused,
    TagwerkError,
    Unavailable,
    Undone,
)
from tagwerk.model import Kind
from tagwerk.store import Engine, open_engine
from tagwerk.store.collections import create_collection, lock_collection
from tagwerk.store.engine import ATTEMPTS, again, run
from tagwerk.store.objects import objects, put_object
from tagwerk.store.principals import add_principal, principal_by_name
from tagwerk.store.schema import SCHEMA, meta

pytestmark = [
    pytest.mark.usefixtures("any_engine"),
    pytest.mark.parametrize("any_engine", ["postgresql"], indirect=True),
]


def add(engine: Engine, name: str) -> None:
    run(engine, lambda txn: add_principal(txn, name, now=NOW))


@pytest.fixture
def cluster(any_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A server of the test's own, which it may end."""
    postgrescluster.binaries()
    with postgrescluster.own() as made:
        yield made


def end_connections(url: str) -> None:
    """What an administrator does to everybody who is connected."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            # And waits until they are gone.
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_connections_that_broke_since_they_were_used_are_passed_over(store, url, anna):
    with store.read(), store.read(), store.write():
        pass
    end_connections(url)

    with store.read() as txn:
        assert principal_by_name(txn, "anna") == anna
    with store.write() as txn:
        add_principal(txn, "berta", now=NOW)


def test_of_many_broken_connections_one_is_noticed(store, url, anna):
    with ExitStack() as stack:
        for _ in range(15):
            stack.enter_context(store.read()).row("SELECT 1")
    end_connections(url)
    turns = []

    def look():
        turns.append(1)
        with store.glance() as txn:
            return principal_by_name(txn, "anna")

    assert again(look) == anna
    assert len(turns) <= 2


def test_a_write_that_loses_its_connection_is_done_again(store, url):
    turns = []

    def work(txn):
        turns.append(1)
        principal = add_principal(txn, "anna", now=NOW)
        if len(turns) == 1:
            end_connections(url)
        create_collection(txn, principal.id, name="work", kind=Kind.CALENDAR, now=NOW)

    run(store, work)

    assert len(turns) == 2
    with store.read() as txn:
        assert principal_by_name(txn, "anna") is not None


def test_what_is_undone_again_and_again_is_said_in_the_end():
    turns = []

    def work():
        turns.append(time.monotonic())
        raise Undone("busy")

    with pytest.raises(Unavailable, match="busy"):
        again(work)

    assert len(turns) == ATTEMPTS
    assert turns[-1] - turns[0] < 3


def test_the_same_name_at_once_is_made_once_and_refused_once(store):
    barrier = threading.Barrier(2)

    def make(_number):
        first = True

        def work(txn):
            nonlocal first
            found = principal_by_name(txn, "anna")
            if first:
                first = False
                assert found is None
                barrier.wait(10)
            return add_principal(txn, "anna", now=NOW)

        try:
            return run(store, work).name
        except Conflict as error:
            return str(error)

    with ThreadPoolExecutor(2) as pool:
        results = sorted(pool.map(make, range(2)))

    assert results == ["There is a user 'anna' already.", "anna"]


def test_two_who_wait_for_each_other_both_end(store, anna):
    with store.write() as txn:
        places = [
            create_collection(txn, anna.id, name=name, kind=Kind.CALENDAR, now=NOW).collection.id
            for name in ("a", "b")
        ]
    barrier = threading.Barrier(2)

    def cross(order):
        met = False

        def work(txn):
            nonlocal met
            put_object(txn, order[0], f"{order[0]}.ics", upload=event(str(order[0])), now=NOW)
            if not met:
                met = True
                barrier.wait(10)
            put_object(txn, order[1], f"{order[0]}.ics", upload=event(str(order[0])), now=NOW)

        run(store, work)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(cross, (places, places[::-1])))

    with store.read() as txn:
        assert [len(list(objects(txn, place))) for place in places] == [2, 2]


def test_a_writer_sees_what_the_one_before_left(store, anna, calendar):
    """Nobody decides on what was true before they had the collection."""
    inside, go_on = threading.Event(), threading.Event()

    def first():
        with store.write() as txn:
            lock_collection(txn, calendar.id)
            inside.set()
            go_on.wait(10)
            put_object(txn, calendar.id, "a.ics", upload=event("a"), now=NOW)

    def second():
        inside.wait(10)
        with store.write() as txn:
            principal_by_name(txn, "anna")
            threading.Timer(0.1, go_on.set).start()
            return lock_collection(txn, calendar.id).modseq

    with ThreadPoolExecutor(2) as pool:
        writer, waiter = pool.submit(first), pool.submit(second)
        writer.result()

    assert waiter.result() == calendar.modseq + 1


def test_the_rows_of_a_large_answer_come_while_others_are_asked(store, calendar):
    with store.write() as txn:
        for number in range(1200):
            put_object(txn, calendar.id, f"{number}.ics", upload=event(str(number)), now=NOW)

    with store.read() as txn:
        rows = objects(txn, calendar.id, content=True)
        begun = [next(rows).name for _ in range(3)]
        assert principal_by_name(txn, "anna") is not None
        held = txn.row("SELECT COUNT(*) FROM pg_cursors WHERE name <> ''")
        rest = [stored.name for stored in rows]

    assert held == (1,)
    assert begun + rest == [f"{number}.ics" for number in range(1200)]


def test_what_is_left_unread_is_given_back(store, calendar):
    with store.write() as txn:
        for number in range(200):
            put_object(txn, calendar.id, f"{number}.ics", upload=event(str(number)), now=NOW)
    with store.read() as txn:
        rows = objects(txn, calendar.id)
        next(rows)

    del rows
    with store.read() as txn:
        assert len(list(objects(txn, calendar.id))) == 200


def test_a_statement_takes_so_long_and_no_longer(url, monkeypatch):
    monkeypatch.setattr("tagwerk.store.libpq.STATEMENT_SECONDS", 1)
    engine = open_engine(url)
    begin = time.monotonic()

    with pytest.raises(Unavailable, match="took more than 1 seconds"), engine.read() as txn:
        txn.row("SELECT pg_sleep(20)")

    assert time.monotonic() - begin < 5
    engine.close()


def test_a_failed_statement_that_somebody_swallowed_is_not_committed(store):
    with pytest.raises(RuntimeError, match="somebody went on"), store.write() as txn:
        add_principal(txn, "anna", now=NOW)
        with pytest.raises(Exception, match="nothing"):
            txn.execute("SELECT nothing")

    with store.read() as txn:
        assert principal_by_name(txn, "anna") is None


@pytest.mark.parametrize("text", ["a\x00b"])
def test_a_text_that_cannot_be_stored_is_the_requests_fault(store, text):
    with pytest.raises(InvalidRequest, match="NUL"), store.read() as txn:
        principal_by_name(txn, text)


def test_a_uid_too_long_for_an_index_is_refused(store, calendar):
    import random

    uid = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=20_000))

    with pytest.raises(Refused, match="longer than the database can index"), store.write() as txn:
        put_object(txn, calendar.id, "a.ics", upload=event(uid), now=NOW)


def test_first_starts_at_once_make_one_schema(postgres):
    url = postgrescluster.new_database(postgres, empty=True)

    with ThreadPoolExecutor(6) as pool:
        engines = list(pool.map(open_engine, [url] * 6))

    for engine in engines:
        with engine.read() as txn:
            assert meta(txn, "schema_version") == str(SCHEMA)
        engine.close()


def test_a_database_of_another_encoding_is_refused_in_words(postgres):
    postgres.query(
        "CREATE DATABASE latin TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"
    )

    with pytest.raises(ConfigurationError, match="ENCODING 'UTF8'"):
        open_engine(postgres.url("latin"))


def test_a_database_that_is_not_there_is_a_sentence(postgres):
    with pytest.raises(Unavailable, match='"nowhere" does not exist'):
        open_engine(postgres.url("nowhere"))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://anna:s%65cret@127.0.0.1:1/tagwerk",
        "postgresql://anna@127.0.0.1:1/tagwerk?password=s%65cret&connect_timeout=2",
        "postgres://anna:s%65cret@127.0.0.1:x/tagwerk",
        "postgresql://anna:s%65cret@127.0.0.1:1/tagwerk?nothing=s%65cret",
        "postgresql://anna:s%65cret@[::1/tagwerk",
    ],
)
def test_a_password_is_in_no_sentence(url):
    with pytest.raises(TagwerkError) as caught:
        open_engine(url)

    assert "secret" not in str(caught.value)
    assert "s%65cret" not in str(caught.value).replace("nothing=s%65cret", "")


def test_without_psycopg_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "tagwerk.store.postgresql", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'tagwerk\[postgres\]'"):
        open_engine("postgresql://localhost/tagwerk")


@pytest.mark.slow
def test_a_server_that_is_started_again_is_not_noticed(cluster):
    engine = open_engine(cluster.url())
    with engine.write() as txn:
        add_principal(txn, "anna", now=NOW)
    restarting = threading.Thread(target=restart, args=(cluster,))
    restarting.start()
    stored, unknown = ["anna"], []
    until = time.monotonic() + 4

    while time.monotonic() < until:
        name = f"user{len(stored) + len(unknown)}"
        try:
            add(engine, name)
            stored.append(name)
        except Unavailable as error:
            # Only where the server went just when it was to commit: then nobody knows.
            if "was lost while it stored this" not in str(error):
                raise
            unknown.append(name)
        time.sleep(0.02)
    restarting.join()

    assert len(unknown) <= 1
    with engine.read() as txn:
        assert [name for name in stored if principal_by_name(txn, name) is None] == []
    engine.close()


def restart(cluster: Cluster) -> None:
    time.sleep(0.5)
    cluster.stop("fast")
    cluster.start()


@pytest.mark.slow
def test_a_server_that_is_away_is_said_soon_and_used_when_it_is_back(cluster, caplog):
    engine = open_engine(cluster.url())
    cluster.stop("immediate")
    slow, quick = time.monotonic(), 0.0

    with pytest.raises(Unavailable, match="cannot be reached"):
        engine.read().__enter__()
    slow, quick = time.monotonic() - slow, time.monotonic()
    with pytest.raises(Unavailable, match="cannot be reached"):
        engine.write().__enter__()
    quick = time.monotonic() - quick

    assert slow < 8
    assert quick < 2.5
    cluster.start()
    begin = time.monotonic()
    while True:
        try:
            with engine.read() as txn:
                assert meta(txn, "schema_version") == str(SCHEMA)
            break
        except Unavailable:
            assert time.monotonic() - begin < 5
    engine.close()
    logged = [record.message for record in caplog.records if record.name.startswith("tagwerk")]
    assert len(logged) == 2
    assert logged[1].endswith("answers again.")


@pytest.mark.slow
def test_however_many_were_refused_while_it_was_away_it_is_used_again(cluster, monkeypatch):
    monkeypatch.setattr("tagwerk.store.postgresql.WAIT_SECONDS", 0.1)
    engine = open_engine(cluster.url())
    cluster.stop("immediate")

    def look(_number: int = 0) -> str:
        try:
            with engine.read() as txn:
                return meta(txn, "schema_version")
        except Unavailable as error:
            return str(error)

    with ThreadPoolExecutor(60) as pool:
        refused = list(pool.map(look, range(300)))
    cluster.start()
    found = look()
    engine.close()

    assert str(SCHEMA) not in refused
    assert found == str(SCHEMA)


@pytest.mark.slow
def test_a_server_killed_keeps_every_commit(cluster, tmp_path: Path):
    engine = open_engine(cluster.url())
    kept: list[str] = []
    gone = threading.Event()

    def write() -> None:
        number = 0
        while not gone.is_set():
            try:
                add(engine, f"user{number}")
                kept.append(f"user{number}")
            except Unavailable:
                pass
            number += 1

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    for _ in range(3):
        time.sleep(0.3)
        cluster.kill()
        cluster.start()
    time.sleep(0.5)
    gone.set()
    thread.join(20)

    with engine.read() as txn:
        there = {name for (name,) in txn.rows("SELECT name FROM principal")}
    engine.close()
    assert len(kept) > 10
    assert set(kept) <= there


def test_a_thread_that_waits_for_the_database_lets_others_work(store):
    turns = 0
    with ThreadPoolExecutor(1) as pool, store.read() as txn:
        waiting = pool.submit(txn.row, "SELECT pg_sleep(0.5)")
        while not waiting.done():
            time.sleep(0.005)
            turns += 1

    assert turns > 20


def test_a_statement_that_is_asked_often_is_prepared(store):
    with store.read() as txn:
        for number in range(5):
            txn.row("SELECT name FROM principal WHERE id = ?", (number,))
        prepared = txn.row(
            "SELECT COUNT(*) FROM pg_prepared_statements WHERE statement LIKE '%principal WHERE id%'"
        )

    assert prepared == (1,)


def test_a_connection_that_prepared_too_much_is_not_used_again(store, monkeypatch):
    monkeypatch.setattr("tagwerk.store.wire.MOST_PREPARED", 10)
    with store.read() as txn:
        before = txn.row("SELECT pg_backend_pid()")
        for number in range(10):
            for _ in range(4):
                txn.row(f"SELECT {number}")

    with store.read() as txn:
        assert txn.row("SELECT pg_backend_pid()") != before


def test_tables_that_change_under_prepared_statements_are_looked_at_anew(store):
    def look():
        with store.read() as txn:
            return txn.row("SELECT * FROM totp WHERE principal_id = ?", (1,))

    for _ in range(5):
        look()
    with store.write() as txn:
        txn.execute("ALTER TABLE totp ADD COLUMN more BIGINT")
    try:
        assert again(look) is None
    finally:
        with store.write() as txn:
            txn.execute("ALTER TABLE totp DROP COLUMN more")
