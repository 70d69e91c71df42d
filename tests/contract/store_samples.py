"""What the tests of the store put into it."""

from __future__ import annotations

from typing import Any

from tagwerk.model import Facts, Upload

NOW = 1_700_000_000


def event(uid: str, *, summary: str = "Meeting", first: int = 0, last: int = 3600, **facts: Any) -> Upload:
    """An upload whose facts are what the test says."""
    content = f"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nSUMMARY:{summary}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    facts = {"component": "VEVENT", "search": f"{uid}\n{summary}".lower(), **facts}
    return Upload(content.encode(), Facts(uid=uid, first=first, last=last, **facts))
