"""Who may do what, as properties (RFC 3744 5, 8; RFC 5397)."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element

from tagwerk.dav import paths, xml
from tagwerk.dav.message import Response
from tagwerk.dav.proxies import groups_acting
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import (
    CollectionResource,
    Context,
    Home,
    ObjectResource,
    ProxyGroup,
    Resource,
    Where,
    proxy_groups,
    target,
)
from tagwerk.dav.sharees import principal_of
from tagwerk.dav.sharing import check_may_share, may_share, sharees
from tagwerk.errors import CALDAV, DAV, BadGateway, InvalidPath, InvalidXml, Refused
from tagwerk.model import EVERYBODY, Access, Binding, Kind, Principal, PrincipalId, Rights
from tagwerk.sharing import shares

feature = Feature("RFC 3744 access control and RFC 5397")

_OWNED = (Where.ANY ^ Where.ROOT) | Where.PROXY | Where.TOLD | Where.DELEGATED
_READ = ("D:read", "D:read-acl", "D:read-current-user-privilege-set")
_WRITE = ("D:write", "D:write-properties", "D:write-content", "D:bind", "D:unbind")
_MANAGE = ("D:write-acl", "D:share")
_DESCRIBING = frozenset(("D:write", "D:write-properties"))
_CHANGING = frozenset(("D:all", *_WRITE, *_MANAGE))


@feature.live_property("{DAV:}current-user-principal", on=Where.EVERYTHING)
def current_user_principal(context: Context, resource: Resource) -> str:
    """RFC 5397 3."""
    return xml.href(context.href(context.user.name, collection=True))


@feature.live_property("{DAV:}principal-collection-set", on=Where.EVERYTHING)
def principal_collection_set(context: Context, resource: Resource) -> str:
    """RFC 3744 5.8."""
    return xml.href(context.href())


@feature.live_property("{DAV:}owner", on=_OWNED)
def owner(context: Context, resource: Resource) -> str | None:
    """RFC 3744 5.1."""
    return _owner_href(context, resource)


def _owner_href(context: Context, resource: Resource) -> str | None:
    if isinstance(resource, Home):
        return xml.href(resource.href)
    if isinstance(resource, ProxyGroup):
        return xml.href(context.href(resource.owner.name, collection=True))
    binding = binding_of(resource)
    principal = context.principal(binding.collection.owner) if binding else None
    return xml.href(context.href(principal.name, collection=True)) if principal else None


@feature.live_property("{DAV:}group", on=_OWNED)
def group(context: Context, resource: Resource) -> str:
    """RFC 3744 5.2: there are no group owners; the property is there and empty."""
    return ""


@feature.live_property("{DAV:}current-user-privilege-set", on=Where.EVERYTHING)
def current_user_privilege_set(context: Context, resource: Resource) -> str:
    """RFC 3744 5.5: the aggregates, and what is in them, as clients look for either."""
    found = privileges(context, resource)
    if context.request.rights is Rights.READ_ONLY:
        return _as_elements(tuple(name for name in found if name not in _CHANGING))
    if isinstance(resource, CollectionResource) and resource.own and "D:write" not in found:
        found += _own_properties(context)
    return _as_elements(found)


_APPLE = re.compile(
    r"\b(?:iOS|macOS|Mac[ _]OS[ _]X|iPadOS|watchOS|CalendarAgent|dataaccessd|remindd|AddressBook)\b"
)


def _own_properties(context: Context) -> tuple[str, ...]:
    """Who may only read can still set properties of their own (apple-caldav-sharing.txt 5.5.3).

    Apple's programs send name and colour only where write-properties is announced; Thunderbird
    and others would then take the calendar for one that can be written.
    """
    apple = _APPLE.search(context.request.header("user-agent"))
    return ("D:write-properties",) if apple else ()


def privileges(context: Context, resource: Resource) -> tuple[str, ...]:
    """The privileges of the user on `resource`, as qualified names."""
    if resource.where is Where.HOME:
        return (*_READ, "D:write", "D:write-properties", "D:bind", "D:unbind")
    if isinstance(resource, ProxyGroup):
        own = resource.owner.id == context.user.id
        return (*_READ, "D:write", "D:write-properties") if own else _READ
    binding = binding_of(resource)
    if binding is None:
        return _READ
    if binding.collection.kind is Kind.NOTIFICATIONS:
        return (*_READ, "D:unbind")
    found = level_privileges(binding.access, binding.collection.kind)
    if isinstance(resource, ObjectResource) and resource.parent.view.restricts(resource.stored.privacy):
        return level_privileges(Access.BUSY, binding.collection.kind)
    if binding.access is not Access.OWNER and not _own(resource):
        return acting_privileges(binding.access, of_object=isinstance(resource, ObjectResource))
    return found


def _own(resource: Resource) -> bool:
    parent = resource.parent if isinstance(resource, ObjectResource) else resource
    return isinstance(parent, CollectionResource) and parent.own


def level_privileges(access: Access, kind: Kind) -> tuple[str, ...]:
    """The privileges that a level of sharing is made of."""
    names: tuple[str, ...] = _READ
    if kind is Kind.CALENDAR:
        names += ("C:read-free-busy",)
    if access.writes:
        names += _WRITE
    if access.manages:
        names += _MANAGE
    return ("D:all", *names) if access is Access.OWNER else names


def acting_privileges(access: Access, *, of_object: bool) -> tuple[str, ...]:
    """The privileges of who acts for somebody, on a calendar or on an object in it.

    They change the objects, and the properties of these.  A calendar's own properties are its owner's, so
    that of DAV:write they have the other parts there, one by one.
    """
    found = level_privileges(access, Kind.CALENDAR)
    return found if of_object else tuple(name for name in found if name not in _DESCRIBING)


def privileges_given(access: Access, kind: Kind) -> tuple[str, ...]:
    """The privileges by which an ACL says that a level was given, as `_level_of` reads them.

    Who sees when somebody is busy has DAV:read there, for the sake of clients that show nothing
    without; what they were given is less.
    """
    if access is Access.BUSY:
        return ("D:read-current-user-privilege-set", "C:read-free-busy")
    return level_privileges(access, kind)


def _as_elements(names: tuple[str, ...]) -> str:
    return "".join(f"<D:privilege><{name}/></D:privilege>" for name in names)


def _privilege(name: str, description: str, *inside: str) -> str:
    return (
        f"<D:supported-privilege><D:privilege><{name}/></D:privilege>"
        f'<D:description xml:lang="en">{description}</D:description>{"".join(inside)}</D:supported-privilege>'
    )


@feature.live_property(
    "{DAV:}supported-privilege-set", on=Where.ANY | Where.PROXY | Where.TOLD | Where.DELEGATED
)
def supported_privilege_set(context: Context, resource: Resource) -> str:
    """RFC 3744 5.3, with CALDAV:read-free-busy in DAV:read (RFC 4791 6.1.1)."""
    busy = ""
    if resource.where in Where.CALENDAR | Where.EVENT:
        busy = _privilege("C:read-free-busy", "See when somebody is busy")
    return _privilege(
        "D:all",
        "Everything",
        _privilege(
            "D:read",
            "See it",
            busy,
            _privilege("D:read-acl", "See who may do what"),
            _privilege("D:read-current-user-privilege-set", "See what one may do oneself"),
        ),
        _privilege(
            "D:write",
            "Change it",
            _privilege("D:write-properties", "Change its properties"),
            _privilege("D:write-content", "Change what it holds"),
            _privilege("D:bind", "Put something into it"),
            _privilege("D:unbind", "Remove something from it"),
        ),
        _privilege("D:write-acl", "Say who may do what"),
        _privilege("D:share", "Share it"),
    )


@feature.live_property("{DAV:}acl", on=_OWNED)
def acl(context: Context, resource: Resource) -> str | None:
    """RFC 3744 5.5: what the owner, and who acts for them, may do, which nobody can take; and what was given to others.

    Who does not manage a collection sees what was given to themselves.
    """
    href = _owner_href(context, resource)
    if href is None:
        return None
    binding = binding_of(resource)
    if binding is None:
        granted = privileges(context, resource)
        return _ace(href, granted, protected=True)
    inherited = (
        xml.element("{DAV:}inherited", xml.href(resource.parent.href))
        if isinstance(resource, ObjectResource)
        else ""
    )
    kind = binding.collection.kind
    parts = [_ace(href, level_privileges(Access.OWNER, kind), protected=True, tail=inherited)]
    parent = resource.parent if isinstance(resource, ObjectResource) else resource
    assert isinstance(parent, CollectionResource)
    for delegates in groups_acting(context, parent):
        granted = acting_privileges(delegates.access, of_object=isinstance(resource, ObjectResource))
        parts.append(_ace(xml.href(delegates.href), granted, protected=True, tail=inherited))
    for grantee, name, access in grants(context, parent):
        whose = xml.href(context.href(name, collection=True))
        parts.append(
            _ace(
                "<D:authenticated/>" if grantee == EVERYBODY else whose,
                privileges_given(access, kind),
                protected=bool(inherited) or not may_share(parent),
                tail=inherited,
            )
        )
    return "".join(parts)


def grants(context: Context, resource: CollectionResource) -> list[tuple[PrincipalId, str, Access]]:
    """Who was given what of a collection, by id and name, as far as the user may know; `EVERYBODY` has no name."""
    if may_share(resource):
        return [
            (share.grantee, share.name, share.access) for share in context.shares(resource.binding.collection)
        ]
    # Who acts for the owner has that by a group of delegates.
    return [(context.user.id, context.user.name, resource.access)] if resource.own else []


def _ace(principal: str, names: tuple[str, ...], *, protected: bool, tail: str = "") -> str:
    return (
        f"<D:ace><D:principal>{principal}</D:principal><D:grant>{_as_elements(names)}</D:grant>"
        f"{'<D:protected/>' if protected else ''}{tail}</D:ace>"
    )


@feature.live_property("{DAV:}acl-restrictions", on=_OWNED)
def acl_restrictions(context: Context, resource: Resource) -> str:
    """RFC 3744 5.6: only grants, and no inversion."""
    return "<D:grant-only/><D:no-invert/>"


@feature.live_property("{DAV:}inherited-acl-set", on=_OWNED)
def inherited_acl_set(context: Context, resource: Resource) -> str:
    """RFC 3744 5.7: an object's rights are those of its collection."""
    return xml.href(resource.parent.href) if isinstance(resource, ObjectResource) else ""


