"""Calendar sharing as Apple's clients do it (apple-caldav-sharing.txt)."""

from __future__ import annotations

from dataclasses import replace
from xml.etree.ElementTree import Element

from tagwerk.dav import paths, xml
from tagwerk.dav.login_rights import reaches
from tagwerk.dav.message import Response
from tagwerk.dav.multistatus import answer, status_response
from tagwerk.dav.notifications import CS, access_element, names, organizer
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import CollectionResource, Context, Home, Resource, Where
from tagwerk.dav.sharees import principal_of
from tagwerk.errors import (
    BadGateway,
    InvalidPath,
    InvalidXml,
    NeedPrivileges,
    NotFound,
    Refused,
    TagwerkError,
)
from tagwerk.model import EVERYBODY, Access, Binding, CollectionId, Principal, PrincipalId, Status
from tagwerk.sharing import shares
from tagwerk.store.collections import find_binding_of, find_collection
from tagwerk.store.principals import principal_by_name
from tagwerk.store.shares import Share, find_share

feature = Feature(
    "calendarserver.org sharing", tokens=("calendarserver-sharing", "calendarserver-sharing-no-scheduling")
)

MOST = 1_000
"""Sharees that one request may name."""


@feature.live_property(CS + "allowed-sharing-modes", on=Where.COLLECTION)
def allowed_sharing_modes(context: Context, resource: Resource) -> str | None:
    """5.2.3: whether the user may share it."""
    if not isinstance(resource, CollectionResource) or not may_share(resource):
        return None
    return "<CS:can-be-shared/>"


def may_share(resource: CollectionResource) -> bool:
    """Whether the user may give others something of a collection."""
    return resource.own and resource.access.manages


@feature.live_property(CS + "invite", on=Where.COLLECTION)
def invite(context: Context, resource: Resource) -> str | None:
    """5.2.2: who has been given it.  Who does not manage it sees the owner and themselves."""
    if not isinstance(resource, CollectionResource):
        return None
    found = visible_shares(context, resource)
    if not found and resource.access is Access.OWNER:
        return None
    owner = context.principal(resource.binding.collection.owner)
    head = organizer(context, owner) if owner else ""
    return head + "".join(_user(context, share) for share in found)


def visible_shares(context: Context, resource: CollectionResource) -> list[Share]:
    """What was given of a collection, as far as the user may know.

    For themselves it is all that they have, also by a group: DAV:share-access says that as well.
    """
    if resource.access.manages:
        found = context.shares(resource.binding.collection)
    else:
        share = context.own_share(resource.binding.collection.id)
        found = [share] if share else []
    return [
        replace(share, access=resource.access) if share.grantee == context.user.id else share
        for share in found
    ]


def href_of(context: Context, share: Share) -> str:
    """The URL of who was given something; everybody is the folder of all principals."""
    if share.grantee == EVERYBODY:
        return context.href()
    return context.href(share.name, collection=True)


def _user(context: Context, share: Share) -> str:
    """6.5."""
    title = share.display_name or "Everybody on this server"
    said = {Status.ACCEPTED: "accepted", Status.PENDING: "noresponse", Status.DECLINED: "declined"}
    summary = f"<CS:summary>{xml.escape(share.summary)}</CS:summary>" if share.summary else ""
    return (
        f"<CS:user>{xml.href(href_of(context, share))}{names(title, kind=share.kind)}"
        f"<CS:invite-{said[share.status]}/>{access_element(share.access)}{summary}</CS:user>"
    )


@feature.live_property(CS + "shared-url", on=Where.COLLECTION)
def shared_url(context: Context, resource: Resource) -> str | None:
    """5.2.4: the owner's URL of what is a share here."""
    if not isinstance(resource, CollectionResource) or resource.access is Access.OWNER or not resource.own:
        return None
    home = context.owners_binding(resource.binding.collection)
    owner = context.principal(resource.binding.collection.owner)
    if home is None or owner is None:
        return None
    return xml.href(context.href(owner.name, home.name, collection=True))


@feature.action(CS + "share", on=Where.COLLECTION)
def share_collection(context: Context, resource: Resource, root: Element) -> Response:
    """5.3.2: add, change and remove sharees; all of them or none."""
    assert isinstance(resource, CollectionResource)
    check_may_share(resource)
    wanted = [node for node in root if node.tag in (CS + "set", CS + "remove")]
    check_amount(wanted)
    named, unknown = _named(context, resource, wanted)
    if unknown:
        return _refused(wanted, unknown)
    kept = {grantee for node, grantee in named if node.tag == CS + "set"}
    # First what is given, so that nobody who has it in another way from now on loses their place.
    for node, grantee in named:
        if node.tag == CS + "set":
            summary = (node.findtext(CS + "summary") or "").strip()[:1000]
            give(context, resource, grantee, writes=_access_asked(node), summary=summary)
    for node, grantee in named:
        # iCal removes and sets those of whom it changes the access, in any order.
        if node.tag == CS + "remove" and grantee not in kept:
            take_back(context, resource, grantee)
    return Response(200, {"Cache-Control": "no-cache"})


def _named(
    context: Context, resource: CollectionResource, wanted: list[Element]
) -> tuple[list[tuple[Element, Principal | None]], dict[str, Refused]]:
    """Whom the sharees of a request are; and by their hrefs those who are nobody."""
    named: list[tuple[Element, Principal | None]] = []
    unknown: dict[str, Refused] = {}
    for node in wanted:
        try:
            named.append((node, grantee_of(context, resource, node)))
        except Refused as error:
            unknown[(node.findtext("{DAV:}href") or "").strip()] = error
    return named, unknown


