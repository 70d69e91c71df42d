"""A real server for the tests that talk to one, and users and collections on it.

The server is a process on a free port with a data folder of its own.  Users and
collections are made in its database directly: what the CLI and MKCALENDAR do has tests
of its own.  Most tests share one user, because the first request of a user costs a
password hash, and get a collection that nobody else has.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

import postgrescluster
import serverprocess
from davclient import Dav
from serverprocess import ServerProcess
from tagwerk.accounts.passwords import hash_password
from tagwerk.accounts.users import add_user
from tagwerk.model import Kind
from tagwerk.store import Engine, open_engine
from tagwerk.store.collections import create_collection
from tagwerk.store.principals import principal_by_name

PASSWORD = "secret"

ENGINES = ("sqlite", "postgresql")

os.environ["TAGWERK_CONFIG"] = ""  # The file of the machine that the tests run on is not theirs.

SQLITE_ONLY = {"clients", "interop"}
"""Folders whose tests are about programs; what these ask of a database is asked in `http` as well."""

LONG = {"crash", "load", "migration", "test_doctor.py", "test_workers.py"}
"""Folders and files of tests that start, end and move whole servers: together they take minutes."""

_numbers = itertools.count(1)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave what takes minutes to ``-m long``."""
    for item in items:
        if LONG.intersection(item.path.parts):
            item.add_marker("long")


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgrescluster.Cluster]:
    """A PostgreSQL server that every process of this test run shares."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with postgrescluster.shared(folder / "postgres") as cluster:
        yield cluster


@pytest.fixture(scope="session")
def databases(postgres: postgrescluster.Cluster) -> postgrescluster.Databases:
    """PostgreSQL databases of this process."""
    return postgrescluster.Databases(postgres)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what needs a database on each engine, unless the test or its folder names one."""
    named = any("any_engine" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    if "any_engine" in metafunc.fixturenames and not named:
        engines = ENGINES[:1] if SQLITE_ONLY.intersection(metafunc.definition.path.parts) else ENGINES
        metafunc.parametrize("any_engine", engines, indirect=True, scope="session")


@pytest.fixture(scope="session")
def any_engine(request: pytest.FixtureRequest) -> str:
    """The name of each engine in turn."""
    return str(request.param)


@pytest.fixture
def url(any_engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty database, on each engine in turn."""
    if any_engine == "sqlite":
        yield f"sqlite://{tmp_path}/tagwerk.sqlite"
    else:
        databases = request.getfixturevalue("databases")
        taken = databases.take()
        yield taken
        databases.give_back(taken)


@pytest.fixture(scope="session")
def new_url(
    any_engine: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Callable[[], AbstractContextManager[str]]:
    """Makes empty databases on each engine in turn, for tests that need many."""
    databases = request.getfixturevalue("databases") if any_engine == "postgresql" else None

    @contextmanager
    def make() -> Iterator[str]:
        if databases is None:
            yield f"sqlite://{tmp_path_factory.mktemp('database')}/tagwerk.sqlite"
        else:
            taken = databases.take()
            yield taken
            databases.give_back(taken)

    return make


@pytest.fixture(scope="session")
def password_hash() -> str:
    """The hash of the password that every user of the tests has."""
    return hash_password(PASSWORD)


@pytest.fixture(scope="session")
def new_data(any_engine: str, request: pytest.FixtureRequest) -> Callable[[Path], Path]:
    """Makes a path the data folder of a new database, on each engine in turn; nothing is there yet."""
    cluster = request.getfixturevalue("postgres") if any_engine == "postgresql" else None

    def make(folder: Path) -> Path:
        if cluster is not None:
            serverprocess.keep_in(folder, postgrescluster.new_database(cluster, empty=True))
        return folder

    return make


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory, new_data: Callable[[Path], Path]
) -> Iterator[ServerProcess]:
    """`tagwerk serve` with its defaults."""
    running = serverprocess.start(new_data(tmp_path_factory.mktemp("server") / "data"))
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="session")
def database(server: ServerProcess) -> Iterator[Engine]:
    """The server's database, opened a second time."""
    engine = open_engine(server.database_url)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def anna(server: ServerProcess, database: Engine, password_hash: str) -> str:
    """The user whom most tests share."""
    with database.write() as txn:
        return add_user(txn, "anna", now=int(time.time()), password_hash=password_hash).name


@pytest.fixture
def dav(server: ServerProcess, anna: str) -> Iterator[Dav]:
    """A client of anna's."""
    client = Dav(server.url, anna, PASSWORD)
    yield client
    client.close()


@pytest.fixture
def account(server: ServerProcess, database: Engine, password_hash: str) -> Iterator[Dav]:
    """A client of a new user, who has what every new user has and nothing else."""
    with database.write() as txn:
        name = f"user{next(_numbers)}"
        add_user(
            txn,
            name,
            now=int(time.time()),
            password_hash=password_hash,
            email=f"{name}@example.org",
            display_name=f"User {name}",
        )
    client = Dav(server.url, name, PASSWORD)
    yield client
    client.close()


@pytest.fixture
def make_collection(database: Engine, anna: str) -> Callable[..., str]:
    """Make an empty collection of anna's and return its path."""

    def make(kind: Kind = Kind.CALENDAR, *, user: str = anna, components: tuple[str, ...] = ()) -> str:
        name = f"{kind.value}{next(_numbers)}"
        with database.write() as txn:
            principal = principal_by_name(txn, user)
            assert principal is not None
            create_collection(
                txn, principal.id, name=name, kind=kind, now=int(time.time()), components=components
            )
        return f"/{user}/{name}/"

    return make


@pytest.fixture
def calendar(make_collection: Callable[..., str]) -> str:
    """The path of an empty calendar of anna's, for every kind of component."""
    return make_collection()


@pytest.fixture
def book(make_collection: Callable[..., str]) -> str:
    """The path of an empty address book of anna's."""
    return make_collection(Kind.ADDRESSBOOK)


@pytest.fixture
def new_server(tmp_path: Path, new_data: Callable[[Path], Path]) -> Iterator[Callable[..., ServerProcess]]:
    """Start more servers, with options of their own; all are ended with the test."""
    running: list[ServerProcess] = []

    def start(*arguments: str | Path, data: Path | None = None, **options: str) -> ServerProcess:
        """`options` are lines of the configuration, as in ``server_max_body_size="1 MiB"``."""
        folder = data or new_data(tmp_path / f"data{len(running)}")
        if options:
            arguments = (*arguments, "--config", _config(tmp_path / f"tagwerk{len(running)}.ini", options))
        running.append(serverprocess.start(folder, *arguments))
        return running[-1]

    yield start
    for each in running:
        each.stop()


def _config(path: Path, options: dict[str, str]) -> Path:
    sections: dict[str, list[str]] = {}
    for key, value in options.items():
        section, _, name = key.partition("_")
        sections.setdefault(section, []).append(f"{name} = {value}")
    path.write_text("\n".join(f"[{name}]\n" + "\n".join(found) for name, found in sections.items()) + "\n")
    return path


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Real files of real programs."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "corpus"
    if not folder.is_dir():
        pytest.skip(f"there is no corpus of real files at {folder}")
    return folder
