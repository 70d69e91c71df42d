"""Measure this server beside others, in one run on one machine, and print the ratios.

    python bench/compare.py --davbench PATH [--events 5000] [--servers tagwerk,radicale] [--markdown FILE]

The servers run one after the other, each on an empty folder, and davbench measures them from
outside over HTTP.  Milliseconds of one machine mean nothing on another: quote the ratios.

A server that runs elsewhere takes part with
``--server NAME=URL,USER,PASSWORD,CALENDAR_HOME,BOOK_HOME``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

Figures = dict[str, float | str]

USER, PASSWORD = "anna", "secret"

POLLS = ("sync-nothing-changed", "sync-one-change", "poll-ctag-synctoken")
"""What clients do all day: the cost must not depend on the size of the collection."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, and where the user's collections go."""

    url: str
    user: str = USER
    password: str = PASSWORD
    calendars: str = f"/{USER}/"
    books: str = f"/{USER}/"


@contextmanager
def running(command: list[str], port: int, *, log: Path) -> Iterator[None]:
    """A process that listens on `port`; it is ended with the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            for _ in range(600):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                if process.poll() is not None:
                    raise SystemExit(f"{command[0]} ended at once:\n{log.read_text()[-2000:]}")
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def tagwerk(work: Path) -> Iterator[Server]:
    """This server with its defaults."""
    port = free_port()
    program = [sys.executable, "-c", "from tagwerk.cli.main import main; main()"]
    data = str(work / "data")
    subprocess.run(
        [*program, "user", "add", USER, "--password-stdin", "--data", data],
        input=PASSWORD.encode() + b"\n",
        check=True,
        stdout=subprocess.DEVNULL,
    )
    command = [*program, "serve", "--data", data, "--port", str(port)]
    with running(command, port, log=work / "log"):
        yield Server(f"http://127.0.0.1:{port}/")


@contextmanager
def radicale(work: Path) -> Iterator[Server]:
    """Stock Radicale with its default storage, and a password file that costs nothing to read."""
    port = free_port()
    (work / "users").write_text(f"{USER}:{PASSWORD}\n")
    (work / "config").write_text(
        f"[server]\nhosts = 127.0.0.1:{port}\n"
        f"[auth]\ntype = htpasswd\nhtpasswd_filename = {work / 'users'}\nhtpasswd_encryption = plain\n"
        f"[storage]\nfilesystem_folder = {work / 'collections'}\n[logging]\nlevel = warning\n"
    )
    command = [sys.executable, "-m", "radicale", "--config", str(work / "config")]
    with running(command, port, log=work / "log"):
        yield Server(f"http://127.0.0.1:{port}/")


@contextmanager
def xandikos(work: Path) -> Iterator[Server]:
    """Xandikos, where it is installed."""
    program = shutil.which("xandikos")
    if program is None:
        raise FileNotFoundError("xandikos is not installed")
    port = free_port()
    command = [program, "-d", str(work / "data"), "-l", "127.0.0.1", "-p", str(port)]
    with running([*command, "--autocreate", "--defaults"], port, log=work / "log"):
        yield Server(f"http://127.0.0.1:{port}/", calendars="/user/calendars/", books="/user/contacts/")


SERVERS: dict[str, Callable[[Path], AbstractContextManager[Server]]] = {
    "tagwerk": tagwerk,
    "radicale": radicale,
    "xandikos": xandikos,
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def measure(server: Server, davbench: Path, *, size: int, seconds: int, repeat: int) -> Figures:
    """What davbench finds, by its names of the figures."""
    with tempfile.NamedTemporaryFile(suffix=".json") as result:
        command = [sys.executable, str(davbench), server.url, server.user, server.password]
        command += ["--home", server.calendars, "--book-home", server.books, "--json", result.name]
        command += ["--events", str(size), "--contacts", str(size)]
        subprocess.run([*command, "--seconds", str(seconds), "--repeat", str(repeat)], check=True)
        found: Figures = json.loads(Path(result.name).read_text())
        return found


def ratio(name: str, ours: float | str, theirs: float | str) -> str:
    """How much faster we are, or ""; requests per second count the other way round."""
    if not isinstance(ours, int | float) or not isinstance(theirs, int | float) or name == "mixed-errors":
        return ""
    faster = ours / theirs if name == "mixed-requests-per-second" and theirs else None
    if name != "mixed-requests-per-second" and ours:
        faster = theirs / ours
    return "" if faster is None else f"{faster:.1f}"


def table(results: dict[str, Figures]) -> str:
    """Every figure of every server, and how much faster the first one is."""
    first, *others = results
    heads = ["figure", f"{first}", *(part for name in others for part in (name, f"{first} is faster by"))]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for figure, ours in results[first].items():
        cells = [figure, str(ours)]
        for name in others:
            theirs = results[name].get(figure, "")
            cells += [str(theirs), ratio(figure, ours, theirs)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def growth(small: Figures, large: Figures, *, sizes: tuple[int, int]) -> str:
    """What a figure of `POLLS` costs in a large collection, in units of a small one."""
    lines = [f"| figure | {sizes[1]:,} events in units of {sizes[0]:,} |", "|---|---|"]
    for name in POLLS:
        lines.append(f"| {name} | {float(large[name]) / float(small[name]):.2f} |")
    return "\n".join(lines) + "\n"


def others(arguments: list[str]) -> dict[str, Server]:
    """The servers that run elsewhere."""
    found = {}
    for argument in arguments:
        name, _, rest = argument.partition("=")
        found[name] = Server(*rest.split(","))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    here = Path(__file__).resolve().parents[1]
    parser.add_argument("--davbench", type=Path, default=here.parent / "shared" / "bench" / "davbench.py")
    parser.add_argument("--servers", default="tagwerk,radicale", help="Among: " + ", ".join(SERVERS))
    parser.add_argument("--server", action="append", default=[], metavar="NAME=URL,USER,PASSWORD,HOME,BOOKS")
    parser.add_argument("--small", type=int, default=500, help="Events of the first run of the first server.")
    parser.add_argument("--events", type=int, default=5000)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--markdown", type=Path, help="Write the tables there, too.")
    arguments = parser.parse_args()
    if not arguments.davbench.exists():
        parser.error(f"there is no davbench at {arguments.davbench}; name it with --davbench")
    names = arguments.servers.split(",")
    options = {"seconds": arguments.seconds, "repeat": arguments.repeat}
    small = run(names[0], arguments.davbench, size=arguments.small, **options)
    results = {name: run(name, arguments.davbench, size=arguments.events, **options) for name in names}
    for name, server in others(arguments.server).items():
        results[name] = measure(server, arguments.davbench, size=arguments.events, **options)
    text = table(results) + "\n" + growth(small, results[names[0]], sizes=(arguments.small, arguments.events))
    print(text)
    if arguments.markdown:
        arguments.markdown.write_text(text)
    return 1 if any(isinstance(value, str) for value in results[names[0]].values()) else 0


def run(name: str, davbench: Path, *, size: int, seconds: int, repeat: int) -> Figures:
    """Start a server, measure it, and end it."""
    print(f"\n{name}, {size:,} events", flush=True)
    parent = os.environ.get("TAGWERK_BENCH_WORK")
    with (
        tempfile.TemporaryDirectory(dir=parent, prefix="bench-") as work,
        SERVERS[name](Path(work)) as server,
    ):
        return measure(server, davbench, size=size, seconds=seconds, repeat=repeat)


if __name__ == "__main__":
    sys.exit(main())
