"""Upkeep: what a server does by itself once a day, as a job of the outbox.

So one process of all that share a database does it, and it shows in `tagwerk jobs` when it fails.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from tagwerk.accounts.throttle import PLACE_SECONDS
from tagwerk.cli.invocation import now
from tagwerk.settings import Settings
from tagwerk.store import Engine
from tagwerk.store.audit import forget_entries
from tagwerk.store.engine import run
from tagwerk.store.history import forget_removed_collections, forget_versions
from tagwerk.store.login_failures import forget_old_failures
from tagwerk.store.login_places import forget_old_places
from tagwerk.store.outbox import add_job, forget_done
from tagwerk.store.upkeep import forget_removals

UPKEEP = "upkeep"

FIRST_SECONDS = 60
"""A server that is started again and again still does it, but not while it starts."""

DAY = 24 * 60 * 60

KEY_DAYS = 30
"""How long the keys of jobs that are done are remembered."""

log = logging.getLogger("tagwerk.upkeep")


def plan_upkeep(engine: Engine) -> None:
    """Let it be done today, unless it was; every start of a server asks for it."""
    instant = now()
    run(
        engine,
        lambda txn: add_job(
            txn, UPKEEP, key=_date(instant), payload={}, now=instant, due=instant + FIRST_SECONDS
        ),
    )


def do_upkeep(engine: Engine, settings: Settings) -> None:
    """Forget what is old enough, and plan the next day's."""
    retention = settings.retention
    tomorrow = datetime.fromtimestamp(now(), UTC).replace(hour=3, minute=0, second=0) + timedelta(days=1)
    due = int(tomorrow.timestamp())
    run(engine, lambda txn: add_job(txn, UPKEEP, key=_date(due), payload={}, now=now(), due=due))
    forgotten = forget_removals(engine, before=now() - retention.tombstone_days * DAY)
    if forgotten:
        log.info("%d removals older than %d days were forgotten.", forgotten, retention.tombstone_days)
    forget_what_was(engine, settings)
    run(engine, lambda txn: forget_entries(txn, before=now() - retention.audit_days * DAY))
    run(engine, lambda txn: forget_old_failures(txn, before=now() - settings.auth.throttle_seconds))
    run(engine, lambda txn: forget_old_places(txn, before=now() - PLACE_SECONDS))
    run(engine, lambda txn: forget_done(txn, before=now() - KEY_DAYS * DAY))


def forget_what_was(engine: Engine, settings: Settings) -> tuple[int, int]:
    """Forget earlier versions, and collections in the trash, after their time; how many of each."""
    retention = settings.retention
    versions = forget_versions(engine, before=now() - retention.history_days * DAY)
    collections = forget_removed_collections(engine, before=now() - retention.trash_days * DAY)
    if versions or collections:
        log.info("%d earlier versions and %d deleted collections were forgotten.", versions, collections)
    return versions, collections


def _date(instant: int) -> str:
    return datetime.fromtimestamp(instant, UTC).date().isoformat()
