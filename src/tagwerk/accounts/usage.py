"""When, from where and by which client a credential was used: written now and then, and never waited for."""

from __future__ import annotations

import threading

from tagwerk.accounts.background import Background
from tagwerk.store import Engine, credentials
from tagwerk.store.credentials import Credential, Use
from tagwerk.store.engine import run

EVERY_SECONDS = 60

TOGETHER_SECONDS = 2.0
"""How long uses are collected before they are written."""

MAX_CLIENT = 200


class Usage:
    """Notes uses of credentials in the database, in a thread of its own: reading must not wait for a writer.

    Those of a few seconds are one transaction: thousands of devices that poll must not
    be as many commits.
    """

    def __init__(self, engine: Engine, *, together_seconds: float = TOGETHER_SECONDS) -> None:
        self._engine = engine
        self._together_seconds = together_seconds
        self._noted: dict[int, int] = {}
        self._uses: dict[int, Use] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._background = Background("usage")

    def note(self, credential: Credential, *, now: int, address: str, client: str) -> None:
        """Note a use, at most once a minute for each credential."""
        if (credential.last_used or 0) > now - EVERY_SECONDS:
            return
        with self._lock:
            if self._noted.get(credential.id, 0) > now - EVERY_SECONDS:
                return
            self._noted[credential.id] = now
            if len(self._noted) > 100_000:
                self._noted.clear()
            is_first = not self._uses
            self._uses[credential.id] = Use(credential.id, now, address[:100], _shown(client))
        if is_first:
            self._background.do(self._write, what="The use of credentials")

    def close(self) -> None:
        """Write what was noted; nothing can be noted afterwards."""
        self._closing.set()
        self._background.close()

    def _write(self) -> None:
        self._closing.wait(self._together_seconds)
        with self._lock:
            uses, self._uses = list(self._uses.values()), {}
        # In the order of ids, so that two processes do not wait for each other.
        run(self._engine, lambda txn: credentials.note_uses(txn, sorted(uses)))


def _shown(client: str) -> str:
    return "".join(char for char in client if char.isprintable())[:MAX_CLIENT]
