"""Content lines that their writer cut wrongly, put together again (RFC 5545 3.1, RFC 6350 3.2).

Programs write a line end into a text instead of ``\\n``, or fold without the space
that makes a fold.  The rest of the line then stands there as a line of its own,
mostly without a colon.  `parse` turns such lines into folds of the line before.
Nothing else is changed, and no physical line is added or removed, so that line
numbers stay those of the sender.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tagwerk import contentline
from tagwerk.contentline import Component, ContentLineError

_PROPER_NAME = re.compile(r"[A-Za-z0-9_-]+\Z")
_TOLERATED_NAME = re.compile(r"[A-Za-z0-9_. -]+\Z")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+=*\s*\Z")
_FULL_LINE = 60
_MOST_LINES = 100_000
"""Longer text is not mended: no object of that size is worth seconds of work."""
_NOTHING: Mapping[int, str] = MappingProxyType({})


class BrokenText(ValueError):
    """Text that is not made of content lines; `line` is the number of the physical line, from 1."""

    def __init__(self, message: str, *, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Grammar:
    """What decides whether a line can belong to the text before it, all in upper case.

    `known`: the properties of the format.  `open_ended`: those whose values are
    written by people, or are long, so that programs cut them.
    """

    known: frozenset[str]
    open_ended: frozenset[str]


@dataclass(frozen=True, slots=True)
class Parsed:
    """The components of `text`, which is the text that was given but for the `repairs`."""

    roots: list[Component]
    text: str
    repairs: tuple[str, ...] = ()

    def line(self, index: int) -> int:
        """The number, from 1, of the physical line on which the unfolded line `index` begins."""
        return contentline.physical_line(self.text, index)


def parse(text: str, grammar: Grammar) -> Parsed:
    """The components of `text`, with its wrongly cut lines put together.

    Raises:
        BrokenText: it is not made of content lines, and cannot be mended.
    """
    failure: ContentLineError | None = None
    try:
        roots = contentline.parse(text)
    except ContentLineError as error:
        failure = error
    else:
        if _has_proper_names(roots, grammar):
            return Parsed(roots, text)
    mended, numbers = _rejoin(text, grammar)
    if not numbers and failure is not None:
        raise BrokenText(str(failure), line=contentline.physical_line(text, failure.index)) from failure
    try:
        roots = contentline.parse(mended)
    except ContentLineError as error:
        raise BrokenText(str(error), line=contentline.physical_line(mended, error.index)) from error
    _refuse_wild_names(roots, mended)
    repairs = tuple(f"Line {number} was made a continuation of the line before." for number in numbers[:10])
    if len(numbers) > 10:
        repairs += (f"So were {len(numbers) - 10} more lines.",)
    return Parsed(roots, mended, repairs)


def edit(text: str, *, replaced: Mapping[int, str] = _NOTHING, added: Mapping[int, str] = _NOTHING) -> str:
    """`text` with unfolded lines `replaced`, and others `added` behind an unfolded line.

    Both go by the number of the unfolded line, from 0, and get the kind of line end that `text` has.
    """
    out: list[str] = []
    index = -1
    addition = ""
    skipping = False
    ending = "\r\n" if "\r\n" in text or "\n" not in text else "\n"
    for number, raw in enumerate(text.split("\n")):
        if number == 0 or raw[:1] not in (" ", "\t"):
            if addition:
                out.append(addition + ending[:-1])
            index += 1
            addition = added.get(index, "").replace("\r\n", ending)
            skipping = index in replaced
            if skipping:
                out.append(replaced[index] + ("\r" if raw.endswith("\r") else ""))
        if not skipping:
            out.append(raw)
    if addition:
        out += (addition + ending[:-1], "")
    return "\n".join(out)


def _has_proper_names(roots: list[Component], grammar: Grammar) -> bool:
    known = grammar.known
    return all(
        line.name in known or _PROPER_NAME.match(line.name)
        for root in roots
        for component in root.walk()
        for line in component.lines
    )


def _refuse_wild_names(roots: list[Component], text: str) -> None:
    for root in roots:
        for component in root.walk():
            for line in component.lines:
                if not _TOLERATED_NAME.match(line.name):
                    shown = line.name if len(line.name) <= 40 else line.name[:37] + "..."
                    raise BrokenText(
                        f"{shown!r} is no name of a property",
                        line=contentline.physical_line(text, line.index),
                    )


@dataclass(slots=True)
class _Logical:
    """An unfolded line: its text, and the physical lines it is on."""

    text: str
    begin: int
    last: int


def _rejoin(text: str, grammar: Grammar) -> tuple[str, list[int]]:
    """`text` with stray lines turned into folds, and the numbers of the physical lines changed."""
    lines = text.split("\n")
    if len(lines) > _MOST_LINES:
        return text, []
    logical, blanks = _logical_lines(lines)
    changed = dict.fromkeys(blanks, " ")
    anchor: _Logical | None = None
    previous: _Logical | None = None
    doubtful: list[tuple[_Logical, _Logical]] = []
    for item in logical:
        kind = _kind(item.text, grammar)
        if kind == "stray" and anchor is not None and previous is not None:
            for before, stray in [*doubtful, (previous, item)]:
                joint = _joint(lines[before.last], stray.text, anchor.text)
                changed.update(dict.fromkeys(range(before.last + 1, stray.begin + 1), joint))
            doubtful = []
        elif kind == "doubtful" and anchor is not None and previous is not None:
            doubtful.append((previous, item))
        else:
            anchor = item if kind == "open" else None
            doubtful = []
        previous = item
    for number, joint in changed.items():
        lines[number] = joint + lines[number]
    return "\n".join(lines), sorted(number + 1 for number in changed)


def _logical_lines(lines: list[str]) -> tuple[list[_Logical], list[int]]:
    """The unfolded lines, and which blank lines stand between a line and its continuation."""
    out: list[_Logical] = []
    folded: list[tuple[_Logical, list[str]]] = []
    blank: list[int] = []
    between: list[int] = []
    for number, raw in enumerate(lines):
        line = raw.rstrip("\r")
        if line.startswith((" ", "\t")) and out:
            between.extend(blank)
            blank.clear()
            folded[-1][1].append(line[1:])
            out[-1].last = number
        elif not line.strip():
            blank.append(number)
        else:
            blank.clear()
            out.append(_Logical(line, number, number))
            folded.append((out[-1], [line]))
    for item, pieces in folded:
        if len(pieces) > 1:
            item.text = "".join(pieces)
    return out, between


def _kind(line: str, grammar: Grammar) -> str:
    """``open``: others may belong to it.  ``stray``: it belongs to another.  ``doubtful``: it may."""
    head, colon, _ = line.partition(":")
    bare = head.partition(";")[0].rpartition(".")[2].strip().upper()
    if bare in grammar.open_ended and colon:
        return "open"
    if bare in grammar.known or bare in ("BEGIN", "END"):
        return "property" if colon else "stray"
    if not colon or not _PROPER_NAME.match(bare):
        return "stray"
    if bare.startswith("X-"):
        return "open"
    return "doubtful"


def _joint(before: str, stray: str, anchor: str) -> str:
    """What goes before a stray line: a fold, or a fold and the line end that the text was to have."""
    if len(before.rstrip("\r")) >= _FULL_LINE or before.rstrip("\r").endswith(":"):
        return " "
    if "ENCODING" in anchor.partition(":")[0].upper() and _BASE64.match(stray):
        return " "
    return " \\n"
