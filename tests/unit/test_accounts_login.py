"""tagwerk.accounts.login"""

from __future__ import annotations

import threading
import time
import unicodedata

import pytest

from tagwerk.accounts import passwords
from tagwerk.accounts.login import PENDING, Authenticator, _Memory
from tagwerk.accounts.passwords import Cost
from tagwerk.accounts.users import add_user, remove_user
from tagwerk.errors import Unavailable
from tagwerk.store import credentials, open_engine
from tagwerk.store.principals import principal_by_name

NOW = 1_750_000_000
HASH = passwords.hash_password("secret")


@pytest.fixture
def engine(url):
    engine = open_engine(url)
    with engine.write() as txn:
        add_user(txn, "anna", now=NOW, password_hash=HASH)
    yield engine
    engine.close()


@pytest.fixture
def authenticator(engine):
    return Authenticator(engine)


@pytest.fixture
def verifications(monkeypatch):
    """Every hash that was computed, in order."""
    seen: list[str] = []
    real = passwords.verify

    def counted(hash, password):
        seen.append(hash)
        return real(hash, password)

    monkeypatch.setattr(passwords, "verify", counted)
    return seen


def set_password(engine, name, hash):
    with engine.write() as txn:
        credentials.set_password(txn, principal_by_name(txn, name).id, hash, now=NOW)


def test_the_right_password_gives_the_name(authenticator):
    assert authenticator.login("anna", "secret") == "anna"
    assert authenticator.login("anna", "wrong") is None
    assert authenticator.login("Anna", "secret") is None
    assert authenticator.login("nobody", "secret") is None


def test_a_verified_password_is_not_computed_again(authenticator, verifications):
    authenticator.login("anna", "secret")

    for _ in range(3):
        assert authenticator.login("anna", "secret") == "anna"

    assert len(verifications) == 1


def test_a_changed_password_is_refused_at_once_by_whoever_remembers_it(engine, url, authenticator):
    other_process = open_engine(url)
    assert authenticator.login("anna", "secret") == "anna"

    set_password(other_process, "anna", passwords.hash_password("changed"))

    assert authenticator.login("anna", "secret") is None
    assert authenticator.login("anna", "changed") == "anna"
    other_process.close()


def test_a_removed_user_is_refused_at_once(engine, authenticator):
    assert authenticator.login("anna", "secret") == "anna"

    with engine.write() as txn:
        remove_user(txn, "anna")

    assert authenticator.login("anna", "secret") is None


def test_an_expired_credential_is_refused_although_it_is_remembered(engine, authenticator):
    assert authenticator.login("anna", "secret") == "anna"

    with engine.write() as txn:
        txn.execute("UPDATE credential SET expires = ?", (int(time.time()) - 1,))

    assert authenticator.login("anna", "secret") is None


def test_an_unknown_name_costs_what_a_wrong_password_costs(authenticator, verifications):
    authenticator.login("anna", "wrong")
    for_a_user = len(verifications)

    authenticator.login("nobody", "wrong")

    assert for_a_user == 1
    assert len(verifications) == 2
    assert verifications[0].split("$")[:4] == verifications[1].split("$")[:4]


@pytest.mark.parametrize("kind", ["apr_md5_crypt", "ldap_sha1", "sha256_crypt", "bcrypt", "argon2"])
def test_a_hash_of_another_kind_or_cost_tells_nobody_by_its_time(engine, authenticator, verifications, kind):
    from passlib import hash as foreign

    made = {
        "argon2": lambda: passwords.hash_password("secret", Cost(8192, 1, 1)),
        "bcrypt": lambda: foreign.bcrypt.using(rounds=4).hash("secret"),
    }.get(kind, lambda: getattr(foreign, kind).hash("secret"))()
    set_password(engine, "anna", made)

    authenticator.login("nobody", "wrong")
    nobody = verifications.pop()
    authenticator.login("anna", "wrong")

    assert verifications == [made, nobody]
    assert authenticator.login("anna", "secret") == "anna"


def test_a_wrong_password_that_is_repeated_is_computed_once(authenticator, verifications):
    for name in ("anna", "nobody"):
        for _ in range(3):
            assert authenticator.login(name, "wrong") is None

    assert len(verifications) == 2


def test_a_password_that_was_wrong_is_right_as_soon_as_it_is_set(engine, authenticator):
    assert authenticator.login("anna", "new") is None

    set_password(engine, "anna", passwords.hash_password("new"))

    assert authenticator.login("anna", "new") == "anna"


def test_without_cache_seconds_everything_is_computed(engine, verifications):
    authenticator = Authenticator(engine, cache_seconds=0)

    authenticator.login("anna", "secret")
    authenticator.login("anna", "secret")

    assert len(verifications) == 2


