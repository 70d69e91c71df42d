"""Calendar objects in one line, for tests of time."""

from __future__ import annotations

from datetime import UTC

from tagwerk.contentline import Component, parse
from tagwerk.ical.values import parse_moment, to_instant


def utc(text: str) -> int:
    return to_instant(parse_moment(text).local, UTC)


def calendar(*events: str, kind: str = "VEVENT") -> Component:
    """A VCALENDAR with components of one UID, each given by its lines, separated by blanks."""
    parts = [f"BEGIN:{kind}\nUID:1\n" + "\n".join(event.split(" ")) + f"\nEND:{kind}\n" for event in events]
    return parse("BEGIN:VCALENDAR\n" + "".join(parts) + "END:VCALENDAR\n")[0]
