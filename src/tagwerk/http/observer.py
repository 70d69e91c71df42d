"""What happens to every request besides its answer: an id, a line in the log, numbers; and who may see them.

A line never holds the name of an object, a query string, a password or anything of a
body.  Paths are shown up to the collection, and public links, which open it, not at all.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import logging
import re
import secrets
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from anyio import to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tagwerk.errors import TagwerkError
from tagwerk.http.current import current_request
from tagwerk.http.metrics import CONTENT_TYPE, Metrics
from tagwerk.http.proxies import CERTIFICATE, NO_PEER, PEER, REMOTE_USER, Peer, Proxies
from tagwerk.model import Login
from tagwerk.settings import Settings
from tagwerk.sharing.links import PATH
from tagwerk.store import Engine
from tagwerk.store.observed import Queries
from tagwerk.store.outbox import depths
from tagwerk.store.schema import DOCTOR, meta

REPORT = "tagwerk.report"
"""In the scope: the name of a REPORT, set by whoever reads the body."""
LOGIN = "tagwerk.login"
QUERIES = "tagwerk.queries"
REQUEST_ID = "tagwerk.request_id"
SYNCED = "tagwerk.synced"
"""In the scope: resources named in an answer to sync-collection."""
INVALID_TOKEN = "tagwerk.invalid_token"  # noqa: S105
"""In the scope: a sync token was refused."""

METHODS = frozenset(
    [
        "GET",
        "HEAD",
        "PUT",
        "POST",
        "DELETE",
        "OPTIONS",
        "PROPFIND",
        "PROPPATCH",
        "REPORT",
        "MKCOL",
        "MKCALENDAR",
        "COPY",
        "MOVE",
        "ACL",
    ]
)
REPORTS = frozenset(
    [
        "sync-collection",
        "calendar-query",
        "calendar-multiget",
        "addressbook-query",
        "addressbook-multiget",
        "free-busy-query",
        "expand-property",
        "principal-property-search",
        "principal-search-property-set",
        "principal-match",
        "acl-principal-prop-set",
    ]
)
CLIENTS = (
    ("iOS", re.compile(r"\biOS/|dataaccessd|\biPhone", re.IGNORECASE)),
    ("macOS", re.compile(r"macOS/|Mac[ _]OS[ _]X/|AddressBook", re.IGNORECASE)),
    ("DAVx5", re.compile(r"DAVx5|DAVdroid|bitfire", re.IGNORECASE)),
    ("Thunderbird", re.compile("Thunderbird", re.IGNORECASE)),
    ("Evolution", re.compile("Evolution", re.IGNORECASE)),
    ("KDE", re.compile("Akonadi|KDAV|DAV Groupware", re.IGNORECASE)),
    ("vdirsyncer", re.compile("vdirsyncer", re.IGNORECASE)),
    ("pimsync", re.compile("pimsync", re.IGNORECASE)),
    ("Outlook", re.compile("CalDavSynchronizer|Outlook", re.IGNORECASE)),
    ("Python", re.compile("python|caldav/|niquests", re.IGNORECASE)),
    ("curl", re.compile("^curl/", re.IGNORECASE)),
)

_ACCESS = logging.getLogger("tagwerk.access")
_SLOW = logging.getLogger("tagwerk.slow")
_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class Observer:
    """The application, watched."""

    def __init__(self, application: ASGIApp, settings: Settings, engine: Engine, metrics: Metrics) -> None:
        self._application, self._settings, self._engine = application, settings, engine
        self.metrics = metrics
        self._allowed = tuple(
            ipaddress.ip_network(network) for network in settings.observe.allow if network != "unix"
        )
        self._base = settings.server.base_path
        self._proxies = Proxies(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        begin = time.perf_counter()
        self._proxies.read(scope)
        request_id = scope[REQUEST_ID] = _request_id(scope)
        token = current_request.set(request_id)
        status, size = 0, 0

        async def watched(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            else:
                size += len(message.get("body", b""))
            await send(message)

        try:
            answer = self._own(scope)
            if answer is None:
                await self._application(scope, receive, watched)
            else:
                await _say(watched, *(await answer))
        finally:
            self._note(scope, status or 500, size, time.perf_counter() - begin)
            current_request.reset(token)

    def _own(self, scope: Scope) -> Any:
        """What answers `/-/health` and `/-/metrics`; None where the request is for somebody else."""
        observe = self._settings.observe
        alone = bool(observe.port) and (scope.get("server") or ("", 0))[1] == observe.port
        path: str = scope.get("path", "")
        if self._base and path.startswith(self._base + "/"):
            path = path[len(self._base) :]
        if path.startswith("/-/doctor"):
            return self._seen(scope)
        asked = path.startswith(("/-/health", "/-/metrics")) and scope["method"] in ("GET", "HEAD")
        if not (asked or alone):
            return None
        if not asked or (observe.port and not alone) or not self._may_see(scope):
            return _nothing()
        if path == "/-/metrics":
            return self._numbers()
        if path == "/-/health/live":
            return _live()
        return self._ready() if path in ("/-/health", "/-/health/ready") else _nothing()

    async def _seen(self, scope: Scope) -> tuple[int, str, bytes]:
        """What arrives here of a request of `tagwerk doctor`, which shows that it knows the database."""
        headers = dict(scope["headers"])
        try:
            expected = await to_thread.run_sync(self._doctors_token)
        except TagwerkError:
            expected = ""
        given = sha256(headers.get(b"x-tagwerk-doctor", b"")).hexdigest()
        if not expected or not hmac.compare_digest(expected, given):
            return await _nothing()
        peer: Peer = scope.get(PEER, NO_PEER)
        seen = {
            "client": (scope.get("client") or ("unix", 0))[0],
            "peer": peer.address,
            "peer_port": peer.port,
            "forwarded": peer.forwarded,
            "forwarded_for": peer.forwarded_for,
            "trusted": peer.trusted,
            # What the proxy puts there itself is nobody else's business.
            "authorization": sha256(headers.get(b"authorization", b"")).hexdigest(),
            "user": scope.get(REMOTE_USER, ""),
            "certificate": scope.get(CERTIFICATE, b"").decode("latin-1"),
            "scheme": scope["scheme"],
            "host": headers.get(b"host", b"").decode("latin-1"),
            "method": scope["method"],
            "path": (scope.get("raw_path") or b"").decode("latin-1").partition("?")[0],
            "depth": headers.get(b"depth", b"").decode("latin-1"),
        }
        return 200, "application/json", json.dumps(seen).encode()

    def _doctors_token(self) -> str:
        with self._engine.read() as txn:
            until, _, token = meta(txn, DOCTOR).partition(" ")
        return token if until.isdigit() and int(until) > time.time() else ""

    def _may_see(self, scope: Scope) -> bool:
        client = scope.get("client")
        if not client or not client[0]:
            return "unix" in self._settings.observe.allow
        try:
            address = ipaddress.ip_address(client[0].partition("%")[0])
        except ValueError:
            return False
        plain = getattr(address, "ipv4_mapped", None) or address
        return any(plain in network for network in self._allowed)

    async def _ready(self) -> tuple[int, str, bytes]:
        """Whether the database answers."""
        begin = time.perf_counter()
        try:
            await to_thread.run_sync(self._look)
            found: dict[str, object] = {"status": "ready"}
        except TagwerkError as error:
            found = {"status": "not ready", "database": str(error)}
        except Exception as error:
            found = {"status": "not ready", "database": f"{type(error).__name__}: {error}"}
        found["database_ms"] = round((time.perf_counter() - begin) * 1000, 2)
        status = 200 if found["status"] == "ready" else 503
        return status, "application/json", json.dumps(found).encode() + b"\n"

    def _look(self) -> None:
        with self._engine.read() as txn:
            txn.row("SELECT value FROM meta WHERE key = 'schema_version'")

    async def _numbers(self) -> tuple[int, str, bytes]:
        gauges = {}
        try:
            waiting, dead = await to_thread.run_sync(self._depths)
            gauges["tagwerk_outbox_depth"] = (
                "Work that changes caused and that is to be done.",
                float(waiting),
            )
            gauges["tagwerk_outbox_dead"] = ("Work that was given up; tagwerk jobs tells why.", float(dead))
            up = 1.0
        except TagwerkError:
            up = 0.0
        gauges["tagwerk_database_up"] = ("Whether the database answers.", up)
        return 200, CONTENT_TYPE, self.metrics.render(gauges).encode()

    def _depths(self) -> tuple[int, int]:
        with self._engine.read() as txn:
            return depths(txn)

    def _note(self, scope: Scope, status: int, size: int, seconds: float) -> None:
        metrics, method = self.metrics, scope["method"].upper()
        method = method if method in METHODS else "other"
        report: str = scope.get(REPORT, "")
        headers = dict(scope["headers"])
        agent = headers.get(b"user-agent", b"").decode("latin-1")
        metrics.requests.add(method, report, str(status))
        metrics.seconds.add(seconds, method, report)
        metrics.sent.add(amount=size)
        if SYNCED in scope:
            metrics.sync_sizes.add(scope[SYNCED])
        if INVALID_TOKEN in scope:
            metrics.invalid_tokens.add(client_of(agent))
        if b"authorization" in headers and status in (401, 429):
            metrics.failed_logins.add(str(status))
        logs = self._settings.logging
        wanted = logs.access == "all" or (logs.access == "errors" and status >= 500 and status != 507)
        slow = logs.slow_request_ms and seconds * 1000 > logs.slow_request_ms
        if not (wanted or slow):
            return
        login: Login | None = scope.get(LOGIN)
        fields: dict[str, object] = {
            "request": scope[REQUEST_ID],
            "user": login.name if login else "-",
            "device": login.label if login else "",
            "address": (scope.get("client") or ("unix", 0))[0],
            "client": agent[:200],
            "method": method,
            "report": report,
            "route": route(scope.get("path", ""), self._base),
            "status": status,
            "seconds": round(seconds, 4),
            "bytes": size,
        }
        if wanted:
            level = logging.ERROR if status >= 500 else logging.INFO
            _ACCESS.log(level, "request", extra={"fields": fields})
        if slow:
            queries: Queries = scope.get(QUERIES) or Queries()
            fields |= {
                "queries": queries.number,
                "query_seconds": round(queries.seconds, 4),
                "slowest": [f"{spent:.4f} s: {sql[:200]}" for sql, spent in queries.slowest()],
            }
            _SLOW.warning("slow request", extra={"fields": fields})


def route(path: str, base: str) -> str:
    """A path as the log shows it: the user, the collection, and a star for an object.

    Whoever knows the URL of a public link may read, so what stands behind ``/public/`` is a
    star, too, wherever a wrong `base_path` moves it.
    """
    if base and path.startswith(base + "/"):
        path = path[len(base) :]
    if path.startswith(("/-/", "/.well-known/")):
        return path[:100]
    parts = [part for part in path.split("/") if part]
    open_to_all = next((place for place, part in enumerate(parts) if part.lower() == PATH), len(parts))
    told = min(2, open_to_all + 1)
    shown = [re.sub(r"[^\w@.+-]", "_", part)[:64] for part in parts[:told]]
    return "/" + "/".join([*shown, *(["*"] if len(parts) > told else [])])


def client_of(agent: str) -> str:
    """The family of a client, by what it calls itself: few enough to count."""
    return next((name for name, pattern in CLIENTS if pattern.search(agent)), "other" if agent else "none")


def report_in(body: bytes) -> str:
    """The name of the report in the body of a REPORT, where it is one that is known."""
    found = re.search(rb"<(?:[\w.-]+:)?([\w-]+)[\s/>]", body[:2000])
    name = found.group(1).decode() if found else ""
    return name if name in REPORTS else "other"


def _request_id(scope: Scope) -> str:
    """The id that a proxy gave, or a new one."""
    peer: Peer = scope.get(PEER, NO_PEER)
    for name, value in scope["headers"] if peer.trusted else ():
        if name == b"x-request-id" and _ID.fullmatch(value.decode("latin-1")):
            return str(value.decode())
    return secrets.token_hex(8)


async def _live() -> tuple[int, str, bytes]:
    return 200, "application/json", b'{"status": "live"}\n'


async def _nothing() -> tuple[int, str, bytes]:
    return 404, "text/plain; charset=utf-8", b"There is nothing here.\n"


async def _say(send: Send, status: int, content_type: str, body: bytes) -> None:
    headers: Mapping[bytes, bytes] = {
        b"content-type": content_type.encode(),
        b"content-length": str(len(body)).encode(),
        b"cache-control": b"no-store",
    }
    await send({"type": "http.response.start", "status": status, "headers": list(headers.items())})
    await send({"type": "http.response.body", "body": body})
