"""The request that a thread or task works for."""

from __future__ import annotations

from contextvars import ContextVar

current_request: ContextVar[str] = ContextVar("current_request", default="")
"""Its id, "" for none; the log shows it in every line."""
