"""`tagwerk transfer`, `backup` and `restore`: nothing is lost on the way, and clients notice what they have to."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import serverprocess
from davclient import Dav
from davsamples import card, event
from serverprocess import ServerProcess, tagwerk
from tagwerk.store import open_engine
from tagwerk.store.address import shown
from tagwerk.store.tables import read_rows, tables
from tagwerk.store.transfer import transfer

HOME = "/anna/calendar/"
BOOK = "/anna/contacts/"


@pytest.fixture
def place(tmp_path: Path, new_data: Callable[[Path], Path]) -> Path:
    """A data folder with anna in it, on each engine."""
    folder = new_data(tmp_path / "data")
    tagwerk("user", "add", "anna", "--password-stdin", "--data", folder, stdin="secret\n")
    return folder


@pytest.fixture
def start() -> Iterator[Callable[[Path], ServerProcess]]:
    running: list[ServerProcess] = []

    def begin(folder: Path) -> ServerProcess:
        running.append(serverprocess.start(folder))
        return running[-1]

    yield begin
    for each in running:
        each.stop()


@pytest.fixture
def filled(place: Path, start: Callable[[Path], ServerProcess]) -> Path:
    """Some events, a removal, a card and properties, as clients make them."""
    server = start(place)
    with closing(Dav(server.url)) as anna:
        for number in range(12):
            anna.put(f"{HOME}{number}.ics", event(str(number), summary="Straße 🎉"))
        anna.delete(HOME + "3.ics")
        anna.put(BOOK + "a.vcf", card("a"))
        anna.proppatch(HOME, set="<x:note xmlns:x='urn:x'>kept</x:note>")
    assert server.stop() == 0
    return place


def rows_of(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Everything in a database but what only the server itself plans."""
    with closing(open_engine(url)) as engine, engine.read() as txn:
        return {
            each.name: sorted(map(tuple, read_rows(txn, each)), key=repr)
            for each in tables()
            if each.name != "outbox"
        }


def etags(server: ServerProcess, place: str = HOME) -> dict[str, str]:
    with closing(Dav(server.url)) as anna:
        return {href: one.etag for href, one in anna.sync(place).multistatus().found.items()}


