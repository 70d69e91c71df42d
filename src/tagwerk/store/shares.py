"""Shares: who was given what, and what became of it in their homes (DESIGN, Data model)."""

from __future__ import annotations

from dataclasses import dataclass

from tagwerk.model import (
    Access,
    BindingId,
    Collection,
    CollectionId,
    PrincipalId,
    Status,
)
from tagwerk.store.access import CIRCLE, REACHES, delegated
from tagwerk.store.collections import COLUMNS, bind, collection_of, is_taken
from tagwerk.store.engine import Row, Transaction
from tagwerk.store.personal import forget_own
from tagwerk.store.principals import addresses_in


@dataclass(frozen=True, slots=True)
class Share:
    """What one grantee was given.

    `name`, `kind`, `display_name` and `addresses` are those of the grantee, empty where it is
    everybody (id 0).  `status` is what a person said to it, ACCEPTED for groups and everybody.
    `summary` is what whoever shared it called it; `created` is in seconds since 1970.
    """

    collection: CollectionId
    grantee: PrincipalId
    access: Access
    summary: str
    created: int
    name: str
    kind: str
    display_name: str
    addresses: tuple[str, ...]
    status: Status


_SHARE = (
    "SELECT s.collection_id, s.grantee_id, s.access, s.summary, s.created, COALESCE(p.name, ''),"
    " COALESCE(p.kind, ''), COALESCE(p.display_name, ''), COALESCE(p.addresses, '[]'), b.status"
    " FROM share s LEFT JOIN principal p ON p.id = s.grantee_id"
    " LEFT JOIN binding b ON b.collection_id = s.collection_id AND b.principal_id = s.grantee_id"
)


def shares_of(txn: Transaction, collection: CollectionId) -> list[Share]:
    """Everything that was given of a collection, oldest first."""
    return _shares(txn, _SHARE + " WHERE s.collection_id = ? ORDER BY s.created, s.grantee_id", (collection,))


def shares_by(txn: Transaction, owner: PrincipalId) -> dict[CollectionId, list[Share]]:
    """Everything that was given of the collections that `owner` has."""
    found: dict[CollectionId, list[Share]] = {}
    sql = (
        _SHARE
        + " JOIN collection c ON c.id = s.collection_id WHERE c.owner_id = ? ORDER BY s.created, s.grantee_id"
    )
    for share in _shares(txn, sql, (owner,)):
        found.setdefault(share.collection, []).append(share)
    return found


def shares_managed_by(txn: Transaction, principal: PrincipalId) -> dict[CollectionId, list[Share]]:
    """Everything that was given of the collections that a principal manages without owning them."""
    found: dict[CollectionId, list[Share]] = {}
    sql = (
        CIRCLE
        + _SHARE
        + " WHERE s.collection_id IN (SELECT m.collection_id FROM share m WHERE m.access = 'manage'"
        " AND (m.grantee_id = 0 OR m.grantee_id IN (SELECT id FROM circle))) ORDER BY s.created, s.grantee_id"
    )
    for share in _shares(txn, sql, (principal,)):
        found.setdefault(share.collection, []).append(share)
    return found


def shares_with(txn: Transaction, grantee: PrincipalId) -> list[Share]:
    """Everything that a principal itself was given."""
    return _shares(txn, _SHARE + " WHERE s.grantee_id = ? ORDER BY s.created, s.collection_id", (grantee,))


def find_share(txn: Transaction, collection: CollectionId, grantee: PrincipalId) -> Share | None:
    """What one grantee was given."""
    found = _shares(txn, _SHARE + " WHERE s.collection_id = ? AND s.grantee_id = ?", (collection, grantee))
    return found[0] if found else None


def _shares(txn: Transaction, sql: str, params: tuple[object, ...]) -> list[Share]:
    return [
        Share(
            CollectionId(row[0]),
            PrincipalId(row[1]),
            Access(row[2]),
            row[3],
            row[4],
            row[5],
            row[6],
            row[7],
            addresses_in(row[8]),
            _status(row[6], row[9]),
        )
        for row in txn.rows(sql, params)
    ]


def _status(kind: str, written: str | None) -> Status:
    if written is not None:
        return Status(written)
    return Status.PENDING if kind == "person" else Status.ACCEPTED


def put_share(
    txn: Transaction,
    collection: CollectionId,
    grantee: PrincipalId,
    access: Access,
    *,
    summary: str,
    now: int,
) -> None:
    """Give a grantee exactly this of a collection."""
    txn.execute(
        "INSERT INTO share (collection_id, grantee_id, access, summary, created) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (collection_id, grantee_id) DO UPDATE SET access = excluded.access, summary = excluded.summary",
        (collection, grantee, access.value, summary, now),
    )


def remove_share(txn: Transaction, collection: CollectionId, grantee: PrincipalId) -> bool:
    """Take back what a grantee was given; whether there was something."""
    return bool(
        txn.execute("DELETE FROM share WHERE collection_id = ? AND grantee_id = ?", (collection, grantee))
    )


def shared_with(txn: Transaction, grantee: PrincipalId) -> list[CollectionId]:
    """The collections of which a principal itself, not its groups, was given something."""
    return [
        CollectionId(row[0])
        for row in txn.rows("SELECT collection_id FROM share WHERE grantee_id = ?", (grantee,))
    ]


