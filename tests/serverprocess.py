"""The server as a process of its own, started and ended by its own id."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

START_SECONDS = 60.0
STOP_SECONDS = 30.0

_elsewhere: dict[Path, str] = {}

_URL = re.compile(rb"listens on (https?://\S+)")


def keep_in(data: Path, url: str) -> None:
    """Let whoever names this data folder from now on use the database at `url`."""
    _elsewhere[data] = url


def url_of(data: Path) -> str:
    """The URL of the database of a data folder."""
    return _elsewhere.get(data, f"sqlite://{data}/tagwerk.sqlite")


def _with_database(arguments: Iterable[str | Path]) -> list[str]:
    words = list(arguments)
    found = [_elsewhere[word] for word in words if isinstance(word, Path) and word in _elsewhere]
    return [*map(str, words), *(["--database", *found] if found else [])]


def tagwerk(
    *arguments: str | Path, stdin: str = "", check: bool = True, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command of the program and return what it said."""
    done = subprocess.run(
        [*command(), *_with_database(arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        env=environment() | dict(environ or {}),
        timeout=120,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


PROGRAM = "from tagwerk.cli.main import main; main()"


def command(code: str = PROGRAM) -> list[str]:
    """The program, in the interpreter that runs the tests."""
    return [sys.executable, "-c", code]


def environment() -> dict[str, str]:
    """Without anybody's settings or those of the machine, and without writing byte code beside the sources."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TAGWERK_")}
    return kept | {"PYTHONUNBUFFERED": "1", "TAGWERK_TRACEBACK": "1", "TAGWERK_CONFIG": ""}


@dataclass(slots=True)
class ServerProcess:
    """A running server; `log` is what it wrote to standard error."""

    data: Path
    process: subprocess.Popen[bytes]
    url: str
    log: Path
    _reader: threading.Thread = field(repr=False)
    _log: IO[bytes] = field(repr=False)

    @property
    def database_url(self) -> str:
        return url_of(self.data)

    def stop(self) -> int:
        """End it as systemd does, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._wait()

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self._wait()

    def _wait(self) -> int:
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._reader.join()
        self._log.close()
        return code


def start(
    data: Path, *arguments: str | Path, environ: Mapping[str, str] | None = None, code: str = PROGRAM
) -> ServerProcess:
    """Start a server on a free port and return once it listens; `code` is what its interpreter runs."""
    data.parent.mkdir(parents=True, exist_ok=True)
    log_path = data.with_name(data.name + ".log")
    log = log_path.open("ab")
    process = subprocess.Popen(
        [*command(code), *_with_database(("serve", "--data", data, "--port", "0", *arguments))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        env=environment() | dict(environ or {}),
    )
    found: list[str] = []
    ready = threading.Event()
    reader = threading.Thread(target=_read, args=(process, found, ready), daemon=True)
    reader.start()
    if not ready.wait(START_SECONDS) or not found:
        process.kill()
        process.wait()
        reader.join()
        log.close()
        raise AssertionError(f"The server did not start: {log_path.read_text()[-2000:]}")
    return ServerProcess(data, process, found[0], log_path, reader, log)


def _read(process: subprocess.Popen[bytes], found: list[str], ready: threading.Event) -> None:
    """Read standard output to its end, so that the server never waits for us."""
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            if match := _URL.search(line):
                found.append(match.group(1).decode())
                ready.set()
    ready.set()
