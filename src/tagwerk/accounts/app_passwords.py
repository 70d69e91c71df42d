"""App passwords: a secret for each device, made here, shown once, and good for no more than that device needs.

They hold 118 bits of chance, which nobody guesses.  So a plain hash is enough (argon2 is
for what people think up), every request can afford to compute it, and neither caches nor
throttles have to know of them.
"""

from __future__ import annotations

import hmac
import re
import secrets
from hashlib import sha256

from tagwerk.errors import Conflict, InvalidRequest, NotFound
from tagwerk.model import PrincipalId, Rights
from tagwerk.store import credentials
from tagwerk.store.engine import Transaction

ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without what people mistake for each other: i, l and 1, o and 0."""

GROUPS, LETTERS = 6, 4

MAX_LABEL = 100

_PREFIX = "sha256:"
_SHAPE = re.compile(f"[{ALPHABET}]{{{GROUPS * LETTERS}}}")


def new_secret() -> str:
    """A new app password, in groups that can be typed: ``abcd-efgh-...``"""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(LETTERS)) for _ in range(GROUPS))


def add_app_password(
    txn: Transaction,
    principal: PrincipalId,
    label: str,
    *,
    now: int,
    rights: Rights = Rights.ALL,
    expires: int | None = None,
) -> str:
    """Make an app password and return it; it cannot be seen again.

    Raises:
        InvalidRequest: the label is empty, too long, or no text.
        Conflict: the principal has one of that label.
    """
    label = label.strip()
    if not 0 < len(label) <= MAX_LABEL or not label.isprintable():
        raise InvalidRequest(
            f"The label is a text of 1 to {MAX_LABEL} characters, such as the name of the device."
        )
    if any(known.label == label for known in credentials.app_passwords_of(txn, principal)):
        raise Conflict(f"There is an app password {label!r} already; revoke it, or take another label.")
    secret = new_secret()
    credentials.add_app_password(
        txn, principal, label=label, hash=hash_secret(secret), rights=rights, now=now, expires=expires
    )
    return secret


def revoke_app_password(txn: Transaction, principal: PrincipalId, label: str) -> None:
    """Remove an app password; it is refused from the next request on.

    Raises:
        NotFound: there is none of that label.
    """
    if not credentials.remove_app_password(txn, principal, label.strip()):
        labels = (
            ", ".join(repr(known.label) for known in credentials.app_passwords_of(txn, principal)) or "none"
        )
        raise NotFound(f"There is no app password {label!r}. There are: {labels}.")


def hash_secret(secret: str) -> str:
    """What is stored of an app password."""
    return _PREFIX + sha256(_plain(secret).encode()).hexdigest()


def is_hash(text: str) -> bool:
    """Whether it is what is stored of an app password."""
    return re.fullmatch(f"{_PREFIX}[0-9a-f]{{64}}", text) is not None


def is_app_password(text: str) -> bool:
    """Whether it has the shape of one, however somebody typed it."""
    return _SHAPE.fullmatch(_plain(text)) is not None


def matches(hash: str, secret: str) -> bool:
    """Whether `secret` is the one that was stored; takes as long for a wrong one."""
    return hmac.compare_digest(hash.encode(), hash_secret(secret).encode())


def _plain(text: str) -> str:
    # Telephones begin with a capital letter, and end with a space.
    return text.replace("-", "").replace(" ", "").lower()[: 2 * GROUPS * LETTERS]
