"""Cutting a stream of cards into address objects, for imports (RFC 6350 3.3, RFC 6352 5.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tagwerk import contentline
from tagwerk.decoding import DecodingError, decode
from tagwerk.errors import InvalidCard
from tagwerk.mending import BrokenText
from tagwerk.vcard import legacy, resource

_VERSION_2 = re.compile(r"^VERSION(?:;[^:\n]*)?:[ \t]*2\.1", re.MULTILINE | re.IGNORECASE)
_CHARSET = re.compile(rb"[;=]CHARSET=\"?([A-Za-z0-9_.-]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """One card of a stream, or something that could not be used.

    `line` is the number, from 1, of the physical line where it begins.  Where
    `problem` is not "", it says why this was left out, and `content` is empty.
    """

    line: int
    uid: str = ""
    content: bytes = b""
    problem: str = ""


def split(content: bytes, *, charset: str = "") -> Iterator[Part]:
    """The cards of a stream in their order, then what could not be used of it.

    vCard 2.1 becomes 3.0; the others are kept but for their line ends, which are CRLF,
    and what `tagwerk.vcard.resource.read` repairs.  Cards without a UID get one that
    depends on what they say, so that importing twice changes nothing.  Of cards with
    the same UID the one with the latest REV is kept, or else the first.

    Time is linear in the size of `content`.
    """
    try:
        decoded = decode(content, charset=charset or _charset_inside(content))
    except DecodingError as error:
        yield Part(error.line or 1, problem=str(error))
        return
    cards: dict[str, Part] = {}
    problems: list[Part] = []
    for part in _cards(decoded.text):
        if part.problem:
            problems.append(part)
            continue
        other = cards.setdefault(part.uid, part)
        if other is not part:
            older, newer = (other, part) if _rev(part) > _rev(other) else (part, other)
            cards[part.uid] = newer
            text = f"a card with the same UID is in line {newer.line}, which was kept"
            problems.append(Part(older.line, older.uid, problem=text))
    yield from cards.values()
    yield from sorted(problems, key=lambda part: part.line)
    if not cards and not problems:
        yield Part(1, problem="there is no card in it")


def _charset_inside(content: bytes) -> str:
    """What the properties of vCard 2.1 say of themselves, "" where all is UTF-8 or nothing is said."""
    match = _CHARSET.search(content)
    return "" if match is None else match.group(1).decode("ascii")


def _cards(text: str) -> Iterator[Part]:
    """Every card as `read`, and a problem for what is none."""
    lines = text.replace("\n\ufeff", "\n").split("\n")
    begin = -1
    depth = 0
    last_stray = -2
    previous = ""
    for index, line in enumerate(lines):
        word = line.strip().upper() if line[:1] in ("B", "b", "E", "e") else ""
        if word == "BEGIN:VCARD":
            if depth and not previous.upper().startswith("AGENT"):
                yield Part(begin + 1, problem="END:VCARD is missing")
                depth = 0
            depth += 1
            if depth == 1:
                begin = index
        elif word == "END:VCARD" and depth:
            depth -= 1
            if not depth:
                yield _read(lines[begin : index + 1], begin)
        elif not depth and line.strip():
            if last_stray != index - 1:
                yield Part(index + 1, problem="this is outside of any card")
            last_stray = index
        if line.strip():
            previous = line
    if depth:
        yield Part(begin + 1, problem="END:VCARD is missing")


def _read(lines: list[str], begin: int) -> Part:
    """The card that `lines` are, with its first line at index `begin` of the stream."""
    text = "\r\n".join([line.removesuffix("\r") for line in lines]) + "\r\n"
    try:
        if _VERSION_2.search(text):
            text = legacy.to_version_3(text)
        upload = resource.read(text.encode())
    except (BrokenText, InvalidCard) as error:
        message = str(error)
        if error.line:
            message = f"line {begin + error.line}: {message.removeprefix(f'line {error.line}: ')}"
        return Part(begin + 1, problem=message)
    return Part(begin + 1, upload.facts.uid, upload.content)


def _rev(part: Part) -> str:
    """When the card was changed, as something that sorts; vCard writes it with and without separators."""
    value = contentline.parse(part.content.decode())[0].value("REV")
    return "".join(char for char in value if char.isdigit())
