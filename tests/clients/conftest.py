"""A user with what every new user has, and another device of theirs that changes things."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from enginedav import EngineDav, World, new_world
from tagwerk.model import Kind


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A database with anna, her calendar and her address book, and berta."""
    with new_world(tmp_path) as made:
        made.add_user("anna", display_name="Anna Müller", addresses=("anna@example.org",))
        made.add_user("berta", display_name="Berta Weiß", addresses=("berta@example.org",))
        made.add_collection("calendar")
        made.add_collection("contacts", Kind.ADDRESSBOOK)
        yield made


@pytest.fixture
def other(world: World) -> EngineDav:
    """Another device of anna's."""
    return world.client()
