"""When, from where and by which client a credential was used: written now and then, and never waited for."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

from tagwerk.errors import TagwerkError
from tagwerk.store import Engine, credentials
from tagwerk.store.credentials import Credential
from tagwerk.store.engine import run

EVERY_SECONDS = 60

MAX_CLIENT = 200

_LOGGER = logging.getLogger("tagwerk.accounts")


class Usage:
    """Notes uses of credentials in the database, in a thread of its own: reading must not wait for a writer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._noted: dict[int, int] = {}
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="usage")

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
        try:
            self._thread.submit(self._write, credential.id, now, address, client)
        except RuntimeError:
            pass  # The process ends.

    def close(self) -> None:
        """Write what was noted; nothing can be noted afterwards."""
        self._thread.shutdown()

    def _write(self, credential: int, now: int, address: str, client: str) -> None:
        shown = "".join(char for char in client if char.isprintable())[:MAX_CLIENT]
        try:
            run(
                self._engine,
                lambda txn: credentials.note_use(
                    txn, credential, now=now, address=address[:100], client=shown
                ),
            )
        except TagwerkError as error:
            _LOGGER.debug("The use of a credential was not noted: %s", error)
        except Exception:
            # The engine is closed: a process that ends does not wait for this.
            _LOGGER.debug("The use of a credential was not noted.", exc_info=True)
