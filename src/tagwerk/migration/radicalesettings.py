"""Radicale's configuration file: where its passwords, rights, groups and shares are."""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tagwerk.errors import ConfigurationError
from tagwerk.migration.source import Left

_SECTIONS = frozenset({"auth", "group", "rights", "server", "sharing", "storage"})
"""Of which Radicale's file has at least one."""


@dataclass(frozen=True, slots=True)
class RadicaleSettings:
    """What of the settings a move wants to know; the defaults are Radicale's.

    `shares` is where its own sharing keeps what was shared, None where there is nothing, or
    where it is switched off.  `groups` are those of each user.
    """

    rights: str = "owner_only"
    rights_file: Path | None = None
    htpasswd: Path | None = None
    encryption: str = "autodetect"
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    shares: Path | None = None


def beside(folder: Path, name: str) -> Path | None:
    """A file of that name in the folder of the collections, or in the one around it."""
    for place in (folder / name, folder.absolute().parent / name):
        if place.is_file():
            return place
    return None


def read(folder: Path, config: Path | None, left: Left) -> RadicaleSettings:
    """The settings in `config`, or in a file beside `folder`, or Radicale's own.

    Raises:
        ConfigurationError: the file, or one that it names, cannot be read.
    """
    path = config or beside(folder, "config")
    parser = configparser.RawConfigParser()
    try:
        if path is not None:
            parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        if config is not None:
            raise ConfigurationError(f"{path} cannot be read: {error}.") from error
    if config is None and _SECTIONS.isdisjoint(parser.sections()):
        path = None  # Many programs have a file of that name.
    shares = _database(folder, "")
    if path is None:
        rights = beside(folder, "rights")
        if rights is not None:
            left.say(f"The rights in {rights} were read.")
        return RadicaleSettings("owner_only" if rights is None else "from_file", rights, shares=shares)
    if config is None:
        left.say(f"The settings in {path} were read.")

    def value(section: str, name: str, default: str) -> str:
        return parser.get(section, name, fallback=default).strip()

    auth, rights_type = value("auth", "type", "denyall"), value("rights", "type", "owner_only")
    if auth == "none":
        left.say("Radicale let in everybody without a password; here everybody needs one.")
    htpasswd = None
    if auth == "htpasswd":
        htpasswd = _file(path, value("auth", "htpasswd_filename", "/etc/radicale/users"))
    rights_file = None
    if rights_type == "from_file":
        rights_file = _file(path, value("rights", "file", "/etc/radicale/rights"))
    groups: Mapping[str, frozenset[str]] = {}
    if value("group", "type", "none") == "htgroup":
        groups = _groups(_file(path, value("group", "htgroup_filename", "/etc/radicale/groups")))
    database = value("sharing", "database_path", "")
    on = value("sharing", "type", "none") != "none" and value("sharing", "collection_by_map", "false").lower()
    if on in ("true", "1", "yes", "on"):
        shares = _database(folder, database, value("sharing", "type", "csv"))
    elif shares is not None:
        left.say(f"{shares} has shares, which its settings switch off; they are not taken along.")
        shares = None
    return RadicaleSettings(
        rights_type,
        rights_file,
        htpasswd,
        value("auth", "htpasswd_encryption", "autodetect"),
        groups,
        shares,
    )


def _file(config: Path, name: str) -> Path:
    """A file that the settings name, or one of its name beside them, where they were copied."""
    path = Path(name).expanduser()
    copied = config.parent / path.name
    for place in (path, copied):
        if place.is_file():
            return place
    raise ConfigurationError(f"{config} names {path}, which is not there, and neither is {copied}.")


def _database(folder: Path, named: str, kind: str = "") -> Path | None:
    if named:
        return Path(named)
    root = folder.parent if folder.name == "collection-root" else folder
    places = {"csv": root / "collection-db" / "sharing.csv", "files": root / "collection-db" / "files"}
    wanted = [places[kind]] if kind in places else list(places.values())
    return next((place for place in wanted if place.exists()), None)


def _groups(path: Path) -> dict[str, frozenset[str]]:
    """Apache's format: ``group: member member``, one on a line."""
    found: dict[str, set[str]] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from error
    for line in lines:
        group, colon, members = line.partition(":")
        if colon and not line.lstrip().startswith("#"):
            for member in members.split():
                found.setdefault(member, set()).add(group.strip())
    return {member: frozenset(groups) for member, groups in found.items()}
