"""Radicale's folder (its own storage, versions 2 and 3), htpasswd and rights files."""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from tagwerk.accounts.passwords import Cost, hash_password, is_known
from tagwerk.errors import ConfigurationError
from tagwerk.migration.source import (
    Left,
    Source,
    SourceCollection,
    SourceObject,
    SourceUser,
    all_at_once,
    text,
)
from tagwerk.model import Kind

PROPERTIES = ".Radicale.props"
NAMESPACES = {
    "D": "DAV:",
    "C": "urn:ietf:params:xml:ns:caldav",
    "CR": "urn:ietf:params:xml:ns:carddav",
    "CS": "http://calendarserver.org/ns/",
    "ICAL": "http://apple.com/ns/ical/",
    "ME": "http://me.com/_namespace/",
    "RADICALE": "http://radicale.org/ns/",
}
KINDS = {"VCALENDAR": Kind.CALENDAR, "VADDRESSBOOK": Kind.ADDRESSBOOK}
COMPONENTS = "{urn:ietf:params:xml:ns:caldav}supported-calendar-component-set"
_NOT_TAKEN = {COMPONENTS, "{DAV:}resourcetype", "{DAV:}getetag", "{http://calendarserver.org/ns/}getctag"}
_KEY = re.compile(r"(?:(\w+):|\{([^}]*)\})(.+)")


def read(
    folder: Path,
    *,
    htpasswd: Path | None = None,
    plain: bool = False,
    rights: Path | None = None,
    only: tuple[str, ...] = (),
    cost: Cost,
) -> Source:
    """What Radicale has in its `filesystem_folder`.

    Raises:
        ConfigurationError: it is no such folder, or one of the files cannot be read.
    """
    root = folder / "collection-root" if (folder / "collection-root").is_dir() else folder
    homes = sorted(each for each in root.iterdir() if each.is_dir() and not each.name.startswith("."))
    if not (folder / "collection-root").is_dir() and not any(_collections(home) for home in homes):
        raise ConfigurationError(f"{folder} is no folder of Radicale's: it has no collection-root.")
    left = Left()
    passwords = {} if htpasswd is None else _passwords(htpasswd, left, plain=plain, cost=cost)
    if rights is not None:
        _read_rights(rights, left)
    chosen = [home for home in homes if not only or home.name in only]
    names = [home.name for home in chosen]
    names += [name for name in passwords if name not in names and (not only or name in only)]
    users = [SourceUser(name, password_hash=passwords.get(name)) for name in names]
    found = [collection for home in chosen for collection in _home(home, left)]
    return Source(users, found, left)


def _collections(home: Path) -> list[Path]:
    return sorted(each for each in home.iterdir() if each.is_dir() and (each / PROPERTIES).is_file())


def _home(home: Path, left: Left) -> Iterator[SourceCollection]:
    for folder in _collections(home):
        shown = f"{home.name}/{folder.name}"
        try:
            written = json.loads((folder / PROPERTIES).read_text(encoding="utf-8"))
            assert isinstance(written, dict)
        except (OSError, ValueError, AssertionError) as error:
            left.say(f"{shown}: its properties cannot be read: {error}")
            continue
        kind = KINDS.get(str(written.get("tag", "")))
        if kind is None:
            left.say(f"{shown} is a {written.get('tag') or 'plain folder'}, which is not taken along.")
            continue
        properties, components = _properties(written, shown, left)
        if kind is Kind.ADDRESSBOOK:
            components = ()
        yield SourceCollection(
            home.name, folder.name, kind, components, properties, all_at_once(partial(_objects, folder))
        )


def _properties(
    written: Mapping[str, object], shown: str, left: Left
) -> tuple[dict[str, str], tuple[str, ...]]:
    properties: dict[str, str] = {}
    components: tuple[str, ...] = ()
    for key, value in written.items():
        match = _KEY.fullmatch(key)
        if key == "tag" or not isinstance(value, str):
            continue
        if match is None:
            left.say(f"{shown}: the property {key!r} is not taken along.")
            continue
        namespace = NAMESPACES.get(match.group(1) or "", match.group(2))
        name = f"{{{namespace}}}{match.group(3)}"
        if name == COMPONENTS:
            components = tuple(part.strip() for part in value.split(",") if part.strip())
        elif namespace is not None and name not in _NOT_TAKEN:
            properties[name] = text(value)
    return properties, components


def _objects(folder: Path) -> Iterator[SourceObject]:
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith(".Radicale"):
            yield SourceObject(path.name, path.read_bytes())


def _passwords(path: Path, left: Left, *, plain: bool, cost: Cost) -> dict[str, str]:
    found: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from error
    for line in lines:
        name, colon, stored = line.partition(":")
        if not colon or name.startswith("#"):
            continue
        if plain:
            found[name] = hash_password(stored, cost)
        elif is_known(stored.strip()):
            found[name] = stored.strip()
        else:
            left.say(
                f"The password of {name} is stored in a way that cannot be verified here; set a new one."
            )
    return found


def _read_rights(path: Path, left: Left) -> None:
    """Say what of a rights file holds here already, and what has to be shared."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from error
    for section in parser.sections():
        user, collection = (
            parser.get(section, "user", fallback=""),
            parser.get(section, "collection", fallback=""),
        )
        permissions = parser.get(section, "permissions", fallback="")
        own = collection in ("", "{user}", "{user}/[^/]+", "{user}(/.*)?", "{user}/[^/]*")
        if own or not permissions:
            continue  # Everybody has what is theirs.
        who = "everybody who is logged in" if user in (".+", ".*") else user or "whoever is not logged in"
        what = "change" if set("wW") & set(permissions) else "read"
        left.say(f"rights, [{section}]: {who} may {what} {collection}; share it where it is meant.")
