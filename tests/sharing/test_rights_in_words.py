"""What protocols say of rights can be said back to the server, and means the same."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from sharedworld import delegate, find, join, leave, place, share, unshare

from davclient import CS, DAV, ICAL, NS
from davsamples import event
from enginedav import NOW, EngineDav, World
from tagwerk.model import Access, Kind
from tagwerk.store.collections import create_collection
from tagwerk.store.shares import shares_of


@pytest.fixture
def people(world: World) -> World:
    """bert, carl and dora, who is in the team."""
    for name in ("bert", "carl", "dora"):
        world.add_user(name)
        world.add_collection("own", user=name)
    world.add_user("team", kind="group")
    join(world, "team", "dora")
    return world


def given(world: World, path: str) -> dict[str, str]:
    """What was given of a collection; everybody is ``*``."""
    with world.store.read() as txn:
        return {
            share.name or "*": share.access.value for share in shares_of(txn, place(txn, path).collection.id)
        }


def acl_of(client: EngineDav, path: str) -> str:
    """The ACL of a resource as the body of the method that sets it."""
    node = client.value(path, DAV + "acl")
    return ElementTree.tostring(node, encoding="unicode")


ALL = {"bert": "busy", "carl": "manage", "team": "write", "*": "read"}


@pytest.mark.parametrize("who", ["anna", "carl"])
def test_an_acl_that_is_set_as_it_was_read_changes_nothing(people: World, who: str) -> None:
    work = people.add_collection("work")
    for to, level in ALL.items():
        share(people, work, None if to == "*" else to, level)
    client = people.client(who)
    path = f"/{who}/work/"

    assert client("ACL", path, acl_of(client, path)).status == 200

    assert given(people, work) == ALL
    assert client.propfind(path, DAV + "acl").only().values


def test_a_book_has_the_same_words(people: World) -> None:
    book = people.add_collection("book", Kind.ADDRESSBOOK)
    for to, level in (("bert", "read"), ("carl", "manage"), ("team", "write")):
        share(people, book, to, level)
    client = people.client()

    assert client("ACL", book, acl_of(client, book)).status == 200

    assert given(people, book) == {"bert": "read", "carl": "manage", "team": "write"}


def test_who_sees_busy_time_was_given_free_busy_and_not_read(people: World) -> None:
    work = people.add_collection("work")
    share(people, work, "bert", "busy")

    for client, path in ((people.client(), work), (people.client("bert"), "/bert/work/")):
        aces = client.value(path, DAV + "acl").findall(DAV + "ace")
        (ace,) = [one for one in aces if one.findtext(f"{DAV}principal/{DAV}href") == "/bert/"]
        names = {node[0].tag.rpartition("}")[2] for node in ace.iter(DAV + "privilege")}
        assert names == {"read-free-busy", "read-current-user-privilege-set"}


def test_the_members_keep_what_their_group_owns(people: World) -> None:
    with people.store.write() as txn:
        create_collection(txn, find(txn, "team").id, name="plan", kind=Kind.CALENDAR, now=NOW)
    share(people, "/team/plan/", "team", "manage")
    dora = people.client("dora")

    assert dora("ACL", "/dora/plan/", acl_of(dora, "/dora/plan/")).status == 200
    assert given(people, "/team/plan/") == {"team": "manage"}
    # Whoever manages it can still take it from all of them.
    assert dora("ACL", "/dora/plan/", f"<D:acl {NS}/>").status == 200
    assert given(people, "/team/plan/") == {}


@pytest.mark.parametrize("base", ["", "/dav"])
@pytest.mark.parametrize("protocol", ["CS", "DAV"])
def test_everybody_is_taken_back_by_the_name_that_they_are_shown_with(
    people: World, base: str, protocol: str
) -> None:
    work = people.add_collection("work")
    share(people, work, None, "read")
    client = people.client(base=base)
    prop = CS + "invite" if protocol == "CS" else DAV + "invite"
    node = client.value(work, prop)
    (href,) = [one.findtext(DAV + "href") for one in (*node.iter(CS + "user"), *node.iter(DAV + "sharee"))]

    body = (
        f"<CS:share {NS}><CS:remove><D:href>{href}</D:href></CS:remove></CS:share>"
        if protocol == "CS"
        else f"<D:share-resource {NS}><D:sharee><D:href>{href}</D:href><D:share-access><D:no-access/></D:share-access>"
        "</D:sharee></D:share-resource>"
    )
    assert client("POST", work, body).status == 200

    assert given(people, work) == {}


def test_whoever_has_it_can_be_named_though_nobody_can_be_looked_up(people: World) -> None:
    work = people.add_collection("work")
    for to in ("bert", "carl"):
        share(people, work, to, "read")
    client = people.client(principal_lookup="nobody")

    write = "<CS:set><D:href>/bert/</D:href><CS:read-write/></CS:set>"
    assert client("POST", work, f"<CS:share {NS}>{write}</CS:share>").status == 200
    assert given(people, work) == {"bert": "write", "carl": "read"}
    assert client("ACL", work, acl_of(client, work)).status == 200
    assert given(people, work) == {"bert": "write", "carl": "read"}
    remove = "<CS:remove><D:href>/carl/</D:href></CS:remove>"
    assert client("POST", work, f"<CS:share {NS}>{remove}</CS:share>").status == 200
    assert given(people, work) == {"bert": "write"}
    assert (
        client("POST", work, f"<CS:share {NS}>{write.replace('bert', 'carl')}</CS:share>")
        .multistatus()
        .only()
        .status
        == 403
    )


def test_delegates_are_named_again_though_nobody_can_be_looked_up(people: World) -> None:
    delegate(people, "anna", "bert", "read")
    client = people.client(principal_lookup="nobody")
    path = "/anna/calendar-proxy-read/"

    members = client.propfind(path, DAV + "group-member-set").only().hrefs(DAV + "group-member-set")
    hrefs = "".join(f"<D:href>{href}</D:href>" for href in members)

    assert members == ["/bert/"]
    assert client.proppatch(path, set=f"<D:group-member-set>{hrefs}</D:group-member-set>").status == 207


@pytest.mark.parametrize("answered", ["accepted", "declined"])
def test_the_owner_is_not_invited_to_what_is_their_own(people: World, answered: str) -> None:
    work = people.add_collection("work")
    join(people, "team", "anna")
    share(people, work, None, "read")
    share(people, work, "team", "write")
    client = people.client()

    answer = client(
        "POST",
        "/anna/",
        f"<CS:invite-reply {NS}><CS:invite-{answered}/><CS:hosturl><D:href>{work}</D:href></CS:hosturl></CS:invite-reply>",
    )

    assert (answer.status, answer.condition) == (403, CS + "valid-invite")
    assert client("PROPFIND", work).status == 207
    with people.store.read() as txn:
        assert place(txn, work).access is Access.OWNER


@pytest.mark.parametrize("level", ["read", "write"])
def test_a_delegate_is_told_when_what_they_may_do_changes(people: World, level: str) -> None:
    people.add_collection("work")
    other = {"read": "write", "write": "read"}[level]
    delegate(people, "anna", "bert", other)
    bert = people.client("bert")
    before = bert.sync("/anna/").multistatus().token
    owners = people.client().sync("/anna/").multistatus().token

    delegate(people, "anna", "bert", level)

    assert bert.sync("/anna/", before).multistatus().names == [""]
    assert list(bert.sync("/anna/", before).multistatus()) == ["/anna/work/"]
    assert len(people.client().sync("/anna/", owners).multistatus()) == 0


def test_a_delegate_is_told_when_a_group_makes_the_difference(people: World) -> None:
    people.add_collection("work")
    delegate(people, "anna", "bert", "read")
    delegate(people, "anna", "team", "write")
    bert = people.client("bert")

    for happens in (join, leave):
        before = bert.sync("/anna/").multistatus().token
        happens(people, "team", "bert")
        assert list(bert.sync("/anna/", before).multistatus()) == ["/anna/work/"]


def test_only_the_owner_is_told_how_much_they_store(people: World) -> None:
    work = people.add_collection("work")
    asked = (DAV + "quota-used-bytes", DAV + "quota-available-bytes")
    delegate(people, "anna", "carl", "write")
    share(people, work, "bert", "manage")

    assert set(people.client(quota=1000).propfind(work, *asked).only().values) == set(asked)
    assert not people.client("bert", quota=1000).propfind("/bert/work/", *asked).only().values
    assert not people.client("carl", quota=1000).propfind(work, *asked).only().values


@pytest.mark.parametrize(("viewer", "place"), [("bert", "/bert/work/"), ("carl", "/anna/work/")])
def test_only_the_owner_is_told_how_much_they_may_store(people: World, viewer: str, place: str) -> None:
    work = people.add_collection("work")
    share(people, work, "bert", "manage")
    delegate(people, "anna", "carl", "write")
    mine = people.add_collection("mine", user=viewer)
    assert people.client(viewer).put(f"/{viewer}/mine/b.ics", event("b")).status == 201
    client = people.client(viewer, quota=150)

    answers = [
        client.put(place + "a.ics", event("a")),
        client("POST", place, event("a"), **{"Content-Type": "text/calendar"}),
        client.copy(mine + "b.ics", place + "b.ics"),
        client.move(mine + "b.ics", place + "b.ics"),
    ]

    assert [(each.status, each.condition) for each in answers] == [(507, DAV + "quota-not-exceeded")] * 4
    assert {each.sentence for each in answers} == {
        "This would be more than the owner may store; ask them to delete something."
    }
    assert "150" in people.client(quota=150).put(work + "a.ics", event("a")).sentence


@pytest.mark.parametrize("way", ["taken back", "left"])
def test_what_was_ones_own_is_gone_with_a_share(people: World, way: str) -> None:
    work = people.add_collection("work")
    share(people, work, "bert", "write")
    bert, path = people.client("bert"), "/bert/work/a.ics"
    alarm = "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:mine\nTRIGGER:-PT9M\nEND:VALARM"
    assert bert.put(path, event("a", more=alarm)).status == 201
    assert "DESCRIPTION:mine" in bert.get(path).text
    assert bert.proppatch("/bert/work/", set="<I:calendar-color>#112233</I:calendar-color>").status == 207

    if way == "left":
        assert bert.delete("/bert/work/").status == 204
    else:
        unshare(people, work, "bert")
    share(people, work, "bert", "write")

    assert bert.get(path).status == 200
    assert "DESCRIPTION:mine" not in bert.get(path).text
    assert not bert.propfind("/bert/work/", ICAL + "calendar-color").only().values
    with people.store.read() as txn:
        assert txn.row("SELECT COUNT(*) FROM personal") == (0,)


def test_who_still_acts_for_the_owner_keeps_what_is_their_own(people: World) -> None:
    work = people.add_collection("work")
    assert people.client().put(work + "a.ics", event("a")).status == 201
    delegate(people, "anna", "bert", "read")
    share(people, work, "bert", "read")
    bert = people.client("bert")
    alarm = "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:mine\nTRIGGER:-PT9M\nEND:VALARM"
    assert bert.put("/bert/work/a.ics", event("a", more=alarm)).status == 204
    before = bert.sync(work).multistatus().token
    etag = bert.get(work + "a.ics").etag

    assert bert.delete("/bert/work/").status == 204

    assert "DESCRIPTION:mine" in bert.get(work + "a.ics").text
    assert bert.get(work + "a.ics").etag == etag
    assert bert.sync(work, before).multistatus().names == []


def test_who_leaves_a_group_keeps_no_place_for_what_it_had(people: World) -> None:
    work = people.add_collection("work")
    share(people, work, "team", "read")
    dora = people.client("dora")
    assert dora("PROPFIND", "/dora/work/").status == 207

    leave(people, "team", "dora")

    assert dora("PROPFIND", "/dora/work/").status == 404
    assert dora("MKCALENDAR", "/dora/work/").status == 201


@pytest.mark.parametrize("way", ["CS", "DAV", "ACL"])
def test_who_gets_it_in_another_way_keeps_their_place(people: World, way: str) -> None:
    work = people.add_collection("work")
    share(people, work, "team", "write")
    dora = people.client("dora")
    assert dora.proppatch("/dora/work/", set="<I:calendar-color>#112233</I:calendar-color>").status == 207
    before = dora.sync("/dora/work/").multistatus().token

    bodies = {
        "CS": f"<CS:share {NS}><CS:remove><D:href>/team/</D:href></CS:remove>"
        "<CS:set><D:href>/dora/</D:href><CS:read-write/></CS:set></CS:share>",
        "DAV": f"<D:share-resource {NS}><D:sharee><D:href>/team/</D:href><D:share-access><D:no-access/></D:share-access>"
        "</D:sharee><D:sharee><D:href>/dora/</D:href><D:share-access><D:read-write/></D:share-access></D:sharee>"
        "</D:share-resource>",
        "ACL": f"<D:acl {NS}><D:ace><D:principal><D:href>/dora/</D:href></D:principal><D:grant><D:privilege><D:read/>"
        "</D:privilege><D:privilege><D:write/></D:privilege></D:grant></D:ace></D:acl>",
    }
    assert people.client()("ACL" if way == "ACL" else "POST", work, bodies[way]).status == 200

    assert given(people, work) == {"dora": "write"}
    assert dora.value("/dora/work/", ICAL + "calendar-color").text == "#112233"
    assert dora.sync("/dora/work/", before).status == 207
