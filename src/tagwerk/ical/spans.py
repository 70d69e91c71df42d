"""Packed occurrences (`tagwerk.model.Facts.spans`), asked without unpacking them.

A span is a start and an end in seconds since 1970 UTC, two signed little-endian
64-bit numbers.  Spans are sorted by their start.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import chain
from operator import sub

WIDTH = 16
"""The octets of one span."""


def are_spans(spans: bytes) -> bool:
    """Whether these can be spans at all."""
    return isinstance(spans, bytes) and len(spans) % WIDTH == 0


def pack_spans(spans: Iterable[tuple[int, int]]) -> bytes:
    """`spans`, which are sorted, as `Facts` keeps them."""
    numbers = array("q", chain.from_iterable(spans))
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def spans_overlap(spans: bytes, start: int, end: int) -> bool:
    """Whether one of `spans` overlaps the range from `start` to `end` as a VEVENT does (RFC 4791 9.9)."""
    if len(spans) == WIDTH:
        first, last = _numbers(spans)
        return (start < last and end > first) or first == last == start < end
    starts, ends = _columns(spans)
    high = bisect_left(starts, end)
    if not high:
        return False
    latest = max(ends[:high])
    if latest > start:
        return True
    # What has no length counts by its start.
    index = bisect_left(starts, start, 0, high)
    return latest == start and any(
        starts[place] == ends[place] for place in range(index, high) if starts[place] == start
    )


def iter_spans(spans: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The `spans` that overlap the range from `start` to `end`, in their order."""
    starts, ends = _columns(spans)
    high = bisect_left(starts, end)
    if not high:
        return
    longest = max(map(sub, ends[:high], starts[:high]))
    for place in range(bisect_left(starts, start - longest, 0, high), high):
        first, last = starts[place], ends[place]
        if last > start or first == last == start:
            yield first, last


def _numbers(spans: bytes) -> array[int]:
    numbers = array("q", spans)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _columns(spans: bytes) -> tuple[array[int], array[int]]:
    numbers = _numbers(spans)
    return numbers[0::2], numbers[1::2]
