"""`tagwerk collection`."""

from __future__ import annotations

import json

import pytest


def listed(tagwerk, *words):
    return {each["name"]: each for each in json.loads(tagwerk("collection", "list", *words, "--json").out)}


@pytest.mark.parametrize(
    ("kind", "stored", "components"),
    [
        ("calendar", "calendar", ["VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"]),
        ("tasks", "calendar", ["VTODO"]),
        ("addressbook", "addressbook", []),
    ],
)
def test_a_collection_is_added_as_what_it_is(tagwerk, anna, kind, stored, components):
    words = ("--kind", kind, "--display-name", "Büro & <mehr>")

    result = tagwerk("collection", "add", "anna", "work", *words)

    assert (result.code, result.out) == (0, "Collection work of anna was added.\n")
    work = listed(tagwerk, "anna")["work"]
    assert (work["kind"], work["components"]) == (stored, components)
    assert work["display_name"] == "Büro & <mehr>"


def test_a_collection_is_shown_by_its_name_where_nothing_else_was_said(tagwerk, anna):
    tagwerk("collection", "add", "anna", "work")

    table = tagwerk("collection", "list", "anna").out.splitlines()

    assert table[0].split() == ["USER", "NAME", "KIND", "DISPLAY", "NAME", "OBJECTS", "HOLDS"]
    assert any(
        line.startswith("anna  work      calendar     work                0  VEVENT, ") for line in table
    )


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "x" * 256])
def test_a_name_that_cannot_stand_in_a_url_is_refused(tagwerk, anna, name):
    result = tagwerk("collection", "add", "anna", name)

    assert result.code == 1
    assert result.err.startswith("tagwerk: ")
    assert len(listed(tagwerk)) == 3


def test_a_name_is_there_once(tagwerk, anna):
    result = tagwerk("collection", "add", "anna", "calendar")

    assert (result.code, result.err) == (1, "tagwerk: There is a collection 'calendar' already.\n")


def test_a_removed_collection_is_gone_and_its_name_is_free(tagwerk, anna):
    removed = tagwerk("collection", "remove", "anna", "tasks")
    added = tagwerk("collection", "add", "anna", "tasks", "--kind", "addressbook")

    assert (removed.code, removed.out) == (
        0,
        "Collection tasks of anna was removed.\nFor 30 days `tagwerk undo anna/tasks` has it again.\n",
    )
    assert added.code == 0
    assert listed(tagwerk)["tasks"]["kind"] == "addressbook"


def test_what_is_not_there_is_named_with_what_is(tagwerk, anna):
    result = tagwerk("collection", "remove", "anna", "taks")

    assert result.code == 1
    assert result.err == "tagwerk: anna has no collection 'taks'. There are: calendar, contacts, tasks.\n"


@pytest.mark.parametrize("words", [("list", "berta"), ("add", "berta", "x"), ("remove", "berta", "x")])
def test_nobody_has_no_collections(tagwerk, anna, words):
    result = tagwerk("collection", *words)

    assert (result.code, result.err) == (1, "tagwerk: There is no user 'berta'.\n")


def test_the_collections_of_everybody_are_listed(tagwerk, anna):
    tagwerk("user", "add", "berta", "--password-stdin", stdin="secret\n")

    table = tagwerk("collection", "list").out.splitlines()

    assert [line.split()[0] for line in table[1:]] == ["anna"] * 3 + ["berta"] * 3
