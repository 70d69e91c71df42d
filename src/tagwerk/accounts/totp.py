"""Time-based one-time passwords (RFC 6238, RFC 4226), for the web pages: DAV clients cannot ask for one."""

from __future__ import annotations

import base64
import hmac
import secrets
from urllib.parse import quote

from tagwerk.errors import NotFound
from tagwerk.model import Principal, PrincipalId
from tagwerk.store import second_factors
from tagwerk.store.engine import Transaction

STEP = 30
DIGITS = 6
DRIFT = 1
"""Steps by which a telephone's clock may be wrong."""


def new_secret() -> str:
    """160 bits in Base32, as authenticators take them (RFC 4226 4)."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def code(secret: str, step: int) -> str:
    """RFC 4226 5.3, with the time step as the counter."""
    key = base64.b32decode(secret)
    digest = hmac.digest(key, step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def begin(txn: Transaction, principal: PrincipalId, *, now: int) -> str:
    """Give a principal a new secret, which counts once a code of it was verified; the old one is gone."""
    secret = new_secret()
    second_factors.set_totp(txn, principal, secret, now=now)
    return secret


def uri(secret: str, principal: Principal, *, issuer: str = "Tagwerk") -> str:
    """What an authenticator reads from a QR code."""
    label = quote(f"{issuer}:{principal.name}")
    return f"otpauth://totp/{label}?secret={secret}&issuer={quote(issuer)}&digits={DIGITS}&period={STEP}"


def verify(txn: Transaction, principal: PrincipalId, text: str, *, now: int) -> bool:
    """Whether `text` is the code of now; each counts once (RFC 6238 5.2), and the first confirms the secret.

    Raises:
        NotFound: the principal has no second factor.
    """
    found = second_factors.totp_of(txn, principal)
    if found is None:
        raise NotFound("This user has no second factor.")
    given = "".join(char for char in text if char.isdigit())
    current = now // STEP
    for step in range(current - DRIFT, current + DRIFT + 1):
        if step > found.last_step and hmac.compare_digest(code(found.secret, step), given):
            return second_factors.accept_step(txn, principal, step)
    return False


def is_on(txn: Transaction, principal: PrincipalId) -> bool:
    """Whether logging in on a page takes a code."""
    found = second_factors.totp_of(txn, principal)
    return found is not None and found.confirmed
