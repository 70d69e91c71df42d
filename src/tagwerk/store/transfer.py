"""Transfers: everything in a database, or a part of it, into another one.

What is read is one snapshot.  A collection is written in one transaction with all that
belongs to it, small ones together; where one is there already with the same history and number, its objects
are, too.  So a transfer that was interrupted goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from tagwerk.errors import Conflict, NotFound, Refused
from tagwerk.model import CollectionId, Modseq
from tagwerk.store.collections import new_epoch
from tagwerk.store.engine import Engine, Row, Transaction, run
from tagwerk.store.history import forget_places, keep_all, places_of, put_place, recount
from tagwerk.store.orphans import refuse_orphans
from tagwerk.store.revival import revive
from tagwerk.store.schema import UNFINISHED, meta, set_meta
from tagwerk.store.tables import Table, read_rows, table, tables

_OWN_META = ("schema_version", "compatibility", UNFINISHED, "backup", "timeline")
_BATCH = 200

_MOST_INDEXED = 2600
"""Bytes of a text that PostgreSQL certainly indexes: a third of a page, with the rest of the key."""

Progress = Callable[[int], None]
"""Told how many rows more are there."""


def count_rows(txn: Transaction) -> int:
    """How many rows a transfer has to move."""
    total = 0
    for each in tables():
        row = txn.row(f"SELECT COUNT(*) FROM {each.name}")
        total += row[0] if row else 0
    return total


def transfer(source: Engine, to: Engine, *, name: str, progress: Progress = lambda _rows: None) -> None:
    """Make `to` hold what `source` holds now, epochs and numbers included, so that tokens stay valid.

    `name` says what the source is; a transfer that was interrupted goes on if it is the same.

    Raises:
        Conflict: there is something else in `to`, or rows of the source lead nowhere.
    """
    with source.read() as reading:
        refuse_orphans(reading)
        run(to, lambda txn: _begin(txn, name))
        for each in tables():
            if each.in_collection:
                continue
            if each.name == "collection":
                _transfer_collections(reading, to, progress)
            else:
                _transfer_table(reading, to, each, progress)
        facts = [row for row in reading.rows("SELECT key, value FROM meta") if row[0] not in _OWN_META]

    def finish(txn: Transaction) -> None:
        for key, value in facts:
            set_meta(txn, key, value)
        txn.execute("DELETE FROM meta WHERE key = ?", (UNFINISHED,))

    run(to, finish)


def _begin(txn: Transaction, name: str) -> None:
    begun = meta(txn, UNFINISHED)
    if begun and begun != name:
        raise Conflict(
            f"A transfer from {begun} into this database was begun; finish that, or use an empty one."
        )
    if not begun and txn.row("SELECT 1 FROM principal LIMIT 1"):
        raise Conflict("The database to transfer into holds users already; use an empty one.")
    set_meta(txn, UNFINISHED, name)


def _transfer_table(reading: Transaction, to: Engine, each: Table, progress: Progress) -> None:
    rows = list(read_rows(reading, each))
    keys = [each.place(column) for column in each.key]
    wanted = {tuple(row[position] for position in keys) for row in rows}

    def write(txn: Transaction) -> None:
        gone = set(txn.rows(f"SELECT {', '.join(each.key)} FROM {each.name}")) - wanted
        marks = " AND ".join(f"{column} = ?" for column in each.key)
        for key in gone:
            txn.execute(f"DELETE FROM {each.name} WHERE {marks}", key)
        for _ in write_rows(txn, each, rows):
            pass

    run(to, write)
    progress(len(rows))


def _transfer_collections(reading: Transaction, to: Engine, progress: Progress) -> None:
    collection = table("collection")
    rows = list(read_rows(reading, collection))
    ids = {row[0] for row in rows}

    def clear(txn: Transaction) -> None:
        for (gone,) in set(txn.rows("SELECT id FROM collection")) - {(each,) for each in ids}:
            txn.execute("DELETE FROM collection WHERE id = ?", (gone,))

    run(to, clear)
    for some in batches(rows):

        def write(txn: Transaction, some: list[Row] = some) -> int:
            be_patient(txn)
            return sum(_transfer_collection(reading, txn, row) for row in some)

        progress(run(to, write))


def _transfer_collection(reading: Transaction, txn: Transaction, row: Row) -> int:
    """One collection with all that belongs to it; how many rows it is."""
    moved = 1
    collection = table("collection")
    same = txn.row("SELECT epoch, modseq FROM collection WHERE id = ?", (row[0],)) == (
        row[collection.place("epoch")],
        row[collection.place("modseq")],
    )
    txn.many(collection.insert, [row])
    for each in tables():
        if not each.in_collection:
            continue
        if same and each.name == "object":
            counted = reading.row("SELECT COUNT(*) FROM object WHERE collection_id = ?", (row[0],))
            moved += counted[0] if counted else 0
            continue
        txn.execute(f"DELETE FROM {each.name} WHERE collection_id = ?", (row[0],))
        moved += sum(write_rows(txn, each, read_rows(reading, each, " WHERE collection_id = ?", (row[0],))))
    return moved


def be_patient(txn: Transaction) -> None:
    """Let the statements of this transaction take as long as they need."""
    if txn.for_update:
        txn.execute("SET LOCAL statement_timeout = 0")


def write_rows(txn: Transaction, of: Table, rows: Iterable[Row]) -> Iterator[int]:
    """Write rows in the places of those with the same keys; how many, some at a time.

    Raises:
        Refused: one has a UID or a name that the database cannot index.
    """
    for batch in batches(rows):
        if txn.for_update:
            _expect_indexed(of, batch)
        txn.many(of.insert, batch)
        yield len(batch)


def _expect_indexed(of: Table, rows: list[Row]) -> None:
    indexed = [of.place(column) for column in of.columns if column in ("uid", "name")]
    for row in rows:
        for position in indexed:
            if (size := len(row[position].encode())) > _MOST_INDEXED:
                raise Refused(
                    f"A row of {of.name} ({of.key_of(row)}) has a {of.columns[position]} of {size} bytes,"
                    " which is longer than PostgreSQL can index."
                )


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Some rows at a time."""
    left = iter(rows)
    while batch := list(islice(left, _BATCH)):
        yield batch


