"""What an app password is for, enforced below every method (RFC 3744 5.5 says what clients see of it).

Three places, through which everything goes: `check` looks at the method and at every path
that a request names before it is answered; `reaches` stands where homes are listed, so that
listings, synchronization and free-busy know nothing of what is left out, and where an
invitation is answered; `check_kind` stands where a path becomes a collection or a group of
delegates, and where collections are made.  Of the notices there are those about the kind
(`tagwerk.sharing.notices.notices_about`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagwerk.dav import paths
from tagwerk.dav.message import Request
from tagwerk.errors import BadGateway, InvalidPath, NeedPrivileges
from tagwerk.model import Kind, Rights
from tagwerk.store.collections import find_binding
from tagwerk.store.engine import Transaction

if TYPE_CHECKING:
    from tagwerk.dav.registry import Method


def check(txn: Transaction, request: Request, method: Method) -> None:
    """Refuse what the login of a request is not for.

    Raises:
        NeedPrivileges: it changes something with a login that only reads, or names a
            collection of a kind that is not there for it.
    """
    if method.writes and request.rights is Rights.READ_ONLY:
        raise NeedPrivileges("This app password may read only.")
    if request.rights.kind is None:
        return
    named = [paths.split(request.path)]
    if "destination" in request.headers:
        try:
            named.append(paths.of_href(request.header("destination"), request))
        except (BadGateway, InvalidPath):
            pass  # Whoever reads the header says what is wrong with it.
    for segments in named:
        binding = find_binding(txn, segments[0], segments[1]) if len(segments) > 1 else None
        if binding is not None:
            check_kind(request, binding.collection.kind)


def check_kind(request: Request, kind: Kind) -> None:
    """Refuse a kind of collection that is not there for the login of a request.

    Raises:
        NeedPrivileges: it is not.
    """
    if not reaches(request.rights, kind):
        what = "calendars" if request.rights is Rights.CALENDAR else "contacts"
        raise NeedPrivileges(f"This app password is for {what} only.")


def reaches(rights: Rights, kind: Kind) -> bool:
    """Whether a kind of collection is there for a login of these rights.

    That of the notices is for every device; which of them are in it is decided there.
    """
    return rights.kind in (None, kind) or kind is Kind.NOTIFICATIONS
