"""RFC 4918: properties, COPY and MOVE, the If header, on its own examples where there are some."""

from __future__ import annotations

from xml.etree.ElementTree import fromstring

import pytest

from davclient import CALDAV, DAV, ICAL, NS
from davsamples import card, event, task
from enginedav import NOW, EngineDav, World
from tagwerk.dav.features import FEATURES
from tagwerk.dav.registry import Registry
from tagwerk.dav.resources import Where
from tagwerk.model import Kind

EVERY = f"<D:propfind {NS}><D:allprop/></D:propfind>"


@pytest.fixture
def path(dav: EngineDav, calendar: str) -> str:
    """The path of an event."""
    assert dav.put(calendar + "a.ics", event("a")).status == 201
    return calendar + "a.ics"


# Properties


def test_allprop_is_what_rfc_4918_defines_and_what_clients_set(dav: EngineDav, path: str) -> None:
    dav.proppatch(path, set='<x:mark xmlns:x="urn:x">1</x:mark>')

    found = dav("PROPFIND", path, EVERY, Depth="0").multistatus().only()

    names = {
        "creationdate",
        "getcontentlength",
        "getcontenttype",
        "getetag",
        "getlastmodified",
        "resourcetype",
    }
    assert set(found.values) == {DAV + name for name in names} | {"{urn:x}mark"}
    assert not found.others


def test_9_1_5_allprop_with_include(dav: EngineDav, path: str) -> None:
    body = f"<D:propfind {NS}><D:allprop/><D:include><D:supported-report-set/><D:acl/><D:nothing/></D:include></D:propfind>"

    found = dav("PROPFIND", path, body, Depth="0").multistatus().only()

    assert {DAV + "supported-report-set", DAV + "acl", DAV + "getetag"} <= set(found.values)
    assert found.others == {DAV + "nothing": 404}


def test_9_1_4_propname_names_what_there_is(dav: EngineDav, path: str) -> None:
    dav.proppatch(path, set='<x:mark xmlns:x="urn:x">1</x:mark>')

    found = (
        dav("PROPFIND", path, f"<D:propfind {NS}><D:propname/></D:propfind>", Depth="0").multistatus().only()
    )

    assert "{urn:x}mark" in found.values
    assert all(node.text is None and not len(node) for node in found.values.values())
    assert CALDAV + "calendar-timezone" not in found.values


@pytest.mark.parametrize("where", list(Where))
def test_allprop_is_a_part_of_what_is_registered(where: Where) -> None:
    properties = Registry(FEATURES).properties(where)

    for name, found in properties.items():
        assert not found.in_allprop or name.startswith(DAV)


@pytest.mark.parametrize(
    "body",
    [
        "<D:prop/><D:allprop/>",
        "<D:allprop/><D:propname/>",
        "<D:prop/><D:prop/>",
    ],
)
def test_two_questions_at_once_are_a_bad_request(dav: EngineDav, path: str, body: str) -> None:
    assert dav("PROPFIND", path, f"<D:propfind {NS}>{body}</D:propfind>").status == 400


def test_8_2_unknown_elements_are_passed_over(dav: EngineDav, path: str) -> None:
    body = f'<D:propfind {NS} xmlns:E="urn:e"><E:expired-props/><D:prop><D:getetag/></D:prop><E:more>x</E:more></D:propfind>'

    assert dav("PROPFIND", path, body, Depth="0").multistatus().only().etag


def test_creationdate_stays_and_getlastmodified_follows_changes(
    world: World, dav: EngineDav, path: str, calendar: str
) -> None:
    names = DAV + "creationdate", DAV + "getlastmodified"
    before = dav.propfind(path, *names).only()
    world.clock.now = NOW + 100_000
    dav.put(path, event("a", summary="new"))

    after = dav.propfind(path, *names).only()
    of_calendar = dav.propfind(calendar, *names).only()

    assert before.text(names[0]) == after.text(names[0]) == "2026-02-02T02:40:00Z"
    assert before.text(names[1]) == "Mon, 02 Feb 2026 02:40:00 GMT"
    assert after.text(names[1]) == of_calendar.text(names[1]) == "Tue, 03 Feb 2026 06:26:40 GMT"
    assert dav.get(path).headers["last-modified"] == after.text(names[1])


