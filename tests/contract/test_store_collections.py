"""Collections and where they are seen."""

from __future__ import annotations

import pytest
from store_samples import NOW, event

from tagwerk.errors import Conflict, NotFound
from tagwerk.model import Access, Kind
from tagwerk.store.collections import (
    CALENDAR_COMPONENTS,
    bindings_of,
    create_collection,
    find_binding,
    lock_collection,
    next_modseq,
    rename_binding,
)
from tagwerk.store.history import delete_collection
from tagwerk.store.objects import put_object
from tagwerk.store.principals import add_principal, remove_principal


def test_a_collection_is_found_in_its_owners_home(store, anna):
    with store.write() as txn:
        made = create_collection(txn, anna.id, name="friends", kind=Kind.ADDRESSBOOK, now=NOW)

    with store.read() as txn:
        assert find_binding(txn, "anna", "friends") == made
        assert bindings_of(txn, anna.id) == [made]
    assert made.access is Access.OWNER
    assert made.collection.owner == anna.id
    assert made.collection.components == ()


def test_a_calendar_holds_everything_where_its_creator_did_not_say(calendar):
    assert calendar.components == CALENDAR_COMPONENTS


def test_a_name_is_unique_in_a_home(store, anna, calendar):
    with pytest.raises(Conflict), store.write() as txn:
        create_collection(txn, anna.id, name="work", kind=Kind.CALENDAR, now=NOW)


def test_a_name_is_free_again_when_its_collection_is_deleted(store, anna, calendar):
    with store.write() as txn:
        delete_collection(txn, calendar.id)
        made = create_collection(txn, anna.id, name="work", kind=Kind.CALENDAR, now=NOW)

    assert made.collection.id != calendar.id
    assert made.collection.epoch != calendar.epoch


def test_a_deleted_collection_takes_its_objects_with_it(store, calendar):
    with store.write() as txn:
        put_object(txn, calendar.id, "a.ics", upload=event("a"), now=NOW)
        delete_collection(txn, calendar.id)

    with store.read() as txn:
        assert find_binding(txn, "anna", "work") is None
        assert txn.row("SELECT COUNT(*) FROM object") == (0,)


def test_deleting_twice_is_an_error(store, calendar):
    with store.write() as txn:
        delete_collection(txn, calendar.id)

    with pytest.raises(NotFound), store.write() as txn:
        delete_collection(txn, calendar.id)


def test_the_counter_goes_up_by_one(store, calendar):
    with store.write() as txn:
        first = next_modseq(txn, calendar.id, now=NOW)
        second = next_modseq(txn, calendar.id, now=NOW + 1)
        locked = lock_collection(txn, calendar.id)

    assert (first, second) == (calendar.modseq + 1, calendar.modseq + 2)
    assert (locked.modseq, locked.modified) == (second, NOW + 1)


def test_the_counter_of_a_deleted_collection_is_an_error(store, calendar):
    with store.write() as txn:
        delete_collection(txn, calendar.id)

    with pytest.raises(NotFound), store.write() as txn:
        next_modseq(txn, calendar.id, now=NOW)
    with pytest.raises(NotFound), store.write() as txn:
        lock_collection(txn, calendar.id)


def test_a_collection_may_get_another_name(store, calendar):
    with store.write() as txn:
        rename_binding(txn, find_binding(txn, "anna", "work"), name="office")

    with store.read() as txn:
        assert find_binding(txn, "anna", "work") is None
        assert find_binding(txn, "anna", "office").collection.id == calendar.id


def test_another_name_must_be_free(store, anna, calendar):
    with store.write() as txn:
        create_collection(txn, anna.id, name="home", kind=Kind.CALENDAR, now=NOW)

    with pytest.raises(Conflict), store.write() as txn:
        rename_binding(txn, find_binding(txn, "anna", "work"), name="home")


def test_everything_of_a_removed_user_is_gone(store, anna, calendar):
    with store.write() as txn:
        put_object(txn, calendar.id, "a.ics", upload=event("a"), now=NOW)
        remove_principal(txn, anna.id)

    with store.read() as txn:
        counts = [
            txn.row(f"SELECT COUNT(*) FROM {table}")
            for table in ("principal", "collection", "binding", "object")
        ]
    assert counts == [(0,)] * 4


def test_two_homes_may_have_the_same_name(store, anna, calendar):
    with store.write() as txn:
        berta = add_principal(txn, "berta", now=NOW)
        create_collection(txn, berta.id, name="work", kind=Kind.CALENDAR, now=NOW)

    with store.read() as txn:
        assert find_binding(txn, "berta", "work").collection.id != calendar.id
