"""Who shared what with whom: as words, so that it outlives what it is about."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from tagwerk.store.engine import Transaction


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that somebody did.

    `at` is in seconds since 1970; `actor` who did it; `action` one word; `owner` and
    `collection` name what it was about; `grantee` whom it concerned; `detail` the rest.
    """

    at: int
    actor: str
    action: str
    owner: str
    collection: str
    grantee: str
    detail: str


_COLUMNS = "at, actor, action, owner, collection, grantee, detail"


def add_entry(txn: Transaction, entry: Entry) -> None:
    """Remember what somebody did, in the transaction in which they do it.

    Its id is the instant in nanoseconds, so that what several processes do within one second
    stays in order.  Two at the same instant are refused by the primary key, which is `Undone`.
    """
    txn.execute(
        f"INSERT INTO audit (id, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            time.time_ns(),
            entry.at,
            entry.actor,
            entry.action,
            entry.owner,
            entry.collection,
            entry.grantee,
            entry.detail,
        ),
    )


def entries(txn: Transaction, *, owner: str = "", collection: str = "", most: int = 1000) -> Iterator[Entry]:
    """What was done, newest first: to everything, to what somebody owns, or to one collection."""
    conditions, params = [], []
    for column, value in (("owner", owner), ("collection", collection)):
        if value:
            conditions.append(f"{column} = ?")
            params.append(value)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = txn.rows(f"SELECT {_COLUMNS} FROM audit{where} ORDER BY at DESC, id DESC LIMIT ?", (*params, most))
    return (Entry(*row) for row in rows)


def entries_about(txn: Transaction, name: str) -> Iterator[Entry]:
    """What somebody did, and what was done to theirs or for them, oldest first."""
    rows = txn.rows(
        f"SELECT {_COLUMNS} FROM audit WHERE owner = ? OR actor = ? OR grantee = ? ORDER BY at, id",
        (name, name, name),
    )
    return (Entry(*row) for row in rows)


def forget_entries(txn: Transaction, *, before: int) -> int:
    """Forget what was done before an instant; the number of entries."""
    return txn.execute("DELETE FROM audit WHERE at < ?", (before,))
