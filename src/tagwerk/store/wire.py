"""One connection to PostgreSQL: statements that are sent together and waited for once.

libpq's pipeline mode (PostgreSQL's manual, 34.5) on psycopg's connection.  What a transaction
does not need to know at once waits here, and goes out with the next statement whose answer
it needs.  The server does them in their order; after one that fails it does none of those
behind it, COMMIT included, and the error is that one's.
"""

from __future__ import annotations

import itertools
import re
import select
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import psycopg
from psycopg import Connection, errors
from psycopg.adapt import Transformer
from psycopg.pq import DiagnosticField, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

from tagwerk.store.engine import Params, Row

MOST_PREPARED = 300
"""A connection that has prepared so many statements is used up."""

_PREPARED_FROM = 3
"""How often a statement is asked before it is prepared."""

_BIGINT, _TEXT, _BYTEA, _BOOLEAN, _UNKNOWN = 20, 25, 17, 16, 0
_BINARY = 1
_number = struct.Struct("!q").pack


@dataclass(frozen=True, slots=True)
class _Statement:
    """One that is to be sent, its parameters as they travel.

    `prepare` is whether it may come again; the answer to one that is `kept` is asked for later.
    """

    sql: str
    params: tuple[object, ...]
    types: tuple[int, ...]
    values: list[bytes | None]
    prepare: bool
    kept: bool = False

    @property
    def prepared(self) -> _Prepared:
        return self.sql, self.types


_Prepared = tuple[str, tuple[int, ...]]
"""What the server keeps: a statement for parameters of these types."""


def _statement(sql: str, params: Params, *, prepare: bool = True, kept: bool = False) -> _Statement:
    """Raises psycopg.DataError for a parameter that no column holds, before anything is sent."""
    types, values = _dumped(params)
    return _Statement(sql, tuple(params), types, values, prepare, kept)


