"""Wrong passwords: tables of attempts with the expected answer, over two processes' worth of engines."""

from __future__ import annotations

import pytest

from tagwerk.accounts.login import Authenticator
from tagwerk.accounts.passwords import Cost, hash_password
from tagwerk.accounts.throttle import (
    DAY,
    PLACE_SECONDS,
    Limits,
    Throttle,
    account_key,
    address_key,
)
from tagwerk.accounts.users import add_user
from tagwerk.errors import TooManyAttempts
from tagwerk.store import open_engine
from tagwerk.store.credentials import set_password
from tagwerk.store.erasure import forget_account
from tagwerk.store.login_failures import forget_old_failures
from tagwerk.store.login_places import forget_old_places, last_login
from tagwerk.store.principals import principal_by_name

CHEAP = Cost(memory_kib=8192, passes=1, lanes=1)
LIMITS = Limits(failures=3, address_failures=6, seconds=900)
HOME, EVIL, OTHER = "198.51.100.7", "203.0.113.66", "203.0.113.67"


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(f"sqlite://{tmp_path}/tagwerk.sqlite")
    with engine.write() as txn:
        for name in ("anna", "ben"):
            add_user(txn, name, now=1, password_hash=hash_password("secret", CHEAP))
    yield engine
    engine.close()


@pytest.fixture
def new(engine):
    """A process of the server."""
    return lambda: Authenticator(engine, cost=CHEAP, limits=LIMITS)


def attempt(authenticator, name, password, address):
    try:
        found = authenticator.authenticate(name, password, address=address)
    except TooManyAttempts as error:
        return 429 if 0 < error.retry_after <= LIMITS.seconds else error.retry_after
    return 401 if found is None else 200


@pytest.mark.parametrize(
    "table",
    [
        pytest.param(
            [("anna", f"guess{n}", EVIL, 401) for n in range(3)]
            + [
                ("anna", "guess9", EVIL, 429),
                ("anna", "secret", EVIL, 429),
                ("anna", "secret", HOME, 200),
                ("ben", "secret", EVIL, 200),
            ],
            id="who hammers at a name locks out nobody but themselves",
        ),
        pytest.param(
            [(f"user{n}", "guess", EVIL, 401) for n in range(6)]
            + [("anna", "guess", EVIL, 429), ("anna", "secret", EVIL, 429), ("anna", "secret", OTHER, 200)],
            id="one address is bounded over all names",
        ),
        pytest.param(
            [("nobody", f"guess{n}", EVIL, 401) for n in range(3)] + [("nobody", "guess9", EVIL, 429)],
            id="a name that is not there is throttled like one that is",
        ),
        pytest.param(
            [("anna", "old password", HOME, 401)] * 20
            + [("anna", "secret", HOME, 200), ("ben", "x", HOME, 401)],
            id="a device that repeats an old password counts once",
        ),
        pytest.param(
            [
                ("anna", "a", HOME, 401),
                ("anna", "b", HOME, 401),
                ("anna", "secret", HOME, 200),
                ("anna", "c", HOME, 401),
                ("anna", "d", HOME, 401),
                ("anna", "e", HOME, 401),
                ("anna", "f", HOME, 429),
            ],
            id="the right password forgives what was typed before",
        ),
        pytest.param(
            [("anna", "secret", HOME, 200)]
            + [("anna", f"guess{n}", HOME, 401) for n in range(3)]
            + [("anna", "guess9", HOME, 429), ("anna", "secret", HOME, 200)],
            id="what is known to be right is let in, even from the address of an attacker",
        ),
        pytest.param(
            [
                ("anna", "a", "2001:db8:1:2::1", 401),
                ("anna", "b", "2001:db8:1:2::2", 401),
                ("anna", "c", "2001:db8:1:2:ffff::3", 401),
                ("anna", "d", "2001:db8:1:2::4", 429),
                ("anna", "d", "2001:db8:1:3::4", 401),
            ],
            id="an IPv6 line is one address",
        ),
        pytest.param(
            [(f"user{n}", "guess", "127.0.0.1", 401) for n in range(7)]
            + [("anna", "secret", "127.0.0.1", 200)]
            + [("ben", f"guess{n}", "::1", 401) for n in range(3)]
            + [("ben", "guess9", "::1", 429)],
            id="this machine may be everybody behind a proxy, and is bounded for each name",
        ),
    ],
)
def test_attempts(new, table):
    authenticator = new()

    assert [attempt(authenticator, *row[:3]) for row in table] == [row[3] for row in table]


def test_all_processes_count_together(new):
    one, other = new(), new()

    answers = [
        attempt(each, "anna", f"guess{n}", EVIL) for n, each in enumerate((one, other, one, other, one))
    ]

    assert answers == [401, 401, 401, 429, 429]


def test_a_process_that_starts_again_still_knows(new):
    for n in range(3):
        attempt(new(), "anna", f"guess{n}", EVIL)

    assert attempt(new(), "anna", "secret", EVIL) == 429


def guess_until_throttled(new, address):
    guesser = new()
    answers = [attempt(guesser, f"user{n}", "guess", address) for n in range(LIMITS.address_failures + 1)]
    assert answers[-1] == 429


def test_who_shares_an_address_with_a_guesser_is_let_in_also_by_a_process_that_has_just_begun(new):
    before = new()
    assert attempt(before, "anna", "secret", HOME) == 200
    before.close()

    guess_until_throttled(new, HOME)

    assert attempt(new(), "anna", "secret", HOME) == 200
    assert attempt(new(), "ben", "secret", HOME) == 429


