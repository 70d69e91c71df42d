"""Everybody who follows sync tokens ends with what they see, while rights change.

The owner, sharees at every level, a member of a group and a delegate follow the tokens of one
collection and of their homes, in pages of any size.  Objects come, go, and become private;
alarms of one's own are set; shares, groups and delegations change; removals are forgotten; the
collection is made anew.  ``TAGWERK_MODEL_EXAMPLES`` sets the number of examples.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from sharedworld import Happening, chosen, delegate, find, happenings, join, leave, place, share, unshare

from davclient import CALDAV, CARDDAV, DAV, Found, Multistatus, sync_body
from davsamples import card, event
from enginedav import EngineDav, World, new_world
from tagwerk.model import Kind
from tagwerk.sharing import delegation, shares
from tagwerk.sharing.shares import By
from tagwerk.store.access import access_of, delegated
from tagwerk.store.shares import invitation
from tagwerk.store.sync import prune_tombstones

EXAMPLES = int(os.environ.get("TAGWERK_MODEL_EXAMPLES", "12"))
STEPS = 60

PATH = "/anna/work/"
NAMES = ("a", "b", "c", "d")
CLASSES = ("", "CLASS:CONFIDENTIAL", "CLASS:PRIVATE")
LIMITS = (0, 1, 1, 2, 3)
GROUPS = ("team", "crew")
ALARM = "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:{text}\nTRIGGER:-PT5M\nEND:VALARM"
ALARM_TEXT = ALARM.replace("\n", "\r\n") + "\r\n"

OF_OBJECTS = "<D:getetag/><C:calendar-data/>"
OF_CARDS = "<D:getetag/><CR:address-data/>"
OF_COLLECTIONS = "<D:getetag/><D:sync-token/><CS:getctag/><D:current-user-privilege-set/><D:displayname/><I:calendar-color/>"


@dataclass(slots=True)
class Phone:
    """A client of somebody's that knows a collection, or a home, by sync alone.

    `known` is what it holds by href.  `could` are the hrefs that it may have been told of since it
    last knew everything.  `key` says which view its token is of; `lapsed`: it was another one, or none,
    for a while, of which the names are told that came and went in it.
    """

    who: str
    path: str
    level: str = "1"
    token: str = ""
    known: dict[str, tuple[object, ...]] = field(default_factory=dict)
    could: set[str] = field(default_factory=set)
    key: object = None
    forgotten: bool = False
    lapsed: bool = False

    @property
    def is_home(self) -> bool:
        return self.path.count("/") == 2

    def start_again(self) -> None:
        self.token, self.known, self.could, self.key = "", {}, set(), None
        self.forgotten = self.lapsed = False


class SyncOfShares:
    """One collection of anna's, and everybody who has something of it.

    Every step takes numbers, which choose among what there is.
    """

    def __init__(self, world: World, kind: Kind) -> None:
        self.world, self.kind = world, kind
        self.count = 0
        self.privacy: dict[str, int] = {}
        levels = ["busy", "read", "write", "manage"]
        self.sharees = levels if kind is Kind.CALENDAR else levels[1:]
        self.viewers = ["anna", *self.sharees, "member"] + (["aide"] if kind is Kind.CALENDAR else [])
        self.phones: list[Phone] = []
        self.begin()

    def begin(self) -> None:
        self.world.add_user("anna")
        for group in GROUPS:
            self.world.add_user(group, kind="group")
        for who in self.viewers[1:]:
            self.world.add_user(who)
        self.world.add_collection("work", self.kind)
        self.world.add_collection("other", self.kind)
        for who in self.sharees:
            share(self.world, PATH, who, who)
        self.share_with_groups()
        join(self.world, "team", "member")
        if "aide" in self.viewers:
            delegate(self.world, "anna", "aide", "read")
        for who in self.viewers:
            home = "/anna/" if who in ("anna", "aide") else f"/{who}/"
            self.phones += [Phone(who, home + "work/"), Phone(who, home), Phone(who, home, "infinite")]

    def share_with_groups(self) -> None:
        for group, level in zip(GROUPS, ("read", "write"), strict=True):
            share(self.world, PATH, group, level)

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

    def remember_what_could_be_seen(self) -> None:
        for phone in self.phones:
            if not phone.is_home and phone.token:
                phone.could |= {phone.path + name for name in self.visible(phone.who)}
                phone.lapsed |= phone.key != self.key_of(phone.who) or not self.access(phone.who)

    def body(self, stem: str, *, more: str = "") -> bytes:
        self.count += 1
        if self.kind is Kind.ADDRESSBOOK:
            return card(stem, name=f"Version {self.count}")
        return event(stem, summary=f"Version {self.count}", more=more)

    # Objects

    def the_owner_writes(self, a: int, b: int, c: int) -> None:
        stem, privacy = chosen(NAMES, a), chosen((0, 0, 1, 2, 2), b)
        self.write(stem, privacy, alarm=c % 2 == 0)

    def write(self, stem: str, privacy: int, *, alarm: bool) -> None:
        if self.kind is Kind.ADDRESSBOOK:
            privacy = 0
        more = CLASSES[privacy] + ("\n" + ALARM.format(text=f"owner {self.count}") if alarm else "")
        answer = self.client("anna").put(PATH + self.name(stem), self.body(stem, more=more))
        assert answer.status == (204 if stem in self.privacy else 201), answer
        self.privacy[stem] = privacy

    def the_owner_deletes(self, a: int, b: int, c: int) -> None:
        self.remove(chosen(NAMES, a))

    def remove(self, stem: str) -> None:
        answer = self.client("anna").delete(PATH + self.name(stem))
        assert answer.status == (204 if stem in self.privacy else 404), answer
        self.privacy.pop(stem, None)

    def the_owner_deletes_and_makes_again(self, a: int, b: int, c: int) -> None:
        stem = chosen(NAMES, a)
        self.remove(stem)
        self.write(stem, chosen((0, 1, 2, 2), b), alarm=False)

    def the_owner_moves(self, a: int, b: int, c: int) -> None:
        stem, to = chosen(NAMES, a), chosen(NAMES, b)
        if stem not in self.privacy or stem == to:
            return
        anna = self.client("anna")
        elsewhere = "/anna/other/" + self.name("moving")
        # Under a UID that goes with its name, so that the model need not know more.
        assert anna.move(PATH + self.name(stem), elsewhere).status == 201
        privacy = self.privacy.pop(stem)
        if to in self.privacy:
            # There is something of that UID already.
            assert anna.delete(elsewhere).status == 204
            return
        body = anna.get(elsewhere).body.replace(f"UID:{stem}\r".encode(), f"UID:{to}\r".encode())
        assert anna.delete(elsewhere).status == 204
        assert anna.put(elsewhere, body).status == 201
        assert anna.move(elsewhere, PATH + self.name(to)).status == 201
        self.privacy[to] = privacy

    def somebody_writes(self, a: int, b: int, c: int) -> None:
        stem, who = chosen(NAMES, a), chosen(self.viewers[1:], b)
        access = self.access(who)
        answer = self.client(who).put(self.path_of(who) + self.name(stem), self.body(stem))
        if access in ("write", "manage", "owner"):
            hidden = access == "write" and self.privacy.get(stem, 0) > 0
            assert answer.status == (403 if hidden else 204 if stem in self.privacy else 201), answer
            if not hidden:
                self.privacy[stem] = 0
        else:
            assert answer.status in (403, 409), answer

    def somebody_deletes(self, a: int, b: int, c: int) -> None:
        stem, who = chosen(NAMES, a), chosen(self.viewers[1:], b)
        access, privacy = self.access(who), self.privacy.get(stem, 0)
        answer = self.client(who).delete(self.path_of(who) + self.name(stem))
        if access in ("manage", "owner") or (access == "write" and not privacy):
            assert answer.status == (204 if stem in self.privacy else 404), answer
            self.privacy.pop(stem, None)
        else:
            assert answer.status in (403, 404), answer

    def somebody_sets_an_alarm(self, a: int, b: int, c: int) -> None:
        who, way = chosen(self.viewers[1:], a), chosen(("alarm", "alarm", "none", "free"), c)
        stem = chosen(sorted(self.privacy) or NAMES, b)
        access, path = self.access(who), self.path_of(who) + self.name(stem)
        if self.kind is not Kind.CALENDAR or stem not in self.privacy or access in ("", "busy"):
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

    def somebody_names_or_colours_it(self, a: int, b: int, c: int) -> None:
        who = chosen(self.viewers, a)
        what = chosen(("<D:displayname>{}</D:displayname>", "<I:calendar-color>{}</I:calendar-color>"), b)
        with self.told(who):
            self.count += 1
            answer = self.client(who).proppatch(self.path_of(who), set=what.format(f"#{self.count:06}"))
            assert answer.status == (403 if who == "aide" else 207 if self.access(who) else 404)

    @contextmanager
    def told(self, who: str) -> Iterator[None]:
        """What happens in the block is told to somebody's home, with nothing else that would be told anyway."""
        home = next(phone for phone in self.phones if phone.who == who and phone.is_home)
        self.follow(home, 0)
        yield
        self.follow(home, 0)

    def removals_are_forgotten(self, a: int, b: int, c: int) -> None:
        days = chosen((0, 30), a)
        with self.world.store.write() as txn:
            collection = place(txn, PATH).collection.id
            forgotten = prune_tombstones(txn, collection, before=self.world.clock.now + 10 - days)
        if forgotten:
            for phone in self.phones:
                phone.forgotten = True

    def time_goes_by(self, a: int, b: int, c: int) -> None:
        self.world.clock.now += 60

    # Rights

    def a_level_changes(self, a: int, b: int, c: int) -> None:
        who, level = chosen(self.sharees, a), chosen(("busy", "read", "write", "manage"), b)
        if level == "busy" and self.kind is Kind.ADDRESSBOOK:
            level = "read"
        with self.told(who):
            share(self.world, PATH, who, level)

    def a_share_is_taken_back(self, a: int, b: int, c: int) -> None:
        who, back = chosen(self.sharees, a), b % 2 == 0
        with self.told(who):
            if self.access(who):
                unshare(self.world, PATH, who)
        if back:
            share(self.world, PATH, who, who)

    def somebody_leaves(self, a: int, b: int, c: int) -> None:
        who = chosen(self.sharees, a)
        with self.told(who):
            if self.access(who):
                assert self.client(who).delete(self.path_of(who)).status == 204

    def a_group_gets_another_level(self, a: int, b: int, c: int) -> None:
        with self.told("member"):
            share(self.world, PATH, chosen(GROUPS, a), chosen(("read", "write", "manage"), b))

    def the_member_joins_or_leaves(self, a: int, b: int, c: int) -> None:
        with self.told("member"):
            (join if b % 3 else leave)(self.world, chosen(GROUPS, a), "member")

    def the_delegate_changes(self, a: int, b: int, c: int) -> None:
        if "aide" not in self.viewers:
            return
        level = chosen(("", "read", "write"), a)
        with self.told("aide"):
            if level:
                delegate(self.world, "anna", "aide", level)
                return
            with self.world.store.write() as txn:
                made = By("tests", self.world.clock.now)
                delegation.undelegate(txn, find(txn, "anna"), find(txn, "aide"), by=made)

    def the_collection_is_made_anew(self, a: int, b: int, c: int) -> None:
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
        self.share_with_groups()
        self.privacy.clear()

    # Following

    def next_page(self, a: int, b: int, c: int) -> None:
        self.page(chosen(self.phones, a), chosen(LIMITS, b))

    def follow_to_the_end(self, a: int, b: int, c: int) -> None:
        self.follow(chosen(self.phones, a), chosen(LIMITS, b))

    def everybody_follows(self, a: int, b: int, c: int) -> None:
        for phone in self.phones:
            self.follow(phone, chosen(LIMITS, a))

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
                assert phone.is_home or phone.lapsed or href in phone.could, (
                    f"{phone.who} is told that {href} is gone"
                )
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
            phone.key, phone.could = self.key_of(phone.who), set(phone.known)
            phone.forgotten = phone.lapsed = False
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


