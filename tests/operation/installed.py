"""Programs of the system that the tests ask, and the examples that are for them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"

_MODULES = (
    "mpm_event",
    "ssl",
    "http2",
    "proxy",
    "proxy_http",
    "headers",
    "alias",
    "authz_core",
    "socache_shmcb",
)
APACHE_MODULES = "".join(
    f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in _MODULES
)


def program(name: str, package: str) -> str:
    """The path of a program of the system; skips without it."""
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None:
        pytest.skip(f"needs package {package}")
    return found


def example(name: str, certificate: tuple[Path, Path]) -> str:
    """An example with a certificate that is there."""
    text = (CONFIG / name).read_text()
    folder = "/etc/letsencrypt/live/calendar.example.com"
    return text.replace(f"{folder}/fullchain.pem", str(certificate[0])).replace(
        f"{folder}/privkey.pem", str(certificate[1])
    )
