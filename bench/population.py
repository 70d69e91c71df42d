"""What many users cost each other, and one engine beside the other: the same requests, asked in turn.

    python bench/population.py [--users 10000] [--collections 20] [--objects 1] [--requests 2000]
    python bench/population.py --users 0        # the engines beside each other only

For each engine there is an empty database and one with that many users, each with its server;
one client asks all of them in turn for a poll, an idle sync, a GET and a PUT of one user.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

sys.path += [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1] / "tests" / "contract")]
from store_samples import event as upload

import postgrescluster
import serverprocess
from davclient import Dav
from davsamples import event
from tagwerk.accounts.passwords import hash_password
from tagwerk.accounts.users import add_user
from tagwerk.model import Kind
from tagwerk.store import open_engine
from tagwerk.store.collections import create_collection
from tagwerk.store.objects import put_object
from tagwerk.store.principals import add_principal

NOW = 1_750_000_000
HOME = "/anna/calendar/"


def fill(url: str, arguments: argparse.Namespace) -> None:
    """Make anna, and everybody else."""
    with closing(open_engine(url)) as engine:
        with engine.write() as txn:
            add_user(txn, "anna", now=NOW, password_hash=hash_password("secret"))
        for begin in range(0, arguments.users, 50):
            with engine.write() as txn:
                for number in range(begin, min(begin + 50, arguments.users)):
                    owner = add_principal(txn, f"user{number}", now=NOW)
                    for each in range(arguments.collections):
                        made = create_collection(
                            txn, owner.id, name=f"c{each}", kind=Kind.CALENDAR, now=NOW
                        ).collection
                        for one in range(arguments.objects):
                            put_object(txn, made.id, f"{one}.ics", upload=upload(str(one)), now=NOW)
        # As the maintenance does every night.
        engine.compact()


@dataclass(slots=True)
class Measured:
    """A server on one database, one client of it, and how long its requests took, in milliseconds."""

    name: str
    server: serverprocess.ServerProcess
    anna: Dav
    token: str = ""
    took: dict[str, list[float]] = field(default_factory=dict)

    def prepare(self) -> None:
        for number in range(OBJECTS):
            self.anna.put(f"{HOME}{number}.ics", event(str(number)))
        self.token = self.anna.sync(HOME).multistatus().token

    def request(self, kind: str, number: int) -> None:
        """Send one and note how long it took."""
        name, text = f"{HOME}{number % OBJECTS}.ics", event(str(number % OBJECTS), summary=str(number))
        begin = time.perf_counter()
        if kind == "poll":
            self.anna.propfind(HOME, "{http://calendarserver.org/ns/}getctag")
        elif kind == "idle sync":
            self.anna.sync(HOME, self.token)
        elif kind == "GET":
            self.anna.get(name)
        else:
            self.anna.put(name, text)
        self.took.setdefault(kind, []).append((time.perf_counter() - begin) * 1000)

    def percentile(self, kind: str, share: float) -> float:
        return sorted(self.took[kind])[int(len(self.took[kind]) * share)]

    def close(self) -> None:
        self.anna.close()
        self.server.stop()


OBJECTS = 20
KINDS = ("poll", "idle sync", "GET", "PUT")


def alternate(measured: list[Measured], requests: int) -> None:
    """Ask all servers in turn, in another order each time, so that what else the machine does hits all alike."""
    shuffled, order = list(measured), random.Random(1)
    for each in measured:
        each.prepare()
    for kind in KINDS:
        for number in range(-WARM_UP, requests):
            order.shuffle(shuffled)
            for each in shuffled:
                each.request(kind, number)
        for each in measured:
            del each.took[kind][:WARM_UP]


WARM_UP = 100


def report(measured: list[Measured], *, full: bool) -> None:
    """What many users cost on each engine, and what one engine takes beside the other."""
    servers = {each.name: each for each in measured}
    engines = list(dict.fromkeys(each.name.split("-")[0] for each in measured))
    if full:
        print("\n| engine | request | median empty | median full | p99 empty | p99 full | ratio of p99 |")
        print("|---|---|---:|---:|---:|---:|---:|")
        for engine in engines:
            before, after = servers[f"{engine}-empty"], servers[f"{engine}-full"]
            for kind in KINDS:
                (low, high), (full_low, full_high) = (
                    (each.percentile(kind, 0.5), each.percentile(kind, 0.99)) for each in (before, after)
                )
                print(
                    f"| {engine} | {kind} | {low:.2f} | {full_low:.2f} | {high:.2f} | {full_high:.2f}"
                    f" | {full_high / high:.2f} |"
                )
    if len(engines) == 2:
        print("\n| request | database | sqlite | postgresql | times as long | at best |")
        print("|---|---|---:|---:|---:|---:|")
        for kind in KINDS:
            for size in ("empty", "full")[: 1 + full]:
                pair = [servers[f"{engine}-{size}"] for engine in engines]
                low, high = (each.percentile(kind, 0.5) for each in pair)
                best, other = (each.percentile(kind, 0.0) for each in pair)
                print(f"| {kind} | {size} | {low:.2f} | {high:.2f} | {high / low:.2f} | {other / best:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--users", type=int, default=10_000, help="0 compares the engines only")
    parser.add_argument("--collections", type=int, default=20)
    parser.add_argument("--objects", type=int, default=1)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--engines", default="sqlite,postgresql")
    arguments = parser.parse_args()
    sizes = {"empty": argparse.Namespace(users=0, collections=0, objects=0), "full": arguments}
    if not arguments.users:
        del sizes["full"]
    with (
        tempfile.TemporaryDirectory(prefix="tagwerk-bench-") as temporary,
        postgrescluster.own() as cluster,
        ExitStack() as stack,
    ):
        folders = []
        for engine in arguments.engines.split(","):
            for size, wanted in sizes.items():
                folder = Path(temporary) / f"{engine}-{size}"
                folder.mkdir()
                if engine == "postgresql":
                    serverprocess.keep_in(folder, postgrescluster.new_database(cluster, empty=True))
                begin = time.monotonic()
                fill(serverprocess.url_of(folder), wanted)
                print(f"{folder.name}: {time.monotonic() - begin:.0f} s", file=sys.stderr)
                folders.append(folder)
        measured = []
        for folder in folders:
            server = serverprocess.start(folder)
            each = Measured(folder.name, server, Dav(server.url))
            stack.callback(each.close)
            measured.append(each)
        alternate(measured, arguments.requests)
        report(measured, full=bool(arguments.users))


if __name__ == "__main__":
    main()
