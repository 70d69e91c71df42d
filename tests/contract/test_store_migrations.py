"""A database that an earlier version wrote is opened, migrated, and says the same as before."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tagwerk.cli.check import examine
from tagwerk.model import Access, Privacy
from tagwerk.sharing.shares import By, share
from tagwerk.sharing.views import view_of
from tagwerk.store import open_engine, schema
from tagwerk.store.audit import Entry, entries
from tagwerk.store.collections import NOTIFICATIONS, binding_to, bindings_of, find_binding
from tagwerk.store.objects import find_object, objects
from tagwerk.store.principals import principal_by_name
from tagwerk.store.properties import collection_properties
from tagwerk.store.schema import SCHEMA, meta
from tagwerk.store.sync import changes_since, parse_token


@pytest.fixture
def before(tmp_path):
    """A database of schema 1, as `sqlite3` dumped it, with what was in it."""
    path = tmp_path / "tagwerk.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript((Path(__file__).parent / "schema_1.sql").read_text())
    rows = connection.execute("SELECT name, etag, modseq, content FROM object ORDER BY name").fetchall()
    epochs = dict(connection.execute("SELECT id, epoch FROM collection"))
    connection.close()
    return path, rows, epochs


@pytest.fixture
def after(before):
    engine = open_engine(f"sqlite://{before[0]}")
    yield engine
    engine.close()


def test_objects_tags_counters_and_names_stay_as_they_are(before, after):
    _, rows, epochs = before

    with after.read() as txn:
        assert meta(txn, "schema_version") == str(SCHEMA)
        found = list(
            txn.rows(
                "SELECT o.name, o.etag, o.modseq, o.content FROM object o"
                " JOIN collection c ON c.id = o.collection_id WHERE c.kind <> 'notifications' ORDER BY o.name"
            )
        )
        kept = dict(txn.rows("SELECT id, epoch FROM collection WHERE kind <> 'notifications'"))
        anna = principal_by_name(txn, "anna")
        names = [binding.name for binding in bindings_of(txn, anna.id)]

    assert found == rows
    assert kept == epochs
    assert sorted(names) == ["calendar", "contacts", "tasks"]


def test_a_token_from_before_goes_on(before, after):
    _, _, epochs = before

    with after.read() as txn:
        collection = find_binding(txn, "anna", "calendar").collection
        token = parse_token(f"urn:tagwerk:sync:{epochs[collection.id]}:4")
        changes = changes_since(txn, collection, token, limit=100)

    assert [name for name, _ in changes.changed] == ["confidential.ics"]
    assert changes.removed == ["gone.ics"]


def test_what_is_private_is_known_to_be(after):
    with after.read() as txn:
        collection = find_binding(txn, "anna", "calendar").collection.id
        found = {one.name: (one.privacy, one.alarms) for one in objects(txn, collection)}

    assert found == {
        "plain.ics": (Privacy.PUBLIC, False),
        "alarm.ics": (Privacy.PUBLIC, True),
        "private.ics": (Privacy.PRIVATE, False),
        "confidential.ics": (Privacy.CONFIDENTIAL, False),
    }


def test_it_can_be_shared_and_everybody_is_told(after):
    with after.write() as txn:
        bert = principal_by_name(txn, "bert")
        binding = find_binding(txn, "anna", "calendar")
        share(txn, binding, bert, Access.READ, by=By("tests", 1_760_000_000))

    with after.read() as txn:
        view = view_of(binding_to(txn, bert.id, binding.collection.id), bert.id)
        names = sorted(name for name, _ in view.etags(txn))
        told = find_binding(txn, "bert", NOTIFICATIONS)
        notices = list(objects(txn, told.collection.id))
        colour = collection_properties(txn, binding.collection.id, binding.id)

    assert names == ["alarm.ics", "confidential.ics", "plain.ics"]
    assert len(notices) == 1
    assert colour["{http://apple.com/ns/ical/}calendar-color"] == "#ff0000"


def test_nothing_is_wrong_with_it(after):
    assert examine(after).problems == []
    with after.read() as txn:
        collection = find_binding(txn, "anna", "contacts").collection.id
        assert find_object(txn, collection, "card.vcf") is not None


def test_an_audit_of_before_it_had_owners_in_its_key_is_kept(tmp_path):
    folder = Path(schema.__file__).parent / "migrations"
    earlier = [path for path in sorted(folder.glob("*.sql")) if path.stem[5:] in ("initial", "sharing")]
    database = sqlite3.connect(tmp_path / "tagwerk.sqlite")
    for path in earlier:
        database.executescript(path.read_text().replace("{blob}", "BLOB"))
    database.execute("INSERT INTO meta VALUES ('schema_version', ?)", (str(len(earlier)),))
    database.execute("INSERT INTO audit VALUES (7, 3, 'cli', 'share', 'anna', 'work', 'bert', 'read')")
    database.commit()
    database.close()

    engine = open_engine(f"sqlite://{tmp_path}/tagwerk.sqlite")

    with engine.read() as txn:
        assert list(entries(txn, owner="anna")) == [Entry(3, "cli", "share", "anna", "work", "bert", "read")]
    engine.close()
