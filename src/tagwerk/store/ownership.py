"""Ownership: who sees somebody's collection, and how another principal becomes its owner."""

from __future__ import annotations

from tagwerk.model import Access, Binding, CollectionId, PrincipalId
from tagwerk.store.engine import Transaction


def sharees_of(txn: Transaction, collection: CollectionId) -> list[str]:
    """The names of those who see a collection that they do not own."""
    return [
        row[0]
        for row in txn.rows(
            "SELECT DISTINCT p.name FROM binding b JOIN principal p ON p.id = b.principal_id"
            " JOIN collection c ON c.id = b.collection_id"
            " WHERE b.collection_id = ? AND NOT b.removed AND b.principal_id <> c.owner_id ORDER BY p.name",
            (collection,),
        )
    ]


def give_collection(txn: Transaction, binding: Binding, heir: PrincipalId, *, name: str) -> str:
    """Make `heir` the owner of the collection that its owner sees by `binding`; return its name there.

    A place where the heir sees it already stays; otherwise it appears as `name`, which is free.
    The place of the former owner goes.
    """
    collection = binding.collection.id
    txn.execute("UPDATE collection SET owner_id = ? WHERE id = ?", (heir, collection))
    row = txn.row(
        "SELECT id, name FROM binding WHERE principal_id = ? AND collection_id = ? AND NOT removed"
        " ORDER BY via_group_id IS NOT NULL, created",
        (heir, collection),
    )
    if row is None:
        txn.execute("DELETE FROM binding WHERE principal_id = ? AND name = ? AND removed", (heir, name))
        txn.execute("UPDATE binding SET principal_id = ?, name = ? WHERE id = ?", (heir, name, binding.id))
        return name
    txn.execute("UPDATE binding SET removed = ? WHERE id = ?", (True, binding.id))
    txn.execute(
        "UPDATE binding SET access = ?, status = 'accepted', via_group_id = NULL WHERE id = ?",
        (Access.OWNER.value, row[0]),
    )
    return str(row[1])
