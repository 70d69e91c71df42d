"""Radicale's Application with the DAV engine behind its dispatch.

Radicale reads its configuration, loads the auth plugin, logs in and provisions
principals; every ``do_*`` method hands over to `tagwerk.dav`.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from http.client import OK
from typing import Any
from urllib.parse import unquote

from radicale import config
from radicale.app import Application as RadicaleApplication
from radicale.auth import AuthContext, BaseAuth
from radicale.log import logger as radicale_log
from radicale.types import WSGIResponse

from tagwerk.accounts.gate import WRONG, Attempt, InvalidToken
from tagwerk.accounts.gates import gate
from tagwerk.accounts.login import BACKEND, Backend
from tagwerk.dav import failures
from tagwerk.dav.engine import DavEngine
from tagwerk.dav.message import Request, Response
from tagwerk.errors import Refused, TagwerkError, Unauthenticated, Unavailable
from tagwerk.model import Rights
from tagwerk.settings import Settings
from tagwerk.store import Engine
from tagwerk.store.engine import again
from tagwerk_radicale import engines, passed
from tagwerk_radicale.groups import Directory
from tagwerk_radicale.passed import Auth as Passed
from tagwerk_radicale.storage import Storage

_REQUEST = "tagwerk.request"
_ANSWERS = "tagwerk.answers"

_LOGGER = logging.getLogger("tagwerk.accounts")

OWN_AUTH = "tagwerk_radicale.passed"
_RADICALE_TYPES = {"tagwerk": OWN_AUTH}
_HEADER_TYPES = ("http_x_remote_user", "http_remote_user", "remote_user")


def create(settings: Settings, engine: Engine) -> Frame:
    """The frame of `tagwerk serve` for one open database."""
    return Frame(settings, engine)


class Application(RadicaleApplication):
    """Radicale's dispatch; what a request means is decided in `tagwerk.dav`."""

    def __init__(self, configuration: config.Configuration, dav: DavEngine, engine: Engine) -> None:
        super().__init__(configuration)
        self._dav = dav
        self._directory = Directory(engine, configuration.get("auth", "type"))
        self.backend = self._auth
        # Who asks is decided before the dispatch, for every way to log in (`tagwerk.accounts.gate`).
        self._auth = Passed(configuration)
        if configuration.get("auth", "type") == OWN_AUTH:
            self._storage = KnownPrincipals(configuration)
        else:
            self._storage = NewPrincipals(configuration)

    def _to_dav(
        self,
        environ: Mapping[str, Any],
        base_prefix: str,
        path: str,
        user: str,
        user_groups: set[Any],
        request_info: dict[Any, Any],
    ) -> WSGIResponse:
        request: Request = environ[_REQUEST]
        try:
            login = environ[passed.LOGIN]
            if login is not None and login.how == BACKEND:
                self._directory.synchronize(user, user_groups)
        except TagwerkError as error:
            response = failures.response(error)
        else:
            response = self._dav.handle(request)
        environ[_ANSWERS].append(response)
        # What failed is told by `http.observer`; Radicale would tell it once more, as a failure at "/".
        return OK, response.headers, None, None

    do_ACL = do_COPY = do_DELETE = do_GET = do_HEAD = do_MKCALENDAR = do_MKCOL = do_MOVE = _to_dav
    do_OPTIONS = do_POST = do_PROPFIND = do_PROPPATCH = do_PUT = do_REPORT = _to_dav


class KnownPrincipals(Storage):
    """The storage for Radicale's dispatch, which only asks whether who logged in has a home.

    Whom `tagwerk_radicale.auth` lets in has one, so that nothing has to be read.
    """

    @contextmanager
    def acquire_lock(self, mode: str, user: str = "", *args: Any, **kwargs: Any) -> Iterator[None]:
        yield

    def discover(
        self,
        path: str,
        depth: str = "0",
        child_context_manager: Any = None,
        user_groups: Any = (),
    ) -> Iterator[Any]:
        yield path


class NewPrincipals(Storage):
    """The storage for Radicale's dispatch when somebody else says who logs in: who is new gets a home.

    Who cannot have one, for their name, is told so; Radicale would answer 500.
    """

    def create_collection(self, href: str, items: Any = None, props: Any = None) -> Any:
        try:
            return super().create_collection(href, items, props)
        except ValueError as error:
            raise Refused(str(error)) from error


