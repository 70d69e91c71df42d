"""COPY and MOVE (RFC 4918 9.8, 9.9)."""

from __future__ import annotations

from tagwerk.dav import conditions, paths, quota
from tagwerk.dav.message import Response
from tagwerk.dav.objects import uid_conflict
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import (
    RESERVED_NAMES,
    CollectionResource,
    Context,
    Home,
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
    Conflict,
    InvalidRequest,
    NeedPrivileges,
    NotFound,
    PreconditionFailed,
    Refused,
    UidConflict,
)
from tagwerk.ical import resource as ical_resource
from tagwerk.model import Access, Binding, Kind
from tagwerk.sharing import shares, writing
from tagwerk.sharing.views import view_of
from tagwerk.store.collections import (
    copy_collection,
    find_binding_of,
    lock_collection,
    next_personal_modseq,
    rename_binding,
)
from tagwerk.store.objects import find_object

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
    return paths.of_href(header, context.request)


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
    same = into.binding.collection.id == source.parent.binding.collection.id
    if same and to[2] == source.stored.name:
        # Who acts for somebody may have the same calendar in their own home as well.
        raise Refused("Source and destination are the same resource.")
    _check_rights(source, into, moving=moving)
    _check_fits(source, into)
    # Always in the order of ids, so that two transfers cannot wait for each other.
    for collection in sorted({source.parent.binding.collection.id, into.binding.collection.id}):
        lock_collection(context.txn, collection)
    conditions.check(context.request, source.stored.etag, modified=source.stored.modified)
    there = into.binding.collection.id
    existing = into.view.find(context.txn, to[2])
    writing.check_place(into.view, find_object(context.txn, there, to[2]))
    _overwrites(context, exists=existing is not None)
    owner = into.binding.collection.owner
    grows = owner != source.parent.binding.collection.owner or not moving
    if grows:
        more = source.stored.size - (existing.size if existing else 0)
        quota.check(context, owner, more=more)
    try:
        transfer = writing.move if moving else writing.copy
        transfer(
            context.txn,
            source.parent.view,
            source.stored.name,
            to=into.view,
            as_name=to[2],
            now=context.now,
        )
    except UidConflict as error:
        raise uid_conflict(context, into, error) from error
    if grows:
        quota.check_properties(context, owner)
    return Response(204 if existing else 201, {"Location": context.href(*to)})


def _check_rights(source: ObjectResource, into: CollectionResource, *, moving: bool) -> None:
    if into.where is Where.NOTIFICATIONS or not may_write(into.binding):
        raise NeedPrivileges("You may not change this collection.")
    if not moving:
        return
    if not may_write(source.parent.binding):
        raise NeedPrivileges("You may not change this collection.")
    writing.check_place(source.parent.view, source.stored)


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
    if to[1] in RESERVED_NAMES:
        raise Refused(f"{to[1]!r} is the server's own name for something.")
    if moving and not source.own:
        raise NeedPrivileges("You may not move the calendars of those for whom you act.")
    lock_collection(context.txn, source.binding.collection.id)
    conditions.check(context.request, collection_etag(source), modified=source.view.modified)
    existing = find_binding_of(context.txn, home.principal.id, to[1])
    _overwrites(context, exists=existing is not None)
    if existing is not None and existing.collection.kind is not source.binding.collection.kind:
        raise Refused("A calendar replaces a calendar only, and an address book an address book.")
    depth = context.request.header("depth", "infinity").strip().lower()
    if not moving and depth not in ("0", "infinity"):
        raise InvalidRequest(f"Depth of COPY is 0 or infinity, not {depth[:20]!r}.")
    if existing is not None:
        _make_room(context, existing)
    if moving:
        rename_binding(context.txn, source.binding, name=to[1])
        next_personal_modseq(context.txn, source.binding.collection.id)
    else:
        _copy_collection(context, source, home, to[1], with_objects=depth != "0")
    return Response(204 if existing else 201, {"Location": context.href(*to, collection=True)})


def _make_room(context: Context, existing: Binding) -> None:
    """What is overwritten goes; a share is only left."""
    if existing.access is Access.OWNER:
        shares.delete(context.txn, existing.collection.id, by=context.by)
    else:
        shares.decline(context.txn, context.user, existing.collection.id, by=context.by)


def _copy_collection(
    context: Context, source: CollectionResource, home: Home, name: str, *, with_objects: bool
) -> None:
    """A collection of the user's own, with what they see in the other one."""
    plain = source.view.plain
    if with_objects and plain:
        quota.check(context, home.principal.id, more=source.binding.collection.bytes)
    made = copy_collection(
        context.txn,
        source.binding,
        owner=home.principal.id,
        name=name,
        now=context.now,
        with_objects=with_objects and plain,
    )
    quota.check_properties(context, home.principal.id)
    if not with_objects or plain:
        return
    view = view_of(made, context.user.id)
    for stored in list(source.view.objects(context.txn, content=True)):
        upload = ical_resource.read(stored.content or b"", now=context.now)
        planned = writing.plan(view, stored.name, upload, replacing=None, now=context.now)
        # One by one: the size of the whole would tell of what is not seen.
        quota.check(context, home.principal.id, more=planned.grown)
        writing.carry_out(context.txn, view, stored.name, planned, now=context.now)
