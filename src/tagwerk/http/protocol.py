"""HTTP/1.1 on a socket (RFC 9112): uvicorn's, with a bound on the head of a request.

The parser keeps a header that is not complete and copies it with every packet: one
connection could fill the memory and stop the event loop, without a login.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 128 * 1024
"""Bytes of a request line and its headers; what h11 and nginx take is less."""


class BoundedProtocol(HttpToolsProtocol):
    """Answers 400 to a request whose head does not end."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = False
        self._head = 0

    def data_received(self, data: bytes) -> None:
        self._head += len(data)
        super().data_received(data)
        if self._in_head and self._head > MAX_HEAD and not self.transport.is_closing():
            self.logger.warning("The head of a request has over %d bytes.", MAX_HEAD)
            self.send_400_response("The head of the request is too large.")

    def on_message_begin(self) -> None:
        self._in_head = True
        self._head = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()
