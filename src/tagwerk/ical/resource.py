"""Reading a calendar object resource (RFC 4791 4.1 and 5.3.2.1).

Lenient: whatever a client means is kept byte for byte.  What would not survive
inside an answer, or has no identity, is repaired with the smallest change; what
cannot be understood is refused with the precondition and the line.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection

from tagwerk import mending, searchtext
from tagwerk.contentline import Component, Line, escape
from tagwerk.decoding import DecodingError, decode
from tagwerk.errors import CALDAV, InvalidCalendar
from tagwerk.ical import facts as facts_module
from tagwerk.ical import identity
from tagwerk.ical.facts import facts
from tagwerk.ical.grammar import GRAMMAR, OBJECTS
from tagwerk.ical.masking import privacy_of
from tagwerk.ical.personal import has_personal
from tagwerk.mending import BrokenText, Parsed
from tagwerk.model import MAX_INDEXED, Facts, Upload

VALID_DATA = CALDAV + "valid-calendar-data"
VALID_RESOURCE = CALDAV + "valid-calendar-object-resource"
SUPPORTED_DATA = CALDAV + "supported-calendar-data"
SUPPORTED_COMPONENT = CALDAV + "supported-calendar-component"

MAX_ATTENDEES = 5000
"""Attendees that one component may have (RFC 4791 5.2.9)."""

_NO_ZONES = frozenset({"VTIMEZONE"})


def read(
    content: bytes,
    *,
    charset: str = "",
    now: int,
    components: Collection[str] = OBJECTS,
    uid: Callable[[], str] = str,
) -> Upload:
    """The calendar object in `content`, with what queries need to know of it.

    `charset` is the parameter of the media type, `now` is in seconds since 1970,
    `components` are the kinds that the collection holds, `uid` is asked for an object that
    has none: that of the object it replaces, else one is made from what is in it.

    Raises:
        InvalidCalendar: with the precondition of RFC 4791 5.3.2.1 that does not hold, and
            the line where there is one.
    """
    parsed, repairs = _parse(content, charset)
    calendar = _only_calendar(parsed)
    objects = _objects(calendar, parsed, components)
    text = _give_uid(objects, parsed, repairs, given=uid)
    _check_identity(objects, parsed)
    _check_attendees(objects, parsed)
    known = dataclasses.replace(
        _facts(calendar, parsed, now),
        uid=identity.uid(objects[0]),
        component=objects[0].name,
        search=searchtext.gather(calendar, skip=_NO_ZONES),
        privacy=privacy_of(calendar),
        alarms=has_personal(calendar),
    )
    return Upload(text.encode() if repairs else content, known, tuple(repairs))


def spans_between(content: bytes, since: int, until: int) -> bytes | None:
    """The occurrences of a stored object as `Facts.spans` has them for a time; None where they do not say it all.

    Raises:
        InvalidCalendar: it cannot be read.
    """
    parsed, _ = _parse(content, "")
    return facts_module.spans_between(_only_calendar(parsed), since, until)


def _parse(content: bytes, charset: str) -> tuple[Parsed, list[str]]:
    try:
        decoded = decode(content, charset=charset)
    except DecodingError as error:
        raise InvalidCalendar(str(error), line=error.line) from error
    try:
        parsed = mending.parse(decoded.text, GRAMMAR)
    except BrokenText as error:
        raise InvalidCalendar(str(error), line=error.line) from error
    return parsed, [*decoded.repairs, *parsed.repairs]


def _only_calendar(parsed: Parsed) -> Component:
    """The one VCALENDAR, of version 2.0 and without METHOD."""
    if not parsed.roots:
        raise InvalidCalendar("there is no VCALENDAR in it")
    for root in parsed.roots:
        if root.name != "VCALENDAR":
            raise InvalidCalendar(
                f"{root.name} stands where VCALENDAR was expected", line=parsed.line(root.index)
            )
    calendar = parsed.roots[0]
    version = calendar.first("VERSION")
    if version is not None and "2.0" not in (part.strip() for part in version.value.split(";")):
        raise InvalidCalendar(
            f"the version of iCalendar is 2.0, not {version.value.strip()[:20]!r}",
            line=parsed.line(version.index),
            condition=SUPPORTED_DATA,
        )
    if len(parsed.roots) > 1:
        raise InvalidCalendar(
            "a calendar object has only one VCALENDAR, this is the second",
            line=parsed.line(parsed.roots[1].index),
            condition=VALID_RESOURCE,
        )
    method = calendar.first("METHOD")
    if method is not None:
        raise InvalidCalendar(
            "a stored calendar object has no METHOD", line=parsed.line(method.index), condition=VALID_RESOURCE
        )
    return calendar


def _objects(calendar: Component, parsed: Parsed, allowed: Collection[str]) -> list[Component]:
    """The components that make the object, all of one kind and of a kind that is `allowed`."""
    objects = [child for child in calendar.children if child.name in OBJECTS]
    if not objects:
        for child in calendar.children:
            if child.name != "VTIMEZONE":
                raise InvalidCalendar(
                    f"{child.name} is no component that a calendar keeps",
                    line=parsed.line(child.index),
                    condition=SUPPORTED_COMPONENT,
                )
        raise InvalidCalendar("there is no event, task or journal entry in it", condition=VALID_RESOURCE)
    first = objects[0]
    for other in objects:
        if other.name != first.name:
            raise InvalidCalendar(
                f"a calendar object has only one kind of component, but this is {other.name} beside {first.name}",
                line=parsed.line(other.index),
                condition=VALID_RESOURCE,
            )
    if first.name not in allowed:
        raise InvalidCalendar(
            f"the calendar does not hold {first.name}",
            line=parsed.line(first.index),
            condition=SUPPORTED_COMPONENT,
        )
    return objects


def _give_uid(
    objects: list[Component], parsed: Parsed, repairs: list[str], *, given: Callable[[], str]
) -> str:
    """The text with a UID in every component that lacks one and can be given one."""
    nameless = [component for component in objects if not identity.uid(component)]
    if not nameless:
        return parsed.text
    named = [component for component in objects if identity.uid(component)]
    if named and any(identity.recurrence_id(component) is None for component in nameless):
        return parsed.text  # it cannot be known to which object these belong: _check_identity refuses
    uid = identity.uid(named[0]) if named else given() or identity.derived_uid(nameless)
    written = f"UID:{escape(uid)}"
    replaced: dict[int, str] = {}
    added: dict[int, str] = {}
    for component in nameless:
        line = component.first("UID")
        if line is None:
            added[component.index] = written
            component.lines.insert(0, Line("UID", escape(uid), component.index))
        else:
            replaced[line.index] = written
            line.value = escape(uid)
    repairs.append(f"The UID {uid} was added to a {objects[0].name} that had none.")
    return mending.edit(parsed.text, replaced=replaced, added=added)


def _check_identity(objects: list[Component], parsed: Parsed) -> None:
    """RFC 4791 4.1: one UID; RFC 5545 3.8.4.4: one master, and every instance overridden once."""
    uid = identity.uid(objects[0])
    if len(uid.encode()) > MAX_INDEXED:
        raise InvalidCalendar(
            f"the UID has {len(uid.encode())} bytes, at most {MAX_INDEXED} are allowed",
            line=parsed.line(objects[0].index),
            condition=VALID_RESOURCE,
        )
    instances: set[tuple[str, str] | None] = set()
    for component in objects:
        other = identity.uid(component)
        if other != uid:
            raise InvalidCalendar(
                f"a calendar object has only one UID, but this component has {_named(other)} beside {_named(uid)}",
                line=parsed.line(component.index),
                condition=VALID_RESOURCE,
            )
        instance = identity.recurrence_id(component)
        if instance in instances:
            what = f"the instance {instance[1]}" if instance else "the master, without RECURRENCE-ID,"
            raise InvalidCalendar(
                f"{what} is there twice", line=parsed.line(component.index), condition=VALID_RESOURCE
            )
        instances.add(instance)


def _check_attendees(objects: list[Component], parsed: Parsed) -> None:
    for component in objects:
        attendees = component.all("ATTENDEE")
        if len(attendees) > MAX_ATTENDEES:
            raise InvalidCalendar(
                f"{component.name} has {len(attendees)} attendees, at most {MAX_ATTENDEES} are allowed",
                line=parsed.line(attendees[MAX_ATTENDEES].index),
                condition=CALDAV + "max-attendees-per-instance",
            )


def _named(uid: str) -> str:
    return repr(uid[:60]) if uid else "none"


def _facts(calendar: Component, parsed: Parsed, now: int) -> Facts:
    try:
        return facts(calendar, now=now)
    except InvalidCalendar as error:
        index = getattr(error, "index", None)
        if error.line is not None or index is None:
            raise
        raise InvalidCalendar(str(error), line=parsed.line(index), condition=error.condition) from error
