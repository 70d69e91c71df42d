"""`tagwerk migrate`: from a real Radicale's folder, from live servers, from sabre's tables; object by object."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys

import bcrypt
import pytest
from radicale import pathutils

import serverprocess
from davclient import ICAL, Dav
from davsamples import card, event
from migrated import Here, check, fill, stock_radicale
from serverprocess import tagwerk
from tagwerk.migration import radicalefolder


@pytest.fixture(scope="module")
def radicale(tmp_path_factory):
    """A Radicale that runs, its folder, and what is in it."""
    folder = tmp_path_factory.mktemp("radicale")
    with stock_radicale(folder) as url:
        yield url, folder, fill(url)


def test_a_folder_of_radicale_comes_over_with_everything(radicale, tmp_path):
    _, folder, there = radicale
    data = tmp_path / "data"
    htpasswd = tmp_path / "htpasswd"
    htpasswd.write_text("anna:from the file\nben:another\n")
    rights = tmp_path / "rights"
    rights.write_text(
        "[own]\nuser: .+\ncollection: {user}(/[^/]+)?\npermissions: RWrw\n[club]\nuser: ben\ncollection: anna/work\npermissions: rw\n"
    )
    words = (
        "migrate",
        "radicale",
        folder,
        "--htpasswd",
        htpasswd,
        "--plain",
        "--rights",
        rights,
        "--data",
        data,
    )

    dry = tagwerk(*words, "--dry-run")
    assert not data.exists()
    done = tagwerk(*words, "--report", tmp_path / "report.json")
    again = tagwerk(*words)

    assert "anna/work, new: 25 would be added" in dry.stdout
    assert "anna/work, new: 25 added, 0 changed, 0 unchanged, 0 left out." in done.stdout
    assert "28 objects were moved." in done.stdout
    assert "anna/work would be shared with ben: write." in dry.stdout
    assert "anna/work was shared with ben: write." in done.stdout
    assert "1 share were made" not in again.stdout
    assert "0 objects were moved." in again.stdout
    assert json.loads((tmp_path / "report.json").read_text())["users"] == ["anna", "ben"]
    check(data, there)
    with Here(data) as here:
        assert here.login("anna", "from the file") == "anna"
        assert here.properties("anna", "work")[ICAL + "calendar-order"] == "3"


def test_a_dry_run_writes_nothing_and_says_the_same(radicale, tmp_path):
    _, folder, _ = radicale
    data = tmp_path / "data"
    tagwerk("user", "add", "ben", "--password-stdin", "--data", data, stdin="secret\n")

    dry = tagwerk("migrate", "radicale", folder, "--dry-run", "--data", data)

    assert "anna/work, new: 25 would be added" in dry.stdout
    assert "28 objects would be moved, this was a dry run." in dry.stdout
    with Here(data) as here:
        assert here.collections("anna") == {}


def test_what_cannot_be_read_is_listed_and_the_rest_comes_over(tmp_path):
    folder = tmp_path / "radicale" / "collection-root" / "anna" / "work"
    folder.mkdir(parents=True)
    (folder / ".Radicale.props").write_text('{"tag": "VCALENDAR"}')
    (folder / "good.ics").write_bytes(event("good"))
    (folder / "bad.ics").write_bytes(b"BEGIN:VCALENDAR\r\nnonsense")
    (folder / "twice.ics").write_bytes(event("good", summary="again"))
    plain = folder.with_name("plain")
    plain.mkdir()
    (plain / ".Radicale.props").write_text("{}")
    folder.with_name("empty").mkdir()

    done = tagwerk("migrate", "radicale", tmp_path / "radicale", "--data", tmp_path / "data", check=False)

    assert done.returncode == 1
    assert "1 added" in done.stdout
    assert "2 left out" in done.stdout
    assert "left out: anna/work/bad.ics: " in done.stderr
    assert "left out: anna/work/twice.ics: good.ics has its UID good" in done.stderr
    assert "note: anna/plain is a plain folder" in done.stderr
    assert "note: anna/empty is a plain folder" in done.stderr
    assert "anna has no password here" in done.stderr


def calendar_of_radicale(folder, objects):
    """A calendar of anna's that holds events only."""
    work = folder / "collection-root" / "anna" / "work"
    work.mkdir(parents=True, exist_ok=True)
    (work / ".Radicale.props").write_text(
        '{"tag": "VCALENDAR", "C:supported-calendar-component-set": "VEVENT"}'
    )
    for name, content in objects.items():
        (work / name).write_bytes(content)


