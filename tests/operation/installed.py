"""Programs of the system that the tests ask."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def program(name: str, package: str) -> str:
    """The path of a program of the system; skips without it."""
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None:
        pytest.skip(f"needs package {package}")
    return found
