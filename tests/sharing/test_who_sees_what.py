"""Random grants, groups, answers and delegations against a model of who may see and do what.

After every step every home is looked at; what it lists, and what its owner may do with it, is
what the model says.  ``TAGWERK_MODEL_EXAMPLES`` sets the number of examples.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from sharedworld import Happening, by, chosen, find, happenings, place, rehearse

from davclient import DAV, NS, Found
from davsamples import card, event
from enginedav import EngineDav, World, new_world
from tagwerk.model import Access, Kind
from tagwerk.sharing import delegation, groups, shares
from tagwerk.store.collections import create_collection
from tagwerk.store.principals import set_accept

EXAMPLES = int(os.environ.get("TAGWERK_MODEL_EXAMPLES", "16"))
STEPS = 30

PEOPLE = ("anna", "bert", "carl")
GROUPS = ("team", "club")
EVERYBODY = "*"
RANKS = {"busy": 1, "read": 2, "write": 3, "manage": 4, "owner": 5}


@dataclass(slots=True)
class Thing:
    """A collection; `path` is where its owner has it."""

    owner: str
    path: str
    book: bool = False


@dataclass(slots=True)
class Model:
    """Who may see and do what: what was given, who is in which group, and what they said."""

    things: dict[str, Thing] = field(default_factory=dict)
    given: dict[tuple[str, str], str] = field(default_factory=dict)
    members: set[tuple[str, str]] = field(default_factory=set)
    said: dict[tuple[str, str], str] = field(default_factory=dict)
    accept: dict[str, str] = field(default_factory=dict)
    delegates: dict[tuple[str, str], str] = field(default_factory=dict)

    def circle(self, who: str) -> set[str]:
        """A person or group, and all groups that they are in."""
        outer = {group for group, member in self.members if member == who}
        return {who}.union(*map(self.circle, outer))

    def level(self, who: str, thing: str) -> str:
        """The most that somebody has of a collection; "" for nothing."""
        if self.things[thing].owner == who:
            return "owner"
        reached = [self.given.get((thing, one), "") for one in (*self.circle(who), EVERYBODY)]
        return max(reached, key=lambda level: RANKS.get(level, 0))

    def acts(self, who: str, thing: str) -> str:
        """What somebody may do at the owner's URL."""
        owner = self.things[thing].owner
        levels = [self.delegates.get((owner, one), "") for one in self.circle(who)]
        return "" if self.things[thing].book else max(levels, key=lambda level: RANKS.get(level, 0))

    def settle(self, *invited: tuple[str, str]) -> None:
        """What reaches somebody is offered to them, once, or again where they are `invited`; the rest is gone."""
        for pair in [(who, thing) for who in PEOPLE for thing in self.things]:
            level = self.level(*pair)
            if level in ("", "owner"):
                self.said.pop(pair, None)
            elif pair not in self.said or (pair in invited and self.said[pair] == "declined"):
                self.said[pair] = "pending" if self.accept.get(pair[0]) == "ask" else "accepted"
        self.said = {pair: said for pair, said in self.said.items() if pair[1] in self.things}

    def sees(self, who: str) -> dict[str, str]:
        """What is in somebody's home, with their level."""
        levels = {thing: self.level(who, thing) for thing in self.things}
        return {
            t: one for t, one in levels.items() if one == "owner" or self.said.get((who, t)) == "accepted"
        }


LEVELS = ("busy", "read", "write", "manage")
GRANTEES = (*PEOPLE, *PEOPLE, *GROUPS, *GROUPS, EVERYBODY)
WAYS = ("function", "CS", "DAV")


