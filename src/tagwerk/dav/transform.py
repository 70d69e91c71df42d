"""What a report wants of the bytes: all, a part, the instances, another version (RFC 4791 9.6, RFC 6352 10.4)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, tzinfo
from xml.etree.ElementTree import Element

from tagwerk.contentline import Component, parse, serialize
from tagwerk.dav.calendar_filter import time_range
from tagwerk.dav.message import Request
from tagwerk.dav.resources import Context
from tagwerk.dav.timezones import asks_for_zones, wanted_zones
from tagwerk.errors import CALDAV, CARDDAV, InvalidXml, Refused
from tagwerk.ical.expand import expand, limit_freebusy_set, limit_recurrence_set
from tagwerk.ical.filter import TimeRange
from tagwerk.ical.partial import PropSelection, Selection, select
from tagwerk.ical.zones import without_named_zones
from tagwerk.vcard import partial as card_partial
from tagwerk.vcard.convert import to_version

CALENDAR_DATA = CALDAV + "calendar-data"
ADDRESS_DATA = CARDDAV + "address-data"

_NOTHING = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Tagwerk//Tagwerk//EN\r\nEND:VCALENDAR\r\n"

MAX_EXPANDED_TOGETHER = 50_000
"""Instances that one answer holds; after that, whatever recurs is given as it is."""

MAX_EXPANDED = 20_000
"""Instances of one object that are written out: half a century of days; more cost seconds."""

Step = Callable[[Component], str]


def prepare_data(context: Context, root: Element, *, zone: tzinfo = UTC) -> None:
    """Set `Context.write_data` from the ``calendar-data`` or ``address-data`` that a report asks for.

    `zone` is where floating and all-day times are.

    Raises:
        Refused: the media type or version is none that is served.
        InvalidXml: it asks for things that exclude each other.
    """
    if (node := root.find(f"{{DAV:}}prop/{CALENDAR_DATA}")) is not None:
        context.write_data = _calendar_data(node, zone, context.request)
    elif (node := root.find(f"{{DAV:}}prop/{ADDRESS_DATA}")) is not None:
        context.write_data = _address_data(node)


def _calendar_data(node: Element, zone: tzinfo, request: Request) -> Callable[[bytes], str] | None:
    media, version = node.get("content-type", "text/calendar").lower(), node.get("version", "2.0")
    if media != "text/calendar" or version != "2.0":
        raise Refused(
            f"Calendar data is served as text/calendar 2.0, not as {media} {version}.",
            condition=CALDAV + "supported-calendar-data",
        )
    steps = _steps(node, zone)
    expanding = node.find(CALDAV + "expand") is not None
    with_zones = asks_for_zones(request) and not expanding
    if not steps and not with_zones:
        return None

    def write(content: bytes) -> str:
        text = content.decode()
        if with_zones:
            text = wanted_zones(request, text)
        if expanding:
            text = without_named_zones(text)
        for step in steps:
            text = step(parse(text)[0])
        return text

    return write


def _steps(node: Element, zone: tzinfo) -> list[Step]:
    steps: list[Step] = []
    expanding = node.find(CALDAV + "expand")
    limiting = node.find(CALDAV + "limit-recurrence-set")
    busy = node.find(CALDAV + "limit-freebusy-set")
    if expanding is not None and limiting is not None:
        raise InvalidXml("calendar-data asks for expand or for limit-recurrence-set, not for both.")
    if expanding is not None:
        steps.append(_expander(time_range(expanding, needs_both=True), zone))
    if limiting is not None:
        span = time_range(limiting, needs_both=True)
        steps.append(lambda calendar: limit_recurrence_set(calendar, span.start, span.end, zone=zone))
    if busy is not None:
        part = time_range(busy, needs_both=True)
        steps.append(lambda calendar: limit_freebusy_set(calendar, part.start, part.end, zone=zone))
    comp = node.find(CALDAV + "comp")
    if comp is not None:
        selection = _selection(comp)
        if not (selection.name == "VCALENDAR" and selection.is_whole):
            steps.append(lambda calendar: select(calendar, selection))
    return steps


def _expander(span: TimeRange, zone: tzinfo) -> Step:
    left = MAX_EXPANDED_TOGETHER

    def step(calendar: Component) -> str:
        nonlocal left
        limit = max(1, min(MAX_EXPANDED, left))
        try:
            expanded = expand(calendar, span.start, span.end, zone=zone, limit=limit)
        except ValueError:
            # An object with dates that nobody can read, or too many instances, is given as it is.
            left -= limit
            return serialize(calendar)
        if expanded is None:
            return _NOTHING
        left -= expanded.count("\r\nUID")
        return expanded

    return step


def _selection(node: Element) -> Selection:
    props = tuple(
        PropSelection(prop.get("name", "").upper(), prop.get("novalue", "no") == "yes")
        for prop in node.iterfind(CALDAV + "prop")
    )
    return Selection(
        name=node.get("name", "").upper(),
        all_props=node.find(CALDAV + "allprop") is not None,
        props=props,
        all_comps=node.find(CALDAV + "allcomp") is not None,
        comps=tuple(_selection(comp) for comp in node.iterfind(CALDAV + "comp")),
    )


def _address_data(node: Element) -> Callable[[bytes], str] | None:
    media, version = node.get("content-type", "text/vcard").lower(), node.get("version", "")
    if media not in ("text/vcard", "text/x-vcard") or version not in ("", "3.0", "4.0"):
        raise Refused(
            f"Address data is served as text/vcard 3.0 and 4.0, not as {media} {version}.",
            condition=CARDDAV + "supported-address-data-conversion"
            if version
            else CARDDAV + "supported-address-data",
        )
    props = tuple(
        card_partial.Prop(prop.get("name", "").upper(), prop.get("novalue", "no") == "yes")
        for prop in node.iterfind(CARDDAV + "prop")
    )
    if not version and not props:
        return None

    def write(content: bytes) -> str:
        if version == "3.0" or version == "4.0":
            content = to_version(content, "3.0" if version == "3.0" else "4.0")
        if props:
            content = card_partial.select(parse(content.decode())[0], props)
        return content.decode()

    return write