def test_the_cache_forgets_the_oldest_when_it_is_full():
    memory = _Memory(60, 3)

    for number in range(50):
        memory.add(bytes([number]))

    assert [number for number in range(50) if memory.holds(bytes([number]))] == [47, 48, 49]


def test_the_cache_forgets_in_time():
    memory = _Memory(0.01, 3)
    memory.add(b"key")

    time.sleep(0.02)

    assert not memory.holds(b"key")


def test_many_first_requests_of_one_client_compute_few_hashes(authenticator, verifications):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(authenticator.login("anna", "secret")))
        for _ in range(12)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == ["anna"] * 12
    assert len(verifications) <= 2


def test_a_foreign_hash_is_replaced_by_ours_at_the_first_login(engine, authenticator):
    from passlib.hash import sha512_crypt

    set_password(engine, "anna", sha512_crypt.using(rounds=1000).hash("secret"))

    assert authenticator.login("anna", "wrong") is None
    assert authenticator.login("anna", "secret") == "anna"

    with engine.read() as txn:
        (credential,) = credentials.credentials_of(txn, "anna")
    assert credential.hash.startswith("$argon2id$")
    assert authenticator.login("anna", "secret") == "anna"


def test_a_name_counts_however_the_client_composes_it(engine, authenticator):
    with engine.write() as txn:
        add_user(txn, unicodedata.normalize("NFD", "jürgen"), now=NOW, password_hash=HASH)

    found = authenticator.login(unicodedata.normalize("NFD", "jürgen"), "secret")

    assert found == unicodedata.normalize("NFC", "jürgen")


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("", "secret"),
        ("anna", ""),
        ("anna\x00", "secret"),
        ("anna", "secret\x00"),
        ("\ud800", "secret"),
        ("a" * 100_000, "secret"),
        ("anna", "s" * 1_000_000),
        ("anna' OR '1'='1", "secret"),
    ],
)
def test_odd_names_and_passwords_are_nobodys(authenticator, name, password):
    assert authenticator.login(name, password) is None


def test_a_disabled_user_is_refused(engine, authenticator):
    assert authenticator.login("anna", "secret") == "anna"

    with engine.write() as txn:
        txn.execute("UPDATE principal SET state = 'disabled'")

    assert authenticator.login("anna", "secret") is None


def test_who_guesses_passwords_does_not_take_every_thread(authenticator, monkeypatch):
    """RFC 9110 15.6.4: the rest is told to come back, and those who are known are not kept waiting."""
    authenticator.login("anna", "secret")
    let_go = threading.Event()
    monkeypatch.setattr(passwords, "verify", lambda hash, password: not let_go.wait(20))
    guesses = [
        threading.Thread(target=authenticator.login, args=("anna", f"guess {number}"))
        for number in range(PENDING)
    ]
    for each in guesses:
        each.start()
    while len(authenticator._pending) < PENDING:
        time.sleep(0.01)

    with pytest.raises(Unavailable):
        authenticator.login("anna", "one more")
    known = authenticator.login("anna", "secret")
    let_go.set()
    for each in guesses:
        each.join()

    assert known == "anna"
    assert authenticator.login("anna", "one more") is None


def test_who_guesses_from_one_address_leaves_places_for_others(engine, monkeypatch):
    authenticator = Authenticator(engine)
    authenticator.login("anna", "secret")
    authenticator._accepted._until.clear()
    real, let_go = passwords.verify, threading.Event()
    monkeypatch.setattr(
        passwords,
        "verify",
        lambda hash, password: let_go.wait(20) and real(hash, password),
    )
    answers = []

    def come(password, address):
        try:
            found = authenticator.authenticate("anna", password, address=address)
        except Unavailable:
            answers.append((address, 503))
        else:
            answers.append((address, 401 if found is None else 200))

    def begin(password, address):
        thread = threading.Thread(target=come, args=(password, address))
        thread.start()
        return thread

    guesses = [begin(f"guess {number}", "203.0.113.66") for number in range(40)]
    while len(answers) < 40 - PENDING // 2:
        time.sleep(0.01)
    others = [begin("typo", f"198.51.100.{number}") for number in range(3)]
    known = begin("secret", "203.0.113.66")
    while len(authenticator._pending) < PENDING // 2 + 3:
        time.sleep(0.01)
    let_go.set()
    for each in (*guesses, *others, known):
        each.join()

    assert answers.count(("203.0.113.66", 503)) == 40 - PENDING // 2
    assert sorted(answer for answer in answers if answer[0] != "203.0.113.66") == [
        (f"198.51.100.{number}", 401) for number in range(3)
    ]
    assert ("203.0.113.66", 200) in answers