@feature.method("ACL", on=(Where.ANY ^ Where.ROOT) | Where.DELEGATED | Where.TOLD | Where.PROXY, writes=True)
def set_acl(context: Context) -> Response:
    """RFC 3744 8.1: the entries that are given are all that others have from then on.

    Raises:
        Refused: with the precondition of 8.1.1, where rights cannot be said as levels, or somebody
            has them who cannot.
    """
    resource = target(context)
    root = xml.parse(context.request.body)
    if root.tag != "{DAV:}acl":
        raise InvalidXml(f"The body of ACL is DAV:acl, not {root.tag}.")
    if isinstance(resource, ObjectResource):
        raise Refused(
            "An object has the rights of its collection; set them there.",
            condition=DAV + "no-protected-ace-conflict",
        )
    if not isinstance(resource, CollectionResource) or resource.where not in Where.COLLECTION:
        raise Refused(
            "The rights of this resource are its owner's alone and cannot be changed.",
            condition=DAV + "no-protected-ace-conflict",
        )
    check_may_share(resource)
    wanted = _wanted(context, resource, root)
    before = context.shares(resource.binding.collection)
    # First what is given, so that nobody who has it in another way from now on loses their place.
    for grantee, access in wanted.values():
        shares.share(context.txn, resource.binding, grantee, access, by=context.by)
    for share in before:
        if share.grantee not in wanted:
            gone = context.principal(share.grantee) if share.grantee != EVERYBODY else None
            shares.unshare(context.txn, resource.binding, gone, by=context.by)
    return Response(200, {"Cache-Control": "no-cache"})


