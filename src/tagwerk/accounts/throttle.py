"""Wrong passwords have a price: counted by address and name, in the database, for all processes.

Never by name alone: whoever hammers at somebody's name locks out nobody but themselves.
What is known to be right is let in all the same (see `gate`), and a device that
repeats one old password counts once, so that it does not lock out a household.
"""

from __future__ import annotations

import ipaddress
import logging
import unicodedata
from dataclasses import dataclass
from hashlib import sha256

from tagwerk.errors import TagwerkError, TooManyAttempts
from tagwerk.store import Engine
from tagwerk.store.engine import Transaction, run
from tagwerk.store.login_failures import EVERY_ACCOUNT, count_failure, failures, forget_failures

_LOGGER = logging.getLogger("tagwerk.accounts")


@dataclass(frozen=True, slots=True)
class Limits:
    """Failures in `seconds` for one name at one address, and for all names there; 0 for no limit."""

    failures: int = 10
    address_failures: int = 50
    seconds: int = 900


class Throttle:
    """Counts failed logins in one database."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self._engine, self._limits = engine, limits

    def check(self, address: str, name: str, *, now: int) -> None:
        """Let an attempt be looked at, or not.

        Raises:
            TooManyAttempts: the address has failed too often, with this name or altogether.
        """
        limits = self._limits
        if not address or not (limits.failures or limits.address_failures):
            return
        account = account_key(name)
        with self._engine.read() as txn:
            counted = failures(
                txn, address_key(address), (account, EVERY_ACCOUNT), after=now - limits.seconds
            )
        waits = [
            since + limits.seconds - now
            for key, limit in ((account, limits.failures), (EVERY_ACCOUNT, limits.address_failures))
            for number, since in [counted.get(key, (0, 0))]
            if limit and number >= limit
        ]
        if waits:
            raise TooManyAttempts(
                "Too many wrong passwords came from this address; try again later.",
                retry_after=max(1, *waits),
            )

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
        """Forget the wrong passwords of somebody who found the right one; those for other names stay."""
        if not address or not self._limits.failures:
            return
        account = account_key(name)
        with self._engine.read() as txn:
            if not failures(txn, address_key(address), (account,), after=now - self._limits.seconds):
                return
        try:
            run(self._engine, lambda txn: forget_failures(txn, address_key(address), account))
        except TagwerkError as error:
            _LOGGER.warning("Failed logins were not forgotten: %s", error)


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
