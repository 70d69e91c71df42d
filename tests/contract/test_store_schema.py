"""The schema: made once, refused in words when it is newer, and the database it lies in."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from store_samples import NOW

from tagwerk.errors import ConfigurationError, SchemaMismatch, Unavailable
from tagwerk.store import open_engine
from tagwerk.store.credentials import set_password
from tagwerk.store.principals import add_principal
from tagwerk.store.schema import SCHEMA, meta, set_meta


def test_a_new_database_has_the_schema_of_this_program(store):
    with store.read() as txn:
        assert meta(txn, "schema_version") == str(SCHEMA)
        assert int(meta(txn, "compatibility")) <= SCHEMA


def test_a_database_is_opened_again_as_it_was(store, url):
    with store.write() as txn:
        set_meta(txn, "note", "kept")

    again = open_engine(url)
    with again.read() as txn:
        note = meta(txn, "note")
    again.close()

    assert note == "kept"


def test_a_newer_schema_that_needs_a_newer_program_is_refused_in_words(store, url):
    with store.write() as txn:
        set_meta(txn, "schema_version", str(SCHEMA + 2))
        set_meta(txn, "compatibility", str(SCHEMA + 1))

    with pytest.raises(SchemaMismatch, match=f"this Tagwerk knows schema {SCHEMA}"):
        open_engine(url)


def test_a_newer_schema_that_is_compatible_is_used_and_left_alone(store, url):
    with store.write() as txn:
        set_meta(txn, "schema_version", str(SCHEMA + 2))

    again = open_engine(url)
    with again.read() as txn:
        version = meta(txn, "schema_version")
    again.close()

    assert version == str(SCHEMA + 2)


@pytest.mark.parametrize("url", ["", "tagwerk.sqlite", "mysql://x/y", "sqlite:", "sqlite://relative"])
def test_what_names_no_database_is_refused_in_words(url):
    with pytest.raises(ConfigurationError, match="names no database"):
        open_engine(url)


def test_a_missing_folder_is_a_sentence(tmp_path):
    with pytest.raises(ConfigurationError, match="does not exist"):
        open_engine(f"sqlite://{tmp_path}/nowhere/tagwerk.sqlite")


def test_a_file_that_is_no_database_is_a_sentence(tmp_path):
    path = tmp_path / "tagwerk.sqlite"
    path.write_text("BEGIN:VCALENDAR\r\n" * 100)

    with pytest.raises(Unavailable, match="cannot be used"):
        open_engine(f"sqlite://{path}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)

    with pytest.raises(Unavailable, match="cannot be used"):
        open_engine(f"sqlite://{tmp_path}/tagwerk.sqlite")


@pytest.mark.parametrize("any_engine", ["sqlite"], indirect=True)
def test_sqlite_does_not_believe_that_a_table_has_as_few_rows_as_it_once_had(store, url):
    with store.write() as txn:
        owner = add_principal(txn, "anna", now=NOW)
        set_password(txn, owner.id, "hash", now=NOW)
        txn.execute("ANALYZE")
    store.close()

    again = open_engine(url)
    with again.read() as txn:
        plan = [
            row[3]
            for row in txn.rows(
                "EXPLAIN QUERY PLAN SELECT c.hash FROM principal p JOIN credential c ON c.principal_id = p.id"
                " WHERE p.name = 'anna'"
            )
        ]
    again.compact()
    with again.read() as txn:
        learned = list(txn.rows("SELECT name FROM sqlite_master WHERE name LIKE 'sqlite_stat_'"))
    again.close()

    assert [step for step in plan if step.startswith("SCAN")] == []
    assert learned == []
