"""Second factors: the secrets of one-time passwords, which have to be readable to be verified (RFC 6238)."""

from __future__ import annotations

from dataclasses import dataclass

from tagwerk.model import PrincipalId
from tagwerk.store.engine import Transaction


@dataclass(frozen=True, slots=True)
class Totp:
    """A secret in Base32; `last_step` is the last time step that was accepted."""

    secret: str
    confirmed: bool
    last_step: int


def set_totp(txn: Transaction, principal: PrincipalId, secret: str, *, now: int) -> None:
    """Replace the secret of a principal by one that is not confirmed yet."""
    remove_totp(txn, principal)
    txn.execute(
        "INSERT INTO totp (principal_id, secret, confirmed, last_step, created) VALUES (?, ?, ?, 0, ?)",
        (principal, secret, False, now),
    )


def totp_of(txn: Transaction, principal: PrincipalId) -> Totp | None:
    """The secret of a principal."""
    row = txn.row("SELECT secret, confirmed, last_step FROM totp WHERE principal_id = ?", (principal,))
    return None if row is None else Totp(row[0], bool(row[1]), row[2])


def accept_step(txn: Transaction, principal: PrincipalId, step: int) -> bool:
    """Use up a time step, and confirm the secret; False if it, or a later one, was used already."""
    return (
        txn.execute(
            "UPDATE totp SET last_step = ?, confirmed = ? WHERE principal_id = ? AND last_step < ?",
            (step, True, principal, step),
        )
        > 0
    )


def remove_totp(txn: Transaction, principal: PrincipalId) -> bool:
    """Remove the secret of a principal; whether there was one."""
    return txn.execute("DELETE FROM totp WHERE principal_id = ?", (principal,)) > 0
