"""What `tagwerk doctor --url` finds on the way from outside inwards: whether proxies hand on what DAV needs.

Requests without a login are enough for most of it: behind a good proxy every method
reaches the server, which answers 401.  What arrives there the server itself tells, to
whoever proves with a token in the database that they are at home in it.
"""

from __future__ import annotations

import base64
import http.client
import json
import secrets
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from hashlib import sha256
from urllib.parse import urlsplit

from cryptography import x509

from tagwerk.cli.doctor_here import expiry
from tagwerk.cli.findings import Finding, note, ok, wrong
from tagwerk.errors import ConfigurationError
from tagwerk.settings import Settings
from tagwerk.store import Engine
from tagwerk.store.engine import run
from tagwerk.store.schema import DOCTOR, set_meta

TIMEOUT = 20
METHODS = ("PROPFIND", "REPORT", "PROPPATCH", "MKCALENDAR", "MKCOL", "PUT", "DELETE", "COPY", "MOVE")
TOKEN_SECONDS = 300

NOBODYS = "192.0.2.235"
"""An address of nobody (RFC 5737), as which a client pretends to come."""

_NOBODY = "tagwerk-doctor"
_AUTHORIZATION = "Basic " + base64.b64encode(b"tagwerk-doctor:no password").decode()

_PROPFIND = b'<?xml version="1.0"?><D:propfind xmlns:D="DAV:"><D:prop><D:resourcetype/></D:prop></D:propfind>'


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    certificate: bytes
    asked_from: tuple[str, int]
    """The address and port of this end of the connection."""


