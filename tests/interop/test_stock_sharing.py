"""A calendar is shared on the command line; stock Radicale and `tagwerk serve` tell its sharee the same.

Both are processes on one database, and vdirsyncer finds the share where it looks.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from test_stock_radicale import machine_on

from davclient import DAV, Dav
from davsamples import event
from serverprocess import ServerProcess, tagwerk
from tagwerk.accounts.users import add_user
from tagwerk.store import Engine

pytestmark = pytest.mark.interop

_numbers = itertools.count(1)


@pytest.fixture
def people(
    server: ServerProcess, radicale_url: str, database: Engine, password_hash: str
) -> Iterator[Callable[[str], tuple[Dav, Dav]]]:
    """Make a user; their clients at stock Radicale and at the server."""
    clients: list[Dav] = []

    def make(role: str) -> tuple[Dav, Dav]:
        name = f"{role}{next(_numbers)}"
        with database.write() as txn:
            add_user(txn, name, now=int(time.time()), password_hash=password_hash)
        pair = Dav(radicale_url, name, "secret"), Dav(server.url, name, "secret")
        clients.extend(pair)
        return pair

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def run(server: ServerProcess) -> Callable[..., str]:
    """Run a command on the server's database."""
    return lambda *arguments: tagwerk(*arguments, "--data", server.data).stdout


def hidden(uid: str) -> bytes:
    return event(uid, summary="Überraschung").replace(b"SUMMARY", b"CLASS:PRIVATE\r\nSUMMARY")


def test_what_is_shared_comes_to_the_sharee_through_both_and_goes(people, run):
    (_, owner), (stock, ours) = people("owner"), people("guest")
    place, shared = f"/{owner.user}/calendar/", f"/{stock.user}/calendar-{owner.user}/"
    owner.put(place + "a.ics", event("a", summary="Team"))
    owner.put(place + "p.ics", hidden("p"))

    run("share", "add", f"{owner.user}/calendar", stock.user, "--level", "write")

    for client in (stock, ours):
        assert shared in client.propfind(f"/{client.user}/", DAV + "displayname", depth="1")
        assert client.propfind(shared, DAV + "getetag", depth="1").names == ["", "a.ics"]
        assert client.get(shared + "p.ics").status == 404
        assert client.get(f"/{owner.user}/calendar/a.ics").status == 403
    assert stock.get(shared + "a.ics").etag == ours.get(shared + "a.ics").etag
    token = stock.sync(shared).multistatus().token
    assert token == ours.sync(shared).multistatus().token

    changed = event("a", summary="Neu")
    assert stock.put(shared + "a.ics", changed, If_Match=stock.get(shared + "a.ics").etag).status == 204
    assert "SUMMARY:Neu" in owner.get(place + "a.ics").text
    for client in (stock, ours):
        assert client.sync(shared, token).multistatus().names == ["a.ics"]

    run("share", "remove", f"{owner.user}/calendar", stock.user)
    for client in (stock, ours):
        assert client.sync(shared, token).status == 404
        assert shared not in client.propfind(f"/{client.user}/", DAV + "displayname", depth="1")
    assert owner.get(place + "p.ics").status == 200


def test_levels_groups_and_delegates_count_in_both(people, run):
    (_, owner), (stock, ours) = people("owner"), people("guest")
    place, shared = f"/{owner.user}/calendar/", f"/{stock.user}/calendar-{owner.user}/"
    group = f"team{next(_numbers)}"
    owner.put(place + "a.ics", event("a", summary="Team"))
    run("group", "add", group)
    run("group", "member", "add", group, stock.user)
    run("share", "add", f"{owner.user}/calendar", group, "--level", "busy")

    busy = stock.get(shared + "a.ics")
    assert (busy.status, busy.body) == (200, ours.get(shared + "a.ics").body)
    assert "Team" not in busy.text
    run("share", "add", f"{owner.user}/calendar", stock.user, "--level", "read")
    for client in (stock, ours):
        assert "Team" in client.get(shared + "a.ics").text
        assert client.put(shared + "b.ics", event("b")).status == 403
        assert client.delete(shared + "a.ics").status == 403

    run("delegate", "add", owner.user, stock.user, "--level", "write")
    assert stock.put(place + "b.ics", event("b")).status == 201
    assert ours.get(place + "b.ics").status == 200

    assert stock.delete(shared).status == 200
    assert ours.get(shared + "a.ics").status == 404
    assert owner.get(place + "a.ics").status == 200


def test_vdirsyncer_finds_a_share_through_stock_radicale(people, run, radicale_url, tmp_path: Path):
    (_, owner), (stock, _) = people("owner"), people("guest")
    owner.put(f"/{owner.user}/calendar/a.ics", event("a", summary="Team"))
    run("share", "add", f"{owner.user}/calendar", stock.user, "--level", "write")

    machine = machine_on(radicale_url, tmp_path, stock)
    assert list(machine.files(f"calendars/calendar-{owner.user}")) == ["a.ics"]
    machine.write("b.ics", event("b", summary="durch Radicale"), f"calendars/calendar-{owner.user}")
    machine.sync()

    found = owner.propfind(f"/{owner.user}/calendar/", DAV + "getetag", depth="1").names
    assert len(found) == 3
    assert any("durch Radicale" in owner.get(f"/{owner.user}/calendar/{name}").text for name in found if name)
