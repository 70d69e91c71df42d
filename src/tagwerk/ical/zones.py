"""Time zones by the names that programs give them (RFC 5545 3.2.19, RFC 7809 3.1).

A TZID that means an IANA zone is that zone, as its history is better than what a
VTIMEZONE repeats of it.  Other names are looked up in the object's own VTIMEZONE, then
guessed from the offset in them; a name that tells nothing makes the time floating.
Names come from strangers: they are compared with a list and never used as a path.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache, lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from tagwerk.contentline import Component
from tagwerk.ical.values import Moment, to_instant
from tagwerk.ical.vtimezone import zone_of_component
from tagwerk.ical.windows_zones import ABBREVIATIONS, DESCRIPTIONS, WINDOWS

_ZONE = re.compile(
    r"^BEGIN:VTIMEZONE\r?\n(?:(?!TZID|END:).*\n)*?TZID:([^\r\n]{1,200})\r?\n(?:.*\n)*?END:VTIMEZONE\r?\n",
    re.MULTILINE,
)
_LONGEST_NAME = 200
_COUNTED = re.compile(r"\s+[0-9]{1,3}\Z")
_OFFSET_IN_FRONT = re.compile(r"\(?\s*(?:utc|gmt)\s*([+-][0-9]{1,2})(?:[:.]?([0-9]{2}))?\s*\)?\s*")
_OFFSET_ONLY = re.compile(r"(?:utc|gmt)?\s*([+-])([0-9]{1,2})(?:[:.]?([0-9]{2}))?\Z")
_STANDARD_OFFSET = re.compile(
    r"\(?(?:utc|gmt)\s*([+-])([0-9]{1,2})(?:[:.]?([0-9]{2}))?\s*(?:\(standard\)|\))"
)
_SEPARATORS = re.compile(r"\s*[,/;]\s*")


class Zones:
    """The zones of one calendar object; `default` is where its floating times are.

    Made for one reading of the object and not shared between threads.
    """

    __slots__ = ("_calendar", "_found", "default")

    def __init__(self, calendar: Component, default: tzinfo) -> None:
        self._calendar = calendar
        self._found: dict[str, tzinfo | None] = {}
        self.default = default

    def find(self, tzid: str) -> tzinfo | None:
        """The zone that the object calls `tzid`, None if nobody knows it."""
        if tzid not in self._found:
            self._found[tzid] = named_zone(tzid) or self._own(tzid) or guessed_zone(tzid)
        return self._found[tzid]

    def of(self, moment: Moment) -> tzinfo | None:
        """The zone of `moment`, None if it is floating: a DATE, a time without a zone or with an unknown one."""
        if moment.utc:
            return UTC
        if moment.all_day or not moment.tzid:
            return None
        return self.find(moment.tzid)

    def instant(self, moment: Moment) -> int:
        """The instant of `moment`, in the default zone if it is floating."""
        return to_instant(moment.local, self.of(moment) or self.default)

    def _own(self, tzid: str) -> tzinfo | None:
        for child in self._calendar.children:
            if child.name == "VTIMEZONE":
                line = child.first("TZID")
                if line is not None and tzid in (line.value.strip(), line.text.strip()):
                    return zone_of_component(child)
        return None


def without_named_zones(text: str) -> str:
    """A calendar's text without the VTIMEZONEs that nobody looks at, as their names say which zone it is.

    They are most of a typical object, and reading costs by the line.
    """
    if "BEGIN:VTIMEZONE" not in text:
        return text
    return _ZONE.sub(lambda match: "" if named_zone(match.group(1)) else match.group(0), text)


def zone_of_calendar(calendar: Component, default: tzinfo = UTC) -> tzinfo:
    """The zone that a VCALENDAR with one VTIMEZONE means (RFC 4791 5.2.2 and 9.8).

    `default` if there is no VTIMEZONE in it, or one that cannot be understood.
    """
    for child in calendar.children:
        if child.name == "VTIMEZONE":
            tzid = child.first("TZID")
            name = tzid.text.strip() if tzid is not None else ""
            return named_zone(name) or zone_of_component(child) or guessed_zone(name) or default
    return default


@lru_cache(maxsize=1024)
def named_zone(tzid: str) -> tzinfo | None:
    """The zone with the IANA name `tzid`, or the name that Windows or a vendor gives it.

    Case does not matter.  ``/vendor/version/Area/City`` (RFC 5545 3.2.19: a globally unique
    name) is what it ends with.
    """
    if not 0 < len(tzid) <= _LONGEST_NAME:
        return None
    name = tzid.strip().strip('"').lower()
    found = _iana(name)
    if found is None and name.startswith(("/", "posix/", "right/")):
        parts = name.strip("/").split("/")
        for index in range(len(parts)):
            if found := _iana("/".join(parts[index:])):
                break
    if found is None:
        plain = _COUNTED.sub("", name)  # Outlook counts: "W. Europe Standard Time 1"
        if plain in WINDOWS:
            found = _iana(WINDOWS[plain].lower())
    return found


@lru_cache(maxsize=1024)
def guessed_zone(tzid: str) -> tzinfo | None:
    """What the name `tzid` tells by a description, an abbreviation, a city or an offset, None if nothing."""
    if not 0 < len(tzid) <= _LONGEST_NAME:
        return None
    name = tzid.strip().strip('"').lower()
    if name in ABBREVIATIONS:
        return _iana(ABBREVIATIONS[name].lower())
    offset, text = _description(name)
    if text in DESCRIPTIONS:
        return _iana(DESCRIPTIONS[text].lower())
    for place in text.split(", "):
        zone = _iana(_cities().get(place.replace(" ", "_"), ""))
        if zone is not None and (offset is None or _standard_offset(zone) == offset):
            return zone
    match = _OFFSET_ONLY.match(name) or _STANDARD_OFFSET.match(name)
    if match is None:
        return None
    sign, hours, minutes = match.groups()
    if (len(hours) == 1 and minutes and ":" not in name) or int(hours) > 14 or int(minutes or 0) > 59:
        return None
    ahead = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return timezone(-ahead if sign == "-" else ahead)


def _description(name: str) -> tuple[timedelta | None, str]:
    """The offset that a description begins with, and the rest with its separators made equal."""
    match = _OFFSET_IN_FRONT.match(name)
    offset = None
    if match is not None:
        hours, minutes = int(match.group(1)), int(match.group(2) or 0)
        offset = timedelta(hours=hours, minutes=-minutes if match.group(1).startswith("-") else minutes)
        name = name[match.end() :]
    elif name.startswith(("(utc)", "(gmt)")):
        offset, name = timedelta(0), name[5:]
    return offset, _SEPARATORS.sub(", ", name.strip())


def _standard_offset(zone: tzinfo) -> timedelta | None:
    offsets = [zone.utcoffset(datetime(2020, month, 1)) for month in (1, 7)]
    return min(offset for offset in offsets if offset is not None)


def _iana(name: str) -> tzinfo | None:
    """The zone of the IANA database; `name` in lower case."""
    if name in ("utc", "etc/utc", "gmt", "etc/gmt", "zulu", "etc/zulu", "uct", "etc/uct", "universal"):
        return UTC
    proper = _names().get(name)
    return ZoneInfo(proper) if proper else None


def zone_names() -> tuple[str, ...]:
    """The name of every zone of the time zone database, in order."""
    return tuple(sorted(_names().values()))


@cache
def _names() -> dict[str, str]:
    listed = resources.files("tzdata").joinpath("zones").read_text(encoding="ascii").split()
    return {name.lower(): name for name in listed if name != "Factory"}


@cache
def _cities() -> dict[str, str]:
    """Zones by the city in their names, in lower case; older names do not displace newer ones."""
    cities: dict[str, str] = {}
    for name in sorted(_names(), key=lambda name: (not name.startswith(("europe/", "america/")), name)):
        if "/" in name and not name.startswith(("etc/", "us/", "canada/", "mexico/", "brazil/", "chile/")):
            cities.setdefault(name.rpartition("/")[2], name)
    return cities
