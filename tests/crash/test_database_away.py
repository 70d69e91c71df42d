"""What happens to the database of a running server: killed, read-only, no longer allowed, full.

The client gets 503 or 507, never 500; nothing is half-written; the server goes on by itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import postgrescluster
import serverprocess
from davclient import Answer, Dav
from davsamples import event
from postgrescluster import Cluster
from serverprocess import ServerProcess, tagwerk
from tagwerk.store import open_engine
from tagwerk.store.address import shown
from tagwerk.store.outbox import jobs

HOME = "/anna/calendar/"

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    postgrescluster.binaries()
    with postgrescluster.own() as made:
        yield made


@pytest.fixture
def server(cluster: Cluster, tmp_path: Path) -> Iterator[ServerProcess]:
    """A server on a PostgreSQL of its own, whose user owns nothing but the database."""
    cluster.query("CREATE ROLE app LOGIN")
    cluster.query("CREATE DATABASE app OWNER app")
    folder = tmp_path / "data"
    serverprocess.keep_in(folder, cluster.url("app").replace("tagwerk@", "app@"))
    tagwerk("user", "add", "anna", "--password-stdin", "--data", folder, stdin="secret\n")
    running = serverprocess.start(folder)
    yield running
    assert running.stop() == 0


@pytest.fixture
def anna(server: ServerProcess) -> Iterator[Dav]:
    with closing(Dav(server.url)) as client:
        assert client.put(HOME + "before.ics", event("before")).status == 201
        yield client


def refused(answer: Answer, *statuses: int) -> None:
    assert answer.status in statuses, answer
    assert answer.sentence
    # Where it lies is nobody's business but the log's.
    assert b"postgresql:" not in answer.body
    if answer.status == 503:
        assert int(answer.headers["retry-after"]) > 0


def disconnect(cluster: Cluster) -> None:
    """End the server's connections, as new ones alone see what was changed."""
    cluster.query("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'app'")


def until(there: Callable[[], bool], *, seconds: float = 20) -> None:
    begin = time.monotonic()
    while not there():
        assert time.monotonic() - begin < seconds
        time.sleep(0.05)


def until_it_works(put: Callable[[], Answer], *, seconds: float = 20) -> None:
    begin = time.monotonic()
    while (answer := put()).status not in (201, 204):
        refused(answer, 503)
        assert time.monotonic() - begin < seconds
        time.sleep(0.1)


def test_a_database_that_is_away_is_503_and_then_it_works_again(cluster, server, anna):
    cluster.stop("immediate")

    refused(anna.put(HOME + "a.ics", event("a")), 503)
    refused(anna.sync(HOME), 503)
    refused(anna.get("/public/abcdef.ics"), 503)

    assert f"The database {shown(server.database_url)} cannot be reached" in server.log.read_text()
    cluster.start()
    until_it_works(lambda: anna.put(HOME + "a.ics", event("a")))
    assert anna.sync(HOME).multistatus().names == ["a.ics", "before.ics"]


def test_a_database_that_was_started_again_is_not_noticed(cluster, anna):
    for name in ("a.ics", "b.ics"):
        cluster.stop()
        cluster.start()

        answers = anna.put(HOME + name, event(name)), anna.get(HOME + name)

        assert [answer.status for answer in answers] == [201, 200]


@pytest.mark.long
def test_a_server_that_may_write_no_more_goes_on_reading_and_says_so(cluster, server, anna):
    cluster.query("REVOKE INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public FROM app", "app")

    answer = anna.put(HOME + "a.ics", event("a"))

    refused(answer, 503)
    assert anna.get(HOME + "before.ics").status == 200
    cluster.query("GRANT ALL ON ALL TABLES IN SCHEMA public TO app", "app")
    until_it_works(lambda: anna.put(HOME + "a.ics", event("a")))