def _wanted(
    context: Context, resource: CollectionResource, root: Element
) -> dict[PrincipalId, tuple[Principal | None, Access]]:
    """What an ACL gives to whom: somebody has what all of their entries grant (RFC 3744 6)."""
    granted: dict[PrincipalId, tuple[Principal | None, set[str]]] = {}
    for node in root.iterfind("{DAV:}ace"):
        found = _read_ace(context, resource, node)
        if found is not None:
            grantee, names = found
            granted.setdefault(grantee.id if grantee else EVERYBODY, (grantee, set()))[1].update(names)
    wanted: dict[PrincipalId, tuple[Principal | None, Access]] = {}
    for whom, (grantee, names) in granted.items():
        # What a group owns its members have by a share with the group itself.
        if whom != resource.binding.collection.owner or (grantee and grantee.kind == "group"):
            wanted[whom] = (grantee, _level_of(names))
        elif not names >= {DAV + "read", DAV + "write"}:
            raise Refused(
                "The owner's rights cannot be changed.", condition=DAV + "no-protected-ace-conflict"
            )
    return wanted


def _read_ace(
    context: Context, resource: CollectionResource, node: Element
) -> tuple[Principal | None, set[str]] | None:
    """Whom an entry grants which privileges; None for what is as it is: the owner's own, and that of delegates."""
    if node.find("{DAV:}deny") is not None:
        raise Refused("Rights are given here, not denied.", condition=DAV + "grant-only")
    if node.find("{DAV:}invert") is not None:
        raise Refused("Entries for everybody but somebody cannot be kept.", condition=DAV + "no-invert")
    if node.find("{DAV:}inherited") is not None:
        raise Refused("Nothing is inherited here.", condition=DAV + "no-inherited-ace-conflict")
    names = {child.tag for child in node.iterfind("{DAV:}grant/{DAV:}privilege/*")}
    if _is_of_delegates(context, resource, node, names):
        return None
    grantee = _read_grantee(context, resource, node)
    owned = grantee is not None and grantee.id == resource.binding.collection.owner
    return None if owned and (not names or DAV + "all" in names) else (grantee, names)


