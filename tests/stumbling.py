"""A server before another one, that answers some requests itself: as servers do that stumble."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

Answer = tuple[int, str]
Rule = Callable[[str, str, str], Answer | None]
"""What it answers to a method, a path and a body; None where the other server does."""


@contextmanager
def before(url: str, rules: list[Rule]) -> Iterator[str]:
    """The URL of a server that hands on to `url` what none of the rules, which may change, answers."""
    there = urlsplit(url).netloc

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            self.close_connection = True
            if not self.raw_requestline or not self.parse_request():
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            for rule in rules:
                if (answer := rule(self.command, self.path, body)) is not None:
                    self._tell(answer[0], answer[1].encode())
                    return
            connection = http.client.HTTPConnection(there, timeout=60)
            connection.request(self.command, self.path, body.encode() or None, dict(self.headers.items()))
            response = connection.getresponse()
            self._tell(response.status, response.read(), response.headers.get("Location", ""))
            connection.close()

        def _tell(self, status: int, content: bytes, location: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
