"""What `tagwerk check` asks the database."""

from __future__ import annotations

from contextlib import closing

import pytest
from store_samples import NOW, event

from tagwerk.model import Access, Kind, Status, Upload
from tagwerk.store import open_engine
from tagwerk.store.catalog import lacks
from tagwerk.store.check import counts, misfits, stored_facts
from tagwerk.store.collections import NOTIFICATIONS, bind, create_collection, find_binding
from tagwerk.store.objects import etags, put_object, remove_object
from tagwerk.store.ownership import sharees_of
from tagwerk.store.principals import add_member, add_principal, principal_by_name
from tagwerk.store.properties import set_collection_properties
from tagwerk.store.repair import repair
from tagwerk.store.shares import put_share


@pytest.fixture
def filled(store, calendar):
    """A store with an object, a tombstone, an earlier version and a property."""
    with store.write() as txn:
        owner = principal_by_name(txn, "anna")
        create_collection(txn, owner.id, name=NOTIFICATIONS, kind=Kind.NOTIFICATIONS, now=NOW)
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


def test_a_clock_that_was_put_back_is_nothing_wrong(filled, calendar):
    with filled.write() as txn:
        put_object(txn, calendar.id, "a.ics", upload=event("a", summary="Changed"), now=NOW - 864_000)
        remove_object(txn, calendar.id, "a.ics", now=NOW - 864_010)
        put_object(txn, calendar.id, "c.ics", upload=event("c"), now=NOW)
        put_object(txn, calendar.id, "c.ics", upload=event("c", summary="Changed"), now=NOW - 864_000)

    with filled.read() as txn:
        assert misfits(txn) == []


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("UPDATE collection SET modseq = 1", "anna/work/a.ics has change number 2, but the collection"),
        ("UPDATE collection SET min_modseq = 99", "anna/work has forgotten changes up to 99"),
        ("UPDATE collection SET epoch = ''", "anna/work has no epoch."),
        ("UPDATE collection SET kind = 'inbox'", ") has the kind 'inbox'."),
        ("UPDATE binding SET status = 'any'", ") has the status 'any'."),
        ("DELETE FROM binding", "is in no home, so that nobody can reach it"),
        (
            "UPDATE binding SET name = '' WHERE name = 'work'",
            "anna has a place called '' for something that is accepted",
        ),
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
        (
            "INSERT INTO delegation SELECT id, id, 'busy' FROM principal",
            ") has the access 'busy'.",
        ),
        (
            "INSERT INTO link (id, collection_id, token_hash, access, label, created)"
            " SELECT 5, id, 'x', 'write', '', 1 FROM collection WHERE kind = 'calendar'",
            "link (id 5) has the access 'write'.",
        ),
        ("UPDATE principal SET kind = 'ghost'", ") has the kind 'ghost'."),
        ("UPDATE principal SET state = 'gone'", ") has the state 'gone'."),
        ("UPDATE principal SET accept = 'never'", ") has the accept 'never'."),
        ("UPDATE principal SET quota = -1", ") has a negative quota."),
        ("UPDATE principal SET name = 'a/b'", "has the name 'a/b', which no path can hold."),
        (
            "INSERT INTO credential (id, principal_id, kind, label, hash, rights, created)"
            " SELECT 5, id, 'key', '', 'x', 'all', 1 FROM principal",
            "credential (id 5) has the kind 'key'.",
        ),
        (
            "INSERT INTO credential (id, principal_id, kind, label, hash, rights, created)"
            " SELECT 5, id, 'password', '', 'x', 'root', 1 FROM principal",
            "credential (id 5) has the rights 'root'.",
        ),
        ("UPDATE collection SET components = 'VEVENT,VBOGUS'", "holds components that do not exist: VBOGUS."),
        ("UPDATE object SET name = 'x/y' WHERE NOT removed", "name 'x/y') has a name that no path can hold."),
        (
            "UPDATE object SET hidden_modseq = 99",
            "anna/work/a.ics was hidden by change 99, but the collection",
        ),
        (
            "UPDATE object SET uid = 'x' WHERE removed",
            "b.ics was removed and something is still known about it.",
        ),
        ("UPDATE object SET busy = 7", "'a.ics') has the busy 7."),
        ("UPDATE version SET how = 'lost'", "'b.ics', modseq 4) has the how 'lost'."),
        ("UPDATE version SET began = ended + 1", "'b.ics', modseq 4) ended before it began."),
        ("UPDATE version SET size = 5", "'b.ics', modseq 4) has another size than its content."),
        ("INSERT INTO membership SELECT id, id FROM principal", ") is in itself."),
        (
            "INSERT INTO membership SELECT id, id FROM principal",
            ") makes somebody a member of what is no group.",
        ),
        (
            "INSERT INTO outbox (principal_id, id, kind, key, payload, state, created, due, attempts, error)"
            " VALUES (0, 5, 'x', 'x', '{}', 'lost', 1, 1, 0, '')",
            "outbox (principal_id 0, id 5) has the state 'lost'.",
        ),
        ("UPDATE collection SET epoch = 'same'", "2 collections have the epoch same."),
        ("DELETE FROM binding WHERE name = '-notifications'", "anna has no collection in which to be told"),
        (
            "INSERT INTO property SELECT id, 5, '', '{x}y', 'z' FROM collection WHERE kind = 'calendar'",
            "anna/work has the property {x}y for place 5, which does not exist.",
        ),
        (
            "INSERT INTO personal SELECT owner_id, id, 'a.ics', 99, 'x', 'y' FROM collection"
            " WHERE kind = 'calendar'",
            "anna/work/a.ics has somebody's own change number 99",
        ),
        (
            f"UPDATE property SET name = '{'x' * 1025}'",
            ") has a name of 1025 bytes; 1024 are allowed.",
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
        "UPDATE object SET uid = 'x' WHERE removed",
        "UPDATE object SET hidden_modseq = 99",
        "UPDATE version SET began = ended + 1",
        "INSERT INTO membership SELECT id, id FROM principal",
        "UPDATE collection SET epoch = 'same'",
        "DELETE FROM collection WHERE kind = 'notifications'",
        "INSERT INTO property SELECT id, 5, '', '{x}y', 'z' FROM collection WHERE kind = 'calendar'",
        "INSERT INTO personal SELECT owner_id, id, 'a.ics', 99, '', '' FROM collection WHERE kind = 'calendar'",
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


def test_a_place_that_no_share_reaches_is_told_and_removed(filled, calendar):
    with filled.write() as txn:
        staff = add_principal(txn, "staff", now=NOW, kind="group")
        bert, cara = (add_principal(txn, name, now=NOW) for name in ("bert", "cara"))
        for who in (bert, cara):
            create_collection(txn, who.id, name=NOTIFICATIONS, kind=Kind.NOTIFICATIONS, now=NOW)
            bind(txn, who.id, calendar.id, name="theirs", status=Status.ACCEPTED, now=NOW)
        add_member(txn, staff.id, bert.id)
        put_share(txn, calendar.id, staff.id, Access.READ, summary="", now=NOW)

    with filled.write() as txn:
        wrong = misfits(txn)
        repair(txn)

    assert wrong == ["anna/work has a place in the home of cara, whom no share of it reaches."]
    with filled.read() as txn:
        assert misfits(txn) == []
        assert sharees_of(txn, calendar.id) == ["bert"]


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
