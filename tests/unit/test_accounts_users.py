"""tagwerk.accounts.users"""

from __future__ import annotations

import pytest

from tagwerk.accounts.users import add_user, remove_user
from tagwerk.errors import Conflict, InvalidRequest, NotFound
from tagwerk.store import open_engine
from tagwerk.store.collections import bindings_of
from tagwerk.store.credentials import credentials_of
from tagwerk.store.principals import principal_by_name
from tagwerk.store.properties import collection_properties

NOW = 1_750_000_000


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(f"sqlite://{tmp_path}/tagwerk.sqlite")
    yield engine
    engine.close()


def test_a_new_user_gets_a_calendar_a_task_list_and_an_address_book(engine):
    with engine.write() as txn:
        anna = add_user(txn, "anna", now=NOW, email="anna@example.org", display_name="Anna")

    with engine.read() as txn:
        found = {
            binding.name: (
                binding.collection.kind.value,
                "VTODO" in binding.collection.components,
                "VEVENT" in binding.collection.components,
                collection_properties(txn, binding.collection.id, binding.id),
            )
            for binding in bindings_of(txn, anna.id)
        }
    assert found == {
        "calendar": ("calendar", False, True, {"{DAV:}displayname": "Calendar"}),
        "tasks": ("calendar", True, False, {"{DAV:}displayname": "Tasks"}),
        "contacts": ("addressbook", False, False, {"{DAV:}displayname": "Contacts"}),
    }
    assert (anna.display_name, anna.addresses) == ("Anna", ("anna@example.org",))


def test_a_user_without_a_password_has_no_credential(engine):
    with engine.write() as txn:
        add_user(txn, "anna", now=NOW)
        add_user(txn, "bert", now=NOW, password_hash="$argon2id$...")

    with engine.read() as txn:
        assert credentials_of(txn, "anna") == []
        assert len(credentials_of(txn, "bert")) == 1


def test_a_name_is_taken_once_however_it_is_composed(engine):
    with engine.write() as txn:
        add_user(txn, "ju\u0308rgen", now=NOW)
        with pytest.raises(Conflict):
            add_user(txn, "j\u00fcrgen", now=NOW)

        assert principal_by_name(txn, "j\u00fcrgen") is not None


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\x00", "a b", "a:b"])
def test_a_name_that_cannot_stand_in_a_url_is_refused(engine, name):
    with engine.write() as txn, pytest.raises(InvalidRequest):
        add_user(txn, name, now=NOW)


def test_a_removed_user_leaves_nothing(engine):
    with engine.write() as txn:
        anna = add_user(txn, "anna", now=NOW, password_hash="x")

    with engine.write() as txn:
        remove_user(txn, "anna")

    with engine.read() as txn:
        assert principal_by_name(txn, "anna") is None
        assert bindings_of(txn, anna.id) == []
        assert txn.row("SELECT COUNT(*) FROM credential") == (0,)
        assert txn.row("SELECT COUNT(*) FROM collection") == (0,)


def test_nobody_cannot_be_removed(engine):
    with engine.write() as txn, pytest.raises(NotFound):
        remove_user(txn, "nobody")
