"""Objects: the calendar object resources and cards of a collection, as they were sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

from tagwerk.errors import NotFound, UidConflict
from tagwerk.model import NOBODY, CollectionId, Modseq, PrincipalId, Privacy, StoredObject, Upload
from tagwerk.store.collections import next_modseq
from tagwerk.store.engine import Row, Transaction
from tagwerk.store.history import How, keep_version
from tagwerk.store.personal import move_own

_META = "name, uid, component, etag, size, modseq, created, modified, privacy, alarms"
_ROW = (
    "collection_id, name, uid, component, etag, size, modseq, created_modseq, removed, privacy, alarms, created,"
    " modified, first_instant, last_instant, floating, busy, spans_from, spans_until, repairs, spans, search, content"
)
_SIZE = _ROW.split(", ").index("size")
_PRIVACY_OF_ROW = _ROW.split(", ").index("privacy")
_CREATED = _ROW.split(", ").index("created")
_ROW_MARKS = ", ".join("?" * len(_ROW.split(", ")))
_HOLDS = "search LIKE ? ESCAPE '\\'"
_NAME_OF_UID = "SELECT name FROM object WHERE collection_id = ? AND uid = ? AND NOT removed"
_PRIVACY = tuple(Privacy)
_BATCH = 500
_MOST_CHOICES = 20
_MOST_SEARCHED = 200


class Candidate(NamedTuple):
    """An object that a query may want, with the facts that decide most queries unread.

    A tuple as the row has it: thousands are made for one query.
    """

    name: str
    etag: str
    component: str
    floating: bool
    busy: int
    first: int
    last: int
    spans_from: int
    spans_until: int
    privacy: int
    alarms: bool
    spans: bytes | None


class Content(NamedTuple):
    """The bytes of an object, with what decides who sees which of them."""

    name: str
    etag: str
    privacy: int
    alarms: bool
    content: bytes


def etag_of(content: bytes) -> str:
    """The strong entity tag of some bytes, quoted as in a header (RFC 9110 8.8.3)."""
    return f'"{blake2b(content, digest_size=16).hexdigest()}"'


def put_object(
    txn: Transaction,
    collection: CollectionId,
    name: str,
    *,
    upload: Upload,
    now: int,
    by: PrincipalId = NOBODY,
    keep: bool = True,
) -> StoredObject:
    """Insert or replace the object called `name` and return it as stored.

    What is replaced is kept as a version that `by` ended, unless `keep` says that it is
    nothing anybody would miss.

    The change counter moves in the same transaction, under the collection's row lock,
    so the object and its place in the change order are committed together or not at
    all; the caller has locked the row before (`lock_collection`).  Bytes that are there
    already change nothing, not even the counter.

    Raises:
        UidConflict: another name in the collection has this UID (RFC 4791 5.3.2.1).
    """
    expect_uid(txn, collection, upload.facts.uid)
    existing = find_object(txn, collection, name)
    return replace_object(txn, collection, name, upload=upload, existing=existing, now=now, by=by, keep=keep)


def replace_object(
    txn: Transaction,
    collection: CollectionId,
    name: str,
    *,
    upload: Upload,
    existing: StoredObject | None,
    now: int,
    by: PrincipalId = NOBODY,
    keep: bool = True,
) -> StoredObject:
    """As `put_object`, by who has read the `existing` object, None for none, under the lock."""
    facts = upload.facts
    etag = etag_of(upload.content)
    if existing is not None and existing.etag == etag and existing.uid == facts.uid:
        return existing
    other = txn.row(_NAME_OF_UID, (collection, facts.uid))
    if other and other[0] != name:
        raise UidConflict(facts.uid, existing=other[0])
    grown = len(upload.content) - (existing.size if existing else 0)
    kept = existing.size if existing and keep else 0
    was_hidden = existing is None or existing.privacy == Privacy.PRIVATE
    private = was_hidden and facts.privacy == Privacy.PRIVATE
    modseq = next_modseq(txn, collection, now=now, grown=grown, kept=kept, private=private)
    if existing and keep:
        keep_version(txn, collection, name, modseq=modseq, how=How.REPLACED, now=now, by=by)
    if existing and existing.uid != facts.uid:
        # What people have of their own is in the object, not under the name.
        txn.later("DELETE FROM personal WHERE collection_id = ? AND object_name = ?", (collection, name))
    # The clock may have been put back.
    created = min(existing.created, now) if existing else now
    _write(
        txn,
        (
            collection,
            name,
            facts.uid,
            facts.component,
            etag,
            len(upload.content),
            modseq,
            modseq,
            False,
            int(facts.privacy),
            facts.alarms,
            created,
            now,
            facts.first,
            facts.last,
            facts.floating,
            int(facts.busy),
            facts.spans_from,
            facts.spans_until,
            "\n".join(upload.repairs),
            facts.spans,
            facts.search,
            upload.content,
        ),
    )
    return StoredObject(
        name,
        facts.uid,
        facts.component,
        etag,
        len(upload.content),
        modseq,
        created,
        now,
        facts.privacy,
        facts.alarms,
    )


def expect_uid(txn: Transaction, collection: CollectionId, uid: str) -> None:
    """Say that `replace_object` is going to be called with something of that UID."""
    txn.ahead(_NAME_OF_UID, (collection, uid))


def _write(txn: Transaction, values: tuple[object, ...]) -> None:
    """Insert or replace a row; `values` are in the order of `_ROW`.

    What becomes private is hidden from then on; what always was, was never seen by
    others, who need not be told when it goes.
    """
    txn.later(
        f"INSERT INTO object ({_ROW}, hidden_modseq) VALUES ({_ROW_MARKS}, 0)"
        " ON CONFLICT (collection_id, name) DO UPDATE SET uid = excluded.uid, component = excluded.component,"
        " etag = excluded.etag, size = excluded.size, modseq = excluded.modseq,"
        " created_modseq = CASE WHEN object.removed THEN excluded.modseq ELSE object.created_modseq END,"
        " hidden_modseq = CASE WHEN excluded.privacy < 2 THEN 0 WHEN object.privacy = 2 THEN object.hidden_modseq"
        " WHEN object.removed THEN object.modseq ELSE excluded.modseq END,"
        " privacy = excluded.privacy, alarms = excluded.alarms,"
        " removed = excluded.removed, created = excluded.created, modified = excluded.modified,"
        " first_instant = excluded.first_instant, last_instant = excluded.last_instant,"
        " floating = excluded.floating, busy = excluded.busy, spans_from = excluded.spans_from,"
        " spans_until = excluded.spans_until, repairs = excluded.repairs, spans = excluded.spans,"
        " search = excluded.search, content = excluded.content",
        values,
    )


def copy_object(
    txn: Transaction, collection: CollectionId, name: str, *, to: CollectionId, as_name: str, now: int
) -> Modseq:
    """Store the object `name` of `collection` a second time, as `as_name` in `to`.

    Raises:
        NotFound: there is no such object.
        UidConflict: another name in `to` has its UID.
    """
    row = _row(txn, collection, name)
    modseq = _number(txn, row, to=to, as_name=as_name, now=now)
    _place(txn, row, to=to, as_name=as_name, modseq=modseq, now=now)
    _copy_properties(txn, collection, name, to=to, as_name=as_name)
    return modseq


def move_object(
    txn: Transaction,
    collection: CollectionId,
    name: str,
    *,
    to: CollectionId,
    as_name: str,
    now: int,
    by: PrincipalId = NOBODY,
    how: How = How.MOVED,
    keeping: Iterable[PrincipalId] = (),
) -> Modseq:
    """Move the object `name` of `collection` to `to`, where it is called `as_name`.

    The collection it leaves keeps a tombstone, and a version that says `how` it left.
    What those `keeping` it have of their own goes along, what others have is gone.
    Raises as `copy_object` does.
    """
    row = _row(txn, collection, name)
    # The copy of the properties needs the row of the source, the UID's index its absence.
    _copy_properties(txn, collection, name, to=to, as_name=as_name)
    txn.later("DELETE FROM personal WHERE collection_id = ? AND object_name = ?", (to, as_name))
    for viewer in keeping:
        move_own(txn, viewer, collection, name, to=to, as_name=as_name)
    remove_object(txn, collection, name, now=now, by=by, how=how)
    modseq = _number(txn, row, to=to, as_name=as_name, now=now)
    _place(txn, row, to=to, as_name=as_name, modseq=modseq, now=now)
    return modseq


def _row(txn: Transaction, collection: CollectionId, name: str) -> Row:
    row = txn.row(
        f"SELECT {_ROW} FROM object WHERE collection_id = ? AND name = ? AND NOT removed", (collection, name)
    )
    if row is None:
        raise NotFound(f"There is no object {name!r}.")
    return row


def _number(txn: Transaction, row: Row, *, to: CollectionId, as_name: str, now: int) -> Modseq:
    private = row[_PRIVACY_OF_ROW] == Privacy.PRIVATE and find_object(txn, to, as_name) is None
    return next_modseq(txn, to, now=now, grown=row[_SIZE], private=private)


def _place(txn: Transaction, row: Row, *, to: CollectionId, as_name: str, modseq: Modseq, now: int) -> None:
    uid = row[2]
    other = txn.row(_NAME_OF_UID, (to, uid))
    if other and other[0] != as_name:
        raise UidConflict(uid, existing=other[0])
    _write(txn, (to, as_name, *row[2:6], modseq, modseq, *row[8:11], min(row[_CREATED], now), now, *row[13:]))


def _copy_properties(
    txn: Transaction, collection: CollectionId, name: str, *, to: CollectionId, as_name: str
) -> None:
    # What is replaced takes its properties with it (RFC 4918 9.9.3).
    txn.later("DELETE FROM property WHERE collection_id = ? AND object_name = ?", (to, as_name))
    txn.later(
        "INSERT INTO property (collection_id, binding_id, object_name, name, value)"
        " SELECT ?, 0, ?, name, value FROM property"
        " WHERE collection_id = ? AND binding_id = 0 AND object_name = ?",
        (to, as_name, collection, name),
    )


def find_object(
    txn: Transaction, collection: CollectionId, name: str, *, content: bool = False
) -> StoredObject | None:
    """The object called `name`, with its bytes if `content`."""
    columns = _META + ", content" if content else _META
    row = txn.row(
        f"SELECT {columns} FROM object WHERE collection_id = ? AND name = ? AND NOT removed",
        (collection, name),
    )
    return None if row is None else _stored(row)


def find_uid(txn: Transaction, collection: CollectionId, uid: str) -> StoredObject | None:
    """The object with this UID, without its bytes."""
    row = txn.row(
        f"SELECT {_META} FROM object WHERE collection_id = ? AND uid = ? AND NOT removed", (collection, uid)
    )
    return None if row is None else _stored(row)


def objects(txn: Transaction, collection: CollectionId, *, content: bool = False) -> Iterator[StoredObject]:
    """Every object, in the order of their last changes, read as it is asked for."""
    columns = _META + ", content" if content else _META
    return map(
        _stored,
        txn.stream(
            f"SELECT {columns} FROM object WHERE collection_id = ? AND NOT removed ORDER BY modseq",
            (collection,),
        ),
    )


def etags(txn: Transaction, collection: CollectionId) -> Iterator[tuple[str, str]]:
    """Name and ETag of every object; an index holds both."""
    return txn.stream(
        "SELECT name, etag FROM object WHERE collection_id = ? AND NOT removed ORDER BY modseq", (collection,)
    )


def guarded_etags(txn: Transaction, collection: CollectionId) -> Iterator[tuple[str, str, int, bool]]:
    """Name, ETag, privacy, and whether it holds its owner's own, of every object; an index holds all."""
    return txn.stream(
        "SELECT name, etag, privacy, alarms FROM object WHERE collection_id = ? AND NOT removed ORDER BY modseq",
        (collection,),
    )


