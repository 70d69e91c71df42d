"""What was shared is found by every client where it looks for what one has, and is as writable as it says.

DAVx5, Thunderbird, Evolution and Apple's programs list the homes of the user and nothing else,
and each of them reads another part of current-user-privilege-set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from appleclient import CONTACTS, HOME, IOS, PRINCIPAL, WHO, multiget
from appleclient import propfind as apple_propfind
from appleclient import sync as apple_sync
from applesharing import calendars, device_of, give_notifications, invitees, organizer, privileges, types

from davclient import CALDAV, CARDDAV, CS, DAV, Dav, Found, Multistatus
from davsamples import card, event, task
from enginedav import EngineDav, World
from tagwerk.model import Access, Kind
from tagwerk.sharing import groups, shares
from tagwerk.sharing.shares import By
from tagwerk.store.collections import find_binding
from tagwerk.store.principals import principal_by_name

CALENDAR, BOOK = "/anna/calendar/", "/anna/contacts/"
SHARED, SHARED_BOOK = "/berta/calendar/", "/berta/contacts/"
LEVELS = (Access.BUSY, Access.READ, Access.WRITE, Access.MANAGE)

Give = Callable[[str, Access], None]


@pytest.fixture(autouse=True)
def own(world: World) -> None:
    """Berta has something herself."""
    give_notifications(world, "anna", "berta")
    world.add_collection("own", user="berta")
    world.add_collection("friends", Kind.ADDRESSBOOK, user="berta")


@pytest.fixture
def anna(world: World) -> EngineDav:
    return world.client("anna")


@pytest.fixture
def give(world: World) -> Give:
    """Share something of anna's with berta."""

    def given(path: str, access: Access) -> None:
        with world.store.write() as txn:
            found = find_binding(txn, "anna", path.split("/")[2])
            assert found is not None
            shares.share(txn, found, principal_by_name(txn, "berta"), access, by=By("tests", world.clock.now))

    return given


NAMESPACES = (
    "xmlns='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav' xmlns:CR='urn:ietf:params:xml:ns:carddav'"
    " xmlns:CS='http://calendarserver.org/ns/' xmlns:I='http://apple.com/ns/ical/'"
)


def ask(dav: Dav, path: str, names: str, *, depth: str = "0") -> Multistatus:
    inside = "".join(f"<{name}/>" for name in names.split())
    body = f"<?xml version='1.0' encoding='UTF-8'?><propfind {NAMESPACES}><prop>{inside}</prop></propfind>"
    return dav("PROPFIND", path, body, Depth=depth).multistatus()


def kind_of(one: Found) -> str:
    found = types(one)
    if CALDAV + "calendar" in found:
        return "calendar"
    return "book" if CARDDAV + "addressbook" in found else ""


Listing = Mapping[str, tuple[str, bool]]
"""What a client offers: URL → kind, and whether it lets the user write."""


def davx5(world: World) -> Listing:
    """Principal, homes, and their lists; write-content or what holds it makes it writable."""
    phone = world.client("berta")
    phone.headers = {"User-Agent": "DAVx5/4.5.12-ose (dav4jvm; okhttp/5.1.0) Android/15"}
    principal = ask(phone, "/", "current-user-principal").only().hrefs(DAV + "current-user-principal")[0]
    homes = ask(
        phone,
        principal,
        "displayname group-membership resourcetype C:calendar-home-set CR:addressbook-home-set"
        " CS:calendar-proxy-read-for CS:calendar-proxy-write-for",
    ).only()
    names = (
        "current-user-privilege-set displayname owner resourcetype I:calendar-color C:calendar-description"
        " C:calendar-timezone C:supported-calendar-component-set CR:addressbook-description CS:source"
    )
    found: dict[str, tuple[str, bool]] = {}
    for home in {
        *homes.hrefs(CALDAV + "calendar-home-set"),
        *homes.hrefs(CARDDAV + "addressbook-home-set"),
    }:
        for href, one in ask(phone, home, names, depth="1").found.items():
            if kind_of(one):
                # The owner's name is asked for afterwards.
                owner = ask(phone, one.hrefs(DAV + "owner")[0], "displayname resourcetype").only()
                assert owner.text(DAV + "displayname")
                assert DAV + "principal" in types(owner)
                assert one.text(DAV + "displayname")
                found[href] = (kind_of(one), bool(privileges(one) & {"all", "write", "write-content"}))
    return found