VALUES = [
    "text",
    "",
    "&lt;not xml&gt; &amp; so on",
    "<x:a/>",
    '<x:a b="1" y:c="2" xmlns:y="urn:y">mixed <x:b>content</x:b> tail</x:a>',
    "<nons>no namespace</nons>",
    '<z xmlns="urn:default"><inner/></z>',
    "  spaces \n and lines ",
    "ä \U0001f600",
    "<x:a><x:b><x:c><x:d>deep</x:d></x:c></x:b></x:a>",
]


def canonical(node) -> tuple[object, ...]:
    return (
        node.tag,
        node.text or "",
        sorted(node.attrib.items()),
        [(canonical(c), c.tail or "") for c in node],
    )


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("place", ["home", "calendar", "object"])
def test_a_dead_property_comes_back_as_it_was_set(
    dav: EngineDav, calendar: str, path: str, place: str, value: str
) -> None:
    where = {"home": "/anna/", "calendar": calendar, "object": path}[place]
    element = f'<x:p xmlns:x="urn:x">{value}</x:p>'

    answer = dav.proppatch(where, set=element)

    assert answer.multistatus().only().values.keys() == {"{urn:x}p"}
    assert canonical(dav.value(where, "{urn:x}p")) == canonical(fromstring(element))


def test_9_2_2_proppatch_does_all_or_nothing(dav: EngineDav, path: str) -> None:
    dav.proppatch(path, set='<Z:Copyright-Owner xmlns:Z="urn:z">old</Z:Copyright-Owner>')

    found = (
        dav(
            "PROPPATCH",
            path,
            f'<D:propertyupdate {NS} xmlns:Z="urn:z"><D:set><D:prop><Z:Authors><Z:Author>Jim</Z:Author></Z:Authors>'
            "</D:prop></D:set><D:remove><D:prop><Z:Copyright-Owner/></D:prop></D:remove><D:set><D:prop>"
            '<D:getetag>"x"</D:getetag></D:prop></D:set></D:propertyupdate>',
        )
        .multistatus()
        .only()
    )

    assert found.others == {DAV + "getetag": 403, "{urn:z}Authors": 424, "{urn:z}Copyright-Owner": 424}
    assert dav.value(path, "{urn:z}Copyright-Owner").text == "old"
    assert dav.propfind(path, "{urn:z}Authors").only().others == {"{urn:z}Authors": 404}


def test_instructions_are_carried_out_in_their_order(dav: EngineDav, path: str) -> None:
    one = '<D:set><D:prop><x:p xmlns:x="urn:x">1</x:p></D:prop></D:set>'
    two = '<D:set><D:prop><x:p xmlns:x="urn:x">2</x:p></D:prop></D:set>'
    removed = '<D:remove><D:prop><x:p xmlns:x="urn:x"/></D:prop></D:remove>'

    def after(*instructions: str) -> str | None:
        dav("PROPPATCH", path, f"<D:propertyupdate {NS}>{''.join(instructions)}</D:propertyupdate>")
        found = dav.propfind(path, "{urn:x}p").only()
        return found.text("{urn:x}p") if "{urn:x}p" in found.values else None

    assert after(one, two) == "2"
    assert after(two, one) == "1"
    assert after(one, removed) is None
    assert after(removed, two) == "2"