def objects_named(
    txn: Transaction, collection: CollectionId, names: Iterable[str], *, content: bool = True
) -> Iterator[StoredObject]:
    """The objects that exist among `names`, in no order, each once."""
    wanted = list(dict.fromkeys(names))
    columns = _META + ", content" if content else _META
    for begin in range(0, len(wanted), _BATCH):
        batch = wanted[begin : begin + _BATCH]
        marks = ", ".join("?" * len(batch))
        yield from map(
            _stored,
            txn.rows(
                f"SELECT {columns} FROM object WHERE collection_id = ? AND NOT removed AND name IN ({marks})",
                (collection, *batch),
            ),
        )


def candidates(
    txn: Transaction,
    collection: CollectionId,
    *,
    component: str | None,
    start: int,
    end: int,
    needles: tuple[tuple[str, ...], ...] = (),
    unsieved: Iterable[str] | None = None,
) -> list[Candidate]:
    """The objects of which something may happen in [start, end].

    Of each inner tuple of `needles` at least one string occurs in their searched text,
    as far as that narrows the answer at a bounded cost.  With `unsieved`, that does not count
    for those whose text others do not see as it is, and not for the names in it.
    Floating objects are found when their times, read as UTC, lie within a day of the range.
    """
    sql = (
        "SELECT name, etag, component, floating, busy, first_instant, last_instant, spans_from, spans_until,"
        " privacy, alarms, spans FROM object"
        " WHERE collection_id = ? AND NOT removed AND last_instant >= ? AND first_instant <= ?"
        " AND (floating OR (last_instant >= ? AND first_instant <= ?))"
    )
    params: list[object] = [collection, start - 86400, end + 86400, start, end]
    if component is not None:
        sql += " AND component = ?"
        params.append(component)
    # Only a first sieve: SQLite takes neither thousands of conditions nor patterns of any length.
    sieves = [found for found in needles if len(found) <= _MOST_CHOICES][:_MOST_CHOICES]
    own = [] if unsieved is None else list(unsieved)
    if len(own) > _BATCH:
        sieves = []
    spared = ""
    if unsieved is not None:
        spared = "privacy > 0 OR "
        if own:
            spared += f"name IN ({', '.join('?' * len(own))}) OR "
    for choices in sieves:
        sql += f" AND ({spared}{' OR '.join([_HOLDS] * len(choices))})"
        params.extend(own)
        params.extend(map(_like, choices))
    return list(map(Candidate._make, txn.rows(sql, params)))


