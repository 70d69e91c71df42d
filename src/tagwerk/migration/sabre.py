"""sabre/dav's database, and what Baïkal and Nextcloud made of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from tagwerk.accounts.passwords import is_known
from tagwerk.errors import ConfigurationError
from tagwerk.migration.source import (
    BOOK_DESCRIPTION,
    CALENDAR_DESCRIPTION,
    COLOR,
    DISPLAY_NAME,
    ORDER,
    TIMEZONE,
    Left,
    Source,
    SourceCollection,
    SourceObject,
    SourceUser,
    all_at_once,
    text,
)
from tagwerk.model import Kind
from tagwerk.store.sabre import Tables

_OWNER = "1"
"""calendarinstances.access: 1 is the owner, 2 reads, 3 writes."""


def read(tables: Tables, *, nextcloud: bool, only: tuple[str, ...] = ()) -> Source:
    """What is in the tables.

    Raises:
        ConfigurationError: they are none of sabre's.
    """
    if not tables.has("calendarobjects", "calendarid", "calendardata", "uri"):
        hint = (
            "Is the prefix of its tables another one (--prefix)?"
            if nextcloud
            else "Is it the database of the server?"
        )
        raise ConfigurationError(f"There are no calendars of sabre/dav in this database. {hint}")
    left = Left()
    users = list(_nextcloud_users(tables, left) if nextcloud else _sabre_users(tables, left))
    chosen = [user for user in users if not only or user.name in only]
    names = {user.name for user in chosen}
    rows = _nextcloud_calendars(tables, left) if nextcloud else _calendars(tables, left)
    found = [each for each in (*rows, *_books(tables)) if each.owner in names]
    if nextcloud and tables.has("dav_shares", "principaluri", "resourceid"):
        for principal, kind, access in tables.rows("principaluri, type, access", "dav_shares"):
            what = {2: "change", 3: "read"}.get(int(access or 0), "see")
            left.say(f"{_user(principal)} may {what} a {kind} that is shared; share it again.")
    return Source(chosen, found, left)


def _sabre_users(tables: Tables, left: Left) -> Iterator[SourceUser]:
    for uri, email, shown in tables.rows("uri, email, displayname", "principals", order="uri"):
        if uri.count("/") == 1:  # principals/anna, and not its calendar-proxy-read.
            yield SourceUser(_user(uri), shown or "", (email,) if email else ())
    left.say("Passwords are digests of another kind; set new ones, or app passwords.")


def _nextcloud_users(tables: Tables, left: Left) -> Iterator[SourceUser]:
    addresses = {}
    if tables.has("preferences", "userid", "appid", "configkey", "configvalue"):
        addresses = dict(
            tables.rows(
                "userid, configvalue", "preferences", where="appid = 'settings' AND configkey = 'email'"
            )
        )
    known = set()
    if tables.has("users", "uid", "displayname", "password"):
        for name, shown, stored in tables.rows("uid, displayname, password", "users", order="uid"):
            # "3|$argon2id$...": the number says which program hashed it.
            hash = (stored or "").partition("|")[2]
            usable = hash if hash and is_known(hash) else None
            if usable is None:
                left.say(
                    f"The password of {name} is stored in a way that cannot be verified here; set a new one."
                )
            address = addresses.get(name)
            known.add(name)
            yield SourceUser(name, shown or "", (address,) if address else (), usable)
    # Whom a directory knows has no row of their own.
    owners = {_user(uri) for (uri,) in tables.rows("DISTINCT principaluri", "calendars")}
    for name in sorted(owners - known - {"system"}):
        yield SourceUser(name, "", (addresses[name],) if addresses.get(name) else ())


def _calendars(tables: Tables, left: Left) -> Iterator[SourceCollection]:
    columns = "uri, principaluri, displayname, description, calendarcolor, calendarorder, timezone"
    if not tables.has("calendarinstances", "calendarid", "access"):
        # Before sabre/dav 3.2 a calendar was seen in one place.
        for identity, components, *rest in tables.rows(f"id, components, {columns}", "calendars", order="id"):
            yield _calendar(tables, identity, components, rest)
        return
    components_of = dict(tables.rows("id, components", "calendars"))
    for identity, access, *rest in tables.rows(
        f"calendarid, access, {columns}", "calendarinstances", order="id"
    ):
        if str(access) != _OWNER:
            left.say(f"{_user(rest[1])} sees a calendar of somebody else as {rest[0]}; share it again.")
            continue
        yield _calendar(tables, identity, components_of.get(identity), rest)


def _nextcloud_calendars(tables: Tables, left: Left) -> Iterator[SourceCollection]:
    columns = "uri, principaluri, displayname, description, calendarcolor, calendarorder, timezone"
    trash = "deleted_at IS NULL" if tables.has("calendars", "deleted_at") else ""
    for identity, components, *rest in tables.rows(
        f"id, components, {columns}", "calendars", where=trash, order="id"
    ):
        if rest[0] == "contact_birthdays":
            left.say("Calendars of birthdays are made from contacts, and not taken along.")
            continue
        yield _calendar(tables, identity, components, rest, nextcloud=True)
    if tables.has("calendarsubscriptions", "source", "principaluri"):
        for source, principal in tables.rows("source, principaluri", "calendarsubscriptions"):
            left.say(f"{_user(principal)} subscribes to {source}, which is not taken along.")


def _calendar(
    tables: Tables, identity: Any, components: Any, rest: list[Any], *, nextcloud: bool = False
) -> SourceCollection:
    uri, principal, shown, description, color, order, timezone = rest
    where = f"calendarid = {int(identity)}"
    if nextcloud and tables.has("calendarobjects", "calendartype"):
        where += " AND calendartype = 0"
    if nextcloud and tables.has("calendarobjects", "deleted_at"):
        where += " AND deleted_at IS NULL"
    return SourceCollection(
        _user(principal),
        uri,
        Kind.CALENDAR,
        tuple(part.strip() for part in _text(components or "").split(",") if part.strip()),
        _given(
            {
                DISPLAY_NAME: shown,
                CALENDAR_DESCRIPTION: description,
                COLOR: color,
                ORDER: order,
                TIMEZONE: timezone,
            }
        ),
        all_at_once(lambda: _objects(tables, "uri, calendardata", "calendarobjects", where)),
    )


def _books(tables: Tables) -> Iterator[SourceCollection]:
    if not tables.has("addressbooks", "principaluri"):
        return
    for identity, uri, principal, shown, description in tables.rows(
        "id, uri, principaluri, displayname, description", "addressbooks", order="id"
    ):
        yield SourceCollection(
            _user(principal),
            uri,
            Kind.ADDRESSBOOK,
            (),
            _given({DISPLAY_NAME: shown, BOOK_DESCRIPTION: description}),
            all_at_once(
                partial(_objects, tables, "uri, carddata", "cards", f"addressbookid = {int(identity)}")
            ),
        )


def _objects(tables: Tables, columns: str, table: str, where: str) -> Iterator[SourceObject]:
    for uri, data in tables.rows(columns, table, where=where, order="id"):
        content = data.encode() if isinstance(data, str) else bytes(data or b"")
        yield SourceObject(_text(uri), content)


def _given(values: dict[str, Any]) -> dict[str, str]:
    return {name: text(_text(value)) for name, value in values.items() if value not in (None, "", b"")}


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _user(principal: Any) -> str:
    """principals/anna, or principals/users/anna."""
    return _text(principal).rpartition("/")[2]
