"""Credentials: what somebody proves with who they are.  Only hashes are here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tagwerk.model import PrincipalId, Rights
from tagwerk.store.engine import Transaction, new_id

PASSWORD = "password"  # noqa: S105
APP_PASSWORD = "app-password"  # noqa: S105

_COLUMNS = "c.id, c.kind, c.label, c.hash, c.rights, c.expires, c.created, c.last_used, c.last_used_from, c.last_used_by"


@dataclass(frozen=True, slots=True)
class Credential:
    """A verifier: `hash` is what its kind makes of a secret, instants are in seconds since 1970 or None.

    `last_used_from` is an address and `last_used_by` what the client calls itself.
    """

    id: int
    kind: str
    label: str
    hash: str
    rights: str
    expires: int | None
    created: int = 0
    last_used: int | None = None
    last_used_from: str | None = None
    last_used_by: str | None = None


def set_password(txn: Transaction, principal: PrincipalId, password_hash: str, *, now: int) -> None:
    """Replace the password of a principal; the old one is gone with the transaction."""
    # Of two who do this at once, one's is the password afterwards, and not both.
    txn.row("SELECT id FROM principal WHERE id = ?" + txn.for_update, (principal,))
    txn.execute("DELETE FROM credential WHERE principal_id = ? AND kind = 'password'", (principal,))
    _insert(txn, principal, PASSWORD, "", password_hash, Rights.ALL, now, None)


def add_app_password(
    txn: Transaction,
    principal: PrincipalId,
    *,
    label: str,
    hash: str,
    rights: Rights,
    now: int,
    expires: int | None = None,
) -> None:
    """Store an app password; whoever calls has seen to it that the label is free."""
    _insert(txn, principal, APP_PASSWORD, label, hash, rights, now, expires)


def remove_app_password(txn: Transaction, principal: PrincipalId, label: str) -> bool:
    """Remove the app password of that label; whether there was one."""
    gone = txn.execute(
        "DELETE FROM credential WHERE principal_id = ? AND kind = ? AND label = ?",
        (principal, APP_PASSWORD, label),
    )
    return gone > 0


def app_passwords_of(txn: Transaction, principal: PrincipalId) -> list[Credential]:
    """The app passwords of a principal, the oldest first."""
    rows = txn.rows(
        f"SELECT {_COLUMNS} FROM credential c WHERE c.principal_id = ? AND c.kind = ? ORDER BY c.created, c.label",
        (principal, APP_PASSWORD),
    )
    return [Credential(*row) for row in rows]


def credentials_of(txn: Transaction, name: str) -> list[Credential]:
    """Every credential of the active principal called `name`; empty for nobody."""
    rows = txn.rows(
        f"SELECT {_COLUMNS} FROM principal p"
        " JOIN credential c ON c.principal_id = p.id WHERE p.name = ? AND p.state = 'active'",
        (name,),
    )
    return [Credential(*row) for row in rows]


def replace_hash(txn: Transaction, credential: int, *, old: str, new: str) -> None:
    """Store the same secret under better parameters, unless it changed in the meantime."""
    txn.execute("UPDATE credential SET hash = ? WHERE id = ? AND hash = ?", (new, credential, old))


class Use(NamedTuple):
    """When a credential was used (seconds since 1970), from which address, and what the client calls itself."""

    credential: int
    at: int
    address: str
    client: str


def note_uses(txn: Transaction, uses: Sequence[Use]) -> None:
    """Write down that credentials were used."""
    txn.many(
        "UPDATE credential SET last_used = ?, last_used_from = ?, last_used_by = ?"
        " WHERE id = ? AND (last_used IS NULL OR last_used <= ?)",
        [(use.at, use.address, use.client, use.credential, use.at) for use in uses],
    )


def _insert(
    txn: Transaction,
    principal: PrincipalId,
    kind: str,
    label: str,
    hash: str,
    rights: Rights,
    now: int,
    expires: int | None,
) -> None:
    txn.execute(
        "INSERT INTO credential (id, principal_id, kind, label, hash, rights, created, expires)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (new_id(principal), principal, kind, label, hash, rights.value, now, expires),
    )