def _like(needle: str) -> str:
    return "%" + needle[:_MOST_SEARCHED].replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def contents(
    txn: Transaction, collection: CollectionId, names: Sequence[str]
) -> Iterator[tuple[str, str, bytes]]:
    """Name, ETag and bytes of the objects that exist among `names`, in no order, each once."""
    for begin in range(0, len(names), _BATCH):
        batch = names[begin : begin + _BATCH]
        yield from txn.rows(
            "SELECT name, etag, content FROM object WHERE collection_id = ? AND NOT removed"
            f" AND name IN ({', '.join('?' * len(batch))})",
            (collection, *batch),
        )


def guarded_contents(txn: Transaction, collection: CollectionId, names: Sequence[str]) -> Iterator[Content]:
    """As `contents`, with what decides who sees which of the bytes."""
    for begin in range(0, len(names), _BATCH):
        batch = names[begin : begin + _BATCH]
        rows = txn.rows(
            "SELECT name, etag, privacy, alarms, content FROM object WHERE collection_id = ? AND NOT removed"
            f" AND name IN ({', '.join('?' * len(batch))})",
            (collection, *batch),
        )
        yield from map(Content._make, rows)


def contents_between(
    txn: Transaction, collection: CollectionId, *, after: Modseq, until: Modseq
) -> Iterator[tuple[str, str, bytes]]:
    """Name, ETag and bytes of the objects whose last change lies above `after` and up to `until`, in that order."""
    yield from txn.stream(
        "SELECT name, etag, content FROM object"
        " WHERE collection_id = ? AND modseq > ? AND modseq <= ? AND NOT removed ORDER BY modseq",
        (collection, after, until),
    )


