"""Tables: what the schema holds, in an order in which rows can be written.

The migrations say it: they are run in memory, so whatever they add is known here, and
nothing about it depends on the engine of a database.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tagwerk.store.engine import Row, Transaction
from tagwerk.store.schema import statements

META = "meta"


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key: a column that holds ids of the table `to`."""

    column: str
    to: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its columns; `key` are those of its primary key."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    flags: tuple[int, ...]
    """The positions of the columns that are true or false."""
    references: tuple[Reference, ...]

    @property
    def in_collection(self) -> bool:
        """Whether its rows belong to one collection each, go with it, and need nothing that is written after it."""
        return self.key[0] == "collection_id" and self.refers_to <= {"collection", "principal"}

    @property
    def refers_to(self) -> frozenset[str]:
        """The tables of its foreign keys."""
        return frozenset(reference.to for reference in self.references)

    @property
    def listed(self) -> str:
        return ", ".join(self.columns)

    def select(self, where: str = "") -> str:
        return f"SELECT {self.listed} FROM {self.name}{where}"

    @property
    def insert(self) -> str:
        """Write a row, in the place of one with the same key."""
        rest = [column for column in self.columns if column not in self.key]
        updates = ", ".join(f"{column} = excluded.{column}" for column in rest)
        return (
            f"INSERT INTO {self.name} ({self.listed}) VALUES ({', '.join('?' * len(self.columns))})"
            f" ON CONFLICT ({', '.join(self.key)}) DO {f'UPDATE SET {updates}' if rest else 'NOTHING'}"
        )

    def typed(self, row: Row) -> Row:
        """The row with truth values, which SQLite keeps as numbers."""
        values = list(row)
        for position in self.flags:
            values[position] = bool(values[position])
        return tuple(values)

    def key_of(self, row: Row) -> str:
        """The key of a row, for a sentence."""
        return ", ".join(f"{column} {row[self.place(column)]!r:.120}" for column in self.key)

    def place(self, column: str) -> int:
        """The position of a column."""
        return self.columns.index(column)


@functools.cache
def tables() -> tuple[Table, ...]:
    """Every table but `meta`, those that others refer to first."""
    database = sqlite3.connect(":memory:")
    try:
        for statement in statements("sqlite"):
            database.execute(statement)
        names = [
            name
            for (name,) in database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
            )
        ]
        found = {name: _described(database, name) for name in names if name != META}
    finally:
        database.close()
    ordered: dict[str, Table] = {}
    while len(ordered) < len(found):
        ready = [
            table
            for name, table in found.items()
            if name not in ordered and table.refers_to - {name} <= ordered.keys()
        ]
        assert ready, "tables refer to each other in a circle"
        ordered.update((table.name, table) for table in ready)
    return tuple(ordered.values())


def table(name: str) -> Table:
    """The table called `name`."""
    return next(each for each in tables() if each.name == name)


def _described(database: sqlite3.Connection, name: str) -> Table:
    columns = database.execute(f"PRAGMA table_info({name})").fetchall()
    key = sorted((each[5], each[1]) for each in columns if each[5])
    return Table(
        name,
        tuple(each[1] for each in columns),
        tuple(column for _, column in key),
        tuple(position for position, each in enumerate(columns) if each[2].upper() == "BOOLEAN"),
        tuple(Reference(each[3], each[2]) for each in database.execute(f"PRAGMA foreign_key_list({name})")),
    )


def read_rows(txn: Transaction, of: Table, where: str = "", params: Sequence[object] = ()) -> Iterator[Row]:
    """Rows of a table with their types, as they are asked for."""
    return map(of.typed, txn.stream(of.select(where), params))
