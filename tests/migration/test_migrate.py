"""`tagwerk migrate`: from a real Radicale's folder, from live servers, from sabre's tables; object by object."""

from __future__ import annotations

import json
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import serverprocess
from davclient import DAV, ICAL, Dav
from davsamples import card, event
from sabresamples import NEXTCLOUD, SABRE
from serverprocess import tagwerk
from tagwerk.accounts.login import Authenticator
from tagwerk.store import open_engine
from tagwerk.store.collections import bindings_of, find_binding
from tagwerk.store.objects import objects
from tagwerk.store.principals import principal_by_name
from tagwerk.store.properties import collection_properties

MKCALENDAR = (
    '<C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:I="http://apple.com/ns/ical/"><D:set>'
    "<D:prop><D:displayname>Work &amp; play</D:displayname><I:calendar-color>#ff8800ff</I:calendar-color>"
    "<I:calendar-order>3</I:calendar-order><C:calendar-description>What anna does</C:calendar-description>"
    '<C:supported-calendar-component-set><C:comp name="VEVENT"/></C:supported-calendar-component-set>'
    "</D:prop></D:set></C:mkcalendar>"
)
MKBOOK = (
    '<D:mkcol xmlns:D="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav"><D:set><D:prop><D:resourcetype><D:collection/>'
    "<CR:addressbook/></D:resourcetype><D:displayname>Friends</D:displayname></D:prop></D:set></D:mkcol>"
)


class Here:
    """What is in a database of ours."""

    def __init__(self, data) -> None:
        self._engine = open_engine(f"sqlite://{data}/tagwerk.sqlite")

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self._engine.close()

    def collections(self, user):
        with self._engine.read() as txn:
            principal = principal_by_name(txn, user)
            return (
                {}
                if principal is None
                else {each.name: each.collection for each in bindings_of(txn, principal.id)}
            )

    def objects(self, user, name):
        with self._engine.read() as txn:
            binding = find_binding(txn, user, name)
            return {each.name: each.content for each in objects(txn, binding.collection.id, content=True)}

    def properties(self, user, name):
        with self._engine.read() as txn:
            binding = find_binding(txn, user, name)
            return collection_properties(txn, binding.collection.id, binding.id)

    def login(self, user, password):
        return Authenticator(self._engine).login(user, password)


@contextmanager
def stock_radicale(folder) -> Iterator[str]:
    """An unmodified Radicale with its own storage, as a process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            sys.executable, "-m", "radicale", "--server-hosts", f"127.0.0.1:{port}", "--auth-type", "none",
            "--storage-filesystem-folder", folder, "--logging-level", "error",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(400):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(20)


def fill(url, number=25):
    """A calendar and an address book of anna's; their bytes as the server gives them."""
    client = Dav(url, "anna")
    client("PROPFIND", "/anna/", Depth="0")
    assert client("MKCALENDAR", "/anna/work/", MKCALENDAR).status == 201
    assert client("MKCOL", "/anna/friends/", MKBOOK).status == 201
    for n in range(number):
        assert client.put(f"/anna/work/{n}.ics", event(f"uid-{n}", summary=f"Größe {n}")).status == 201
    for n in range(3):
        assert client.put(f"/anna/friends/card {n}.vcf".replace(" ", "%20"), card(f"card-{n}")).status == 201
    there = {
        "work": {f"{n}.ics": client.get(f"/anna/work/{n}.ics").body for n in range(number)},
        "friends": {f"card {n}.vcf": client.get(f"/anna/friends/card%20{n}.vcf").body for n in range(3)},
    }
    client.close()
    return there


@pytest.fixture(scope="module")
def radicale(tmp_path_factory):
    """A Radicale that runs, its folder, and what is in it."""
    folder = tmp_path_factory.mktemp("radicale")
    with stock_radicale(folder) as url:
        yield url, folder, fill(url)


def check(data, there):
    with Here(data) as here:
        assert here.objects("anna", "work") == there["work"]
        assert here.objects("anna", "friends") == there["friends"]
        properties = here.properties("anna", "work")
        assert properties[DAV + "displayname"] == "Work &amp; play"
        assert properties[ICAL + "calendar-color"] == "#ff8800ff"
        assert here.properties("anna", "friends")[DAV + "displayname"] == "Friends"
        assert here.collections("anna")["work"].components == ("VEVENT",)


