"""Conditional requests (RFC 9110 13)."""

from __future__ import annotations

import re
from email.utils import formatdate, parsedate_to_datetime

from tagwerk.dav.message import Request
from tagwerk.errors import PreconditionFailed

_ETAG = re.compile(r'(?:W/)?"[^"]*"|[^\s,"]+')


def check(request: Request, etag: str | None, *, modified: int) -> None:
    """Compare the conditions of a writing request with what is there.

    `etag` is None where nothing is; `modified` is in seconds since 1970.  Comparison is
    strong for ``If-Match`` and weak for ``If-None-Match``.

    Raises:
        PreconditionFailed: a condition does not hold.
    """
    _check_unchanged(request, etag, modified)
    if_none_match = request.header("if-none-match")
    if if_none_match and matches_none(if_none_match, etag) is False:
        raise PreconditionFailed(f"The resource is there: If-None-Match {if_none_match} does not hold.")


def _check_unchanged(request: Request, etag: str | None, modified: int) -> None:
    """``If-Match``, or without it ``If-Unmodified-Since`` (RFC 9110 13.2.2, steps 1 and 2)."""
    if header := request.header("if-match"):
        if not _if_match(header, etag):
            state = "has changed" if etag is not None else "is not there"
            raise PreconditionFailed(f"The resource {state}: If-Match {header} does not hold.")
    elif etag is not None and (header := request.header("if-unmodified-since")):
        since = _seconds(header)
        if since is not None and modified > since:
            raise PreconditionFailed(f"The resource has changed: If-Unmodified-Since {header} does not hold.")


def _if_match(header: str, etag: str | None) -> bool:
    if etag is None:
        return False
    if header.strip() == "*":
        return True
    # Some clients lose the quotes on their way; a bare tag is taken for a quoted one.
    return any(tag in (etag, etag.strip('"')) for tag in _ETAG.findall(header))


def names_a_tag(request: Request) -> bool:
    """Whether ``If-Match`` names one: where it holds, who asks has seen what is there."""
    return request.header("if-match").strip() not in ("", "*")


def matches_none(header: str, etag: str | None) -> bool:
    """Whether ``If-None-Match`` holds: nothing is there, or nothing that the header names."""
    if etag is None:
        return True
    if header.strip() == "*":
        return False
    tags = [tag.removeprefix("W/") for tag in _ETAG.findall(header)]
    return etag not in tags and etag.strip('"') not in tags


def not_modified(request: Request, *, etag: str, modified: int) -> bool:
    """Whether a GET may be answered with 304 (RFC 9110 13.2.2).

    Raises:
        PreconditionFailed: another condition of it does not hold.
    """
    _check_unchanged(request, etag, modified)
    if header := request.header("if-none-match"):
        return not matches_none(header, etag)
    if header := request.header("if-modified-since"):
        since = _seconds(header)
        return since is not None and modified <= since
    return False


def _seconds(header: str) -> int | None:
    """An HTTP date in seconds since 1970; one that cannot be read does not count (RFC 9110 13.1.3)."""
    try:
        return int(parsedate_to_datetime(header).timestamp())
    except (ValueError, OverflowError):
        return None


def http_date(seconds: int) -> str:
    """An instant as ``Last-Modified`` writes it (RFC 9110 5.6.7)."""
    return formatdate(seconds, usegmt=True)
