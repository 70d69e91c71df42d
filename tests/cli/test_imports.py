"""`tagwerk import`: everything that can be stored is stored, everything else is listed."""

from __future__ import annotations

import json

import pytest
from cli_samples import BERLIN, calendar, card, event, task

from tagwerk.store import open_engine
from tagwerk.store.collections import find_binding
from tagwerk.store.objects import objects


def stored(data, name):
    """The objects of a collection by name."""
    engine = open_engine(f"sqlite://{data}/tagwerk.sqlite")
    with engine.read() as txn:
        binding = find_binding(txn, "anna", name)
        assert binding is not None
        found = {each.name: each for each in objects(txn, binding.collection.id, content=True)}
    engine.close()
    return found


@pytest.fixture
def write(tmp_path):
    """Write a file into the folder that is imported, and return its path."""

    def make(name, *texts):
        path = tmp_path / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes("".join(texts).encode())
        return path

    return make


def test_events_tasks_and_cards_go_where_the_user_keeps_them(tagwerk, data, anna, write):
    write("all.ics", calendar(event("e1"), event("e2"), task("t1")))
    write("people.vcf", card("c1"), card("c2"))

    result = tagwerk("import", "anna", write("readme.txt", "hello").parent)

    assert result.code == 0
    assert result.out == "5 added, 0 changed, 0 unchanged, 0 left out.\n"
    assert result.err.endswith("readme.txt was passed over: it is neither iCalendar nor vCard\n")
    assert set(stored(data, "calendar")) == {"e1.ics", "e2.ics"}
    assert set(stored(data, "tasks")) == {"t1.ics"}
    assert set(stored(data, "contacts")) == {"c1.vcf", "c2.vcf"}


def test_an_object_has_its_time_zone_and_no_method(tagwerk, data, anna, write):
    tagwerk("import", "anna", write("a.ics", calendar(event("e1"))))

    content = stored(data, "calendar")["e1.ics"].content

    assert content is not None
    assert b"TZID:Europe/Berlin\r\n" in content
    assert b"METHOD" not in content


def test_running_it_twice_changes_nothing(tagwerk, data, anna, write):
    folder = write("a.ics", calendar(event("e1"), event("e2"), event(""))).parent
    write("b.vcf", card("c1"), card(""))
    tagwerk("import", "anna", folder)
    before = stored(data, "calendar"), stored(data, "contacts")

    result = tagwerk("import", "anna", folder)

    assert (result.code, result.out) == (0, "0 added, 0 changed, 5 unchanged, 0 left out.\n")
    assert (stored(data, "calendar"), stored(data, "contacts")) == before


def test_an_object_with_a_known_uid_is_updated_under_its_name(tagwerk, data, anna, write):
    tagwerk("import", "anna", write("a.ics", calendar(event("e1"))))

    result = tagwerk("import", "anna", write("b.ics", calendar(event("e1", summary="Moved"))))

    assert result.out == "0 added, 1 changed, 0 unchanged, 0 left out.\n"
    (found,) = stored(data, "calendar").values()
    assert found.name == "e1.ics"
    assert b"SUMMARY:Moved" in found.content


def test_what_cannot_be_stored_is_listed_with_file_line_and_reason(tagwerk, data, anna, write):
    broken = event("e2").replace("20260105T090000", "someday")
    path = write("a.ics", calendar(event("e1"), broken, event("e3")))

    result = tagwerk("import", "anna", path)

    line = path.read_text().splitlines().index("UID:e2")  # the line before, counted from 1
    assert result.code == 1
    assert result.out == "2 added, 0 changed, 0 unchanged, 1 left out.\n"
    assert result.err.startswith(f"{path}:{line}: VEVENT e2: ")
    assert "someday" in result.err
    assert set(stored(data, "calendar")) == {"e1.ics", "e3.ics"}


