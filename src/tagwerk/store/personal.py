"""What somebody other than its owner has of their own in an object: alarms, transparency.

The data is what `tagwerk.ical.personal` wrote; its tag goes into their entity tag.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from tagwerk.model import CollectionId, PrincipalId
from tagwerk.store.collections import next_personal_modseq
from tagwerk.store.engine import Transaction

_BATCH = 500


def own_tags(txn: Transaction, viewer: PrincipalId, collection: CollectionId) -> dict[str, str]:
    """By object name, the tags of what `viewer` has of their own."""
    return dict(
        txn.rows(
            "SELECT object_name, tag FROM personal WHERE principal_id = ? AND collection_id = ? AND tag <> ''",
            (viewer, collection),
        )
    )


def own_tag(txn: Transaction, viewer: PrincipalId, collection: CollectionId, name: str) -> str:
    """The tag of what `viewer` has of their own in one object; "" for nothing."""
    row = txn.row(
        "SELECT tag FROM personal WHERE principal_id = ? AND collection_id = ? AND object_name = ?",
        (viewer, collection, name),
    )
    return str(row[0]) if row else ""


def own_data(
    txn: Transaction, viewer: PrincipalId, collection: CollectionId, names: Sequence[str]
) -> dict[str, str]:
    """By object name, what `viewer` has of their own in those of the objects in which they have something."""
    found: dict[str, str] = {}
    for begin in range(0, len(names), _BATCH):
        batch = names[begin : begin + _BATCH]
        rows = txn.rows(
            "SELECT object_name, data FROM personal WHERE principal_id = ? AND collection_id = ? AND tag <> ''"
            f" AND object_name IN ({', '.join('?' * len(batch))})",
            (viewer, collection, *batch),
        )
        found.update(rows)
    return found


def everything_own(txn: Transaction, viewer: PrincipalId) -> list[tuple[CollectionId, str, str]]:
    """Collection, object name and data of all that `viewer` has of their own in objects of others."""
    rows = txn.rows(
        "SELECT collection_id, object_name, data FROM personal WHERE principal_id = ? AND tag <> ''"
        " ORDER BY collection_id, object_name",
        (viewer,),
    )
    return [(CollectionId(row[0]), row[1], row[2]) for row in rows]


def put_own(txn: Transaction, viewer: PrincipalId, collection: CollectionId, name: str, *, data: str) -> bool:
    """Write what `viewer` has of their own in an object, "" for nothing; whether that is a change.

    It is a change that only they see; it takes a number of the collection's counter, so that
    their other devices learn of it.  The caller holds the collection's row lock.
    """
    tag = tag_of(data)
    if own_tag(txn, viewer, collection, name) == tag:
        return False
    modseq = next_personal_modseq(txn, collection)
    txn.later(
        "INSERT INTO personal (principal_id, collection_id, object_name, modseq, tag, data)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (principal_id, collection_id, object_name)"
        " DO UPDATE SET modseq = excluded.modseq, tag = excluded.tag, data = excluded.data",
        (viewer, collection, name, modseq, tag, data),
    )
    return True


def viewers_of(txn: Transaction, collection: CollectionId, name: str) -> list[PrincipalId]:
    """Everybody who has something of their own in one object."""
    rows = txn.rows(
        "SELECT principal_id FROM personal WHERE collection_id = ? AND object_name = ? AND tag <> ''"
        " ORDER BY principal_id",
        (collection, name),
    )
    return [PrincipalId(row[0]) for row in rows]


def move_own(
    txn: Transaction,
    viewer: PrincipalId,
    collection: CollectionId,
    name: str,
    *,
    to: CollectionId,
    as_name: str,
) -> None:
    """Take what `viewer` has of their own in an object along, before it is moved to `to` as `as_name`.

    It has no number there: the object has a new one, with which both are told.
    """
    txn.execute(
        "UPDATE personal SET collection_id = ?, object_name = ?, modseq = 0"
        " WHERE principal_id = ? AND collection_id = ? AND object_name = ?",
        (to, as_name, viewer, collection, name),
    )


def tag_of(data: str) -> str:
    """The tag of what somebody has of their own; "" for nothing."""
    return blake2b(data.encode(), digest_size=8).hexdigest() if data else ""


def forget_own(txn: Transaction, viewer: PrincipalId, collection: CollectionId) -> None:
    """Forget everything that somebody has of their own in a collection."""
    txn.execute("DELETE FROM personal WHERE principal_id = ? AND collection_id = ?", (viewer, collection))