def thunderbird(world: World) -> Listing:
    """From the root to the home; write-properties would be enough for it."""
    bird = world.client("berta")
    bird.headers = {
        "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.0"
    }
    names = (
        "resourcetype owner displayname current-user-principal current-user-privilege-set I:calendar-color"
        " C:calendar-home-set CR:addressbook-home-set"
    )
    principal = ask(bird, "/", names).only().hrefs(DAV + "current-user-principal")[0]
    homes = ask(bird, principal, names).only()
    writing = {"all", "write", "write-content", "write-properties"}
    found = {}
    for home, kind in (
        (homes.hrefs(CALDAV + "calendar-home-set")[0], "calendar"),
        (homes.hrefs(CARDDAV + "addressbook-home-set")[0], "book"),
    ):
        for href, one in ask(bird, home, names, depth="1").found.items():
            if kind_of(one) == kind:
                found[href] = (kind, bool(privileges(one) & writing))
    return found


def evolution(world: World) -> Listing:
    """The lists of the homes, then for each source OPTIONS and what may be done."""
    desktop = world.client("berta")
    desktop.headers = {"User-Agent": "Evolution/3.56.2", "Cache-Control": "no-cache"}
    first = ask(
        desktop,
        "/",
        "resourcetype current-user-principal principal-URL C:calendar-home-set CR:addressbook-home-set",
    ).only()
    principal = first.hrefs(DAV + "current-user-principal")[0]
    homes = ask(desktop, principal, "resourcetype C:calendar-home-set CR:addressbook-home-set").only()
    names = (
        "resourcetype displayname owner current-user-privilege-set C:calendar-description"
        " C:supported-calendar-component-set I:calendar-color I:calendar-order CR:addressbook-description"
    )
    listed: dict[str, Found] = {}
    for name in (CALDAV + "calendar-home-set", CARDDAV + "addressbook-home-set"):
        listed |= ask(desktop, homes.hrefs(name)[0], names, depth="1").found
    found = {}
    for href, one in listed.items():
        if kind_of(one):
            options = desktop("OPTIONS", href)
            assert ("calendar-access" if kind_of(one) == "calendar" else "addressbook") in options.headers[
                "dav"
            ]
            allowed = {name.strip() for name in options.headers["allow"].split(",")}
            granted = privileges(ask(desktop, href, "current-user-privilege-set").only())
            writable = bool(allowed & {"PUT", "POST", "DELETE"}) and bool(
                granted & {"all", "write", "write-content"}
            )
            found[href] = (kind_of(one), writable)
    return found


def ios(world: World) -> Listing:
    """Calendar and Contacts, each with a home of its own."""
    found = {}
    for agent, name in ((IOS, CALDAV + "calendar-home-set"), (CONTACTS, CARDDAV + "addressbook-home-set")):
        device = device_of(world, "berta", agent)
        principal = apple_propfind(device, "/", *WHO).only().hrefs(DAV + "current-user-principal")[0]
        asked = (*PRINCIPAL, CARDDAV + "addressbook-home-set")
        home = apple_propfind(device, principal, *asked).only().hrefs(name)[0]
        kind = "calendar" if agent == IOS else "book"
        for href, one in apple_propfind(device, home, *HOME, depth="1").found.items():
            if kind_of(one) == kind:
                found[href] = (kind, bool(privileges(one) & {"all", "write", "write-content"}))
    return found


def polling(world: World) -> Listing:
    """vdirsyncer: the home by well-known names, and no rights at all."""
    client = world.client("berta")
    client.headers = {"User-Agent": "vdirsyncer/0.20.0", "Content-Type": "application/xml; charset=UTF-8"}
    principal = ask(client, "/", "current-user-principal").only().hrefs(DAV + "current-user-principal")[0]
    found = {}
    for name, kind in (("C:calendar-home-set", "calendar"), ("CR:addressbook-home-set", "book")):
        home = ask(client, principal, name).only()
        (href,) = [node.text or "" for value in home.values.values() for node in value.iter(DAV + "href")]
        for each, one in ask(client, href, "resourcetype", depth="1").found.items():
            if kind_of(one) == kind:
                found[each] = (kind, True)
    return found


CLIENTS = pytest.mark.parametrize("client", [davx5, thunderbird, evolution, ios])
OWN = {"/berta/own/": ("calendar", True), "/berta/friends/": ("book", True)}


@CLIENTS
@pytest.mark.parametrize("access", LEVELS)
def test_a_shared_calendar_is_listed_as_writable_as_it_is(world, anna, give, client, access):
    anna.put(CALENDAR + "a.ics", event("a"))
    give(CALENDAR, access)

    assert client(world) == OWN | {SHARED: ("calendar", access.writes)}
    # What the client derives is what the server does.
    made = world.client("berta").put(SHARED + "b.ics", event("b"), If_None_Match="*")
    assert made.status == (201 if access.writes else 403)


