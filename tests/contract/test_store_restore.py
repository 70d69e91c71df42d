"""What a user has again when their collections, or they themselves, are restored."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from store_samples import NOW, event

from tagwerk.accounts.leaving import remove
from tagwerk.accounts.users import add_user
from tagwerk.model import Access, Principal, Rights
from tagwerk.sharing import shares
from tagwerk.sharing.delegation import delegate
from tagwerk.sharing.groups import join
from tagwerk.sharing.links import make_link
from tagwerk.sharing.shares import AT_ONCE, By
from tagwerk.store.access import access_of
from tagwerk.store.backup import opened_backup, write_backup
from tagwerk.store.check import misfits
from tagwerk.store.collections import binding_to, bindings_of, find_binding
from tagwerk.store.credentials import add_app_password
from tagwerk.store.links import links_of
from tagwerk.store.objects import put_object, remove_object
from tagwerk.store.personal import everything_own, put_own
from tagwerk.store.principals import add_principal, delegates_of, groups_of, principal_by_name
from tagwerk.store.properties import collection_properties, set_collection_properties
from tagwerk.store.second_factors import set_totp, totp_of
from tagwerk.store.transfer import Restored, restore_user

BY = By("the test", NOW, AT_ONCE)
OWN = '{"":[null,["BEGIN:VALARM\\r\\nEND:VALARM\\r\\n"],[]]}'


@pytest.fixture
def people(store) -> dict[str, Principal]:
    """anna, bert, cara, dora and the group staff; bert sees anna's calendar and has an alarm of his own in it."""
    with store.write() as txn:
        found = {name: add_user(txn, name, now=NOW) for name in ("anna", "bert", "cara", "dora")}
        found["staff"] = add_principal(txn, "staff", now=NOW, kind="group")
        place = find_binding(txn, "anna", "calendar")
        for name in "ab":
            put_object(txn, place.collection.id, f"{name}.ics", upload=event(name), now=NOW)
        shares.share(txn, place, found["bert"], Access.READ, by=BY)
        seen = binding_to(txn, found["bert"].id, place.collection.id)
        set_collection_properties(txn, place.collection.id, {"{x}color": "blue"}, binding=seen.id)
        set_collection_properties(txn, place.collection.id, {"{x}note": "kept"})
        put_own(txn, found["bert"].id, place.collection.id, "a.ics", data=OWN)
    return found


@pytest.fixture
def restore(store, tmp_path) -> Callable[..., Restored]:
    """Restore a user from the backup."""

    def run(name: str, collection: str = "", *, now: int = NOW + 9) -> Restored:
        with opened_backup(tmp_path / "backup") as (copy, _), copy.read() as source, store.write() as txn:
            return restore_user(source, txn, name, now=now, collection=collection)

    return run


@pytest.fixture
def back_up(store, tmp_path) -> Callable[[], None]:
    def run() -> None:
        write_backup(store, tmp_path / "backup", now=NOW)

    return run


def calendar_of(txn, name: str = "anna"):
    return find_binding(txn, name, "calendar").collection.id


def test_what_belongs_to_the_sharees_stays(store, people, back_up, restore):
    back_up()
    with store.write() as txn:
        place = calendar_of(txn)
        seen = binding_to(txn, people["bert"].id, place)
        set_collection_properties(txn, place, {"{x}color": "red", "{x}name": "Later"}, binding=seen.id)
        set_collection_properties(txn, place, {"{x}note": "changed"})
        put_own(txn, people["bert"].id, place, "b.ics", data=OWN)
        shares.share(txn, find_binding(txn, "anna", "calendar"), people["cara"], Access.READ, by=BY)

    restore("anna", "calendar")

    with store.read() as txn:
        values = collection_properties(txn, place, seen.id)
        assert [values["{x}" + name] for name in ("color", "name", "note")] == ["red", "Later", "kept"]
        assert [name for _, name, _ in everything_own(txn, people["bert"].id)] == ["a.ics", "b.ics"]
        assert access_of(txn, place, people["cara"].id) is Access.READ
        assert misfits(txn) == []


def test_nothing_comes_back_for_who_left_in_the_meantime(store, people, back_up, restore):
    back_up()
    with store.write() as txn:
        place = calendar_of(txn)
        shares.unshare(txn, find_binding(txn, "anna", "calendar"), people["bert"], by=BY)

    restore("anna", "calendar")

    with store.read() as txn:
        assert txn.row("SELECT COUNT(*) FROM property WHERE binding_id <> 0") == (0,)
        assert everything_own(txn, people["bert"].id) == []
        assert access_of(txn, place, people["bert"].id) is None
        assert misfits(txn) == []


