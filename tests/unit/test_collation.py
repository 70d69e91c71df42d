import pytest

from tagwerk.collation import ASCII, OCTET, UNICODE, MatchType, TextMatch, casemap, fold


@pytest.mark.parametrize(
    ("collation", "text", "same"),
    [
        (OCTET, "a", ["a"]),
        (ASCII, "aÄ", ["aÄ", "AÄ"]),
        (UNICODE, "straße", ["STRASSE", "Straße", "strasse"]),
        (UNICODE, "Äé", ["ÄÉ", "a\u0308e\u0301"]),
        (UNICODE, "\N{LATIN SMALL LIGATURE FI}", ["FI", "fi"]),
        (UNICODE, "ｗｉｄｅ", ["WIDE"]),
        (UNICODE, "Σς", ["σσ"]),
        (UNICODE, "\N{KELVIN SIGN}", ["k"]),
    ],
)
def test_texts_that_a_collation_holds_to_be_the_same(collation, text, same):
    assert {fold(other, collation) for other in same} == {fold(text, collation)}


@pytest.mark.parametrize(
    ("collation", "one", "other"),
    [(OCTET, "a", "A"), (ASCII, "ä", "Ä"), (UNICODE, "a", "ä"), (UNICODE, "ı", "i")],
)
def test_texts_that_a_collation_tells_apart(collation, one, other):
    assert fold(one, collation) != fold(other, collation)


def test_an_unknown_collation_compares_octets():
    assert fold("Aä", "i;nonsense") == "Aä"


@pytest.mark.parametrize(
    ("match_type", "needle", "expected"),
    [
        (MatchType.CONTAINS, "LO W", True),
        (MatchType.CONTAINS, "", True),
        (MatchType.CONTAINS, "low", False),
        (MatchType.EQUALS, "hello WORLD", True),
        (MatchType.EQUALS, "hello", False),
        (MatchType.STARTS_WITH, "HELLO", True),
        (MatchType.STARTS_WITH, "world", False),
        (MatchType.ENDS_WITH, "WORLD", True),
        (MatchType.ENDS_WITH, "hello", False),
    ],
)
@pytest.mark.parametrize("negate", [False, True])
def test_a_needle_is_looked_for_as_the_match_type_says(match_type, needle, expected, negate):
    match = TextMatch(needle, match_type=match_type, negate=negate)

    assert match.finds("Hello World") is expected
    assert match.holds_for("Hello World") is (expected != negate)


def test_folding_twice_is_folding_once():
    text = "".join(map(chr, range(0x20, 0x3000)))

    assert casemap(casemap(text)) == casemap(text)
