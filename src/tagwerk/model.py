"""The values that travel between layers: frozen, slotted, without behaviour beyond their own meaning."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import NewType

PrincipalId = NewType("PrincipalId", int)
CollectionId = NewType("CollectionId", int)
BindingId = NewType("BindingId", int)
Modseq = NewType("Modseq", int)

NO_BINDING = BindingId(0)
"""In `property`: the value counts for everybody who sees the collection."""

TOKEN_PREFIX = "urn:tagwerk:sync:"  # noqa: S105

FOREVER = 2**62
"""The last instant of something that never ends, in seconds since 1970 UTC."""

ALWAYS = -(2**62)
"""The first instant of something without a date."""


MAX_INDEXED = 1024
"""Bytes (UTF-8) of a UID or of a property's name: every engine's indexes hold so much."""

EVERYBODY = PrincipalId(0)
"""In a share: everybody on this server."""

NOBODY = PrincipalId(0)
"""Where somebody looks or acts: no principal, as through a public link or on the command line."""


class Kind(enum.StrEnum):
    """What a collection holds."""

    CALENDAR = "calendar"
    ADDRESSBOOK = "addressbook"
    NOTIFICATIONS = "notifications"
    """What the server tells somebody, as Apple's clients read it (apple-caldav-notifications.txt)."""


class Access(enum.StrEnum):
    """What somebody may do with a collection, from least to most.

    BUSY: see when, never what.  READ: see it.  WRITE: change the objects.  MANAGE: also
    share and rename it, and see what is private.  OWNER: what nobody can take away.
    """

    BUSY = "busy"
    READ = "read"
    WRITE = "write"
    MANAGE = "manage"
    OWNER = "owner"

    @property
    def rank(self) -> int:
        """Greater where more is allowed."""
        return _RANKS[self]

    @property
    def writes(self) -> bool:
        """Whether objects may be changed."""
        return self.rank >= Access.WRITE.rank

    @property
    def manages(self) -> bool:
        """Whether the collection may be shared and renamed, and private things are seen."""
        return self.rank >= Access.MANAGE.rank


_RANKS = {access: rank for rank, access in enumerate(Access)}

LEVELS = (Access.BUSY, Access.READ, Access.WRITE, Access.MANAGE)
"""What can be given to others."""


class Status(enum.StrEnum):
    """What somebody has said to a share."""

    ACCEPTED = "accepted"
    PENDING = "pending"
    DECLINED = "declined"


class Privacy(enum.IntEnum):
    """How much of an object those see who do not manage its calendar (RFC 5545 3.8.1.3).

    CONFIDENTIAL: some of it is busy time only, or left out.  PRIVATE: nothing.
    """

    PUBLIC = 0
    CONFIDENTIAL = 1
    PRIVATE = 2


class Rights(enum.StrEnum):
    """What a login may be used for, whatever the principal may do."""

    ALL = "all"
    CALENDAR = "calendar"
    CONTACTS = "contacts"
    READ_ONLY = "read-only"

    @property
    def kind(self) -> Kind | None:
        """The only kind of collection that is there for such a login; None for every kind."""
        return {Rights.CALENDAR: Kind.CALENDAR, Rights.CONTACTS: Kind.ADDRESSBOOK}.get(self)


