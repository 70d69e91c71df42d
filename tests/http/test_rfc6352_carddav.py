"""Address books: cards, addressbook-query, addressbook-multiget (RFC 6352), over HTTP."""

from __future__ import annotations

import time

import pytest

from davclient import CARDDAV, DAV, NS
from davsamples import card, event, lines

DATA = CARDDAV + "address-data"


@pytest.fixture
def people(dav, book):
    bodies = {
        "gross.vcf": card(
            "gross",
            name="Jürgen Groß",
            more="EMAIL;TYPE=WORK:j.gross@example.org\nTEL;TYPE=CELL:+49170\nORG:Werk;Halle 1",
        ),
        "mueller.vcf": card(
            "mueller", name="Änne Müller", more="EMAIL;TYPE=HOME:aenne@example.com\nNICKNAME:Ä"
        ),
        "smith.vcf": card("smith", name="Bob Smith", version="4.0", more="NOTE:knows Jürgen"),
    }
    for name, body in bodies.items():
        assert dav.put(book + name, body).status == 201
    return book


def prop(name: str, *matches: str, test: str = "") -> str:
    attribute = f' test="{test}"' if test else ""
    return f'<CR:prop-filter name="{name}"{attribute}>{"".join(matches)}</CR:prop-filter>'


def text(value: str, **attributes: str) -> str:
    written = "".join(f' {name.replace("_", "-")}="{kind}"' for name, kind in attributes.items())
    return f"<CR:text-match{written}>{value}</CR:text-match>"


@pytest.mark.parametrize(
    ("filters", "test", "names"),
    [
        ("", "", ["gross.vcf", "mueller.vcf", "smith.vcf"]),
        (prop("EMAIL"), "", ["gross.vcf", "mueller.vcf"]),
        (prop("EMAIL", "<CR:is-not-defined/>"), "", ["smith.vcf"]),
        (prop("FN", text("jürgen")), "", ["gross.vcf"]),
        (prop("FN", text("JÜRGEN")), "", ["gross.vcf"]),
        (prop("FN", text("JÜRGEN", collation="i;ascii-casemap")), "", []),
        (prop("FN", text("Jürgen Groß", match_type="equals")), "", ["gross.vcf"]),
        (prop("FN", text("Jürgen", match_type="equals")), "", []),
        (prop("FN", text("bob", match_type="starts-with")), "", ["smith.vcf"]),
        (prop("FN", text("smith", match_type="ends-with")), "", ["smith.vcf"]),
        (prop("FN", text("müller", negate_condition="yes")), "", ["gross.vcf", "smith.vcf"]),
        (prop("fn", text("bob")) + prop("NOTE", text("jürgen")), "allof", ["smith.vcf"]),
        (prop("FN", text("jürgen")) + prop("NOTE", text("jürgen")), "anyof", ["gross.vcf", "smith.vcf"]),
        (prop("FN", text("jürgen")) + prop("NOTE", text("jürgen")), "", ["gross.vcf", "smith.vcf"]),
        (prop("FN", text("jürgen"), text("groß"), test="allof"), "", ["gross.vcf"]),
        (prop("FN", text("müller"), text("groß"), test="anyof"), "", ["gross.vcf", "mueller.vcf"]),
        (
            prop(
                "EMAIL", '<CR:param-filter name="TYPE"><CR:text-match>home</CR:text-match></CR:param-filter>'
            ),
            "",
            ["mueller.vcf"],
        ),
        (
            prop("EMAIL", '<CR:param-filter name="PREF"><CR:is-not-defined/></CR:param-filter>'),
            "",
            ["gross.vcf", "mueller.vcf"],
        ),
        (prop("ORG", text("Halle")), "", ["gross.vcf"]),
        (prop("UID", text("smith", collation="i;octet", match_type="equals")), "", ["smith.vcf"]),
    ],
)
def test_filters(dav, people, filters, test, names):
    answer = dav.search(people, filters, test=test)

    assert answer.multistatus().names == names


def test_address_data_comes_byte_for_byte(dav, people):
    found = dav.search(people, "", props="<D:getetag/><CR:address-data/>").multistatus()

    for href, one in found.found.items():
        assert one.text(DATA).encode() == dav.get(href).body
        assert one.etag == dav.get(href).etag


def test_part_of_the_data_can_be_asked_for(dav, people):
    found = dav.search(
        people,
        prop("EMAIL", text("j.gross")),
        props='<CR:address-data><CR:prop name="VERSION"/><CR:prop name="UID"/><CR:prop name="FN"/></CR:address-data>',
    ).multistatus()

    data = found.only().text(DATA)
    assert "FN:Jürgen Groß" in data
    assert "UID:gross" in data
    assert "EMAIL" not in data


def test_a_limit_cuts_the_answer_and_says_so(dav, people):
    answer = dav.search(people, "", rest="<CR:limit><CR:nresults>2</CR:nresults></CR:limit>")

    found = answer.multistatus()
    assert len(found.names) == 2
    assert found[people].status == 507
    assert found[people].condition == DAV + "number-of-matches-within-limits"


def test_multiget(dav, people):
    found = dav.multiget(
        people,
        people + "gross.vcf",
        people + "missing.vcf",
        props="<D:getetag/><CR:address-data/>",
        card=True,
    ).multistatus()

    assert found[people + "gross.vcf"].text(DATA).encode() == dav.get(people + "gross.vcf").body
    assert found[people + "missing.vcf"].status == 404


