"""Requests that are made to hurt: bounded time, no 500, and XML that stays XML."""

from __future__ import annotations

import base64
import json
import time
import zlib
from xml.etree.ElementTree import fromstring

import pytest

from davclient import NS as ALL_NS
from davsamples import event
from tagwerk.dav import expand_property, multistatus, quota
from tagwerk.model import Access
from tagwerk.sharing import shares
from tagwerk.sharing.shares import By
from tagwerk.store.collections import find_binding
from tagwerk.store.principals import principal_by_name

NS = 'xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/"'


@pytest.fixture
def path(dav, calendar):
    """The path of an object."""
    dav.put(calendar + "a.ics", event("a"))
    return calendar + "a.ics"


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("If", "([" + " " * 20_000 + "x)"),
        ("If", "(<" + " " * 20_000),
        ("If_Match", "x" + " " * 20_000 + '"'),
        ("If_None_Match", "x" + " " * 20_000 + '"'),
        ("If_None_Match", '"' * 20_001),
        ("Range", "bytes=" + " " * 20_000),
        ("If_Modified_Since", "(" * 20_000),
        ("Accept_Encoding", ";" * 20_000),
    ],
)
def test_a_header_of_any_shape_is_read_in_a_moment(dav, path, header, value):
    begun = time.perf_counter()

    dav("GET", path, **{header: value})

    assert time.perf_counter() - begun < 0.5


@pytest.mark.parametrize("value", ["bytes=" + "9" * 5000 + "-", "bytes=-" + "9" * 5000])
def test_a_range_of_thousands_of_digits_is_no_range(dav, path, value):
    assert dav("GET", path, Range=value).status == 200


def test_head_has_no_ranges(dav, path):
    answer = dav("HEAD", path, Range="bytes=0-3")

    assert answer.status == 200
    assert int(answer.headers["content-length"]) == len(dav.get(path).body)


def test_the_if_header_may_name_what_is_no_url(dav, path):
    assert dav("GET", path, If='<http://[/x> (["a"])').status == 412


def test_a_property_may_point_to_what_is_no_url(dav, calendar):
    dav(
        "PROPPATCH",
        calendar,
        f'<D:propertyupdate {NS} xmlns:X="urn:x"><D:set><D:prop><X:h><D:href>http://[</D:href></X:h></D:prop>'
        "</D:set></D:propertyupdate>",
    )

    answer = dav(
        "REPORT",
        calendar,
        f'<D:expand-property {NS}><D:property name="h" namespace="urn:x"><D:property name="owner"/></D:property>'
        "</D:expand-property>",
    )

    assert answer.status == 207


@pytest.mark.parametrize(
    ("name", "namespace"),
    [
        ("foo&gt;&lt;script", "urn:x"),
        ("a b", "urn:x"),
        ("a:b", "urn:x"),
        ("1a", "urn:x"),
        ("²", "urn:x"),
        ("lang", "http://www.w3.org/XML/1998/namespace"),
        ("a", "http://www.w3.org/2000/xmlns/"),
        ("a", "{}"),
    ],
)
def test_a_property_in_an_attribute_must_be_a_name(dav, calendar, name, namespace):
    answer = dav(
        "REPORT",
        calendar,
        f'<D:expand-property {NS}><D:property name="{name}" namespace="{namespace}"/></D:expand-property>',
    )

    assert answer.status == 400


@pytest.mark.parametrize(
    "namespace", ["{", "a&quot;&gt;&lt;b", "http://www.w3.org/XML/1998/namespace", "é", "a" * 5000]
)
def test_any_namespace_comes_back_as_it_was(dav, calendar, namespace):
    asked = "xml:foo/" if namespace.endswith("/namespace") else f'x:foo xmlns:x="{namespace}"/'

    answer = dav("PROPFIND", calendar, f"<D:propfind {NS}><D:prop><{asked}></D:prop></D:propfind>", Depth="0")

    wanted = fromstring(f"<{asked}>").tag
    assert [node.tag for node in fromstring(answer.body).iterfind(".//{DAV:}prop/*")] == [wanted]


def test_a_request_asks_for_a_bounded_number_of_properties(dav, calendar):
    names = "".join(f"<D:p{number}/>" for number in range(multistatus.MAX_PROPERTIES + 1))

    answer = dav("PROPFIND", calendar, f"<D:propfind {NS}><D:prop>{names}</D:prop></D:propfind>")

    assert answer.status == 400


