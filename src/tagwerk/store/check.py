"""What `tagwerk check` asks the database: whether its rows fit each other, and every object with its facts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata

from tagwerk.model import CollectionId
from tagwerk.store.access import CIRCLES, reaches
from tagwerk.store.collections import NOTIFICATIONS
from tagwerk.store.engine import Transaction
from tagwerk.store.objects import etag_of
from tagwerk.store.orphans import orphans
from tagwerk.store.personal import tag_of
from tagwerk.store.schema import SCHEMA, meta
from tagwerk.store.values import impossible

_PLACE = (
    " LEFT JOIN principal p ON p.id = c.owner_id"
    " LEFT JOIN binding b ON b.collection_id = c.id AND b.principal_id = c.owner_id"
)
_NAMED = "COALESCE(p.name, '-'), COALESCE(b.name, '-')"

WITHOUT_NOTICES = (
    "p.kind = 'person' AND NOT EXISTS (SELECT 1 FROM binding n WHERE n.principal_id = p.id"
    f" AND n.name = '{NOTIFICATIONS}' AND n.status = 'accepted')"
)
"""Of `principal p`, whether nobody can tell them anything."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How much there is.  `objects` leaves tombstones out."""

    users: int
    collections: int
    objects: int
    tombstones: int


@dataclass(frozen=True, slots=True)
class StoredFacts:
    """An object with everything that was derived from its content when it was stored.

    `kind` is that of its collection, as it is written.
    """

    owner: str
    collection: str
    kind: str
    name: str
    uid: str
    component: str
    etag: str
    size: int
    first: int
    last: int
    floating: bool
    busy: int
    privacy: int
    alarms: bool
    spans: bytes | None
    spans_from: int
    spans_until: int
    search: str
    repairs: tuple[str, ...]
    content: bytes | None
    collection_id: CollectionId

    @property
    def path(self) -> str:
        """Where it is, for a sentence."""
        return f"{self.owner}/{self.collection}/{self.name}"


def libraries() -> dict[str, str]:
    """Versions of what the engines stand on, by name."""
    found = {"sqlite": sqlite3.sqlite_version}
    with suppress(metadata.PackageNotFoundError):
        found["psycopg"] = metadata.version("psycopg")
    return found


def newest_change(txn: Transaction) -> int:
    """When something changed last, in seconds since 1970; 0 where nothing is."""
    row = txn.row("SELECT COALESCE(MAX(modified), 0) FROM collection")
    return int(row[0]) if row else 0


def counts(txn: Transaction) -> Counts:
    """How much the database holds."""
    row = txn.row(
        "SELECT (SELECT COUNT(*) FROM principal WHERE kind = 'person'),"
        " (SELECT COUNT(*) FROM collection WHERE kind <> 'notifications' AND removed = 0),"
        " (SELECT COUNT(*) FROM object o JOIN collection c ON c.id = o.collection_id"
        " WHERE NOT o.removed AND c.kind <> 'notifications' AND c.removed = 0), (SELECT COUNT(*) FROM object WHERE removed)"
    )
    assert row is not None
    return Counts(*row)


def stored_facts(txn: Transaction) -> Iterator[StoredFacts]:
    """Every object, collection by collection, read as it is asked for."""
    rows = txn.stream(
        f"SELECT {_NAMED}, c.kind, o.name, o.uid, o.component, o.etag, o.size, o.first_instant, o.last_instant,"
        " o.floating, o.busy, o.privacy, o.alarms, o.spans, o.spans_from, o.spans_until, o.search, o.repairs,"
        " o.content, c.id"
        f" FROM collection c JOIN object o ON o.collection_id = c.id{_PLACE}"
        " WHERE NOT o.removed AND c.kind <> 'notifications' ORDER BY c.id, o.modseq"
    )
    for row in rows:
        owner, collection, kind, name, uid, component, etag, size, first, last, floating, busy, *rest = row
        privacy, alarms, spans, spans_from, spans_until, search, repairs, content, collection_id = rest
        yield StoredFacts(
            owner=owner,
            collection=collection,
            kind=kind,
            name=name,
            uid=uid,
            component=component,
            etag=etag,
            size=size,
            first=first,
            last=last,
            floating=bool(floating),
            busy=busy,
            privacy=privacy,
            alarms=bool(alarms),
            spans=spans,
            spans_from=spans_from,
            spans_until=spans_until,
            search=search,
            repairs=tuple(repairs.split("\n")) if repairs else (),
            content=content,
            collection_id=CollectionId(collection_id),
        )