def _refused(wanted: list[Element], unknown: dict[str, Refused]) -> Response:
    """Nothing was done, and which sharee was in the way: that is how Apple's clients mark the wrong name."""
    responses = []
    for href in dict.fromkeys((node.findtext("{DAV:}href") or "").strip() for node in wanted):
        error = unknown.get(href)
        if error is None:
            responses.append(status_response(href, "424 Failed Dependency"))
        else:
            responses.append(
                status_response(href, "403 Forbidden", condition=error.condition, message=str(error))
            )
    return answer(iter(responses))


def check_may_share(resource: CollectionResource) -> None:
    """Raises NeedPrivileges where the user may not share a collection."""
    if not may_share(resource):
        raise NeedPrivileges("Only its owner, and who manages it, may share this collection.")


def check_amount(wanted: list[Element]) -> None:
    """Raises InvalidXml where a request names no sharee, or too many."""
    if not wanted:
        raise InvalidXml("The request names nobody to share with.")
    if len(wanted) > MOST:
        raise InvalidXml(f"One request may name {MOST} sharees; this names {len(wanted)}.")


def _access_asked(node: Element) -> bool:
    """Whether read-write is asked for.

    Raises:
        InvalidXml: it is neither that nor read.
    """
    asked = [child.tag for child in node if child.tag in (CS + "read", CS + "read-write")]
    if len(asked) != 1:
        raise InvalidXml("A sharee is set with read or with read-write.")
    return asked[0] == CS + "read-write"


def give(
    context: Context,
    resource: CollectionResource,
    grantee: Principal | None,
    *,
    writes: bool,
    summary: str = "",
) -> None:
    """Give somebody what the words of a protocol that knows only two levels can say.

    They do not lower ``manage`` to ``write``, nor raise ``busy`` to ``read``: clients send again
    what they were shown.
    """
    before = find_share(context.txn, resource.binding.collection.id, grantee.id if grantee else EVERYBODY)
    access = Access.WRITE if writes else Access.READ
    if before is not None and (before.access, access) in (
        (Access.MANAGE, Access.WRITE),
        (Access.BUSY, Access.READ),
    ):
        access = before.access
    shares.share(context.txn, resource.binding, grantee, access, by=context.by, summary=summary)


def take_back(context: Context, resource: CollectionResource, grantee: Principal | None) -> None:
    """Take back what somebody was given; nothing is wrong where that was nothing."""
    try:
        shares.unshare(context.txn, resource.binding, grantee, by=context.by)
    except NotFound:
        return


def grantee_of(context: Context, resource: CollectionResource, node: Element) -> Principal | None:
    """Whom the href in a sharee means; None for everybody."""
    href = (node.findtext("{DAV:}href") or "").strip()
    if not href:
        raise InvalidXml("A sharee is named with a DAV:href.")
    try:
        if paths.on_this_server(href, context.request) == context.href():
            return None
    except (BadGateway, InvalidPath):
        pass  # `principal_of` knows that this is nobody.
    return principal_of(context, href, also=sharees(context, resource))


def sharees(context: Context, resource: CollectionResource) -> list[PrincipalId]:
    """Those to whom a collection was given, as far as the user may know."""
    return [share.grantee for share in visible_shares(context, resource)]


@feature.action(CS + "invite-reply", on=Where.HOME)
def invite_reply(context: Context, resource: Resource, root: Element) -> Response:
    """5.4.1: accept or decline; where it is accepted the answer says where it is."""
    assert isinstance(resource, Home)
    accepted = root.find(CS + "invite-accepted") is not None
    if accepted == (root.find(CS + "invite-declined") is not None):
        raise InvalidXml("An invite-reply holds invite-accepted or invite-declined.")
    binding = reply(context, _invited_to(context, root), accepted=accepted)
    if binding is None:
        return Response(204)
    href = context.href(context.user.name, binding.name, collection=True)
    body = xml.document(CS + "shared-as", xml.href(href))
    return Response(200, {"Content-Type": xml.XML_TYPE, "Cache-Control": "no-cache"}, body)


def reply(context: Context, collection: CollectionId | None, *, accepted: bool) -> Binding | None:
    """What the user says to an invitation; the place that it has in their home then.

    Raises:
        Refused: it is no invitation of theirs, whatever else it is.
    """
    try:
        shared = None if collection is None else find_collection(context.txn, collection)
        if collection is None or shared is None or not reaches(context.request.rights, shared.kind):
            raise NotFound("There is no such invitation.")
        if accepted:
            return shares.accept(context.txn, context.user, collection, by=context.by)
        shares.decline(context.txn, context.user, collection, by=context.by)
    except NotFound as error:
        raise Refused("This answers no invitation of yours.", condition=CS + "valid-invite") from error
    return None


def _invited_to(context: Context, root: Element) -> CollectionId | None:
    """The collection that an answer is about: by the invitation's name, or else by the owner's URL."""
    uid = (root.findtext(CS + "in-reply-to") or "").strip()
    if uid and (found := shares.collection_behind(context.txn, context.user.id, uid)) is not None:
        return found
    href = (root.findtext(f"{CS}hosturl/{{DAV:}}href") or "").strip()
    try:
        segments = paths.of_href(href, context.request)
    except TagwerkError:
        return None
    owner = principal_by_name(context.txn, segments[0]) if len(segments) == 2 else None
    binding = find_binding_of(context.txn, owner.id, segments[1]) if owner else None
    return binding.collection.id if binding else None
