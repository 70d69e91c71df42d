"""Public links: URLs that open a collection to whoever knows them.  Only hashes are here."""

from __future__ import annotations

from dataclasses import dataclass

from tagwerk.model import Access, CollectionId
from tagwerk.store.engine import Row, Transaction, new_id


@dataclass(frozen=True, slots=True)
class Link:
    """A public link; instants are in seconds since 1970, `password_hash` in the PHC string format."""

    id: int
    collection: CollectionId
    access: Access
    label: str
    password_hash: str | None
    created: int
    expires: int | None
    last_used: int | None
    last_used_from: str | None


_COLUMNS = "id, collection_id, access, label, password_hash, created, expires, last_used, last_used_from"


def add_link(
    txn: Transaction,
    collection: CollectionId,
    *,
    token_hash: str,
    access: Access,
    label: str,
    password_hash: str | None,
    expires: int | None,
    now: int,
) -> Link:
    """Remember a link by the hash of what its URL holds."""
    link = Link(new_id(collection), collection, access, label, password_hash, now, expires, None, None)
    txn.execute(
        "INSERT INTO link (id, collection_id, token_hash, access, label, password_hash, created, expires)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (link.id, collection, token_hash, access.value, label, password_hash, now, expires),
    )
    return link


def find_link(txn: Transaction, token_hash: str) -> Link | None:
    """The link whose URL holds what has this hash, unless the owner of what it shows is disabled."""
    row = txn.row(
        f"SELECT {_COLUMNS} FROM link WHERE token_hash = ? AND EXISTS (SELECT 1 FROM collection c"
        " JOIN principal p ON p.id = c.owner_id WHERE c.id = link.collection_id AND p.state = 'active')",
        (token_hash,),
    )
    return None if row is None else _link(row)


def links_of(txn: Transaction, collection: CollectionId) -> list[Link]:
    """Every link to a collection, oldest first."""
    rows = txn.rows(
        f"SELECT {_COLUMNS} FROM link WHERE collection_id = ? ORDER BY created, id", (collection,)
    )
    return [_link(row) for row in rows]


def remove_link(txn: Transaction, link: int) -> bool:
    """Revoke a link; whether there was one."""
    return bool(txn.execute("DELETE FROM link WHERE id = ?", (link,)))


def link_used(txn: Transaction, link: int, *, now: int, address: str) -> None:
    """Remember when a link was used last, and from where."""
    txn.execute("UPDATE link SET last_used = ?, last_used_from = ? WHERE id = ?", (now, address, link))


def _link(row: Row) -> Link:
    return Link(row[0], CollectionId(row[1]), Access(row[2]), *row[3:])