@dataclass(frozen=True, slots=True)
class Stored:
    """A text or some bytes that were written by a layer above, and where, for a sentence.

    `kind` is ``password``, ``app-password`` or ``link`` for a hash, ``property``, ``job``, ``personal``
    or ``notice``.
    """

    kind: str
    place: str
    value: str | bytes


def stored_texts(txn: Transaction) -> Iterator[Stored]:
    """Everything that only those can read who wrote it, as it is asked for; objects are `stored_facts`."""
    for kind, sql in _TEXTS:
        for *parts, value in txn.stream(sql):
            if value is not None:
                yield Stored(kind or parts.pop(), "/".join(map(str, parts)), value)


_TEXTS: tuple[tuple[str, str], ...] = (
    (
        "",
        "SELECT COALESCE(p.name, '-'), c.id, c.kind, c.hash FROM credential c"
        " LEFT JOIN principal p ON p.id = c.principal_id",
    ),
    (
        "link",
        f"SELECT {_NAMED}, l.id, l.password_hash FROM link l JOIN collection c ON c.id = l.collection_id{_PLACE}",
    ),
    (
        "property",
        f"SELECT {_NAMED}, r.object_name, r.name, r.value FROM property r"
        f" JOIN collection c ON c.id = r.collection_id{_PLACE} WHERE r.value LIKE '%<%' OR r.value LIKE '%&%'",
    ),
    (
        "property",
        "SELECT COALESCE(p.name, '-'), r.name, r.value FROM principal_property r"
        " LEFT JOIN principal p ON p.id = r.principal_id WHERE r.value LIKE '%<%' OR r.value LIKE '%&%'",
    ),
    ("job", "SELECT kind, id, payload FROM outbox"),
    (
        "personal",
        f"SELECT {_NAMED}, r.object_name, r.principal_id, r.data FROM personal r"
        f" JOIN collection c ON c.id = r.collection_id{_PLACE}",
    ),
    (
        "notice",
        f"SELECT {_NAMED}, o.name, o.content FROM object o JOIN collection c ON c.id = o.collection_id{_PLACE}"
        " WHERE c.kind = 'notifications' AND NOT o.removed",
    ),
)


def altered_own(txn: Transaction) -> Iterator[str]:
    """The paths of objects in which what somebody has of their own is not what its tag says."""
    rows = txn.stream(
        f"SELECT {_NAMED}, r.object_name, r.tag, r.data FROM personal r"
        f" JOIN collection c ON c.id = r.collection_id{_PLACE}"
    )
    for owner, collection, name, tag, data in rows:
        if tag != tag_of(data):
            yield f"{owner}/{collection}/{name}"


def altered_objects(txn: Transaction) -> Iterator[str]:
    """The paths of objects whose bytes are not those of their ETags."""
    rows = txn.stream(
        f"SELECT {_NAMED}, o.name, o.etag, o.content FROM object o JOIN collection c ON c.id = o.collection_id"
        f"{_PLACE} WHERE NOT o.removed"
    )
    for owner, collection, name, etag, content in rows:
        if content is None or etag_of(content) != etag:
            yield f"{owner}/{collection}/{name}"


def altered_versions(txn: Transaction) -> Iterator[str]:
    """The same of earlier versions, with the numbers of the changes that ended them."""
    rows = txn.stream(
        f"SELECT {_NAMED}, v.name, v.modseq, v.etag, v.content FROM version v"
        f" JOIN collection c ON c.id = v.collection_id{_PLACE}"
    )
    for owner, collection, name, modseq, etag, content in rows:
        if content is None or etag_of(content) != etag:
            yield f"{owner}/{collection}/{name} before change {modseq}"


def misfits(txn: Transaction) -> list[str]:
    """What the rows say that cannot be true, as sentences."""
    wrong = [*_schema(txn), *map(str, orphans(txn))]
    for sql, sentence in _QUESTIONS:
        wrong += [sentence.format(*row) for row in txn.rows(sql)]
    for name, addresses in txn.rows("SELECT name, addresses FROM principal"):
        if not _is_list_of_text(addresses):
            wrong.append(f"The addresses of the user {name} cannot be read.")
    wrong += impossible(txn)
    return wrong


