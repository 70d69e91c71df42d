"""What the server tells somebody about shares, as facts; `tagwerk.dav.notifications` writes them as XML.

They are objects of a collection of their own, so they sync and go like any other.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from tagwerk.model import CollectionId, Facts, Kind, PrincipalId, Upload
from tagwerk.store.collections import NOTIFICATIONS, create_collection, find_binding_of
from tagwerk.store.engine import Transaction
from tagwerk.store.objects import find_object, put_object, remove_object

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
