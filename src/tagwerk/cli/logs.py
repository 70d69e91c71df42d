"""Logs: one line on standard error for each message, for people or for programs."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime

from tagwerk.http.current import current_request
from tagwerk.settings import Logging


class _Lines(logging.Formatter):
    """``2026-01-31T08:00:00Z warning tagwerk.store: message``"""

    def format(self, record: logging.LogRecord) -> str:
        fields = _fields(record)
        said = " ".join(f"{name}={_word(value)}" for name, value in fields.items()) or record.getMessage()
        text = f"{_instant(record)} {record.levelname.lower()} {record.name}: {said}"
        request = current_request.get()
        if request and "request" not in fields:
            text += f" (request {request})"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return text


class _Json(logging.Formatter):
    """One object in a line."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "time": _instant(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        request = current_request.get()
        if request:
            fields.setdefault("request", request)
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


def _fields(record: logging.LogRecord) -> dict[str, object]:
    found: dict[str, object] = getattr(record, "fields", {})
    return found


def _word(value: object) -> str:
    """A value as one word, quoted where it has to be: nobody can make a line look like two."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if re.fullmatch(r"[\w./@:*+-]+", text) else json.dumps(text, ensure_ascii=False)


def configure(settings: Logging) -> None:
    """Send the messages of this process to standard error, as [logging] says."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if settings.format == "json" else _Lines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    # At "info" uvicorn tells its own life, which ours tells already.
    if root.level >= logging.INFO:
        logging.getLogger("uvicorn").setLevel(max(root.level, logging.WARNING))


def _instant(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
