"""Paths: /principal/collection/object, and back to hrefs (RFC 4918 5.2, 8.3; RFC 3986 2)."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes, urlsplit

from tagwerk.errors import InvalidPath

MAX_NAME = 255
"""Characters in one segment: what file systems and clients take."""

_PLAIN = re.compile(r"[A-Za-z0-9\-._~@:]+\Z")
_SAFE = "-._~@:!$()*+,="


def split(path: str) -> tuple[str, ...]:
    """The decoded segments of a percent-encoded path; doubled slashes count as one.

    Raises:
        InvalidPath: a segment is ``.`` or ``..``, holds a slash, a backslash or NUL,
            is no UTF-8, or has over 255 characters.
    """
    return tuple(_decode(segment) for segment in path.split("/") if segment)


def join(base: str, *names: str, collection: bool = False) -> str:
    """The percent-encoded path of some names below the prefix `base`."""
    path = base + "/" + "/".join(map(segment, names))
    return path + "/" if collection and names else path


def segment(name: str) -> str:
    """One name, percent-encoded; always the same way, because clients compare hrefs as text."""
    return name if _PLAIN.match(name) else quote(name, safe=_SAFE)


def of_href(href: str, base: str) -> tuple[str, ...]:
    """The segments that a client's href names; an absolute URL counts by its path alone.

    Raises:
        InvalidPath: it lies outside of `base`, or is no path of ours.
    """
    try:
        path = urlsplit(href.strip()).path if "://" in href[:12] else href.strip().split("?")[0]
    except ValueError as error:
        raise InvalidPath(f"{href[:100]!r} is no URL.") from error
    if base:
        if path != base and not path.startswith(base + "/"):
            raise InvalidPath(f"{href[:100]!r} lies outside of this server.")
        path = path[len(base) :]
    return split(path)


def _decode(raw: str) -> str:
    try:
        name = unquote_to_bytes(raw).decode() if "%" in raw or not raw.isascii() else raw
    except UnicodeDecodeError as error:
        raise InvalidPath("The path is not UTF-8.") from error
    if name in (".", ".."):
        raise InvalidPath("The path holds '.' or '..'; write the path that is meant.")
    if "/" in name or "\\" in name or "\x00" in name:
        raise InvalidPath("A name in the path holds a slash, a backslash or a NUL.")
    if len(name) > MAX_NAME:
        raise InvalidPath(f"A name in the path has {len(name)} characters; {MAX_NAME} are allowed.")
    return name
