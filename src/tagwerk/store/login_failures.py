"""Wrong passwords, counted for all processes in one place."""

from __future__ import annotations

from tagwerk.store.engine import Transaction

EVERY_ACCOUNT = ""


def failures(
    txn: Transaction, address: str, accounts: tuple[str, ...], *, after: int
) -> dict[str, tuple[int, int]]:
    """For each of `accounts`: how many failures came from `address`, and since when they are counted.

    A count that began before `after` is forgotten.
    """
    marks = ", ".join("?" for _ in accounts)
    rows = txn.rows(
        f"SELECT account, failures, since FROM login_failure WHERE address = ? AND since > ? AND account IN ({marks})",
        (address, after, *accounts),
    )
    return {account: (number, since) for account, number, since in rows}


def count_failure(txn: Transaction, address: str, account: str, *, now: int, after: int) -> None:
    """Count one failure; a count that began before `after` begins anew."""
    txn.execute(
        "INSERT INTO login_failure (address, account, failures, since) VALUES (?, ?, 1, ?)"
        " ON CONFLICT (address, account) DO UPDATE SET"
        " failures = CASE WHEN login_failure.since > ? THEN login_failure.failures + 1 ELSE 1 END,"
        " since = CASE WHEN login_failure.since > ? THEN login_failure.since ELSE excluded.since END",
        (address, account, now, after, after),
    )


def forget_failures(txn: Transaction, address: str, account: str) -> None:
    """Forget what was counted for one account at one address."""
    txn.execute("DELETE FROM login_failure WHERE address = ? AND account = ?", (address, account))


def forget_old_failures(txn: Transaction, *, before: int) -> int:
    """Forget every count that began before `before`; their number."""
    return txn.execute("DELETE FROM login_failure WHERE since < ?", (before,))
