"""`tagwerk check`."""

from __future__ import annotations

import json

import pytest
from cli_samples import calendar, card, event

from tagwerk.store import open_engine
from tagwerk.store.schema import SCHEMA


@pytest.fixture
def filled(tagwerk, data, anna, tmp_path):
    """Run SQL on a database with an event and a card."""
    (tmp_path / "a.ics").write_text(calendar(event("e1")))
    (tmp_path / "a.vcf").write_text(card("c1"))
    for name in ("a.ics", "a.vcf"):
        assert tagwerk("import", "anna", tmp_path / name).code == 0

    def change(sql):
        engine = open_engine(f"sqlite://{data}/tagwerk.sqlite")
        with engine.write() as txn:
            txn.execute(sql)
        engine.close()

    return change


def test_a_sound_database_is_in_order(tagwerk, filled):
    result = tagwerk("check")

    assert (result.code, result.err) == (0, "")
    assert result.out == (
        f"Schema {SCHEMA}: 1 user, 3 collections, 2 objects, 0 remembered removals.\nEverything is in order.\n"
    )


def test_the_report_can_be_read_by_programs(tagwerk, filled):
    report = json.loads(tagwerk("check", "--json").out)

    assert report["ok"] is True
    assert report["problems"] == report["notes"] == []
    assert report["schema"] == str(SCHEMA)
    assert report["counts"] == {"users": 1, "collections": 3, "objects": 2, "tombstones": 0}


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        (
            "UPDATE object SET content = CAST(REPLACE(CAST(content AS TEXT), 'Meeting', 'Meating') AS BLOB)",
            "anna/calendar/e1.ics has bytes that do not match its ETag.",
        ),
        ("UPDATE object SET size = 5", "anna/contacts/c1.vcf has 81 bytes, not 5."),
        ("UPDATE object SET content = NULL", "anna/calendar/e1.ics has no content."),
        ("UPDATE object SET content = CAST('x' AS BLOB)", "anna/contacts/c1.vcf cannot be read: "),
        (
            "UPDATE object SET uid = 'x', first_instant = 1 WHERE name = 'e1.ics'",
            "e1.ics has another UID and another beginning than is known about it.",
        ),
        ("UPDATE object SET search = ''", "anna/contacts/c1.vcf has another text than is known about it."),
        ("UPDATE collection SET modseq = 1", "anna/calendar/e1.ics has change number 2"),
        (
            "UPDATE collection SET kind = 'inbox' WHERE kind = 'calendar'",
            "anna/calendar has the kind 'inbox'.",
        ),
    ],
)
def test_what_is_wrong_is_told_and_counts(tagwerk, filled, sql, sentence):
    filled(sql)

    result = tagwerk("check")

    assert result.code == 1
    assert sentence in result.out
    assert result.out.endswith(" in all.\n")


def test_repairs_are_notes_and_nothing_wrong(tagwerk, filled):
    filled("UPDATE object SET repairs = 'A UID was added.' WHERE name = 'c1.vcf'")

    result = tagwerk("check")

    assert result.code == 0
    assert "note: anna/contacts/c1.vcf: A UID was added.\n" in result.out


def test_a_damaged_file_is_told(tagwerk, data, filled):
    path = data / "tagwerk.sqlite"
    content = bytearray(path.read_bytes())
    content[4096 * 3 :] = b"\xff" * (len(content) - 4096 * 3)
    path.write_bytes(content)

    result = tagwerk("check", "--json")

    assert result.code == 1
    assert "cannot be used" in result.err or json.loads(result.out)["problems"]


def test_without_a_database_there_is_nothing_to_check(tagwerk, data):
    result = tagwerk("check")

    assert result.code == 1
    assert result.err.startswith("tagwerk: There is no database at ")
    assert not data.exists()
