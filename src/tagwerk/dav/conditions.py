"""Conditional requests (RFC 9110 13)."""

from __future__ import annotations

import re
from email.utils import formatdate, parsedate_to_datetime

from tagwerk.dav.message import Request
from tagwerk.errors import PreconditionFailed

_ETAG = re.compile(r'\s*((?:W/)?"[^"]*"|[^\s,"]+)\s*(?:,|$)')


def check(request: Request, etag: str | None) -> None:
    """Compare ``If-Match`` and ``If-None-Match`` of a writing request with what is there.

    `etag` is None where nothing is.  Comparison is strong for ``If-Match`` and weak
    for ``If-None-Match``.

    Raises:
        PreconditionFailed: the condition does not hold.
    """
    if_match = request.header("if-match")
    if if_match and not _if_match(if_match, etag):
        state = "has changed" if etag is not None else "is not there"
        raise PreconditionFailed(f"The resource {state}: If-Match {if_match} does not hold.")
    if_none_match = request.header("if-none-match")
    if if_none_match and matches_none(if_none_match, etag) is False:
        raise PreconditionFailed(f"The resource is there: If-None-Match {if_none_match} does not hold.")


def _if_match(header: str, etag: str | None) -> bool:
    if etag is None:
        return False
    if header.strip() == "*":
        return True
    # Some clients lose the quotes on their way; a bare tag is taken for a quoted one.
    return any(tag in (etag, etag.strip('"')) for tag in _ETAG.findall(header))


def matches_none(header: str, etag: str | None) -> bool:
    """Whether ``If-None-Match`` holds: nothing is there, or nothing that the header names."""
    if etag is None:
        return True
    if header.strip() == "*":
        return False
    tags = [tag.removeprefix("W/") for tag in _ETAG.findall(header)]
    return etag not in tags and etag.strip('"') not in tags


def not_modified(request: Request, *, etag: str, modified: int) -> bool:
    """Whether a GET may be answered with 304 (RFC 9110 13.2.2)."""
    if header := request.header("if-none-match"):
        return not matches_none(header, etag)
    if header := request.header("if-modified-since"):
        try:
            return modified <= int(parsedate_to_datetime(header).timestamp())
        except (ValueError, OverflowError):
            return False
    return False


def http_date(seconds: int) -> str:
    """An instant as ``Last-Modified`` writes it (RFC 9110 5.6.7)."""
    return formatdate(seconds, usegmt=True)
