"""Principals: the people, groups, rooms and resources (RFC 3744 2)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from tagwerk.errors import Conflict, InvalidRequest, NotFound
from tagwerk.model import Principal, PrincipalId
from tagwerk.store.engine import Row, Transaction, new_id

_COLUMNS = "id, name, kind, display_name, addresses, state, created, quota"
_P_COLUMNS = ", ".join(f"p.{column}" for column in _COLUMNS.split(", "))
RESERVED = "-"
"""What begins the paths that belong to the server itself."""

_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f/\\:'\"*?,<>|%#\s.][^\x00-\x1f\x7f-\x9f/\\:'\"*?,<>|%#\s]{0,127}")


def add_principal(
    txn: Transaction,
    name: str,
    *,
    now: int,
    kind: str = "person",
    display_name: str = "",
    addresses: tuple[str, ...] = (),
) -> Principal:
    """Create a principal; the name is its place in every URL.

    Raises:
        InvalidRequest: the name cannot stand in a URL path, or has over 128 characters.
        Conflict: somebody has that name.
    """
    if not _NAME.fullmatch(name) or name == RESERVED:
        raise InvalidRequest(
            f"{name!r} cannot be a user name: use letters, digits, '-', '_', '.' and '@',"
            " at most 128, and do not begin with a dot."
        )
    if principal_by_name(txn, name) is not None:
        raise Conflict(f"There is a user {name!r} already.")
    principal = Principal(PrincipalId(new_id()), name, kind, display_name or name, addresses, "active", now)
    txn.execute(
        f"INSERT INTO principal ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
        (principal.id, name, kind, principal.display_name, json.dumps(addresses), "active", now),
    )
    return principal


def principal_by_name(txn: Transaction, name: str) -> Principal | None:
    """The principal called `name`, exactly."""
    row = txn.row(f"SELECT {_COLUMNS} FROM principal WHERE name = ?", (name,))
    return None if row is None else _principal(row)


def principal_by_id(txn: Transaction, principal: PrincipalId) -> Principal | None:
    """The principal with this id."""
    row = txn.row(f"SELECT {_COLUMNS} FROM principal WHERE id = ?", (principal,))
    return None if row is None else _principal(row)


def principals(txn: Transaction) -> Iterator[Principal]:
    """Everybody, by name."""
    return map(_principal, txn.rows(f"SELECT {_COLUMNS} FROM principal ORDER BY name"))


def update_principal(
    txn: Transaction, principal: PrincipalId, *, display_name: str, addresses: tuple[str, ...]
) -> None:
    """Change what others see of a principal."""
    changed = txn.execute(
        "UPDATE principal SET display_name = ?, addresses = ? WHERE id = ?",
        (display_name, json.dumps(addresses), principal),
    )
    if not changed:
        raise NotFound("There is no such user.")


def set_quota(txn: Transaction, principal: PrincipalId, quota: int | None) -> None:
    """Bytes that the objects of a principal may take; 0 for no limit, None for the server's default."""
    if not txn.execute("UPDATE principal SET quota = ? WHERE id = ?", (quota, principal)):
        raise NotFound("There is no such user.")


def set_state(txn: Transaction, principal: PrincipalId, state: str) -> None:
    """Make a principal ``active`` or ``disabled``."""
    if not txn.execute("UPDATE principal SET state = ? WHERE id = ?", (state, principal)):
        raise NotFound("There is no such user.")


def used_bytes(txn: Transaction, principal: PrincipalId) -> int:
    """The size of everything in the collections that a principal owns (RFC 4331 4)."""
    row = txn.row("SELECT COALESCE(SUM(bytes), 0) FROM collection WHERE owner_id = ?", (principal,))
    return int(row[0]) if row else 0


def groups_of(txn: Transaction, principal: PrincipalId) -> list[Principal]:
    """The groups that a principal is a direct member of, by name."""
    return [
        _principal(row)
        for row in txn.rows(
            f"SELECT {_P_COLUMNS} FROM principal p JOIN membership m ON m.group_id = p.id"
            " WHERE m.member_id = ? ORDER BY p.name",
            (principal,),
        )
    ]


def members_of(txn: Transaction, group: PrincipalId) -> list[Principal]:
    """The direct members of a group, by name."""
    return [
        _principal(row)
        for row in txn.rows(
            f"SELECT {_P_COLUMNS} FROM principal p JOIN membership m ON m.member_id = p.id"
            " WHERE m.group_id = ? ORDER BY p.name",
            (group,),
        )
    ]


def share_a_group(txn: Transaction, one: PrincipalId, other: PrincipalId) -> bool:
    """Whether two principals are members of the same group, or one is a member of the other."""
    return (
        txn.row(
            "SELECT 1 FROM membership WHERE (group_id = ? AND member_id = ?) OR (group_id = ? AND member_id = ?)"
            " OR (member_id = ? AND group_id IN (SELECT group_id FROM membership WHERE member_id = ?))",
            (one, other, other, one, one, other),
        )
        is not None
    )


def remove_principal(txn: Transaction, principal: PrincipalId) -> None:
    """Remove a principal with everything they own."""
    if not txn.execute("DELETE FROM principal WHERE id = ?", (principal,)):
        raise NotFound("There is no such user.")


def _principal(row: Row) -> Principal:
    return Principal(
        PrincipalId(row[0]), row[1], row[2], row[3], tuple(json.loads(row[4])), row[5], row[6], row[7]
    )
