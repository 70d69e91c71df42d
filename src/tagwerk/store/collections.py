"""Collections and their bindings: what there is, and where somebody sees it (DESIGN, Data model)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from tagwerk.errors import Conflict, NotFound
from tagwerk.model import (
    Access,
    Binding,
    BindingId,
    Collection,
    CollectionId,
    Kind,
    Modseq,
    PrincipalId,
)
from tagwerk.store.engine import Row, Transaction, new_id

CALENDAR_COMPONENTS = ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY")
"""What a calendar holds where its creator did not say (RFC 4791 5.2.3)."""

_BINDING = (
    "SELECT b.id, b.principal_id, b.name, b.access, c.id, c.kind, c.owner_id, c.epoch, c.modseq,"
    " c.min_modseq, c.components, c.created, c.modified, c.bytes"
    " FROM binding b JOIN collection c ON c.id = b.collection_id"
)


def create_collection(
    txn: Transaction,
    owner: PrincipalId,
    *,
    name: str,
    kind: Kind,
    now: int,
    components: tuple[str, ...] = (),
) -> Binding:
    """Create an empty collection and bind it into its owner's home as `name`.

    A collection of the same name that was deleted is no obstacle, and its sync tokens
    do not fit the new one: the epoch differs.

    Raises:
        Conflict: the home has something of that name.
    """
    if find_binding_of(txn, owner, name) is not None:
        raise Conflict(f"There is a collection {name!r} already.")
    if kind is Kind.CALENDAR and not components:
        components = CALENDAR_COMPONENTS
    collection = Collection(
        CollectionId(new_id()), kind, owner, new_epoch(), Modseq(1), Modseq(0), components, now, now
    )
    txn.execute(
        "INSERT INTO collection (id, kind, owner_id, epoch, modseq, min_modseq, components, created, modified,"
        " bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
        (collection.id, kind.value, owner, collection.epoch, 1, 0, ",".join(components), now, now),
    )
    txn.execute("DELETE FROM binding WHERE principal_id = ? AND name = ? AND removed", (owner, name))
    binding = Binding(BindingId(new_id()), owner, name, Access.OWNER, collection)
    txn.execute(
        "INSERT INTO binding (id, principal_id, name, collection_id, access, status, created, removed)"
        " VALUES (?, ?, ?, ?, ?, 'accepted', ?, ?)",
        (binding.id, owner, name, collection.id, Access.OWNER.value, now, False),
    )
    return binding


def find_binding(txn: Transaction, principal: str, name: str) -> Binding | None:
    """What the principal called `principal` sees as `name`."""
    row = txn.row(
        _BINDING
        + " JOIN principal p ON p.id = b.principal_id WHERE p.name = ? AND b.name = ? AND NOT b.removed",
        (principal, name),
    )
    return None if row is None else _binding(row)


def find_binding_of(txn: Transaction, principal: PrincipalId, name: str) -> Binding | None:
    """What `principal` sees as `name`."""
    row = txn.row(_BINDING + " WHERE b.principal_id = ? AND b.name = ? AND NOT b.removed", (principal, name))
    return None if row is None else _binding(row)


def bindings_of(txn: Transaction, principal: PrincipalId) -> list[Binding]:
    """Everything in the principal's home, oldest first."""
    rows = txn.rows(
        _BINDING + " WHERE b.principal_id = ? AND NOT b.removed ORDER BY b.created, b.name", (principal,)
    )
    return [_binding(row) for row in rows]


def lock_places(txn: Transaction, places: Iterable[tuple[str, ...]]) -> None:
    """Lock the collections that are seen as ``(principal, name)``, before anything about them is read.

    What a request decides, it decides on rows that stay as it has read them.  An engine
    with one writer has nothing to lock.  Everybody locks in the order of ids, so that two
    do not wait for each other.
    """
    wanted = list(dict.fromkeys(places))
    if not txn.for_update or not wanted:
        return
    named = " OR ".join(["(p.name = ? AND b.name = ?)"] * len(wanted))
    txn.execute(
        "SELECT c.id FROM principal p JOIN binding b ON b.principal_id = p.id AND NOT b.removed"
        f" JOIN collection c ON c.id = b.collection_id WHERE {named} ORDER BY c.id{txn.for_update} OF c",
        [part for place in wanted for part in place],
    )


