"""What `tagwerk check` asks the database."""

from __future__ import annotations

from contextlib import closing

import pytest
from store_samples import NOW, event

from tagwerk.model import Upload
from tagwerk.store import open_engine
from tagwerk.store.catalog import lacks
from tagwerk.store.check import counts, misfits, stored_facts
from tagwerk.store.collections import find_binding
from tagwerk.store.objects import etags, put_object, remove_object
from tagwerk.store.properties import set_collection_properties
from tagwerk.store.repair import repair


@pytest.fixture
def filled(store, calendar):
    """A store with an object, a tombstone and a property."""
    with store.write() as txn:
        put_object(txn, calendar.id, "a.ics", upload=event("a"), now=NOW)
        put_object(txn, calendar.id, "b.ics", upload=event("b"), now=NOW)
        remove_object(txn, calendar.id, "b.ics", now=NOW)
        set_collection_properties(txn, calendar.id, {"{x}y": "z"}, object_name="a.ics")
    return store


def test_a_sound_database_has_nothing_to_tell(filled):
    with filled.read() as txn:
        wrong = misfits(txn)

    assert wrong == []
    assert filled.check() == []


def test_objects_are_counted_without_tombstones(filled):
    with filled.read() as txn:
        found = counts(txn)

    assert (found.users, found.collections, found.objects, found.tombstones) == (1, 1, 1, 1)


def test_every_object_comes_with_its_facts_and_repairs(store, calendar):
    upload = event("a", first=5, last=9)
    with store.write() as txn:
        repaired = Upload(upload.content, upload.facts, ("A UID was added.", "A BOM was removed."))
        put_object(txn, calendar.id, "a.ics", upload=repaired, now=NOW)

    with store.read() as txn:
        (found,) = stored_facts(txn)

    assert found.path == "anna/work/a.ics"
    assert (found.uid, found.component, found.first, found.last) == ("a", "VEVENT", 5, 9)
    assert found.content == upload.content
    assert found.repairs == ("A UID was added.", "A BOM was removed.")


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("UPDATE collection SET modseq = 1", "anna/work/a.ics has change number 2, but the collection"),
        ("UPDATE collection SET min_modseq = 99", "anna/work has forgotten changes up to 99"),
        ("UPDATE collection SET epoch = ''", "anna/work has no epoch."),
        ("UPDATE collection SET kind = 'inbox'", "anna/work has the kind 'inbox'."),
        ("UPDATE binding SET status = 'any'", "anna/work has the status 'any'."),
        ("DELETE FROM binding", "is in no home, so that nobody can reach it"),
        ("UPDATE binding SET name = ''", "anna has a place called '' for something that is accepted"),
        (
            "INSERT INTO share (collection_id, grantee_id, access, summary, created)"
            " SELECT id, 1, 'read', '', 1 FROM collection",
            "anna/work is shared with principal 1, who does not exist",
        ),
        ("UPDATE collection SET shared_modseq = 99", "anna/work shows its owner change number 99"),
        ("UPDATE object SET created_modseq = 50", "anna/work/a.ics was changed before it was created"),
        ("UPDATE object SET content = 'x' WHERE removed", "b.ics was removed and still has its content"),
        ("UPDATE principal SET addresses = '{'", "The addresses of the user anna cannot be read"),
        ("UPDATE principal SET addresses = '[1]'", "The addresses of the user anna cannot be read"),
        (
            "UPDATE property SET object_name = 'c.ics'",
            "anna/work/c.ics does not exist and has the property {x}y",
        ),
        ("UPDATE meta SET value = 'x' WHERE key = 'schema_version'", "The schema version is 'x'"),
    ],
)
def test_what_does_not_fit_is_a_sentence(filled, sql, sentence):
    with filled.write() as txn:
        txn.execute(sql)

    with filled.read() as txn:
        wrong = misfits(txn)

    assert any(sentence in each for each in wrong), wrong


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE collection SET bytes = 7",
        "UPDATE collection SET modseq = 1",
        "UPDATE collection SET min_modseq = 99",
        "UPDATE collection SET epoch = ''",
        "DELETE FROM binding",
        "UPDATE collection SET shared_modseq = 99",
        "INSERT INTO share (collection_id, grantee_id, access, summary, created)"
        " SELECT id, 1, 'read', '', 1 FROM collection",
        "UPDATE object SET created_modseq = 50",
        "UPDATE object SET content = 'x' WHERE removed",
        "UPDATE property SET object_name = 'c.ics'",
    ],
)
def test_what_other_rows_know_better_is_mended_and_nothing_is_lost(filled, calendar, sql):
    with filled.write() as txn:
        before = dict(etags(txn, calendar.id))
        txn.execute(sql)

    with filled.write() as txn:
        done = repair(txn)
        again = repair(txn)

    with filled.read() as txn:
        assert misfits(txn) == []
        assert dict(etags(txn, calendar.id)) == before
    assert len(done) in (1, 2)
    assert again == []


def test_a_history_that_went_wrong_begins_anew(filled, calendar):
    with filled.write() as txn:
        txn.execute("UPDATE collection SET modseq = 1")
        repair(txn)

    with filled.read() as txn:
        now = find_binding(txn, "anna", "work").collection
    assert now.epoch != calendar.epoch
    assert now.modseq > 4


def test_a_sound_database_is_left_alone(filled):
    with filled.write() as txn:
        assert repair(txn) == []


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        (
            "DROP INDEX object_uid",
            "The database lacks the unique index object_uid of object (collection_id, uid) for some of its rows."
            " This makes it: CREATE UNIQUE INDEX object_uid ON object (collection_id, uid) WHERE NOT removed;",
        ),
        (
            "DROP INDEX principal_name",
            "The database lacks the unique index principal_name of principal (name).",
        ),
        (
            "DROP INDEX outbox_due",
            "The database lacks the index outbox_due of outbox (due) for some of its rows.",
        ),
    ],
)
def test_an_index_that_is_missing_is_told_with_what_makes_it(store, sql, sentence):
    assert [each[: len(sentence)] for each in lacking(store, sql)] == [sentence]


@pytest.mark.parametrize("any_engine", ["postgresql"], indirect=True)
def test_a_rule_that_is_missing_is_told(store):
    found = lacking(
        store,
        "ALTER TABLE share DROP CONSTRAINT share_collection_id_fkey",
        "ALTER TABLE object ALTER COLUMN uid DROP NOT NULL",
    )

    assert found == [
        "The database lacks the column object.uid, which is never empty.",
        "The database lacks the foreign key from share.collection_id to collection (ON DELETE CASCADE).",
    ]


def lacking(store, *statements: str) -> list[str]:
    """What the database would lack after some statements, which are undone: other tests use it as well."""

    class UndoneAgain(Exception):
        pass

    found = []
    with pytest.raises(UndoneAgain), store.write() as txn:
        for statement in statements:
            txn.execute(statement)
        found = lacks(store.name, txn)
        raise UndoneAgain
    assert lacks_now(store) == []
    return found


def lacks_now(store) -> list[str]:
    with store.read() as txn:
        return lacks(store.name, txn)


@pytest.mark.parametrize("any_engine", ["postgresql"], indirect=True)
def test_commits_that_nobody_waits_for_are_told(url):
    with closing(open_engine(f"{url}&options=-csynchronous_commit%3Doff")) as engine:
        wrong = engine.check()

    assert wrong == ["PostgreSQL: synchronous_commit is off; a crash would lose changes that were answered."]
