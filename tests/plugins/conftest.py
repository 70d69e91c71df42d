"""Stock Radicale on a new database."""

from __future__ import annotations

import pytest
from radicale.app import Application
from stock import HASH, NOW, Client, configured

from tagwerk.accounts.users import add_user
from tagwerk_radicale import engines


@pytest.fixture
def url(url):
    yield url
    engines.close_all()


@pytest.fixture
def engine(url):
    return engines.database_at(url).engine


@pytest.fixture
def start(url):
    """Make an application with changed options, and a client of it."""
    return lambda **changes: Client(Application(configured(url, changes)))


@pytest.fixture
def anna(engine, start):
    """A client of a user who has what every user has."""
    with engine.write() as txn:
        add_user(txn, "anna", now=NOW, password_hash=HASH)
        add_user(txn, "bert", now=NOW, password_hash=HASH)
    return start()
