"""Collections and their bindings: what there is, and where somebody sees it (DESIGN, Data model)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable

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
    Status,
)
from tagwerk.store.access import access_of, accesses_of
from tagwerk.store.engine import Row, Transaction, new_id

CALENDAR_COMPONENTS = ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY")
"""What a calendar holds where its creator did not say (RFC 4791 5.2.3)."""

NOTIFICATIONS = "-notifications"
"""The name of the collection in which the server tells somebody what happened."""

COLUMNS = (
    "c.id, c.kind, c.owner_id, c.epoch, c.modseq, c.min_modseq, c.components, c.created, c.modified, c.bytes,"
    " c.shared_modseq, c.open_modseq, c.open_modified, c.own_modseq"
)
"""Of `collection c`, what `collection_of` reads."""

_BINDING = f"SELECT b.id, b.principal_id, b.name, {COLUMNS} FROM binding b JOIN collection c ON c.id = b.collection_id"


_BY_PLACE = (
    _BINDING
    + " JOIN principal p ON p.id = b.principal_id WHERE p.name = ? AND b.name = ? AND b.status = 'accepted'"
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
    collection = plan_collection(txn, owner, name=name, kind=kind, now=now, components=components)
    txn.later(
        "INSERT INTO collection (id, kind, owner_id, epoch, modseq, min_modseq, components, created, modified,"
        " bytes, shared_modseq, open_modseq, open_modified) VALUES (?, ?, ?, ?, 1, 0, ?, ?, ?, 0, 1, 1, ?)",
        (collection.id, kind.value, owner, collection.epoch, ",".join(collection.components), now, now, now),
    )
    return Binding(
        bind(txn, owner, collection.id, name=name, status=Status.ACCEPTED, now=now),
        owner,
        name,
        Access.OWNER,
        collection,
    )


def plan_collection(
    txn: Transaction,
    owner: PrincipalId,
    *,
    name: str,
    kind: Kind,
    now: int,
    components: tuple[str, ...] = (),
) -> Collection:
    """The collection that `create_collection` would create; nothing is written.

    Raises:
        Conflict: the home has something of that name.
    """
    if is_taken(txn, owner, name):
        raise Conflict(f"There is a collection {name!r} already.")
    if kind is Kind.CALENDAR and not components:
        components = CALENDAR_COMPONENTS
    return Collection(
        CollectionId(new_id(owner)),
        kind,
        owner,
        new_epoch(),
        Modseq(1),
        Modseq(0),
        components,
        now,
        now,
        0,
        Modseq(1),
        Modseq(1),
        now,
        Modseq(0),
    )


def bind(
    txn: Transaction, principal: PrincipalId, collection: CollectionId, *, name: str, status: Status, now: int
) -> BindingId:
    """Give a collection a place in somebody's home; `name` is empty unless it is accepted, and free."""
    binding = BindingId(new_id(principal))
    txn.later(
        "INSERT INTO binding (id, principal_id, collection_id, name, status, created) VALUES (?, ?, ?, ?, ?, ?)",
        (binding, principal, collection, name, status.value, now),
    )
    return binding


def find_binding(txn: Transaction, principal: str, name: str) -> Binding | None:
    """What the principal called `principal` sees as `name`."""
    row = txn.row(_BY_PLACE, (principal, name))
    return None if row is None else _seen(txn, row)


def expect_binding(txn: Transaction, principal: str, name: str) -> None:
    """Say that `find_binding` is going to be called."""
    txn.ahead(_BY_PLACE, (principal, name))


def find_binding_of(txn: Transaction, principal: PrincipalId, name: str) -> Binding | None:
    """What `principal` sees as `name`."""
    row = txn.row(
        _BINDING + " WHERE b.principal_id = ? AND b.name = ? AND b.status = 'accepted'", (principal, name)
    )
    return None if row is None else _seen(txn, row)


def is_taken(txn: Transaction, principal: PrincipalId, name: str) -> bool:
    """Whether a home has something of that name, be it something that is not seen at the moment."""
    return (
        txn.row(
            "SELECT 1 FROM binding WHERE principal_id = ? AND name = ? AND status = 'accepted'",
            (principal, name),
        )
        is not None
    )


def binding_to(txn: Transaction, principal: PrincipalId, collection: CollectionId) -> Binding | None:
    """Where `principal` sees `collection`."""
    row = txn.row(
        _BINDING + " WHERE b.collection_id = ? AND b.principal_id = ? AND b.status = 'accepted'",
        (collection, principal),
    )
    return None if row is None else _seen(txn, row)


