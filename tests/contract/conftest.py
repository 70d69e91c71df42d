"""The store on every engine: a test that takes `url` or `store` runs once for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from store_samples import NOW

from tagwerk.model import Collection, Kind, Principal
from tagwerk.store import Engine, open_engine
from tagwerk.store.collections import create_collection, find_binding
from tagwerk.store.principals import add_principal


@pytest.fixture
def store(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    yield engine
    engine.close()


@pytest.fixture
def anna(store: Engine) -> Principal:
    with store.write() as txn:
        return add_principal(txn, "anna", now=NOW)


@pytest.fixture
def calendar(store: Engine, anna: Principal) -> Collection:
    with store.write() as txn:
        return create_collection(txn, anna.id, name="work", kind=Kind.CALENDAR, now=NOW).collection


@pytest.fixture
def current(store: Engine, calendar: Collection):
    """The calendar as it is now, inside a transaction."""

    def read(txn) -> Collection:
        binding = find_binding(txn, "anna", "work")
        assert binding is not None
        return binding.collection

    return read
