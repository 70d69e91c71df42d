"""Users: a principal with a password and the collections that every client expects to find."""

from __future__ import annotations

import unicodedata
from html import escape

from tagwerk.errors import DAV, Conflict, NotFound, Unauthenticated
from tagwerk.model import Kind, Principal, PrincipalId
from tagwerk.store.collections import CALENDAR_COMPONENTS, NOTIFICATIONS, create_collection
from tagwerk.store.credentials import set_password
from tagwerk.store.engine import Engine, Transaction, run
from tagwerk.store.principals import add_principal, check_name, principal_by_name, remove_principal
from tagwerk.store.properties import set_collection_properties

DEFAULT_COLLECTIONS: tuple[tuple[str, Kind, tuple[str, ...], str], ...] = (
    # Tasks have a list of their own: Apple's Reminders and most task apps show whole collections.
    ("calendar", Kind.CALENDAR, tuple(c for c in CALENDAR_COMPONENTS if c != "VTODO"), "Calendar"),
    ("tasks", Kind.CALENDAR, ("VTODO",), "Tasks"),
    ("contacts", Kind.ADDRESSBOOK, (), "Contacts"),
)
"""Name, kind, components and shown name of what a new user gets."""


def add_user(
    txn: Transaction,
    name: str,
    *,
    now: int,
    password_hash: str | None = None,
    email: str = "",
    display_name: str = "",
) -> Principal:
    """Create a person with a calendar, a task list and an address book.

    The name is stored as NFC.  Without `password_hash` (PHC string format) nobody can
    log in with a password of ours: that is for users whom somebody else authenticates.

    Raises:
        InvalidRequest: the name cannot stand in a URL.
        Conflict: there is such a user already.
    """
    principal = add_principal(
        txn,
        unicodedata.normalize("NFC", name),
        now=now,
        display_name=display_name,
        addresses=(email,) if email else (),
    )
    if password_hash is not None:
        set_password(txn, principal.id, password_hash, now=now)
    create_collection(txn, principal.id, name=NOTIFICATIONS, kind=Kind.NOTIFICATIONS, now=now)
    add_default_collections(txn, principal.id, now=now)
    return principal


def add_place(
    txn: Transaction,
    name: str,
    *,
    kind: str,
    now: int,
    display_name: str = "",
    addresses: tuple[str, ...] = (),
) -> Principal:
    """Create a room or a resource, with a calendar.  Nobody can log in as one.

    Raises:
        InvalidRequest: the name cannot stand in a URL.
        Conflict: there is somebody of that name.
    """
    principal = add_principal(
        txn,
        unicodedata.normalize("NFC", name),
        now=now,
        kind=kind,
        display_name=display_name,
        addresses=addresses,
    )
    binding = create_collection(txn, principal.id, name="calendar", kind=Kind.CALENDAR, now=now)
    title = escape(principal.display_name, quote=False)
    set_collection_properties(txn, binding.collection.id, {DAV + "displayname": title})
    return principal


def may_log_in(engine: Engine, name: str) -> bool:
    """Whether somebody else's user of that name is one here, or can become one: no group, and not switched off."""
    with engine.read() as txn:
        known = principal_by_name(txn, unicodedata.normalize("NFC", name))
    return known is None or (known.state == "active" and known.kind == "person")


def ensure_user(engine: Engine, name: str, *, create: bool, now: int) -> str:
    """The user for whom somebody else vouches, made if they are new and `create`; their name as it is stored.

    Raises:
        Unauthenticated: they are new and nobody is made, or they are switched off.
        InvalidRequest: the name cannot stand in a URL.
    """
    name = unicodedata.normalize("NFC", name)
    # Before a database sees characters that it does not take.
    check_name(name)
    with engine.read() as txn:
        known = principal_by_name(txn, name)
    if known is None and not create:
        raise Unauthenticated("This user is not known to this server.")
    if known is None:
        try:
            known = run(engine, lambda txn: add_user(txn, name, now=now))
        except Conflict:
            return name  # Two first requests came together.
    if known.state != "active" or known.kind != "person":
        raise Unauthenticated("This user is not known to this server.")
    return known.name


def add_default_collections(txn: Transaction, principal: PrincipalId, *, now: int) -> None:
    """Create what a new user gets.

    Raises:
        Conflict: the home has something of one of the names.
    """
    for name, kind, components, title in DEFAULT_COLLECTIONS:
        binding = create_collection(txn, principal, name=name, kind=kind, now=now, components=components)
        title_as_xml = escape(title, quote=False)
        set_collection_properties(txn, binding.collection.id, {DAV + "displayname": title_as_xml})


def remove_user(txn: Transaction, name: str) -> None:
    """Remove a user with everything they own.

    Raises:
        NotFound: there is no such user.
    """
    principal = principal_by_name(txn, name) or principal_by_name(txn, unicodedata.normalize("NFC", name))
    if principal is None:
        raise NotFound(f"There is no user {name!r}.")
    remove_principal(txn, principal.id)
