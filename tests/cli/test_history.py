"""`tagwerk trash`, `history`, `undo`: what a person types when something is gone."""

from __future__ import annotations

import json
import time
import zipfile

import pytest
from cli_samples import calendar, event

from davsamples import event as stored_event
from tagwerk.cli.history import moment
from tagwerk.errors import InvalidRequest
from tagwerk.ical import resource
from tagwerk.store import open_engine
from tagwerk.store.collections import find_binding
from tagwerk.store.objects import find_object, objects, put_object, remove_object

HOUR = 60 * 60


@pytest.fixture
def engine(anna, data):
    """anna, whose calendar had an hour: a.ics was changed, b.ics deleted, c.ics added."""
    engine = open_engine(f"sqlite://{data}/tagwerk.sqlite")
    now = int(time.time())
    with engine.write() as txn:
        for table in ("principal", "collection"):
            txn.execute(f"UPDATE {table} SET created = ?", (now - 4 * HOUR,))
        put(txn, "a", "Before", at=now - 3 * HOUR)
        put(txn, "b", "Deleted", at=now - 3 * HOUR)
        put(txn, "a", "After", at=now - HOUR)
        remove_object(txn, place(txn), "b.ics", now=now - HOUR)
        put(txn, "c", "New", at=now - HOUR)
    yield engine
    engine.close()


def place(txn, name="calendar"):
    return find_binding(txn, "anna", name).collection.id


def put(txn, uid, summary, *, at):
    upload = resource.read(stored_event(uid, summary=summary), now=at)
    put_object(txn, place(txn), f"{uid}.ics", upload=upload, now=at)


def titles(engine, name="calendar"):
    with engine.read() as txn:
        return {
            each.name: each.content.decode().partition("SUMMARY:")[2].partition("\r\n")[0]
            for each in objects(txn, place(txn, name), content=True)
        }


def test_the_trash_says_what_was_deleted_by_whom_and_until_when(tagwerk, engine):
    shown = tagwerk("trash", "list", "anna")
    (one,) = json.loads(tagwerk("trash", "list", "anna", "--json").out)

    assert shown.out.splitlines()[0].split("  ")[0] == "HANDLE"
    assert "VEVENT" in shown.out
    assert "Deleted" in shown.out
    assert (one["title"], one["name"], one["by"]) == ("Deleted", "b.ics", "")
    assert one["kept_until"] - one["deleted"] == 30 * 24 * HOUR


def test_what_is_restored_is_said_with_its_place(tagwerk, engine):
    (one,) = json.loads(tagwerk("trash", "list", "anna", "--json").out)

    done = tagwerk("trash", "restore", "anna", one["handle"])

    assert (done.code, done.out) == (0, "anna/calendar/b.ics is there again.\n")
    assert titles(engine)["b.ics"] == "Deleted"
    assert json.loads(tagwerk("trash", "list", "anna", "--json").out) == []
    again = tagwerk("trash", "restore", "anna", one["handle"])
    assert (again.code, again.out) == (1, "")
    assert "`tagwerk trash list anna` says what is" in again.err


def test_an_empty_trash_stays_empty(tagwerk, engine):
    assert tagwerk("trash", "empty", "anna").out == "1 thing in the trash of anna was forgotten.\n"
    assert json.loads(tagwerk("trash", "empty", "anna", "--json").out) == {"forgotten": 0}
    assert tagwerk("undo", "anna/calendar/b.ics").code == 1
    # What an object was before is not in the trash.
    assert tagwerk("undo", "anna/calendar/a.ics").code == 0


def test_the_history_of_an_object_begins_with_what_it_is_now(tagwerk, engine):
    now, before = json.loads(tagwerk("history", "anna/calendar/a.ics", "--json").out)

    assert (now["number"], now["title"]) == (None, "After")
    assert (before["title"], before["end"]) == ("Before", "replaced")
    assert before["until"] == now["from"]
    shown = tagwerk("history", "anna/calendar/a.ics", "--show", before["number"])
    assert shown.out.encode() == stored_event("a", summary="Before")
    lines = tagwerk("history", "anna/calendar/a.ics").out.splitlines()
    assert [line.split()[0] for line in lines] == ["NUMBER", "now", str(before["number"])]


