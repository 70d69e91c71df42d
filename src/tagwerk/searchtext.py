"""The text of an object, folded for the prefilter of text matches (RFC 4791 7.5, RFC 6352 8.3).

`gather` makes `tagwerk.model.Facts.search`.  A text match can only hold where the
folded needle occurs in it, provided that `is_searched` says so of the property.
"""

from __future__ import annotations

from collections.abc import Iterator

from tagwerk.collation import casemap
from tagwerk.contentline import Component, Line

BINARY = frozenset({"ATTACH", "IMAGE", "KEY", "LOGO", "PHOTO", "SOUND", "X-MS-CARDPICTURE"})
"""Properties whose values are left out where they are binary; their parameters are kept."""

TECHNICAL = frozenset(
    {
        "ACKNOWLEDGED",
        "CALSCALE",
        "COMPLETED",
        "CREATED",
        "DTEND",
        "DTSTAMP",
        "DTSTART",
        "DUE",
        "DURATION",
        "EXDATE",
        "EXRULE",
        "FREEBUSY",
        "LAST-MODIFIED",
        "PERCENT-COMPLETE",
        "PRIORITY",
        "RDATE",
        "RECURRENCE-ID",
        "REPEAT",
        "REV",
        "RRULE",
        "SEQUENCE",
        "TRIGGER",
        "VERSION",
    }
)
"""Dates and numbers: properties that are left out as nobody looks for text in them."""


def is_searched(name: str) -> bool:
    """Whether everything that a property called `name` (upper case) says is in the search text.

    Where it is not, a filter on the property must be answered by reading the object.
    """
    return name not in TECHNICAL and name not in BINARY


def gather(component: Component, *, skip: frozenset[str] = frozenset()) -> str:
    """The folded values and parameter values of `component` and everything in it, one a line.

    Components called as `skip` says are left out with everything inside them.
    """
    return "\n".join(_pieces(component, skip))


def _pieces(component: Component, skip: frozenset[str]) -> Iterator[str]:
    for line in component.lines:
        name = line.name
        if name in TECHNICAL:
            continue
        if ";" in line.head:
            for values in line.params.values():
                for value in values:
                    yield casemap(value)
        if name not in BINARY or not is_binary(line):
            yield casemap(line.text)
    for child in component.children:
        if child.name not in skip:
            yield from _pieces(child, skip)


def is_binary(line: Line) -> bool:
    """Whether the value is data and no text: Base64 (RFC 5545 3.3.1, RFC 2426 2.4.1) or a ``data:`` URI."""
    if line.value[:5].lower() == "data:":
        return True
    if ";" not in line.head:
        return False
    if line.param("ENCODING").upper() in ("B", "BASE64"):
        return True
    return any(value.upper() == "BASE64" for value in line.params.get("TYPE", ()))  # vCard 2.1 left it bare
