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


class Kind(enum.StrEnum):
    """What a collection holds."""

    CALENDAR = "calendar"
    ADDRESSBOOK = "addressbook"


class Access(enum.StrEnum):
    """What a binding allows, from least to most."""

    BUSY = "busy"
    READ = "read"
    WRITE = "write"
    MANAGE = "manage"
    OWNER = "owner"


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


@dataclass(frozen=True, slots=True)
class Collection:
    """A calendar or address book, whoever sees it.

    `modseq` is its change counter, `min_modseq` the newest change that was forgotten
    (tombstones up to it are gone), `epoch` names the history that both count.
    `created` and `modified` are in seconds since 1970, `bytes` is the size of all objects.
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
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Binding:
    """A collection's place in somebody's home: ``/principal/name/``."""

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
