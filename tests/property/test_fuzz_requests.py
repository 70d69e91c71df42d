"""Requests of any shape: no error of the server's own, nothing over two seconds, XML that is XML.

TAGWERK_EXAMPLES is the number of requests of each kind (100 without it).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from urllib.parse import quote
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from davclient import NS, Answer, sync_body
from davsamples import BERLIN, card, event, task
from enginedav import EngineDav, World, new_world
from reportsamples import REPORTS
from tagwerk.dav.features import FEATURES
from tagwerk.dav.xml import PREFIXES, split_name
from tagwerk.model import Kind

EXAMPLES = int(os.environ.get("TAGWERK_EXAMPLES", "100"))
SECONDS = 2.0

_PROFILE = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)

WHEN = 'start="20260301T000000Z" end="20270301T000000Z"'
PLACES = (
    "/",
    "/anna/",
    "/berta/",
    "/nobody/",
    "/anna/work/",
    "/anna/friends/",
    "/anna/new/",
    "/anna/work/a.ics",
    "/anna/work/t.ics",
    "/anna/work/new.ics",
    "/anna/friends/c.vcf",
    "/anna/work/a.ics/below",
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with new_world(tmp_path_factory.mktemp("fuzz")) as made:
        made.add_user("anna", addresses=("anna@example.org",))
        made.add_user("berta")
        yield made


def restored(world: World) -> EngineDav:
    """Anna's client, on collections that an earlier request may have changed or removed."""
    client = world.client()
    with world.store.read() as txn:
        there = {row[0] for row in txn.rows("SELECT name FROM binding")}
    if "work" not in there:
        world.add_collection("work")
    if "friends" not in there:
        world.add_collection("friends", Kind.ADDRESSBOOK)
    client.put("/anna/work/a.ics", event("a", more="RRULE:FREQ=DAILY"))
    client.put("/anna/work/t.ics", task("t"))
    client.put("/anna/friends/c.vcf", card("c"))
    return client


def harmless(dav: EngineDav, method: str, path: str, body: str | bytes = b"", **headers: str) -> Answer:
    """Send a request and check what holds for every answer."""
    begin = time.perf_counter()
    answer = dav(method, path, body, **headers)
    took = time.perf_counter() - begin
    assert answer.status < 500 or answer.status in (502, 507), answer.body[:300]
    if took > SECONDS:  # the machine may have been busy with something else
        begin = time.perf_counter()
        dav(method, path, body, **headers)
        took = time.perf_counter() - begin
    assert took <= SECONDS
    if "xml" in answer.headers.get("content-type", "") and answer.body:
        ElementTree.fromstring(answer.body)
    for name, value in answer.headers.items():
        assert name.isascii()
        assert not {"\r", "\n", "\0"} & set(value), (name, value)
    return answer


_PROPERTIES = sorted({p.name for feature in FEATURES for p in feature.properties})
_REPORTS = sorted({r.name for feature in FEATURES for r in feature.reports})
_STRUCTURE = [
    *(f"{{DAV:}}{name}" for name in (
        "propfind", "prop", "allprop", "propname", "include", "propertyupdate", "set", "remove", "mkcol", "acl",
        "ace", "href", "sync-token", "sync-level", "limit", "nresults", "property", "property-search", "match",
        "self", "principal-property", "collection", "nothing", "principal", "grant", "privilege", "error",
    )),
    *(f"{{urn:ietf:params:xml:ns:caldav}}{name}" for name in (
        "mkcalendar", "filter", "comp-filter", "prop-filter", "param-filter", "time-range", "text-match",
        "is-not-defined", "timezone", "timezone-id", "calendar-data", "comp", "prop", "allprop", "allcomp", "expand",
        "limit-recurrence-set", "limit-freebusy-set", "calendar", "opaque", "transparent",
    )),
    *(f"{{urn:ietf:params:xml:ns:carddav}}{name}" for name in (
        "filter", "prop-filter", "param-filter", "text-match", "is-not-defined", "limit", "nresults", "addressbook",
        "address-data", "prop", "allprop", "address-data-type",
    )),
    "{http://calendarserver.org/ns/}search-token",
    "{urn:other}thing",
    "plain",
]  # fmt: skip
_ATTRIBUTES = {
    "name": ["VCALENDAR", "VEVENT", "VTODO", "VALARM", "SUMMARY", "DTSTART", "FN", "EMAIL", "TYPE", "", "displayname", "X" * 300],
    "start": ["20260101T000000Z", "00010101T000000Z", "20260101", "", "99991231T235959Z", "x"],
    "end": ["20270101T000000Z", "99991231T235959Z", "20260101T000000Z", "00010101T000000Z", "-"],
    "collation": ["i;octet", "i;ascii-casemap", "i;unicode-casemap", "default", "i;basic", ""],
    "match-type": ["equals", "contains", "starts-with", "ends-with", "sounds-like"],
    "negate-condition": ["yes", "no", "maybe"],
    "test": ["anyof", "allof", "noneof", ""],
    "version": ["2.0", "3.0", "4.0", "1"],
    "content-type": ["text/calendar", "text/vcard", "text/html", ""],
    "novalue": ["yes", "no", "?"],
    "namespace": ["DAV:", "urn:ietf:params:xml:ns:caldav", "", "{}"],
    "xml:lang": ["de", "x" * 200, '"<>'],
    "context": ["attendee", "location", "x"],
    "match": ["starts-with"],
}  # fmt: skip
_TEXTS = st.one_of(
    st.sampled_from([
        "", "", "1", "0", "-1", "infinite", "infinity", "99999999999999999999", "a", "VEVENT", "Europe/Berlin",
        "/anna/work/a.ics", "/anna/friends/c.vcf", "http://dav.example.org/anna/work/a.ics", "/%ff/", "/../..",
        "urn:tagwerk:sync:0:1", "urn:tagwerk:home:AAAA", "#ff0000", "\u2028", "¼", "²", "\U0001f600", "mailto:x",
        "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:x\nEND:VTIMEZONE\nEND:VCALENDAR", BERLIN, "x" * 5000,
    ]),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), max_size=20),
)  # fmt: skip


