"""The schema's versions: numbered migrations, and who may use which database.

`SCHEMA` is what this program writes.  A database says in `meta` its own version and
`compatibility`, the oldest program that can still use it: an older program refuses it
in words, a newer one migrates it.
"""

from __future__ import annotations

import re
from importlib import resources

from tagwerk.errors import SchemaMismatch
from tagwerk.store.engine import Engine, Transaction

SCHEMA = 5
COMPATIBILITY = 1

DOCTOR = "doctor"
"""A fact: until when a token of `tagwerk doctor` counts, and its SHA-256."""

_BLOB = {"sqlite": "BLOB", "postgresql": "BYTEA"}
_EXISTS = {
    "sqlite": "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'",
    "postgresql": "SELECT 1 FROM information_schema.tables"
    " WHERE table_name = 'meta' AND table_schema = current_schema()",
}


def prepare(engine: Engine) -> None:
    """Create or migrate the schema where it is needed, in one transaction.

    Raises:
        SchemaMismatch: the database was written by a newer Tagwerk that says that
            this one cannot use it.
    """
    with engine.read() as txn:
        version = _version(engine, txn)
    if version == SCHEMA:
        return
    with engine.write() as txn:
        version = _version(engine, txn)
        for number, name in _migrations():
            if number <= version:
                continue
            text = (resources.files("tagwerk.store") / "migrations" / name).read_text()
            for statement in _statements(text, blob=_BLOB[engine.name]):
                txn.execute(statement)
            set_meta(txn, "schema_version", str(number))
            set_meta(txn, "compatibility", str(COMPATIBILITY))


def meta(txn: Transaction, key: str) -> str:
    """A fact about the database itself, or ""."""
    row = txn.row("SELECT value FROM meta WHERE key = ?", (key,))
    return str(row[0]) if row else ""


def set_meta(txn: Transaction, key: str, value: str) -> None:
    """Write a fact about the database itself."""
    txn.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )


def _version(engine: Engine, txn: Transaction) -> int:
    if txn.row(_EXISTS[engine.name]) is None:
        return 0
    version = int(meta(txn, "schema_version") or 0)
    compatibility = int(meta(txn, "compatibility") or 0)
    if compatibility > SCHEMA:
        raise SchemaMismatch(
            f"This database has schema {version} and can be used by programs of schema {compatibility} or newer;"
            f" this Tagwerk knows schema {SCHEMA}. Install the newer Tagwerk again, or restore a backup."
        )
    # A newer schema that says it is compatible is used as it is.
    return max(version, SCHEMA) if version > SCHEMA else version


def _migrations() -> list[tuple[int, str]]:
    names = (entry.name for entry in (resources.files("tagwerk.store") / "migrations").iterdir())
    return sorted((int(name[:4]), name) for name in names if re.fullmatch(r"\d{4}_\w+\.sql", name))


def _statements(text: str, *, blob: str) -> list[str]:
    bare = re.sub(r"--[^\n]*", "", text).replace("{blob}", blob)
    return [statement.strip() for statement in bare.split(";") if statement.strip()]