class Sharing:
    """Three people, two groups, a few collections.  Every step takes numbers, which choose among what there is."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.model = Model()
        self.hrefs: dict[tuple[str, str], str] = {}
        self.number = 0
        for name in PEOPLE:
            self.world.add_user(name, addresses=(f"{name}@example.org",))
        for name in GROUPS:
            self.world.add_user(name, kind="group")
        self.make("anna")
        self.make("anna", book=True)
        self.make("bert")
        self.share_by_function(self.make("team"), "team", "write")
        self.model.settle()
        self.check()

    # What is there

    def client(self, who: str) -> EngineDav:
        return self.world.client(who)

    def make(self, owner: str, *, book: bool = False, path: str = "") -> str:
        """A collection with a public and a private object; its id in hexadecimal is its name in the model."""
        self.number += 1
        path = path or f"/{owner}/{'book' if book else 'cal'}{self.number}/"
        with self.world.store.write() as txn:
            kind = Kind.ADDRESSBOOK if book else Kind.CALENDAR
            name = path.split("/")[2]
            made = create_collection(txn, find(txn, owner).id, name=name, kind=kind, now=self.world.clock.now)
        thing = f"{made.collection.id:x}"
        self.model.things[thing] = Thing(owner, path, book)
        if owner in PEOPLE:
            if book:
                assert self.client(owner).put(path + "open.vcf", card("open")).status == 201
            else:
                assert self.client(owner).put(path + "open.ics", event("open", summary="Words")).status == 201
                assert (
                    self.client(owner).put(path + "priv.ics", event("priv", more="CLASS:PRIVATE")).status
                    == 201
                )
        return thing

    def thing(self, number: int) -> str:
        return chosen(list(self.model.things), number)

    def href(self, who: str) -> str:
        return "/" if who == EVERYBODY else f"/{who}/"

    # Sharing

    def share_by_function(self, thing: str, to: str, level: str) -> None:
        with self.world.store.write() as txn:
            grantee = None if to == EVERYBODY else find(txn, to)
            shares.share(
                txn, place(txn, self.model.things[thing].path), grantee, Access(level), by=by(self.world)
            )
        self.model.given[thing, to] = level

    def share(self, a: int, b: int, c: int) -> None:
        thing, to, level = self.thing(a), chosen(GRANTEES, b), chosen(LEVELS, c)
        owner = self.model.things[thing].owner
        if (level == "busy" and self.model.things[thing].book) or (to == owner and to in PEOPLE):
            return
        self.share_by_function(thing, to, level)
        self.model.settle((to, thing))

    def share_as_a_client_does(self, a: int, b: int, c: int) -> None:
        thing, to, way, writes = self.thing(a), chosen(GRANTEES, b), chosen(("CS", "DAV"), c), c % 4 < 2
        who = self.who_may_share(thing, a + c)
        inner = "read-write" if writes else "read"
        if way == "DAV":
            body = (
                f"<D:share-resource {NS}><D:sharee><D:href>{self.href(to)}</D:href><D:share-access><D:{inner}/>"
                "</D:share-access></D:sharee></D:share-resource>"
            )
        else:
            body = f"<CS:share {NS}><CS:set><D:href>{self.href(to)}</D:href><CS:{inner}/></CS:set></CS:share>"
        if not self.said_by_who_may(
            who, thing, "POST", body, refused=to == self.model.things[thing].owner and to in PEOPLE
        ):
            return
        before = self.model.given.get((thing, to), "")
        wanted = "write" if writes else "read"
        keeps = (before, wanted) in (("manage", "write"), ("busy", "read"))
        self.model.given[thing, to] = before if keeps else wanted
        self.model.settle((to, thing))

    def take_back(self, a: int, b: int, c: int) -> None:
        if not self.model.given:
            return
        thing, to = chosen(sorted(self.model.given), a)
        way, who = chosen(WAYS, b), self.who_may_share(thing, c)
        if way == "function":
            with self.world.store.write() as txn:
                grantee = None if to == EVERYBODY else find(txn, to)
                shares.unshare(txn, place(txn, self.model.things[thing].path), grantee, by=by(self.world))
        else:
            body = (
                f"<CS:share {NS}><CS:remove><D:href>{self.href(to)}</D:href></CS:remove></CS:share>"
                if way == "CS"
                else f"<D:share-resource {NS}><D:sharee><D:href>{self.href(to)}</D:href><D:share-access>"
                "<D:no-access/></D:share-access></D:sharee></D:share-resource>"
            )
            if not self.said_by_who_may(who, thing, "POST", body):
                return
        self.model.given.pop((thing, to), None)
        self.model.settle()

    def set_all_rights(self, a: int, b: int, c: int) -> None:
        thing = self.thing(a)
        who, one = self.who_may_share(thing, b), self.model.things[thing]
        wanted = {chosen(GRANTEES, b + 7 * n): chosen(LEVELS, c + n) for n in range(c % 4)}
        wanted = {to: level for to, level in wanted.items() if not (one.book and level == "busy")}
        wanted = {to: level for to, level in wanted.items() if not (to == one.owner and to in PEOPLE)}
        words = {
            "busy": "<C:read-free-busy/>",
            "read": "<D:read/>",
            "write": "<D:read/> <D:write/>",
            "manage": "<D:read/> <D:write/> <D:write-acl/>",
        }
        aces = "".join(
            f"<D:ace><D:principal>{'<D:authenticated/>' if to == EVERYBODY else f'<D:href>/{to}/</D:href>'}</D:principal>"
            f"<D:grant>{''.join(f'<D:privilege>{word}</D:privilege>' for word in words[level].split())}</D:grant></D:ace>"
            for to, level in wanted.items()
        )
        if not self.said_by_who_may(who, thing, "ACL", f"<D:acl {NS}>{aces}</D:acl>"):
            return
        gone = {pair for pair in self.model.given if pair[0] == thing and pair[1] not in wanted}
        for pair in gone:
            del self.model.given[pair]
        self.model.given.update({(thing, to): level for to, level in wanted.items()})
        self.model.settle(*((to, thing) for to in wanted))

    def who_may_share(self, thing: str, number: int) -> str:
        """Mostly somebody who may share a collection."""
        found = [who for who in PEOPLE if self.model.sees(who).get(thing) in ("owner", "manage")]
        return chosen([*found, *found, *PEOPLE], number)

    def said_by_who_may(self, who: str, thing: str, method: str, body: str, *, refused: bool = False) -> bool:
        """Send a request that shares a collection, from somebody's own place for it; whether it was done."""
        level = self.model.sees(who).get(thing, "")
        path = self.hrefs.get((who, thing), "") if level else ""
        if not path:
            return False
        answer = self.client(who)(method, path, body)
        if level not in ("owner", "manage") or refused:
            assert answer.status == 403, answer
            return False
        assert answer.status == 200, answer
        return True

    # Groups

    def join_a_group(self, a: int, b: int, c: int) -> None:
        group, member = chosen(GROUPS, a), chosen((*PEOPLE, *GROUPS), b)
        if member in self.model.circle(group):
            return
        with self.world.store.write() as txn:
            groups.join(txn, find(txn, group), find(txn, member), by=by(self.world))
        self.model.members.add((group, member))
        self.model.settle()

    def leave_a_group(self, a: int, b: int, c: int) -> None:
        if not self.model.members:
            return
        group, member = chosen(sorted(self.model.members), a)
        with self.world.store.write() as txn:
            groups.leave(txn, find(txn, group), find(txn, member), by=by(self.world))
        self.model.members.remove((group, member))
        self.model.settle()

    # What sharees say

    def choose(self, a: int, b: int, c: int) -> None:
        who, choice = chosen(PEOPLE, a), chosen(("ask", "at-once", ""), b)
        with self.world.store.write() as txn:
            set_accept(txn, find(txn, who).id, choice)
        self.model.accept[who] = choice

    def answer(self, a: int, b: int, c: int) -> None:
        some = sorted(self.model.said) if c % 5 else []
        who, thing = chosen(some, a) if some else (chosen(PEOPLE, b), self.thing(a))
        way, accepts = chosen(WAYS, b), c % 2 == 0
        asked = (who, thing) in self.model.said
        verb = "accepted" if accepts else "declined"
        if way == "function":
            if not asked:
                return
            with self.world.store.write() as txn:
                reply = shares.accept if accepts else shares.decline
                path = self.model.things[thing].path
                reply(txn, find(txn, who), place(txn, path).collection.id, by=by(self.world))
        elif way == "CS":
            body = (
                f"<CS:invite-reply {NS}><CS:invite-{verb}/><CS:hosturl><D:href>{self.model.things[thing].path}</D:href>"
                "</CS:hosturl></CS:invite-reply>"
            )
            answer = self.client(who)("POST", f"/{who}/", body)
            assert answer.status == ((200 if accepts else 204) if asked else 403), answer
        else:
            found = self.invitation(who, thing)
            if not found:
                return
            answer = self.client(who)(
                "POST", found, f"<D:invite-reply {NS}><D:invite-{verb}/></D:invite-reply>"
            )
            assert answer.status == ((201 if accepts else 204) if asked else 403), answer
        if asked:
            self.model.said[who, thing] = verb

    def invitation(self, who: str, thing: str) -> str:
        """The path of the newest invitation to a collection in somebody's notifications; "" without one."""
        client, path = self.client(who), f"/{who}/-notifications/"
        if client("PROPFIND", path).status != 207:
            return ""
        for href in client.propfind(path, DAV + "getetag", depth="1"):
            text = client.get(href).text if "/invite-" in href else ""
            if (
                f"<D:href>{self.model.things[thing].path}</D:href>" in text
                and "<CS:invite-deleted/>" not in text
            ):
                return href
        return ""

    def leave_a_share(self, a: int, b: int, c: int) -> None:
        thing, who = self.thing(a), chosen(PEOPLE, b)
        if self.model.sees(who).get(thing, "owner") == "owner":
            return
        assert self.client(who).delete(self.hrefs[who, thing]).status == 204
        self.model.said[who, thing] = "declined"

    def rename(self, a: int, b: int, c: int) -> None:
        thing, who = self.thing(a), chosen(PEOPLE, b)
        if thing not in self.model.sees(who):
            return
        self.number += 1
        path = f"/{who}/name{self.number}/"
        assert self.client(who).move(self.hrefs[who, thing], path).status == 201
        self.hrefs[who, thing] = path
        if self.model.things[thing].owner == who:
            self.model.things[thing].path = path

    def delete_and_make_again(self, a: int, b: int, c: int) -> None:
        thing, again = self.thing(a), b % 4 > 0
        one = self.model.things[thing]
        if one.owner not in PEOPLE or (len(self.model.things) < 4 and not again):
            return
        assert self.client(one.owner).delete(one.path).status == 204
        del self.model.things[thing]
        self.model.given = {pair: level for pair, level in self.model.given.items() if pair[0] != thing}
        self.hrefs = {pair: href for pair, href in self.hrefs.items() if pair[1] != thing}
        if again:
            self.make(one.owner, book=one.book, path=one.path)
        self.model.settle()

    # Delegates

    def let_act(self, a: int, b: int, c: int) -> None:
        owner, to = chosen(PEOPLE, a), chosen((*PEOPLE, *GROUPS), b)
        level, way = chosen(("read", "write"), c), chosen(WAYS, a + c)
        if owner == to:
            return
        if way == "function":
            with self.world.store.write() as txn:
                delegation.delegate(txn, find(txn, owner), find(txn, to), Access(level), by=by(self.world))
        else:
            others = {
                one for (who, one), had in self.model.delegates.items() if who == owner and had == level
            }
            self.set_members(owner, level, others | {to})
        self.model.delegates[owner, to] = level

    def let_act_no_longer(self, a: int, b: int, c: int) -> None:
        if not self.model.delegates:
            return
        way = chosen(WAYS, b)
        owner, to = chosen(sorted(self.model.delegates), a)
        level = self.model.delegates.pop((owner, to))
        if way == "function":
            with self.world.store.write() as txn:
                assert delegation.undelegate(txn, find(txn, owner), find(txn, to), by=by(self.world))
        else:
            others = {
                one for (who, one), had in self.model.delegates.items() if who == owner and had == level
            }
            self.set_members(owner, level, others)

    def set_members(self, owner: str, level: str, members: set[str]) -> None:
        hrefs = "".join(f"<D:href>/{one}/</D:href>" for one in sorted(members))
        inside = f"<D:group-member-set>{hrefs}</D:group-member-set>"
        assert self.client(owner).proppatch(f"/{owner}/calendar-proxy-{level}/", set=inside).status == 207

    # What is so

    def check(self) -> None:
        """Every home is as the model says, and so is some of all that can be asked."""
        for who in PEOPLE:
            self.look_at_home(who)
        pairs = [(who, thing) for who in PEOPLE for thing in self.model.things]
        for step in range(3):
            self.number += 1
            self.try_everything(*pairs[(7 * self.number + step) % len(pairs)])

    def look_at_home(self, who: str) -> None:
        expected = self.model.sees(who)
        names = (DAV + "resource-id", DAV + "current-user-privilege-set", DAV + "owner", DAV + "sync-token")
        found = self.client(who).propfind(f"/{who}/", *names, depth="1")
        listed = {
            f"{int(one.hrefs(DAV + 'resource-id')[0].removeprefix('urn:uuid:').replace('-', ''), 16):x}": (
                href,
                one,
            )
            for href, one in found.found.items()
            if DAV + "resource-id" in one.values
        }
        assert set(listed) == set(expected), f"the home of {who}"
        for thing, (href, one) in listed.items():
            before = self.hrefs.get((who, thing))
            assert before in (None, href), "a place has another name than it had"
            self.hrefs[who, thing] = href
            assert privileges(one) == PRIVILEGES[expected[thing]], (who, thing, expected[thing])
            assert one.hrefs(DAV + "owner") == [f"/{self.model.things[thing].owner}/"]
        for pair in [pair for pair in self.hrefs if pair[0] == who and pair[1] not in listed]:
            href = self.hrefs.pop(pair)
            if href not in [other for other, _ in listed.values()]:
                assert self.client(who)("PROPFIND", href, "", Depth="0").status == 404
                assert rehearse(self.world, who)("MKCALENDAR", href).status == 201, "the place is not free"

    def try_everything(self, who: str, thing: str) -> None:
        """A handful of requests of which nothing stays, at somebody's own place and at the owner's."""
        one = self.model.things[thing]
        dry = rehearse(self.world, who)
        level = self.model.sees(who).get(thing, "")
        if level:
            self.try_at(dry, self.hrefs[who, thing], one, level, shares_it=level in ("manage", "owner"))
        if one.owner != who:
            acts = self.model.acts(who, thing)
            if acts:
                self.try_at(dry, one.path, one, acts, shares_it=False)
            else:
                assert dry("PROPFIND", one.path, "", Depth="1").status in (403, 404)
                assert dry.get(one.path + "open.ics").status in (403, 404)
                assert dry.sync(one.path).status in (403, 404)

    def try_at(self, dry: EngineDav, path: str, one: Thing, level: str, *, shares_it: bool) -> None:
        suffix = "vcf" if one.book else "ics"
        made, private = one.owner in PEOPLE, level in ("manage", "owner")
        writes = level in ("write", "manage", "owner")
        names = ([f"open.{suffix}"] if made else []) + (
            ["priv.ics"] if made and private and not one.book else []
        )
        assert sorted(dry.sync(path).multistatus().names) == names
        assert dry.propfind(path, DAV + "getetag", depth="1").names == ["", *names]
        new = card("new") if one.book else event("new")
        assert dry.put(f"{path}new.{suffix}", new).status == (201 if writes else 403)
        share = f"<CS:share {NS}><CS:remove><D:href>/carl/</D:href></CS:remove></CS:share>"
        assert dry("POST", path, share).status == (200 if shares_it else 403)
        if not made:
            return
        answer = dry.get(f"{path}open.{suffix}")
        assert answer.status == 200
        assert one.book or (b"Words" in answer.body) == (level != "busy")
        changed = card("open", name="New") if one.book else event("open", summary="New")
        assert dry.put(f"{path}open.{suffix}", changed, If_Match=answer.etag or "").status == (
            204 if writes else 403
        )
        assert dry.delete(f"{path}open.{suffix}", If_Match=answer.etag or "").status == (
            204 if writes else 403
        )
        if not one.book:
            assert dry.get(path + "priv.ics").status == (200 if private else 404)


