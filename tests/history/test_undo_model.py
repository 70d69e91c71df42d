"""Whatever was there at any instant can be had again, byte for byte, and every client learns of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from davsamples import event
from enginedav import EngineDav, World, new_world
from tagwerk.errors import Conflict
from tagwerk.history import trash
from tagwerk.history.undo import carry_out, objects_since
from tagwerk.model import Binding, Principal
from tagwerk.sharing.shares import By
from tagwerk.store.collections import find_binding
from tagwerk.store.objects import objects
from tagwerk.store.principals import principal_by_name

EXAMPLES = int(os.environ.get("TAGWERK_MODEL_EXAMPLES", "20"))

NAMES = ("a.ics", "b.ics", "c.ics")
UIDS = ("u", "v", "w", "x")
PLACES = ("work", "home")

STEPS = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(PLACES), st.sampled_from(NAMES), st.sampled_from(UIDS)),
    st.tuples(st.just("put"), st.sampled_from(PLACES), st.sampled_from(NAMES), st.sampled_from(UIDS)),
    st.tuples(st.just("delete"), st.sampled_from(PLACES), st.sampled_from(NAMES)),
    st.tuples(
        st.sampled_from(("move", "copy")),
        st.sampled_from(PLACES),
        st.sampled_from(NAMES),
        st.sampled_from(PLACES),
        st.sampled_from(NAMES),
    ),
    st.tuples(st.just("tick")),
    st.tuples(st.just("undo"), st.sampled_from(PLACES), st.integers(0, 40)),
    st.tuples(st.just("restore"), st.integers(0, 5)),
    st.tuples(st.just("sync"), st.sampled_from(PLACES)),
)

Contents = dict[str, bytes]


@dataclass
class Client:
    """Somebody's device: what it knows of a calendar, by following its tokens."""

    dav: EngineDav
    path: str
    token: str = ""
    known: dict[str, str] = field(default_factory=dict)

    def sync(self) -> dict[str, str]:
        answer = self.dav.sync(self.path, self.token).multistatus()
        for href, one in answer.found.items():
            name = href.removeprefix(self.path)
            if one.status == 404:
                self.known.pop(name, None)
            else:
                self.known[name] = one.etag
        self.token = answer.token
        return self.known


class History:
    """Two calendars of anna's, and what they held at every full second that was looked at."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.dav = world.client()
        self.number = 0
        self.snapshots: list[tuple[int, dict[str, Contents]]] = []
        self.deleted: dict[tuple[str, str], bytes] = {}
        for place in PLACES:
            world.add_collection(place)
        self.clients = {place: Client(world.client(), f"/anna/{place}/") for place in PLACES}
        self.tick()

    def binding(self, place: str) -> Binding:
        with self.world.store.read() as txn:
            found = find_binding(txn, "anna", place)
        assert found is not None
        return found

    def live(self, place: str) -> Contents:
        with self.world.store.read() as txn:
            found = objects(txn, self.binding(place).collection.id, content=True)
            return {each.name: each.content or b"" for each in found}

    def owner(self) -> Principal:
        with self.world.store.read() as txn:
            found = principal_by_name(txn, "anna")
        assert found is not None
        return found

    def tick(self) -> None:
        self.world.clock.now += 7
        self.snapshots.append((self.world.clock.now, {place: self.live(place) for place in PLACES}))

    def put(self, place: str, name: str, uid: str) -> None:
        self.number += 1
        self.dav.put(f"/anna/{place}/{name}", event(uid, summary=f"Version {self.number}"))

    def delete(self, place: str, name: str) -> None:
        self.dav.delete(f"/anna/{place}/{name}")

    def move(self, place: str, name: str, to: str, as_name: str) -> None:
        self.dav.move(f"/anna/{place}/{name}", f"/anna/{to}/{as_name}")

    def copy(self, place: str, name: str, to: str, as_name: str) -> None:
        self.dav.copy(f"/anna/{place}/{name}", f"/anna/{to}/{as_name}")

    def sync(self, place: str) -> None:
        self.clients[place].sync()

    def undo(self, place: str, back: int) -> None:
        instant, contents = self.snapshots[max(0, len(self.snapshots) - 1 - back)]
        binding = self.binding(place)
        self.undo_since(place, instant, now=self.world.clock.now)
        assert self.live(place) == contents[place]
        with self.world.store.read() as txn:
            assert objects_since(txn, binding.collection, instant, name=place) == []

    def undo_since(self, place: str, instant: int, *, now: int) -> None:
        collection = self.binding(place).collection
        with self.world.store.write() as txn:
            carry_out(txn, collection.id, objects_since(txn, collection, instant, name=place), now=now)

    def restore(self, which: int) -> None:
        owner = self.owner()
        with self.world.store.read() as txn:
            there = trash.contents(txn, owner)
        if not there:
            return
        one = there[which % len(there)]
        assert one.version is not None
        place = one.handle.rpartition(":")[0]
        before = self.live(place)
        if one.again_as:
            with pytest.raises(Conflict), self.world.store.write() as txn:
                trash.restore(txn, owner, [one.handle], by=By("test", self.world.clock.now))
            return
        with self.world.store.write() as txn:
            (path,) = trash.restore(txn, owner, [one.handle], by=By("test", self.world.clock.now))
        name = path.split("/", 2)[2]
        assert name not in before
        with self.world.store.read() as txn:
            assert one.handle not in [each.handle for each in trash.contents(txn, owner)]
        after = self.live(place)
        assert one.title in after[name].decode()
        assert {key: value for key, value in after.items() if key != name} == before

    def check(self) -> None:
        for place in PLACES:
            names = self.clients[place].sync()
            with self.world.store.read() as txn:
                found = {each.name: each.etag for each in objects(txn, self.binding(place).collection.id)}
            assert names == found
        with self.world.store.read() as txn:
            live = {
                (place, each.uid)
                for place in PLACES
                for each in objects(txn, self.binding(place).collection.id)
            }
            listed = trash.contents(txn, self.owner())
        trashed = {
            (each.handle.rpartition(":")[0], each.version.uid): each.again_as
            for each in listed
            if each.version
        }
        assert len(trashed) == len(listed)
        assert {each for each, again_as in trashed.items() if again_as} == live & trashed.keys()


def run(history: History, steps: list[tuple[object, ...]]) -> None:
    for name, *arguments in steps:
        getattr(history, str(name))(*arguments)
    history.tick()
    history.check()
    # Back to the beginning, and from there to the end again.
    end = {place: history.live(place) for place in PLACES}
    instant = history.world.clock.now
    history.world.clock.now += 7
    for place in PLACES:
        history.undo(place, len(history.snapshots))
        assert history.live(place) == {}
        history.undo_since(place, instant, now=history.world.clock.now + 7)
        assert history.live(place) == end[place]
    history.check()


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(STEPS, min_size=5, max_size=40))
def test_every_instant_can_be_had_again(
    tmp_path_factory: pytest.TempPathFactory,
    new_url: Callable[[], AbstractContextManager[str]],
    steps: list[tuple[object, ...]],
) -> None:
    with new_url() as url, new_world(tmp_path_factory.mktemp("history"), url) as world:
        world.add_user("anna")
        run(History(world), steps)