@pytest.mark.parametrize(
    ("outer", "middle", "inner", "expected"),
    [("", "", ' xml:lang="de"', "de"), ("", ' xml:lang="fr"', "", "fr"), (' xml:lang="en"', "", "", "en"),
     (' xml:lang="en"', ' xml:lang="fr"', ' xml:lang="de"', "de"), ("", "", "", None)],
)  # fmt: skip
def test_4_3_the_language_in_scope_is_kept(
    dav: EngineDav, path: str, outer: str, middle: str, inner: str, expected: str | None
) -> None:
    body = (
        f"<D:propertyupdate {NS}{outer}><D:set><D:prop{middle}>"
        f'<x:p xmlns:x="urn:x"{inner}>v</x:p></D:prop></D:set></D:propertyupdate>'
    )
    dav("PROPPATCH", path, body)

    for found in (
        dav.propfind(path, "{urn:x}p").only(),
        dav("PROPFIND", path, EVERY, Depth="0").multistatus().only(),
    ):
        assert found.values["{urn:x}p"].get("{http://www.w3.org/XML/1998/namespace}lang") == expected
        assert found.text("{urn:x}p") == "v"


def test_setting_again_without_a_language_forgets_it(dav: EngineDav, calendar: str) -> None:
    dav.proppatch(calendar, set='<D:displayname xml:lang="de">Arbeit</D:displayname>')
    with_language = dav.value(calendar, DAV + "displayname")
    dav.proppatch(calendar, set="<D:displayname>Work</D:displayname>")

    without = dav.value(calendar, DAV + "displayname")

    assert with_language.get("{http://www.w3.org/XML/1998/namespace}lang") == "de"
    assert without.text == "Work"
    assert not without.attrib


@pytest.mark.parametrize("place", ["/", "/anna/"])
def test_infinite_depth_above_collections_is_refused(dav: EngineDav, path: str, place: str) -> None:
    answer = dav("PROPFIND", place, EVERY, Depth="infinity")

    assert (answer.status, answer.condition) == (403, DAV + "propfind-finite-depth")


def test_infinite_depth_on_a_collection_is_depth_1(dav: EngineDav, path: str, calendar: str) -> None:
    found = dav("PROPFIND", calendar, EVERY, Depth="infinity").multistatus()

    assert list(found) == [calendar, path]


# COPY and MOVE


def test_9_8_a_copied_object_keeps_bytes_and_properties_and_gets_its_own_time(
    world: World, dav: EngineDav, path: str
) -> None:
    other = world.add_collection("other")
    dav.proppatch(path, set='<x:p xmlns:x="urn:x">v</x:p>')
    world.clock.now = NOW + 100

    assert dav.copy(path, other + "b.ics").status == 201

    assert dav.get(other + "b.ics").body == dav.get(path).body
    assert dav.value(other + "b.ics", "{urn:x}p").text == "v"
    dav.proppatch(other + "b.ics", set='<x:p xmlns:x="urn:x">w</x:p>')
    assert dav.value(path, "{urn:x}p").text == "v"


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize("overwrite", [None, "T", "t", "F"])
@pytest.mark.parametrize("there", [True, False])
def test_10_6_overwrite(
    world: World, dav: EngineDav, path: str, method: str, overwrite: str | None, there: bool
) -> None:
    other = world.add_collection("other")
    if there:
        dav.put(other + "b.ics", event("b"))
    headers = {"Overwrite": overwrite} if overwrite else {}

    answer = dav(method, path, Destination=dav.absolute(other + "b.ics"), **headers)

    refused = there and overwrite == "F"
    assert answer.status == (412 if refused else 204 if there else 201)
    assert (dav.get(other + "b.ics").status == 200) is (there or not refused)
    assert (b"UID:b" in dav.get(other + "b.ics").body) is refused
    assert dav.get(path).status == (200 if refused or method == "COPY" else 404)


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize("overwrite", ["T", "F"])
def test_collections_are_overwritten_as_a_whole(
    world: World, dav: EngineDav, path: str, calendar: str, method: str, overwrite: str
) -> None:
    other = world.add_collection("other")
    dav.put(other + "old.ics", event("old"))
    old = dav.sync(other).multistatus().token

    answer = dav(method, calendar, Destination=dav.absolute(other), Overwrite=overwrite)

    if overwrite == "F":
        assert answer.status == 412
        assert dav.get(other + "old.ics").status == 200
        return
    assert answer.status == 204
    assert dav.sync(other).multistatus().names == ["a.ics"]
    # The history of what was there before is over.
    assert dav.sync(other, old).status == 403
    assert dav.get(path).status == (200 if method == "COPY" else 404)