@pytest.mark.long
def test_a_server_that_is_let_in_no_more_says_503_and_comes_back(cluster, anna):
    cluster.query("ALTER ROLE app NOLOGIN")
    disconnect(cluster)

    refused(anna.put(HOME + "a.ics", event("a")), 503)

    cluster.query("ALTER ROLE app LOGIN")
    until_it_works(lambda: anna.put(HOME + "a.ics", event("a")))


def test_a_database_that_is_to_take_no_changes_is_read_and_says_so(cluster, server, anna):
    cluster.query("ALTER DATABASE app SET default_transaction_read_only = on")
    disconnect(cluster)

    answer = anna.put(HOME + "a.ics", event("a"))

    refused(answer, 503)
    assert "default_transaction_read_only is on" in server.log.read_text()
    refused(anna.delete(HOME + "before.ics"), 503)
    assert anna.get(HOME + "before.ics").status == 200
    assert anna.sync(HOME).multistatus().names == ["before.ics"]
    cluster.query("ALTER DATABASE app RESET default_transaction_read_only")
    until_it_works(lambda: anna.put(HOME + "a.ics", event("a")))


@pytest.mark.parametrize("words", [(), ("--workers", "2")])
def test_a_server_starts_while_the_database_takes_no_changes(cluster, server, anna, words):
    with closing(open_engine(server.database_url)) as engine, engine.write() as txn:
        txn.execute("DELETE FROM outbox")
    cluster.query("ALTER DATABASE app SET default_transaction_read_only = on")
    disconnect(cluster)

    second = serverprocess.start(server.data, *words)
    with closing(Dav(second.url)) as client:
        assert client.get(HOME + "before.ics").status == 200
        refused(client.put(HOME + "a.ics", event("a")), 503)
        cluster.query("ALTER DATABASE app RESET default_transaction_read_only")
        disconnect(cluster)
        until_it_works(lambda: client.put(HOME + "a.ics", event("a")))
        until(lambda: upkeep_is_planned(server))
    assert second.stop() == 0


def upkeep_is_planned(server: ServerProcess) -> bool:
    with closing(open_engine(server.database_url)) as engine, engine.read() as txn:
        return any(job.kind == "upkeep" for job in jobs(txn))


@pytest.mark.long
def test_every_database_of_a_server_is_to_take_no_changes(cluster, anna):
    """Connections that are there already hear of it."""
    cluster.query("ALTER SYSTEM SET default_transaction_read_only = on")
    cluster.query("SELECT pg_reload_conf()")

    until(lambda: anna.put(HOME + "a.ics", event("a")).status == 503)

    assert anna.get(HOME + "before.ics").status == 200
    cluster.query("ALTER SYSTEM RESET default_transaction_read_only")
    cluster.query("SELECT pg_reload_conf()")
    until_it_works(lambda: anna.put(HOME + "b.ics", event("b")))


@pytest.mark.long
def test_a_primary_that_becomes_a_standby_and_then_leads_again(cluster, server, anna):
    cluster.stop()
    (cluster.data / "standby.signal").touch()
    cluster.start()

    answers = anna.put(HOME + "a.ics", event("a")), anna.get(HOME + "before.ics")

    for answer in answers:
        # Not even read: it may be behind what clients have seen.
        refused(answer, 503)
    assert "is a standby" in server.log.read_text()
    cluster.promote()
    until_it_works(lambda: anna.put(HOME + "a.ics", event("a")))
    assert anna.sync(HOME).multistatus().names == ["a.ics", "before.ics"]


@pytest.mark.long
@pytest.mark.parametrize("line", ["local all app reject", "local all app scram-sha-256"])
def test_a_server_that_is_kept_out_by_pg_hba_says_503_and_comes_back(cluster, anna, line):
    path = cluster.data / "pg_hba.conf"
    before = path.read_text()
    path.write_text(f"{line}\n{before}")
    cluster.query("SELECT pg_reload_conf()")
    disconnect(cluster)

    refused(anna.put(HOME + "a.ics", event("a")), 503)
    refused(anna.get(HOME + "before.ics"), 503)

    path.write_text(before)
    cluster.query("SELECT pg_reload_conf()")
    until_it_works(lambda: anna.put(HOME + "a.ics", event("a")))


