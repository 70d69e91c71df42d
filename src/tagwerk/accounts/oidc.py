"""Bearer tokens of an OpenID Connect provider (OpenID Connect Core 3.1.3.7, Discovery 4, RFC 6750, RFC 9068).

The provider is asked for its keys, never about a token.  What is fetched is bounded in size
and time, follows no redirect, and must be HTTPS unless the provider is on this machine.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Any
from urllib import request
from urllib.error import URLError
from urllib.parse import urlsplit

import jwt

from tagwerk.accounts.gate import InvalidToken
from tagwerk.errors import ConfigurationError, Unavailable
from tagwerk.settings import Auth

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""What is signed with a key that only the provider has; never a shared secret, never nothing."""

_RSA = tuple(name for name in ALGORITHMS if name[:2] in ("RS", "PS"))
"""What a key of RSA is used with that does not say it; a curve belongs to one algorithm."""

LEEWAY = 60
"""Seconds by which clocks may differ."""

MAX_ANSWER = 256 * 1024
MAX_TOKEN = 16 * 1024
TIMEOUT = 5.0

FRESH_SECONDS = 3600
"""How long keys are used without asking for new ones."""

STALE_SECONDS = 24 * 3600
"""How long they are used when the provider does not answer."""

PAUSE_SECONDS = 30
"""How long nobody is asked again, whatever tokens come: their key ids are chosen by whoever sends them."""

_UNTOLD = (OSError, ValueError, TypeError, AttributeError, jwt.PyJWTError)

_LOGGER = logging.getLogger("tagwerk.accounts")

Fetch = Callable[[str], Mapping[str, Any]]


def verifier(auth: Auth) -> OidcVerifier | None:
    """What reads the tokens of the provider that [auth] names, if it names one.

    Raises:
        ConfigurationError: there is no audience, or the issuer is no URL that is asked.
    """
    if not auth.oidc_issuer:
        return None
    if not auth.oidc_audience:
        raise ConfigurationError("[auth] oidc_audience is empty; it has to say for whom tokens are made.")
    if not is_allowed(auth.oidc_issuer):
        raise ConfigurationError(f"[auth] oidc_issuer must be an https URL, not {auth.oidc_issuer!r}.")
    return OidcVerifier(auth.oidc_issuer, auth.oidc_audience, auth.oidc_user_claim)


