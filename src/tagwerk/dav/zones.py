"""The time zone in which floating and all-day times of a report are meant (RFC 4791 7.3, RFC 7809 3.1.6)."""

from __future__ import annotations

from datetime import UTC, tzinfo
from xml.etree.ElementTree import Element

from tagwerk.contentline import ContentLineError, parse
from tagwerk.dav import xml
from tagwerk.dav.resources import CollectionResource, Context
from tagwerk.dav.timezones import TIMEZONE, TIMEZONE_ID
from tagwerk.errors import CALDAV, Refused
from tagwerk.ical.zones import named_zone, zone_of_calendar


def zone_of(context: Context, root: Element, place: CollectionResource) -> tzinfo:
    """The zone that the request names, else the calendar's, else UTC.  Raises as `zone_of_request`."""
    return zone_of_request(root) or zone_of_collection(context, place)


def zone_of_request(root: Element) -> tzinfo | None:
    """The zone that a report names (RFC 4791 9.8, RFC 7809 5.3).

    Raises:
        Refused: the request names none that is known or can be read (CALDAV:valid-calendar-data,
            CALDAV:valid-timezone).
    """
    if (text := root.findtext(CALDAV + "timezone")) is not None:
        zone = _read(text)
        if zone is None:
            raise Refused(
                "The timezone of the request is no calendar with one VTIMEZONE.",
                condition=CALDAV + "valid-calendar-data",
            )
        return zone
    if (name := root.findtext(CALDAV + "timezone-id")) is not None:
        zone = named_zone(name.strip())
        if zone is None:
            raise Refused(f"The time zone {name[:60]!r} is not known.", condition=CALDAV + "valid-timezone")
        return zone
    return None


def zone_of_collection(context: Context, place: CollectionResource) -> tzinfo:
    """The zone that was set on a calendar; UTC without one."""
    values = context.dead_properties(place)
    if TIMEZONE_ID in values and (zone := named_zone(xml.text_of(values[TIMEZONE_ID]).strip())):
        return zone
    if TIMEZONE in values and (zone := _read(xml.text_of(values[TIMEZONE]))):
        return zone
    return UTC


def _read(text: str) -> tzinfo | None:
    try:
        roots = parse(text.strip())
    except ContentLineError:
        return None
    if len(roots) != 1 or not any(child.name == "VTIMEZONE" for child in roots[0].children):
        return None
    return zone_of_calendar(roots[0])
