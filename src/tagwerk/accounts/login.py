"""Who somebody is: a name and a password against what the store knows, cheap enough for every request.

HTTP Basic sends the password with each request (RFC 7617 2) and argon2 is slow on
purpose, so what was verified is remembered.  The memory's key contains the stored
hash, and the stored hash is read each time: a changed password, an expired credential
or a removed user is refused at once, in every process, and nothing has to be told.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
import unicodedata
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

from tagwerk.accounts import passwords
from tagwerk.errors import TagwerkError, Unavailable
from tagwerk.store import credentials
from tagwerk.store.credentials import Credential
from tagwerk.store.engine import Engine

MAX_NAME = 255
"""Characters of a user name that are looked at."""

CACHE_ENTRIES = 10_000
"""Verdicts remembered in each cache, about 200 bytes each."""

REFUSED_SECONDS = 60
"""How long a wrong password is known to be wrong: clients repeat it every minute for days."""

COMPUTATIONS = 2
"""Hashes computed at the same time; each takes 64 MiB."""

PENDING = 12
"""Different logins that are verified or wait for it: the server has more threads, for those who are known."""

WAIT_SECONDS = 20.0
"""How long somebody waits for one of them."""

_LOGGER = logging.getLogger("tagwerk.accounts")


class Authenticator:
    """Verifies logins against one database.  Safe to use from many threads."""

    def __init__(
        self,
        engine: Engine,
        *,
        cache_seconds: int = 300,
        cache_entries: int = CACHE_ENTRIES,
        computations: int = COMPUTATIONS,
    ) -> None:
        self._engine = engine
        self._secret = secrets.token_bytes(32)
        self._accepted = _Memory(cache_seconds, cache_entries)
        self._refused = _Memory(min(cache_seconds, REFUSED_SECONDS), cache_entries)
        self._slots = threading.BoundedSemaphore(computations)
        self._pending: Counter[bytes] = Counter()
        self._pending_lock = threading.Lock()
        # An unknown name is compared with it and takes as long as a wrong password.
        self._nobody = passwords.nobodys_hash()

    def login(self, name: str, password: str) -> str | None:
        """The name of the principal who logs in so, as it is stored, or None.

        The name counts as given, or else as NFC.  The cost is one indexed SELECT for
        what is remembered.

        Raises:
            Unavailable: so many logins are being verified that this one had to give up.
        """
        if not _is_possible(name) or not passwords.is_possible(password):
            return None
        found, known = self._find(name)
        now = int(time.time())
        usable = [one for one in known if one.expires is None or one.expires > now]
        for credential in usable:
            if self._accepted.holds(self._key(credential.hash, found, password)):
                return found
        if not usable:
            self._verify(self._nobody, found, password)
            return None
        for credential in usable:
            if self._verify(credential.hash, found, password):
                self._renew(credential, found, password)
                return found
        return None

    def verifies(self, hash: str, subject: str, password: str) -> bool:
        """Whether `password` is the one of `hash`, which is that of `subject`, say of a link.

        Raises:
            Unavailable: as `login`.
        """
        if not passwords.is_possible(password):
            return False
        key = self._key(hash, subject, password)
        return self._accepted.holds(key) or self._verify(hash, subject, password)

    def _find(self, name: str) -> tuple[str, list[Credential]]:
        names = dict.fromkeys((name, unicodedata.normalize("NFC", name)))
        with self._engine.glance() as txn:
            for candidate in names:
                if known := credentials.credentials_of(txn, candidate):
                    return candidate, known
        return name, []

    def _verify(self, hash: str, name: str, password: str) -> bool:
        key = self._key(hash, name, password)
        if self._refused.holds(key):
            return False
        with self._one_of_few(key), self._computation():
            # Several requests of one client begin together; the first has the answer for all.
            if self._accepted.holds(key):
                return True
            if self._refused.holds(key):
                return False
            verified = passwords.verify(hash, password)
        (self._accepted if verified else self._refused).add(key)
        return verified

    @contextmanager
    def _one_of_few(self, key: bytes) -> Iterator[None]:
        """Somebody who guesses passwords must not take every thread; requests of one login count once."""
        with self._pending_lock:
            if key not in self._pending and len(self._pending) >= PENDING:
                raise Unavailable("Too many passwords are being verified; try again in a moment.")
            self._pending[key] += 1
        try:
            yield
        finally:
            with self._pending_lock:
                self._pending[key] -= 1
                if not self._pending[key]:
                    del self._pending[key]

    @contextmanager
    def _computation(self) -> Iterator[None]:
        if not self._slots.acquire(timeout=WAIT_SECONDS):
            raise Unavailable("Too many passwords are being verified; try again in a moment.")
        try:
            yield
        finally:
            self._slots.release()

    def _renew(self, credential: Credential, name: str, password: str) -> None:
        """Store the hash anew if its parameters are not today's; the login counts in any case."""
        if not passwords.needs_rehash(credential.hash):
            return
        with self._computation():
            renewed = passwords.hash_password(password)
        try:
            with self._engine.write() as txn:
                credentials.replace_hash(txn, credential.id, old=credential.hash, new=renewed)
        except TagwerkError as error:
            _LOGGER.warning("The password hash of %r was not renewed: %s", name, error)
            return
        self._accepted.add(self._key(renewed, name, password))

    def _key(self, hash: str, name: str, password: str) -> bytes:
        digest = blake2b(key=self._secret, digest_size=32)
        for part in (hash, name, password):
            raw = part.encode("utf-8", "surrogatepass")
            digest.update(len(raw).to_bytes(8, "little") + raw)
        return digest.digest()


class _Memory:
    """Keys that are remembered for `seconds`, at most `entries` of them, the oldest forgotten first."""

    def __init__(self, seconds: float, entries: int) -> None:
        self._seconds = seconds
        self._entries = entries
        self._until: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def holds(self, key: bytes) -> bool:
        with self._lock:
            until = self._until.get(key)
            if until is None:
                return False
            if until > time.monotonic():
                return True
            del self._until[key]
            return False

    def add(self, key: bytes) -> None:
        if self._seconds <= 0:
            return
        with self._lock:
            self._until.pop(key, None)
            self._until[key] = time.monotonic() + self._seconds
            while len(self._until) > self._entries:
                self._until.popitem(last=False)


def _is_possible(name: str) -> bool:
    if not 0 < len(name) <= MAX_NAME:
        return False
    return not any(unicodedata.category(char) in ("Cc", "Cs") for char in name)
