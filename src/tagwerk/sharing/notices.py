"""What the server tells somebody about shares, as facts; `tagwerk.dav.notifications` writes them as XML.

They are objects of a collection of their own, so they sync and go like any other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from tagwerk.model import Changes, CollectionId, Facts, Kind, PrincipalId, StoredObject, SyncToken, Upload
from tagwerk.sharing.views import View
from tagwerk.store.collections import NOTIFICATIONS, create_collection, find_binding_of
from tagwerk.store.engine import Transaction
from tagwerk.store.objects import Candidate, find_object, put_object, remove_object

COMPONENT = "NOTIFICATION"


@dataclass(frozen=True, slots=True)
class Notice:
    """An invitation to a share, or the answer to one.

    `kind` is ``invite`` or ``reply``.  `status` is ``noresponse``, ``accepted``, ``declined``
    or ``deleted``.  `uid` names the invitation, `place` what is shared.  `owner` and `collection` make the path of
    what is shared, `grantee` is who was invited, `title` what it is called; `at` is in
    seconds since 1970.
    """

    kind: str
    status: str
    uid: str
    place: str
    owner: str
    collection: str
    grantee: str
    access: str
    title: str
    content: str
    components: tuple[str, ...]
    at: int

    @property
    def name(self) -> str:
        """Its name in the collection: what is told of the same later replaces it."""
        return invitation_name(self.place) if self.kind == "invite" else f"reply-{self.uid}.xml"

    def dumps(self) -> bytes:
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True).encode()

    @classmethod
    def loads(cls, content: bytes) -> Notice:
        fields = json.loads(content)
        # The first programs did not write it.
        fields.setdefault("place", "")
        fields["components"] = tuple(fields["components"])
        return cls(**fields)


def invitation_name(place: str) -> str:
    """The name of what somebody is told of the share that is called `place`."""
    return f"invite-{place}.xml"


def notifications_of(
    txn: Transaction, principal: PrincipalId, *, now: int | None = None
) -> CollectionId | None:
    """The collection of somebody's notices; with `now` it is made where there is none."""
    found = find_binding_of(txn, principal, NOTIFICATIONS)
    if found is None and now is not None:
        found = create_collection(txn, principal, name=NOTIFICATIONS, kind=Kind.NOTIFICATIONS, now=now)
    return None if found is None else found.collection.id


def tell(txn: Transaction, principal: PrincipalId, notice: Notice) -> None:
    """Put a notice where somebody's clients find it."""
    collection = notifications_of(txn, principal, now=notice.at)
    assert collection is not None
    facts = Facts(uid=notice.name, component=COMPONENT)
    put_object(txn, collection, notice.name, upload=Upload(notice.dumps(), facts), now=notice.at, keep=False)


def untell(txn: Transaction, principal: PrincipalId, name: str, *, now: int) -> None:
    """Take a notice back that says nothing any more."""
    collection = notifications_of(txn, principal)
    if collection is not None and find_object(txn, collection, name) is not None:
        remove_object(txn, collection, name, now=now, keep=False)


def notices_about(view: View, kind: Kind) -> View:
    """The collection of somebody's notices as a login sees it that knows of one kind of collection."""
    return _Notices(view.collection, view.access, view.viewer, view.salt, view.personal, kind)


@dataclass(frozen=True)
class _Notices(View):
    """A view in which there are only the notices about collections of one kind."""

    about: Kind = Kind.NOTIFICATIONS

    def find(self, txn: Transaction, name: str, *, content: bool = False) -> StoredObject | None:
        return None if name in self._others(txn) else super().find(txn, name, content=content)

    def see(self, txn: Transaction, stored: StoredObject | None) -> StoredObject | None:
        return None if stored is None or stored.name in self._others(txn) else stored

    def objects(self, txn: Transaction, *, content: bool = False) -> Iterator[StoredObject]:
        others = self._others(txn)
        return (stored for stored in super().objects(txn, content=content) if stored.name not in others)

    def etags(self, txn: Transaction) -> Iterator[tuple[str, str]]:
        others = self._others(txn)
        return ((name, etag) for name, etag in super().etags(txn) if name not in others)

    def named(
        self, txn: Transaction, names: Iterable[str], *, content: bool = True
    ) -> Iterator[StoredObject]:
        return super().named(txn, self._known(txn, names), content=content)

    def contents(self, txn: Transaction, names: Sequence[str]) -> Iterator[tuple[str, str, bytes]]:
        return super().contents(txn, self._known(txn, names))

    def contents_of(self, txn: Transaction, changes: Changes) -> Iterator[tuple[str, str, bytes]]:
        return self.contents(txn, [name for name, _ in changes.changed])

    def candidates(
        self,
        txn: Transaction,
        *,
        component: str | None,
        start: int,
        end: int,
        needles: tuple[tuple[str, ...], ...] = (),
    ) -> list[Candidate]:
        found = super().candidates(txn, component=component, start=start, end=end, needles=needles)
        others = self._others(txn)
        return [one for one in found if one.name not in others]

    def changes_since(self, txn: Transaction, token: SyncToken | None, *, limit: int) -> Changes:
        changes = super().changes_since(txn, token, limit=limit)
        others = self._others(txn)
        return replace(changes, changed=[pair for pair in changes.changed if pair[0] not in others])

    def _known(self, txn: Transaction, names: Iterable[str]) -> list[str]:
        others = self._others(txn)
        return [name for name in names if name not in others]

    def _others(self, txn: Transaction) -> frozenset[str]:
        """The names of what is about something else."""
        return frozenset(
            stored.name
            for stored in super().objects(txn, content=True)
            if Notice.loads(stored.content or b"").content != self.about.value
        )
