"""VTIMEZONEs of the zones that have names (RFC 5545 3.6.5, RFC 7809 3.1.3).

Made from the time zone database: each change of the clocks since 1970, and a rule for
the changes that go on every year.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from tagwerk.contentline import Component, fold
from tagwerk.ical.values import show_local
from tagwerk.ical.zones import named_zone

FIRST_YEAR, LAST_YEAR = 1970, 2100
_REGULAR = 20
"""Years for which a change must have followed a rule, so that it is taken to go on."""

_STEP = timedelta(days=7)
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_TZID = re.compile(r';\s*TZID\s*=\s*(?:"([^"]*)"|([^;:"]*))', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Change:
    """The clocks change at `local`, read on the clock that ends, from `before` to `after` seconds."""

    local: datetime
    before: int
    after: int
    name: str
    daylight: bool


@lru_cache(maxsize=700)
def vtimezone(tzid: str) -> str | None:
    """The VTIMEZONE called `tzid` of the zone that this name means, None if it means none."""
    zone = named_zone(tzid)
    if zone is None:
        return None
    first = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC).astimezone(zone)
    begin = _offset(first)
    groups: dict[tuple[int, int, str, bool], list[datetime]] = {}
    for change in _changes(zone):
        key = (change.before, change.after, change.name, change.daylight)
        groups.setdefault(key, []).append(change.local)
    parts = [f"BEGIN:VTIMEZONE\r\n{fold(f'TZID:{tzid}')}"]
    since = datetime(FIRST_YEAR, 1, 1) + timedelta(seconds=begin)
    parts.append(_observance((begin, begin, first.tzname() or tzid, False), [since]))
    for key, locals_ in groups.items():
        regular = _regular(locals_)
        if regular:
            parts.append(_observance(key, locals_[len(locals_) - len(regular) :], rule=_rule(regular)))
            locals_ = locals_[: len(locals_) - len(regular)]
        if locals_:
            parts.append(_observance(key, locals_))
    parts.append("END:VTIMEZONE\r\n")
    return "".join(parts)


def with_zones(text: str, root: Component) -> str:
    """A calendar's text with a VTIMEZONE for every named zone that it refers to and does not define."""
    there = {child.value("TZID").strip() for child in root.children if child.name == "VTIMEZONE"}
    wanted = dict.fromkeys(
        (match.group(1) or match.group(2) or "").strip()
        for component in root.walk()
        for line in component.lines
        if (match := _TZID.search(line.head))
    )
    made = "".join(vtimezone(tzid) or "" for tzid in wanted if tzid and tzid not in there)
    if not made:
        return text
    # Before the first component, where RFC 5545's own examples have them.
    place = re.search(r"^BEGIN:(?!VCALENDAR)", text, re.MULTILINE | re.IGNORECASE)
    return text if place is None else text[: place.start()] + made + text[place.start() :]


def _changes(zone: tzinfo) -> Iterator[_Change]:
    moment = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
    end = datetime(LAST_YEAR, 1, 1, tzinfo=UTC)
    before = moment.astimezone(zone)
    while moment < end:
        later = moment + _STEP
        after = later.astimezone(zone)
        if _differ(before, after):
            yield _change(zone, moment, later)
        moment, before = later, after


def _change(zone: tzinfo, low: datetime, high: datetime) -> _Change:
    """The last change between two instants of which the first is before it, by halving."""
    old = low.astimezone(zone)
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        if _differ(old, middle.astimezone(zone)):
            high = middle
        else:
            low = middle
    high = high.replace(microsecond=0)
    new = high.astimezone(zone)
    local = high.replace(tzinfo=None) + timedelta(seconds=_offset(old))
    return _Change(local, _offset(old), _offset(new), new.tzname() or "", bool(new.dst()))


def _differ(one: datetime, other: datetime) -> bool:
    return one.utcoffset() != other.utcoffset() or one.tzname() != other.tzname()


def _offset(moment: datetime) -> int:
    offset = moment.utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def _regular(locals_: list[datetime]) -> list[datetime]:
    """The changes at the end of a list that follow one rule, if they go on until the last year."""
    if not locals_ or locals_[-1].year < LAST_YEAR - 1:
        return []
    found = [locals_[-1]]
    for local in reversed(locals_[:-1]):
        if local.year != found[0].year - 1 or _shape(local) != _shape(found[0]):
            break
        candidate = [local, *found]
        if _rule(candidate) == "":
            break
        found = candidate
    return found if len(found) >= _REGULAR else []


def _shape(local: datetime) -> tuple[int, int, int, int, int]:
    return local.month, local.weekday(), local.hour, local.minute, local.second


def _rule(locals_: list[datetime]) -> str:
    """The yearly rule of changes that have one shape, or "" if there is none."""
    head = f"FREQ=YEARLY;BYMONTH={locals_[0].month};BYDAY="
    day = _DAYS[locals_[0].weekday()]
    if len({(local.day - 1) // 7 for local in locals_}) == 1:
        return f"{head}{(locals_[0].day - 1) // 7 + 1}{day}"
    if all(local.day + 7 > calendar.monthrange(local.year, local.month)[1] for local in locals_):
        return f"{head}-1{day}"
    return ""


def _observance(key: tuple[int, int, str, bool], locals_: list[datetime], *, rule: str = "") -> str:
    before, after, name, daylight = key
    kind = "DAYLIGHT" if daylight else "STANDARD"
    lines = [f"DTSTART:{show_local(locals_[0])}"]
    if rule:
        lines.append(f"RRULE:{rule}")
    elif len(locals_) > 1:
        lines.append(f"RDATE:{','.join(map(show_local, locals_[1:]))}")
    lines += [f"TZOFFSETFROM:{_shown(before)}", f"TZOFFSETTO:{_shown(after)}"]
    if name:
        lines.append(f"TZNAME:{name}")
    return f"BEGIN:{kind}\r\n{''.join(map(fold, lines))}END:{kind}\r\n"


def _shown(offset: int) -> str:
    """An offset in seconds as UTC-OFFSET (RFC 5545 3.3.14)."""
    minutes, seconds = divmod(abs(offset), 60)
    tail = f"{seconds:02}" if seconds else ""
    return f"{'-' if offset < 0 else '+'}{minutes // 60:02}{minutes % 60:02}{tail}"
