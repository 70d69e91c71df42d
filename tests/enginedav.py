"""The client of `davclient`, but over the DAV engine itself: no server, no socket, no login.

An error that is no `TagwerkError` comes out of the call, so that a test sees it instead of a 500.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from davclient import Answer, Dav
from tagwerk import settings as configuration
from tagwerk.dav.engine import DavEngine
from tagwerk.dav.message import Request, Response
from tagwerk.model import Kind, Principal, Rights
from tagwerk.settings import Settings
from tagwerk.store import Engine, open_engine
from tagwerk.store.collections import NOTIFICATIONS, create_collection
from tagwerk.store.principals import add_principal, principal_by_name
from tagwerk.store.sqlite import SqliteEngine

NOW = 1_770_000_000
"""2026-02-02T02:40:00Z: what the clock of these tests shows first."""

HOST = "dav.example.org"


@dataclass(slots=True)
class Clock:
    """A clock that stands still until a test moves it."""

    now: int = NOW

    def __call__(self) -> float:
        return float(self.now)


@dataclass(slots=True)
class World:
    """A database, an engine on it, and a clock."""

    store: Engine
    settings: Settings
    clock: Clock = field(default_factory=Clock)

    def engine(self, **limits: object) -> DavEngine:
        """The engine; `limits` are options of ``[dav]`` that differ from the defaults."""
        chosen = dataclasses.replace(self.settings, dav=dataclasses.replace(self.settings.dav, **limits))
        return DavEngine(self.store, chosen, clock=self.clock)

    def client(self, user: str = "anna", *, base: str = "", **limits: object) -> EngineDav:
        """A client of somebody's."""
        return EngineDav(f"http://{HOST}", user, engine=self.engine(**limits), base=base)

    def add_user(
        self, name: str, *, kind: str = "person", display_name: str = "", addresses: tuple[str, ...] = ()
    ) -> Principal:
        """A principal without collections."""
        with self.store.write() as txn:
            return add_principal(
                txn, name, now=NOW, kind=kind, display_name=display_name, addresses=addresses
            )

    def add_person(self, name: str, *, display_name: str = "", addresses: tuple[str, ...] = ()) -> Principal:
        """A person without collections, but for that in which they are told something."""
        person = self.add_user(name, display_name=display_name, addresses=addresses)
        self.add_collection(NOTIFICATIONS, Kind.NOTIFICATIONS, user=name)
        return person

    def add_collection(
        self, name: str, kind: Kind = Kind.CALENDAR, *, user: str = "anna", components: tuple[str, ...] = ()
    ) -> str:
        """An empty collection; its path."""
        with self.store.write() as txn:
            owner = principal_by_name(txn, user)
            assert owner is not None
            create_collection(txn, owner.id, name=name, kind=kind, now=NOW, components=components)
        return f"/{user}/{name}/"

    def add_member(self, group: Principal, member: Principal) -> None:
        """Put somebody into a group."""
        with self.store.write() as txn:
            txn.execute("INSERT INTO membership (group_id, member_id) VALUES (?, ?)", (group.id, member.id))


@dataclass(slots=True)
class EngineDav(Dav):
    """One user of an engine."""

    engine: DavEngine | None = None
    base: str = ""

    def __call__(self, method: str, path: str, body: str | bytes = b"", **headers: str) -> Answer:
        """Send a request; ``If_Match=...`` is the header ``If-Match``."""
        raw = body.encode() if isinstance(body, str) else body
        send = {"host": HOST, "user-agent": "tests"} | {k.lower(): v for k, v in self.headers.items()}
        send |= {name.replace("_", "-").lower(): value for name, value in headers.items()}
        if raw:
            send.setdefault("content-type", "application/xml; charset=utf-8")
        answer = read_answer(self.handle(Request(method, path, send, raw, self.user or "", self.base)))
        if method == "HEAD" and answer.status < 400:
            # As `tagwerk.http` sends it; what is wrong is left in, for tests that look for it.
            return Answer(answer.status, {**answer.headers, "content-length": str(len(answer.body))}, b"")
        return answer

    def handle(self, request: Request) -> Response:
        """What the engine says to a request, its body unread."""
        assert self.engine is not None
        return self.engine.handle(request)


class LimitedDav(EngineDav):
    """A client that logged in with an app password."""

    rights = Rights.ALL

    def handle(self, request: Request) -> Response:
        return super().handle(dataclasses.replace(request, rights=self.rights))


def limited(client: EngineDav, rights: Rights) -> LimitedDav:
    """The same person with an app password of these rights."""
    made = LimitedDav(client.url, client.user, engine=client.engine)
    made.rights = rights
    return made


def read_answer(response: Response) -> Answer:
    """The answer with its whole body."""
    body = response.body if isinstance(response.body, bytes) else b"".join(response.body)
    return Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, body)


@contextmanager
def new_world(folder: Path, url: str = "") -> Iterator[World]:
    """The empty database at `url`, or one in a folder."""
    settings = configuration.load(None, data=folder, environ={}, database=url or None)
    store = open_engine(settings.storage.database_url)
    if isinstance(store, SqliteEngine):
        # What is committed here need not survive a power cut, and thousands of commits wait for no disk.
        store._writer.execute("PRAGMA synchronous = OFF")
    try:
        yield World(store, settings)
    finally:
        store.close()
