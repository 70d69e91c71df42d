"""Measure Tagwerk beside the other servers that are installed, in one run, and print the ratios.

    python bench/compare.py [--davbench ../shared/bench/davbench.py] [--events 5000] [--contacts 2000]
                            [--servers tagwerk,radicale,xandikos,cyrus] [--json FILE]

Each server runs alone, in a temporary folder, while davbench measures it.  The table is
in milliseconds, the mixed load in requests per second; the last column is how many
times faster Tagwerk is than the best of the others.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from servers import PASSWORD, SERVERS, USER, Server

HIGHER_IS_BETTER = "mixed-requests-per-second"
NOT_A_TIME = ("mixed-errors",)

Figures = dict[str, Any]


def measure(server: Server, arguments: argparse.Namespace, folder: Path) -> Figures:
    """What davbench finds; what it could not do stands in its own words."""
    print(f"\n== {server.name}", flush=True)
    out = folder / f"{server.name}.json"
    try:
        address = server.start()
        subprocess.run(
            [
                sys.executable,
                arguments.davbench,
                address.url,
                USER,
                PASSWORD,
                f"--home={address.home}",
                f"--book-home={address.book_home}",
                f"--events={arguments.events}",
                f"--contacts={arguments.contacts}",
                f"--seconds={arguments.seconds}",
                f"--clients={getattr(arguments, 'clients', 4)}",
                f"--json={out}",
            ],
            check=False,
            timeout=arguments.timeout,
        )
    except subprocess.TimeoutExpired:
        print(f"{server.name} took longer than {arguments.timeout} s")
    finally:
        server.stop()
    found: Figures = json.loads(out.read_text()) if out.exists() else {}
    return found


def ratio(row: str, ours: Any, others: list[Any]) -> str:
    """How many times better we are than the best of the others."""
    numbers = [value for value in others if isinstance(value, int | float) and value]
    if not isinstance(ours, int | float) or not numbers or not ours or row in NOT_A_TIME:
        return ""
    if row == HIGHER_IS_BETTER:
        return f"{ours / max(numbers):.2f}"
    return f"{min(numbers) / ours:.2f}"


def table(results: dict[str, Figures], *, compared: bool = True) -> str:
    """The figures as a Markdown table, with a column that compares Tagwerk if `compared`."""
    names = list(results)
    rows = list(dict.fromkeys(row for figures in results.values() for row in figures))
    heads = ["row", *names, *(["times better than the best other"] if compared else [])]
    lines = [f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}"]
    for row in rows:
        cells = [row, *(str(results[name].get(row, "–")) for name in names)]
        if compared:
            others = [results[name].get(row) for name in names if name != "tagwerk"]
            cells.append(ratio(row, results.get("tagwerk", {}).get(row), others))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    beside = Path(__file__).parents[2] / "shared" / "bench" / "davbench.py"
    parser.add_argument("--davbench", default=str(beside), help="the benchmark to run")
    parser.add_argument("--servers", default=",".join(kind.name for kind in SERVERS))
    parser.add_argument("--events", type=int, default=5000)
    parser.add_argument("--contacts", type=int, default=2000)
    parser.add_argument("--seconds", type=int, default=5, help="length of the mixed load")
    parser.add_argument("--timeout", type=int, default=3600, help="seconds that one server may take")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    arguments = parser.parse_args()
    wanted = arguments.servers.split(",")
    results: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory(prefix="tagwerk-bench-") as temporary:
        folder = Path(temporary)
        for server in (kind(folder) for kind in SERVERS if kind.name in wanted):
            if missing := server.missing():
                print(f"\n== {server.name} is left out: {missing}")
            else:
                results[server.name] = measure(server, arguments, folder)
            if arguments.json:
                arguments.json.write_text(json.dumps(results, indent=1))
    print("\n" + table(results))


if __name__ == "__main__":
    main()
