"""The whole program without a process and a socket: the ASGI application, asked directly.

What belongs to the network (addresses, TLS, proxies) is part of the request here, so
that tables of attempts cost milliseconds.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from davclient import Answer
from tagwerk import settings as configuration
from tagwerk.http import app as http_app
from tagwerk.http.metrics import Metrics
from tagwerk.http.observer import Observer
from tagwerk.http.public import PublicLinks
from tagwerk.http.tally import Tally
from tagwerk.settings import Settings
from tagwerk.store import Engine, open_engine
from tagwerk.store.observed import ObservedEngine
from tagwerk_radicale.application import Frame

PHONE = "198.51.100.7"


class App:
    """The application on one database; `settings` are lines as in ``auth_throttle_failures="3"``."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.engine, self.settings = engine, settings
        metrics = Metrics(Tally())
        observed = ObservedEngine(engine, lambda mode, seconds: metrics.waits.add(seconds, mode))
        self.frame = Frame(settings, observed)
        application = http_app.create(settings, self.frame, PublicLinks(settings, observed), observed)
        self.asgi: Any = Observer(application, settings, engine, metrics)

    def __call__(
        self,
        method: str,
        path: str = "/",
        *,
        user: str | None = None,
        password: str = "secret",
        address: str = PHONE,
        body: bytes = b"",
        scope: Mapping[str, Any] | None = None,
        **headers: str,
    ) -> Answer:
        """Ask; ``X_Forwarded_For=...`` is the header ``X-Forwarded-For``."""
        sent = [
            (name.replace("_", "-").lower().encode(), value.encode("latin-1"))
            for name, value in headers.items()
        ]
        if user is not None:
            sent.append((b"authorization", b"Basic " + base64.b64encode(f"{user}:{password}".encode())))
        if not any(name == b"host" for name, _ in sent):
            sent.append((b"host", b"dav.example.org"))
        whole = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": sent,
            "client": (address, 50000) if address else None,
            "server": ("127.0.0.1", 5232),
        } | dict(scope or {})
        return asyncio.run(self._ask(whole, body))

    async def _ask(self, scope: dict[str, Any], body: bytes) -> Answer:
        sent: list[dict[str, Any]] = []
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if waiting:
                return waiting.pop()
            await asyncio.sleep(3600)
            raise AssertionError

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.asgi(scope, receive, send)
        headers = {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], headers, b"".join(each.get("body", b"") for each in sent[1:]))

    def close(self) -> None:
        self.frame.close()


@contextmanager
def running(folder: Path, text: str = "") -> Iterator[App]:
    """An application on an empty database in `folder`, with the options in `text`."""
    path = folder / "tagwerk.ini"
    path.write_text(text)
    settings = configuration.load(path, data=folder, environ={})
    engine = open_engine(settings.storage.database_url)
    app = App(engine, settings)
    yield app
    app.close()
    engine.close()
