"""Objects as Radicale's items."""

from __future__ import annotations

from datetime import date, datetime
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import vobject
from radicale import item as radicale_item
from radicale.log import logger
from vobject.icalendar import utc

from tagwerk.model import Kind, StoredObject

if TYPE_CHECKING:
    from tagwerk_radicale.collection import Collection

_NEVER = (
    "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:never\r\nDTSTART:00010102T000000Z\r\nRRULE:FREQ=DAILY;COUNT=1\r\n"
    "END:VEVENT\r\nEND:VCALENDAR\r\n"
)
"""Stands for an event that cannot be read: it happens when nobody asks."""

_MOMENTS = ("dtstart", "dtend", "recurrence-id", "rdate", "exdate")
_INSTANCES = ("RECURRENCE-ID", "RDATE", "EXDATE")
_RECURRENCE = {"rrule", "rdate", "recurrence-id"}


class Item(radicale_item.Item):
    """A stored object; its text is read when it is asked for."""

    collection: Collection
    href: str

    def __init__(self, collection: Collection, stored: StoredObject) -> None:
        super().__init__(
            collection=collection,
            href=stored.name,
            last_modified=formatdate(stored.modified, usegmt=True),
            text="" if stored.content is None else decoded(stored.content),
            etag=stored.etag,
            name="VCALENDAR" if collection.binding.collection.kind is Kind.CALENDAR else "VCARD",
            component_name="" if stored.component == "VCARD" else stored.component,
        )
        if stored.content is None:
            self._text = None
        self._stored_uid = stored.uid

    def serialize(self) -> str:
        if self._text is None:
            self._text = self.collection.text_of(self.href)
        return self._text

    @property
    def uid(self) -> str:
        """The UID as vobject reads it: Radicale compares it with what vobject read from a request.

        Parsing is needed only where that may differ from the UID in the store: it is
        folded, escaped or padded.
        """
        if self._uid is None:
            text = self.serialize()
            if any(f"\nUID:{self._stored_uid}{end}" in text for end in ("\r\n", "\n")):
                self._uid = self._stored_uid
            else:
                self._uid = self._parsed_uid()
        return self._uid

    def _parsed_uid(self) -> str:
        try:
            return radicale_item.get_uid_from_object(super().vobject_item) or self._stored_uid
        except RuntimeError:
            return self._stored_uid  # vobject cannot read it; it must be replaceable all the same.

    @property
    def vobject_item(self) -> Any:
        """For expanding and free-busy.  What cannot be read or expanded must not spoil a whole report."""
        self.serialize()
        try:
            found = super().vobject_item
            _make_expandable(found)
        except (RuntimeError, AttributeError, TypeError, ValueError):
            # What it says has the object's name, and lines of its content.
            logger.error(
                "vobject cannot read or expand an object in /%s/, which is left out.", self.collection.path
            )
            return vobject.readOne(_NEVER)
        return found


def _make_expandable(calendar: Any) -> None:
    """Give the events of an object a master, and what Radicale compares one kind.

    Others may see overrides without their master.  Floating times count as UTC where there is recurrence.

    Raises:
        AttributeError, TypeError, ValueError: it cannot be expanded all the same.
    """
    events = calendar.contents.get("vevent", [])
    recurs = any(_RECURRENCE & event.contents.keys() for event in events)
    lines = [line for event in events for name in _MOMENTS for line in event.contents.get(name, ())]
    floating = {line.value.tzinfo is None for line in lines if isinstance(line.value, datetime)}
    if recurs or len(floating) > 1:
        for line in lines:
            line.value = _zoned(line.value)
            line.params.pop("X-VOBJ-ORIGINAL-TZID", None)
    if recurs:
        start = _master(calendar, events).dtstart.value
        for line in lines:
            if line.name in _INSTANCES:
                line.value = _alike(line.value, start)
    for event in events:
        # As Radicale is going to do it.
        if "dtend" in event.contents:
            event.dtend.value - event.dtstart.value
        next(iter(event.getrruleset() or ()), None)


def _master(calendar: Any, events: list[Any]) -> Any:
    """The event that recurs; one that happens when nobody asks is added where there is none."""
    for event in events:
        if "recurrence-id" not in event.contents:
            return event
    master = vobject.readOne(_NEVER).vevent
    master.uid.value = events[0].uid.value
    if not isinstance(events[0].recurrence_id.value, datetime):
        master.dtstart.value = date(1, 1, 2)
    calendar.add(master)
    return master


def _zoned(value: Any) -> Any:
    """The value of a line with UTC for a zone in what has none."""
    if isinstance(value, list):
        return [_zoned(each) for each in value]
    floats = isinstance(value, datetime) and value.tzinfo is None
    return value.replace(tzinfo=utc) if floats else value


def _alike(value: Any, start: date) -> Any:
    """What names instances of a series by days as it does by moments, or the other way round, as its DTSTART has it."""
    if isinstance(value, list):
        return [_alike(each, start) for each in value]
    if isinstance(value, datetime):
        return value if isinstance(start, datetime) else value.date()
    if isinstance(value, date) and isinstance(start, datetime):
        return datetime.combine(value, start.timetz())
    return value


def decoded(content: bytes) -> str:
    """Stored bytes as Radicale has them."""
    # What is stored is UTF-8; if a disk says otherwise the other objects must still be served.
    return content.decode("utf-8", "replace")
