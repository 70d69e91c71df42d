"""Radicale's rights: what its settings let everybody do, and which shares say the same here.

The rules are asked as Radicale asks them (its `radicale.rights.from_file`, `owner_only`,
`owner_write` and `authenticated`): in order, for one user and one collection at a time.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tagwerk.errors import ConfigurationError
from tagwerk.migration.source import Left, SourceCollection, SourceShare
from tagwerk.model import Access, Kind

Rights = Callable[[str, str], str]
"""The letters of a user ("" for who has not logged in) for a path without slashes around it."""

WHOEVER = ("·nobody·", "·nobody·@·nowhere·.·")
"""Users whom only a rule for everybody matches: with and without what some rules tell apart."""

_READ, _WRITE, _BUSY, _GET = "r", "w", "f", "i"


@dataclass(frozen=True, slots=True)
class Rule:
    """One section of a rights file."""

    name: str
    user: str
    groups: frozenset[str]
    collection: str
    permissions: str

    def fits(self, user: str, groups: frozenset[str], path: str) -> bool:
        """Whether it is for this user and path.

        Raises:
            ConfigurationError: one of its patterns cannot be used.
        """
        try:
            by_name = re.fullmatch(self.user.format(), user) if self.user else None
            if by_name is not None:
                found = tuple(map(re.escape, by_name.groups()))
                if re.fullmatch(self.collection.format(*found, user=re.escape(user)), path):
                    return True
            return bool(groups & self.groups) and bool(
                re.fullmatch(self.collection.format(user=re.escape(user)), path)
            )
        except (re.error, ValueError, LookupError, TypeError) as error:
            raise ConfigurationError(f"The section {self.name!r} of the rights file: {error}.") from error


def of_file(path: Path, groups: Mapping[str, frozenset[str]]) -> tuple[Rights, list[Rule]]:
    """The rights that a file gives, and its rules; `groups` are those of each user.

    Raises:
        ConfigurationError: Radicale could not read it either.
    """
    parser = configparser.ConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
        rules = [
            Rule(
                section,
                parser.get(section, "user", fallback=""),
                frozenset(filter(None, parser.get(section, "groups", fallback="").split(","))),
                parser.get(section, "collection"),
                parser.get(section, "permissions"),
            )
            for section in parser.sections()
        ]
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from error

    def rights(user: str, path: str) -> str:
        mine = groups.get(user, frozenset())
        return next((rule.permissions for rule in rules if rule.fits(user, mine, path)), "")

    return rights, rules


def of_type(name: str) -> Rights | None:
    """The rights that Radicale has built in, for those who have logged in; None for others."""

    def rights(user: str, path: str) -> str:
        if not user or path.count("/") != 1:
            return ""
        if name == "authenticated" or user == path.partition("/")[0]:
            return "rw"
        return "r" if name == "owner_write" else ""

    return rights if name in ("authenticated", "owner_only", "owner_write") else None


def shares(
    rights: Rights, collections: Iterable[SourceCollection], users: Iterable[str], left: Left
) -> Iterator[SourceShare]:
    """What others than the owner may do, as shares: with everybody where it is so for everybody."""
    known = sorted(users)
    for collection in collections:
        path = f"{collection.owner}/{collection.name}"
        given = {user: rights(user, path) for user in known}
        _say(path, given, rights("", path), collection, left)
        levels = {
            user: level_of(letters, collection.kind)
            for user, letters in given.items()
            if user != collection.owner
        }
        common = _common(rights, path, collection.kind)
        if common is not None and all(_at_least(level, common) for level in levels.values()):
            yield SourceShare(collection.owner, collection.name, None, common)
        elif common is not None:
            left.say(
                f"{path}: users whom nothing names may {_verb(common)} it there; here only those who are known have it."
            )
            common = None
        for user, level in levels.items():
            if level is not None and not _at_least(common, level):
                yield SourceShare(collection.owner, collection.name, user, level)


def level_of(letters: str, kind: Kind) -> Access | None:
    """How much of a calendar or an address book Radicale's letters are; None for what is no level here."""
    if _READ in letters:
        return Access.WRITE if _WRITE in letters else Access.READ
    return Access.BUSY if _BUSY in letters and _WRITE not in letters and kind is Kind.CALENDAR else None


def _common(rights: Rights, path: str, kind: Kind) -> Access | None:
    """What everybody may, whatever their name."""
    levels = {level_of(rights(name, path), kind) for name in WHOEVER}
    return (
        min((level for level in levels if level), key=lambda level: level.rank)
        if None not in levels
        else None
    )


def _say(
    path: str, given: Mapping[str, str], anonymous: str, collection: SourceCollection, left: Left
) -> None:
    """What cannot be said by shares."""
    if set(anonymous) & {_READ, _WRITE, _GET, _BUSY}:
        left.say(
            f"{path} is open to whoever has no password there; `tagwerk share link {path}` makes a public link."
        )
    own = given.get(collection.owner)
    if own is not None and level_of(own, collection.kind) is not Access.WRITE:
        left.say(f"{path}: {collection.owner} may not change it there; here it is theirs.")
    for user, letters in given.items():
        if user == collection.owner or level_of(letters, collection.kind) is not None:
            continue
        if _WRITE in letters:
            left.say(f"{path}: {user} may write and not read it there, which is no level here.")
        elif set(letters) & {_GET, _BUSY}:
            what = "fetch it by GET only" if _GET in letters else "see when its owner is busy"
            left.say(f"{path}: {user} may {what} there, which is no level of it here.")


def _at_least(level: Access | None, other: Access) -> bool:
    return level is not None and level.rank >= other.rank


def _verb(level: Access) -> str:
    return {Access.BUSY: "see when it is busy of", Access.READ: "read", Access.WRITE: "change"}.get(level, "")
