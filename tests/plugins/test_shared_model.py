"""Random grants, revocations, group changes and requests through stock Radicale, against a model of who sees what."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sharedstock import BY, SharedWorld, calendar, named, put, shared_world
from stock import card

from tagwerk.accounts.users import add_user
from tagwerk.errors import Refused
from tagwerk.model import LEVELS, Access, Kind
from tagwerk.sharing import delegation, groups
from tagwerk.store.collections import create_collection
from tagwerk.store.principals import add_principal

USERS = ("anna", "bert", "carl", "dora")
GROUPS = ("club", "union")
PLACES = ("anna/work", "anna/friends", "bert/plans")
BOOK = "anna/friends"


@dataclass
class Model:
    """Who was given what, and what follows from it."""

    shares: dict[tuple[str, str], Access] = field(default_factory=dict)
    members: set[tuple[str, str]] = field(default_factory=set)
    delegates: dict[tuple[str, str], Access] = field(default_factory=dict)
    left: set[tuple[str, str]] = field(default_factory=set)

    def circle(self, who: str) -> set[str]:
        found = {who}
        while more := {group for group, member in self.members if member in found} - found:
            found |= more
        return found

    def given(self, user: str, place: str) -> Access | None:
        if place.startswith(f"{user}/"):
            return Access.OWNER
        whose = self.circle(user) | {"everybody"}
        return most(level for (at, grantee), level in self.shares.items() if at == place and grantee in whose)

    def acts(self, user: str, owner: str) -> Access | None:
        circle = self.circle(user)
        return most(level for (of, to), level in self.delegates.items() if of == owner and to in circle)

    def sees(self, user: str, home: str, place: str) -> Access | None:
        """What `user` may do with a collection in a home; None if it is not there."""
        if user == home:
            return None if (user, place) in self.left else self.given(user, place)
        return self.acts(user, home) if place.startswith(f"{home}/") and place != BOOK else None

    def forget(self) -> None:
        self.left = {(user, place) for user, place in self.left if self.given(user, place)}


def most(levels) -> Access | None:
    return max(levels, key=lambda level: level.rank, default=None)


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    with shared_world(folder, full=False) as world:
        with world.store.write() as txn:
            for name in USERS:
                add_user(txn, name, now=BY.now)
            for name in GROUPS:
                add_principal(txn, name, now=BY.now, kind="group")
            for place in PLACES:
                owner, name = place.split("/")
                kind = Kind.ADDRESSBOOK if place == BOOK else Kind.CALENDAR
                create_collection(txn, named(txn, owner).id, name=name, kind=kind, now=BY.now)
        for place in PLACES:
            for name, body in objects(place).items():
                put(world, place.split("/")[0], f"/{place}/{name}", body)
    return folder / "tagwerk.sqlite"


def objects(place: str) -> dict[str, str]:
    if place == BOOK:
        return {"open": card("open", name="Open")}
    return {
        "open": calendar("open", "SUMMARY:Open\n"),
        "conf": calendar("conf", "SUMMARY:Hush\nCLASS:CONFIDENTIAL\n"),
        "priv": calendar("priv", "SUMMARY:Secret\nCLASS:PRIVATE\n"),
    }


NAMES = ("open", "conf", "priv")
GRANTEES = (*USERS, *GROUPS, "everybody")
user, place = st.sampled_from(USERS), st.sampled_from(PLACES)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("grant"), place, st.sampled_from(GRANTEES), st.sampled_from(LEVELS)),
        st.tuples(st.just("revoke"), place, st.sampled_from(GRANTEES)),
        st.tuples(st.just("join"), st.sampled_from(GROUPS), st.sampled_from((*USERS, *GROUPS))),
        st.tuples(st.just("part"), st.sampled_from(GROUPS), st.sampled_from((*USERS, *GROUPS))),
        st.tuples(
            st.just("delegate"),
            user,
            st.sampled_from((*USERS, *GROUPS)),
            st.sampled_from(["", "read", "write"]),
        ),
        st.tuples(st.just("leave"), user, place),
        st.tuples(st.just("look"), user, user, place),
        st.tuples(st.just("read"), user, user, place, st.sampled_from(NAMES)),
        st.tuples(st.just("write"), user, user, place, st.sampled_from(NAMES)),
        st.tuples(st.just("remove"), user, user, place, st.sampled_from((*NAMES, "none"))),
    ),
    max_size=30,
)


@given(steps)
@settings(max_examples=80, deadline=None)
def test_everybody_sees_and_changes_what_the_model_says(template, made):
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(template, folder)
        with shared_world(Path(folder), full=False) as world:
            run = Run(world, Model())
            for name, *arguments in made:
                getattr(run, name)(*arguments)
            for who in USERS:
                for at in PLACES:
                    run.look(who, who, at)
                    run.look(who, at.split("/")[0], at)


@dataclass
class Run:
    """Steps on a world and on the model at once."""

    world: SharedWorld
    model: Model
    touched: set[str] = field(default_factory=set)
    writes: int = 0

    def grant(self, place: str, grantee: str, level: Access) -> None:
        try:
            self.world.share(place, grantee, level)
        except Refused:
            assert place.startswith(f"{grantee}/") or (level is Access.BUSY and place == BOOK)
            return
        self.model.shares[place, grantee] = level
        self.model.left.discard((grantee, place))

    def revoke(self, place: str, grantee: str) -> None:
        if self.model.shares.pop((place, grantee), None):
            self.world.share(place, grantee, None)
            self.model.forget()

    def join(self, group: str, member: str) -> None:
        with self.world.store.write() as txn:
            try:
                groups.join(txn, named(txn, group), named(txn, member), by=BY)
            except Refused:
                assert member in self.model.circle(group)
                return
        self.model.members.add((group, member))

    def part(self, group: str, member: str) -> None:
        with self.world.store.write() as txn:
            groups.leave(txn, named(txn, group), named(txn, member), by=BY)
        self.model.members.discard((group, member))
        self.model.forget()

    def delegate(self, owner: str, to: str, level: str) -> None:
        if owner == to:
            return
        with self.world.store.write() as txn:
            if level:
                delegation.delegate(txn, named(txn, owner), named(txn, to), Access(level), by=BY)
                self.model.delegates[owner, to] = Access(level)
            else:
                delegation.undelegate(txn, named(txn, owner), named(txn, to), by=BY)
                self.model.delegates.pop((owner, to), None)

    def leave(self, user: str, place: str) -> None:
        if place.startswith(f"{user}/"):
            return
        there = self.model.sees(user, user, place)
        answer = self.world.client(user)("DELETE", f"/{user}/{place.split('/')[1]}/")
        assert answer.status == (200 if there else 404)
        if there:
            self.model.left.add((user, place))

    def look(self, user: str, home: str, place: str) -> None:
        path = f"/{home}/{place.split('/')[1]}/"
        seen = self.model.sees(user, home, place)
        answers = (
            self.world.client(user)("PROPFIND", path, PROPS, depth="1"),
            self.world.engine(user, "PROPFIND", path, PROPS, depth="1"),
        )
        assert answers[0].status == (207 if seen else self.unseen(user, home))
        assert answers[0].status == answers[1].status
        if seen:
            told = [
                {
                    (
                        response.findtext(f"{D}href"),
                        response.findtext(f".//{D}getetag"),
                        response.findtext(TOKEN),
                    )
                    for response in answer.xml().iterfind(f"{D}response")
                }
                for answer in answers
            ]
            assert told[0] == told[1]
            assert ((f"{path}priv" in str(told[0])) == full(seen)) or place == BOOK or place in self.touched
        if user == home or self.model.acts(user, home):
            listed = self.world.client(user).propfind(f"/{home}/", f"{D}getetag", depth="1").statuses()
            assert (path in listed) == bool(seen)

    def read(self, user: str, home: str, place: str, name: str) -> None:
        path = f"/{home}/{place.split('/')[1]}/{name}"
        seen = self.model.sees(user, home, place)
        stock, ours = self.world.client(user)("GET", path), self.world.engine(user, "GET", path)
        assert (stock.status, stock.headers.get("ETag")) == (ours.status, ours.headers.get("ETag"))
        if not seen:
            assert stock.status == self.unseen(user, home)
            return
        assert stock.body == ours.body or stock.status == 404
        if f"{place}/{name}" in self.touched:
            return
        there = name == "open" or (place != BOOK and (name == "conf" or full(seen)))
        assert stock.status == (200 if there else 404)
        word = {"open": b"Open", "conf": b"Hush", "priv": b"Secret"}[name]
        shown = there and (full(seen) or (name == "open" and seen is not Access.BUSY))
        assert (word in stock.body) == shown

    def write(self, user: str, home: str, place: str, name: str) -> None:
        path = f"/{home}/{place.split('/')[1]}/{name}"
        seen = self.model.sees(user, home, place)
        self.writes += 1
        title = f"Changed {self.writes}"
        body = card(name, name=title) if place == BOOK else calendar(name, f"SUMMARY:{title}\n")
        answer = self.world.client(user)("PUT", path, body)
        if not seen or not self.may_change(seen, place, name):
            assert answer.status in (403, 409)
        else:
            assert answer.status in (201, 204)
            self.touched |= {f"{place}/{name}", place}

    def remove(self, user: str, home: str, place: str, name: str) -> None:
        path = f"/{home}/{place.split('/')[1]}/{name}"
        seen = self.model.sees(user, home, place)
        there = self.world.engine(user, "GET", path).status == 200
        answer = self.world.client(user)("DELETE", path)
        if not seen:
            assert answer.status == self.unseen(user, home)
        elif not there:
            assert answer.status == 404
        elif not self.may_change(seen, place, name):
            assert answer.status == 403
        else:
            assert answer.status == 200
            self.touched |= {f"{place}/{name}", place}

    def may_change(self, seen: Access, place: str, name: str) -> bool:
        masked = place != BOOK and name in ("conf", "priv") and f"{place}/{name}" not in self.touched
        return seen.writes and (full(seen) or not masked)

    def unseen(self, user: str, home: str) -> int:
        return 404 if user == home or self.model.acts(user, home) else 403


def full(level: Access) -> bool:
    """Whether nothing is hidden from who has this level."""
    return level.manages


D = "{DAV:}"
TOKEN = f".//{D}sync-token"
PROPS = '<propfind xmlns="DAV:"><prop><getetag/><sync-token/></prop></propfind>'
