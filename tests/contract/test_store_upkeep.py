"""What a server forgets."""

from __future__ import annotations

import pytest
from store_samples import NOW, event

from tagwerk.cli.upkeep import DAY, do_upkeep, plan_upkeep
from tagwerk.errors import SyncTokenInvalid
from tagwerk.model import Kind
from tagwerk.settings import Retention
from tagwerk.store.check import counts
from tagwerk.store.collections import create_collection
from tagwerk.store.objects import put_object, remove_object
from tagwerk.store.outbox import jobs
from tagwerk.store.sync import changes_since, current_token
from tagwerk.store.upkeep import forget_removals


@pytest.fixture
def two(store, anna, calendar):
    """Two calendars with a removal each, one a day older than the other."""
    with store.write() as txn:
        other = create_collection(txn, anna.id, name="other", kind=Kind.CALENDAR, now=NOW).collection
        for collection, when in ((calendar, NOW), (other, NOW + DAY)):
            put_object(txn, collection.id, "a.ics", upload=event("a"), now=when)
            put_object(txn, collection.id, "b.ics", upload=event("b"), now=when)
            remove_object(txn, collection.id, "a.ics", now=when)
    return calendar, other


def test_only_old_removals_are_forgotten(store, two, current):
    with store.read() as txn:
        token = current_token(current(txn))

    forgotten = forget_removals(store, before=NOW + 1)

    with store.read() as txn:
        assert (forgotten, counts(txn).tombstones, counts(txn).objects) == (1, 1, 2)
        assert changes_since(txn, current(txn), token, limit=10).changed == []


def test_a_token_from_before_a_forgotten_removal_is_refused(store, two, current):
    forget_removals(store, before=NOW + 1)

    with store.read() as txn:
        collection = current(txn)
        token = current_token(two[0])
        with pytest.raises(SyncTokenInvalid):
            changes_since(txn, collection, token, limit=10)


def test_a_database_without_old_removals_is_not_written(store, two):
    assert forget_removals(store, before=NOW) == 0


def test_a_server_forgets_after_the_days_that_are_set(store, two):
    do_upkeep(store, Retention(tombstone_days=36500, audit_days=36500))
    with store.read() as txn:
        before = counts(txn).tombstones
    do_upkeep(store, Retention(tombstone_days=90, audit_days=90))

    with store.read() as txn:
        assert (before, counts(txn).tombstones) == (2, 0)


def test_upkeep_is_planned_once_a_day_however_often_a_server_starts(store):
    plan_upkeep(store)
    plan_upkeep(store)
    do_upkeep(store, Retention(tombstone_days=90, audit_days=90))

    with store.read() as txn:
        days = [job.key for job in jobs(txn)]
    assert len(days) == 2
    assert days == sorted(days)
