"""Who may do what, as properties (RFC 3744 5, RFC 5397)."""

from __future__ import annotations

from tagwerk.dav import xml
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import (
    CollectionResource,
    Context,
    Home,
    ObjectResource,
    Resource,
    Where,
    may_write,
)
from tagwerk.model import Access, Binding
from tagwerk.store.principals import principal_by_id

feature = Feature("RFC 3744 and RFC 5397")

_READ = ("read", "read-acl", "read-current-user-privilege-set")
_WRITE = ("write", "write-properties", "write-content", "bind", "unbind")


@feature.live_property("{DAV:}current-user-principal", on=Where.ANY)
def current_user_principal(context: Context, resource: Resource) -> str:
    """RFC 5397 3."""
    return xml.href(context.href(context.user.name, collection=True))


@feature.live_property("{DAV:}principal-URL", on=Where.HOME)
def principal_url(context: Context, resource: Resource) -> str:
    """RFC 3744 4.2."""
    return xml.href(resource.href)


@feature.live_property("{DAV:}alternate-URI-set", on=Where.HOME)
def alternate_uri_set(context: Context, resource: Resource) -> str | None:
    """RFC 3744 4.1."""
    if not isinstance(resource, Home):
        return None
    return "".join(xml.href(f"mailto:{address}") for address in resource.principal.addresses)


@feature.live_property("{DAV:}principal-collection-set", on=Where.ANY)
def principal_collection_set(context: Context, resource: Resource) -> str:
    """RFC 3744 5.8."""
    return xml.href(context.href())


@feature.live_property("{DAV:}owner", on=Where.ANY ^ Where.ROOT)
def owner(context: Context, resource: Resource) -> str | None:
    """RFC 3744 5.1."""
    if isinstance(resource, Home):
        return xml.href(resource.href)
    binding = _binding(resource)
    principal = principal_by_id(context.txn, binding.collection.owner) if binding else None
    return xml.href(context.href(principal.name, collection=True)) if principal else None


@feature.live_property("{DAV:}current-user-privilege-set", on=Where.ANY)
def current_user_privilege_set(context: Context, resource: Resource) -> str:
    """RFC 3744 5.5: the aggregates, and what is in them, as clients look for either."""
    return "".join(f"<D:privilege>{name}</D:privilege>" for name in privileges(resource))


def privileges(resource: Resource) -> tuple[str, ...]:
    """The privileges of the user on `resource`, as elements."""
    names = tuple(f"<D:{name}/>" for name in _READ)
    if isinstance(resource, Home):
        return (*names, "<D:write/>", "<D:write-properties/>", "<D:bind/>", "<D:unbind/>")
    binding = _binding(resource)
    if binding is None:
        return names
    if binding.collection.kind == "calendar":
        names += ("<C:read-free-busy/>",)
    if may_write(binding):
        names += tuple(f"<D:{name}/>" for name in _WRITE)
    return ("<D:all/>", *names) if binding.access is Access.OWNER else names


def _binding(resource: Resource) -> Binding | None:
    if isinstance(resource, CollectionResource):
        return resource.binding
    if isinstance(resource, ObjectResource):
        return resource.parent.binding
    return None
