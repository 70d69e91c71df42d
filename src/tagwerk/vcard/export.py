"""Many cards as one stream (RFC 6350 3.3: a vCard stream is one card behind the other)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def merge(objects: Iterable[bytes]) -> Iterator[bytes]:
    """The cards as they are stored, each beginning on a new line, and all lines ending with CRLF."""
    for content in objects:
        if content.count(b"\n") != content.count(b"\r\n"):
            content = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        yield content.strip() + b"\r\n"
