"""Public links: ``/public/TOKEN.ics`` and ``.vcf``, for whoever knows the URL (webcal, RFC 5545 8.1).

A link that never was, was revoked, or has expired is answered in the same way.
"""

from __future__ import annotations

import base64
import binascii
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from starlette.types import Scope

from tagwerk.accounts.gates import limits_of
from tagwerk.accounts.login import Authenticator
from tagwerk.dav import conditions, xml
from tagwerk.dav.engine import held
from tagwerk.dav.message import Request, Response
from tagwerk.errors import DAV, TagwerkError
from tagwerk.ical import export as ical_export
from tagwerk.model import NO_BINDING, Kind
from tagwerk.settings import Settings
from tagwerk.sharing import links
from tagwerk.sharing.views import View
from tagwerk.store import Engine
from tagwerk.store.engine import Transaction, again, run
from tagwerk.store.links import Link
from tagwerk.store.properties import collection_properties
from tagwerk.vcard import export as vcard_export

log = logging.getLogger(__name__)

METHODS = "GET, HEAD, OPTIONS"

USED_EVERY = 60
"""Seconds after which it is written down again that a link was used."""

_KINDS = {suffix: kind for kind, suffix in links.SUFFIXES.items()}
_TYPES = {Kind.CALENDAR: "text/calendar; charset=utf-8", Kind.ADDRESSBOOK: "text/vcard; charset=utf-8"}
_TEXT = {"Content-Type": "text/plain; charset=utf-8"}


class PublicLinks:
    """What `tagwerk.http.app` asks for paths below ``/public/``."""

    def __init__(self, settings: Settings, engine: Engine, *, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock
        self._realm = settings.auth.realm
        self._passwords = Authenticator(
            engine, cache_seconds=settings.auth.cache_seconds, limits=limits_of(settings.auth)
        )

    def handle(self, scope: Scope, body: bytes, path: str) -> Response:
        """Answer one request; called in a worker thread."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        request = Request(scope["method"].upper(), path, headers, body)
        if request.method == "OPTIONS":
            return Response(204, {"Allow": METHODS})
        if request.method not in ("GET", "HEAD"):
            return Response(405, {"Allow": METHODS, **_TEXT}, b"A public link can be read, nothing else.\n")
        address = (scope.get("client") or ("",))[0]
        if not again(lambda: self._may(request, address)):
            challenge = f'Basic realm="{self._realm}", charset="UTF-8"'
            sentence = b"This link has a password; the user name does not matter.\n"
            return Response(401, {"WWW-Authenticate": challenge, **_TEXT}, sentence)
        response, link = again(lambda: self._answer(request))
        if link is not None:
            self._remember(link, address)
        return response

    def _answer(self, request: Request) -> tuple[Response, Link | None]:
        with ExitStack() as stack:
            txn = stack.enter_context(self._engine.read())
            found = self._find(txn, request.path)
            if found is None:
                return Response(404, dict(_TEXT), b"There is nothing here.\n"), None
            link, view = found
            response = _represented(txn, request, view)
            if not isinstance(response.body, bytes):
                response.body = held(response.body, stack.pop_all())
            return response, link

    def _find(self, txn: Transaction, path: str) -> tuple[Link, View] | None:
        token, dot, suffix = path.removeprefix(f"/{links.PATH}/").rpartition(".")
        kind = _KINDS.get(dot + suffix)
        if kind is None or not token or "/" in token:
            return None
        return links.find(txn, token, kind=kind, now=int(self._clock()))

    def close(self) -> None:
        """Write what is still to be noted of failed passwords."""
        self._passwords.close()

    def _may(self, request: Request, address: str) -> bool:
        """Whether the password is right, where there is a link with one; links keep theirs until they end.

        No snapshot is held while it is verified.

        Raises:
            TooManyAttempts: somebody guesses there.
            Unavailable: so many passwords are being verified that this one had to give up.
        """
        with self._engine.read() as txn:
            found = self._find(txn, request.path)
        if found is None or found[0].password_hash is None:
            return True
        link, _ = found
        scheme, _, encoded = request.header("authorization").strip().partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            decoded = base64.b64decode(encoded.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            return False
        assert link.password_hash is not None
        # By the name that `tagwerk share list` shows, which opens nothing.
        return self._passwords.verifies(
            link.password_hash,
            f"the public link {link.id:x}",
            decoded.partition(":")[2],
            address=address,
        )

    def _remember(self, link: Link, address: str) -> None:
        """When it was used; a disk that is full must not close it."""
        now = int(self._clock())
        if link.last_used is not None and link.last_used + USED_EVERY > now:
            return
        try:
            run(self._engine, lambda txn: links.used(txn, link, address=address, now=now))
        except TagwerkError as error:
            log.warning("The use of a link could not be written down: %s", error)


def _represented(txn: Transaction, request: Request, view: View) -> Response:
    """Everything in the collection, as the link shows it."""
    collection = view.collection
    etag = view.etag
    headers = {
        "ETag": etag,
        "Last-Modified": conditions.http_date(view.modified),
        "Cache-Control": "private, no-cache",
    }
    if conditions.not_modified(request, etag=etag, modified=view.modified):
        return Response(304, headers)
    headers["Content-Type"] = _TYPES[collection.kind]
    headers["X-Robots-Tag"] = "noindex"
    contents = (stored.content or b"" for stored in view.objects(txn, content=True))
    parts: Iterator[bytes]
    if collection.kind is Kind.CALENDAR:
        values = collection_properties(txn, collection.id, NO_BINDING)
        parts = ical_export.merge(contents, name=xml.text_of(values.get(DAV + "displayname", "")))
    else:
        parts = vcard_export.merge(contents)
    return Response(200, headers, parts)
