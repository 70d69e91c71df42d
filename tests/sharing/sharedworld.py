"""Short words for what the tests of sharing arrange, and requests of which nothing stays."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TypeVar

from hypothesis import strategies as st

from enginedav import EngineDav, World
from tagwerk.dav.engine import DavEngine
from tagwerk.model import Access, Binding, Principal
from tagwerk.sharing import delegation, groups, shares
from tagwerk.sharing.shares import By
from tagwerk.store.collections import find_binding
from tagwerk.store.engine import Engine, Transaction
from tagwerk.store.principals import principal_by_name
from tagwerk.store.sqlite import SqliteEngine


def by(world: World, *, accept: str = "at-once") -> By:
    """The command line, so to speak."""
    return By("tests", world.clock.now, accept)


def find(txn: Transaction, name: str) -> Principal:
    found = principal_by_name(txn, name)
    assert found is not None, name
    return found


def place(txn: Transaction, path: str) -> Binding:
    """The binding at ``/principal/name/``."""
    _, owner, name, _ = path.split("/")
    found = find_binding(txn, owner, name)
    assert found is not None, path
    return found


def share(world: World, path: str, to: str | None, level: str, *, accept: str = "at-once") -> None:
    """Give somebody, or everybody, something of the collection at its owner's path."""
    with world.store.write() as txn:
        grantee = find(txn, to) if to else None
        shares.share(txn, place(txn, path), grantee, Access(level), by=by(world, accept=accept))


def unshare(world: World, path: str, to: str | None) -> None:
    with world.store.write() as txn:
        shares.unshare(txn, place(txn, path), find(txn, to) if to else None, by=by(world))


def join(world: World, group: str, member: str, *, accept: str = "at-once") -> None:
    with world.store.write() as txn:
        groups.join(txn, find(txn, group), find(txn, member), by=by(world, accept=accept))


def leave(world: World, group: str, member: str) -> None:
    with world.store.write() as txn:
        groups.leave(txn, find(txn, group), find(txn, member), by=by(world))


def delegate(world: World, owner: str, to: str, level: str) -> None:
    with world.store.write() as txn:
        delegation.delegate(txn, find(txn, owner), find(txn, to), Access(level), by=by(world))


@dataclass(slots=True)
class Rehearsal:
    """An engine on which every write is undone at its end: whatever is asked, nothing stays."""

    store: Engine
    name: str = "sqlite"

    def read(self) -> AbstractContextManager[Transaction]:
        return self.store.read()

    glance = read

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        try:
            with self.store.write() as txn:
                yield txn
                raise _UndoneError
        except _UndoneError:
            pass

    def check(self) -> list[str]:
        return self.store.check()

    def close(self) -> None:
        self.store.close()


class _UndoneError(Exception):
    pass


def rehearse(world: World, user: str, **limits: object) -> EngineDav:
    """A client of somebody's of whose requests nothing stays."""
    chosen = dataclasses.replace(world.settings, dav=dataclasses.replace(world.settings.dav, **limits))
    engine = DavEngine(Rehearsal(world.store), chosen, clock=world.clock)
    return EngineDav("http://dav.example.org", user, engine=engine)


@contextmanager
def counted(world: World) -> Iterator[list[str]]:
    """The statements that run in the block, on every connection of the world's database."""
    store = world.store
    assert isinstance(store, SqliteEngine)
    with store.read():
        pass  # A connection that the block can use.
    found: list[str] = []
    connections = [store._writer, *store._readers]
    for connection in connections:
        connection.set_trace_callback(found.append)
    try:
        yield found
    finally:
        for connection in connections:
            connection.set_trace_callback(None)


Happening = tuple[str, int, int, int]
"""A step of a random story: its name, and numbers that choose among what there is."""

T = TypeVar("T")


def happenings(weights: Mapping[str, int], *, number: int) -> st.SearchStrategy[list[Happening]]:
    """Stories of that many steps, in which each happens as often as it weighs.

    Not a state machine of Hypothesis's, because that leaves out some rules in each run, and these find
    faults by what they do to each other.
    """
    names = [name for name, weight in weights.items() for _ in range(weight)]
    numbers = st.integers(0, 999)
    steps = st.tuples(st.integers(0, len(names) - 1).map(names.__getitem__), numbers, numbers, numbers)
    return st.lists(steps, min_size=number, max_size=number)


def chosen(among: Sequence[T], number: int) -> T:
    """One of them."""
    return among[number % len(among)]