class Wire:
    """One connection and what is on its way there.  Used by one thread at a time."""

    def __init__(self, connection: Connection[Row]) -> None:
        self._pgconn = connection.pgconn
        self._transformer = Transformer.from_context(connection)
        self._asked: dict[_Prepared, int] = {}
        self._prepared: dict[_Prepared, bytes] = {}
        self._numbers = itertools.count(1)
        self._waiting: list[_Statement] = []
        self._answers: dict[tuple[str, tuple[object, ...]], list[Row]] = {}
        self._poll = select.poll()
        self._pgconn.enter_pipeline_mode()

    @property
    def status(self) -> TransactionStatus:
        return TransactionStatus(self._pgconn.transaction_status)

    @property
    def is_worn(self) -> bool:
        """Whether it is time for another connection."""
        return len(self._prepared) >= MOST_PREPARED

    def later(self, sql: str, params: Params = (), *, prepare: bool = True) -> None:
        """Send a statement with the next one; what is kept of answers is forgotten, as it may change them."""
        self._forget_answers()
        self._waiting.append(_statement(sql, params, prepare=prepare))

    def ahead(self, sql: str, params: Params = ()) -> None:
        """Send a question with the next statement, and keep the answer until `rows` asks the same."""
        self._waiting.append(_statement(sql, params, kept=True))

    def execute(self, sql: str, params: Params = (), *, prepare: bool = True) -> int:
        """Run a statement and return how many rows it changed."""
        self._forget_answers()
        return self._exchange(_statement(sql, params, prepare=prepare)).command_tuples or 0

    def rows(self, sql: str, params: Params = (), *, prepare: bool = True) -> list[Row]:
        """The rows of an answer."""
        key = (sql, tuple(params))
        found = self._answers.pop(key, None)
        if found is not None:
            return found
        if any(each.kept and (each.sql, each.params) == key for each in self._waiting):
            self._exchange()
            return self._answers.pop(key)
        return self._loaded(self._exchange(_statement(sql, params, prepare=prepare)))

    def commit(self, notifications: Sequence[str]) -> bool:
        """End the transaction; whether it is committed, and not undone for an error that somebody swallowed."""
        for each in notifications:
            self.later(each, prepare=False)
        return self._exchange(_statement("COMMIT", ())).command_status == b"COMMIT"

    def leave(self) -> None:
        """Send what undoes the transaction, and wait for nothing; then `has_left` tells the end of it."""
        self.drop()
        if self.status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
            self._pgconn.send_query_params(b"ROLLBACK", [])
            self._pgconn.pipeline_sync()
            self._pgconn.flush()

    def has_left(self) -> bool:
        """Whether no transaction is open any more, and the connection still leads to the server."""
        try:
            while self.status is TransactionStatus.ACTIVE:
                result = self._result()
                if result is not None and result.status == ExecStatus.FATAL_ERROR:
                    return False
            self._poll.register(self._pgconn.socket, select.POLLIN)
        except psycopg.Error:
            return False
        # A server that says something unasked says farewell.
        return self.status is TransactionStatus.IDLE and not self._poll.poll(0)

    def drop(self) -> None:
        """Send nothing of what waits, and forget the answers that are kept."""
        self._waiting.clear()
        self._answers.clear()

    def _forget_answers(self) -> None:
        self._answers.clear()
        # What they ask they ask all the same: it may be for a lock.
        self._waiting = [replace(each, kept=False) if each.kept else each for each in self._waiting]

    def _exchange(self, last: _Statement | None = None) -> PGresult:
        """Send what waits, and `last` behind it; the result of the one that came last."""
        statements = [*self._waiting, last] if last else self._waiting
        self._waiting = []
        sent: list[_Statement | _Prepared] = []
        for each in statements:
            name = self._prepared.get(each.prepared) if each.prepare else None
            if name is None and each.prepare and self._is_frequent(each.prepared):
                name = self._prepared[each.prepared] = b"t%d" % next(self._numbers)
                self._pgconn.send_prepare(name, numbered(each.sql), each.types)
                sent.append(each.prepared)
            formats = [_BINARY] * len(each.values)
            if name is None:
                self._pgconn.send_query_params(numbered(each.sql), each.values, each.types, formats, _BINARY)
            else:
                self._pgconn.send_query_prepared(name, each.values, formats, _BINARY)
            sent.append(each)
        self._pgconn.pipeline_sync()
        return self._received(sent)

    def _received(self, sent: Sequence[_Statement | _Prepared]) -> PGresult:
        """The result of what was sent last; the error of the first that failed, once all is read."""
        failed: PGresult | None = None
        last: PGresult | None = None
        for each in sent:
            last = self._result()
            if last is None:
                raise psycopg.OperationalError("the connection was lost")
            if last.status in (ExecStatus.FATAL_ERROR, ExecStatus.PIPELINE_ABORTED):
                failed = failed or last
                if not isinstance(each, _Statement):
                    self._prepared.pop(each, None)
                if last.error_field(DiagnosticField.SQLSTATE) is None and last is failed:
                    # It is libpq that says so: the connection is gone.
                    raise psycopg.OperationalError(last.get_error_message())
            elif isinstance(each, _Statement) and each.kept:
                self._answers[(each.sql, each.params)] = self._loaded(last)
            if self._result() is not None:
                raise psycopg.InternalError("a statement had two answers")
        sync = self._result()
        if failed is not None:
            raise errors.error_from_result(failed, encoding="utf-8")
        if sync is None or last is None:
            raise psycopg.OperationalError("the connection was lost")
        return last

    def _result(self) -> PGresult | None:
        """The next result.  Only the wait for it lets other threads work, so nothing else may wait."""
        pgconn = self._pgconn
        unsent = pgconn.flush()
        while unsent or pgconn.is_busy():
            self._poll.register(pgconn.socket, select.POLLIN | (select.POLLOUT if unsent else 0))
            self._poll.poll()
            pgconn.consume_input()
            unsent = pgconn.flush()
        return pgconn.get_result()

    def _loaded(self, result: PGresult) -> list[Row]:
        self._transformer.set_pgresult(result)
        return self._transformer.load_rows(0, result.ntuples, tuple)

    def _is_frequent(self, wanted: _Prepared) -> bool:
        times = self._asked[wanted] = self._asked.get(wanted, 0) + 1
        if len(self._asked) > 10 * MOST_PREPARED:
            self._asked.clear()
        return times >= _PREPARED_FROM


def _dumped(params: Params) -> tuple[tuple[int, ...], list[bytes | None]]:
    """Types and values as the server takes them: a whole number is a BIGINT, a text is a TEXT, whatever it holds."""
    types: list[int] = []
    values: list[bytes | None] = []
    for value in params:
        if isinstance(value, str):
            if "\0" in value:
                raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
            types.append(_TEXT)
            values.append(value.encode())
        elif isinstance(value, bool):
            types.append(_BOOLEAN)
            values.append(b"\1" if value else b"\0")
        elif isinstance(value, int):
            types.append(_BIGINT)
            values.append(_number(value))
        elif value is None:
            types.append(_UNKNOWN)
            values.append(None)
        elif isinstance(value, bytes):
            types.append(_BYTEA)
            values.append(value)
        else:
            raise TypeError(f"No column holds a {type(value).__name__}.")
    return tuple(types), values


@lru_cache(maxsize=2000)
def numbered(text: str) -> bytes:
    """``$1, $2, ...`` for the question marks of a statement; there are none in our literals."""
    numbers = itertools.count(1)
    return re.sub(r"\?", lambda _: f"${next(numbers)}", text).encode()
