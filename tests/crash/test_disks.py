"""What happens when the disk below a running server is full, takes no changes, or lets nobody in; and when it is well again.

The client gets 507 or 503 with a sentence, what can be read is read, nothing is
half-written, and the server goes on by itself.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from disks import UNPRIVILEGED, full, mode_of, small_disk, unchangeable

import postgrescluster
import serverprocess
from davclient import Answer, Dav
from davsamples import event
from postgrescluster import Cluster
from serverprocess import ServerProcess, tagwerk

HOME = "/anna/calendar/"
LARGE = "X-FILL:" + "x" * 200_000

pytestmark = pytest.mark.slow


@pytest.fixture
def served() -> Iterator[Callable[[Path], Dav]]:
    """Starts a server for whom permissions hold, with anna and an event of hers, and makes a client."""
    running: list[ServerProcess] = []
    clients: list[Dav] = []

    def start(data: Path) -> Dav:
        tagwerk("user", "add", "anna", "--password-stdin", "--data", data, stdin="secret\n")
        running.append(serverprocess.start(data, code=UNPRIVILEGED))
        clients.append(client := Dav(running[-1].url))
        assert client.put(HOME + "before.ics", event("before")).status == 201
        return client

    yield start
    for client in clients:
        client.close()
    for server in running:
        assert server.stop() == 0
        if server.log.exists():  # Its disk may be gone.
            assert "Traceback" not in server.log.read_text()


def refused(answer: Answer, *statuses: int) -> None:
    assert answer.status in statuses, answer
    assert answer.sentence
    assert b"sqlite" not in answer.body
    if answer.status == 503:
        assert int(answer.headers["retry-after"]) > 0


def put(client: Dav, name: str, more: str = "") -> Answer:
    return client.put(f"{HOME}{name}.ics", event(name, more=more))


def names(client: Dav) -> list[str]:
    return client.sync(HOME).multistatus().names


def until_refused(client: Dav, *statuses: int) -> list[str]:
    """The names that were stored before there was no more room."""
    stored = []
    for number in range(300):
        answer = put(client, f"n{number}", LARGE)
        if answer.status != 201:
            refused(answer, *statuses)
            return stored
        stored.append(f"n{number}.ics")
    raise AssertionError("The disk is not full.")


def until_it_works(client: Dav, name: str, *, seconds: float = 20) -> None:
    begin = time.monotonic()
    while (answer := put(client, name)).status not in (201, 204):
        refused(answer, 503)
        assert time.monotonic() - begin < seconds
        time.sleep(0.1)


def is_well(data: Path) -> bool:
    return bool(json.loads(tagwerk("check", "--json", "--data", data).stdout)["ok"])


def test_a_full_disk_below_sqlite(served, tmp_path):
    with small_disk(tmp_path / "disk", "16m") as disk:
        client = served(disk / "data")
        with full(disk):
            stored = until_refused(client, 507)
            assert names(client) == ["before.ics", *sorted(stored)]
            assert client.get(HOME + "before.ics").status == 200
            refused(put(client, "again", LARGE), 507)

        assert put(client, "after", LARGE).status == 201
        assert names(client) == ["after.ics", "before.ics", *sorted(stored)]
        assert is_well(disk / "data")


@pytest.mark.long
@pytest.mark.parametrize("room", [0, 8192, 200_000])
def test_a_full_disk_for_backups_stops_nothing_else_of_maintenance(tmp_path, room):
    data, config = tmp_path / "data", tmp_path / "tagwerk.ini"
    tagwerk("user", "add", "anna", "--password-stdin", "--data", data, stdin="secret\n")
    with small_disk(tmp_path / "disk", "4m") as disk:
        config.write_text(f"[maintenance]\nbackup_folder = {disk}/backups\n")
        (disk / "backups").mkdir(mode=0o700)
        (disk / "room").write_bytes(b"x" * room)
        with full(disk):
            (disk / "room").unlink()
            done = tagwerk("maintenance", "--config", config, "--data", data, check=False)
        left = list((disk / "backups").iterdir())

    assert done.returncode == 1
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["forget", "check", "compact"]
    assert "Not everything is in order: backup." in done.stderr
    assert "Traceback" not in done.stderr
    assert left == []


def test_a_file_that_takes_no_changes(served, tmp_path):
    data = tmp_path / "data"
    client = served(data)
    with unchangeable(data / "tagwerk.sqlite", data / "tagwerk.sqlite-wal"):
        refused(put(client, "a"), 503)
        refused(client.delete(HOME + "before.ics"), 503)
        refused(client("MKCALENDAR", "/anna/new/"), 503)
        assert client.get(HOME + "before.ics").status == 200
        assert names(client) == ["before.ics"]

    assert put(client, "a").status == 201
    assert names(client) == ["a.ics", "before.ics"]
    assert is_well(data)


@pytest.mark.long
def test_a_folder_that_cannot_be_looked_into_any_more(served, tmp_path):
    data = tmp_path / "data"
    client = served(data)
    with mode_of({**dict.fromkeys(data.iterdir(), 0), data: 0}):
        refused(put(client, "a"), 503)
        assert client.get(HOME + "before.ics").status == 200

    assert put(client, "a").status == 201
    assert is_well(data)


@pytest.mark.long
def test_permissions_that_are_only_looked_at_when_a_file_is_opened(served, tmp_path):
    """Who has the file open goes on; who comes later is told."""
    data = tmp_path / "data"
    client = served(data)
    with mode_of({**dict.fromkeys(data.iterdir(), 0o400), data: 0o500}):
        assert put(client, "a").status == 201
        assert client.get(HOME + "a.ics").status == 200

        with pytest.raises(AssertionError, match="cannot be written by this user"):
            serverprocess.start(data, code=UNPRIVILEGED)

    assert put(client, "b").status == 201
    assert is_well(data)


@pytest.mark.long
@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_somebody_takes_away_or_replaces(served, tmp_path, replaced):
    """Whatever was written to it from then on would be gone with it."""
    data = tmp_path / "data"
    client = served(data)
    path, away = data / "tagwerk.sqlite", tmp_path / "away"
    path.rename(away)
    if replaced:
        shutil.copy(away, path)

    answer = put(client, "a")

    refused(answer, 503)
    assert f"{path} was {'replaced' if replaced else 'removed'}" in data.with_name("data.log").read_text()
    assert client.get(HOME + "before.ics").status == 200
    away.rename(path)
    assert put(client, "a").status == 201
    assert names(client) == ["a.ics", "before.ics"]
    assert is_well(data)


@pytest.fixture
def on_postgresql(served, tmp_path) -> Callable[..., Dav]:
    """Makes a role that owns nothing but a database, and starts a server on it."""

    def start(cluster: Cluster, more: str = "") -> Dav:
        cluster.query("CREATE ROLE app LOGIN PASSWORD 'first'")
        cluster.query(f"CREATE DATABASE app OWNER app {more}")
        folder = tmp_path / "data"
        url = cluster.url("app").replace("tagwerk@", "app:first@")
        serverprocess.keep_in(folder, url)
        return served(folder)

    return start


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    postgrescluster.binaries()
    with postgrescluster.own(tcp=True) as made:
        yield made


def test_a_full_disk_below_the_tables_of_postgresql(cluster, on_postgresql, tmp_path):
    with small_disk(cluster.folder / "disk", "32m") as disk:
        shutil.chown(disk, "postgres")
        cluster.query(f"CREATE TABLESPACE small LOCATION '{disk}'")
        client = on_postgresql(cluster, "TABLESPACE small")
        with full(disk):
            stored = until_refused(client, 507)
            assert names(client) == ["before.ics", *sorted(stored)]
            refused(put(client, "again", LARGE), 507)
            assert client.get(HOME + "before.ics").status == 200

        assert put(client, "after", LARGE).status == 201
        assert names(client) == ["after.ics", "before.ics", *sorted(stored)]
        assert is_well(tmp_path / "data")


@pytest.fixture
def small_cluster() -> Iterator[tuple[Cluster, Path]]:
    """A PostgreSQL with all that it has on a small disk."""
    postgrescluster.binaries()
    with tempfile.TemporaryDirectory(prefix="tagwerk-") as folder:
        Path(folder).chmod(0o711)
        with (
            small_disk(Path(folder, "disk"), "160m") as disk,
            postgrescluster.own(disk / "cluster", tcp=True) as cluster,
        ):
            yield cluster, disk


@pytest.mark.long
def test_a_full_disk_below_everything_of_postgresql(small_cluster, on_postgresql, tmp_path):
    """Without room for its log PostgreSQL ends itself; it is started again once there is room."""
    cluster, disk = small_cluster
    client = on_postgresql(cluster)
    with full(disk):
        stored = until_refused(client, 503, 507)
        refused(put(client, "again", LARGE), 503, 507)

    if not cluster.is_running():
        cluster.start()
    until_it_works(client, "after")
    assert (
        set(stored)
        < set(names(client))
        <= {"after.ics", "before.ics", "again.ics", *stored, f"n{len(stored)}.ics"}
    )
    assert is_well(tmp_path / "data")
