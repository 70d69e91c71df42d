"""GET, HEAD, PUT and DELETE (RFC 4918 9.4-9.7, RFC 4791 5.3.2, RFC 6352 6.3.2)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from email.message import Message
from html import escape as html_escape

from tagwerk.dav import conditions, failures, notifications, paths, quota, ranges, xml
from tagwerk.dav.message import Response
from tagwerk.dav.multistatus import prefers
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import (
    CollectionResource,
    Context,
    Home,
    ObjectResource,
    Resource,
    Root,
    Where,
    collections_in,
    locked,
    may_write,
    resolve_collection,
    target,
    where_is,
)
from tagwerk.dav.timezones import asks_for_zones, wanted_zones
from tagwerk.dav.webdav import DISPLAYNAME, collection_etag, content_type
from tagwerk.errors import (
    CALDAV,
    CARDDAV,
    Conflict,
    InvalidRequest,
    MethodNotAllowed,
    NeedPrivileges,
    NotFound,
    ObjectTooLarge,
    PreconditionFailed,
    UidConflict,
    UnsupportedMedia,
)
from tagwerk.ical import export as ical_export
from tagwerk.ical import resource as ical_resource
from tagwerk.model import Access, Kind, Upload
from tagwerk.sharing import shares, writing
from tagwerk.sharing.notices import Notice
from tagwerk.store.objects import expect_uid, find_object
from tagwerk.vcard import export as vcard_export
from tagwerk.vcard import resource as vcard_resource

feature = Feature("RFC 4918 objects")

log = logging.getLogger(__name__)

_READABLE = Where.ANY | Where.DELEGATED | Where.TOLD
_CALENDAR_TYPES = ("", "text/calendar")
_CARD_TYPES = ("", "text/vcard", "text/x-vcard", "text/directory")


@feature.method("GET", on=_READABLE)
def get(context: Context) -> Response:
    """The bytes of an object, everything in a collection, or a page that says what is here."""
    resource = target(context, content=True)
    if isinstance(resource, ObjectResource):
        return _get_object(context, resource)
    if isinstance(resource, CollectionResource):
        return _get_collection(context, resource)
    return Response(200, {"Content-Type": "text/html; charset=utf-8"}, _page(context, resource))


@feature.method("HEAD", on=_READABLE)
def head(context: Context) -> Response:
    """RFC 9110 9.3.2: what GET says about itself."""
    # The body is left out where it would be sent: only there it is known how long it would have been.
    return get(context)


def _get_object(context: Context, resource: ObjectResource) -> Response:
    stored = resource.stored
    headers = {"ETag": stored.etag, "Last-Modified": conditions.http_date(stored.modified)}
    if conditions.not_modified(context.request, etag=stored.etag, modified=stored.modified):
        return Response(304, headers)
    headers["Content-Type"] = content_type(stored.component)
    content = stored.content or b""
    if resource.where is Where.NOTIFICATION:
        return Response(200, headers, notifications.document(context, Notice.loads(content)))
    if resource.where is Where.EVENT and asks_for_zones(context.request):
        headers["Vary"] = "CalDAV-Timezones"
        content = wanted_zones(context.request, content.decode()).encode()
    return ranges.apply(context.request, Response(200, headers, content), etag=stored.etag)


def _get_collection(context: Context, resource: CollectionResource) -> Response:
    collection = resource.binding.collection
    if collection.kind is Kind.NOTIFICATIONS:
        return Response(200, {"Content-Type": "text/html; charset=utf-8"}, _page(context, resource))
    etag = collection_etag(resource)
    headers = {"ETag": etag, "Last-Modified": conditions.http_date(resource.view.modified)}
    if conditions.not_modified(context.request, etag=etag, modified=resource.view.modified):
        return Response(304, headers)
    suffix = "ics" if collection.kind is Kind.CALENDAR else "vcf"
    filename = paths.segment(f"{resource.binding.name}.{suffix}")
    headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{filename}"
    contents = (stored.content or b"" for stored in resource.view.objects(context.txn, content=True))
    body: Iterator[bytes]
    if collection.kind is Kind.CALENDAR:
        headers["Content-Type"] = "text/calendar; charset=utf-8"
        values = context.dead_properties(resource)
        body = ical_export.merge(contents, name=xml.text_of(values.get(DISPLAYNAME, "")))
    else:
        headers["Content-Type"] = "text/vcard; charset=utf-8"
        body = vcard_export.merge(contents)
    return Response(200, headers, body)


def _page(context: Context, resource: Resource) -> bytes:
    rows = []
    if isinstance(resource, Root):
        rows = [(context.href(context.user.name, collection=True), context.user.display_name)]
    elif isinstance(resource, Home):
        rows = [
            (found.href, f"{found.binding.name} ({found.binding.collection.kind.value})")
            for found in collections_in(context, resource)
        ]
    items = "".join(f'<li><a href="{html_escape(href)}">{html_escape(name)}</a></li>' for href, name in rows)
    return (
        "<!DOCTYPE html><html lang=en><meta charset=utf-8><title>Tagwerk</title>"
        "<h1>Tagwerk</h1><p>A CalDAV and CardDAV server. Give its address to a calendar app."
        f"<ul>{items}</ul></html>"
    ).encode()


def read_upload(context: Context) -> Upload:
    """Check the body of a PUT before any lock is taken (RFC 4791 5.3.2.1, RFC 6352 6.3.2.1).

    Raises:
        Refused, UnsupportedMedia: the body cannot be stored there; the condition says why.
        Conflict: there is no collection that could hold it.
    """
    segments = paths.split(context.request.path)
    collection = _target(context, segments)

    def uid() -> str:
        existing = collection.view.find(context.txn, segments[2])
        return existing.uid if existing else ""

    return read_object(context, collection, uid=uid)


def read_object(context: Context, resource: CollectionResource, *, uid: Callable[[], str] = str) -> Upload:
    """The request's body as an object of a collection; `uid` is asked where the body has none."""
    collection = resource.binding.collection
    calendar = collection.kind is Kind.CALENDAR
    _check_whole(context)
    media, charset = _media_type(context.request.header("content-type"))
    if media not in (_CALENDAR_TYPES if calendar else _CARD_TYPES):
        wanted = "text/calendar" if calendar else "text/vcard"
        raise UnsupportedMedia(
            f"{resource.href} takes {wanted}, not {media}.",
            condition=CALDAV + "supported-calendar-data" if calendar else CARDDAV + "supported-address-data",
        )
    most = context.settings.dav.max_resource_size
    if len(context.request.body) > most:
        raise ObjectTooLarge(
            f"The object has {len(context.request.body)} bytes; {most} are allowed.",
            condition=(CALDAV if calendar else CARDDAV) + "max-resource-size",
        )
    if calendar:
        return ical_resource.read(
            context.request.body, charset=charset, now=context.now, components=collection.components, uid=uid
        )
    return vcard_resource.read(context.request.body, charset=charset, uid=uid)