class Outside:
    """Asks a URL as a client would."""

    def __init__(self, url: str, *, trust: str | None = None) -> None:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(f"{url!r} is no URL such as https://calendar.example.com/.")
        self.scheme, self.host, self.port = parts.scheme, parts.hostname, parts.port
        self.path = parts.path.rstrip("/")
        self._context = ssl.create_default_context(cafile=trust)

    @property
    def authority(self) -> str:
        """The host as it stands in a Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def ask(
        self, method: str, path: str, *, body: bytes = b"", chunked: bool = False, **headers: str
    ) -> Answer:
        """Raises OSError and http.client.HTTPException."""
        connection: http.client.HTTPConnection
        if self.scheme == "https":
            connection = http.client.HTTPSConnection(
                self.host, self.port, timeout=TIMEOUT, context=self._context
            )
        else:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body:
            sent.setdefault("Content-Type", "application/xml")
        try:
            if chunked:
                pieces = (body[at : at + 65536] for at in range(0, len(body), 65536))
                connection.request(method, path, pieces, sent, encode_chunked=True)
            else:
                connection.request(method, path, body or None, sent)
            encrypted = connection.sock
            der = encrypted.getpeercert(binary_form=True) if isinstance(encrypted, ssl.SSLSocket) else None
            here = encrypted.getsockname()[:2]
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read(1024 * 1024), der or b"", here)
        finally:
            connection.close()


def examine(outside: Outside, engine: Engine, settings: Settings) -> Iterator[Finding]:
    """Everything about a URL; the first thing that does not work at all ends it."""
    try:
        first = outside.ask("PROPFIND", f"{outside.path}/", body=_PROPFIND, Depth="0")
    except ssl.SSLCertVerificationError as error:
        yield wrong(
            "tls",
            f"The certificate is not good: {error.verify_message}.",
            "Give the proxy one that clients trust.",
        )
        return
    except (OSError, http.client.HTTPException) as error:
        yield wrong(
            "reach",
            f"{outside.authority} cannot be reached: {error}.",
            "See DNS, firewall, proxy and server.",
        )
        return
    yield ok("reach", f"{outside.authority} answers.")
    if first.certificate:
        yield expiry(x509.load_der_x509_certificate(first.certificate), "tls")
    elif outside.host not in ("localhost", "127.0.0.1", "::1"):
        yield wrong(
            "tls", "It is not HTTPS.", "Apple's devices refuse this, and passwords can be read on the way."
        )
    yield _clock(first)
    for step in (_login, _methods, _well_known, _options, _bodies):
        try:
            yield from step(outside, settings)
        except (OSError, http.client.HTTPException) as error:
            yield wrong("reach", f"A request was cut off: {error}.", "See the log of the proxy.")
    yield from _arrives(outside, engine, settings)


def _login(outside: Outside, settings: Settings) -> Iterator[Finding]:
    answer = outside.ask("PROPFIND", f"{outside.path}/", body=_PROPFIND, Depth="0")
    challenge = answer.headers.get("www-authenticate", "")
    if answer.status == 401 and challenge.lower().startswith("basic"):
        yield ok("login", "Who does not log in is asked for a name and a password.")
    elif settings.auth.type == "none" and answer.status == 207:
        yield note("login", "Nobody is asked for a password.", "[auth] type = none is for trying things out.")
    else:
        yield wrong(
            "login",
            f"A request without a login is answered {answer.status} instead of 401 with a Basic challenge.",
            "The proxy must not answer itself, nor take WWW-Authenticate away; is the path of the URL right?",
        )


def _methods(outside: Outside, settings: Settings) -> Iterator[Finding]:
    allowed = {401} | (
        {207, 201, 204, 400, 403, 404, 405, 409, 415} if settings.auth.type == "none" else set()
    )
    stopped = []
    for method in METHODS:
        answer = outside.ask(method, f"{outside.path}/tagwerk-doctor/none/none.ics", Depth="0")
        if answer.status not in allowed:
            stopped.append(f"{method} ({answer.status})")
    if stopped:
        yield wrong(
            "methods",
            f"These do not reach the server: {', '.join(stopped)}.",
            "Let the proxy hand on every method (see config/ for nginx, Caddy and Apache).",
        )
    else:
        yield ok("methods", "Every method reaches the server.")


def _well_known(outside: Outside, _settings: Settings) -> Iterator[Finding]:
    for service in ("caldav", "carddav"):
        answer = outside.ask("PROPFIND", f"/.well-known/{service}", body=_PROPFIND, Depth="0")
        target = answer.headers.get("location", "")
        parts = urlsplit(target)
        if answer.status not in (301, 302, 307, 308) or not target:
            yield wrong(
                "well-known",
                f"/.well-known/{service} is answered {answer.status}, and leads nowhere.",
                "Let the proxy hand it on, also where the server lies below a path.",
            )
        elif (parts.netloc and parts.netloc != outside.authority) or (
            parts.scheme and parts.scheme != outside.scheme
        ):
            yield wrong(
                "well-known",
                f"/.well-known/{service} leads to {target}.",
                "The proxy writes another host or scheme into Location.",
            )
        elif parts.path != f"{outside.path}/":
            yield wrong(
                "well-known",
                f"/.well-known/{service} leads to {parts.path}, and the URL says {outside.path}/.",
                "Set [server] base_path to the path under which the proxy shows the server.",
            )
        else:
            yield ok("well-known", f"/.well-known/{service} leads to {parts.path}.")


def _options(outside: Outside, _settings: Settings) -> Iterator[Finding]:
    answer = outside.ask("OPTIONS", f"{outside.path}/")
    tokens = answer.headers.get("dav", "")
    if answer.status == 200 and "calendar-access" in tokens and "addressbook" in tokens:
        yield ok("options", "OPTIONS announces calendars and address books.")
    else:
        yield wrong(
            "options",
            f"OPTIONS is answered {answer.status} with DAV: {tokens or '(nothing)'}.",
            "The proxy answers OPTIONS itself, or takes the DAV header away (a rule for CORS, often).",
        )


def _bodies(outside: Outside, settings: Settings) -> Iterator[Finding]:
    size = min(settings.server.max_body_size, settings.dav.max_resource_size + 65536)
    large = _PROPFIND + b" " * (size - len(_PROPFIND))
    good = {207} if settings.auth.type == "none" else {401}
    try:
        status = outside.ask("PROPFIND", f"{outside.path}/", body=large, Depth="0").status
    except (OSError, http.client.HTTPException):
        status = 413  # Some proxies close the connection instead of reading on.
    if status in good:
        yield ok("body size", f"A body of {size // 1024:,} KiB reaches the server.")
    else:
        yield wrong(
            "body size",
            f"A body of {size // 1024:,} KiB is answered {status}.",
            "nginx: client_max_body_size 32m; Apache: LimitRequestBody; Caddy: request_body max_size.",
        )
    status = outside.ask("PROPFIND", f"{outside.path}/", body=_PROPFIND, chunked=True, Depth="0").status
    if status in good:
        yield ok("chunked", "A chunked body reaches the server.")
    else:
        yield wrong(
            "chunked",
            f"A chunked body is answered {status}.",
            "macOS and curl send them: let the proxy take them.",
        )


def _arrives(outside: Outside, engine: Engine, settings: Settings) -> Iterator[Finding]:
    token = secrets.token_urlsafe(24)
    known = f"{int(time.time()) + TOKEN_SECONDS} {sha256(token.encode()).hexdigest()}"
    run(engine, lambda txn: set_meta(txn, DOCTOR, known))
    sent = f"{outside.path}/-/doctor/%40a%25%2Fb"
    ask = partial(
        outside.ask, "PROPFIND", sent, Depth="1", Authorization=_AUTHORIZATION, X_Tagwerk_Doctor=token
    )
    # The second says what nobody but a proxy may say.
    pretending = partial(ask, X_Forwarded_For=NOBODYS, X_Remote_User=_NOBODY, Remote_User=_NOBODY)
    if settings.auth.certificate_header:
        pretending = partial(pretending, **{settings.auth.certificate_header: _NOBODY})
    found = []
    try:
        for asking in (ask, pretending):
            answer = asking()
            if answer.status != 200:
                yield wrong(
                    "proxy headers",
                    f"The server behind {outside.authority} does not know this database ({answer.status}).",
                    "Is it the same server? Give this command the --config and --data of the server.",
                )
                return
            seen = json.loads(answer.body)
            peer = seen["peer"].removeprefix("::ffff:"), seen["peer_port"]
            found.append(seen | {"direct": peer == answer.asked_from, "here": answer.asked_from[0]})
    except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
        yield wrong("proxy headers", f"What arrives cannot be seen: {error}.", "See the log of the proxy.")
        return
    finally:
        run(engine, lambda txn: set_meta(txn, DOCTOR, ""))
    differences = [*_differences(outside, found[0], sent), *_addresses(found[0], found[1])]
    yield from differences
    if not differences:
        yield ok(
            "proxy headers",
            f"Host, scheme, path, Depth and Authorization arrive; the client is {found[0]['client']}.",
        )


def _addresses(seen: Mapping[str, object], pretended: Mapping[str, object]) -> Iterator[Finding]:
    """What a proxy that is believed says of the client, who pretended to be somebody else the second time."""
    if seen["direct"] or not seen["trusted"]:
        return
    forwarded = seen["forwarded"]
    assert isinstance(forwarded, list)
    # Where this machine is trusted itself, what it says is believed, with its own address behind it.
    _, _, added = str(pretended["forwarded_for"]).rpartition(NOBODYS)
    by_us = added.strip(", ").partition(",")[0] == pretended["here"]
    if pretended["client"] == NOBODYS and not by_us:
        yield wrong(
            "proxy headers",
            "Everybody can choose their address: the proxy hands on the X-Forwarded-For of the client as it is, and who"
            " guesses passwords is not slowed down.",
            "Let the proxy set X-Forwarded-For to the client's address, or add it (nginx: $proxy_add_x_forwarded_for).",
        )
    elif "x-forwarded-for" not in forwarded:
        yield wrong(
            "proxy headers",
            f"Every client has the address {seen['peer']}: one who guesses passwords slows down everybody.",
            "Let the proxy set X-Forwarded-For.",
        )
    if pretended["user"] == _NOBODY:
        yield wrong(
            "proxy headers",
            "Everybody can be anybody: the header that names the user says what the client wrote.",
            "Let the proxy set it for those whose password it has verified, and else take it away (nginx: $remote_user is"
            " whoever is in Authorization, unless there is auth_basic).",
        )
    if _NOBODY in str(pretended["certificate"]):
        yield wrong(
            "proxy headers",
            "Everybody can be anybody: the header that hands on a client certificate says what the client wrote.",
            "Let the proxy set it from certificates that it has verified, and else take it away (nginx: proxy_set_header"
            " with $ssl_client_escaped_cert, which is empty where there is none; see config/).",
        )


def _differences(outside: Outside, seen: Mapping[str, object], sent: str) -> Iterator[Finding]:
    """What a proxy made of a request, from what the server saw of it."""
    forwarded = seen["forwarded"]
    assert isinstance(forwarded, list)
    if forwarded and not seen["trusted"]:
        yield wrong(
            "proxy headers",
            f"{seen['peer']} says for whom it asks ({', '.join(forwarded)}), and is not believed.",
            f"Add {seen['peer']} to [server] trusted_proxies, if it is your proxy.",
        )
    elif seen["scheme"] != outside.scheme:
        yield wrong(
            "proxy headers",
            f"The URL is {outside.scheme}, and the server sees {seen['scheme']}.",
            "Let the proxy set X-Forwarded-Proto.",
        )
    if seen["authorization"] != sha256(_AUTHORIZATION.encode()).hexdigest():
        yield wrong(
            "proxy headers",
            "The header Authorization does not arrive as it was sent: nobody can log in.",
            "Let the proxy hand it on, and ask for no password of its own.",
        )
    host = str(seen["host"])
    default = {"https": ":443", "http": ":80"}[outside.scheme]
    if host.removesuffix(default) != outside.authority.removesuffix(default):
        yield wrong(
            "proxy headers",
            f"The URL names {outside.authority}, and the server sees the host {host}.",
            "Let the proxy hand on Host, or set X-Forwarded-Host: MOVE and COPY name it in Destination.",
        )
    if seen["depth"] != "1":
        yield wrong(
            "proxy headers", "The header Depth does not arrive.", "Let the proxy hand on every header."
        )
    if str(seen["path"]) != sent:
        yield note(
            "proxy headers",
            f"The path {sent} arrives as {seen['path']}.",
            "The proxy decodes paths: objects with such names are out of reach (nginx: no path in proxy_pass; Apache:"
            " nocanon and AllowEncodedSlashes NoDecode), or [server] base_path does not fit.",
        )


def _clock(answer: Answer) -> Finding:
    try:
        there = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except ValueError:
        return note("clock", "The answer has no Date.", "Let the proxy hand it on.")
    apart = abs(there - time.time())
    if apart > 60:
        return wrong(
            "clock", f"The clocks here and there are {apart:.0f} seconds apart.", "timedatectl set-ntp true"
        )
    return ok("clock", "The clocks here and there agree.")
