"""Radicale's Application with the DAV engine behind its dispatch.

Radicale reads its configuration, loads the auth plugin, logs in and provisions
principals; every ``do_*`` method hands over to `tagwerk.dav`.
"""

from __future__ import annotations

import base64
import binascii
import io
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from radicale import config
from radicale.app import Application as RadicaleApplication
from radicale.log import logger as radicale_log
from radicale.types import WSGIResponse

from tagwerk.dav import failures
from tagwerk.dav.engine import DavEngine
from tagwerk.dav.message import Request, Response
from tagwerk.errors import InvalidRequest, Refused, TagwerkError, Unauthenticated
from tagwerk.settings import Settings
from tagwerk.store import Engine
from tagwerk.store.engine import again
from tagwerk_radicale import engines
from tagwerk_radicale.groups import Directory
from tagwerk_radicale.storage import Storage

_REQUEST = "tagwerk.request"
_ANSWERS = "tagwerk.answers"

OWN_AUTH = "tagwerk_radicale.auth"
_RADICALE_TYPES = {"tagwerk": OWN_AUTH}


def create(settings: Settings, engine: Engine) -> Frame:
    """The frame of `tagwerk serve` for one open database."""
    return Frame(settings, engine)


class Application(RadicaleApplication):
    """Radicale's dispatch; what a request means is decided in `tagwerk.dav`."""

    def __init__(self, configuration: config.Configuration, dav: DavEngine, engine: Engine) -> None:
        super().__init__(configuration)
        self._dav = dav
        self._directory = Directory(engine, configuration.get("auth", "type"))
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
            self._directory.synchronize(user, user_groups)
        except TagwerkError as error:
            response = failures.response(error)
        else:
            response = self._dav.handle(replace(request, user=user))
        environ[_ANSWERS].append(response)
        return response.status, response.headers, None, None

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
        self._application = Application(configuration(settings), self._dav, engine)

    def handle(self, scope: Any, body: bytes, path: str) -> Response:
        """Log in and answer; called in a worker thread."""
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            key = name.decode("latin-1")
            headers[key] = (
                f"{headers[key]}, {value.decode('latin-1')}" if key in headers else value.decode("latin-1")
            )
        try:
            authorization = normalized_authorization(headers.get("authorization", ""))
        except (InvalidRequest, Unauthenticated) as error:
            return failures.response(error, realm=self._settings.auth.realm)
        request = Request(
            method=scope["method"].upper(),
            path=path,
            headers=headers,
            body=body,
            base=self._settings.server.base_path,
            scheme=scope.get("scheme", "http"),
            query=scope.get("query_string", b"").decode("latin-1"),
        )
        if not hasattr(self._application, f"do_{request.method}"):
            return self._dav.handle(request)
        answers: list[Response] = []
        environ = self._environ(scope, request, authorization) | {_ANSWERS: answers}
        # What is undone here is the login, or a new user's home; requests come back answered.
        status, dispatched, _ = again(lambda: self._application._handle_request(environ))
        for response in answers:
            response.headers = dict(dispatched)
            return response
        return self._refused(int(status.split()[0]), dict(dispatched))

    def _refused(self, status: int, headers: dict[str, str]) -> Response:
        """Radicale answered without asking us: a wrong login, or something it cannot dispatch."""
        if status in (401, 403):
            error = Unauthenticated("The name or the password is wrong.")
            return failures.response(error, realm=self._settings.auth.realm)
        sentence = "The server failed to answer; its log says why." if status >= 500 else f"Status {status}."
        return Response(status, {"Content-Type": "text/plain; charset=utf-8"}, f"{sentence}\n".encode())

    def _environ(self, scope: Any, request: Request, authorization: str) -> dict[str, Any]:
        client = scope.get("client") or ("", 0)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": request.method,
            # The path itself is ours to understand: Radicale would refuse names that clients use.
            "PATH_INFO": "/",
            "SCRIPT_NAME": "",
            "SERVER_PROTOCOL": f"HTTP/{scope.get('http_version', '1.1')}",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "0",
            "REMOTE_ADDR": client[0],
            "wsgi.errors": io.StringIO(),
            "wsgi.input": io.BytesIO(),
            "wsgi.url_scheme": request.scheme,
            _REQUEST: request,
        }
        for name in ("user-agent", "x-forwarded-for", "x-remote-user", "remote-user"):
            if name in request.headers:
                environ["HTTP_" + name.upper().replace("-", "_")] = request.headers[name]
        if authorization:
            environ["HTTP_AUTHORIZATION"] = authorization
        return environ


def normalized_authorization(header: str) -> str:
    """Basic credentials as Radicale can read them; "" where there are none.

    Raises:
        Unauthenticated: they cannot be read; Radicale would answer 500.
    """
    scheme, _, encoded = header.strip().partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unauthenticated("The Authorization header is not Base64.") from error
    if b":" not in decoded:
        raise Unauthenticated("The Authorization header holds no name and password.")
    return f"Basic {encoded.strip()}"


def configuration(settings: Settings) -> config.Configuration:
    """Radicale's configuration, as Tagwerk's settings want it."""
    made = config.load()
    auth = {
        **settings.auth.extra,
        "type": _RADICALE_TYPES.get(settings.auth.type, settings.auth.type),
        "realm": settings.auth.realm,
        "delay": "0",
    }
    if settings.auth.type == "tagwerk":
        auth["cache_seconds"] = str(settings.auth.cache_seconds)
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
