"""From where somebody logged in, and when last."""

from __future__ import annotations

from tagwerk.store.engine import Transaction


def last_login(txn: Transaction, address: str, account: str) -> int | None:
    """When `account` logged in from `address`, as far as it was written down."""
    row = txn.row("SELECT seen FROM login_place WHERE address = ? AND account = ?", (address, account))
    return None if row is None else int(row[0])


def places_of(txn: Transaction, account: str) -> list[tuple[str, int]]:
    """From where `account` logged in, and when last."""
    return list(
        txn.rows("SELECT address, seen FROM login_place WHERE account = ? ORDER BY address", (account,))
    )


def remember_login(txn: Transaction, address: str, account: str, *, now: int) -> None:
    """Write down that `account` logged in from `address`."""
    txn.execute(
        "INSERT INTO login_place (address, account, seen) VALUES (?, ?, ?)"
        " ON CONFLICT (address, account) DO UPDATE SET seen = excluded.seen",
        (address, account, now),
    )


def forget_old_places(txn: Transaction, *, before: int) -> int:
    """Forget from where nobody has logged in since `before`; how many places."""
    return txn.execute("DELETE FROM login_place WHERE seen < ?", (before,))
