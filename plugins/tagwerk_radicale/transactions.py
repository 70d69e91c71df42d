"""Radicale's lock as transactions: one per lock, and what fails inside is undone.

Radicale's handlers answer 400 or 409 inside the lock, after which a commit would keep
half of a failed request.  So every change is a savepoint, and one that failed poisons
the transaction: at the end of the lock all of it is rolled back.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from radicale.pathutils import CollidingPathError

from tagwerk.errors import (
    Conflict,
    InsufficientStorage,
    PreconditionFailed,
    Refused,
    TagwerkError,
    Unavailable,
)
from tagwerk.store.collections import lock_places
from tagwerk.store.engine import Engine, Transaction

Answer = TypeVar("Answer")


class Database:
    """An engine, and the transaction in which the current thread holds Radicale's lock."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._held = threading.local()

    @contextmanager
    def lock(
        self,
        mode: str,
        *,
        user: str = "",
        request: str = "",
        tolerant: bool = False,
        places: Iterable[tuple[str, ...]] = (),
    ) -> Iterator[None]:
        """Hold a snapshot ("r") or the only writer ("w") for this thread, for the request of a user.

        The transaction begins with the first access and ends with the block, by
        committing if a "w" block neither raised nor held a change that failed.  With
        `tolerant`, changes that failed are undone alone.  `places` are the collections that
        the request can change; nobody else changes them meanwhile.

        A lock inside of a lock is the same transaction, unless it writes and the outer
        one reads.
        """
        if mode not in ("r", "w"):
            raise ValueError(f"A lock is 'r' or 'w', not {mode!r}.")
        outer = self._session
        if outer is not None and (outer.mode == "w" or mode == "r"):
            yield
            return
        try:
            with ExitStack() as stack:
                self._held.session = session = _Session(
                    self.engine, mode, stack, tolerant, user, request, tuple(places)
                )
                yield
                if session.poisoned:
                    raise _Undo
        except _Undo:
            pass
        finally:
            self._held.session = outer
            self._held.asked = False

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """The transaction of this thread's lock, or a short one of its own."""
        session = self._session
        if session is not None:
            yield session.transaction()
            return
        with self.engine.read() as txn:
            yield txn

    def remembered(self, key: object, ask: Callable[[Transaction], Answer]) -> Answer:
        """The answer to a question about rights, asked once a lock: Radicale asks for every object."""
        session = self._session
        if session is None:
            with self.engine.read() as txn:
                return ask(txn)
        if key not in session.answers:
            session.answers[key] = ask(session.transaction())
        found: Answer = session.answers[key]
        return found

    @property
    def user(self) -> str:
        """For whom this thread holds the lock; "" for nobody."""
        session = self._session
        return "" if session is None else session.user

    @property
    def request(self) -> str:
        """The method of the request for which this thread holds the lock, where Radicale says it."""
        session = self._session
        return "" if session is None else session.request

    @property
    def shows(self) -> bool:
        """Whether this thread holds a lock for reading."""
        session = self._session
        return session is not None and session.mode == "r"

    def asks_anew(self) -> bool:
        """Whether nobody asked this in this thread since its last lock ended.

        Radicale holds one at the beginning of every request.
        """
        asked = getattr(self._held, "asked", False)
        self._held.asked = True
        return not asked

    @contextmanager
    def change(self) -> Iterator[Transaction]:
        """One primitive: all of it, or nothing.

        Raises:
            ValueError: in place of every error that is the request's fault, which is
                what Radicale's handlers expect and answer; a full disk, and what is not
                allowed, in the words in which they recognize them.
        """
        session = self._session
        if session is None or session.mode != "w":
            raise RuntimeError("Something was written without the lock for writing.")
        try:
            txn = session.transaction()
            with txn.savepoint():
                yield txn
        except Unavailable:
            session.poisoned = True
            raise
        except InsufficientStorage as error:
            session.poisoned = True
            raise ValueError(f"[Errno {errno.ENOSPC}] {error}") from error
        except TagwerkError as error:
            session.poisoned |= not session.tolerant
            if isinstance(error, Refused | PreconditionFailed):
                raise ValueError(f"[Errno {errno.EACCES}] {error}") from error
            if isinstance(error, Conflict):
                raise CollidingPathError(str(error)) from error
            raise ValueError(str(error)) from error
        except BaseException:
            session.poisoned |= not session.tolerant
            raise

    @property
    def _session(self) -> _Session | None:
        return getattr(self._held, "session", None)


class _Undo(Exception):
    """Ends a transaction that must not be committed."""


class _Session:
    """One thread's lock."""

    def __init__(
        self,
        engine: Engine,
        mode: str,
        stack: ExitStack,
        tolerant: bool,
        user: str,
        request: str,
        places: tuple[tuple[str, ...], ...],
    ) -> None:
        self.mode = mode
        self.user = user
        self.request = request
        self.answers: dict[object, Any] = {}
        self.tolerant = tolerant
        self.poisoned = False
        self._engine = engine
        self._places = places
        self._stack = stack
        self._transaction: Transaction | None = None

    def transaction(self) -> Transaction:
        if self._transaction is None:
            opened = self._engine.write() if self.mode == "w" else self._engine.read()
            self._transaction = self._stack.enter_context(opened)
            if self.mode == "w":
                lock_places(self._transaction, self._places)
        return self._transaction
