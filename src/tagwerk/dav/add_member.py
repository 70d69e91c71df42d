"""POST to a collection: the server chooses the name (RFC 5995)."""

from __future__ import annotations

import secrets

from tagwerk.dav import failures, quota, xml
from tagwerk.dav.message import Response
from tagwerk.dav.objects import read_object
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import CollectionResource, Context, Resource, Where, may_write, target
from tagwerk.errors import NeedPrivileges, UidConflict
from tagwerk.model import Kind, Upload
from tagwerk.store.collections import lock_collection
from tagwerk.store.objects import put_object

feature = Feature("RFC 5995", tokens=("add-member",))


@feature.live_property("{DAV:}add-member", on=Where.COLLECTION)
def add_member(context: Context, resource: Resource) -> str:
    """RFC 5995 3.2: the collection's own URL takes the POST."""
    return xml.href(resource.href)


def _read(context: Context) -> Upload:
    resource = target(context)
    assert isinstance(resource, CollectionResource)
    return read_object(context, resource, uid="")


@feature.method("POST", on=Where.COLLECTION, writes=True, prepare=_read)
def post(context: Context) -> Response:
    """RFC 5995 3.3: store a new object under a name that nobody had."""
    resource = target(context)
    upload = context.prepared
    assert isinstance(resource, CollectionResource)
    assert isinstance(upload, Upload)
    if not may_write(resource.binding):
        raise NeedPrivileges("You may not change this collection.")
    collection = lock_collection(context.txn, resource.binding.collection.id)
    quota.check(context, collection.owner, more=len(upload.content))
    name = secrets.token_hex(16) + (".ics" if collection.kind is Kind.CALENDAR else ".vcf")
    try:
        stored = put_object(context.txn, collection.id, name, upload=upload, now=context.now)
    except UidConflict as error:
        place = (resource.home, resource.binding.name)
        card = collection.kind is Kind.ADDRESSBOOK
        raise failures.uid_conflict(error, base=context.request.base, collection=place, card=card) from error
    headers = {"Location": context.href(resource.home, resource.binding.name, name)}
    if not upload.repairs:
        headers["ETag"] = stored.etag
    return Response(201, headers)
