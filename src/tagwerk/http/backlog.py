"""Long answers: made as fast as the database gives them, and taken as fast as the client reads.

Whoever makes one keeps its thread and its snapshot until all of it is made, and no
longer.  So no client that reads slowly keeps a connection of the database from others.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from typing import IO

from anyio import to_thread

PIECE = 256 * 1024
"""Bytes of an answer that are made and sent at a time, and collected before it is streamed at all."""

IN_MEMORY = 4
"""Pieces of one answer that wait in memory; what is more goes to a temporary file."""


class Backlog:
    """What is made of one answer and not yet taken.  One thread adds to it, one task takes from it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, begun: bytes, rest: Iterator[bytes]) -> None:
        self._loop, self._rest = loop, rest
        self._news = asyncio.Event()
        self._pieces = deque([begun])
        self._lock = threading.Lock()
        self._file: IO[bytes] | None = None
        self._written = self._read = 0
        self._made = False
        self._unwanted = False
        self._failure: Exception | None = None

    def fill(self) -> None:
        """Make the rest, unless nobody wants it any more; called in a worker thread."""
        try:
            try:
                while not self._unwanted and (piece := gathered(self._rest)):
                    self._add(piece)
                    self._loop.call_soon_threadsafe(self._news.set)
            finally:
                close_body(self._rest)
        except Exception as error:
            self._failure = error
        finally:
            if self._unwanted:
                self._forget()
            self._made = True
            self._loop.call_soon_threadsafe(self._news.set)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The answer, to its end or to where it failed."""
        while True:
            self._news.clear()
            made = self._made
            if self._pieces:
                yield self._pieces.popleft()
            elif self._read < self._written:
                yield await to_thread.run_sync(self._from_file)
            elif not made:
                await self._news.wait()
            elif self._failure is not None:
                raise self._failure
            else:
                return

    def give_up(self) -> None:
        """Nobody takes it: what is still to be made is not made."""
        self._unwanted = True

    async def aclose(self) -> None:
        """Give up what was not taken; returns when nothing is held for it any more."""
        self.give_up()
        while not self._made:
            self._news.clear()
            await self._news.wait()
        self._forget()

    def _add(self, piece: bytes) -> None:
        with self._lock:
            if self._read == self._written and len(self._pieces) < IN_MEMORY:
                self._pieces.append(piece)
                return
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="tagwerk-")  # noqa: SIM115 - `_forget` closes it
            self._file.seek(self._written)
            self._file.write(piece)
            self._written += len(piece)

    def _from_file(self) -> bytes:
        assert self._file is not None
        with self._lock:
            self._file.seek(self._read)
            piece = self._file.read(PIECE)
            self._read += len(piece)
            if self._read == self._written:
                self._file.truncate(0)
                self._read = self._written = 0
            return piece

    def _forget(self) -> None:
        if self._file is not None:
            self._file.close()


def gathered(parts: Iterator[bytes]) -> bytes:
    """The next parts, as many as are worth a change of threads; nothing at the end."""
    begun: list[bytes] = []
    size = 0
    for part in parts:
        begun.append(part)
        size += len(part)
        if size >= PIECE:
            break
    return b"".join(begun)


def close_body(parts: object) -> None:
    """Give up what a body holds that nobody reads to its end."""
    close = getattr(parts, "close", None)
    if close is not None:
        close()
