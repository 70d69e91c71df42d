"""Radicale's folder: homes, the collections in them and their objects, of which it hides some (radicale.pathutils)."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from tagwerk.errors import ConfigurationError
from tagwerk.migration.source import Left, SourceCollection, SourceObject, all_at_once, text
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


def homes(folder: Path, left: Left) -> list[Path]:
    """The folders of users in its `filesystem_folder`.

    Raises:
        ConfigurationError: it is no such folder, or cannot be read.
    """
    root = folder / "collection-root"
    try:
        is_whole = root.is_dir()
        entries = list(_entries(root if is_whole else folder))
        found = [path for path, problem in entries if not problem and path.is_dir()]
        if not is_whole and not any(
            (each / PROPERTIES).is_file() for home in found for each in home.iterdir()
        ):
            raise ConfigurationError(f"{folder} is no folder of Radicale's: it has no collection-root.")
    except OSError as error:
        raise ConfigurationError(f"{error.filename} cannot be read: {error.strerror}.") from error
    for path, problem in entries:
        if path not in found and is_whole:
            left.lose(f"{_shown(path)}: {problem or 'it lies beside the users'}.")
    return found


def collections(home: Path, left: Left) -> Iterator[SourceCollection]:
    """The calendars and address books of a user."""
    try:
        entries = list(_entries(home))
    except OSError as error:
        left.lose(f"{home.name}: it cannot be read: {error.strerror}.")
        return
    for path, problem in entries:
        shown = f"{home.name}/{_shown(path)}"
        if problem:
            left.lose(f"{shown}: {problem}.")
        elif not path.is_dir():
            left.lose(f"{shown}: it lies beside the collections.")
        elif (found := _collection(home.name, path, left)) is not None:
            yield found


def is_seen(name: str) -> bool:
    """Whether Radicale looks at what is called so (its `is_safe_filesystem_path_component`)."""
    return not name.startswith(".") and not name.endswith("~")


def _entries(folder: Path) -> Iterator[tuple[Path, str]]:
    """What Radicale sees in a folder, and why it cannot be taken, or "".  Raises OSError."""
    for path in sorted(folder.iterdir()):
        if is_seen(path.name) and os.path.lexists(path):
            yield path, _problem(path)


def _problem(path: Path) -> str:
    if _shown(path) != path.name:
        return "its name is not UTF-8"
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "it is a link that leads nowhere"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return "" if stat.S_ISDIR(mode) or stat.S_ISREG(mode) else "it is no file and no folder"


def _shown(path: Path) -> str:
    return os.fsencode(path.name).decode(errors="replace")


def _collection(owner: str, folder: Path, left: Left) -> SourceCollection | None:
    shown = f"{owner}/{folder.name}"
    written: object = {}
    try:
        written = json.loads((folder / PROPERTIES).read_text(encoding="utf-8"))
    except FileNotFoundError:
        pass  # A plain folder, as Radicale sees it.
    except (OSError, ValueError) as error:
        left.lose(
            f"{shown} and the files in it ({_files(folder):,}): its properties cannot be read: {error}."
        )
        return None
    if not isinstance(written, dict):
        left.lose(f"{shown} and the files in it ({_files(folder):,}): its properties are none.")
        return None
    kind = KINDS.get(str(written.get("tag", "")))
    if kind is None:
        what = written.get("tag") or "plain folder"
        if files := _files(folder):
            left.lose(f"{shown} and the files in it ({files:,}): it is a {what}, and no collection.")
        else:
            left.say(f"{shown} is a {what}, which is not taken along.")
        return None
    properties, components = _properties(written, shown, left)
    if kind is Kind.ADDRESSBOOK:
        components = ()
    return SourceCollection(
        owner, folder.name, kind, components, properties, all_at_once(partial(_objects, folder))
    )


def _files(folder: Path) -> int:
    """How many files Radicale sees in a folder and those below it, as far as they can be read."""
    found = 0
    for _, folders, names in os.walk(folder):
        folders[:] = filter(is_seen, folders)
        found += sum(map(is_seen, names))
    return found


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
    try:
        entries = list(_entries(folder))
    except OSError as error:
        yield SourceObject("", None, f"it cannot be read: {error.strerror}")
        return
    for path, problem in entries:
        if not problem and path.is_dir():
            problem = f"it is a folder in a collection; files in it: {_files(path):,}"
        content = None
        if not problem:
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                continue  # It went away meanwhile.
            except OSError as error:
                problem = f"it cannot be read: {error.strerror}"
        yield SourceObject(_shown(path), content, problem)
