"""Backups: a SQLite database with everything, written from one snapshot, whatever the engine."""

from __future__ import annotations

import glob
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tagwerk.errors import ConfigurationError, Unavailable
from tagwerk.store import open_engine, schema
from tagwerk.store.check import Counts, altered_objects, altered_versions, counts
from tagwerk.store.engine import Engine, run
from tagwerk.store.sqlite import SqliteEngine
from tagwerk.store.transfer import Progress, transfer

WRITTEN = "backup"
"""In `meta` of a backup: when it was written, in seconds since 1970."""

_MAGIC = b"SQLite format 3\0"


def write_backup(engine: Engine, file: Path, *, now: int, progress: Progress = lambda _rows: None) -> Counts:
    """Write everything into `file`, an absolute path, and return what it is.

    It appears under its name when it is complete and on the disk, in the place of an older one,
    readable by its owner alone.
    """
    part = file.with_name(f".{file.name}.part")
    # Of one that was killed.
    _clear(part)
    try:
        # It holds hashes of passwords.
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        found = _write(engine, part, now=now, progress=progress)
        _to_disk(part)
        part.replace(file)
        _to_disk(file.parent)
    finally:
        _clear(part)
    return found


def _clear(part: Path) -> None:
    """Remove a backup that is not complete, with what SQLite put beside it."""
    for leftover in part.parent.glob(f"{glob.escape(part.name)}*"):
        leftover.unlink()


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
def opened_backup(file: Path, *, damaged: bool = False) -> Iterator[tuple[Engine, int]]:
    """A backup, and when it was written, in seconds since 1970; the file itself stays as it is.

    With `damaged` also one in which objects are not what was stored.

    Raises:
        ConfigurationError: it is no backup.
        SchemaMismatch: it is of a newer Tagwerk.
        Unavailable: it is damaged.
    """
    _expect_backup(file)
    with tempfile.TemporaryDirectory(prefix="tagwerk-") as folder:
        # One of an older Tagwerk is brought up to date, but not in its own file.
        copy = Path(folder) / file.name
        shutil.copyfile(file, copy)
        try:
            engine = open_engine(f"sqlite://{copy}")
        except Unavailable as error:
            raise Unavailable(f"{file} is damaged or cut off.") from error
        with closing(engine):
            _verify(engine, file, damaged=damaged)
            with engine.read() as txn:
                written = int(schema.meta(txn, WRITTEN) or 0)
            yield engine, written


def _verify(engine: Engine, file: Path, *, damaged: bool) -> None:
    """Raises Unavailable where what is in the file is not what was written."""
    try:
        wrong = engine.check()
        with engine.read() as txn:
            changed = [] if damaged else [*altered_objects(txn), *altered_versions(txn)]
    except Unavailable as error:
        raise Unavailable(f"{file} is damaged or cut off.") from error
    if wrong:
        raise Unavailable(f"{file} is damaged. {wrong[0].rstrip('.;')}.")
    if changed:
        more = f", nor those of {len(changed) - 1} more" if len(changed) > 1 else ""
        raise Unavailable(
            f"{file} is damaged: the bytes of {changed[0]} are not those of the ETag{more}."
            " --damaged restores it all the same."
        )


def _expect_backup(file: Path) -> None:
    """Raises ConfigurationError where a file is no backup, Unavailable where it was one."""
    try:
        with closing(
            sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        ) as database:
            if database.execute("SELECT value FROM meta WHERE key = ?", (WRITTEN,)).fetchone():
                return
    except sqlite3.DatabaseError as error:
        with file.open("rb") as opened:
            is_database = opened.read(len(_MAGIC)) == _MAGIC
        if is_database and error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise Unavailable(f"{file} is damaged or cut off.") from error
    raise ConfigurationError(f"{file} is no backup; `tagwerk backup FILE` writes one.")
