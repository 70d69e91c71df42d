"""The schema's versions: numbered migrations, and who may use which database.

`SCHEMA` is what this program writes.  A database says in `meta` its own version and
`compatibility`, the oldest program that can still use it: an older program refuses it
in words, a newer one migrates it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib import resources

from tagwerk.contentline import ContentLineError, parse
from tagwerk.errors import SchemaMismatch
from tagwerk.ical.masking import privacy_of
from tagwerk.ical.personal import has_personal
from tagwerk.model import Kind, PrincipalId, Privacy
from tagwerk.store.collections import NOTIFICATIONS, create_collection, is_taken
from tagwerk.store.engine import Engine, Transaction, run

SCHEMA = 8
COMPATIBILITY = 8

UNFINISHED = "transfer"
"""In `meta`: what is being transferred into this database, until all of it is there."""

DOCTOR = "doctor"
"""A fact: until when a token of `tagwerk doctor` counts, and its SHA-256."""

_BLOB = {"sqlite": "BLOB", "postgresql": "BYTEA"}
_TEXT = {"sqlite": "TEXT", "postgresql": 'TEXT COLLATE "C"'}
"""Texts are compared byte by byte on every engine, and no update of the C library changes an index."""

_LOCK = 7_402_315_806_116_731_001
"""PostgreSQL's advisory lock of whoever migrates; SQLite has one writer at a time."""

_EXISTS = {
    "sqlite": "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'",
    "postgresql": "SELECT 1 FROM information_schema.tables"
    " WHERE table_name = 'meta' AND table_schema = current_schema()",
}

_HAS_KNOWN_FROM = {
    "sqlite": "SELECT 1 FROM pragma_table_info('collection') WHERE name = 'known_from'",
    "postgresql": "SELECT 1 FROM information_schema.columns WHERE table_name = 'collection'"
    " AND table_schema = current_schema() AND column_name = 'known_from'",
}


def is_there(engine: Engine) -> bool:
    """Whether there is a schema of any version."""
    with engine.read() as txn:
        return txn.row(_EXISTS[engine.name]) is not None


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
    run(engine, lambda txn: _migrate(engine, txn))


def _migrate(engine: Engine, txn: Transaction) -> None:
    if engine.name == "postgresql":
        txn.execute("SET LOCAL statement_timeout = 0")
        txn.execute("SELECT pg_advisory_xact_lock(?)", (_LOCK,))
    version = _version(engine, txn)
    missing = [(number, name) for number, name in _migrations() if number > version]
    if not missing:
        return
    for _, name in missing:
        for statement in _statements(_text(name), engine.name):
            txn.execute(statement)
    # They know the tables of this program alone.
    for number, _ in missing:
        for step in _STEPS.get(number, ()):
            step(engine, txn)
    set_meta(txn, "schema_version", str(SCHEMA))
    set_meta(txn, "compatibility", str(COMPATIBILITY))


def _privacy_of_objects(_engine: Engine, txn: Transaction) -> None:
    """Schema 2: what others see of the objects that are there."""
    for row in list(txn.rows("SELECT id FROM collection WHERE kind = 'calendar'")):
        changed = []
        for name, content in txn.rows(
            "SELECT name, content FROM object WHERE collection_id = ? AND NOT removed", row
        ):
            try:
                calendar = parse(bytes(content).decode())[0]
            except (ContentLineError, UnicodeDecodeError, IndexError):
                # What nobody can read is shown to nobody but the owner.
                changed.append((int(Privacy.PRIVATE), False, row[0], name))
                continue
            found = privacy_of(calendar), has_personal(calendar)
            if any(found):
                changed.append((int(found[0]), found[1], row[0], name))
        for values in changed:
            txn.execute(
                "UPDATE object SET privacy = ?, alarms = ? WHERE collection_id = ? AND name = ?", values
            )


def _places_for_notifications(_engine: Engine, txn: Transaction) -> None:
    """Schema 2: everybody is told something."""
    for row in list(txn.rows("SELECT id, created FROM principal WHERE kind = 'person'")):
        if not is_taken(txn, PrincipalId(row[0]), NOTIFICATIONS):
            create_collection(
                txn, PrincipalId(row[0]), name=NOTIFICATIONS, kind=Kind.NOTIFICATIONS, now=row[1]
            )


def _known_from(engine: Engine, txn: Transaction) -> None:
    """Schema 8: the first databases of schemas 5 and 6 do not say since when their history is known."""
    if txn.row(_HAS_KNOWN_FROM[engine.name]) is None:
        txn.execute("ALTER TABLE collection ADD COLUMN known_from BIGINT NOT NULL DEFAULT 0")
        txn.execute("UPDATE collection SET known_from = modified + 1")


_STEPS: Mapping[int, tuple[Callable[[Engine, Transaction], None], ...]] = {
    2: (_privacy_of_objects, _places_for_notifications),
    8: (_known_from,),
}
"""What a migration does that SQL cannot: by its number, after the statements of all of them."""


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


def statements(engine: str) -> list[str]:
    """Every statement of every migration, in order, for an engine."""
    return [each for _, name in _migrations() for each in _statements(_text(name), engine)]


def _text(name: str) -> str:
    return (resources.files("tagwerk.store") / "migrations" / name).read_text()


def _migrations() -> list[tuple[int, str]]:
    names = (entry.name for entry in (resources.files("tagwerk.store") / "migrations").iterdir())
    return sorted((int(name[:4]), name) for name in names if re.fullmatch(r"\d{4}_\w+\.sql", name))


def _statements(text: str, engine: str) -> list[str]:
    bare = re.sub(r"--[^\n]*", "", text).replace("{blob}", _BLOB[engine])
    bare = re.sub(r"\bTEXT\b", _TEXT[engine], bare)
    return [statement.strip() for statement in bare.split(";") if statement.strip()]
