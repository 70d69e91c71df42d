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

from tagwerk.errors import SyncTokenInvalid
from tagwerk.model import TOKEN_PREFIX, Changes, Collection, CollectionId, Modseq, SyncToken
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


def current_token(collection: Collection) -> SyncToken:
    """The token of somebody who knows everything."""
    return SyncToken(collection.epoch, collection.modseq)


def changes_since(
    txn: Transaction, collection: Collection, token: SyncToken | None, *, limit: int
) -> Changes:
    """What changed since `token`, oldest change first, at most `limit` names.

    Without a token it is a first sync: everything that is there, nothing that is gone.
    The cost is the number of changes, whatever the size of the collection.

    `collection` must have been read in `txn`.

    Raises:
        SyncTokenInvalid: the token is of another epoch, of the future, or older than
            what is remembered about removals (RFC 6578 3.2, DAV:valid-sync-token).
    """
    position, began = _begin(collection, token)
    rows = list(
        txn.rows(
            "SELECT name, etag, modseq, removed FROM object"
            " WHERE collection_id = ? AND modseq > ? AND (NOT removed OR modseq > ?)"
            " ORDER BY modseq LIMIT ?",
            (collection.id, position, began or position, limit + 1),
        )
    )
    truncated = len(rows) > limit
    del rows[limit:]
    changed = [(name, etag) for name, etag, _, removed in rows if not removed]
    removed_names = [name for name, _, _, removed in rows if removed]
    if not truncated:
        return Changes(changed, removed_names, current_token(collection), truncated=False, after=position)
    reached = Modseq(rows[-1][2])
    # The walk is over once it has passed the point at which it began.
    still = began if began and reached < began else Modseq(0)
    return Changes(
        changed, removed_names, SyncToken(collection.epoch, reached, still), truncated=True, after=position
    )


def _begin(collection: Collection, token: SyncToken | None) -> tuple[Modseq, Modseq]:
    """Where to begin, and the modseq at which the first sync began (0 outside of one)."""
    if token is None:
        return Modseq(0), collection.modseq
    if token.epoch != collection.epoch:
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
