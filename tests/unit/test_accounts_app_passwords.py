"""tagwerk.accounts.app_passwords, and logins with them."""

from __future__ import annotations

import time

import pytest

from tagwerk.accounts import app_passwords, passwords
from tagwerk.accounts.login import Authenticator
from tagwerk.accounts.throttle import Limits
from tagwerk.accounts.users import add_user
from tagwerk.errors import Conflict, InvalidRequest, NotFound, TooManyAttempts
from tagwerk.model import Rights
from tagwerk.store import open_engine
from tagwerk.store.credentials import app_passwords_of
from tagwerk.store.principals import principal_by_name

NOW = int(time.time())


@pytest.fixture
def engine(tmp_path, password_hash):
    engine = open_engine(f"sqlite://{tmp_path}/tagwerk.sqlite")
    with engine.write() as txn:
        add_user(txn, "anna", now=NOW, password_hash=password_hash)
    yield engine
    engine.close()


@pytest.fixture
def anna(engine):
    with engine.read() as txn:
        return principal_by_name(txn, "anna").id


@pytest.fixture
def add(engine, anna):
    def add(label="phone", **options):
        with engine.write() as txn:
            return app_passwords.add_app_password(txn, anna, label, now=NOW, **options)

    return add


def test_every_secret_is_another_and_has_118_bits():
    made = {app_passwords.new_secret() for _ in range(1000)}

    assert len(made) == 1000
    assert all(app_passwords.is_app_password(secret) for secret in made)
    assert len(app_passwords.ALPHABET) ** 24 > 2**118


def test_only_a_hash_is_stored(engine, anna, add):
    secret = add()

    with engine.read() as txn:
        (stored,) = app_passwords_of(txn, anna)

    assert secret not in repr(stored)
    assert secret.replace("-", "") not in repr(stored)


@pytest.mark.parametrize(
    "typed", [str, str.upper, str.capitalize, lambda s: s.replace("-", ""), lambda s: s + " "]
)
def test_a_secret_is_taken_however_a_telephone_writes_it(engine, add, typed):
    secret = add(rights=Rights.CALENDAR)

    login = Authenticator(engine).authenticate("anna", typed(secret))

    assert (login.name, login.rights, login.how, login.label) == (
        "anna",
        Rights.CALENDAR,
        "app-password",
        "phone",
    )


def test_a_login_with_one_computes_no_expensive_hash(engine, add, monkeypatch):
    secret = add()
    authenticator = Authenticator(engine)
    monkeypatch.setattr(passwords, "verify", lambda *_: pytest.fail("argon2 was asked"))

    assert authenticator.login("anna", secret) == "anna"


def test_a_wrong_one_costs_what_a_wrong_password_costs(engine, add, monkeypatch):
    add()
    asked = []
    monkeypatch.setattr(passwords, "verify", lambda hash, password: asked.append(hash) and False)
    authenticator = Authenticator(engine)

    assert authenticator.login("anna", app_passwords.new_secret()) is None
    assert authenticator.login("nobody", app_passwords.new_secret()) is None
    assert len(asked) == 2


def test_it_is_nobody_elses(engine, add, password_hash):
    secret = add()
    with engine.write() as txn:
        add_user(txn, "ben", now=NOW, password_hash=password_hash)

    assert Authenticator(engine).login("ben", secret) is None


def test_a_revoked_or_expired_one_is_refused_at_once(engine, anna, add):
    secret, short = add(), add("tablet", expires=NOW + 1000)
    authenticator = Authenticator(engine)
    assert authenticator.login("anna", secret) == authenticator.login("anna", short) == "anna"

    with engine.write() as txn:
        app_passwords.revoke_app_password(txn, anna, "phone")
        txn.execute("UPDATE credential SET expires = ? WHERE label = 'tablet'", (NOW - 1,))

    assert authenticator.login("anna", secret) is None
    assert authenticator.login("anna", short) is None


def test_labels_are_unique_and_texts(engine, anna, add):
    add()

    with pytest.raises(Conflict):
        add()
    for label in ("", "  ", "x" * 101, "a\nb"):
        with pytest.raises(InvalidRequest):
            add(label)
    with engine.write() as txn, pytest.raises(NotFound, match="There are: 'phone'"):
        app_passwords.revoke_app_password(txn, anna, "tablet")


def test_with_app_passwords_only_the_password_of_the_user_is_refused(engine, add):
    secret = add()
    authenticator = Authenticator(engine, app_passwords_only=True)

    assert authenticator.login("anna", "secret") is None
    assert authenticator.login("anna", secret) == "anna"


def test_the_last_use_is_noted_with_address_and_client_at_most_once_a_minute(engine, anna, add, monkeypatch):
    secret = add()
    authenticator = Authenticator(engine)

    authenticator.authenticate("anna", secret, address="198.51.100.7", client="DAVx5/4.4\r\n okhttp")
    authenticator.authenticate("anna", secret, address="198.51.100.8", client="other")
    authenticator.close()

    with engine.read() as txn:
        (stored,) = app_passwords_of(txn, anna)
    assert abs(stored.last_used - time.time()) < 60
    assert (stored.last_used_from, stored.last_used_by) == ("198.51.100.7", "DAVx5/4.4 okhttp")


def test_an_app_password_is_let_in_where_passwords_are_throttled(engine, add):
    secret = add()
    authenticator = Authenticator(engine, limits=Limits(1, 1, 900))
    assert authenticator.authenticate("anna", "wrong", address="192.0.2.1") is None

    with pytest.raises(TooManyAttempts):
        authenticator.authenticate("anna", "secret", address="192.0.2.1")
    assert authenticator.authenticate("anna", secret, address="192.0.2.1").name == "anna"


def test_a_cost_of_the_settings_counts_and_hashes_of_another_are_renewed_at_the_login(engine, anna):
    from tagwerk.store import credentials

    cheap = passwords.Cost(memory_kib=8192, passes=1, lanes=1)

    assert Authenticator(engine, cost=cheap).login("anna", "secret") == "anna"

    with engine.read() as txn:
        (stored,) = credentials.credentials_of(txn, "anna")
    assert stored.hash.startswith("$argon2id$v=19$m=8192,t=1,p=1$")
    assert Authenticator(engine, cost=cheap).login("anna", "secret") == "anna"
