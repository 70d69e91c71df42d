"""Principals: the people, groups, rooms and resources (RFC 3744 2)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from tagwerk.errors import Conflict, InvalidRequest, NotFound
from tagwerk.model import Access, Principal, PrincipalId
from tagwerk.store.access import CIRCLE
from tagwerk.store.engine import Row, Transaction, new_id

_COLUMNS = "id, name, kind, display_name, addresses, state, created, quota, accept"
_P_COLUMNS = ", ".join(f"p.{column}" for column in _COLUMNS.split(", "))
_BY_NAME = f"SELECT {_COLUMNS} FROM principal WHERE name = ?"
KINDS = ("person", "group", "room", "resource")
STATES = ("active", "disabled")

RESERVED = frozenset({"-", "public", "everybody"})
"""What begins the paths that belong to the server itself, and who is not one principal."""

_NEVER = r"\x00-\x1f\x7f-\x9f\ud800-\udfff/\\:'\"*?,<>|%#\s"
_NAME = re.compile(f"[^{_NEVER}.][^{_NEVER}]{{0,127}}")


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
    check_name(name)
    if principal_by_name(txn, name) is not None:
        raise Conflict(f"There is a user {name!r} already.")
    principal = Principal(PrincipalId(new_id()), name, kind, display_name or name, addresses, "active", now)
    txn.later(
        f"INSERT INTO principal ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, NULL, '')",
        (principal.id, name, kind, principal.display_name, json.dumps(addresses), "active", now),
    )
    return principal


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a principal.

    Raises:
        InvalidRequest: it cannot stand in a URL path, has over 128 characters, or means something else.
    """
    if name.lower() in RESERVED:
        raise InvalidRequest(f"The name {name!r} is reserved; choose another one.")
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"{name!r} cannot be a user name: up to 128 characters, none a blank, a control character or one of"
            " / \\ : ' \" * ? , < > | % #, and no dot at the beginning."
        )


def principal_by_name(txn: Transaction, name: str) -> Principal | None:
    """The principal called `name`, exactly."""
    row = txn.row(_BY_NAME, (name,))
    return None if row is None else _principal(row)


def expect_principal(txn: Transaction, name: str) -> None:
    """Say that `principal_by_name` is going to be called."""
    txn.ahead(_BY_NAME, (name,))


def principal_by_id(txn: Transaction, principal: PrincipalId) -> Principal | None:
    """The principal with this id."""
    row = txn.row(f"SELECT {_COLUMNS} FROM principal WHERE id = ?", (principal,))
    return None if row is None else _principal(row)


def principals(txn: Transaction) -> Iterator[Principal]:
    """Everybody, by name."""
    return map(_principal, txn.rows(f"SELECT {_COLUMNS} FROM principal ORDER BY name"))


def persons(txn: Transaction) -> Iterator[Principal]:
    """Every person, by name."""
    return of_kind(txn, "person")


def of_kind(txn: Transaction, kind: str) -> Iterator[Principal]:
    """Every principal of a kind, by name."""
    rows = txn.rows(f"SELECT {_COLUMNS} FROM principal WHERE kind = ? ORDER BY name", (kind,))
    return map(_principal, rows)


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


def lock_principal(txn: Transaction, principal: PrincipalId) -> None:
    """Let nobody else who asks for this pass until the transaction ends.

    An engine with one writer has nothing to lock.  Who also locks a collection does it before.
    """
    if txn.for_update:
        txn.row("SELECT id FROM principal WHERE id = ?" + txn.for_update, (principal,))


def used_bytes(txn: Transaction, principal: PrincipalId) -> int:
    """The size of everything in the collections that a principal owns (RFC 4331 4), without what is deleted."""
    row = txn.row(
        "SELECT COALESCE(SUM(bytes), 0) FROM collection WHERE owner_id = ? AND removed = 0", (principal,)
    )
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


def add_member(txn: Transaction, group: PrincipalId, member: PrincipalId) -> bool:
    """Put a principal into a group; whether they were not in it before."""
    return bool(
        txn.execute(
            "INSERT INTO membership (group_id, member_id) VALUES (?, ?) ON CONFLICT (group_id, member_id) DO NOTHING",
            (group, member),
        )
    )


def remove_member(txn: Transaction, group: PrincipalId, member: PrincipalId) -> bool:
    """Take a principal out of a group; whether they were in it."""
    return bool(txn.execute("DELETE FROM membership WHERE group_id = ? AND member_id = ?", (group, member)))


def all_groups_of(txn: Transaction, principal: PrincipalId) -> list[PrincipalId]:
    """Every group that a principal is in, also by way of another group."""
    rows = txn.rows(f"{CIRCLE}SELECT id FROM circle WHERE id <> ?", (principal, principal))
    return [PrincipalId(row[0]) for row in rows]


def everybody_in(txn: Transaction, group: PrincipalId) -> list[Principal]:
    """The persons in a group, also by way of another group, by name; of a person, that person."""
    return [
        _principal(row)
        for row in txn.rows(
            "WITH RECURSIVE inside (id) AS (SELECT CAST(? AS BIGINT) UNION SELECT m.member_id FROM membership m"
            f" JOIN inside ON m.group_id = inside.id) SELECT {_P_COLUMNS} FROM principal p"
            " JOIN inside ON inside.id = p.id WHERE p.kind = 'person' ORDER BY p.name",
            (group,),
        )
    ]


