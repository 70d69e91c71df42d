"""addressbook-query and addressbook-multiget, with the examples of RFC 6352 8.6 and 8.7."""

from __future__ import annotations

import pytest

from davclient import CARDDAV, DAV, NS
from davsamples import card, event, lines
from enginedav import EngineDav, World
from tagwerk.model import Kind

DATA = CARDDAV + "address-data"
NAMES = "<D:getetag/><CR:address-data>" + "".join(
    f'<CR:prop name="{name}"/>' for name in ("VERSION", "UID", "NICKNAME", "EMAIL", "FN")
) + "</CR:address-data>"  # fmt: skip

V102 = "VERSION:3.0\nNICKNAME:me\nUID:34222-232@example.com\nFN:Cyrus Daboo\nEMAIL:daboo@example.com\n"
V104 = (
    "VERSION:3.0\nNICKNAME:oliver\nUID:34222-23222@example.com\nFN:Oliver Daboo\nEMAIL:oliver@example.com\n"
)
V105 = "VERSION:3.0\nNICKNAME:men\nUID:3@example.com\nFN:Somebody Else\nEMAIL:else@example.com\n"


def vcard(inside: str) -> str:
    return lines(f"BEGIN:VCARD\n{inside}END:VCARD\n").decode()


@pytest.fixture
def bernard(dav: EngineDav, book: str) -> EngineDav:
    for name, inside in (("v102", V102), ("v104", V104), ("v105", V105)):
        body = vcard(inside + "N:x;y;;;\nNOTE:This is not asked for.\nTEL;TYPE=WORK,pref:+49 30 1\n")
        assert dav.put(f"{book}{name}.vcf", body).status == 201
    return dav


def test_8_6_3_partial_retrieval_of_cards_matching_a_nickname(bernard: EngineDav, book: str) -> None:
    found = bernard.search(
        book,
        '<CR:prop-filter name="NICKNAME"><CR:text-match collation="i;unicode-casemap" match-type="equals"\n'
        ">me</CR:text-match></CR:prop-filter>",
        props=NAMES,
    ).multistatus()

    assert found.names == ["v102.vcf"]
    assert found.only().text(DATA) == vcard(V102)
    assert found.only().etag == bernard.get(book + "v102.vcf").etag


def test_8_6_4_partial_retrieval_of_cards_matching_a_name_or_an_address(
    bernard: EngineDav, book: str
) -> None:
    one = '<CR:text-match collation="i;unicode-casemap" match-type="contains">daboo</CR:text-match>'

    found = bernard.search(
        book,
        f'<CR:prop-filter name="FN">{one}</CR:prop-filter><CR:prop-filter name="EMAIL">{one}</CR:prop-filter>',
        test="anyof",
        props=NAMES,
    ).multistatus()

    assert found.names == ["v102.vcf", "v104.vcf"]
    assert found[book + "v104.vcf"].text(DATA) == vcard(V104)


def test_8_6_5_truncated_results(bernard: EngineDav, book: str) -> None:
    def found(most: int):
        return bernard.search(
            book,
            '<CR:prop-filter name="FN"><CR:text-match match-type="contains">daboo</CR:text-match></CR:prop-filter>',
            test="anyof",
            rest=f"<CR:limit><CR:nresults>{most}</CR:nresults></CR:limit>",
        ).multistatus()

    assert len(found(1).names) == 1
    assert found(1)[book].status == 507
    assert found(1)[book].condition == DAV + "number-of-matches-within-limits"
    assert not found(2).truncated
    assert len(found(2).names) == 2


def test_8_7_1_multiget(bernard: EngineDav, book: str) -> None:
    found = bernard.multiget(book, book + "v102.vcf", book + "vcf1.vcf", props=NAMES, card=True).multistatus()

    assert found[book + "v102.vcf"].text(DATA) == vcard(V102)
    assert found[book + "vcf1.vcf"].status == 404


def test_8_7_2_multiget_with_a_version(bernard: EngineDav, book: str) -> None:
    found = bernard.multiget(
        book,
        book + "v102.vcf",
        props='<D:getetag/><CR:address-data content-type="text/vcard" version="4.0"/>',
        card=True,
    ).multistatus()

    text = found.only().text(DATA)
    assert text.startswith("BEGIN:VCARD\r\nVERSION:4.0\r\n")
    assert "TEL;PREF=1;TYPE=WORK:+49 30 1\r\n" in text
    # The ETag is that of the object, not of what was made of it.
    assert found.only().etag == bernard.get(book + "v102.vcf").etag


