"""Orphans: rows that lead to what does not exist, by the foreign keys that the migrations name.

A database keeps them away by itself, unless somebody has told it not to look.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tagwerk.errors import Conflict
from tagwerk.store.engine import Transaction
from tagwerk.store.tables import Reference, Table, tables

_MOST = 20
"""So many rows are named for each foreign key."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """A row by its table and key, and what it leads to."""

    place: str
    to: str

    def __str__(self) -> str:
        return f"A row of {self.place} leads to {self.to}, which does not exist."


def orphans(txn: Transaction) -> list[Orphan]:
    """Rows that lead nowhere, at most `_MOST` for each foreign key."""
    return [
        orphan
        for each in tables()
        for reference in each.references
        for orphan in _found(txn, each, reference)
    ]


def _found(txn: Transaction, of: Table, reference: Reference) -> Iterator[Orphan]:
    columns = ", ".join((*of.key, reference.column))
    for row in txn.rows(
        f"SELECT {columns} FROM {of.name}{_lost(of, reference)} ORDER BY {', '.join(of.key)} LIMIT {_MOST}"
    ):
        key = ", ".join(f"{column} {value!r:.120}" for column, value in zip(of.key, row, strict=False))
        yield Orphan(f"{of.name} ({key})", f"{reference.to} {row[-1]}")


def _lost(of: Table, reference: Reference) -> str:
    return (
        f" WHERE {reference.column} IS NOT NULL AND NOT EXISTS"
        f" (SELECT 1 FROM {reference.to} x WHERE x.id = {of.name}.{reference.column})"
    )


def refuse_orphans(txn: Transaction) -> None:
    """Raises Conflict where there are rows that no other database would take."""
    if found := orphans(txn):
        raise Conflict(
            f"{found[0]} Such rows cannot be written elsewhere; `tagwerk check` names them all,"
            " and `tagwerk check --repair` removes them."
        )


def remove_orphans(txn: Transaction) -> list[str]:
    """Remove rows that lead nowhere, which nobody can reach; sentences that name them.

    A collection of nobody is given to a principal who is made for it: what is in it may be wanted.
    """
    done = _owners(txn)
    for each in tables():
        for reference in each.references:
            named = list(_found(txn, each, reference))
            if named:
                number = txn.execute(f"DELETE FROM {each.name}{_lost(each, reference)}")
                done += [f"A row of {one.place} led to {one.to} and was removed." for one in named]
                if number > len(named):
                    done.append(f"{number - len(named)} more rows of {each.name} led to no {reference.to}.")
    return done


def _owners(txn: Transaction) -> list[str]:
    done = []
    lost = (
        "SELECT owner_id, MIN(created) FROM collection WHERE NOT EXISTS"
        " (SELECT 1 FROM principal p WHERE p.id = collection.owner_id) GROUP BY owner_id ORDER BY owner_id"
    )
    for owner, created in list(txn.rows(lost)):
        name = f"found-{owner}"
        txn.execute(
            "INSERT INTO principal (id, name, kind, display_name, addresses, state, created, quota, accept)"
            " VALUES (?, ?, 'person', ?, '[]', 'disabled', ?, NULL, '')",
            (owner, name, name, created),
        )
        done.append(f"Collections of nobody belong to {name}, a user who is disabled.")
    return done
