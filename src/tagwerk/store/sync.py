"""Collection synchronization (RFC 6578; DESIGN, Synchronization).

The invariant: whoever follows the tokens, in pages of any size, from any point, and
whatever is written meanwhile, knows after the last page exactly what the collection
holds.  It rests on three facts: the counter moves under the collection's row lock, so
a reader never sees a change without all earlier ones; an object has one row, whose
modseq is that of its last change, so a walk in the order of modseqs meets whatever
changes behind it again; a removal keeps its row until `prune_tombstones` raises
`min_modseq` above it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from tagwerk.errors import SyncTokenInvalid
from tagwerk.model import (
    EVERYBODY,
    TOKEN_PREFIX,
    Changes,
    Collection,
    CollectionId,
    Modseq,
    PrincipalId,
    Privacy,
    SyncToken,
)
from tagwerk.store.engine import Transaction

_TOKEN = re.compile(re.escape(TOKEN_PREFIX) + r"([0-9a-f]{1,32}):([0-9]{1,18})(?:/([0-9]{1,18}))?")


def parse_token(text: str) -> SyncToken:
    """The token that a client sent.

    Raises:
        SyncTokenInvalid: it is none of ours.
    """
    match = _TOKEN.fullmatch(text)
    if match is None:
        raise SyncTokenInvalid("This sync token is not one of this server's; start again without a token.")
    epoch, position, began = match.groups()
    return SyncToken(epoch, Modseq(int(position)), Modseq(int(began or 0)))


@dataclass(frozen=True, slots=True)
class Sight:
    """How somebody sees the history of a collection; by default as its owner.

    `epoch` is the history's name for them.  With `personal`, what somebody has of their own in
    the collection counts as a change as well; with `viewer`, what is theirs in its objects.
    With `hides`, private objects are not there: one that became private is gone, and one that
    always was never existed.  `etag` makes their entity tag of the object's own, its name, its
    privacy, and whether it holds its owner's own.
    """

    epoch: str = ""
    personal: bool = False
    viewer: PrincipalId = EVERYBODY
    hides: bool = False
    etag: Callable[[str, str, int, bool], str] = lambda etag, *_: etag


OWNERS = Sight()


def current_token(collection: Collection, sight: Sight = OWNERS) -> SyncToken:
    """The token of somebody who knows everything that they can see."""
    return SyncToken(sight.epoch or collection.epoch, _newest(collection, sight))


def _newest(collection: Collection, sight: Sight) -> Modseq:
    if not sight.hides:
        return collection.modseq if sight.personal else collection.shared_modseq
    newest = max(collection.open_modseq, collection.own_modseq) if sight.personal else collection.open_modseq
    # Also when what is private alone was forgotten, the token of who knows everything counts.
    return max(newest, collection.min_modseq)


def changes_since(
    txn: Transaction, collection: Collection, token: SyncToken | None, *, limit: int, sight: Sight = OWNERS
) -> Changes:
    """What changed since `token`, oldest change first, at most `limit` names.

    Without a token it is a first sync: everything that is there, nothing that is gone.
    The cost is the number of changes, whatever the size of the collection.

    `collection` must have been read in `txn`.

    Raises:
        SyncTokenInvalid: the token is of another epoch, of the future, or older than
            what is remembered about removals (RFC 6578 3.2, DAV:valid-sync-token).
    """
    epoch = sight.epoch or collection.epoch
    position, began = _begin(collection, token, epoch, _newest(collection, sight))
    told = began or position
    least_hidden = int(Privacy.PRIVATE) + (0 if sight.hides else 1)
    rows = _changed(txn, collection.id, position, told, least_hidden, limit=limit + 1)
    if sight.hides:
        rows += _hidden(txn, collection.id, told, limit=limit + 1)
    if sight.viewer:
        rows += _own_changes(txn, collection.id, sight.viewer, position, least_hidden, limit=limit + 1)
    rows.sort(key=lambda row: row.modseq)
    truncated = len(rows) > limit
    del rows[limit:]
    # An object whose own part changed after the rest is there twice; once is enough.
    changed: dict[str, str] = {}
    removed: dict[str, None] = {}
    for row in rows:
        if row.removed:
            removed[row.name] = None
        else:
            changed[row.name] = sight.etag(row.etag, row.name, row.privacy, row.alarms)
    if not truncated:
        return Changes(
            list(changed.items()),
            list(removed),
            current_token(collection, sight),
            truncated=False,
            after=position,
        )
    reached = Modseq(rows[-1].modseq)
    # The walk is over once it has passed the point at which it began.
    still = began if began and reached < began else Modseq(0)
    token = SyncToken(epoch, reached, still)
    return Changes(list(changed.items()), list(removed), token, truncated=True, after=position)


class _Changed(NamedTuple):
    name: str
    etag: str
    modseq: int
    removed: bool
    privacy: int
    alarms: bool


def _changed(
    txn: Transaction,
    collection: CollectionId,
    position: Modseq,
    told: Modseq,
    least_hidden: int,
    *,
    limit: int,
) -> list[_Changed]:
    rows = txn.rows(
        "SELECT name, etag, modseq, removed, privacy, alarms FROM object"
        " WHERE collection_id = ? AND modseq > ? AND (NOT removed OR modseq > ?)"
        " AND privacy < ? ORDER BY modseq LIMIT ?",
        (collection, position, told, least_hidden, limit),
    )
    return list(map(_Changed._make, rows))


def _hidden(txn: Transaction, collection: CollectionId, told: Modseq, *, limit: int) -> list[_Changed]:
    """What was seen once and is private now: gone at the modseq at which it was hidden.

    It has its place in the walk there, whatever happened to it since; what was never seen has none.
    """
    rows = txn.rows(
        "SELECT name, '', hidden_modseq, TRUE, privacy, alarms FROM object"
        " WHERE collection_id = ? AND modseq > ? AND hidden_modseq > ? AND privacy = ?"
        " ORDER BY hidden_modseq LIMIT ?",
        (collection, told, told, int(Privacy.PRIVATE), limit),
    )
    return list(map(_Changed._make, rows))


def _own_changes(
    txn: Transaction,
    collection: CollectionId,
    viewer: PrincipalId,
    position: Modseq,
    least_hidden: int,
    *,
    limit: int,
) -> list[_Changed]:
    rows = txn.rows(
        "SELECT o.name, o.etag, p.modseq, o.removed, o.privacy, o.alarms FROM personal p"
        " JOIN object o ON o.collection_id = p.collection_id AND o.name = p.object_name"
        " WHERE p.principal_id = ? AND p.collection_id = ? AND p.modseq > ? AND NOT o.removed"
        " AND o.privacy < ? ORDER BY p.modseq LIMIT ?",
        (viewer, collection, position, least_hidden, limit),
    )
    return list(map(_Changed._make, rows))


def _begin(
    collection: Collection, token: SyncToken | None, epoch: str, newest: Modseq
) -> tuple[Modseq, Modseq]:
    """Where to begin, and the modseq at which the first sync began (0 outside of one)."""
    if token is None:
        return Modseq(0), newest
    if token.epoch != epoch:
        raise SyncTokenInvalid("This sync token is of another history; start again without a token.")
    if max(token.position, token.began) > collection.modseq:
        raise SyncTokenInvalid("This sync token is of the future; start again without a token.")
    # During a first sync only removals after its beginning matter.
    if max(token.position, token.began) < collection.min_modseq:
        raise SyncTokenInvalid("This sync token is too old; start again without a token.")
    return token.position, token.began if token.began > token.position else Modseq(0)


def prune_tombstones(txn: Transaction, collection: CollectionId, *, before: int) -> int:
    """Forget the removals older than `before` (seconds since 1970) and return their number.

    Tokens older than the newest forgotten removal become invalid; others stay valid.
    """
    row = txn.row(
        "SELECT MAX(modseq) FROM object WHERE collection_id = ? AND removed AND modified < ?",
        (collection, before),
    )
    newest = row[0] if row else None
    if newest is None:
        return 0
    txn.execute(
        "UPDATE collection SET min_modseq = ? WHERE id = ? AND min_modseq < ?", (newest, collection, newest)
    )
    return txn.execute(
        "DELETE FROM object WHERE collection_id = ? AND removed AND modseq <= ?", (collection, newest)
    )
