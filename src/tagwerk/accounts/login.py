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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b

from tagwerk.accounts import app_passwords, passwords
from tagwerk.accounts.passwords import DEFAULT_COST, Cost
from tagwerk.accounts.throttle import Limits, Throttle, address_key
from tagwerk.accounts.usage import Usage
from tagwerk.errors import TagwerkError, Unavailable
from tagwerk.model import Login, Rights
from tagwerk.store import credentials
from tagwerk.store.credentials import APP_PASSWORD, PASSWORD, Credential
from tagwerk.store.engine import Engine, run

MAX_NAME = 255
"""Characters of a user name that are looked at."""

CACHE_ENTRIES = 10_000
"""Verdicts remembered in each cache, about 200 bytes each."""

REFUSED_SECONDS = 60
"""How long a wrong password is known to be wrong: clients repeat it every minute for days."""

COUNTED_SECONDS = 3600
"""How long the same wrong password from the same address is not counted again."""

NO_LIMITS = Limits(0, 0)

BACKEND = "backend"
"""How somebody logged in whom another authority let in."""

PROVEN_SECONDS = 60 * 24 * 3600
"""How long it is known that a password was right, so that nobody else's guesses keep it out; it is verified again."""

COMPUTATIONS = 2
"""Hashes computed at the same time; each takes 64 MiB."""

PENDING = 12
"""Different logins that are verified or wait for it: the server has more threads, for those who are known.

One address has at most half of what the others leave, so that there is a place for another one.
"""

WAIT_SECONDS = 20.0
"""How long somebody waits for one of them."""

_LOGGER = logging.getLogger("tagwerk.accounts")


Backend = Callable[[str, str, str], tuple[str, frozenset[str]]]
"""Another authority: name, password and address in, the name of the user or "" and their groups out."""


