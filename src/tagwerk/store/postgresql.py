"""PostgreSQL: snapshots that never wait, writers that lock the rows they change (psycopg 3).

A read is one REPEATABLE READ snapshot.  A write is READ COMMITTED: whoever changes a
collection locks its row first (`store.collections.lock_places`), waits there for the one
before, and reads what that one left.  Above READ COMMITTED a writer who waited would be
undone instead.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import Connection, errors
from psycopg.pq import TransactionStatus

from tagwerk.errors import ConfigurationError, DatabaseUnavailable, TagwerkError, Undone
from tagwerk.model import CollectionId, Modseq
from tagwerk.store import libpq
from tagwerk.store.address import shown
from tagwerk.store.catalog import lacks
from tagwerk.store.engine import Params, Row
from tagwerk.store.timeline import follow
from tagwerk.store.wire import Wire

log = logging.getLogger(__name__)

CONNECTIONS = 20
"""Connections of one process: more than it has threads that answer requests, as others note and do things."""

WAIT_SECONDS = 5.0
"""How long a request waits for a connection before it is told to come back."""

_PAUSE, _LONGEST_PAUSE = 0.05, 0.5
"""Seconds between two attempts to connect; they double."""

WATCH_SECONDS = 0.25
"""How long somebody who waits for changes listens before looking up."""

PROBE_SECONDS = 10.0

MINIMUM = 130000

_STREAMED = 500
"""Rows of a large answer that are fetched at a time, after a first fetch of a tenth."""

_AT_ONCE = 100
"""Statements of `many` that are sent together."""

_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"


class PostgresTransaction:
    """A transaction on one connection.

    Its parameters are ``?`` as everywhere; the server sees ``$1``, which leaves ``%`` alone.
    """

    for_update = " FOR NO KEY UPDATE"
    skip_locked = " FOR UPDATE SKIP LOCKED"

    def __init__(self, wire: Wire, *, commits: bool) -> None:
        self._wire, self._commits = wire, commits
        self._numbers = itertools.count(1)
        self.changes: dict[CollectionId, Modseq] = {}

    def execute(self, sql: str, params: Params = ()) -> int:
        return self._wire.execute(sql, params)

    def later(self, sql: str, params: Params = ()) -> None:
        if self._commits:
            self._wire.later(sql, params)
        else:
            # Nothing would send it, and the server refuses it as it should.
            self._wire.execute(sql, params)

    def many(self, sql: str, rows: Sequence[Params]) -> None:
        for begin in range(0, len(rows), _AT_ONCE):
            *some, last = rows[begin : begin + _AT_ONCE]
            for each in some:
                self._wire.later(sql, each)
            self._wire.execute(sql, last)

    def ahead(self, sql: str, params: Params = ()) -> None:
        self._wire.ahead(sql, params)

    def row(self, sql: str, params: Params = ()) -> Row | None:
        rows = self._wire.rows(sql, params)
        return rows[0] if rows else None

    def rows(self, sql: str, params: Params = ()) -> Iterator[Row]:
        return iter(self._wire.rows(sql, params))

    def stream(self, sql: str, params: Params = ()) -> Iterator[Row]:
        name = f"c{next(self._numbers)}"
        self._wire.later(f"DECLARE {name} NO SCROLL CURSOR FOR {sql}", params, prepare=False)
        size = _STREAMED // 10
        return self._fetched(name, size, self._fetch(name, size))

    def _fetched(self, name: str, size: int, rows: list[Row]) -> Iterator[Row]:
        # Nobody closes the cursor: the end of the transaction does, and costs no exchange.
        while True:
            yield from rows
            if len(rows) < size:
                return
            size = _STREAMED
            rows = self._fetch(name, size)

    def _fetch(self, name: str, size: int) -> list[Row]:
        return self._wire.rows(f"FETCH FORWARD {size} FROM {name}", prepare=False)

    def changed(self, collection: CollectionId, modseq: Modseq) -> None:
        self.changes[collection] = modseq

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        name = f"s{next(self._numbers)}"
        before = dict(self.changes)
        self._wire.execute(f"SAVEPOINT {name}")
        try:
            yield
            # With it what the block left to be sent, so that its errors belong to the block.
            self._wire.execute(f"RELEASE {name}")
        except BaseException:
            self.changes = before
            self._wire.drop()
            with contextlib.suppress(psycopg.OperationalError):
                self._wire.later(f"ROLLBACK TO {name}")
                self._wire.execute(f"RELEASE {name}")
            raise


class _Connection(Connection[Row]):
    """A connection that is kept, with what is on its way through it."""

    wire: Wire


class PostgresEngine:
    """Connections to one database, opened by this process as they are needed, and kept."""

    name = "postgresql"

    def __init__(self, url: str) -> None:
        self._url = url
        self._reachable = True
        self._closed = False
        self._follows = False
        self._ending: deque[_Connection] = deque()
        self._places = threading.BoundedSemaphore(CONNECTIONS)
        self._conninfo = libpq.conninfo(url)
        self._look_once()

    def _look_once(self) -> None:
        try:
            with psycopg.connect(self._conninfo, autocommit=True) as connection:
                info = connection.info
                encoding, version = info.parameter_status("server_encoding"), info.server_version
        except psycopg.Error as error:
            raise libpq.translate(error, self._url, connecting=True) from error
        if encoding != "UTF8":
            raise ConfigurationError(
                f"The database {shown(self._url)} has the encoding {encoding};"
                " make one with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0."
            )
        if version < MINIMUM:
            raise ConfigurationError(
                f"PostgreSQL {MINIMUM // 10000} or newer is needed, this is {version // 10000}."
            )

    def opened(self) -> None:
        """The schema is there: from now on every new connection looks where it leads."""
        self._follows = True
        # Who was connected before has not looked.
        self._forget_idle()

    def _connect(self) -> _Connection:
        connection = _Connection.connect(self._conninfo, autocommit=True, context=libpq.Context())
        try:
            libpq.configure(connection)
            connection.wire = Wire(connection)
            if self._follows:
                txn = PostgresTransaction(connection.wire, commits=True)
                connection.wire.later(_WRITE)
                follow(txn)
                self._commit(connection, txn.changes)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def glance(self) -> Iterator[PostgresTransaction]:
        with self._transaction() as connection:
            yield PostgresTransaction(connection.wire, commits=False)

    @contextmanager
    def read(self) -> Iterator[PostgresTransaction]:
        with self._transaction() as connection:
            connection.wire.later(_READ)
            yield PostgresTransaction(connection.wire, commits=False)

    @contextmanager
    def write(self) -> Iterator[PostgresTransaction]:
        with self._transaction() as connection:
            if libpq.is_read_only(connection):
                # Whoever connects later may find that it was taken back.
                connection.close()
                raise DatabaseUnavailable(
                    f"The database {shown(self._url)} takes no changes: default_transaction_read_only is on."
                )
            connection.wire.later(_WRITE)
            txn = PostgresTransaction(connection.wire, commits=True)
            yield txn
            self._commit(connection, txn.changes)

    @contextmanager
    def _transaction(self) -> Iterator[_Connection]:
        """A connection for a while; BEGIN goes out with the first statement."""
        with self._translated():
            connection = self._connection()
            try:
                yield connection
            except errors.FeatureNotSupported as error:
                # It became a standby, or a table changed under statements that it prepared;
                # another connection leads to who writes now, and begins anew.
                connection.close()
                raise Undone(f"The database {shown(self._url)} takes no changes: it is a standby.") from error
            finally:
                try:
                    self._end(connection)
                finally:
                    self._places.release()

    def _commit(self, connection: _Connection, changes: Mapping[CollectionId, Modseq]) -> None:
        # One exchange with what is still to be sent; the news go out with the commit, or not at all.
        try:
            committed = connection.wire.commit(list(libpq.notifications(changes)))
        except psycopg.OperationalError as error:
            if error.sqlstate and not connection.broken:
                raise
            # Nobody can know whether it is there; done again it might be there twice.
            raise DatabaseUnavailable(
                f"The connection to the database {shown(self._url)} was lost while it stored this."
            ) from error
        if not committed:
            raise RuntimeError("A statement of this transaction failed, and somebody went on.")

    def _connection(self) -> _Connection:
        """One within `WAIT_SECONDS`, or sooner where the database is known to be away; `_transaction` takes it back."""
        patience = WAIT_SECONDS if self._reachable else 1.0
        deadline = time.monotonic() + patience
        if not self._places.acquire(timeout=patience):
            raise DatabaseUnavailable(
                f"All {CONNECTIONS} connections to the database {shown(self._url)} are in use."
            )
        try:
            return self._kept() or self._new(deadline)
        except BaseException:
            self._places.release()
            raise

    def _kept(self) -> _Connection | None:
        """The one that was used last; those that broke since are passed over."""
        while True:
            try:
                connection = self._ending.pop()
            except IndexError:
                return None
            if connection.wire.has_left():
                return connection
            connection.close()

    def _new(self, deadline: float) -> _Connection:
        """A new one; it is tried again until `deadline`, as a server that is started again is soon back."""
        pause = _PAUSE
        while True:
            if self._closed:
                raise DatabaseUnavailable(
                    f"The database {shown(self._url)} is not used any more: the program ends."
                )
            try:
                connection = self._connect()
                break
            except (psycopg.Error, DatabaseUnavailable) as error:
                if time.monotonic() + pause > deadline:
                    raise self._away(error) from error
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        if not self._reachable:
            self._reachable = True
            log.warning("The database %s answers again.", shown(self._url))
        return connection

    def _away(self, error: psycopg.Error | DatabaseUnavailable) -> TagwerkError:
        """Why there is no connection."""
        if isinstance(error, errors.FeatureNotSupported):
            # It may be behind, and what clients have seen must not go back.
            error = DatabaseUnavailable(
                f"The database {shown(self._url)} is a standby, which is not read from."
            )
        found = (
            error
            if isinstance(error, DatabaseUnavailable)
            else libpq.translate(error, self._url, connecting=True)
        )
        if self._reachable:
            self._reachable = False
            log.error("%s", found)
        return found if isinstance(found, TagwerkError) else DatabaseUnavailable(f"{found}")

    def _end(self, connection: _Connection) -> None:
        """Undo what was not committed, and keep the connection for the next one.

        Nobody waits for the answer to that: who takes the connection finds it there.
        """
        status = connection.wire.status
        if status in (TransactionStatus.IDLE, TransactionStatus.INTRANS, TransactionStatus.INERROR):
            try:
                connection.wire.leave()
            except psycopg.Error:
                connection.close()
        else:
            # Something was thrown out of the middle of a statement, or the connection is lost: then
            # those that wait for their next use are lost as well, and nobody has to find out one by one.
            connection.close()
            if status == TransactionStatus.UNKNOWN:
                self._forget_idle()
        if connection.wire.is_worn or self._closed:
            connection.close()
        if not connection.closed:
            self._ending.append(connection)
            if self._closed:
                # In the meantime, by another thread.
                self._forget_idle()

    def _forget_idle(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._ending.pop().close()

    def news(self, stopped: threading.Event) -> Iterator[Mapping[CollectionId, Modseq] | None]:
        # Not one of the pool's: it is kept, and must not be what the requests wait for.
        with self._translated(), psycopg.connect(self._conninfo, autocommit=True) as connection:
            connection.execute(f"LISTEN {libpq.CHANNEL}")
            yield None
            quiet_since = time.monotonic()
            while not stopped.is_set():
                found: dict[CollectionId, Modseq] = {}
                for note in connection.notifies(timeout=WATCH_SECONDS, stop_after=1):
                    found |= libpq.told(note.payload)
                if time.monotonic() - quiet_since > PROBE_SECONDS:
                    # A connection that leads nowhere any more is quiet as well.
                    connection.execute("SELECT 1")
                    quiet_since = time.monotonic()
                yield found

    def compact(self) -> int:
        # Room is given back by autovacuum.
        with self.write() as txn:
            txn.execute("ANALYZE")
        return 0

    def erased(self) -> bool:
        # What is deleted goes with autovacuum, and with the old parts of its log.
        return True

    def check(self) -> list[str]:
        with self.read() as txn:
            wrong = [
                f"PostgreSQL: the index {name} is not valid; REINDEX INDEX {name} makes it anew."
                for (name,) in txn.rows(
                    "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
                    " WHERE NOT i.indisvalid AND c.relnamespace = current_schema()::regnamespace"
                )
            ]
            wrong += [
                f"PostgreSQL: the rule {name} of {table} was never checked; ALTER TABLE ... VALIDATE does it."
                for name, table in txn.rows(
                    "SELECT conname::text, conrelid::regclass::text FROM pg_constraint"
                    " WHERE NOT convalidated AND connamespace = current_schema()::regnamespace"
                )
            ]
            wrong += lacks(self.name, txn)
            row = txn.row(
                "SELECT current_setting('fsync'), current_setting('full_page_writes'),"
                " current_setting('synchronous_commit')"
            )
        assert row is not None
        if row[2] == "off":
            wrong.append(
                "PostgreSQL: synchronous_commit is off; a crash would lose changes that were answered."
            )
        if row[:2] != ("on", "on"):
            wrong.append(
                "PostgreSQL: fsync or full_page_writes is off; a power cut would damage the database."
            )
        return wrong

    def close(self) -> None:
        self._closed = True
        self._forget_idle()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """PostgreSQL's errors as ours: what can be done about them, and when to come back."""
        try:
            yield
        except psycopg.Error as error:
            raise libpq.translate(error, self._url) from error
