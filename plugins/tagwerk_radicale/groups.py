"""Groups that Radicale's LDAP and PAM backends report at a login, as groups of ours.

The directory is right about who is in them; what is shared with them is ours.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from tagwerk.model import PrincipalId
from tagwerk.sharing import groups
from tagwerk.sharing.shares import By, log
from tagwerk.store import Engine
from tagwerk.store.engine import Transaction, run
from tagwerk.store.principals import groups_from, principal_by_name

SOURCES = ("ldap", "pam")
"""The types of [auth] that report groups."""


class Directory:
    """The groups of one directory.  Safe to use from many threads, and beside other processes."""

    def __init__(self, engine: Engine, source: str) -> None:
        self._engine = engine
        self._source = source if source in SOURCES else ""
        self._settled: dict[PrincipalId, tuple[frozenset[str], frozenset[str]]] = {}

    def synchronize(self, user: str, reported: Iterable[str]) -> None:
        """Put `user` into exactly the groups that were reported, if the backend reports any at all."""
        if not self._source or not user:
            return
        wanted = frozenset(filter(None, map(str, reported)))
        with self._engine.read() as txn:
            member = principal_by_name(txn, user)
            if member is None or member.kind != "person":
                return  # They get a home first, and come again with the next request.
            has = frozenset(group.name for group in groups_from(txn, member.id, self._source))
        # Names that were passed over are tried again only after a change.
        if has == wanted or self._settled.get(member.id) == (wanted, has):
            return
        by, possible = By(self._source, int(time.time())), self._possible(wanted)

        def work(txn: Transaction) -> frozenset[str]:
            groups.synchronize(txn, member, possible, source=self._source, by=by)
            return frozenset(group.name for group in groups_from(txn, member.id, self._source))

        self._settled[member.id] = (wanted, run(self._engine, work))

    def _possible(self, names: frozenset[str]) -> frozenset[str]:
        """Without the groups that a system makes for its users alone: their names are those of the users."""
        if self._source != "pam":
            return names
        accounts = frozenset(filter(_is_account, names))
        if accounts:
            passed = ", ".join(sorted(accounts))
            log.info("The groups %s of pam are passed over: users of this system have these names.", passed)
        return names - accounts


def _is_account(name: str) -> bool:
    import pwd  # Only where there is PAM.

    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
