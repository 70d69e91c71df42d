"""Groups that Radicale's LDAP and PAM backends report at a login, as groups of ours.

The directory is right about who is in them; what is shared with them is ours.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

from tagwerk.sharing import groups
from tagwerk.sharing.shares import By
from tagwerk.store import Engine
from tagwerk.store.principals import groups_from, principal_by_name

SOURCES = ("ldap", "pam")
"""The types of [auth] that report groups."""


class Directory:
    """What was reported, so that only a change costs a transaction.  Safe to use from many threads."""

    def __init__(self, engine: Engine, source: str) -> None:
        self._engine = engine
        self._source = source if source in SOURCES else ""
        self._seen: dict[str, frozenset[str]] = {}
        self._lock = threading.Lock()

    def synchronize(self, user: str, reported: Iterable[str]) -> None:
        """Put `user` into exactly the groups that were reported, if the backend reports any at all."""
        if not self._source or not user:
            return
        wanted = frozenset(filter(None, map(str, reported)))
        with self._lock:
            if self._seen.get(user) == wanted:
                return
        with self._engine.read() as txn:
            member = principal_by_name(txn, user)
            known = (
                None
                if member is None
                else frozenset(group.name for group in groups_from(txn, member.id, self._source))
            )
        if member is None:
            return  # They get a home first, and come again with the next request.
        if known != wanted:
            with self._engine.write() as txn:
                by = By(self._source, int(time.time()))
                groups.synchronize(txn, member, wanted, source=self._source, by=by)
        with self._lock:
            self._seen[user] = wanted
