"""Properties between Radicale and the store.

Radicale knows a property by a short name ("D:displayname") and its text; the store by
its Clark name and the XML of its content.  What Radicale cannot show, because it holds
elements, stays as it is unless Radicale's client sets it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape

from radicale import xmlutils

from tagwerk.dav.features import FEATURES
from tagwerk.errors import InvalidRequest, Refused
from tagwerk.model import Collection, Kind
from tagwerk.store.collections import CALENDAR_COMPONENTS

TAG = "tag"
COMPONENTS = "C:supported-calendar-component-set"
SUBSCRIBED = "VSUBSCRIBED"

_MARK = "{http://radicale.org/ns/}tag"
"""Says that a calendar is one that Radicale's clients subscribe to elsewhere."""

_LIVE = [live for feature in FEATURES for live in feature.properties]
_PROTECTED = {live.name for live in _LIVE} - {live.name for live in _LIVE if live.set is not None}

_TAGS = {Kind.CALENDAR: "VCALENDAR", Kind.ADDRESSBOOK: "VADDRESSBOOK"}
_KINDS = {"VCALENDAR": Kind.CALENDAR, "VADDRESSBOOK": Kind.ADDRESSBOOK, SUBSCRIBED: Kind.CALENDAR}
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_REFERENCE = re.compile(r"&(?:#([0-9]+)|#x([0-9A-Fa-f]+)|(\w+));")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def kind_of(tag: str) -> Kind:
    """What Radicale's tag of a collection is in the store.

    Raises:
        Refused: it is none; plain folders are not stored.
    """
    try:
        return _KINDS[tag]
    except KeyError as error:
        raise Refused(
            "Only calendars and address books can be made; say which one in DAV:resourcetype."
        ) from error


def tag_of(kind: Kind, stored: Mapping[str, str]) -> str:
    """Radicale's tag of a collection."""
    return SUBSCRIBED if _MARK in stored else _TAGS[kind]


def components_of(text: str | None) -> tuple[str, ...]:
    """The components in Radicale's list of them; empty where it says nothing.

    Raises:
        Refused: one is of no kind that is stored (RFC 4791 5.2.3).
    """
    names = tuple(dict.fromkeys(name.strip().upper() for name in (text or "").split(",") if name.strip()))
    for name in names:
        if name not in CALENDAR_COMPONENTS:
            raise Refused(f"A calendar cannot hold {name}; {', '.join(CALENDAR_COMPONENTS)} are possible.")
    return names


def shown_name(name: str) -> str:
    """Radicale's name of a property."""
    return str(xmlutils.make_human_tag(name))


def shown(stored: Mapping[str, str]) -> dict[str, str]:
    """Stored properties as Radicale has them."""
    return {
        shown_name(name): _text(value, whole=name.endswith("}source"))
        for name, value in stored.items()
        if name.startswith("{") and name != _MARK
    }


def shown_of_collection(collection: Collection, stored: Mapping[str, str]) -> dict[str, str]:
    """All that Radicale calls the metadata of a collection."""
    found = shown(stored)
    found[TAG] = tag_of(collection.kind, stored)
    if collection.kind is Kind.CALENDAR:
        found[COMPONENTS] = ",".join(collection.components)
    return found


def changes(stored: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str | None]:
    """What must be written so that Radicale finds `wanted`, and nothing else.

    Raises:
        InvalidRequest: a value holds characters that XML has not.
        Refused: it is protected.
        ValueError: a name is none that Radicale knows.
    """
    now = shown(stored)
    found: dict[str, str | None] = {}
    for name in wanted:
        if name not in (TAG, COMPONENTS, *now) and xmlutils.make_clark(name) in _PROTECTED:
            raise Refused(f"{name} is computed by the server.")
    for name in now.keys() - wanted.keys():
        found[xmlutils.make_clark(name)] = None
    for name, text in wanted.items():
        if name not in (TAG, COMPONENTS) and now.get(name) != text:
            found[xmlutils.make_clark(name)] = _xml(name, text)
    if (wanted.get(TAG) == SUBSCRIBED) != (_MARK in stored) and TAG in wanted:
        found[_MARK] = SUBSCRIBED if wanted[TAG] == SUBSCRIBED else None
    return found


def _text(value: str, *, whole: bool = False) -> str:
    """The text of an element's content: what stands before its first child, or `whole`."""
    raw = re.sub(r"<[^>]*>", "", value).strip() if whole else value.partition("<")[0]
    return _REFERENCE.sub(_dereferenced, raw) if "&" in raw else raw


def _dereferenced(match: re.Match[str]) -> str:
    decimal, hexadecimal, name = match.groups()
    if name:
        return _ENTITIES.get(name, match[0])
    number = int(decimal) if decimal else int(hexadecimal, 16)
    return chr(number) if number < 0x110000 else match[0]


def _xml(name: str, text: str) -> str:
    if wrong := _NOT_XML.search(text):
        raise InvalidRequest(f"{name} holds the character {wrong[0]!r}, which XML has not.")
    return escape(text, quote=False).replace("\r", "&#13;")