def test_who_logged_in_from_there_is_guessed_no_more_often_than_others(new):
    before = new()
    assert attempt(before, "anna", "secret", HOME) == 200
    before.close()
    guess_until_throttled(new, HOME)
    guesser = new()

    answers = [attempt(guesser, "anna", f"guess{n}", HOME) for n in range(5)]

    assert answers == [429] * 5
    # Those for her own name are counted, and then nothing is looked at that is not known to be right.
    assert attempt(guesser, "anna", "secret", HOME) == 429


def test_where_somebody_guesses_a_wrong_password_tells_nobody_who_logs_in_there(new, engine):
    before = new()
    assert attempt(before, "anna", "secret", HOME) == 200
    before.close()
    guess_until_throttled(new, HOME)
    guesser = new()

    def refused(name, n):
        with pytest.raises(TooManyAttempts) as raised:
            guesser.authenticate(name, f"guess{n}", address=HOME)
        return str(raised.value)

    for n in range(4):
        assert refused("anna", n) == refused("ben", n) == refused("nobody", n)
    with engine.write() as txn:
        # Her own failures begin later than those of the address.
        txn.execute("UPDATE login_failure SET since = since - 100 WHERE account = ''")
    waits = []
    for name in ("anna", "ben"):
        with pytest.raises(TooManyAttempts) as raised:
            guesser.authenticate(name, "another guess", address=HOME)
        waits.append(raised.value.retry_after)
    assert max(waits) <= LIMITS.seconds - 100


def test_a_password_that_was_right_is_let_in_wherever_somebody_guesses_however_long_ago_it_came(engine):
    authenticator = Authenticator(engine, cost=CHEAP, limits=LIMITS)
    assert attempt(authenticator, "anna", "secret", HOME) == 200
    authenticator._accepted._until.clear()  # A phone asks every quarter of an hour.

    for address in (HOME, OTHER):
        for n in range(4):
            last = attempt(authenticator, "anna", f"guess{n}", address)
        assert last == 429
        assert attempt(authenticator, "anna", "secret", address) == 200
        authenticator._accepted._until.clear()

    # It was right, and is no more: a guess as every other.
    with engine.write() as txn:
        set_password(txn, principal_by_name(txn, "anna").id, hash_password("another secret", CHEAP), now=2)
    for n in range(4):
        attempt(authenticator, "anna", f"another guess{n}", EVIL)
    assert attempt(authenticator, "anna", "secret", EVIL) == 429


def test_places_are_forgotten_in_time(engine):
    throttle = Throttle(engine, LIMITS)
    throttle.succeeded(HOME, "anna", now=1000)
    throttle.close()
    begin = 1000 + PLACE_SECONDS - 1
    for n in range(6):
        throttle.failed(HOME, f"user{n}", now=begin)

    throttle.check(HOME, "anna", now=begin)
    with pytest.raises(TooManyAttempts):
        throttle.check(HOME, "anna", now=begin + 1)
    with engine.write() as txn:
        assert forget_old_places(txn, before=1001) == 1


def test_a_place_is_written_once_a_day(engine):
    seen = []
    for now in (DAY, DAY + 1, 2 * DAY - 1, 2 * DAY):
        throttle = Throttle(engine, LIMITS)
        throttle.succeeded(HOME, "anna", now=now)
        throttle.close()
        with engine.read() as txn:
            seen.append(last_login(txn, HOME, account_key("anna")))

    assert seen == [DAY, DAY, DAY, 2 * DAY]


def test_nothing_is_known_of_who_was_erased(engine):
    throttle = Throttle(engine, LIMITS)
    throttle.succeeded(HOME, "anna", now=1000)
    throttle.close()

    with engine.write() as txn:
        assert last_login(txn, HOME, account_key("anna")) == 1000
        forget_account(txn, account_key("anna"))

    with engine.read() as txn:
        assert txn.row("SELECT COUNT(*) FROM login_place") == (0,)


def test_failures_are_forgotten_in_time(engine):
    throttle = Throttle(engine, LIMITS)
    for _ in range(3):
        throttle.failed(EVIL, "anna", now=1000)

    with pytest.raises(TooManyAttempts) as caught:
        throttle.check(EVIL, "anna", now=1100)
    throttle.check(EVIL, "anna", now=1000 + 900)
    throttle.failed(EVIL, "anna", now=2000)
    throttle.check(EVIL, "anna", now=2001)

    assert caught.value.retry_after == 800


def test_old_counts_leave_the_database(engine):
    Throttle(engine, LIMITS).failed(EVIL, "anna", now=1000)

    with engine.write() as txn:
        assert forget_old_failures(txn, before=2000) == 2
        assert txn.row("SELECT COUNT(*) FROM login_failure") == (0,)


def test_without_limits_nothing_is_written(engine):
    throttle = Throttle(engine, Limits(0, 0))

    throttle.failed(EVIL, "anna", now=1)
    throttle.check(EVIL, "anna", now=1)
    throttle.succeeded(EVIL, "anna", now=1)
    throttle.close()

    with engine.read() as txn:
        assert txn.row("SELECT COUNT(*) FROM login_failure") == (0,)
        assert txn.row("SELECT COUNT(*) FROM login_place") == (0,)


def test_what_was_typed_as_a_name_is_not_stored(engine):
    Throttle(engine, LIMITS).failed(EVIL, "my password by mistake", now=1)

    with engine.read() as txn:
        assert "mistake" not in repr(list(txn.rows("SELECT * FROM login_failure")))


def test_addresses_and_names_that_count_as_one():
    assert address_key("::ffff:192.0.2.1") == address_key("192.0.2.1")
    assert address_key("fe80::1%eth0") == address_key("fe80::2")
    assert account_key("Jürgen") == account_key("JU\u0308RGEN".lower())
