"""How Tagwerk's answers and memory grow with the size of a calendar.

    python bench/growth.py [--davbench ../shared/bench/davbench.py] [--sizes 500,5000,50000] [--json FILE]

For each size a fresh server is measured by davbench; the table is in milliseconds, its
last row is the most memory that the process had resident, in MB.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from pathlib import Path

from compare import Figures, measure, table
from servers import Tagwerk

PEAK = "peak resident MB"


class Sized(Tagwerk):
    """Tagwerk under the name of a size, noting its memory before it is stopped."""

    def __init__(self, folder: Path, size: int) -> None:
        self.name = str(size)
        self.peak = 0.0
        super().__init__(folder)

    def stop(self) -> None:
        if self.process is not None:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
            match = re.search(r"VmHWM:\s+(\d+) kB", status)
            self.peak = round(int(match.group(1)) / 1024, 1) if match else 0.0
        super().stop()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    beside = Path(__file__).parents[2] / "shared" / "bench" / "davbench.py"
    parser.add_argument("--davbench", default=str(beside), help="the benchmark to run")
    parser.add_argument("--sizes", default="500,5000,50000")
    parser.add_argument("--seconds", type=int, default=2, help="length of the mixed load")
    parser.add_argument("--timeout", type=int, default=3600, help="seconds that one size may take")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    arguments = parser.parse_args()
    results: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory(prefix="tagwerk-growth-") as temporary:
        for size in map(int, arguments.sizes.split(",")):
            server = Sized(Path(temporary), size)
            arguments.events, arguments.contacts = size, max(10, size // 10)
            results[server.name] = measure(server, arguments, Path(temporary)) | {PEAK: server.peak}
    print("\n" + table(results, compared=False))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
