"""Filters of calendar-query and addressbook-query against a matcher that is as simple as the RFCs.

The matcher knows nothing of indexes, candidates and parsed objects: it reads lines and does
what RFC 6352 10.5 and RFC 4791 9.7 say, word for word.  TAGWERK_EXAMPLES is the number of
made-up collections (100 without it).
"""

from __future__ import annotations

import itertools
import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from davsamples import calendar as wrapped
from davsamples import lines
from enginedav import World, new_world
from tagwerk.model import Kind

EXAMPLES = int(os.environ.get("TAGWERK_EXAMPLES", "100"))
_PROFILE = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with new_world(tmp_path_factory.mktemp("filters")) as made:
        made.add_user("anna")
        yield made


@dataclass(frozen=True)
class Property:
    name: str
    params: tuple[tuple[str, str], ...]
    value: str
    group: str = ""

    @property
    def line(self) -> str:
        head = "".join(
            [f"{self.group}." if self.group else "", self.name, *(f";{k}={v}" for k, v in self.params)]
        )
        text = self.value.replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;").replace("\n", "\\n")
        return f"{head}:{text}"


@dataclass(frozen=True)
class Text:
    needle: str
    collation: str
    kind: str
    negate: bool

    @property
    def xml(self) -> str:
        return (
            f'<%s:text-match collation="{self.collation}" match-type="{self.kind}"'
            f' negate-condition="{"yes" if self.negate else "no"}">{escape(self.needle)}</%s:text-match>'
        )

    def finds(self, value: str) -> bool:
        needle, text = folded(self.needle, self.collation), folded(value, self.collation)
        return {
            "contains": needle in text,
            "equals": needle == text,
            "starts-with": text.startswith(needle),
            "ends-with": text.endswith(needle),
        }[self.kind]

    def holds(self, values: list[str]) -> bool:
        return any(map(self.finds, values)) is not self.negate


def folded(text: str, collation: str) -> str:
    if collation == "i;octet":
        return text
    if collation == "i;ascii-casemap":
        return "".join(char.lower() if char.isascii() else char for char in text)
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())


@dataclass(frozen=True)
class Param:
    name: str
    missing: bool
    text: Text | None

    @property
    def xml(self) -> str:
        inside = "<%s:is-not-defined/>" if self.missing else self.text.xml if self.text else ""
        return f'<%s:param-filter name="{self.name}">{inside}</%s:param-filter>'

    def holds(self, found: Property) -> bool:
        values = [value for name, value in found.params if name == self.name]
        if self.missing:
            return not values
        return bool(values) and (self.text is None or self.text.holds(values))


@dataclass(frozen=True)
class Condition:
    """A prop-filter."""

    name: str
    missing: bool
    every: bool
    texts: tuple[Text, ...]
    params: tuple[Param, ...]

    def xml(self, *, with_test: bool) -> str:
        test = f' test="{"allof" if self.every else "anyof"}"' if with_test else ""
        inside = "".join(one.xml for one in (*self.texts, *self.params))
        return f'<%s:prop-filter name="{self.name}"{test}>{"<%s:is-not-defined/>" if self.missing else inside}</%s:prop-filter>'

    def holds(self, properties: list[Property], *, every: bool) -> bool:
        # Names of properties and groups have no case (RFC 6350 3.3).
        group, _, bare = self.name.upper().rpartition(".")
        named = [one for one in properties if one.name == bare and group in ("", one.group.upper())]
        if self.missing:
            return not named
        if not (self.texts or self.params):
            return bool(named)
        combined = all if every else any
        return any(
            combined(
                [text.holds([one.value]) for text in self.texts] + [param.holds(one) for param in self.params]
            )
            for one in named
        )


# Letters whose folding is no matter of opinion, and what SQL and iCalendar treat as special.
_ALPHABET = "abABäÄ%_\\,; 1é"
_VALUES = st.text(st.sampled_from(_ALPHABET), min_size=1, max_size=6).map(str.strip).filter(bool)
_NEEDLES = st.text(st.sampled_from(_ALPHABET), max_size=3)
_PARAMS = st.lists(
    st.tuples(st.sampled_from(["TYPE", "X-P"]), st.text(st.sampled_from("abABä1"), min_size=1, max_size=3)),
    max_size=2,
    unique_by=lambda one: one[0],
).map(tuple)
_TEXTS = st.builds(
    Text,
    _NEEDLES,
    st.sampled_from(["i;octet", "i;ascii-casemap", "i;unicode-casemap"]),
    st.sampled_from(["contains", "equals", "starts-with", "ends-with"]),
    st.booleans(),
)
_PARAM_FILTERS = st.builds(
    Param, st.sampled_from(["TYPE", "X-P", "X-NONE"]), st.booleans(), st.none() | _TEXTS
).map(lambda one: Param(one.name, one.missing, None if one.missing else one.text))


