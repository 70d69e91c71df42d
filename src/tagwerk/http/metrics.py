"""Numbers for Prometheus (text format 0.0.4): counters, gauges and histograms of all processes of a server."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

from tagwerk.http.tally import Labels, Sheet, Tally

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SIZES = (0.0, 1.0, 10.0, 100.0, 1000.0, 10000.0, 100000.0)

Found = Mapping[Labels, Sequence[float]]
"""The numbers of one name by labels."""


class Counter:
    """Counts by labels."""

    kind = "counter"

    def __init__(self, sheet: Sheet, name: str, help: str, labels: Sequence[str] = ()) -> None:
        self._sheet, self.name, self.help, self._labels = sheet, name, help, tuple(labels)

    def add(self, *labels: str, amount: float = 1.0) -> None:
        self._sheet.add(self.name, labels, {0: amount}, size=1)

    def lines(self, found: Found) -> list[str]:
        return [
            f"{self.name}{_braces(self._labels, key)} {_number(value)}"
            for key, (value,) in sorted(found.items())
        ]


class Histogram:
    """How values are spread, by labels: a number for each bucket, one for what is beyond, and the sum."""

    kind = "histogram"

    def __init__(
        self,
        sheet: Sheet,
        name: str,
        help: str,
        labels: Sequence[str] = (),
        *,
        buckets: Sequence[float] = SECONDS,
    ) -> None:
        self._sheet, self.name, self.help, self._labels = sheet, name, help, tuple(labels)
        self._buckets = tuple(buckets)

    def add(self, value: float, *labels: str) -> None:
        last = len(self._buckets) + 1
        self._sheet.add(
            self.name, labels, {bisect_left(self._buckets, value): 1.0, last: value}, size=last + 1
        )

    def lines(self, found: Found) -> list[str]:
        lines = []
        for key, (*counts, total) in sorted(found.items()):
            running = 0.0
            for bound, count in zip((*map(_number, self._buckets), "+Inf"), counts, strict=True):
                running += count
                labels = _braces((*self._labels, "le"), (*key, bound))
                lines.append(f"{self.name}_bucket{labels} {_number(running)}")
            lines.append(f"{self.name}_sum{_braces(self._labels, key)} {_number(total)}")
            lines.append(f"{self.name}_count{_braces(self._labels, key)} {_number(running)}")
        return lines


class Metrics:
    """Everything that is counted: by the process with this number in `tally`, and shown for all of them."""

    def __init__(self, tally: Tally, number: int = 0) -> None:
        self._tally = tally
        sheet = tally.sheet(number)
        self.requests = Counter(
            sheet, "tagwerk_requests_total", "Requests answered.", ("method", "report", "status")
        )
        self.seconds = Histogram(
            sheet,
            "tagwerk_request_seconds",
            "Seconds from the request to the end of the answer.",
            ("method", "report"),
        )
        self.sent = Counter(sheet, "tagwerk_sent_bytes_total", "Bytes of answers, as they were sent.")
        self.sync_sizes = Histogram(
            sheet,
            "tagwerk_sync_responses",
            "Resources named in one answer to sync-collection.",
            buckets=SIZES,
        )
        self.invalid_tokens = Counter(
            sheet, "tagwerk_invalid_sync_tokens_total", "Sync tokens that were refused, so that the client starts again.",
            ("client",),
        )  # fmt: skip
        self.failed_logins = Counter(
            sheet, "tagwerk_failed_logins_total", "Requests with credentials that were refused.", ("status",)
        )
        self.starts = Counter(
            sheet,
            "tagwerk_process_starts_total",
            "Processes that began to answer; more than there are when one died.",
        )
        self.waits = Histogram(
            sheet, "tagwerk_database_wait_seconds", "Seconds until a transaction began.", ("mode",)
        )

    def render(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """The text for a scrape; `gauges` have a help text and a value by name."""
        lines, sums = [], self._tally.sums()
        gauges = {
            "tagwerk_start_time_seconds": ("When the server started.", float(int(self._tally.started))),
            **gauges,
        }
        for each in vars(self).values():
            if isinstance(each, Counter | Histogram):
                lines += [f"# HELP {each.name} {each.help}", f"# TYPE {each.name} {each.kind}"]
                lines += each.lines(sums.get(each.name, {}))
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
