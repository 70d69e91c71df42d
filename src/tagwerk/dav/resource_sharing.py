"""WebDAV resource sharing, the newer way to share (draft-pot-webdav-resource-sharing-04)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from tagwerk.dav import xml
from tagwerk.dav.message import Response
from tagwerk.dav.notifications import notice_of
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import CollectionResource, Context, ObjectResource, Resource, Where
from tagwerk.dav.sharing import (
    check_amount,
    check_may_share,
    give,
    grantee_of,
    href_of,
    reply,
    take_back,
    visible_shares,
)
from tagwerk.errors import DAV, InvalidXml, Refused
from tagwerk.model import Access, Principal, Status
from tagwerk.sharing.shares import collection_behind

feature = Feature("WebDAV resource sharing", tokens=("resource-sharing",))

_SAID = {Status.ACCEPTED: "accepted", Status.PENDING: "noresponse", Status.DECLINED: "declined"}


@feature.live_property("{DAV:}share-access", on=Where.COLLECTION)
def share_access(context: Context, resource: Resource) -> str | None:
    """4.4.1: what the user may do with what somebody shares, or that they share it."""
    if not isinstance(resource, CollectionResource):
        return None
    if resource.access is Access.OWNER:
        return "<D:shared-owner/>" if context.shares(resource.binding.collection) else "<D:not-shared/>"
    return _access(resource.access)


def _access(access: Access) -> str:
    return "<D:read-write/>" if access.writes else "<D:read/>"


@feature.live_property("{DAV:}invite", on=Where.COLLECTION)
def invite(context: Context, resource: Resource) -> str | None:
    """4.4.2: who has been given it, as far as the user may know."""
    if not isinstance(resource, CollectionResource):
        return None
    return "".join(
        f"<D:sharee>{xml.href(href_of(context, share))}"
        f"<D:prop><D:displayname>{xml.escape(share.display_name or 'Everybody on this server')}</D:displayname></D:prop>"
        f"<D:share-access>{_access(share.access)}</D:share-access><D:invite-{_SAID[share.status]}/>"
        f"{xml.element('{DAV:}comment', xml.escape(share.summary)) if share.summary else ''}</D:sharee>"
        for share in visible_shares(context, resource)
    )


@feature.live_property("{DAV:}share-resource-uri", on=Where.COLLECTION)
def share_resource_uri(context: Context, resource: Resource) -> str | None:
    """4.4.3: the same for everybody who sees the collection."""
    if not isinstance(resource, CollectionResource):
        return None
    return xml.href(f"urn:tagwerk:collection:{resource.binding.collection.id:x}")


@feature.action("{DAV:}share-resource", on=Where.COLLECTION)
def share_resource(context: Context, resource: Resource, root: Element) -> Response:
    """4.3: add, change and remove sharees; all of them or none."""
    assert isinstance(resource, CollectionResource)
    check_may_share(resource)
    wanted = list(root.iterfind("{DAV:}sharee"))
    check_amount(wanted)
    gone: list[Principal | None] = []
    # First what is given, so that nobody who has it in another way from now on loses their place.
    for node in wanted:
        grantee = grantee_of(context, resource, node)
        asked = [child.tag for child in node.iterfind("{DAV:}share-access/*")]
        if asked == [DAV + "no-access"]:
            gone.append(grantee)
        elif asked in ([DAV + "read"], [DAV + "read-write"]):
            comment = (node.findtext("{DAV:}comment") or "").strip()[:1000]
            give(context, resource, grantee, writes=asked == [DAV + "read-write"], summary=comment)
        else:
            raise InvalidXml("share-access is one of read, read-write and no-access.")
    for grantee in gone:
        take_back(context, resource, grantee)
    return Response(200, {"Cache-Control": "no-cache"})


@feature.action("{DAV:}invite-reply", on=Where.NOTIFICATION)
def invite_reply(context: Context, resource: Resource, root: Element) -> Response:
    """4.5: the answer goes to the notification itself."""
    accepted = root.find("{DAV:}invite-accepted") is not None
    if accepted == (root.find("{DAV:}invite-declined") is not None):
        raise InvalidXml("An invite-reply holds invite-accepted or invite-declined.")
    assert isinstance(resource, ObjectResource)
    notice = notice_of(context, resource)
    if notice.kind != "invite":
        raise Refused("This notification is no invitation.")
    binding = reply(context, collection_behind(context.txn, context.user.id, notice.uid), accepted=accepted)
    if binding is None:
        return Response(204)
    return Response(201, {"Location": context.href(context.user.name, binding.name, collection=True)})
