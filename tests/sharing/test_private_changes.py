"""Whoever does not see private things does not notice either that they change."""

from __future__ import annotations

import pytest
from sharedworld import delegate, place, share

from davclient import DAV, Multistatus, sync_body
from davsamples import event
from enginedav import EngineDav, World
from tagwerk.store.sync import prune_tombstones

CTAG = "{http://calendarserver.org/ns/}getctag"
BLIND = ("busy", "read", "write", "dread", "dwrite")
SEEING = ("anna", "manage")
PRIVATE = "CLASS:PRIVATE"


@pytest.fixture
def work(world: World) -> str:
    """The path of a calendar that all see."""
    path = world.add_collection("work")
    for name in ("busy", "read", "write", "manage", "dread", "dwrite"):
        world.add_user(name)
        if name.startswith("d"):
            delegate(world, "anna", name, name[1:])
        else:
            share(world, path, name, name)
    world.client().put(f"{path}open.ics", event("open"))
    world.client().put(f"{path}priv.ics", event("priv", more=PRIVATE))
    return path


def place_of(viewer: str) -> str:
    return f"/{'anna' if viewer.startswith('d') else viewer}/work/"


def told(client: EngineDav, viewer: str) -> dict[str, str | None]:
    """All that says whether a calendar has changed."""
    path = place_of(viewer)
    names = (CTAG, DAV + "sync-token", DAV + "getetag", DAV + "getlastmodified")
    found = client.propfind(path, *names).only()
    said = {name: found.text(name) for name in names}
    got = client.get(path)
    said["get"], said["modified"] = got.etag, got.headers.get("Last-Modified", "")
    if not viewer.startswith("d"):
        home = f"/{viewer}/"
        said["home"] = client.value(home, DAV + "sync-token").text
        said["home's ctag"] = client.value(home, CTAG).text
    return said


def sync(client: EngineDav, path: str, token: str) -> Multistatus:
    return client("REPORT", path, sync_body(token)).multistatus()


def private_changes(anna: EngineDav, work: str):
    """Changes of what is private and stays so, one after the other."""
    yield anna.put(f"{work}new.ics", event("new", more=PRIVATE))
    yield anna.put(f"{work}new.ics", event("new", summary="Changed", more=PRIVATE))
    yield anna.proppatch(f"{work}new.ics", set="<D:x>y</D:x>")
    yield anna.move(f"{work}new.ics", f"{work}moved.ics")
    yield anna.put(f"{work}over.ics", event("over", more=PRIVATE))
    yield anna.copy("/anna/other/private.ics", f"{work}copied.ics")
    yield anna.delete(f"{work}copied.ics")
    yield anna.move("/anna/other/private.ics", f"{work}over.ics")
    yield anna.delete(f"{work}moved.ics")
    yield anna.delete(f"{work}priv.ics")


def test_private_changes_are_not_noticed(world: World, work: str) -> None:
    anna = world.client()
    world.add_collection("other")
    anna.put("/anna/other/private.ics", event("private", more=PRIVATE))
    clients = {viewer: world.client(viewer) for viewer in (*BLIND, *SEEING)}
    before = {viewer: told(client, viewer) for viewer, client in clients.items()}

    for answer in private_changes(anna, work):
        assert answer.status in (201, 204, 207)
        world.clock.now += 5
        for viewer in BLIND:
            assert told(clients[viewer], viewer) == before[viewer], viewer
        for viewer in SEEING:
            after = told(clients[viewer], viewer)
            assert after != before[viewer]
            before[viewer] = after


@pytest.mark.parametrize("viewer", BLIND)
def test_what_becomes_private_or_is_private_no_more_is_noticed(world: World, work: str, viewer: str) -> None:
    anna, client, path = world.client(), world.client(viewer), place_of(viewer)
    token = client.value(path, DAV + "sync-token").text or ""

    def news() -> tuple[list[str], list[str]]:
        nonlocal token
        assert client.value(path, DAV + "sync-token").text != token
        answer = sync(client, path, token)
        changed, removed, token = answer.names, answer.gone, answer.token
        assert client.value(path, DAV + "sync-token").text == token
        return changed, removed

    anna.put(f"{work}priv.ics", event("priv"))
    assert news() == (["priv.ics"], [])
    anna.put(f"{work}open.ics", event("open", more=PRIVATE))
    assert news() == ([], ["open.ics"])
    anna.delete(f"{work}open.ics")
    anna.put(f"{work}open.ics", event("open"))
    assert news() == (["open.ics"], [])


@pytest.mark.parametrize("viewer", BLIND)
def test_a_token_counts_also_when_only_private_things_were_forgotten(
    world: World, work: str, viewer: str
) -> None:
    anna, client, path = world.client(), world.client(viewer), place_of(viewer)
    anna.delete(f"{work}priv.ics")
    world.clock.now += 5
    with world.store.write() as txn:
        collection = place(txn, work).collection
        assert prune_tombstones(txn, collection.id, before=int(world.clock.now)) == 1

    for token in (client.value(path, DAV + "sync-token").text or "", sync(client, path, "").token):
        found = sync(client, path, token)
        assert (found.names, found.gone, found.token) == ([], [], token)