def test_a_collection_is_copied_empty_with_depth_0(dav: EngineDav, path: str, calendar: str) -> None:
    dav.proppatch(calendar, set="<I:calendar-color>#ff0000</I:calendar-color>")

    answer = dav("COPY", calendar, Destination=dav.absolute("/anna/copy/"), Depth="0")

    assert answer.status == 201
    assert dav.sync("/anna/copy/").multistatus().names == []
    assert dav.value("/anna/copy/", ICAL + "calendar-color").text == "#ff0000"


def test_a_moved_collection_keeps_its_tokens(dav: EngineDav, path: str, calendar: str) -> None:
    token = dav.sync(calendar).multistatus().token

    assert dav.move(calendar, "/anna/moved/").status == 201

    assert len(dav.sync("/anna/moved/", token).multistatus()) == 0
    assert dav("PROPFIND", calendar, Depth="0").status == 404


@pytest.mark.parametrize(
    ("source", "to", "status"),
    [
        ("/anna/work/a.ics", "/anna/tasks/a.ics", 403),
        ("/anna/work/a.ics", "/anna/friends/a.vcf", 403),
        ("/anna/friends/c.vcf", "/anna/work/c.ics", 403),
        ("/anna/work/a.ics", "/anna/nothing/a.ics", 409),
        ("/anna/work/a.ics", "/anna/a.ics", 409),
        ("/anna/work/a.ics", "/anna/work/x/a.ics", 409),
        ("/anna/work/a.ics", "/berta/work/a.ics", 403),
        ("/anna/work/a.ics", "/anna/work/a.ics", 403),
        ("/anna/work/", "/anna/friends/x/", 409),
        ("/anna/work/", "/berta/work/", 403),
        ("/anna/work/", "/anna/", 403),
        ("/anna/work/", "/", 409),
        ("/anna/", "/anna2/", 405),
        ("/anna/work/nothing.ics", "/anna/work/b.ics", 404),
    ],
)
@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_what_cannot_be_transferred_stays_where_it_is(
    world: World, dav: EngineDav, path: str, method: str, source: str, to: str, status: int
) -> None:
    world.add_user("berta")
    world.add_collection("work", user="berta")
    world.add_collection("tasks", components=("VTODO",))
    world.add_collection("friends", Kind.ADDRESSBOOK)
    dav.put("/anna/friends/c.vcf", card("c"))

    answer = dav(method, source, Destination=dav.absolute(to))

    assert answer.status == status, answer.body
    assert dav.get(path).status == 200
    assert dav.get("/anna/friends/c.vcf").status == 200


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_a_uid_that_is_there_stands_in_the_way_and_nothing_happens(
    world: World, dav: EngineDav, path: str, method: str
) -> None:
    other = world.add_collection("other")
    dav.put(other + "same.ics", event("a"))
    dav.put(other + "b.ics", event("b"))
    token = dav.sync(other).multistatus().token

    answer = dav(method, path, Destination=dav.absolute(other + "b.ics"))

    assert (answer.status, answer.condition) == (409, CALDAV + "no-uid-conflict")
    assert other + "same.ics" in answer.text
    assert dav.get(path).status == 200
    assert b"UID:b" in dav.get(other + "b.ics").body
    assert len(dav.sync(other, token).multistatus()) == 0


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_replacing_the_object_with_the_same_uid_is_no_conflict(
    world: World, dav: EngineDav, path: str, method: str
) -> None:
    other = world.add_collection("other")
    dav.put(other + "same.ics", event("a", summary="old"))

    assert dav(method, path, Destination=dav.absolute(other + "same.ics")).status == 204

    assert b"SUMMARY:Fr" in dav.get(other + "same.ics").body