STORY = {
    "the_owner_writes": 8,
    "the_owner_deletes": 3,
    "the_owner_deletes_and_makes_again": 4,
    "the_owner_moves": 3,
    "somebody_writes": 4,
    "somebody_deletes": 2,
    "somebody_sets_an_alarm": 8,
    "somebody_names_or_colours_it": 2,
    "removals_are_forgotten": 1,
    "time_goes_by": 1,
    "a_level_changes": 3,
    "a_share_is_taken_back": 2,
    "somebody_leaves": 1,
    "a_group_gets_another_level": 2,
    "the_member_joins_or_leaves": 4,
    "the_delegate_changes": 2,
    "the_collection_is_made_anew": 1,
    "next_page": 12,
    "follow_to_the_end": 16,
    "everybody_follows": 3,
}
"""What happens, by how often."""


@pytest.mark.parametrize("kind", [Kind.CALENDAR, Kind.ADDRESSBOOK])
def test_everybody_ends_with_what_they_see(kind: Kind) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(happenings(STORY, number=STEPS))
    def tell(steps: list[Happening]) -> None:
        with tempfile.TemporaryDirectory() as folder, new_world(Path(folder)) as world:
            model = SyncOfShares(world, kind)
            for name, a, b, c in steps:
                getattr(model, name)(a, b, c)
                model.remember_what_could_be_seen()
            model.everybody_follows(3, 0, 0)

    tell()


