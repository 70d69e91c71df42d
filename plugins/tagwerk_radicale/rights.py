"""`[rights] type = tagwerk_radicale.rights`: one's own home, what others share, and whom one acts for."""

from __future__ import annotations

from typing import Any

from radicale import pathutils
from radicale.config import Configuration
from radicale.rights import BaseRights

from tagwerk.model import Access, Kind
from tagwerk.store.access import delegated
from tagwerk.store.collections import find_binding
from tagwerk.store.engine import Transaction
from tagwerk.store.principals import principal_by_name
from tagwerk_radicale.engines import OPTIONS, database_of
from tagwerk_radicale.groups import Directory

PLUGIN_CONFIG_SCHEMA: dict[str, Any] = {"rights": dict(OPTIONS)}

_OVERWRITES = "o"
"""Prohibits to replace a whole collection by a PUT: it would take with it what a sharee does not see."""


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
        """Radicale's letters for what `user` may do with the collection at `path`; "" for nothing."""
        if not user:
            return ""
        self._directory.synchronize(user, user_groups)
        segments = pathutils.strip_path(path).split("/")
        if segments == [""]:
            return "R"
        if len(segments) > 2:
            return ""
        if segments == [user]:
            return self._home
        return self._database.remembered(
            (user, *segments), lambda txn: _letters(txn, user, segments[0], segments[1:])
        )


def _letters(txn: Transaction, user: str, home: str, names: list[str]) -> str:
    if home != user:
        access = _acts(txn, user, home)
        if access is None:
            return ""
        if not names:
            return "R"
        binding = find_binding(txn, home, names[0])
        if (
            binding is None
            or binding.access is not Access.OWNER
            or binding.collection.kind is not Kind.CALENDAR
        ):
            return ""
        return "rw" + _OVERWRITES + "d" if access.writes else "r"
    binding = find_binding(txn, home, names[0])
    if binding is None or binding.access is Access.OWNER:
        return "rw"
    return "rw" + _OVERWRITES if binding.access.writes else "r"


def _acts(txn: Transaction, user: str, home: str) -> Access | None:
    """What `user` may do for the owner of a home."""
    owner, delegate = principal_by_name(txn, home), principal_by_name(txn, user)
    return None if owner is None or delegate is None else delegated(txn, owner.id, delegate.id)