class Frame:
    """What `tagwerk.http` calls: one request in, one response out."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings = settings
        self._dav = DavEngine(engine, settings)
        engines.adopt(settings.storage.database_url, engine)
        radicale = configuration(settings)
        self._application = Application(radicale, self._dav, engine)
        self.gate = gate(
            settings,
            engine,
            backend=backend_of(settings, self._application.backend),
            canonical=partial(canonical_name, radicale),
        )

    def handle(self, scope: Any, body: bytes, path: str) -> Response:
        """Log in and answer; called in a worker thread."""
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            key = name.decode("latin-1")
            headers[key] = (
                f"{headers[key]}, {value.decode('latin-1')}" if key in headers else value.decode("latin-1")
            )
        client = scope.get("client") or ("", 0)
        attempt = Attempt(
            authorization=headers.pop("authorization", ""),
            address=client[0],
            client=headers.get("user-agent", ""),
            remote_user=scope.get("tagwerk.remote_user", ""),
            certificate=scope.get("tagwerk.certificate", b""),
        )
        try:
            login = again(lambda: self.gate.login(attempt))
        except TagwerkError as error:
            return self._failed(error)
        scope["tagwerk.login"] = login
        request = Request(
            method=scope["method"].upper(),
            path=path,
            headers=headers,
            body=body,
            user=login.name if login else "",
            rights=login.rights if login else Rights.ALL,
            base=self._settings.server.base_path,
            public_url=self._settings.server.public_url,
            scheme=scope.get("scheme", "http"),
            query=scope.get("query_string", b"").decode("latin-1"),
        )
        if not hasattr(self._application, f"do_{request.method}"):
            return self._dav.handle(request)
        answers: list[Response] = []
        environ = self._environ(scope, request) | {_ANSWERS: answers, passed.LOGIN: login}
        # What is undone here is a new user's home; requests come back answered.
        status, dispatched, _ = again(lambda: self._application._handle_request(environ))
        for response in answers:
            response.headers = dict(dispatched)
            return response
        return self._refused(int(status.split()[0]), dict(dispatched))

    def close(self) -> None:
        """The server ends: what is still to be noted is written."""
        self.gate.close()

    def _failed(self, error: TagwerkError) -> Response:
        response = failures.response(error, auth=self._settings.auth)
        if isinstance(error, InvalidToken):
            response.headers["WWW-Authenticate"] = (
                f'Bearer realm="{self._settings.auth.realm}", error="invalid_token"'
            )
        return response

    def _refused(self, status: int, headers: dict[str, str]) -> Response:
        """Radicale answered without asking us: something it cannot dispatch, or a name that cannot have a home."""
        if status in (401, 403):
            return self._failed(Unauthenticated(WRONG))
        sentence = "The server failed to answer; its log says why." if status >= 500 else f"Status {status}."
        return Response(status, {"Content-Type": "text/plain; charset=utf-8"}, f"{sentence}\n".encode())

    def _environ(self, scope: Any, request: Request) -> dict[str, Any]:
        client = scope.get("client") or ("", 0)
        return {
            "REQUEST_METHOD": request.method,
            # The path itself is ours to understand: Radicale would refuse names that clients use.
            "PATH_INFO": "/",
            "SCRIPT_NAME": "",
            "SERVER_PROTOCOL": f"HTTP/{scope.get('http_version', '1.1')}",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "0",
            "REMOTE_ADDR": client[0],
            "HTTP_USER_AGENT": request.header("user-agent"),
            "wsgi.errors": io.StringIO(),
            "wsgi.input": io.BytesIO(),
            "wsgi.url_scheme": request.scheme,
            _REQUEST: request,
        }


_asked: ContextVar[str] = ContextVar("asked", default="")
"""The name for which a login type is asked at this moment."""


def _without_name(record: logging.LogRecord) -> bool:
    """Login types write the name into the log; who is unknown may be a password in the wrong field."""
    if name := _asked.get():
        said = record.getMessage()
        for written in (repr(name)[1:-1], name):
            said = said.replace(written, "(a name)")
        record.msg, record.args = said, ()
    return True


def backend_of(settings: Settings, auth: BaseAuth) -> Backend | None:
    """Radicale's login type as a backend; None where the database is the only authority."""
    if settings.auth.type == "tagwerk":
        return None
    if settings.auth.type in _HEADER_TYPES:
        # Only the proxy says who it is; app passwords count all the same.
        return lambda _name, _password, _address: ("", frozenset())

    radicale_log.addFilter(_without_name)

    def ask(name: str, password: str, address: str) -> tuple[str, frozenset[str]]:
        context = AuthContext()
        context.remote_addr = address
        asked = _asked.set(name)
        try:
            user, _info, groups = auth.login(name, password, context)
        except (OSError, RuntimeError) as error:
            _LOGGER.error("The login type %s does not answer: %s", settings.auth.type, error)
            raise Unavailable("Who logs in cannot be verified now.") from error
        finally:
            _asked.reset(asked)
        return user or "", frozenset(groups or ())

    return ask


def canonical_name(radicale: config.Configuration, name: str) -> str:
    """What Radicale makes of a user name before it asks anybody."""
    if radicale.get("auth", "lc_username"):
        name = name.lower()
    if radicale.get("auth", "uc_username"):
        name = name.upper()
    if radicale.get("auth", "urldecode_username"):
        name = unquote(name)
    if radicale.get("auth", "strip_domain"):
        name = name.split("@")[0]
    return name


def configuration(settings: Settings) -> config.Configuration:
    """Radicale's configuration, as Tagwerk's settings want it."""
    made = config.load()
    auth = {
        **settings.auth.extra,
        "type": _RADICALE_TYPES.get(settings.auth.type, settings.auth.type),
        "realm": settings.auth.realm,
        "delay": "0",
    }
    made.update(
        {
            "server": {"_internal_server": "False", "delay_on_error": "0"},
            "auth": auth,
            "rights": {"type": "tagwerk_radicale.rights"},
            "storage": {"type": "tagwerk_radicale.storage", "url": settings.storage.database_url},
            "web": {"type": "none"},
        },
        "tagwerk",
        privileged=True,
    )
    radicale_log.setLevel(logging.WARNING)
    return made