@pytest.mark.parametrize("stored", ["3.0", "4.0"])
@pytest.mark.parametrize("asked", ["3.0", "4.0"])
def test_either_version_comes_as_either_version(dav: EngineDav, book: str, stored: str, asked: str) -> None:
    body = card("c", version=stored, more="BDAY:1980-02-29")
    dav.put(book + "c.vcf", body)

    for answer in (
        dav.search(book, "", props=f'<CR:address-data version="{asked}"/>'),
        dav.multiget(book, book + "c.vcf", props=f'<CR:address-data version="{asked}"/>', card=True),
        dav.sync(book, props=f'<CR:address-data version="{asked}"/>'),
    ):
        text = answer.multistatus().only().text(DATA)
        assert f"\r\nVERSION:{asked}\r\n" in text
        assert (text == body.decode()) is (stored == asked)


def test_whatever_is_stored_comes_as_it_is_where_no_version_is_named(dav: EngineDav, book: str) -> None:
    four = card("c", version="4.0", more="PHOTO:data:image/png;base64,AAAA\nKIND:group\nMEMBER:urn:uuid:x")
    dav.put(book + "c.vcf", four)

    found = dav.search(book, "", props="<CR:address-data/>").multistatus()

    assert found.only().text(DATA) == four.decode()


@pytest.mark.parametrize(
    ("attributes", "condition"),
    [
        ('content-type="application/vcard+json"', "supported-address-data"),
        ('content-type="text/vcard" version="2.1"', "supported-address-data-conversion"),
    ],
)
def test_other_address_data_is_refused(dav: EngineDav, book: str, attributes: str, condition: str) -> None:
    dav.put(book + "c.vcf", card("c"))

    answers = [
        dav.search(book, "", props=f"<CR:address-data {attributes}/>"),
        dav.multiget(book, book + "c.vcf", props=f"<CR:address-data {attributes}/>", card=True),
    ]

    assert {(answer.status, answer.condition) for answer in answers} == {(403, CARDDAV + condition)}


RICH = """\
EMAIL;TYPE=WORK,PREF:anna@work.example
EMAIL;TYPE=HOME:anna@home.example
item1.TEL;TYPE=CELL:+49 170 1
item1.X-ABLABEL:Handy
X-ABC.TEL:+49 30 2
TEL:+49 30 3
CATEGORIES:Freunde,Büro
ORG:Firma;Abteilung
ADR;TYPE=HOME:;;Weg 1;Köln;;50667;DE
NOTE:Zeile eins\\nZeile zwei\\, und mehr
X-P;A="x,y";B=z:w
"""


def prop(name: str, inside: str = "", test: str = "") -> str:
    attribute = f' test="{test}"' if test else ""
    return f'<CR:prop-filter name="{name}"{attribute}>{inside}</CR:prop-filter>'


def param(name: str, inside: str = "") -> str:
    return f'<CR:param-filter name="{name}">{inside}</CR:param-filter>'


def text(value: str, attributes: str = "") -> str:
    return f"<CR:text-match {attributes}>{value}</CR:text-match>"


MISSING = "<CR:is-not-defined/>"

HOLDS = [
    "",
    prop("FN"),
    prop("fn"),
    prop("FN", text("jürgen")),
    prop("FN", text("JÜRGEN GROSS")),
    prop("FN", text("groß", 'match-type="ends-with"')),
    prop("FN", text("Jürgen Groß", 'match-type="equals" collation="i;octet"')),
    prop("FN", text("jürgen", 'collation="i;octet" negate-condition="yes"')),
    prop("FN", text("jürgen", 'collation="default"')),
    prop("GEO", MISSING),
    prop("TEL", text("170")),
    prop("item1.TEL", text("170")),
    prop("ITEM1.TEL"),
    prop("X-ABC.TEL", text("30 2")),
    prop("CATEGORIES", text("büro", 'match-type="equals"')),
    prop("NOTE", text("eins\nZeile")),
    prop("NOTE", text("zwei, und")),
    prop("ADR", text("köln")),
    prop("ORG", text("abteilung", 'match-type="equals"')),
    prop("EMAIL", text("work") + text("nowhere")),
    prop("EMAIL", text("anna") + text("home"), test="allof"),
    prop("EMAIL", text("anna@work") + param("TYPE", text("pref")), test="allof"),
    prop("EMAIL", text("nothing") + param("TYPE", text("home"))),
    prop("TEL", param("TYPE", MISSING)),
    prop("X-P", param("A", text("x,y", 'match-type="equals"'))),
    prop("X-P", param("b", text("Z"))),
    prop("GEO") + prop("FN"),
    prop("EMAIL", param("TYPE", text("WORK", 'negate-condition="yes"'))),
]

FAILS = [
    prop("GEO"),
    prop("FN", MISSING),
    prop("FN", text("jurgen")),
    prop("FN", text("jürgen", 'collation="i;octet"')),
    prop("FN", text("JÜRGEN", 'collation="i;ascii-casemap"')),
    prop("FN", text("groß", 'match-type="starts-with"')),
    prop("FN", text("Groß", 'negate-condition="yes"')),
    prop("item2.TEL"),
    prop("item1.TEL", text("30 2")),
    prop("EMAIL", text("work") + text("home"), test="allof"),
    prop("EMAIL", text("anna@work") + param("TYPE", text("home")), test="allof"),
    prop("EMAIL", param("X-NONE", text("x", 'negate-condition="yes"'))),
    prop("EMAIL", param("TYPE", MISSING)),
    prop("FN", text("%")),
    prop("FN", text("J_rgen")),
]


