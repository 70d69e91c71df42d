"""Delegation as the accounts pane of macOS sets and uses it, as DAVx5 follows it, and rights that are set with ACL."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import pytest
from appleclient import HOME, IOS, MACOS, device, element, multiget, prop, propfind, root, sync
from applesharing import calendars, device_of, give_notifications, privileges, search, types

from davclient import CALDAV, CARDDAV, CS, DAV, ICAL, NS, Answer, Dav, Found
from davsamples import event, task
from enginedav import EngineDav, World
from tagwerk.model import Access, Kind, Principal
from tagwerk.sharing import groups, shares
from tagwerk.sharing.shares import By
from tagwerk.store.collections import find_binding
from tagwerk.store.principals import principal_by_name

CALENDAR, WORK = "/anna/calendar/", "/anna/work/"
READ, WRITE = "/anna/calendar-proxy-read/", "/anna/calendar-proxy-write/"
LEVELS = pytest.mark.parametrize("group", [READ, WRITE], ids=["read", "write"])

DELEGATE = (
    CALDAV + "allowed-calendar-component-set",
    CALDAV + "calendar-home-set",
    CALDAV + "calendar-user-address-set",
    DAV + "current-user-principal",
    DAV + "displayname",
    CS + "dropbox-home-URL",
    CS + "email-address-set",
    CS + "notification-URL",
    DAV + "principal-collection-set",
    DAV + "principal-URL",
    DAV + "resource-id",
    CALDAV + "schedule-inbox-URL",
    CALDAV + "schedule-outbox-URL",
    DAV + "supported-report-set",
)
"""What macOS asks of somebody for whom it acts."""


@pytest.fixture(autouse=True)
def places(world: World) -> None:
    give_notifications(world, "anna", "berta")
    world.add_collection("work")


@pytest.fixture
def mac(world: World) -> EngineDav:
    """Anna's."""
    return device(world, MACOS)


@pytest.fixture
def berta(world: World) -> EngineDav:
    """Berta's Mac."""
    return device_of(world, "berta")


def by(world: World) -> By:
    return By("tests", world.clock.now)


def expand(dav: Dav, path: str, *names: str) -> dict[str, list[tuple[str, str]]]:
    """Who stands in properties of people: name of the property → their URLs and names."""
    inner = (
        '<A:property name="calendar-user-address-set" namespace="urn:ietf:params:xml:ns:caldav"/>'
        '<A:property name="email-address-set" namespace="http://calendarserver.org/ns/"/>'
        '<A:property name="displayname" namespace="DAV:"/>'
    )
    asked = "".join(
        f'<A:property name="{name.rpartition("}")[2]}" namespace="{name[1:].partition("}")[0]}">{inner}</A:property>'
        for name in names
    )
    found = dav("REPORT", path, root("expand-property", asked), Depth="0").multistatus().only()
    return {
        name: [
            (node.findtext(DAV + "href", ""), node.findtext(f"{DAV}propstat/{DAV}prop/{DAV}displayname", ""))
            for node in value.findall(DAV + "response")
        ]
        for name, value in found.values.items()
    }


def delegates(dav: Dav) -> dict[str, list[str]]:
    """The list in the pane: who is in which group."""
    return {
        group: [href for href, _ in expand(dav, group, DAV + "group-member-set")[DAV + "group-member-set"]]
        for group in (WRITE, READ)
    }


def acts_for(dav: Dav) -> dict[str, list[str]]:
    """The accounts that one may use: read-for and write-for."""
    names = (CS + "calendar-proxy-write-for", CS + "calendar-proxy-read-for")
    found = expand(dav, f"/{dav.user}/", *names)
    return {name.rpartition("-proxy-")[2]: [href for href, _ in found[name]] for name in names}


def set_members(dav: Dav, group: str, *hrefs: str) -> Answer:
    """The boxes in the pane: all who are in a group."""
    inside = element(DAV + "group-member-set", "".join(f"<A:href>{href}</A:href>" for href in hrefs))
    return dav("PROPPATCH", group, root("propertyupdate", f"<A:set>\n<A:prop>{inside}</A:prop>\n</A:set>"))


def choose(dav: Dav, group: str, *hrefs: str) -> None:
    found = set_members(dav, group, *hrefs).multistatus().only()
    assert list(found.values) == [DAV + "group-member-set"]


# The pane


def test_delegates_are_chosen_in_the_pane(mac, berta):
    assert "calendar-proxy" in mac("OPTIONS", "/anna/").headers["dav"]
    assert delegates(mac) == {WRITE: [], READ: []}
    picked = search(mac, "berta", context="user").only().hrefs(DAV + "principal-URL")[0]

    choose(mac, WRITE, picked)

    assert delegates(mac) == {WRITE: ["/berta/"], READ: []}
    assert acts_for(berta) == {"write-for": ["/anna/"], "read-for": []}
    # Before it changes something it looks at both groups at once.
    listed = propfind(mac, "/anna/", DAV + "group-member-set", depth="1").found
    members = {href: one.hrefs(DAV + "group-member-set") for href, one in listed.items() if "proxy" in href}
    assert members == {WRITE: ["/berta/"], READ: []}


