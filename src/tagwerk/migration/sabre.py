"""sabre/dav's database, and what Baïkal and Nextcloud made of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from tagwerk.accounts.passwords import is_known
from tagwerk.errors import ConfigurationError
from tagwerk.migration import sabreshares
from tagwerk.migration.source import (
    BOOK_DESCRIPTION,
    CALENDAR_DESCRIPTION,
    COLOR,
    DISPLAY_NAME,
    ORDER,
    TIMEZONE,
    TRANSPARENCY,
    Left,
    Source,
    SourceCollection,
    SourceGroup,
    SourceObject,
    SourceUser,
    all_at_once,
    distinct,
    expect_users,
    text,
)
from tagwerk.model import Kind
from tagwerk.store.sabre import Tables

_OWNER = 1
"""calendarinstances.access: 1 is the owner, 2 reads, 3 writes."""

_NUMBERED = re.compile(r"^\d+\|")

_Placed = tuple[tuple[Kind, int], SourceCollection]
"""A collection, by its kind and its id there."""


def read(tables: Tables, *, nextcloud: bool, only: tuple[str, ...] = ()) -> Source:
    """What is in the tables.

    Raises:
        ConfigurationError: they are none of sabre's, or somebody in `only` is not in them.
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
    known = frozenset(user.name for user in users)
    rows = _nextcloud_calendars(tables, left) if nextcloud else _calendars(tables)
    placed = [(key, each) for key, each in (*rows, *_books(tables)) if each.owner in known]
    # Calendars come first and keep their names.
    places = dict(zip([key for key, _ in placed], distinct(each for _, each in placed), strict=True))
    groups: list[SourceGroup] = []
    if nextcloud:
        groups, shares = sabreshares.of_nextcloud(tables, places, known, left)
    else:
        shares = list(sabreshares.of_sabre(tables, places, left))
    expect_users(only, known, shares)
    if not only:
        return Source(users, places.values(), left, groups, shares)
    named = {each.name: each for each in groups}
    return Source(
        [user for user in users if user.name in only],
        [each for each in places.values() if each.owner in only],
        left,
        [replace(each, members=tuple(m for m in each.members if m in only)) for each in groups],
        [each for each in shares if each.owner in only or each.grantee in (*only, *named)],
    )


def _sabre_users(tables: Tables, left: Left) -> Iterator[SourceUser]:
    hashes: dict[str, str] = {}
    if tables.has("users", "username", "password_hash"):
        hashes = dict(tables.rows("username, password_hash", "users"))
    else:
        left.say("Passwords are digests of another kind; set new ones, or app passwords.")
    principals: dict[int, str] = {}
    for identity, uri, email, shown in tables.rows("id, uri, email, displayname", "principals", order="uri"):
        principals[identity] = uri.removeprefix("principals/")
        if uri.count("/") == 1:  # principals/anna, and not its calendar-proxy-read.
            name = _user(uri)
            usable = _usable(name, hashes[name], left) if name in hashes else None
            yield SourceUser(name, shown or "", (email,) if email else (), usable)
    if tables.has("groupmembers", "principal_id", "member_id"):
        for group, member in tables.rows("principal_id, member_id", "groupmembers", order="id"):
            owner, _, proxy = principals.get(group, "").partition("/")
            if proxy and member in principals:
                _say_proxy(owner, principals[member], write=proxy.endswith("write"), left=left)


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
            usable = _usable(name, _NUMBERED.sub("", stored or ""), left)
            address = addresses.get(name)
            known.add(name)
            yield SourceUser(name, shown or "", (address,) if address else (), usable)
    # Whom a directory knows has no row of their own; rooms and the server itself are no users.
    owners = set()
    for table in ("calendars", "addressbooks"):
        for (uri,) in tables.rows("DISTINCT principaluri", table) if tables.has(table) else ():
            if uri.startswith("principals/users/"):
                owners.add(_user(uri))
            elif uri != "principals/system/system":
                left.say(f"What {uri} has is not taken along: it is no user.")
    for name in sorted(owners - known):
        yield SourceUser(name, "", (addresses[name],) if addresses.get(name) else ())
    if tables.has("dav_cal_proxy", "owner_id", "proxy_id", "permissions"):
        for owner, proxy, permissions in tables.rows("owner_id, proxy_id, permissions", "dav_cal_proxy"):
            _say_proxy(_user(owner), _user(proxy), write=int(permissions) > 1, left=left)


