"""Reading an address object resource (RFC 6352 5.1 and 6.3.2.1).

Cards of vCard 3.0 and 4.0 are kept byte for byte.  What would not survive inside an
answer, or has no name or identity, is repaired with the smallest change.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tagwerk import mending, searchtext
from tagwerk.contentline import Component, Line, escape, fold
from tagwerk.decoding import DecodingError, decode
from tagwerk.errors import CARDDAV, InvalidCard
from tagwerk.mending import BrokenText, Parsed
from tagwerk.model import MAX_INDEXED, Facts, Upload
from tagwerk.vcard import identity, quoted
from tagwerk.vcard.grammar import GRAMMAR

SUPPORTED_DATA = CARDDAV + "supported-address-data"
VERSIONS = ("3.0", "4.0")

_VERSION = re.compile(r"^VERSION(?:;[^:\r\n]*)?:[ \t]*([^\r\n]*)", re.MULTILINE | re.IGNORECASE)


def read(content: bytes, *, charset: str = "", uid: Callable[[], str] = str) -> Upload:
    """The card in `content`, with what queries need to know of it.

    `charset` is the parameter of the media type, `uid` is asked for a card that has none:
    that of the card it replaces, else one is made from what is in it.

    Raises:
        InvalidCard: with the precondition of RFC 6352 6.3.2.1 that does not hold, and the
            line where there is one.
    """
    try:
        decoded = decode(content, charset=charset)
    except DecodingError as error:
        raise InvalidCard(str(error), line=error.line) from error
    text = decoded.text
    _check_version(text)
    repairs = list(decoded.repairs)
    joined, breaks = quoted.join_soft_breaks(text)
    if breaks:
        repairs.append("The soft line breaks of quoted-printable values are folds now.")
    try:
        parsed = mending.parse(joined, GRAMMAR)
    except BrokenText as error:
        raise InvalidCard(str(error), line=error.line) from error
    repairs += parsed.repairs
    card = _only_card(parsed)
    text = _with_name_and_uid(card, parsed, repairs, given=uid)
    if (size := len(identity.uid(card).encode())) > MAX_INDEXED:
        raise InvalidCard(
            f"the UID has {size} bytes, at most {MAX_INDEXED} are allowed", line=parsed.line(card.index)
        )
    facts = Facts(uid=identity.uid(card), component="VCARD", search=searchtext.gather(card))
    return Upload(text.encode() if repairs else content, facts, tuple(repairs))


def _check_version(text: str) -> None:
    """Before the lines are looked at, as those of vCard 2.1 follow other rules."""
    match = _VERSION.search(text)
    if match is None:
        return
    version = match.group(1).strip()
    if version not in VERSIONS:
        raise InvalidCard(
            f"vCard {version[:20]!r} is not supported, only {' and '.join(VERSIONS)}",
            line=text.count("\n", 0, match.start()) + 1,
            condition=SUPPORTED_DATA,
        )


def _only_card(parsed: Parsed) -> Component:
    if not parsed.roots:
        raise InvalidCard("there is no VCARD in it")
    for root in parsed.roots:
        if root.name != "VCARD":
            raise InvalidCard(f"{root.name} stands where VCARD was expected", line=parsed.line(root.index))
    if len(parsed.roots) > 1:
        raise InvalidCard(
            "an address object has only one card, this is the second",
            line=parsed.line(parsed.roots[1].index),
        )
    card = parsed.roots[0]
    version = card.first("VERSION")
    if version is None:
        raise InvalidCard("the card has no VERSION", line=parsed.line(card.index))
    if version.value.strip() not in VERSIONS:
        raise InvalidCard(
            f"vCard {version.value.strip()[:20]!r} is not supported, only {' and '.join(VERSIONS)}",
            line=parsed.line(version.index),
            condition=SUPPORTED_DATA,
        )
    return card


def _with_name_and_uid(
    card: Component, parsed: Parsed, repairs: list[str], *, given: Callable[[], str]
) -> str:
    """The text with FN (RFC 6350 6.2.1) and UID (RFC 6352 5.1) where they were missing.

    Both are put behind VERSION, which RFC 6350 6.7.9 wants to be first.
    """
    replaced: dict[int, str] = {}
    new: list[Line] = []
    uid = card.first("UID")
    if uid is None or not identity.uid(card):
        value = given() or identity.derived_uid(card)
        if uid is None:
            new.append(Line("UID", escape(value), card.index))
        else:
            uid.value = escape(value)
            replaced[uid.index] = f"UID:{uid.value}"
        repairs.append(f"The UID {value} was added to a card that had none.")
    if card.first("FN") is None:
        name = identity.formatted_name(card)
        if not name:
            raise InvalidCard("the card has no FN and no other name", line=parsed.line(card.index))
        new.append(Line("FN", escape(name), card.index))
        repairs.append(f"The name {name[:60]!r} was added to a card without FN.")
    if not new and not replaced:
        return parsed.text
    version = card.first("VERSION")
    place = card.index if version is None else version.index
    behind = 0 if version is None else card.lines.index(version) + 1
    card.lines[behind:behind] = new
    written = "".join(fold(f"{line.head}:{line.value}") for line in new).removesuffix("\r\n")
    return mending.edit(parsed.text, replaced=replaced, added={place: written} if new else {})
