"""tagwerk_radicale.transactions"""

from __future__ import annotations

import threading

import pytest
from stock import NOW

from tagwerk.accounts.users import add_user
from tagwerk.errors import Conflict, InsufficientStorage, Unavailable
from tagwerk.store.principals import principals
from tagwerk_radicale import engines


@pytest.fixture
def database(url):
    return engines.database_at(url)


def names(database):
    with database.engine.read() as txn:
        return [principal.name for principal in principals(txn)]


def test_a_lock_for_writing_commits_at_its_end(database):
    with database.lock("w"):
        with database.change() as txn:
            add_user(txn, "anna", now=NOW)
        inside = names(database)

    assert inside == []
    assert names(database) == ["anna"]


def test_what_failed_undoes_the_whole_lock_although_nobody_raises(database):
    with database.lock("w"):
        with database.change() as txn:
            add_user(txn, "anna", now=NOW)
        with pytest.raises(ValueError, match="There is a user"), database.change() as txn:
            add_user(txn, "anna", now=NOW)

    assert names(database) == []


def test_a_tolerant_lock_undoes_only_what_failed(database):
    with database.lock("w", tolerant=True):
        with database.change() as txn:
            add_user(txn, "anna", now=NOW)
        with pytest.raises(ValueError), database.change() as txn:
            add_user(txn, "bert", now=NOW)
            raise Conflict("no")

    assert names(database) == ["anna"]


def test_an_error_undoes_the_lock(database):
    with pytest.raises(RuntimeError, match="hook"), database.lock("w"):
        with database.change() as txn:
            add_user(txn, "anna", now=NOW)
        raise RuntimeError("a hook failed")

    assert names(database) == []
    with database.lock("w"), database.change() as txn:
        add_user(txn, "bert", now=NOW)
    assert names(database) == ["bert"]


def test_a_lock_for_reading_is_one_snapshot(database):
    with database.lock("r"):
        with database.read() as txn:
            before = list(principals(txn))
        with database.engine.write() as txn:
            add_user(txn, "anna", now=NOW)
        with database.read() as txn:
            after = list(principals(txn))

    assert before == after == []
    assert names(database) == ["anna"]


def test_reading_without_a_lock_sees_what_is_there_now(database):
    with database.engine.write() as txn:
        add_user(txn, "anna", now=NOW)

    with database.read() as txn:
        assert len(list(principals(txn))) == 1


@pytest.mark.parametrize("mode", ["", "r"])
def test_nothing_is_written_without_the_lock_for_it(database, mode):
    def write():
        with database.change() as txn:
            add_user(txn, "anna", now=NOW)

    with pytest.raises(RuntimeError):
        if mode:
            with database.lock(mode):
                write()
        else:
            write()


def test_locks_nest(database):
    with database.lock("r"):
        with database.lock("w"):
            with database.change() as txn:
                add_user(txn, "anna", now=NOW)
            with database.lock("w"), database.lock("r"), database.read() as txn:
                inside = len(list(principals(txn)))
        with database.read() as txn:
            outside = len(list(principals(txn)))

    assert (inside, outside) == (1, 1)


def test_writers_follow_each_other(database):
    errors = []

    def write(number):
        try:
            for step in range(10):
                with database.lock("w"), database.change() as txn:
                    add_user(txn, f"user-{number}-{step}", now=NOW)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert len(names(database)) == 40


def test_a_full_disk_is_said_in_the_words_that_radicale_knows(database):
    with database.lock("w"):
        with pytest.raises(ValueError, match=r"\[Errno 28\] The disk is full"), database.change():
            raise InsufficientStorage("The disk is full.")
        with pytest.raises(Unavailable), database.change():
            raise Unavailable("later")


def test_an_unknown_lock_is_refused(database):
    with pytest.raises(ValueError, match="'x'"), database.lock("x"):
        pass
