"""Rows that lead to what does not exist: they are named, they go, and until then nothing is copied."""

from __future__ import annotations

import pytest
from store_samples import NOW, event, unchecked

from tagwerk.errors import Conflict
from tagwerk.model import Kind
from tagwerk.store.backup import write_backup
from tagwerk.store.check import misfits
from tagwerk.store.collections import NOTIFICATIONS, create_collection, find_binding
from tagwerk.store.objects import put_object
from tagwerk.store.orphans import orphans
from tagwerk.store.principals import principal_by_name
from tagwerk.store.repair import repair

ROWS = {
    "credential (id 5) leads to principal 99": "INSERT INTO credential (id, principal_id, kind, label, hash, rights,"
    " created) VALUES (5, 99, 'password', '', 'x', 'all', 1)",
    "totp (principal_id 99) leads to principal 99": "INSERT INTO totp VALUES (99, 'x', TRUE, 0, 1)",
    "principal_property (principal_id 99, name 'x') leads to principal 99": "INSERT INTO principal_property"
    " VALUES (99, 'x', 'y')",
    "membership (group_id 99, member_id 98) leads to principal 98": "INSERT INTO membership VALUES (99, 98)",
    "delegation (principal_id 99, delegate_id 98) leads to principal 99": "INSERT INTO delegation"
    " VALUES (99, 98, 'read')",
    "property (collection_id 77, binding_id 0, object_name '', name 'x') leads to collection 77": "INSERT INTO property"
    " VALUES (77, 0, '', 'x', 'y')",
    "share (collection_id 77, grantee_id 0) leads to collection 77": "INSERT INTO share VALUES (77, 0, 'read', '', 1)",
    "link (id 6) leads to collection 77": "INSERT INTO link (id, collection_id, token_hash, access, label, created)"
    " VALUES (6, 77, 'x', 'read', '', 1)",
    "version (collection_id 77, name 'a', modseq 1) leads to collection 77": "INSERT INTO version (collection_id, name,"
    " modseq, uid, component, etag, size, began, ended, how, by_id) VALUES (77, 'a', 1, 'a', '', '', 0, 1, 1, 'x', 0)",
    "personal (principal_id 99, collection_id 77, object_name 'a') leads to collection 77": "INSERT INTO personal"
    " VALUES (99, 77, 'a', 1, 'x', 'y')",
    "binding (id 7) leads to principal 99": "INSERT INTO binding (id, principal_id, collection_id, name, status, created)"
    " VALUES (7, 99, 77, 'x', 'accepted', 1)",
    "removed_binding (collection_id 77, principal_id 99) leads to collection 77": "INSERT INTO removed_binding"
    " VALUES (77, 99, 8, 'x', 'accepted', 1)",
    "object (collection_id 77, name 'a.ics') leads to collection 77": "UPDATE object SET collection_id = 77"
    " WHERE name = 'a.ics'",
}


def told(txn, principal):
    create_collection(txn, principal.id, name=NOTIFICATIONS, kind=Kind.NOTIFICATIONS, now=NOW)


@pytest.fixture
def lost(store, url, anna, calendar):
    """A store with rows that lead nowhere, and an event that does not."""
    with store.write() as txn:
        told(txn, anna)
        for name in "ab":
            put_object(txn, calendar.id, f"{name}.ics", upload=event(name), now=NOW)
    unchecked(url, *ROWS.values())
    return store


def test_rows_that_lead_nowhere_are_named_with_their_keys(lost):
    with lost.read() as txn:
        found = list(map(str, orphans(txn)))
        wrong = misfits(txn)

    assert [name for name in ROWS if f"A row of {name}, which does not exist." not in found] == []
    assert set(found) <= set(wrong)


def test_they_are_removed_and_named_and_nothing_else_goes(lost):
    with lost.write() as txn:
        done = repair(txn)

    with lost.read() as txn:
        assert misfits(txn) == []
        assert list(txn.rows("SELECT name FROM object")) == [("b.ics",)]
    assert "A row of credential (id 5) led to principal 99 and was removed." in done


def test_no_backup_is_written_of_them_and_the_sentence_says_what_to_do(lost, tmp_path):
    with pytest.raises(Conflict, match="`tagwerk check --repair` removes them"):
        write_backup(lost, tmp_path / "backup", now=NOW)

    with lost.write() as txn:
        repair(txn)
    write_backup(lost, tmp_path / "backup", now=NOW)


def test_a_collection_of_nobody_is_given_to_somebody_who_is_made_for_it(store, url, calendar, anna):
    with store.write() as txn:
        told(txn, anna)
        put_object(txn, calendar.id, "a.ics", upload=event("a"), now=NOW)
    unchecked(url, f"DELETE FROM principal WHERE id = {anna.id}")

    with store.write() as txn:
        done = repair(txn)

    name = f"found-{anna.id}"
    assert done[0] == f"Collections of nobody belong to {name}, a user who is disabled."
    with store.read() as txn:
        assert misfits(txn) == []
        assert principal_by_name(txn, name).state == "disabled"
        assert find_binding(txn, name, "work").collection.id == calendar.id