def test_the_first_of_two_different_objects_with_one_uid_stays(tagwerk, data, anna, write):
    folder = write("a.ics", calendar(event("e1", summary="First"))).parent
    write("b.ics", calendar(event("e1", summary="Second")))

    results = [tagwerk("import", "anna", folder) for _ in range(2)]

    assert [result.code for result in results] == [1, 1]
    assert results[1].out == "0 added, 0 changed, 1 unchanged, 1 left out.\n"
    assert "b.ics" in results[1].err.split(":")[0]
    (found,) = stored(data, "calendar").values()
    assert b"SUMMARY:First" in found.content


def test_a_uid_that_cannot_be_a_name_gets_one_that_lasts(tagwerk, data, anna, write):
    uids = ["../../etc/passwd", "a b", ".hidden", "x" * 400, "ü", "{curly}"]
    path = write("a.ics", calendar(*map(event, uids)))

    results = [tagwerk("import", "anna", path) for _ in range(2)]

    assert [result.out.split(",")[0] for result in results] == ["6 added", "0 added"]
    found = stored(data, "calendar")
    assert {each.uid for each in found.values()} == set(uids)
    assert all("/" not in name and not name.startswith(".") and len(name) < 200 for name in found)


def test_a_name_that_another_uid_has_is_not_taken(tagwerk, data, anna, write):
    tagwerk("import", "anna", write("a.ics", calendar(event("e1"))))
    engine = open_engine(f"sqlite://{data}/tagwerk.sqlite")
    with engine.write() as txn:
        txn.execute("UPDATE object SET name = 'e2.ics'")
    engine.close()

    result = tagwerk("import", "anna", write("b.ics", calendar(event("e2"))))

    assert result.out.startswith("1 added")
    assert sorted(each.uid for each in stored(data, "calendar").values()) == ["e1", "e2"]


def test_a_named_collection_takes_everything_that_it_can_hold(tagwerk, data, anna, write):
    path = write("a.ics", calendar(event("e1"), task("t1")))

    result = tagwerk("import", "anna", path, "--collection", "tasks")

    assert result.code == 1
    assert "VEVENT: tasks does not hold this" in result.err
    assert set(stored(data, "tasks")) == {"t1.ics"}


@pytest.mark.parametrize(
    ("text", "kind"), [(calendar(event("e1"), task("t1")), "calendar"), (card("c1"), "addressbook")]
)
def test_a_named_collection_is_made_as_what_it_has_to_hold(tagwerk, anna, write, text, kind):
    result = tagwerk("import", "anna", write("a", text), "--collection", "Old stuff")

    made = {each["name"]: each for each in json.loads(tagwerk("collection", "list", "--json").out)}[
        "Old stuff"
    ]
    assert result.code == 0
    assert result.out.startswith("Collection Old stuff was made.\n")
    assert (made["kind"], made["display_name"]) == (kind, "Old stuff")


def test_a_collection_is_not_made_for_nothing(tagwerk, anna, write):
    result = tagwerk("import", "anna", write("a.ics", "nothing"), "--collection", "new")

    assert result.code == 1
    assert "new" not in tagwerk("collection", "list").out


def test_without_a_place_for_it_a_component_is_left_out(tagwerk, anna, write):
    tagwerk("collection", "remove", "anna", "contacts")

    result = tagwerk("import", "anna", write("a.vcf", card("c1")))

    assert result.code == 1
    assert "anna has no collection for this; name one with --collection" in result.err


@pytest.mark.parametrize("options", [(), ("--collection", "new")])
def test_a_dry_run_tells_what_an_import_would_do_and_writes_nothing(
    tagwerk, data, anna, write, tmp_path, options
):
    tagwerk("import", "anna", write("a.ics", calendar(event("old"), event("same"))))
    before = stored(data, "calendar")
    many = [event(f"m{n}") for n in range(250)]
    write("a.ics", calendar(event("old", summary="Moved"), event("same"), *many))
    write(
        "b.ics",
        calendar(event("m3"), event("m4", summary="other"), event("old", summary="Twice"), task("m5")),
    )
    folder = write("c.vcf", card("c1"), card("c1")).parent
    words = ("import", "anna", folder, *options, "--report", tmp_path / "report.json")

    dry = tagwerk(*words, "--dry-run")
    expected = json.loads((tmp_path / "report.json").read_text())
    unchanged = stored(data, "calendar")
    made = tagwerk("collection", "list", "anna").out
    done = tagwerk(*words)

    assert unchanged == before
    assert "new" not in made
    assert dry.code == done.code == 1
    assert (
        dry.out.replace("would be made", "was made")
        .replace(" would be", "")
        .replace(", this was a dry run", "")
        == done.out
    )
    assert dry.err == done.err
    assert expected == json.loads((tmp_path / "report.json").read_text())
    assert expected["added"] == 252
    assert expected["created"] == (["new"] if options else [])
    assert expected["left_out"][0].keys() == {"file", "line", "reason"}


