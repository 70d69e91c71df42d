"""PROPPATCH: all of it or nothing (RFC 4918 9.2)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from tagwerk.dav import quota, xml
from tagwerk.dav.message import Response
from tagwerk.dav.multistatus import answer, wants_minimal
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import (
    CollectionResource,
    Context,
    Home,
    ObjectResource,
    ProxyGroup,
    Resource,
    Where,
    locked,
    target,
)
from tagwerk.dav.sharees import principal_of
from tagwerk.dav.timezones import agreeing
from tagwerk.dav.webdav import DISPLAYNAME
from tagwerk.errors import CALDAV, CARDDAV, DAV, InvalidXml, NeedPrivileges, Refused
from tagwerk.model import NO_BINDING, Access, Privacy
from tagwerk.sharing import shares
from tagwerk.sharing.delegation import set_delegates
from tagwerk.store.collections import next_modseq, next_personal_modseq
from tagwerk.store.properties import (
    set_collection_properties,
    set_principal_properties,
)

feature = Feature("RFC 4918 PROPPATCH")

MAX_VALUE = 256 * 1024
"""Characters that one dead property may hold as XML."""

MAX_NAME = 1000
"""Bytes (UTF-8) that the name of a dead property may have; what the store takes has room for `xml.LANGUAGE_OF`."""

MEMBERS = DAV + "group-member-set"

PROTECTED = DAV + "cannot-modify-protected-property"


@feature.method("PROPPATCH", on=(Where.ANY ^ Where.ROOT) | Where.PROXY, writes=True)
def proppatch(context: Context) -> Response:
    """Set and remove properties in the order of the request."""
    root = xml.parse(context.request.body)
    if root.tag != "{DAV:}propertyupdate":
        raise InvalidXml(f"The body of PROPPATCH is DAV:propertyupdate, not {root.tag}.")
    resource = target(context)
    if isinstance(resource, ProxyGroup):
        return _members(context, resource, root)
    changes, failures = evaluate(context, resource, root)
    if failures:
        stats = failed_propstats(list(changes), failures)
        return answer(iter([f"<D:response>{xml.href(resource.href)}{stats}</D:response>\n"]))
    store(context, resource, changes, languages=xml.languages(root))
    if wants_minimal(context.request):
        # RFC 8144 2.2: where everything was done there is nothing to tell.
        return Response(204, {"Preference-Applied": "return=minimal"})
    done = "".join(xml.tags(name)[2] for name in changes)
    stat = f"<D:propstat><D:prop>{done}</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
    return answer(iter([f"<D:response>{xml.href(resource.href)}{stat}</D:response>\n"]))


def _members(context: Context, group: ProxyGroup, root: Element) -> Response:
    """apple-caldav-proxy.txt 5.2: somebody says who acts for them, by ``group-member-set``."""
    if group.owner.id != context.user.id:
        raise NeedPrivileges("You may not say who acts for somebody else.")
    nodes = [
        node for part in root.iterfind("{DAV:}set") for prop in part.iterfind("{DAV:}prop") for node in prop
    ]
    removed = [node.tag for part in root.iterfind("{DAV:}remove") for node in part.iterfind("{DAV:}prop/*")]
    tags = [*(node.tag for node in nodes), *removed]
    wrong = [tag for tag in tags if tag != MEMBERS]
    if wrong or len(tags) != 1:
        refused = {tag: Refused(f"{tag} cannot be set here.", condition=PROTECTED) for tag in wrong}
        if not refused:
            raise InvalidXml("The request sets group-member-set once.")
        stats = failed_propstats([tag for tag in tags if tag == MEMBERS], refused)
        return answer(iter([f"<D:response>{xml.href(group.href)}{stats}</D:response>\n"]))
    hrefs = [(href.text or "").strip() for node in nodes for href in node.iterfind("{DAV:}href")]
    before = [who.id for who, _ in context.delegates(group.owner.id)]
    members = [principal_of(context, href, also=before) for href in hrefs]
    set_delegates(context.txn, context.user, group.access, members, by=context.by)
    stat = (
        "<D:propstat><D:prop><D:group-member-set/></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
    )
    return answer(iter([f"<D:response>{xml.href(group.href)}{stat}</D:response>\n"]))


def evaluate(
    context: Context, resource: Resource, root: Element
) -> tuple[dict[str, str | None], dict[str, Refused]]:
    """What the ``set`` and ``remove`` elements ask for: new values (None: remove), and what is refused."""
    changes: dict[str, str | None] = {}
    failures: dict[str, Refused] = {}
    for instruction in root:
        if instruction.tag not in ("{DAV:}set", "{DAV:}remove"):
            continue
        for node in (child for prop in instruction.iterfind("{DAV:}prop") for child in prop):
            try:
                value = check(context, resource.where, node) if instruction.tag == "{DAV:}set" else None
                if value is None:
                    _check_settable(context, resource.where, node.tag)
                changes[node.tag] = value
            except Refused as error:
                failures[node.tag] = error
    if not changes and not failures:
        raise InvalidXml("The request names no property to set or remove.")
    return changes, failures


def check(context: Context, where: Where, node: Element) -> str:
    """The XML to remember for a property that a client sets.

    Raises:
        Refused: it is protected, or the value does not fit.
    """
    _check_settable(context, where, node.tag)
    live = context.registry.properties(where).get(node.tag)
    if live is not None and live.set is not None:
        return live.set(context, node)
    if (size := len(node.tag.encode())) > MAX_NAME:
        raise Refused(f"The name of a property may have {MAX_NAME} bytes; this has {size}.")
    value = xml.content_of(node)
    if len(value) > MAX_VALUE:
        raise Refused(f"{node.tag} may have {MAX_VALUE} characters; this has {len(value)}.")
    return value


def _check_settable(context: Context, where: Where, name: str) -> None:
    live = context.registry.properties(where).get(name)
    if context.registry.computed(name) or (live is not None and live.set is None):
        raise Refused(f"{name} is computed by the server.", condition=PROTECTED)


def store(
    context: Context, resource: Resource, changes: dict[str, str | None], *, languages: dict[str, str]
) -> None:
    """Write what `evaluate` returned, with its languages, and move the collection's counter.

    In a share everybody has properties of their own.

    Raises:
        NeedPrivileges: the user may not change the resource.
        InsufficientStorage: there would be more than `tagwerk.dav.quota.MAX_PROPERTIES`.
    """
    if resource.where is Where.CALENDAR:
        changes = agreeing(changes)
    sets = any(value is not None for value in changes.values())
    tagged = {xml.LANGUAGE_OF + name: languages.get(name) or None for name in changes}
    changes = changes | tagged
    if isinstance(resource, Home):
        set_principal_properties(context.txn, resource.principal.id, changes)
        if sets:
            quota.check_properties(context, resource.principal.id)
        return
    masked = private = False
    if isinstance(resource, ObjectResource):
        parent, name = resource.parent, resource.stored.name
        private = resource.stored.privacy == Privacy.PRIVATE
        masked = parent.view.restricts(resource.stored.privacy)
    else:
        assert isinstance(resource, CollectionResource)
        parent, name = resource, ""
    own, common = _divided(parent, changes, of_object=bool(name), masked=masked)
    collection = locked(context, parent)
    for values, binding, whose in (
        (common, NO_BINDING, collection.owner),
        (own, parent.binding.id, parent.binding.principal),
    ):
        if not values:
            continue
        if binding or name:
            set_collection_properties(context.txn, collection.id, values, binding=binding, object_name=name)
        else:
            shares.set_common_properties(context.txn, collection, values)
        if sets:
            quota.check_properties(context, whose)
    if common:
        if parent.access is not Access.OWNER:
            # A value of one's own would hide the new one.
            set_collection_properties(
                context.txn,
                collection.id,
                dict.fromkeys(common),
                binding=parent.binding.id,
                object_name=name,
            )
        next_modseq(context.txn, collection.id, now=context.now, private=private)
    else:
        next_personal_modseq(context.txn, collection.id)


OF_THE_COLLECTION = (
    DISPLAYNAME,
    CALDAV + "calendar-description",
    CALDAV + "calendar-timezone",
    CALDAV + "calendar-timezone-id",
    CARDDAV + "addressbook-description",
)
"""What somebody who manages a collection changes for everybody."""


def _divided(
    parent: CollectionResource, changes: dict[str, str | None], *, of_object: bool, masked: bool
) -> tuple[dict[str, str | None], dict[str, str | None]]:
    """What is the user's own (apple-caldav-sharing.txt 5.5.3), and what counts for everybody.

    Raises:
        NeedPrivileges: the user has nothing of their own there and may not change the rest.
    """
    if parent.access is Access.OWNER:
        return {}, changes
    if not parent.own:
        if of_object and parent.access.writes and not masked:
            return {}, changes
        raise NeedPrivileges("You may not change the properties of this resource.")
    if of_object or not parent.access.manages:
        return changes, {}
    common = {
        name: value
        for name, value in changes.items()
        if name.removeprefix(xml.LANGUAGE_OF) in OF_THE_COLLECTION
    }
    return {name: value for name, value in changes.items() if name not in common}, common


def failed_propstats(others: list[str], failures: dict[str, Refused]) -> str:
    """The ``propstat`` elements of a change that was not made: 403 for what stood in the way, 424 for the rest."""
    parts = []
    for name, error in failures.items():
        condition = xml.element("{DAV:}error", xml.element(error.condition)) if error.condition else ""
        parts.append(
            f"<D:propstat><D:prop>{xml.tags(name)[2]}</D:prop><D:status>HTTP/1.1 403 Forbidden</D:status>"
            f"{condition}<D:responsedescription>{xml.escape(str(error))}</D:responsedescription></D:propstat>"
        )
    rest = "".join(xml.tags(name)[2] for name in others if name not in failures)
    if rest:
        parts.append(
            f"<D:propstat><D:prop>{rest}</D:prop>"
            "<D:status>HTTP/1.1 424 Failed Dependency</D:status></D:propstat>"
        )
    return "".join(parts)
