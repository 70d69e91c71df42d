"""Cutting an iCalendar stream into calendar objects, for imports (RFC 4791 4.1, RFC 5545 3.4).

Files have thousands of events in one VCALENDAR, some of them broken.  A calendar
object is everything with one UID, and the time zones that it uses; what is broken
is reported and does not take the rest with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tagwerk import mending
from tagwerk.contentline import Component, Line, escape, unescape
from tagwerk.decoding import DecodingError, decode
from tagwerk.ical import identity
from tagwerk.ical.grammar import GRAMMAR, OBJECTS, PRODID
from tagwerk.mending import BrokenText

_OUTERMOST = frozenset({*OBJECTS, "VTIMEZONE"})
_SHARED = ("VERSION", "PRODID", "CALSCALE")


@dataclass(frozen=True, slots=True)
class Part:
    """One object of a stream, or something that could not be used.

    `line` is the number, from 1, of the physical line where it begins.  Where
    `problem` is not "", it says why this was left out, and `content` is empty.
    """

    line: int
    uid: str = ""
    component: str = ""
    content: bytes = b""
    problem: str = ""


@dataclass(slots=True)
class _Calendar:
    """What the objects of one VCALENDAR have in common: the lines of its head, and its zones by TZID."""

    head: dict[str, str] = field(default_factory=dict)
    zones: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Piece:
    """A component as it is read and as it is written, and the VCALENDAR that it stands in."""

    component: Component
    text: str
    line: int
    calendar: _Calendar


def split(content: bytes, *, charset: str = "") -> Iterator[Part]:
    """The objects of an iCalendar stream in their order, then what could not be used of it.

    Each object is a VCALENDAR of its own with the product identifier of the file, the
    zones that it uses, and no METHOD.  Components without a UID get one that depends on
    what they say, so that importing twice changes nothing.  Of components that are
    there twice the newer one is kept, by SEQUENCE and then by stamp.

    An object that comes out may still be refused by `tagwerk.ical.resource.read`, which
    knows what values mean.  Time is linear in the size of `content`.
    """
    try:
        decoded = decode(content, charset=charset)
    except DecodingError as error:
        yield Part(error.line or 1, problem=str(error))
        return
    scanner = _Scanner()
    scanner.scan(decoded.text.replace("\n\ufeff", "\n").split("\n"))
    objects: dict[tuple[str, str], list[_Piece]] = {}
    for piece in scanner.pieces:
        uid = identity.uid(piece.component) or _give_uid(piece)
        objects.setdefault((piece.component.name, uid), []).append(piece)
    zones: dict[str, str] = {}
    for calendar in reversed(scanner.calendars):
        zones.update(calendar.zones)
    problems = scanner.problems
    for (name, uid), pieces in objects.items():
        kept = _without_doubles(pieces, problems)
        yield Part(kept[0].line, uid, name, _written(kept, zones).encode())
    yield from sorted(problems, key=lambda part: part.line)
    if not objects and not problems:
        yield Part(1, problem="there is no event, task or journal entry in it")


class _Scanner:
    """Finds the components directly inside a VCALENDAR by the lines that begin and end them.

    Only one component is lost where an END is missing or superfluous.
    """

    def __init__(self) -> None:
        self.pieces: list[_Piece] = []
        self.calendars: list[_Calendar] = []
        self.problems: list[Part] = []
        self._calendar: _Calendar | None = None
        self._name = ""  # of the open component, "" between components
        self._begin = 0  # its index in the lines
        self._depth = 0
        self._last_stray = -2

    def scan(self, lines: list[str]) -> None:
        for index, line in enumerate(lines):
            keyword, name = _keyword(line)
            if name == "VCALENDAR" and keyword:
                self._end_unfinished()
                self._calendar = self._new_calendar() if keyword == "BEGIN" else None
            elif self._name:
                self._inside(keyword, name, index, lines)
            elif keyword == "BEGIN":
                self._open(name, index)
            elif not keyword:
                self._between(line, index, lines)
        self._end_unfinished()

    def _new_calendar(self) -> _Calendar:
        self.calendars.append(_Calendar())
        return self.calendars[-1]

    def _open(self, name: str, index: int) -> None:
        self._name, self._begin, self._depth = name, index, 1

    def _end_unfinished(self) -> None:
        if self._name:
            self.problems.append(
                Part(self._begin + 1, component=self._name, problem=f"END:{self._name} is missing")
            )
        self._name = ""

    def _inside(self, keyword: str, name: str, index: int, lines: list[str]) -> None:
        if keyword == "BEGIN" and name in _OUTERMOST:
            self._end_unfinished()
            self._open(name, index)
        elif keyword == "BEGIN":
            self._depth += 1
        elif keyword == "END":
            self._depth -= 1
            if name == self._name or not self._depth:
                self._take(lines[self._begin : index + 1])
                self._name = ""

    def _between(self, line: str, index: int, lines: list[str]) -> None:
        """A line of the VCALENDAR itself, or of nothing at all."""
        if line.startswith((" ", "\t")) or not line.strip():
            return
        if self._calendar is not None:
            name = line.partition(":")[0].partition(";")[0].strip().upper()
            if name in _SHARED and name not in self._calendar.head:
                text = _with_continuations(lines, index)
                if ":" in text:
                    self._calendar.head[name] = text
        else:
            if self._last_stray != index - 1:
                self.problems.append(Part(index + 1, problem="this is outside of any VCALENDAR"))
            self._last_stray = index

    def _take(self, lines: list[str]) -> None:
        try:
            parsed = mending.parse(_with_line_feeds(lines), GRAMMAR)
        except BrokenText as error:
            self.problems.append(
                Part(
                    self._begin + 1, component=self._name, problem=f"line {self._begin + error.line}: {error}"
                )
            )
            return
        if self._calendar is None:
            self._calendar = self._new_calendar()
        component = parsed.roots[0]
        if component.name == "VTIMEZONE":
            self._calendar.zones.setdefault(unescape(component.value("TZID").strip()), parsed.text)
        elif component.name in OBJECTS:
            self.pieces.append(_Piece(component, parsed.text, self._begin + 1, self._calendar))
        else:
            problem = f"{component.name} is no component that a calendar keeps"
            self.problems.append(Part(self._begin + 1, component=component.name, problem=problem))


def _keyword(line: str) -> tuple[str, str]:
    """BEGIN or END and the name that follows, both in upper case, or two empty strings."""
    if line[:1] in ("B", "b", "E", "e"):
        head, _, value = line.partition(":")
        keyword = head.strip().upper()
        if keyword in ("BEGIN", "END"):
            return keyword, value.strip().upper()
    return "", ""


def _with_line_feeds(lines: list[str]) -> str:
    return "\n".join([line.removesuffix("\r") for line in lines]) + "\n"


def _with_continuations(lines: list[str], index: int) -> str:
    end = index + 1
    while end < len(lines) and lines[end].startswith((" ", "\t")):
        end += 1
    return _with_line_feeds(lines[index:end])


def _give_uid(piece: _Piece) -> str:
    """The UID that a component without one gets."""
    uid = identity.derived_uid([piece.component])
    line = f"UID:{escape(uid)}"
    old = piece.component.first("UID")
    if old is None:
        piece.text = mending.edit(piece.text, added={0: line})
        piece.component.lines.insert(0, Line("UID", escape(uid), 0))
    else:
        piece.text = mending.edit(piece.text, replaced={old.index: line})
        old.value = escape(uid)
    return uid


def _without_doubles(pieces: list[_Piece], problems: list[Part]) -> list[_Piece]:
    """One component for the master and for each instance; the others become `problems`."""
    kept: dict[tuple[str, str] | None, _Piece] = {}
    for piece in pieces:
        instance = identity.recurrence_id(piece.component)
        other = kept.setdefault(instance, piece)
        if other is piece:
            continue
        older, newer = (other, piece) if _age(piece.component) > _age(other.component) else (piece, other)
        kept[instance] = newer
        problems.append(
            Part(
                older.line,
                identity.uid(older.component),
                older.component.name,
                problem=f"the same component is in line {newer.line}, which was kept",
            )
        )
    return list(kept.values())


def _age(component: Component) -> tuple[int, str]:
    sequence = component.value("SEQUENCE").strip()
    stamps = (component.value(name).strip() for name in ("LAST-MODIFIED", "DTSTAMP"))
    number = int(sequence) if sequence.isascii() and sequence.isdigit() and len(sequence) < 10 else 0
    return number, max(stamps)


def _written(pieces: list[_Piece], zones: dict[str, str]) -> str:
    """A VCALENDAR of `pieces` and the zones they use: their own, or those of that name in the stream."""
    head = pieces[0].calendar.head
    out = [
        "BEGIN:VCALENDAR\n",
        head.get("VERSION", "VERSION:2.0\n"),
        head.get("PRODID", f"PRODID:{PRODID}\n"),
    ]
    if "CALSCALE" in head:
        out.append(head["CALSCALE"])
    own = pieces[0].calendar.zones
    for tzid in dict.fromkeys(tzid for piece in pieces for tzid in _tzids(piece.component)):
        if text := own.get(tzid) or zones.get(tzid):
            out.append(text)
    out += (piece.text for piece in pieces)
    out.append("END:VCALENDAR\n")
    return "".join(out).replace("\n", "\r\n")


def _tzids(component: Component) -> Iterator[str]:
    for part in component.walk():
        for line in part.lines:
            if ";" in line.head and (tzid := line.param("TZID")):
                yield tzid