def test_the_pane_knows_delegates_by_name_and_address(mac, berta):
    choose(mac, READ, "/berta/")

    found = expand(mac, READ, DAV + "group-member-set")[DAV + "group-member-set"]
    owners = expand(berta, "/berta/", CS + "calendar-proxy-read-for")[CS + "calendar-proxy-read-for"]

    assert (found, owners) == ([("/berta/", "Berta Weiß")], [("/anna/", "Anna Müller")])


def test_a_box_is_ticked_and_unticked(mac, berta):
    # It writes the group for changing first, then that for reading.
    choose(mac, WRITE)
    choose(mac, READ, "/berta/")
    assert delegates(mac) == {WRITE: [], READ: ["/berta/"]}

    choose(mac, WRITE, "/berta/")
    choose(mac, READ)
    assert delegates(mac) == {WRITE: ["/berta/"], READ: []}
    assert acts_for(berta) == {"write-for": ["/anna/"], "read-for": []}

    choose(mac, WRITE)
    choose(mac, READ, "/berta/")
    assert delegates(mac) == {WRITE: [], READ: ["/berta/"]}
    assert acts_for(berta) == {"write-for": [], "read-for": ["/anna/"]}


@pytest.mark.parametrize(
    "href", ["/berta/", "/berta", "mailto:berta@example.org", "http://dav.example.org/berta/"]
)
def test_a_delegate_is_named_by_url_or_address(mac, href):
    choose(mac, WRITE, href)

    assert delegates(mac)[WRITE] == ["/berta/"]


@pytest.mark.parametrize("stranger", ["/nobody/", "mailto:nobody@example.org", "/anna/", "urn:uuid:1"])
def test_who_cannot_be_a_delegate_stops_the_change(mac, stranger):
    choose(mac, WRITE, "/berta/")

    said = set_members(mac, WRITE, stranger)

    failed = said.status == 403 or (
        said.status == 207 and 200 not in {*said.multistatus().only().others.values()}
    )
    assert failed
    assert delegates(mac)[WRITE] == ["/berta/"]


def test_nobody_else_says_who_acts_for_somebody(mac, berta):
    assert set_members(berta, WRITE, "/berta/").status == 403
    choose(mac, WRITE, "/berta/")

    for group in (WRITE, READ):
        said = set_members(berta, group)
        assert said.status == 403 or said.multistatus().only().others == {DAV + "group-member-set": 403}
    assert delegates(mac)[WRITE] == ["/berta/"]
    assert mac.delete(WRITE).status in (403, 405)


def test_the_groups_are_principals_of_their_kind(mac, berta):
    choose(mac, READ, "/berta/")

    for dav in (mac, berta):
        for group, kind in ((READ, "calendar-proxy-read"), (WRITE, "calendar-proxy-write")):
            found = propfind(
                dav, group, DAV + "resourcetype", DAV + "displayname", DAV + "principal-URL"
            ).only()
            assert {DAV + "principal", CS + kind} <= types(found)
            assert found.hrefs(DAV + "principal-URL") == [group]
            assert "Anna Müller" in found.text(DAV + "displayname")


# The account of somebody else


@LEVELS
def test_the_other_account_is_set_up(mac, berta, group):
    choose(mac, group, "/berta/")

    found = propfind(berta, "/anna/", *DELEGATE).only()

    assert found.hrefs(CALDAV + "calendar-home-set") == ["/anna/"]
    assert found.hrefs(DAV + "current-user-principal") == ["/berta/"]
    assert found.hrefs(DAV + "principal-URL") == ["/anna/"]
    assert "mailto:anna@example.org" in found.hrefs(CALDAV + "calendar-user-address-set")
    assert found.text(DAV + "displayname") == "Anna Müller"
    # Neither what anna is told nor what she has for herself.
    assert CS + "notification-URL" not in found.values
    assert berta("PROPFIND", "/anna/-notifications/", Depth="1").status in (403, 404)


@LEVELS
def test_the_calendars_are_there_with_what_may_be_done(mac, berta, group):
    choose(mac, group, "/berta/")

    found = calendars(berta, "/anna/")

    assert set(found) == {CALENDAR, WORK}
    for one in found.values():
        granted = privileges(one)
        assert "read" in granted
        assert ("write-content" in granted) is (group == WRITE)
        assert not {"all", "write-acl", "share"} & granted
        assert one.hrefs(DAV + "owner") == ["/anna/"]
        # It is anna's calendar in anna's home, not something that was given to berta.
        assert not {CS + "shared", CS + "shared-owner"} & types(one)
        assert CS + "allowed-sharing-modes" not in one.values
    assert "/anna/contacts/" not in berta("PROPFIND", "/anna/", Depth="1").multistatus()
    # Nothing of it is in berta's own home.
    assert calendars(berta, "/berta/") == {}