@pytest.mark.long
def test_a_password_that_was_changed_is_503_and_is_not_told(cluster, tmp_path):
    cluster.query("CREATE ROLE app LOGIN PASSWORD 'first-word'")
    cluster.query("CREATE DATABASE app OWNER app")
    path = cluster.data / "pg_hba.conf"
    path.write_text(f"local all app scram-sha-256\n{path.read_text()}")
    cluster.query("SELECT pg_reload_conf()")
    folder = tmp_path / "data"
    serverprocess.keep_in(folder, cluster.url("app").replace("tagwerk@", "app:first-word@"))
    tagwerk("user", "add", "anna", "--password-stdin", "--data", folder, stdin="secret\n")
    running = serverprocess.start(folder)
    with closing(Dav(running.url)) as client:
        assert client.put(HOME + "before.ics", event("before")).status == 201
        cluster.query("ALTER ROLE app PASSWORD 'second-word'")
        disconnect(cluster)

        answer = client.put(HOME + "a.ics", event("a"))

        refused(answer, 503)
        assert "-word" not in answer.text
        cluster.query("ALTER ROLE app PASSWORD 'first-word'")
        until_it_works(lambda: client.put(HOME + "a.ics", event("a")))
    assert running.stop() == 0
    assert "-word" not in running.log.read_text()


@pytest.mark.parametrize("rounds", [5, pytest.param(100, marks=pytest.mark.long)])
def test_a_database_killed_again_and_again_keeps_what_was_answered(cluster, server, rounds):
    stored: dict[str, str] = {}
    stopped = threading.Event()
    statuses: set[int] = set()

    def write() -> None:
        number = 0
        with closing(Dav(server.url)) as client:
            while not stopped.is_set():
                name = f"{number}.ics"
                number += 1
                answer = client.put(HOME + name, event(name))
                statuses.add(answer.status)
                if answer.status == 201:
                    assert answer.etag is not None
                    stored[name] = answer.etag
                else:
                    refused(answer, 503)
                    time.sleep(0.05)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    for _ in range(rounds):
        before, begin = len(stored), time.monotonic()
        while len(stored) < before + 5 and time.monotonic() - begin < 30:
            time.sleep(0.01)
        cluster.kill()
        cluster.start()
    stopped.set()
    writer.join(30)

    with closing(Dav(server.url)) as client:
        found = client.sync(HOME).multistatus().found
    there = {href.removeprefix(HOME): one.etag for href, one in found.items()}
    assert stored.items() <= there.items()
    assert len(stored) >= 5 * (rounds - 1)
    assert statuses <= {201, 503}


def test_a_clock_that_jumps_back_costs_nothing(tmp_path, new_data):
    """No token, number or token's validity depends on the clock."""
    folder = new_data(tmp_path / "data")
    tagwerk("user", "add", "anna", "--password-stdin", "--data", folder, stdin="secret\n")
    later = serverprocess.start(folder)
    with closing(Dav(later.url)) as client:
        client.put(HOME + "a.ics", event("a"))
        token = client.sync(HOME).multistatus().token
    later.stop()

    earlier = serverprocess.start(folder, code=BACKWARDS)

    with closing(Dav(earlier.url)) as client:
        assert client.put(HOME + "b.ics", event("b")).status == 201
        assert client.delete(HOME + "a.ics").status == 204
        found = client.sync(HOME, token).multistatus()
    assert earlier.stop() == 0
    assert (found.names, found.gone) == (["b.ics"], ["a.ics"])


BACKWARDS = (
    "import time; real = time.time; time.time = lambda: real() - 864000;"
    " from tagwerk.cli.main import main; main()"
)
