"""What a report wants of the bytes: all of them, a part, or the instances (RFC 4791 9.6, RFC 6352 10.4)."""

from __future__ import annotations

from datetime import tzinfo
from xml.etree.ElementTree import Element

from tagwerk.dav.resources import Context
from tagwerk.errors import CALDAV, CARDDAV, Refused

CALENDAR_DATA = CALDAV + "calendar-data"
ADDRESS_DATA = CARDDAV + "address-data"


def prepare_data(context: Context, root: Element, *, zone: tzinfo | None = None) -> None:
    """Set `Context.write_data` from the ``calendar-data`` or ``address-data`` that a report asks for.

    Raises:
        Refused: the media type or version is none that is served.
    """
    node = root.find(f"{{DAV:}}prop/{CALENDAR_DATA}")
    if node is not None and node.get("content-type", "text/calendar").lower() != "text/calendar":
        raise Refused(
            f"Calendar data is served as text/calendar, not as {node.get('content-type')}.",
            condition=CALDAV + "supported-calendar-data",
        )
    node = root.find(f"{{DAV:}}prop/{ADDRESS_DATA}")
    if node is not None and node.get("content-type", "text/vcard").lower() not in (
        "text/vcard",
        "text/x-vcard",
    ):
        raise Refused(
            f"Address data is served as text/vcard, not as {node.get('content-type')}.",
            condition=CARDDAV + "supported-address-data",
        )