COLOR = element(ICAL + "calendar-color", "#112233")


def set_color(dav: Dav, path: str) -> int:
    said = dav("PROPPATCH", path, root("propertyupdate", f"<A:set>\n<A:prop>{COLOR}</A:prop>\n</A:set>"))
    return 403 if said.status == 207 and said.multistatus().only().others else said.status


OPERATIONS = {
    "write-properties": set_color,
    "write-content": lambda dav, path: dav.put(CALENDAR + "a.ics", event("a", summary="von Berta")).status,
    "bind": lambda dav, path: dav.put(CALENDAR + "new.ics", event("new")).status,
    "unbind": lambda dav, path: dav.delete(CALENDAR + "b.ics").status,
}
"""What each privilege lets one do on a calendar, or on an object in it."""


@LEVELS
def test_who_acts_for_somebody_is_told_what_they_may_do(mac, berta, group):
    for name in "ab":
        mac.put(f"{CALENDAR}{name}.ics", event(name))
    choose(mac, group, "/berta/")

    for path, names in ((CALENDAR, OPERATIONS), (CALENDAR + "a.ics", ("write-properties", "write-content"))):
        granted = privileges(propfind(berta, path, DAV + "current-user-privilege-set").only())
        for name in names:
            answered = OPERATIONS[name](berta, path)
            assert (answered < 300) is (name in granted), (path, name, answered)
        assert ("write" in granted) is (group == WRITE and path != CALENDAR)
        assert ("write-content" in granted) is (group == WRITE)


@LEVELS
def test_a_calendar_is_synced_and_edited_for_somebody(mac, berta, group):
    mac.put(CALENDAR + "a.ics", event("a"))
    choose(mac, group, "/berta/")
    writes = group == WRITE
    first = sync(berta, CALENDAR)
    assert first.names == ["a.ics"]
    got = multiget(berta, CALENDAR, [CALENDAR + "a.ics"], DAV + "getetag", CALDAV + "calendar-data").only()
    assert got.text(CALDAV + "calendar-data").encode() == event("a")

    mac.put(CALENDAR + "b.ics", event("b"))
    made = berta.put(CALENDAR + "c.ics", event("c"), If_None_Match="*")
    changed = berta.put(CALENDAR + "a.ics", event("a", summary="von Berta"), If_Match=got.etag)
    second = sync(berta, CALENDAR, first.token)
    gone = berta.delete(CALENDAR + "b.ics")
    third = sync(berta, CALENDAR, second.token)

    assert (made.status, changed.status, gone.status) == ((201, 204, 204) if writes else (403, 403, 403))
    assert second.names == (["a.ics", "b.ics", "c.ics"] if writes else ["b.ics"])
    assert third.gone == (["b.ics"] if writes else [])
    assert mac.get(CALENDAR + "c.ics").status == (200 if writes else 404)


@LEVELS
def test_a_new_calendar_is_there_for_delegates_too(mac, berta, group):
    choose(mac, group, "/berta/")
    token = propfind(berta, "/anna/", DAV + "sync-token").only().text(DAV + "sync-token")

    assert mac("MKCALENDAR", "/anna/new/").status == 201

    assert "/anna/new/" in calendars(berta, "/anna/")
    assert "/anna/new/" in sync(berta, "/anna/", token)
    mac.delete("/anna/new/")
    assert "/anna/new/" not in calendars(berta, "/anna/")


@LEVELS
def test_a_home_is_somebody_elses(mac, berta, group):
    choose(mac, group, "/berta/")

    assert berta("MKCALENDAR", "/anna/mine/").status in (403, 405)
    assert berta.delete(WORK).status in (403, 405)
    assert berta.delete("/anna/").status in (403, 405)
    assert set(calendars(mac, "/anna/")) == {CALENDAR, WORK}
    assert berta.move(WORK, "/berta/work/").status in (403, 405)


PRIVATE = event("p", summary="Arzt", more="CLASS:PRIVATE\nLOCATION:Praxis")
CONFIDENTIAL = event("c", summary="Gespräch", more="CLASS:CONFIDENTIAL\nLOCATION:Büro 7")


