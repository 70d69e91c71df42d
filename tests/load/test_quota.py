"""A quota holds, however many write at the same moment, each into a collection of their own."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from davclient import DAV, Dav
from davsamples import event
from tagwerk.accounts.users import add_user
from tagwerk.model import Kind
from tagwerk.store.collections import create_collection
from tagwerk.store.principals import principal_by_name, set_quota, used_bytes

WRITERS, ROUNDS = 6, 5


@pytest.fixture
def rounds(database, password_hash):
    """Makes a person with a calendar for each writer, and returns their name."""

    def make(name):
        now = int(time.time())
        with database.write() as txn:
            person = add_user(txn, name, now=now, password_hash=password_hash)
            for number in range(WRITERS):
                create_collection(txn, person.id, name=f"c{number}", kind=Kind.CALENDAR, now=now)
        return person

    return make


def body(number):
    return event(f"u{number}", more="X-FILL:" + "x" * 3000)


def test_simultaneous_writes_into_several_collections_stay_below_the_limit(server, database, rounds):
    size = len(body(0))
    for turn in range(ROUNDS):
        person = rounds(f"quota{turn}")
        with database.write() as txn:
            set_quota(txn, person.id, 2 * size + 100)
        together = threading.Barrier(WRITERS)

        def write(number, name=person.name, together=together):
            with closing(Dav(server.url, name)) as client:
                assert client.propfind(f"/{name}/", DAV + "displayname")
                together.wait(20)
                return client.put(f"/{name}/c{number}/a.ics", body(number))

        with ThreadPoolExecutor(WRITERS) as pool:
            answers = list(pool.map(write, range(WRITERS)))

        assert sorted(answer.status for answer in answers) == [201, 201, *[507] * (WRITERS - 2)]
        assert {answer.condition for answer in answers if answer.status == 507} == {
            DAV + "quota-not-exceeded"
        }
        with database.read() as txn:
            assert used_bytes(txn, person.id) <= 2 * size + 100


@pytest.mark.parametrize("any_engine", ["postgresql"], indirect=True)
@pytest.mark.parametrize(("quota", "waits"), [(0, False), (1_000_000, True)])
def test_only_who_has_a_limit_takes_turns(server, database, rounds, quota, waits):
    person = rounds(f"turns{quota}")
    with database.write() as txn:
        set_quota(txn, person.id, quota)

    with ThreadPoolExecutor(1) as pool, closing(Dav(server.url, person.name)) as client:
        assert client.propfind(f"/{person.name}/", DAV + "displayname")
        with database.write() as txn:
            # As a writer does that is not done yet.
            assert principal_by_name(txn, person.name) is not None
            txn.row("SELECT id FROM principal WHERE id = ?" + txn.for_update, (person.id,))
            writing = pool.submit(client.put, f"/{person.name}/c0/a.ics", body(0))
            time.sleep(0.5)
            assert writing.done() is not waits
        assert writing.result(20).status == 201