@CLIENTS
@pytest.mark.parametrize("access", LEVELS[1:])
def test_a_shared_address_book_is_listed_as_writable_as_it_is(world, anna, give, client, access):
    anna.put(BOOK + "a.vcf", card("a"))
    give(BOOK, access)

    assert client(world) == OWN | {SHARED_BOOK: ("book", access.writes)}
    made = world.client("berta").put(SHARED_BOOK + "b.vcf", card("b"), If_None_Match="*")
    assert made.status == (201 if access.writes else 403)


def test_vdirsyncer_lists_all_of_it(world, give):
    give(CALENDAR, Access.READ)
    give(BOOK, Access.WRITE)

    assert set(polling(world)) == {*OWN, SHARED, SHARED_BOOK}


@CLIENTS
def test_nothing_is_listed_that_was_not_given_or_was_taken_back(world, give, client):
    assert client(world) == OWN
    give(CALENDAR, Access.WRITE)
    give(BOOK, Access.WRITE)
    assert len(client(world)) == 4

    with world.store.write() as txn:
        for name in ("calendar", "contacts"):
            found = find_binding(txn, "anna", name)
            assert found is not None
            shares.unshare(txn, found, principal_by_name(txn, "berta"), by=By("tests", world.clock.now))

    assert client(world) == OWN


@CLIENTS
def test_a_level_that_changes_is_seen_at_the_next_list(world, give, client):
    for access in (Access.WRITE, Access.READ, Access.MANAGE, Access.BUSY, Access.WRITE):
        give(CALENDAR, access)

        assert client(world)[SHARED] == ("calendar", access.writes)


def test_under_a_base_path_everything_is_below_it(world, give):
    give(CALENDAR, Access.READ)
    based = world.client("berta", base="/dav")

    found = ask(based, "/berta/", "owner resourcetype CS:shared-url", depth="1")

    assert all(href.startswith("/dav/berta/") for href in found)
    assert found["/dav" + SHARED].hrefs(DAV + "owner") == ["/dav/anna/"]
    assert found["/dav" + SHARED].hrefs(CS + "shared-url") == ["/dav" + CALENDAR]


# The first sync through a share


def fetched(device: EngineDav, place: str) -> dict[str, str]:
    """Everything that iOS has after its first sync."""
    names = [name for name in apple_sync(device, place).names if name]
    got = multiget(device, place, [place + name for name in names], DAV + "getetag", CALDAV + "calendar-data")
    return {href.removeprefix(place): one.text(CALDAV + "calendar-data") for href, one in got.found.items()}


@pytest.mark.parametrize("access", LEVELS[1:])
def test_the_first_sync_of_ios_gets_everything_and_the_next_ones_what_changes(world, anna, give, access):
    for number in range(12):
        anna.put(f"{CALENDAR}{number}.ics", event(str(number)))
    give(CALENDAR, access)
    phone = device_of(world, "berta", IOS)
    listed = calendars(phone, "/berta/")[SHARED]

    assert fetched(phone, SHARED) == {f"{number}.ics": event(str(number)).decode() for number in range(12)}
    first = apple_sync(phone, SHARED)
    assert first.token == listed.text(DAV + "sync-token")
    anna.put(CALENDAR + "0.ics", event("0", summary="neu"))
    anna.delete(CALENDAR + "1.ics")
    second = apple_sync(phone, SHARED, first.token)
    assert (second.names, second.gone) == (["0.ics"], ["1.ics"])
    assert apple_sync(phone, SHARED, second.token).names == []
    again = calendars(phone, "/berta/")[SHARED]
    assert again.text(CS + "getctag") != listed.text(CS + "getctag")


def test_the_first_sync_of_ios_through_a_busy_share_shows_times_only(world, anna, give):
    anna.put(CALENDAR + "a.ics", event("a", summary="Arzt", more="LOCATION:Praxis\nDESCRIPTION:geheim"))
    anna.put(CALENDAR + "t.ics", task("t", summary="Steuer"))
    give(CALENDAR, Access.BUSY)
    phone = device_of(world, "berta", IOS)

    found = fetched(phone, SHARED)

    assert "a.ics" in found
    assert "DTSTART:20260301T080000Z" in found["a.ics"]
    text = "".join(found.values())
    assert not any(word in text for word in ("Arzt", "Praxis", "geheim", "Steuer"))
    token = apple_sync(phone, SHARED).token
    anna.put(CALENDAR + "a.ics", event("a", summary="Zahnarzt", start="20260302T080000Z"))
    assert apple_sync(phone, SHARED, token).names == ["a.ics"]


