"""What a path leads to, for the one who asks (RFC 4918 5)."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tagwerk.dav import login_rights, paths
from tagwerk.dav.message import Request
from tagwerk.errors import MethodNotAllowed, NeedPrivileges, NotFound
from tagwerk.model import (
    NO_BINDING,
    NOBODY,
    Access,
    Binding,
    BindingId,
    Collection,
    CollectionId,
    Kind,
    Principal,
    PrincipalId,
    StoredObject,
)
from tagwerk.settings import Settings
from tagwerk.sharing import delegation
from tagwerk.sharing.notices import notices_about
from tagwerk.sharing.shares import By
from tagwerk.sharing.views import View, view_of
from tagwerk.store.access import delegated
from tagwerk.store.collections import (
    NOTIFICATIONS,
    binding_to,
    bindings_of,
    collections_of,
    find_binding,
    lock_collection,
    owners_bindings,
)
from tagwerk.store.engine import Transaction
from tagwerk.store.principals import (
    delegates_of,
    principal_by_id,
    principal_by_name,
    share_a_group,
    used_bytes,
)
from tagwerk.store.properties import (
    collection_properties,
    home_properties,
    objects_properties,
    principal_properties,
)
from tagwerk.store.shares import Share, shares_by, shares_managed_by, shares_with

if TYPE_CHECKING:
    from tagwerk.dav.registry import Registry


class Where(enum.Flag):
    """The kinds of resources, for saying where a method, report or property is found."""

    ROOT = enum.auto()
    HOME = enum.auto()
    CALENDAR = enum.auto()
    ADDRESSBOOK = enum.auto()
    EVENT = enum.auto()
    CARD = enum.auto()
    PRINCIPAL = enum.auto()
    """The principal of somebody else: who they are, nothing of what they have."""
    DELEGATED = enum.auto()
    """The home of somebody for whom the user acts: their own calendars are in it."""
    PROXY = enum.auto()
    """The group of those who act for somebody (apple-caldav-proxy.txt 5.2)."""
    NOTIFICATIONS = enum.auto()
    NOTIFICATION = enum.auto()
    NEW_COLLECTION = enum.auto()
    """Nothing, where a collection can be made."""
    NEW_OBJECT = enum.auto()
    """Nothing, where an object can be stored."""

    COLLECTION = CALENDAR | ADDRESSBOOK
    OBJECT = EVENT | CARD
    CONTAINER = ROOT | HOME | CALENDAR | ADDRESSBOOK
    ANY = CONTAINER | OBJECT
    HOMES = HOME | DELEGATED
    ANYBODY = HOME | PRINCIPAL | DELEGATED
    TOLD = NOTIFICATIONS | NOTIFICATION
    SYNCED = COLLECTION | NOTIFICATIONS
    STORED = OBJECT | NOTIFICATION
    EVERYTHING = ANY | PRINCIPAL | DELEGATED | PROXY | TOLD
    """Whatever can be there."""
    NEW = NEW_COLLECTION | NEW_OBJECT


@dataclass(frozen=True, slots=True)
class Root:
    """The folder of all principals."""

    href: str
    where: Where = Where.ROOT


@dataclass(frozen=True, slots=True)
class Home:
    """A principal, and at the same URL the home of their collections."""

    href: str
    principal: Principal
    where: Where = Where.HOME
    """PRINCIPAL if it is somebody else's, DELEGATED if the user acts for them."""


@dataclass(frozen=True, slots=True)
class ProxyGroup:
    """Those who may read, or also write, all calendars of `owner`."""

    href: str
    owner: Principal
    access: Access
    where: Where = Where.PROXY


_WHERE = {
    Kind.CALENDAR: (Where.CALENDAR, Where.EVENT),
    Kind.ADDRESSBOOK: (Where.ADDRESSBOOK, Where.CARD),
    Kind.NOTIFICATIONS: (Where.NOTIFICATIONS, Where.NOTIFICATION),
}


@dataclass(frozen=True, slots=True)
class CollectionResource:
    """A collection in somebody's home, as the user sees it.

    What is read of it on the user's behalf is read through `view`.
    """

    href: str
    binding: Binding
    home: str
    """The name of the principal in whose home it is."""
    view: View

    @property
    def where(self) -> Where:
        return _WHERE[self.binding.collection.kind][0]

    @property
    def access(self) -> Access:
        """What the user may do with it."""
        return self.binding.access

    @property
    def own(self) -> bool:
        """Whether it is in the user's own home."""
        return self.view.viewer in (NOBODY, self.binding.principal)


@dataclass(frozen=True, slots=True)
class ObjectResource:
    """An object in a collection."""

    href: str
    parent: CollectionResource
    stored: StoredObject

    @property
    def where(self) -> Where:
        return _WHERE[self.parent.binding.collection.kind][1]


