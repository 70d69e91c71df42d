"""Measure Tagwerk on SQLite and on PostgreSQL, and with several processes, in one run.

    python bench/engines.py [--davbench ../shared/bench/davbench.py] [--events 2000] [--json FILE]
    python bench/engines.py --workers 1,2,4 --clients 50 --events 200

PostgreSQL is a throw-away cluster of Debian's package with its defaults (`fsync` and
`synchronous_commit` on), reached through its socket.  The engines are measured in turn,
`--rounds` times, and the best of each row counts, so that what else the machine did counts
little.  The last column is how many times as long as SQLite PostgreSQL takes.  With
`--workers` only the mixed load is shown.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from compare import HIGHER_IS_BETTER, NOT_A_TIME, Figures, measure, table
from servers import Tagwerk

sys.path.append(str(Path(__file__).parents[1] / "tests"))
import postgrescluster

MIXED = ("mixed-requests-per-second", "mixed-p99", "mixed-errors")


class Measured(Tagwerk):
    """Tagwerk on one engine with some workers."""

    def __init__(self, folder: Path, engine: str, workers: int, cluster: postgrescluster.Cluster) -> None:
        self.name = engine if workers == 1 else f"{engine}-{workers}"
        self.options = ("--workers", str(workers))
        if engine == "postgresql":
            self.database = postgrescluster.new_database(cluster, empty=True)
        super().__init__(folder)


def best(one: Figures, other: Figures) -> Figures:
    """Of two measurements, the better one of each row."""
    found = dict(one)
    for row, value in other.items():
        before = found.get(row)
        if isinstance(before, int | float) and isinstance(value, int | float):
            better = max if row == HIGHER_IS_BETTER or row in NOT_A_TIME else min
            found[row] = better(before, value)
        else:
            found[row] = value
    return found


def times_as_long(results: dict[str, Figures]) -> str:
    """The rows of both engines with their ratio."""
    ours, theirs = results["sqlite"], results["postgresql"]
    lines = ["| row | sqlite | postgresql | times as long |", "|---|---:|---:|---:|"]
    for row, value in ours.items():
        other = theirs.get(row)
        both = isinstance(value, int | float) and isinstance(other, int | float) and value
        ratio = f"{other / value:.2f}" if both and row not in MIXED else ""
        lines.append(f"| {row} | {value} | {other} | {ratio} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    beside = Path(__file__).parents[2] / "shared" / "bench" / "davbench.py"
    parser.add_argument("--davbench", default=str(beside), help="the benchmark to run")
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--contacts", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=5, help="length of the mixed load")
    parser.add_argument("--clients", type=int, default=4, help="clients of the mixed load")
    parser.add_argument("--workers", default="1", help="numbers of processes, with commas")
    parser.add_argument("--timeout", type=int, default=1800, help="seconds that one server may take")
    parser.add_argument("--rounds", type=int, default=1, help="how often each engine is measured")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    arguments = parser.parse_args()
    numbers = list(map(int, arguments.workers.split(",")))
    results: dict[str, Figures] = {}
    with (
        tempfile.TemporaryDirectory(prefix="tagwerk-bench-") as temporary,
        postgrescluster.own() as cluster,
    ):
        for turn in range(arguments.rounds):
            folder = Path(temporary) / str(turn)
            folder.mkdir()
            for workers in numbers:
                for engine in ("sqlite", "postgresql"):
                    server = Measured(folder, engine, workers, cluster)
                    found = measure(server, arguments, folder)
                    results[server.name] = best(results.get(server.name, found), found)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))
    if numbers == [1]:
        print("\n" + times_as_long(results))
    else:
        mixed = {name: {row: found.get(row) for row in MIXED} for name, found in results.items()}
        print("\n" + table(mixed, compared=False))


if __name__ == "__main__":
    main()
