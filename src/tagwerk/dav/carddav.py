"""CardDAV: the properties of address books and of those who have some (RFC 6352 6.2, 7.1)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from tagwerk.collation import COLLATIONS
from tagwerk.dav import xml
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import Context, ObjectResource, Resource, Where
from tagwerk.dav.webdav import plain_text
from tagwerk.errors import CARDDAV, Refused

feature = Feature("RFC 6352", tokens=("addressbook",))


@feature.live_property(CARDDAV + "addressbook-home-set", on=Where.ANYBODY)
def addressbook_home_set(context: Context, resource: Resource) -> str:
    """RFC 6352 7.1.1."""
    return xml.href(resource.href)


@feature.live_property(CARDDAV + "addressbook-description", on=Where.ADDRESSBOOK, set=plain_text)
def addressbook_description(context: Context, resource: Resource) -> str | None:
    """RFC 6352 6.2.1."""
    return context.dead_properties(resource).get(CARDDAV + "addressbook-description")


def one_href(context: Context, node: Element) -> str:
    """A single ``DAV:href``, or nothing."""
    hrefs = [(child.text or "").strip() for child in node]
    if [child.tag for child in node] not in ([], ["{DAV:}href"]):
        raise Refused(f"{node.tag} holds one DAV:href.")
    return xml.href(hrefs[0]) if hrefs else ""


@feature.live_property(CARDDAV + "principal-address", on=Where.HOME, set=one_href)
def principal_address(context: Context, resource: Resource) -> str | None:
    """RFC 6352 7.1.2: the card of the user, where a client has said which."""
    return context.dead_properties(resource).get(CARDDAV + "principal-address")


@feature.live_property(CARDDAV + "supported-address-data", on=Where.ADDRESSBOOK)
def supported_address_data(context: Context, resource: Resource) -> str:
    """RFC 6352 6.2.2."""
    return "".join(
        f'<CR:address-data-type content-type="text/vcard" version="{version}"/>' for version in ("3.0", "4.0")
    )


@feature.live_property(CARDDAV + "max-resource-size", on=Where.ADDRESSBOOK)
def max_resource_size(context: Context, resource: Resource) -> str:
    """RFC 6352 6.2.3, in octets."""
    return str(context.settings.dav.max_resource_size)


@feature.live_property(CARDDAV + "supported-collation-set", on=Where.ADDRESSBOOK)
def supported_collation_set(context: Context, resource: Resource) -> str:
    """RFC 6352 8.3.1."""
    return "".join(f"<CR:supported-collation>{name}</CR:supported-collation>" for name in COLLATIONS)


@feature.live_property(CARDDAV + "address-data", on=Where.CARD)
def address_data(context: Context, resource: Resource) -> str | None:
    """RFC 6352 10.4: only in reports, which read the bytes."""
    if not isinstance(resource, ObjectResource) or resource.stored.content is None:
        return None
    write = context.write_data
    return xml.escape(resource.stored.content.decode() if write is None else write(resource.stored.content))
