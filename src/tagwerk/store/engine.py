"""What the store needs from a database, and how one is opened.

An engine is one per process and database.  `read` gives a snapshot, `write` the only
writer (SQLite) or a transaction that locks the rows it changes (PostgreSQL); both end
with the block, a write by committing unless the block raised.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

Row = tuple[Any, ...]
Params = Sequence[object]


class Transaction(Protocol):
    """Statements between a BEGIN and its end.  Parameters are ``?`` on every engine."""

    for_update: str
    """`` FOR UPDATE`` where the engine locks rows, else empty: the end of a locking SELECT."""

    def execute(self, sql: str, params: Params = ()) -> int:
        """Run a statement and return the number of rows it changed."""

    def row(self, sql: str, params: Params = ()) -> Row | None:
        """The first row of the answer."""

    def rows(self, sql: str, params: Params = ()) -> Iterator[Row]:
        """The rows of the answer, fetched as they are asked for."""

    def savepoint(self) -> AbstractContextManager[None]:
        """A part of the transaction that is undone alone when its block raises."""


class Engine(Protocol):
    """An open database."""

    name: str
    """``sqlite`` or ``postgresql``."""

    def read(self) -> AbstractContextManager[Transaction]:
        """A snapshot; writing in it is an error."""

    def write(self) -> AbstractContextManager[Transaction]:
        """A transaction that commits at the end of the block, durably, or not at all."""

    def check(self) -> list[str]:
        """What the engine itself finds wrong with the database, as sentences."""

    def backup(self, path: Path) -> None:
        """Write one consistent moment of everything to a new file, readable by its owner alone, and verify it.

        Raises:
            Refused: what was written is not sound.
        """

    def compact(self) -> int:
        """Bring statistics up to date and give room back where that is worth it; the bytes that were given back."""

    def close(self) -> None:
        """Give back every connection.  The engine cannot be used afterwards."""


def new_id() -> int:
    """A random id: 62 bits, so that it fits every engine's BIGINT."""
    return secrets.randbits(62) or 1
