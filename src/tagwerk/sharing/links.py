"""Public links: whoever knows the URL reads, or sees when somebody is busy.

What the URL holds has 160 random bits; only its hash is stored, so neither a copy of the
database nor a backup opens anything.
"""

from __future__ import annotations

import secrets
from hashlib import blake2b

from tagwerk.errors import Refused
from tagwerk.model import NOBODY, Access, Binding, Kind
from tagwerk.sharing.shares import By, record
from tagwerk.sharing.views import View
from tagwerk.store import links
from tagwerk.store.collections import find_collection
from tagwerk.store.engine import Transaction
from tagwerk.store.links import Link

SUFFIXES = {Kind.CALENDAR: ".ics", Kind.ADDRESSBOOK: ".vcf"}

PATH = "public"
"""Under which path of the server they lie."""

REMEMBERED_EVERY = 3600
"""Seconds between two audit entries of the use of one link."""


def make_link(
    txn: Transaction,
    binding: Binding,
    access: Access,
    *,
    by: By,
    expires: int | None = None,
    password_hash: str | None = None,
    label: str = "",
) -> tuple[Link, str]:
    """Make a link and return it with the path of its URL, which cannot be had again.

    Raises:
        Refused: a link reads or shows busy time, nothing more, and an address book has none.
    """
    collection = binding.collection
    if access not in (Access.BUSY, Access.READ) or collection.kind not in SUFFIXES:
        raise Refused("A public link reads, or shows busy time.")
    if access is Access.BUSY and collection.kind is not Kind.CALENDAR:
        raise Refused("An address book has no busy time.")
    if expires is not None and expires <= by.now:
        raise Refused("The link would have expired already.")
    token = secrets.token_urlsafe(20)
    link = links.add_link(
        txn,
        collection.id,
        token_hash=hash_of(token),
        access=access,
        label=label,
        password_hash=password_hash,
        expires=expires,
        now=by.now,
    )
    record(txn, collection, "link", by=by, detail=f"{link.id:x} {access.value}")
    return link, f"/{PATH}/{token}{SUFFIXES[collection.kind]}"


def revoke_link(txn: Transaction, link: Link, *, by: By) -> None:
    """From the next request on the URL leads nowhere."""
    links.remove_link(txn, link.id)
    collection = find_collection(txn, link.collection)
    if collection is not None:
        record(txn, collection, "unlink", by=by, detail=f"{link.id:x}")


def find(txn: Transaction, token: str, *, kind: Kind, now: int) -> tuple[Link, View] | None:
    """The link whose URL holds `token` and ends as a collection of `kind` does, unless it has expired.

    As long as the owner is disabled there is none.
    """
    link = links.find_link(txn, hash_of(token))
    if link is None or (link.expires is not None and link.expires <= now):
        return None
    collection = find_collection(txn, link.collection)
    if collection is None or collection.kind is not kind:
        return None
    return link, View(collection, link.access, NOBODY, f"{collection.epoch} {link.id}", personal=False)


def used(txn: Transaction, link: Link, *, address: str, now: int) -> None:
    """Remember that a link was used."""
    links.link_used(txn, link.id, now=now, address=address)
    collection = find_collection(txn, link.collection)
    if collection is not None and (link.last_used or 0) + REMEMBERED_EVERY <= now:
        record(txn, collection, "use link", by=By(address, now), detail=f"{link.id:x}")


def hash_of(token: str) -> str:
    """What is stored of what a URL holds."""
    return blake2b(token.encode(), digest_size=32).hexdigest()
