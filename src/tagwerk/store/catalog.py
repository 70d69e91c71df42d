"""Catalogs: what a database says its tables, indexes and rules are, beside what the migrations make.

Without an index a query is slow; without a unique one, or a rule, what must not be can be.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing

from tagwerk.store.engine import Row, Transaction
from tagwerk.store.schema import statements
from tagwerk.store.tables import META, tables

Ask = Callable[[str], Iterable[Row]]

_ON_DELETE = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}


def lacks(engine: str, txn: Transaction) -> list[str]:
    """Sentences about what the migrations make and the database of an engine does not have."""
    with closing(sqlite3.connect(":memory:")) as database:
        for statement in statements("sqlite"):
            database.execute(statement)
        wanted = _sqlite(database.execute)
    found = (_sqlite if engine == "sqlite" else _postgresql)(txn.rows)
    return [f"The database lacks {each}.{_hint(engine, each)}" for each in sorted(wanted - found)]


def _hint(engine: str, missing: str) -> str:
    index = re.search(r"index (\w+)", missing)
    if index is None:
        return ""
    made = re.compile(rf"CREATE (UNIQUE )?INDEX {index[1]}\b")
    statement = next(each for each in reversed(statements(engine)) if made.match(each))
    return f" This makes it: {' '.join(statement.split())};"


def _column(table: str, name: str, *, never_empty: bool) -> str:
    return f"the column {table}.{name}{', which is never empty' if never_empty else ''}"


def _index(table: str, name: str, columns: Iterable[str], *, unique: bool, partial: bool) -> str:
    some = " for some of its rows" if partial else ""
    return f"the {'unique ' if unique else ''}index {name} of {table} ({', '.join(columns)}){some}"


def _primary_key(table: str, columns: Iterable[str]) -> str:
    return f"the primary key of {table} ({', '.join(columns)})"


def _foreign_key(table: str, column: str, to: str, on_delete: str) -> str:
    return f"the foreign key from {table}.{column} to {to} (ON DELETE {on_delete})"


def _sqlite(ask: Ask) -> set[str]:
    found = set()
    for table in (META, *(each.name for each in tables())):
        for _, name, _, not_null, _, _ in ask(f"PRAGMA table_info({table})"):
            found.add(_column(table, name, never_empty=bool(not_null)))
        for _, name, unique, origin, partial in list(ask(f"PRAGMA index_list({table})")):
            columns = [row[2] for row in ask(f"PRAGMA index_info({name})")]
            if origin == "pk":
                found.add(_primary_key(table, columns))
            else:
                found.add(_index(table, name, columns, unique=bool(unique), partial=bool(partial)))
        for row in ask(f"PRAGMA foreign_key_list({table})"):
            found.add(_foreign_key(table, row[3], row[2], row[6]))
    return found


def _postgresql(ask: Ask) -> set[str]:
    found = set()
    ours = "c.relnamespace = current_schema()::regnamespace"
    for table, column, not_null in ask(
        "SELECT c.relname::text, a.attname::text, a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        f" WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND {ours}"
    ):
        found.add(_column(table, column, never_empty=not_null))
    for table, name, unique, primary, partial, columns in ask(
        "SELECT c.relname::text, n.relname::text, i.indisunique, i.indisprimary, i.indpred IS NOT NULL,"
        " (SELECT string_agg(a.attname, ' ' ORDER BY k.place) FROM unnest(i.indkey::int2[]) WITH ORDINALITY"
        " AS k (number, place) JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number)"
        f" FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class n ON n.oid = i.indexrelid WHERE {ours}"
    ):
        if primary:
            found.add(_primary_key(table, columns.split()))
        else:
            found.add(_index(table, name, (columns or "").split(), unique=unique, partial=partial))
    for table, column, to, on_delete in ask(
        "SELECT c.relname::text, a.attname::text, t.relname::text, r.confdeltype::text FROM pg_constraint r"
        " JOIN pg_class c ON c.oid = r.conrelid JOIN pg_class t ON t.oid = r.confrelid"
        f" JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = r.conkey[1] WHERE r.contype = 'f' AND {ours}"
    ):
        found.add(_foreign_key(table, column, to, _ON_DELETE[on_delete]))
    return found
