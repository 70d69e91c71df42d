"""Findings: what `tagwerk doctor` looked at, what it saw, and what to change."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Level(enum.StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `advice` says what to change, and is empty where nothing is to be."""

    level: Level
    area: str
    sentence: str
    advice: str = ""


def ok(area: str, sentence: str) -> Finding:
    """It is as it should be."""
    return Finding(Level.OK, area, sentence)


def note(area: str, sentence: str, advice: str) -> Finding:
    """It works, and could bite later."""
    return Finding(Level.NOTE, area, sentence, advice)


def wrong(area: str, sentence: str, advice: str) -> Finding:
    """It does not work, or is dangerous."""
    return Finding(Level.WRONG, area, sentence, advice)