def restore_all(backup: Transaction, txn: Transaction, *, progress: Progress = lambda _rows: None) -> None:
    """Put everything from a backup in the place of everything that is there; every history begins anew."""
    refuse_orphans(backup)
    be_patient(txn)
    numbers: dict[int, int] = dict(txn.rows("SELECT id, modseq FROM collection"))
    for each in reversed(tables()):
        txn.execute(f"DELETE FROM {each.name}")
    txn.execute("DELETE FROM meta WHERE key NOT IN ('schema_version', 'compatibility', 'timeline')")
    for key, value in backup.rows("SELECT key, value FROM meta"):
        if key not in _OWN_META:
            set_meta(txn, key, value)
    for each in tables():
        rows: Iterable[Row] = read_rows(backup, each)
        if each.name == "collection":
            rows = [_begun_anew(row, numbers.get(row[0], 0)) for row in rows]
        for written in write_rows(txn, each, rows):
            progress(written)
    told(txn, [row[0] for row in txn.rows("SELECT id FROM collection")])
    for gone in numbers.keys() - {row[0] for row in txn.rows("SELECT id FROM collection")}:
        txn.changed(CollectionId(gone), Modseq(0))


def restore_user(
    backup: Transaction, txn: Transaction, name: str, *, now: int, collection: str = ""
) -> Restored:
    """Put what a user has in a backup in the place of the same collections.

    Only `collection` if it is named.  Everything else stays: what the user has made since,
    the password, and who sees what; what was in them until `now` becomes their history.  A user
    or a collection that is gone is made again, a user with their trash and all that
    `revive` finds.  What somebody else owns by now stays theirs.

    Raises:
        NotFound: the backup has no such user or collection.
    """
    refuse_orphans(backup)
    be_patient(txn)
    found = backup.row("SELECT id FROM principal WHERE name = ?", (name,))
    if found is None:
        raise NotFound(f"The backup has no user {name!r}.")
    owner = found[0]
    made_again = _restore_principal(backup, txn, owner, name)
    here = txn.row("SELECT id FROM principal WHERE name = ?", (name,))
    assert here is not None
    restored, left = [], []
    bindings = list(
        read_rows(
            backup,
            table("binding"),
            " WHERE principal_id = ? AND status = 'accepted' AND collection_id IN"
            " (SELECT id FROM collection WHERE owner_id = ? AND kind <> 'notifications') ORDER BY name",
            (owner, owner),
        )
    )
    for binding in bindings:
        shown = binding[table("binding").place("name")]
        if collection in ("", shown):
            heir = txn.row(
                "SELECT p.name FROM collection c JOIN principal p ON p.id = c.owner_id"
                " WHERE c.id = ? AND c.owner_id <> ?",
                (binding[table("binding").place("collection_id")], here[0]),
            )
            if heir is not None:
                left.append((shown, str(heir[0])))
                continue
            _restore_collection(backup, txn, binding, owner=here[0], instant=now)
            restored.append(shown)
    if collection and not restored and not left:
        raise NotFound(f"In the backup {name} has no collection {collection!r}.")
    lost = []
    if made_again:
        if not collection:
            _restore_trash(backup, txn, owner)
        lost = revive(backup, txn, owner, now=now)
    return Restored(restored, left, lost)


