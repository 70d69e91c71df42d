"""Stock Radicale beside the server, on its database."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from serverprocess import ServerProcess

CONFIG = Path(__file__).resolve().parents[2] / "config" / "radicale.ini"


@pytest.fixture(scope="module")
def radicale_url(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Stock Radicale with our plugins, on the server's data folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("radicale") / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "radicale", "--config", str(CONFIG), "--hosts", f"127.0.0.1:{port}"],
            env=os.environ | {"TAGWERK_DATABASE": server.database_url},
            stdout=output,
            stderr=output,
        )
    try:
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(30)
    assert "Traceback" not in log.read_text()
