"""Which cards an addressbook-query asks for (RFC 6352 10.5)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Literal

from tagwerk.collation import TextMatch, casemap
from tagwerk.contentline import Component, Line, split_unescaped, unescape
from tagwerk.searchtext import is_searched

Test = Literal["anyof", "allof"]

Needles = tuple[tuple[str, ...], ...]
"""A card can only match if of every inner tuple at least one string occurs in `Facts.search`."""

_LISTS = {"CATEGORIES": ",", "NICKNAME": ",", "N": ";", "ADR": ";", "ORG": ";"}


@dataclass(frozen=True, slots=True)
class ParamFilter:
    """``CARDDAV:param-filter`` (RFC 6352 10.5.2); without `text` it asks whether the parameter is there."""

    name: str
    is_not_defined: bool = False
    text: TextMatch | None = None


@dataclass(frozen=True, slots=True)
class PropFilter:
    """``CARDDAV:prop-filter`` (RFC 6352 10.5.1); without conditions it asks whether the property is there.

    `name` may have a group before it: ``item1.EMAIL``.
    """

    name: str
    test: Test = "anyof"
    is_not_defined: bool = False
    texts: tuple[TextMatch, ...] = ()
    params: tuple[ParamFilter, ...] = ()


@dataclass(frozen=True, slots=True)
class CardFilter:
    """``CARDDAV:filter`` (RFC 6352 10.5); without `props` every card matches."""

    props: tuple[PropFilter, ...] = ()
    test: Test = "anyof"


def matches(card: Component, filter: CardFilter) -> bool:
    """Whether `card` is one that `filter` asks for.

    The conditions of a prop-filter must hold for one and the same property, so that
    with "allof" a work address is not found by the text of another one.
    """
    if not filter.props:
        return True
    every = all if filter.test == "allof" else any
    return every(_has_property(card, wanted) for wanted in filter.props)


def needles(filter: CardFilter) -> Needles | None:
    """What `Facts.search` must contain for a match to be possible, None where it cannot tell."""
    return _combined([_needles_of(wanted) for wanted in filter.props], filter.test)


def named(card: Component, name: str) -> list[Line]:
    """The properties that `name` means: with a group only those of the group, else all (RFC 6352 10.5.1)."""
    group, dot, bare = name.upper().rpartition(".")
    lines = [line for line in card.lines if line.name == bare]
    return [line for line in lines if line.group.upper() == group] if dot else lines


def _has_property(card: Component, wanted: PropFilter) -> bool:
    lines = named(card, wanted.name)
    if wanted.is_not_defined:
        return not lines
    if not wanted.texts and not wanted.params:
        return bool(lines)
    return any(_holds(line, wanted) for line in lines)


def _holds(line: Line, wanted: PropFilter) -> bool:
    every = all if wanted.test == "allof" else any
    texts = (_text_matches(line, text) for text in wanted.texts)
    params = (_param_matches(line, param) for param in wanted.params)
    return every(chain(texts, params))


def _text_matches(line: Line, text: TextMatch) -> bool:
    """RFC 6352 10.5.4.  Where a value is a list, what matches one of its parts matches too."""
    if text.finds(line.text):
        return not text.negate
    separator = _LISTS.get(line.name)
    if separator and separator in line.value:
        parts = split_unescaped(line.value, separator)
        if any(text.finds(unescape(part).strip()) for part in parts):
            return not text.negate
    return text.negate


def _param_matches(line: Line, wanted: ParamFilter) -> bool:
    """RFC 6352 10.5.2, for every value of the parameter by itself."""
    values = line.params.get(wanted.name.upper()) if ";" in line.head else None
    if wanted.is_not_defined:
        return values is None
    if values is None:
        return False
    text = wanted.text
    if text is None:
        return True
    found = any(text.finds(part) for value in values for part in (value, *_parts(value)))
    return found != text.negate


def _parts(value: str) -> list[str]:
    """RFC 6350 5.6 writes lists of types in one pair of quotes: ``TYPE="voice,home"``."""
    return [part.strip() for part in value.split(",")] if "," in value else []


def _needles_of(wanted: PropFilter) -> Needles | None:
    if wanted.is_not_defined or not is_searched(wanted.name.upper().rpartition(".")[2]):
        return None
    texts = [*wanted.texts, *(None if param.is_not_defined else param.text for param in wanted.params)]
    return _combined([_needle(text) for text in texts], wanted.test)


def _needle(text: TextMatch | None) -> Needles | None:
    if text is None or text.negate or not text.text:
        return None
    return ((casemap(text.text),),)


def _combined(conditions: list[Needles | None], test: Test) -> Needles | None:
    """What several conditions need together: with "anyof" one clause of each, in one clause."""
    if test == "allof":
        clauses = tuple(clause for needed in conditions if needed is not None for clause in needed)
        return clauses or None
    known = [needed for needed in conditions if needed]
    if not known or len(known) < len(conditions):
        return None
    if len(known) == 1:
        return known[0]
    shortest = (min(needed, key=len) for needed in known)
    return (tuple(dict.fromkeys(needle for clause in shortest for needle in clause)),)
