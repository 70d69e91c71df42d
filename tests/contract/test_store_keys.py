"""Keys: what belongs to a person lies together in every table (adr/0015)."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest
from store_samples import NOW, event

import serverprocess
from tagwerk.model import Access, Kind, Rights
from tagwerk.store import audit as store_audit
from tagwerk.store import engine as store_engine
from tagwerk.store.audit import Entry, add_entry, entries
from tagwerk.store.collections import create_collection
from tagwerk.store.credentials import add_app_password, set_password
from tagwerk.store.engine import new_id, run
from tagwerk.store.links import add_link
from tagwerk.store.objects import put_object
from tagwerk.store.principals import add_principal

SOMEBODYS = {"principal_id", "group_id", "collection_id", "owner"}
"""Columns that say whose a row is: a principal, by id or (in the audit) by name, or a collection of theirs."""

BY_ID = {"principal", "collection", "binding", "credential", "link"}
"""Tables whose key is an id that begins as that of whom the row belongs to."""

THE_SERVERS = {
    "meta": "facts about the database itself, and what moves from other servers have done",
    "login_failure": "counted by the address they come from, for names that may belong to nobody",
    "login_place": "asked for the address that a login comes from",
}
"""Tables in which nothing is anybody's, and why."""

KEYS = {
    "sqlite": "SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c"
    " WHERE t.type = 'table' AND c.pk = 1",
    "postgresql": "SELECT c.relname::text, a.attname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
    " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]"
    " WHERE i.indisprimary AND c.relnamespace = current_schema()::regnamespace",
}
TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    "postgresql": "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()",
}


def test_every_key_begins_with_whose_the_row_is(store):
    with store.read() as txn:
        tables = {name for (name,) in txn.rows(TABLES[store.name])}
        begins = dict(txn.rows(KEYS[store.name]))

    assert begins.keys() == tables
    loose = {
        name
        for name, column in begins.items()
        if column not in SOMEBODYS and not (name in BY_ID and column == "id")
    }
    assert loose == THE_SERVERS.keys()


def test_what_is_somebodys_has_an_id_like_theirs(store):
    with store.write() as txn:
        owners = [add_principal(txn, name, now=NOW) for name in ("anna", "bert")]
        for owner in owners:
            set_password(txn, owner.id, "hash", now=NOW)
            add_app_password(txn, owner.id, label="phone", hash="hash", rights=Rights.ALL, now=NOW)
            for name in ("work", "home"):
                made = create_collection(txn, owner.id, name=name, kind=Kind.CALENDAR, now=NOW).collection
                put_object(txn, made.id, "a.ics", upload=event("a"), now=NOW)
                add_link(
                    txn,
                    made.id,
                    token_hash=f"{owner.name} {name}",
                    access=Access.READ,
                    label="",
                    password_hash=None,
                    expires=None,
                    now=NOW,
                )

    with store.read() as txn:
        for owner in owners:
            counted = {}
            for table in BY_ID:
                low, high = owner.id >> 31 << 31, (owner.id >> 31) + 1 << 31
                counted[table] = txn.row(
                    f"SELECT COUNT(*) FROM {table} WHERE id >= ? AND id < ?", (low, high)
                )[0]
            assert counted == {"principal": 1, "collection": 2, "binding": 2, "credential": 2, "link": 2}


def test_an_id_of_ones_own_is_near_and_another_one_each_time():
    owner = new_id()

    ids = {new_id(owner) for _ in range(1000)}

    assert len(ids) == 1000
    assert {each >> 31 for each in ids} == {owner >> 31}
    assert min(ids) > 0
    assert max(ids) < 2**62


def test_an_id_that_is_there_already_is_drawn_again(store, anna, monkeypatch):
    with store.write() as txn:
        first = create_collection(txn, anna.id, name="first", kind=Kind.CALENDAR, now=NOW).collection
    drawn = iter([first.id % 2**31])
    bits = store_engine.secrets.randbits
    monkeypatch.setattr(store_engine.secrets, "randbits", lambda number: next(drawn, None) or bits(number))

    run(store, lambda txn: create_collection(txn, anna.id, name="second", kind=Kind.CALENDAR, now=NOW))

    with store.read() as txn:
        found = txn.row("SELECT COUNT(*) FROM collection WHERE owner_id = ?", (anna.id,))
    assert found == (2,)
    assert next(drawn, None) is None


@pytest.mark.parametrize("owner", ["", "anna"])
def test_the_audit_is_read_by_owner_and_as_a_whole_newest_first(store, owner):
    with store.write() as txn:
        for at, name in enumerate(["anna", "bert", "anna"]):
            add_entry(txn, Entry(NOW + at, "tests", "share", name, "work", "", ""))

    with store.read() as txn:
        found = [(entry.at - NOW, entry.owner) for entry in entries(txn, owner=owner)]

    assert found == ([(2, "anna"), (0, "anna")] if owner else [(2, "anna"), (1, "bert"), (0, "anna")])


NOTER = f"""
import sys
from tagwerk.store import open_engine
from tagwerk.store.audit import Entry, add_entry
store = open_engine(sys.argv[1])
with store.write() as txn:
    add_entry(txn, Entry({NOW}, "tests", sys.argv[2], "anna", "work", "", ""))
store.close()
"""
"""A process of its own, that notes what it is told."""


def test_what_several_processes_do_within_a_second_stays_in_order(store, url):
    environ = serverprocess.environment()
    for action in range(0, 12, 2):
        with store.write() as txn:
            add_entry(txn, Entry(NOW, "tests", str(action), "anna", "work", "", ""))
        subprocess.run([sys.executable, "-c", NOTER, url, str(action + 1)], env=environ, check=True)

    with store.read() as txn:
        found = [int(entry.action) for entry in entries(txn)]

    assert found == list(range(11, -1, -1))


def test_what_two_do_at_the_same_instant_is_noted_one_after_the_other(store, monkeypatch):
    instants = iter([7, 7, 8])
    monkeypatch.setattr(store_audit, "time", SimpleNamespace(time_ns=lambda: next(instants)))

    for action in ("first", "second"):
        entry = Entry(NOW, "tests", action, "anna", "work", "", "")
        run(store, lambda txn, entry=entry: add_entry(txn, entry))

    with store.read() as txn:
        assert [entry.action for entry in entries(txn)] == ["second", "first"]
