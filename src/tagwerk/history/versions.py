"""Earlier versions: reading them, and what they are called."""

from __future__ import annotations

from tagwerk.contentline import ContentLineError, parse
from tagwerk.ical import resource as calendars
from tagwerk.model import Kind, Upload
from tagwerk.vcard import resource as cards

_STAMPS = frozenset({"CREATED", "DTSTAMP", "LAST-MODIFIED", "PRODID", "REV", "SEQUENCE"})


def title_of(content: bytes) -> str:
    """What people call an object: the SUMMARY of an event or task, the FN of a card; "" where it has none."""
    try:
        (whole,) = parse(content.decode())
    except (ContentLineError, UnicodeDecodeError, ValueError):
        return ""
    for component in (whole, *whole.children):
        for name in ("SUMMARY", "FN"):
            line = component.first(name)
            if line is not None:
                return line.text
    return ""


def says_the_same(one: bytes, other: bytes) -> bool:
    """Whether two versions differ at most in stamps and in what programs write anew whenever they write."""
    return one == other or _said(one) == _said(other)


def _said(content: bytes) -> object:
    try:
        (whole,) = parse(content.decode())
    except (ContentLineError, UnicodeDecodeError, ValueError):
        return content
    parts = [whole, *(part for child in whole.children if child.name != "VTIMEZONE" for part in child.walk())]
    return sorted(
        (part.name, line.head, line.value)
        for part in parts
        for line in part.lines
        if line.name not in _STAMPS
    )


def read(content: bytes, kind: Kind, *, now: int) -> Upload:
    """An earlier version as something to store.

    Raises:
        InvalidCalendar, InvalidCard: what was taken then is not taken now.
    """
    return cards.read(content) if kind is Kind.ADDRESSBOOK else calendars.read(content, now=now)
