"""Jobs: whoever takes them from the outbox and does them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from tagwerk.errors import TagwerkError
from tagwerk.store import Engine
from tagwerk.store.engine import run
from tagwerk.store.outbox import Job, fail_job, finish_job, take_job

log = logging.getLogger(__name__)

Handler = Callable[[Job], None]
"""Does a job, at least once for each; a `TagwerkError` says in a sentence why it could not."""

POLL_SECONDS = 1.0
"""How long a new job may wait for a worker that has nothing to do."""

REST_SECONDS = 30.0
"""How long a worker does nothing after a mistake of ours, which would fill the log."""


class JobWorker:
    """Does the jobs of the kinds that it has handlers for, one after the other.

    `plan` writes down what is to be done every day, before anything else, once the database takes it.
    """

    def __init__(
        self,
        engine: Engine,
        handlers: Mapping[str, Handler],
        *,
        plan: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine, self._handlers, self._plan, self._clock = engine, handlers, plan, clock

    def run(self, stopped: threading.Event) -> None:
        """Work until `stopped`; a job that was begun is finished."""
        away = planned = False
        while not stopped.is_set():
            try:
                if not planned:
                    self._plan()
                    planned = True
                worked = self.do_one()
                away = False
            except TagwerkError as error:
                if not away:
                    log.warning("No jobs are done: %s", error)
                away, worked = True, False
            except Exception:
                log.exception("The jobs rest for %d seconds.", REST_SECONDS)
                stopped.wait(REST_SECONDS)
                continue
            if not worked:
                stopped.wait(POLL_SECONDS)

    def do_one(self) -> bool:
        """Do the next job that is due; False if there is none.

        Raises:
            TagwerkError: the database cannot be used.
        """
        job = run(self._engine, lambda txn: take_job(txn, self._handlers.keys(), now=self._now()))
        if job is None:
            return False
        try:
            self._handlers[job.kind](job)
        except Exception as error:
            self._fail(job, error)
        else:
            run(self._engine, lambda txn: finish_job(txn, job))
        return True

    def _fail(self, job: Job, error: Exception) -> None:
        if not isinstance(error, TagwerkError):
            log.error("Job %d (%s) failed.", job.id, job.kind, exc_info=error)
        said = str(error) if isinstance(error, TagwerkError) else f"{type(error).__name__}: {error}"
        again = run(self._engine, lambda txn: fail_job(txn, job, said, now=self._now()))
        if not again:
            log.error(
                "Job %d (%s) is given up after %d attempts: %s", job.id, job.kind, job.attempts + 1, said
            )

    def _now(self) -> int:
        return int(self._clock())


@contextmanager
def at_work(worker: JobWorker) -> Iterator[None]:
    """Let it work in a thread of its own until the end of the block."""
    stopped = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stopped,), name="jobs")
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
