"""`tagwerk export`."""

from __future__ import annotations

import json
import stat

import pytest
from cli_samples import calendar, card, event, task

from tagwerk.contentline import parse


@pytest.fixture
def filled(tagwerk, anna, tmp_path):
    """A user with two events, a task and a card."""
    (tmp_path / "a.ics").write_text(calendar(event("e1"), event("e2"), task("t1")))
    (tmp_path / "a.vcf").write_text(card("c1"))
    for name in ("a.ics", "a.vcf"):
        assert tagwerk("import", "anna", tmp_path / name).code == 0


def test_a_folder_takes_one_file_for_each_collection(tagwerk, filled, tmp_path):
    result = tagwerk("export", "anna", tmp_path / "out")

    assert result.code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "calendar.ics",
        "contacts.vcf",
        "tasks.ics",
    ]
    assert f"{tmp_path}/out/calendar.ics: 2 objects of calendar\n" in result.out


def test_an_exported_calendar_holds_every_component_and_each_zone_once(tagwerk, filled, tmp_path):
    tagwerk("export", "anna", "--collection", "calendar", tmp_path / "work.ics")

    (root,) = parse((tmp_path / "work.ics").read_text())
    assert sorted(child.name for child in root.children) == ["VEVENT", "VEVENT", "VTIMEZONE"]
    assert root.value("NAME") == "Calendar"


def test_only_its_owner_can_read_a_file(tagwerk, filled, tmp_path):
    tagwerk("export", "anna", "--collection", "calendar", tmp_path / "work.ics")

    assert stat.S_IMODE((tmp_path / "work.ics").stat().st_mode) == 0o600


def test_the_suffix_of_a_file_chooses_where_only_one_fits(tagwerk, filled, tmp_path):
    cards = tagwerk("export", "anna", tmp_path / "people.vcf")
    calendars = tagwerk("export", "anna", tmp_path / "all.ics")

    assert cards.code == 0
    assert (tmp_path / "people.vcf").read_bytes().startswith(b"BEGIN:VCARD\r\n")
    assert calendars.code == 1
    assert "say which with --collection. anna has: calendar, tasks." in calendars.err
    assert not (tmp_path / "all.ics").exists()


def test_what_was_exported_can_be_imported_and_exported_again(tagwerk, filled, tmp_path):
    tagwerk("export", "anna", tmp_path / "one")
    tagwerk("user", "add", "berta", "--password-stdin", stdin="secret\n")

    imported = tagwerk("import", "berta", tmp_path / "one")
    tagwerk("export", "berta", tmp_path / "two")

    assert imported.out == "4 added, 0 changed, 0 unchanged, 0 left out.\n"
    for name in ("calendar.ics", "contacts.vcf", "tasks.ics"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_importing_what_was_exported_changes_nothing(tagwerk, filled, tmp_path):
    tagwerk("export", "anna", tmp_path / "out")

    result = tagwerk("import", "anna", tmp_path / "out")

    assert (result.code, result.out) == (0, "0 added, 0 changed, 4 unchanged, 0 left out.\n")


def test_a_file_is_replaced_and_nothing_else_is_left(tagwerk, filled, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "tasks.ics").write_text("old")

    tagwerk("export", "anna", "--collection", "tasks", folder / "tasks.ics")

    assert [path.name for path in folder.iterdir()] == ["tasks.ics"]
    assert b"UID:t1" in (folder / "tasks.ics").read_bytes()


def test_names_that_no_file_can_have_are_replaced(tagwerk, anna, tmp_path):
    for name in (".hidden", "a:b", "WORK", "work"):
        tagwerk("collection", "add", "anna", name)

    tagwerk("export", "anna", tmp_path / "out")

    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"_hidden.ics", "a_b.ics"} <= names
    assert len({name.casefold() for name in names}) == len(
        json.loads(tagwerk("collection", "list", "--json").out)
    )


def test_a_folder_that_is_not_there_is_a_sentence(tagwerk, anna, tmp_path):
    result = tagwerk("export", "anna", "--collection", "tasks", tmp_path / "no" / "tasks.ics")

    assert result.code == 1
    assert f"There is no folder {tmp_path}/no to write tasks.ics into." in result.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("berta",), "There is no user 'berta'."),
        (("anna", "--collection", "x"), "anna has no collection 'x'."),
    ],
)
def test_who_and_what_must_be_there(tagwerk, anna, tmp_path, words, sentence):
    result = tagwerk("export", *words, tmp_path / "out")

    assert result.code == 1
    assert sentence in result.err