class Authenticator:
    """Verifies logins against one database, and whom it does not know against `backend`, if there is one.

    Safe to use from many threads.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        cache_seconds: int = 300,
        cache_entries: int = CACHE_ENTRIES,
        computations: int = COMPUTATIONS,
        cost: Cost = DEFAULT_COST,
        limits: Limits = NO_LIMITS,
        app_passwords_only: bool = False,
        backend: Backend | None = None,
    ) -> None:
        self._engine = engine
        self._secret = secrets.token_bytes(32)
        self._accepted = _Memory(cache_seconds, cache_entries)
        self._proven = _Memory(PROVEN_SECONDS if cache_seconds > 0 else 0, cache_entries)
        self._refused = _Memory(min(cache_seconds, REFUSED_SECONDS), cache_entries)
        self._counted = _Memory(COUNTED_SECONDS, cache_entries)
        self._slots = threading.BoundedSemaphore(computations)
        self._pending: Counter[tuple[str, bytes]] = Counter()
        self._pending_lock = threading.Lock()
        self._cost = cost
        self._throttle = Throttle(engine, limits)
        self._app_passwords_only = app_passwords_only
        self._backend = backend
        self._usage = Usage(engine)
        # An unknown name is compared with it, and what is not like it, so that all take as long.
        self._nobody = passwords.nobodys_hash(cost)

    def close(self) -> None:
        """Write what is still to be noted."""
        self._usage.close()
        self._throttle.close()

    def login(self, name: str, password: str) -> str | None:
        """The name of the principal who logs in so, as it is stored, or None; as `authenticate`."""
        found = self.authenticate(name, password)
        return None if found is None else found.name

    def authenticate(self, name: str, password: str, *, address: str = "", client: str = "") -> Login | None:
        """Who logs in so, or None.

        The name counts as given, or else as NFC.  The cost is one indexed SELECT for
        what is remembered and for app passwords.  Failures are counted where there is an
        address; neither an app password nor a password that was right before is ever throttled.

        Raises:
            Unavailable: so many logins are being verified that this one had to give up.
            TooManyAttempts: the address has guessed too often, and the password is not known to be right.
        """
        if not _is_possible(name) or not passwords.is_possible(password):
            return None
        now = int(time.time())
        found, known = self._find(name)
        usable = [one for one in known if one.expires is None or one.expires > now]
        for credential in usable:
            if self._is_right(credential, found, password):
                self._usage.note(credential, now=now, address=address, client=client)
                return Login(found, Rights(credential.rights), credential.kind, credential.label)
        if self._backend is not None and self._accepted.holds(self._key(BACKEND, found, password)):
            return self._ask_backend(found, password, address)
        too_many = None
        if not self._was_right(usable, found, password):
            too_many = self._throttle.check(address, found, now=now)
        login = self._prove(usable, found, password, address)
        if login is None:
            # Who is unknown may be a password in the wrong field.
            who = repr(found) if known else "an unknown name"
            self._count(address, found, password, now=now, who=who)
            if too_many is not None:
                raise too_many
            return None
        self._throttle.succeeded(address, found, now=now)
        return login

    def _is_right(self, credential: Credential, name: str, password: str) -> bool:
        """Whether it is known without an expensive computation that the password fits."""
        if credential.kind == APP_PASSWORD:
            return app_passwords.is_app_password(password) and app_passwords.matches(
                credential.hash, password
            )
        if self._app_passwords_only or credential.kind != PASSWORD:
            return False
        return self._accepted.holds(self._key(credential.hash, name, password))

    def _was_right(self, usable: list[Credential], name: str, password: str) -> bool:
        """Whether the password is one that was right, and nothing was changed since, at whatever address.

        A password of another authority may have been changed there; one that is right no more is one guess.
        """
        if self._app_passwords_only:
            return False
        hashes = (
            [BACKEND]
            if self._backend is not None
            else [each.hash for each in usable if each.kind == PASSWORD]
        )
        return any(self._proven.holds(self._key(hash, name, password)) for hash in hashes)

    def _prove(self, usable: list[Credential], name: str, password: str, address: str) -> Login | None:
        if self._app_passwords_only:
            return None
        if self._backend is not None:
            return self._ask_backend(name, password, address)
        own = [credential for credential in usable if credential.kind == PASSWORD]
        if not own:
            self._verify(self._nobody, name, password, address)
            return None
        for credential in own:
            if self._verify(credential.hash, name, password, address):
                self._renew(credential, name, password)
                return Login(name, Rights(credential.rights), credential.kind)
        return None

    def verifies(self, hash: str, subject: str, password: str, *, address: str = "") -> bool:
        """Whether `password` is the one of `hash`, which is that of `subject`, say of a link.

        Failures are counted and logged as those of a login.

        Raises:
            Unavailable, TooManyAttempts: as `authenticate`.
        """
        if not passwords.is_possible(password):
            return False
        key = self._key(hash, subject, password)
        if self._accepted.holds(key):
            return True
        now = int(time.time())
        too_many = None
        if not self._proven.holds(key):
            too_many = self._throttle.check(address, subject, now=now)
        if not self._verify(hash, subject, password, address):
            self._count(address, subject, password, now=now, who=subject)
            if too_many is not None:
                raise too_many
            return False
        self._throttle.succeeded(address, subject, now=now)
        return True

    def _ask_backend(self, name: str, password: str, address: str) -> Login | None:
        assert self._backend is not None
        found, groups = self._backend(name, password, address)
        if not found:
            return None
        self._accept(self._key(BACKEND, name, password))
        return Login(found, how=BACKEND, groups=groups)

    def _accept(self, key: bytes) -> None:
        self._accepted.add(key)
        self._proven.add(key)

    def _count(self, address: str, name: str, password: str, *, now: int, who: str) -> None:
        """Count and log a failure, but not the same one again: clients repeat an old password for days."""
        key = self._key("", name, f"{address} {password}")
        if not address or self._counted.holds(key):
            return
        self._counted.add(key)
        self._throttle.failed(address, name, now=now)
        _LOGGER.warning("Login failed from %s for %s", address, who)

    def _find(self, name: str) -> tuple[str, list[Credential]]:
        names = dict.fromkeys((name, unicodedata.normalize("NFC", name)))
        with self._engine.glance() as txn:
            for candidate in names:
                if known := credentials.credentials_of(txn, candidate):
                    return candidate, known
        return name, []

    def _verify(self, hash: str, name: str, password: str, address: str) -> bool:
        key = self._key(hash, name, password)
        if self._refused.holds(key):
            return False
        with self._one_of_few(key, address), self._computation():
            # Several requests of one client begin together; the first has the answer for all.
            if self._accepted.holds(key):
                return True
            if self._refused.holds(key):
                return False
            verified = passwords.verify(hash, password)
            if not verified and passwords.needs_rehash(hash, self._cost):
                # A hash of another kind or cost takes another time, which would tell who has one.
                passwords.verify(self._nobody, password)
        if verified:
            self._accept(key)
        else:
            self._refused.add(key)
        return verified

    @contextmanager
    def _one_of_few(self, key: bytes, address: str) -> Iterator[None]:
        """Somebody who guesses passwords must not take every thread; requests of one login count once.

        Whose password was right before waits with the others, and needs no place.
        """
        if self._proven.holds(key):
            yield
            return
        place = address_key(address), key
        with self._pending_lock:
            if place not in self._pending:
                theirs = sum(1 for where, _ in self._pending if where == place[0])
                left = PENDING - (len(self._pending) - theirs)
                if theirs >= (left if not address else (left + 1) // 2):
                    raise Unavailable("Too many passwords are being verified; try again in a moment.")
            self._pending[place] += 1
        try:
            yield
        finally:
            with self._pending_lock:
                self._pending[place] -= 1
                if not self._pending[place]:
                    del self._pending[place]

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
        if not passwords.needs_rehash(credential.hash, self._cost):
            return
        with self._computation():
            renewed = passwords.hash_password(password, self._cost)
        try:
            run(
                self._engine,
                lambda txn: credentials.replace_hash(txn, credential.id, old=credential.hash, new=renewed),
            )
        except TagwerkError as error:
            _LOGGER.warning("The password hash of %r was not renewed: %s", name, error)
            return
        self._accept(self._key(renewed, name, password))

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
