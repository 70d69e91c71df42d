"""Upkeep: what a server does by itself once a day, as a job of the outbox.

So one process of all that share a database does it, and it shows in `tagwerk jobs` when it fails.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from tagwerk.accounts.throttle import PLACE_SECONDS
from tagwerk.cli.invocation import now
from tagwerk.cli.table import counted
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
    tomorrow = datetime.fromtimestamp(now(), UTC).replace(hour=3, minute=0, second=0) + timedelta(days=1)
    due = int(tomorrow.timestamp())
    run(engine, lambda txn: add_job(txn, UPKEEP, key=_date(due), payload={}, now=now(), due=due))
    for noun, number in forget_what_is_old(engine, settings).items():
        if number:
            log.info("%s forgotten.", counted(number, noun))


def forget_what_is_old(engine: Engine, settings: Settings) -> dict[str, int]:
    """Forget everything whose time is over, as `[retention]` says; how many of each, by its noun."""
    retention, instant = settings.retention, now()
    return {
        "removal": forget_removals(engine, before=instant - retention.tombstone_days * DAY),
        "earlier version": forget_versions(engine, before=instant - retention.history_days * DAY),
        "deleted collection": forget_removed_collections(engine, before=instant - retention.trash_days * DAY),
        "audit record": run(
            engine, lambda txn: forget_entries(txn, before=instant - retention.audit_days * DAY)
        ),
        "failed login": run(
            engine, lambda txn: forget_old_failures(txn, before=instant - settings.auth.throttle_seconds)
        ),
        "login place": run(engine, lambda txn: forget_old_places(txn, before=instant - PLACE_SECONDS)),
        "finished job": run(engine, lambda txn: forget_done(txn, before=instant - KEY_DAYS * DAY)),
    }


def _date(instant: int) -> str:
    return datetime.fromtimestamp(instant, UTC).date().isoformat()
