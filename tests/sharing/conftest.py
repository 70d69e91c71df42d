"""A database of its own for every test, with anna in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from enginedav import EngineDav, World, new_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A database with the user anna, who has nothing."""
    with new_world(tmp_path) as made:
        made.add_user("anna", display_name="Anna Müller", addresses=("anna@example.org",))
        yield made


@pytest.fixture
def dav(world: World) -> EngineDav:
    """A client of anna's."""
    return world.client()
