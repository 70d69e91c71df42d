"""Whose alarms an object keeps when it is moved between two calendars of one owner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sharedworld import by, delegate, find, join, place, share

from davsamples import event
from enginedav import World, new_world
from tagwerk.sharing import shares

MINUTES = {"anna": 1, "bert": 2, "carl": 3, "dora": 4, "ewa": 5, "finn": 6, "greta": 7}
"""When whose alarm rings."""


@pytest.fixture
def world(tmp_path: Path, url: str) -> Iterator[World]:
    """Anna's calendars `pers` and `mask`, with an event in `pers` in which everybody has an alarm.

    bert writes in both; carl reads `pers` alone; dora is of a team that reads both; ewa acts for
    anna; finn declined `mask`, and greta was asked whether she wants it.
    """
    with new_world(tmp_path, url) as made:
        for name in MINUTES:
            made.add_user(name)
        made.add_user("team", kind="group")
        pers, mask = (made.add_collection(name) for name in ("pers", "mask"))
        join(made, "team", "dora")
        share(made, pers, "carl", "read")
        delegate(made, "anna", "ewa", "write")
        for path in (pers, mask):
            share(made, path, "bert", "write")
            share(made, path, "team", "read")
            for name in ("finn", "greta"):
                share(made, path, name, "read", accept="at-once" if path == pers else "ask")
        with made.store.write() as txn:
            shares.decline(txn, find(txn, "finn"), place(txn, mask).collection.id, by=by(made))
        for name in MINUTES:
            path = home(name) + "pers/e.ics"
            assert made.client(name).put(path, event("e", more=alarm(name))).status in (201, 204)
        yield made


def home(name: str) -> str:
    return "/anna/" if name == "ewa" else f"/{name}/"


def alarm(name: str) -> str:
    return f"BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:x\nTRIGGER:-PT{MINUTES[name]}M\nEND:VALARM"


def alarms(world: World, name: str, path: str) -> list[str]:
    """The triggers that somebody sees."""
    lines = world.client(name).get(home(name) + path).text.splitlines()
    return [line for line in lines if line.startswith("TRIGGER")]


def own(name: str) -> list[str]:
    return [f"TRIGGER:-PT{MINUTES[name]}M"]


@pytest.mark.parametrize("mover", ["anna", "bert", "ewa"])
def test_who_has_both_calendars_keeps_their_alarms(world: World, mover: str) -> None:
    mine = home(mover)

    answer = world.client(mover).move(mine + "pers/e.ics", mine + "mask/f.ics")

    assert answer.status == 201
    for name in ("anna", "bert", "dora", "ewa"):
        assert alarms(world, name, "mask/f.ics") == own(name)
    with world.store.write() as txn:
        for name in ("finn", "greta"):
            shares.accept(txn, find(txn, name), place(txn, "/anna/mask/").collection.id, by=by(world))
    assert alarms(world, "greta", "mask/f.ics") == own("greta")
    assert alarms(world, "finn", "mask/f.ics") == []


def test_who_has_one_of_them_has_no_alarm_when_it_comes_back(world: World) -> None:
    anna = world.client("anna")

    for source, target in (("pers", "mask"), ("mask", "pers")):
        assert anna.move(f"/anna/{source}/e.ics", f"/anna/{target}/e.ics").status == 201

    found = {name: alarms(world, name, "pers/e.ics") for name in MINUTES}
    assert found == {name: [] if name in ("carl", "finn") else own(name) for name in MINUTES}


def test_the_next_sync_tells_it_as_it_is_seen(world: World) -> None:
    bert = world.client("bert")
    tokens = {path: bert.sync(path).multistatus().token for path in ("/bert/pers/", "/bert/mask/")}

    world.client("anna").move("/anna/pers/e.ics", "/anna/mask/e.ics")

    found = {path: bert.sync(path, token).multistatus() for path, token in tokens.items()}
    assert found["/bert/pers/"].gone == ["e.ics"]
    assert found["/bert/mask/"]["/bert/mask/e.ics"].etag == bert.get("/bert/mask/e.ics").etag
    assert list(bert.sync("/bert/mask/", found["/bert/mask/"].token).multistatus()) == []


def test_an_alarm_is_not_that_of_what_was_in_its_place(world: World) -> None:
    for name in ("anna", "bert", "dora"):
        path = f"{home(name)}mask/e.ics"
        assert world.client(name).put(path, event("other", more=alarm("finn"))).status in (201, 204)
    assert world.client("bert").put("/bert/pers/e.ics", event("e")).status == 204

    answer = world.client("anna").move("/anna/pers/e.ics", "/anna/mask/e.ics")

    assert answer.status == 204
    found = {name: alarms(world, name, "mask/e.ics") for name in ("anna", "bert", "dora")}
    assert found == {"anna": own("anna"), "bert": [], "dora": own("dora")}