def counted(report):
    """What a report says of the collections."""
    return json.loads(report.read_text())["collections"]


TASK = event("task").replace(b"VEVENT", b"VTODO")


def names_of_all_kinds():
    return [
        "a.ics",
        ".hidden.ics",
        "a.ics~",
        "~a",
        "a.",
        "...",
        ".Radicale.tmp-1",
        "a b",
        "a..ics",
        "#a#",
        "a:b",
        "ä.ics",
    ]


def test_what_radicale_does_not_look_at_is_not_looked_at():
    for name in names_of_all_kinds():
        assert radicalefolder.is_seen(name) == pathutils.is_safe_filesystem_path_component(name), name


def test_what_radicale_hides_is_not_moved_and_everything_else_is_told(tmp_path):
    folder = tmp_path / "radicale"
    calendar_of_radicale(
        folder,
        {"a.ics": event("a"), ".hidden.ics": event("h"), "a.ics~": event("t"), "locked.ics": event("l"),
         os.fsdecode(b"\xff.ics"): event("x")},
    )  # fmt: skip
    home = folder / "collection-root" / "anna"
    (home / "work" / "locked.ics").unlink()
    (home / "work" / "locked.ics").symlink_to("locked.ics")
    (home / "work" / "gone.ics").symlink_to("nowhere.ics")
    nested = home / "work" / "nested"
    nested.mkdir()
    (nested / ".Radicale.props").write_text('{"tag": "VCALENDAR"}')
    (nested / "n.ics").write_bytes(event("n"))
    for name, properties in (("broken", '{"tag": '), ("list", "[]"), ("no-props", None), ("tagless", "{}")):
        (home / name).mkdir()
        (home / name / "one.ics").write_bytes(event("one"))
        (home / name / ".Radicale.cache").mkdir()
        (home / name / ".Radicale.cache" / "item").write_bytes(b"")
        if properties is not None:
            (home / name / ".Radicale.props").write_text(properties)
    (home / "dangling").symlink_to("nowhere")
    (home / "hidden~").mkdir()
    (home / "hidden~" / ".Radicale.props").write_text('{"tag": "VCALENDAR"}')
    (home / "stray.ics").write_bytes(event("stray"))
    (home.parent / "ben").symlink_to("nobody")
    (home.parent / "stray.ics").write_bytes(event("stray"))
    words = ("migrate", "radicale", folder, "--data", tmp_path / "data")

    dry = tagwerk(*words, "--dry-run", check=False)
    done = tagwerk(*words, check=False)
    only = tagwerk(*words, "--user", "anna", check=False)

    assert "anna/work, new: 1 added, 0 changed, 0 unchanged, 4 left out." in done.stdout
    told = {
        line.removeprefix("left out: ") for line in done.stderr.splitlines() if line.startswith("left out: ")
    }
    broken = next(line for line in told if line.startswith("anna/broken "))
    assert "anna/broken and the files in it (1): its properties cannot be read: " in broken
    assert told - {broken} == {
        "anna/list and the files in it (1): its properties are none.",
        "anna/no-props and the files in it (1): it is a plain folder, and no collection.",
        "anna/tagless and the files in it (1): it is a plain folder, and no collection.",
        "anna/dangling: it is a link that leads nowhere.",
        "anna/stray.ics: it lies beside the collections.",
        "anna/work/gone.ics: it is a link that leads nowhere",
        "anna/work/locked.ics: it cannot be read: Too many levels of symbolic links",
        "anna/work/nested: it is a folder in a collection; files in it: 1",
        "anna/work/\N{REPLACEMENT CHARACTER}.ics: its name is not UTF-8",
        "ben: it is a link that leads nowhere.",
        "stray.ics: it lies beside the users.",
    }
    assert dry.returncode == done.returncode == only.returncode == 1
    assert dry.stderr == done.stderr
    assert "anna/dangling" in only.stderr
    assert "ben" not in only.stderr
    with Here(tmp_path / "data") as here:
        assert set(here.objects("anna", "work")) == {"a.ics"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_may_not_be_read_is_left_out(tmp_path):
    folder = tmp_path / "radicale"
    calendar_of_radicale(folder, {"a.ics": event("a"), "b.ics": event("b")})
    (folder / "collection-root" / "anna" / "work" / "b.ics").chmod(0)
    (folder / "collection-root" / "ben").mkdir(0)

    done = tagwerk("migrate", "radicale", folder, "--data", tmp_path / "data", check=False)

    assert "left out: anna/work/b.ics: it cannot be read: Permission denied" in done.stderr
    assert "left out: ben: it cannot be read: Permission denied." in done.stderr
    assert "1 object were moved." in done.stdout


def test_a_user_who_is_not_there_is_refused(tmp_path):
    calendar_of_radicale(tmp_path / "radicale", {"a.ics": event("a")})
    database = sqlite3.connect(tmp_path / "db.sqlite")
    database.executescript(OLD_SABRE)
    database.close()
    for server, place in (("radicale", "radicale"), ("sabre", "db.sqlite"), ("baikal", "db.sqlite")):
        words = ("migrate", server, tmp_path / place, "--data", tmp_path / "data", "--user", "anna", "--user")

        done = tagwerk(*words, "nobody", check=False)

        assert done.returncode == 1
        assert done.stderr == "tagwerk: There is no user 'nobody' there.\n"
        assert not (tmp_path / "data").exists()


def test_a_dry_run_leaves_out_what_the_move_leaves_out(tmp_path):
    folder = tmp_path / "radicale"
    calendar_of_radicale(
        folder, {"a.ics": event("a"), "b.ics": event("b"), "same.ics": event("b", summary="b"), "back\\slash.ics": event("c"),
                 "task.ics": TASK},
    )  # fmt: skip
    words = ("migrate", "radicale", folder, "--data", tmp_path / "data", "--report", tmp_path / "report.json")

    dry = tagwerk(*words, "--dry-run", check=False)
    expected = counted(tmp_path / "report.json")
    done = tagwerk(*words, check=False)

    assert dry.returncode == done.returncode == 1
    assert "left out: anna/work/same.ics: b.ics has its UID b" in dry.stderr
    assert "left out: anna/work/task.ics: the calendar does not hold VTODO" in dry.stderr
    assert "left out: anna/work/back\\slash.ics: A name in the path holds a slash" in dry.stderr
    assert expected == counted(tmp_path / "report.json")
    assert (expected[0]["added"], len(expected[0]["left_out"])) == (2, 3)


def test_a_dry_run_knows_which_uids_will_be_free(tmp_path):
    """What changes its UID leaves the one that it had to what comes after it, and not before it."""
    folder = tmp_path / "radicale"
    words = ("migrate", "radicale", folder, "--data", tmp_path / "data", "--report", tmp_path / "report.json")
    calendar_of_radicale(folder, {"a.ics": event("a"), "c.ics": event("c"), "e.ics": event("e")})
    tagwerk(*words)
    calendar_of_radicale(
        folder, {"a.ics": event("x"), "b.ics": event("a"), "d.ics": event("e"), "e.ics": event("y"), "f.ics": event("c")}
    )  # fmt: skip

    tagwerk(*words, "--dry-run", check=False)
    expected = counted(tmp_path / "report.json")
    tagwerk(*words, check=False)

    assert expected == counted(tmp_path / "report.json")
    assert (expected[0]["added"], expected[0]["changed"]) == (1, 2)
    assert expected[0]["left_out"] == ["d.ics: e.ics has its UID e", "f.ics: c.ics has its UID c"]


def test_a_live_radicale_comes_over_dav(radicale, tmp_path):
    url, _, there = radicale
    data = tmp_path / "data"

    done = tagwerk("migrate", "dav", url, "anna", "--password-stdin", "--data", data, stdin="any\n")

    assert "28 objects were moved." in done.stdout
    check(data, there)


def test_a_live_server_comes_over_in_pages_and_the_next_time_only_what_changed(tmp_path):
    config = tmp_path / "there.ini"
    config.write_text("[dav]\nsync_page_size = 10\n[auth]\ntype = none\n[logging]\naccess = all\n")
    server = serverprocess.start(tmp_path / "there", "--config", config)
    there = fill(server.url, 25)
    data = tmp_path / "here"
    words = ("migrate", "dav", server.url, "anna", "--as", "anna", "--password-stdin", "--data", data)

    first = tagwerk(*words, stdin="x\n")
    client = Dav(server.url, "anna")
    client.put("/anna/work/3.ics", event("uid-3", summary="moved"))
    client.put("/anna/work/new.ics", event("uid-new"))
    client("DELETE", "/anna/work/4.ics")
    client.close()
    second = tagwerk(*words, stdin="x\n")
    assert server.stop() == 0

    assert "anna/work, new: 25 added" in first.stdout
    assert (
        "anna/work: 1 added, 1 changed, 0 unchanged, 0 left out, 1 gone there and kept here." in second.stdout
    )
    there["work"] |= {"3.ics": event("uid-3", summary="moved"), "new.ics": event("uid-new")}
    check(data, there)


def test_a_move_that_was_cut_off_goes_on(tmp_path):
    """It dies on the way; what came before it is here, and is not asked for again."""
    config = tmp_path / "there.ini"
    config.write_text("[dav]\nsync_page_size = 10\n[auth]\ntype = none\n")
    server = serverprocess.start(tmp_path / "there", "--config", config)
    there = fill(server.url, 25)
    port = server.url.rsplit(":", 1)[1].strip("/")
    data = tmp_path / "here"
    words = ("migrate", "dav", f"http://127.0.0.1:{port}/", "anna", "--password-stdin", "--data", data)
    program = (
        "import sys\nfrom tagwerk.migration import dav\nreal = dav._Walker._multiget\ncalls = []\n"
        "def cut(self, hrefs):\n    calls.append(1)\n    if len(calls) == 2:\n        import os; os._exit(9)\n"
        "    return real(self, hrefs)\n"
        "dav._Walker._multiget = cut\nimport tagwerk.migration.mover as m\nm.BATCH = 10\n"
        "from tagwerk.cli.main import main\nmain(sys.argv[1:])\n"
    )

    cut = subprocess.run([sys.executable, "-c", program, *map(str, words)], input=b"x\n", capture_output=True)
    with Here(data) as here:
        before = [len(here.objects("anna", name)) for name in here.collections("anna")]
    again = tagwerk(*words, stdin="x\n")
    assert server.stop() == 0

    assert cut.returncode == 9
    assert sum(before) in range(1, 28)
    assert "0 left out" in again.stdout
    check(data, there)


def test_a_wrong_password_and_a_wrong_place_are_sentences(tmp_path, server):
    wrong = tagwerk(
        "migrate",
        "dav",
        server.url,
        "anna",
        "--password-stdin",
        "--data",
        tmp_path / "d",
        stdin="x\n",
        check=False,
    )
    ftp = tagwerk(
        "migrate",
        "dav",
        "ftp://x/",
        "anna",
        "--password-stdin",
        "--data",
        tmp_path / "d",
        stdin="x\n",
        check=False,
    )
    empty = tagwerk("migrate", "radicale", tmp_path, "--data", tmp_path / "d", check=False)
    missing = tagwerk("migrate", "radicale", tmp_path / "x", "--data", tmp_path / "d", check=False)

    assert "refuses the user name or the password" in wrong.stderr
    assert "is no URL" in ftp.stderr
    assert "is no folder of Radicale's" in empty.stderr
    assert f"{tmp_path / 'x'} cannot be read: No such file or directory." in missing.stderr


OLD_SABRE = """
CREATE TABLE principals (id INTEGER PRIMARY KEY, uri TEXT, email TEXT, displayname TEXT);
CREATE TABLE calendars (id INTEGER PRIMARY KEY, principaluri TEXT, displayname TEXT, uri TEXT, synctoken INTEGER,
  description TEXT, calendarorder INTEGER, calendarcolor TEXT, timezone TEXT, components TEXT);
CREATE TABLE calendarobjects (id INTEGER PRIMARY KEY, calendardata BLOB, uri TEXT, calendarid INTEGER);
CREATE TABLE addressbooks (id INTEGER PRIMARY KEY, principaluri TEXT, displayname TEXT, uri TEXT, description TEXT);
CREATE TABLE cards (id INTEGER PRIMARY KEY, addressbookid INTEGER, carddata BLOB, uri TEXT);
CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT, password_hash TEXT);
INSERT INTO principals VALUES (1, 'principals/anna', 'anna@example.org', 'Anna'), (3, 'principals/ben', NULL, NULL);
INSERT INTO calendars VALUES
  (7, 'principals/anna', 'Work & play', 'work', 1, 'What anna does', 3, '#ff8800ff', NULL, 'VEVENT');
INSERT INTO addressbooks VALUES (9, 'principals/anna', 'Friends', 'friends', NULL);
"""


def test_a_sabre_before_it_could_share_comes_over_with_passwords_of_basic_authentication(tmp_path):
    there = {
        "work": {f"{n}.ics": event(f"uid-{n}") for n in range(12)},
        "friends": {f"{n}.vcf": card(f"card-{n}") for n in range(3)},
    }
    database = sqlite3.connect(tmp_path / "db.sqlite")
    database.executescript(OLD_SABRE)
    for name, content in there["work"].items():
        database.execute("INSERT INTO calendarobjects VALUES (NULL, ?, ?, 7)", (content, name))
    for name, content in there["friends"].items():
        database.execute("INSERT INTO cards VALUES (NULL, 9, ?, ?)", (content.decode(), name))
    for name, hash in (("anna", bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()), ("ben", "no hash")):
        database.execute("INSERT INTO users VALUES (NULL, ?, ?)", (name, hash))
    database.commit()
    database.close()
    data = tmp_path / "data"

    done = tagwerk("migrate", "sabre", tmp_path / "db.sqlite", "--data", data)
    again = tagwerk("migrate", "sabre", tmp_path / "db.sqlite", "--data", data)

    check(data, there)
    assert "0 objects were moved." in again.stdout
    assert "The password of ben is stored in a way that cannot be verified here" in done.stderr
    with Here(data) as here:
        assert set(here.collections("anna")) == {"work", "friends"}
        assert here.login("anna", "secret") == "anna"
        assert here.login("anna", "Secret") is None


def test_a_database_of_something_else_is_refused(tmp_path):
    sqlite3.connect(tmp_path / "other.sqlite").close()
    for place in (tmp_path / "other.sqlite", tmp_path / "nothing", "oracle://x/y", "mysql://127.0.0.1:1/x"):
        done = tagwerk("migrate", "baikal", place, "--data", tmp_path / "data", check=False)

        assert done.returncode == 1
        assert done.stderr.startswith("tagwerk: ")


@pytest.mark.parametrize(("kind", "content"), [("ics", event("a")), ("vcf", card("a"))])
def test_files_come_over_as_with_import(tmp_path, kind, content):
    (tmp_path / f"a.{kind}").write_bytes(content)
    data, report = tmp_path / "data", tmp_path / "report.json"
    tagwerk("user", "add", "anna", "--password-stdin", "--data", data, stdin="secret\n")
    words = ("migrate", kind, "anna", tmp_path / f"a.{kind}", "--data", data)

    dry = tagwerk(*words, "--dry-run")
    done = tagwerk(*words, "--report", report)

    assert (
        dry.stdout == "1 would be added, 0 would be changed, 0 unchanged, 0 left out, this was a dry run.\n"
    )
    assert done.stdout == "1 added, 0 changed, 0 unchanged, 0 left out.\n"
    assert json.loads(report.read_text())["added"] == 1