def test_what_somebody_had_of_their_own_goes_with_an_object_that_becomes_another(
    store, people, back_up, restore
):
    back_up()
    with store.write() as txn:
        remove_object(txn, calendar_of(txn), "b.ics", now=NOW)
        put_object(txn, calendar_of(txn), "b.ics", upload=event("other"), now=NOW)
        put_own(txn, people["bert"].id, calendar_of(txn), "b.ics", data=OWN)

    restore("anna", "calendar")

    with store.read() as txn:
        assert [name for _, name, _ in everything_own(txn, people["bert"].id)] == ["a.ics"]


def test_a_user_who_is_made_again_has_everything_that_was_theirs(store, people, back_up, restore):
    anna, bert, cara = (people[name] for name in ("anna", "bert", "cara"))
    with store.write() as txn:
        set_totp(txn, anna.id, "SECRET", now=NOW)
        add_app_password(txn, anna.id, label="phone", hash="sha256:x", rights=Rights.ALL, now=NOW)
        join(txn, people["staff"], anna, by=BY)
        delegate(txn, anna, cara, Access.WRITE, by=BY)
        tasks, contacts = (find_binding(txn, "anna", name) for name in ("tasks", "contacts"))
        shares.share(txn, tasks, people["staff"], Access.WRITE, by=BY)
        shares.share(txn, contacts, None, Access.READ, by=BY)
        make_link(txn, tasks, Access.READ, by=BY, expires=NOW + 100, label="lasts")
        make_link(txn, tasks, Access.READ, by=BY, expires=NOW + 5, label="short")
    back_up()
    with store.write() as txn:
        remove(txn, anna, gifts={}, by=BY)

    restored = restore("anna")

    assert restored.collections == ["calendar", "contacts", "tasks"]
    assert restored.lost == ["A link to tasks has expired."]
    with store.read() as txn:
        assert totp_of(txn, anna.id).secret == "SECRET"
        assert [group.name for group in groups_of(txn, anna.id)] == ["staff"]
        assert [(who.name, access) for who, access in delegates_of(txn, anna.id)] == [("cara", Access.WRITE)]
        seen = binding_to(txn, bert.id, calendar_of(txn))
        assert (seen.name, seen.access) == ("calendar-anna", Access.READ)
        assert collection_properties(txn, seen.collection.id, seen.id)["{x}color"] == "blue"
        assert [name for _, name, _ in everything_own(txn, bert.id)] == ["a.ics"]
        assert access_of(txn, tasks.collection.id, people["staff"].id) is Access.WRITE
        assert access_of(txn, contacts.collection.id, cara.id) is Access.READ
        assert [link.label for link in links_of(txn, tasks.collection.id)] == ["lasts"]
        names = [one.name for one in bindings_of(txn, anna.id, notifications=True)]
        assert sorted(names) == ["-notifications", "calendar", "contacts", "tasks"]
        assert misfits(txn) == []


def test_who_gave_something_or_is_gone_is_told_when_a_user_is_made_again(store, people, back_up, restore):
    anna, bert, cara, dora = (people[name] for name in ("anna", "bert", "cara", "dora"))
    with store.write() as txn:
        shares.share(txn, find_binding(txn, "cara", "tasks"), anna, Access.READ, by=BY)
        delegate(txn, cara, anna, Access.READ, by=BY)
        delegate(txn, anna, dora, Access.READ, by=BY)
        shares.share(txn, find_binding(txn, "anna", "tasks"), dora, Access.READ, by=BY)
    back_up()
    with store.write() as txn:
        for gone in (anna, bert, dora):
            remove(txn, gone, gifts={}, by=BY)

    restored = restore("anna")

    assert sorted(restored.lost) == [
        "They were a delegate of cara; cara can do that again.",
        "calendar was shared with bert, who is gone.",
        "cara/tasks was shared with them; cara can do that again.",
        "dora was a delegate, and is gone.",
        "tasks was shared with dora, who is gone.",
    ]
    with store.read() as txn:
        assert principal_by_name(txn, "anna") == anna
        assert access_of(txn, find_binding(txn, "cara", "tasks").collection.id, anna.id) is None
        assert misfits(txn) == []
