"""What the tests of the store put into it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

from tagwerk.model import Facts, Upload
from tagwerk.store import open_engine
from tagwerk.store.address import is_postgresql, sqlite_path

NOW = 1_700_000_000


def event(uid: str, *, summary: str = "Meeting", first: int = 0, last: int = 3600, **facts: Any) -> Upload:
    """An upload whose facts are what the test says."""
    content = f"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nSUMMARY:{summary}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    facts = {"component": "VEVENT", "search": f"{uid}\n{summary}".lower(), **facts}
    return Upload(content.encode(), Facts(uid=uid, first=first, last=last, **facts))


def unchecked(url: str, *statements: str) -> None:
    """Run statements while the database does not look where rows lead to."""
    if not is_postgresql(url):
        with closing(sqlite3.connect(sqlite_path(url))) as connection, connection:
            for statement in statements:
                connection.execute(statement)
        return
    with closing(open_engine(url)) as engine, engine.write() as txn:
        txn.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            txn.execute(statement)
