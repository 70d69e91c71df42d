"""What is restored is not emptied, and what is forgotten is counted right, whoever does what at the same moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from davsamples import event
from tagwerk.errors import NotFound
from tagwerk.history import trash
from tagwerk.ical import resource
from tagwerk.model import Kind, Principal
from tagwerk.sharing import shares
from tagwerk.sharing.shares import By
from tagwerk.store import Engine, open_engine
from tagwerk.store.check import misfits
from tagwerk.store.collections import NOTIFICATIONS, create_collection, find_binding, lock_collection
from tagwerk.store.engine import Transaction, run
from tagwerk.store.history import forget_removed_collections, forget_versions, make_room
from tagwerk.store.objects import objects, put_object
from tagwerk.store.principals import add_principal

ROUNDS, OBJECTS = 12, 5
NOW = int(time.time())
BY = By("tests", NOW)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    opened = open_engine(url)
    yield opened
    opened.close()


@pytest.fixture
def anna(engine: Engine) -> Principal:
    with engine.write() as txn:
        made = add_principal(txn, "anna", now=NOW)
        create_collection(txn, made.id, name=NOTIFICATIONS, kind=Kind.NOTIFICATIONS, now=NOW)
        return made


def store(txn: Transaction, place: str, name: str, summary: str) -> None:
    binding = find_binding(txn, "anna", place)
    assert binding is not None
    lock_collection(txn, binding.collection.id)
    upload = resource.read(event(name, summary=summary), now=NOW)
    put_object(txn, binding.collection.id, f"{name}.ics", upload=upload, now=NOW)


def at_once(*works: Callable[[], object]) -> list[object]:
    """What each returns or raises, all begun at the same moment."""
    together = threading.Barrier(len(works))

    def one(work: Callable[[], object]) -> object:
        together.wait(20)
        try:
            return work()
        except NotFound as error:
            return error

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(one, works))


def empty(engine: Engine, owner: Principal) -> object:
    return run(engine, lambda txn: trash.empty(txn, owner))


def room(engine: Engine, owner: Principal) -> object:
    return run(engine, lambda txn: make_room(txn, owner.id, most=0))


def upkeep(engine: Engine, owner: Principal) -> object:
    return forget_removed_collections(engine, before=NOW + 1)


@pytest.mark.parametrize("forget", [empty, room, upkeep])
def test_what_was_restored_is_there(engine: Engine, anna: Principal, forget: Callable[..., object]) -> None:
    outcomes = set()
    for number in range(ROUNDS):
        name = f"c{number}"
        with engine.write() as txn:
            made = create_collection(txn, anna.id, name=name, kind=Kind.CALENDAR, now=NOW)
            for each in range(OBJECTS):
                store(txn, name, f"o{each}", "One")
            shares.delete(txn, made.collection.id, by=BY)

        restored, _ = at_once(
            lambda name=name: run(engine, lambda txn: trash.restore(txn, anna, [name], by=BY)),
            lambda: forget(engine, anna),
        )

        with engine.read() as txn:
            found = find_binding(txn, "anna", name)
            outcomes.add(found is not None)
            assert (found is not None) == (restored == [f"anna/{name}"])
            assert found is None or len(list(objects(txn, found.collection.id))) == OBJECTS
            assert misfits(txn) == []
    assert outcomes


def test_what_is_kept_is_counted_right(engine: Engine, anna: Principal) -> None:
    with engine.write() as txn:
        create_collection(txn, anna.id, name="work", kind=Kind.CALENDAR, now=NOW)
    stopped = threading.Event()

    def write() -> None:
        try:
            for number in range(60):
                run(engine, lambda txn, number=number: store(txn, "work", f"o{number % 4}", f"{number}"))
        finally:
            stopped.set()

    def forget() -> None:
        while not stopped.is_set():
            forget_versions(engine, before=NOW + 1)
            run(engine, lambda txn: make_room(txn, anna.id, most=500))
            run(engine, lambda txn: trash.empty(txn, anna))

    at_once(write, forget)

    with engine.read() as txn:
        assert misfits(txn) == []