def _qualified(name: str) -> tuple[str, str]:
    namespace, local = split_name(name)
    if prefix := PREFIXES.get(namespace):
        return f"{'I' if prefix == 'ICAL' else prefix}:{local}", ""
    return (f"x:{local}", f" xmlns:x={quoteattr(namespace)}") if namespace else (local, "")


def _written(name: str, attributes: dict[str, str], text: str, inside: list[str]) -> str:
    qualified, declared = _qualified(name)
    listed = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    return f"<{qualified}{declared}{listed}>{escape(text)}{''.join(inside)}</{qualified}>"


_NAMES = st.sampled_from([*_STRUCTURE, *_PROPERTIES])
_CHOSEN = st.lists(st.sampled_from(sorted(_ATTRIBUTES)), max_size=3, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: st.sampled_from(_ATTRIBUTES[name]) for name in names})
)
_ELEMENTS = st.recursive(
    st.builds(_written, _NAMES, _CHOSEN, _TEXTS, st.just([])),
    lambda inner: st.builds(_written, _NAMES, _CHOSEN, st.just(""), st.lists(inner, max_size=4)),
    max_leaves=12,
)


@st.composite
def bodies(draw: st.DrawFn, roots: tuple[str, ...]) -> str:
    """A body with one of some roots, and any elements that these standards know in it."""
    body = _written(draw(st.sampled_from(roots)), draw(_CHOSEN), "", draw(st.lists(_ELEMENTS, max_size=5)))
    return body.replace(">", f" {NS}>", 1) if "/>" not in body[: body.index(">") + 1] else body


ROOTS = {
    "PROPFIND": ("{DAV:}propfind",),
    "PROPPATCH": ("{DAV:}propertyupdate",),
    "MKCOL": ("{DAV:}mkcol",),
    "MKCALENDAR": ("{urn:ietf:params:xml:ns:caldav}mkcalendar",),
    "ACL": ("{DAV:}acl",),
    "REPORT": tuple(_REPORTS),
}


@_PROFILE
@given(
    st.sampled_from(sorted(ROOTS)),
    st.sampled_from(PLACES),
    st.sampled_from(["0", "1", "infinity"]),
    st.data(),
)
def test_any_elements_in_any_order(
    world: World, method: str, path: str, depth: str, data: st.DataObject
) -> None:
    harmless(restored(world), method, path, data.draw(bodies(ROOTS[method])), Depth=depth)


