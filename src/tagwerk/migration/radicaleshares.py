"""Radicale's own sharing, since version 3.7: its database as one CSV file, or as one file for each share."""

from __future__ import annotations

import ast
import csv
import io
import pickle
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tagwerk.errors import ConfigurationError
from tagwerk.migration.rights import Rights, level_of
from tagwerk.migration.source import COLOR, DISPLAY_NAME, ORDER, Left, SourceCollection, SourceShare, text
from tagwerk.model import Status

_OWN = {"D:displayname": DISPLAY_NAME, "ICAL:calendar-color": COLOR, "ICAL:calendar-order": ORDER}

Row = Mapping[str, object]


class _Plain(pickle.Unpickler):
    """Reads values, and calls nothing."""

    def find_class(self, module: str, name: str) -> object:
        raise pickle.UnpicklingError(f"{module}.{name} is no value")


def rows(place: Path) -> list[Row]:
    """The rows of the database at a path, a CSV file or a folder.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        if place.is_file():
            with place.open(encoding="utf-8", newline="") as file:
                return list(csv.DictReader(file, delimiter=";"))
        found: list[Row] = []
        for path in sorted(each for kind in ("map", "token") for each in place.glob(f"{kind}/*")):
            version, row = _Plain(io.BytesIO(path.read_bytes())).load()
            if version != "1" or not isinstance(row, dict):
                raise ConfigurationError(f"{path} is of a version that is not known.")
            found.append(row)
        return found
    except (OSError, ValueError, TypeError, EOFError, pickle.UnpicklingError, csv.Error) as error:
        raise ConfigurationError(f"{place} cannot be read: {error}.") from error


def shares(
    rows: Iterable[Row],
    collections: Iterable[SourceCollection],
    users: Iterable[str],
    *,
    groups: Mapping[str, frozenset[str]],
    rights: Rights,
    left: Left,
) -> Iterator[SourceShare]:
    """What is shared there with whom; at most what `rights` give the owner."""
    here = {f"/{each.owner}/{each.name}/": each for each in collections}
    for row in rows:
        mapped = str(row.get("PathMapped") or "")
        collection = here.get(mapped)
        what, user = mapped.strip("/"), str(row.get("User") or "")
        if collection is None:
            continue
        if row.get("ShareType") != "map":
            left.say(
                f"{what} has a public link, whose address cannot be kept; `tagwerk share link {what}` makes one."
            )
        elif row.get("Conversion") not in (None, "", "none"):
            left.say(f"The birthdays of {what} as a calendar of {user} are not taken along.")
        elif not _is(row, "EnabledByOwner"):
            left.say(f"{what} is shared with {user}, which is switched off there and not taken along.")
        else:
            letters = _both(rights(collection.owner, what), str(row.get("Permissions") or ""))
            level = level_of(letters, collection.kind)
            if level is None:
                left.say(
                    f"{what} is shared with {user} as {row.get('Permissions')!r}, which is no level here."
                )
                continue
            for name in _meant(user, users, groups):
                if name != collection.owner:
                    yield SourceShare(
                        collection.owner,
                        collection.name,
                        name,
                        level,
                        Status.ACCEPTED if _is(row, "EnabledByUser") else Status.PENDING,
                        _own(row),
                        _place(str(row.get("PathOrToken") or "").replace("{user}", name), name),
                    )


def _meant(user: str, users: Iterable[str], groups: Mapping[str, frozenset[str]]) -> list[str]:
    """Whom a row is for: a user, ``@realm`` for whose names end so, or ``:group,group``."""
    if user.startswith("@"):
        return [name for name in users if name.endswith(user)]
    if user.startswith(":"):
        named = frozenset(user[1:].split(","))
        return [name for name in users if groups.get(name, frozenset()) & named]
    return [user] if user else []


def _both(owners: str, given: str) -> str:
    """Radicale's intersection; who reads sees free and busy as well."""
    owners += "f" if "r" in owners else ""
    return "".join(letter for letter in given if letter in owners)


def _is(row: Row, name: str) -> bool:
    return str(row.get(name)).lower() in ("true", "1", "yes", "on")


def _own(row: Row) -> dict[str, str]:
    value = row.get("Properties")
    if isinstance(value, str):
        try:
            value = ast.literal_eval(value) if value else {}
        except (ValueError, SyntaxError):
            value = {}
    if not isinstance(value, dict):
        return {}
    return {_OWN[key]: text(str(each)) for key, each in value.items() if key in _OWN and each}


def _place(path: str, user: str) -> str:
    """The name in somebody's home, where it lies in it."""
    home, _, name = path.strip("/").partition("/")
    return name if home == user and "/" not in name else ""