@pytest.mark.parametrize("access", LEVELS)
def test_alarms_of_ones_own_are_there_after_the_next_sync_and_nowhere_else(world, anna, give, access):
    alarm = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT{}M\nDESCRIPTION:x\nEND:VALARM"
    anna.put(CALENDAR + "a.ics", event("a", more=alarm.format(5)))
    give(CALENDAR, access)
    phone = device_of(world, "berta", IOS)
    first = apple_sync(phone, SHARED)
    body = fetched(phone, SHARED)["a.ics"]
    assert "VALARM" not in body

    mine = body.replace("END:VEVENT", alarm.format(30).replace("\n", "\r\n") + "\r\nEND:VEVENT")
    put = phone.put(SHARED + "a.ics", mine, If_Match=first[SHARED + "a.ics"].etag)

    # Who only sees when somebody is busy has nothing of their own in it.
    assert put.status == (403 if access is Access.BUSY else 204)
    if access is not Access.BUSY:
        assert "TRIGGER:-PT30M" in fetched(phone, SHARED)["a.ics"]
        assert "TRIGGER:-PT5M" not in fetched(phone, SHARED)["a.ics"]
    assert "TRIGGER:-PT5M" in anna.get(CALENDAR + "a.ics").text
    assert "TRIGGER:-PT30M" not in anna.get(CALENDAR + "a.ics").text


@pytest.mark.parametrize("access", LEVELS[1:])
def test_contacts_sync_a_shared_address_book(world, anna, give, access):
    anna.put(BOOK + "a.vcf", card("a"))
    give(BOOK, access)
    contacts = device_of(world, "berta", CONTACTS)

    first = apple_sync(contacts, SHARED_BOOK)
    got = multiget(
        contacts, SHARED_BOOK, [SHARED_BOOK + "a.vcf"], DAV + "getetag", CARDDAV + "address-data", card=True
    ).only()
    put = contacts.put(SHARED_BOOK + "a.vcf", card("a", name="Neu Name"), If_Match=got.etag)

    assert first.names == ["a.vcf"]
    assert got.text(CARDDAV + "address-data").encode() == card("a")
    assert put.status == (204 if access.writes else 403)
    assert apple_sync(contacts, SHARED_BOOK, first.token).names == (["a.vcf"] if access.writes else [])


def known_after(device: EngineDav, known: Mapping[str, str], token: str) -> tuple[dict[str, str], str]:
    """Name → ETag, as a device knows them after one more sync."""
    body = (
        f"<sync-collection {NAMESPACES}><sync-token>{token}</sync-token><sync-level>1</sync-level>"
        "<prop><getetag/></prop></sync-collection>"
    )
    answer = device("REPORT", SHARED, body, Depth="1")
    if answer.status == 403:
        # It forgets everything and starts again, which is allowed.
        assert answer.condition == DAV + "valid-sync-token"
        return known_after(device, {}, "")
    found = answer.multistatus()
    after = dict(known)
    for href, one in found.found.items():
        if one.status == 404:
            after.pop(href, None)
        else:
            after[href] = one.etag
    return after, found.token


@pytest.mark.parametrize("after", LEVELS)
@pytest.mark.parametrize("before", LEVELS)
def test_a_device_that_goes_on_syncing_knows_what_a_new_one_sees(world, anna, give, before, after):
    anna.put(CALENDAR + "open.ics", event("open"))
    anna.put(CALENDAR + "private.ics", event("private", more="CLASS:PRIVATE"))
    anna.put(CALENDAR + "confidential.ics", event("confidential", more="CLASS:CONFIDENTIAL"))
    anna.put(CALENDAR + "task.ics", task("task"))
    give(CALENDAR, before)
    phone = device_of(world, "berta", IOS)
    known, token = known_after(phone, {}, "")

    give(CALENDAR, after)
    known, token = known_after(phone, known, token)

    fresh, _ = known_after(device_of(world, "berta", IOS), {}, "")
    assert known == fresh
    assert all(phone.get(href).etag == etag for href, etag in known.items())
    assert known_after(phone, known, token)[0] == known


def test_what_a_group_owns_is_listed_by_its_members(world, give):
    world.add_user("team", kind="group", display_name="Das Team")
    path = world.add_collection("plan", user="team")
    by = By("tests", world.clock.now)
    with world.store.write() as txn:
        team, berta = principal_by_name(txn, "team"), principal_by_name(txn, "berta")
        found = find_binding(txn, "team", "plan")
        assert team is not None
        assert berta is not None
        assert found is not None
        groups.join(txn, team, berta, by=by)
        shares.share(txn, found, team, Access.WRITE, by=by)

    phone = device_of(world, "berta", IOS)
    one = calendars(phone, "/berta/")["/berta/plan/"]

    assert path == "/team/plan/"
    assert davx5(world) == OWN | {"/berta/plan/": ("calendar", True)}
    assert organizer(one) == ("/team/", "Das Team")
    assert one.hrefs(DAV + "owner") == ["/team/"]
    assert all(invitee.name for invitee in invitees(one))