SAMPLES: tuple[tuple[str, str], ...] = (
    *(("REPORT", body) for body in REPORTS.values()),
    ("REPORT", sync_body("urn:tagwerk:sync:0:1", limit=1, level="infinite")),
    (
        "REPORT",
        f"<C:calendar-query {NS}><D:prop><C:calendar-data><C:expand {WHEN}/></C:calendar-data></D:prop>"
        f'<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range {WHEN}/>'
        '<C:prop-filter name="SUMMARY"><C:text-match collation="i;octet">x</C:text-match></C:prop-filter>'
        "</C:comp-filter></C:comp-filter></C:filter><C:timezone-id>Europe/Berlin</C:timezone-id>"
        "</C:calendar-query>",
    ),
    (
        "REPORT",
        f'<CR:addressbook-query {NS}><D:prop><CR:address-data version="4.0"><CR:prop name="FN"/></CR:address-data>'
        '</D:prop><CR:filter test="allof"><CR:prop-filter name="EMAIL"><CR:text-match match-type="ends-with">x'
        "</CR:text-match></CR:prop-filter></CR:filter><CR:limit><CR:nresults>1</CR:nresults></CR:limit>"
        "</CR:addressbook-query>",
    ),
    (
        "PROPFIND",
        f"<D:propfind {NS}><D:allprop/><D:include><D:acl/><D:quota-used-bytes/></D:include></D:propfind>",
    ),
    ("PROPFIND", f"<D:propfind {NS}><D:prop><D:getetag/><C:calendar-home-set/></D:prop></D:propfind>"),
    (
        "PROPPATCH",
        f'<D:propertyupdate {NS}><D:set><D:prop xml:lang="de"><D:displayname>x</D:displayname>'
        "<I:calendar-color>#ff0000ff</I:calendar-color></D:prop></D:set><D:remove><D:prop><C:calendar-timezone/>"
        "</D:prop></D:remove></D:propertyupdate>",
    ),
    (
        "MKCOL",
        f"<D:mkcol {NS}><D:set><D:prop><D:resourcetype><D:collection/><CR:addressbook/></D:resourcetype>"
        "<D:displayname>x</D:displayname></D:prop></D:set></D:mkcol>",
    ),
    (
        "MKCALENDAR",
        f'<C:mkcalendar {NS}><D:set><D:prop><C:supported-calendar-component-set><C:comp name="VEVENT"/>'
        "</C:supported-calendar-component-set></D:prop></D:set></C:mkcalendar>",
    ),
)


@st.composite
def mutated(draw: st.DrawFn, body: str) -> str:
    """A valid body in which a few things are gone, doubled, renamed, moved or filled with something else."""
    root = ElementTree.fromstring(body)
    for _ in range(draw(st.integers(0, 3))):
        nodes = list(root.iter())
        node, other = (nodes[draw(st.integers(0, len(nodes) - 1))] for _ in range(2))
        match draw(st.sampled_from(["remove", "double", "rename", "text", "attribute", "add"])):
            case "remove":
                for child in list(node)[:1]:
                    node.remove(child)
            case "double":
                copied = ElementTree.fromstring(ElementTree.tostring(other))
                node.append(copied)
            case "rename":
                node.tag = draw(_NAMES)
            case "text":
                node.text = draw(_TEXTS)
            case "attribute":
                name = draw(st.sampled_from([name for name in sorted(_ATTRIBUTES) if ":" not in name]))
                node.set(name, draw(st.sampled_from(_ATTRIBUTES[name])))
            case "add":
                ElementTree.SubElement(node, draw(_NAMES))
    return ElementTree.tostring(root, encoding="unicode")


@settings(_PROFILE, max_examples=4 * EXAMPLES)
@given(st.sampled_from(SAMPLES), st.sampled_from(PLACES), st.sampled_from(["0", "1", "infinity"]), st.data())
def test_any_body_that_is_nearly_right(
    world: World, sample: tuple[str, str], path: str, depth: str, data: st.DataObject
) -> None:
    method, body = sample

    harmless(restored(world), method, path, data.draw(mutated(body)), Depth=depth)


