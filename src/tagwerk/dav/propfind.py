"""PROPFIND (RFC 4918 9.1)."""

from __future__ import annotations

from collections.abc import Iterator

from tagwerk.dav import xml
from tagwerk.dav.message import Response
from tagwerk.dav.multistatus import ObjectWriter, Part, Wanted, answer, response_for, wanted
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import (
    CollectionResource,
    Context,
    Home,
    Resource,
    Root,
    Where,
    collections_in,
    target,
)
from tagwerk.errors import DAV, InvalidRequest, InvalidXml, Refused
from tagwerk.store.objects import etags, objects

feature = Feature("RFC 4918 PROPFIND")


@feature.method("PROPFIND", on=Where.ANY | Where.PRINCIPAL)
def propfind(context: Context) -> Response:
    """The properties of a resource, and with Depth 1 of what is in it."""
    request = context.request
    root = xml.parse(request.body) if request.body.strip() else None
    if root is not None and root.tag != "{DAV:}propfind":
        raise InvalidXml(f"The body of PROPFIND is DAV:propfind, not {root.tag}.")
    asked = wanted(request, root)
    if root is not None and not (asked.names or asked.every or asked.names_only or len(root)):
        raise InvalidXml("DAV:propfind holds prop, allprop or propname; this one is empty.")
    resource = target(context)
    deep = depth(context, resource) == "1"
    response = answer(_responses(context, resource, asked, deep=deep))
    if asked.minimal:
        response.headers["Preference-Applied"] = "return=minimal"
    return response


def depth(context: Context, resource: Resource) -> str:
    """``0`` or ``1``.  Without the header it is 1; infinity is 1 where there is nothing below.

    Raises:
        Refused: infinity on a home or above, DAV:propfind-finite-depth.
        InvalidRequest: something else.
    """
    value = context.request.header("depth", "1").strip().lower()
    if value == "infinity":
        if resource.where in Where.ROOT | Where.HOME:
            raise Refused(
                "Depth infinity is not served here; ask with Depth 1, collection by collection.",
                condition=DAV + "propfind-finite-depth",
            )
        return "1"
    if value not in ("0", "1"):
        raise InvalidRequest(f"Depth is 0, 1 or infinity, not {value[:40]!r}.")
    return value


def _responses(context: Context, resource: Resource, asked: Wanted, *, deep: bool) -> Iterator[Part]:
    yield response_for(context, resource, asked)
    if not deep:
        return
    if isinstance(resource, Root):
        yield response_for(
            context, Home(context.href(context.user.name, collection=True), context.user), asked
        )
    elif isinstance(resource, Home) and resource.where is Where.HOME:
        for collection in collections_in(context, resource):
            yield response_for(context, collection, asked)
    elif isinstance(resource, CollectionResource):
        found = resource.binding.collection.id
        writer = ObjectWriter(context, resource, asked)
        if writer.needs_only_etag:
            for name, etag in etags(context.txn, found):
                yield writer.etag_response(name, etag)
        else:
            for stored in objects(context.txn, found, content=writer.needs_content):
                yield writer.response(stored)
