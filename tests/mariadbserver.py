"""A throw-away MariaDB of Debian's package, run by a user who is not root."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from postgrescluster import free_port

_SETTINGS = (
    "--no-defaults",
    "--bind-address=127.0.0.1",
    "--innodb-buffer-pool-size=32M",
    "--innodb-log-file-size=16M",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--max-allowed-packet=64M",
    "--skip-log-bin",
    "--character-set-server=utf8mb4",
)
READER = "reader"
PASSWORD = "p@ss: wörd/"


@dataclass(frozen=True, slots=True)
class MariaDb:
    """A running server on a socket and a port of the loopback; `root` has no password on the socket."""

    socket: Path
    port: int

    def connect(self, database: str | None = None) -> Any:
        import pymysql

        return pymysql.connect(
            unix_socket=str(self.socket), user="root", database=database, charset="utf8mb4", autocommit=True
        )

    def query(self, statement: str) -> None:
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(statement)


def binary(name: str) -> str:
    """The path of a program of the package; skips the test where there is none."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/bin")
    if found is None:
        pytest.skip("needs package mariadb-server")
    return found


@contextmanager
def running() -> Iterator[MariaDb]:
    """A new server, ended and removed at the end of the block."""
    server, install = binary("mariadbd"), binary("mariadb-install-db")
    # The socket's path must be short, whatever the folder of the tests.
    folder = Path(tempfile.mkdtemp(prefix="tagwerk-"))
    account = ()
    if os.geteuid() == 0:
        shutil.chown(folder, "mysql", "mysql")
        account = ("--user=mysql",)
    data, maria = folder / "data", MariaDb(folder / "socket", free_port())
    subprocess.run(
        [
            install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal",
            "--skip-test-db", *account,
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )  # fmt: skip
    process = subprocess.Popen(
        [
            server,
            *_SETTINGS,
            f"--datadir={data}",
            f"--socket={maria.socket}",
            f"--port={maria.port}",
            *account,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(maria, process)
        maria.query("DROP USER IF EXISTS ''@'localhost'")
        maria.query(f"CREATE USER '{READER}'@'%' IDENTIFIED BY '{PASSWORD}'")
        maria.query(f"GRANT SELECT ON *.* TO '{READER}'@'%'")
        yield maria
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(maria: MariaDb, process: subprocess.Popen[bytes]) -> None:
    import pymysql

    for _ in range(300):
        assert process.poll() is None, "MariaDB has ended"
        try:
            if maria.socket.exists():
                maria.connect().close()
                return
        except pymysql.OperationalError:
            pass
        time.sleep(0.1)
    raise AssertionError("MariaDB does not answer")
