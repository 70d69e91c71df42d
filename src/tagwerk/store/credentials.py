"""Credentials: what somebody proves with who they are.  Only hashes are here."""

from __future__ import annotations

from dataclasses import dataclass

from tagwerk.model import PrincipalId
from tagwerk.store.engine import Transaction, new_id


@dataclass(frozen=True, slots=True)
class Credential:
    """A verifier: `hash` in the PHC string format, `expires` in seconds since 1970 or None."""

    id: int
    kind: str
    label: str
    hash: str
    rights: str
    expires: int | None


def set_password(txn: Transaction, principal: PrincipalId, password_hash: str, *, now: int) -> None:
    """Replace the password of a principal; the old one is gone with the transaction."""
    # Of two who do this at once, one's is the password afterwards, and not both.
    txn.row("SELECT id FROM principal WHERE id = ?" + txn.for_update, (principal,))
    txn.execute("DELETE FROM credential WHERE principal_id = ? AND kind = 'password'", (principal,))
    txn.execute(
        "INSERT INTO credential (id, principal_id, kind, label, hash, rights, created)"
        " VALUES (?, ?, 'password', '', ?, 'all', ?)",
        (new_id(), principal, password_hash, now),
    )


def credentials_of(txn: Transaction, name: str) -> list[Credential]:
    """Every credential of the active principal called `name`; empty for nobody."""
    rows = txn.rows(
        "SELECT c.id, c.kind, c.label, c.hash, c.rights, c.expires FROM principal p"
        " JOIN credential c ON c.principal_id = p.id WHERE p.name = ? AND p.state = 'active'",
        (name,),
    )
    return [Credential(*row) for row in rows]


def replace_hash(txn: Transaction, credential: int, *, old: str, new: str) -> None:
    """Store the same secret under better parameters, unless it changed in the meantime."""
    txn.execute("UPDATE credential SET hash = ? WHERE id = ? AND hash = ?", (new, credential, old))