@pytest.mark.parametrize("limit", [1, 2, 3, 0])
@pytest.mark.parametrize("viewer", ["busy", "read", "write"])
def test_what_was_made_anew_as_private_is_gone_in_pages_of_any_size(
    world: World, viewer: str, limit: int
) -> None:
    anna, work = world.client(), world.add_collection("work")
    world.add_user(viewer)
    share(world, work, viewer, viewer)
    for name in ("a", "b", "c"):
        assert anna.put(f"{work}{name}.ics", event(name)).status == 201
    client, path = world.client(viewer), f"/{viewer}/work/"
    found = client.sync(path).multistatus()
    known, token = set(found.names), found.token

    assert anna.put(work + "d.ics", event("d")).status == 201
    assert anna.delete(work + "a.ics").status == 204
    assert anna.put(work + "b.ics", event("b", more="CLASS:PRIVATE")).status == 204
    assert anna.put(work + "e.ics", event("e")).status == 201
    assert anna.put(work + "a.ics", event("a", more="CLASS:PRIVATE")).status == 201
    assert anna.put(work + "b.ics", event("b", summary="Again", more="CLASS:PRIVATE")).status == 204
    assert anna.put(work + "f.ics", event("f", more="CLASS:PRIVATE")).status == 201
    gone: list[str] = []
    while True:
        found = client.sync(path, token, limit=limit).multistatus()
        known, token = (known | set(found.names)) - set(found.gone) - {""}, found.token
        gone += found.gone
        if not found.truncated:
            break

    assert known == {"c.ics", "d.ics", "e.ics"}
    assert sorted(gone) == ["a.ics", "b.ics"]
