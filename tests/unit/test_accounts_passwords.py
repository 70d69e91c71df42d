"""tagwerk.accounts.passwords"""

from __future__ import annotations

import unicodedata

import bcrypt
import pytest

from tagwerk.accounts import passwords
from tagwerk.errors import InvalidRequest


def test_a_password_is_verified_against_its_hash_and_no_other():
    hash = passwords.hash_password("correct horse")

    assert hash.startswith("$argon2id$v=19$")
    assert passwords.verify(hash, "correct horse")
    assert not passwords.verify(hash, "correct Horse")
    assert not passwords.verify(hash, "")


def test_an_umlaut_is_the_same_however_the_client_composes_it():
    composed, decomposed = "Grüße\u00a0an", unicodedata.normalize("NFD", "Grüße an")

    hash = passwords.hash_password(composed)

    assert composed != decomposed
    assert passwords.verify(hash, composed)
    assert passwords.verify(hash, decomposed)


def test_an_imported_hash_of_a_decomposed_password_counts_for_who_types_it_so():
    from passlib.hash import pbkdf2_sha256

    decomposed = unicodedata.normalize("NFD", "Grüße")

    hash = pbkdf2_sha256.using(rounds=1000).hash(decomposed)

    assert passwords.verify(hash, decomposed)


@pytest.mark.parametrize("wrong", ["", "a\x00b", "line\nbreak", "\ud800", "x" * 1025, "\x7f"])
def test_what_http_cannot_carry_is_no_password(wrong):
    with pytest.raises(InvalidRequest):
        passwords.hash_password(wrong)

    assert not passwords.verify(passwords.hash_password("x"), wrong)


def test_a_hash_of_weaker_parameters_needs_to_be_made_again():
    weaker = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$Zm9vYmFyYmF6"

    assert passwords.needs_rehash(weaker)
    assert passwords.needs_rehash("$6$salt$hash")
    assert not passwords.needs_rehash(passwords.hash_password("x"))


@pytest.mark.parametrize(
    ("scheme", "options"),
    [
        ("sha512_crypt", {"rounds": 1000}),
        ("sha256_crypt", {"rounds": 1000}),
        ("pbkdf2_sha256", {"rounds": 1000}),
        ("apr_md5_crypt", {}),
        ("ldap_salted_sha1", {}),
    ],
)
def test_hashes_of_htpasswd_files_are_verified(scheme, options):
    import passlib.hash

    hash = getattr(passlib.hash, scheme).using(**options).hash("secret")

    assert passwords.is_known(hash)
    assert passwords.verify(hash, "secret")
    assert not passwords.verify(hash, "Secret")


def test_a_bcrypt_hash_is_verified_whoever_made_it():
    made = bcrypt.hashpw(b"my super secret password", bcrypt.gensalt(4)).decode().removeprefix("$2b$")

    for hash in (f"$2a${made}", f"$2b${made}", f"$2y${made}"):
        assert passwords.is_known(hash)
        assert passwords.verify(hash, "my super secret password")
        assert not passwords.verify(hash, "my super secret passwort")


@pytest.mark.parametrize("broken", ["", "plain", "$argon2id$broken", "$6$", "{SHA}x", "!", "*"])
def test_a_broken_hash_lets_nobody_in(broken):
    assert not passwords.verify(broken, "plain")
    assert not passwords.verify(broken, broken or "x")


def test_bcrypt_looks_at_so_much_of_a_long_password_as_it_always_did():
    password = "ä" * 40 + " and some more"
    made = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)).decode()

    assert passwords.verify(made, password)
    assert not passwords.verify(made, "ä" * 35)
