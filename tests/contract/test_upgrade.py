"""Databases of every earlier schema: they open, are migrated, and serve the same bytes under the same tokens.

`schemas/NNNN.sql` was written by the program of that schema, and `NNNN.json` has tokens
that it gave out: before its last changes, in the middle of a first sync, and at the end.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from davsamples import card, event
from tagwerk.accounts.app_passwords import add_app_password
from tagwerk.accounts.login import Authenticator
from tagwerk.cli.check import examine
from tagwerk.errors import Conflict
from tagwerk.history.undo import carry_out, last_change, objects_since
from tagwerk.model import SyncToken
from tagwerk.store import open_engine
from tagwerk.store.collections import find_binding
from tagwerk.store.objects import find_object, objects, remove_object
from tagwerk.store.principals import principal_by_name
from tagwerk.store.properties import collection_properties
from tagwerk.store.schema import SCHEMA, meta
from tagwerk.store.sync import changes_since

SCHEMAS = Path(__file__).with_name("schemas")


@pytest.fixture(params=sorted(path.stem for path in SCHEMAS.glob("*.sql")))
def upgraded(request, tmp_path):
    """A migrated database, and the tokens of before."""
    database = sqlite3.connect(tmp_path / "tagwerk.sqlite")
    database.executescript((SCHEMAS / f"{request.param}.sql").read_text())
    assert database.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone() == (
        str(int(request.param)),
    )
    database.close()
    engine = open_engine(f"sqlite://{tmp_path}/tagwerk.sqlite")
    tokens = json.loads((SCHEMAS / f"{request.param}.json").read_text())
    yield engine, {name: _token(text) for name, text in tokens.items()}
    engine.close()


def _token(text):
    epoch, _, rest = text.removeprefix("urn:tagwerk:sync:").partition(":")
    position, _, began = rest.partition("/")
    return SyncToken(epoch, int(position), int(began or 0))


def test_it_has_the_schema_of_this_program_and_is_sound(upgraded):
    engine, _ = upgraded

    with engine.read() as txn:
        assert meta(txn, "schema_version") == str(SCHEMA)
    assert examine(engine).problems == []


def test_it_serves_the_same_bytes(upgraded):
    engine, _ = upgraded

    with engine.read() as txn:
        calendar, contacts = (find_binding(txn, "anna", name).collection for name in ("calendar", "contacts"))
        events = {each.name: each.content for each in objects(txn, calendar.id, content=True)}
        cards = {each.name: each.content for each in objects(txn, contacts.id, content=True)}
        color = collection_properties(txn, calendar.id, find_binding(txn, "anna", "calendar").id)

    assert events == {
        "0.ics": event("uid-0"),
        "2.ics": event("uid-2", summary="changed"),
        "3.ics": event("uid-3"),
        "4.ics": event("uid-4"),
    }
    assert cards == {"a.vcf": card("a")}
    assert color["{http://apple.com/ns/ical/}calendar-color"] == "#ff0000"


def test_its_tokens_go_on_where_they_were(upgraded):
    engine, tokens = upgraded

    with engine.read() as txn:
        collection = find_binding(txn, "anna", "calendar").collection
        before, page, now = (
            changes_since(txn, collection, tokens[name], limit=100) for name in ("before", "page", "now")
        )

    assert ([name for name, _ in before.changed], before.removed) == (["2.ics"], ["1.ics"])
    assert (now.changed, now.removed) == ([], [])
    assert sorted(name for name, _ in page.changed) == ["2.ics", "3.ics", "4.ics"]
    assert page.removed == ["1.ics"]


def test_what_was_shared_is_shared_still(upgraded):
    engine, _ = upgraded

    with engine.read() as txn:
        ben = principal_by_name(txn, "ben")
        seen = find_binding(txn, "ben", "contacts-anna")
        if ben is None:
            return  # Schema 1 knew no shares.
        assert (seen.access.value, [each.name for each in objects(txn, seen.collection.id)]) == (
            "write",
            ["a.vcf"],
        )


def test_what_was_stored_before_has_a_history_from_now_on(upgraded):
    engine, _ = upgraded
    with engine.write() as txn:
        binding = find_binding(txn, "anna", "calendar")
        remove_object(txn, binding.collection.id, "0.ics", now=2_000_000_000)
        owner = principal_by_name(txn, "anna")
        steps = last_change(txn, owner, binding, "0.ics")
        carry_out(txn, binding.collection.id, steps, now=2_000_000_001)

    with engine.read() as txn:
        found = find_object(txn, binding.collection.id, "0.ics", content=True)
    assert found.content == event("uid-0")


def test_of_what_was_before_it_nothing_is_undone(upgraded):
    engine, _ = upgraded
    with engine.write() as txn:
        if txn.row("SELECT 1 FROM collection WHERE known_from = 0"):
            return  # Since schema 7 it is known from the beginning.
        txn.execute("UPDATE collection SET created = created - 1000")

    with engine.read() as txn, pytest.raises(Conflict, match="not known any more"):
        collection = find_binding(txn, "anna", "calendar").collection
        objects_since(txn, collection, collection.modified, name="calendar")
    with engine.read() as txn:
        assert objects_since(txn, collection, collection.modified + 1, name="calendar") == []


def test_who_logged_in_before_logs_in_still_and_can_have_what_is_new(upgraded):
    engine, _ = upgraded
    authenticator = Authenticator(engine)

    assert authenticator.login("anna", "secret") == "anna"
    with engine.write() as txn:
        secret = add_app_password(txn, principal_by_name(txn, "anna").id, "phone", now=1)
    assert authenticator.login("anna", secret) == "anna"
    authenticator.close()
