"""`tagwerk user`."""

from __future__ import annotations

import json
import os
import pty
import select
import stat
import subprocess
import sys

import pytest

from tagwerk.accounts.passwords import verify
from tagwerk.store import open_engine
from tagwerk.store.credentials import credentials_of


def hashes(data, name):
    engine = open_engine(f"sqlite://{data}/tagwerk.sqlite")
    with engine.read() as txn:
        found = [credential.hash for credential in credentials_of(txn, name)]
    engine.close()
    return found


def test_a_new_user_gets_a_calendar_a_task_list_and_an_address_book(tagwerk):
    tagwerk("user", "add", "anna", "--password-stdin", stdin="secret\n")

    listed = tagwerk("collection", "list", "anna", "--json")

    collections = {each["name"]: each for each in json.loads(listed.out)}
    assert set(collections) == {"calendar", "tasks", "contacts"}
    assert collections["tasks"]["components"] == ["VTODO"]
    assert collections["contacts"]["kind"] == "addressbook"
    assert collections["contacts"]["path"] == "/anna/contacts/"


def test_the_data_folder_is_private(tagwerk, data):
    tagwerk("user", "add", "anna", "--password-stdin", stdin="secret\n")

    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert stat.S_IMODE((data / "tagwerk.sqlite").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("stdin", "password"),
    [
        ("sécret\n", "sécret"),
        ("  spaces stay \r\n", "  spaces stay "),
        ("no line end", "no line end"),
        ("first\nsecond\n", "first"),
    ],
)
def test_the_password_is_one_line_of_standard_input(tagwerk, data, stdin, password):
    result = tagwerk("user", "add", "anna", "--password-stdin", stdin=stdin)

    assert (result.code, result.out, result.err) == (0, "User anna was added.\n", "")
    (found,) = hashes(data, "anna")
    assert verify(found, password)


@pytest.mark.parametrize(
    ("stdin", "sentence"),
    [
        ("", "The password is empty."),
        ("\n", "The password is empty."),
        (b"\xff\n", "is not UTF-8"),
        ("a\0b", "control"),
    ],
)
def test_what_is_no_password_adds_nobody(tagwerk, stdin, sentence):
    result = tagwerk("user", "add", "anna", "--password-stdin", stdin=stdin)

    assert result.code == 1
    assert sentence in result.err
    assert json.loads(tagwerk("user", "list", "--json").out) == []


def test_without_a_terminal_the_password_must_come_from_standard_input(tagwerk):
    result = tagwerk("user", "add", "anna", stdin="secret\n")

    assert result.code == 2
    assert "--password-stdin" in result.err


def test_a_user_is_there_once(tagwerk, anna):
    result = tagwerk("user", "add", "anna", "--password-stdin", stdin="other\n")

    assert result.code == 1
    assert result.err == "tagwerk: There is a user 'anna' already.\n"


@pytest.mark.parametrize("name", ["a/b", "", ".", "a b", "x" * 200])
def test_a_name_that_cannot_be_is_refused(tagwerk, name):
    result = tagwerk("user", "add", name, "--password-stdin", stdin="secret\n")

    assert result.code == 1
    assert "cannot be a user name" in result.err


def test_an_address_must_be_one(tagwerk):
    result = tagwerk("user", "add", "anna", "--email", "anna", "--password-stdin", stdin="secret\n")

    assert result.code == 1
    assert result.err == "tagwerk: 'anna' is no e-mail address.\n"


def test_users_are_listed_with_what_was_said_of_them(tagwerk, anna):
    words = ("--email", "mailto:b@example.com", "--display-name", "Berta Bär", "--password-stdin")
    tagwerk("user", "add", "berta", *words, stdin="secret\n")

    as_json = json.loads(tagwerk("user", "list", "--json").out)
    as_table = tagwerk("user", "list").out.splitlines()

    assert [(user["name"], user["display_name"], user["addresses"]) for user in as_json] == [
        ("anna", "anna", []),
        ("berta", "Berta Bär", ["b@example.com"]),
    ]
    assert as_table[0].split() == ["NAME", "DISPLAY", "NAME", "E-MAIL", "COLLECTIONS", "CREATED"]
    assert as_table[2].startswith("berta  Berta Bär     b@example.com            3  20")


