"""Ownership: who sees somebody's collection, and how another principal becomes its owner."""

from __future__ import annotations

from tagwerk.model import Binding, CollectionId, PrincipalId, Status
from tagwerk.store.collections import bind, lock_collection
from tagwerk.store.engine import Transaction
from tagwerk.store.personal import forget_own
from tagwerk.store.shares import answer, free_name, invitation, remove_share


def sharees_of(txn: Transaction, collection: CollectionId) -> list[str]:
    """The names of those who have a collection in their homes that they do not own."""
    return [
        row[0]
        for row in txn.rows(
            "SELECT p.name FROM binding b JOIN principal p ON p.id = b.principal_id"
            " JOIN collection c ON c.id = b.collection_id"
            " WHERE b.collection_id = ? AND b.status = 'accepted' AND b.principal_id <> c.owner_id ORDER BY p.name",
            (collection,),
        )
    ]


def give_collection(txn: Transaction, binding: Binding, heir: PrincipalId, *, wanted: str, now: int) -> str:
    """Make `heir` the owner of the collection that its owner has at `binding`; return its name there.

    A place where the heir sees it already stays; otherwise it appears as `wanted`, or with a
    number behind it.  The place of the former owner goes, and what the heir had of their own
    in it: the owner's are the shared ones.

    Raises:
        NotFound: the collection is gone.
    """
    collection = lock_collection(txn, binding.collection.id).id
    invited = invitation(txn, heir, collection)
    txn.execute("DELETE FROM binding WHERE id = ?", (binding.id,))
    txn.execute("UPDATE collection SET owner_id = ? WHERE id = ?", (heir, collection))
    remove_share(txn, collection, heir)
    forget_own(txn, heir, collection)
    if invited is None:
        name = free_name(txn, heir, wanted)
        bind(txn, heir, collection, name=name, status=Status.ACCEPTED, now=now)
        return name
    txn.execute("DELETE FROM property WHERE collection_id = ? AND binding_id = ?", (collection, invited.id))
    name = invited.name if invited.status is Status.ACCEPTED else free_name(txn, heir, wanted)
    answer(txn, invited.id, status=Status.ACCEPTED, name=name)
    return name
