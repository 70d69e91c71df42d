"""Time zones by reference (RFC 7809): clients need not send VTIMEZONEs that everybody knows."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from tagwerk.contentline import ContentLineError, parse
from tagwerk.dav import xml
from tagwerk.dav.message import Request
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import Context, Resource, Where
from tagwerk.dav.webdav import plain_text
from tagwerk.errors import CALDAV, Refused
from tagwerk.ical.zone_text import vtimezone, with_zones
from tagwerk.ical.zones import named_zone, without_named_zones

feature = Feature("RFC 7809", tokens=("calendar-no-timezone",))

TIMEZONE = CALDAV + "calendar-timezone"
TIMEZONE_ID = CALDAV + "calendar-timezone-id"

SERVICE = "/-/timezones"
"""Where the definitions of zones are distributed (RFC 7808), below the server's base path."""


@feature.live_property(CALDAV + "timezone-service-set", on=Where.HOME)
def timezone_service_set(context: Context, resource: Resource) -> str:
    """RFC 7809 5.1: this server's own service."""
    return xml.href(context.request.base + SERVICE)


def timezone_id(context: Context, node: Element) -> str:
    """RFC 7809 5.2: the name of a zone that is known (CALDAV:valid-timezone)."""
    text = plain_text(context, node).strip()
    if named_zone(xml.text_of(text)) is None:
        raise Refused(f"The time zone {text[:60]!r} is not known.", condition=CALDAV + "valid-timezone")
    return text


@feature.live_property(TIMEZONE_ID, on=Where.CALENDAR, set=timezone_id)
def calendar_timezone_id(context: Context, resource: Resource) -> str | None:
    """RFC 7809 5.2: as it was set, or the TZID of the calendar-timezone that was set."""
    values = context.dead_properties(resource)
    if TIMEZONE_ID in values or TIMEZONE not in values:
        return values.get(TIMEZONE_ID)
    try:
        roots = parse(xml.text_of(values[TIMEZONE]))
    except ContentLineError:
        return None
    zones = [child.value("TZID").strip() for root in roots for child in root.children]
    return xml.escape(zones[0]) if zones and zones[0] else None


def calendar_timezone_of(values: dict[str, str]) -> str | None:
    """RFC 7809 3.1.5: the calendar-timezone that was set, or the definition of the zone whose name was."""
    if TIMEZONE in values or TIMEZONE_ID not in values:
        return values.get(TIMEZONE)
    text = vtimezone(xml.text_of(values[TIMEZONE_ID]).strip())
    if text is None:
        return None
    return xml.escape(
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Tagwerk//Tagwerk//EN\r\n{text}END:VCALENDAR\r\n"
    )


def agreeing(changes: dict[str, str | None]) -> dict[str, str | None]:
    """Changes of a calendar's properties in which neither of the two names of its zone outlives the other."""
    for one, other in ((TIMEZONE, TIMEZONE_ID), (TIMEZONE_ID, TIMEZONE)):
        if one in changes and other not in changes:
            return {**changes, other: None}
    return changes


def wanted_zones(request: Request, text: str) -> str:
    """A calendar's text with the VTIMEZONEs that the request asks for (RFC 7809 7.1, ``CalDAV-Timezones``)."""
    choice = request.header("caldav-timezones").strip().upper()
    if choice == "F":
        return without_named_zones(text)
    if choice == "T":
        try:
            return with_zones(text, parse(text)[0])
        except (ContentLineError, IndexError):
            return text
    return text


def asks_for_zones(request: Request) -> bool:
    """Whether a request has the header ``CalDAV-Timezones`` with a meaning."""
    return request.header("caldav-timezones").strip().upper() in ("T", "F")