def test_an_object_that_is_too_large_is_left_out(tagwerk, data, anna, write, tmp_path):
    config = tmp_path / "tagwerk.ini"
    config.write_text("[dav]\nmax_resource_size = 1 KiB\n")
    path = write("a.ics", calendar(event("e1", more=f"DESCRIPTION:{'x' * 2000}\n"), task("t1")))

    result = tagwerk("import", "anna", path, "--config", config)

    assert result.code == 1
    assert "1,024 are allowed" in result.err
    assert set(stored(data, "tasks")) == {"t1.ics"}


def test_thousands_of_components_are_stored(tagwerk, anna, write):
    path = write("a.ics", calendar(*(event(f"e{number}") for number in range(2000))))

    first = tagwerk("import", "anna", path)
    second = tagwerk("import", "anna", path)

    assert first.out == "2,000 added, 0 changed, 0 unchanged, 0 left out.\n"
    assert second.out == "0 added, 0 changed, 2,000 unchanged, 0 left out.\n"


def test_hidden_files_and_files_without_objects_do_not_count(tagwerk, anna, write):
    write(".hidden.ics", "broken")
    folder = write("displayname", "Work").parent

    result = tagwerk("import", "anna", folder)

    assert (result.code, result.out) == (0, "0 added, 0 changed, 0 unchanged, 0 left out.\n")
    assert "displayname was passed over" in result.err
    assert ".hidden.ics" not in result.err


@pytest.mark.parametrize("text", ["", " \r\n", calendar(), calendar().replace(BERLIN, "")])
def test_an_empty_calendar_is_nothing_that_was_left_out(tagwerk, anna, write, text):
    result = tagwerk("import", "anna", write("a.ics", text))

    assert (result.code, result.out) == (0, "0 added, 0 changed, 0 unchanged, 0 left out.\n")
    assert result.err.endswith("a.ics was passed over: it has nothing in it\n")


def test_a_calendar_that_breaks_off_is_left_out(tagwerk, anna, write):
    result = tagwerk("import", "anna", write("a.ics", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n"))

    assert result.code == 1
    assert result.err.endswith("a.ics:1: there is no event, task or journal entry in it\n")


def test_a_file_that_is_neither_is_left_out(tagwerk, anna, write):
    result = tagwerk("import", "anna", write("picture.png", "\x89PNG"))

    assert result.code == 1
    assert result.err.endswith("picture.png:1: is neither iCalendar nor vCard\n")


@pytest.mark.parametrize(
    ("user", "name", "sentence"),
    [("berta", "a.ics", "There is no user 'berta'."), ("anna", "b.ics", "There is no file or folder")],
)
def test_who_and_what_must_be_there(tagwerk, anna, write, user, name, sentence):
    path = write("a.ics", calendar(event("e1"))).with_name(name)

    result = tagwerk("import", user, path)

    assert result.code == 1
    assert sentence in result.err


def test_an_empty_folder_is_nothing_to_do(tagwerk, anna, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()

    result = tagwerk("import", "anna", folder)

    assert (result.code, result.out) == (0, "0 added, 0 changed, 0 unchanged, 0 left out.\n")


def test_what_is_no_file_is_not_read(tagwerk, anna):
    result = tagwerk("import", "anna", "/dev/zero")

    assert result.code == 1
    assert "is no file" in result.err
