"""The outbox: jobs are written with the change, done at least once, tried again, and given up visibly."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from store_samples import NOW

from tagwerk.errors import NotFound, Unavailable
from tagwerk.jobs import JobWorker, at_work
from tagwerk.store import open_engine
from tagwerk.store.outbox import (
    DEAD,
    LEASE_SECONDS,
    LONGEST_PAUSE,
    MOST_ATTEMPTS,
    add_job,
    depths,
    drop_job,
    fail_job,
    finish_job,
    forget_done,
    jobs,
    retry_job,
    take_job,
)


def add(store, key="1", *, kind="mail", **more):
    with store.write() as txn:
        return add_job(txn, kind, key=key, payload={"to": key}, now=NOW, **more)


def take(store, now=NOW, kinds=("mail",)):
    with store.write() as txn:
        return take_job(txn, kinds, now=now)


def left(store):
    with store.read() as txn:
        return list(jobs(txn))


def test_a_job_is_written_with_the_change_or_not_at_all(store):
    with pytest.raises(LookupError), store.write() as txn:
        add_job(txn, "mail", key="1", payload={}, now=NOW)
        raise LookupError

    assert left(store) == []
    assert add(store)
    assert [(job.key, job.payload) for job in left(store)] == [("1", {"to": "1"})]


def test_the_same_key_is_one_job_even_after_it_was_done(store):
    assert add(store)
    assert not add(store)
    job = take(store)
    with store.write() as txn:
        finish_job(txn, job)

    assert not add(store)
    assert left(store) == []
    with store.write() as txn:
        assert forget_done(txn, before=NOW + 1) == 1
    assert add(store)


def test_a_job_that_was_taken_is_nobody_elses_until_its_worker_must_be_dead(store):
    add(store)

    first, second = take(store), take(store)
    later = take(store, NOW + LEASE_SECONDS)

    assert (first.key, second, later.key) == ("1", None, "1")
    assert later.attempts == 1


def test_the_one_that_is_due_for_longest_comes_first_and_none_before_its_time(store):
    add(store, "late", due=NOW + 100)
    add(store, "soon", due=NOW + 50)

    assert take(store) is None
    assert [take(store, NOW + 100).key for _ in range(2)] == ["soon", "late"]


def test_a_job_of_an_unknown_kind_is_left_for_who_knows_it(store):
    add(store, kind="push")

    assert take(store) is None
    assert take(store, kinds=("push", "mail")).kind == "push"
    assert take(store, kinds=()) is None


def test_a_job_that_fails_is_tried_again_after_pauses_that_double(store):
    add(store)
    now, pauses = NOW, []

    for _ in range(MOST_ATTEMPTS - 1):
        job = take(store, now)
        with store.write() as txn:
            assert fail_job(txn, job, "no answer", now=now)
        (failed,) = left(store)
        pauses.append(failed.due - now)
        now = failed.due

    assert pauses == sorted(pauses)
    assert pauses[:3] == [10, 20, 40]
    assert pauses[-1] <= LONGEST_PAUSE
    job = take(store, now)
    with store.write() as txn:
        assert not fail_job(txn, job, "no answer", now=now)
    (dead,) = left(store)
    assert (dead.state, dead.error) == (DEAD, "no answer")
    assert take(store, now + 10 * LONGEST_PAUSE) is None


def test_a_dead_job_is_retried_or_dropped_by_a_person(store):
    add(store, "a")
    add(store, "b")
    for _ in range(2):
        job = take(store)
        with store.write() as txn:
            txn.execute("UPDATE outbox SET attempts = ? WHERE id = ?", (MOST_ATTEMPTS - 1, job.id))
            fail_job(txn, take_again(job), "gone", now=NOW)
    dead = left(store)

    with store.write() as txn:
        retry_job(txn, dead[0].id, now=NOW)
        drop_job(txn, dead[1].id)

    assert take(store).id == dead[0].id
    assert [job.id for job in left(store)] == [dead[0].id]
    with pytest.raises(NotFound), store.write() as txn:
        retry_job(txn, dead[1].id, now=NOW)


def take_again(job):
    import dataclasses

    return dataclasses.replace(job, attempts=MOST_ATTEMPTS - 1)


def test_a_job_of_which_every_worker_dies_is_given_up(store):
    add(store)
    now = NOW
    while (job := take(store, now)) is not None:
        now += LEASE_SECONDS
        assert job.attempts < MOST_ATTEMPTS

    (dead,) = left(store)
    assert (dead.state, dead.attempts) == (DEAD, MOST_ATTEMPTS)
    assert "died" in dead.error


@pytest.mark.parametrize("payload", ["{bad", "", "[1]", "null"])
def test_a_job_that_cannot_be_read_is_given_up_and_keeps_nobody_up(store, payload):
    add(store, "bad")
    add(store, "good", due=NOW + 1)
    with store.write() as txn:
        txn.execute("UPDATE outbox SET payload = ? WHERE key = 'bad'", (payload,))

    taken = take(store, NOW + 1)

    assert taken.key == "good"
    (dead,) = (job for job in left(store) if job.state == DEAD)
    assert (dead.key, dead.payload, dead.unreadable) == ("bad", {}, payload)
    assert dead.error == f"What is to be done cannot be read: {payload}"


def test_what_waits_and_what_is_dead_is_counted_and_not_what_is_done(store):
    for key in ("done", "dead", "a", "b"):
        add(store, key)
    with store.write() as txn:
        first, second = take_job(txn, ["mail"], now=NOW), take_job(txn, ["mail"], now=NOW)
        finish_job(txn, first)
        fail_job(txn, second, "gone", now=NOW, last=True)

    with store.read() as txn:
        assert depths(txn) == (2, 1)


def test_a_clock_that_jumped_back_does_not_hold_a_job_for_years(store):
    add(store, due=NOW + 10 * 365 * 86400)

    assert take(store).key == "1"


def test_workers_side_by_side_take_each_job_once(store, url):
    for number in range(40):
        add(store, str(number))
    engines = [store, *(open_engine(url) for _ in range(3))]
    done, lock = [], threading.Lock()

    def do(job):
        with lock:
            done.append(job.key)

    def work(engine):
        worker = JobWorker(engine, {"mail": do}, clock=lambda: NOW)
        while worker.do_one():
            pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, engines))

    for engine in engines[1:]:
        engine.close()
    assert sorted(done, key=int) == [str(number) for number in range(40)]
    assert left(store) == []


def test_a_handler_that_fails_says_why_and_keeps_nobody_up(store, caplog):
    add(store, "a")
    add(store, "b")

    def do(job):
        if job.key == "a":
            raise Unavailable("The mail server does not answer.")
        raise ZeroDivisionError("a mistake")

    worker = JobWorker(store, {"mail": do}, clock=lambda: NOW)

    assert [worker.do_one() for _ in range(3)] == [True, True, False]
    assert sorted(job.error for job in left(store)) == [
        "The mail server does not answer.",
        "ZeroDivisionError: a mistake",
    ]
    assert "a mistake" in caplog.text


def test_a_worker_outlives_a_mistake_of_ours(store, caplog, monkeypatch):
    monkeypatch.setattr("tagwerk.jobs.REST_SECONDS", 0.01)
    add(store)
    done = threading.Event()
    wrong = iter([1, 1])

    def clock():
        if next(wrong, 0):
            raise ZeroDivisionError("a mistake")
        return NOW

    with at_work(JobWorker(store, {"mail": lambda job: done.set()}, clock=clock)):
        assert done.wait(20)

    assert "a mistake" in caplog.text
