"""PROPFIND and PROPPATCH (RFC 4918 4, 9.1, 9.2, 15), over HTTP."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from davclient import CALDAV, CARDDAV, CS, DAV, ICAL, NS, not_collections
from davsamples import card, event

EX = "{http://example.org/}"


def canonical(node: ElementTree.Element) -> str:
    return ElementTree.canonicalize(ElementTree.tostring(node, encoding="unicode"))


def test_depth_0_is_the_resource_and_depth_1_what_is_in_it(dav, calendar):
    dav.put(calendar + "a.ics", event("a"))

    zero = dav.propfind(calendar, DAV + "getetag", depth="0")
    one = dav.propfind(calendar, DAV + "getetag", depth="1")

    assert list(zero) == [calendar]
    assert set(one) == {calendar, calendar + "a.ics"}
    assert one[calendar + "a.ics"].etag == dav.get(calendar + "a.ics").etag


def test_depth_1_of_a_home_lists_its_collections(account):
    home = f"/{account.user}/"

    found = account.propfind(home, DAV + "resourcetype", DAV + "displayname", depth="1")

    collections = {home, home + "calendar/", home + "tasks/", home + "contacts/"}
    assert set(found) == collections | not_collections(home)
    assert found[home + "calendar/"].values[DAV + "resourcetype"].find(CALDAV + "calendar") is not None
    assert found[home + "contacts/"].values[DAV + "resourcetype"].find(CARDDAV + "addressbook") is not None
    assert found[home + "calendar/"].text(DAV + "displayname") == "Calendar"


@pytest.mark.parametrize("path", ["/", "/anna/"])
def test_infinite_depth_above_collections_is_refused_as_the_rfc_says(dav, path):
    answer = dav("PROPFIND", path, Depth="infinity")

    assert answer.status == 403
    assert answer.condition == DAV + "propfind-finite-depth"


def test_a_strange_depth_is_a_bad_request(dav, calendar):
    assert dav("PROPFIND", calendar, Depth="2").status == 400


def test_a_missing_property_has_status_404_beside_those_that_are_there(dav, calendar):
    found = dav.propfind(calendar, DAV + "resourcetype", EX + "nothing").only()

    assert set(found.values) == {DAV + "resourcetype"}
    assert found.others == {EX + "nothing": 404}


@pytest.mark.parametrize("body", ["", f"<D:propfind {NS}><D:allprop/></D:propfind>"])
def test_no_body_asks_for_all_properties(dav, calendar, body):
    dav.put(calendar + "a.ics", event("a"))

    found = dav("PROPFIND", calendar + "a.ics", body, Depth="0").multistatus().only()

    assert {
        DAV + name for name in ("getetag", "getcontenttype", "getcontentlength", "getlastmodified")
    } <= set(found.values)
    assert {DAV + "resourcetype", DAV + "creationdate"} <= set(found.values)
    assert CALDAV + "calendar-data" not in found.values


def test_allprop_can_include_more(dav, calendar):
    body = f"<D:propfind {NS}><D:allprop/><D:include><CS:getctag/></D:include></D:propfind>"

    found = dav("PROPFIND", calendar, body, Depth="0").multistatus().only()

    assert {DAV + "resourcetype", CS + "getctag"} <= set(found.values)


def test_allprop_holds_dead_properties(dav, calendar):
    dav.proppatch(calendar, set='<x:mood xmlns:x="http://example.org/">good</x:mood>')

    found = dav("PROPFIND", calendar, Depth="0").multistatus().only()

    assert found.text(EX + "mood") == "good"


def test_propname_names_properties_without_their_values(dav, calendar):
    dav.proppatch(calendar, set='<x:mood xmlns:x="http://example.org/">good</x:mood>')

    body = f"<D:propfind {NS}><D:propname/></D:propfind>"
    found = dav("PROPFIND", calendar, body, Depth="0").multistatus().only()

    assert {DAV + "resourcetype", DAV + "sync-token", EX + "mood"} <= set(found.values)
    assert all(value.text is None and not len(value) for value in found.values.values())


def test_every_property_that_propname_names_can_be_asked_for(dav, calendar, book):
    dav.put(calendar + "a.ics", event("a"))
    dav.put(book + "a.vcf", card("a"))

    for path in ("/", "/anna/", calendar, book, calendar + "a.ics", book + "a.vcf"):
        body = f"<D:propfind {NS}><D:propname/></D:propfind>"
        names = dav("PROPFIND", path, body, Depth="0").multistatus().only().values
        found = dav.propfind(path, *names).only()
        assert set(found.values) == set(names), path


def test_minimal_answers_leave_out_what_is_missing(dav, calendar):
    found = dav.propfind(calendar, DAV + "resourcetype", EX + "nothing", Prefer="return=minimal").only()

    assert set(found.values) == {DAV + "resourcetype"}
    assert found.others == {}


def test_proppatch_is_atomic(dav, calendar):
    dav.proppatch(calendar, set="<D:displayname>before</D:displayname>")

    answer = dav.proppatch(
        calendar,
        set='<D:displayname>after</D:displayname><D:getetag>"x"</D:getetag><x:m xmlns:x="http://example.org/"/>',
    )

    found = answer.multistatus().only()
    assert found.values == {}
    assert found.others == {DAV + "displayname": 424, DAV + "getetag": 403, EX + "m": 424}
    now = dav.propfind(calendar, DAV + "displayname", EX + "m").only()
    assert now.text(DAV + "displayname") == "before"
    assert now.others == {EX + "m": 404}


@pytest.mark.parametrize(
    "name",
    ["resourcetype", "getetag", "getcontentlength", "sync-token", "supported-report-set", "creationdate"],
)
def test_protected_properties_cannot_be_set_or_removed(dav, calendar, name):
    for answer in (
        dav.proppatch(calendar, set=f"<D:{name}>x</D:{name}>"),
        dav.proppatch(calendar, remove=f"<D:{name}/>"),
    ):
        assert answer.multistatus().only().others == {DAV + name: 403}
        assert b"cannot-modify-protected-property" in answer.body


def test_xml_values_are_kept_with_namespaces_attributes_and_mixed_content(dav, calendar):
    value = (
        '<x:v xmlns:x="http://example.org/" xmlns:y="urn:other"> a <y:b y:c="1" d="&quot;&lt;">t<!-- c --></y:b>'
        "&amp; <z xmlns=''/><![CDATA[<raw>]]> tail </x:v>"
    )

    answer = dav.proppatch(calendar, set=value)

    assert set(answer.multistatus().only().values) == {EX + "v"}
    assert canonical(dav.value(calendar, EX + "v")) == canonical(ElementTree.fromstring(value))


def test_the_language_of_a_property_is_kept(dav, calendar):
    dav.proppatch(calendar, set='<D:displayname xml:lang="de">Arbeit</D:displayname>')
    dav.proppatch(calendar, set='<x:v xmlns:x="http://example.org/" xml:lang="fr">travail</x:v>')

    found = dav.propfind(calendar, DAV + "displayname", EX + "v").only()

    lang = "{http://www.w3.org/XML/1998/namespace}lang"
    assert found.values[EX + "v"].get(lang) == "fr"
    assert found.values[DAV + "displayname"].get(lang) == "de"


def test_the_language_can_stand_on_the_prop_element_around(dav, calendar):
    dav(
        "PROPPATCH",
        calendar,
        f'<D:propertyupdate {NS}><D:set><D:prop xml:lang="de"><x:v xmlns:x="http://example.org/">Arbeit</x:v>'
        "</D:prop></D:set></D:propertyupdate>",
    )

    value = dav.value(calendar, EX + "v")

    assert value.get("{http://www.w3.org/XML/1998/namespace}lang") == "de"


def test_a_property_without_a_namespace_is_kept(dav, calendar):
    answer = dav.proppatch(calendar, set="<plain xmlns=''>x</plain>")

    assert answer.multistatus().only().values.keys() == {"plain"}
    body = "<D:propfind xmlns:D='DAV:'><D:prop><plain/></D:prop></D:propfind>"
    assert dav("PROPFIND", calendar, body, Depth="0").multistatus().only().text("plain") == "x"


def test_instructions_are_done_in_their_order(dav, calendar):
    dav(
        "PROPPATCH",
        calendar,
        f'<D:propertyupdate {NS} xmlns:x="http://example.org/">'
        "<D:remove><D:prop><x:a/></D:prop></D:remove><D:set><D:prop><x:a>1</x:a><x:b>1</x:b></D:prop></D:set>"
        "<D:set><D:prop><x:a>2</x:a></D:prop></D:set><D:remove><D:prop><x:b/></D:prop></D:remove>"
        "</D:propertyupdate>",
    )

    found = dav.propfind(calendar, EX + "a", EX + "b").only()

    assert found.text(EX + "a") == "2"
    assert found.others == {EX + "b": 404}


def test_removing_what_is_not_there_is_no_error(dav, calendar):
    answer = dav.proppatch(calendar, remove='<x:never xmlns:x="http://example.org/"/>')

    assert answer.multistatus().only().values.keys() == {EX + "never"}


def test_a_removed_name_falls_back_to_the_name_in_the_path(dav, calendar):
    dav.proppatch(calendar, set="<D:displayname>Arbeit &amp; &lt;mehr&gt;</D:displayname>")
    named = dav.value(calendar, DAV + "displayname").text

    dav.proppatch(calendar, remove="<D:displayname/>")

    assert named == "Arbeit & <mehr>"
    assert dav.value(calendar, DAV + "displayname").text == calendar.split("/")[2]


def test_objects_keep_properties_until_they_are_deleted(dav, calendar):
    dav.put(calendar + "a.ics", event("a"))
    dav.proppatch(calendar + "a.ics", set='<x:v xmlns:x="http://example.org/">1</x:v>')
    before = dav.value(calendar + "a.ics", EX + "v").text
    dav.put(calendar + "a.ics", event("a", summary="changed"))
    after = dav.value(calendar + "a.ics", EX + "v").text

    dav.delete(calendar + "a.ics")
    dav.put(calendar + "a.ics", event("a"))

    assert (before, after) == ("1", "1")
    assert dav.propfind(calendar + "a.ics", EX + "v").only().others == {EX + "v": 404}


def test_homes_keep_properties(account):
    home = f"/{account.user}/"

    account.proppatch(home, set='<x:v xmlns:x="http://example.org/"><x:inner/></x:v>')

    assert account.value(home, EX + "v")[0].tag == EX + "inner"


def test_what_clients_set_on_calendars_comes_back(dav, calendar):
    dav.proppatch(
        calendar,
        set="<I:calendar-color>#FF2968FF</I:calendar-color><I:calendar-order>3</I:calendar-order>"
        "<C:calendar-description>Ä</C:calendar-description>"
        "<C:schedule-calendar-transp><C:opaque/></C:schedule-calendar-transp>",
    )

    found = dav.propfind(
        calendar,
        ICAL + "calendar-color",
        ICAL + "calendar-order",
        CALDAV + "calendar-description",
        CALDAV + "schedule-calendar-transp",
    ).only()

    assert found.text(ICAL + "calendar-color") == "#FF2968FF"
    assert found.text(ICAL + "calendar-order") == "3"
    assert found.text(CALDAV + "calendar-description") == "Ä"
    assert found.values[CALDAV + "schedule-calendar-transp"][0].tag == CALDAV + "opaque"


def test_a_changed_property_changes_the_ctag_and_the_token(dav, calendar):
    before = dav.propfind(calendar, CS + "getctag", DAV + "sync-token").only()

    dav.proppatch(calendar, set="<D:displayname>new</D:displayname>")

    after = dav.propfind(calendar, CS + "getctag", DAV + "sync-token").only()
    assert before.text(CS + "getctag") != after.text(CS + "getctag")
    assert before.text(DAV + "sync-token") != after.text(DAV + "sync-token")


def test_the_root_leads_to_the_principal_and_lists_only_ones_own_home(dav):
    found = dav.propfind("/", DAV + "current-user-principal", depth="1")

    assert set(found) == {"/", "/anna/"}
    assert found["/"].hrefs(DAV + "current-user-principal") == ["/anna/"]


def test_hrefs_are_percent_encoded_and_well_formed(dav, calendar):
    dav.put(calendar + "a%26%3Cb%3E%20%C3%A4.ics", event("a"))

    (href,) = [href for href in dav.propfind(calendar, DAV + "getetag", depth="1") if href != calendar]

    assert href.isascii()
    assert " " not in href
    assert dav.get(href).status == 200


def test_a_minimal_answer_to_proppatch_is_none(dav, calendar):
    """RFC 8144 2.2."""
    body = f"<D:propertyupdate {NS}><D:set><D:prop>%s</D:prop></D:set></D:propertyupdate>"

    done = dav("PROPPATCH", calendar, body % "<D:displayname>x</D:displayname>", Prefer="return=minimal")
    failed = dav("PROPPATCH", calendar, body % "<D:getetag>x</D:getetag>", Prefer="return=minimal")

    assert (done.status, done.body) == (204, b"")
    assert done.headers["preference-applied"] == "return=minimal"
    assert failed.status == 207


def test_the_name_of_a_property_is_no_longer_than_every_engine_can_index(dav, calendar):
    fits, longer = "x" * 1000, "x" * 1001

    answers = [
        dav.proppatch(calendar, set=f'<{name} xmlns="" xml:lang="en">y</{name}>').multistatus().only()
        for name in (fits, longer)
    ]

    assert list(answers[0].values) == [fits]
    assert answers[1].others == {longer: 403}
