"""The queue of SQLite's writers: processes that want to write take turns.

SQLite lets whoever asks at the right moment write, and the others ask again after a
while: a busy process would keep another one waiting until it gives up.  So whoever wants
to write first gets in line: it waits for the place behind the writer, and only who has
that place waits for the writer to end.  Whoever has written goes to the end of the line.

Both are locks on bytes of a file beside the database, which the kernel takes back from a
process that dies (open file description locks, Linux's fcntl(2)).
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tagwerk.errors import DatabaseUnavailable

_TURN, _NEXT = 0, 1
_SET = getattr(fcntl, "F_OFD_SETLK", None)
_SHORTEST, _LONGEST = 0.0002, 0.002


class Queue:
    """A place in line for one process; its threads wait for each other before."""

    def __init__(self, database: Path, *, patience: float) -> None:
        self._database, self._patience = database, patience
        self._file: int | None = None
        if _SET is not None:
            try:
                self._file = os.open(f"{database}-queue", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                if os.geteuid() == 0 and database.exists():
                    # As SQLite does with its own files: root may come first, and the server has to be let in.
                    owner = os.stat(database)
                    os.fchown(self._file, owner.st_uid, owner.st_gid)
            except OSError:
                # Where nothing can be made nothing can be written either; the database says so better.
                self._file = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold it while writing.

        Raises:
            DatabaseUnavailable: it did not come within `patience` seconds.
        """
        if self._file is None:
            yield
            return
        deadline = time.monotonic() + self._patience
        self._wait(_NEXT, deadline)
        try:
            self._wait(_TURN, deadline)
        finally:
            self._lock(_NEXT, fcntl.F_UNLCK)
        try:
            yield
        finally:
            self._lock(_TURN, fcntl.F_UNLCK)

    def close(self) -> None:
        """Leave the line."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _wait(self, byte: int, deadline: float) -> None:
        pause = _SHORTEST
        while not self._lock(byte, fcntl.F_WRLCK):
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(f"The database {self._database} is busy; try again in a moment.")
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST)

    def _lock(self, byte: int, kind: int) -> bool:
        assert _SET is not None
        assert self._file is not None
        wanted = struct.pack("hhqqi4x", kind, os.SEEK_SET, byte, 1, 0)
        try:
            fcntl.fcntl(self._file, _SET, wanted)
        except BlockingIOError:
            return False
        return True