def other(any_engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The URL of an empty database of the other engine."""
    if any_engine == "postgresql":
        return f"sqlite://{tmp_path}/other.sqlite"
    return str(request.getfixturevalue("databases").take())


def test_a_transfer_to_the_other_engine_keeps_tokens_and_etags(filled, start, any_engine, tmp_path, request):
    target = other(any_engine, tmp_path, request)
    server = start(filled)
    with closing(Dav(server.url)) as anna:
        before = anna.sync(HOME).multistatus()
    server.stop()

    done = tagwerk("transfer", "--from", serverprocess.url_of(filled), "--to", target)

    assert "1 user, 3 collections and 12 objects are in " in done.stdout
    assert rows_of(target) == rows_of(serverprocess.url_of(filled))
    moved = filled.with_name("moved")
    serverprocess.keep_in(moved, target)
    server = start(moved)
    with closing(Dav(server.url)) as anna:
        assert anna.sync(HOME, before.token).multistatus().found == {}
        anna.put(HOME + "new.ics", event("new"))
        assert anna.sync(HOME, before.token).multistatus().names == ["new.ics"]
    there = etags(server)
    del there[HOME + "new.ics"]
    assert there == {href: one.etag for href, one in before.found.items()}
    assert json.loads(tagwerk("check", "--json", "--data", moved).stdout)["ok"]


def test_a_transfer_that_was_interrupted_goes_on(filled, any_engine, tmp_path, request):
    source, target = serverprocess.url_of(filled), other(any_engine, tmp_path, request)

    class Interrupted(Exception):
        pass

    def interrupt(rows: int) -> None:
        if rows > 5:
            raise Interrupted

    with (
        closing(open_engine(source)) as reading,
        closing(open_engine(target, unfinished=True)) as writing,
        pytest.raises(Interrupted),
    ):
        transfer(reading, writing, name=shown(source), progress=interrupt)

    refused = tagwerk("user", "list", "--database", target, check=False)
    assert refused.returncode == 1
    assert "was interrupted" in refused.stderr
    tagwerk("transfer", "--from", source, "--to", target)
    assert rows_of(target) == rows_of(source)


def test_a_transfer_into_a_database_that_is_used_is_refused(filled, tmp_path):
    used = tmp_path / "used"
    tagwerk("user", "add", "bert", "--password-stdin", "--data", used, stdin="secret\n")

    done = tagwerk(
        "transfer",
        *("--from", serverprocess.url_of(filled), "--to", f"sqlite://{used}/tagwerk.sqlite"),
        check=False,
    )

    assert done.returncode == 1
    assert "holds users already" in done.stderr


@pytest.mark.parametrize("any_engine", ["sqlite"], indirect=True)
def test_what_the_other_database_cannot_index_is_named(filled, any_engine, tmp_path, request):
    with closing(open_engine(serverprocess.url_of(filled))) as engine, engine.write() as txn:
        txn.execute("UPDATE object SET uid = ? WHERE name = '1.ics'", ("x" * 6000,))

    done = tagwerk(
        "transfer",
        *("--from", serverprocess.url_of(filled), "--to", other(any_engine, tmp_path, request)),
        check=False,
    )

    assert done.returncode == 1
    assert "A row of object (collection_id " in done.stderr
    assert "name '1.ics') has a uid of 6000 bytes, which is longer than PostgreSQL can index." in done.stderr


@pytest.mark.long
def test_a_backup_is_one_moment_while_writing_goes_on(filled, start, tmp_path):
    server = start(filled)
    stop = threading.Event()

    def write() -> None:
        with closing(Dav(server.url)) as anna:
            number = 0
            while not stop.is_set():
                # Always two by two: a moment between them holds one more of the first kind.
                anna.put(f"{HOME}first-{number}.ics", event(f"first-{number}"))
                anna.put(f"{HOME}second-{number}.ics", event(f"second-{number}"))
                number += 1

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    file = tmp_path / "backup.sqlite"
    for _ in range(3):
        tagwerk("backup", file, "--data", filled)
    stop.set()
    writer.join(20)

    with closing(sqlite3.connect(file)) as database:
        names = {name for (name,) in database.execute("SELECT name FROM object WHERE name LIKE '%-%'")}
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    first, second = (sum(name.startswith(kind) for name in names) for kind in ("first", "second"))
    assert 0 <= first - second <= 1
    assert first > 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.glob("*backup*")) == ["backup.sqlite"]


@pytest.mark.long
def test_a_restored_server_has_what_it_had_and_clients_start_again(filled, start, tmp_path):
    file = tmp_path / "backup.sqlite"
    tagwerk("backup", file, "--data", filled)
    server = start(filled)
    before = etags(server)
    with closing(Dav(server.url)) as anna:
        anna.put(HOME + "later.ics", event("later"))
        anna.delete(HOME + "5.ics")
        token = anna.sync(HOME).multistatus().token

        tagwerk("restore", file, "--yes", "--data", filled)

        refused = anna.sync(HOME, token)
        assert (refused.status, refused.condition) == (403, "{DAV:}valid-sync-token")
        assert "kept" in anna.propfind(HOME, "{urn:x}note").only().text("{urn:x}note")
    assert etags(server) == before
    assert json.loads(tagwerk("check", "--json", "--data", filled).stdout)["ok"]


@pytest.mark.long
def test_one_collection_is_restored_and_everything_else_stays(filled, start, tmp_path):
    file = tmp_path / "backup.sqlite"
    tagwerk("backup", file, "--data", filled)
    server = start(filled)
    before = etags(server)
    with closing(Dav(server.url)) as anna:
        anna.delete(HOME)
        anna.put(BOOK + "later.vcf", card("later"))
        tagwerk("user", "password", "anna", "--password-stdin", "--data", filled, stdin="changed\n")

        done = tagwerk("restore", file, "--user", "anna", "--collection", "calendar", "--data", filled)

    assert done.stdout.startswith("calendar of anna was restored as of 20")
    with closing(Dav(server.url, "anna", "changed")) as anna:
        found = anna.sync(HOME).multistatus().found
        assert {href: one.etag for href, one in found.items()} == before
        assert anna.get(BOOK + "later.vcf").status == 200


def test_a_user_who_was_removed_comes_back_with_everything(filled, start, tmp_path):
    file = tmp_path / "backup.sqlite"
    tagwerk("backup", file, "--data", filled)
    server = start(filled)
    before = etags(server), etags(server, BOOK)
    tagwerk("user", "remove", "anna", "--yes", "--data", filled)
    tagwerk("user", "add", "bert", "--password-stdin", "--data", filled, stdin="secret\n")

    tagwerk("restore", file, "--user", "anna", "--data", filled)

    assert (etags(server), etags(server, BOOK)) == before
    assert "bert" in tagwerk("user", "list", "--data", filled).stdout
    assert json.loads(tagwerk("check", "--json", "--data", filled).stdout)["ok"]


def test_a_restore_says_in_which_database_it_was(filled, tmp_path, monkeypatch):
    file, scratch = tmp_path / "backup.sqlite", tmp_path / "scratch"
    tagwerk("backup", file, "--data", filled)
    tagwerk("user", "add", "bert", "--password-stdin", "--data", filled, stdin="secret\n")
    there = {"TAGWERK_DATABASE": serverprocess.url_of(filled)}

    done = tagwerk("restore", file, "--yes", "--data", scratch, environ=there)

    assert done.stdout.endswith(f", in sqlite://{scratch}/tagwerk.sqlite.\n")
    assert "bert" in tagwerk("user", "list", "--data", filled).stdout
    assert "bert" not in tagwerk("user", "list", "--data", scratch).stdout


def test_a_restore_of_what_is_somebody_elses_by_now_is_not_done(filled, tmp_path):
    file = tmp_path / "backup.sqlite"
    tagwerk("backup", file, "--data", filled)
    tagwerk("user", "add", "bert", "--password-stdin", "--data", filled, stdin="secret\n")
    tagwerk("user", "remove", "anna", "--yes", "--give", "calendar", "bert", "--data", filled)

    done = tagwerk(
        "restore", file, "--user", "anna", "--collection", "calendar", "--yes", "--data", filled, check=False
    )

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "calendar belongs to bert by now and stays as it is.",
        "tagwerk: Nothing of anna was restored.",
    ]


def test_what_is_no_backup_or_not_in_it_is_a_sentence(filled, tmp_path):
    file = tmp_path / "backup.sqlite"
    tagwerk("backup", file, "--data", filled)
    text = tmp_path / "text"
    text.write_text("BEGIN:VCALENDAR")
    damaged = tmp_path / "damaged"
    content = bytearray(file.read_bytes())
    content[len(content) // 2 :] = os.urandom(len(content) - len(content) // 2)
    damaged.write_bytes(content)

    said = [
        refusal(filled, path, *words)
        for path, words in (
            (tmp_path / "nothing", ()),
            (text, ()),
            (damaged, ()),
            (file, ("--user", "nobody")),
            (file, ("--user", "anna", "--collection", "nothing")),
        )
    ]

    assert ["There is no file" in said[0], "is no backup" in said[1]] == [True, True]
    assert f"{damaged} is damaged" in said[2]
    assert "has no user 'nobody'" in said[3]
    assert "no collection 'nothing'" in said[4]


@pytest.mark.parametrize("left", [30, 5_000, 60_000])
@pytest.mark.parametrize("any_engine", ["sqlite"], indirect=True)
def test_a_backup_that_was_cut_off_is_not_restored(filled, tmp_path, left):
    file = tmp_path / "backup.sqlite"
    tagwerk("backup", file, "--data", filled)
    file.write_bytes(file.read_bytes()[:left])

    assert refusal(filled, file) == f"tagwerk: {file} is damaged or cut off.\n"


@pytest.mark.parametrize("any_engine", ["sqlite"], indirect=True)
def test_a_backup_with_other_bytes_in_an_object_is_not_restored_unless_that_is_wanted(filled, tmp_path):
    file = tmp_path / "backup.sqlite"
    tagwerk("backup", file, "--data", filled)
    before = rows_of(serverprocess.url_of(filled))
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(
            "UPDATE object SET content = CAST(REPLACE(CAST(content AS TEXT), 'Stra', 'Strr') AS BLOB)"
            " WHERE name IN ('1.ics', '2.ics')"
        )

    said = refusal(filled, file)
    unchanged = rows_of(serverprocess.url_of(filled))
    tagwerk("restore", file, "--yes", "--damaged", "--data", filled)

    assert "the bytes of anna/calendar/1.ics are not those of the ETag, nor those of 1 more." in said
    assert unchanged == before
    assert rows_of(serverprocess.url_of(filled)) != before


@pytest.mark.parametrize("any_engine", ["sqlite"], indirect=True)
def test_a_restore_that_is_terminated_leaves_no_copy_behind(filled, tmp_path):
    file, temporary = tmp_path / "backup.sqlite", tmp_path / "temporary"
    tagwerk("backup", file, "--data", filled)
    temporary.mkdir()

    with closing(open_engine(serverprocess.url_of(filled))) as engine, engine.write():
        # It waits for the writer.
        process = subprocess.Popen(
            [*serverprocess.command(), "restore", str(file), "--yes", "--data", str(filled)],
            env=serverprocess.environment() | {"TMPDIR": str(temporary)},
            stderr=subprocess.PIPE,
            text=True,
        )
        while not list(temporary.glob("tagwerk-*/*")) and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)

    assert (process.returncode, said) == (143, "tagwerk: Ended; what was done before stays.\n")
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("any_engine", ["sqlite"], indirect=True)
def test_what_an_earlier_backup_left_half_written_is_removed(filled, tmp_path):
    folder = tmp_path / "backups"
    folder.mkdir()
    for end in ("", "-wal", "-shm", "-queue"):
        (folder / f".a[b].part{end}").write_text("hashes of passwords")

    tagwerk("backup", folder / "a[b]", "--data", filled)

    assert [path.name for path in folder.iterdir()] == ["a[b]"]


def refusal(place: Path, file: Path, *words: str) -> str:
    done: subprocess.CompletedProcess[str] = tagwerk(
        "restore", file, *words, "--yes", "--data", place, check=False
    )
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    return done.stderr
