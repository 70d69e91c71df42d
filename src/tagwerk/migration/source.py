"""Sources: what every server that somebody comes from can be asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from html import escape
from itertools import chain, count

from tagwerk.errors import CALDAV, CARDDAV, DAV, ConfigurationError
from tagwerk.model import Access, Kind, Status

DISPLAY_NAME = DAV + "displayname"
CALENDAR_DESCRIPTION = CALDAV + "calendar-description"
BOOK_DESCRIPTION = CARDDAV + "addressbook-description"
TIMEZONE = CALDAV + "calendar-timezone"
COLOR = "{http://apple.com/ns/ical/}calendar-color"
ORDER = "{http://apple.com/ns/ical/}calendar-order"
TRANSPARENCY = CALDAV + "schedule-calendar-transp"


@dataclass(frozen=True, slots=True)
class SourceUser:
    """Somebody there.  `password_hash` is one that `accounts.passwords` can verify, or None."""

    name: str
    display_name: str = ""
    addresses: tuple[str, ...] = ()
    password_hash: str | None = None


@dataclass(frozen=True, slots=True)
class SourceObject:
    """An object there; `content` is None for one that is gone since the last time.

    `problem` says why it cannot be read; with the name "" none of the others can be either.
    """

    name: str
    content: bytes | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SourceCollection:
    """A collection there.

    `properties` are XML by Clark name.  `walk` yields its objects from a point on ("" for
    the beginning) and sets `point` in the list it is given to where one can go on.
    """

    owner: str
    name: str
    kind: Kind
    components: tuple[str, ...]
    properties: Mapping[str, str]
    walk: Callable[[str, list[str]], Iterator[SourceObject]]
    key: str = ""
    """What it is called in the memory of points; "" where there are none."""
    there: str = ""
    """Its name there, where it is another one."""


@dataclass(frozen=True, slots=True)
class SourceGroup:
    """A group there that something is shared with; `members` are names of users."""

    name: str
    display_name: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SourceShare:
    """What somebody there has of a collection that is `owner`'s.

    `grantee` names a user, or a group with `to_group`; None is everybody.  `access` is None for somebody who
    has left what reaches them by a group.  `properties` are the grantee's own, `place` is the
    name in their home where it is one that they chose.
    """

    owner: str
    name: str
    grantee: str | None
    access: Access | None
    status: Status = Status.ACCEPTED
    properties: Mapping[str, str] = field(default_factory=dict)
    place: str = ""
    to_group: bool = False


@dataclass(slots=True)
class Left:
    """What a source has and Tagwerk does not take, in sentences; `lost` is what would be taken if it could be read."""

    sentences: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def say(self, sentence: str) -> None:
        if sentence not in self.sentences:
            self.sentences.append(sentence)

    def lose(self, sentence: str) -> None:
        if sentence not in self.lost:
            self.lost.append(sentence)


@dataclass(frozen=True, slots=True)
class Source:
    """Everything that is to be moved."""

    users: Iterable[SourceUser]
    collections: Iterable[SourceCollection]
    left: Left
    groups: Iterable[SourceGroup] = ()
    shares: Iterable[SourceShare] = ()


def expect_users(only: Iterable[str], users: Iterable[str], shares: Iterable[SourceShare]) -> None:
    """Check that everybody in `only` is known there, if only by what is shared with them.

    Raises:
        ConfigurationError: somebody is not.
    """
    known = {*users, *(share.grantee for share in shares if not share.to_group)}
    for name in only:
        if name not in known:
            raise ConfigurationError(f"There is no user {name!r} there.")


def distinct(collections: Iterable[SourceCollection]) -> list[SourceCollection]:
    """Collections in homes that are one here: of those with one name the first keeps it.

    The others get their kind behind it, which is the same at every move; many servers call
    the first calendar and the first address book alike.
    """
    found = list(collections)
    names = {(each.owner, each.name) for each in found}
    kept: set[tuple[str, str]] = set()
    for number, each in enumerate(found):
        name = each.name
        if (each.owner, name) in kept:
            stem = f"{name}-{each.kind.value}"
            numbered = (f"{stem}-{n}" for n in count(2))
            name = next(one for one in chain([stem], numbered) if (each.owner, one) not in names)
            found[number] = replace(each, name=name, there=each.name)
            names.add((each.owner, name))
        kept.add((each.owner, name))
    return found


def text(value: str) -> str:
    """A value that is plain text, as XML."""
    return escape(value, quote=False)


def all_at_once(
    objects: Callable[[], Iterable[SourceObject]],
) -> Callable[[str, list[str]], Iterator[SourceObject]]:
    """How a source walks that always begins at the beginning: what is here already is found unchanged."""

    def walk(_point: str, _reached: list[str]) -> Iterator[SourceObject]:
        yield from objects()

    return walk
