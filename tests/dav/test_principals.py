"""Principals: their properties, and finding people, groups and rooms (RFC 3744 4, 9.4, 9.5, RFC 3253 3.8)."""

from __future__ import annotations

import pytest

from davclient import CALDAV, CARDDAV, CS, DAV, NS, Multistatus
from davsamples import event
from enginedav import EngineDav, World


@pytest.fixture
def people(world: World) -> EngineDav:
    """Anna's client, among others."""
    world.add_user("berta", display_name="Berta Weiß", addresses=("berta@example.org", "bw@firma.example"))
    staff = world.add_user(
        "staff", kind="group", display_name="Alle Mitarbeiter", addresses=("staff@firma.example",)
    )
    world.add_user("r1", kind="room", display_name="Raum Äpfel", addresses=("r1@firma.example",))
    world.add_user("beamer", kind="resource", display_name="Beamer")
    berta = world.client("berta")
    assert berta("PROPFIND", "/berta/").status == 207
    with world.store.write() as txn:
        for name in ("anna", "berta"):
            txn.execute(
                "INSERT INTO membership (group_id, member_id) SELECT ?, id FROM principal WHERE name = ?",
                (staff.id, name),
            )
    return world.client()


def search(dav: EngineDav, *conditions: str, test: str = "", path: str = "/", rest: str = "") -> Multistatus:
    attribute = f' test="{test}"' if test else ""
    return dav.report(
        path,
        f"<D:principal-property-search {NS}{attribute}>{''.join(conditions)}"
        f"<D:prop><D:displayname/><C:calendar-user-address-set/></D:prop>{rest}</D:principal-property-search>",
        depth="0",
    ).multistatus()


def where(text: str, *names: str, kind: str = "") -> str:
    props = "".join(f"<{name}/>" for name in names or ("D:displayname",))
    attribute = f' match-type="{kind}"' if kind else ""
    return (
        f"<D:property-search><D:prop>{props}</D:prop><D:match{attribute}>{text}</D:match></D:property-search>"
    )


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (where("weiß"), ["/berta/"]),
        (where("WEISS"), ["/berta/"]),
        (where("ert"), ["/berta/"]),
        (where("mitarbeiter"), ["/staff/"]),
        (where("äPFEL"), ["/r1/"]),
        (where("anna"), ["/anna/"]),
        (where("firma.example", "CS:email-address-set"), ["/berta/", "/r1/", "/staff/"]),
        (where("bw@firma", "C:calendar-user-address-set"), ["/berta/"]),
        (where("mailto:berta@example.org", "C:calendar-user-address-set"), ["/berta/"]),
        (where("ROOM", "C:calendar-user-type"), ["/r1/"]),
        (where("Weiß", "CS:last-name"), ["/berta/"]),
        (where("ber", kind="starts-with"), ["/berta/"]),
        (where("er", kind="starts-with"), []),
        (where("weiß", kind="ends-with"), ["/berta/"]),
        (where("Berta Weiß", kind="equals"), ["/berta/"]),
        (where("nobody of that name"), []),
        (where("x", "D:nonsense"), []),
        # 9.4: with several properties in one search, each must match.
        (where("berta", "D:displayname", "CS:email-address-set"), ["/berta/"]),
        (where("weiß", "D:displayname", "CS:email-address-set"), []),
    ],
)
def test_people_groups_and_rooms_are_found_by_name_and_address(
    people: EngineDav, condition: str, found: list[str]
) -> None:
    assert sorted(search(people, condition)) == found


def test_all_searches_must_match_or_any_of_them(people: EngineDav) -> None:
    both = where("berta"), where("staff", "CS:email-address-set")

    assert sorted(search(people, *both, test="anyof")) == ["/berta/", "/staff/"]
    assert sorted(search(people, *both)) == []
    assert sorted(search(people, where("b"), where("weiß"), test="allof")) == ["/berta/"]


def test_what_is_asked_of_those_who_are_found_is_answered(people: EngineDav) -> None:
    found = search(people, where("berta")).only()

    assert found.text(DAV + "displayname") == "Berta Weiß"
    assert found.hrefs(CALDAV + "calendar-user-address-set") == [
        "mailto:berta@example.org",
        "mailto:bw@firma.example",
        "/berta/",
    ]


def test_the_search_works_at_the_places_that_principal_collection_set_names(people: EngineDav) -> None:
    node = people.value("/anna/", DAV + "principal-collection-set")

    for href in [child.text or "" for child in node.iter(DAV + "href")]:
        assert list(search(people, where("berta"), path=href)) == ["/berta/"]
    applied = search(people, where("berta"), path="/anna/", rest="<D:apply-to-principal-collection-set/>")
    assert list(applied) == ["/berta/"]


