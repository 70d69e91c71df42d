"""Who may do what, as properties and reports, with the examples of RFC 3744 5, 8 and 9."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import pytest

from davclient import CALDAV, CS, DAV, NS
from davsamples import event
from enginedav import EngineDav, World
from tagwerk.model import Kind


def names(node: Element) -> set[str]:
    return {child.tag for child in node.iterfind(f"{DAV}privilege/*")}


@pytest.fixture
def place(dav: EngineDav, calendar: str) -> str:
    """A calendar with an object in it."""
    assert dav.put(calendar + "a.ics", event("a")).status == 201
    return calendar


def test_the_owner_of_everything_in_a_home_is_its_principal(dav: EngineDav, place: str) -> None:
    for path in ("/anna/", place, place + "a.ics"):
        found = dav.propfind(path, DAV + "owner", DAV + "current-user-principal", DAV + "group").only()

        assert found.hrefs(DAV + "owner") == ["/anna/"]
        assert found.hrefs(DAV + "current-user-principal") == ["/anna/"]
        assert found.hrefs(DAV + "group") == []


def test_5_1_2_an_attempt_to_set_the_owner(dav: EngineDav, place: str) -> None:
    answer = dav.proppatch(place, set="<D:owner><D:href>/berta/</D:href></D:owner>")

    found = answer.multistatus().only()
    assert found.others == {DAV + "owner": 403}
    assert "cannot-modify-protected-property" in answer.text


def test_5_3_the_privileges_form_one_tree_with_descriptions(dav: EngineDav, place: str) -> None:
    node = dav.value(place, DAV + "supported-privilege-set")

    (top,) = node.iterfind(DAV + "supported-privilege")
    every = {found[0].tag for found in node.iter(DAV + "privilege")}
    described = [found.text for found in node.iter(DAV + "description")]
    assert names(top) == {DAV + "all"}
    assert {DAV + "read", DAV + "write", DAV + "bind", DAV + "unbind", CALDAV + "read-free-busy"} <= every
    assert len(described) == len(every)
    assert all(described)


@pytest.mark.parametrize("where", ["", "a.ics"])
def test_5_4_the_owner_has_every_privilege_that_is_supported(dav: EngineDav, place: str, where: str) -> None:
    found = dav.propfind(
        place + where, DAV + "current-user-privilege-set", DAV + "supported-privilege-set"
    ).only()

    supported = {
        node[0].tag for node in found.values[DAV + "supported-privilege-set"].iter(DAV + "privilege")
    }
    assert names(found.values[DAV + "current-user-privilege-set"]) == supported


def test_an_address_book_has_no_free_busy(world: World, dav: EngineDav, book: str) -> None:
    found = dav.propfind(book, DAV + "current-user-privilege-set", DAV + "supported-privilege-set").only()

    for node in found.values.values():
        assert CALDAV + "read-free-busy" not in {child.tag for child in node.iter()}


def test_5_5_the_acl_names_the_owner_in_a_protected_entry(dav: EngineDav, place: str) -> None:
    node = dav.value(place, DAV + "acl")

    (ace,) = node.iterfind(DAV + "ace")
    assert ace.findtext(f"{DAV}principal/{DAV}href") == "/anna/"
    assert ace.find(DAV + "protected") is not None
    grant = ace.find(DAV + "grant")
    assert grant is not None
    assert DAV + "all" in names(grant)


def test_5_6_and_5_7_restrictions_and_inheritance(dav: EngineDav, place: str) -> None:
    asked = (DAV + "acl-restrictions", DAV + "inherited-acl-set")

    of_calendar = dav.propfind(place, *asked).only()
    of_object = dav.propfind(place + "a.ics", *asked).only()

    assert {child.tag for child in of_calendar.values[DAV + "acl-restrictions"]} == {
        DAV + "grant-only",
        DAV + "no-invert",
    }
    assert of_calendar.hrefs(DAV + "inherited-acl-set") == []
    assert of_object.hrefs(DAV + "inherited-acl-set") == [place]


def test_5_8_1_where_principals_are(dav: EngineDav, place: str) -> None:
    found = dav.propfind(place + "a.ics", DAV + "principal-collection-set").only()

    assert found.hrefs(DAV + "principal-collection-set") == ["/"]


@pytest.mark.parametrize("path", ["/anna/", "/anna/work/a.ics"])
def test_8_1_3_the_acl_method_refuses_to_touch_what_is_protected(
    dav: EngineDav, place: str, path: str
) -> None:
    answer = dav(
        "ACL",
        path,
        f"<D:acl {NS}><D:ace><D:principal><D:href>/berta/</D:href></D:principal>"
        "<D:grant><D:privilege><D:read/></D:privilege></D:grant></D:ace></D:acl>",
    )

    assert (answer.status, answer.condition) == (403, DAV + "no-protected-ace-conflict")
    assert answer.sentence


@pytest.mark.parametrize("body", ["", "<D:propfind xmlns:D='DAV:'/>", "<x"])
def test_the_acl_method_needs_an_acl(dav: EngineDav, place: str, body: str) -> None:
    assert dav("ACL", place, body).status == 400


def test_9_2_1_the_principals_that_an_acl_names(dav: EngineDav, place: str) -> None:
    for path in ("/anna/", place, place + "a.ics"):
        answer = dav.report(
            path,
            f"<D:acl-principal-prop-set {NS}><D:prop><D:displayname/></D:prop></D:acl-principal-prop-set>",
            depth="0",
        )

        found = answer.multistatus().only()
        assert found.href == "/anna/"
        assert found.text(DAV + "displayname") == "Anna Müller"


def test_9_3_1_what_belongs_to_the_user(world: World, dav: EngineDav, place: str) -> None:
    world.add_collection("friends", Kind.ADDRESSBOOK)

    found = dav.report(
        "/",
        f"<D:principal-match {NS}><D:principal-property><D:owner/></D:principal-property></D:principal-match>",
        depth="0",
    ).multistatus()

    assert {"/anna/", "/anna/work/", "/anna/friends/"} <= set(found)


def test_9_3_who_the_user_is_and_in_which_groups(world: World, dav: EngineDav) -> None:
    anna = world.client().value("/anna/", DAV + "principal-URL")
    group = world.add_user("staff", kind="group", display_name="Staff")
    with world.store.read() as txn:
        (row,) = txn.rows("SELECT id FROM principal WHERE name = 'anna'")
    with world.store.write() as txn:
        txn.execute("INSERT INTO membership (group_id, member_id) VALUES (?, ?)", (group.id, row[0]))

    found = dav.report(
        "/",
        f"<D:principal-match {NS}><D:self/><D:prop><D:displayname/></D:prop></D:principal-match>",
        depth="0",
    ).multistatus()

    assert anna is not None
    assert {href: one.text(DAV + "displayname") for href, one in found.found.items()} == {
        "/anna/": "Anna Müller",
        "/staff/": "Staff",
    }


def test_nobody_else_gets_in_whatever_they_ask(world: World, place: str) -> None:
    world.add_user("berta")
    berta = world.client("berta")
    multiget = f"<C:calendar-multiget {NS}><D:prop><C:calendar-data/></D:prop><D:href>{place}a.ics</D:href>"

    answers = [
        berta(method, path, body)
        for method, body in (
            ("GET", ""),
            ("PROPFIND", ""),
            ("DELETE", ""),
            (
                "PROPPATCH",
                f"<D:propertyupdate {NS}><D:set><D:prop><D:displayname>x</D:displayname></D:prop></D:set></D:propertyupdate>",
            ),
            ("REPORT", multiget + "</C:calendar-multiget>"),
            ("ACL", f"<D:acl {NS}/>"),
        )
        for path in (place, place + "a.ics", place + "nothing.ics", "/anna/nothing/")
    ]
    own = berta.report("/berta/", multiget + "</C:calendar-multiget>").multistatus()

    assert {answer.status for answer in answers} == {403}
    assert {answer.condition for answer in answers} == {DAV + "need-privileges"}
    assert own[place + "a.ics"].status == 404


def test_somebody_elses_properties_do_not_lead_into_their_collections(world: World, place: str) -> None:
    world.add_user("berta")
    berta = world.client("berta")

    found = berta.propfind(
        "/anna/", DAV + "displayname", DAV + "quota-used-bytes", DAV + "sync-token", CS + "getctag", depth="1"
    )
    expanded = berta.report(
        "/berta/",
        f'<D:expand-property {NS}><D:property name="current-user-principal"><D:property name="displayname"/>'
        "</D:property></D:expand-property>",
    )

    assert list(found) == ["/anna/"]
    assert set(found.only().values) == {DAV + "displayname"}
    assert expanded.status == 207