def lock_collection(txn: Transaction, collection: CollectionId) -> Collection:
    """The collection as it is now; nobody else changes it until the transaction ends.

    Raises:
        NotFound: it was deleted in the meantime.
    """
    row = txn.row(
        "SELECT id, kind, owner_id, epoch, modseq, min_modseq, components, created, modified, bytes"
        " FROM collection WHERE id = ?" + txn.for_update,
        (collection,),
    )
    if row is None:
        raise NotFound("The collection is gone.")
    return _collection(row)


def next_modseq(txn: Transaction, collection: CollectionId, *, now: int, grown: int = 0) -> Modseq:
    """Take the next value of the collection's change counter; `grown` is how many bytes it has more.

    The statement locks the collection's row until the transaction ends, so values
    become visible in the order in which they were taken.
    """
    row = txn.row(
        "UPDATE collection SET modseq = modseq + 1, modified = ?, bytes = bytes + ? WHERE id = ? RETURNING modseq",
        (now, grown, collection),
    )
    if row is None:
        raise NotFound("The collection is gone.")
    txn.changed(collection, Modseq(row[0]))
    return Modseq(row[0])


def delete_collection(txn: Transaction, collection: CollectionId) -> None:
    """Delete a collection with its objects; every home keeps the name of its binding as removed."""
    txn.execute("UPDATE binding SET removed = ? WHERE collection_id = ? AND NOT removed", (True, collection))
    txn.execute("DELETE FROM object WHERE collection_id = ?", (collection,))
    if not txn.execute("DELETE FROM collection WHERE id = ?", (collection,)):
        raise NotFound("The collection is gone.")
    txn.changed(collection, Modseq(0))


def rename_binding(txn: Transaction, binding: Binding, *, name: str) -> None:
    """Show the collection under another name in the same home.

    Raises:
        Conflict: the home has something of that name.
    """
    if find_binding_of(txn, binding.principal, name) is not None:
        raise Conflict(f"There is a collection {name!r} already.")
    txn.execute("UPDATE binding SET name = ? WHERE id = ?", (name, binding.id))


def copy_collection(
    txn: Transaction, binding: Binding, *, name: str, now: int, with_objects: bool = True
) -> Binding:
    """Make a collection like another one in the same home, with its properties and, if asked, its objects.

    Raises:
        Conflict: the home has something of that name.
    """
    source = binding.collection
    made = create_collection(
        txn, binding.principal, name=name, kind=source.kind, now=now, components=source.components
    )
    txn.execute(
        "INSERT INTO property (collection_id, binding_id, object_name, name, value)"
        " SELECT ?, 0, object_name, name, value FROM property"
        " WHERE collection_id = ? AND binding_id = 0 AND (object_name = '' OR ?)",
        (made.collection.id, source.id, with_objects),
    )
    if with_objects:
        # Numbered afresh, in the order of the source, without its tombstones.
        txn.execute(
            "INSERT INTO object SELECT ?, name, uid, component, etag, size,"
            " 1 + ROW_NUMBER() OVER (ORDER BY modseq), 1 + ROW_NUMBER() OVER (ORDER BY modseq), removed,"
            " created, ?, first_instant, last_instant, floating, busy, spans_from, spans_until, repairs, spans,"
            " search, content FROM object WHERE collection_id = ? AND NOT removed",
            (made.collection.id, now, source.id),
        )
        txn.execute(
            "UPDATE collection SET bytes = ?,"
            " modseq = 1 + (SELECT COUNT(*) FROM object WHERE collection_id = ?) WHERE id = ?",
            (source.bytes, made.collection.id, made.collection.id),
        )
    return made


def set_components(txn: Transaction, collection: CollectionId, components: tuple[str, ...]) -> None:
    """Change what a calendar takes from now on (RFC 4791 5.2.3); what it holds stays."""
    txn.execute("UPDATE collection SET components = ? WHERE id = ?", (",".join(components), collection))


def new_epoch() -> str:
    """The name of a history that was never before."""
    return secrets.token_hex(8)


def _binding(row: Row) -> Binding:
    return Binding(BindingId(row[0]), PrincipalId(row[1]), row[2], Access(row[3]), _collection(row[4:]))


def _collection(row: Row) -> Collection:
    return Collection(
        CollectionId(row[0]),
        Kind(row[1]),
        PrincipalId(row[2]),
        row[3],
        Modseq(row[4]),
        Modseq(row[5]),
        tuple(row[6].split(",")) if row[6] else (),
        row[7],
        row[8],
        row[9],
    )
