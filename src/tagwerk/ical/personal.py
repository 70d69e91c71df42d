"""What each person has of their own in a shared calendar object (caldav-sharing 5.5.4): alarms and TRANSP.

The stored object is the owner's, with the owner's alarms.  What belongs to somebody else is
kept beside it as a `Personal`: `taken_apart` divides what they send, `seen` puts it together
for them.  A component goes by its key: "" for the master, otherwise the RECURRENCE-ID.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Final

from tagwerk.contentline import Component, Line, fold, param_value, parse, serialize
from tagwerk.ical import identity
from tagwerk.ical.grammar import OBJECTS
from tagwerk.ical.schedule import one_series
from tagwerk.ical.series import originals
from tagwerk.ical.timing import TimeError
from tagwerk.ical.values import DAY, Moment, clamped, parse_moment, read_moment, show_date, show_local
from tagwerk.ical.zones import Zones

_RECURRENCE: Final = frozenset({"RRULE", "RDATE", "EXDATE", "EXRULE"})
_ALARM_STATE: Final = frozenset(
    {
        "X-MOZ-LASTACK",
        "X-MOZ-GENERATION",
        "X-MOZ-SNOOZE-TIME",
        "X-MOZILLA-LASTALARMACK",  # Mozilla before 2006
        "X-APPLE-TRAVEL-ADVISORY-BEHAVIOR",  # whether "time to leave" is told
    }
)
_SNOOZED = "X-MOZ-SNOOZE-TIME-"  # and the microseconds of the instance
_VOLATILE: Final = frozenset({"DTSTAMP", "LAST-MODIFIED", "CREATED", "SEQUENCE"})
_PROGRAM: Final = frozenset({"VERSION", "PRODID", "CALSCALE"})
_ACCESS = "X-CALENDARSERVER-ACCESS"
_DATES: Final = frozenset({"DTSTART", "DTEND", "DUE", "RECURRENCE-ID", "EXDATE", "RDATE"})


@dataclass(frozen=True, slots=True)
class Part:
    """What is one person's own in one component.

    `transp` is None where the shared TRANSP holds, "" for no TRANSP, else its value; `alarms`
    are VALARMs as text; `lines` are unfolded lines in which programs note the state of alarms.
    """

    transp: str | None = None
    alarms: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


class Personal(Mapping[str, Part]):
    """What is one person's own in one object, by the key of the component; false if there is nothing."""

    __slots__ = ("_parts",)

    def __init__(self, parts: Mapping[str, Part] | None = None) -> None:
        self._parts = dict(parts or {})

    def __getitem__(self, key: str) -> Part:
        return self._parts[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __repr__(self) -> str:
        return f"Personal({self._parts!r})"

    def dumps(self) -> str:
        """The text that `loads` reads, "" for nothing; equal ones have the same."""
        parts = {key: (part.transp, part.alarms, part.lines) for key, part in self._parts.items()}
        return json.dumps(parts, ensure_ascii=False, separators=(",", ":"), sort_keys=True) if parts else ""

    @classmethod
    def loads(cls, text: str) -> Personal:
        """What `dumps` wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            parts = {
                key: Part(transp, tuple(alarms), tuple(lines))
                for key, (transp, alarms, lines) in json.loads(text or "{}").items()
            }
        except (AttributeError, TypeError) as error:
            raise ValueError("This is not what somebody has of their own.") from error
        return cls(parts)


def has_personal(calendar: Component) -> bool:
    """Whether there are alarms or their state in the object; TRANSP does not count."""
    return any(
        any(inner.name == "VALARM" for inner in child.children) or any(map(_is_personal, child.lines))
        for child in _objects(calendar)
    )


def seen(calendar: Component, own: Personal) -> Component:
    """The stored object `calendar` as it is for somebody else, whose `own` is put in.

    An override that `own` knows nothing of has the person's alarms and TRANSP of the master,
    as it would have as an instance.  An instance that `own` has something for is made an
    override, unless there is no such instance any more.  `calendar` is not changed.
    """
    made = _like(calendar)
    inherited = _inherited(own)
    keys: set[str] = set()
    for child in calendar.children:
        if child.name in OBJECTS:
            key = _key(child)
            keys.add(key)
            child = _with(_bare(child), own.get(key, inherited if key else Part()))
        made.children.append(child)
    for key, instance in _derived(calendar, [key for key in own if key not in keys]).items():
        made.children.append(_with(instance, own[key]))
    return made


_ALARM = re.compile(rb"^BEGIN:VALARM\r?\n.*?^END:VALARM\r?\n", re.MULTILINE | re.DOTALL | re.IGNORECASE)
_TRACES = (b"VALARM", b"\nX-MOZ", b"\nX-APPLE-TRAVEL")
"""In the text in upper case: what looks like alarms or their state."""
_FOLDED_NAME = re.compile(
    rb"^(?:BEGIN|END)[^\r\n]*\r?\n[ \t]|^[^\r\n:;]{1,30}\r?\n[ \t]", re.MULTILINE | re.IGNORECASE
)
"""Names, or the beginnings and ends of components, that are folded: only reading tells what they are."""


def without_alarms(content: bytes) -> bytes:
    """The bytes of a stored object as they are for somebody else who has nothing of their own.

    Says what ``seen(calendar, Personal())`` says; the lines that stay are byte for byte those that
    were stored.
    """
    cut = _ALARM.sub(b"", content)
    upper = cut.upper()
    if any(trace in upper for trace in _TRACES) or (
        (b"\n " in cut or b"\n\t" in cut) and _FOLDED_NAME.search(cut)
    ):
        return serialize(seen(parse(content.decode())[0], Personal())).encode()
    return cut


def taken_apart(sent: Component, base: Component | None) -> tuple[Component, Personal]:
    """What somebody other than the owner `sent`: the new shared object, and what is the sender's own.

    `base` is the object as it is stored, None for a new one.  The owner's alarms and TRANSP are
    those of `base`; a new override gets the alarms of the owner's master that go by the
    start or end, and its TRANSP; a new object has none.  An override that says nothing that
    its instance does not say, but for what is personal, is not part of the shared object,
    unless `base` has one too.

    ``seen(shared, personal)`` says the same as `sent`.
    """
    owners = {_key(child): child for child in _objects(base)} if base is not None else {}
    master = owners.get("")
    fresh = _inherited({"": _part(master)}) if master is not None else Part()
    fresh = Part(fresh.transp or "", fresh.alarms)
    derived = _derived(sent, [key for child in _objects(sent) if (key := _key(child)) not in owners])
    shared = _like(sent)
    shared_transp = ""
    parts: dict[str, Part] = {}
    added: dict[str, Part] = {}
    for child in sent.children:
        if child.name not in OBJECTS:
            shared.children.append(child)
            continue
        key, own = _key(child), _part(child)
        if key in derived and _said(derived[key]) == _said(child):
            added[key] = own
            continue
        owner = owners.get(key)
        theirs = _part(owner) if owner is not None else fresh if key else Part("")
        shared.children.append(_with(_bare(child), theirs))
        parts[key] = _relative_to(own, theirs.transp or "")
        if not key:
            shared_transp = theirs.transp or ""
    inherited = _inherited(parts)
    kept = {key: part for key, part in parts.items() if part != (inherited if key else Part())}
    kept.update((key, _relative_to(part, shared_transp)) for key, part in added.items())
    return shared, Personal(kept)


def same_shared(one: Component, other: Component) -> bool:
    """Whether two calendars say the same, apart from what is personal and what any program may change.

    The latter are DTSTAMP, LAST-MODIFIED, CREATED, SEQUENCE; VERSION, PRODID, CALSCALE and what
    else of the VCALENDAR begins with ``X-``, but for X-CALENDARSERVER-ACCESS; the definitions
    of zones, the order of lines and components, and how a parameter is quoted.
    """
    return _whole(one) == _whole(other)


_Said = tuple[str, list[tuple[str, object, str]], list["_Said"]]


def _whole(calendar: Component) -> tuple[object, list[_Said]]:
    head = [
        line
        for line in calendar.lines
        if line.name == _ACCESS or not (line.name in _PROGRAM or line.name.startswith("X-"))
    ]
    children = [_said(child) for child in calendar.children if child.name != "VTIMEZONE"]
    return sorted(map(_line_said, head)), sorted(children)


def _said(component: Component) -> _Said:
    """What a component says to everybody, in a form that can be compared."""
    is_object = component.name in OBJECTS
    lines = [
        _line_said(line)
        for line in component.lines
        if not (line.name in _VOLATILE or (is_object and (line.name == "TRANSP" or _is_personal(line))))
    ]
    children = [_said(child) for child in component.children if not (is_object and child.name == "VALARM")]
    return component.name, sorted(lines), sorted(children)


def _line_said(line: Line) -> tuple[str, object, str]:
    params = dict(sorted(line.params.items()))
    if line.name in _DATES and params.get("VALUE") == ["DATE-TIME"]:
        del params["VALUE"]
    return line.name, list(params.items()), line.value.strip()


def _objects(calendar: Component) -> Iterator[Component]:
    return (child for child in calendar.children if child.name in OBJECTS)


def _is_personal(line: Line) -> bool:
    return line.name in _ALARM_STATE or line.name.startswith(_SNOOZED)


def _key(component: Component) -> str:
    """ "" for a master, else the RECURRENCE-ID: its value, then its zone if it has one."""
    instance = identity.recurrence_id(component)
    if instance is None:
        return ""
    tzid, value = instance
    return f"{value};TZID={tzid}" if tzid else value


def _named(key: str) -> Line:
    """The RECURRENCE-ID that `key` is made of.

    Raises:
        ValueError: it is no date or time.
    """
    value, _, tzid = key.partition(";TZID=")
    if parse_moment(value).all_day:
        return Line("RECURRENCE-ID;VALUE=DATE", value, 0)
    return Line(f"RECURRENCE-ID;TZID={param_value(tzid)}" if tzid else "RECURRENCE-ID", value, 0)


def _like(component: Component) -> Component:
    """A component of that name with the same lines, and no children yet."""
    made = Component(component.name, component.index)
    made.lines = list(component.lines)
    return made


def _bare(component: Component) -> Component:
    """The component without anybody's alarms; TRANSP stays."""
    made = Component(component.name, component.index)
    made.lines = [line for line in component.lines if not _is_personal(line)]
    made.children = [child for child in component.children if child.name != "VALARM"]
    return made


def _part(component: Component) -> Part:
    """What is personal in the component, with its TRANSP in any case."""
    transp = [line.value.strip() for line in component.lines if line.name == "TRANSP"]
    return Part(
        transp[-1] if transp else "",
        tuple(serialize(child) for child in component.children if child.name == "VALARM"),
        tuple(f"{line.head}:{line.value}" for line in component.lines if _is_personal(line)),
    )


def _relative_to(part: Part, shared: str) -> Part:
    """`part` without its TRANSP where that means what is `shared`: OPAQUE is the default (RFC 5545 3.8.2.7)."""
    same = ((part.transp or "").upper() or "OPAQUE") == (shared.upper() or "OPAQUE")
    return Part(None if same else part.transp, part.alarms, part.lines)


def _with(component: Component, part: Part) -> Component:
    """`component`, a new one, after `part` was put in."""
    if part.transp is not None and part.transp != _part(component).transp:
        component.lines = [line for line in component.lines if line.name != "TRANSP"]
        if part.transp:
            component.lines.append(Line("TRANSP", part.transp, component.index))
    if part.alarms or part.lines:
        text = "".join(map(fold, part.lines)) + "".join(part.alarms)
        own = parse(f"BEGIN:X-OWN\r\n{text}END:X-OWN\r\n")[0]
        component.lines += own.lines
        component.children += own.children
    return component


def _inherited(parts: Mapping[str, Part]) -> Part:
    """What an instance has of the master's part: TRANSP, and the alarms that go by its start or end."""
    master = parts.get("", Part())
    relative = tuple(
        alarm
        for alarm in master.alarms
        if (trigger := parse(alarm)[0].first("TRIGGER")) is not None and "P" in trigger.value.upper()
    )
    return Part(master.transp, relative)


def _derived(calendar: Component, keys: Iterable[str]) -> dict[str, Component]:
    """The instances that `keys` name, as overrides that say what the master says, without alarms.

    What is no instance of the master is left out, and what is more than a copy of it: after
    RANGE=THISANDFUTURE, or with a length of its own by RDATE.
    """
    components = [child for child in calendar.children if child.name in ("VEVENT", "VTODO")]
    master = next((child for child in components if child.first("RECURRENCE-ID") is None), None)
    if master is None:
        return {}
    stubs: dict[str, Component] = {}
    for key in filter(None, keys):
        with contextlib.suppress(ValueError):
            stubs[key] = Component(master.name, master.index)
            stubs[key].lines.append(_named(key))
    stubs = {key: stub for key, stub in stubs.items() if stub.lines}
    ranges = [child for child in components if (line := child.first("RECURRENCE-ID")) and line.param("RANGE")]
    try:
        series = one_series([master, *ranges, *stubs.values()], Zones(calendar, UTC))
    except TimeError:
        return {}
    if series.timing is None or not (series.rules or series.dates):
        return {}
    first, changed = series.timing.moment.local, [override.original for override in series.ranges]
    made: dict[str, Component] = {}
    for key, stub in stubs.items():
        original = series.by_component[id(stub)].original
        is_copy = original not in series.lengths and all(original < other for other in changed)
        if is_copy and any(originals(series, original, clamped(original, 1))):
            since = original - first
            with contextlib.suppress(ValueError):  # a second DTEND, which nobody has read before
                made[key] = _instance(master, stub.lines[0], since.days * DAY + since.seconds)
    return made


def _instance(master: Component, name: Line, moved: int) -> Component:
    """The instance called `name`, so many seconds of the clock after the first."""
    made = _bare(master)
    times = {"DTSTART", "DUE" if master.name == "VTODO" else "DTEND"}
    lines = [line for line in made.lines if line.name not in _RECURRENCE]
    made.lines = [
        Line(line.head, _moved(read_moment(line), moved), line.index) if line.name in times else line
        for line in lines
    ]
    made.lines.append(name)
    return made


def _moved(moment: Moment, seconds: int) -> str:
    local = clamped(moment.local, seconds)
    if moment.all_day:
        return show_date(local)
    return show_local(local) + ("Z" if moment.utc else "")
