"""Many calendar objects as one iCalendar stream (RFC 5545 3.4, RFC 7986 5.1 to 5.9).

The stored text is cut at its BEGIN and END lines and passed on, as parsing would
cost ten times as much.  Only text that is not as expected is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from tagwerk import contentline
from tagwerk.contentline import Component, ContentLineError, escape, fold, param_value, unescape
from tagwerk.ical.grammar import PRODID

_MOST_SEEN = 1000
_CSS_COLOR = re.compile(r"[A-Za-z]+\Z")
_BEGIN_NAME = re.compile(rb"BEGIN:([A-Z][A-Z0-9-]*)\r\n")
_END_CALENDAR = b"END:VCALENDAR\r\n"
_IANA = re.compile(
    r"(?:.*/)?(?:Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Brazil|Canada|Chile|Etc|Europe|Indian|Mexico"
    r"|Pacific|US)/[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)?\Z"
)

Skipped = Callable[[bytes, str], None]
"""Told of an object that cannot be merged, and why."""


class _Unexpected(Exception):
    """The text is not laid out as programs usually do, or needs a change: parse it."""


@dataclass(frozen=True, slots=True)
class _Zones:
    """The zones that are out.

    `by_tzid`: their definitions.  `renamed`: the TZID of those that could not keep theirs, by their
    first TZID and definition, and in `last` the last number that was used for it.  `seen`: texts
    that need not be parsed again; it may be incomplete.
    """

    by_tzid: dict[str, bytes] = field(default_factory=dict)
    renamed: dict[tuple[str, bytes], str] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    seen: set[bytes] = field(default_factory=set)


def merge(
    objects: Iterable[bytes],
    *,
    name: str = "",
    description: str = "",
    color: str = "",
    skipped: Skipped | None = None,
) -> Iterator[bytes]:
    """One VCALENDAR with the components of all `objects`, in chunks; lines end with CRLF.

    Every VTIMEZONE is there once, before the first object that has it.  Two definitions
    of one TZID are taken for the same zone when the TZID ends with an IANA name, whose
    meaning is public; otherwise the second gets another TZID, in its object too.

    `color` is a CSS3 colour name (RFC 7986 5.9) or what Apple writes, ``#RRGGBB[AA]``.
    An object that is no iCalendar is left out and told to `skipped`.
    """
    yield _header(name, description, color)
    zones = _Zones()
    for content in objects:
        try:
            yield _components(content, zones)
        except ContentLineError as error:
            if skipped is not None:
                skipped(content, str(error))
    yield _END_CALENDAR


def _header(name: str, description: str, color: str) -> bytes:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{PRODID}", "CALSCALE:GREGORIAN"]
    if name:
        lines += (f"NAME:{escape(name)}", f"X-WR-CALNAME:{escape(name)}")
    if description:
        lines += (f"DESCRIPTION:{escape(description)}", f"X-WR-CALDESC:{escape(description)}")
    if _CSS_COLOR.match(color):
        lines.append(f"COLOR:{color}")
    elif color:
        lines.append(f"X-APPLE-CALENDAR-COLOR:{escape(color)}")
    return "".join(map(fold, lines)).encode()


def _components(content: bytes, zones: _Zones) -> bytes:
    """The components of one object without the zones that are out already.

    Raises:
        ContentLineError: it is no iCalendar.
    """
    if content.count(b"\n") != content.count(b"\r\n"):
        content = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    try:
        return b"".join(_cut(content, zones))
    except _Unexpected:
        return _parsed(content, zones)


def _cut(content: bytes, zones: _Zones) -> list[bytes]:
    """The fast path: components one behind the other, between the properties and END:VCALENDAR."""
    position = content.find(b"\nBEGIN:") + 1
    if not position or not content.startswith(b"BEGIN:VCALENDAR\r\n"):
        raise _Unexpected
    kept: list[bytes] = []
    fresh: list[bytes] = []
    while not content.startswith(b"END:VCALENDAR", position):
        match = _BEGIN_NAME.match(content, position)
        if match is None:
            raise _Unexpected
        begin, name = position, match.group(1)
        last = content.find(b"\r\nEND:" + name + b"\r\n", position)
        if last < 0:
            raise _Unexpected
        position = last + len(name) + 8
        component = content[begin:position]
        if name != b"VTIMEZONE":
            kept.append(component)
        elif component not in zones.seen:
            fresh.append(component)
    if content[position:].strip() != b"END:VCALENDAR":
        raise _Unexpected
    return [*_fresh_zones(fresh, zones), *kept] if fresh else kept


def _fresh_zones(texts: list[bytes], zones: _Zones) -> list[bytes]:
    """Those of the zones that must be given out; all are noted as out then.

    Raises:
        _Unexpected: one of them needs another TZID.
    """
    parsed = [(text, zone) for text in texts for zone in contentline.parse(text.decode("utf-8", "replace"))]
    for _, zone in parsed:
        tzid = zone.value("TZID").strip()
        known = zones.by_tzid.get(tzid)
        if not tzid or (known is not None and not _IANA.match(tzid) and known != _definition(zone)):
            raise _Unexpected
    out: list[bytes] = []
    for text, zone in parsed:
        tzid = zone.value("TZID").strip()
        if tzid not in zones.by_tzid:
            zones.by_tzid[tzid] = _definition(zone)
            out.append(text)
        if len(zones.seen) < _MOST_SEEN:
            zones.seen.add(text)
    return out


def _definition(zone: Component) -> bytes:
    return contentline.serialize(zone).encode()


def _parsed(content: bytes, zones: _Zones) -> bytes:
    """The slow path, for text that is laid out differently and for zones that need another TZID."""
    out: list[Component] = []
    renamed: dict[str, str] = {}
    met: set[str] = set()
    for calendar in contentline.parse(content.decode("utf-8", "replace")):
        if calendar.name != "VCALENDAR":
            raise ContentLineError(f"{calendar.name} stands where VCALENDAR was expected", calendar.index)
        for child in calendar.children:
            tzid = child.value("TZID").strip()
            if child.name != "VTIMEZONE":
                out.append(child)
            elif tzid and tzid not in met:
                met.add(tzid)
                if _place_zone(child, tzid, zones, renamed):
                    out.append(child)
    if renamed:
        for component in out:
            _rename(component, renamed)
    return "".join(map(contentline.serialize, out)).encode()


def _place_zone(zone: Component, tzid: str, zones: _Zones, renamed: dict[str, str]) -> bool:
    """Whether `zone` must be given out, under the TZID that it then has."""
    definition = _definition(zone)
    known = zones.by_tzid.setdefault(tzid, definition)
    if known is definition:
        return True
    if known == definition or _IANA.match(tzid):
        return False
    candidate = zones.renamed.get((tzid, definition))
    is_new = candidate is None
    if candidate is None:
        candidate = zones.renamed[tzid, definition] = _free_tzid(tzid, zones)
    for line in zone.all("TZID"):
        line.value = candidate
    zones.by_tzid[candidate] = _definition(zone)
    renamed[tzid] = renamed[unescape(tzid)] = unescape(candidate)
    return is_new


def _free_tzid(tzid: str, zones: _Zones) -> str:
    number = zones.last.get(tzid, 1)
    while True:
        number += 1
        candidate = f"{tzid} ({number})"
        if candidate not in zones.by_tzid:
            zones.last[tzid] = number
            return candidate


def _rename(component: Component, renamed: dict[str, str]) -> None:
    for part in component.walk():
        for line in part.lines:
            tzid = line.param("TZID") if ";" in line.head else ""
            if tzid in renamed:
                line.head = _with_param(line.head, renamed[tzid])


def _with_param(head: str, tzid: str) -> str:
    return re.sub(
        r'(;\s*TZID\s*=\s*)("[^"]*"|[^";]*)',
        lambda match: match.group(1) + param_value(tzid),
        head,
        count=1,
        flags=re.IGNORECASE,
    )
