"""How many statements what clients do all day may cost; each is a wait where the database is far away."""

from __future__ import annotations

import pytest

from davsamples import event
from enginedav import EngineDav
from tagwerk.dav.engine import DavEngine
from tagwerk.store.observed import ObservedEngine

HOME = "/anna/work/"


@pytest.fixture
def observed(world):
    return ObservedEngine(world.store, lambda _mode, _seconds: None)


@pytest.fixture
def counted_anna(world, observed, calendar):
    engine = DavEngine(observed, world.settings, clock=world.clock)
    return EngineDav("http://dav.example.org", "anna", engine=engine)


@pytest.mark.parametrize(
    ("request_", "most"),
    [
        (lambda anna: anna.put(f"{HOME}new.ics", event("new")), 9),
        (lambda anna: anna.put(f"{HOME}x.ics", event("x", summary="other")), 9),
        (lambda anna: anna.put(f"{HOME}x.ics", event("x")), 6),
        (lambda anna: anna.get(f"{HOME}x.ics"), 3),
        (lambda anna: anna.delete(f"{HOME}x.ics"), 9),
        (lambda anna: anna.propfind(HOME, "{http://calendarserver.org/ns/}getctag"), 3),
    ],
    ids=["PUT of a new object", "PUT of another", "PUT of the same", "GET", "DELETE", "poll"],
)
def test_a_request_asks_each_thing_once(observed, counted_anna, request_, most):
    assert counted_anna.put(f"{HOME}x.ics", event("x")).status == 201

    with observed.collecting() as queries:
        request_(counted_anna)

    assert len(queries.by_statement) <= most, list(queries.by_statement)
    assert queries.number <= most + 2, queries.by_statement
