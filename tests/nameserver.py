"""A name server for the tests."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.message
import dns.rrset

ROOT = Path(__file__).parents[1]


@contextmanager
def knowing_example_com() -> Iterator[str]:
    """The address of a name server that knows example.com from config/dns.zone, and half of example.org."""
    records = {}
    for line in (ROOT / "config/dns.zone").read_text().splitlines():
        name, *rest = [*line.split(None, 3), ""]
        if rest[1:2] == ["SRV"]:
            records[f"{name}.example.com."] = rest[2]
    records["_caldavs._tcp.example.org."] = "0 0 0 ."
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("127.0.0.1", 0))
    listener.settimeout(0.1)
    stopped = threading.Event()

    def serve() -> None:
        while not stopped.is_set():
            try:
                raw, peer = listener.recvfrom(4096)
            except TimeoutError:
                continue
            query = dns.message.from_wire(raw)
            answer = dns.message.make_response(query)
            name = query.question[0].name.to_text()
            if name in records:
                answer.answer.append(dns.rrset.from_text(name, 60, "IN", "SRV", records[name]))
            else:
                answer.set_rcode(3)
            listener.sendto(answer.to_wire(), peer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stopped.set()
        thread.join()
        listener.close()
