"""`tagwerk maintenance`."""

from __future__ import annotations

import os
import sqlite3
import stat
import time

import pytest

import postgrescluster
from tagwerk.cli import maintenance
from tagwerk.store import open_engine


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tagwerk.ini"
    path.write_text("[maintenance]\nbackups = 2\nbackup_folder = elsewhere\n")
    return path


def test_a_backup_is_one_whole_database_and_the_newest_are_kept(tagwerk, anna, config, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine.txt").write_text("not ours")
    begin = int(time.time())
    for number in range(3):
        monkeypatch.setattr(maintenance, "now", lambda number=number: begin + number)
        assert tagwerk("maintenance", "--config", config).code == 0

    kept = sorted((tmp_path / "elsewhere").glob("tagwerk-*"))
    assert len(kept) == 2
    assert stat.S_IMODE(kept[0].stat().st_mode) == 0o600
    engine = open_engine(f"sqlite://{kept[1]}")
    with engine.read() as txn:
        assert txn.row("SELECT name FROM principal") == ("anna",)
    engine.close()
    assert maintenance.newest_backup(tmp_path / "elsewhere") == kept[1]
    assert (tmp_path / "elsewhere" / "mine.txt").exists()


def test_what_is_wrong_is_said_and_the_rest_is_done(tagwerk, anna, data):
    with sqlite3.connect(data / "tagwerk.sqlite") as connection:
        connection.execute("UPDATE collection SET bytes = 77")
    connection.close()

    done = tagwerk("maintenance")

    assert done.code == 1
    assert "Not everything is in order: check." in done.err
    assert "compact: " in done.out
    assert len(list((data / "backups").iterdir())) == 1


@pytest.mark.parametrize("place", ["elsewhere", "file/below"])
def test_where_no_backup_can_be_made_the_rest_is_done(tagwerk, anna, tmp_path, place):
    config = tmp_path / "tagwerk.ini"
    config.write_text(f"[maintenance]\nbackup_folder = {place}\n")
    (tmp_path / place.partition("/")[0]).write_text("in the way")

    done = tagwerk("maintenance", "--config", config)

    assert done.code == 1
    assert [line.partition(":")[0] for line in done.out.splitlines()] == ["forget", "check", "compact"]
    assert "Not everything is in order: backup." in done.err
    assert done.err.startswith("backup: ")


def test_steps_can_be_left_out(tagwerk, anna, data):
    done = tagwerk("maintenance", "--no-backup", "--no-check")

    assert [line.partition(":")[0] for line in done.out.splitlines()] == ["forget", "compact"]
    assert not (data / "backups").exists()


def test_room_is_given_back_where_it_is_worth_it(tagwerk, anna, data):
    with sqlite3.connect(data / "tagwerk.sqlite") as connection:
        connection.execute("CREATE TABLE junk (x)")
        connection.execute("INSERT INTO junk SELECT randomblob(1000000)")
        connection.execute("DROP TABLE junk")
    connection.close()

    done = tagwerk("maintenance", "--no-backup", "--no-check")

    given = int(done.out.split("compact: ")[1].split()[0].replace(",", ""))
    assert given > 900_000
    assert (data / "tagwerk.sqlite").stat().st_size < 500_000


def test_it_does_the_same_on_postgresql(tagwerk, postgres, data):
    url = postgrescluster.new_database(postgres, empty=True)
    tagwerk("user", "add", "anna", "--password-stdin", "--database", url, stdin="secret\n")
    before = os.umask(0o022)

    done = tagwerk("maintenance", "--database", url)

    os.umask(before)
    assert done.code == 0, done.err
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert [line.partition(":")[0] for line in done.out.splitlines()] == [
        "backup",
        "forget",
        "check",
        "compact",
    ]
    engine = open_engine(f"sqlite://{maintenance.newest_backup(data / 'backups')}")
    with engine.read() as txn:
        assert txn.row("SELECT name FROM principal") == ("anna",)
    engine.close()
