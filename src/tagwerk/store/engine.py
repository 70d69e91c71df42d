"""What the store needs from a database, and how one is opened.

An engine is one per process and database.  `read` gives a snapshot, `write` the only
writer (SQLite) or a transaction that locks the rows it changes (PostgreSQL); both end
with the block, a write by committing unless the block raised.

Where writers work side by side, a database undoes one of two that stand in each other's
way, and a server that is started again undoes all: that is `Undone`, and `again` calls
whatever opened the transaction once more.
"""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from tagwerk.errors import Undone
from tagwerk.model import CollectionId, Modseq

T = TypeVar("T")
Row = tuple[Any, ...]
Params = Sequence[object]


class Transaction(Protocol):
    """Statements between a BEGIN and its end.  Parameters are ``?`` on every engine."""

    for_update: str
    """`` FOR UPDATE`` where the engine locks rows, else empty: the end of a locking SELECT."""

    skip_locked: str
    """The same for a SELECT that passes over what somebody else has locked."""

    def execute(self, sql: str, params: Params = ()) -> int:
        """Run a statement and return the number of rows it changed."""

    def later(self, sql: str, params: Params = ()) -> None:
        """Run a statement that nobody has to wait for: it may go out with the next one, or with the commit.

        So may its error.
        """

    def many(self, sql: str, rows: Sequence[Params]) -> None:
        """Run a statement once for each of `rows`."""

    def ahead(self, sql: str, params: Params = ()) -> None:
        """Say that `row` or `rows` is going to ask this, so that it may go out with something else.

        The answer is as of then; a statement that writes makes it be asked again.
        """

    def row(self, sql: str, params: Params = ()) -> Row | None:
        """The first row of the answer."""

    def rows(self, sql: str, params: Params = ()) -> Iterator[Row]:
        """The rows of an answer that fits into memory."""

    def stream(self, sql: str, params: Params = ()) -> Iterator[Row]:
        """The rows of an answer of any size, fetched as they are asked for."""

    def changed(self, collection: CollectionId, modseq: Modseq) -> None:
        """Let the change feed tell that the collection is at `modseq`, if and when this is committed."""

    def savepoint(self) -> AbstractContextManager[None]:
        """A part of the transaction that is undone alone when its block raises."""


class Engine(Protocol):
    """An open database."""

    name: str
    """``sqlite`` or ``postgresql``."""

    def opened(self) -> None:
        """The schema is up to date; called once, after the engine was made."""

    def read(self) -> AbstractContextManager[Transaction]:
        """A snapshot; writing in it is an error."""

    def glance(self) -> AbstractContextManager[Transaction]:
        """For reading with one statement, or with several that need not agree: each has a snapshot of its own."""

    def write(self) -> AbstractContextManager[Transaction]:
        """A transaction that commits at the end of the block, durably, or not at all."""

    def news(self, stopped: threading.Event) -> Iterator[Mapping[CollectionId, Modseq] | None]:
        """What changed, as it happens, at least about twice a second; for `store.feed` alone.

        None where it is not known which collections: at the beginning, on an engine that
        only knows that there was a change, and after a connection was lost.
        """

    def check(self) -> list[str]:
        """What the engine itself finds wrong with the database, as sentences."""

    def compact(self) -> int:
        """See to the planner's statistics and give room back where that is worth it; the bytes that were given back."""

    def erased(self) -> bool:
        """Let nothing that was deleted be left in the files beside the database; whether that was possible now."""

    def close(self) -> None:
        """Give back every connection.  The engine cannot be used afterwards."""


ATTEMPTS = 8
"""How often the same is tried; the pauses between them double, and are two seconds in all."""


def again(work: Callable[[], T]) -> T:
    """What `work` returns; it is called again when the database undid its transaction.

    `work` opens its transactions itself, and changes nothing outside of them.

    Raises:
        Undone: that happened `ATTEMPTS` times.
    """
    for attempt in range(ATTEMPTS - 1):
        try:
            return work()
        except Undone:
            time.sleep(0.016 * 2**attempt * random.uniform(0.5, 1.0))  # noqa: S311
    return work()


def run(engine: Engine, work: Callable[[Transaction], T]) -> T:
    """What `work` returns in a transaction that writes, done again where the database undid it."""

    def once() -> T:
        with engine.write() as txn:
            return work(txn)

    return again(once)


_OWN_BITS = 31


def new_id(near: int = 0) -> int:
    """A random id: 62 bits, so that it fits every engine's BIGINT.

    What belongs to somebody has the upper half of `near`, the id of its owner or of
    something of theirs: so it lies beside their other rows in every index (adr/0015).
    One that is there already is refused by the primary key, which is `Undone`: the next
    attempt draws another one.
    """
    if not near:
        return secrets.randbits(2 * _OWN_BITS) or 1
    return near >> _OWN_BITS << _OWN_BITS | secrets.randbits(_OWN_BITS) or 1