_READ = {"read", "read-acl", "read-current-user-privilege-set"}
_WRITE = _READ | {"write", "write-properties", "write-content", "bind", "unbind"}
PRIVILEGES = {
    "busy": _READ,
    "read": _READ,
    "write": _WRITE,
    "manage": _WRITE | {"write-acl", "share"},
    "owner": _WRITE | {"write-acl", "share", "all"},
}


def privileges(found: Found) -> set[str]:
    """The names of the privileges on a collection, without what is for calendars alone."""
    node = found.values[DAV + "current-user-privilege-set"]
    names = {child.tag.rpartition("}")[2] for child in node.iterfind(f"{DAV}privilege/*")}
    return names - {"read-free-busy"}


STORY = {
    "share": 6,
    "share_as_a_client_does": 5,
    "take_back": 5,
    "set_all_rights": 2,
    "join_a_group": 6,
    "leave_a_group": 4,
    "choose": 3,
    "answer": 5,
    "leave_a_share": 3,
    "rename": 2,
    "delete_and_make_again": 1,
    "let_act": 3,
    "let_act_no_longer": 2,
}
"""What happens, by how often."""


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(happenings(STORY, number=STEPS))
def test_everybody_sees_and_does_what_they_were_given(steps: list[Happening]) -> None:
    with tempfile.TemporaryDirectory() as folder, new_world(Path(folder)) as world:
        sharing = Sharing(world)
        for name, a, b, c in steps:
            getattr(sharing, name)(a, b, c)
            sharing.check()
