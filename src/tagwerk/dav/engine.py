"""The DAV engine: a request value in, a response value out."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, suppress

from tagwerk.dav import failures, if_header, login_rights, paths
from tagwerk.dav.features import FEATURES
from tagwerk.dav.message import Request, Response
from tagwerk.dav.registry import Method, Registry
from tagwerk.dav.resources import Context, where_is
from tagwerk.errors import (
    BadGateway,
    InvalidPath,
    MethodNotAllowed,
    TagwerkError,
    Unauthenticated,
)
from tagwerk.model import Principal, PrincipalId, Rights
from tagwerk.settings import Settings
from tagwerk.sharing.shares import By, is_settled, settle
from tagwerk.store import Engine
from tagwerk.store.collections import NOTIFICATIONS, expect_binding, lock_places
from tagwerk.store.engine import Transaction, again, run
from tagwerk.store.principals import expect_principal, principal_by_name

NOBODY = Principal(PrincipalId(0), "", "person", "", (), "active", 0)
"""Who asks without having logged in; owns and sees nothing."""


class DavEngine:
    """Answers requests on one database.  Thread-safe; holds no state of its own."""

    def __init__(self, store: Engine, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        self.registry = Registry(FEATURES)
        self._store, self._settings, self._clock = store, settings, clock

    def handle(self, request: Request) -> Response:
        """Answer a request; every `TagwerkError` becomes the answer that its kind asks for.

        The caller closes the response's body if it is an iterator that it does not
        read to its end: the body holds the snapshot from which it is read.
        """
        try:
            # Where the database undid it for another request's sake, all of it is done again.
            return again(lambda: self._handle(request))
        except TagwerkError as error:
            return failures.response(error, auth=self._settings.auth)

    def _handle(self, request: Request) -> Response:
        paths.split(request.path)
        method = self.registry.methods.get(request.method)
        if method is None:
            with self._store.read() as txn:
                allow = self.registry.allowed(where_is(self._context(txn, request)))
            raise MethodNotAllowed(f"This server has no method {request.method[:40]}.", allow=allow)
        if not request.user and request.method != "OPTIONS":
            raise Unauthenticated("Log in with the name and password of a user of this server.")
        if request.rights is not Rights.ALL:
            with self._store.read() as txn:
                login_rights.check(txn, request, method)
        self._settle(request)
        prepared: object = None
        if method.prepare is not None:
            # What it finds is only where to look; the transaction that writes looks again.
            with self._store.glance() as txn:
                prepared = method.prepare(self._context(txn, request))
        if method.writes:
            with self._store.write() as txn:
                holds = lock_places(txn, _named(request))
                context = self._context(txn, request)
                context.holds, context.prepared = holds, prepared
                if_header.check(context)
                return method.handler(context)
        return self._read(method, request)

    def _settle(self, request: Request) -> None:
        """Before a home is looked at, what was shared with a group or everybody gets its place in it."""
        segments = paths.split(request.path)
        if not request.user or (len(segments) > 1 and segments[1] != NOTIFICATIONS):
            return
        with self._store.read() as txn:
            user = principal_by_name(txn, request.user)
            if user is None or user.kind != "person" or is_settled(txn, user.id):
                return
        by = By(user.name, int(self._clock()), self._settings.sharing.accept)
        run(self._store, lambda txn: settle(txn, user, by=by))

    def _read(self, method: Method, request: Request) -> Response:
        with ExitStack() as stack:
            context = self._context(stack.enter_context(self._store.read()), request)
            if_header.check(context)
            response = method.handler(context)
            if not isinstance(response.body, bytes):
                # The first part is made now, so that an error in it is still an answer.
                response.body = held(response.body, stack.pop_all())
        return response

    def _context(self, txn: Transaction, request: Request) -> Context:
        user: Principal | None = NOBODY
        if request.user:
            # Nearly every request asks both.
            expect_principal(txn, request.user)
            place = paths.split(request.path)[:2]
            if len(place) == 2:
                expect_binding(txn, place[0], place[1])
            user = principal_by_name(txn, request.user)
        if user is None or user.state != "active" or user.kind != "person":
            # Somebody else may say who logs in, and a directory has people called like our groups and rooms.
            raise Unauthenticated("This user is not known to this server.")
        return Context(txn, request, user, self._settings, self.registry, int(self._clock()))


def held(parts: Iterator[bytes], stack: ExitStack) -> Iterator[bytes]:
    """A body that is made while it is sent, and closes `stack` at its end, or when it is closed."""
    return _Body(_closing(parts, stack))


def _named(request: Request) -> list[tuple[str, ...]]:
    """The places of the collections that a request can change: a principal and a name each."""
    named = [paths.split(request.path)]
    with suppress(BadGateway, InvalidPath):
        named.append(paths.of_href(request.header("destination"), request))
    return [segments[:2] for segments in named if len(segments) > 1]


class _Body:
    """The rest of an answer whose first part is made already."""

    def __init__(self, parts: Generator[bytes, None, None]) -> None:
        self._first: bytes | None = next(parts, b"")
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return next(self._parts)

    def close(self) -> None:
        """Give up the snapshot."""
        self._parts.close()


def _closing(body: Iterator[bytes], stack: ExitStack) -> Generator[bytes, None, None]:
    with stack:
        yield from body
