"""Files that an administrator installs, and the program run as a service manager does."""

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


@pytest.fixture(scope="session")
def certificate(tmp_path_factory) -> tuple[Path, Path]:
    """A certificate and its key."""
    from tagwerk.http import tls

    made = tls.self_signed(tmp_path_factory.mktemp("certificate"), ["localhost", "127.0.0.1"])
    assert made.certificate is not None
    assert made.key is not None
    return made.certificate, made.key