def test_the_history_of_a_collection_says_what_became_of_what(tagwerk, engine):
    rows = json.loads(tagwerk("history", "anna/calendar", "--json").out)

    assert [(row["name"], row["end"]) for row in rows] == [("b.ics", "removed"), ("a.ics", "replaced")]
    assert len(json.loads(tagwerk("history", "anna/calendar", "--most", "1", "--json").out)) == 1
    assert tagwerk("history", "anna/calendar", "--show", "99").code == 1
    assert tagwerk("history", "anna/calendar/c.ics", "--show", rows[0]["number"]).code == 1
    assert "nothing is known of an earlier one" in tagwerk("history", "anna/calendar/x.ics").err


def test_an_object_is_undone_and_done_again(tagwerk, engine):
    done = tagwerk("undo", "anna/calendar/a.ics")

    assert done.out == "revert anna/calendar/a.ics (Before)\n1 thing is as before.\n"
    assert titles(engine)["a.ics"] == "Before"
    assert tagwerk("undo", "anna/calendar/a.ics").code == 0
    assert titles(engine)["a.ics"] == "After"


def test_an_object_becomes_the_version_that_is_named(tagwerk, engine):
    with engine.write() as txn:
        put(txn, "a", "Last", at=int(time.time()))
    numbers = [row["number"] for row in json.loads(tagwerk("history", "anna/calendar/a.ics", "--json").out)]

    assert tagwerk("undo", "anna/calendar/a.ics", "--to", numbers[-1]).code == 0
    assert titles(engine)["a.ics"] == "Before"
    assert "has no version 99" in tagwerk("undo", "anna/calendar/a.ics", "--to", "99").err
    assert "one object" in tagwerk("undo", "anna/calendar", "--to", "1").err
    later = tagwerk("undo", "anna", "--since", "2099-01-01")
    assert (later.code, later.out, "2099-01-01 is still to come" in later.err) == (1, "", True)
    assert "not both" in tagwerk("undo", "anna/calendar/a.ics", "--to", "1", "--since", "1h").err


def test_what_an_undoing_removes_is_said_before(tagwerk, engine):
    now = int(time.time())
    upload = resource.read(stored_event("b", summary="Other"), now=now)
    with engine.write() as txn:
        put_object(txn, place(txn), "other.ics", upload=upload, now=now)
    steps = "remove anna/calendar/other.ics (Other)\nrestore anna/calendar/b.ics (Deleted)\n"

    for words in ((), ("--since", "2h")):
        dry = tagwerk("undo", "anna/calendar/b.ics", "--dry-run", *words)
        assert dry.out == steps + "Nothing was done yet: this was a dry run.\n"
    (one,) = json.loads(tagwerk("trash", "list", "anna", "--json").out)
    refused = tagwerk("trash", "restore", "anna", one["handle"])
    command = refused.err.partition("`tagwerk ")[2].partition("`")[0]
    done = tagwerk(*command.split())

    assert refused.code == 1
    assert done.out == steps + "2 things are as before.\n"
    assert titles(engine) == {"a.ics": "After", "b.ics": "Deleted", "c.ics": "New"}
    assert [each["title"] for each in json.loads(tagwerk("trash", "list", "anna", "--json").out)] == ["Other"]


def test_a_calendar_is_again_what_it_was(tagwerk, engine):
    dry = tagwerk("undo", "anna/calendar", "--since", "2h", "--dry-run")
    assert dry.out.splitlines() == [
        "remove anna/calendar/c.ics (New)",
        "revert anna/calendar/a.ics (Before)",
        "restore anna/calendar/b.ics (Deleted)",
        "Nothing was done yet: this was a dry run.",
    ]
    assert titles(engine) == {"a.ics": "After", "c.ics": "New"}

    done = json.loads(tagwerk("undo", "anna/calendar", "--since", "2h", "--json").out)

    assert done["done"]
    assert [step["action"] for step in done["steps"]] == ["remove", "revert", "restore"]
    assert titles(engine) == {"a.ics": "Before", "b.ics": "Deleted"}
    assert tagwerk("undo", "anna/calendar", "--since", "2h").out == "There is nothing to undo.\n"
    # And what was done to undo it.
    assert tagwerk("undo", "anna/calendar", "--since", "30min").code == 0
    assert titles(engine) == {"a.ics": "After", "c.ics": "New"}


def test_one_object_of_it_is_again_what_it_was(tagwerk, engine):
    assert tagwerk("undo", "anna/calendar/b.ics", "--since", "2h").code == 0
    assert titles(engine) == {"a.ics": "After", "b.ics": "Deleted", "c.ics": "New"}


