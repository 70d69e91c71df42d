"""Repairs: what `tagwerk check` finds and other rows know better.

Nothing that a person wrote is changed or thrown away, but for what nobody can reach.  Where clients may have seen what
was wrong, the collection gets a new epoch and they look at it again.
"""

from __future__ import annotations

from tagwerk.model import CollectionId, Facts, Kind, Modseq
from tagwerk.store.access import CIRCLES, reaches
from tagwerk.store.check import WITHOUT_NOTICES
from tagwerk.store.collections import NOTIFICATIONS, create_collection, is_taken, new_epoch
from tagwerk.store.engine import Transaction, new_id
from tagwerk.store.orphans import remove_orphans
from tagwerk.store.personal import tag_of

_STATEMENTS: tuple[tuple[str, str], ...] = (
    (
        "UPDATE object SET uid = '', etag = '', size = 0, repairs = '', spans = NULL, search = '', alarms = FALSE,"
        " content = NULL WHERE removed AND (uid <> '' OR etag <> '' OR size <> 0 OR repairs <> '' OR spans IS NOT NULL"
        " OR search <> '' OR alarms OR content IS NOT NULL)",
        "{0} removed objects gave up what was still known about them.",
    ),
    (
        "UPDATE object SET created_modseq = modseq WHERE created_modseq > modseq",
        "{0} objects are said to be created when they were changed.",
    ),
    (
        "DELETE FROM property WHERE object_name <> '' AND NOT EXISTS (SELECT 1 FROM object o"
        " WHERE o.collection_id = property.collection_id AND o.name = property.object_name AND NOT o.removed)",
        "{0} properties of objects that do not exist were removed.",
    ),
    (
        "DELETE FROM membership WHERE group_id = member_id OR EXISTS (SELECT 1 FROM principal p"
        " WHERE p.id = membership.group_id AND p.kind IN ('person', 'room', 'resource'))",
        "{0} memberships in oneself, or in what is no group, were removed.",
    ),
    (
        "DELETE FROM share WHERE grantee_id <> 0"
        " AND NOT EXISTS (SELECT 1 FROM principal p WHERE p.id = share.grantee_id)",
        "{0} shares with somebody who does not exist were removed.",
    ),
    (
        f"DELETE FROM binding WHERE id IN ({CIRCLES}SELECT x.id FROM binding x JOIN collection c"
        " ON c.id = x.collection_id WHERE x.principal_id <> c.owner_id AND NOT EXISTS (SELECT 1 FROM share s"
        f" WHERE s.collection_id = c.id AND {reaches('x.principal_id')}))",
        "{0} places of what is shared with nobody there were removed.",
    ),
    (
        "DELETE FROM property WHERE binding_id <> 0 AND NOT EXISTS (SELECT 1 FROM binding b"
        " WHERE b.id = property.binding_id AND b.collection_id = property.collection_id)"
        " AND NOT EXISTS (SELECT 1 FROM removed_binding r WHERE r.collection_id = property.collection_id"
        " AND r.id = property.binding_id)",
        "{0} properties of places that do not exist were removed.",
    ),
    (
        "DELETE FROM personal WHERE NOT EXISTS (SELECT 1 FROM object o"
        " WHERE o.collection_id = personal.collection_id AND o.name = personal.object_name AND NOT o.removed)",
        "{0} personal parts of objects that do not exist were removed.",
    ),
    (
        "UPDATE collection SET shared_modseq = modseq, open_modseq = modseq, own_modseq = modseq"
        " WHERE shared_modseq > modseq OR open_modseq > shared_modseq OR own_modseq > modseq",
        "{0} collections show everybody the number that they have counted to.",
    ),
    (
        "UPDATE collection SET bytes = (SELECT COALESCE(SUM(o.size), 0) FROM object o WHERE o.collection_id ="
        " collection.id) WHERE bytes <> (SELECT COALESCE(SUM(o.size), 0) FROM object o"
        " WHERE o.collection_id = collection.id)",
        "{0} collections have their size counted again.",
    ),
    (
        "UPDATE collection SET kept = (SELECT COALESCE(SUM(v.size), 0) FROM version v WHERE v.collection_id ="
        " collection.id) WHERE kept <> (SELECT COALESCE(SUM(v.size), 0) FROM version v"
        " WHERE v.collection_id = collection.id)",
        "{0} collections have the size of their earlier versions counted again.",
    ),
    (
        "UPDATE collection SET removed = 0, removed_by = 0 WHERE removed <> 0 AND (EXISTS (SELECT 1 FROM binding b"
        " WHERE b.collection_id = collection.id AND b.principal_id = collection.owner_id) OR NOT EXISTS"
        " (SELECT 1 FROM removed_binding r WHERE r.collection_id = collection.id"
        " AND r.principal_id = collection.owner_id))",
        "{0} collections that were deleted by halves are there again.",
    ),
    (
        "UPDATE version SET began = ended WHERE began > ended",
        "{0} earlier versions began when they ended, at the latest.",
    ),
    (
        "UPDATE principal SET addresses = '[]' WHERE addresses = ''",
        "{0} users without addresses have an empty list of them.",
    ),
)

