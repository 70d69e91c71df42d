"""An engine that is watched: how long it was waited for, and which queries took how long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import islice

from tagwerk.model import CollectionId, Modseq
from tagwerk.store.engine import Engine, Params, Row, Transaction

_BATCH = 64
"""Rows that are fetched between two looks at the clock."""

Waited = Callable[[str, float], None]
"""``read`` or ``write``, and the seconds until the transaction began."""


@dataclass(slots=True)
class Queries:
    """What one request asked: statements without their values, and seconds."""

    number: int = 0
    seconds: float = 0.0
    by_statement: dict[str, float] = field(default_factory=dict)

    def add(self, sql: str, seconds: float) -> None:
        self.number += 1
        self.seconds += seconds
        self.by_statement[sql] = self.by_statement.get(sql, 0.0) + seconds

    def slowest(self, number: int = 3) -> list[tuple[str, float]]:
        """The statements that took longest together, with their seconds."""
        return sorted(self.by_statement.items(), key=lambda each: -each[1])[:number]


class ObservedEngine:
    """Hands everything on to another engine."""

    def __init__(self, engine: Engine, waited: Waited) -> None:
        self._engine, self._waited = engine, waited
        self._here = threading.local()
        self.name = engine.name

    @contextmanager
    def collecting(self) -> Iterator[Queries]:
        """Collect what this thread asks until the end of the block."""
        queries = self._here.queries = Queries()
        try:
            yield queries
        finally:
            self._here.queries = None

    def opened(self) -> None:
        self._engine.opened()

    def read(self) -> AbstractContextManager[Transaction]:
        return self._begin("read", self._engine.read())

    def glance(self) -> AbstractContextManager[Transaction]:
        return self._begin("read", self._engine.glance())

    def write(self) -> AbstractContextManager[Transaction]:
        return self._begin("write", self._engine.write())

    @contextmanager
    def _begin(self, mode: str, transaction: AbstractContextManager[Transaction]) -> Iterator[Transaction]:
        begin = time.perf_counter()
        with transaction as txn:
            self._waited(mode, time.perf_counter() - begin)
            queries: Queries | None = getattr(self._here, "queries", None)
            yield txn if queries is None else _ObservedTransaction(txn, queries)

    def check(self) -> list[str]:
        return self._engine.check()

    def news(self, stopped: threading.Event) -> Iterator[Mapping[CollectionId, Modseq] | None]:
        return self._engine.news(stopped)

    def compact(self) -> int:
        return self._engine.compact()

    def erased(self) -> bool:
        return self._engine.erased()

    def close(self) -> None:
        self._engine.close()


class _ObservedTransaction:
    def __init__(self, txn: Transaction, queries: Queries) -> None:
        self._txn, self._queries = txn, queries
        self.for_update, self.skip_locked = txn.for_update, txn.skip_locked

    def execute(self, sql: str, params: Params = ()) -> int:
        begin = time.perf_counter()
        try:
            return self._txn.execute(sql, params)
        finally:
            self._queries.add(sql, time.perf_counter() - begin)

    def later(self, sql: str, params: Params = ()) -> None:
        begin = time.perf_counter()
        try:
            self._txn.later(sql, params)
        finally:
            self._queries.add(sql, time.perf_counter() - begin)

    def ahead(self, sql: str, params: Params = ()) -> None:
        self._txn.ahead(sql, params)

    def many(self, sql: str, rows: Sequence[Params]) -> None:
        begin = time.perf_counter()
        try:
            self._txn.many(sql, rows)
        finally:
            self._queries.add(sql, time.perf_counter() - begin)

    def row(self, sql: str, params: Params = ()) -> Row | None:
        begin = time.perf_counter()
        try:
            return self._txn.row(sql, params)
        finally:
            self._queries.add(sql, time.perf_counter() - begin)

    def rows(self, sql: str, params: Params = ()) -> Iterator[Row]:
        return self._asked(self._txn.rows, sql, params)

    def stream(self, sql: str, params: Params = ()) -> Iterator[Row]:
        return self._asked(self._txn.stream, sql, params)

    def _asked(self, ask: Callable[[str, Params], Iterator[Row]], sql: str, params: Params) -> Iterator[Row]:
        begin = time.perf_counter()
        try:
            rows = iter(ask(sql, params))
        except BaseException:
            self._queries.add(sql, time.perf_counter() - begin)
            raise
        return self._fetched(sql, rows, time.perf_counter() - begin)

    def _fetched(self, sql: str, rows: Iterator[Row], spent: float) -> Iterator[Row]:
        try:
            while True:
                begin = time.perf_counter()
                try:
                    batch = list(islice(rows, _BATCH))
                finally:
                    spent += time.perf_counter() - begin
                if not batch:
                    return
                yield from batch
        finally:
            self._queries.add(sql, spent)

    def changed(self, collection: CollectionId, modseq: Modseq) -> None:
        self._txn.changed(collection, modseq)

    def savepoint(self) -> AbstractContextManager[None]:
        return self._txn.savepoint()
