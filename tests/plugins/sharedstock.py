"""A calendar and an address book of anna's that everybody sees differently, for stock Radicale and the DAV engine."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from radicale.app import Application
from stock import NOW, Answer, Client, card, configured

from tagwerk import settings
from tagwerk.accounts.users import add_user
from tagwerk.dav.engine import DavEngine
from tagwerk.dav.message import Request
from tagwerk.model import Access, Kind, Principal
from tagwerk.sharing import delegation, groups, shares
from tagwerk.sharing.shares import By
from tagwerk.store import Engine
from tagwerk.store.collections import create_collection, find_binding
from tagwerk.store.engine import Transaction
from tagwerk.store.principals import add_principal, principal_by_name, set_accept
from tagwerk.store.properties import set_collection_properties
from tagwerk_radicale import engines

BY = By("anna", NOW)
SECRETS = ("Clinic", "Therapy", "Surprise", "Divorce", "Severance", "Hospital")
"""Words of what anna keeps for herself."""

LEVELS = {"bea": Access.BUSY, "rita": Access.READ, "will": Access.WRITE, "mona": Access.MANAGE}
"""Who was given what, to themselves."""

PLACES = {
    "anna": "/anna/work/",
    **{name: f"/{name}/work/" for name in LEVELS},
    # A member of a group in a group; who has something of that name; who acts for anna.
    "gina": "/gina/work/",
    "nora": "/nora/work-anna/",
    "dirk": "/anna/work/",
    "dora": "/anna/work/",
}
"""Where the calendar is, for those who see it."""

OTHERS = ("pia", "dan", "exa", "exo", "sven")
"""Who was asked and said nothing, who declined, from whom it was taken back, who left its group, and a stranger."""

EVENTS: dict[str, str] = {
    "plain.ics": "SUMMARY:Team\nLOCATION:Hall\nBEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nDESCRIPTION:x\nEND:VALARM\n",
    "free.ics": "SUMMARY:Holiday\nTRANSP:TRANSPARENT\n",
    "conf.ics": "SUMMARY:Clinic\nLOCATION:Hospital\nCLASS:CONFIDENTIAL\nATTENDEE:mailto:x@example.org\n",
    "priv.ics": "SUMMARY:Surprise\nDESCRIPTION:Divorce\nCLASS:PRIVATE\n",
}
ALL = (*EVENTS, "series.ics")


def calendar(uid: str, text: str, *, hour: int = 8, more: str = "") -> str:
    """An object with one event on the first of March 2026, and `more` components."""
    return (
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Test//EN\n"
        f"BEGIN:VEVENT\nUID:{uid}\nDTSTART:20260301T{hour:02}0000Z\nDTEND:20260301T{hour + 1:02}0000Z\n"
        f"DTSTAMP:20260101T000000Z\n{text}END:VEVENT\n{more}END:VCALENDAR\n"
    ).replace("\n", "\r\n")


def series() -> str:
    """A daily event with an instance that nobody else may know of, and one that shows only when."""

    def override(day: int, text: str) -> str:
        return (
            f"BEGIN:VEVENT\nUID:series\nRECURRENCE-ID:202603{day:02}T150000Z\nDTSTART:202603{day:02}T160000Z\n"
            f"DTEND:202603{day:02}T170000Z\nDTSTAMP:20260101T000000Z\n{text}END:VEVENT\n"
        )

    more = override(2, "SUMMARY:Severance\nCLASS:PRIVATE\n") + override(
        3, "SUMMARY:Therapy\nCLASS:CONFIDENTIAL\n"
    )
    return calendar("series", "SUMMARY:Daily\nCLASS:PUBLIC\nRRULE:FREQ=DAILY;COUNT=5\n", hour=15, more=more)


@dataclass(slots=True)
class SharedWorld:
    """A database that stock Radicale and the DAV engine work on."""

    url: str
    store: Engine
    stock: Application
    dav: DavEngine

    def client(self, user: str) -> Client:
        """Somebody at stock Radicale, whom it lets in without asking for a password."""
        return Client(self.stock, user)

    def engine(self, user: str, method: str, path: str, body: str = "", **headers: str) -> Answer:
        """What the DAV engine answers somebody."""
        sent = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        response = self.dav.handle(
            Request(method, path, {"host": "127.0.0.1:5232"} | sent, body.encode(), user)
        )
        raw = response.body if isinstance(response.body, bytes) else b"".join(response.body)
        return Answer(response.status, dict(response.headers), raw)

    def share(self, place: str, grantee: str, level: Access | None) -> None:
        """Give a grantee, or everybody, this much of OWNER/COLLECTION, or take it back."""
        with self.store.write() as txn:
            share(txn, place, grantee, level)


def named(txn: Transaction, name: str) -> Principal:
    found = principal_by_name(txn, name)
    assert found is not None
    return found


def share(txn: Transaction, place: str, grantee: str, level: Access | None) -> None:
    owner, _, name = place.partition("/")
    binding = find_binding(txn, owner, name)
    assert binding is not None
    who = None if grantee == "everybody" else named(txn, grantee)
    if level is None:
        shares.unshare(txn, binding, who, by=BY)
    else:
        shares.share(txn, binding, who, level, by=BY)


def fill(world: SharedWorld) -> None:
    """Put everything into the calendar and the address book, and share them."""
    with world.store.write() as txn:
        for name in (*PLACES, *OTHERS):
            add_user(txn, name, now=NOW, display_name=name.title())
        for name, kind in (("work", Kind.CALENDAR), ("friends", Kind.ADDRESSBOOK)):
            binding = create_collection(txn, named(txn, "anna").id, name=name, kind=kind, now=NOW)
            set_collection_properties(txn, binding.collection.id, {"{DAV:}displayname": name.title()})
        create_collection(txn, named(txn, "nora").id, name="work", kind=Kind.CALENDAR, now=NOW)
        club = add_principal(txn, "club", now=NOW, kind="group")
        union = add_principal(txn, "union", now=NOW, kind="group")
        groups.join(txn, union, club, by=BY)
        for member in ("gina", "nora", "exo"):
            groups.join(txn, club, named(txn, member), by=BY)
        set_accept(txn, named(txn, "pia").id, "ask")
    for name, text in EVENTS.items():
        put(world, "anna", f"/anna/work/{name}", calendar(name.partition(".")[0], text))
    put(world, "anna", "/anna/work/series.ics", series())
    put(world, "anna", "/anna/friends/a.vcf", card("a"))
    with world.store.write() as txn:
        anna = named(txn, "anna")
        for name, level in LEVELS.items():
            share(txn, "anna/work", name, level)
        for name in ("pia", "dan", "exa", "union"):
            share(txn, "anna/work", name, Access.WRITE)
        for name in ("rita", "will"):
            share(txn, "anna/friends", name, LEVELS[name])
        work = find_binding(txn, "anna", "work")
        assert work is not None
        shares.decline(txn, named(txn, "dan"), work.collection.id, by=BY)
        share(txn, "anna/work", "exa", None)
        groups.leave(txn, named(txn, "club"), named(txn, "exo"), by=BY)
        delegation.delegate(txn, anna, named(txn, "dirk"), Access.WRITE, by=BY)
        delegation.delegate(txn, anna, named(txn, "dora"), Access.READ, by=BY)


def put(world: SharedWorld, user: str, path: str, body: str) -> None:
    answer = world.engine(user, "PUT", path, body)
    assert answer.status in (201, 204), answer.text


@contextmanager
def shared_world(folder: Path, *, full: bool = True, **changes: dict[str, str]) -> Iterator[SharedWorld]:
    """A world in a folder, empty unless `full`; `changes` are options of Radicale's."""
    url = f"sqlite://{folder}/tagwerk.sqlite"
    store = engines.database_at(url).engine
    # What is committed here need not survive a power cut.
    store._writer.execute("PRAGMA synchronous = OFF")
    stock = Application(configured(url, {"auth": {"type": "none"}, **changes}))
    dav = DavEngine(store, settings.load(None, data=folder, environ=os.environ))
    world = SharedWorld(url, store, stock, dav)
    if full:
        fill(world)
    try:
        yield world
    finally:
        engines.close_all()


@contextmanager
def statements(store: Engine) -> Iterator[list[str]]:
    """The statements that run in the block, on every connection of a database."""
    found: list[str] = []
    connections: list[sqlite3.Connection] = [store._writer, *store._readers]
    assert len(connections) > 1, "Nothing was read yet, so a connection may follow that is not watched."
    for connection in connections:
        connection.set_trace_callback(found.append)
    try:
        yield found
    finally:
        for connection in connections:
            connection.set_trace_callback(None)
