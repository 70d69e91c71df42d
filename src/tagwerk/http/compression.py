"""gzip for answers (RFC 9110 8.4, 12.5.3).

Answers with an ETag are left alone: a strong ETag names bytes, and clients send it
back in If-Match whatever encoding they got it with.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator

from anyio import to_thread
from starlette.types import Scope

LEVEL = 4
"""Multistatus compresses 8 to 1 here; higher levels cost much and save little."""


def wants_gzip(scope: Scope) -> bool:
    """Whether the client takes gzip."""
    for name, value in scope["headers"]:
        if name == b"accept-encoding":
            for choice in value.decode("latin-1").lower().split(","):
                coding, _, weight = choice.partition(";")
                if coding.strip() in ("gzip", "*"):
                    return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


async def compressed(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes as a gzip stream, as they come."""
    gzip = zlib.compressobj(LEVEL, wbits=16 + zlib.MAX_WBITS)
    async for part in parts:
        if len(part) > 64 * 1024:
            made = await to_thread.run_sync(gzip.compress, part)
        else:
            made = gzip.compress(part)
        if made:
            yield made
    yield gzip.flush()