def test_an_expansion_leads_to_a_bounded_number_of_properties(dav, calendar):
    hrefs = "<D:href>/anna/</D:href>" * 100
    dav(
        "PROPPATCH",
        calendar,
        f'<D:propertyupdate {NS} xmlns:X="urn:x"><D:set><D:prop><X:h>{hrefs}</X:h></D:prop></D:set>'
        "</D:propertyupdate>",
    )
    names = '<D:property name="x"/>' * (expand_property.MAX_VALUES // 100 + 1)

    answer = dav(
        "REPORT",
        calendar,
        f'<D:expand-property {NS}><D:property name="h" namespace="urn:x">{names}</D:property></D:expand-property>',
    )

    assert answer.status == 400


@pytest.mark.parametrize("number", ["9" * 5000, "9" * 30, "-1", "x"])
def test_a_search_with_a_limit_of_any_size_is_answered(dav, number):
    answer = dav(
        "REPORT",
        "/",
        f"<CS:calendarserver-principal-search {NS}><CS:search-token>a</CS:search-token>"
        f"<CS:limit><CS:nresults>{number}</CS:nresults></CS:limit></CS:calendarserver-principal-search>",
    )

    assert answer.status in (207, 400)


@pytest.mark.parametrize("name", ["\ud800", 1, None, "x" * 5000])
def test_a_forged_token_of_a_home_is_no_token(dav, calendar, name):
    packed = zlib.compress(json.dumps([0, [[name, "aa", 1, 0]]]).encode())
    token = "urn:tagwerk:home:" + base64.urlsafe_b64encode(packed).decode().rstrip("=")

    answer = dav(
        "REPORT",
        "/anna/",
        f"<D:sync-collection {NS}><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level>"
        "<D:prop/></D:sync-collection>",
    )

    assert answer.status == 403


def test_a_language_is_an_attribute_and_nothing_else(dav, calendar):
    dav(
        "PROPPATCH",
        calendar,
        f'<D:propertyupdate {NS}><D:set><D:prop xml:lang="de"><D:displayname>Büro</D:displayname></D:prop></D:set>'
        "</D:propertyupdate>",
    )

    answer = dav(
        "PROPFIND", calendar, f"<D:propfind {NS}><D:prop><D:displayname/></D:prop></D:propfind>", Depth="0"
    )

    assert '<D:displayname xml:lang="de">Büro</D:displayname>'.encode() in answer.body


def test_free_busy_does_not_take_a_runaway_for_free_time(dav, calendar):
    dav.put(calendar + "a.ics", event("a", more="RRULE:FREQ=DAILY"))

    answer = dav(
        "REPORT",
        calendar,
        f'<C:free-busy-query {ALL_NS}><C:time-range start="00010101T000000Z" end="99991231T235959Z"/></C:free-busy-query>',
    )

    assert (answer.status, answer.condition) == (403, "{DAV:}number-of-matches-within-limits")


def test_an_expansion_of_everything_is_answered_in_bounded_time(dav, calendar):
    dav.put(calendar + "a.ics", event("a", more="RRULE:FREQ=DAILY"))
    begun = time.perf_counter()

    answer = dav(
        "REPORT",
        calendar,
        f'<C:calendar-query {ALL_NS}><D:prop><C:calendar-data><C:expand start="00010101T000000Z" end="99991231T235959Z"/>'
        '</C:calendar-data></D:prop><C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>',
    )

    assert b"RRULE" in answer.body
    assert time.perf_counter() - begun < 3


@pytest.mark.parametrize("place", ["/anna/work/", "/anna/"])
def test_properties_hold_a_bounded_amount(dav, calendar, place):
    def patch(number: int) -> int:
        props = "".join(f"<X:p{number}-{each}>{'x' * 200_000}</X:p{number}-{each}>" for each in range(15))
        body = f'<D:propertyupdate {NS} xmlns:X="urn:x"><D:set><D:prop>{props}</D:prop></D:set></D:propertyupdate>'
        return dav("PROPPATCH", place, body).status

    assert (patch(1), patch(2)) == (207, 507)
    assert (
        b"p2-1" not in dav("PROPFIND", place, f"<D:propfind {NS}><D:propname/></D:propfind>", Depth="0").body
    )


def test_properties_hold_a_bounded_amount_in_whatever_place(world, dav, calendar, monkeypatch):
    def patch(place: str, size: int = 200_000, times: int = 6) -> int:
        props = "".join(f"<X:p{each}>{'x' * size}</X:p{each}>" for each in range(times))
        body = f'<D:propertyupdate {NS} xmlns:X="urn:x"><D:set><D:prop>{props}</D:prop></D:set></D:propertyupdate>'
        return dav("PROPPATCH", place, body).status

    dav.put(calendar + "a.ics", event("a"))
    world.add_user("ben")
    second = world.add_collection("second")
    theirs = world.add_collection("theirs", user="ben")
    with world.store.write() as txn:
        anna = principal_by_name(txn, "anna")
        shares.share(txn, find_binding(txn, "ben", "theirs"), anna, Access.READ, by=By("tests", 1))

    assert [patch(place) for place in ("/anna/", calendar + "a.ics", "/anna/theirs/")] == [207] * 3
    assert [patch(place) for place in (calendar, second, "/anna/", calendar + "a.ics")] == [
        507,
        507,
        207,
        207,
    ]
    copied = [
        dav("COPY", calendar + "a.ics", Destination=f"http://dav.example.org{second}a.ics"),
        dav("COPY", calendar, Destination="http://dav.example.org/anna/third/"),
    ]
    assert [answer.status for answer in copied] == [507, 507]
    assert dav("PROPFIND", "/anna/third/", Depth="0").status == 404
    # Who has too much may remove some of it.
    monkeypatch.setattr(quota, "MAX_PROPERTIES", 1000)
    assert dav.proppatch(calendar + "a.ics", remove='<X:p1 xmlns:X="urn:x"/>').status == 207
    assert dav.proppatch(calendar + "a.ics", set='<X:p1 xmlns:X="urn:x">x</X:p1>').status == 507
    # What others have of their own is theirs.
    ben_dav = world.client("ben")
    body = f'<D:propertyupdate {NS} xmlns:X="urn:x"><D:set><D:prop><X:p>x</X:p></D:prop></D:set></D:propertyupdate>'
    assert ben_dav("PROPPATCH", theirs, body).status == 207
