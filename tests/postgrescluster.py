"""A throw-away PostgreSQL cluster of Debian's package, run by a user who is not root.

One cluster serves a whole test run, whatever the number of its processes: the first that
needs it makes it, the last that goes ends it.  `new_database` copies a template that has
the schema already, which takes less time than to make the tables.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tagwerk.store import open_engine
from tagwerk.store.schema import COMPATIBILITY, SCHEMA

_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[4]))
_SETTINGS = {
    "listen_addresses": "''",
    "fsync": "on",
    "full_page_writes": "on",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "autovacuum": "off",
    "log_min_messages": "fatal",
}
_SAFE = {"shared_buffers": "128MB", "autovacuum": "on"}
"""PostgreSQL's own defaults."""

_numbers = itertools.count(1)


def binaries() -> Path:
    """The folder of pg_ctl and its kin; skips the test where there is none."""
    if not _BINARIES:
        pytest.skip("needs package postgresql")
    return _BINARIES[-1].parent


@dataclass(slots=True)
class Cluster:
    """A running server; it listens on a socket in its folder, or on a port of the loopback."""

    folder: Path
    port: int
    host: str

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://tagwerk@/{database}?host={self.host}&port={self.port}"

    def query(self, statement: str, database: str = "postgres") -> None:
        """Run a statement outside of any transaction."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement)

    def start(self) -> None:
        run(
            "pg_ctl",
            "start",
            "-w",
            "-s",
            "-D",
            str(self.data),
            "-l",
            str(self.folder / "log"),
            folder=self.folder,
        )

    def stop(self, mode: str = "fast") -> None:
        run("pg_ctl", "stop", "-w", "-s", "-m", mode, "-D", str(self.data), folder=self.folder)

    def promote(self) -> None:
        """Let a standby be the primary."""
        run("pg_ctl", "promote", "-w", "-s", "-D", str(self.data), folder=self.folder)

    def pid(self) -> int:
        """The postmaster's; its children end when it does."""
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def is_running(self) -> bool:
        """Whether it takes connections, now or once it has recovered."""
        try:
            return _state(self.pid()) != "Z"
        except OSError:
            return False

    def kill(self) -> None:
        """End it as a power cut does: no checkpoint, no farewell."""
        pid = self.pid()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in (pid, *map(int, children)):
            try:
                os.kill(each, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for each in (pid, *map(int, children)):
            while _state(each) != "Z":
                time.sleep(0.01)
        # In a container nobody may reap it, and then it looks alive.
        for lock in (self.data / "postmaster.pid", *self.folder.glob(".s.PGSQL.*.lock")):
            lock.unlink(missing_ok=True)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def run(program: str, *arguments: str, folder: Path) -> None:
    """Run one of PostgreSQL's programs as the user whom the folder belongs to."""
    owner = folder.stat().st_uid
    done = subprocess.run(
        [str(binaries() / program), *arguments],
        cwd=folder,
        user=owner if os.geteuid() == 0 else None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(folder)},
    )
    assert done.returncode == 0, f"{program}: {done.stderr}"


def make(folder: Path, *, durable: bool = False, tcp: bool = False) -> Cluster:
    """Initialize a cluster in `folder` and start it; `durable` keeps what it has committed."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    folder.chmod(0o711)
    port = free_port() if tcp else 5432
    cluster = Cluster(folder, port, "127.0.0.1" if tcp else str(folder))
    run(
        "initdb",
        "-D",
        str(cluster.data),
        "-U",
        "tagwerk",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
        "--no-instructions",
        folder=folder,
    )
    settings = _SETTINGS | (_SAFE if durable else {})
    settings |= {"unix_socket_directories": f"'{folder}'", "port": str(port)}
    if tcp:
        settings["listen_addresses"] = "'127.0.0.1'"
    with (cluster.data / "postgresql.conf").open("a") as file:
        file.writelines(f"{name} = {value}\n" for name, value in settings.items())
    cluster.start()
    return cluster


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def shared(folder: Path) -> Iterator[Cluster]:
    """The cluster in `folder`, which several processes share: it lives as long as one of them uses it."""
    binaries()
    folder.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.gettempdir()) / f"tagwerk-{folder.parent.name}-{os.getuid()}"
    with (folder / "users").open("a+") as users:
        with _locked(folder):
            if _count(users, 1) == 1:
                shutil.rmtree(place, ignore_errors=True)
                _template(make(place))
        try:
            # The socket's path must be short, whatever the folder of the tests.
            yield Cluster(place, 5432, str(place))
        finally:
            with _locked(folder):
                if _count(users, -1) == 0:
                    Cluster(place, 5432, str(place)).stop("immediate")
                    shutil.rmtree(place, ignore_errors=True)


@contextmanager
def own(folder: Path | None = None, **options: bool) -> Iterator[Cluster]:
    """A durable cluster for one test, which may end it."""
    folder = folder or Path(tempfile.mkdtemp(prefix="tagwerk-"))
    cluster = make(folder, durable=True, **options)
    try:
        yield cluster
    finally:
        if (cluster.data / "postmaster.pid").exists():
            cluster.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def standby_of(primary: Cluster) -> Iterator[Cluster]:
    """A second server that follows the first one's log; both listen on the loopback."""
    folder = Path(tempfile.mkdtemp(prefix="tagwerk-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    standby = Cluster(folder, free_port(), primary.host)
    source = f"host={primary.host} port={primary.port} user=tagwerk"
    run("pg_basebackup", "-D", str(standby.data), "-d", source, "-R", "-c", "fast", folder=folder)
    with (standby.data / "postgresql.conf").open("a") as file:
        file.write(f"port = {standby.port}\nunix_socket_directories = '{folder}'\n")
    standby.start()
    try:
        yield standby
    finally:
        if (standby.data / "postmaster.pid").exists():
            standby.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


def new_database(cluster: Cluster, *, empty: bool = False) -> str:
    """The URL of a database that nobody else has, with the schema unless `empty`."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    template = "template0" if empty else "tagwerk_template"
    cluster.query(f"CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8'")
    return cluster.url(name)


class Databases:
    """Databases for tests, used again: to empty one takes a tenth of the time that it takes to make one."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._free: list[str] = []

    def take(self) -> str:
        """The URL of a database with the schema and nothing in it."""
        return self._free.pop() if self._free else new_database(self._cluster)

    def give_back(self, url: str) -> None:
        """Empty it for the next test; one that somebody holds on to is left to its fate."""
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica; SET lock_timeout = '1s'")
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            emptied = ";".join(f"DELETE FROM {name}" for (name,) in tables if name != "meta")
            try:
                connection.execute(emptied)
                connection.execute(
                    "DELETE FROM meta WHERE key NOT IN ('schema_version', 'compatibility', 'timeline')"
                )
                connection.execute(f"UPDATE meta SET value = '{SCHEMA}' WHERE key = 'schema_version'")
                connection.execute(f"UPDATE meta SET value = '{COMPATIBILITY}' WHERE key = 'compatibility'")
            except psycopg.errors.LockNotAvailable:
                return
        self._free.append(url)


def _template(cluster: Cluster) -> None:
    cluster.query("CREATE DATABASE tagwerk_template TEMPLATE template0 ENCODING 'UTF8'")
    open_engine(cluster.url("tagwerk_template")).close()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _count(users: object, change: int) -> int:
    """How many processes use the cluster after this one came or went."""
    users.seek(0)
    number = int(users.read() or 0) + change
    users.truncate(0)
    users.write(str(number))
    users.flush()
    return number