def unsettled(txn: Transaction, principal: PrincipalId) -> list[tuple[Collection, str]]:
    """What reaches somebody and has no place in their home yet: collections with their owner's name for them."""
    rows = txn.rows(
        f"{CIRCLE}SELECT DISTINCT {COLUMNS}, h.name FROM share s JOIN collection c ON c.id = s.collection_id"
        " JOIN binding h ON h.collection_id = c.id AND h.principal_id = c.owner_id"
        f" WHERE {REACHES} AND c.owner_id <> ? AND NOT EXISTS (SELECT 1 FROM binding b"
        " WHERE b.collection_id = c.id AND b.principal_id = ?) ORDER BY c.id",
        (principal, principal, principal),
    )
    return [(collection_of(row[:-1]), row[-1]) for row in rows]


def has_unsettled(txn: Transaction, principal: PrincipalId) -> bool:
    """Whether `unsettled` has something; asked whenever a home is looked at."""
    return (
        txn.row(
            f"{CIRCLE}SELECT 1 FROM share s JOIN collection c ON c.id = s.collection_id"
            f" WHERE {REACHES} AND c.owner_id <> ? AND c.removed = 0 AND NOT EXISTS (SELECT 1 FROM binding b"
            " WHERE b.collection_id = s.collection_id AND b.principal_id = ?) LIMIT 1",
            (principal, principal, principal),
        )
        is not None
    )


def settle(
    txn: Transaction,
    principal: PrincipalId,
    collection: CollectionId,
    *,
    wanted: str,
    status: Status,
    now: int,
) -> BindingId:
    """Give a share its place in a home, under the name that is `wanted` or one like it."""
    name = free_name(txn, principal, wanted) if status is Status.ACCEPTED else ""
    return bind(txn, principal, collection, name=name, status=status, now=now)


def free_name(txn: Transaction, principal: PrincipalId, wanted: str) -> str:
    """`wanted`, or with a number behind it where the home has something of that name."""
    name, number = wanted, 1
    while is_taken(txn, principal, name):
        number += 1
        name = f"{wanted[:240]}-{number}"
    return name


@dataclass(frozen=True, slots=True)
class Invitation:
    """What somebody said to a share; `name` is its place in their home where they accepted it."""

    id: BindingId
    principal: PrincipalId
    collection: CollectionId
    name: str
    status: Status


def invitation(txn: Transaction, principal: PrincipalId, collection: CollectionId) -> Invitation | None:
    """What `principal` said to the share of `collection`; nothing where it is their own."""
    row = txn.row(
        "SELECT b.id, b.principal_id, b.collection_id, b.name, b.status FROM binding b"
        " JOIN collection c ON c.id = b.collection_id"
        " WHERE b.principal_id = ? AND b.collection_id = ? AND c.owner_id <> b.principal_id",
        (principal, collection),
    )
    return None if row is None else _invitation(row)


def invitations_of(txn: Transaction, principal: PrincipalId) -> list[Invitation]:
    """Everything that others have shared with somebody, whatever they said to it."""
    rows = txn.rows(
        "SELECT b.id, b.principal_id, b.collection_id, b.name, b.status FROM binding b"
        " JOIN collection c ON c.id = b.collection_id WHERE b.principal_id = ? AND c.owner_id <> ?"
        " ORDER BY b.created, b.id",
        (principal, principal),
    )
    return list(map(_invitation, rows))


def _invitation(row: Row) -> Invitation:
    return Invitation(BindingId(row[0]), PrincipalId(row[1]), CollectionId(row[2]), row[3], Status(row[4]))


def invitees_of(txn: Transaction, collection: CollectionId) -> list[PrincipalId]:
    """Everybody but the owner who has, or was offered, a place for a collection."""
    rows = txn.rows(
        "SELECT b.principal_id FROM binding b JOIN collection c ON c.id = b.collection_id"
        " WHERE b.collection_id = ? AND b.principal_id <> c.owner_id ORDER BY b.created, b.id",
        (collection,),
    )
    return [PrincipalId(row[0]) for row in rows]


def answer(txn: Transaction, binding: BindingId, *, status: Status, name: str = "") -> None:
    """What somebody says to a share now."""
    txn.execute("UPDATE binding SET status = ?, name = ? WHERE id = ?", (status.value, name, binding))


def forget(txn: Transaction, principal: PrincipalId, collection: CollectionId) -> None:
    """Remove a collection from a home in which it is a share, with all that was that person's own in it.

    Who acts for its owner keeps the latter: they see it there as well.
    """
    row = txn.row(
        "SELECT id FROM binding WHERE principal_id = ? AND collection_id = ?", (principal, collection)
    )
    if row is not None:
        txn.execute("DELETE FROM property WHERE collection_id = ? AND binding_id = ?", (collection, row[0]))
        txn.execute("DELETE FROM binding WHERE id = ?", (row[0],))
    owner = txn.row("SELECT owner_id FROM collection WHERE id = ?", (collection,))
    if owner is None or delegated(txn, owner[0], principal) is None:
        forget_own(txn, principal, collection)
