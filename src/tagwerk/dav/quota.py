"""How much a user may store (RFC 4331)."""

from __future__ import annotations

from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import CollectionResource, Context, Home, Resource, Where
from tagwerk.errors import DAV, InsufficientStorage
from tagwerk.model import Access, Principal, PrincipalId
from tagwerk.store.history import make_room
from tagwerk.store.principals import lock_principal, principal_by_id, used_bytes
from tagwerk.store.properties import properties_size

feature = Feature("RFC 4331", tokens=("quota",))

MAX_PROPERTIES = 4 * 1024 * 1024
"""Characters that all properties of everything that somebody has may hold, names and values."""

_HERE = Where.HOME | Where.COLLECTION


@feature.live_property("{DAV:}quota-available-bytes", on=_HERE)
def quota_available_bytes(context: Context, resource: Resource) -> str | None:
    """RFC 4331 3: absent when there is no limit, never negative; told to the owner alone."""
    owner = _owner(context, resource)
    limit = limit_of(context, owner) if owner else 0
    if owner is None or not limit:
        return None
    return str(max(0, limit - context.used_bytes(owner.id)))


@feature.live_property("{DAV:}quota-used-bytes", on=_HERE)
def quota_used_bytes(context: Context, resource: Resource) -> str | None:
    """RFC 4331 4: everything that the owner has, as that is what the limit is for; told to them alone."""
    owner = _owner(context, resource)
    return str(context.used_bytes(owner.id)) if owner else None


def limit_of(context: Context, owner: Principal) -> int:
    """The bytes that the objects of a principal may take; 0 for no limit."""
    return context.settings.dav.quota if owner.quota is None else owner.quota


def check(context: Context, owner: PrincipalId, *, more: int) -> None:
    """Called in the write transaction, before `more` bytes are added to what `owner` has.

    What was deleted or overwritten does not count; it may take as much again, and the
    oldest of it goes first.  How much it is in all is told to the owner alone.

    Raises:
        InsufficientStorage: that would be over the limit (RFC 4331 6, DAV:quota-not-exceeded).
    """
    principal = context.user if owner == context.user.id else principal_by_id(context.txn, owner)
    limit = limit_of(context, principal) if principal else 0
    if not limit:
        return
    # What is stored in another collection of theirs at this moment counts; where there is a limit, they take turns.
    lock_principal(context.txn, owner)
    make_room(context.txn, owner, most=limit)
    if more > 0 and used_bytes(context.txn, owner) + more > limit:
        if owner == context.user.id:
            sentence = (
                f"This would be more than the {limit} bytes that may be stored; delete something first."
            )
        else:
            sentence = "This would be more than the owner may store; ask them to delete something."
        raise InsufficientStorage(sentence, condition=DAV + "quota-not-exceeded")


def check_properties(context: Context, owner: PrincipalId) -> None:
    """Called in the write transaction, after `owner` got properties.

    They are no part of the quota, so that no PUT has to count them, and have a bound of their own.

    Raises:
        InsufficientStorage: they have more than `MAX_PROPERTIES`.
    """
    size = properties_size(context.txn, owner)
    if size > MAX_PROPERTIES:
        raise InsufficientStorage(
            f"All properties together would have {size} characters; {MAX_PROPERTIES} are allowed.",
            condition=DAV + "quota-not-exceeded",
        )


def _owner(context: Context, resource: Resource) -> Principal | None:
    if isinstance(resource, Home):
        return resource.principal
    assert isinstance(resource, CollectionResource)
    if resource.access is not Access.OWNER:
        return None  # What it grows by may be in collections of which one knows nothing, or private.
    return context.principal(resource.binding.collection.owner)
