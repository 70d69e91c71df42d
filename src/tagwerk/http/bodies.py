"""Request bodies: spooled, bounded, whatever way they come (RFC 9112 6)."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import IO

from anyio import to_thread
from starlette.types import Receive, Scope

from tagwerk.errors import BodyTooLarge, InvalidRequest

IN_MEMORY = 1024 * 1024
"""Bytes of one body that are kept in memory; what is more goes to a temporary file."""

_DRAIN = 256 * 1024 * 1024
"""Bytes of a refused body that are read on, so that the client gets to see the answer."""


class Body:
    """A request body that was received completely."""

    def __init__(self, small: bytes, file: IO[bytes] | None) -> None:
        self._small, self._file = small, file

    def read(self) -> bytes:
        """All of it."""
        if self._file is None:
            return self._small
        self._file.seek(0)
        return self._file.read()


@asynccontextmanager
async def read_body(scope: Scope, receive: Receive, *, limit: int) -> AsyncIterator[Body]:
    """Receive the body, chunked or not, at most `limit` bytes.

    Raises:
        BodyTooLarge: it is larger, by its header or when it came.
        InvalidRequest: the client went away before its end.
    """
    declared = _declared_length(scope)
    if declared > limit:
        if not _expects_continue(scope):
            await _drain(receive)
        raise BodyTooLarge(f"The request body has {declared} bytes; {limit} are allowed.")
    parts: list[bytes] = []
    size = 0
    file: IO[bytes] | None = None
    try:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise InvalidRequest("The client went away before the end of its request.")
            more = message.get("more_body", False)
            part = message.get("body", b"")
            size += len(part)
            if size > limit:
                if more:
                    await _drain(receive)
                raise BodyTooLarge(f"The request body has more than the {limit} bytes that are allowed.")
            if file is None and size > IN_MEMORY:
                file = tempfile.TemporaryFile(prefix="tagwerk-")  # noqa: SIM115 - closed below
                await to_thread.run_sync(file.writelines, parts)
                parts.clear()
            if file is None:
                parts.append(part)
            else:
                await to_thread.run_sync(file.write, part)
        yield Body(b"".join(parts), file)
    finally:
        if file is not None:
            file.close()


async def _drain(receive: Receive) -> None:
    size = 0
    while size < _DRAIN:
        message = await receive()
        size += len(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0


def _expects_continue(scope: Scope) -> bool:
    return any(name == b"expect" and value.lower() == b"100-continue" for name, value in scope["headers"])
