"""What a path leads to, for the one who asks (RFC 4918 5)."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tagwerk.dav import login_rights, paths
from tagwerk.dav.message import Request
from tagwerk.errors import MethodNotAllowed, NeedPrivileges, NotFound
from tagwerk.model import Access, Binding, Kind, Principal, StoredObject
from tagwerk.settings import Settings
from tagwerk.store.collections import bindings_of, find_binding
from tagwerk.store.engine import Transaction
from tagwerk.store.objects import find_object
from tagwerk.store.principals import principal_by_name, share_a_group
from tagwerk.store.properties import collection_properties, objects_properties, principal_properties

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
    NEW_COLLECTION = enum.auto()
    """Nothing, where a collection can be made."""
    NEW_OBJECT = enum.auto()
    """Nothing, where an object can be stored."""

    COLLECTION = CALENDAR | ADDRESSBOOK
    OBJECT = EVENT | CARD
    CONTAINER = ROOT | HOME | CALENDAR | ADDRESSBOOK
    ANY = CONTAINER | OBJECT
    ANYBODY = HOME | PRINCIPAL
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
    """PRINCIPAL if it is somebody else's."""


@dataclass(frozen=True, slots=True)
class CollectionResource:
    """A collection in somebody's home."""

    href: str
    binding: Binding
    home: str
    """The name of the principal in whose home it is."""

    @property
    def where(self) -> Where:
        return Where.CALENDAR if self.binding.collection.kind is Kind.CALENDAR else Where.ADDRESSBOOK


@dataclass(frozen=True, slots=True)
class ObjectResource:
    """An object in a collection."""

    href: str
    parent: CollectionResource
    stored: StoredObject

    @property
    def where(self) -> Where:
        return Where.EVENT if self.parent.where is Where.CALENDAR else Where.CARD


Resource = Root | Home | CollectionResource | ObjectResource


@dataclass(slots=True)
class Context:
    """One request being answered: who asks, in which transaction, at what time (seconds since 1970).

    `prepared` is what the method's preparation returned; `write_data` turns an object's
    bytes into the text of ``calendar-data`` or ``address-data`` where a report asks for
    less or something else than the bytes.
    """

    txn: Transaction
    request: Request
    user: Principal
    settings: Settings
    registry: Registry
    now: int
    prepared: object = None
    write_data: Callable[[bytes], str] | None = None
    _properties: dict[object, dict[str, str]] = field(default_factory=dict)
    _complete: int = 0

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
            key = (resource.parent.binding.id, resource.stored.name)
        else:
            return {}
        if key not in self._properties:
            self._properties[key] = self._read_properties(resource)
        return self._properties[key]

    def read_object_properties(self, collection: CollectionResource) -> None:
        """Read the dead properties of every object of a collection at once."""
        binding = collection.binding
        for name, values in objects_properties(self.txn, binding.collection.id).items():
            self._properties[(binding.id, name)] = values
        self._complete = binding.id

    def _read_properties(self, resource: Resource) -> dict[str, str]:
        if isinstance(resource, Home):
            return principal_properties(self.txn, resource.principal.id)
        if isinstance(resource, CollectionResource):
            return collection_properties(self.txn, resource.binding.collection.id, resource.binding.id)
        if isinstance(resource, ObjectResource):
            binding = resource.parent.binding
            if binding.id == self._complete:
                return {}
            return collection_properties(
                self.txn, binding.collection.id, binding.id, object_name=resource.stored.name
            )
        return {}


def resolve(context: Context, segments: tuple[str, ...], *, content: bool = False) -> Resource:
    """The resource at a path, with its bytes if it is an object and `content`.

    Raises:
        NotFound: there is nothing.
        NeedPrivileges: it is, or would be, in somebody else's home.
    """
    if not segments:
        return Root(context.href())
    if len(segments) == 1:
        return resolve_principal(context, segments[0])
    collection = resolve_collection(context, segments[:2])
    if len(segments) == 2:
        return collection
    stored = None
    if len(segments) == 3:
        stored = find_object(context.txn, collection.binding.collection.id, segments[2], content=content)
    if stored is None:
        raise NotFound(f"There is nothing at {context.request.path}.")
    return ObjectResource(context.href(*segments), collection, stored)


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
    if found is None or not may_look_up(context, found):
        raise NeedPrivileges("You have no access to the home of another user.")
    return Home(context.href(name, collection=True), found, Where.PRINCIPAL)


def may_look_up(context: Context, other: Principal) -> bool:
    """Whether the user may know of another principal (``[dav] principal_lookup``)."""
    if not context.user.name or other.state != "active":
        return False
    if context.settings.dav.principal_lookup == "groups":
        return share_a_group(context.txn, context.user.id, other.id)
    return context.settings.dav.principal_lookup == "everyone"


def resolve_home(context: Context, name: str) -> Home:
    """The home of the principal called `name`.

    Raises:
        NeedPrivileges: it is somebody else's, or nobody's: the answer does not tell which.
    """
    if name == context.user.name:
        return Home(context.href(name, collection=True), context.user)
    raise NeedPrivileges("You have no access to the home of another user.")


def resolve_collection(context: Context, segments: tuple[str, ...]) -> CollectionResource:
    """The collection at /principal/name/."""
    resolve_home(context, segments[0])
    binding = find_binding(context.txn, segments[0], segments[1])
    if binding is None:
        raise NotFound(f"There is no collection {segments[1]!r}.")
    shown = login_rights.shown(binding, context.request.rights)
    if shown is None:
        raise NeedPrivileges("This app password is not for this kind of collection.")
    return CollectionResource(context.href(*segments, collection=True), shown, segments[0])


def collections_in(context: Context, home: Home) -> list[CollectionResource]:
    """Everything in a home."""
    name = home.principal.name
    found = [
        login_rights.shown(binding, context.request.rights)
        for binding in bindings_of(context.txn, home.principal.id)
    ]
    return [
        CollectionResource(context.href(name, binding.name, collection=True), binding, name)
        for binding in found
        if binding is not None
    ]


def may_write(binding: Binding) -> bool:
    """Whether objects may be changed through this binding."""
    return binding.access in (Access.WRITE, Access.MANAGE, Access.OWNER)
