import pytest

from tagwerk import contentline, searchtext
from tagwerk.collation import ASCII, OCTET, UNICODE, MatchType, TextMatch
from tagwerk.vcard.filter import CardFilter, ParamFilter, PropFilter, matches, needles

CARD = contentline.parse(
    "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nFN:Jörg Müller\r\nN:Müller;Jörg;;;\r\n"
    "NICKNAME:Joe,Jolly\\, the\r\nNOTE:first\\nsecond\\, third\r\n"
    "item1.EMAIL;TYPE=INTERNET,HOME:Joerg@Home.example\r\nitem1.X-ABLabel:private\r\n"
    'EMAIL;TYPE="work,pref";X-CN=J^nM:joerg@work.example\r\n'
    "PHOTO;ENCODING=b;TYPE=JPEG:AAAAsecretAAAA\r\nCATEGORIES:Family,Friends\r\nEND:VCARD\r\n"
)[0]


def text(
    value: str, *, match: MatchType = MatchType.CONTAINS, negate: bool = False, collation: str = UNICODE
):
    return TextMatch(value, collation, match, negate)


def one(name: str, *texts: TextMatch, **options) -> CardFilter:
    return CardFilter((PropFilter(name, texts=texts, **options),))


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        pytest.param(CardFilter(), True, id="no conditions: every card"),
        pytest.param(one("EMAIL"), True, id="the property is there"),
        pytest.param(one("TEL"), False, id="the property is not there"),
        pytest.param(one("TEL", is_not_defined=True), True, id="not defined"),
        pytest.param(one("email", is_not_defined=True), False, id="defined, in other case"),
        pytest.param(one("FN", text("MÜLLER")), True, id="unicode-casemap is the case of all letters"),
        pytest.param(one("FN", text("MÜLLER", collation=ASCII)), False, id="ascii-casemap is not"),
        pytest.param(one("FN", text("müller", collation=OCTET)), False, id="octet knows no case"),
        pytest.param(one("FN", text("Jo\u0308rg")), True, id="composed and decomposed letters are the same"),
        pytest.param(one("FN", text("jörg", match=MatchType.STARTS_WITH)), True, id="starts-with"),
        pytest.param(one("FN", text("müller", match=MatchType.STARTS_WITH)), False, id="does not start with"),
        pytest.param(one("FN", text("müller", match=MatchType.ENDS_WITH)), True, id="ends-with"),
        pytest.param(one("FN", text("jörg müller", match=MatchType.EQUALS)), True, id="equals"),
        pytest.param(one("FN", text("jörg", match=MatchType.EQUALS)), False, id="equals is the whole value"),
        pytest.param(one("CATEGORIES", text("friends", match=MatchType.EQUALS)), True, id="one of a list"),
        pytest.param(one("NICKNAME", text("jolly, the", match=MatchType.EQUALS)), True, id="escaped comma"),
        pytest.param(one("N", text("jörg", match=MatchType.EQUALS)), True, id="a part of a structured value"),
        pytest.param(one("NOTE", text("first\nsecond, third")), True, id="values are unescaped"),
        pytest.param(one("NOTE", text("first\\n")), False, id="and not looked at as written"),
        pytest.param(one("FN", text("müller", negate=True)), False, id="negated"),
        pytest.param(one("FN", text("maier", negate=True)), True, id="negated and not found"),
        pytest.param(one("TEL", text("1", negate=True)), False, id="negated still wants the property"),
        pytest.param(one("EMAIL", text("@work", negate=True)), True, id="another property may satisfy it"),
        pytest.param(one("item1.EMAIL", text("home")), True, id="the group's property"),
        pytest.param(one("ITEM1.email", text("work")), False, id="not that of no group"),
        pytest.param(one("item2.EMAIL", is_not_defined=True), True, id="another group has none"),
    ],
)
def test_a_card_matches_by_its_properties(filter, expected):
    found = matches(CARD, filter)

    assert found is expected


@pytest.mark.parametrize(
    ("param", "expected"),
    [
        pytest.param(ParamFilter("TYPE"), True, id="there"),
        pytest.param(
            ParamFilter("type", text=text("home", match=MatchType.EQUALS)), True, id="one of several"
        ),
        pytest.param(
            ParamFilter("TYPE", text=text("pref", match=MatchType.EQUALS)), True, id="one in quotes"
        ),
        pytest.param(ParamFilter("TYPE", text=text("fax")), False, id="none of them"),
        pytest.param(ParamFilter("TYPE", text=text("home", negate=True)), True, id="one EMAIL without it"),
        pytest.param(ParamFilter("TYPE", is_not_defined=True), False, id="every EMAIL has it"),
        pytest.param(ParamFilter("X-CN", is_not_defined=True), True, id="one EMAIL has it not"),
        pytest.param(ParamFilter("X-CN", text=text("j\nm")), True, id="values are RFC 6868 decoded"),
    ],
)
def test_a_card_matches_by_the_parameters_of_a_property(param, expected):
    found = matches(CARD, one("EMAIL", params=(param,)))

    assert found is expected


def test_conditions_with_allof_must_hold_for_the_same_property():
    work = ParamFilter("TYPE", text=text("work"))

    assert matches(CARD, one("EMAIL", text("work.example"), params=(work,), test="allof"))
    assert not matches(CARD, one("EMAIL", text("home.example"), params=(work,), test="allof"))
    assert matches(CARD, one("EMAIL", text("nowhere"), params=(work,), test="anyof"))


def test_a_filter_wants_any_or_all_of_its_properties():
    props = (PropFilter("FN", texts=(text("jörg"),)), PropFilter("TEL"))

    assert matches(CARD, CardFilter(props, "anyof"))
    assert not matches(CARD, CardFilter(props, "allof"))


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        (CardFilter(), None),
        (one("FN", text("Ä")), (("a\u0308",),)),
        (one("FN", text("")), None),
        (one("FN", text("x", negate=True)), None),
        (one("FN", is_not_defined=True), None),
        (one("FN"), None),
        (one("PHOTO", text("x")), None),
        (one("item1.photo", text("x")), None),
        (one("FN", text("A"), text("b")), (("a", "b"),)),
        (one("FN", text("A"), text("b"), test="allof"), (("a",), ("b",))),
        (one("FN", text("A"), text("b", negate=True)), None),
        (one("FN", text("A"), text("b", negate=True), test="allof"), (("a",),)),
        (one("EMAIL", params=(ParamFilter("TYPE", text=text("Home")),)), (("home",),)),
        (
            CardFilter((PropFilter("FN", texts=(text("a"),)), PropFilter("EMAIL", texts=(text("a"),)))),
            (("a",),),
        ),
        (CardFilter((PropFilter("FN", texts=(text("a"),)), PropFilter("TEL"))), None),
        (CardFilter((PropFilter("FN", texts=(text("a"),)), PropFilter("TEL")), "allof"), (("a",),)),
    ],
)
def test_needles_are_what_the_search_text_must_contain(filter, expected):
    found = needles(filter)

    assert found == expected


def test_a_photo_is_not_in_the_search_text_but_what_surrounds_it_is():
    search = searchtext.gather(CARD)

    assert "secret" not in search
    assert "jpeg" in search
    assert "first\nsecond, third" in search