def test_more_than_the_limit_is_507_for_the_request_url(world: World, people: EngineDav) -> None:
    dav = world.client(max_results=2)

    found = search(dav, where("example", "CS:email-address-set"))

    assert len(found) == 3
    assert found["/"].status == 507


def test_a_search_without_conditions_finds_everybody_who_may_be_looked_up(
    world: World, people: EngineDav
) -> None:
    assert set(search(people)) == {"/anna/", "/beamer/", "/berta/", "/r1/", "/staff/"}
    assert set(search(world.client(principal_lookup="nobody"))) == {"/anna/"}


@pytest.mark.parametrize("body", ["<D:property-search/>", "<D:property-search><D:prop/></D:property-search>"])
def test_a_search_that_is_half_is_a_bad_request(people: EngineDav, body: str) -> None:
    answer = people.report(
        "/", f"<D:principal-property-search {NS}>{body}</D:principal-property-search>", depth="0"
    )

    assert answer.status == 400


@pytest.mark.parametrize(
    ("lookup", "berta", "room"),
    [("everyone", True, True), ("groups", True, False), ("nobody", False, False)],
)
def test_the_setting_says_who_may_be_looked_up(
    world: World, people: EngineDav, lookup: str, berta: bool, room: bool
) -> None:
    dav = world.client(principal_lookup=lookup)

    assert ("/berta/" in search(dav, where("b"))) is berta
    assert ("/r1/" in search(dav, where("raum"))) is room
    assert "/anna/" in search(dav, where("anna"))
    assert (dav("PROPFIND", "/berta/", Depth="0").status == 207) is berta
    assert (dav("PROPFIND", "/r1/", Depth="0").status == 207) is room
    assert ("/staff/" in search(dav, where("mitarbeiter"))) is berta
    answer = picked(dav, "raum")
    assert ("/r1/" in answer) is room


def test_who_may_not_be_looked_up_is_answered_like_who_does_not_exist(
    world: World, people: EngineDav
) -> None:
    dav = world.client(principal_lookup="nobody")

    there, not_there = (dav("PROPFIND", path, Depth="0") for path in ("/berta/", "/nobody-at-all/"))

    assert there.status == not_there.status == 403
    assert there.body == not_there.body


def test_a_disabled_user_is_not_found(world: World, people: EngineDav) -> None:
    with world.store.write() as txn:
        txn.execute("UPDATE principal SET state = 'disabled' WHERE name = 'berta'")

    assert list(search(people, where("berta"))) == []
    assert people("PROPFIND", "/berta/", Depth="0").status == 403
    assert world.client("berta")("PROPFIND", "/berta/").status == 401


def test_9_5_1_what_can_be_searched_is_announced_and_can_be_searched(people: EngineDav) -> None:
    answer = people.report("/", f"<D:principal-search-property-set {NS}/>", depth="0")

    root = answer.xml()
    listed = [node[0].tag for node in root.iterfind(f"{DAV}principal-search-property/{DAV}prop")]
    assert answer.status == 200
    assert root.tag == DAV + "principal-search-property-set"
    assert {DAV + "displayname", CS + "email-address-set", CALDAV + "calendar-user-address-set"} <= set(
        listed
    )
    assert all(node.text for node in root.iter(DAV + "description"))
    for name in listed:
        namespace, _, local = name[1:].rpartition("}")
        condition = (
            f'<D:property-search><D:prop><x:{local} xmlns:x="{namespace}"/></D:prop><D:match>e</D:match>'
            "</D:property-search>"
        )
        assert len(search(people, condition)) > 0, name


def picked(dav: EngineDav, *words: str, context: str = "", path: str = "/", most: int = 0) -> Multistatus:
    """What the person picker of macOS Calendar sends."""
    attribute = f' context="{context}"' if context else ""
    tokens = "".join(f"<CS:search-token>{word}</CS:search-token>" for word in words)
    limit = f"<CS:limit><CS:nresults>{most}</CS:nresults></CS:limit>" if most else ""
    return dav.report(
        path,
        f"<CS:calendarserver-principal-search {NS}{attribute}>{tokens}{limit}<D:prop><D:displayname/></D:prop>"
        "</CS:calendarserver-principal-search>",
        depth="0",
    ).multistatus()