def _check_whole(context: Context) -> None:
    """RFC 9110 14.5 and 15.5.16: neither a part of an object nor a coding that is not undone here."""
    if context.request.header("content-range"):
        raise InvalidRequest("An object is stored whole; this request has a Content-Range.")
    coding = context.request.header("content-encoding").strip()
    if coding.lower() not in ("", "identity"):
        raise UnsupportedMedia(f"The body is taken as it is, not with Content-Encoding {coding[:40]}.")


def _media_type(header: str) -> tuple[str, str]:
    message = Message()
    message["content-type"] = header or "text/plain"
    return message.get_content_type() if header else "", str(message.get_param("charset") or "")


def _target(context: Context, segments: tuple[str, ...]) -> CollectionResource:
    """The collection that is to hold the object at a path."""
    if len(segments) < 3:
        allow = context.registry.allowed(where_is(context))
        raise MethodNotAllowed("Objects are stored in calendars and address books only.", allow=allow)
    try:
        collection = resolve_collection(context, segments[:2])
    except NotFound as error:
        raise Conflict(f"{error} Make it first.") from error
    if len(segments) > 3:
        raise Conflict("Objects are stored in a collection itself, not in folders below it.")
    if collection.where is Where.NOTIFICATIONS:
        raise NeedPrivileges("The server alone puts notifications here.")
    # Who only reads a calendar has alarms of their own in it all the same.
    if not may_write(collection.binding) and not collection.view.viewer:
        raise NeedPrivileges("You may not change this collection.")
    return collection


