"""What many users cost each other, and one engine beside the other: the same requests, asked in turn.

    python bench/population.py [--users 10000] [--collections 20] [--objects 1] [--requests 2000]
    python bench/population.py --users 1        # the engines beside each other only

For each engine there is a database of one user and one collection ("empty") and one of many
("full"), each with its server.  They are asked in turn for a poll, an idle sync, a GET and a
PUT, on the full one by another of its users each time, so that nobody's pages are at hand
because the same person has just asked.
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
from davclient import Dav, propfind_body
from davsamples import event
from tagwerk.accounts.app_passwords import hash_secret
from tagwerk.model import Kind, Rights
from tagwerk.store import open_engine
from tagwerk.store.collections import create_collection, find_binding
from tagwerk.store.credentials import add_app_password
from tagwerk.store.objects import put_object
from tagwerk.store.principals import add_principal
from tagwerk.store.sync import current_token

NOW = 1_750_000_000
SECRET = "abcd-efgh-jkmn-pqrs-tuvw-xyz2"
KINDS = ("poll", "idle sync", "GET", "PUT")
PEOPLE = 1000
WARM_UP = 100
POLL = propfind_body("{http://calendarserver.org/ns/}getctag")


def fill(url: str, *, users: int, collections: int, objects: int) -> None:
    """Make everybody, with collections and objects."""
    with closing(open_engine(url)) as engine:
        for begin in range(0, users, 50):
            with engine.write() as txn:
                for number in range(begin, min(begin + 50, users)):
                    owner = add_principal(txn, f"user{number}", now=NOW)
                    add_app_password(
                        txn, owner.id, label="phone", hash=hash_secret(SECRET), rights=Rights.ALL, now=NOW
                    )
                    for each in range(collections):
                        made = create_collection(
                            txn, owner.id, name=f"c{each}", kind=Kind.CALENDAR, now=NOW
                        ).collection
                        for one in range(objects):
                            put_object(txn, made.id, f"{one}.ics", upload=upload(str(one)), now=NOW)
        # As the maintenance does every night.
        engine.compact()


@dataclass(frozen=True, slots=True)
class Somebody:
    """A user and one of their collections."""

    name: str
    home: str
    token: str


def people(url: str, *, users: int, collections: int) -> list[Somebody]:
    """Some of the users, by chance."""
    chance, found = random.Random(1), []
    with closing(open_engine(url)) as engine, engine.read() as txn:
        for _ in range(min(PEOPLE, users)):
            name, place = f"user{chance.randrange(users)}", f"c{chance.randrange(collections)}"
            binding = find_binding(txn, name, place)
            assert binding is not None
            found.append(Somebody(name, f"/{name}/{place}/", str(current_token(binding.collection))))
    return found


@dataclass(slots=True)
class Measured:
    """A server on one database, some of its users, and how long their requests took, in milliseconds."""

    name: str
    server: serverprocess.ServerProcess
    people: list[Somebody]
    client: Dav = field(init=False)
    took: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = Dav(self.server.url, password=SECRET)

    def request(self, kind: str, number: int) -> None:
        """Send one and note how long it took."""
        who, client = self.people[number % len(self.people)], self.client
        client.user = who.name
        text = event("0", summary=str(number))
        begin = time.perf_counter()
        if kind == "poll":
            status = client("PROPFIND", who.home, POLL, Depth="0").status
        elif kind == "idle sync":
            status = client.sync(who.home, who.token).status
        elif kind == "GET":
            status = client.get(f"{who.home}0.ics").status
        else:
            status = client.put(f"{who.home}0.ics", text).status
        self.took.setdefault(kind, []).append((time.perf_counter() - begin) * 1000)
        assert status in (200, 204, 207), status

    def percentile(self, kind: str, share: float) -> float:
        return sorted(self.took[kind])[int(len(self.took[kind]) * share)]

    def close(self) -> None:
        self.client.close()
        self.server.stop()


def alternate(measured: list[Measured], requests: int) -> None:
    """Ask all servers in turn, in another order each time, so that what else the machine does hits all alike."""
    shuffled, order = list(measured), random.Random(1)
    for kind in KINDS:
        for number in range(-WARM_UP, requests):
            order.shuffle(shuffled)
            for each in shuffled:
                each.request(kind, WARM_UP + number)
        for each in measured:
            del each.took[kind][:WARM_UP]


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
    parser.add_argument("--users", type=int, default=10_000, help="1 compares the engines only")
    parser.add_argument("--collections", type=int, default=20)
    parser.add_argument("--objects", type=int, default=1)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--engines", default="sqlite,postgresql")
    arguments = parser.parse_args()
    sizes = {"empty": {"users": 1, "collections": 1, "objects": 1}}
    if arguments.users > 1:
        sizes["full"] = {name: getattr(arguments, name) for name in sizes["empty"]}
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
                fill(serverprocess.url_of(folder), **wanted)
                print(f"{folder.name}: {time.monotonic() - begin:.0f} s", file=sys.stderr)
                folders.append((folder, wanted))
        measured = []
        for folder, wanted in folders:
            url, users, collections = serverprocess.url_of(folder), wanted["users"], wanted["collections"]
            some = people(url, users=users, collections=collections)
            each = Measured(folder.name, serverprocess.start(folder), some)
            stack.callback(each.close)
            measured.append(each)
        alternate(measured, arguments.requests)
        report(measured, full=len(sizes) > 1)


if __name__ == "__main__":
    main()
