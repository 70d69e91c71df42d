"""Numbers for Prometheus (text format 0.0.4): counters, gauges and histograms of one process."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Mapping, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SIZES = (0.0, 1.0, 10.0, 100.0, 1000.0, 10000.0, 100000.0)

MAX_SERIES = 2000
"""Series of one name; what a client can choose must not fill the memory."""

Labels = tuple[str, ...]


class Counter:
    """Counts by labels."""

    kind = "counter"

    def __init__(self, name: str, help: str, labels: Sequence[str] = ()) -> None:
        self.name, self.help, self._labels = name, help, tuple(labels)
        self._values: dict[Labels, float] = {}
        self._lock = threading.Lock()

    def add(self, *labels: str, amount: float = 1.0) -> None:
        with self._lock:
            if labels in self._values or len(self._values) < MAX_SERIES:
                self._values[labels] = self._values.get(labels, 0.0) + amount

    def lines(self) -> list[str]:
        with self._lock:
            found = dict(self._values)
        return [
            f"{self.name}{_braces(self._labels, key)} {_number(value)}"
            for key, value in sorted(found.items())
        ]


class Histogram:
    """How values are spread, by labels."""

    kind = "histogram"

    def __init__(
        self, name: str, help: str, labels: Sequence[str] = (), *, buckets: Sequence[float] = SECONDS
    ) -> None:
        self.name, self.help, self._labels = name, help, tuple(labels)
        self._buckets = tuple(buckets)
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}
        self._lock = threading.Lock()

    def add(self, value: float, *labels: str) -> None:
        with self._lock:
            counts = self._counts.get(labels)
            if counts is None:
                if len(self._counts) >= MAX_SERIES:
                    return
                counts = self._counts[labels] = [0] * (len(self._buckets) + 1)
            counts[bisect_left(self._buckets, value)] += 1
            self._sums[labels] = self._sums.get(labels, 0.0) + value

    def lines(self) -> list[str]:
        with self._lock:
            found = {key: (list(counts), self._sums[key]) for key, counts in self._counts.items()}
        lines = []
        for key, (counts, total) in sorted(found.items()):
            running = 0
            for bound, count in zip((*map(_number, self._buckets), "+Inf"), counts, strict=True):
                running += count
                lines.append(f"{self.name}_bucket{_braces((*self._labels, 'le'), (*key, bound))} {running}")
            lines.append(f"{self.name}_sum{_braces(self._labels, key)} {_number(total)}")
            lines.append(f"{self.name}_count{_braces(self._labels, key)} {running}")
        return lines


class Metrics:
    """Everything that is counted."""

    def __init__(self) -> None:
        self.requests = Counter(
            "tagwerk_requests_total", "Requests answered.", ("method", "report", "status")
        )
        self.seconds = Histogram(
            "tagwerk_request_seconds",
            "Seconds from the request to the end of the answer.",
            ("method", "report"),
        )
        self.sent = Counter("tagwerk_sent_bytes_total", "Bytes of answers, as they were sent.")
        self.sync_sizes = Histogram(
            "tagwerk_sync_responses", "Resources named in one answer to sync-collection.", buckets=SIZES
        )
        self.invalid_tokens = Counter(
            "tagwerk_invalid_sync_tokens_total", "Sync tokens that were refused, so that the client starts again.",
            ("client",),
        )  # fmt: skip
        self.failed_logins = Counter(
            "tagwerk_failed_logins_total", "Requests with credentials that were refused.", ("status",)
        )
        self.waits = Histogram(
            "tagwerk_database_wait_seconds", "Seconds until a transaction began.", ("mode",)
        )

    def render(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """The text for a scrape; `gauges` have a help text and a value by name."""
        lines = []
        for each in vars(self).values():
            assert isinstance(each, Counter | Histogram)
            lines += [f"# HELP {each.name} {each.help}", f"# TYPE {each.name} {each.kind}", *each.lines()]
        for name, (text, value) in gauges.items():
            lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name} {_number(value)}"]
        return "\n".join(lines) + "\n"


def _braces(names: Labels, values: Labels) -> str:
    if not names:
        return ""
    return "{" + ",".join(f'{n}="{_escaped(v)}"' for n, v in zip(names, values, strict=True)) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
