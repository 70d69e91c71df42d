"""WebDAV: OPTIONS, and the live properties that every resource has (RFC 4918 10.1, 15)."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree.ElementTree import Element

from tagwerk.dav import xml
from tagwerk.dav.conditions import http_date
from tagwerk.dav.message import Response
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import (
    CollectionResource,
    Context,
    Home,
    ObjectResource,
    ProxyGroup,
    Resource,
    Where,
    where_is,
)
from tagwerk.errors import Refused
from tagwerk.model import Access

feature = Feature("RFC 4918", tokens=("1", "3"))

DISPLAYNAME = "{DAV:}displayname"
MAX_TEXT = 64 * 1024
"""Characters that one property may hold."""


@feature.method("OPTIONS", on=Where.EVERYTHING | Where.NEW)
def options(context: Context) -> Response:
    """RFC 4918 10.1: what is there; answered for a path without a resource, and for nobody, too."""
    allow = context.registry.allowed(where_is(context))
    return Response(200, {"Allow": ", ".join(allow), "DAV": ", ".join(context.registry.tokens)})


@feature.live_property("{DAV:}resourcetype", on=Where.EVERYTHING, in_allprop=True)
def resourcetype(context: Context, resource: Resource) -> str:
    """RFC 4918 15.9, RFC 4791 4.2, RFC 6352 5.2, RFC 3744 4."""
    if resource.where is Where.ROOT:
        return "<D:collection/>"
    if resource.where in Where.ANYBODY:
        return "<D:collection/><D:principal/>"
    if isinstance(resource, ProxyGroup):
        kind = "read" if resource.access is Access.READ else "write"
        return f"<D:principal/><CS:calendar-proxy-{kind}/>"
    if isinstance(resource, CollectionResource):
        return _COLLECTIONS[resource.where] + _shared(context, resource)
    return ""


_COLLECTIONS = {
    Where.CALENDAR: "<D:collection/><C:calendar/>",
    Where.ADDRESSBOOK: "<D:collection/><CR:addressbook/>",
    Where.NOTIFICATIONS: "<D:collection/><CS:notification/><CS:notifications/>",
}


def _shared(context: Context, resource: CollectionResource) -> str:
    """apple-caldav-sharing.txt 5.2.1."""
    if resource.where is Where.NOTIFICATIONS or not resource.own:
        return ""
    if resource.access is not Access.OWNER:
        return "<CS:shared/>"
    return "<CS:shared-owner/>" if context.shares(resource.binding.collection) else ""


def plain_text(context: Context, node: Element) -> str:
    """A property that is text, bounded in length."""
    if len(node):
        raise Refused(f"{node.tag} holds text, not elements.")
    text = node.text or ""
    if len(text) > MAX_TEXT:
        raise Refused(f"{node.tag} may have {MAX_TEXT} characters; this has {len(text)}.")
    return xml.escape(text)


@feature.live_property(
    DISPLAYNAME,
    on=Where.CONTAINER | Where.PRINCIPAL | Where.DELEGATED,
    in_allprop=True,
    set=plain_text,
)
def displayname(context: Context, resource: Resource) -> str | None:
    """RFC 4918 15.2; a collection without one shows its name."""
    if DISPLAYNAME in (values := context.dead_properties(resource)):
        return values[DISPLAYNAME]
    if isinstance(resource, Home):
        return xml.escape(resource.principal.display_name)
    if isinstance(resource, CollectionResource):
        return xml.escape(resource.binding.name)
    return None


@feature.live_property(DISPLAYNAME, on=Where.PROXY | Where.NOTIFICATIONS, in_allprop=True)
def name_of_what_is_made(context: Context, resource: Resource) -> str:
    """RFC 4918 15.2, where the server chooses it."""
    if isinstance(resource, ProxyGroup):
        may = "read" if resource.access is Access.READ else "change"
        return xml.escape(f"Who may {may} the calendars of {resource.owner.display_name}")
    return "Notifications"


@feature.live_property("{DAV:}getetag", on=Where.SYNCED | Where.STORED, in_allprop=True)
def getetag(context: Context, resource: Resource) -> str | None:
    """RFC 4918 15.6; a collection's changes with everything in it."""
    if isinstance(resource, ObjectResource):
        return resource.stored.etag
    if isinstance(resource, CollectionResource):
        return collection_etag(resource)
    return None


def collection_etag(resource: CollectionResource) -> str:
    """The entity tag of a collection as a whole."""
    return resource.view.etag


CONTENT_TYPES = {
    "VCARD": "text/vcard; charset=utf-8",
    # apple-caldav-notifications.txt 4: they are XML documents.
    "NOTIFICATION": xml.XML_TYPE,
}


def content_type(component: str) -> str:
    """The media type of an object (RFC 5545 8.1, RFC 6350 10.1)."""
    return CONTENT_TYPES.get(component) or f"text/calendar; charset=utf-8; component={component}"


@feature.live_property("{DAV:}getcontenttype", on=Where.COLLECTION | Where.STORED, in_allprop=True)
def getcontenttype(context: Context, resource: Resource) -> str:
    """RFC 4918 15.5."""
    if isinstance(resource, ObjectResource):
        return content_type(resource.stored.component)
    return "text/calendar; charset=utf-8" if resource.where is Where.CALENDAR else "text/vcard; charset=utf-8"


@feature.live_property("{DAV:}getcontentlength", on=Where.OBJECT, in_allprop=True)
def getcontentlength(context: Context, resource: Resource) -> str | None:
    """RFC 4918 15.4."""
    return str(resource.stored.size) if isinstance(resource, ObjectResource) else None


@feature.live_property("{DAV:}getlastmodified", on=Where.SYNCED | Where.STORED, in_allprop=True)
def getlastmodified(context: Context, resource: Resource) -> str | None:
    """RFC 4918 15.7."""
    if isinstance(resource, ObjectResource):
        return http_date(resource.stored.modified)
    if isinstance(resource, CollectionResource):
        return http_date(resource.view.modified)
    return None


@feature.live_property("{DAV:}creationdate", on=(Where.ANY ^ Where.ROOT) | Where.TOLD, in_allprop=True)
def creationdate(context: Context, resource: Resource) -> str | None:
    """RFC 4918 15.1."""
    if isinstance(resource, ObjectResource):
        return _rfc3339(resource.stored.created)
    if isinstance(resource, CollectionResource):
        return _rfc3339(resource.binding.collection.created)
    if isinstance(resource, Home):
        return _rfc3339(resource.principal.created)
    return None


@feature.live_property("{DAV:}supported-method-set", on=Where.EVERYTHING)
def supported_method_set(context: Context, resource: Resource) -> str:
    """RFC 3253 3.1.3."""
    return "".join(
        f'<D:supported-method name="{name}"/>' for name in context.registry.allowed(resource.where)
    )


def _rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
