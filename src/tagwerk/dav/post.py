"""POST: what it means is said by where it goes and what its body is.

XML is an action, by its root element; anything else is a new member (RFC 5995).
"""

from __future__ import annotations

from xml.etree.ElementTree import Element

from tagwerk.dav import add_member, xml
from tagwerk.dav.message import Response
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import CollectionResource, Context, Where, target
from tagwerk.errors import Refused, UnsupportedMedia

feature = Feature("POST")

_XML = ("application/xml", "text/xml", "application/davsharing+xml")


def _prepare(context: Context) -> object:
    resource = target(context)
    if _is_xml(context):
        return xml.parse(context.request.body)
    if not isinstance(resource, CollectionResource) or resource.where not in Where.COLLECTION:
        raise UnsupportedMedia("POST takes XML here.")
    return add_member.read(context, resource)


def _is_xml(context: Context) -> bool:
    media = context.request.header("content-type").partition(";")[0].strip().lower()
    return media in _XML or (not media and context.request.body.lstrip()[:1] == b"<")


@feature.method("POST", on=Where.COLLECTION | Where.HOME | Where.NOTIFICATION, writes=True, prepare=_prepare)
def post(context: Context) -> Response:
    """Hand the body to the action that its root element names, or store it."""
    resource = target(context)
    if not isinstance(context.prepared, Element):
        assert isinstance(resource, CollectionResource)
        return add_member.store(context, resource)
    action = context.registry.action(context.prepared.tag, resource.where)
    if action is None:
        raise Refused(f"{context.prepared.tag[:100]} cannot be done at {context.request.path}.")
    return action(context, resource, context.prepared)
