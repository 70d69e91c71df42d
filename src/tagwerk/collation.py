"""Comparing text as filters ask (RFC 4790, RFC 5051; RFC 4791 7.5, RFC 6352 8.3).

`casemap` folds for ``i;unicode-casemap`` character by character, so that a
substring of the text stays a substring of the folded text: the store keeps folded
text (`tagwerk.model.Facts.search`) and finds every candidate by looking for the
folded needle in it, whichever collation decides in the end.
"""

from __future__ import annotations

import enum
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

ASCII = "i;ascii-casemap"
UNICODE = "i;unicode-casemap"
OCTET = "i;octet"
COLLATIONS = (ASCII, UNICODE, OCTET)

_ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


class MatchType(enum.StrEnum):
    """How the needle is looked for (RFC 6352 10.5.4)."""

    EQUALS = "equals"
    CONTAINS = "contains"
    STARTS_WITH = "starts-with"
    ENDS_WITH = "ends-with"


@dataclass(frozen=True, slots=True)
class TextMatch:
    """``CALDAV:text-match`` and ``CARDDAV:text-match``."""

    text: str
    collation: str = ASCII
    match_type: MatchType = MatchType.CONTAINS
    negate: bool = False

    def holds_for(self, value: str) -> bool:
        """Whether `value` matches, `negate` included."""
        return self.finds(value) != self.negate

    def finds(self, value: str) -> bool:
        """Whether `value` matches, `negate` left aside."""
        needle, text = fold(self.text, self.collation), fold(value, self.collation)
        if self.match_type is MatchType.EQUALS:
            return needle == text
        if self.match_type is MatchType.STARTS_WITH:
            return text.startswith(needle)
        if self.match_type is MatchType.ENDS_WITH:
            return text.endswith(needle)
        return needle in text


def fold(text: str, collation: str) -> str:
    """`text` as `collation` compares it."""
    if collation == ASCII:
        return text.translate(_ASCII_LOWER)
    if collation == UNICODE:
        return casemap(text)
    return text


def casemap(text: str) -> str:
    """`text` without differences of case and of compatibility forms (RFC 5051 2)."""
    if text.isascii():
        return text.lower()
    return "".join(map(_casemap_char, text))


@lru_cache(maxsize=8192)
def _casemap_char(char: str) -> str:
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold())
