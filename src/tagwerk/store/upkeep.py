"""Upkeep: what a server forgets after a while, so that nothing grows for ever."""

from __future__ import annotations

from tagwerk.model import CollectionId
from tagwerk.store.engine import Engine
from tagwerk.store.sync import prune_tombstones


def forget_removals(engine: Engine, *, before: int) -> int:
    """Forget every removal older than `before` (seconds since 1970) and return their number.

    Each collection is a transaction of its own, so that nobody waits for long, and one
    without old removals is not written at all.
    """
    with engine.read() as txn:
        # The first question is answered by an index; the second looks at tombstones only.
        with_removals = [
            row[0] for row in txn.rows("SELECT DISTINCT collection_id FROM object WHERE removed")
        ]
        old = [
            CollectionId(collection)
            for collection in with_removals
            if txn.row(
                "SELECT 1 FROM object WHERE collection_id = ? AND removed AND modified < ?",
                (collection, before),
            )
        ]
    forgotten = 0
    for collection in old:
        with engine.write() as txn:
            forgotten += prune_tombstones(txn, collection, before=before)
    return forgotten
