"""Paths: /principal/collection/object, and back to hrefs (RFC 4918 5.2, 8.3; RFC 3986 2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes, urlsplit

from tagwerk.errors import BadGateway, InvalidPath

if TYPE_CHECKING:
    from tagwerk.dav.message import Request

MAX_NAME = 255
"""Characters in one segment: what file systems and clients take."""

_PLAIN = re.compile(r"[A-Za-z0-9\-._~@:]+\Z")
_SAFE = "-._~@:!$()*+,="
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://")
_ORIGIN = re.compile(r"https?://[^/?#]*", re.IGNORECASE)


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


def of_href(href: str, request: Request, *, looked_at: bool = False) -> tuple[str, ...]:
    """The segments that an href in a request names: a path, or the URL of one on this server.

    `looked_at`: nothing comes of it but that it is read, so that any host will do.  Behind a proxy that
    hides the one that was asked for, clients would believe that all they have was removed.

    Raises:
        BadGateway: it is a URL of another server.
        InvalidPath: it lies outside of the request's `base`, or is no path of ours.
    """
    whole = _ORIGIN.sub("", href.strip(), count=1) if looked_at else on_this_server(href, request)
    path, base = whole.split("?")[0], request.base
    if not path:
        raise InvalidPath(f"{href[:100]!r} has no path.")
    if base:
        if path != base and not path.startswith(base + "/"):
            raise InvalidPath(f"{href[:100]!r} lies outside of this server.")
        path = path[len(base) :]
    return split(path)


def on_this_server(href: str, request: Request) -> str:
    """An href in a request as a path with its query, without the scheme and the host of this server.

    That is the host for which the client asked, or that of ``[server] public_url``.  A port counts where
    both name one: proxies leave it out of Host.

    Raises:
        BadGateway: it is a URL of another server.
        InvalidPath: it is no URL.
    """
    href = href.strip()
    scheme = _URL.match(href)
    if scheme is None:
        return href
    try:
        named = urlsplit(href)
        asked = urlsplit(f"//{request.header('host')}")
        own = ((here.hostname, here.port) for here in (asked, urlsplit(request.public_url)) if here.hostname)
        ours = scheme[1].lower() in ("http", "https") and any(
            named.hostname == host and (None in (named.port, port) or named.port == port)
            for host, port in own
        )
    except ValueError as error:
        raise InvalidPath(f"{href[:100]!r} is no URL.") from error
    if not ours:
        raise BadGateway(
            f"{href[:100]!r} is a URL of another server; this one was asked as {asked.netloc or 'none'}."
            " Behind a proxy, let it pass the Host header on, or set [server] public_url."
        )
    return f"{named.path}?{named.query}" if named.query else named.path


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