def test_a_folder_of_radicale_comes_over_with_everything(radicale, tmp_path):
    _, folder, there = radicale
    data = tmp_path / "data"
    htpasswd = tmp_path / "htpasswd"
    htpasswd.write_text("anna:from the file\nben:another\n")
    rights = tmp_path / "rights"
    rights.write_text(
        "[own]\nuser: .+\ncollection: {user}\npermissions: RW\n[club]\nuser: ben\ncollection: anna/work\npermissions: rw\n"
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
    assert "[club]: ben may change anna/work" in done.stderr
    assert "[own]" not in done.stderr
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

    done = tagwerk("migrate", "radicale", tmp_path / "radicale", "--data", tmp_path / "data", check=False)

    assert done.returncode == 1
    assert "1 added" in done.stdout
    assert "2 left out" in done.stdout
    assert "left out: anna/work/bad.ics: " in done.stderr
    assert "left out: anna/work/twice.ics: good.ics has its UID good" in done.stderr
    assert "anna/plain is a plain folder" in done.stderr
    assert "anna has no password here" in done.stderr


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

    assert "refuses the user name or the password" in wrong.stderr
    assert "is no URL" in ftp.stderr
    assert "is no folder of Radicale's" in empty.stderr


@pytest.mark.parametrize("server_name", ["sabre", "baikal", "nextcloud"])
def test_a_database_of_sabres_family_comes_over(tmp_path, server_name, password_hash):
    nextcloud = server_name == "nextcloud"
    prefix = "oc_" if nextcloud else ""
    there = {
        "work": {f"{n}.ics": event(f"uid-{n}") for n in range(12)},
        "friends": {f"{n}.vcf": card(f"card-{n}") for n in range(3)},
    }
    path = tmp_path / "db.sqlite"
    database = sqlite3.connect(path)
    database.executescript(NEXTCLOUD if nextcloud else SABRE)
    more = ", 0, NULL" if nextcloud else ""
    for name, content in there["work"].items():
        database.execute(f"INSERT INTO {prefix}calendarobjects VALUES (NULL, ?, ?, 7{more})", (content, name))
    if nextcloud:
        database.execute("INSERT INTO oc_users VALUES ('anna', 'Anna', ?)", (f"3|{password_hash}",))
        database.execute(
            "INSERT INTO oc_calendarobjects VALUES (NULL, ?, 'gone.ics', 7, 0, 1700000000)", (event("g"),)
        )
    for name, content in there["friends"].items():
        database.execute(f"INSERT INTO {prefix}cards VALUES (NULL, 9, ?, ?)", (content.decode(), name))
    database.commit()
    database.close()
    data = tmp_path / "data"

    done = tagwerk("migrate", server_name, path, "--data", data)
    again = tagwerk("migrate", server_name, path, "--data", data)

    check(data, there)
    assert "0 objects were moved." in again.stdout
    assert "share it again" in done.stderr
    with Here(data) as here:
        assert set(here.collections("anna")) == {"work", "friends"}
        assert here.login("anna", "secret") == ("anna" if nextcloud else None)


def test_a_database_of_something_else_is_refused(tmp_path):
    sqlite3.connect(tmp_path / "other.sqlite").close()
    for place in (tmp_path / "other.sqlite", tmp_path / "nothing", "oracle://x/y", "mysql://127.0.0.1:1/x"):
        done = tagwerk("migrate", "baikal", place, "--data", tmp_path / "data", check=False)

        assert done.returncode == 1
        assert done.stderr.startswith("tagwerk: ")


def test_files_come_over_as_with_import(tmp_path):
    (tmp_path / "a.ics").write_bytes(event("a"))
    data = tmp_path / "data"
    tagwerk("user", "add", "anna", "--password-stdin", "--data", data, stdin="secret\n")

    assert "1 added" in tagwerk("migrate", "ics", "anna", tmp_path / "a.ics", "--data", data).stdout
