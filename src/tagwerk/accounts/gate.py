"""The gate: everything by which somebody can prove who they are, tried in one order for every request.

A user that a trusted proxy names, a client certificate, an OpenID Connect token, a name
with a password or an app password.  `scope` and headers are the business of
the caller; the gate sees values that the caller vouches for.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tagwerk.accounts.login import BACKEND, Authenticator
from tagwerk.accounts.users import ensure_user, may_log_in
from tagwerk.errors import InvalidRequest, TagwerkError, Unauthenticated
from tagwerk.model import Login
from tagwerk.store import Engine

_LOGGER = logging.getLogger("tagwerk.accounts")

WRONG = "The name or the password is wrong."


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a request brings: the Authorization header, an address, what the client calls itself, and what
    a trusted proxy or TLS vouched for."""

    authorization: str = ""
    address: str = ""
    client: str = ""
    remote_user: str = ""
    certificate: bytes = b""


class InvalidToken(Unauthenticated):
    """A bearer token that is not good here (RFC 6750 3.1)."""


class TokenVerifier(Protocol):
    """Reads bearer tokens."""

    def user_of(self, token: str) -> str:
        """The name of the user that a token is for; raises InvalidToken, Unavailable."""


CertificateReader = Callable[[bytes], str]


class Gate:
    """Decides who a request is from."""

    def __init__(
        self,
        engine: Engine,
        authenticator: Authenticator,
        *,
        canonical: Callable[[str], str] = str,
        tokens: TokenVerifier | None = None,
        certificates: CertificateReader | None = None,
        create_users: bool = True,
        clock: Callable[[], float],
    ) -> None:
        self._engine, self._authenticator = engine, authenticator
        self._canonical = canonical
        self._tokens, self._certificates = tokens, certificates
        self._create_users = create_users
        self._clock = clock

    def login(self, attempt: Attempt) -> Login | None:
        """Who it is; None where nobody tried to prove anything.

        Raises:
            Unauthenticated: what was brought proves nothing.
            TooManyAttempts: too many wrong passwords came from there.
            Unavailable: it cannot be decided now.
        """
        scheme, _, rest = attempt.authorization.strip().partition(" ")
        if attempt.remote_user:
            return self._vouched(self._canonical(attempt.remote_user), "header")
        if scheme.lower() == "bearer" and self._tokens is not None:
            return self._vouched(self._canonical(self._tokens.user_of(rest.strip())), "token")
        if scheme.lower() == "basic":
            name, password = basic_credentials(rest)
            found = self._authenticator.authenticate(
                self._canonical(name), password, address=attempt.address, client=attempt.client
            )
            if found is None or (found.how == BACKEND and not may_log_in(self._engine, found.name)):
                raise Unauthenticated(WRONG)
            return found
        # Last, as a browser shows its certificate to everybody; who sends a password means it.
        if attempt.certificate and self._certificates is not None:
            return self._vouched(self._certificates(attempt.certificate), "certificate")
        return None

    def _vouched(self, name: str, how: str) -> Login:
        """Somebody for whom another authority vouches; who is new gets what every user gets."""
        try:
            found = ensure_user(self._engine, name, create=self._create_users, now=int(self._clock()))
        except (Unauthenticated, InvalidRequest) as error:
            _LOGGER.warning("Login failed: a %s names %r, who is no user here.", how, name)
            refused = InvalidToken if how == "token" else Unauthenticated
            raise refused("This user is not known to this server.") from error
        except TagwerkError as error:
            _LOGGER.warning("Login failed: a %s names %r: %s", how, name, error)
            raise
        return Login(found, how=how)

    def close(self) -> None:
        """Write what is still to be noted."""
        self._authenticator.close()


def basic_credentials(encoded: str) -> tuple[str, str]:
    """Name and password of RFC 7617, in UTF-8 or else in Latin-1, as some clients still send them.

    Raises:
        Unauthenticated: there are none.
    """
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unauthenticated("The Authorization header is not Base64.") from error
    try:
        text = decoded.decode()
    except UnicodeDecodeError:
        text = decoded.decode("latin-1")
    name, colon, password = text.partition(":")
    if not colon:
        raise Unauthenticated("The Authorization header holds no name and password.")
    return name, password