@LEVELS
def test_private_things_stay_with_their_owner(mac, berta, group):
    for name, body in {"a": event("a"), "p": PRIVATE, "c": CONFIDENTIAL}.items():
        mac.put(f"{CALENDAR}{name}.ics", body)
    choose(mac, group, "/berta/")

    listed = sync(berta, CALENDAR)
    got = multiget(
        berta,
        CALENDAR,
        [f"{CALENDAR}{name}.ics" for name in "apc"],
        DAV + "getetag",
        CALDAV + "calendar-data",
    )

    assert listed.names == ["a.ics", "c.ics"]
    assert got.gone == ["p.ics"]
    masked = got[CALENDAR + "c.ics"].text(CALDAV + "calendar-data")
    assert "Gespräch" not in masked
    assert "Büro" not in masked
    assert "SUMMARY:Busy" in masked
    assert got[CALENDAR + "c.ics"].etag != mac.get(CALENDAR + "c.ics").etag
    assert berta.get(CALENDAR + "p.ics").status == 404
    # What is masked is never written back.
    answer = berta.put(CALENDAR + "c.ics", masked.replace("Busy", "Neu"))
    assert answer.status == 403
    assert mac.get(CALENDAR + "c.ics").body == CONFIDENTIAL
    assert berta.put(CALENDAR + "p.ics", event("x"), If_None_Match="*").status in (403, 409, 412)
    assert mac.get(CALENDAR + "p.ics").body == PRIVATE


@LEVELS
def test_what_becomes_private_goes_and_comes_back(mac, berta, group):
    mac.put(CALENDAR + "a.ics", event("a"))
    choose(mac, group, "/berta/")
    first = sync(berta, CALENDAR)

    mac.put(CALENDAR + "a.ics", event("a", more="CLASS:PRIVATE"))
    second = sync(berta, CALENDAR, first.token)
    mac.put(CALENDAR + "a.ics", event("a", more="CLASS:PUBLIC"))
    third = sync(berta, CALENDAR, second.token)

    assert (first.names, second.gone, third.names) == (["a.ics"], ["a.ics"], ["a.ics"])


@LEVELS
def test_it_ends_and_no_client_is_left_with_something_that_fails(mac, berta, group):
    mac.put(CALENDAR + "a.ics", event("a"))
    choose(mac, group, "/berta/")
    token = sync(berta, CALENDAR).token
    home = propfind(berta, "/anna/", DAV + "sync-token").only().text(DAV + "sync-token")

    choose(mac, group)

    assert acts_for(berta) == {"write-for": [], "read-for": []}
    # Who anna is can still be asked; what she has is not there.
    assert set(propfind(berta, "/anna/", *HOME, depth="1")) == {"/anna/"}
    assert calendars(berta, "/anna/") == {}
    inside = f"<A:sync-token>{token}</A:sync-token><A:sync-level>1</A:sync-level>{prop(DAV + 'getetag')}"
    for path, body in ((CALENDAR, inside), ("/anna/", inside.replace(token, home))):
        assert berta("REPORT", path, root("sync-collection", body), Depth="1").status in (403, 404)
    for answer in (berta.get(CALENDAR + "a.ics"), berta.put(CALENDAR + "b.ics", event("b"))):
        assert answer.status in (403, 404)
    assert mac.get(CALENDAR + "a.ics").status == 200


def test_a_level_that_changes_is_seen_at_the_next_look(mac, berta):
    choose(mac, WRITE, "/berta/")
    before = calendars(berta, "/anna/")[CALENDAR]

    choose(mac, READ, "/berta/")

    after = calendars(berta, "/anna/")[CALENDAR]
    assert (before.text(CS + "getctag"), before.text(DAV + "sync-token")) != (
        after.text(CS + "getctag"),
        after.text(DAV + "sync-token"),
    )
    assert "write-content" not in privileges(after)
    # The token that was given before is still good: nothing but rights has changed.
    assert sync(berta, CALENDAR, before.text(DAV + "sync-token")).names == []


def test_one_acts_for_several_and_they_for_one(world, mac, berta):
    world.add_user("carl", display_name="Carl Lang", addresses=("carl@example.org",))
    carl = device_of(world, "carl")
    choose(mac, WRITE, "/berta/", "/carl/")
    choose(carl, "/carl/calendar-proxy-read/", "/berta/")

    assert acts_for(berta) == {"write-for": ["/anna/"], "read-for": ["/carl/"]}
    assert sorted(delegates(mac)[WRITE]) == ["/berta/", "/carl/"]
    # Acting for somebody is not acting for those for whom they act.
    choose(berta, "/berta/calendar-proxy-write/", "/carl/")
    assert acts_for(carl) == {"write-for": ["/anna/", "/berta/"], "read-for": []}
    assert acts_for(mac) == {"write-for": [], "read-for": []}


def test_what_one_gets_twice_is_shown_once_in_each_place(world, mac, berta):
    with world.store.write() as txn:
        found = find_binding(txn, "anna", "calendar")
        assert found is not None
        shares.share(txn, found, principal_by_name(txn, "berta"), Access.READ, by=by(world))
    choose(mac, WRITE, "/berta/")

    own, hers = calendars(berta, "/berta/"), calendars(berta, "/anna/")

    assert (set(own), set(hers)) == ({"/berta/calendar/"}, {CALENDAR, WORK})
    assert CS + "shared" in types(own["/berta/calendar/"])
    choose(mac, WRITE)
    assert "write-content" not in privileges(calendars(berta, "/berta/")["/berta/calendar/"])


