"""Numbers that processes share: each adds to a sheet of its own, and whoever is asked adds up all sheets.

The memory is made before the processes are forked.  The sheet of one that dies stays, and
the one that takes its place goes on with it, so no sum ever shrinks.
"""

from __future__ import annotations

import json
import mmap
import threading
import time
from collections.abc import Iterator

Labels = tuple[str, ...]

SHEET_BYTES = 1 << 20
"""Memory is taken only as a sheet fills."""

MAX_SERIES = 2000
"""Series of one name; what a client can choose must not fill the memory."""

_WORD = 8


class Tally:
    """The sheets of `processes` processes; `started` is when they were laid out, in seconds since 1970."""

    def __init__(self, processes: int = 1) -> None:
        self.started = time.time()
        memory = memoryview(mmap.mmap(-1, processes * SHEET_BYTES))
        self._sheets = [memory[n * SHEET_BYTES : (n + 1) * SHEET_BYTES] for n in range(processes)]

    def sheet(self, number: int = 0) -> Sheet:
        """The sheet of one process, for that process alone to write on."""
        return Sheet(self._sheets[number])

    def sums(self) -> dict[str, dict[Labels, list[float]]]:
        """By name and labels, what all processes have added."""
        sums: dict[str, dict[Labels, list[float]]] = {}
        for memory in self._sheets:
            for name, labels, values in Sheet(memory).series():
                found = sums.setdefault(name, {}).setdefault(labels, [0.0] * len(values))
                found[:] = map(float.__add__, found, values)
        return sums


class Sheet:
    """Series of numbers, in words of eight bytes.

    The first word is how many are written on.  Each series has the length of its key in
    bytes, how many numbers it has, the key, and the numbers.  It counts once the first word
    covers it, so a process that is killed in between leaves nothing that cannot be read.
    """

    def __init__(self, memory: memoryview) -> None:
        self._bytes, self._words = memory, memory.cast("d")
        self._lock = threading.Lock()
        self._places: dict[tuple[str, Labels], int] = {}
        self._numbers: dict[str, int] = {}
        for name, labels, place, _ in self._read():
            self._remember(name, labels, place)

    def add(self, name: str, labels: Labels, amounts: dict[int, float], *, size: int) -> None:
        """Add to some of the `size` numbers of a series, by their index."""
        with self._lock:
            place = self._places.get((name, labels))
            if place is None:
                place = self._begin(name, labels, size)
            if place is not None:
                for index, amount in amounts.items():
                    self._words[place + index] += amount

    def series(self) -> Iterator[tuple[str, Labels, list[float]]]:
        """Every series with its numbers; another process may be writing meanwhile."""
        for name, labels, place, size in self._read():
            yield name, labels, list(self._words[place : place + size])

    def _begin(self, name: str, labels: Labels, size: int) -> int | None:
        """The place of a new series, or None where there is no room."""
        key = json.dumps([name, *labels]).encode()
        begin = int(self._words[0]) or 1
        place = begin + 2 + -(-len(key) // _WORD)
        if self._numbers.get(name, 0) >= MAX_SERIES or place + size > len(self._words):
            return None
        self._words[begin], self._words[begin + 1] = len(key), size
        self._bytes[(begin + 2) * _WORD : (begin + 2) * _WORD + len(key)] = key
        for index in range(place, place + size):
            self._words[index] = 0.0
        self._words[0] = place + size
        self._remember(name, labels, place)
        return place

    def _remember(self, name: str, labels: Labels, place: int) -> None:
        self._places[name, labels] = place
        self._numbers[name] = self._numbers.get(name, 0) + 1

    def _read(self) -> Iterator[tuple[str, Labels, int, int]]:
        """Every series: its name, its labels, its place, and how many numbers it has."""
        begin, end = 1, int(self._words[0])
        while begin < end:
            length, size = int(self._words[begin]), int(self._words[begin + 1])
            key = bytes(self._bytes[(begin + 2) * _WORD : (begin + 2) * _WORD + length])
            name, *labels = json.loads(key)
            place = begin + 2 + -(-length // _WORD)
            yield name, tuple(labels), place, size
            begin = place + size
