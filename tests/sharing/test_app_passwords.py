"""App passwords and sharing: what is shared is no way past what an app password is for."""

from __future__ import annotations

import pytest
from sharedworld import by, delegate, share

from davclient import DAV
from davsamples import card, event
from enginedav import World, limited
from tagwerk.accounts import leaving
from tagwerk.model import Kind, Rights
from tagwerk.store.collections import NOTIFICATIONS
from tagwerk.store.principals import principal_by_name

SHARE = (
    '<CS:share xmlns:CS="http://calendarserver.org/ns/" xmlns:D="DAV:"><CS:set><D:href>mailto:{0}@example.org</D:href>'
    "<CS:read-write/></CS:set></CS:share>"
)


@pytest.fixture
def shared(world: World) -> World:
    """Ben sees anna's calendar, writes into her book, and acts for carla."""
    for name in ("ben", "carla"):
        world.add_user(name, addresses=(f"{name}@example.org",))
    calendar, book = world.add_collection("work"), world.add_collection("friends", Kind.ADDRESSBOOK)
    world.client().put(f"{calendar}a.ics", event("a"))
    world.client().put(f"{book}a.vcf", card("a"))
    world.add_collection("own", user="carla")
    share(world, calendar, "ben", "write")
    share(world, book, "ben", "write")
    delegate(world, "carla", "ben", "write")
    return world


def test_a_read_only_login_writes_nowhere(shared: World) -> None:
    ben = limited(shared.client("ben"), Rights.READ_ONLY)

    assert ben.get("/ben/work/a.ics").status == 200
    assert ben.put("/ben/work/b.ics", event("b")).status == 403
    assert ben.put("/carla/own/b.ics", event("b")).status == 403
    name = DAV + "current-user-privilege-set"
    for place in ("/ben/work/", "/carla/own/"):
        found = ben.propfind(place, name).only().values[name]
        assert not {node.tag for privilege in found for node in privilege} & {DAV + "write", DAV + "bind"}


def test_a_read_only_login_shares_nothing(shared: World) -> None:
    anna = limited(shared.client("anna"), Rights.READ_ONLY)

    assert anna("POST", "/anna/work/", SHARE.format("carla")).status == 403
    assert shared.client("anna")("POST", "/anna/work/", SHARE.format("carla")).status == 200


def test_a_read_only_login_of_the_owner_sees_what_the_owner_sees(shared: World) -> None:
    shared.client("anna").put("/anna/work/p.ics", event("p", more="CLASS:PRIVATE"))

    anna = limited(shared.client("anna"), Rights.READ_ONLY)

    assert b"CLASS:PRIVATE" in anna.get("/anna/work/p.ics").body
    assert anna.get("/anna/work/p.ics").etag == shared.client("anna").get("/anna/work/p.ics").etag


@pytest.mark.parametrize(
    ("rights", "mine", "other"),
    [(Rights.CALENDAR, "/ben/work/", "/ben/friends/"), (Rights.CONTACTS, "/ben/friends/", "/ben/work/")],
)
def test_the_other_kind_is_not_there_when_it_is_shared(
    shared: World, rights: Rights, mine: str, other: str
) -> None:
    ben = limited(shared.client("ben"), rights)

    found = ben.propfind("/ben/", DAV + "resourcetype", depth="1").found
    assert mine in found
    assert other not in found
    assert ben("PROPFIND", other, Depth="0").status == 403
    assert ben.sync(other).status == 403
    # What the server tells is for every device.
    assert ben("PROPFIND", f"/ben/{NOTIFICATIONS}/", Depth="0").status == 207


def test_a_login_for_contacts_has_no_calendar_of_somebody_it_acts_for(shared: World) -> None:
    ben = limited(shared.client("ben"), Rights.CONTACTS)

    assert ben("PROPFIND", "/carla/own/", Depth="1").status == 403
    found = ben.propfind("/carla/", DAV + "resourcetype", depth="1")
    assert "/carla/own/" not in found.found


def test_who_leaves_tells_those_who_saw_what_goes(shared: World) -> None:
    with shared.store.write() as txn:
        anna, ben = principal_by_name(txn, "anna"), principal_by_name(txn, "ben")
        assert anna is not None
        assert ben is not None
        leaving.remove(txn, anna, gifts={"work": ben}, by=by(shared))

    ben_dav = shared.client("ben")
    assert ben_dav.get("/ben/work/a.ics").status == 200
    assert ben_dav.put("/ben/work/b.ics", event("b", more="CLASS:PRIVATE")).status == 201
    assert ben_dav.get("/ben/friends/a.vcf").status == 404
    name = DAV + "owner"
    assert ben_dav.propfind("/ben/work/", name).only().values[name][0].text == "/ben/"
    told = [
        ben_dav.get(href).body
        for href in ben_dav.propfind(f"/ben/{NOTIFICATIONS}/", DAV + "getetag", depth="1").found
        if href.endswith(".xml")
    ]
    assert any(b"friends" in notice and b"deleted" in notice for notice in told), told
