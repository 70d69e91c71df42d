"""Password hashes: argon2id (RFC 9106), and the hashes that other servers left behind.

Passwords are compared as RFC 8265 4.2 (OpaqueString) says: every space is U+0020 and
the text is NFC, because the same umlaut leaves an iPhone and a Linux terminal as
different bytes.  Who imports hashes imports whatever was typed then, so what was given
is tried as well.
"""

from __future__ import annotations

import functools
import logging
import secrets
import unicodedata
from dataclasses import dataclass
from typing import Protocol, cast

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from tagwerk.errors import InvalidRequest
from tagwerk.settings import Auth

MAX_PASSWORD = 1024
"""Characters.  Nobody types more, and hashing costs time for each."""

_LOGGER = logging.getLogger("tagwerk.accounts")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one hash costs (RFC 9106 3.1); the default is the second recommended option of its section 4."""

    memory_kib: int = 64 * 1024
    passes: int = 3
    lanes: int = 4


DEFAULT_COST = Cost()


def cost_of(auth: Auth) -> Cost:
    """The cost that [auth] asks for."""
    return Cost(auth.argon2_memory // 1024, auth.argon2_passes, auth.argon2_lanes)


@functools.cache
def _hasher(cost: Cost) -> PasswordHasher:
    return PasswordHasher(time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=cost.lanes)


_FOREIGN = (
    "bcrypt",
    "sha512_crypt",
    "sha256_crypt",
    "pbkdf2_sha256",
    "pbkdf2_sha512",
    "pbkdf2_sha1",
    "apr_md5_crypt",
    "md5_crypt",
    "ldap_salted_sha1",
    "ldap_salted_sha256",
    "ldap_salted_sha512",
    "ldap_sha1",
)
"""What htpasswd files and directories hold.  Plain text and crypt(3)'s DES are not among them."""


_BCRYPT_BYTES = 72


class _Context(Protocol):
    """What is used of `passlib.context.CryptContext`."""

    def identify(self, hash: str) -> str | None: ...

    def verify(self, secret: str | bytes, hash: str) -> bool: ...


def hash_password(password: str, cost: Cost = DEFAULT_COST) -> str:
    """The argon2id hash of a password in the PHC string format, with a new salt.

    Raises:
        InvalidRequest: it is empty, too long, or holds control characters, which HTTP
            cannot carry (RFC 7617 2).
    """
    if not password:
        raise InvalidRequest("The password is empty.")
    if len(password) > MAX_PASSWORD:
        raise InvalidRequest(f"The password has {len(password)} characters; {MAX_PASSWORD} are allowed.")
    if not is_possible(password):
        raise InvalidRequest("A password cannot hold control characters.")
    return _hasher(cost).hash(prepare(password))


@functools.cache
def nobodys_hash(cost: Cost = DEFAULT_COST) -> str:
    """A hash of this cost that no password fits."""
    return _hasher(cost).hash(secrets.token_bytes(32))


def verify(hash: str, password: str) -> bool:
    """Whether `password` is the one that `hash` was made of; False for what no password can be."""
    if not is_possible(password):
        return False
    # Both are always tried: the time must not tell which one it was.
    found = [_verify(hash, candidate) for candidate in dict.fromkeys((prepare(password), password))]
    return any(found)


def needs_rehash(hash: str, cost: Cost = DEFAULT_COST) -> bool:
    """Whether the same password should be hashed again: it is foreign, or of another cost."""
    try:
        return _hasher(cost).check_needs_rehash(hash)
    except InvalidHashError:
        return True


def is_known(hash: str) -> bool:
    """Whether `verify` can say something about `hash`: for importing."""
    if hash.startswith("$argon2"):
        try:
            extract_parameters(hash)
        except InvalidHashError:
            return False
        return True
    context = _foreign()
    return context is not None and context.identify(hash) is not None


def is_possible(password: str) -> bool:
    """Whether a client could have sent this as a password."""
    if not 0 < len(password) <= MAX_PASSWORD:
        return False
    return not any(unicodedata.category(char) in ("Cc", "Cs") for char in password)


def prepare(password: str) -> str:
    """RFC 8265 4.2.2: spaces are U+0020, then NFC."""
    if password.isascii():
        return password
    spaces = "".join(" " if unicodedata.category(char) == "Zs" else char for char in password)
    return unicodedata.normalize("NFC", spaces)


def _verify(hash: str, password: str) -> bool:
    if hash.startswith("$argon2"):
        try:
            return _hasher(DEFAULT_COST).verify(hash, password)
        except VerifyMismatchError:
            return False
        except (InvalidHashError, VerificationError) as error:
            _LOGGER.error("A stored password hash is broken: %s", error)
            return False
    return _verify_foreign(hash, password)


def _verify_foreign(hash: str, password: str) -> bool:
    context = _foreign()
    scheme = None if context is None else context.identify(hash)
    if context is None or scheme is None:
        _LOGGER.error("A stored password hash is of a kind that cannot be verified here.")
        return False
    # bcrypt has always looked at so much; its library refuses more, which made hashes do without the rest.
    secret = password.encode()[:_BCRYPT_BYTES] if scheme == "bcrypt" else password
    try:
        return context.verify(secret, hash)
    except (ValueError, TypeError, RuntimeError, ImportError) as error:
        # A backend that is missing, or a password that the scheme cannot take.
        _LOGGER.error("A stored %s hash cannot be verified: %s", scheme, error)
        return False


@functools.cache
def _foreign() -> _Context | None:
    try:
        from passlib.context import CryptContext  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        return None
    return cast(_Context, CryptContext(schemes=list(_FOREIGN)))
