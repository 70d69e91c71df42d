"""Databases of other servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import mariadbserver


@pytest.fixture(scope="session")
def maria() -> Iterator[mariadbserver.MariaDb]:
    """A MariaDB server of this process."""
    with mariadbserver.running() as server:
        yield server
