"""Synchronization: whoever follows the tokens ends with exactly what is there (RFC 6578)."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_samples import NOW, event

from tagwerk.errors import SyncTokenInvalid
from tagwerk.model import Kind, Modseq, SyncToken
from tagwerk.store import open_engine
from tagwerk.store.collections import create_collection, find_binding
from tagwerk.store.history import delete_collection
from tagwerk.store.objects import etags, put_object, remove_object
from tagwerk.store.principals import add_principal
from tagwerk.store.sync import changes_since, current_token, parse_token, prune_tombstones


def put(store, calendar, uid, *, summary="Meeting", now=NOW):
    with store.write() as txn:
        put_object(txn, calendar.id, f"{uid}.ics", upload=event(uid, summary=summary), now=now)


def remove(store, calendar, uid, *, now=NOW):
    with store.write() as txn:
        remove_object(txn, calendar.id, f"{uid}.ics", now=now)


def changes(store, current, token=None, *, limit=100):
    with store.read() as txn:
        found = changes_since(txn, current(txn), token, limit=limit)
    return [name for name, _ in found.changed], found.removed, found.token, found.truncated


def test_a_first_sync_names_what_is_there_and_nothing_that_is_gone(store, calendar, current):
    put(store, calendar, "a")
    put(store, calendar, "b")
    remove(store, calendar, "a")

    changed, removed, _, truncated = changes(store, current)

    assert (changed, removed, truncated) == (["b.ics"], [], False)


def test_sync_names_an_object_once_whatever_happened_to_it(store, calendar, current):
    put(store, calendar, "a")
    put(store, calendar, "b")
    _, _, seen, _ = changes(store, current)
    put(store, calendar, "b", summary="changed")
    put(store, calendar, "b", summary="changed again")
    remove(store, calendar, "a")

    changed, removed, _, _ = changes(store, current, seen)

    assert changed == ["b.ics"]
    assert removed == ["a.ics"]


def test_nothing_happened_is_an_empty_answer_with_the_same_token(store, calendar, current):
    put(store, calendar, "a")
    _, _, seen, _ = changes(store, current)

    changed, removed, token, truncated = changes(store, current, seen)

    assert (changed, removed, truncated) == ([], [], False)
    assert token == seen


def test_an_object_that_came_and_went_is_named_as_removed_or_not_at_all(store, calendar, current):
    _, _, seen, _ = changes(store, current)
    put(store, calendar, "a")
    remove(store, calendar, "a")

    changed, removed, _, _ = changes(store, current, seen)

    assert changed == []
    assert removed in ([], ["a.ics"])


def test_a_removal_is_named_in_a_first_sync_that_has_named_the_object(store, calendar, current):
    for uid in ("a", "b", "c"):
        put(store, calendar, uid)
    first, _, token, truncated = changes(store, current, limit=1)
    remove(store, calendar, "a")

    names, gone = list(first), []
    while truncated:
        changed, removed, token, truncated = changes(store, current, token, limit=1)
        names += changed
        gone += removed

    assert first == ["a.ics"]
    assert sorted(names) == ["a.ics", "b.ics", "c.ics"]
    assert gone == ["a.ics"]


def test_a_token_reads_as_it_is_written():
    for token in (SyncToken("0a", Modseq(5)), SyncToken("0a", Modseq(5), Modseq(9))):
        assert parse_token(str(token)) == token


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "data:,1",
        "http://example.com/ns/sync/1",
        "urn:tagwerk:sync:xyz:1",
        "urn:tagwerk:sync:0a:",
        "\0",
    ],
)
def test_what_is_no_token_of_ours_is_refused(text):
    with pytest.raises(SyncTokenInvalid) as caught:
        parse_token(text)

    assert caught.value.condition == "{DAV:}valid-sync-token"


def test_a_token_of_the_future_is_refused(store, calendar, current):
    with store.read() as txn:
        collection = current(txn)

    with pytest.raises(SyncTokenInvalid):
        changes(store, current, SyncToken(collection.epoch, Modseq(collection.modseq + 1)))


def test_a_token_of_a_deleted_collection_does_not_fit_the_next_of_that_name(store, anna, calendar, current):
    put(store, calendar, "a")
    _, _, seen, _ = changes(store, current)
    with store.write() as txn:
        delete_collection(txn, calendar.id)
        create_collection(txn, anna.id, name="work", kind=Kind.CALENDAR, now=NOW)

    with pytest.raises(SyncTokenInvalid):
        changes(store, current, seen)


def test_pruning_makes_only_older_tokens_invalid(store, calendar, current):
    put(store, calendar, "a")
    _, _, old, _ = changes(store, current)
    remove(store, calendar, "a", now=NOW)
    _, _, recent, _ = changes(store, current)
    put(store, calendar, "b", now=NOW + 1)

    with store.write() as txn:
        pruned = prune_tombstones(txn, calendar.id, before=NOW + 1)

    assert pruned == 1
    assert changes(store, current, recent)[0] == ["b.ics"]
    with pytest.raises(SyncTokenInvalid):
        changes(store, current, old)


def test_pruning_without_removals_changes_nothing(store, calendar, current):
    put(store, calendar, "a")
    _, _, seen, _ = changes(store, current)

    with store.write() as txn:
        pruned = prune_tombstones(txn, calendar.id, before=NOW + 10**9)

    assert pruned == 0
    assert changes(store, current, seen)[0] == []


def test_the_current_token_is_that_of_the_last_change(store, calendar, current):
    put(store, calendar, "a")

    _, _, token, _ = changes(store, current)

    with store.read() as txn:
        assert current_token(current(txn)) == token


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 5), st.integers(0, 3)),
        st.tuples(st.just("remove"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("sync"), st.integers(0, 2), st.integers(1, 4)),
        st.tuples(st.just("prune"), st.just(0), st.just(0)),
    ),
    max_size=40,
)


class Follower:
    """A client that keeps what the answers tell."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}
        self.token: SyncToken | None = None

    def page(self, txn, collection, limit: int) -> bool:
        try:
            found = changes_since(txn, collection, self.token, limit=limit)
        except SyncTokenInvalid:
            self.known, self.token = {}, None
            return True
        self.known.update(found.changed)
        for name in found.removed:
            self.known.pop(name, None)
        self.token = parse_token(str(found.token))
        return found.truncated


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_every_follower_ends_with_what_is_there(new_url, steps):
    with new_url() as url:
        follow_through(url, steps)


def follow_through(url, steps):
    engine = open_engine(url)
    with engine.write() as txn:
        owner = add_principal(txn, "anna", now=NOW)
        create_collection(txn, owner.id, name="work", kind=Kind.CALENDAR, now=NOW)
    followers = [Follower() for _ in range(3)]

    for clock, (what, which, detail) in enumerate(steps):
        with engine.write() as txn:
            collection = find_binding(txn, "anna", "work").collection
            there = dict(etags(txn, collection.id))
            if what == "put":
                upload = event(str(which), summary=str(detail))
                put_object(txn, collection.id, f"{which}.ics", upload=upload, now=clock)
            elif what == "remove" and f"{which}.ics" in there:
                remove_object(txn, collection.id, f"{which}.ics", now=clock)
            elif what == "prune":
                prune_tombstones(txn, collection.id, before=clock)
            elif what == "sync":
                followers[which].page(txn, collection, detail)
    with engine.read() as txn:
        collection = find_binding(txn, "anna", "work").collection
        there = dict(etags(txn, collection.id))
        for follower in followers:
            while follower.page(txn, collection, 2):
                pass
    engine.close()

    assert [follower.known for follower in followers] == [there] * 3
