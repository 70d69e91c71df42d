"""What many users cost each other: the same requests on an empty server and on a full one.

    python bench/population.py [--users 10000] [--collections 20] [--objects 1] [--requests 400]

For each engine a database with that many users is made, and a poll, an idle sync and a PUT
of one user are timed there and on an empty one.  The last column is the ratio of the p99s.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
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


def timed(work: Callable[[int], object], requests: int) -> list[float]:
    """Milliseconds of each call, sorted."""
    took = []
    for number in range(requests):
        begin = time.perf_counter()
        work(number)
        took.append((time.perf_counter() - begin) * 1000)
    return sorted(took)


def measure(data: Path, requests: int) -> dict[str, tuple[float, float]]:
    """Median and p99 of what a client does all day."""
    server = serverprocess.start(data)
    found = {}
    with closing(Dav(server.url)) as anna:
        for number in range(20):
            anna.put(f"{HOME}{number}.ics", event(str(number)))
        token = anna.sync(HOME).multistatus().token
        rows: dict[str, Callable[[int], object]] = {
            "poll": lambda _: anna.propfind(HOME, "{DAV:}sync-token"),
            "idle sync": lambda _: anna.sync(HOME, token),
            "PUT": lambda number: anna.put(
                f"{HOME}{number % 20}.ics", event(str(number % 20), summary=str(number))
            ),
        }
        for name, work in rows.items():
            took = timed(work, requests)
            found[name] = (took[len(took) // 2], took[int(len(took) * 0.99)])
    server.stop()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--collections", type=int, default=20)
    parser.add_argument("--objects", type=int, default=1)
    parser.add_argument("--requests", type=int, default=400)
    arguments = parser.parse_args()
    empty = argparse.Namespace(users=0, collections=0, objects=0)
    print("| engine | request | median empty | median full | p99 empty | p99 full | ratio of p99 |")
    print("|---|---|---:|---:|---:|---:|---:|")
    with (
        tempfile.TemporaryDirectory(prefix="tagwerk-bench-") as temporary,
        postgrescluster.own() as cluster,
    ):
        for engine in ("sqlite", "postgresql"):
            folders = []
            for kind, size in (("empty", empty), ("full", arguments)):
                folder = Path(temporary) / f"{engine}-{kind}"
                folder.mkdir()
                if engine == "postgresql":
                    serverprocess.keep_in(folder, postgrescluster.new_database(cluster, empty=True))
                begin = time.monotonic()
                fill(serverprocess.url_of(folder), size)
                print(f"{folder.name}: {time.monotonic() - begin:.0f} s", file=sys.stderr)
                folders.append(folder)
            if engine == "postgresql":
                for folder in folders:
                    cluster.query(
                        "ANALYZE", serverprocess.url_of(folder).partition("?")[0].rpartition("/")[2]
                    )
            before, after = (measure(folder, arguments.requests) for folder in folders)
            for name in before:
                (median, p99), (full_median, full_p99) = before[name], after[name]
                print(
                    f"| {engine} | {name} | {median:.2f} | {full_median:.2f} | {p99:.2f} | {full_p99:.2f}"
                    f" | {full_p99 / p99:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
