"""`[rights] type = tagwerk_radicale.rights`: one's own home, what others share, and whom one acts for.

Radicale knows one letter for writing, and asks for it of a whole collection.  So it lets
through whatever somebody may do in a share, if only to leave it or to have a colour and
alarms of their own; what they may change there is decided by the storage.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from radicale import pathutils
from radicale.config import Configuration
from radicale.log import logger
from radicale.rights import BaseRights

from tagwerk.model import Access, Principal, PrincipalId
from tagwerk.store.collections import bindings_of, find_binding_of
from tagwerk.store.engine import Transaction
from tagwerk.store.principals import delegators_of, principal_by_name
from tagwerk_radicale.engines import OPTIONS, database_of
from tagwerk_radicale.groups import Directory

Answer = TypeVar("Answer")

PLUGIN_CONFIG_SCHEMA: dict[str, Any] = {"rights": dict(OPTIONS)}

_SHARE = "rwoD"
"""Can always be left; never replaced by a PUT, which would take with it what a sharee does not see."""

_AS_DELEGATE = "rwodl"
"""The objects only: neither the collection nor its properties."""


class Rights(BaseRights):
    """What `tagwerk serve` allows, as far as Radicale can say it."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration.copy(PLUGIN_CONFIG_SCHEMA))
        self._database = database_of(self.configuration, "rights", "storage")
        self._directory = Directory(self._database.engine, configuration.get("auth", "type"))
        # "D" is the permission to delete a collection where that is not permitted by
        # default, and on a home, where it is, it is the prohibition (app/delete.py).
        permit = configuration.get("rights", "permit_delete_collection")
        self._home = "RWD" if permit else "RW"

    def authorization(self, user: str, user_groups: set[str], path: str) -> str:
        """Radicale's letters for what `user` may do with the collection at `path`; "" for nothing.

        Inside a lock for reading it is asked what to show: there only those write who may
        change the objects.
        """
        if not user:
            return ""
        # For the destination of a MOVE Radicale asks once more, without the groups.
        if self._database.asks_anew():
            self._directory.synchronize(user, user_groups)
        segments = pathutils.strip_path(path).split("/")
        return self._database.remembered(
            (user, *segments), lambda txn: self._letters(txn, user, segments[0], segments[1:])
        )

    def _letters(self, txn: Transaction, user: str, home: str, names: list[str]) -> str:
        known = self._once(txn, ("user", user), lambda txn: principal_by_name(txn, user))
        if known is not None and not _is_user(known):
            return ""
        if not home:
            return "R"
        if len(names) > 1:
            return ""
        if home != user:
            return self._as_delegate(txn, known, home, names) if known else ""
        if not names:
            return self._home
        access = self._access(txn, known.id, names[0]) if known else None
        if access is None or access is Access.OWNER:
            return "rw"
        return _SHARE if access.writes or not self._database.shows else "r"

    def _access(self, txn: Transaction, user: PrincipalId, name: str) -> Access | None:
        if not self._database.shows:
            binding = find_binding_of(txn, user, name)
            return binding.access if binding else None
        # Of the whole home at once: Radicale asks for every collection in it.
        found = self._once(
            txn,
            ("home", user),
            lambda txn: {one.name: one.access for one in bindings_of(txn, user, notifications=True)},
        )
        return found.get(name)

    def _as_delegate(self, txn: Transaction, user: Principal, home: str, names: list[str]) -> str:
        """What is in the home of somebody for whom one acts is found, or not, by the storage."""
        owners = self._once(
            txn,
            ("delegators", user.id),
            lambda txn: {owner.name: access for owner, access in delegators_of(txn, user.id)},
        )
        if home not in owners:
            return ""
        if not names:
            return "R"
        return _AS_DELEGATE if owners[home].writes or not self._database.shows else "r"

    def _once(self, txn: Transaction, key: object, ask: Callable[[Transaction], Answer]) -> Answer:
        """What is asked for one collection after another, asked once a lock."""
        return self._database.remembered(key, ask) if self._database.shows else ask(txn)


def _is_user(principal: Principal) -> bool:
    """Whether somebody whom another authority let in is a user of ours."""
    if principal.kind != "person":
        logger.warning("%r may not use this server: it is the name of a %s.", principal.name, principal.kind)
    return principal.kind == "person" and principal.state == "active"
