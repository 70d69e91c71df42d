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
    proxy_groups,
    target,
)
from tagwerk.errors import DAV, InvalidRequest, InvalidXml, Refused

feature = Feature("RFC 4918 PROPFIND")


@feature.method("PROPFIND", on=Where.EVERYTHING)
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
        if resource.where in Where.ROOT | Where.HOMES:
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
    elif isinstance(resource, Home) and resource.where in Where.HOMES:
        collections = collections_in(context, resource, notifications=True)
        context.read_collection_properties(collections)
        for collection in collections:
            yield response_for(context, collection, asked)
        for group in proxy_groups(context, resource):
            yield response_for(context, group, asked)
    elif isinstance(resource, CollectionResource):
        writer = ObjectWriter(context, resource, asked)
        if writer.needs_only_etag:
            for name, etag in resource.view.etags(context.txn):
                yield writer.etag_response(name, etag)
        else:
            for stored in resource.view.objects(context.txn, content=writer.needs_content):
                yield writer.response(stored)