# A group as delegate


@pytest.fixture
def team(world: World) -> Principal:
    group = world.add_user("team", kind="group", display_name="Team")
    with world.store.write() as txn:
        berta = principal_by_name(txn, "berta")
        assert berta is not None
        groups.join(txn, group, berta, by=by(world))
    return group


@LEVELS
def test_the_members_of_a_group_act_for_somebody_as_they_come_and_go(world, mac, berta, team, group):
    choose(mac, group, "/team/")
    assert delegates(mac)[group] == ["/team/"]
    level = "write-for" if group == WRITE else "read-for"
    assert acts_for(berta) == {"write-for": [], "read-for": []} | {level: ["/anna/"]}
    assert set(calendars(berta, "/anna/")) == {CALENDAR, WORK}
    assert berta.put(WORK + "a.ics", event("a")).status == (201 if group == WRITE else 403)

    with world.store.write() as txn:
        member = principal_by_name(txn, "berta")
        assert member is not None
        groups.leave(txn, team, member, by=by(world))

    assert acts_for(berta) == {"write-for": [], "read-for": []}
    assert calendars(berta, "/anna/") == {}


def test_who_acts_for_somebody_in_two_ways_has_the_most_of_it(mac, berta, team):
    choose(mac, READ, "/team/")
    choose(mac, WRITE, "/berta/")

    assert acts_for(berta)["write-for"] == ["/anna/"]
    assert "write-content" in privileges(calendars(berta, "/anna/")[CALENDAR])
    choose(mac, WRITE)
    assert acts_for(berta) == {"write-for": [], "read-for": ["/anna/"]}
    assert "write-content" not in privileges(calendars(berta, "/anna/")[CALENDAR])


# DAVx5

SPACES = 'xmlns="DAV:" xmlns:CAL="urn:ietf:params:xml:ns:caldav" xmlns:CARD="urn:ietf:params:xml:ns:carddav"'
PEOPLE = (
    "<displayname /><group-membership /><resourcetype /><CAL:calendar-home-set />"
    '<n0:calendar-proxy-read-for xmlns:n0="http://calendarserver.org/ns/" />'
    '<n1:calendar-proxy-write-for xmlns:n1="http://calendarserver.org/ns/" />'
)
COLLECTIONS = (
    "<current-user-privilege-set /><displayname /><owner /><resourcetype /><CAL:calendar-description />"
    '<n0:calendar-color xmlns:n0="http://apple.com/ns/ical/" /><CAL:calendar-timezone />'
    '<CAL:supported-calendar-component-set /><n1:source xmlns:n1="http://calendarserver.org/ns/" />'
)


@dataclass(slots=True)
class Phone:
    """How DAVx5 looks for calendars: from principal to principal, then into every home."""

    dav: Dav
    principals: dict[str, Found]

    def ask(self, path: str, names: str, depth: str = "0") -> Answer:
        body = f"<?xml version='1.0' encoding='UTF-8' ?><propfind {SPACES}><prop>{names}</prop></propfind>"
        return self.dav("PROPFIND", path, body, Depth=depth)

    def visit(self, path: str, *, deeper: bool = True) -> None:
        """A principal, those for whom it acts, its groups, and whose groups of delegates these are."""
        answer = self.ask(path, PEOPLE)
        if path in self.principals or answer.status in (401, 403, 404, 410):
            return
        self.principals[path] = found = answer.multistatus().only()
        if not deeper:
            return
        for name in (CS + "calendar-proxy-read-for", CS + "calendar-proxy-write-for"):
            for href in found.hrefs(name) if name in found.values else ():
                self.visit(href, deeper=False)
        for href in found.hrefs(DAV + "group-membership"):
            self.visit(href, deeper=False)
            member = self.principals.get(href)
            if member and {CS + "calendar-proxy-read", CS + "calendar-proxy-write"} & types(member):
                self.visit(href.rstrip("/").rpartition("/")[0] + "/", deeper=False)

    def collections(self) -> dict[str, tuple[bool, bool]]:
        """Every calendar: whether it can be written, and whether it is somebody else's."""
        homes = {
            href
            for one in self.principals.values()
            if CALDAV + "calendar-home-set" in one.values
            for href in one.hrefs(CALDAV + "calendar-home-set")
        }
        listed: dict[str, Found] = {}
        for path in sorted(homes):
            listed |= self.ask(path, COLLECTIONS, "1").multistatus().found
        return {
            href: (
                bool({"write", "write-content", "all"} & privileges(one)),
                one.hrefs(DAV + "owner") != [f"/{self.dav.user}/"],
            )
            for href, one in listed.items()
            if CALDAV + "calendar" in types(one)
        }


def discovered(world: World, user: str = "berta") -> dict[str, tuple[bool, bool]]:
    client = world.client(user)
    client.headers = {"User-Agent": "DAVx5/4.5.12-ose (dav4jvm; okhttp/5.1.0) Android/15"}
    phone = Phone(client, {})
    phone.visit(f"/{user}/")
    return phone.collections()