_NEWEST = tuple(
    f"COALESCE((SELECT MAX(x.{column}) FROM {table} x WHERE x.collection_id = c.id), 0)"
    for table, column in (
        ("object", "modseq"),
        ("object", "hidden_modseq"),
        ("version", "modseq"),
        ("personal", "modseq"),
    )
)

_NEW_HISTORY = (
    f"SELECT c.id, c.modseq, {', '.join(_NEWEST)} FROM collection c"
    " WHERE c.min_modseq > c.modseq OR c.min_modseq < 0 OR c.epoch = ''"
    " OR c.epoch IN (SELECT epoch FROM collection GROUP BY epoch HAVING COUNT(*) > 1)"
    + "".join(f" OR c.modseq < {newest}" for newest in _NEWEST)
)

_HOMELESS = (
    "SELECT c.id, c.owner_id, c.created, c.kind FROM collection c JOIN principal p ON p.id = c.owner_id"
    " WHERE c.removed = 0 AND NOT EXISTS (SELECT 1 FROM binding b WHERE b.collection_id = c.id"
    " AND b.principal_id = c.owner_id)"
)


def repair(txn: Transaction) -> list[str]:
    """Mend what can be derived; a sentence for each kind of thing that was."""
    done = remove_orphans(txn)
    for statement, sentence in _STATEMENTS:
        changed = txn.execute(statement)
        if changed:
            done.append(sentence.format(changed))
    return done + _histories(txn) + _homes(txn) + _notices(txn) + _own_tags(txn)


def _histories(txn: Transaction) -> list[str]:
    wrong = list(txn.rows(_NEW_HISTORY))
    for collection, *counted in wrong:
        reached = max(counted) + 1
        txn.execute(
            "UPDATE collection SET epoch = ?, modseq = ?, shared_modseq = ?, open_modseq = ?, own_modseq = ?,"
            " min_modseq = 0 WHERE id = ?",
            (new_epoch(), reached, reached, reached, reached, collection),
        )
        txn.changed(CollectionId(collection), Modseq(reached))
    if not wrong:
        return []
    return [f"{len(wrong)} collections begin a new history, so that clients look at all of them again."]


def _homes(txn: Transaction) -> list[str]:
    homeless = list(txn.rows(_HOMELESS))
    for collection, owner, created, kind in homeless:
        name = f"found-{collection}"
        if kind == Kind.NOTIFICATIONS and not is_taken(txn, owner, NOTIFICATIONS):
            name = NOTIFICATIONS
        txn.execute(
            "INSERT INTO binding (id, principal_id, name, collection_id, status, created)"
            " VALUES (?, ?, ?, ?, 'accepted', ?)",
            (new_id(owner), owner, name, collection, created),
        )
    return [f"{len(homeless)} collections are in their owners' homes again."] if homeless else []


def _notices(txn: Transaction) -> list[str]:
    without = list(txn.rows(f"SELECT p.id, p.created FROM principal p WHERE {WITHOUT_NOTICES}"))
    for principal, created in without:
        create_collection(txn, principal, name=NOTIFICATIONS, kind=Kind.NOTIFICATIONS, now=created)
    return [f"{len(without)} persons can be told something again."] if without else []


def _own_tags(txn: Transaction) -> list[str]:
    wrong = [
        (tag_of(data), *key)
        for *key, tag, data in txn.rows(
            "SELECT principal_id, collection_id, object_name, tag, data FROM personal"
        )
        if tag != tag_of(data)
    ]
    if not wrong:
        return []
    marks = "principal_id = ? AND collection_id = ? AND object_name = ?"
    txn.many(f"UPDATE personal SET tag = ? WHERE {marks}", wrong)
    return [f"{len(wrong)} tags of what somebody has of their own were worked out again."]


def set_facts(txn: Transaction, collection: CollectionId, name: str, facts: Facts) -> None:
    """Write what is known about an object anew; its content, ETag and number stay."""
    txn.execute(
        "UPDATE object SET component = ?, first_instant = ?, last_instant = ?, floating = ?, busy = ?,"
        " spans = ?, spans_from = ?, spans_until = ?, search = ?, privacy = ?, alarms = ?, size = LENGTH(content)"
        " WHERE collection_id = ? AND name = ? AND NOT removed",
        (
            facts.component,
            facts.first,
            facts.last,
            facts.floating,
            int(facts.busy),
            facts.spans,
            facts.spans_from,
            facts.spans_until,
            facts.search,
            int(facts.privacy),
            facts.alarms,
            collection,
            name,
        ),
    )