def test_a_removed_user_is_gone_with_everything(tagwerk, data, anna):
    result = tagwerk("user", "remove", "anna")

    assert (result.code, result.out) == (0, "User anna was removed.\n")
    assert json.loads(tagwerk("collection", "list", "--json").out) == []
    assert hashes(data, "anna") == []


def test_a_name_is_found_in_either_form_of_unicode(tagwerk):
    tagwerk("user", "add", "a\u0308nne", "--password-stdin", stdin="secret\n")

    result = tagwerk("user", "remove", "ä" + "nne")

    assert result.code == 0


@pytest.mark.parametrize("command", ["remove", "password"])
def test_nobody_has_no_password_and_cannot_be_removed(tagwerk, anna, command):
    result = tagwerk("user", command, "berta", stdin="secret\n")

    assert (result.code, result.err) == (1, "tagwerk: There is no user 'berta'.\n")


def test_a_new_password_replaces_the_old_one(tagwerk, data, anna):
    result = tagwerk("user", "password", "anna", "--password-stdin", stdin="better\n")

    assert (result.code, result.out) == (0, "The password of anna was set.\n")
    (found,) = hashes(data, "anna")
    assert verify(found, "better")
    assert not verify(found, "secret of anna")


@pytest.mark.parametrize(
    ("size", "answer"),
    [
        ((), "anna may store without limit, the default, and has 0 bytes.\n"),
        (("500 MiB",), "anna may store 524,288,000 bytes, and has 0 bytes.\n"),
        (("0",), "anna may store without limit, and has 0 bytes.\n"),
        (("default",), "anna may store without limit, the default, and has 0 bytes.\n"),
    ],
)
def test_a_quota_is_shown_and_set(tagwerk, anna, size, answer):
    changed = tagwerk("user", "quota", "anna", *size)
    shown = tagwerk("user", "quota", "anna")

    assert (changed.code, changed.out) == (0, answer)
    assert shown.out == answer


def test_a_quota_is_a_size(tagwerk, anna):
    result = tagwerk("user", "quota", "anna", "much")

    assert (result.code, result.err) == (
        1,
        "tagwerk: 'much' is no size such as 500 MiB, and not 'default'.\n",
    )


def on_a_terminal(*words, answers):
    """Run a command on a terminal of its own and answer its questions."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tagwerk.cli.main", *words],
        stdin=follower,
        stdout=subprocess.PIPE,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    seen = b""
    for question, answer in answers:
        while question not in seen:
            ready, _, _ = select.select([leader], [], [], 30)
            assert ready, seen
            seen += os.read(leader, 4096)
        seen = b""
        os.write(leader, answer + b"\n")
    out, _ = process.communicate(timeout=30)
    os.close(leader)
    return process.returncode, out.decode()


def test_on_a_terminal_the_password_is_asked_for_twice(data):
    answers = [
        (b"Password for anna:", b"one"),
        (b"Once more:", b"another"),
        (b"Password for anna:", b"secret"),
        (b"Once more:", b"secret"),
    ]

    code, out = on_a_terminal("user", "add", "anna", "--data", str(data), answers=answers)

    assert (code, out) == (0, "User anna was added.\n")
    (found,) = hashes(data, "anna")
    assert verify(found, "secret")


def test_on_a_terminal_removing_asks_before(tagwerk, data, anna):
    answers = [(b"Remove anna for ever? [y/N]:", b"n")]

    code, out = on_a_terminal("user", "remove", "anna", "--data", str(data), answers=answers)

    assert (code, out) == (1, "")
    assert [user["name"] for user in json.loads(tagwerk("user", "list", "--json").out)] == ["anna"]
