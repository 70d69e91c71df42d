"""What a service manager and its service tell each other: systemd's sd_notify(3) and sd_listen_fds(3).

Everything is in the environment and a datagram socket; without them nothing happens.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping

from tagwerk.errors import ConfigurationError

FIRST_DESCRIPTOR = 3


class ServiceManager:
    """The service manager that started this process, if one did."""

    def __init__(self, environ: MutableMapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ

    def listening_sockets(self) -> list[socket.socket]:
        """The sockets that the manager listens on for this process; a restart leaves them open.

        Raises:
            ConfigurationError: one of them is not a listening stream socket.
        """
        mine = self._environ.get("LISTEN_PID") == str(os.getpid())
        number = self._environ.get("LISTEN_FDS", "")
        if not mine or not number.isdigit():
            return []
        # Children must not take them for theirs.
        for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
            self._environ.pop(name, None)
        sockets = []
        for descriptor in range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + int(number)):
            try:
                each = socket.socket(fileno=descriptor)
                listens = each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            except OSError as error:
                raise ConfigurationError(
                    f"Descriptor {descriptor} is no socket: {error.strerror}."
                ) from error
            if not listens:
                raise ConfigurationError(f"The socket at descriptor {descriptor} does not listen.")
            os.set_inheritable(descriptor, False)
            sockets.append(each)
        return sockets

    def notify(self, state: str) -> None:
        """Tell the manager, as in ``READY=1``; who does not listen is not told."""
        place = self._environ.get("NOTIFY_SOCKET", "")
        if not place:
            return
        if place.startswith("@"):
            place = "\0" + place[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
                manager.connect(place)
                manager.sendall(state.encode())
        except OSError:
            pass

    def watchdog_seconds(self) -> float:
        """How often the manager wants to hear ``WATCHDOG=1``, with time to spare; 0 for never."""
        whose = self._environ.get("WATCHDOG_PID")
        if whose not in (None, str(os.getpid())):
            return 0.0
        microseconds = self._environ.get("WATCHDOG_USEC", "")
        return int(microseconds) / 3_000_000 if microseconds.isdigit() else 0.0