def bindings_of(txn: Transaction, principal: PrincipalId, *, notifications: bool = False) -> list[Binding]:
    """The calendars and address books in the principal's home, their own and others', oldest first.

    With `notifications` the collection of these as well, last.
    """
    rows = list(
        txn.rows(
            _BINDING + " WHERE b.principal_id = ? AND b.status = 'accepted' ORDER BY b.created, b.name",
            (principal,),
        )
    )
    given: dict[CollectionId, Access] = {}
    if any(row[_OWNER] != principal for row in rows):
        given = accesses_of(txn, principal)
    found: list[Binding] = []
    told: list[Binding] = []
    for row in rows:
        access = Access.OWNER if row[_OWNER] == principal else given.get(row[3])
        if access is None:
            continue
        binding = _binding(row, access)
        (told if binding.collection.kind is Kind.NOTIFICATIONS else found).append(binding)
    return [*found, *told] if notifications else found


def collections_of(txn: Transaction, owner: PrincipalId) -> list[Binding]:
    """The calendars and address books that a principal owns, where they have them themselves."""
    rows = txn.rows(
        _BINDING + " WHERE b.principal_id = ? AND c.owner_id = ? AND c.kind <> 'notifications'"
        " ORDER BY b.created, b.name",
        (owner, owner),
    )
    return [_binding(row, Access.OWNER) for row in rows]


def owners_bindings(txn: Transaction, principal: PrincipalId) -> list[Binding]:
    """Where the owners of everything in a principal's home have it themselves."""
    rows = txn.rows(
        f"SELECT o.id, o.principal_id, o.name, {COLUMNS} FROM binding b JOIN collection c ON c.id = b.collection_id"
        " JOIN binding o ON o.collection_id = c.id AND o.principal_id = c.owner_id"
        " WHERE b.principal_id = ? AND b.status = 'accepted'",
        (principal,),
    )
    return [_binding(row, Access.OWNER) for row in rows]


def _seen(txn: Transaction, row: Row) -> Binding | None:
    """A binding with what its principal may do now; None where that is nothing."""
    access = Access.OWNER if row[_OWNER] == row[1] else access_of(txn, row[3], row[1])
    return None if access is None else _binding(row, access)


def lock_places(txn: Transaction, places: Iterable[tuple[str, ...]]) -> Callable[[CollectionId], bool]:
    """Lock the collections that are seen as ``(principal, name)``, before anything about them is read.

    What a request decides, it decides on rows that stay as it has read them.  An engine
    with one writer has nothing to lock.  Everybody locks in the order of ids, so that two
    do not wait for each other.  What is returned says whether a collection is one of them.
    """
    wanted = list(dict.fromkeys(places))
    if not txn.for_update:
        return lambda _: True
    if not wanted:
        return lambda _: False
    named = " OR ".join(["(p.name = ? AND b.name = ?)"] * len(wanted))
    sql = (
        "SELECT c.id FROM principal p JOIN binding b ON b.principal_id = p.id AND b.status = 'accepted'"
        f" JOIN collection c ON c.id = b.collection_id WHERE {named} ORDER BY c.id{txn.for_update} OF c"
    )
    params = [part for place in wanted for part in place]
    # Sent before whatever is asked next, and that sees what it waited for.
    txn.ahead(sql, params)
    held: list[frozenset[int]] = []

    def holds(collection: CollectionId) -> bool:
        if not held:
            held.append(frozenset(row[0] for row in txn.rows(sql, params)))
        return collection in held[0]

    return holds


def lock_collection(txn: Transaction, collection: CollectionId) -> Collection:
    """The collection as it is now; nobody else changes it until the transaction ends.

    Raises:
        NotFound: it was deleted in the meantime.
    """
    row = txn.row(
        f"SELECT {COLUMNS} FROM collection c WHERE c.id = ? AND c.removed = 0{txn.for_update}", (collection,)
    )
    if row is None:
        raise NotFound("The collection is gone.")
    return collection_of(row)


def find_collection(txn: Transaction, collection: CollectionId) -> Collection | None:
    """The collection with this id."""
    row = txn.row(f"SELECT {COLUMNS} FROM collection c WHERE c.id = ? AND c.removed = 0", (collection,))
    return None if row is None else collection_of(row)


