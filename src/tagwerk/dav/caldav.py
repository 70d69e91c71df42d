"""CalDAV: the properties of calendars and of those who have some (RFC 4791 5.2, 6.2)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from tagwerk.collation import COLLATIONS
from tagwerk.contentline import ContentLineError, parse
from tagwerk.dav import xml
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import CollectionResource, Context, Home, ObjectResource, Resource, Where
from tagwerk.dav.timezones import TIMEZONE, calendar_timezone_of
from tagwerk.dav.webdav import plain_text
from tagwerk.errors import CALDAV, Refused
from tagwerk.ical.facts import MAX_FINITE
from tagwerk.ical.resource import MAX_ATTENDEES
from tagwerk.store.collections import CALENDAR_COMPONENTS

feature = Feature("RFC 4791", tokens=("calendar-access",))

COMPONENT_SET = CALDAV + "supported-calendar-component-set"


def component_set(node: Element) -> tuple[str, ...]:
    """RFC 4791 5.2.3: the component types that a new calendar is to hold."""
    names = tuple(dict.fromkeys((comp.get("name") or "").upper() for comp in node.iterfind(CALDAV + "comp")))
    unknown = [name for name in names if name not in CALENDAR_COMPONENTS]
    if unknown or not names:
        raise Refused(
            f"A calendar can hold {', '.join(CALENDAR_COMPONENTS)}, not {', '.join(unknown) or 'nothing'}.",
            condition=CALDAV + "supported-calendar-component",
        )
    return names


@feature.live_property(COMPONENT_SET, on=Where.CALENDAR)
def supported_calendar_component_set(context: Context, resource: Resource) -> str | None:
    """RFC 4791 5.2.3."""
    if not isinstance(resource, CollectionResource):
        return None
    return "".join(f'<C:comp name="{name}"/>' for name in resource.binding.collection.components)


@feature.live_property(CALDAV + "supported-calendar-component-sets", on=Where.HOME)
def supported_calendar_component_sets(context: Context, resource: Resource) -> str:
    """CalDAV-ctag's sibling in Apple's clients: any set of components may be chosen (draft-daboo)."""
    return "".join(
        f'<C:supported-calendar-component-set><C:comp name="{name}"/></C:supported-calendar-component-set>'
        for name in CALENDAR_COMPONENTS
    )


@feature.live_property(CALDAV + "calendar-home-set", on=Where.ANYBODY)
def calendar_home_set(context: Context, resource: Resource) -> str:
    """RFC 4791 6.2.1."""
    return xml.href(resource.href)


@feature.live_property(CALDAV + "calendar-user-address-set", on=Where.ANYBODY)
def calendar_user_address_set(context: Context, resource: Resource) -> str | None:
    """RFC 6638 2.4.1: mail addresses first, then the principal's own URL."""
    if not isinstance(resource, Home):
        return None
    mail = "".join(xml.href(f"mailto:{address}") for address in resource.principal.addresses)
    return mail + xml.href(resource.href)


@feature.live_property(CALDAV + "calendar-user-type", on=Where.ANYBODY)
def calendar_user_type(context: Context, resource: Resource) -> str | None:
    """RFC 6638 2.4.2."""
    if not isinstance(resource, Home):
        return None
    return {"group": "GROUP", "room": "ROOM", "resource": "RESOURCE"}.get(
        resource.principal.kind, "INDIVIDUAL"
    )


@feature.live_property(CALDAV + "calendar-description", on=Where.CALENDAR, set=plain_text)
def calendar_description(context: Context, resource: Resource) -> str | None:
    """RFC 4791 5.2.1."""
    return context.dead_properties(resource).get(CALDAV + "calendar-description")