@dataclass(frozen=True, slots=True)
class Restored:
    """The names of the collections that were restored, and of those that were not, with who owns them now.

    `lost` are sentences about what a user who is made again does not have any more.
    """

    collections: list[str]
    left: list[tuple[str, str]]
    lost: list[str]


def _restore_trash(backup: Transaction, txn: Transaction, owner: int) -> None:
    """What somebody had in the trash, who was gone."""
    collections = table("collection")
    for row in list(read_rows(backup, collections, " WHERE owner_id = ? AND removed <> 0", (owner,))):
        if txn.row("SELECT 1 FROM collection WHERE id = ?", (row[0],)):
            continue
        # Its numbers may have been given to other changes after the backup, so its history begins anew.
        txn.many(collections.insert, [_begun_anew(row, 0)])
        for each in tables():
            # Of the others some may be gone as well.
            if each.in_collection and each.name != "share":
                where = " WHERE collection_id = ?" + {
                    "removed_binding": f" AND principal_id = {owner:d}",
                    "property": " AND binding_id = 0",
                }.get(each.name, "")
                for batch in batches(read_rows(backup, each, where, (row[0],))):
                    txn.many(each.insert, batch)


def _restore_principal(backup: Transaction, txn: Transaction, owner: int, name: str) -> bool:
    """Whether there was nobody of that name."""
    if txn.row("SELECT 1 FROM principal WHERE name = ?", (name,)):
        return False
    txn.many(
        table("principal").insert, list(read_rows(backup, table("principal"), " WHERE id = ?", (owner,)))
    )
    for each in (table("credential"), table("principal_property")):
        txn.many(each.insert, list(read_rows(backup, each, " WHERE principal_id = ?", (owner,))))
    return True