def test_a_deleted_calendar_is_there_again(tagwerk, engine):
    removed = tagwerk("collection", "remove", "anna", "calendar")
    assert "`tagwerk undo anna/calendar`" in removed.out

    done = tagwerk("undo", "anna/calendar")

    assert done.out == "restore anna/calendar (2 objects)\n1 thing is as before.\n"
    assert titles(engine) == {"a.ics": "After", "c.ics": "New"}
    assert "--since" in tagwerk("undo", "anna/calendar").err


def test_everything_of_somebody_is_again_what_it_was(tagwerk, engine):
    tagwerk("collection", "remove", "anna", "tasks")

    assert "since a time" in tagwerk("undo", "anna").err
    assert "name a later time" in tagwerk("undo", "anna", "--since", "5h").err
    done = tagwerk("undo", "anna", "--since", "2h")

    assert done.code == 0
    assert "restore anna/tasks" in done.out
    assert titles(engine) == {"a.ics": "Before", "b.ics": "Deleted"}
    assert titles(engine, "tasks") == {}


def test_what_does_not_exist_is_said(tagwerk, engine):
    for words in (
        ("trash", "list", "nobody"),
        ("undo", "nobody", "--since", "1h"),
        ("undo", "anna/nothing"),
        ("undo", "anna/calendar/nothing.ics"),
        ("history", "anna/nothing"),
        ("history", "anna"),
    ):
        result = tagwerk(*words)
        assert (result.code, result.out) == (1, ""), words
        assert result.err.startswith("tagwerk: "), words


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("5min", 300), ("5m", 300), ("2h", 7200), ("3d", 259200), ("1w", 604800)],
)
def test_a_time_is_also_how_long_ago(text, seconds):
    assert moment(text, now=10_000_000) == 10_000_000 - seconds


@pytest.mark.parametrize("text", ["", "yesterday", "5", "-1h", "2026-13-01", "9999999h"])
def test_what_is_no_time_is_refused_with_an_example(text):
    with pytest.raises(InvalidRequest, match="30min, 2h or 3d"):
        moment(text, now=10_000_000)


def test_maintenance_forgets_what_is_old_enough(tagwerk, engine, tmp_path):
    config = tmp_path / "tagwerk.ini"
    config.write_text("[retention]\nhistory_days = 0\ntrash_days = 0\n")
    tagwerk("collection", "remove", "anna", "tasks")
    time.sleep(1.1)  # A second is the smallest step of the history.

    done = tagwerk("maintenance", "--no-backup", "--config", config)

    assert done.code == 0
    assert "2 earlier versions, 1 deleted collection" in done.out
    assert json.loads(tagwerk("trash", "list", "anna", "--json").out) == []


def test_everything_about_somebody_has_what_they_deleted(tagwerk, engine, tmp_path):
    tagwerk("collection", "remove", "anna", "tasks")

    assert tagwerk("user", "export", "anna", tmp_path / "anna.zip").code == 0

    with zipfile.ZipFile(tmp_path / "anna.zip") as archive:
        names = archive.namelist()
        (file,) = (name for name in names if name.startswith("history/") and name.endswith("b.ics"))
        assert archive.read(file) == stored_event("b", summary="Deleted")
        described = json.loads(archive.read("history/calendar/versions.json"))
        assert {each["end"] for each in described} == {"replaced", "removed"}
        assert any(name.startswith("trash/tasks-") for name in names)


def test_restoring_a_backup_is_in_the_history(tagwerk, engine, tmp_path):
    assert tagwerk("backup", tmp_path / "backup").code == 0
    with engine.write() as txn:
        put(txn, "a", "After the backup", at=int(time.time()))
        put(txn, "d", "Also after", at=int(time.time()))

    assert tagwerk("restore", tmp_path / "backup", "--user", "anna", "--yes").code == 0

    assert titles(engine) == {"a.ics": "After", "c.ics": "New"}
    rows = json.loads(tagwerk("history", "anna/calendar/a.ics", "--json").out)
    assert [row["title"] for row in rows] == ["After", "After the backup", "After", "Before"]
    assert tagwerk("undo", "anna/calendar/d.ics").code == 0
    assert tagwerk("check").code == 0


