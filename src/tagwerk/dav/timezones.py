"""Time zones by reference (RFC 7809): clients need not send VTIMEZONEs that everybody knows."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from tagwerk.dav import xml
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import Context, Resource, Where
from tagwerk.dav.webdav import plain_text
from tagwerk.errors import CALDAV, Refused
from tagwerk.ical.zones import named_zone

feature = Feature("RFC 7809", tokens=("calendar-no-timezone",))

TIMEZONE_ID = CALDAV + "calendar-timezone-id"


def timezone_id(context: Context, node: Element) -> str:
    """RFC 7809 5.2: the name of a zone that is known (CALDAV:valid-timezone)."""
    text = plain_text(context, node).strip()
    if named_zone(xml.text_of(text)) is None:
        raise Refused(f"The time zone {text[:60]!r} is not known.", condition=CALDAV + "valid-timezone")
    return text


@feature.live_property(TIMEZONE_ID, on=Where.CALENDAR, set=timezone_id)
def calendar_timezone_id(context: Context, resource: Resource) -> str | None:
    """RFC 7809 5.2."""
    return context.dead_properties(resource).get(TIMEZONE_ID)