Resource = Root | Home | ProxyGroup | CollectionResource | ObjectResource


@dataclass(slots=True)
class Context:
    """One request being answered: who asks, in which transaction, at what time (seconds since 1970).

    `holds` says whether a collection was locked when the transaction began; `prepared` is
    what the method's preparation returned; `write_data` turns an object's
    bytes into the text of ``calendar-data`` or ``address-data`` where a report asks for
    less or something else than the bytes.
    """

    txn: Transaction
    request: Request
    user: Principal
    settings: Settings
    registry: Registry
    now: int
    holds: Callable[[CollectionId], bool] = lambda _: False
    prepared: object = None
    write_data: Callable[[bytes], str] | None = None
    _properties: dict[object, dict[str, str]] = field(default_factory=dict)
    _complete: int = 0
    _shares: dict[bool, dict[CollectionId, list[Share]]] = field(default_factory=dict)
    _principals: dict[PrincipalId, Principal | None] = field(default_factory=dict)
    _own_shares: dict[CollectionId, Share] | None = None
    _delegates: dict[PrincipalId, list[tuple[Principal, Access]]] = field(default_factory=dict)
    _used: dict[PrincipalId, int] = field(default_factory=dict)
    _homes: dict[CollectionId, Binding | None] = field(default_factory=dict)
    _owners: frozenset[PrincipalId] | None = None

    @property
    def by(self) -> By:
        """The user as somebody who shares."""
        return By(self.user.name, self.now, self.settings.sharing.accept, self.user.id)

    def href(self, *names: str, collection: bool = False) -> str:
        """The path of some names as a client must write it."""
        return paths.join(self.request.base, *names, collection=collection)

    def dead_properties(self, resource: Resource) -> dict[str, str]:
        """The values that clients set on `resource`, by Clark name; read once a request."""
        if isinstance(resource, Home):
            if resource.where is not Where.HOME:
                return {}  # What somebody's clients remember there is not for others.
            key: object = resource.principal.id
        elif isinstance(resource, CollectionResource):
            key = resource.binding.id
        elif isinstance(resource, ObjectResource):
            restricted = resource.parent.view.restricts(resource.stored.privacy)
            key = (resource.parent.binding.id, resource.stored.name, *(["own"] if restricted else []))
        else:
            return {}
        if key not in self._properties:
            self._properties[key] = self._read_properties(resource)
        return self._properties[key]

    def read_object_properties(self, collection: CollectionResource) -> None:
        """Read the dead properties of every object of a collection at once."""
        binding = collection.binding
        own = own_binding(collection)
        found = objects_properties(self.txn, binding.collection.id, own, only=_only_own(collection))
        for name, values in found.items():
            self._properties[(binding.id, name)] = values
        if not collection.view.plain:
            found = objects_properties(self.txn, binding.collection.id, own, only=True)
            for name, values in found.items():
                self._properties[(binding.id, name, "own")] = values
        self._complete = binding.id

    def principal(self, principal: PrincipalId) -> Principal | None:
        """A principal by their id; read once a request."""
        if principal not in self._principals:
            self._principals[principal] = principal_by_id(self.txn, principal)
        return self._principals[principal]

    def used_bytes(self, principal: PrincipalId) -> int:
        """What everything that somebody owns takes; read once a request."""
        if principal not in self._used:
            self._used[principal] = used_bytes(self.txn, principal)
        return self._used[principal]

    def shares(self, collection: Collection) -> list[Share]:
        """What was given of a collection; of all that the user owns, or manages, at once."""
        own = collection.owner == self.user.id
        if own not in self._shares:
            self._shares[own] = (shares_by if own else shares_managed_by)(self.txn, self.user.id)
        return self._shares[own].get(collection.id, [])

    def delegates(self, owner: PrincipalId) -> list[tuple[Principal, Access]]:
        """Who acts for somebody; read once a request."""
        if owner not in self._delegates:
            self._delegates[owner] = delegates_of(self.txn, owner)
        return self._delegates[owner]

    def owners(self) -> frozenset[PrincipalId]:
        """Who owns what is in the user's home; read once a request."""
        if self._owners is None:
            found = owners_bindings(self.txn, self.user.id)
            self._owners = frozenset(binding.principal for binding in found)
        return self._owners

    def own_share(self, collection: CollectionId) -> Share | None:
        """What the user themselves were given of a collection; of all collections at once."""
        if self._own_shares is None:
            self._own_shares = {share.collection: share for share in shares_with(self.txn, self.user.id)}
        return self._own_shares.get(collection)

    def owners_binding(self, collection: Collection) -> Binding | None:
        """Where the owner of a collection has it; for all in the user's home at once."""
        if collection.id not in self._homes:
            for binding in owners_bindings(self.txn, self.user.id):
                self._homes[binding.collection.id] = binding
        if collection.id not in self._homes:
            self._homes[collection.id] = binding_to(self.txn, collection.owner, collection.id)
        return self._homes[collection.id]

    def _read_properties(self, resource: Resource) -> dict[str, str]:
        if isinstance(resource, Home):
            return principal_properties(self.txn, resource.principal.id)
        if isinstance(resource, CollectionResource):
            busy = resource.access is Access.BUSY
            return collection_properties(
                self.txn, resource.binding.collection.id, own_binding(resource), busy=busy
            )
        if isinstance(resource, ObjectResource):
            binding = resource.parent.binding
            restricted = resource.parent.view.restricts(resource.stored.privacy)
            if binding.id == self._complete:
                return {}
            return collection_properties(
                self.txn,
                binding.collection.id,
                own_binding(resource.parent),
                object_name=resource.stored.name,
                only=restricted or _only_own(resource.parent),
            )
        return {}

    def read_collection_properties(self, collections: list[CollectionResource]) -> None:
        """Read the dead properties of many collections of one home at once."""
        busy = {one.binding.id for one in collections if one.access is Access.BUSY}
        places = [own_binding(one) or one.binding.id for one in collections]
        found = home_properties(self.txn, places, busy=busy)
        for one in collections:
            self._properties[one.binding.id] = found.get(one.binding.id, {})


