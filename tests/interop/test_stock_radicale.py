"""vdirsyncer through stock Radicale and through `tagwerk serve`, on one database at the same time."""

from __future__ import annotations

from pathlib import Path

import pytest
from programs import program
from test_vdirsyncer import Machine

from davclient import Dav
from davsamples import card, event

pytestmark = pytest.mark.interop


def machine_on(url: str, home: Path, account: Dav) -> Machine:
    for folder in ("calendars", "contacts"):
        (home / folder).mkdir(parents=True)
    assert account.user is not None
    made = Machine(home, program("vdirsyncer", home), url, account.user)
    made("discover")
    made.sync()
    return made


def texts(machine: Machine, collection: str) -> list[list[bytes]]:
    """What lies there; Radicale answers without CR, and writes what it takes in an order of its own."""
    return sorted(sorted(body.split()) for body in machine.files(collection).values())


def test_what_goes_in_through_one_comes_out_of_the_other(radicale_url, server, account, tmp_path):
    stock = machine_on(radicale_url, tmp_path / "stock", account)
    ours = machine_on(server.url, tmp_path / "ours", account)

    stock.write("a.ics", event("a", summary="durch Radicale"))
    stock.write("a.vcf", card("a"), "contacts/contacts")
    ours.write("b.ics", event("b", summary="durch Tagwerk"))
    ours.write("b.vcf", card("b"), "contacts/contacts")
    stock.sync()
    ours.sync()
    stock.sync()

    assert len(ours.files()) == len(ours.files("contacts/contacts")) == 2
    for collection in ("calendars/calendar", "contacts/contacts"):
        assert texts(stock, collection) == texts(ours, collection)


def test_changes_and_deletions_cross(radicale_url, server, account, tmp_path):
    for uid in ("a", "b"):
        account.put(f"/{account.user}/calendar/{uid}.ics", event(uid))
    stock = machine_on(radicale_url, tmp_path / "stock", account)
    ours = machine_on(server.url, tmp_path / "ours", account)

    stock.write("a.ics", event("a", summary="geändert"))
    (ours.home / "calendars/calendar/b.ics").unlink()
    stock.sync()
    ours.sync()
    stock.sync()

    assert list(stock.files()) == list(ours.files()) == ["a.ics"]
    assert "geändert".encode() in ours.files()["a.ics"]


def test_a_sync_token_of_one_is_one_of_the_other(radicale_url, account):
    place = f"/{account.user}/calendar/"
    stock = Dav(radicale_url, account.user)
    account.put(place + "a.ics", event("a"))
    token = account.sync(place).multistatus().token
    stock.put(place + "b.ics", event("b"))

    ours, theirs = account.sync(place, token).multistatus(), stock.sync(place, token).multistatus()
    stock.close()

    assert ours.names == theirs.names == ["b.ics"]
    assert ours.token == theirs.token
    assert ours[place + "b.ics"].etag == theirs[place + "b.ics"].etag
