"""Wrong passwords have a price: counted by address and name, in the database, for all processes.

Never by name alone: whoever hammers at somebody's name locks out nobody but themselves.
Who shares an address with them (a household, a company, customers of one provider) is not
locked out by what they try with other names: an account that has logged in from there
before is bounded by its own wrong passwords only.  What is known to be right is let in all
the same (see `login`), and a device that repeats one old password counts once.
"""

from __future__ import annotations

import ipaddress
import logging
import threading
import unicodedata
from dataclasses import dataclass
from hashlib import sha256

from tagwerk.accounts.background import Background
from tagwerk.errors import TagwerkError, TooManyAttempts
from tagwerk.store import Engine
from tagwerk.store.engine import Transaction, run
from tagwerk.store.login_failures import EVERY_ACCOUNT, count_failure, failures, forget_failures
from tagwerk.store.login_places import last_login, remember_login

DAY = 24 * 60 * 60

PLACE_SECONDS = 60 * DAY
"""How long it is known that somebody logged in from an address; it is written down anew once a day."""

MAX_TOLD = 100_000

_HERE = "::/64"
"""The key of ::1."""

_LOGGER = logging.getLogger("tagwerk.accounts")


@dataclass(frozen=True, slots=True)
class Limits:
    """Failures in `seconds` for one name at one address, and for all names there; 0 for no limit."""

    failures: int = 10
    address_failures: int = 50
    seconds: int = 900


class Throttle:
    """Counts failed logins in one database.  Safe to use from many threads."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self._engine, self._limits = engine, limits
        self._lock = threading.Lock()
        self._told: dict[tuple[str, str], int] = {}
        self._background = Background("places")

    def check(self, address: str, name: str, *, now: int) -> TooManyAttempts | None:
        """Let an attempt be looked at, or not.

        What is returned is the answer to a wrong password from an address that has failed too
        often, if the name has logged in from there: the answer to every other name, so
        that nobody learns which are known.

        Raises:
            TooManyAttempts: the address has failed too often, with this name or altogether.
        """
        limits = self._limits
        if not address or not (limits.failures or limits.address_failures):
            return None
        place, account = address_key(address), account_key(name)
        since = now - limits.seconds
        with self._engine.read() as txn:
            counted = failures(txn, place, (account, EVERY_ACCOUNT), after=since)
            number, began = counted.get(account, (0, 0))
            alone = bool(limits.failures) and number >= limits.failures
            number, all_began = counted.get(EVERY_ACCOUNT, (0, 0))
            together = bool(limits.address_failures) and number >= limits.address_failures
            together = together and not _is_everybodys(place)
            seen = last_login(txn, place, account) if together and not alone else None
        if not (alone or together):
            return None
        # The time of the address where there is one: that of a name would tell which are counted still.
        answer = TooManyAttempts(
            "Too many wrong passwords came from this address; try again later.",
            retry_after=max(1, (all_began if together else began) + limits.seconds - now),
        )
        if alone or seen is None or seen <= now - PLACE_SECONDS:
            raise answer
        return answer

    def failed(self, address: str, name: str, *, now: int) -> None:
        """Count a wrong password."""
        if not address or not (self._limits.failures or self._limits.address_failures):
            return
        after = now - self._limits.seconds

        def count(txn: Transaction) -> None:
            for account in (account_key(name), EVERY_ACCOUNT):
                count_failure(txn, address_key(address), account, now=now, after=after)

        try:
            run(self._engine, count)
        except TagwerkError as error:
            _LOGGER.warning("A failed login was not counted: %s", error)

    def succeeded(self, address: str, name: str, *, now: int) -> None:
        """Forget the wrong passwords of somebody who found the right one; those for other names stay.

        That they logged in from there is written down soon.
        """
        if not address or not (self._limits.failures or self._limits.address_failures):
            return
        place, account = address_key(address), account_key(name)
        with self._engine.read() as txn:
            failed = account in failures(txn, place, (account,), after=now - self._limits.seconds)
            seen = last_login(txn, place, account)
        if failed:
            try:
                run(self._engine, lambda txn: forget_failures(txn, place, account))
            except TagwerkError as error:
                _LOGGER.warning("Failed logins were not forgotten: %s", error)
        if seen is None or seen <= now - DAY:
            self._remember(place, account, now)

    def close(self) -> None:
        """Write what is still to be noted; nothing can be noted afterwards."""
        self._background.close()

    def _remember(self, place: str, account: str, now: int) -> None:
        with self._lock:
            told = self._told.get((place, account))
            if told is not None and told > now - DAY:
                return
            if len(self._told) >= MAX_TOLD:
                self._told.clear()
            self._told[place, account] = now
        self._background.do(lambda: self._write(place, account, now), what="The place of a login")

    def _write(self, place: str, account: str, now: int) -> None:
        try:
            run(self._engine, lambda txn: remember_login(txn, place, account, now=now))
        except TagwerkError:
            with self._lock:
                self._told.pop((place, account), None)
            raise


def _is_everybodys(place: str) -> bool:
    """Whether it is this machine: behind a proxy that does not say for whom it asks, that is everybody."""
    return place == _HERE or place.startswith("127.")


def address_key(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 that one line of an IPv6 provider has."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def account_key(name: str) -> str:
    """A hash of what was typed as a name: at times it is a password."""
    folded = unicodedata.normalize("NFC", name).casefold()
    return sha256(folded.encode("utf-8", "surrogatepass")).hexdigest()[:32]