def own_binding(collection: CollectionResource) -> BindingId:
    """Under which binding the user has properties of their own in a collection of somebody else's."""
    if collection.access is Access.OWNER or not collection.own:
        return NO_BINDING
    return collection.binding.id


def locked(context: Context, resource: CollectionResource) -> Collection:
    """The collection as it is now; nobody else changes it until the transaction ends.

    Raises:
        NotFound: it was deleted in the meantime.
    """
    found = resource.binding.collection
    return found if context.holds(found.id) else lock_collection(context.txn, found.id)


def _only_own(collection: CollectionResource) -> bool:
    """Whether what others said of the objects is hidden."""
    return collection.access is Access.BUSY


def resolve(context: Context, segments: tuple[str, ...], *, content: bool = False) -> Resource:
    """The resource at a path, with its bytes if it is an object and `content`.

    Raises:
        NotFound: there is nothing, or nothing that the user may know of.
        NeedPrivileges: it is, or would be, in somebody else's home.
    """
    if not segments:
        return Root(context.href())
    if len(segments) == 1:
        return resolve_principal(context, segments[0])
    if len(segments) == 2 and segments[1] in _PROXIES:
        return _resolve_proxy(context, segments)
    collection = resolve_collection(context, segments[:2])
    if len(segments) == 2:
        return collection
    stored = None
    if len(segments) == 3:
        stored = collection.view.find(context.txn, segments[2], content=content)
    if stored is None:
        raise NotFound(f"There is nothing at {context.request.path}.")
    return ObjectResource(context.href(*segments), collection, stored)


_PROXIES = {name: access for access, name in delegation.GROUPS.items()}

RESERVED_NAMES = frozenset({*_PROXIES, NOTIFICATIONS})
"""Names in every home that are the server's."""


def _resolve_proxy(context: Context, segments: tuple[str, ...]) -> ProxyGroup:
    """A group of delegates: for whom they act for, and for themselves."""
    login_rights.check_kind(context.request, Kind.CALENDAR)
    name = segments[0]
    owner: Principal | None = context.user
    if name != context.user.name:
        owner = principal_by_name(context.txn, name)
        if owner is None or delegated(context.txn, owner.id, context.user.id) is None:
            raise NeedPrivileges("You have no access to the home of another user.")
    assert owner is not None
    return ProxyGroup(context.href(*segments, collection=True), owner, _PROXIES[segments[1]])


def target(context: Context, *, content: bool = False) -> Resource:
    """The resource that a request names, if it has the request's method.

    Raises:
        MethodNotAllowed: it has not.
    """
    resource = resolve(context, paths.split(context.request.path), content=content)
    method = context.registry.methods[context.request.method]
    if resource.where not in method.where:
        raise MethodNotAllowed(
            f"{context.request.path} has no method {method.name}.",
            allow=context.registry.allowed(resource.where),
        )
    return resource


def where_is(context: Context) -> Where:
    """The kind of what is at the request's path, or can be put there.

    All kinds that can be there, where the user may not know what is.
    """
    segments = paths.split(context.request.path)
    possible = (
        Where.ROOT,
        Where.HOME,
        Where.COLLECTION | Where.NEW_COLLECTION,
        Where.OBJECT | Where.NEW_OBJECT,
    )
    where = possible[min(len(segments), 3)]
    if not context.user.name:
        return where
    try:
        return resolve(context, segments).where
    except NotFound:
        return where & Where.NEW
    except NeedPrivileges:
        return where