def test_davx5_finds_the_calendars_of_those_for_whom_one_acts(world, mac):
    world.add_collection("own", user="berta")
    choose(mac, READ, "/berta/")
    own = {"/berta/own/": (True, False)}

    assert discovered(world) == own | {CALENDAR: (False, True), WORK: (False, True)}
    choose(mac, WRITE, "/berta/")
    assert discovered(world) == own | {CALENDAR: (True, True), WORK: (True, True)}
    choose(mac, WRITE)
    assert discovered(world) == own


def test_davx5_finds_them_through_a_group_too(world, mac, team):
    choose(mac, WRITE, "/team/")

    assert discovered(world) == {CALENDAR: (True, True), WORK: (True, True)}


def test_davx5_finds_nothing_in_groups_that_have_nothing(world, team):
    assert discovered(world) == {}


def test_davx5_goes_on_when_somebody_for_whom_one_acts_is_disabled(world, mac):
    choose(mac, WRITE, "/berta/")
    with world.store.write() as txn:
        txn.execute("UPDATE principal SET state = 'disabled' WHERE name = 'anna'")

    assert discovered(world) == {}


# ACL


def acl(dav: Dav, path: str = CALENDAR) -> Element:
    return dav.value(path, DAV + "acl")


def given(dav: Dav, path: str = CALENDAR) -> dict[str, set[str]]:
    """What others have, by who they are."""
    return {
        who(ace): {node[0].tag.rpartition("}")[2] for node in ace.iterfind(f"{DAV}grant/{DAV}privilege")}
        for ace in acl(dav, path)
        if ace.find(DAV + "protected") is None
    }


def who(ace: Element) -> str:
    (node,) = ace.findall(f"{DAV}principal/*")
    return node.text or node.tag.rpartition("}")[2]


def set_acl(dav: Dav, *aces: str, path: str = CALENDAR) -> Answer:
    return dav("ACL", path, f"<D:acl {NS}>{''.join(aces)}</D:acl>")


def ace(principal: str, *names: str, more: str = "") -> str:
    granted = "".join(f"<D:privilege><{name}/></D:privilege>" for name in names)
    inside = principal if principal.startswith("<") else f"<D:href>{principal}</D:href>"
    return f"<D:ace><D:principal>{inside}</D:principal><D:grant>{granted}</D:grant>{more}</D:ace>"


@pytest.fixture
def plain(world: World) -> EngineDav:
    """A client of anna's that says nothing about itself."""
    return world.client()


@pytest.fixture
def give(world: World) -> Callable[[str | None, Access, str], None]:
    def given_to(name: str | None, access: Access, collection: str = "calendar") -> None:
        with world.store.write() as txn:
            found = find_binding(txn, "anna", collection)
            assert found is not None
            grantee = principal_by_name(txn, name) if name else None
            shares.share(txn, found, grantee, access, by=by(world))

    return given_to


LEVEL = {
    Access.BUSY: {"read-free-busy"},
    Access.READ: {"read"},
    Access.WRITE: {"read", "write"},
    Access.MANAGE: {"read", "write", "write-acl"},
}


def test_an_acl_says_what_was_given(world, plain, give, team):
    world.add_user("carl")
    give("berta", Access.WRITE)
    give("carl", Access.BUSY)
    give("team", Access.MANAGE)
    give(None, Access.READ)

    found = given(plain)

    assert set(found) == {"/berta/", "/carl/", "/team/", "authenticated"}
    for href, access in (
        ("/berta/", Access.WRITE),
        ("/carl/", Access.BUSY),
        ("/team/", Access.MANAGE),
        ("authenticated", Access.READ),
    ):
        assert found[href] >= LEVEL[access]
        assert ("write" in found[href]) is access.writes
    assert "read" not in found["/carl/"]
    assert [who(one) for one in acl(plain) if one.find(DAV + "protected") is not None] == ["/anna/"]


@pytest.mark.parametrize("protected", [True, False], ids=["all", "what is not protected"])
@pytest.mark.parametrize("access", LEVEL)
def test_what_an_acl_says_can_be_sent_back_and_changes_nothing(world, plain, give, team, access, protected):
    give("berta", access)
    give("team", access)
    give(None, access)
    before, ctag = given(plain), plain.value(CALENDAR, CS + "getctag").text
    aces = [
        ElementTree.tostring(one, encoding="unicode")
        for one in acl(plain)
        if protected or one.find(DAV + "protected") is None
    ]

    assert set_acl(plain, *aces).status == 200

    assert given(plain) == before
    assert plain.value(CALENDAR, CS + "getctag").text == ctag


