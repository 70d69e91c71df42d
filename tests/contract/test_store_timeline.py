"""After a failover the collections that were changed last begin a new history."""

from __future__ import annotations

import time

import pytest
from store_samples import event

from tagwerk.errors import SyncTokenInvalid
from tagwerk.model import Kind
from tagwerk.store import open_engine
from tagwerk.store.collections import create_collection, find_binding
from tagwerk.store.objects import etags, put_object
from tagwerk.store.schema import meta, set_meta
from tagwerk.store.sync import changes_since, current_token
from tagwerk.store.timeline import TIMELINE, renew

pytestmark = pytest.mark.parametrize("any_engine", ["postgresql"], indirect=True)


@pytest.fixture
def two(store, anna):
    """A calendar that was changed now, and one that was not for a day."""
    made = {}
    for name, when in (("fresh", int(time.time())), ("old", int(time.time()) - 86400)):
        with store.write() as txn:
            made[name] = create_collection(txn, anna.id, name=name, kind=Kind.CALENDAR, now=when).collection
            put_object(txn, made[name].id, "a.ics", upload=event("a"), now=when)
    return made


def binding(txn, name):
    return find_binding(txn, "anna", name).collection


def test_a_token_of_what_may_be_lost_is_refused_and_others_stay(store, two):
    with store.read() as txn:
        tokens = {name: current_token(binding(txn, name)) for name in two}

    with store.write() as txn:
        assert renew(txn) == 1

    with store.read() as txn:
        with pytest.raises(SyncTokenInvalid, match="another history"):
            changes_since(txn, binding(txn, "fresh"), tokens["fresh"], limit=10)
        assert changes_since(txn, binding(txn, "old"), tokens["old"], limit=10).changed == []
        assert len(list(etags(txn, two["fresh"].id))) == 1


def test_the_first_connection_to_another_timeline_renews_and_the_next_ones_do_not(store, url, two):
    with store.write() as txn:
        assert len(meta(txn, TIMELINE)) == 8
        set_meta(txn, TIMELINE, "00000000")
        before = binding(txn, "fresh").epoch

    for _ in range(2):
        engine = open_engine(url)
        with engine.read() as txn:
            after = binding(txn, "fresh").epoch
            assert meta(txn, TIMELINE) != "00000000"
        engine.close()
        assert after != before
        before_second = after

    with store.read() as txn:
        assert binding(txn, "fresh").epoch == before_second
        assert binding(txn, "old").epoch == two["old"].epoch


def test_the_same_timeline_changes_nothing(store, url, two):
    open_engine(url).close()

    with store.read() as txn:
        assert binding(txn, "fresh").epoch == two["fresh"].epoch
