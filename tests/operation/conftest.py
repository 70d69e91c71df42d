"""Files that an administrator installs, and the program run as a service manager does."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def certificate(tmp_path_factory) -> tuple[Path, Path]:
    """A certificate and its key."""
    from tagwerk.http import tls

    made = tls.self_signed(tmp_path_factory.mktemp("certificate"), ["localhost", "127.0.0.1"])
    assert made.certificate is not None
    assert made.key is not None
    return made.certificate, made.key
