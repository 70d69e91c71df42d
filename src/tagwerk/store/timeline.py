"""Failovers: a standby that took over may lack what the primary had shown before it died.

A primary that dies while it waits for its standby can still show a change that the
standby never gets.  Whoever read it holds a sync token of a future that did not come,
and would pass the changes that take its numbers.  PostgreSQL counts such turns: every
promotion begins a timeline.  So the first connection to a new one gives every collection
that was changed shortly before a new epoch: its clients compare and fetch, and nobody else
notices.
"""

from __future__ import annotations

import logging
import time

from tagwerk.model import CollectionId, Modseq
from tagwerk.store.collections import new_epoch
from tagwerk.store.engine import Transaction
from tagwerk.store.schema import meta, set_meta

log = logging.getLogger(__name__)

TIMELINE = "timeline"
"""In `meta`: the timeline of the server that wrote last."""

DOUBTFUL_SECONDS = 900
"""How far back changes count as doubtful: further than clocks differ and a standby lags."""


def follow(txn: Transaction) -> None:
    """See whether this is another timeline than the last time, and what that means for clients."""
    row = txn.row(
        "SELECT CASE WHEN pg_is_in_recovery() THEN '' ELSE"
        " SUBSTR(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) END"
    )
    now = str(row[0]) if row else ""
    if not now or meta(txn, TIMELINE) == now:
        return
    # Of several who see it at once, the others wait here and find it done.
    txn.row("SELECT value FROM meta WHERE key = 'schema_version'" + txn.for_update)
    before = meta(txn, TIMELINE)
    if before == now:
        return
    set_meta(txn, TIMELINE, now)
    if before:
        renewed = renew(txn)
        log.warning(
            "The database is on timeline %s after %s: %d collections begin a new history.",
            now,
            before,
            renewed,
        )


def renew(txn: Transaction) -> int:
    """Give the collections that were changed last a new epoch; their number."""
    row = txn.row("SELECT COALESCE(MAX(modified), 0) FROM collection")
    since = min(row[0] if row else 0, int(time.time())) - DOUBTFUL_SECONDS
    doubtful = list(
        txn.rows("SELECT id, modseq FROM collection WHERE modified >= ?" + txn.for_update, (since,))
    )
    for collection, modseq in doubtful:
        txn.execute(
            "UPDATE collection SET epoch = ?, modseq = modseq + 1 WHERE id = ?", (new_epoch(), collection)
        )
        txn.changed(CollectionId(collection), Modseq(modseq + 1))
    return len(doubtful)
