"""Tables: rows for people, with columns as wide as they are shown."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import datetime


def table(header: Sequence[str], rows: Sequence[Sequence[str | int]]) -> str:
    """The rows under their header; numbers stand on the right, and nothing breaks a line."""
    cells = [list(header), *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    right = [bool(rows) and all(isinstance(row[n], int) for row in rows) for n in range(len(header))]
    lines = []
    for row in cells:
        padded = [
            " " * (width - _width(text)) + text if to_right else text + " " * (width - _width(text))
            for text, width, to_right in zip(row, widths, right, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 user, 2,000 users."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def day(seconds: int | None) -> str:
    """The day of an instant here, "" for none."""
    return "" if seconds is None else datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d")


def minute(seconds: int | None) -> str:
    """An instant here to the minute, "" for none."""
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")


def _cell(value: str | int) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return "".join(" " if unicodedata.category(char) in ("Cc", "Zl", "Zp") else char for char in value)


def _width(text: str) -> int:
    """Columns on a terminal (Unicode Standard Annex 11)."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )
