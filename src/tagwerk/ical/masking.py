"""What others see of a calendar object that is not for them (RFC 5545 3.8.1.3, calendarserver-private-events 4.2.2).

Of a masked component nothing is copied but what is known to be harmless: times and rules are
read and written anew, words are those of a list, and a time zone keeps its name only if the
name says no more than the zone.  What others see in full is passed on as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo

from tagwerk.contentline import Component, Line, param_value
from tagwerk.ical.grammar import OBJECTS, PRODID
from tagwerk.ical.recur import Recur, parse_recur
from tagwerk.ical.schedule import SCHEDULED, one_series
from tagwerk.ical.timing import Timing
from tagwerk.ical.values import (
    parse_duration,
    parse_moment,
    parse_offset,
    parse_period,
    show_date,
    show_local,
    show_utc,
    to_instant,
)
from tagwerk.ical.vtimezone import zone_of_component
from tagwerk.ical.windows_zones import ABBREVIATIONS
from tagwerk.ical.zones import Zones
from tagwerk.model import Privacy

_CLASSES: Final = {level.name: level for level in Privacy}
_ACCESS: Final = {**_CLASSES, "RESTRICTED": Privacy.CONFIDENTIAL}
_STATED: Final = {"CLASS": _CLASSES, "X-CALENDARSERVER-ACCESS": _ACCESS}

_MOMENTS: Final = frozenset({"DTSTAMP", "DTSTART", "DTEND", "DUE", "RECURRENCE-ID"})
_SINGLE: Final = _MOMENTS | {"UID", "SEQUENCE", "DURATION", "BUSYTYPE"}
_STATUS: Final = frozenset(
    {"TENTATIVE", "CONFIRMED", "CANCELLED", "NEEDS-ACTION", "COMPLETED", "IN-PROCESS", "DRAFT", "FINAL"}
)
_TRANSP: Final = frozenset({"OPAQUE", "TRANSPARENT"})
_BUSY: Final = frozenset({"BUSY", "BUSY-UNAVAILABLE", "BUSY-TENTATIVE"})
_RULE_PARTS: Final = """
    FREQ INTERVAL COUNT UNTIL WKST RSCALE SKIP BYMONTH BYWEEKNO BYYEARDAY BYMONTHDAY BYDAY BYHOUR BYMINUTE BYSECOND BYSETPOS
    """
_TITLE: Final = "Busy"
"""What stands in the place of every SUMMARY."""

_SEQUENCE = re.compile(r"[0-9]{1,9}\Z")
_TZNAME = re.compile(r"[+-][0-9]{2}(?:[0-9]{2})?\Z")
_TZNAMES: Final = frozenset({"UTC", "GMT", *(name.upper() for name in ABBREVIATIONS)})


def privacy_of(calendar: Component) -> Privacy:
    """What others see of the object: all of it, only a part, or nothing, where `masked` is None.

    The stricter of CLASS and X-CALENDARSERVER-ACCESS counts, wherever in a component it
    stands; a value that is not known means PRIVATE (RFC 5545 3.8.1.3).  An override that
    says nothing is like its master, and like every override with RANGE=THISANDFUTURE, as
    its instance could be one of theirs.  What a VTIMEZONE says does not count.
    """
    levels = {level for _, level in _levels(calendar)}
    if levels <= {Privacy.PUBLIC}:
        return Privacy.PUBLIC
    if Privacy.PRIVATE in levels and masked(calendar, everything=False) is None:
        return Privacy.PRIVATE
    return Privacy.CONFIDENTIAL


def masked(calendar: Component, *, everything: bool) -> Component | None:
    """The VCALENDAR as others see it, None if there is nothing that they may see.

    PRIVATE components are left out, and the instances that they describe with them.
    CONFIDENTIAL ones, or every one if `everything`, keep their UID and when they are.
    `calendar` is not changed; components that are seen in full are shared with it.

    A master is left out too where its instances cannot be told from private ones.
    """
    levels = _levels(calendar)
    made = Component(calendar.name, calendar.index)
    if not everything and all(level is Privacy.PUBLIC for _, level in levels):
        made.lines, made.children = list(calendar.lines), list(calendar.children)
        return made
    hidden = [child for child, level in levels if level is Privacy.PRIVATE]
    seen = [item for item in levels if item[1] is not Privacy.PRIVATE and item[0].name in OBJECTS]
    public = [child for child, level in seen if level is Privacy.PUBLIC and not everything]
    names = _ZoneNames(calendar, public)
    exceptions = [child for child in hidden if child.first("RECURRENCE-ID")]
    objects: list[Component] = []
    for child, level in seen:
        left: Component | None = child
        is_master = child.name in SCHEDULED and child.first("RECURRENCE-ID") is None
        if exceptions and is_master:
            left = _without_ranges(calendar, child, exceptions)
        if left is None:
            continue
        shown = _masked(left, names) if everything or level is not Privacy.PUBLIC else _copy(left)
        if is_master:
            shown.lines += [_exdate(other, names) for other in exceptions]
        objects.append(shown)
    if not objects:
        return None
    made.lines = list(calendar.lines) if public else _head(calendar)
    made.children = [*names.definitions(), *objects]
    return made


def is_what_was_masked(sent: Component, stored: Component) -> bool:
    """Whether the VCALENDAR `sent` has the title of what is masked where `stored` has one of its own.

    So it looks when somebody changes, and sends back, what they got while they were to see
    only busy time.
    """
    titles = {_instance(child): _title(child) for child in stored.children if child.name in SCHEDULED}
    return any(
        titles.get(_instance(child), titles.get("", _TITLE)) != _TITLE
        for child in sent.children
        if child.name in SCHEDULED and _title(child) == _TITLE
    )


def _title(component: Component) -> str:
    return component.value("SUMMARY").strip()


def _instance(component: Component) -> str:
    """The RECURRENCE-ID of an override, "" for a master; zones are not compared, as their names are masked too."""
    return component.value("RECURRENCE-ID").strip().upper()


def _levels(calendar: Component) -> list[tuple[Component, Privacy]]:
    """The privacy of every component but VTIMEZONE; what is said of the VCALENDAR holds for all."""
    least = max([Privacy.PUBLIC, *_stated([calendar])])
    stated = [(child, _stated(child.walk())) for child in calendar.children if child.name != "VTIMEZONE"]
    names = {id(child): child.first("RECURRENCE-ID") for child, _ in stated}
    models = [own for child, own in stated if (line := names[id(child)]) is None or _is_range(line)]
    inherited = max([least, *(level for own in models for level in own)])
    return [
        (child, max(least, *own) if own else least if names[id(child)] is None else inherited)
        for child, own in stated
    ]


def _is_range(line: Line) -> bool:
    return line.param("RANGE").strip().upper() == "THISANDFUTURE"


def _stated(components: Iterable[Component]) -> list[Privacy]:
    return [
        _STATED[line.name].get(line.text.strip().upper(), Privacy.PRIVATE)
        for component in components
        for line in component.lines
        if line.name in _STATED
    ]


def _copy(component: Component) -> Component:
    copy = Component(component.name, component.index)
    copy.lines, copy.children = list(component.lines), component.children
    return copy


def _head(calendar: Component) -> list[Line]:
    lines = [Line("VERSION", "2.0", calendar.index), Line("PRODID", PRODID, calendar.index)]
    if calendar.value("CALSCALE").strip().upper() == "GREGORIAN":
        lines.append(Line("CALSCALE", "GREGORIAN", calendar.index))
    return lines


def _masked(component: Component, names: _ZoneNames) -> Component:
    made = Component(component.name, component.index)
    met: set[str] = set()
    words: dict[str, str] = {}
    for line in component.lines:
        if line.name in ("STATUS", "TRANSP"):
            words[line.name] = line.value.strip().upper()  # the last one counts (`facts.busy_of`)
        elif line.name not in met:
            met.update({line.name} & _SINGLE)
            try:
                made.lines += _kept(component.name, line, names)
            except ValueError:
                continue  # it holds something else than its name says
    status = "CANCELLED" if words.get("STATUS") == "CANCELED" else words.get("STATUS")
    if status in _STATUS:
        made.lines.append(Line("STATUS", status, component.index))
    if words.get("TRANSP") in _TRANSP:
        made.lines.append(Line("TRANSP", words["TRANSP"], component.index))
    if component.name in SCHEDULED:
        made.lines.append(Line("SUMMARY", _TITLE, component.index))
    if component.name == "VAVAILABILITY":
        made.children = [_masked(child, names) for child in component.children if child.name == "AVAILABLE"]
    return made


def _kept(kind: str, line: Line, names: _ZoneNames) -> list[Line]:
    """What a component of `kind` keeps of `line`.

    Raises:
        ValueError: the value is not what it should be.
    """
    name, value = line.name, line.value.strip()
    if name in _MOMENTS:
        return [Line(_head_of(line, name, names), _time(value, line), line.index)]
    if name in ("RDATE", "EXDATE") or (name == "FREEBUSY" and kind == "VFREEBUSY"):
        times = ",".join(_times(line))
        return [Line(_head_of(line, name, names), times, line.index)] if times else []
    if name in ("RRULE", "EXRULE"):
        return [Line(name, _rule(value), line.index)]
    if name == "DURATION":
        parse_duration(value)
        return [Line(name, value.upper(), line.index)]
    is_busy = kind in ("VAVAILABILITY", "AVAILABLE") and name == "BUSYTYPE" and value.upper() in _BUSY
    if name == "UID" or is_busy or (name == "SEQUENCE" and _SEQUENCE.match(value)):
        return [Line(name, value, line.index)]
    return []


def _head_of(line: Line, name: str, names: _ZoneNames) -> str:
    """The head of a line of times, called `name`, with the parameters that `line` may keep."""
    if ";" not in line.head:
        return name
    params = {key: line.param(key).strip().upper() for key in ("VALUE", "RANGE", "FBTYPE")}
    head = name
    if params["VALUE"] in ("DATE", "DATE-TIME", "PERIOD"):
        head += f";VALUE={params['VALUE']}"
    if name == "RECURRENCE-ID" and params["RANGE"] == "THISANDFUTURE":
        head += ";RANGE=THISANDFUTURE"
    if name == "FREEBUSY" and params["FBTYPE"] in _BUSY | {"FREE"}:
        head += f";FBTYPE={params['FBTYPE']}"
    tzid = names.of(line.param("TZID").strip())
    return f"{head};TZID={param_value(tzid)}" if tzid else head


def _times(line: Line) -> Iterator[str]:
    for text in line.value.split(","):
        try:
            yield _time(text, line)
        except ValueError:
            continue


def _time(text: str, line: Line | None = None) -> str:
    """`text`, a value of `line`, written anew as a date, a time or a period.

    Raises:
        ValueError: it is none.
    """
    if "/" in text:
        parse_period(text)
        begin, _, end = text.partition("/")
        return f"{_time(begin)}/{end.strip().upper() if 'P' in end.upper() else _time(end)}"
    is_date = line is not None and line.param("VALUE").strip().upper() == "DATE"
    moment = parse_moment(text, date=is_date)
    if moment.all_day:
        return show_date(moment.local)
    return show_local(moment.local) + ("Z" if moment.utc else "")


def _rule(text: str) -> str:
    """The recurrence rule without what is no part of one.

    Raises:
        ValueError: it is none.
    """
    parse_recur(text, Recur)
    known = _RULE_PARTS.split()
    parts: dict[str, str] = {}
    for part in text.replace("\\", "").upper().split(";"):
        name, _, value = (piece.strip() for piece in part.partition("="))
        items = [item for item in "".join(value.split()).split(",") if item]
        if items and name in known:
            parts.setdefault(name, _time(value) if name == "UNTIL" else ",".join(items))
    return ";".join(f"{name}={value}" for name, value in parts.items())


def _exdate(override: Component, names: _ZoneNames) -> Line:
    """The EXDATE that takes the instance of `override` out of its master."""
    line = override.first("RECURRENCE-ID")
    assert line is not None
    return Line(_head_of(line, "EXDATE", names), _time(line.value, line), override.index)


def _without_ranges(calendar: Component, master: Component, hidden: list[Component]) -> Component | None:
    """`master` without the instances from the first RANGE=THISANDFUTURE of `hidden` on.

    None if that cannot be done, if nothing is left, or if the only instance is hidden.
    """
    if not (master.first("RRULE") or master.first("RDATE")):
        return None
    made = _copy(master)
    try:
        series = one_series([master, *hidden], Zones(calendar, UTC))
        when = series.timing
        if when is None or len(series.by_component) != len(hidden):
            return None
        if series.ranges:
            first, cut = when.moment.local, series.ranges[0].original
            if cut <= first or series.dates:
                return None
            rules = iter(series.rules)
            for place, line in enumerate(master.lines):
                if line.name == "RRULE":
                    rule, until = next(rules)
                    final = rule.last(first, until=until)
                    if final is not None and final >= cut:
                        made.lines[place] = Line(line.head, _ended(line.value, cut, when), line.index)
    except ValueError:  # a time that cannot be read, or a rule that runs away
        return None
    return made


def _ended(rule: str, cut: datetime, when: Timing) -> str:
    """`rule` with an end before the instance at `cut`, on the clock of the master."""
    if when.moment.all_day:
        until = show_date(cut - timedelta(days=1))
    elif when.floating:
        until = show_local(cut - timedelta(seconds=1))
    else:
        until = show_utc(to_instant(cut, when.zone) - 1)
    parts = [part for part in rule.replace("\\", "").split(";") if part.strip()]
    kept = [part for part in parts if part.partition("=")[0].strip().upper() not in ("COUNT", "UNTIL")]
    return ";".join([*kept, f"UNTIL={until}"])


class _ZoneNames:
    """Names for the zones of an object that say which zone it is, and nothing else.

    A name that a component in full view uses is kept.  The IANA database names the zones
    that it knows; others are numbered, and one that nobody knows has no name: its times
    are floating (`tagwerk.ical.zones`).
    """

    def __init__(self, calendar: Component, public: list[Component]) -> None:
        self._zones = Zones(calendar, UTC)
        self._definitions = [child for child in calendar.children if child.name == "VTIMEZONE"]
        lines = [line for child in public for part in child.walk() for line in part.lines if ";" in line.head]
        self._public = {tzid.strip() for line in lines for tzid in line.params.get("TZID", ())}
        self._given: dict[str, str] = {}

    def of(self, tzid: str) -> str:
        """The name of the zone that the object calls `tzid`, "" if there is none."""
        if not tzid or tzid in self._public:
            return tzid
        if tzid not in self._given:
            self._given[tzid] = self._neutral(tzid)
        return self._given[tzid]

    def _neutral(self, tzid: str) -> str:
        zone = self._zones.find(tzid)
        if zone is None:
            return ""
        if isinstance(zone, ZoneInfo):
            return zone.key
        if isinstance(zone, timezone):
            return zone.tzname(None)
        taken = self._public | set(self._given.values())
        return next(name for number in range(1, len(taken) + 2) if (name := f"Zone-{number}") not in taken)

    def definitions(self) -> Iterator[Component]:
        """The VTIMEZONE of every zone that was named or is in full view."""
        out: set[str] = set()
        for zone in self._definitions:
            line = zone.first("TZID")
            forms = {line.value.strip(), line.text.strip()} if line is not None else set()
            if forms & self._public and not forms & out:
                out |= forms
                yield zone
            for name in sorted(self._given[form] for form in forms if form in self._given):
                if not name or name in out | self._public:
                    continue
                if (reduced := _reduced(zone, name)) is not None:
                    out.add(name)
                    yield reduced


def _reduced(zone: Component, tzid: str) -> Component | None:
    """`zone` under the name `tzid` with nothing but its clocks; None if it has none that can be read."""
    made = Component("VTIMEZONE", zone.index)
    made.lines = [Line("TZID", tzid, zone.index)]
    for child in zone.children:
        if child.name in ("STANDARD", "DAYLIGHT"):
            observance = Component(child.name, child.index)
            try:
                observance.lines = [kept for line in child.lines for kept in _clock(line)]
            except ValueError:
                continue  # the whole observance counts for nothing (`tagwerk.ical.vtimezone`)
            made.children.append(observance)
    return made if zone_of_component(made) is not None else None


def _clock(line: Line) -> Iterator[Line]:
    """What is kept of a line of an observance.

    Raises:
        ValueError: the value is not what it should be.
    """
    name, value = line.name, line.value.strip()
    if name in ("DTSTART", "RDATE"):
        texts = [text for text in value.split(",") if text.strip()]
        yield Line(name, ",".join(map(_time, texts)), line.index)
    elif name in ("TZOFFSETFROM", "TZOFFSETTO"):
        parse_offset(value)
        yield Line(name, value, line.index)
    elif name == "RRULE":
        yield Line(name, _rule(value), line.index)
    elif name == "TZNAME" and (value.upper() in _TZNAMES or _TZNAME.match(value)):
        yield Line(name, value, line.index)
