"""What goes into the engine and what comes out: no server, no framework."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tagwerk.model import Rights


@dataclass(frozen=True, slots=True)
class Request:
    """One request of an authenticated user.

    `path` is still percent-encoded and without the prefix `base` under which the
    server is mounted, `public_url` says where clients reach it, or is empty; header names are in lower case; `user` is empty for nobody, and `rights`
    are those of their login.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    user: str = ""
    base: str = ""
    public_url: str = ""
    scheme: str = "http"
    query: str = ""
    rights: Rights = Rights.ALL

    def header(self, name: str, default: str = "") -> str:
        """The value of the header `name`, given in lower case."""
        return self.headers.get(name, default)


@dataclass(slots=True)
class Response:
    """Status, headers, and a body that is bytes or produced while it is sent.

    An iterator may hold a database snapshot: whoever does not read it to its end closes it.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | Iterator[bytes] = b""
