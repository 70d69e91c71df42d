"""What makes a card the one that it is, and what it is called (RFC 6350 6.2.1 and 6.7.6)."""

from __future__ import annotations

import uuid

from tagwerk.contentline import Component, Line, split_unescaped, unescape
from tagwerk.vcard import quoted

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:tagwerk:uid")
_VOLATILE = frozenset({"FN", "PRODID", "REV", "UID"})


def uid(card: Component) -> str:
    """The UID of `card`, "" when it has none or an empty one."""
    line = card.first("UID")
    return "" if line is None else line.text.strip()


def derived_uid(card: Component) -> str:
    """A UID for a card that has none, the same whenever the same card is read.

    vCard 4.0 wants a URI (RFC 6350 6.7.6); 3.0 wants text.
    """
    lines = [
        f"{line.head}:{line.value}"
        for part in card.walk()
        for line in part.lines
        if line.name not in _VOLATILE
    ]
    value = uuid.uuid5(_NAMESPACE, "\n".join(lines))
    return value.urn if card.value("VERSION").strip() == "4.0" else str(value)


def formatted_name(card: Component) -> str:
    """What FN would say, from the names that `card` has, or else from how to reach it; "" if nothing does."""
    for line in card.all("N"):
        parts = _parts(line)
        family, given, additional, prefix, suffix = (parts + [""] * 5)[:5]
        name = " ".join(part for part in (prefix, given, additional, family, suffix) if part)
        if name:
            return _one_line(name)
    for line in card.all("ORG"):
        if name := ", ".join(part for part in _parts(line) if part):
            return _one_line(name)
    for property_name in ("NICKNAME", "EMAIL", "TEL", "IMPP", "URL"):
        for line in card.all(property_name):
            if name := " ".join(_parts(line)).strip():
                return _one_line(name)
    return ""


def _parts(line: Line) -> list[str]:
    """The parts of a structured value; some write quoted-printable into 3.0, too."""
    parts = split_unescaped(line.value, ";")
    if ";" in line.head and line.param("ENCODING").upper() == "QUOTED-PRINTABLE":
        parts = [quoted.decode(part, line.param("CHARSET")) for part in parts]
    return [unescape(part).strip() for part in parts]


def _one_line(name: str) -> str:
    return " ".join(name.split())
