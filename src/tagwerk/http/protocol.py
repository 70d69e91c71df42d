"""HTTP/1.1 on a socket (RFC 9112): uvicorn's, with a bound on the head of a request.

The parser keeps a header that is not complete and copies it with every packet: one
connection could fill the memory and stop the event loop, without a login.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tagwerk.http.proxies import CERTIFICATE

MAX_HEAD = 128 * 1024
"""Bytes of a request line and its headers; what h11 and nginx take is less."""


FIRST_REQUEST_SECONDS = 2.0
"""How long a server that ends waits for the first request of a connection it has accepted."""


class BoundedProtocol(HttpToolsProtocol):
    """Answers 400 to a request whose head does not end, and whoever was let in before the server ends."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = False
        self._head = 0
        self._certificate = b""
        self._ending = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        encrypted = transport.get_extra_info("ssl_object")
        if encrypted is not None:
            # Verified by TLS against [tls] client_ca, or not asked for.
            self._certificate = encrypted.getpeercert(binary_form=True) or b""

    def shutdown(self) -> None:
        """The server ends.  A connection that was just accepted still gets an answer to what it sends."""
        if self._never_asked() and not self.transport.is_closing():
            self._ending = True
            self.loop.call_later(FIRST_REQUEST_SECONDS, self._end)
        else:
            super().shutdown()

    def _end(self) -> None:
        if self._never_asked():
            self.transport.close()

    def _never_asked(self) -> bool:
        cycle: Any = self.cycle  # None until the first request, whatever its annotation says.
        return cycle is None

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
        if self._certificate:
            self.scope[CERTIFICATE] = self._certificate  # type: ignore[literal-required]

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()
        if self._ending and not self._never_asked():
            self.cycle.keep_alive = False
