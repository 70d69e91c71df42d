"""Backups: a SQLite database with everything, written from one snapshot, whatever the engine."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tagwerk.errors import ConfigurationError, Unavailable
from tagwerk.store import open_engine, schema
from tagwerk.store.check import Counts, counts
from tagwerk.store.engine import Engine, run
from tagwerk.store.sqlite import SqliteEngine
from tagwerk.store.transfer import Progress, transfer

WRITTEN = "backup"
"""In `meta` of a backup: when it was written, in seconds since 1970."""


def write_backup(engine: Engine, file: Path, *, now: int, progress: Progress = lambda _rows: None) -> Counts:
    """Write everything into `file`, an absolute path, and return what it is.

    It appears under its name when it is complete and on the disk, in the place of an older one,
    readable by its owner alone.
    """
    part = file.with_name(f".{file.name}.part")
    try:
        part.unlink(missing_ok=True)
        # It holds hashes of passwords.
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        found = _write(engine, part, now=now, progress=progress)
        _to_disk(part)
        part.replace(file)
        _to_disk(file.parent)
    finally:
        for leftover in part.parent.glob(f"{part.name}*"):
            leftover.unlink()
    return found


def _write(engine: Engine, part: Path, *, now: int, progress: Progress) -> Counts:
    copy = SqliteEngine(part)
    try:
        schema.prepare(copy)
        transfer(engine, copy, name=WRITTEN, progress=progress)
        run(copy, lambda txn: schema.set_meta(txn, WRITTEN, str(now)))
        with copy.read() as txn:
            found = counts(txn)
        copy.seal()
    finally:
        copy.close()
    return found


def _to_disk(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@contextmanager
def opened_backup(file: Path) -> Iterator[tuple[Engine, int]]:
    """A backup, and when it was written, in seconds since 1970; the file itself stays as it is.

    Raises:
        ConfigurationError: it is no backup.
        SchemaMismatch: it is of a newer Tagwerk.
        Unavailable: it is damaged.
    """
    if not _is_backup(file):
        raise ConfigurationError(f"{file} is no backup; `tagwerk backup FILE` writes one.")
    with tempfile.TemporaryDirectory(prefix="tagwerk-") as folder:
        # One of an older Tagwerk is brought up to date, but not in its own file.
        copy = Path(folder) / file.name
        shutil.copyfile(file, copy)
        with closing(open_engine(f"sqlite://{copy}")) as engine:
            wrong = engine.check()
            if wrong:
                raise Unavailable(f"{file} is damaged. {wrong[0]}.")
            with engine.read() as txn:
                written = int(schema.meta(txn, WRITTEN) or 0)
            yield engine, written


def _is_backup(file: Path) -> bool:
    try:
        with closing(
            sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        ) as database:
            found = database.execute("SELECT value FROM meta WHERE key = ?", (WRITTEN,)).fetchone()
    except sqlite3.DatabaseError:
        return False
    return found is not None