@pytest.mark.parametrize("access", LEVEL)
def test_an_acl_gives_a_level(world, plain, give, access):
    names = [("C:" if name == "read-free-busy" else "D:") + name for name in sorted(LEVEL[access])]
    assert set_acl(plain, ace("/berta/", *names)).status == 200
    by_acl = given(plain)

    give("berta", access)

    assert given(plain) == by_acl
    assert list(calendars(device_of(world, "berta", IOS), "/berta/")) == ["/berta/calendar/"]


@pytest.mark.parametrize(
    ("aces", "access"),
    [
        ([["D:read"], ["C:read-free-busy"]], Access.READ),
        ([["C:read-free-busy"], ["D:read"]], Access.READ),
        ([["D:all"], ["C:read-free-busy"]], Access.MANAGE),
        ([["D:write"], ["D:read"]], Access.WRITE),
        ([["D:read"], ["D:write-content"], ["D:bind", "D:unbind"]], Access.WRITE),
        ([["D:read", "D:write"], ["D:write-acl"], ["D:read"]], Access.MANAGE),
    ],
)
@pytest.mark.parametrize("href", ["/berta/", "<D:authenticated/>"])
def test_the_entries_of_one_principal_add_up(plain, give, aces, access, href):
    given_at_once = "berta" if href == "/berta/" else None
    assert set_acl(plain, *(ace(href, *names) for names in aces)).status == 200
    by_acl = given(plain)

    give(given_at_once, access)

    assert given(plain) == by_acl


def test_the_owners_own_entry_may_come_in_parts(plain):
    own = (ace("/anna/", "D:read"), ace("<D:property><D:owner/></D:property>", "D:write"))

    assert set_acl(plain, *own, ace("/berta/", "D:read")).status == 200

    assert set(given(plain)) == {"/berta/"}


def test_an_acl_replaces_what_others_had(world, plain, give):
    world.add_user("carl")
    give("berta", Access.WRITE)

    assert (
        set_acl(plain, ace("/carl/", "D:read"), ace("<D:authenticated/>", "C:read-free-busy")).status == 200
    )
    assert set(given(plain)) == {"/carl/", "authenticated"}
    assert set_acl(plain).status == 200
    assert given(plain) == {}


def test_an_acl_of_an_address_book_goes_round_too(plain, give):
    give("berta", Access.WRITE, "contacts")
    before = given(plain, "/anna/contacts/")
    aces = [ElementTree.tostring(one, encoding="unicode") for one in acl(plain, "/anna/contacts/")]

    assert set_acl(plain, *aces, path="/anna/contacts/").status == 200

    assert given(plain, "/anna/contacts/") == before
    assert "read-free-busy" not in before["/berta/"]
    assert set_acl(plain, ace("/berta/", "C:read-free-busy"), path="/anna/contacts/").status == 403


@pytest.mark.parametrize(
    ("body", "condition"),
    [
        (ace("/berta/", "D:read").replace("grant>", "deny>"), "grant-only"),
        (ace("/team/", "D:write"), "not-supported-privilege"),
        (ace("/team/", "D:write") + ace("/team/", "C:read-free-busy"), "not-supported-privilege"),
        (ace("/berta/", "D:bind"), "not-supported-privilege"),
        (ace("/berta/", "D:read", "D:write-properties"), "not-supported-privilege"),
        (ace("/berta/", "D:unlock"), "not-supported-privilege"),
        (ace("/berta/", "C:schedule-send"), "not-supported-privilege"),
        (ace("/nobody/", "D:read"), "recognized-principal"),
        (ace("mailto:nobody@example.org", "D:read"), "recognized-principal"),
        (ace("<D:all/>", "D:read"), "allowed-principal"),
        (ace("<D:unauthenticated/>", "D:read"), "allowed-principal"),
        (ace("/anna/", "D:read"), "no-protected-ace-conflict"),
        (ace("/anna/", "D:read") + ace("<D:self/>", "C:read-free-busy"), "no-protected-ace-conflict"),
        (
            ace("/berta/", "D:read", more="<D:inherited><D:href>/anna/</D:href></D:inherited>"),
            "no-inherited-ace-conflict",
        ),
        (
            "<D:ace><D:invert><D:principal><D:href>/berta/</D:href></D:principal></D:invert>"
            "<D:grant><D:privilege><D:read/></D:privilege></D:grant></D:ace>",
            "no-invert",
        ),
    ],
)
def test_what_is_no_level_is_refused_with_its_precondition(plain, give, team, body, condition):
    give("berta", Access.WRITE)
    before = given(plain)

    answer = set_acl(plain, ace("/berta/", "D:read"), body)

    assert (answer.status, answer.condition) == (403, DAV + condition)
    assert given(plain) == before


@pytest.mark.parametrize("path", [CALENDAR + "a.ics", "/anna/", WRITE, "/anna/-notifications/"])
def test_rights_are_those_of_a_collection(plain, path):
    plain.put(CALENDAR + "a.ics", event("a"))

    answer = set_acl(plain, ace("/berta/", "D:read"), path=path)

    assert (answer.status, answer.condition) == (403, DAV + "no-protected-ace-conflict")


