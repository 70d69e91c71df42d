"""What a request asks of PostgreSQL: statements, and how often somebody waits for an answer.

    python bench/exchanges.py [--show]

A proxy stands between the server and the database and reads PostgreSQL's protocol.  An
exchange is what is sent together and then waited for; the ROLLBACK that ends a read is
waited for by nobody and not counted.  `--show` prints the statements.
"""

from __future__ import annotations

import argparse
import socket
import struct
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

import postgrescluster
import serverprocess
from davclient import Dav
from davsamples import event

HOME = "/anna/calendar/"
WARM_UP = 5


@dataclass(slots=True)
class Counter:
    """A proxy on a port of the loopback, and what passed it since `reset`."""

    cluster: postgrescluster.Cluster
    port: int = 0
    exchanges: list[list[str]] = field(default_factory=list)

    def start(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            client, _ = listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = socket.socket(socket.AF_UNIX)
            server.connect(f"{self.cluster.host}/.s.PGSQL.{self.cluster.port}")
            session = _Session(self, client, server)
            threading.Thread(target=session.ask, daemon=True).start()
            threading.Thread(target=session.answer, daemon=True).start()


class _Session:
    """One connection through the proxy."""

    def __init__(self, counter: Counter, client: socket.socket, server: socket.socket) -> None:
        self._counter, self._client, self._server = counter, client, server
        self._names: dict[bytes, str] = {}
        self._answered = True
        self._begun = False
        self._rest = b""

    def ask(self) -> None:
        while data := self._received():
            statements = self._statements(data)
            if self._answered and statements and statements != ["ROLLBACK"]:
                self._counter.exchanges.append([])
                self._answered = False
            if statements and statements != ["ROLLBACK"]:
                self._counter.exchanges[-1].extend(statements)
            self._server.sendall(data)
        self._server.close()

    def _received(self) -> bytes:
        try:
            return self._client.recv(1 << 20)
        except ConnectionResetError:
            return b""

    def answer(self) -> None:
        try:
            while data := self._server.recv(1 << 20):
                self._answered = True
                self._client.sendall(data)
        except OSError:
            pass

    def _statements(self, data: bytes) -> list[str]:
        """The statements that begin in what was sent (PostgreSQL's protocol 3, 55.7)."""
        data = self._rest + data
        found = []
        while len(data) >= (5 if self._begun else 4):
            size = struct.unpack("!i", data[1:5] if self._begun else data[:4])[0] + self._begun
            if len(data) < size:
                break
            message, data = data[:size], data[size:]
            if not self._begun:
                # Whoever asks for TLS or GSS first begins once more.
                self._begun = struct.unpack("!i", message[4:8])[0] == 3 << 16
            elif message[:1] == b"Q":
                found.append(message[5:-1].decode())
            elif message[:1] == b"P":
                name, text, _ = message[5:].split(b"\0", 2)
                self._names[name] = text.decode()
            elif message[:1] == b"B":
                _, name, _ = message[5:].split(b"\0", 2)
                found.append(self._names.get(name, "?"))
        self._rest = data
        return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--show", action="store_true", help="print the statements")
    show = parser.parse_args().show
    with tempfile.TemporaryDirectory(prefix="tagwerk-bench-") as temporary, postgrescluster.own() as cluster:
        counter = Counter(cluster)
        counter.start()
        data = Path(temporary) / "data"
        data.mkdir()
        name = postgrescluster.new_database(cluster, empty=True).partition("?")[0].rpartition("/")[2]
        serverprocess.keep_in(data, f"postgresql://tagwerk@127.0.0.1:{counter.port}/{name}?sslmode=disable")
        serverprocess.tagwerk("user", "add", "anna", "--password-stdin", "--data", data, stdin="secret\n")
        server = serverprocess.start(data)
        with closing(Dav(server.url)) as anna:
            report(anna, counter, show=show)
        server.stop()


def report(anna: Dav, counter: Counter, *, show: bool) -> None:
    """Print a row for each kind of request."""
    anna.put(f"{HOME}x.ics", event("x"))
    token = anna.sync(HOME).multistatus().token
    requests: dict[str, Callable[[int], object]] = {
        "PUT, new": lambda number: anna.put(f"{HOME}{number}.ics", event(str(number))),
        "PUT, replaced": lambda number: anna.put(f"{HOME}x.ics", event("x", summary=str(number))),
        "GET": lambda _: anna.get(f"{HOME}x.ics"),
        "poll": lambda _: anna.propfind(HOME, "{http://calendarserver.org/ns/}getctag"),
        "idle sync": lambda _: anna.sync(HOME, token),
        "DELETE": lambda number: anna.delete(f"{HOME}{number}.ics"),
    }
    print("| request | exchanges | statements |\n|---|---:|---:|")
    for name, work in requests.items():
        if name == "idle sync":
            token = anna.sync(HOME).multistatus().token
        for number in range(WARM_UP):
            work(number)
        counter.exchanges.clear()
        work(WARM_UP)
        exchanges = list(counter.exchanges)
        statements = [one for each in exchanges for text in each for one in text.split("; ")]
        print(f"| {name} | {len(exchanges)} | {len(statements)} |", flush=True)
        if show:
            for exchange in exchanges:
                print("   ", "\n     + ".join(exchange))


if __name__ == "__main__":
    main()
