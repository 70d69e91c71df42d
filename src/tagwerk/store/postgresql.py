"""PostgreSQL: snapshots that never wait, writers that lock the rows they change (psycopg 3).

A read is one REPEATABLE READ snapshot.  A write is READ COMMITTED: whoever changes a
collection locks its row first (`store.collections.lock_places`), waits there for the one
before, and reads what that one left.  Above READ COMMITTED a writer who waited would be
undone instead.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import re
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection, RawCursor, errors
from psycopg.adapt import AdaptersMap
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import DiagnosticField, ExecStatus, TransactionStatus
from psycopg.types.numeric import Int8Dumper, NumericBinaryLoader
from psycopg.types.string import StrDumper
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from tagwerk.errors import (
    ConfigurationError,
    InsufficientStorage,
    InvalidRequest,
    Refused,
    TagwerkError,
    Unavailable,
    Undone,
)
from tagwerk.model import CollectionId, Modseq
from tagwerk.store.address import secrets_of, shown
from tagwerk.store.engine import Params, Row
from tagwerk.store.timeline import follow

log = logging.getLogger(__name__)

CONNECTIONS = 20
"""Connections of one process: its threads, and answers that are being streamed."""

WAIT_SECONDS = 5.0
"""How long a request waits for a connection before it is told to come back."""

STATEMENT_SECONDS = 30
"""How long one statement may take, waiting for other writers included."""

IDLE_SECONDS = 300
"""How long a transaction may do nothing: then the process behind it hangs."""

RECONNECT_SECONDS = 2.0
"""How long a connection is tried for; the next request tries again."""

WATCH_SECONDS = 0.25
"""How long somebody who waits for changes listens before looking up."""

PROBE_SECONDS = 10.0

CHANNEL = "tagwerk_changes"

MINIMUM = 130000

_TOLD_AT_ONCE = 150

_STREAMED = 500
"""Rows of a large answer that are fetched at a time, after a first fetch of a tenth."""

_READ = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_WRITE = b"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"

_DEFAULTS = {
    "application_name": "tagwerk",
    "connect_timeout": "5",
    # A machine that is gone does not say so.
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}

_TWICE = ("23505", "23503", "23P01")
"""Another transaction was first: the rows that stand in the way were not there when this one looked."""

_CANCELLED, _DISK_FULL, _TOO_LARGE = "57014", "53100", "54000"


class PostgresTransaction:
    """A transaction on one connection.

    Its parameters are ``?`` as everywhere; the server sees ``$1``, which leaves ``%`` alone.
    """

    for_update = " FOR NO KEY UPDATE"
    skip_locked = " FOR UPDATE SKIP LOCKED"

    def __init__(self, connection: Connection[Row]) -> None:
        self._connection = connection
        self._cursor: RawCursor[Row] = RawCursor(connection)
        self._numbers = itertools.count(1)
        self.changes: dict[CollectionId, Modseq] = {}

    def execute(self, sql: str, params: Params = ()) -> int:
        self._cursor.execute(_numbered(sql), params or None, binary=True)
        return self._cursor.rowcount

    def many(self, sql: str, rows: Sequence[Params]) -> None:
        if rows:
            self._cursor.executemany(_numbered(sql), rows)

    def row(self, sql: str, params: Params = ()) -> Row | None:
        return self._cursor.execute(_numbered(sql), params or None, binary=True).fetchone()

    def rows(self, sql: str, params: Params = ()) -> Iterator[Row]:
        return iter(self._cursor.execute(_numbered(sql), params or None, binary=True).fetchall())

    def stream(self, sql: str, params: Params = ()) -> Iterator[Row]:
        name = f"c{next(self._numbers)}"
        # A cursor of its own, as the rows of this one are asked for between other statements.
        cursor: RawCursor[Row] = RawCursor(self._connection)
        declare = f"DECLARE {name} NO SCROLL CURSOR FOR ".encode() + _numbered(sql)
        cursor.execute(declare, params or None, prepare=False)
        return self._fetched(cursor, name)

    def _fetched(self, cursor: RawCursor[Row], name: str) -> Iterator[Row]:
        # Nobody closes the cursor: the end of the transaction does, and costs no exchange.
        size = _STREAMED // 10
        while True:
            fetch = f"FETCH FORWARD {size} FROM {name}".encode()
            rows = cursor.execute(fetch, prepare=False, binary=True).fetchall()
            yield from rows
            if len(rows) < size:
                return
            size = _STREAMED

    def changed(self, collection: CollectionId, modseq: Modseq) -> None:
        self.changes[collection] = modseq

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        name = f"s{next(self._numbers)}"
        before = dict(self.changes)
        self._run(f"SAVEPOINT {name}")
        try:
            yield
        except BaseException:
            self.changes = before
            with contextlib.suppress(psycopg.OperationalError):
                self._run(f"ROLLBACK TO {name}")
                self._run(f"RELEASE {name}")
            raise
        self._run(f"RELEASE {name}")

    def _run(self, statement: str) -> None:
        _run(self._connection, statement.encode())


class PostgresEngine:
    """A pool of connections to one database, opened by this process."""

    name = "postgresql"

    def __init__(self, url: str) -> None:
        self._url = url
        self._reachable = True
        self._closed = False
        self._follows = False
        self._ending: deque[Connection[Row]] = deque()
        conninfo = _conninfo(url)
        self._pool: ConnectionPool[Connection[Row]] = ConnectionPool(
            conninfo,
            kwargs={"autocommit": True, "context": _Context()},
            min_size=0,
            max_size=CONNECTIONS,
            max_waiting=200,
            timeout=WAIT_SECONDS,
            max_idle=300.0,
            reconnect_timeout=RECONNECT_SECONDS,
            configure=self._configure,
            name="tagwerk",
            open=False,
        )
        # What it logs is what our own sentences say, at every attempt.
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
        self._look_once(conninfo)
        self._pool.open()

    def _look_once(self, conninfo: str) -> None:
        """Connect outside of the pool, which would not say why it cannot."""
        try:
            with psycopg.connect(conninfo, autocommit=True) as connection:
                info = connection.info
                encoding, version = info.parameter_status("server_encoding"), info.server_version
        except psycopg.Error as error:
            raise _translate(error, self._url, connecting=True) from error
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

    def _configure(self, connection: Connection[Row]) -> None:
        _configure(connection)
        if self._follows:
            txn = PostgresTransaction(connection)
            _run(connection, _WRITE)
            follow(txn)
            self._commit(connection, txn.changes)

    @contextmanager
    def glance(self) -> Iterator[PostgresTransaction]:
        with self._translated():
            connection = self._connection()
            try:
                yield PostgresTransaction(connection)
            finally:
                self._end(connection)

    @contextmanager
    def read(self) -> Iterator[PostgresTransaction]:
        with self._translated():
            connection = self._begin(_READ)
            try:
                yield PostgresTransaction(connection)
            finally:
                self._end(connection)

    @contextmanager
    def write(self) -> Iterator[PostgresTransaction]:
        with self._translated():
            connection = self._begin(_WRITE)
            try:
                txn = PostgresTransaction(connection)
                yield txn
                self._commit(connection, txn.changes)
            finally:
                self._end(connection)

    def _commit(self, connection: Connection[Row], changes: Mapping[CollectionId, Modseq]) -> None:
        # One exchange; the news go out with the commit, or not at all.
        statements = [*_notifications(changes), b"COMMIT"]
        try:
            cursor = connection.execute(b"; ".join(statements), prepare=False)
            while cursor.nextset():
                pass
            done = cursor.statusmessage
        except psycopg.OperationalError as error:
            if not connection.broken:
                raise
            # Nobody can know whether it is there; done again it might be there twice.
            raise Unavailable(
                f"The connection to the database {shown(self._url)} was lost while it stored this."
            ) from error
        if done != "COMMIT":
            raise RuntimeError("A statement of this transaction failed, and somebody went on.")

    def _begin(self, statement: bytes) -> Connection[Row]:
        """A connection in a transaction; those that broke since they were used are passed over."""
        for _ in range(2 * CONNECTIONS):
            connection = self._connection()
            try:
                _run(connection, statement)
                return connection
            except psycopg.OperationalError:
                self._give_back(connection)
                self._forget_idle()
            except BaseException as error:
                if isinstance(error, errors.FeatureNotSupported):
                    # It became a standby; another connection may lead to who writes now.
                    connection.close()
                    error = Undone(f"The database {shown(self._url)} takes no changes: it is a standby.")
                self._end(connection)
                raise error
        raise Undone(f"The database {shown(self._url)} closes every connection.")

    def _connection(self) -> Connection[Row]:
        """One of the pool's, within `WAIT_SECONDS`, or sooner where the database is known to be away."""
        while self._ending:
            with contextlib.suppress(IndexError):
                connection = self._ending.pop()
                if _has_ended(connection):
                    return connection
                self._give_back(connection)
        deadline = time.monotonic() + (WAIT_SECONDS if self._reachable else 1.0)
        while True:
            left = deadline - time.monotonic()
            try:
                # The pool gives up connecting after a while; each call makes it try again.
                connection = self._pool.getconn(timeout=max(0.05, min(1.0, left)))
            except PoolTimeout as error:
                if left <= 1.0:
                    raise self._away() from error
                continue
            except (PoolClosed, TooManyRequests) as error:
                raise Unavailable(f"The database {shown(self._url)} has no connection to spare.") from error
            if not self._reachable:
                self._reachable = True
                log.warning("The database %s answers again.", shown(self._url))
            return connection

    def _away(self) -> TagwerkError:
        """Why there is no connection."""
        try:
            psycopg.connect(make_conninfo(_conninfo(self._url), connect_timeout="2")).close()
        except psycopg.Error as error:
            found = _translate(error, self._url, connecting=True)
            if self._reachable:
                self._reachable = False
                log.error("%s", found)
            if isinstance(found, TagwerkError):
                return found
        return Unavailable(f"All {CONNECTIONS} connections to the database {shown(self._url)} are in use.")

    def _end(self, connection: Connection[Row]) -> None:
        """Undo what was not committed, and keep the connection for the next one.

        Nobody waits for the answer to that: who takes the connection finds it there.
        """
        status = connection.pgconn.transaction_status
        if status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
            try:
                connection.pgconn.send_query(b"ROLLBACK")
            except psycopg.Error:
                connection.close()
        elif status != TransactionStatus.IDLE:
            # Something was thrown out of the middle of a statement, or the connection is lost: then
            # those that wait for their next use are lost as well, and nobody has to find out one by one.
            connection.close()
            if status == TransactionStatus.UNKNOWN:
                self._forget_idle()
        if connection.closed or self._closed:
            self._give_back(connection)
        else:
            self._ending.append(connection)

    def _forget_idle(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._give_back(self._ending.pop())

    def _give_back(self, connection: Connection[Row]) -> None:
        """To the pool, which makes a new one when it is asked for more."""
        connection.close()
        self._pool.putconn(connection)

    def news(self, stopped: threading.Event) -> Iterator[Mapping[CollectionId, Modseq] | None]:
        # Not one of the pool's: it is kept, and must not be what the requests wait for.
        with self._translated(), psycopg.connect(_conninfo(self._url), autocommit=True) as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            yield None
            quiet_since = time.monotonic()
            while not stopped.is_set():
                found: dict[CollectionId, Modseq] = {}
                for note in connection.notifies(timeout=WATCH_SECONDS, stop_after=1):
                    found |= _told(note.payload)
                if time.monotonic() - quiet_since > PROBE_SECONDS:
                    # A connection that leads nowhere any more is quiet as well.
                    connection.execute("SELECT 1")
                    quiet_since = time.monotonic()
                yield found

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
            row = txn.row("SELECT current_setting('fsync'), current_setting('full_page_writes')")
        if row != ("on", "on"):
            wrong.append(
                "PostgreSQL: fsync or full_page_writes is off; a power cut would damage the database."
            )
        return wrong

    def close(self) -> None:
        self._closed = True
        self._forget_idle()
        self._pool.close(timeout=1.0)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """PostgreSQL's errors as ours: what can be done about them, and when to come back."""
        try:
            yield
        except psycopg.Error as error:
            raise _translate(error, self._url) from error


class _Context:
    """How Python's values travel: a whole number is a BIGINT, a text is a TEXT, whatever it holds.

    psycopg would choose the type by the number's size, and prepare a statement for each.
    """

    connection = None

    def __init__(self) -> None:
        self.adapters = AdaptersMap(psycopg.adapters)
        self.adapters.register_dumper(int, Int8Dumper)
        self.adapters.register_dumper(str, StrDumper)
        # SUM of BIGINT is NUMERIC; all of ours are whole.
        self.adapters.register_loader("numeric", _WholeLoader)
        self.adapters.register_loader("numeric", _WholeBinaryLoader)


def _configure(connection: Connection[Row]) -> None:
    connection.prepare_threshold = 2
    connection.prepared_max = 300
    connection.execute(
        f"SET statement_timeout = '{STATEMENT_SECONDS}s';"
        f" SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s';"
        " SET TIME ZONE 'UTC'; SET client_encoding = 'UTF8'",
        prepare=False,
    )


class _WholeLoader(psycopg.adapt.Loader):
    def load(self, data: Any) -> int:
        return int(bytes(data))


class _WholeBinaryLoader(NumericBinaryLoader):
    def load(self, data: Any) -> int:  # type: ignore[override]
        return int(super().load(data))


def _conninfo(url: str) -> str:
    """What libpq is told, with our defaults where the URL says nothing.

    Raises:
        ConfigurationError: libpq does not understand it.
    """
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error as error:
        raise ConfigurationError(f"{shown(url)!r} is no URL of a database: {_said(error, url)}.") from error
    # The password may stand there, but `make_conninfo` is called by nobody who prints it.
    return make_conninfo("", **(_DEFAULTS | {name: str(value) for name, value in given.items()}))


def _notifications(changes: Mapping[CollectionId, Modseq]) -> Iterator[bytes]:
    """The statements that tell `changes`; a payload holds 8,000 bytes."""
    told = [f"{collection}:{modseq}" for collection, modseq in changes.items()]
    for begin in range(0, len(told), _TOLD_AT_ONCE):
        yield f"NOTIFY {CHANNEL}, '{' '.join(told[begin : begin + _TOLD_AT_ONCE])}'".encode()


def _told(payload: str) -> dict[CollectionId, Modseq]:
    pairs = (each.split(":") for each in payload.split())
    return {CollectionId(int(collection)): Modseq(int(modseq)) for collection, modseq in pairs}


@functools.lru_cache(maxsize=2000)
def _numbered(text: str) -> bytes:
    """``$1, $2, ...`` for the question marks of a statement; there are none in our literals."""
    numbers = itertools.count(1)
    return re.sub(r"\?", lambda _: f"${next(numbers)}", text).encode()


def _has_ended(connection: Connection[Row]) -> bool:
    """Whether the transaction that the connection was in before is over, as it should be by now."""
    try:
        while (result := connection.pgconn.get_result()) is not None:
            if result.status != ExecStatus.COMMAND_OK:
                return False
    except psycopg.Error:
        return False
    return connection.pgconn.transaction_status == TransactionStatus.IDLE


def _run(connection: Connection[Row], statement: bytes) -> None:
    """Run a statement that has neither parameters nor rows, in one exchange and nothing around it."""
    result = connection.pgconn.exec_(statement)
    if result.status == ExecStatus.COMMAND_OK:
        return
    if result.error_field(DiagnosticField.SQLSTATE) is None:
        # It is libpq that says so: the connection is gone.
        raise psycopg.OperationalError(result.get_error_message())
    raise errors.error_from_result(result, encoding="utf-8")


def _said(error: psycopg.Error, url: str = "") -> str:
    """The first line of what PostgreSQL or libpq said, without anything secret."""
    text = (error.diag.message_primary or str(error)).strip().partition("\n")[0].rstrip(".")
    for secret in secrets_of(url):
        text = text.replace(secret, "***")
    return text


def _translate(error: psycopg.Error, url: str, *, connecting: bool = False) -> Exception:
    """What one of psycopg's errors means to us; the error itself where it is a mistake of ours."""
    code = error.sqlstate or ""
    said = _said(error, url)
    place = shown(url)
    if code.startswith("40") or code in _TWICE or code == "55P03":
        return Undone(f"The database {place} was busy with the same rows; try again in a moment.")
    if code == _DISK_FULL:
        return InsufficientStorage(f"The disk of the database {place} is full.")
    if code == _CANCELLED:
        return Unavailable(f"The database {place} took more than {STATEMENT_SECONDS} seconds.")
    if code == _TOO_LARGE:
        return Refused("A UID or a name is longer than the database can index.")
    if code.startswith("22"):
        return InvalidRequest(f"The database does not take a text of this request: {said}.")
    if code == "28P01" or (connecting and code.startswith(("28", "3D"))):
        return Unavailable(f"The database {place} does not let us in: {said}.")
    if code.startswith(("08", "57P")) or (isinstance(error, psycopg.OperationalError) and not code):
        kind = Unavailable if connecting else Undone
        return kind(f"The database {place} cannot be reached: {said}.")
    if code.startswith(("25", "42501", "53", "55", "58", "XX", "3D", "28", "0A")):
        return Unavailable(f"The database {place} cannot be used: {said}.")
    if isinstance(error, psycopg.DataError) and not code:
        return InvalidRequest(f"The database does not take a text of this request: {said}.")
    return error