def _filters(namespace: str) -> st.SearchStrategy[str]:
    """Filters as the standards have them, with any names, values and depths, and now and then with anything."""

    def made(name: str, attributes: st.SearchStrategy[dict[str, str]], *inner: st.SearchStrategy[list[str]]):
        inside = st.tuples(*inner).map(lambda parts: [part for some in parts for part in some])
        return st.builds(_written, st.just(namespace + name), attributes, st.just(""), inside)

    named = st.sampled_from(_ATTRIBUTES["name"][:8]).map(lambda name: {"name": name})
    tested = st.builds(dict.__or__, named, st.sampled_from([{}, {}, {"test": "anyof"}, {"test": "allof"}]))
    text = st.builds(
        _written,
        st.just(f"{namespace}text-match"),
        st.fixed_dictionaries(
            {},
            optional={
                "collation": st.sampled_from(_ATTRIBUTES["collation"][:4]),
                "match-type": st.sampled_from(_ATTRIBUTES["match-type"][:4]),
                "negate-condition": st.sampled_from(["yes", "no"]),
            },
        ),
        _TEXTS,
        st.just([]),
    )
    missing = st.just([_written(f"{namespace}is-not-defined", {}, "", [])])
    spans = st.sampled_from(
        [
            {"start": "20260101T000000Z"},
            {"end": "20260301T080000Z"},
            {"start": "00010101T000000Z", "end": "99991231T235959Z"},
            {"start": "20270301T000000Z", "end": "20270302T000000Z"},
        ]
    )
    span = st.lists(made("time-range", spans), max_size=1) if "caldav" in namespace else st.just([])
    broken = st.lists(st.builds(_written, _NAMES, _CHOSEN, _TEXTS, st.just([])), max_size=1)
    param = st.one_of(
        made("param-filter", named, missing),
        made("param-filter", named, st.lists(text, max_size=1)),
    )
    prop = st.one_of(
        made("prop-filter", tested, missing),
        made("prop-filter", tested, st.lists(text, max_size=1), st.lists(param, max_size=2)),
        made("prop-filter", tested, span, st.lists(text, max_size=1)),
        made("prop-filter", tested, broken),
    )
    if "caldav" not in namespace:
        return prop
    return st.recursive(
        prop,
        lambda inner: st.one_of(
            made("comp-filter", named, missing), made("comp-filter", named, span, st.lists(inner, max_size=3))
        ),
        max_leaves=5,
    )


_DATA_WANTED = st.sampled_from(
    [
        "<D:getetag/>",
        "<C:calendar-data/>",
        '<C:calendar-data><C:expand start="20260301T000000Z" end="20270301T000000Z"/></C:calendar-data>',
        '<C:calendar-data><C:expand start="00010101T000000Z" end="99991231T235959Z"/></C:calendar-data>',
        '<C:calendar-data><C:comp name="VCALENDAR"><C:allprop/><C:comp name="VEVENT"><C:prop name="UID"/></C:comp>'
        "</C:comp></C:calendar-data>",
        '<CR:address-data version="4.0"><CR:prop name="FN"/></CR:address-data>',
        "<D:displayname/><D:acl/><D:resource-id/>",
    ]
)


@_PROFILE
@given(st.sampled_from(["/anna/", "/anna/work/", "/anna/work/a.ics"]), st.data())
def test_any_calendar_filter(world: World, path: str, data: st.DataObject) -> None:
    inside = "".join(data.draw(st.lists(_filters("{urn:ietf:params:xml:ns:caldav}"), max_size=3)))
    props = data.draw(st.one_of(_DATA_WANTED, _ELEMENTS))

    begin = time.perf_counter()
    answer = restored(world).query(path, inside, props=props)

    assert answer.status in (207, 400, 403), answer.body
    assert time.perf_counter() - begin < 2 * SECONDS
    ElementTree.fromstring(answer.body)


@_PROFILE
@given(st.sampled_from(["/anna/", "/anna/friends/", "/anna/friends/c.vcf"]), st.data())
def test_any_card_filter(world: World, path: str, data: st.DataObject) -> None:
    inside = "".join(data.draw(st.lists(_filters("{urn:ietf:params:xml:ns:carddav}"), max_size=3)))

    answer = restored(world).search(path, inside, props=data.draw(st.one_of(_DATA_WANTED, _ELEMENTS)))

    assert answer.status in (207, 400, 403), answer.body
    ElementTree.fromstring(answer.body)