@feature.method("PUT", on=Where.OBJECT | Where.NEW_OBJECT, writes=True, prepare=read_upload)
def put(context: Context) -> Response:
    """Store an object as it was sent.  The ETag is left out where a repair changed the bytes (RFC 4791 5.3.4)."""
    segments = paths.split(context.request.path)
    resource = _target(context, segments)
    upload = context.prepared
    assert isinstance(upload, Upload)
    collection = locked(context, resource)
    view, name = resource.view, segments[2]
    expect_uid(context.txn, collection.id, upload.facts.uid)
    stored = find_object(context.txn, collection.id, name, content=not view.plain)
    existing = view.see(context.txn, stored)
    try:
        conditions.check(
            context.request,
            existing.etag if existing else None,
            modified=existing.modified if existing else 0,
        )
    except PreconditionFailed:
        if existing is None or not prefers(context.request, "representation"):
            raise
        return _represented(context, resource, name, status=412)
    try:
        known = conditions.names_a_tag(context.request)
        planned = writing.plan(view, name, upload, replacing=stored, now=context.now, known=known)
        quota.check(context, collection.owner, more=planned.grown)
        written = writing.carry_out(context.txn, view, name, planned, now=context.now)
    except UidConflict as error:
        raise uid_conflict(context, resource, error) from error
    if upload.repairs:
        # Neither the object's name nor what was repaired, which has to be shown to be understood.
        log.warning("An object in %s was repaired; tagwerk check says which and how.", resource.href)
    if prefers(context.request, "representation"):
        return _represented(context, resource, name, status=200 if existing else 201)
    # RFC 4791 5.3.4: a tag only for what GET returns just as it was sent.
    as_sent = not upload.repairs and written.content == upload.content
    return Response(204 if existing else 201, {"ETag": written.etag} if as_sent else {})


def uid_conflict(context: Context, resource: CollectionResource, error: UidConflict) -> Conflict:
    """The conflict with the href of the object that has the UID, where the user may know of it."""
    card = resource.where is Where.ADDRESSBOOK
    if resource.view.find(context.txn, error.existing) is None:
        namespace = CARDDAV if card else CALDAV
        return Conflict("The UID is in use in this collection.", condition=namespace + "no-uid-conflict")
    place = (resource.home, resource.binding.name)
    return failures.uid_conflict(error, base=context.request.base, collection=place, card=card)


def _represented(context: Context, resource: CollectionResource, name: str, *, status: int) -> Response:
    """What is stored now, as ``Prefer: return=representation`` asks (RFC 8144 2.2, 3.2)."""
    stored = resource.view.find(context.txn, name, content=True)
    assert stored is not None
    assert stored.content is not None
    headers = {
        "ETag": stored.etag,
        "Content-Type": content_type(stored.component),
        "Content-Location": resource.href + paths.segment(name),
        "Preference-Applied": "return=representation",
    }
    return Response(status, headers, stored.content)


@feature.method("DELETE", on=Where.COLLECTION | Where.STORED, writes=True)
def delete(context: Context) -> Response:
    """RFC 4918 9.6: an object, or a collection with all that is in it.

    A share is left; the data is its owner's (apple-caldav-sharing.txt 5.4.2).
    """
    resource = target(context)
    assert isinstance(resource, CollectionResource | ObjectResource)
    parent = resource if isinstance(resource, CollectionResource) else resource.parent
    collection = locked(context, parent)
    if isinstance(resource, ObjectResource):
        conditions.check(context.request, resource.stored.etag, modified=resource.stored.modified)
        writing.remove(context.txn, parent.view, resource.stored.name, now=context.now)
        return Response(204)
    conditions.check(context.request, collection_etag(resource), modified=resource.view.modified)
    if resource.access is Access.OWNER:
        shares.delete(context.txn, collection.id, by=context.by)
    elif resource.own:
        shares.decline(context.txn, context.user, collection.id, by=context.by)
    else:
        raise NeedPrivileges("You may not delete the calendars of those for whom you act.")
    return Response(204)
