"""The ASGI application: what happens to a request before and after the DAV engine.

The frame (`tagwerk_radicale.application`) logs in and hands on to `tagwerk.dav`; it is
called in worker threads.  What a slow client has not taken of a big answer waits for it
elsewhere (`http.backlog`): it holds no thread and no connection of the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import RedirectResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tagwerk.dav import failures
from tagwerk.dav.message import Response
from tagwerk.errors import TagwerkError
from tagwerk.http import timezones
from tagwerk.http.backlog import PIECE, Backlog, close_body, gathered
from tagwerk.http.bodies import Body, read_body
from tagwerk.http.compression import compressed, wants_gzip
from tagwerk.http.observer import (
    INVALID_TOKEN,
    QUERIES,
    REPORT,
    SYNCED,
    report_in,
)
from tagwerk.settings import Settings
from tagwerk.sharing.links import PATH
from tagwerk.store import Engine
from tagwerk.store.observed import ObservedEngine

log = logging.getLogger(__name__)

_STALLED_SECONDS = 120
"""How long a client may take for one piece of an answer, which fills the disk meanwhile."""

_RESPONSE = b"<D:response>"

THREADS = 16
"""Requests that are worked on at the same time; SQLite and the GIL gain nothing from more.

There are more connections to the database (`store.postgresql.CONNECTIONS`), so who is
worked on has one.
"""


class Handler(Protocol):
    """What answers requests."""

    def handle(self, scope: Scope, body: bytes, path: str) -> Response:
        """Answer one request; called in a worker thread."""

    def close(self) -> None:
        """The server ends: write what is still to be noted."""


FrameFactory = Callable[[Settings, Engine], Handler]

Answer = tuple[Response, Backlog | None]
"""A long one has its body, or what is made of it, in a backlog."""


def create(
    settings: Settings, frame: Handler, public: Handler, observed: ObservedEngine | None = None
) -> ASGIApp:
    """The application around `frame`, and `public` for who need not log in; it lives as long as the server.

    With `observed`, the engine that both work with, queries are timed for each request.
    """

    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="dav")

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        # Everybody has been answered; what still runs is what nobody waits for.
        await asyncio.get_running_loop().run_in_executor(None, threads.shutdown)
        frame.close()
        public.close()

    base = settings.server.base_path
    dav = DavApp(settings, frame, threads, observed)
    links = DavApp(settings, public, threads, observed)
    below_public = tuple(dict.fromkeys((f"/{PATH}/", f"{base}/{PATH}/")))

    async def well_known(_request: HttpRequest) -> HttpResponse:
        """RFC 6764 5: with and without credentials, for every method."""
        return RedirectResponse(f"{base}/", status_code=301)

    methods = ["GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT", "POST", "PUT"]
    routes = [
        Route(f"{prefix}/.well-known/{service}{slash}", well_known, methods=methods)
        for prefix in dict.fromkeys(("", base))
        for service in ("caldav", "carddav")
        for slash in ("", "/")
    ]
    others = Starlette(routes=[*routes, *timezones.routes(base)], lifespan=lifespan)
    others.router.redirect_slashes = False
    others.router.default = dav

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        # Nearly every request is for DAV, and to look for a route costs as much as to answer some of them.
        path = scope.get("path", "")
        if scope["type"] == "http" and path.startswith(below_public):
            await links(scope, receive, send)
        elif scope["type"] == "http" and "/.well-known/" not in path and "/-/" not in path:
            await dav(scope, receive, send)
        else:
            await others(scope, receive, send)

    return application


class DavApp:
    """ASGI in, a `Handler` behind it."""

    def __init__(
        self, settings: Settings, frame: Handler, threads: Executor, observed: ObservedEngine | None = None
    ) -> None:
        self._settings, self._frame, self._threads = settings, frame, threads
        self._observed = observed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        backlog: Backlog | None = None
        try:
            path = _path_below(scope, self._settings.server.base_path)
            async with read_body(scope, receive, limit=self._settings.server.max_body_size) as body:
                response, backlog = await self._begun(scope, body, path)
        except TagwerkError as error:
            response = failures.response(error, auth=self._settings.auth)
        await self._send(response, backlog, scope, receive, send)

    async def _begun(self, scope: Scope, body: Body, path: str) -> Answer:
        """The answer; of a long one the beginning, and its thread goes on with the rest."""
        loop = asyncio.get_running_loop()
        begun: asyncio.Future[Answer] = loop.create_future()
        # In the context of this task, so that the log knows the request.
        answer = partial(copy_context().run, self._answer, scope, body, path, begun)
        working = loop.run_in_executor(self._threads, answer)
        working.add_done_callback(partial(_pass_on, begun))
        try:
            return await begun
        except asyncio.CancelledError:
            working.cancel()
            raise

    def _answer(self, scope: Scope, body: Body, path: str, begun: asyncio.Future[Answer]) -> Answer:
        """The whole answer; `begun` has a long one when its beginning is made."""
        with self._observed.collecting() if self._observed else contextlib.nullcontext() as scope[QUERIES]:
            response = self._watched(scope, body.read(), path)
            if isinstance(response.body, bytes):
                return response, None
            parts = response.body
            response.body = gathered(parts)
            if len(response.body) < PIECE:
                return response, None
            loop = begun.get_loop()
            backlog = Backlog(loop, response.body, parts)
            loop.call_soon_threadsafe(_begin, begun, response, backlog)
            backlog.fill()
            return response, backlog

    def _watched(self, scope: Scope, body: bytes, path: str) -> Response:
        report = scope["method"] == "REPORT"
        if report:
            scope[REPORT] = report_in(body)
        response = self._frame.handle(scope, body, path)
        synced = report and scope[REPORT] == "sync-collection"
        if synced and response.status == 207 and not isinstance(response.body, bytes):
            response.body = _Counted(response.body, scope)
        if synced and isinstance(response.body, bytes):
            if response.status == 207:
                scope[SYNCED] = response.body.count(_RESPONSE)
            elif response.status == 403 and b"valid-sync-token" in response.body:
                scope[INVALID_TOKEN] = True
        return response

    async def _send(
        self, response: Response, backlog: Backlog | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        headers = {name.lower(): value for name, value in response.headers.items()}
        headers.setdefault("cache-control", "no-cache, private")
        headers["x-content-type-options"] = "nosniff"
        compressible = response.status not in (204, 304) and "etag" not in headers
        if compressible and headers.get("content-type"):
            headers["vary"] = "Accept-Encoding"
        gzip = compressible and wants_gzip(scope)
        if backlog is None:
            assert isinstance(response.body, bytes)
            body = response.body
            if gzip and len(body) > 1024:
                body = b"".join([part async for part in compressed(_one(body))])
                headers["content-encoding"] = "gzip"
            if response.status not in (204, 304):
                headers.setdefault("content-length", str(len(body)))
            await send(_start(response.status, headers))
            await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
            return
        if gzip:
            headers["content-encoding"] = "gzip"
        async with contextlib.aclosing(backlog):
            await send(_start(response.status, headers))
            if scope["method"] == "HEAD":
                # How long it would be is not known, so nothing is said of it (RFC 9110 8.6).
                await send({"type": "http.response.body", "body": b""})
                return
            pieces = backlog.pieces()
            await _stream(compressed(pieces) if gzip else pieces, receive, send)


def _begin(begun: asyncio.Future[Answer], response: Response, backlog: Backlog) -> None:
    if begun.cancelled():
        backlog.give_up()
    else:
        begun.set_result((response, backlog))


def _pass_on(begun: asyncio.Future[Answer], working: asyncio.Future[Answer]) -> None:
    if begun.done() or working.cancelled():
        return
    if error := working.exception():
        begun.set_exception(error)
    else:
        begun.set_result(working.result())


def _path_below(scope: Scope, base: str) -> str:
    """The percent-encoded path without the prefix under which the server is mounted."""
    raw = scope.get("raw_path")
    path = raw.decode("latin-1").partition("?")[0] if raw else scope["path"]
    if base and (path == base or path.startswith(base + "/")):
        path = path[len(base) :]
    return path or "/"


class _Counted:
    """Counts the resources that a streamed answer names, while it is made."""

    def __init__(self, parts: Iterator[bytes], scope: Scope) -> None:
        self._parts, self._scope = parts, scope
        scope[SYNCED] = 0

    def __iter__(self) -> _Counted:
        return self

    def __next__(self) -> bytes:
        part = next(self._parts)
        self._scope[SYNCED] += part.count(_RESPONSE)
        return part

    def close(self) -> None:
        close_body(self._parts)


async def _stream(parts: AsyncIterator[bytes], receive: Receive, send: Send) -> None:
    """Send what is made, as long as somebody takes it.

    The server's `send` says nothing when the client has gone; only `receive` does.  An
    answer that ends early is cut off, so that nobody takes it for a whole one.
    """
    gone = asyncio.ensure_future(receive())
    try:
        async for part in parts:
            if gone.done():
                return
            message = {"type": "http.response.body", "body": part, "more_body": True}
            await asyncio.wait_for(send(message), _STALLED_SECONDS)
        await send({"type": "http.response.body", "body": b""})
    except TimeoutError:
        log.warning("A client took nothing for %d seconds; its answer was cut off.", _STALLED_SECONDS)
    finally:
        gone.cancel()


async def _one(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _start(status: int, headers: dict[str, str]) -> dict[str, Any]:
    encoded = [
        (name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()
    ]
    return {"type": "http.response.start", "status": status, "headers": encoded}
