"""The prefilter on the stored search text never loses a card that matches."""

from hypothesis import given
from hypothesis import strategies as st

from tagwerk import contentline
from tagwerk.collation import ASCII, OCTET, UNICODE, MatchType, TextMatch
from tagwerk.contentline import escape, fold, param_value
from tagwerk.vcard import resource
from tagwerk.vcard.filter import CardFilter, ParamFilter, PropFilter, matches, needles

WORDS = ["anna", "Ännä", "ÄNNÄ", "a,b", "STRASSE", "straße", "x\ny", "ﬁ", "^n", '"q"', "A;B", ""]
PROPS = ["FN", "NOTE", "ORG", "EMAIL", "PHOTO", "REV", "X-OWN"]

words = st.sampled_from(WORDS)
tests = st.sampled_from(["anyof", "allof"])
texts = st.builds(
    TextMatch, words, st.sampled_from([ASCII, OCTET, UNICODE]), st.sampled_from(MatchType), st.booleans()
)
params = st.builds(ParamFilter, st.sampled_from(["TYPE", "X-P"]), st.booleans(), st.none() | texts)
props = st.builds(
    PropFilter,
    st.sampled_from([*PROPS, "item1.NOTE"]),
    tests,
    st.booleans(),
    st.lists(texts, max_size=2).map(tuple),
    st.lists(params, max_size=2).map(tuple),
)
filters = st.builds(CardFilter, st.lists(props, max_size=3).map(tuple), tests)
lines = st.builds(
    lambda group, name, param, value: fold(f"{group}{name}{param}:{escape(value)}"),
    st.sampled_from(["", "item1."]),
    st.sampled_from(PROPS),
    st.just("")
    | st.builds(lambda name, value: f";{name}={param_value(value)}", st.sampled_from(["TYPE", "X-P"]), words),
    st.lists(words, max_size=2).map("".join),
)


@given(st.lists(lines, max_size=5), filters)
def test_a_card_that_matches_has_the_needles(card_lines, wanted):
    text = "".join(["BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nFN:Anna\r\n", *card_lines, "END:VCARD\r\n"])
    upload = resource.read(text.encode())
    card = contentline.parse(text)[0]

    clauses = needles(wanted)

    if matches(card, wanted):
        assert all(any(needle in upload.facts.search for needle in clause) for clause in clauses or ())
