"""Upkeep: what a running server does by itself once a day."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tagwerk.cli.invocation import now
from tagwerk.errors import TagwerkError
from tagwerk.settings import Settings
from tagwerk.store import Engine
from tagwerk.store.login_failures import forget_old_failures
from tagwerk.store.upkeep import forget_removals

FIRST_SECONDS = 60
"""A server that is started again and again still does it, but not while it starts."""

DAY = 24 * 60 * 60

log = logging.getLogger("tagwerk.upkeep")


@contextmanager
def upkeep(engine: Engine, settings: Settings) -> Iterator[None]:
    """Do it in a thread of its own until the end of the block.

    Every process of a server does it: what one has done is nothing to do for the next.
    """
    stopped = threading.Event()

    def run() -> None:
        pause = FIRST_SECONDS
        while not stopped.wait(pause):
            do_upkeep(engine, settings)
            pause = DAY

    thread = threading.Thread(target=run, name="upkeep")
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def do_upkeep(engine: Engine, settings: Settings) -> None:
    """Forget what is old enough; a database that is busy or full waits for the next day."""
    days = settings.retention.tombstone_days
    try:
        forgotten = forget_removals(engine, before=now() - days * DAY)
        with engine.write() as txn:
            forget_old_failures(txn, before=now() - settings.auth.throttle_seconds)
    except TagwerkError as error:
        log.warning("What is old enough to be forgotten is still there: %s", error)
    else:
        if forgotten:
            log.info("%d removals older than %d days were forgotten.", forgotten, days)