@dataclass(frozen=True, slots=True)
class Login:
    """Who somebody proved to be; `how` is ``password``, ``app-password``, ``token``, ``certificate`` or a backend.

    `label` names the app password; `groups` are those that a backend told.
    """

    name: str
    rights: Rights = Rights.ALL
    how: str = "password"
    label: str = ""
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody or something that owns, sees or is invited.

    `created` is in seconds since 1970.  `state` is ``active`` or ``disabled``.  `quota`
    is in bytes, 0 for no limit, None for what the server's settings say.
    """

    id: PrincipalId
    name: str
    kind: str
    display_name: str
    addresses: tuple[str, ...]
    state: str
    created: int
    quota: int | None = None
    accept: str = ""
    """Whether shares are accepted ``at-once`` or it is to ``ask``; empty for what the server's settings say."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A calendar or address book, whoever sees it.

    `modseq` is its change counter, `min_modseq` the newest change that was forgotten
    (tombstones up to it are gone), `epoch` names the history that both count.
    `own_modseq` is the last change that was only somebody's own (alarms of a sharee), `shared_modseq`
    the last other one, `open_modseq` the last of these that was of something that is not private.
    `created`, `modified` and `open_modified` are in seconds since 1970, `bytes` is the size of all objects.
    """

    id: CollectionId
    kind: Kind
    owner: PrincipalId
    epoch: str
    modseq: Modseq
    min_modseq: Modseq
    components: tuple[str, ...]
    created: int
    modified: int
    bytes: int
    shared_modseq: Modseq
    open_modseq: Modseq
    open_modified: int
    own_modseq: Modseq


@dataclass(frozen=True, slots=True)
class Binding:
    """A collection's place in somebody's home: ``/principal/name/``.

    `access` is what they may do there now, by all that they and their groups were given.
    """

    id: BindingId
    principal: PrincipalId
    name: str
    access: Access
    collection: Collection


class Busy(enum.IntEnum):
    """What an object means for free-busy (RFC 4791 7.10).

    MIXED: the instances differ, or it is no VEVENT that a column can describe; look inside.
    """

    FREE = 0
    BUSY = 1
    TENTATIVE = 2
    MIXED = 3


@dataclass(frozen=True, slots=True)
class Facts:
    """What queries need to know about an object without reading it.

    `uid` and `component` (VEVENT, VTODO, ..., VCARD) identify it.

    `first` and `last` are the instants between which anything of it can happen, in
    seconds since 1970 UTC, `FOREVER` and `ALWAYS` where there is no bound.

    `floating`: some of its times have no zone; they are counted as if they were UTC,
    and whoever asks must widen the question by a day and look again.

    `spans` packs the occurrences of a VEVENT that touch the time from `spans_from` to
    `spans_until`: signed little-endian 64-bit pairs of start and end, sorted.  Questions
    about any other time must look inside.  None: not computed, look inside.

    `search` holds the text of the object folded for comparison (`tagwerk.contentline`
    users must fold the needle the same way); it may contain more than a filter asks
    for, never less.

    `privacy` is what others see of it; `alarms`: it holds things of the owner's own, which
    others have themselves (`tagwerk.ical.personal`).
    """

    uid: str
    component: str
    first: int = ALWAYS
    last: int = FOREVER
    floating: bool = False
    busy: Busy = Busy.MIXED
    spans: bytes | None = None
    spans_from: int = ALWAYS
    spans_until: int = ALWAYS
    search: str = ""
    privacy: Privacy = Privacy.PUBLIC
    alarms: bool = False


@dataclass(frozen=True, slots=True)
class Upload:
    """An object that was read and found valid: what is stored, and what is known about it.

    `repairs` are sentences, empty when `content` is byte for byte what was sent.
    """

    content: bytes
    facts: Facts
    repairs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as the store has it.  `modified` and `created` are in seconds since 1970."""

    name: str
    uid: str
    component: str
    etag: str
    size: int
    modseq: Modseq
    created: int
    modified: int
    privacy: Privacy = Privacy.PUBLIC
    alarms: bool = False
    content: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Changes:
    """One page of changes: what is there now, what is gone, and the token that continues here."""

    changed: list[tuple[str, str]]
    """Name and ETag, in the order of their changes."""
    removed: list[str]
    token: SyncToken
    truncated: bool
    after: Modseq = Modseq(0)
    """`changed` are all the objects whose modseqs lie above `after` and up to the token's position."""


@dataclass(frozen=True, slots=True)
class SyncToken:
    """A point in a collection's history (RFC 6578 3.2; DESIGN, Synchronization).

    `position` is the last change that the client has.  `began` is not 0 while a
    first sync is walked in pages: the modseq at which that walk began.
    """

    epoch: str
    position: Modseq
    began: Modseq = Modseq(0)

    def __str__(self) -> str:
        tail = f"/{self.began}" if self.began else ""
        return f"{TOKEN_PREFIX}{self.epoch}:{self.position}{tail}"
