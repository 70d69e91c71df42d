"""A database of its own for every test, on each engine, with anna in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from enginedav import EngineDav, World, new_world
from tagwerk.model import Kind


@pytest.fixture
def world(tmp_path: Path, url: str) -> Iterator[World]:
    """A database with the user anna, who has no calendar."""
    with new_world(tmp_path, url) as made:
        made.add_person("anna", display_name="Anna Müller", addresses=("anna@example.org",))
        yield made


@pytest.fixture
def dav(world: World) -> EngineDav:
    """A client of anna's."""
    return world.client()


@pytest.fixture
def calendar(world: World) -> str:
    """The path of an empty calendar of anna's, for every kind of component."""
    return world.add_collection("work")


@pytest.fixture
def book(world: World) -> str:
    """The path of an empty address book of anna's."""
    return world.add_collection("friends", Kind.ADDRESSBOOK)
