"""What somebody may do, by all that they, their groups and everybody were given.

It is asked at each request, so a share that was taken back, or a group that was left,
counts from the next one on, in every process.
"""

from __future__ import annotations

from collections.abc import Iterable

from tagwerk.model import Access, CollectionId, PrincipalId
from tagwerk.store.engine import Transaction

CIRCLE = (
    "WITH RECURSIVE circle (id) AS (SELECT CAST(? AS BIGINT) UNION"
    " SELECT m.group_id FROM membership m JOIN circle ON m.member_id = circle.id) "
)
"""A principal and every group that they are in, also by way of another group; takes the principal."""

REACHES = "(s.grantee_id = 0 OR s.grantee_id IN (SELECT id FROM circle))"
"""Of `share s`, whether it was given to somebody in the circle."""


CIRCLES = (
    "WITH RECURSIVE circles (member_id, group_id) AS (SELECT member_id, group_id FROM membership UNION"
    " SELECT c.member_id, m.group_id FROM circles c JOIN membership m ON m.member_id = c.group_id) "
)
"""Everybody with every group that they are in, also by way of another group."""


def reaches(principal: str) -> str:
    """Of `share s`, beside `CIRCLES`, whether it was given to the principal in a column."""
    return (
        f"(s.grantee_id = 0 OR s.grantee_id = {principal} OR EXISTS (SELECT 1 FROM circles"
        f" WHERE circles.member_id = {principal} AND circles.group_id = s.grantee_id))"
    )


def access_of(txn: Transaction, collection: CollectionId, principal: PrincipalId) -> Access | None:
    """The most that somebody was given of a collection which they do not own."""
    rows = txn.rows(
        f"{CIRCLE}SELECT s.access FROM share s WHERE s.collection_id = ? AND {REACHES}",
        (principal, collection),
    )
    return _most(Access(row[0]) for row in rows)


def accesses_of(txn: Transaction, principal: PrincipalId) -> dict[CollectionId, Access]:
    """The most that somebody was given of every collection which they were given."""
    found: dict[CollectionId, Access] = {}
    rows = txn.rows(f"{CIRCLE}SELECT s.collection_id, s.access FROM share s WHERE {REACHES}", (principal,))
    for collection, text in rows:
        access = Access(text)
        if collection not in found or found[collection].rank < access.rank:
            found[collection] = access
    return found


def delegated(txn: Transaction, owner: PrincipalId, delegate: PrincipalId) -> Access | None:
    """What `delegate`, or a group they are in, may do with all calendars of `owner`."""
    rows = txn.rows(
        f"{CIRCLE}SELECT d.access FROM delegation d"
        " WHERE d.principal_id = ? AND d.delegate_id IN (SELECT id FROM circle)",
        (delegate, owner),
    )
    return _most(Access(row[0]) for row in rows)


def _most(found: Iterable[Access]) -> Access | None:
    return max(found, key=lambda access: access.rank, default=None)