def _usable(name: str, hash: str, left: Left) -> str | None:
    """A hash, where it can be verified here."""
    if is_known(hash):
        return hash
    left.say(f"The password of {name} is stored in a way that cannot be verified here; set a new one.")
    return None


def _say_proxy(owner: str, proxy: str, *, write: bool, left: Left) -> None:
    level = "write" if write else "read"
    left.say(
        f"{proxy} acts for {owner} there; `tagwerk delegate add {owner} {proxy} --level {level}` does so here."
    )


def _calendars(tables: Tables) -> Iterator[_Placed]:
    columns = _columns(tables, "calendarinstances")
    if not tables.has("calendarinstances", "calendarid", "access"):
        columns = _columns(tables, "calendars")
        # Before sabre/dav 3.2 a calendar was seen in one place.
        for identity, components, *rest in tables.rows(f"id, components, {columns}", "calendars", order="id"):
            yield _calendar(tables, identity, components, rest)
        return
    components_of = dict(tables.rows("id, components", "calendars"))
    for identity, access, *rest in tables.rows(
        f"calendarid, access, {columns}", "calendarinstances", order="id"
    ):
        if int(access) != _OWNER:
            continue
        yield _calendar(tables, identity, components_of.get(identity), rest)


def _nextcloud_calendars(tables: Tables, left: Left) -> Iterator[_Placed]:
    columns = _columns(tables, "calendars")
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


def _columns(tables: Tables, table: str) -> str:
    columns = "uri, principaluri, displayname, description, calendarcolor, calendarorder, timezone"
    return f"{columns}, transparent" if tables.has(table, "transparent") else columns


def _calendar(
    tables: Tables, identity: Any, components: Any, rest: list[Any], *, nextcloud: bool = False
) -> _Placed:
    uri, principal, shown, description, color, order, timezone, *transparent = rest
    where = f"calendarid = {int(identity)}"
    if nextcloud and tables.has("calendarobjects", "calendartype"):
        where += " AND calendartype = 0"
    if nextcloud and tables.has("calendarobjects", "deleted_at"):
        where += " AND deleted_at IS NULL"
    properties = _given(
        {
            DISPLAY_NAME: shown,
            CALENDAR_DESCRIPTION: description,
            COLOR: color,
            ORDER: order,
            TIMEZONE: timezone,
        }
    )
    if any(transparent):
        properties[TRANSPARENCY] = "<C:transparent/>"
    return (Kind.CALENDAR, int(identity)), SourceCollection(
        _user(principal),
        uri,
        Kind.CALENDAR,
        tuple(part.strip() for part in (components or "").split(",") if part.strip()),
        properties,
        all_at_once(lambda: _objects(tables, "uri, calendardata", "calendarobjects", where)),
    )


def _books(tables: Tables) -> Iterator[_Placed]:
    if not tables.has("addressbooks", "principaluri"):
        return
    for identity, uri, principal, shown, description in tables.rows(
        "id, uri, principaluri, displayname, description", "addressbooks", order="id"
    ):
        yield (
            (Kind.ADDRESSBOOK, int(identity)),
            SourceCollection(
                _user(principal),
                uri,
                Kind.ADDRESSBOOK,
                (),
                _given({DISPLAY_NAME: shown, BOOK_DESCRIPTION: description}),
                all_at_once(
                    partial(_objects, tables, "uri, carddata", "cards", f"addressbookid = {int(identity)}")
                ),
            ),
        )


def _objects(tables: Tables, columns: str, table: str, where: str) -> Iterator[SourceObject]:
    for uri, data in tables.rows(columns, table, where=where, order="id", raw=True):
        content = data.encode() if isinstance(data, str) else bytes(data or b"")
        yield SourceObject(uri.decode() if isinstance(uri, bytes) else uri, content)


def _given(values: dict[str, Any]) -> dict[str, str]:
    return {name: text(str(value)) for name, value in values.items() if value not in (None, "")}


def _user(principal: str) -> str:
    """principals/anna, or principals/users/anna; of rooms and the like something that is nobody's name."""
    return principal.removeprefix("principals/").removeprefix("users/")
