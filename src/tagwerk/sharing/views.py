"""A collection as one person sees it.

Everything that is read of an object on somebody's behalf is read here, so that no
method, report or filter can show more than they were given.  The owner's view is the
rows as they are.  In others' views private things are masked, alarms are the viewer's
own, and entity tags and sync tokens are the view's: they say nothing of what is masked.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from tagwerk.contentline import Component, parse, serialize
from tagwerk.ical.masking import masked
from tagwerk.ical.personal import Personal, seen, without_alarms
from tagwerk.model import (
    NOBODY,
    Access,
    Binding,
    Changes,
    Collection,
    Kind,
    Modseq,
    PrincipalId,
    Privacy,
    StoredObject,
    SyncToken,
)
from tagwerk.store import objects
from tagwerk.store.engine import Transaction
from tagwerk.store.objects import Candidate
from tagwerk.store.personal import own_data, own_tag, own_tags
from tagwerk.store.sync import Sight, changes_since, current_token

log = logging.getLogger(__name__)

_BATCH = 200


@dataclass(frozen=True, slots=True)
class View:
    """A collection, what somebody may do there, and whose own things they see in it.

    `viewer` is `NOBODY` where there are none: at level busy, and through a public link.
    `salt` makes entity tags and tokens the view's own; it is never shown.  `personal`: they have
    properties of their own in it, of which their other clients are to learn.
    """

    collection: Collection
    access: Access
    viewer: PrincipalId
    salt: str
    personal: bool = True
    plain: bool = field(init=False)
    """Whether it is the rows as they are stored."""
    masks: bool = field(init=False)
    """Whether private things are hidden."""

    def __post_init__(self) -> None:
        # Worked out once, as it is asked for every object.
        plain = self.access is Access.OWNER or self.collection.kind is not Kind.CALENDAR
        object.__setattr__(self, "plain", plain)
        object.__setattr__(self, "masks", not plain and not self.access.manages)

    @property
    def sight(self) -> Sight:
        """How it sees the history of the collection."""
        personal = self.personal and self.access is not Access.OWNER
        if self.plain:
            return Sight(personal=personal)
        return Sight(self.epoch, personal, self.viewer, self.masks)

    @property
    def epoch(self) -> str:
        """The name of the history, which is another one where other things are seen."""
        if self.plain:
            return self.collection.epoch
        kind = "busy" if self.access is Access.BUSY else "read" if self.masks else "all"
        return _digest(f"{self.collection.epoch} {kind}", self.salt, size=8)

    @property
    def token(self) -> SyncToken:
        """The token of somebody who knows everything in it."""
        return current_token(self.collection, self.sight)

    @property
    def modseq(self) -> Modseq:
        """Counts what changed in it."""
        return self.token.position

    @property
    def etag(self) -> str:
        """The entity tag of the collection as a whole; others' do not tell how much has changed."""
        text = f"{self.epoch}-{self.modseq}"
        return f'"{text if self.plain else _digest(text, self.salt)}"'

    @property
    def modified(self) -> int:
        """When something changed that is seen, in seconds since 1970."""
        return self.collection.open_modified if self.masks else self.collection.modified

    def hides(self, privacy: int) -> bool:
        """Whether an object is not there."""
        return self.masks and privacy == Privacy.PRIVATE

    def restricts(self, privacy: int) -> bool:
        """Whether an object is there and shows less than it holds."""
        return self.masks and (privacy > 0 or self.access is Access.BUSY)

    def find(self, txn: Transaction, name: str, *, content: bool = False) -> StoredObject | None:
        """The object called `name` as it is seen, with its bytes if `content`; its size is that of these."""
        # The size of what is seen is known only by looking.
        stored = objects.find_object(txn, self.collection.id, name, content=content or not self.plain)
        found = self.see(txn, stored)
        return found if content or found is None else dataclasses.replace(found, content=None)

    def see(self, txn: Transaction, stored: StoredObject | None) -> StoredObject | None:
        """An object as it is seen; `stored` is as it is in the database, with its bytes unless the view is plain."""
        if stored is None or self.plain:
            return stored
        name = stored.name
        tag = own_tag(txn, self.viewer, self.collection.id, name) if self.viewer else ""
        own = own_data(txn, self.viewer, self.collection.id, [name]).get(name, "") if tag else ""
        return self._shown(stored, tag, own)

    def objects(self, txn: Transaction, *, content: bool = False) -> Iterator[StoredObject]:
        """Every object that is seen, in the order of their last changes; without `content` sizes are unknown.

        Sizes that are not known are 0.
        """
        if self.plain:
            yield from objects.objects(txn, self.collection.id, content=content)
            return
        tags = self._tags(txn)
        if not content:
            for stored in objects.objects(txn, self.collection.id):
                if not self.hides(stored.privacy):
                    etag = self._etag(stored.etag, stored.privacy, stored.alarms, tags.get(stored.name, ""))
                    size = stored.size if etag == stored.etag else 0
                    yield dataclasses.replace(stored, etag=etag, size=size)
            return
        names = [name for name, _ in objects.etags(txn, self.collection.id)]
        for begin in range(0, len(names), _BATCH):
            batch = {one.name: one for one in self.named(txn, names[begin : begin + _BATCH])}
            yield from (batch[name] for name in names[begin : begin + _BATCH] if name in batch)

    def etags(self, txn: Transaction) -> Iterator[tuple[str, str]]:
        """Name and ETag of every object that is seen."""
        if self.plain:
            yield from objects.etags(txn, self.collection.id)
            return
        tags = self._tags(txn)
        for name, etag, privacy, alarms in objects.guarded_etags(txn, self.collection.id):
            if not self.hides(privacy):
                yield name, self._etag(etag, privacy, alarms, tags.get(name, ""))

    def named(
        self, txn: Transaction, names: Iterable[str], *, content: bool = True
    ) -> Iterator[StoredObject]:
        """The objects that are seen among `names`, in no order, each once, with their bytes if `content`."""
        if self.plain:
            yield from objects.objects_named(txn, self.collection.id, names, content=content)
            return
        wanted = list(dict.fromkeys(names))
        tags = self._tags(txn)
        data = own_data(txn, self.viewer, self.collection.id, [n for n in wanted if n in tags])
        for stored in objects.objects_named(txn, self.collection.id, wanted):
            found = self._shown(stored, tags.get(stored.name, ""), data.get(stored.name, ""))
            if found is not None:
                yield found if content else dataclasses.replace(found, content=None)

    def contents(self, txn: Transaction, names: Sequence[str]) -> Iterator[tuple[str, str, bytes]]:
        """Name, ETag and bytes of the objects that are seen among `names`, in no order, each once."""
        if self.plain:
            yield from objects.contents(txn, self.collection.id, names)
            return
        tags = self._tags(txn)
        data = own_data(txn, self.viewer, self.collection.id, [n for n in names if n in tags])
        for name, etag, privacy, alarms, content in objects.guarded_contents(txn, self.collection.id, names):
            tag = tags.get(name, "")
            shown = self._content(content, privacy, alarms, data.get(name, ""))
            if shown is not None:
                yield name, self._etag(etag, privacy, alarms, tag), shown

    def contents_of(self, txn: Transaction, changes: Changes) -> Iterator[tuple[str, str, bytes]]:
        """Name, ETag and bytes of every object that `changes` names as changed."""
        if self.plain:
            yield from objects.contents_between(
                txn, self.collection.id, after=changes.after, until=changes.token.position
            )
        else:
            yield from self.contents(txn, [name for name, _ in changes.changed])

    def candidates(
        self,
        txn: Transaction,
        *,
        component: str | None,
        start: int,
        end: int,
        needles: tuple[tuple[str, ...], ...] = (),
    ) -> list[Candidate]:
        """As `tagwerk.store.objects.candidates`, of the objects that are seen, with their ETags.

        No needle is looked for in what is masked: whether it occurs there would be told.
        """
        if self.plain:
            return objects.candidates(
                txn, self.collection.id, component=component, start=start, end=end, needles=needles
            )
        tags = self._tags(txn)
        found = objects.candidates(
            txn,
            self.collection.id,
            component=component,
            start=start,
            end=end,
            needles=() if self.access is Access.BUSY else needles,
            unsieved=tags,
        )
        return [
            one._replace(etag=self._etag(one.etag, one.privacy, one.alarms, tags.get(one.name, "")))
            for one in found
            if not self.hides(one.privacy)
        ]

    def columns_tell(self, candidate: Candidate) -> bool:
        """Whether an object's times are seen as its columns say them."""
        return not (self.masks and candidate.privacy > 0)

    def own_names(self, txn: Transaction) -> frozenset[str]:
        """The names of the objects in which the viewer has something of their own."""
        return frozenset() if self.plain else frozenset(self._tags(txn))

    def changes_since(self, txn: Transaction, token: SyncToken | None, *, limit: int) -> Changes:
        """What changed in it since `token`; see `tagwerk.store.sync.changes_since`."""
        if self.plain:
            return changes_since(txn, self.collection, token, limit=limit, sight=self.sight)
        tags = self._tags(txn)

        def etag(stored: str, name: str, privacy: int, alarms: bool) -> str:
            return self._etag(stored, privacy, alarms, tags.get(name, ""))

        sight = dataclasses.replace(self.sight, etag=etag)
        return changes_since(txn, self.collection, token, limit=limit, sight=sight)

    def _tags(self, txn: Transaction) -> dict[str, str]:
        return own_tags(txn, self.viewer, self.collection.id) if self.viewer else {}

    def _shown(self, stored: StoredObject, tag: str, own: str) -> StoredObject | None:
        assert stored.content is not None
        content = self._content(stored.content, stored.privacy, stored.alarms, own)
        if content is None:
            return None
        etag = self._etag(stored.etag, stored.privacy, stored.alarms, tag)
        return dataclasses.replace(stored, etag=etag, size=len(content), content=content)

    def _etag(self, etag: str, privacy: int, alarms: bool, tag: str) -> str:
        if self.restricts(privacy):
            return f'"{_digest(f"{etag} restricted {tag}", self.salt)}"'
        if alarms or tag:
            return f'"{_digest(f"{etag} {tag}", self.salt)}"'
        return etag

    def _content(self, content: bytes, privacy: int, alarms: bool, own: str) -> bytes | None:
        """What is seen of an object's bytes; None if it is not there."""
        if self.hides(privacy):
            return None
        if self.restricts(privacy):
            busy = self.access is Access.BUSY
            shown = masked(_calendar(content), everything=busy)
            if shown is None:
                return None
            return serialize(shown if busy else _seen(shown, own)).encode()
        if own:
            return serialize(_seen(_calendar(content), own)).encode()
        return without_alarms(content) if alarms else content


def view_of(binding: Binding, viewer: PrincipalId) -> View:
    """What `viewer` sees through a binding, which is their own or that of somebody for whom they act."""
    busy = binding.access is Access.BUSY
    # The owner's epoch is known to nobody else, so nobody can compute what a masked object's tag would be.
    salt = f"{binding.collection.epoch} {binding.id} {viewer if viewer != binding.principal else ''}"
    return View(binding.collection, binding.access, NOBODY if busy else viewer, salt)


def _seen(calendar: Component, own: str) -> Component:
    try:
        return seen(calendar, Personal.loads(own))
    except ValueError:
        # The object is there all the same.
        log.error("What somebody has of their own in an object cannot be read; `tagwerk check` names it.")
        return seen(calendar, Personal())


def _calendar(content: bytes) -> Component:
    return parse(content.decode())[0]


def _digest(text: str, salt: str, *, size: int = 16) -> str:
    return blake2b(text.encode(), digest_size=size, key=salt.encode()[:64]).hexdigest()