def _restore_collection(
    backup: Transaction, txn: Transaction, binding: Row, *, owner: int, instant: int
) -> None:
    """One collection with its objects and properties, under its own id, in its owner's home."""
    columns, collections = table("binding"), table("collection")
    place = binding[columns.place("collection_id")]
    now = txn.row("SELECT modseq, known_from FROM collection WHERE id = ?" + txn.for_update, (place,))
    (row,) = read_rows(backup, collections, " WHERE id = ?", (place,))
    kept = {"share", "removed_binding", "property"}
    number, known = 0, instant
    if now is not None:
        # What is replaced is not lost: it is what the objects were before.
        number, known = now
        number += keep_all(txn, CollectionId(place), modseq=Modseq(number), now=instant)
        kept.add("version")
    before: dict[str, str] = dict(
        txn.rows(
            "SELECT r.object_name, o.uid FROM personal r JOIN object o ON o.collection_id = r.collection_id"
            " AND o.name = r.object_name WHERE r.collection_id = ?",
            (place,),
        )
    )
    row = _replaced(collections, _begun_anew(row, number), owner_id=owner, known_from=known)
    txn.many(collections.insert, [row])
    for each in tables():
        # Who sees it is not what is restored, and what was before is known better here.
        if each.in_collection and each.name not in kept:
            txn.execute(f"DELETE FROM {each.name} WHERE collection_id = ?", (place,))
            for batch in batches(read_rows(backup, each, " WHERE collection_id = ?", (place,))):
                txn.many(each.insert, batch)
    _forget_own_of_others(txn, place, before)
    seen = txn.row("SELECT id FROM binding WHERE principal_id = ? AND collection_id = ?", (owner, place))
    if seen is None:
        name = _free_name(txn, owner, str(binding[columns.place("name")]))
        txn.many(columns.insert, [_replaced(columns, binding, principal_id=owner, name=name)])
    _restore_properties(backup, txn, binding, own=seen[0] if seen else binding[columns.place("id")])
    for sharee in places_of(txn, CollectionId(place)):
        # It was in the trash; those who had it from its owner have it again.
        if sharee.principal != owner:
            name = _free_name(txn, sharee.principal, sharee.name) if sharee.name else ""
            put_place(txn, CollectionId(place), sharee, name=name)
    forget_places(txn, CollectionId(place))
    recount(txn, CollectionId(place))
    told(txn, [place])


def _forget_own_of_others(txn: Transaction, place: int, before: Mapping[str, str]) -> None:
    """What others have of their own goes with its object; `before` are the UIDs in which they had it."""
    for name, uid in before.items():
        if not txn.row(
            "SELECT 1 FROM object WHERE collection_id = ? AND name = ? AND uid = ? AND NOT removed",
            (place, name, uid),
        ):
            txn.execute("DELETE FROM personal WHERE collection_id = ? AND object_name = ?", (place, name))


def _restore_properties(backup: Transaction, txn: Transaction, binding: Row, *, own: int) -> None:
    """What counts for everybody, and what is the owner's, whose place is `own`; what is others' stays."""
    columns, properties = table("binding"), table("property")
    place, known = (binding[columns.place(column)] for column in ("collection_id", "id"))
    where = " WHERE collection_id = ? AND binding_id IN (0, ?)"
    txn.execute(f"DELETE FROM property{where}", (place, own))
    for batch in batches(read_rows(backup, properties, where, (place, known))):
        number = properties.place("binding_id")
        txn.many(
            properties.insert,
            [_replaced(properties, row, binding_id=own if row[number] else 0) for row in batch],
        )
    txn.execute(
        "DELETE FROM property WHERE collection_id = ? AND object_name <> '' AND NOT EXISTS (SELECT 1 FROM object o"
        " WHERE o.collection_id = property.collection_id AND o.name = property.object_name AND NOT o.removed)",
        (place,),
    )


def _free_name(txn: Transaction, owner: int, name: str) -> str:
    taken = {row[0] for row in txn.rows("SELECT name FROM binding WHERE principal_id = ?", (owner,))}
    number, free = 1, name
    while free in taken:
        number, free = number + 1, f"{name}-{number}"
    return free


def _begun_anew(row: Row, number: int) -> Row:
    """A collection of a backup with a history of its own: a client that knows another one starts again."""
    collection = table("collection")
    modseq = max(row[collection.place("modseq")], number + 1)
    counters = dict.fromkeys(("modseq", "shared_modseq", "open_modseq", "own_modseq"), modseq)
    return _replaced(collection, row, epoch=new_epoch(), **counters)


def _replaced(of: Table, row: Row, **values: object) -> Row:
    return tuple(values.get(column, value) for column, value in zip(of.columns, row, strict=True))


def told(txn: Transaction, collections: Iterable[int]) -> None:
    """Let the change feed tell where collections are now."""
    for collection in collections:
        row = txn.row("SELECT modseq FROM collection WHERE id = ?", (collection,))
        if row is not None:
            txn.changed(CollectionId(collection), Modseq(row[0]))
