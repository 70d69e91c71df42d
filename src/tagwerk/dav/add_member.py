"""POST to a collection: the server chooses the name (RFC 5995)."""

from __future__ import annotations

import secrets

from tagwerk.dav import quota, xml
from tagwerk.dav.message import Response
from tagwerk.dav.objects import read_object, uid_conflict
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import CollectionResource, Context, Resource, Where, locked, may_write
from tagwerk.errors import NeedPrivileges, UidConflict
from tagwerk.model import Kind, Upload
from tagwerk.sharing import writing

feature = Feature("RFC 5995", tokens=("add-member",))


@feature.live_property("{DAV:}add-member", on=Where.COLLECTION)
def add_member(context: Context, resource: Resource) -> str:
    """RFC 5995 3.2: the collection's own URL takes the POST."""
    return xml.href(resource.href)


def read(context: Context, resource: CollectionResource) -> Upload:
    """The body as a new object of a collection, checked before any lock is taken."""
    return read_object(context, resource)


def store(context: Context, resource: CollectionResource) -> Response:
    """RFC 5995 3.3: store a new object under a name that nobody had."""
    upload = context.prepared
    assert isinstance(upload, Upload)
    if not may_write(resource.binding):
        raise NeedPrivileges("You may not change this collection.")
    collection = locked(context, resource)
    name = secrets.token_hex(16) + (".ics" if collection.kind is Kind.CALENDAR else ".vcf")
    try:
        planned = writing.plan(resource.view, name, upload, replacing=None, now=context.now)
        quota.check(context, collection.owner, more=planned.grown)
        stored = writing.carry_out(context.txn, resource.view, name, planned, now=context.now)
    except UidConflict as error:
        raise uid_conflict(context, resource, error) from error
    headers = {"Location": context.href(resource.home, resource.binding.name, name)}
    if not upload.repairs and stored.content == upload.content:
        headers["ETag"] = stored.etag
    return Response(201, headers)
