"""Sharees and other people whom a request names: by principal URL, mail address, or name.

Whom the user may not look up is unknown to them here as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote

from tagwerk.dav import paths
from tagwerk.dav.resources import Context, knows
from tagwerk.errors import DAV, BadGateway, InvalidPath, Refused
from tagwerk.model import Principal, PrincipalId
from tagwerk.store.principals import principal_by_address, principal_by_name


def principal_of(context: Context, href: str, *, also: Iterable[PrincipalId] = ()) -> Principal:
    """The principal whom a client means by an href: a URL, a ``mailto:``, or an address alone.

    ``principal:`` before a path is how clients of Nextcloud write it.  `also` are those whom the
    user is shown there already, whoever else they may look up.

    Raises:
        Refused: there is nobody, several, or nobody whom the user may look up; the answer does not
            tell which (RFC 3744 8.1.1, DAV:recognized-principal).
    """
    shown = set(also)
    found = [who for who in _named(context, href.strip()) if who.id in shown or knows(context, who)]
    if len(found) != 1:
        raise Refused(
            f"{href[:100]!r} is nobody whom this server knows.", condition=DAV + "recognized-principal"
        )
    return found[0]


def _named(context: Context, href: str) -> list[Principal]:
    href = href.removeprefix("principal:")
    scheme, colon, rest = href.partition(":")
    if colon and scheme.lower() == "mailto":
        return _by_address(context, unquote(rest))
    try:
        segments = paths.of_href(href, context.request)
    except (BadGateway, InvalidPath):
        segments = ()
    if len(segments) == 1 and ("/" in href or "@" not in href):
        found = principal_by_name(context.txn, segments[0])
        return [found] if found else []
    # Clients of sabre/dav and Nextcloud write principals/users/NAME.
    if len(segments) == 3 and segments[0] == "principals":
        found = principal_by_name(context.txn, segments[2])
        return [found] if found else []
    return _by_address(context, href) if "@" in href and "/" not in href else []


def _by_address(context: Context, address: str) -> list[Principal]:
    found = principal_by_address(context.txn, address)
    if not found and (named := principal_by_name(context.txn, address)):
        # A name may look like an address, as with logins of a directory.
        return [named]
    return found