def resolve_principal(context: Context, name: str) -> Home:
    """The principal called `name`: one's own home, or somebody else as far as they may be looked up.

    Raises:
        NeedPrivileges: they may not, or there is nobody; the answer does not tell which.
    """
    if name == context.user.name:
        return resolve_home(context, name)
    found = principal_by_name(context.txn, name)
    if found is None or found.state != "active":
        raise NeedPrivileges("You have no access to the home of another user.")
    if delegated(context.txn, found.id, context.user.id) is not None:
        return Home(context.href(name, collection=True), found, Where.DELEGATED)
    if not may_look_up(context, found):
        raise NeedPrivileges("You have no access to the home of another user.")
    return Home(context.href(name, collection=True), found, Where.PRINCIPAL)


def may_look_up(context: Context, other: Principal) -> bool:
    """Whether the user may know of another principal (``[dav] principal_lookup``)."""
    if not context.user.name or other.state != "active":
        return False
    if context.settings.dav.principal_lookup == "everyone":
        return True
    # Somebody's shares name their owner.
    if other.id in context.owners():
        return True
    return context.settings.dav.principal_lookup == "groups" and share_a_group(
        context.txn, context.user.id, other.id
    )


def knows(context: Context, other: Principal) -> bool:
    """Whether somebody is the user, or may be looked up."""
    return other.id == context.user.id or may_look_up(context, other)


def resolve_home(context: Context, name: str) -> Home:
    """The home of the principal called `name`.

    Raises:
        NeedPrivileges: it is somebody else's, or nobody's: the answer does not tell which.
    """
    if name == context.user.name:
        return Home(context.href(name, collection=True), context.user)
    raise NeedPrivileges("You have no access to the home of another user.")


def resolve_collection(context: Context, segments: tuple[str, ...]) -> CollectionResource:
    """The collection at /principal/name/: in one's own home, or a calendar of somebody for whom one acts.

    Raises:
        NotFound: there is none, or nothing of it reaches the user.
        NeedPrivileges: it is, or would be, in the home of somebody for whom the user does not act.
    """
    name, place = segments[0], segments[1]
    access = None
    if name != context.user.name:
        owner = principal_by_name(context.txn, name) if context.user.name else None
        access = delegated(context.txn, owner.id, context.user.id) if owner else None
        if access is None:
            raise NeedPrivileges("You have no access to the home of another user.")
    binding = find_binding(context.txn, name, place)
    if binding is not None and access is not None:
        binding = _as_delegate(binding, access)
    if binding is None:
        raise NotFound(f"There is no collection {place!r}.")
    login_rights.check_kind(context.request, binding.collection.kind)
    return shown(context, binding, name)


def _as_delegate(binding: Binding, access: Access) -> Binding | None:
    """A calendar that somebody owns, as a delegate of theirs sees it."""
    if binding.access is not Access.OWNER or binding.collection.kind is not Kind.CALENDAR:
        return None
    return replace(binding, access=access)


def shown(context: Context, binding: Binding, home: str) -> CollectionResource:
    """A collection as the user sees it in the home called `home`."""
    href = context.href(home, binding.name, collection=True)
    view, kind = view_of(binding, context.user.id), context.request.rights.kind
    if kind is not None and binding.collection.kind is Kind.NOTIFICATIONS:
        view = notices_about(view, kind)
    return CollectionResource(href, binding, home, view)


def collections_in(context: Context, home: Home, *, notifications: bool = False) -> list[CollectionResource]:
    """The calendars and address books in a home, and with `notifications` what holds these.

    Only those that are there for the login of the request.
    """
    name = home.principal.name
    found: Iterable[Binding | None]
    if home.where is not Where.DELEGATED:
        found = bindings_of(context.txn, home.principal.id, notifications=notifications)
    else:
        access = delegated(context.txn, home.principal.id, context.user.id)
        if access is None:
            return []
        found = (_as_delegate(binding, access) for binding in collections_of(context.txn, home.principal.id))
    rights = context.request.rights
    return [
        shown(context, binding, name)
        for binding in found
        if binding is not None and login_rights.reaches(rights, binding.collection.kind)
    ]


def proxy_groups(context: Context, home: Home) -> list[ProxyGroup]:
    """The groups of the delegates of somebody: of their calendars, so that a login for contacts has none."""
    if not login_rights.reaches(context.request.rights, Kind.CALENDAR):
        return []
    name = home.principal.name
    return [
        ProxyGroup(context.href(name, group, collection=True), home.principal, access)
        for group, access in _PROXIES.items()
    ]


def may_write(binding: Binding) -> bool:
    """Whether objects may be changed through this binding."""
    return binding.access.writes
