"""App passwords and sharing: what is shared is no way past what an app password is for."""

from __future__ import annotations

import pytest
from sharedworld import by, delegate, share

from davclient import DAV
from davsamples import card, event
from enginedav import EngineDav, World, limited
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


@pytest.fixture
def invited(world: World) -> World:
    """Ben is asked whether he wants anna's calendar, and her book."""
    for name in ("ben", "carla"):
        world.add_user(name, addresses=(f"{name}@example.org",))
    share(world, world.add_collection("work"), "ben", "read", accept="ask")
    share(world, world.add_collection("friends", Kind.ADDRESSBOOK), "ben", "read", accept="ask")
    return world


def notices(client: EngineDav) -> dict[str, str]:
    """What each notice is about, by its URL."""
    found = client.propfind(f"/ben/{NOTIFICATIONS}/", DAV + "getetag", depth="1").found
    bodies = {href: client.get(href).text for href in found if href.endswith(".xml")}
    return {href: "work" if "<CS:summary>work<" in body else "friends" for href, body in bodies.items()}


@pytest.mark.parametrize(
    ("rights", "mine", "other"), [(Rights.CALENDAR, "work", "friends"), (Rights.CONTACTS, "friends", "work")]
)
class TestInvitations:
    def test_those_of_the_other_kind_are_not_there(
        self, invited: World, rights: Rights, mine: str, other: str
    ) -> None:
        everything = {what: href for href, what in notices(invited.client("ben")).items()}
        assert set(everything) == {"work", "friends"}
        ben = limited(invited.client("ben"), rights)

        assert notices(ben) == {everything[mine]: mine}
        folder = f"/ben/{NOTIFICATIONS}/"
        listed = ben("PROPFIND", folder, Depth="1").text
        home = (
            '<D:sync-collection xmlns:D="DAV:"><D:sync-token/><D:sync-level>infinite</D:sync-level>'
            "<D:prop><D:getetag/>{0}</D:prop></D:sync-collection>"
        )
        synced = ben("REPORT", "/ben/", home.format(""), Depth="0").text
        synced += ben("REPORT", folder, home.format("<D:displayname/>"), Depth="0").text
        data = '<X:address-data xmlns:X="urn:ietf:params:xml:ns:carddav"/>'
        synced += ben("REPORT", folder, home.format(data), Depth="0").text
        for text in (listed, synced):
            assert everything[mine] in text
            assert everything[other] not in text
        for method in ("GET", "PROPFIND", "DELETE"):
            assert ben(method, everything[other], Depth="0").status == 404
        assert len(notices(invited.client("ben"))) == 2
        assert ben("DELETE", everything[mine]).status == 204

    @pytest.mark.parametrize("said", ["accepted", "declined"])
    def test_those_of_the_other_kind_are_not_answered(
        self, invited: World, rights: Rights, mine: str, other: str, said: str
    ) -> None:
        everything = {what: href for href, what in notices(invited.client("ben")).items()}
        ben = limited(invited.client("ben"), rights)
        apple = (
            '<CS:invite-reply xmlns:CS="http://calendarserver.org/ns/" xmlns:D="DAV:"><CS:invite-{0}/>'
            "<CS:hosturl><D:href>/anna/{1}/</D:href></CS:hosturl></CS:invite-reply>"
        )
        draft = '<D:invite-reply xmlns:D="DAV:"><D:invite-{0}/></D:invite-reply>'

        refused = ben("POST", "/ben/", apple.format(said, other))
        assert refused.status == 403
        assert "valid-invite" in refused.text
        assert ben("POST", everything[other], draft.format(said)).status == 404
        assert everything[other] in notices(invited.client("ben"))
        assert f"/ben/{other}/" not in invited.client("ben").propfind("/ben/", depth="1").found
        assert ben("POST", "/ben/", apple.format(said, mine)).status in (200, 204)


GROUP = (
    '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:group-member-set><D:href>/carla/</D:href></D:group-member-set>'
    "</D:prop></D:set></D:propertyupdate>"
)


@pytest.mark.parametrize(
    ("rights", "status"), [(Rights.CONTACTS, 403), (Rights.READ_ONLY, 403), (Rights.CALENDAR, 207)]
)
def test_who_acts_for_somebody_is_said_with_a_login_that_changes_calendars(
    shared: World, rights: Rights, status: int
) -> None:
    anna = limited(shared.client("anna"), rights)

    answer = anna("PROPPATCH", "/anna/calendar-proxy-write/", GROUP)

    assert answer.status == status
    carla = shared.client("carla")("PROPFIND", "/anna/work/", Depth="0")
    assert carla.status == (207 if status == 207 else 403)


def test_a_login_for_contacts_knows_of_nobody_s_delegates(shared: World) -> None:
    ben = limited(shared.client("ben"), Rights.CONTACTS)
    asked = (
        '<D:propfind xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/"><D:prop><D:group-membership/>'
        "<CS:calendar-proxy-read-for/><CS:calendar-proxy-write-for/></D:prop></D:propfind>"
    )

    whole = shared.client("ben")("PROPFIND", "/ben/", asked, Depth="1").text
    assert whole.count("/carla/") == 2
    assert "/ben/calendar-proxy-write/" in whole
    home = ben("PROPFIND", "/ben/", asked, Depth="1").text
    assert "carla" not in home
    assert "proxy-write/" not in home
    assert ben("PROPFIND", "/carla/calendar-proxy-write/", Depth="0").status == 403


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