@pytest.mark.parametrize(
    ("filters", "condition"),
    [
        (prop("FN", text("x", collation="i;klingon")), "supported-collation"),
        ("<CR:made-up/>", "supported-filter"),
        (prop("FN", text("x", match_type="sounds-like")), "supported-filter"),
        ("<CR:prop-filter/>", "supported-filter"),
    ],
)
def test_wrong_filters_are_refused_with_their_precondition(dav, people, filters, condition):
    answer = dav.search(people, filters)

    assert answer.status == 403
    assert answer.condition == CARDDAV + condition
    assert answer.sentence


def test_a_query_without_a_filter_is_refused(dav, people):
    answer = dav.report(
        people, f"<CR:addressbook-query {NS}><D:prop><D:getetag/></D:prop></CR:addressbook-query>"
    )

    assert answer.status in (400, 403)
    assert answer.sentence


def test_a_uid_is_unique_in_its_address_book(dav, book):
    dav.put(book + "a.vcf", card("same"))

    answer = dav.put(book + "b.vcf", card("same"))

    assert answer.status in (403, 409)
    assert answer.condition == CARDDAV + "no-uid-conflict"
    assert answer.xml().findtext(f"{CARDDAV}no-uid-conflict/{DAV}href") == book + "a.vcf"


@pytest.mark.parametrize(
    "body",
    [b"", b"hello", b"\x00\xff" * 50, event("a"), card("a") + card("b"), b"BEGIN:VCARD\r\nVERSION:3.0\r\n"],
    ids=["empty", "text", "binary", "event", "two", "cut"],
)
def test_what_is_no_card_is_refused_and_nothing_changes(dav, book, body):
    token = dav.sync(book).multistatus().token

    answer = dav.put(book + "a.vcf", body)

    assert answer.status == 403
    assert answer.condition.startswith(CARDDAV)
    assert answer.sentence
    assert dav.sync(book).multistatus().token == token


def test_a_wrong_media_type_is_refused_with_its_precondition(dav, book):
    answer = dav.put(book + "a.vcf", card("a"), **{"Content-Type": "image/png"})

    assert answer.status in (403, 415)
    assert answer.condition == CARDDAV + "supported-address-data"


@pytest.mark.parametrize(
    "kind", ["text/vcard", "text/x-vcard; charset=utf-8", "text/directory; profile=vcard"]
)
def test_the_media_types_of_older_clients_are_taken(dav, book, kind):
    assert dav.put(book + "a.vcf", card("a"), **{"Content-Type": kind}).status == 201


def test_photos_and_groups_survive(dav, book):
    body = lines(
        "BEGIN:VCARD\nVERSION:3.0\nUID:p\nFN:P\nN:P;;;;\nitem1.EMAIL:p@example.org\nitem1.X-ABLABEL:_$!<Other>!$_\n"
        "PHOTO;ENCODING=b;TYPE=JPEG:"
        + "\n ".join(["/9j/4AAQSkZJRgABAQEAYABgAAD" * 2] * 3000)
        + "\nEND:VCARD\n"
    )

    stored = dav.put(book + "p.vcf", body)

    assert stored.etag is not None
    assert dav.get(book + "p.vcf").body == body


def test_a_card_that_is_too_large_is_refused_with_its_precondition(dav, book):
    limit = int(dav.value(book, CARDDAV + "max-resource-size").text)

    answer = dav.put(book + "a.vcf", card("a", more="NOTE:" + "x" * limit))

    assert answer.status in (403, 413)
    assert answer.condition == CARDDAV + "max-resource-size"


def test_properties_of_an_address_book(dav, book):
    dav.proppatch(book, set="<CR:addressbook-description>Leute</CR:addressbook-description>")

    found = dav.propfind(
        book,
        CARDDAV + "supported-address-data",
        CARDDAV + "addressbook-description",
        CARDDAV + "supported-collation-set",
        DAV + "supported-report-set",
    ).only()

    versions = {node.get("version") for node in found.values[CARDDAV + "supported-address-data"]}
    reports = {node.tag for node in found.values[DAV + "supported-report-set"].iter()}
    collations = {node.text for node in found.values[CARDDAV + "supported-collation-set"]}
    assert {"3.0", "4.0"} <= versions
    assert {"i;ascii-casemap", "i;unicode-casemap"} <= collations
    assert {
        CARDDAV + "addressbook-query",
        CARDDAV + "addressbook-multiget",
        DAV + "sync-collection",
    } <= reports
    assert found.text(CARDDAV + "addressbook-description") == "Leute"


def test_calendar_reports_are_not_for_address_books(dav, people):
    assert dav.query(people, "").condition == DAV + "supported-report"


def test_hostile_text_matches_are_answered_at_once(dav, people):
    begin = time.perf_counter()
    answers = [
        dav.search(people, prop("FN", text("%" * 20_000))),
        dav.search(people, prop("FN", text("_%_%" * 5000 + "x"))),
        dav.search(people, prop("FN", *[text(f"needle {n}") for n in range(2000)])),
        dav.search(people, "".join(prop(f"X-{n}", text("a")) for n in range(2000))),
    ]

    assert time.perf_counter() - begin < 5
    assert {answer.status for answer in answers} <= {207, 400, 403, 413}


def test_a_uid_is_no_longer_than_every_engine_can_index(dav, book):
    answer = dav.put(book + "long.vcf", card("x" * 1025))

    assert (answer.status, answer.condition) == (403, CARDDAV + "valid-address-data")
    assert "the UID has 1025 bytes, at most 1024 are allowed" in answer.sentence
