"""History: what objects were before, and collections that were deleted.

A version is written in the transaction of the change that ends it, so whatever somebody
overwrites or deletes is there until `forget_versions`.  A collection that was deleted
keeps all of its rows; only its places in the homes are put aside.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field

from tagwerk.errors import NotFound
from tagwerk.model import NOBODY, CollectionId, Kind, Modseq, PrincipalId, Status
from tagwerk.store.engine import Engine, Row, Transaction, run

_BATCH = 500


class How(enum.StrEnum):
    """What ended a version."""

    REPLACED = "replaced"
    REMOVED = "removed"
    MOVED = "moved"
    """To another collection of the same owner's."""


@dataclass(frozen=True, slots=True)
class Version:
    """An object as it was from `began` until `ended`, in seconds since 1970.

    `modseq` is the number of the change that ended it, which names it within its collection;
    `by` is the name of who did that, "" for the command line or somebody who is gone.
    """

    collection: CollectionId
    name: str
    modseq: Modseq
    uid: str
    component: str
    etag: str
    size: int
    began: int
    ended: int
    how: How
    by: str
    content: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RemovedCollection:
    """A collection that was deleted.

    `name` is what it was called; `created` and `removed` are in seconds since 1970.
    """

    id: CollectionId
    owner: PrincipalId
    kind: Kind
    name: str
    components: tuple[str, ...]
    objects: int
    bytes: int
    created: int
    removed: int
    by: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody had a collection that was deleted; `name` is empty unless it was accepted."""

    principal: PrincipalId
    name: str
    status: Status


_META = (
    "v.collection_id, v.name, v.modseq, v.uid, v.component, v.etag, v.size, v.began, v.ended, v.how,"
    " COALESCE(p.name, '')"
)
_FROM = " FROM version v LEFT JOIN principal p ON p.id = v.by_id"


def keep_version(
    txn: Transaction,
    collection: CollectionId,
    name: str,
    *,
    modseq: Modseq,
    how: How,
    now: int,
    by: PrincipalId = NOBODY,
) -> None:
    """Remember an object as it is, before the change `modseq` ends that.

    The caller counts its bytes with `next_modseq`.  Where the clock was put back it began when it ends.
    """
    txn.later(
        "INSERT INTO version (collection_id, name, modseq, uid, component, etag, size, began, ended, how, by_id,"
        " content) SELECT collection_id, name, ?, uid, component, etag, size,"
        " CASE WHEN modified > ? THEN ? ELSE modified END, ?, ?, ?, content FROM object"
        " WHERE collection_id = ? AND name = ? AND NOT removed",
        (modseq, now, now, now, how.value, by, collection, name),
    )


def keep_all(txn: Transaction, collection: CollectionId, *, modseq: Modseq, now: int) -> int:
    """Remember every object of a collection as it is, before a change that ends all of them; how many.

    Their numbers are those above `modseq`.
    """
    return txn.execute(
        "INSERT INTO version (collection_id, name, modseq, uid, component, etag, size, began, ended, how, by_id,"
        " content) SELECT collection_id, name, ? + ROW_NUMBER() OVER (ORDER BY modseq), uid, component, etag, size,"
        " CASE WHEN modified > ? THEN ? ELSE modified END, ?, ?, 0, content FROM object"
        " WHERE collection_id = ? AND NOT removed",
        (modseq, now, now, now, How.REPLACED.value, collection),
    )


def versions(txn: Transaction, collection: CollectionId, *, name: str, uid: str = "") -> list[Version]:
    """What the object called `name`, or with this UID, was before, newest first; without its bytes."""
    rows = txn.rows(
        f"SELECT {_META}{_FROM} WHERE v.collection_id = ? AND (v.name = ? OR (v.uid = ? AND v.uid <> ''))"
        " ORDER BY v.modseq DESC, v.name",
        (collection, name, uid),
    )
    return list(map(_version, rows))


def latest(txn: Transaction, collection: CollectionId, *, most: int = 2**31) -> list[Version]:
    """What was replaced and removed in a collection, newest first, at most `most`; without the bytes."""
    rows = txn.rows(
        f"SELECT {_META}{_FROM} WHERE v.collection_id = ? ORDER BY v.modseq DESC, v.name LIMIT ?",
        (collection, most),
    )
    return list(map(_version, rows))


def find_version(
    txn: Transaction, collection: CollectionId, modseq: int, *, name: str = ""
) -> Version | None:
    """The version with this number, with its bytes; with `name`, of what was called so."""
    row = txn.row(
        f"SELECT {_META}, v.content{_FROM} WHERE v.collection_id = ? AND v.modseq = ? AND (v.name = ? OR ? = '')"
        " ORDER BY v.name",
        (collection, modseq, name, name),
    )
    return None if row is None else _version(row)


def versions_at(txn: Transaction, collection: CollectionId, instant: int) -> Iterator[Version]:
    """The objects that were there just before `instant` and have changed since, with their bytes."""
    rows = txn.stream(
        f"SELECT {_META}, v.content{_FROM} WHERE v.collection_id = ? AND v.ended >= ? AND v.began < ?"
        " ORDER BY v.modseq, v.name",
        (collection, instant, instant),
    )
    seen: set[str] = set()
    for row in rows:
        # What changed twice within a second began and ended in it; the first of a name is what was there.
        if row[1] not in seen:
            seen.add(row[1])
            yield _version(row)


def removed_objects(txn: Transaction, collection: CollectionId) -> list[tuple[Version, str]]:
    """What is no longer in a collection, nor moved to another of its owner's: the last version of each UID.

    The newest first, without the bytes, and with the name under which its UID is there again, or "".
    """
    rows = txn.rows(
        f"SELECT COALESCE(o.name, ''), {_META}{_FROM} LEFT JOIN object o"
        " ON o.collection_id = v.collection_id AND o.uid = v.uid AND NOT o.removed"
        " WHERE v.collection_id = ? AND (o.name IS NULL OR o.name <> v.name) ORDER BY v.modseq DESC, v.name",
        (collection,),
    )
    last: dict[str, tuple[Version, str]] = {}
    names: set[tuple[str, str]] = set()
    for again_as, *row in rows:
        version = _version(tuple(row))
        # What is there again may have moved and changed under other names before: only how it left a name counts.
        left = (version.uid, version.name) not in names and version.how is not How.MOVED
        names.add((version.uid, version.name))
        if not again_as or left:
            last.setdefault(version.uid, (version, again_as))
    return [each for each in last.values() if each[0].how is not How.MOVED]


def new_since(txn: Transaction, collection: CollectionId, instant: int) -> list[str]:
    """The names of the objects whose present state began at `instant` or later."""
    rows = txn.rows(
        "SELECT name FROM object WHERE collection_id = ? AND NOT removed AND modified >= ? ORDER BY modseq",
        (collection, instant),
    )
    return [row[0] for row in rows]


def content_of(txn: Transaction, version: Version) -> bytes:
    """The bytes of a version that was read without them."""
    row = txn.row(
        "SELECT content FROM version WHERE collection_id = ? AND name = ? AND modseq = ?",
        (version.collection, version.name, version.modseq),
    )
    if row is None:
        raise NotFound("The version was forgotten in the meantime.")
    return bytes(row[0])


def forget_object(txn: Transaction, last: Version, *, again_as: str = "") -> None:
    """Forget for ever what an object was until its `last` version.

    What the object was that has its UID now, and is called `again_as`, stays.  The caller
    holds the collection's row lock.
    """
    txn.execute(
        "DELETE FROM version WHERE collection_id = ? AND uid = ? AND modseq <= ? AND name <> ?",
        (last.collection, last.uid, last.modseq, again_as),
    )
    recount(txn, last.collection)


def forget_removed(txn: Transaction, owner: PrincipalId, collection: CollectionId) -> None:
    """Forget for ever what was in a collection and is in none of its owner's any more.

    The caller holds the collection's row lock.
    """
    txn.execute(
        "DELETE FROM version WHERE collection_id = ? AND NOT EXISTS (SELECT 1 FROM object o"
        " JOIN collection c ON c.id = o.collection_id WHERE c.owner_id = ? AND c.removed = 0"
        " AND o.uid = version.uid AND NOT o.removed)",
        (collection, owner),
    )
    recount(txn, collection)


def recount(txn: Transaction, collection: CollectionId) -> None:
    """Count the bytes of a collection's versions again, after some of them went.

    The caller holds the collection's row lock, so that nobody adds one meanwhile.
    """
    txn.execute(
        "UPDATE collection SET kept = (SELECT COALESCE(SUM(v.size), 0) FROM version v WHERE v.collection_id = ?)"
        " WHERE id = ?",
        (collection, collection),
    )


def put_aside(txn: Transaction, collection: CollectionId, *, now: int, by: PrincipalId = NOBODY) -> None:
    """Take a collection out of every home, with all that is in it; `take_back` is the way back.

    Its names are free at once.

    Raises:
        NotFound: it is gone already.
    """
    if not txn.execute(
        "UPDATE collection SET removed = ?, removed_by = ? WHERE id = ? AND removed = 0",
        (now, by, collection),
    ):
        raise NotFound("The collection is gone.")
    txn.execute(
        "INSERT INTO removed_binding (collection_id, principal_id, id, name, status, created)"
        " SELECT collection_id, principal_id, id, name, status, created FROM binding WHERE collection_id = ?",
        (collection,),
    )
    txn.execute("DELETE FROM binding WHERE collection_id = ?", (collection,))
    txn.changed(collection, Modseq(0))


def take_back(txn: Transaction, collection: CollectionId) -> list[Place]:
    """Let a collection that was put aside be there again, in no home yet; where it was."""
    row = txn.row(f"SELECT 1 FROM collection WHERE id = ? AND removed <> 0{txn.for_update}", (collection,))
    if row is None:
        raise NotFound("The collection is not in the trash any more.")
    txn.execute("UPDATE collection SET removed = 0, removed_by = 0 WHERE id = ?", (collection,))
    return places_of(txn, collection)


def places_of(txn: Transaction, collection: CollectionId) -> list[Place]:
    """Where a collection was before it was put aside."""
    return [
        Place(PrincipalId(row[0]), row[1], Status(row[2]))
        for row in txn.rows(
            "SELECT principal_id, name, status FROM removed_binding WHERE collection_id = ? ORDER BY created, id",
            (collection,),
        )
    ]


def put_place(txn: Transaction, collection: CollectionId, place: Place, *, name: str) -> None:
    """Give a collection its place in a home again, under the id that it had there, as `name`."""
    txn.execute(
        "INSERT INTO binding (id, principal_id, collection_id, name, status, created)"
        " SELECT id, principal_id, collection_id, ?, status, created FROM removed_binding"
        " WHERE collection_id = ? AND principal_id = ?",
        (name, collection, place.principal),
    )


def forget_places(txn: Transaction, collection: CollectionId) -> None:
    """Forget where a collection was before it was put aside, and what was whose who have no place there again."""
    txn.execute(
        "DELETE FROM property WHERE collection_id = ? AND binding_id IN (SELECT r.id FROM removed_binding r"
        " WHERE r.collection_id = ? AND NOT EXISTS (SELECT 1 FROM binding b WHERE b.id = r.id))",
        (collection, collection),
    )
    txn.execute("DELETE FROM removed_binding WHERE collection_id = ?", (collection,))


def removed_collections(txn: Transaction, owner: PrincipalId) -> list[RemovedCollection]:
    """The collections of somebody that were deleted and can be had again, newest first."""
    rows = txn.rows(
        "SELECT c.id, c.owner_id, c.kind, COALESCE(r.name, ''), c.components, (SELECT COUNT(*) FROM object o"
        " WHERE o.collection_id = c.id AND NOT o.removed), c.bytes, c.created, c.removed, COALESCE(p.name, '') FROM collection c"
        " LEFT JOIN removed_binding r ON r.collection_id = c.id AND r.principal_id = c.owner_id"
        " LEFT JOIN principal p ON p.id = c.removed_by"
        " WHERE c.owner_id = ? AND c.removed <> 0 ORDER BY c.removed DESC, c.id",
        (owner,),
    )
    return [
        RemovedCollection(
            CollectionId(row[0]),
            PrincipalId(row[1]),
            Kind(row[2]),
            row[3],
            tuple(row[4].split(",")) if row[4] else (),
            *row[5:],
        )
        for row in rows
    ]


def kept_bytes(txn: Transaction, owner: PrincipalId) -> int:
    """How much the earlier versions and deleted collections of somebody take."""
    row = txn.row(
        "SELECT COALESCE(SUM(kept + CASE WHEN removed <> 0 THEN bytes ELSE 0 END), 0) FROM collection"
        " WHERE owner_id = ?",
        (owner,),
    )
    return int(row[0]) if row else 0


def make_room(txn: Transaction, owner: PrincipalId, *, most: int) -> None:
    """Forget the oldest of what is kept for somebody until it takes at most `most` bytes.

    Where somebody else is changing a collection of theirs, what is kept of that has to wait.
    """
    over = kept_bytes(txn, owner) - most
    if over <= 0:
        return
    mine = [
        CollectionId(row[0])
        for row in txn.rows(
            "SELECT id FROM collection WHERE owner_id = ? AND (kept > 0 OR removed <> 0)"
            f" ORDER BY id{txn.skip_locked}",
            (owner,),
        )
    ]
    oldest: list[tuple[int, CollectionId, str, int, int]] = []
    for collection in mine:
        row = txn.row("SELECT removed, bytes + kept FROM collection WHERE id = ?", (collection,))
        if row is not None and row[0]:
            oldest.append((row[0], collection, "", 0, row[1]))
            continue
        some = txn.rows(
            "SELECT ended, name, modseq, size FROM version WHERE collection_id = ? ORDER BY ended, modseq LIMIT ?",
            (collection, _BATCH),
        )
        oldest += [(ended, collection, name, modseq, size) for ended, name, modseq, size in some]
    reached: dict[CollectionId, int] = {}
    for ended, collection, name, modseq, size in sorted(oldest):
        if over <= 0:
            break
        over -= size
        if not name:
            delete_collection(txn, collection)
            continue
        txn.execute(
            "DELETE FROM version WHERE collection_id = ? AND name = ? AND modseq = ?",
            (collection, name, modseq),
        )
        reached[collection] = ended
    for collection, ended in sorted(reached.items()):
        _forgotten_until(txn, collection, ended)


def _forgotten_until(txn: Transaction, collection: CollectionId, ended: int) -> None:
    """Say that versions which ended until then are not known any more."""
    txn.execute(
        "UPDATE collection SET known_from = ? WHERE id = ? AND known_from <= ?",
        (ended + 1, collection, ended),
    )
    recount(txn, collection)


def known_from(txn: Transaction, collection: CollectionId) -> int:
    """Since when it is known what a collection held at any time, in seconds since 1970."""
    row = txn.row("SELECT known_from FROM collection WHERE id = ?", (collection,))
    if row is None:
        raise NotFound("The collection is gone.")
    return int(row[0])


def delete_collection(txn: Transaction, collection: CollectionId) -> None:
    """Delete a collection for ever with everything that belongs to it."""
    txn.execute("DELETE FROM object WHERE collection_id = ?", (collection,))
    txn.execute("DELETE FROM version WHERE collection_id = ?", (collection,))
    if not txn.execute("DELETE FROM collection WHERE id = ?", (collection,)):
        raise NotFound("The collection is gone.")
    txn.changed(collection, Modseq(0))


def delete_removed(txn: Transaction, collection: CollectionId) -> bool:
    """Delete a collection of the trash for ever; False where it is gone, or was restored in the meantime."""
    sql = f"SELECT 1 FROM collection WHERE id = ? AND removed <> 0{txn.for_update}"
    if txn.row(sql, (collection,)) is None:
        return False
    delete_collection(txn, collection)
    return True


def forget_versions(engine: Engine, *, before: int) -> int:
    """Forget every version that ended before `before` (seconds since 1970) and return their number.

    Each collection is a transaction of its own, so that nobody waits for long.
    """
    with engine.read() as txn:
        old = [
            CollectionId(row[0])
            for row in txn.rows("SELECT id FROM collection WHERE kept > 0")
            if txn.row(
                "SELECT 1 FROM version WHERE collection_id = ? AND ended < ? LIMIT 1", (row[0], before)
            )
        ]
    forgotten = 0
    for collection in old:

        def forget(txn: Transaction, collection: CollectionId = collection) -> int:
            if txn.row(f"SELECT 1 FROM collection WHERE id = ?{txn.for_update}", (collection,)) is None:
                return 0
            last = txn.row(
                "SELECT COALESCE(MAX(ended), 0) FROM version WHERE collection_id = ? AND ended < ?",
                (collection, before),
            )
            number = txn.execute(
                "DELETE FROM version WHERE collection_id = ? AND ended < ?", (collection, before)
            )
            _forgotten_until(txn, collection, last[0] if last else 0)
            return number

        forgotten += run(engine, forget)
    return forgotten


def forget_removed_collections(engine: Engine, *, before: int) -> int:
    """Delete for ever every collection that was put aside before `before`; their number."""
    with engine.read() as txn:
        old = [
            CollectionId(row[0])
            for row in txn.rows("SELECT id FROM collection WHERE removed <> 0 AND removed < ?", (before,))
        ]
    forgotten = 0
    for collection in old:
        forgotten += run(engine, lambda txn, each=collection: delete_removed(txn, each))  # type: ignore[misc]
    return forgotten


def _version(row: Row) -> Version:
    collection, name, modseq, uid, component, etag, size, began, ended, how, by, *content = row
    return Version(
        CollectionId(collection),
        name,
        Modseq(modseq),
        uid,
        component,
        etag,
        size,
        began,
        ended,
        How(how),
        by,
        bytes(content[0]) if content and content[0] is not None else None,
    )
