"""Shares of sabre/dav (`calendarinstances`, since 3.2) and of Nextcloud (`dav_shares`), and the groups they name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from tagwerk.migration.source import (
    COLOR,
    DISPLAY_NAME,
    ORDER,
    TRANSPARENCY,
    Left,
    SourceCollection,
    SourceGroup,
    SourceShare,
    text,
)
from tagwerk.model import Access, Kind, Status
from tagwerk.store.sabre import Tables

Places = Mapping[tuple[Kind, int], SourceCollection]
"""The collections that come along, by the ids that they have there."""

_SABRE = {2: Access.READ, 3: Access.WRITE}
_ANSWERS = {1: Status.PENDING, 2: Status.ACCEPTED, 3: Status.DECLINED}
_NEXTCLOUD = {2: Access.WRITE, 3: Access.READ}
_PUBLIC, _LEFT = 4, 5
_KINDS = {"calendar": Kind.CALENDAR, "addressbook": Kind.ADDRESSBOOK}
_OWN = (DISPLAY_NAME, COLOR, ORDER)


def of_sabre(tables: Tables, places: Places, left: Left) -> Iterator[SourceShare]:
    """What was shared, with the name, the colour and the order that its sharees gave it."""
    if not tables.has("calendarinstances", "share_href", "share_invitestatus"):
        return
    for identity, access, principal, answer, href, *look in tables.rows(
        "calendarid, access, principaluri, share_invitestatus, share_href, transparent,"
        " displayname, calendarcolor, calendarorder",
        "calendarinstances",
        order="id",
    ):
        place = places.get((Kind.CALENDAR, int(identity)))
        level, status = _SABRE.get(int(access)), _ANSWERS.get(int(answer))
        if place is None or int(access) == 1:
            continue
        name = principal.removeprefix("principals/") if principal else ""
        if level is None or status is None or not name or "/" in name:
            left.say(
                f"{place.owner}/{place.name} was offered to {href or principal or 'somebody'}, in vain; not shared."
            )
            continue
        transparent, *own = look
        properties = _differing(dict(zip(_OWN, own, strict=True)), place)
        properties[TRANSPARENCY] = "<C:transparent/>" if transparent else "<C:opaque/>"
        yield SourceShare(place.owner, place.name, name, level, status, properties)


def of_nextcloud(
    tables: Tables, places: Places, users: frozenset[str], left: Left
) -> tuple[list[SourceGroup], list[SourceShare]]:
    """What was shared, and the groups that something is shared with."""
    if not tables.has("dav_shares", "principaluri", "resourceid"):
        return [], []
    shares: dict[tuple[str, str, str], SourceShare] = {}
    named: dict[str, str] = {}
    looks = _looks(tables)
    rows = list(tables.rows("principaluri, type, access, resourceid", "dav_shares", order="id"))
    for principal, kind, access, resource in rows:
        place = places.get((_KINDS.get(kind, Kind.NOTIFICATIONS), int(resource)))
        if place is None:
            continue
        shown = f"{place.owner}/{place.name}"
        if int(access or 0) == _PUBLIC:
            left.say(
                f"{shown} has a public link, whose address cannot be kept; `tagwerk share link {shown}` makes one."
            )
            continue
        _, _, rest = (principal or "").partition("principals/")
        category, _, name = rest.partition("/")
        name = unquote(name)
        level = _NEXTCLOUD.get(int(access or 0))
        if category == "groups" and level is not None:
            grantee = named.setdefault(name, group_name(name, users | set(named.values())))
        elif category == "users" and (level is not None or int(access or 0) == _LEFT):
            grantee = name
        else:
            left.say(f"{shown} is shared with {principal}, who is no user and no group; not shared here.")
            continue
        if grantee == place.owner:
            continue
        key = (place.owner, place.name, grantee)
        before = shares.get(key)
        if before is None or _rank(level) > _rank(before.access):
            status = Status.DECLINED if level is None else Status.ACCEPTED
            path = f"{kind}s/{name}/{place.there or place.name}_shared_by_{place.owner}"
            own = _differing(looks.get(path, {}), place) if category == "users" else {}
            shares[key] = SourceShare(
                place.owner, place.name, grantee, level, status, own, to_group=category == "groups"
            )
    # Who has left a group's share is told after it was given.
    ordered = sorted(shares.values(), key=lambda share: share.access is None)
    return [_group(tables, there, here) for there, here in sorted(named.items())], ordered


def group_name(there: str, taken: frozenset[str] | set[str]) -> str:
    """What a group is called here: where names of users and groups are not of one kind, they may be the same."""
    name = re.sub(r"[\x00-\x1f\x7f-\x9f/\\:'\"*?,<>|%#\s]+", "-", there).lstrip(".")[:120] or "group"
    return f"{name}-group" if name in taken else name


def _group(tables: Tables, there: str, here: str) -> SourceGroup:
    shown, members = there, []
    if tables.has("groups", "gid", "displayname"):
        shown = next((row[1] for row in tables.rows("gid, displayname", "groups") if row[0] == there), "")
    if tables.has("group_user", "gid", "uid"):
        members = [uid for gid, uid in tables.rows("gid, uid", "group_user", order="uid") if gid == there]
    return SourceGroup(here, shown or there, tuple(members))


def _looks(tables: Tables) -> dict[str, dict[str, str]]:
    """How sharees' programs show things: Nextcloud keeps that by the path in their homes."""
    found: dict[str, dict[str, str]] = {}
    if tables.has("properties", "userid", "propertypath"):
        for user, path, name, value in tables.rows(
            "userid, propertypath, propertyname, propertyvalue",
            "properties",
            where="propertypath LIKE 'calendars/%_shared_by_%'",
        ):
            if name in _OWN and value and path.startswith(f"calendars/{user}/") and not value.startswith("<"):
                found.setdefault(path.strip("/"), {})[name] = value
    return found


def _differing(values: Mapping[str, Any], place: SourceCollection) -> dict[str, str]:
    """What is another value than the owner's; the rest stays the owner's, whatever becomes of it."""
    written = {name: text(str(value)) for name, value in values.items() if value not in (None, "")}
    return {name: value for name, value in written.items() if place.properties.get(name) != value}


def _rank(access: Access | None) -> int:
    return -1 if access is None else access.rank