def test_who_was_given_something_sees_their_own_entry_and_changes_none(world, plain, give):
    world.add_user("carl")
    give("berta", Access.WRITE)
    give("carl", Access.READ)
    berta = world.client("berta")

    entries = {who(one): one.find(DAV + "protected") is not None for one in acl(berta, "/berta/calendar/")}

    assert entries == {"/anna/": True, "/berta/": True}
    for aces in ((), (ace("/berta/", "D:all"),)):
        assert set_acl(berta, *aces, path="/berta/calendar/").status == 403
    assert set(given(plain)) == {"/berta/", "/carl/"}


def entries(dav: Dav, path: str = CALENDAR) -> dict[str, tuple[set[str], bool]]:
    """What an ACL grants, by whom it names, and whether that is protected."""
    return {
        who(one): (
            {node[0].tag.rpartition("}")[2] for node in one.iterfind(f"{DAV}grant/{DAV}privilege")},
            one.find(DAV + "protected") is not None,
        )
        for one in acl(dav, path)
    }


def named_by(dav: Dav, path: str = CALENDAR) -> set[str]:
    """Whom the report says that an ACL names, as far as they can be asked."""
    body = root("acl-principal-prop-set", prop(DAV + "displayname"))
    found = dav("REPORT", path, body, Depth="0").multistatus().found
    return {href for href, one in found.items() if DAV + "displayname" in one.values}


@LEVELS
def test_an_acl_says_what_those_may_do_who_act_for_the_owner(plain, mac, berta, group):
    mac.put(CALENDAR + "a.ics", event("a"))
    assert set(entries(plain)) == {"/anna/"}
    choose(mac, group, "/berta/")

    for path in (CALENDAR, CALENDAR + "a.ics"):
        owners, delegates_own = entries(plain, path), entries(berta, path)
        told = privileges(propfind(berta, path, DAV + "current-user-privilege-set").only())
        assert owners == delegates_own
        assert owners[group] == (told, True)
        assert set(owners) == named_by(plain, path) == named_by(berta, path) == {"/anna/", group}
    assert set(entries(plain, "/anna/contacts/")) == {"/anna/"}
    choose(mac, group)
    assert set(entries(plain)) == {"/anna/"}


def test_who_manages_a_calendar_knows_that_somebody_acts_for_its_owner(world, plain, mac, give):
    world.add_user("carl")
    world.add_user("dora")
    choose(mac, WRITE, "/carl/")
    give("berta", Access.MANAGE)
    give("dora", Access.WRITE)
    manager, writer = world.client("berta"), world.client("dora")

    assert set(entries(manager, "/berta/calendar/")) == {"/anna/", "/berta/", "/dora/", WRITE}
    assert set(entries(writer, "/dora/calendar/")) == {"/anna/", "/dora/"}
    assert named_by(manager, "/berta/calendar/") == {"/anna/", "/berta/", "/dora/"}
    assert manager("PROPFIND", WRITE, Depth="0").status == 403


@LEVELS
def test_what_is_said_of_delegates_can_be_sent_back_and_not_be_changed(plain, mac, give, group):
    choose(mac, group, "/berta/")
    give("berta", Access.READ)
    before = entries(plain)
    aces = [ElementTree.tostring(one, encoding="unicode") for one in acl(plain)]

    back = set_acl(plain, *aces)
    other = "D:all" if group == READ else "D:read"
    refused = [set_acl(plain, *aces, ace(href, other)) for href in (group, group[:-1])]

    assert back.status == 200
    assert {(one.status, one.condition) for one in refused} == {(403, DAV + "no-protected-ace-conflict")}
    assert entries(plain) == before
    assert set_acl(plain, ace(group, "D:read"), path="/anna/contacts/").status == 403
    # They are no part of what the method says: without them they are as they were.
    assert set_acl(plain).status == 200
    assert set(entries(plain)) == {"/anna/", group}
    assert delegates(mac)[group] == ["/berta/"]


def test_a_list_of_tasks_is_written_for_somebody(world, mac, berta):
    path = world.add_collection("tasks", components=("VTODO",))
    choose(mac, WRITE, "/berta/")

    assert berta.put(path + "t.ics", task("t")).status == 201
    assert berta.put(path + "a.ics", event("a")).status == 403


def test_address_books_are_not_part_of_it(world, mac, berta):
    choose(mac, WRITE, "/berta/")
    world.add_collection("friends", Kind.ADDRESSBOOK)

    listed = berta(
        "PROPFIND", "/anna/", root("propfind", prop(DAV + "resourcetype")), Depth="1"
    ).multistatus()

    assert not any(CARDDAV + "addressbook" in types(one) for one in listed.found.values())
    assert berta("PROPFIND", "/anna/friends/", Depth="0").status in (403, 404)