def test_the_person_picker_finds_by_several_words(people: EngineDav) -> None:
    assert sorted(picked(people, "berta", "weiß")) == ["/berta/"]
    assert sorted(picked(people, "berta", "firma")) == ["/berta/"]
    assert sorted(picked(people, "berta", "schwarz")) == []
    assert sorted(picked(people, "firma.example")) == ["/berta/", "/r1/", "/staff/"]
    assert sorted(picked(people, "firma.example", context="location")) == ["/r1/"]
    assert sorted(picked(people, "beamer", context="resource")) == ["/beamer/"]
    assert picked(people, "firma.example", most=1).truncated


def test_groups_name_their_members_and_members_their_groups(people: EngineDav) -> None:
    asked = (DAV + "group-member-set", DAV + "group-membership", CALDAV + "calendar-user-type")

    group, anna = people.propfind("/staff/", *asked).only(), people.propfind("/anna/", *asked).only()

    assert group.hrefs(DAV + "group-member-set") == ["/anna/", "/berta/"]
    assert group.text(CALDAV + "calendar-user-type") == "GROUP"
    assert anna.hrefs(DAV + "group-membership") == ["/staff/"]
    assert anna.text(CALDAV + "calendar-user-type") == "INDIVIDUAL"


def test_a_principal_says_who_it_is_and_where_its_collections_are(people: EngineDav) -> None:
    found = people.propfind(
        "/anna/",
        DAV + "resourcetype",
        DAV + "displayname",
        DAV + "principal-URL",
        DAV + "alternate-URI-set",
        CALDAV + "calendar-home-set",
        CARDDAV + "addressbook-home-set",
        CS + "email-address-set",
    ).only()

    assert {child.tag for child in found.values[DAV + "resourcetype"]} == {
        DAV + "collection",
        DAV + "principal",
    }
    assert found.hrefs(DAV + "principal-URL") == ["/anna/"]
    assert found.hrefs(CALDAV + "calendar-home-set") == ["/anna/"]
    assert found.hrefs(CARDDAV + "addressbook-home-set") == ["/anna/"]
    assert found.hrefs(DAV + "alternate-URI-set") == ["mailto:anna@example.org"]
    assert [node.text for node in found.values[CS + "email-address-set"]] == ["anna@example.org"]


def test_expand_property_follows_hrefs_over_two_levels(people: EngineDav) -> None:
    answer = people.report(
        "/anna/",
        f'<D:expand-property {NS}><D:property name="displayname"/><D:property name="group-membership">'
        '<D:property name="displayname"/><D:property name="group-member-set"><D:property name="displayname"/>'
        '<D:property name="calendar-user-type" namespace="urn:ietf:params:xml:ns:caldav"/>'
        '<D:property name="nonsense"/></D:property></D:property></D:expand-property>',
    )

    root = answer.xml()
    path = f"./{DAV}response/{DAV}propstat/{DAV}prop/{DAV}group-membership/{DAV}response"
    inner = f"{DAV}propstat/{DAV}prop/{DAV}group-member-set/{DAV}response"
    members = root.findall(f"{path}/{inner}")
    assert [node.findtext(DAV + "href") for node in members] == ["/anna/", "/berta/"]
    assert [node.findtext(f"{DAV}propstat/{DAV}prop/{DAV}displayname") for node in members] == [
        "Anna Müller",
        "Berta Weiß",
    ]
    assert "404 Not Found" in answer.text


def test_expand_property_on_collections_and_objects(people: EngineDav, calendar: str) -> None:
    people.put(calendar + "a.ics", event("a"))
    for path in (calendar, calendar + "a.ics"):
        answer = people.report(
            path,
            f'<D:expand-property {NS}><D:property name="owner"><D:property name="displayname"/></D:property>'
            '<D:property name="getetag"/></D:expand-property>',
        )

        found = answer.xml().find(f"{DAV}response/{DAV}propstat/{DAV}prop/{DAV}owner/{DAV}response")
        assert found is not None
        assert found.findtext(f"{DAV}propstat/{DAV}prop/{DAV}displayname") == "Anna Müller"


def test_expand_property_does_not_reveal_who_may_not_be_looked_up(world: World, people: EngineDav) -> None:
    dav = world.client(principal_lookup="nobody")

    answer = dav.report(
        "/anna/",
        f'<D:expand-property {NS}><D:property name="group-membership"><D:property name="displayname"/>'
        "</D:property></D:expand-property>",
    )

    assert answer.status == 207
    assert "Mitarbeiter" not in answer.text