class OidcVerifier:
    """Verifies tokens of one issuer for one audience.  Safe to use from many threads.

    One of them at a time asks the issuer; the others never wait for it, so that an issuer
    that hangs keeps nobody waiting who logs in otherwise.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        user_claim: str,
        *,
        fetch: Fetch | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer, self._audience, self._user_claim = issuer, audience, user_claim
        self._fetch = fetch or fetch_json
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, dict[str, jwt.PyJWK]] = {}
        self._fetched = self._asked = float("-inf")
        self._asking = False

    def user_of(self, token: str) -> str:
        """The user whom the token names.

        Raises:
            InvalidToken: it is not the issuer's, not for this audience, or too old.
            Unavailable: the issuer does not tell its keys, or is being asked for them.
        """
        if len(token) > MAX_TOKEN:
            raise InvalidToken("The token is too long.")
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError as error:
            raise InvalidToken("This is no token.") from error
        if header.get("alg") not in ALGORITHMS:
            raise InvalidToken("The token is signed in a way that is not accepted.")
        key = self._key(str(header.get("kid", "")), header["alg"])
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[header["alg"]],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise InvalidToken("The token has expired.") from error
        except (jwt.PyJWTError, TypeError, ValueError) as error:
            _LOGGER.info("A token was refused: %s", error)
            raise InvalidToken("The token is not good here.") from error
        user = claims.get(self._user_claim)
        if not isinstance(user, str) or not user:
            raise InvalidToken(f"The token has no {self._user_claim}.")
        return user

    def _key(self, kid: str, algorithm: str) -> jwt.PyJWK:
        if self._begins_to_ask(kid):
            self._renew()
        with self._lock:
            if not self._keys or self._clock() - self._fetched > STALE_SECONDS:
                raise Unavailable("The OpenID Connect provider cannot be reached.")
            found = self._find(kid)
            if found is None and self._asking:
                raise Unavailable("The OpenID Connect provider is being asked for new keys.")
        if found is None:
            raise InvalidToken("The token is signed with a key that its issuer does not have.")
        if algorithm not in found:
            raise InvalidToken("The token is signed in another way than the key is for.")
        return found[algorithm]

    def _begins_to_ask(self, kid: str) -> bool:
        """Whether it is this thread that asks for keys now."""
        with self._lock:
            now = self._clock()
            # A key that is not known may be a new one: providers rotate them.
            wanted = now - self._fetched > FRESH_SECONDS or self._find(kid) is None
            if not wanted or self._asking or now - self._asked <= PAUSE_SECONDS:
                return False
            self._asking, self._asked = True, now
            return True

    def _find(self, kid: str) -> dict[str, jwt.PyJWK] | None:
        """The key, for each algorithm with which it is used."""
        if not kid and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid)

    def ask(self) -> int:
        """How many keys the issuer tells that are understood.

        Raises:
            Unavailable: it does not tell them, with the reason.
        """
        try:
            found = self._keys_there()
        except _UNTOLD as error:
            raise Unavailable(f"The keys of {self._issuer} cannot be read: {error}.") from error
        if not found:
            raise Unavailable(f"None of the keys of {self._issuer} is understood.")
        return len(found)

    def _renew(self) -> None:
        found: dict[str, dict[str, jwt.PyJWK]] | None = None
        try:
            found = self._keys_there()
        except _UNTOLD as error:
            _LOGGER.warning("The keys of %s cannot be read: %s", self._issuer, error)
        finally:
            with self._lock:
                self._asking = False
                if found is not None:
                    self._keys, self._fetched = found, self._clock()

    def _keys_there(self) -> dict[str, dict[str, jwt.PyJWK]]:
        """What the issuer tells, by key id; raises what `_UNTOLD` holds."""
        place = self._issuer.rstrip("/") + "/.well-known/openid-configuration"
        discovered = self._fetch(place)
        if discovered.get("issuer") != self._issuer:
            raise ValueError(f"{place} is of the issuer {discovered.get('issuer')!r}")
        understood: dict[str, dict[str, jwt.PyJWK]] = {}
        for each in self._fetch(str(discovered.get("jwks_uri", ""))).get("keys", []):
            if found := self._understood(each):
                understood.setdefault(str(each.get("kid", "")), {}).update(found)
        return understood

    def _understood(self, key: Any) -> dict[str, jwt.PyJWK]:
        """A key for each algorithm with which it may be used; none for what is for something else, or not understood.

        Such keys are no reason to refuse the others (RFC 7517 5).
        """
        try:
            if key.get("use", "sig") != "sig" or "verify" not in key.get("key_ops", ["verify"]):
                return {}
            algorithms = [key["alg"]] if "alg" in key else _RSA if key.get("kty") == "RSA" else [None]
            made = [jwt.PyJWK(key, algorithm) for algorithm in algorithms if algorithm in (None, *ALGORITHMS)]
        except (ValueError, TypeError, AttributeError, KeyError, jwt.PyJWTError) as error:
            _LOGGER.info("A key of %s is not understood: %s", self._issuer, error)
            return {}
        return {each.algorithm_name: each for each in made if each.algorithm_name in ALGORITHMS}


class _NoRedirect(request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


def fetch_json(url: str) -> Mapping[str, Any]:
    """The JSON object at a URL.

    Raises:
        ValueError: it may not be asked, or is no object of a bearable size.
        OSError: it does not answer.
    """
    if not is_allowed(url):
        raise ValueError(f"{url[:200]!r} is not asked: only https, or this machine")
    # No proxies of the environment, and no schemes but these two.
    opener = request.build_opener(request.ProxyHandler({}), _NoRedirect())
    try:
        with opener.open(url, timeout=TIMEOUT) as answer:
            raw = answer.read(MAX_ANSWER + 1)
    except (URLError, HTTPException) as error:
        raise OSError(f"{url}: {error}") from error
    if len(raw) > MAX_ANSWER:
        raise ValueError(f"{url} answers with more than {MAX_ANSWER} bytes")
    found = json.loads(raw)
    if not isinstance(found, dict):
        raise ValueError(f"{url} is no JSON object")
    return found


def is_allowed(url: str) -> bool:
    """Whether a URL may be fetched: HTTPS, or HTTP on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https" and host:
        return True
    if parts.scheme != "http":
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
