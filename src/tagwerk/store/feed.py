"""The change feed: "collection C changed, now at modseq M", in every process, within a second.

What waits for changes (an event stream, a push service, a long poll) watches the
collections it is about.  It is told at least once for each change, and several changes
that come close together may be told as one: the number is what counts.  Where a
connection was lost, what is watched is looked up again, so nothing is missed and no clock
is asked.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from tagwerk.errors import TagwerkError
from tagwerk.model import CollectionId, Modseq
from tagwerk.store.engine import Engine, Transaction

log = logging.getLogger(__name__)

Listener = Callable[[CollectionId, Modseq], None]
"""Called in the feed's thread, so it must not wait; a collection that is gone is at 0."""

GONE = Modseq(0)

_BATCH = 500
_AGAIN_SECONDS = 0.5


class Feed:
    """The changes of one database.  Nothing runs while nobody watches."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._watched: dict[CollectionId, dict[Listener, Modseq | None]] = {}
        self._stopped = threading.Event()
        self._look = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watch(self, collections: Iterable[CollectionId], listener: Listener) -> Iterator[None]:
        """Tell `listener` where `collections` are now, and of every change until the end of the block."""
        wanted = list(collections)
        with self._lock:
            for collection in wanted:
                self._watched.setdefault(collection, {})[listener] = None
            if self._thread is None and not self._stopped.is_set():
                self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
                self._thread.start()
        self._look.set()
        try:
            yield
        finally:
            with self._lock:
                for collection in wanted:
                    listeners = self._watched.get(collection, {})
                    listeners.pop(listener, None)
                    if not listeners:
                        self._watched.pop(collection, None)

    def close(self) -> None:
        """Tell nobody anything from now on."""
        self._stopped.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                for news in self._engine.news(self._stopped):
                    if news is None or self._look.is_set():
                        self._look.clear()
                        self._tell(self._lookup(), certain=True)
                    if news:
                        self._tell(news, certain=False)
            except TagwerkError as error:
                # Whoever asks the database hears it too; here it is enough to come back.
                log.debug("The change feed waits: %s", error)
                self._stopped.wait(_AGAIN_SECONDS)
            except Exception:
                log.exception("The change feed failed and begins again.")
                self._stopped.wait(_AGAIN_SECONDS)

    def _lookup(self) -> dict[CollectionId, Modseq]:
        with self._lock:
            wanted = list(self._watched)
        if not wanted:
            return {}
        with self._engine.read() as txn:
            return dict.fromkeys(wanted, GONE) | modseqs(txn, wanted)

    def _tell(self, news: Mapping[CollectionId, Modseq], *, certain: bool) -> None:
        """Tell what is new.  What was on its way when things were looked up is older, and not `certain`."""
        with self._lock:
            due = [
                (listener, collection, modseq)
                for collection, modseq in news.items()
                for listener, known in self._watched.get(collection, {}).items()
                if known != modseq and (certain or known is None or modseq > known or modseq == GONE)
            ]
            for listener, collection, modseq in due:
                self._watched[collection][listener] = modseq
        for listener, collection, modseq in due:
            try:
                listener(collection, modseq)
            except Exception:
                log.exception("Somebody who watches a collection failed.")


def modseqs(txn: Transaction, collections: list[CollectionId]) -> dict[CollectionId, Modseq]:
    """Where each of `collections` is now; those that are gone are left out."""
    found: dict[CollectionId, Modseq] = {}
    for begin in range(0, len(collections), _BATCH):
        batch = collections[begin : begin + _BATCH]
        marks = ", ".join("?" * len(batch))
        found.update(txn.rows(f"SELECT id, modseq FROM collection WHERE id IN ({marks})", batch))
    return found
