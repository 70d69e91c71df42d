"""What is written beside the requests: nobody who logs in waits for a writer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tagwerk.errors import TagwerkError

_LOGGER = logging.getLogger("tagwerk.accounts")


class Background:
    """One thread that writes one thing after the other.  What cannot be written is lost, and said in the log."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    def do(self, work: Callable[[], object], *, what: str) -> None:
        """Call `work` soon; `what` it notes is a noun for the log."""
        try:
            self._thread.submit(self._tried, work, what)
        except RuntimeError:
            _LOGGER.debug("%s was not noted: the process ends.", what)

    def close(self) -> None:
        """Do what is still to be done; nothing can be asked for afterwards."""
        self._thread.shutdown()

    def _tried(self, work: Callable[[], object], what: str) -> None:
        try:
            work()
        except TagwerkError as error:
            _LOGGER.debug("%s was not noted: %s", what, error)
        except Exception:
            # A thread of an executor says nothing by itself.
            _LOGGER.exception("%s was not noted.", what)