@_PROFILE
@given(st.sampled_from(sorted(ROOTS)), st.sampled_from(PLACES), st.binary(max_size=200))
@example("PROPFIND", "/anna/", b"\xff\xfe<\x00a\x00/\x00>\x00")
@example("PROPFIND", "/anna/", b"<?xml version='1.0' encoding='utf-7'?><a/>")
@example("PROPFIND", "/anna/", b"<?xml version='1.0' encoding='rot13'?><a/>")
@example("REPORT", "/anna/work/", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>")
@example("PROPPATCH", "/anna/work/", b"<D:propertyupdate xmlns:D='DAV:'/>")
def test_any_bytes(world: World, method: str, path: str, body: bytes) -> None:
    harmless(restored(world), method, path, body)


HEADERS: dict[str, list[str]] = {
    "Depth": ["0", "1", "infinity", "INFINITY", "", "-1", "2", "0, 1"],
    "If": [
        "", "(", "()", "(<urn:x>)", "(Not <DAV:no-lock>)", '(["x"])', '</anna/work/> (<urn:x> ["y"])',
        "<http://other/> (Not <x>)", "(<" + "x" * 5000 + ">)", "Not", "(((", '(["x)', "<//> (<x>)", "<http://[> (<x>)",
    ],
    "If_Match": ["*", '"x"', "x", '"x", "y"', "W/*", "", ",,,", '"', 'W/"x"'],
    "If_None_Match": ["*", '"x"', "x", "", ",", '"'],
    "If_Modified_Since": ["Sun, 06 Nov 1994 08:49:37 GMT", "x", "", "Sun, 99 Nov 9999999 08:49:37 GMT", "0"],
    "If_Unmodified_Since": ["Sun, 06 Nov 1994 08:49:37 GMT", "x", "1", "Mon, 01 Jan 0001 00:00:00 +9999"],
    "Range": ["bytes=0-0", "bytes=-1", "bytes=5-", "bytes=9-1", "bytes=0-1,3-4", "lines=1-2", "bytes=-", "bytes=-0",
              "bytes=" + "9" * 5000 + "-", "bytes=²-³", "bytes=0-" + "9" * 400],
    "If_Range": ['"x"', "Sun, 06 Nov 1994 08:49:37 GMT", "x"],
    "Destination": ["/anna/work/z.ics", "http://dav.example.org/anna/work/z.ics", "http://other.example/", "", "z",
                    "http://[::1", "//", "/anna/", "/", "/../x", "/%00", "/%ff", "\u00e4", "/anna/work/", "http://dav.example.org",
                    "/anna/friends/z.vcf", "/anna/z", "/anna/work/a.ics/", "http://dav.example.org:99999/anna/z/", "?", "#"],
    "Overwrite": ["T", "F", "t", "", "maybe"],
    "Prefer": ["return=minimal", "return=representation", "return=", "depth-noroot, return=minimal", "x" * 3000, ";;", "return"],
    "Brief": ["t", "f", ""],
    "Content_Type": ["text/calendar", "text/vcard; charset=utf-16", "text/calendar; charset=nonsense", "/", "", "text/calendar;;;=",
                     'text/calendar; charset="', "multipart/form-data; boundary=x", "text/calendar; charset*=x'y'z", "*/*", "text"],
    "Accept": ["text/calendar", "application/calendar+json", "text/vcard; version=4.0", ""],
    "Host": ["", "[", "a:b:c", "dav.example.org:1", "\u00e4"],
    "X_Forwarded_For": ["1.2.3.4"],
    "CalDAV_Timezones": ["T", "F", "x"],
}  # fmt: skip
METHODS = (
    "GET",
    "HEAD",
    "PUT",
    "POST",
    "DELETE",
    "COPY",
    "MOVE",
    "PROPFIND",
    "OPTIONS",
    "REPORT",
    "MKCOL",
    "LOCK",
)
BODIES: tuple[bytes, ...] = (b"", event("a"), card("c"), b"<x/>", b"\xff\xfe", b"BEGIN:VCALENDAR\r\n")


@_PROFILE
@given(
    st.sampled_from(METHODS),
    st.sampled_from(PLACES),
    st.lists(st.sampled_from(sorted(HEADERS)), max_size=4, unique=True),
    st.sampled_from(BODIES),
    st.data(),
)
def test_any_headers(
    world: World, method: str, path: str, names: list[str], body: bytes, data: st.DataObject
) -> None:
    chosen = {
        name: data.draw(st.one_of(st.sampled_from(HEADERS[name]), st.text(max_size=30))) for name in names
    }

    harmless(restored(world), method, path, body, **chosen)


@_PROFILE
@given(
    st.sampled_from(METHODS),
    st.text(st.sampled_from("/.%aA0ff2eäß\\:?#[]@&=+$, ;~\x00\n\u2028"), max_size=30),
)
def test_any_path(world: World, method: str, path: str) -> None:
    harmless(restored(world), method, "/" + path)


@_PROFILE
@given(st.text(max_size=60))
def test_any_name_that_is_stored_comes_back_under_its_href(world: World, name: str) -> None:
    dav = restored(world)
    place = "/anna/work/" + quote(name.encode("utf-8", "surrogatepass"), safe="")
    before = set(dav.propfind("/anna/work/", "{DAV:}getetag", depth="1"))
    stored = harmless(dav, "PUT", place, event("named"), Content_Type="text/calendar")
    if stored.status != 201:
        return

    ours = sorted(set(dav.propfind("/anna/work/", "{DAV:}getetag", depth="1")) - before)

    assert len(ours) == 1
    assert all(dav.get(href).status == 200 for href in ours)
    assert dav.delete(ours[0]).status == 204
