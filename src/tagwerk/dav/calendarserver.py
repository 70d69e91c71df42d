"""What clients took from Apple's calendar server: ctag, colour, order, addresses (apple-caldav-ctag.txt)."""

from __future__ import annotations

import re
from uuid import UUID
from xml.etree.ElementTree import Element

from tagwerk.dav import xml
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import CollectionResource, Context, Home, Resource, Where
from tagwerk.dav.sync import token_of
from tagwerk.dav.webdav import plain_text
from tagwerk.errors import Refused
from tagwerk.model import Principal

feature = Feature("calendarserver.org")

CS = "{http://calendarserver.org/ns/}"
ICAL = "{http://apple.com/ns/ical/}"

_COLOR = re.compile(r"#[0-9A-Fa-f]{3,8}\Z")


@feature.live_property(CS + "getctag", on=Where.SYNCED)
def getctag(context: Context, resource: Resource) -> str | None:
    """Changes with everything in the collection; the sync token says the same."""
    return xml.escape(token_of(resource)) if isinstance(resource, CollectionResource) else None


@feature.live_property(CS + "email-address-set", on=Where.ANYBODY)
def email_address_set(context: Context, resource: Resource) -> str | None:
    """The mail addresses of a person, as Apple's clients ask for them."""
    if not isinstance(resource, Home):
        return None
    return "".join(
        f"<CS:email-address>{xml.escape(address)}</CS:email-address>"
        for address in resource.principal.addresses
    )


def color(context: Context, node: Element) -> str:
    """A colour as clients write it: ``#RRGGBB``, with or without alpha, or a CSS name."""
    text = plain_text(context, node).strip()
    if text and not _COLOR.match(text) and not text.replace("-", "").isalnum():
        raise Refused(f"{text[:40]!r} is no colour; write it as #RRGGBB.")
    return text


@feature.live_property(ICAL + "calendar-color", on=Where.COLLECTION, set=color)
def calendar_color(context: Context, resource: Resource) -> str | None:
    """The colour that the user chose."""
    return context.dead_properties(resource).get(ICAL + "calendar-color")


@feature.live_property(ICAL + "calendar-order", on=Where.COLLECTION, set=plain_text)
def calendar_order(context: Context, resource: Resource) -> str | None:
    """The place among the user's collections."""
    return context.dead_properties(resource).get(ICAL + "calendar-order")


@feature.live_property("{DAV:}resource-id", on=Where.COLLECTION)
def resource_id(context: Context, resource: Resource) -> str | None:
    """RFC 5842 3.1, which Apple's clients ask for: the same wherever a collection is bound."""
    if not isinstance(resource, CollectionResource):
        return None
    return xml.href(f"urn:uuid:{UUID(int=resource.binding.collection.id)}")


def switch(context: Context, node: Element) -> str:
    """``1`` or ``0``."""
    text = plain_text(context, node).strip()
    if text not in ("0", "1"):
        raise Refused(f"{node.tag} is 0 or 1, not {text[:20]!r}.")
    return text


@feature.live_property("{http://owncloud.org/ns}calendar-enabled", on=Where.CALENDAR, set=switch)
def calendar_enabled(context: Context, resource: Resource) -> str:
    """Whether Nextcloud's clients show the calendar."""
    return context.dead_properties(resource).get("{http://owncloud.org/ns}calendar-enabled", "1")


@feature.live_property("{http://owncloud.org/ns}owner-principal", on=Where.COLLECTION)
def owner_principal(context: Context, resource: Resource) -> str | None:
    """The owner's path, as Nextcloud's clients ask for it."""
    owner = _owner(context, resource)
    return xml.escape(context.href(owner.name, collection=True)) if owner else None


@feature.live_property("{http://nextcloud.com/ns}owner-displayname", on=Where.COLLECTION)
def owner_displayname(context: Context, resource: Resource) -> str | None:
    """The owner's name, as Nextcloud's clients ask for it."""
    owner = _owner(context, resource)
    return xml.escape(owner.display_name) if owner else None


def _owner(context: Context, resource: Resource) -> Principal | None:
    if not isinstance(resource, CollectionResource):
        return None
    return context.principal(resource.binding.collection.owner)
