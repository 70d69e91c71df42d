"""Some properties of a card instead of all (RFC 6352 10.4 and 10.4.2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tagwerk.contentline import Component, Line, fold


@dataclass(frozen=True, slots=True)
class Prop:
    """``CARDDAV:prop`` (RFC 6352 10.4.2): a name, with or without a group, and whether its value is wanted."""

    name: str
    novalue: bool = False


def select(card: Component, props: Iterable[Prop]) -> bytes:
    """The card with only the properties that `props` name, and VERSION, without which it is no card.

    With `novalue` a property ends after its colon.  A name with a group means the
    properties of that group, one without means those of any group.
    """
    wanted: dict[str, bool] = {"VERSION": True}
    for prop in props:
        name = prop.name.upper()
        wanted[name] = wanted.get(name, False) or not prop.novalue
    lines = [
        fold(f"{line.head}:{line.value if with_value else ''}")
        for line in card.lines
        if (with_value := _wanted(line, wanted)) is not None
    ]
    return "".join(["BEGIN:VCARD\r\n", *lines, "END:VCARD\r\n"]).encode()


def _wanted(line: Line, wanted: dict[str, bool]) -> bool | None:
    """Whether the line is wanted with its value (True), without (False) or not at all (None)."""
    bare = wanted.get(line.name)
    grouped = wanted.get(f"{line.group.upper()}.{line.name}") if line.group else None
    if bare is None or grouped is None:
        return grouped if bare is None else bare
    return bare or grouped
