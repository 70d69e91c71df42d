"""Workers: several processes that share listening sockets, and the one that looks after them.

The supervisor binds the sockets before it forks and never touches the database: it starts
a worker again that died, and ends all of them when it is asked to end.  A worker whose
supervisor was killed ends by itself, so that nobody keeps the port.
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import NoReturn

from tagwerk.cli.service_manager import ServiceManager
from tagwerk.errors import TagwerkError

log = logging.getLogger(__name__)

Work = Callable[[int, Callable[[], None]], None]
"""What a worker does until SIGTERM: it is given its number, and what to call once it answers."""

SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before a worker that died is started again; they double until one has answered for a minute."""

STEADY_SECONDS = 60.0

_ENDING = (signal.SIGTERM, signal.SIGINT)


@dataclass(slots=True)
class _Worker:
    number: int
    pid: int
    begun: float
    answers: bool = False


@dataclass(slots=True)
class Supervisor:
    """Keeps `count` workers at work; `patience` is how long they may take to end, in seconds.

    `manager` hears that it lives, and that it ends; SIGHUP is handed on to every worker.
    """

    count: int
    work: Work
    announce: Callable[[], None]
    patience: float
    manager: ServiceManager = field(default_factory=ServiceManager)
    _workers: dict[int, _Worker] = field(default_factory=dict)
    _due: dict[int, float] = field(default_factory=dict)
    _pauses: dict[int, float] = field(default_factory=dict)
    _stopping: bool = False
    _announced: bool = False

    def run(self) -> None:
        """Return after SIGTERM or SIGINT, when every worker has ended.

        Raises:
            TagwerkError: a worker died before all of them had answered once.
        """
        # What is written at one end lives as long as a process that has it open.
        life, self_end = os.pipe()
        ready, tell = os.pipe()
        os.set_blocking(ready, False)
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        before = {number: signal.signal(number, self._asked) for number in (signal.SIGTERM, signal.SIGINT)}
        before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._hand_on)
        old_wake = signal.set_wakeup_fd(wake)
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(ready, selectors.EVENT_READ)
                selector.register(woken, selectors.EVENT_READ)
                self._due = dict.fromkeys(range(self.count), 0.0)
                sign = self.manager.watchdog_seconds()
                while not self._stopping:
                    self._start_due(life, self_end, tell)
                    if sign and self._announced:
                        self.manager.notify("WATCHDOG=1")
                    for key, _ in selector.select(self._pause(sign)):
                        said = os.read(key.fd, 4096)
                        if key.fd == ready:
                            self._hear(said)
                    self._bury()
        finally:
            self.manager.notify("STOPPING=1")
            self._end()
            signal.set_wakeup_fd(old_wake)
            for number, handler in before.items():
                signal.signal(number, handler)
            for each in (life, self_end, ready, tell, woken, wake):
                os.close(each)

    def _asked(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _hand_on(self, number: int, _frame: FrameType | None) -> None:
        for pid in self._workers:
            _send(pid, signal.Signals(number))

    def _pause(self, sign: float) -> float | None:
        """Seconds until there is something to do; `sign` is how often the manager wants to hear, 0 for never."""
        pauses = [sign] if sign else []
        if self._due:
            pauses.append(max(0.0, min(self._due.values()) - time.monotonic()))
        return min(pauses, default=None)

    def _start_due(self, life: int, self_end: int, tell: int) -> None:
        now = time.monotonic()
        for number in [number for number, due in self._due.items() if due <= now]:
            del self._due[number]
            sys.stdout.flush()
            sys.stderr.flush()
            # A signal in between would meet our handlers in the worker, and be lost there.
            signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
            pid = os.fork()
            if pid == 0:
                os.close(self_end)
                _be_worker(number, self.work, life, tell)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
            self._workers[pid] = _Worker(number, pid, now)

    def _hear(self, said: bytes) -> None:
        """A worker answers: it has written its number."""
        for number in said:
            for worker in self._workers.values():
                if worker.number == number:
                    worker.answers = True
        if not self._announced and sum(each.answers for each in self._workers.values()) == self.count:
            self._announced = True
            self.announce()

    def _bury(self) -> None:
        for pid in list(self._workers):
            found, status = os.waitpid(pid, os.WNOHANG)
            if not found:
                continue
            worker = self._workers.pop(pid)
            if self._stopping:
                continue
            if not self._announced:
                raise TagwerkError("The server could not start; the log says why.")
            steady = worker.answers and time.monotonic() - worker.begun > STEADY_SECONDS
            pause = SHORTEST_PAUSE if steady else self._pauses.get(worker.number, SHORTEST_PAUSE)
            self._pauses[worker.number] = min(2 * pause, LONGEST_PAUSE)
            self._due[worker.number] = time.monotonic() + pause
            log.error(
                "Worker %d (process %d) %s; it is started again.", worker.number, pid, _how_it_ended(status)
            )

    def _end(self) -> None:
        """Ask every worker to end, and after a while make it."""
        for pid in self._workers:
            _send(pid, signal.SIGTERM)
        deadline = time.monotonic() + self.patience
        while self._workers:
            for pid in list(self._workers):
                if os.waitpid(pid, os.WNOHANG)[0]:
                    del self._workers[pid]
                elif time.monotonic() > deadline:
                    log.error("Worker %d did not end in time and was killed.", pid)
                    _send(pid, signal.SIGKILL)
            time.sleep(0.02)


def _be_worker(number: int, work: Work, life: int, tell: int) -> NoReturn:
    """The rest of a worker's life."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(each, signal.SIG_DFL)
        # Until the worker has a certificate, there is none to read again.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        _end_with(life)
        work(number, lambda: _tell(tell, number))
        code = 0
    except TagwerkError as error:
        log.error("%s", error)
    except BaseException:
        log.exception("A worker failed.")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Nothing of the supervisor's is ours to clean up.
        os._exit(code)


def _tell(tell: int, number: int) -> None:
    os.write(tell, bytes([number]))


def _end_with(life: int) -> None:
    """End this process as SIGTERM does when the supervisor is gone."""

    def wait() -> None:
        os.read(life, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="supervisor", daemon=True).start()


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _how_it_ended(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"was ended by signal {os.WTERMSIG(status)}"
    return f"ended with code {os.waitstatus_to_exitcode(status)}"
