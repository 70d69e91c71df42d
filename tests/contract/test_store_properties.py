"""Properties: for everybody, for one binding, for one object, for a principal."""

from __future__ import annotations

import pytest
from store_samples import NOW, event

from tagwerk.model import NO_BINDING, BindingId
from tagwerk.store.collections import find_binding
from tagwerk.store.history import delete_collection
from tagwerk.store.objects import put_object, remove_object
from tagwerk.store.properties import (
    collection_properties,
    objects_properties,
    principal_properties,
    set_collection_properties,
    set_principal_properties,
)

NAME, COLOR = "{DAV:}displayname", "{http://apple.com/ns/ical/}calendar-color"


@pytest.fixture
def binding(store, calendar) -> BindingId:
    with store.read() as txn:
        return find_binding(txn, "anna", "work").id


def test_a_value_is_set_replaced_and_removed(store, calendar, binding):
    seen = []

    for value in ("Work", "<b xmlns='x'>Wörk</b>", None):
        with store.write() as txn:
            set_collection_properties(txn, calendar.id, {NAME: value})
            seen.append(collection_properties(txn, calendar.id, binding))

    assert seen == [{NAME: "Work"}, {NAME: "<b xmlns='x'>Wörk</b>"}, {}]


def test_a_value_of_a_binding_hides_the_one_for_everybody(store, calendar, binding):
    with store.write() as txn:
        set_collection_properties(txn, calendar.id, {NAME: "mine"}, binding=binding)
        set_collection_properties(txn, calendar.id, {NAME: "ours", COLOR: "#ff0000"})

    with store.read() as txn:
        mine = collection_properties(txn, calendar.id, binding)
        ours = collection_properties(txn, calendar.id, NO_BINDING)

    assert mine == {NAME: "mine", COLOR: "#ff0000"}
    assert ours == {NAME: "ours", COLOR: "#ff0000"}


def test_a_property_of_an_object_is_not_one_of_its_collection(store, calendar, binding):
    with store.write() as txn:
        put_object(txn, calendar.id, "a.ics", upload=event("a"), now=NOW)
        set_collection_properties(txn, calendar.id, {NAME: "one"}, object_name="a.ics")

    with store.read() as txn:
        assert collection_properties(txn, calendar.id, binding) == {}
        assert collection_properties(txn, calendar.id, binding, object_name="a.ics") == {NAME: "one"}
        assert objects_properties(txn, calendar.id) == {"a.ics": {NAME: "one"}}


def test_a_removed_object_loses_its_properties(store, calendar):
    with store.write() as txn:
        put_object(txn, calendar.id, "a.ics", upload=event("a"), now=NOW)
        set_collection_properties(txn, calendar.id, {NAME: "one"}, object_name="a.ics")
        remove_object(txn, calendar.id, "a.ics", now=NOW)

    with store.read() as txn:
        assert objects_properties(txn, calendar.id) == {}


def test_a_deleted_collection_takes_its_properties_with_it(store, calendar):
    with store.write() as txn:
        set_collection_properties(txn, calendar.id, {NAME: "Work"})
        delete_collection(txn, calendar.id)

    with store.read() as txn:
        assert txn.row("SELECT COUNT(*) FROM property") == (0,)


def test_a_principal_has_properties_of_its_own(store, anna):
    with store.write() as txn:
        set_principal_properties(txn, anna.id, {NAME: "Anna", COLOR: "blue"})
        set_principal_properties(txn, anna.id, {NAME: "Änna", COLOR: None})

    with store.read() as txn:
        assert principal_properties(txn, anna.id) == {NAME: "Änna"}
