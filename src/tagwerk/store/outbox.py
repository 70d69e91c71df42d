"""The outbox: work that a change causes, written in the transaction of the change.

A job is done at least once: a worker takes it for a while, does it outside of any
transaction, and says what became of it.  If the worker dies, the while ends and another
one takes it.  So whatever does a job must not mind doing it twice; the key, which
goes with it, lets a receiver tell.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tagwerk.errors import NotFound
from tagwerk.model import PrincipalId
from tagwerk.store.engine import Row, Transaction, new_id

SERVER = PrincipalId(0)
"""Whose jobs are nobody's."""

WAITING, DONE, DEAD = "waiting", "done", "dead"

LEASE_SECONDS = 300
"""How long a worker has for a job before another one takes it."""

FIRST_PAUSE, LONGEST_PAUSE = 10, 6 * 3600
"""Seconds before a job that failed is tried again; they double."""

MOST_ATTEMPTS = 12
"""After so many a job is dead: about a day and a half."""

MOST_ERROR = 500

_COLUMNS = "principal_id, id, kind, key, payload, state, created, due, attempts, error"


@dataclass(frozen=True, slots=True)
class Job:
    """A row of the outbox; `created` and `due` are in seconds since 1970.

    `unreadable` is the payload as it is stored where that is no JSON object; then `payload` is empty.
    """

    principal: PrincipalId
    id: int
    kind: str
    key: str
    payload: Mapping[str, Any]
    state: str
    created: int
    due: int
    attempts: int
    error: str
    unreadable: str | None = None


def add_job(
    txn: Transaction,
    kind: str,
    *,
    key: str,
    payload: Mapping[str, Any],
    now: int,
    principal: PrincipalId = SERVER,
    due: int = 0,
) -> bool:
    """Write a job; False if one of this kind and key is there, done or not.

    `due` is when it may be done at the earliest, in seconds since 1970.
    """
    added = txn.execute(
        f"INSERT INTO outbox ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, 'waiting', ?, ?, 0, '')"
        " ON CONFLICT (principal_id, kind, key) DO NOTHING",
        (principal, new_id(), kind, key, json.dumps(payload), now, max(due, now)),
    )
    return added > 0


def take_job(txn: Transaction, kinds: Collection[str], *, now: int) -> Job | None:
    """The job of these kinds that has been due for longest, taken for `LEASE_SECONDS`; None if none is due.

    One that is due later than any pause could make it was written by a clock that went
    wrong since, and is due now.
    """
    if not kinds:
        return None
    while True:
        row = txn.row(
            f"SELECT {_COLUMNS} FROM outbox WHERE state = 'waiting' AND (due <= ? OR due > ?)"
            f" AND kind IN ({', '.join('?' * len(kinds))}) ORDER BY due LIMIT 1" + txn.skip_locked,
            (now, now + 2 * LONGEST_PAUSE, *kinds),
        )
        if row is None:
            return None
        job = _job(row)
        if job.unreadable is not None:
            fail_job(txn, job, f"What is to be done cannot be read: {job.unreadable}", now=now, last=True)
        elif job.attempts >= MOST_ATTEMPTS:
            # Nobody said how the last attempt ended: whoever does this job dies of it.
            fail_job(txn, job, job.error or "Every worker that took it died.", now=now)
        else:
            break
    txn.execute(
        "UPDATE outbox SET attempts = attempts + 1, due = ? WHERE principal_id = ? AND id = ?",
        (now + LEASE_SECONDS, job.principal, job.id),
    )
    return job


def finish_job(txn: Transaction, job: Job) -> None:
    """It is done; its row stays for its key until `forget_done`."""
    txn.execute(
        "UPDATE outbox SET state = 'done', error = '' WHERE principal_id = ? AND id = ?",
        (job.principal, job.id),
    )


def fail_job(txn: Transaction, job: Job, error: str, *, now: int, pause: int = 0, last: bool = False) -> bool:
    """It failed: it is tried again after `pause` seconds, or a pause that doubles each time.

    False if that was the last time; then it is dead until somebody retries or drops it.
    """
    attempts = job.attempts + 1
    dead = last or attempts >= MOST_ATTEMPTS
    pause = pause or min(FIRST_PAUSE * 2 ** (attempts - 1), LONGEST_PAUSE)
    txn.execute(
        "UPDATE outbox SET state = ?, due = ?, error = ? WHERE principal_id = ? AND id = ?",
        (DEAD if dead else WAITING, now + pause, error[:MOST_ERROR], job.principal, job.id),
    )
    return not dead


def jobs(txn: Transaction) -> Iterator[Job]:
    """Every job that is not done, those that are due first at the beginning."""
    return map(
        _job, txn.stream(f"SELECT {_COLUMNS} FROM outbox WHERE state <> 'done' ORDER BY state, due, id")
    )


def depths(txn: Transaction) -> tuple[int, int]:
    """How many jobs wait, and how many are dead."""
    found: dict[str, int] = dict(
        txn.rows("SELECT state, COUNT(*) FROM outbox WHERE state IN ('waiting', 'dead') GROUP BY state")
    )
    return found.get(WAITING, 0), found.get(DEAD, 0)


def retry_job(txn: Transaction, job: int, *, now: int) -> None:
    """Let a job be done now, as if it had never failed.

    Raises:
        NotFound: there is no such job, or it is done.
    """
    if not txn.execute(
        "UPDATE outbox SET state = 'waiting', due = ?, attempts = 0 WHERE id = ? AND state <> 'done'",
        (now, job),
    ):
        raise NotFound(f"There is no job {job}.")


def drop_job(txn: Transaction, job: int) -> None:
    """Forget a job that nobody has done.

    Raises:
        NotFound: there is no such job, or it is done.
    """
    if not txn.execute("DELETE FROM outbox WHERE id = ? AND state <> 'done'", (job,)):
        raise NotFound(f"There is no job {job}.")


def forget_done(txn: Transaction, *, before: int) -> int:
    """Forget the keys of jobs that were done and written before an instant; their number."""
    return txn.execute("DELETE FROM outbox WHERE state = 'done' AND created < ?", (before,))


def _job(row: Row) -> Job:
    principal, number, kind, key, payload, *rest = row
    try:
        read = json.loads(payload)
    except (ValueError, RecursionError):
        read = None
    readable = isinstance(read, dict)
    job = Job(PrincipalId(principal), number, kind, key, read if readable else {}, *rest)
    return job if readable else replace(job, unreadable=payload)
