"""Who may do what, as properties (RFC 3744 5, 8; RFC 5397)."""

from __future__ import annotations

from tagwerk.dav import xml
from tagwerk.dav.message import Response
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import (
    CollectionResource,
    Context,
    Home,
    ObjectResource,
    Resource,
    Where,
    may_write,
    target,
)
from tagwerk.errors import DAV, InvalidXml, Refused
from tagwerk.model import Access, Binding, Kind, Rights
from tagwerk.store.principals import principal_by_id

feature = Feature("RFC 3744 access control and RFC 5397")

_EVERYWHERE = Where.ANY | Where.PRINCIPAL
_READ = ("read", "read-acl", "read-current-user-privilege-set")
_WRITE = ("write", "write-properties", "write-content", "bind", "unbind")
_CHANGING = frozenset(f"<D:{name}/>" for name in ("all", *_WRITE))


@feature.live_property("{DAV:}current-user-principal", on=_EVERYWHERE)
def current_user_principal(context: Context, resource: Resource) -> str:
    """RFC 5397 3."""
    return xml.href(context.href(context.user.name, collection=True))


@feature.live_property("{DAV:}principal-collection-set", on=_EVERYWHERE)
def principal_collection_set(context: Context, resource: Resource) -> str:
    """RFC 3744 5.8."""
    return xml.href(context.href())


@feature.live_property("{DAV:}owner", on=Where.ANY ^ Where.ROOT)
def owner(context: Context, resource: Resource) -> str | None:
    """RFC 3744 5.1."""
    return _owner_href(context, resource)


def _owner_href(context: Context, resource: Resource) -> str | None:
    if isinstance(resource, Home):
        return xml.href(resource.href)
    binding = binding_of(resource)
    principal = principal_by_id(context.txn, binding.collection.owner) if binding else None
    return xml.href(context.href(principal.name, collection=True)) if principal else None


@feature.live_property("{DAV:}group", on=Where.ANY ^ Where.ROOT)
def group(context: Context, resource: Resource) -> str:
    """RFC 3744 5.2: there are no group owners; the property is there and empty."""
    return ""


@feature.live_property("{DAV:}current-user-privilege-set", on=_EVERYWHERE)
def current_user_privilege_set(context: Context, resource: Resource) -> str:
    """RFC 3744 5.5: the aggregates, and what is in them, as clients look for either."""
    names = privileges(resource)
    if context.request.rights is Rights.READ_ONLY:
        names = tuple(name for name in names if name not in _CHANGING)
    return "".join(f"<D:privilege>{name}</D:privilege>" for name in names)


def privileges(resource: Resource) -> tuple[str, ...]:
    """The privileges of the user on `resource`, as elements."""
    names = tuple(f"<D:{name}/>" for name in _READ)
    if resource.where is Where.HOME:
        return (*names, "<D:write/>", "<D:write-properties/>", "<D:bind/>", "<D:unbind/>")
    binding = binding_of(resource)
    if binding is None:
        return names
    if binding.collection.kind is Kind.CALENDAR:
        names += ("<C:read-free-busy/>",)
    if may_write(binding):
        names += tuple(f"<D:{name}/>" for name in _WRITE)
    return ("<D:all/>", *names) if binding.access is Access.OWNER else names


def _privilege(name: str, description: str, *inside: str) -> str:
    return (
        f"<D:supported-privilege><D:privilege><{name}/></D:privilege>"
        f'<D:description xml:lang="en">{description}</D:description>{"".join(inside)}</D:supported-privilege>'
    )


@feature.live_property("{DAV:}supported-privilege-set", on=Where.ANY)
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
    )


@feature.live_property("{DAV:}acl", on=Where.ANY ^ Where.ROOT)
def acl(context: Context, resource: Resource) -> str | None:
    """RFC 3744 5.5: the owner's rights, which nobody can take; nobody else has any."""
    href = _owner_href(context, resource)
    if href is None:
        return None
    granted = "".join(f"<D:privilege>{name}</D:privilege>" for name in privileges(resource))
    return f"<D:ace><D:principal>{href}</D:principal><D:grant>{granted}</D:grant><D:protected/></D:ace>"


@feature.live_property("{DAV:}acl-restrictions", on=Where.ANY ^ Where.ROOT)
def acl_restrictions(context: Context, resource: Resource) -> str:
    """RFC 3744 5.6: only grants, and no inversion."""
    return "<D:grant-only/><D:no-invert/>"


@feature.live_property("{DAV:}inherited-acl-set", on=Where.ANY ^ Where.ROOT)
def inherited_acl_set(context: Context, resource: Resource) -> str:
    """RFC 3744 5.7: an object's rights are those of its collection."""
    return xml.href(resource.parent.href) if isinstance(resource, ObjectResource) else ""


@feature.method("ACL", on=Where.ANY ^ Where.ROOT, writes=True)
def set_acl(context: Context) -> Response:
    """RFC 3744 8.1: the only entry is the owner's, and it is protected."""
    target(context)
    root = xml.parse(context.request.body)
    if root.tag != "{DAV:}acl":
        raise InvalidXml(f"The body of ACL is DAV:acl, not {root.tag}.")
    raise Refused(
        "The rights of this resource are its owner's alone and cannot be changed.",
        condition=DAV + "no-protected-ace-conflict",
    )


def binding_of(resource: Resource) -> Binding | None:
    """The binding through which a resource is seen, if it is a collection or in one."""
    if isinstance(resource, CollectionResource):
        return resource.binding
    if isinstance(resource, ObjectResource):
        return resource.parent.binding
    return None
