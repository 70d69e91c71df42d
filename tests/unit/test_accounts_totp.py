"""tagwerk.accounts.totp: RFC 6238's own numbers, and a code that counts once."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, urlsplit

import pytest

from tagwerk.accounts import totp
from tagwerk.errors import NotFound
from tagwerk.store import open_engine
from tagwerk.store.principals import add_principal

RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
NOW = 1_770_000_000


@pytest.fixture
def txn(tmp_path):
    engine = open_engine(f"sqlite://{tmp_path}/tagwerk.sqlite")
    with engine.write() as txn:
        yield txn
    engine.close()


@pytest.fixture
def anna(txn):
    return add_principal(txn, "anna", now=NOW)


@pytest.mark.parametrize(
    ("instant", "code"),
    [(59, "94287082"), (1111111109, "07081804"), (1111111111, "14050471"), (1234567890, "89005924"),
     (2000000000, "69279037"), (20000000000, "65353130")],
)  # fmt: skip
def test_the_table_of_rfc_6238_appendix_b(instant, code):
    assert totp.code(RFC_SECRET, instant // totp.STEP) == code[-totp.DIGITS :]


def test_a_secret_counts_once_a_code_of_it_was_seen(txn, anna):
    secret = totp.begin(txn, anna.id, now=NOW)
    before = totp.is_on(txn, anna.id)

    right = totp.verify(txn, anna.id, totp.code(secret, NOW // 30), now=NOW)

    assert (before, right, totp.is_on(txn, anna.id)) == (False, True, True)


def test_a_code_counts_once(txn, anna):
    secret = totp.begin(txn, anna.id, now=NOW)
    code = totp.code(secret, NOW // 30)

    assert totp.verify(txn, anna.id, code, now=NOW)
    assert not totp.verify(txn, anna.id, code, now=NOW)
    assert not totp.verify(txn, anna.id, totp.code(secret, NOW // 30 - 1), now=NOW)
    assert totp.verify(txn, anna.id, totp.code(secret, NOW // 30 + 1), now=NOW + 30)


@pytest.mark.parametrize(
    ("seconds", "right"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)]
)
def test_clocks_may_differ_by_half_a_minute(txn, anna, seconds, right):
    secret = totp.begin(txn, anna.id, now=NOW)

    assert totp.verify(txn, anna.id, totp.code(secret, (NOW + seconds) // 30), now=NOW) is right


@pytest.mark.parametrize("typed", ["", "000000", "abc", "1234567", "12345"])
def test_anything_else_is_wrong(txn, anna, typed):
    totp.begin(txn, anna.id, now=NOW)

    assert not totp.verify(txn, anna.id, typed, now=NOW)


def test_who_has_none_is_not_asked(txn, anna):
    assert not totp.is_on(txn, anna.id)
    with pytest.raises(NotFound):
        totp.verify(txn, anna.id, "123456", now=NOW)


def test_an_authenticator_can_read_it(anna):
    parts = urlsplit(totp.uri(RFC_SECRET, anna))

    assert (parts.scheme, parts.netloc, parts.path) == ("otpauth", "totp", "/Tagwerk%3Aanna")
    assert parse_qs(parts.query)["secret"] == [RFC_SECRET]