def remove_object(
    txn: Transaction,
    collection: CollectionId,
    name: str,
    *,
    now: int,
    by: PrincipalId = NOBODY,
    how: How = How.REMOVED,
    keep: bool = True,
) -> Modseq:
    """Remove an object; its name and the modseq of the removal stay as a tombstone.

    What it was is kept as a version, as `put_object` does.

    Raises:
        NotFound: there is no such object.
    """
    existing = find_object(txn, collection, name)
    if existing is None:
        raise NotFound(f"There is no object {name!r}.")
    return bury_object(txn, collection, existing, now=now, by=by, how=how, keep=keep)


def bury_object(
    txn: Transaction,
    collection: CollectionId,
    existing: StoredObject,
    *,
    now: int,
    by: PrincipalId = NOBODY,
    how: How = How.REMOVED,
    keep: bool = True,
) -> Modseq:
    """As `remove_object`, by who has read the `existing` object under the lock."""
    name = existing.name
    modseq = next_modseq(
        txn,
        collection,
        now=now,
        grown=-existing.size,
        kept=existing.size if keep else 0,
        private=existing.privacy == Privacy.PRIVATE,
    )
    if keep:
        keep_version(txn, collection, name, modseq=modseq, how=how, now=now, by=by)
    txn.later(
        "UPDATE object SET removed = ?, modseq = ?, modified = ?, uid = '', etag = '', size = 0, repairs = '',"
        " spans = NULL, search = '', alarms = ?, content = NULL"
        " WHERE collection_id = ? AND name = ? AND NOT removed",
        (True, modseq, now, False, collection, name),
    )
    txn.later("DELETE FROM property WHERE collection_id = ? AND object_name = ?", (collection, name))
    txn.later("DELETE FROM personal WHERE collection_id = ? AND object_name = ?", (collection, name))
    return modseq


def _stored(row: Row) -> StoredObject:
    name, uid, component, etag, size, modseq, created, modified, privacy, alarms, *content = row
    return StoredObject(
        name,
        uid,
        component,
        etag,
        size,
        modseq,
        created,
        modified,
        _PRIVACY[privacy],
        bool(alarms),
        content[0] if content else None,
    )