@pytest.mark.parametrize("filters", HOLDS)
def test_filters_that_hold(dav: EngineDav, book: str, filters: str) -> None:
    dav.put(book + "c.vcf", card("c", more=RICH))

    assert dav.search(book, filters).multistatus().names == ["c.vcf"]


@pytest.mark.parametrize("filters", FAILS)
def test_filters_that_do_not_hold(dav: EngineDav, book: str, filters: str) -> None:
    dav.put(book + "c.vcf", card("c", more=RICH))

    assert dav.search(book, filters).multistatus().names == []


def test_all_conditions_or_any_of_them(dav: EngineDav, book: str) -> None:
    dav.put(book + "c.vcf", card("c", more=RICH))
    one_holds = prop("FN", text("jürgen")) + prop("GEO")

    assert dav.search(book, one_holds, test="anyof").multistatus().names == ["c.vcf"]
    assert dav.search(book, one_holds).multistatus().names == ["c.vcf"]
    assert dav.search(book, one_holds, test="allof").multistatus().names == []


@pytest.mark.parametrize(
    ("body", "condition"),
    [
        ("<CR:filter><CR:comp-filter/></CR:filter>", "supported-filter"),
        (
            '<CR:filter><CR:prop-filter name="FN"><CR:nothing/></CR:prop-filter></CR:filter>',
            "supported-filter",
        ),
        ('<CR:filter test="noneof"/>', "supported-filter"),
        ("<CR:filter><CR:prop-filter/></CR:filter>", "supported-filter"),
        (
            f"<CR:filter>{prop('FN', text('x', 'collation=' + repr('i;basic')))}</CR:filter>",
            "supported-collation",
        ),
        (f"<CR:filter>{prop('FN', text('x', 'match-type=' + repr('like')))}</CR:filter>", "supported-filter"),
    ],
)
def test_a_wrong_filter_is_refused_with_its_precondition(
    dav: EngineDav, book: str, body: str, condition: str
) -> None:
    answer = dav.report(
        book, f"<CR:addressbook-query {NS}><D:prop><D:getetag/></D:prop>{body}</CR:addressbook-query>"
    )

    assert (answer.status, answer.condition) == (403, CARDDAV + condition)


def test_partial_data_without_values_and_with_groups(dav: EngineDav, book: str) -> None:
    dav.put(book + "c.vcf", card("c", more=RICH))
    wanted = '<CR:prop name="UID" novalue="yes"/><CR:prop name="item1.TEL"/><CR:prop name="X-ABLabel"/>'

    found = dav.search(book, "", props=f"<CR:address-data>{wanted}</CR:address-data>").multistatus()

    assert found.only().text(DATA) == vcard(
        "VERSION:3.0\nUID:\nitem1.TEL;TYPE=CELL:+49 170 1\nitem1.X-ABLABEL:Handy\n"
    )


def test_allprop_in_address_data_is_everything(dav: EngineDav, book: str) -> None:
    body = card("c", more=RICH)
    dav.put(book + "c.vcf", body)

    found = dav.search(book, "", props="<CR:address-data><CR:allprop/></CR:address-data>").multistatus()

    assert found.only().text(DATA) == body.decode()


def test_a_home_and_a_single_card_can_be_asked(world: World, dav: EngineDav, book: str) -> None:
    other = world.add_collection("family", Kind.ADDRESSBOOK)
    world.add_collection("work")
    dav.put("/anna/work/a.ics", event("a"))
    dav.put(book + "c.vcf", card("c"))
    dav.put(book + "d.vcf", card("d", name="Someone"))
    dav.put(other + "e.vcf", card("e"))

    home = dav.search("/anna/", prop("FN", text("groß"))).multistatus()
    single = dav.search(book + "c.vcf", prop("FN", text("groß"))).multistatus()
    other_single = dav.search(book + "d.vcf", prop("FN", text("groß"))).multistatus()

    assert sorted(home) == [other + "e.vcf", book + "c.vcf"]
    assert list(single) == [book + "c.vcf"]
    assert list(other_single) == []


def test_photos_that_have_megabytes_do_not_slow_a_search_that_does_not_want_them(
    dav: EngineDav, book: str
) -> None:
    photo = "PHOTO;ENCODING=b;TYPE=JPEG:" + "A" * 1_000_000
    for number in range(3):
        assert (
            dav.put(f"{book}{number}.vcf", card(str(number), name=f"Person {number}", more=photo)).status
            == 201
        )

    found = dav.search(book, prop("FN", text("person 1"))).multistatus()

    assert found.names == ["1.vcf"]
