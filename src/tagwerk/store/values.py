"""Values: what the columns may hold that no rule of the database says."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from tagwerk.errors import InvalidRequest
from tagwerk.ical.grammar import OBJECTS
from tagwerk.model import LEVELS, MAX_INDEXED, Access, Busy, Kind, Privacy, Rights, Status
from tagwerk.store.credentials import APP_PASSWORD, PASSWORD
from tagwerk.store.engine import Transaction
from tagwerk.store.history import How
from tagwerk.store.outbox import DEAD, DONE, WAITING
from tagwerk.store.principals import KINDS, STATES, check_name
from tagwerk.store.tables import table

_MOST = 20
"""So many rows are named for each column."""

_ALLOWED: Final[tuple[tuple[str, str, Collection[object]], ...]] = (
    ("principal", "kind", KINDS),
    ("principal", "state", STATES),
    ("principal", "accept", ("", "at-once", "ask")),
    ("credential", "kind", (PASSWORD, APP_PASSWORD)),
    ("credential", "rights", tuple(Rights)),
    ("collection", "kind", tuple(Kind)),
    ("binding", "status", tuple(Status)),
    ("removed_binding", "status", tuple(Status)),
    ("share", "access", LEVELS),
    ("delegation", "access", (Access.READ, Access.WRITE)),
    ("link", "access", (Access.BUSY, Access.READ)),
    ("object", "busy", tuple(map(int, Busy))),
    ("object", "privacy", tuple(map(int, Privacy))),
    ("version", "how", tuple(How)),
    ("outbox", "state", (WAITING, DONE, DEAD)),
)

_CONDITIONS: Final = (
    ("principal", "quota < 0", "has a negative quota"),
    ("object", "hidden_modseq < 0", "has a negative number"),
    ("version", "began > ended", "ended before it began"),
    ("version", "content IS NOT NULL AND LENGTH(content) <> size", "has another size than its content"),
    ("membership", "group_id = member_id", "is in itself"),
    (
        "membership",
        "EXISTS (SELECT 1 FROM principal p WHERE p.id = membership.group_id AND p.kind IN ('person', 'room', 'resource'))",
        "makes somebody a member of what is no group",
    ),
)
"""A table, what no row of it fulfils, and how one that does is told."""

_NAMED: Final = ("object", "version", "binding", "removed_binding")
_UNREACHABLE: Final = "(name IN ('.', '..') OR LENGTH(name) > 255 OR REPLACE(name, '/', '') <> name OR REPLACE(name, ?, '') <> name)"


def impossible(txn: Transaction) -> Iterator[str]:
    """Sentences about values that nothing writes."""
    for name, column, allowed in _ALLOWED:
        marks = ", ".join("?" * len(allowed))
        for key, value in _rows(txn, name, column, f"{column} NOT IN ({marks})", [*map(_plain, allowed)]):
            yield f"{key} has the {column} {value!r}."
    for name, condition, what in _CONDITIONS:
        for key, _ in _rows(txn, name, table(name).key[0], condition):
            yield f"{key} {what}."
    for name in _NAMED:
        for key, _ in _rows(txn, name, "name", _UNREACHABLE, ["\\"]):
            yield f"{key} has a name that no path can hold."
    for name in ("property", "principal_property"):
        for key, value in _rows(txn, name, "name", "LENGTH(name) * 4 > ?", [MAX_INDEXED]):
            if len(value.encode()) > MAX_INDEXED:
                yield f"{key} has a name of {len(value.encode())} bytes; {MAX_INDEXED} are allowed."
    for key, value in _rows(txn, "collection", "components", "kind = 'calendar'", most=-1):
        if unknown := set(value.split(",")).difference(OBJECTS):
            yield f"{key} holds components that do not exist: {', '.join(sorted(unknown))}."
    for key, value in _rows(txn, "principal", "name", "1 = 1", most=-1):
        try:
            check_name(value)
        except InvalidRequest:
            yield f"{key} has the name {value!r}, which no path can hold."


def _plain(value: object) -> object:
    return str(value) if isinstance(value, str) else value


def _rows(
    txn: Transaction,
    name: str,
    column: str,
    where: str,
    params: Collection[object] = (),
    *,
    most: int = _MOST,
) -> Iterator[tuple[str, str]]:
    """Rows by their table and key, with one of their values."""
    of = table(name)
    key = ", ".join(of.key)
    limit = f" ORDER BY {key} LIMIT {most}" if most > 0 else ""
    for row in txn.rows(f"SELECT {key}, {column} FROM {name} WHERE {where}{limit}", [*params]):
        shown = ", ".join(f"{each} {value!r:.120}" for each, value in zip(of.key, row, strict=False))
        yield f"{name} ({shown})", row[-1]
