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
            ") has the kind 'inbox'.",
        ),
        (
            "UPDATE object SET spans = CAST('x' AS BLOB) WHERE name = 'e1.ics'",
            "anna/calendar/e1.ics has another list of occurrences than is known about it.",
        ),
        (
            "UPDATE object SET spans_from = 5, spans_until = 6 WHERE name = 'e1.ics'",
            "anna/calendar/e1.ics has another list of occurrences than is known about it.",
        ),
        ("UPDATE object SET last_instant = 5 WHERE name = 'c1.vcf'", "c1.vcf has another end than is known"),
        ("UPDATE credential SET hash = 'x' || hash", "The hash of the password anna/"),
        ("UPDATE credential SET hash = SUBSTR(hash, 1, 30)", "The hash of the password anna/"),
        ("UPDATE credential SET kind = 'app-password'", "The hash of the app password anna/"),
        (
            "INSERT INTO property SELECT id, 0, '', 'x', '<a' FROM collection WHERE kind = 'addressbook'",
            "The property anna/contacts//x is no XML.",
        ),
        (
            "INSERT INTO principal_property SELECT id, 'x', '&' FROM principal",
            "The property anna/x is no XML.",
        ),
        (
            "INSERT INTO personal SELECT p.id, o.collection_id, o.name, 1, 'x', 'garbage' FROM principal p, object o"
            " WHERE o.name = 'e1.ics'",
            "What somebody has of their own in anna/calendar/e1.ics/",
        ),
        (
            "INSERT INTO personal SELECT p.id, o.collection_id, o.name, 1, 'x', '' FROM principal p, object o"
            " WHERE o.name = 'e1.ics'",
            "anna/calendar/e1.ics has somebody's own part that does not match its tag.",
        ),
        (
            "INSERT INTO outbox (principal_id, id, kind, key, payload, state, created, due, attempts, error)"
            " VALUES (0, 5, 'mail', 'x', '[', 'waiting', 1, 1, 0, '')",
            "The payload of the job mail/5 cannot be read.",
        ),
        (
            "INSERT INTO version (collection_id, name, modseq, uid, component, etag, size, began, ended, how, by_id,"
            " content) SELECT collection_id, name, 1, uid, component, etag, 0, 1, 1, 'replaced', 0, NULL FROM object"
            " WHERE name = 'e1.ics'",
            "anna/calendar/e1.ics before change 1 had bytes that do not match its ETag.",
        ),
    ],
)
def test_what_is_wrong_is_told_and_counts(tagwerk, filled, sql, sentence):
    filled(sql)

    result = tagwerk("check")

    assert result.code == 1
    assert sentence in result.out
    assert result.out.endswith(" in all.\n")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE object SET search = '', first_instant = 1, size = 5",
        "UPDATE object SET busy = 2, spans = NULL WHERE name = 'e1.ics'",
        "UPDATE object SET spans = CAST('x' AS BLOB) WHERE name = 'e1.ics'",
        "INSERT INTO personal SELECT p.id, o.collection_id, o.name, 1, 'x', '' FROM principal p, object o"
        " WHERE o.name = 'e1.ics'",
        "UPDATE collection SET modseq = 1, bytes = 3",
    ],
)
def test_what_can_be_derived_is_mended(tagwerk, filled, sql):
    filled(sql)
    assert tagwerk("check").code == 1

    result = tagwerk("check", "--repair")

    assert result.code == 0
    assert result.out.startswith("mended: ")
    assert tagwerk("check", "--repair").out.startswith("Schema")


def test_bytes_that_nobody_knows_better_are_only_told(tagwerk, filled):
    filled("UPDATE object SET content = CAST(REPLACE(CAST(content AS TEXT), 'Meeting', 'Meating') AS BLOB)")

    result = tagwerk("check", "--repair")

    assert result.code == 1
    assert "anna/calendar/e1.ics has bytes that do not match its ETag." in result.out


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
