"""Sync against a model: clients that follow tokens always end with what is there (RFC 6578).

Hypothesis interleaves writes of every kind with pages of several clients.  The model is
a dict of names and ETags; a client has one of its own, which it fills from
sync-collection alone, as a phone does.  After its last page it must equal the model.

``TAGWERK_MODEL_EXAMPLES`` sets the number of interleavings for each of the four runs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from davclient import CALDAV, CARDDAV, DAV, Dav
from davsamples import card, event
from tagwerk.model import Kind
from tagwerk.store import Engine
from tagwerk.store.collections import find_binding
from tagwerk.store.sync import prune_tombstones

EXAMPLES = int(os.environ.get("TAGWERK_MODEL_EXAMPLES", "20"))
STEPS = 40

NAMES = st.sampled_from(["a", "b", "c", "d%20e", "f%0Ag", "%C3%A4"])
PLACES = st.integers(0, 1)
CLIENTS = st.integers(0, 3)


@dataclass(slots=True)
class Object:
    """What the model knows of an object."""

    uid: str
    etag: str


@dataclass(slots=True)
class Phone:
    """A client that knows a collection by sync alone."""

    place: int
    token: str = ""
    known: dict[str, str] = field(default_factory=dict)
    may_be_refused: bool = False


class SyncModel(RuleBasedStateMachine):
    """Two collections, four clients."""

    def __init__(
        self, dav: Dav, database: Engine, make: Callable[..., str], kind: Kind, *, limited: bool
    ) -> None:
        super().__init__()
        self.dav, self.database, self.make, self.kind, self.limited = dav, database, make, kind, limited
        self.count = 0

    @initialize()
    def begin(self) -> None:
        self.places = [self.make(self.kind), self.make(self.kind)]
        self.model: list[dict[str, Object]] = [{}, {}]
        self.phones = [Phone(0), Phone(0), Phone(1), Phone(1)]

    # Writing

    def body(self, uid: str) -> bytes:
        self.count += 1
        text = f"Version {self.count}"
        return event(uid, summary=text) if self.kind is Kind.CALENDAR else card(uid, name=text)

    def store(self, place: int, name: str, uid: str) -> None:
        media = "text/calendar" if self.kind is Kind.CALENDAR else "text/vcard"
        existing = self.model[place].get(name)
        headers = {"If-Match": existing.etag} if existing else {"If-None-Match": "*"}
        answer = self.dav.put(self.places[place] + name, self.body(uid), **{"Content-Type": media}, **headers)
        assert answer.status == (204 if existing else 201), answer
        assert answer.etag is not None
        self.model[place][name] = Object(uid, answer.etag)

    @rule(place=PLACES, name=NAMES)
    def put_or_change(self, place: int, name: str) -> None:
        existing = self.model[place].get(name)
        self.store(place, name, existing.uid if existing else f"uid-{self.count}")

    @rule(place=PLACES, names=st.sets(NAMES, min_size=2))
    def put_many(self, place: int, names: set[str]) -> None:
        for name in sorted(names):
            self.put_or_change(place, name)

    @rule(place=PLACES, name=NAMES)
    def delete(self, place: int, name: str) -> None:
        existing = self.model[place].pop(name, None)
        answer = self.dav.delete(self.places[place] + name)
        assert answer.status == (204 if existing else 404), answer

    @rule(place=PLACES, name=NAMES)
    def delete_and_make_again(self, place: int, name: str) -> None:
        self.delete(place, name)
        self.store(place, name, f"uid-{self.count}")

    @rule(source=PLACES, name=NAMES, into=PLACES, to=NAMES, copy=st.booleans())
    def transfer(self, source: int, name: str, into: int, to: str, copy: bool) -> None:
        method = self.dav.copy if copy else self.dav.move
        answer = method(self.places[source] + name, self.places[into] + to)
        moved = self.model[source].get(name)
        if moved is None:
            assert answer.status == 404, answer
            return
        if (source, name) == (into, to):
            assert answer.status == 403, answer
            return
        others = {key: one for key, one in self.model[into].items() if key != to}
        if not copy and source == into:
            others.pop(name)
        if any(one.uid == moved.uid for one in others.values()):
            namespace = CALDAV if self.kind is Kind.CALENDAR else CARDDAV
            assert answer.condition == namespace + "no-uid-conflict", answer
            return
        assert answer.status == (204 if to in self.model[into] else 201), answer
        if not copy:
            del self.model[source][name]
        self.model[into][to] = moved

    @rule(place=PLACES)
    def change_a_property(self, place: int) -> None:
        self.count += 1
        self.dav.proppatch(self.places[place], set=f"<D:displayname>{self.count}</D:displayname>")

    @rule(place=PLACES)
    def forget_removals(self, place: int) -> None:
        """What happens after 90 days."""
        _, user, name, _ = self.places[place].split("/")
        with self.database.write() as txn:
            binding = find_binding(txn, user, name)
            assert binding is not None
            forgotten = prune_tombstones(txn, binding.collection.id, before=int(time.time()) + 10)
        if forgotten:
            for phone in self.phones:
                phone.may_be_refused |= phone.place == place and bool(phone.token)

    # Following

    @rule(number=CLIENTS, limit=st.integers(1, 4))
    def next_page(self, number: int, limit: int) -> None:
        self.page(self.phones[number], limit if self.limited else 0)

    @rule(number=CLIENTS, limit=st.integers(1, 4))
    def follow_to_the_end(self, number: int, limit: int) -> None:
        phone = self.phones[number]
        while self.page(phone, limit if self.limited else 0):
            pass

    @rule(number=CLIENTS)
    def start_again(self, number: int) -> None:
        phone = self.phones[number]
        phone.token, phone.known, phone.may_be_refused = "", {}, False

    @precondition(lambda self: self.limited)
    @rule(number=CLIENTS)
    def follow_without_a_limit(self, number: int) -> None:
        while self.page(self.phones[number], 0):
            pass

    def page(self, phone: Phone, limit: int) -> bool:
        """Take one page; True while there are more."""
        place = self.places[phone.place]
        answer = self.dav.sync(place, phone.token, limit=limit)
        if answer.status == 403:
            assert answer.condition == DAV + "valid-sync-token"
            assert phone.may_be_refused, "a token was refused though nothing was forgotten"
            phone.token, phone.known, phone.may_be_refused = "", {}, False
            return True
        found = answer.multistatus()
        assert not limit or len(found.names) + len(found.gone) <= limit
        for href, one in found.found.items():
            name = href.removeprefix(place)
            if one.status is None:
                phone.known[name] = one.etag
            elif one.status == 404:
                phone.known.pop(name, None)
        assert found.token != phone.token or not found.truncated, "a page leads nowhere"
        phone.token = found.token
        phone.may_be_refused = phone.may_be_refused and found.truncated
        if not found.truncated:
            self.compare(phone)
        return found.truncated

    def compare(self, phone: Phone) -> None:
        assert phone.known == {name: one.etag for name, one in self.model[phone.place].items()}

    def teardown(self) -> None:
        if not hasattr(self, "phones"):
            return
        for phone in self.phones:
            while self.page(phone, 2 if self.limited else 0):
                pass
        for place, model in zip(self.places, self.model, strict=True):
            listed = self.dav.propfind(place, DAV + "getetag", depth="1")
            etags = {
                href.removeprefix(place): one.etag for href, one in listed.found.items() if href != place
            }
            assert etags == {name: one.etag for name, one in model.items()}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Kind.CALENDAR, Kind.ADDRESSBOOK])
@pytest.mark.parametrize("limited", [False, True], ids=["unlimited", "limited"])
def test_every_client_ends_with_what_is_there(dav, database, make_collection, kind, limited):
    run_state_machine_as_test(
        lambda: SyncModel(dav, database, make_collection, kind, limited=limited),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
