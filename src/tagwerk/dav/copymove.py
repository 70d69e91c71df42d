"""COPY and MOVE (RFC 4918 9.8, 9.9)."""

from __future__ import annotations

from urllib.parse import urlsplit

from tagwerk.dav import conditions, failures, paths, quota
from tagwerk.dav.message import Response
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import (
    CollectionResource,
    Context,
    ObjectResource,
    Where,
    may_write,
    resolve_collection,
    resolve_home,
    target,
)
from tagwerk.dav.webdav import collection_etag
from tagwerk.errors import (
    CALDAV,
    BadGateway,
    Conflict,
    InvalidRequest,
    NeedPrivileges,
    NotFound,
    PreconditionFailed,
    Refused,
    UidConflict,
)
from tagwerk.model import Kind
from tagwerk.store.collections import (
    copy_collection,
    delete_collection,
    find_binding_of,
    lock_collection,
    rename_binding,
)
from tagwerk.store.objects import copy_object, find_object, move_object, remove_object

feature = Feature("RFC 4918 COPY and MOVE")


@feature.method("MOVE", on=Where.COLLECTION | Where.OBJECT, writes=True)
def move(context: Context) -> Response:
    """RFC 4918 9.9: one change, in which the name moves and nothing else."""
    return _transfer(context, moving=True)


@feature.method("COPY", on=Where.COLLECTION | Where.OBJECT, writes=True)
def copy(context: Context) -> Response:
    """RFC 4918 9.8; into the same collection it is a UID conflict."""
    return _transfer(context, moving=False)


def _transfer(context: Context, *, moving: bool) -> Response:
    source = target(context)
    to = destination(context)
    if to == paths.split(context.request.path):
        raise Refused("Source and destination are the same resource.")
    if isinstance(source, ObjectResource):
        return _transfer_object(context, source, to, moving=moving)
    if isinstance(source, CollectionResource):
        return _transfer_collection(context, source, to, moving=moving)
    raise Refused("The home of a user cannot be copied or moved.")


def destination(context: Context) -> tuple[str, ...]:
    """The segments of the ``Destination`` header (RFC 4918 10.3).

    Raises:
        InvalidRequest: there is none, or it is no path of this server's.
        BadGateway: it names another server.
    """
    header = context.request.header("destination")
    if not header:
        raise InvalidRequest("COPY and MOVE need a Destination header.")
    host = context.request.header("host")
    try:
        named = urlsplit(header)
        names_other = bool(named.hostname) and bool(host) and named.hostname != urlsplit(f"//{host}").hostname
    except ValueError as error:
        raise InvalidRequest(f"Destination {header[:100]!r} is no URL.") from error
    if names_other:
        raise BadGateway(
            f"Destination names {named.hostname}, this server was asked as {host};"
            " behind a proxy, let it pass the Host header on."
        )
    return paths.of_href(header, context.request.base)


def _overwrites(context: Context, *, exists: bool) -> None:
    overwrite = context.request.header("overwrite", "T").strip().upper()
    if overwrite not in ("T", "F"):
        raise InvalidRequest(f"Overwrite is T or F, not {overwrite[:20]!r}.")
    if exists and overwrite == "F":
        raise PreconditionFailed("There is something at the destination, and Overwrite is F.")


def _transfer_object(
    context: Context, source: ObjectResource, to: tuple[str, ...], *, moving: bool
) -> Response:
    if len(to) != 3:
        raise Conflict("An object can be moved or copied into a calendar or address book only.")
    try:
        into = resolve_collection(context, to[:2])
    except NotFound as error:
        raise Conflict(f"{error} Make it first.") from error
    _check_rights(source.parent, into, moving=moving)
    _check_fits(source, into)
    # Always in the order of ids, so that two transfers cannot wait for each other.
    for collection in sorted({source.parent.binding.collection.id, into.binding.collection.id}):
        lock_collection(context.txn, collection)
    conditions.check(context.request, source.stored.etag, modified=source.stored.modified)
    here, there = source.parent.binding.collection.id, into.binding.collection.id
    existing = find_object(context.txn, there, to[2])
    _overwrites(context, exists=existing is not None)
    if into.binding.collection.owner != source.parent.binding.collection.owner or not moving:
        more = source.stored.size - (existing.size if existing else 0)
        quota.check(context, into.binding.collection.owner, more=more)
    try:
        if existing is not None:
            remove_object(context.txn, there, to[2], now=context.now)
        transfer = move_object if moving else copy_object
        transfer(context.txn, here, source.stored.name, to=there, as_name=to[2], now=context.now)
    except UidConflict as error:
        card = into.binding.collection.kind is Kind.ADDRESSBOOK
        raise failures.uid_conflict(error, base=context.request.base, collection=to[:2], card=card) from error
    return Response(204 if existing else 201, {"Location": context.href(*to)})


def _check_rights(source: CollectionResource, into: CollectionResource, *, moving: bool) -> None:
    if (moving and not may_write(source.binding)) or not may_write(into.binding):
        raise NeedPrivileges("You may not change this collection.")


def _check_fits(source: ObjectResource, into: CollectionResource) -> None:
    collection = into.binding.collection
    if collection.kind is not source.parent.binding.collection.kind:
        raise Refused("Calendar objects go into calendars and cards into address books.")
    if collection.kind is Kind.CALENDAR and source.stored.component not in collection.components:
        raise Refused(
            f"{into.href} holds {', '.join(collection.components)}, not {source.stored.component}.",
            condition=CALDAV + "supported-calendar-component",
        )


def _transfer_collection(
    context: Context, source: CollectionResource, to: tuple[str, ...], *, moving: bool
) -> Response:
    if not to or len(to) > 2:
        raise Conflict("A collection can be moved or copied inside a home only.")
    home = resolve_home(context, to[0])
    if len(to) == 1:
        raise Refused("The home of a user cannot be overwritten.")
    if not may_write(source.binding):
        raise NeedPrivileges("You may not change this collection.")
    lock_collection(context.txn, source.binding.collection.id)
    conditions.check(context.request, collection_etag(source), modified=source.binding.collection.modified)
    existing = find_binding_of(context.txn, home.principal.id, to[1])
    _overwrites(context, exists=existing is not None)
    if existing is not None and existing.collection.kind is not source.binding.collection.kind:
        raise Refused("A calendar replaces a calendar only, and an address book an address book.")
    depth = context.request.header("depth", "infinity").strip().lower()
    if not moving and depth not in ("0", "infinity"):
        raise InvalidRequest(f"Depth of COPY is 0 or infinity, not {depth[:20]!r}.")
    if existing is not None:
        delete_collection(context.txn, existing.collection.id)
    if moving:
        rename_binding(context.txn, source.binding, name=to[1])
    else:
        empty = depth == "0"
        if not empty:
            quota.check(context, home.principal.id, more=source.binding.collection.bytes)
        copy_collection(context.txn, source.binding, name=to[1], now=context.now, with_objects=not empty)
    return Response(204 if existing else 201, {"Location": context.href(*to, collection=True)})