def _is_of_delegates(context: Context, resource: CollectionResource, node: Element, names: set[str]) -> bool:
    """Whether an entry is about a group of those who act for the owner; clients send back what they were shown.

    Raises:
        Refused: it would change what they may do.
    """
    href = (node.findtext("{DAV:}principal/{DAV:}href") or "").strip()
    try:
        segments = paths.of_href(href, context.request)
    except (BadGateway, InvalidPath):
        return False
    collection = resource.binding.collection
    owner = context.principal(collection.owner) if collection.kind is Kind.CALENDAR else None
    groups = proxy_groups(context, Home("", owner)) if owner else []
    level = next(
        (group.access for group in groups if paths.of_href(group.href, context.request) == segments), None
    )
    if level is not None and _level_of(names) is not level:
        raise Refused(
            "What may be done by who acts for the owner is said by the groups of delegates alone.",
            condition=DAV + "no-protected-ace-conflict",
        )
    return level is not None


def _read_grantee(context: Context, resource: CollectionResource, node: Element) -> Principal | None:
    inside = node.findall("{DAV:}principal/*")
    if len(inside) != 1:
        raise InvalidXml("An ace names one principal.")
    only = inside[0]
    if only.tag == "{DAV:}href":
        return principal_of(context, (only.text or "").strip(), also=sharees(context, resource))
    if only.tag == "{DAV:}authenticated":
        return None
    if only.tag == "{DAV:}self" or (
        only.tag == "{DAV:}property" and [child.tag for child in only] == ["{DAV:}owner"]
    ):
        return context.principal(resource.binding.collection.owner)
    raise Refused(
        "Rights are given to persons, groups, and everybody who logs in; for the rest of the world make a link.",
        condition=DAV + "allowed-principal",
    )


_BUSY_ONLY = {CALDAV + "read-free-busy"}
_READING = _BUSY_ONLY | {DAV + "read", DAV + "read-acl", DAV + "read-current-user-privilege-set"}
_WRITING = {DAV + name for name in ("write", "write-content", "write-properties", "bind", "unbind")}
_MANAGING = {DAV + name for name in ("all", "write-acl", "share")}


def _level_of(names: set[str]) -> Access:
    """The level that some privileges are.

    Raises:
        Refused: they are none of the levels.
    """
    unknown = names - _READING - _WRITING - _MANAGING
    if unknown or not names:
        raise Refused(
            f"There is no privilege {', '.join(sorted(unknown)) or 'in this ace'}.",
            condition=DAV + "not-supported-privilege",
        )
    writes = DAV + "write" in names or names >= {DAV + "write-content", DAV + "bind", DAV + "unbind"}
    if DAV + "all" in names:
        return Access.MANAGE
    if names <= _BUSY_ONLY | {DAV + "read-current-user-privilege-set"}:
        return Access.BUSY
    if DAV + "read" in names:
        if not names & (_WRITING | _MANAGING):
            return Access.READ
        if writes:
            return Access.MANAGE if DAV + "write-acl" in names else Access.WRITE
    raise Refused(
        "These privileges are none of the levels busy (read-free-busy), read (read), write (read, write) and"
        " manage (read, write, write-acl, or all).",
        condition=DAV + "not-supported-privilege",
    )


def binding_of(resource: Resource) -> Binding | None:
    """The binding through which a resource is seen, if it is a collection or in one."""
    if isinstance(resource, CollectionResource):
        return resource.binding
    if isinstance(resource, ObjectResource):
        return resource.parent.binding
    return None
