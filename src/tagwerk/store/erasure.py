"""Erasure: traces of somebody that lie outside of what they own."""

from __future__ import annotations

from collections import Counter

from tagwerk.model import PrincipalId
from tagwerk.store.engine import Transaction


def forget_account(txn: Transaction, account: str) -> None:
    """Forget from where an account logged in, and the wrong passwords that were counted for it, at every address."""
    txn.execute("DELETE FROM login_failure WHERE account = ?", (account,))
    txn.execute("DELETE FROM login_place WHERE account = ?", (account,))


def forget_jobs(txn: Transaction, principal: PrincipalId) -> None:
    """Forget the work that the data of somebody caused, who is gone."""
    txn.execute("DELETE FROM outbox WHERE principal_id = ?", (principal,))


def objects_that_name(txn: Transaction, address: str) -> dict[str, int]:
    """How many objects of each owner, and earlier versions, hold an address; every one is read."""
    wanted = address.casefold().encode()
    found: Counter[str] = Counter()
    rows = txn.rows(
        "SELECT p.name, o.content FROM object o JOIN collection c ON c.id = o.collection_id"
        " JOIN principal p ON p.id = c.owner_id WHERE NOT o.removed AND o.content IS NOT NULL"
        " UNION ALL SELECT p.name, v.content FROM version v JOIN collection c ON c.id = v.collection_id"
        " JOIN principal p ON p.id = c.owner_id"
    )
    for owner, content in rows:
        # Long lines are folded (RFC 5545 3.1), also in the middle of an address.
        if wanted in bytes(content).lower().replace(b"\r\n ", b"").replace(b"\n ", b""):
            found[owner] += 1
    return dict(sorted(found.items()))
