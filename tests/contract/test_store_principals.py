"""Principals and their credentials."""

from __future__ import annotations

import pytest
from store_samples import NOW

from tagwerk.errors import Conflict, InvalidRequest, NotFound
from tagwerk.model import PrincipalId
from tagwerk.store.credentials import credentials_of, replace_hash, set_password
from tagwerk.store.principals import (
    add_principal,
    check_name,
    principal_by_id,
    principal_by_name,
    principals,
    remove_principal,
    update_principal,
)


def test_a_principal_is_found_as_it_was_added(store):
    with store.write() as txn:
        made = add_principal(
            txn,
            "anna@example.com",
            now=NOW,
            display_name="Anna",
            addresses=("anna@example.com", "a@example.org"),
        )

    with store.read() as txn:
        assert principal_by_name(txn, "anna@example.com") == made
        assert principal_by_id(txn, made.id) == made
    assert made.addresses == ("anna@example.com", "a@example.org")


def test_a_principal_is_called_by_its_name_where_nothing_else_was_said(anna):
    assert anna.display_name == "anna"


@pytest.mark.parametrize(
    "name",
    ["anna", "ANNA.b", "änna", "a" * 128, "o'b".replace("'", "_"), "安娜", "1", "a;b", "a+b@example.org"],
)
def test_a_name_may_be(store, name):
    with store.write() as txn:
        made = add_principal(txn, name, now=NOW)

    assert made.name == name


@pytest.mark.parametrize(
    "name", ["", ".", ".anna", "a/b", "a b", "a\\b", "a:b", "a%b", "a\0", "a\nb", "a" * 129, "#"]
)
def test_a_name_that_cannot_stand_in_a_url_is_refused(store, name):
    with pytest.raises(InvalidRequest, match="cannot be a user name"), store.write() as txn:
        add_principal(txn, name, now=NOW)


def test_the_sentence_of_a_refused_name_says_all_that_cannot_be_in_one():
    with pytest.raises(InvalidRequest) as refused:
        check_name("")
    told = str(refused.value).partition("one of ")[2].partition(", and")[0].split(" ")

    for sign in map(chr, range(33, 127)):
        if sign in told:
            with pytest.raises(InvalidRequest):
                check_name(f"a{sign}b")
        else:
            check_name(f"a{sign}b")


def test_a_name_is_there_once(store, anna):
    with pytest.raises(Conflict), store.write() as txn:
        add_principal(txn, "anna", now=NOW)


def test_principals_come_by_name(store):
    with store.write() as txn:
        for name in ("carla", "anna", "berta"):
            add_principal(txn, name, now=NOW)

    with store.read() as txn:
        assert [principal.name for principal in principals(txn)] == ["anna", "berta", "carla"]


def test_a_principal_can_be_changed(store, anna):
    with store.write() as txn:
        update_principal(txn, anna.id, display_name="Änna", addresses=("anna@example.com",))

    with store.read() as txn:
        found = principal_by_name(txn, "anna")
    assert (found.display_name, found.addresses) == ("Änna", ("anna@example.com",))


def test_nobody_cannot_be_changed_or_removed(store):
    with pytest.raises(NotFound), store.write() as txn:
        update_principal(txn, PrincipalId(1), display_name="", addresses=())
    with pytest.raises(NotFound), store.write() as txn:
        remove_principal(txn, PrincipalId(1))


def test_a_password_replaces_the_one_before(store, anna):
    with store.write() as txn:
        set_password(txn, anna.id, "old", now=NOW)
        set_password(txn, anna.id, "new", now=NOW)

    with store.read() as txn:
        assert [credential.hash for credential in credentials_of(txn, "anna")] == ["new"]


def test_a_removed_principal_has_no_credentials(store, anna):
    with store.write() as txn:
        set_password(txn, anna.id, "hash", now=NOW)
        remove_principal(txn, anna.id)

    with store.read() as txn:
        assert credentials_of(txn, "anna") == []
        assert txn.row("SELECT COUNT(*) FROM credential") == (0,)


def test_a_hash_is_replaced_only_if_it_is_still_the_same(store, anna):
    with store.write() as txn:
        set_password(txn, anna.id, "old", now=NOW)
        (credential,) = credentials_of(txn, "anna")
        set_password(txn, anna.id, "changed", now=NOW)
        replace_hash(txn, credential.id, old="old", new="old, better")

    with store.read() as txn:
        assert [each.hash for each in credentials_of(txn, "anna")] == ["changed"]