def calendar_timezone_value(context: Context, node: Element) -> str:
    """A VCALENDAR that holds exactly one VTIMEZONE (RFC 4791 5.2.2, CALDAV:valid-calendar-data)."""
    text = plain_text(context, node)
    try:
        roots = parse(node.text or "")
    except ContentLineError as error:
        raise Refused(
            f"The time zone cannot be read: {error}.", condition=CALDAV + "valid-calendar-data"
        ) from error
    zones = [child for root in roots for child in root.children if child.name == "VTIMEZONE"]
    if len(roots) != 1 or roots[0].name != "VCALENDAR" or len(zones) != 1 or zones[0].first("TZID") is None:
        raise Refused(
            "calendar-timezone holds one VCALENDAR with one VTIMEZONE in it.",
            condition=CALDAV + "valid-calendar-data",
        )
    return text


@feature.live_property(TIMEZONE, on=Where.CALENDAR, set=calendar_timezone_value)
def calendar_timezone(context: Context, resource: Resource) -> str | None:
    """RFC 4791 5.2.2."""
    return calendar_timezone_of(context.dead_properties(resource))


@feature.live_property(CALDAV + "supported-calendar-data", on=Where.CALENDAR)
def supported_calendar_data(context: Context, resource: Resource) -> str:
    """RFC 4791 5.2.4."""
    return '<C:calendar-data content-type="text/calendar" version="2.0"/>'


@feature.live_property(CALDAV + "max-resource-size", on=Where.CALENDAR)
def max_resource_size(context: Context, resource: Resource) -> str:
    """RFC 4791 5.2.5, in octets."""
    return str(context.settings.dav.max_resource_size)


@feature.live_property(CALDAV + "max-instances", on=Where.CALENDAR)
def max_instances(context: Context, resource: Resource) -> str:
    """RFC 4791 5.2.8."""
    return str(MAX_FINITE)


@feature.live_property(CALDAV + "max-attendees-per-instance", on=Where.CALENDAR)
def max_attendees_per_instance(context: Context, resource: Resource) -> str:
    """RFC 4791 5.2.9."""
    return str(MAX_ATTENDEES)


@feature.live_property(CALDAV + "min-date-time", on=Where.CALENDAR)
def min_date_time(context: Context, resource: Resource) -> str:
    """RFC 4791 5.2.6: whatever can be written."""
    return "00010101T000000Z"


@feature.live_property(CALDAV + "max-date-time", on=Where.CALENDAR)
def max_date_time(context: Context, resource: Resource) -> str:
    """RFC 4791 5.2.7: whatever can be written."""
    return "99991231T235959Z"


def transparency(context: Context, node: Element) -> str:
    """RFC 6638 9.1: ``opaque`` or ``transparent``."""
    names = [child.tag for child in node]
    if names not in ([CALDAV + "opaque"], [CALDAV + "transparent"]):
        raise Refused("schedule-calendar-transp holds opaque or transparent.")
    return xml.tags(names[0])[2]


@feature.live_property(CALDAV + "schedule-calendar-transp", on=Where.CALENDAR, set=transparency)
def schedule_calendar_transp(context: Context, resource: Resource) -> str:
    """RFC 6638 9.1: whether the calendar counts for its owner's free-busy."""
    return context.dead_properties(resource).get(CALDAV + "schedule-calendar-transp", "<C:opaque/>")


@feature.live_property(CALDAV + "supported-collation-set", on=Where.CALENDAR)
def supported_collation_set(context: Context, resource: Resource) -> str:
    """RFC 4791 7.5.1."""
    return "".join(f"<C:supported-collation>{name}</C:supported-collation>" for name in COLLATIONS)


@feature.live_property(CALDAV + "calendar-data", on=Where.EVENT)
def calendar_data(context: Context, resource: Resource) -> str | None:
    """RFC 4791 9.6: only in reports, which read the bytes."""
    if not isinstance(resource, ObjectResource) or resource.stored.content is None:
        return None
    write = context.write_data
    return xml.escape(resource.stored.content.decode() if write is None else write(resource.stored.content))