def set_accept(txn: Transaction, principal: PrincipalId, accept: str) -> None:
    """Whether shares are accepted ``at-once`` or it is to ``ask``; "" for what the server says."""
    if not txn.execute("UPDATE principal SET accept = ? WHERE id = ?", (accept, principal)):
        raise NotFound("There is no such user.")


def source_of(txn: Transaction, principal: PrincipalId) -> str:
    """Which directory says who is in a group; "" where `tagwerk group` does."""
    row = txn.row("SELECT source FROM principal WHERE id = ?", (principal,))
    return str(row[0]) if row else ""


def set_source(txn: Transaction, principal: PrincipalId, source: str) -> None:
    """Remember which directory says who is in a group."""
    txn.execute("UPDATE principal SET source = ? WHERE id = ?", (source, principal))


def groups_from(txn: Transaction, principal: PrincipalId, source: str) -> list[Principal]:
    """The groups of a directory that a principal is a direct member of, by name."""
    return [
        _principal(row)
        for row in txn.rows(
            f"SELECT {_P_COLUMNS} FROM principal p JOIN membership m ON m.group_id = p.id"
            " WHERE m.member_id = ? AND p.source = ? ORDER BY p.name",
            (principal, source),
        )
    ]


def principal_by_address(txn: Transaction, address: str) -> list[Principal]:
    """The active principals with this mail address, compared without case."""
    wanted = address.strip().lower()
    # The addresses are a JSON list, in which letters beyond ASCII are numbers that have no case;
    # what the sieve finds too much is left out after it.
    like = "%" + json.dumps(wanted)[1:-1].replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    like = like if wanted.isascii() else "%"
    rows = txn.rows(
        f"SELECT {_COLUMNS} FROM principal WHERE LOWER(addresses) LIKE ? ESCAPE '\\' AND state = 'active'"
        " ORDER BY name",
        (like,),
    )
    return [who for who in map(_principal, rows) if wanted in (one.lower() for one in who.addresses)]


def add_delegate(txn: Transaction, owner: PrincipalId, delegate: PrincipalId, access: Access) -> None:
    """Let `delegate` read, or also write, all calendars of `owner`."""
    txn.execute(
        "INSERT INTO delegation (principal_id, delegate_id, access) VALUES (?, ?, ?)"
        " ON CONFLICT (principal_id, delegate_id) DO UPDATE SET access = excluded.access",
        (owner, delegate, access.value),
    )


def remove_delegate(txn: Transaction, owner: PrincipalId, delegate: PrincipalId) -> bool:
    """End that; whether it was so."""
    return bool(
        txn.execute("DELETE FROM delegation WHERE principal_id = ? AND delegate_id = ?", (owner, delegate))
    )


def delegates_of(txn: Transaction, owner: PrincipalId) -> list[tuple[Principal, Access]]:
    """Whom somebody lets act for them, by name."""
    rows = txn.rows(
        f"SELECT {_P_COLUMNS}, d.access FROM principal p JOIN delegation d ON d.delegate_id = p.id"
        " WHERE d.principal_id = ? ORDER BY p.name",
        (owner,),
    )
    return [(_principal(row), Access(row[-1])) for row in rows]


def delegators_of(txn: Transaction, delegate: PrincipalId) -> list[tuple[Principal, Access]]:
    """For whom somebody may act, themselves or through a group, by name; the most they may do."""
    rows = txn.rows(
        f"{CIRCLE}SELECT {_P_COLUMNS}, d.access FROM principal p JOIN delegation d ON d.principal_id = p.id"
        " WHERE d.delegate_id IN (SELECT id FROM circle) AND p.id <> ? ORDER BY p.name",
        (delegate, delegate),
    )
    found: dict[PrincipalId, tuple[Principal, Access]] = {}
    for row in rows:
        who, access = _principal(row), Access(row[-1])
        if who.id not in found or found[who.id][1].rank < access.rank:
            found[who.id] = (who, access)
    return list(found.values())


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
    """Remove a principal with everything they own and were given."""
    txn.execute("DELETE FROM share WHERE grantee_id = ?", (principal,))
    txn.execute(
        "DELETE FROM property WHERE binding_id IN (SELECT id FROM binding WHERE principal_id = ?"
        " UNION ALL SELECT id FROM removed_binding WHERE principal_id = ?)",
        (principal, principal),
    )
    if not txn.execute("DELETE FROM principal WHERE id = ?", (principal,)):
        raise NotFound("There is no such user.")


def _principal(row: Row) -> Principal:
    return Principal(
        PrincipalId(row[0]), row[1], row[2], row[3], addresses_in(row[4]), row[5], row[6], row[7], row[8]
    )


def addresses_in(text: str) -> tuple[str, ...]:
    """The addresses of a principal as they are stored; none where that cannot be read, which `check` tells."""
    try:
        return tuple(json.loads(text))
    except (ValueError, TypeError):
        return ()
