"""SQLite: WAL, durable commits, one writer, readers that never wait for it (sqlite.org/wal.html)."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tagwerk.errors import ConfigurationError, DatabaseUnavailable, DiskFull, TagwerkError, Undone
from tagwerk.model import CollectionId, Modseq
from tagwerk.store.catalog import lacks
from tagwerk.store.engine import Params, Row
from tagwerk.store.queue import Queue

BUSY_SECONDS = 30.0
"""How long a writer waits for the writer of another process."""

WATCH_SECONDS = 0.1
"""How often somebody who waits for changes looks whether there were any."""

_UNUSABLE = (
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
)

MINIMUM = (3, 35, 0)
"""RETURNING came with this version."""


class SqliteTransaction:
    """A transaction on one connection."""

    for_update = ""
    skip_locked = ""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._savepoints = 0

    def execute(self, sql: str, params: Params = ()) -> int:
        return self._connection.execute(sql, params).rowcount

    def later(self, sql: str, params: Params = ()) -> None:
        self._connection.execute(sql, params)

    def many(self, sql: str, rows: Sequence[Params]) -> None:
        self._connection.executemany(sql, rows)

    def ahead(self, sql: str, params: Params = ()) -> None:
        """Nothing: nobody waits here for anything to travel."""

    def row(self, sql: str, params: Params = ()) -> Row | None:
        cursor = self._connection.execute(sql, params)
        row: Row | None = cursor.fetchone()
        cursor.close()
        return row

    def rows(self, sql: str, params: Params = ()) -> Iterator[Row]:
        return self._connection.execute(sql, params)

    stream = rows

    def changed(self, collection: CollectionId, modseq: Modseq) -> None:
        """Nothing: `SqliteEngine.news` watches the file."""

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        self._savepoints += 1
        name = f"s{self._savepoints}"
        self._connection.execute(f"SAVEPOINT {name}")
        try:
            yield
        except BaseException:
            self._connection.execute(f"ROLLBACK TO {name}")
            self._connection.execute(f"RELEASE {name}")
            raise
        self._connection.execute(f"RELEASE {name}")


class SqliteEngine:
    """One database file, opened by this process."""

    name = "sqlite"

    def __init__(self, path: Path) -> None:
        if sqlite3.sqlite_version_info < MINIMUM:
            raise ConfigurationError(
                f"SQLite {sqlite3.sqlite_version} is too old; Tagwerk needs {'.'.join(map(str, MINIMUM))}."
            )
        self._path = path
        self._readers: list[sqlite3.Connection] = []
        self._readers_lock = threading.Lock()
        self._writer_lock = threading.Lock()
        self._queue = Queue(path, patience=BUSY_SECONDS)
        self._closed = False
        with _translated(path):
            self._writer = self._connect()
            mode = self._writer.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise ConfigurationError(f"{path} lies on a file system that cannot hold a WAL (mode {mode}).")
        self._file = _identity(path)

    def opened(self) -> None:
        """Forget statistics of the tables, if there are any.

        Every query has its index, which SQLite takes where it knows nothing.  Where it
        learned that a table has one row it reads all of the table, also when there are
        ten thousand: nobody tells it that the table has grown.
        """
        with _translated(self._path), self._writer_lock:
            self._forget_statistics()

    def _forget_statistics(self) -> None:
        found = self._writer.execute(
            "SELECT name FROM sqlite_master WHERE name LIKE 'sqlite_stat_'"
        ).fetchall()
        for (name,) in found:
            self._writer.execute(f"DROP TABLE {name}")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # What is deleted is overwritten, also where SQLite was not built so.
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA cache_size = -16000")
        return connection

    def _look(self) -> None:
        """See that the file is the one that was opened.

        Of another one nothing is known, and what is written to a file that has no name is lost.

        Raises:
            DatabaseUnavailable: it was removed, another one has its name, or the folder cannot be looked into.
        """
        try:
            found = _identity(self._path)
        except OSError as error:
            raise DatabaseUnavailable(
                f"The database {self._path} cannot be used: {error.strerror}."
            ) from error
        if found != self._file:
            what = "was replaced" if found else "was removed"
            raise DatabaseUnavailable(f"The database {self._path} {what} while it was open.")

    @contextmanager
    def read(self) -> Iterator[SqliteTransaction]:
        with _translated(self._path):
            with self._readers_lock:
                self._refuse_if_closed()
                connection = self._readers.pop() if self._readers else None
            if connection is None:
                self._look()
                connection = self._connect()
                connection.execute("PRAGMA query_only = ON")
            try:
                connection.execute("BEGIN")
                yield SqliteTransaction(connection)
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                with self._readers_lock:
                    if not self._closed and len(self._readers) < 64:
                        self._readers.append(connection)
                        connection = None
                if connection is not None:
                    connection.close()

    def glance(self) -> AbstractContextManager[SqliteTransaction]:
        return self.read()

    @contextmanager
    def write(self) -> Iterator[SqliteTransaction]:
        with _translated(self._path), self._writer_lock:
            self._refuse_if_closed()
            with self._queue.turn():
                self._look()
                self._writer.execute("BEGIN IMMEDIATE")
                try:
                    yield SqliteTransaction(self._writer)
                    self._writer.execute("COMMIT")
                finally:
                    if self._writer.in_transaction:
                        self._writer.execute("ROLLBACK")

    def news(self, stopped: threading.Event) -> Iterator[Mapping[CollectionId, Modseq] | None]:
        with _translated(self._path):
            connection = self._connect()
            try:
                seen = None
                while not stopped.is_set():
                    # A number in shared memory, other for this connection after every commit of another one.
                    version = connection.execute("PRAGMA data_version").fetchone()
                    # Also where nothing happened: somebody may have begun to watch meanwhile.
                    yield None if version != seen else {}
                    seen = version
                    stopped.wait(WATCH_SECONDS)
            finally:
                connection.close()

    def check(self) -> list[str]:
        with self.read() as txn:
            found = [str(row[0]) for row in txn.rows("PRAGMA integrity_check(100)")]
            lacking = lacks(self.name, txn)
        return [*(f"SQLite: {line}" for line in found if line != "ok"), *lacking]

    def seal(self) -> None:
        """Put everything into the one file, for a copy that is kept; nobody else may have it open."""
        with self._readers_lock:
            readers, self._readers = self._readers, []
        for connection in readers:
            connection.close()
        with _translated(self._path), self._writer_lock:
            self._writer.execute("PRAGMA journal_mode = DELETE")

    def compact(self) -> int:
        with _translated(self._path), self._writer_lock:
            self._forget_statistics()
            free, pages, size = (
                self._writer.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("freelist_count", "page_count", "page_size")
            )
            worth = free * 5 > pages
            if worth:
                self._writer.execute("VACUUM")
            self._empty_log()
        return free * size if worth else 0

    def erased(self) -> bool:
        with _translated(self._path), self._writer_lock:
            return self._empty_log()

    def _empty_log(self) -> bool:
        """Put everything into the one file; False where somebody reads what was before for too long."""
        busy = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return not busy

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise DatabaseUnavailable(f"The database {self._path} is not used any more: the program ends.")

    def close(self) -> None:
        with self._readers_lock:
            self._closed = True
            readers, self._readers = self._readers, []
        for connection in readers:
            connection.close()
        with self._writer_lock:
            self._writer.close()
            self._queue.close()


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """SQLite's errors as ours: what the user can do about them, and when to come back."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise _translate(error, path) from error
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
            # With one writer nobody was first: an id was drawn that is there (`engine.new_id`).
            raise Undone(f"The database {path} has a row with this key: {error}.") from error
        if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
            raise
        raise DatabaseUnavailable(f"The database {path} cannot be used: {error}.") from error


def _translate(error: sqlite3.OperationalError, path: Path) -> TagwerkError | sqlite3.OperationalError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return DiskFull(f"The disk that holds {path} is full.")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return DatabaseUnavailable(f"The database {path} is busy; try again in a moment.")
    if code == sqlite3.SQLITE_IOERR and _disk_is_full(path):
        return DiskFull(f"The disk that holds {path} is full.")
    if code in _UNUSABLE:
        return DatabaseUnavailable(f"The database {path} cannot be used: {error}.")
    return error


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another one of the same name; None where there is none."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _disk_is_full(path: Path) -> bool:
    try:
        return os.statvfs(path.parent).f_bavail == 0
    except OSError as error:
        return error.errno == errno.ENOSPC
