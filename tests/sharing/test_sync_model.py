"""Everybody who follows sync tokens ends with what they see, while rights change.

The owner, sharees at every level, a member of a group and a delegate follow the tokens of one
collection and of their homes, in pages of any size.  Objects come, go, and become private;
alarms of one's own are set; shares, groups and delegations change; removals are forgotten; the
collection is made anew.  ``TAGWERK_MODEL_EXAMPLES`` sets the number of examples.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sharedworld import delegate, find, join, leave, place, share, unshare

from davclient import CALDAV, CARDDAV, DAV, Found, Multistatus, sync_body
from davsamples import card, event
from enginedav import EngineDav, World, new_world
from tagwerk.model import Kind
from tagwerk.sharing import delegation, shares
from tagwerk.sharing.shares import By
from tagwerk.store.access import access_of, delegated
from tagwerk.store.shares import invitation
from tagwerk.store.sync import prune_tombstones

EXAMPLES = int(os.environ.get("TAGWERK_MODEL_EXAMPLES", "5"))
STEPS = int(os.environ.get("TAGWERK_MODEL_STEPS", "40"))

PATH = "/anna/work/"
NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
CLASSES = ("", "CLASS:CONFIDENTIAL", "CLASS:PRIVATE")
LIMITS = st.sampled_from([0, 1, 1, 2, 3])
ALARM = "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:{text}\nTRIGGER:-PT5M\nEND:VALARM"
ALARM_TEXT = ALARM.replace("\n", "\r\n") + "\r\n"

OF_OBJECTS = "<D:getetag/><C:calendar-data/>"
OF_CARDS = "<D:getetag/><CR:address-data/>"
OF_COLLECTIONS = "<D:getetag/><D:sync-token/><CS:getctag/><D:current-user-privilege-set/><D:displayname/><I:calendar-color/>"


@dataclass(slots=True)
class Phone:
    """A client of somebody's that knows a collection, or a home, by sync alone.

    `known` is what it holds by href.  `could` are the hrefs that it may have been told of since it
    last knew everything.  `key` says which view its token is of.
    """

    who: str
    path: str
    level: str = "1"
    token: str = ""
    known: dict[str, tuple[object, ...]] = field(default_factory=dict)
    could: set[str] = field(default_factory=set)
    key: object = None
    forgotten: bool = False

    @property
    def is_home(self) -> bool:
        return self.path.count("/") == 2

    def start_again(self) -> None:
        self.token, self.known, self.could, self.key, self.forgotten = "", {}, set(), None, False


class SyncOfShares(RuleBasedStateMachine):
    """One collection of anna's, and everybody who has something of it."""

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.kind = kind
        self.stack = ExitStack()
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.world: World = self.stack.enter_context(new_world(Path(folder)))
        self.count = 0
        self.privacy: dict[str, int] = {}
        levels = ["busy", "read", "write", "manage"]
        self.sharees = levels if kind is Kind.CALENDAR else levels[1:]
        self.viewers = ["anna", *self.sharees, "member"] + (["aide"] if kind is Kind.CALENDAR else [])
        self.phones: list[Phone] = []

    def teardown(self) -> None:
        try:
            for phone in self.phones:
                self.follow(phone, 2)
        finally:
            self.stack.close()

    @initialize()
    def begin(self) -> None:
        self.world.add_user("anna")
        self.world.add_user("team", kind="group")
        for who in self.viewers[1:]:
            self.world.add_user(who)
        self.world.add_collection("work", self.kind)
        self.world.add_collection("other", self.kind)
        for who in self.sharees:
            share(self.world, PATH, who, who)
        share(self.world, PATH, "team", "read")
        join(self.world, "team", "member")
        if "aide" in self.viewers:
            delegate(self.world, "anna", "aide", "read")
        for who in self.viewers:
            home = "/anna/" if who in ("anna", "aide") else f"/{who}/"
            self.phones += [Phone(who, home + "work/"), Phone(who, home), Phone(who, home, "infinite")]

    # What is there

    def client(self, who: str) -> EngineDav:
        return self.world.client(who)

    def path_of(self, who: str) -> str:
        return PATH if who in ("anna", "aide") else f"/{who}/work/"

    def name(self, stem: str) -> str:
        return f"{stem}.{'ics' if self.kind is Kind.CALENDAR else 'vcf'}"

    def access(self, who: str) -> str:
        """What somebody may do with the collection now; "" for nothing."""
        with self.world.store.read() as txn:
            anna, person = find(txn, "anna"), find(txn, who)
            collection = place(txn, PATH).collection.id
            if who == "anna":
                return "owner"
            if who == "aide":
                return delegated(txn, anna.id, person.id) or ""
            said = invitation(txn, person.id, collection)
            return (access_of(txn, collection, person.id) or "") if said and said.name else ""

    def key_of(self, who: str) -> object:
        """Names the view that somebody has; a token of another one may be refused."""
        with self.world.store.read() as txn:
            collection = place(txn, PATH).collection.id
            said = invitation(txn, find(txn, who).id, collection)
        access = self.access(who)
        masks = {"busy": "busy", "read": "masked", "write": "masked"}.get(access, access)
        return collection, said.id if said and who != "aide" else 0, masks

    def visible(self, who: str) -> set[str]:
        """The names of the objects that somebody may know of."""
        access = self.access(who)
        if not access:
            return set()
        every = access in ("owner", "manage")
        return {self.name(stem) for stem, privacy in self.privacy.items() if every or privacy < 2}

    @invariant()
    def remember_what_could_be_seen(self) -> None:
        for phone in self.phones:
            if not phone.is_home and phone.token:
                phone.could |= {phone.path + name for name in self.visible(phone.who)}

    def body(self, stem: str, *, more: str = "") -> bytes:
        self.count += 1
        if self.kind is Kind.ADDRESSBOOK:
            return card(stem, name=f"Version {self.count}")
        return event(stem, summary=f"Version {self.count}", more=more)

    # Objects

    @rule(stem=NAMES, privacy=st.integers(0, 2), alarm=st.booleans())
    def the_owner_writes(self, stem: str, privacy: int, alarm: bool) -> None:
        if self.kind is Kind.ADDRESSBOOK:
            privacy = 0
        more = CLASSES[privacy] + ("\n" + ALARM.format(text=f"owner {self.count}") if alarm else "")
        answer = self.client("anna").put(PATH + self.name(stem), self.body(stem, more=more))
        assert answer.status == (204 if stem in self.privacy else 201), answer
        self.privacy[stem] = privacy

    @rule(stem=NAMES)
    def the_owner_deletes(self, stem: str) -> None:
        answer = self.client("anna").delete(PATH + self.name(stem))
        assert answer.status == (204 if stem in self.privacy else 404), answer
        self.privacy.pop(stem, None)

    @rule(stem=NAMES, privacy=st.integers(0, 2))
    def the_owner_deletes_and_makes_again(self, stem: str, privacy: int) -> None:
        self.the_owner_deletes(stem)
        self.the_owner_writes(stem, privacy, False)

    @rule(stem=NAMES, to=NAMES)
    def the_owner_moves(self, stem: str, to: str) -> None:
        if stem not in self.privacy or stem == to:
            return
        anna = self.client("anna")
        elsewhere = "/anna/other/" + self.name("moving")
        # Under a UID that goes with its name, so that the model need not know more.
        assert anna.move(PATH + self.name(stem), elsewhere).status == 201
        privacy = self.privacy.pop(stem)
        if to in self.privacy:
            assert anna.delete(elsewhere).status == 204
            return
        body = anna.get(elsewhere).body.replace(f"UID:{stem}\r".encode(), f"UID:{to}\r".encode())
        assert anna.delete(elsewhere).status == 204
        assert anna.put(elsewhere, body).status == 201
        assert anna.move(elsewhere, PATH + self.name(to)).status == 201
        self.privacy[to] = privacy

    @rule(stem=NAMES, number=st.integers(1, 6))
    def somebody_writes(self, stem: str, number: int) -> None:
        who = self.viewers[number % len(self.viewers)]
        access = self.access(who)
        answer = self.client(who).put(self.path_of(who) + self.name(stem), self.body(stem))
        if access in ("write", "manage", "owner"):
            hidden = access == "write" and self.privacy.get(stem, 0) > 0
            assert answer.status == (403 if hidden else 204 if stem in self.privacy else 201), answer
            if not hidden:
                self.privacy[stem] = 0
        else:
            assert answer.status in (403, 409), answer

    @rule(stem=NAMES, number=st.integers(1, 6))
    def somebody_deletes(self, stem: str, number: int) -> None:
        who = self.viewers[number % len(self.viewers)]
        access, privacy = self.access(who), self.privacy.get(stem, 0)
        answer = self.client(who).delete(self.path_of(who) + self.name(stem))
        if access in ("manage", "owner") or (access == "write" and not privacy):
            assert answer.status == (204 if stem in self.privacy else 404), answer
            self.privacy.pop(stem, None)
        else:
            assert answer.status in (403, 404), answer

    @precondition(lambda self: self.kind is Kind.CALENDAR)
    @rule(stem=NAMES, number=st.integers(1, 6), way=st.sampled_from(["alarm", "none", "free"]))
    def somebody_sets_an_alarm(self, stem: str, number: int, way: str) -> None:
        who = self.viewers[number % len(self.viewers)]
        access, path = self.access(who), self.path_of(who) + self.name(stem)
        if who == "anna" or stem not in self.privacy or access in ("", "busy"):
            return
        if self.privacy[stem] > 0 and access != "manage":
            return
        before = {other: self.contents(other) for other in self.viewers if other != who}
        tokens = self.client("anna").propfind(PATH, DAV + "getetag", DAV + "sync-token", CTAG).only()
        client = self.client(who)
        text = client.get(path).text
        head, _, rest = text.partition("BEGIN:VALARM")
        bare = head + rest.rpartition("END:VALARM\r\n")[2] if rest else text
        bare = bare.replace("TRANSP:TRANSPARENT\r\n", "")
        self.count += 1
        own = {"alarm": ALARM_TEXT.format(text=self.count), "free": "TRANSP:TRANSPARENT\r\n"}.get(way, "")
        answer = client.put(path, bare.replace("END:VEVENT", own + "END:VEVENT"))
        assert answer.status == 204, answer

        assert {other: self.contents(other) for other in self.viewers if other != who} == before
        after = self.client("anna").propfind(PATH, DAV + "getetag", DAV + "sync-token", CTAG).only()
        assert {name: node.text for name, node in after.values.items()} == {
            name: node.text for name, node in tokens.values.items()
        }

    @rule(
        number=st.integers(0, 6),
        what=st.sampled_from(
            ["<D:displayname>{}</D:displayname>", "<I:calendar-color>{}</I:calendar-color>"]
        ),
    )
    def somebody_names_or_colours_it(self, number: int, what: str) -> None:
        who = self.viewers[number % len(self.viewers)]
        home = next(phone for phone in self.phones if phone.who == who and phone.is_home)
        self.follow(home, 0)
        self.count += 1
        answer = self.client(who).proppatch(self.path_of(who), set=what.format(f"#{self.count:06}"))
        assert answer.status == (403 if who == "aide" else 207 if self.access(who) else 404)
        # What is somebody's own is no change for anybody else, who could hide that it was not told.
        self.follow(home, 0)

    @rule(days=st.sampled_from([0, 30]))
    def removals_are_forgotten(self, days: int) -> None:
        with self.world.store.write() as txn:
            collection = place(txn, PATH).collection.id
            forgotten = prune_tombstones(txn, collection, before=self.world.clock.now + 10 - days)
        if forgotten:
            for phone in self.phones:
                phone.forgotten = True

    @rule()
    def time_goes_by(self) -> None:
        self.world.clock.now += 60

    # Rights

    @rule(number=st.integers(0, 3), level=st.sampled_from(["busy", "read", "write", "manage"]))
    def a_level_changes(self, number: int, level: str) -> None:
        if level == "busy" and self.kind is Kind.ADDRESSBOOK:
            level = "read"
        share(self.world, PATH, self.sharees[number % len(self.sharees)], level)

    @rule(number=st.integers(0, 3), back=st.booleans())
    def a_share_is_taken_back(self, number: int, back: bool) -> None:
        who = self.sharees[number % len(self.sharees)]
        if self.access(who):
            unshare(self.world, PATH, who)
        if back:
            share(self.world, PATH, who, who)

    @rule(number=st.integers(0, 3))
    def somebody_leaves(self, number: int) -> None:
        who = self.sharees[number % len(self.sharees)]
        if self.access(who):
            assert self.client(who).delete(self.path_of(who)).status == 204

    @rule(inside=st.booleans(), level=st.sampled_from(["read", "write", "manage"]))
    def the_group_changes(self, inside: bool, level: str) -> None:
        share(self.world, PATH, "team", level)
        (join if inside else leave)(self.world, "team", "member")

    @precondition(lambda self: "aide" in self.viewers)
    @rule(level=st.sampled_from(["", "read", "write"]))
    def the_delegate_changes(self, level: str) -> None:
        if level:
            delegate(self.world, "anna", "aide", level)
            return
        with self.world.store.write() as txn:
            made = By("tests", self.world.clock.now)
            delegation.undelegate(txn, find(txn, "anna"), find(txn, "aide"), by=made)

    @rule()
    def the_collection_is_made_anew(self) -> None:
        with self.world.store.read() as txn:
            given = [
                (who, access_of(txn, place(txn, PATH).collection.id, find(txn, who).id))
                for who in self.sharees
            ]
        with self.world.store.write() as txn:
            shares.delete(txn, place(txn, PATH).collection.id, by=By("tests", self.world.clock.now))
        self.world.add_collection("work", self.kind)
        for who, level in given:
            if level:
                share(self.world, PATH, who, level)
        share(self.world, PATH, "team", "read")
        self.privacy.clear()

    # Following

    @rule(number=st.integers(0, 20), limit=LIMITS)
    def next_page(self, number: int, limit: int) -> None:
        self.page(self.phones[number % len(self.phones)], limit)

    @rule(number=st.integers(0, 20), limit=LIMITS)
    def follow_to_the_end(self, number: int, limit: int) -> None:
        self.follow(self.phones[number % len(self.phones)], limit)

    @rule(limit=LIMITS)
    def everybody_follows(self, limit: int) -> None:
        for phone in self.phones:
            self.follow(phone, limit)

    def follow(self, phone: Phone, limit: int) -> None:
        for _ in range(100):
            if not self.page(phone, limit):
                return
        raise AssertionError("the pages have no end")

    def page(self, phone: Phone, limit: int) -> bool:
        """Take one page; True while there are more."""
        client = self.client(phone.who)
        props = (OF_CARDS if self.kind is Kind.ADDRESSBOOK else OF_OBJECTS) + (
            OF_COLLECTIONS if phone.is_home else ""
        )
        body = sync_body(phone.token, limit=limit, props=props, level=phone.level)
        answer = client("REPORT", phone.path, body, Depth="0")
        if answer.status == 404 or (phone.who == "aide" and not self.access("aide")):
            assert answer.status in (403, 404)
            assert not self.access(phone.who)
            phone.start_again()
            return False
        if answer.status == 403:
            assert answer.condition == DAV + "valid-sync-token", answer
            assert phone.token, "a sync without a token is refused"
            assert phone.forgotten or phone.key != self.key_of(phone.who), (
                "a token is refused though nothing happened"
            )
            phone.start_again()
            return True
        found = answer.multistatus()
        self.take(phone, found, limit)
        return found.truncated

    def take(self, phone: Phone, found: Multistatus, limit: int) -> None:
        if not phone.token:
            phone.key = self.key_of(phone.who)
        now = {phone.path + name for name in self.visible(phone.who)}
        told = [(href, one) for href, one in found.found.items() if one.status != 507]
        assert not limit or len(told) <= limit
        assert told or not found.truncated, "a page tells nothing"
        for href, one in told:
            if one.status == 404:
                assert phone.is_home or href in phone.could, f"{phone.who} is told that {href} is gone"
                gone = [
                    other
                    for other in phone.known
                    if other == href or (other.startswith(href) and href.endswith("/"))
                ]
                for other in gone:
                    del phone.known[other]
            else:
                assert phone.is_home or href in now, f"{phone.who} is told of {href}"
                phone.known[href] = said(one)
        assert found.token != phone.token or not found.truncated, "a page leads nowhere"
        phone.token = found.token
        if not found.truncated:
            phone.key, phone.forgotten, phone.could = self.key_of(phone.who), False, set(phone.known)
            assert phone.known == self.there(phone)

    def there(self, phone: Phone) -> dict[str, tuple[object, ...]]:
        """What the phone should know, asked without sync."""
        if not phone.is_home:
            return self.contents(phone.who)
        client = self.client(phone.who)
        names = (DAV + "getetag", DAV + "sync-token", CTAG, DAV + "current-user-privilege-set")
        listed = client.propfind(phone.path, *names, DAV + "displayname", CALENDAR_COLOR, depth="1")
        found = {
            href: said(one)
            for href, one in listed.found.items()
            if href != phone.path and "/calendar-proxy-" not in href
        }
        if phone.level == "infinite":
            for href in list(found):
                if href.endswith("/work/"):
                    found |= self.contents(phone.who)
                elif "/-notifications/" in href or href.endswith("/other/"):
                    inside = client.propfind(href, DAV + "getetag", depth="1")
                    found |= {one: said(inside[one]) for one in inside if one != href}
        return found

    def contents(self, who: str) -> dict[str, tuple[object, ...]]:
        """Entity tags and data by href, as PROPFIND and a multiget tell them."""
        client, path = self.client(who), self.path_of(who)
        if not self.access(who):
            return {}
        listed = client.propfind(path, DAV + "getetag", depth="1")
        etags = {href: one.etag for href, one in listed.found.items() if href != path}
        assert set(etags) == {path + name for name in self.visible(who)}
        if not etags:
            return {}
        is_card = self.kind is Kind.ADDRESSBOOK
        found = client.multiget(
            path, *etags, props=OF_CARDS if is_card else OF_OBJECTS, card=is_card
        ).multistatus()
        assert {href: one.etag for href, one in found.found.items()} == etags
        return {href: said(one) for href, one in found.found.items()}


CS = "{http://calendarserver.org/ns/}"
CTAG = CS + "getctag"
CALENDAR_COLOR = "{http://apple.com/ns/ical/}calendar-color"


OF_AN_OBJECT = (DAV + "getetag", CALDAV + "calendar-data", CARDDAV + "address-data")


def said(one: Found) -> tuple[object, ...]:
    """The properties of a response as a value that can be compared; of an object its tag and its data."""
    values = []
    for name, node in sorted(one.values.items()):
        if name in OF_AN_OBJECT or one.href.endswith("/"):
            inside = sorted(child.tag for child in node.iter() if child is not node)
            values.append((name.rpartition("}")[2], (node.text or "").strip(), tuple(inside)))
    return tuple(values)


@pytest.mark.parametrize("kind", [Kind.CALENDAR, Kind.ADDRESSBOOK])
def test_everybody_ends_with_what_they_see(kind: Kind) -> None:
    run_state_machine_as_test(
        lambda: SyncOfShares(kind),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