@pytest.mark.parametrize(
    ("destination", "status"),
    [
        ("http://dav.example.org/anna/work/b.ics", 201),
        ("https://dav.example.org/anna/work/b.ics", 201),
        ("http://dav.example.org:8443/anna/work/b.ics", 201),
        ("/anna/work/b.ics", 201),
        ("http://other.example/anna/work/b.ics", 502),
        ("", 400),
        ("/anna/work/%ff.ics", 400),
        ("/anna/work/..", 400),
    ],
)
def test_10_3_destination(dav: EngineDav, path: str, destination: str, status: int) -> None:
    assert dav("MOVE", path, Destination=destination).status == status


def test_a_mounted_server_takes_destinations_below_its_prefix(world: World, path: str) -> None:
    dav = world.client(base="/dav")

    inside = dav("MOVE", path, Destination=dav.absolute("/dav/anna/work/b.ics"))
    outside = dav("MOVE", "/anna/work/b.ics", Destination=dav.absolute("/anna/work/c.ics"))

    assert inside.status == 201
    assert inside.headers["location"] == "/dav/anna/work/b.ics"
    assert outside.status == 400


# The If header


def test_10_4_if_holds_for_etags_and_sync_tokens(dav: EngineDav, path: str, calendar: str) -> None:
    etag = dav.get(path).etag
    token = dav.sync(calendar).multistatus().token
    there = f"http://dav.example.org{path}"

    def status(condition: str) -> int:
        return dav("PROPFIND", path, Depth="0", If=condition).status

    assert status(f"([{etag}])") == 207
    assert status('(["other"])') == 412
    assert status(f'(["other"]) ([{etag}])') == 207
    assert status(f'(Not ["other"] [{etag}])') == 207
    assert status(f"(Not [{etag}])") == 412
    assert status(f"(<{token}>)") == 207
    assert status(f"(<{token}> [{etag}])") == 207
    assert status("(<urn:uuid:x>)") == 412
    assert status("(Not <DAV:no-lock>)") == 207
    assert status("(<DAV:no-lock>)") == 412
    assert status(f"<{there}> ([{etag}])") == 207
    assert status(f"<{path}> ([{etag}])") == 207
    assert status(f'</anna/nothing/> (["x"]) <{path}> ([{etag}])') == 207
    assert status(f"<{calendar}> (<{token}>)") == 207


@pytest.mark.parametrize(
    "condition", ["(", "()", ")", "x", "([", '(["x"]', "<x>", "Not (<x>)", "<a> <b> (<c>)x"]
)
def test_an_if_header_that_cannot_be_read_is_a_bad_request(dav: EngineDav, path: str, condition: str) -> None:
    assert dav("PROPFIND", path, If=condition).status == 400


def test_rfc_6578_5_a_write_can_be_bound_to_a_sync_token(dav: EngineDav, path: str, calendar: str) -> None:
    token = dav.sync(calendar).multistatus().token
    condition = f"<{calendar}> (<{token}>)"
    body = event("b")

    first = dav.put(calendar + "b.ics", body, If=condition)
    second = dav.put(calendar + "c.ics", event("c"), If=condition)

    assert first.status == 201
    assert second.status == 412
    assert dav.get(calendar + "c.ics").status == 404


def test_deleting_what_is_not_there_is_404_and_changes_nothing(
    dav: EngineDav, path: str, calendar: str
) -> None:
    token = dav.sync(calendar).multistatus().token

    assert dav.delete(calendar + "nothing.ics").status == 404
    assert dav.delete("/anna/nothing/").status == 404
    assert dav.delete(calendar + "nothing.ics", If_Match='"x"').status in (404, 412)

    assert len(dav.sync(calendar, token).multistatus()) == 0


def test_one_collection_holds_every_kind_of_component(dav: EngineDav, calendar: str) -> None:
    dav.put(calendar + "a.ics", event("a"))
    dav.put(calendar + "t.ics", task("t"))

    found = dav.propfind(calendar, DAV + "getcontenttype", depth="1")

    assert (
        found[calendar + "t.ics"].text(DAV + "getcontenttype")
        == "text/calendar; charset=utf-8; component=VTODO"
    )
