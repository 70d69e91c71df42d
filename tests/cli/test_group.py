"""`tagwerk group`, `tagwerk room` and `tagwerk resource`."""

from __future__ import annotations

import json

import pytest

from tagwerk.accounts.users import add_user
from tagwerk.store import open_engine
from tagwerk.store.principals import principal_by_name, set_source


@pytest.fixture
def people(tagwerk, anna, data):
    engine = open_engine(f"sqlite://{data}/tagwerk.sqlite")
    with engine.write() as txn:
        add_user(txn, "bert", now=1_700_000_000)
    engine.close()


def homes(tagwerk, user):
    found = json.loads(tagwerk("collection", "list", user, "--json").out)
    return {each["name"]: each["access"] for each in found}


def test_a_share_with_a_group_follows_its_members(tagwerk, people):
    tagwerk("group", "add", "team", "--display-name", "The team")
    tagwerk("share", "add", "anna/calendar", "team", "--level", "read")
    before = homes(tagwerk, "bert")

    joined = tagwerk("group", "member", "add", "team", "bert")
    between = homes(tagwerk, "bert")
    left = tagwerk("group", "member", "remove", "team", "bert")

    assert joined.out == "bert is in team.\n"
    assert left.out == "bert is no longer in team.\n"
    assert "calendar-anna" not in before
    assert between["calendar-anna"] == "read"
    assert "calendar-anna" not in homes(tagwerk, "bert")


def test_a_group_in_a_group_has_what_that_has(tagwerk, people):
    for name in ("club", "team"):
        tagwerk("group", "add", name)
    tagwerk("group", "member", "add", "club", "team")
    tagwerk("group", "member", "add", "team", "bert")

    tagwerk("share", "add", "anna/calendar", "club", "--level", "write")
    circle = tagwerk("group", "member", "add", "team", "club")

    assert homes(tagwerk, "bert")["calendar-anna"] == "write"
    assert (circle.code, circle.err) == (1, "tagwerk: team would be a member of itself.\n")


def test_members_see_what_their_group_owns(tagwerk, people):
    tagwerk("group", "add", "team")
    tagwerk("group", "member", "add", "team", "bert")

    tagwerk("collection", "add", "team", "plans")

    assert homes(tagwerk, "bert")["plans"] == "write"
    tagwerk("group", "remove", "team", "--yes")
    assert "plans" not in homes(tagwerk, "bert")
    assert tagwerk("check").code == 0


def test_groups_are_listed_with_their_members(tagwerk, people):
    tagwerk("group", "add", "team", "--email", "team@example.org", "--json")
    tagwerk("group", "member", "add", "team", "bert")
    tagwerk("group", "member", "add", "team", "anna")

    (found,) = json.loads(tagwerk("group", "list", "--json").out)
    members = json.loads(tagwerk("group", "member", "list", "team", "--json").out)

    assert (found["name"], found["members"], found["addresses"]) == (
        "team",
        ["anna", "bert"],
        ["team@example.org"],
    )
    assert [one["name"] for one in members] == ["anna", "bert"]
    assert "anna, bert" in tagwerk("group", "list").out
    assert "bert" in tagwerk("group", "member", "list", "team").out


def test_who_is_in_a_group_of_a_directory_is_not_said_here(tagwerk, people, data):
    tagwerk("group", "add", "staff")
    engine = open_engine(f"sqlite://{data}/tagwerk.sqlite")
    with engine.write() as txn:
        set_source(txn, principal_by_name(txn, "staff").id, "ldap")
    engine.close()

    result = tagwerk("group", "member", "add", "staff", "bert")

    assert (result.code, result.err) == (1, "tagwerk: Who is in staff is said by ldap, at each login.\n")


@pytest.mark.parametrize("kind", ["room", "resource"])
def test_a_place_has_a_calendar_and_cannot_be_taken_for_a_user(tagwerk, people, kind):
    added = tagwerk(kind, "add", "blue", "--display-name", "The blue one")
    shared = tagwerk("share", "add", "blue/calendar", "everybody", "--level", "busy")

    assert added.out == f"The {kind} blue was added.\n"
    assert shared.code == 0
    (found,) = json.loads(tagwerk(kind, "list", "--json").out)
    assert (found["name"], found["display_name"], found["collections"]) == ("blue", "The blue one", 1)
    assert "blue" not in tagwerk("user", "list").out
    refused = tagwerk("user", "remove", "blue", "--yes")
    assert refused.err == f"tagwerk: blue is a {kind}; `tagwerk {kind}` is for these.\n"
    assert tagwerk(kind, "remove", "blue", "--yes").out == f"The {kind} blue was removed.\n"
    assert tagwerk("check").code == 0


@pytest.mark.parametrize("kind", ["user", "group"])
@pytest.mark.parametrize("name", ["public", "everybody", "Everybody"])
def test_a_name_that_means_something_else_is_refused(tagwerk, people, name, kind):
    result = tagwerk(kind, "add", name, *(["--password-stdin"] if kind == "user" else []), stdin="secret\n")

    assert result.code == 1
    assert result.err == f"tagwerk: The name {name!r} is reserved; choose another one.\n"


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("group", "remove", "team", "--yes"), "group 'team'"),
        (("group", "member", "list", "team"), "group 'team'"),
        (("group", "member", "add", "team", "bert"), "group 'team'"),
        (("room", "remove", "blue", "--yes"), "room 'blue'"),
        (("group", "member", "add", "staff", "team"), "user or group 'team'"),
        (("share", "add", "anna/calendar", "team", "--level", "read"), "user or group 'team'"),
        (("delegate", "add", "anna", "team", "--level", "read"), "user or group 'team'"),
    ],
)
def test_who_is_missing_is_called_what_they_would_be(tagwerk, people, words, what):
    tagwerk("group", "add", "staff")

    result = tagwerk(*words)

    assert (result.code, result.err) == (1, f"tagwerk: There is no {what}.\n")


def test_a_member_who_is_none_is_told(tagwerk, people):
    tagwerk("group", "add", "team")

    assert tagwerk("group", "member", "remove", "team", "bert").err == "tagwerk: bert is not in team.\n"
    assert tagwerk("group", "member", "add", "bert", "anna").err == "tagwerk: bert is a person, no group.\n"