def test_a_collection_of_the_trash_is_restored_from_a_backup(tagwerk, engine, tmp_path):
    assert tagwerk("backup", tmp_path / "backup").code == 0
    tagwerk("collection", "remove", "anna", "calendar")

    assert tagwerk("restore", tmp_path / "backup", "--user", "anna", "--yes").code == 0

    assert titles(engine) == {"a.ics": "After", "c.ics": "New"}
    assert tagwerk("check").code == 0
    assert all(
        each["what"] == "VEVENT" for each in json.loads(tagwerk("trash", "list", "anna", "--json").out)
    )


def test_importing_over_something_can_be_undone(tagwerk, engine, tmp_path):
    file = tmp_path / "a.ics"
    file.write_text(calendar(event("a", summary="Imported")))
    assert tagwerk("import", "anna", file).code == 0
    assert titles(engine)["a.ics"] == "Imported"

    assert tagwerk("undo", "anna/calendar/a.ics").code == 0

    assert titles(engine)["a.ics"] == "After"
    with engine.read() as txn:
        assert find_object(txn, place(txn), "a.ics") is not None


def test_each_version_that_a_restored_backup_ended_has_a_handle_of_its_own(tagwerk, engine, tmp_path):
    assert tagwerk("backup", tmp_path / "backup").code == 0
    with engine.write() as txn:
        for uid in ("x", "y", "z"):
            put(txn, uid, "Later", at=int(time.time()))
    assert tagwerk("restore", tmp_path / "backup", "--user", "anna", "--yes").code == 0

    there = json.loads(tagwerk("trash", "list", "anna", "--json").out)
    chosen = [each["handle"] for each in there if each["title"] == "Later"]
    done = tagwerk("trash", "restore", "anna", *chosen)

    assert len(set(chosen)) == 3
    assert done.out.count("is there again") == 3
    assert {"x.ics", "y.ics", "z.ics"} <= titles(engine).keys()
    assert tagwerk("check").code == 0


def test_what_somebody_else_owns_by_now_stays_theirs(tagwerk, engine, tmp_path):
    assert tagwerk("user", "add", "otto", "--password-stdin", stdin="secret\n").code == 0
    assert tagwerk("backup", tmp_path / "backup").code == 0
    assert tagwerk("user", "remove", "anna", "--yes", "--give", "calendar", "otto").code == 0

    done = tagwerk("restore", tmp_path / "backup", "--user", "anna", "--yes")

    assert done.code == 0
    assert "calendar belongs to otto by now and stays as it is." in done.err
    with engine.read() as txn:
        assert find_binding(txn, "otto", "calendar-anna").access.value == "owner"
        assert find_binding(txn, "anna", "calendar") is None
        assert find_binding(txn, "anna", "tasks") is not None
    assert tagwerk("check").code == 0


def test_a_removed_user_comes_back_with_their_trash(tagwerk, engine, tmp_path):
    assert tagwerk("user", "add", "otto", "--password-stdin", stdin="secret\n").code == 0
    assert tagwerk("share", "add", "anna/calendar", "otto", "--level", "read").code == 0
    with engine.read() as txn:
        epoch = find_binding(txn, "anna", "calendar").collection.epoch
    tagwerk("collection", "remove", "anna", "calendar")
    assert tagwerk("backup", tmp_path / "backup").code == 0
    assert tagwerk("user", "remove", "anna", "--yes").code == 0
    assert tagwerk("user", "remove", "otto", "--yes").code == 0

    assert tagwerk("restore", tmp_path / "backup", "--user", "anna", "--yes").code == 0
    assert tagwerk("undo", "anna/calendar").code == 0
    with engine.read() as txn:
        # Whoever synced after the backup knows numbers that are given again.
        assert find_binding(txn, "anna", "calendar").collection.epoch != epoch

    assert titles(engine) == {"a.ics": "After", "c.ics": "New"}
    assert tagwerk("undo", "anna/calendar/b.ics").code == 0
    assert tagwerk("check").code == 0


def test_who_saw_a_calendar_sees_it_again_when_a_backup_takes_it_out_of_the_trash(tagwerk, engine, tmp_path):
    assert tagwerk("user", "add", "otto", "--password-stdin", stdin="secret\n").code == 0
    assert tagwerk("share", "add", "anna/calendar", "otto", "--level", "read").code == 0
    assert tagwerk("backup", tmp_path / "backup").code == 0
    tagwerk("collection", "remove", "anna", "calendar")

    assert tagwerk("restore", tmp_path / "backup", "--user", "anna", "--yes").code == 0

    with engine.read() as txn:
        assert find_binding(txn, "otto", "calendar-anna").access.value == "read"
    assert tagwerk("check").code == 0
