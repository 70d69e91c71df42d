"""Byte ranges of objects (RFC 9110 14)."""

from __future__ import annotations

import re

from tagwerk.dav.message import Request, Response

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z", re.IGNORECASE)


def apply(request: Request, response: Response, *, etag: str) -> Response:
    """The part of a whole answer that ``Range`` asks for.

    One range is served; several, other units and an ``If-Range`` that does not hold get the whole.
    Only GET has ranges (RFC 9110 14.2).
    """
    header = request.header("range") if request.method == "GET" else ""
    response.headers["Accept-Ranges"] = "bytes"
    if not header or response.status != 200 or not isinstance(response.body, bytes):
        return response
    match = _RANGE.match("".join(header.split()))
    if match is None or match.groups() == ("", "") or request.header("if-range", etag).strip() != etag:
        return response
    size = len(response.body)
    first, last = match.groups()
    if first:
        begin, end = int(first), min(int(last) if last else size - 1, size - 1)
    else:
        begin, end = max(0, size - int(last)), size - 1
    if first and last and int(last) < int(first):
        return response
    if begin >= size or begin > end:
        return Response(416, {"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"})
    response.status = 206
    response.headers["Content-Range"] = f"bytes {begin}-{end}/{size}"
    response.body = response.body[begin : end + 1]
    return response