def next_modseq(
    txn: Transaction,
    collection: CollectionId,
    *,
    now: int,
    grown: int = 0,
    kept: int = 0,
    private: bool = False,
) -> Modseq:
    """Take the next value of the collection's change counter.

    `private`: nobody notices the change from whom private things are hidden.  `grown` is how many bytes it has more, `kept` how many its earlier versions have more.

    The statement locks the collection's row until the transaction ends, so values
    become visible in the order in which they were taken.
    """
    seen = "" if private else " open_modseq = modseq + 1, open_modified = ?,"
    row = txn.row(
        f"UPDATE collection SET modseq = modseq + 1, shared_modseq = modseq + 1,{seen} modified = ?,"
        " bytes = bytes + ?, kept = kept + ? WHERE id = ? RETURNING modseq",
        (*([] if private else [now]), now, grown, kept, collection),
    )
    if row is None:
        raise NotFound("The collection is gone.")
    txn.changed(collection, Modseq(row[0]))
    return Modseq(row[0])


def next_personal_modseq(txn: Transaction, collection: CollectionId) -> Modseq:
    """Take the next value for a change that only one person sees; the others' tokens stay as they are."""
    row = txn.row(
        "UPDATE collection SET modseq = modseq + 1, own_modseq = modseq + 1 WHERE id = ? RETURNING modseq",
        (collection,),
    )
    if row is None:
        raise NotFound("The collection is gone.")
    txn.changed(collection, Modseq(row[0]))
    return Modseq(row[0])


def rename_binding(txn: Transaction, binding: Binding, *, name: str) -> None:
    """Show the collection under another name in the same home.

    Raises:
        Conflict: the home has something of that name.
    """
    if is_taken(txn, binding.principal, name):
        raise Conflict(f"There is a collection {name!r} already.")
    txn.execute("UPDATE binding SET name = ? WHERE id = ?", (name, binding.id))


def copy_collection(
    txn: Transaction,
    binding: Binding,
    *,
    name: str,
    now: int,
    owner: PrincipalId | None = None,
    with_objects: bool = True,
) -> Binding:
    """Make a collection of `owner`'s like another one, with its properties and, if asked, its objects.

    Raises:
        Conflict: the home has something of that name.
    """
    source = binding.collection
    made = create_collection(
        txn, owner or binding.principal, name=name, kind=source.kind, now=now, components=source.components
    )
    txn.execute(
        "INSERT INTO property (collection_id, binding_id, object_name, name, value)"
        " SELECT ?, 0, object_name, name, value FROM property"
        " WHERE collection_id = ? AND binding_id = 0 AND (object_name = '' OR ?)",
        (made.collection.id, source.id, with_objects),
    )
    if with_objects:
        # Numbered afresh, in the order of the source, without its tombstones.
        count = txn.execute(
            "INSERT INTO object (collection_id, name, uid, component, etag, size, modseq, created_modseq,"
            " hidden_modseq, removed, privacy, alarms, created, modified, first_instant, last_instant, floating, busy,"
            " spans_from, spans_until, repairs, spans, search, content)"
            " SELECT ?, name, uid, component, etag, size, 1 + ROW_NUMBER() OVER (ORDER BY modseq),"
            " 1 + ROW_NUMBER() OVER (ORDER BY modseq), 0, removed, privacy, alarms, created, ?, first_instant,"
            " last_instant, floating, busy, spans_from, spans_until, repairs, spans, search, content"
            " FROM object WHERE collection_id = ? AND NOT removed",
            (made.collection.id, now, source.id),
        )
        txn.execute(
            "UPDATE collection SET bytes = ?, modseq = ?, shared_modseq = ?, open_modseq = ? WHERE id = ?",
            (source.bytes, count + 1, count + 1, count + 1, made.collection.id),
        )
    return made


def set_components(txn: Transaction, collection: CollectionId, components: tuple[str, ...]) -> None:
    """Change what a calendar takes from now on (RFC 4791 5.2.3); what it holds stays."""
    txn.execute("UPDATE collection SET components = ? WHERE id = ?", (",".join(components), collection))


def new_epoch() -> str:
    """The name of a history that was never before."""
    return secrets.token_hex(8)


_OWNER = 5
"""Where a row of `_BINDING` has the owner."""


def _binding(row: Row, access: Access) -> Binding:
    return Binding(BindingId(row[0]), PrincipalId(row[1]), row[2], access, collection_of(row[3:]))


def collection_of(row: Row) -> Collection:
    """A row of `COLUMNS`."""
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
        Modseq(row[10]),
        Modseq(row[11]),
        row[12],
        Modseq(row[13]),
    )