_QUESTIONS: tuple[tuple[str, str], ...] = (
    (
        f"SELECT {_NAMED}, o.name, o.modseq, c.modseq FROM object o JOIN collection c ON c.id = o.collection_id"
        f"{_PLACE} WHERE o.modseq > c.modseq OR o.modseq < 1",
        "{0}/{1}/{2} has change number {3}, but the collection has counted to {4}.",
    ),
    (
        f"SELECT {_NAMED}, o.modseq, COUNT(*) FROM object o JOIN collection c ON c.id = o.collection_id{_PLACE}"
        " GROUP BY p.name, b.name, c.id, o.modseq HAVING COUNT(*) > 1",
        "{0}/{1} has given change number {2} to {3} objects.",
    ),
    (
        f"SELECT {_NAMED}, o.uid, COUNT(*) FROM object o JOIN collection c ON c.id = o.collection_id{_PLACE}"
        " WHERE NOT o.removed GROUP BY p.name, b.name, c.id, o.uid HAVING COUNT(*) > 1",
        "{0}/{1} has the UID {2} in {3} objects.",
    ),
    (
        f"SELECT {_NAMED}, o.name FROM object o JOIN collection c ON c.id = o.collection_id{_PLACE}"
        " WHERE o.created_modseq > o.modseq",
        "{0}/{1}/{2} was changed before it was created.",
    ),
    (
        f"SELECT {_NAMED}, o.name FROM object o JOIN collection c ON c.id = o.collection_id{_PLACE}"
        " WHERE o.removed AND o.content IS NOT NULL",
        "{0}/{1}/{2} was removed and still has its content.",
    ),
    (
        f"SELECT {_NAMED}, o.name FROM object o JOIN collection c ON c.id = o.collection_id{_PLACE}"
        " WHERE o.removed AND (o.uid <> '' OR o.etag <> '' OR o.size <> 0 OR o.repairs <> '' OR o.spans IS NOT NULL"
        " OR o.search <> '' OR o.alarms)",
        "{0}/{1}/{2} was removed and something is still known about it.",
    ),
    (
        f"SELECT {_NAMED}, o.name, o.hidden_modseq, c.modseq FROM object o JOIN collection c"
        f" ON c.id = o.collection_id{_PLACE} WHERE o.hidden_modseq > c.modseq",
        "{0}/{1}/{2} was hidden by change {3}, but the collection has counted to {4}.",
    ),
    (
        f"SELECT {_NAMED}, r.object_name, r.modseq, c.modseq FROM personal r JOIN collection c"
        f" ON c.id = r.collection_id{_PLACE} WHERE r.modseq > c.modseq OR r.modseq < 0",
        "{0}/{1}/{2} has somebody's own change number {3}, but the collection has counted to {4}.",
    ),
    (
        "SELECT epoch, COUNT(*) FROM collection WHERE epoch <> '' GROUP BY epoch HAVING COUNT(*) > 1",
        "{1} collections have the epoch {0}.",
    ),
    (
        f"SELECT p.name FROM principal p WHERE {WITHOUT_NOTICES}",
        "{0} has no collection in which to be told something.",
    ),
    (
        f"SELECT {_NAMED}, c.min_modseq, c.modseq FROM collection c{_PLACE}"
        " WHERE c.min_modseq > c.modseq OR c.min_modseq < 0",
        "{0}/{1} has forgotten changes up to {2}, but has counted to {3}.",
    ),
    (
        f"SELECT {_NAMED}, c.bytes, (SELECT COALESCE(SUM(o.size), 0) FROM object o WHERE o.collection_id = c.id)"
        f" FROM collection c{_PLACE}"
        " WHERE c.bytes <> (SELECT COALESCE(SUM(o.size), 0) FROM object o WHERE o.collection_id = c.id)",
        "{0}/{1} says that it holds {2} bytes; its objects have {3}.",
    ),
    (
        f"SELECT {_NAMED} FROM collection c{_PLACE} WHERE c.epoch = ''",
        "{0}/{1} has no epoch.",
    ),
    (
        f"SELECT {_NAMED}, c.id FROM collection c{_PLACE}"
        " WHERE p.id IS NOT NULL AND b.id IS NULL AND c.removed = 0",
        "Collection {2} of {0} is in no home, so that nobody can reach it.",
    ),
    (
        f"SELECT {_NAMED}, c.kept, (SELECT COALESCE(SUM(v.size), 0) FROM version v WHERE v.collection_id = c.id)"
        f" FROM collection c{_PLACE}"
        " WHERE c.kept <> (SELECT COALESCE(SUM(v.size), 0) FROM version v WHERE v.collection_id = c.id)",
        "{0}/{1} says that its earlier versions have {2} bytes; they have {3}.",
    ),
    (
        f"SELECT {_NAMED}, v.name, v.modseq, c.modseq FROM version v JOIN collection c ON c.id = v.collection_id"
        f"{_PLACE} WHERE v.modseq > c.modseq",
        "{0}/{1}/{2} was changed by number {3}, but the collection has counted to {4}.",
    ),
    (
        f"SELECT {_NAMED}, c.id FROM collection c{_PLACE} WHERE c.removed <> 0 AND b.id IS NOT NULL",
        "{0}/{1} was deleted and is in its owner's home all the same.",
    ),
    (
        "SELECT COALESCE(p.name, '-'), c.id FROM collection c LEFT JOIN principal p ON p.id = c.owner_id"
        " WHERE c.removed <> 0 AND NOT EXISTS (SELECT 1 FROM removed_binding r WHERE r.collection_id = c.id"
        " AND r.principal_id = c.owner_id)",
        "Collection {1} of {0} was deleted, and where it was is not known.",
    ),
    (
        "SELECT p.name, b.name, b.status FROM binding b JOIN principal p ON p.id = b.principal_id"
        " WHERE (b.name = '') = (b.status = 'accepted')",
        "{0} has a place called '{1}' for something that is {2}.",
    ),
    (
        f"SELECT {_NAMED}, s.grantee_id FROM share s JOIN collection c ON c.id = s.collection_id{_PLACE}"
        " WHERE s.grantee_id <> 0 AND NOT EXISTS (SELECT 1 FROM principal g WHERE g.id = s.grantee_id)",
        "{0}/{1} is shared with principal {2}, who does not exist.",
    ),
    (
        f"SELECT {_NAMED}, r.name, r.binding_id FROM property r JOIN collection c ON c.id = r.collection_id{_PLACE}"
        " WHERE r.binding_id <> 0 AND NOT EXISTS (SELECT 1 FROM binding y WHERE y.id = r.binding_id"
        " AND y.collection_id = c.id) AND NOT EXISTS (SELECT 1 FROM removed_binding y WHERE y.id = r.binding_id"
        " AND y.collection_id = c.id)",
        "{0}/{1} has the property {2} for place {3}, which does not exist.",
    ),
    (
        f"{CIRCLES}SELECT {_NAMED}, g.name FROM binding x JOIN principal g ON g.id = x.principal_id"
        f" JOIN collection c ON c.id = x.collection_id{_PLACE} WHERE x.principal_id <> c.owner_id"
        f" AND NOT EXISTS (SELECT 1 FROM share s WHERE s.collection_id = c.id AND {reaches('x.principal_id')})",
        "{0}/{1} has a place in the home of {2}, whom no share of it reaches.",
    ),
    (
        f"SELECT {_NAMED}, r.object_name FROM personal r JOIN collection c ON c.id = r.collection_id{_PLACE}"
        " WHERE NOT EXISTS (SELECT 1 FROM object o WHERE o.collection_id = c.id AND o.name = r.object_name"
        " AND NOT o.removed)",
        "{0}/{1}/{2} does not exist and somebody has something of their own in it.",
    ),
    (
        f"SELECT {_NAMED}, c.shared_modseq, c.open_modseq, c.own_modseq, c.modseq FROM collection c{_PLACE}"
        " WHERE c.shared_modseq > c.modseq OR c.open_modseq > c.shared_modseq OR c.own_modseq > c.modseq",
        "{0}/{1} shows its owner change number {2}, others {3} and {4}, but has counted to {5}.",
    ),
    (
        f"SELECT {_NAMED}, r.object_name, r.name FROM property r JOIN collection c ON c.id = r.collection_id{_PLACE}"
        " WHERE r.object_name <> '' AND NOT EXISTS (SELECT 1 FROM object o WHERE o.collection_id = c.id"
        " AND o.name = r.object_name AND NOT o.removed)",
        "{0}/{1}/{2} does not exist and has the property {3}.",
    ),
)


def _schema(txn: Transaction) -> list[str]:
    version = meta(txn, "schema_version")
    if not version.isdigit() or int(version) < SCHEMA:
        return [f"The schema version is {version!r}; this Tagwerk writes {SCHEMA}."]
    return []


def _is_list_of_text(text: str) -> bool:
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return isinstance(value, list) and all(isinstance(each, str) for each in value)