def conditions(names: list[str], texts: int) -> st.SearchStrategy[Condition]:
    return st.builds(
        Condition,
        st.sampled_from(names),
        st.sampled_from([False, False, False, True]),
        st.booleans(),
        st.lists(_TEXTS, max_size=texts).map(tuple),
        st.lists(_PARAM_FILTERS, max_size=2).map(tuple),
    )


CARD_NAMES = ["FN", "NOTE", "EMAIL", "X-FOO"]
_CARD_PROPERTIES = st.builds(
    Property, st.sampled_from(["NOTE", "EMAIL", "X-FOO"]), _PARAMS, _VALUES, st.sampled_from(["", "", "g1"])
)


@_PROFILE
@given(
    st.lists(st.tuples(_VALUES, st.lists(_CARD_PROPERTIES, max_size=3)), min_size=1, max_size=4),
    st.lists(
        st.tuples(st.lists(conditions([*CARD_NAMES, "g1.EMAIL", "G1.note"], 2), max_size=3), st.booleans()),
        min_size=1,
        max_size=5,
    ),
)
def test_cards_are_found_as_a_simple_matcher_finds_them(
    world: World,
    cards: list[tuple[str, list[Property]]],
    filters: list[tuple[list[Condition], bool]],
) -> None:
    book = world.add_collection(f"b{next(_numbers)}", Kind.ADDRESSBOOK)
    dav = world.client()
    known: dict[str, list[Property]] = {}
    for number, (name, properties) in enumerate(cards):
        every = [Property("FN", (), name), *properties]
        text = "\n".join(one.line for one in every)
        body = f"BEGIN:VCARD\nVERSION:3.0\nUID:{number}\nN:;;;;\n{text}\nEND:VCARD\n"
        assert dav.put(f"{book}{number}.vcf", lines(body)).status == 201
        known[f"{number}.vcf"] = every

    for wanted, all_of in filters:
        inside = "".join(one.xml(with_test=True) for one in wanted).replace("%s:", "CR:")
        found = dav.search(book, inside, test="allof" if all_of else "anyof").multistatus().names

        combined = all if all_of else any
        assert found == [
            name
            for name, properties in known.items()
            if not wanted or combined(one.holds(properties, every=one.every) for one in wanted)
        ]


_EVENT_NAMES = ["SUMMARY", "LOCATION", "COMMENT", "X-FOO"]
_EVENT_PROPERTIES = st.builds(Property, st.sampled_from(_EVENT_NAMES), _PARAMS, _VALUES)


@_PROFILE
@given(
    st.lists(st.lists(_EVENT_PROPERTIES, max_size=4, unique_by=lambda one: one.name), min_size=1, max_size=4),
    st.lists(st.lists(conditions(_EVENT_NAMES, 1), max_size=3), min_size=1, max_size=5),
)
def test_events_are_found_as_a_simple_matcher_finds_them(
    world: World, events: list[list[Property]], filters: list[list[Condition]]
) -> None:
    place = world.add_collection(f"c{next(_numbers)}")
    dav = world.client()
    known: dict[str, list[Property]] = {}
    for number, properties in enumerate(events):
        text = "\n".join(["DTSTART:20260301T080000Z", *(one.line for one in properties)])
        body = wrapped(f"BEGIN:VEVENT\nUID:{number}\nDTSTAMP:20260101T000000Z\n{text}\nEND:VEVENT")
        assert dav.put(f"{place}{number}.ics", body).status == 201
        known[f"{number}.ics"] = properties

    for wanted in filters:
        inside = "".join(one.xml(with_test=False) for one in wanted).replace("%s:", "C:")
        found = dav.query(place, f'<C:comp-filter name="VEVENT">{inside}</C:comp-filter>').multistatus().names

        # RFC 4791 9.7: everything in a filter must hold.
        assert found == [
            name
            for name, properties in known.items()
            if all(one.holds(properties, every=True) for one in wanted)
        ]
