"""tagwerk_radicale.auth, and Radicale's own auth types beside our storage."""

from __future__ import annotations

import subprocess
import sys

import pytest
from stock import HASH, NOW

from tagwerk.accounts.app_passwords import add_app_password
from tagwerk.accounts.users import add_user, remove_user
from tagwerk.model import Rights
from tagwerk.store.principals import principal_by_name

HOME = {"/anna/", "/anna/calendar/", "/anna/tasks/", "/anna/contacts/"}


def home_of(client):
    return set(client.propfind("/anna/", "{DAV:}displayname", depth="1").statuses())


def test_the_right_password_opens_the_home(anna):
    assert home_of(anna) == HOME


@pytest.mark.parametrize(
    ("user", "password"),
    [("anna", "wrong"), ("anna", ""), ("nobody", "secret"), ("ANNA", "secret"), ("anna/calendar", "secret")],
)
def test_everything_else_is_asked_for_a_password(anna, user, password):
    anna.user, anna.password = user, password

    answer = anna("PROPFIND", "/anna/")

    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")


def test_nobody_is_asked_for_a_password(anna):
    anna.user = None

    assert anna("PROPFIND", "/").status == 401


def test_a_password_that_another_process_changed_is_refused_at_once(anna, url):
    assert home_of(anna) == HOME
    program = (
        "import sys\n"
        "from tagwerk.accounts.passwords import hash_password\n"
        "from tagwerk.store import credentials, open_engine\n"
        "from tagwerk.store.principals import principal_by_name\n"
        "with open_engine(sys.argv[1]).write() as txn:\n"
        "    principal = principal_by_name(txn, 'anna')\n"
        "    credentials.set_password(txn, principal.id, hash_password('changed'), now=1)\n"
    )

    subprocess.run([sys.executable, "-c", program, url], check=True)

    assert anna("PROPFIND", "/anna/").status == 401
    anna.password = "changed"
    assert home_of(anna) == HOME


def test_a_removed_user_is_refused_at_once_and_gets_no_home_again(anna, engine):
    assert home_of(anna) == HOME

    with engine.write() as txn:
        remove_user(txn, "anna")

    assert anna("PROPFIND", "/anna/").status == 401


def test_a_wrong_password_does_not_sleep(anna):
    import time

    anna.password = "wrong"
    anna("PROPFIND", "/anna/")

    begin = time.monotonic()
    for _ in range(20):
        anna("PROPFIND", "/anna/")

    assert time.monotonic() - begin < 1


def test_the_users_may_be_in_another_database(url, start, tmp_path):
    from tagwerk_radicale import engines

    users = f"sqlite://{tmp_path}/users.sqlite"
    with engines.database_at(users).engine.write() as txn:
        add_user(txn, "anna", now=NOW, password_hash=HASH)

    client = start(auth={"url": users})

    assert home_of(client) == HOME


def test_radicales_htpasswd_provisions_a_home_at_the_first_login(start, tmp_path):
    (tmp_path / "htpasswd").write_text("anna:secret\n")
    client = start(
        auth={
            "type": "htpasswd",
            "htpasswd_filename": str(tmp_path / "htpasswd"),
            "htpasswd_encryption": "plain",
        }
    )

    found = home_of(client)
    client.password = "wrong"

    assert found == HOME
    assert client("PROPFIND", "/anna/").status == 401


def test_a_proxy_may_say_who_it_is(start):
    client = start(auth={"type": "http_x_remote_user"})
    client.user = None
    client.environ["HTTP_X_REMOTE_USER"] = "anna"

    assert home_of(client) == HOME


@pytest.mark.parametrize("user", ["a b", "a%b", "x" * 200])
def test_a_name_that_cannot_be_a_home_is_an_error_and_nothing_else(start, engine, user):
    client = start(auth={"type": "http_x_remote_user"})
    client.user = None
    client.environ["HTTP_X_REMOTE_USER"] = user

    answer = client("PROPFIND", f"/{user}/")

    assert answer.status == 500
    with engine.read() as txn:
        assert txn.row("SELECT COUNT(*) FROM principal") == (0,)


def test_an_umlaut_in_the_password_may_come_as_latin_1(url, start, engine):
    import base64

    from tagwerk.accounts.passwords import hash_password

    with engine.write() as txn:
        add_user(txn, "anna", now=NOW, password_hash=hash_password("Grüße"))
    client = start()
    client.user = None

    for charset in ("utf-8", "latin-1"):
        login = base64.b64encode("anna:Grüße".encode(charset)).decode()
        assert client("PROPFIND", "/anna/", authorization=f"Basic {login}").status == 207


def test_an_app_password_opens_the_home_if_nothing_is_to_be_enforced(anna, engine):
    with engine.write() as txn:
        principal = principal_by_name(txn, "anna").id
        whole = add_app_password(txn, principal, "whole", now=NOW)
        limited = add_app_password(txn, principal, "limited", now=NOW, rights=Rights.READ_ONLY)

    anna.password = whole
    assert home_of(anna) == HOME
    anna.password = limited
    assert anna("PROPFIND", "/anna/").status == 401


PROXY, EVIL, PHONE = "127.0.0.1", "203.0.113.66", "198.51.100.7"


def statuses(client, attempts):
    """The answers to attempts: peer, what the proxy says, user, password."""
    found = []
    for peer, forwarded, client.user, client.password in attempts:
        client.environ["REMOTE_ADDR"] = peer
        headers = {"X_FORWARDED_FOR": forwarded} if forwarded else {}
        found.append(client("PROPFIND", "/anna/", **headers).status)
    return found


def test_behind_a_proxy_who_guesses_locks_out_nobody_else(anna, start):
    client = start(auth={"throttle_failures": "2", "throttle_address_failures": "3"})

    guesses = [(PROXY, EVIL, f"user{number}", "guess") for number in range(4)]
    at_anna = [(PROXY, f"10.0.0.1, {EVIL}", "anna", "guess"), (PROXY, EVIL, "anna", "secret")]
    phone = [(PROXY, PHONE, "anna", "secret"), (PROXY, EVIL, "anna", "secret")]

    assert statuses(client, guesses + at_anna) == [401] * 6
    assert statuses(client, phone) == [207, 207]


def test_who_is_no_proxy_cannot_choose_an_address(anna, start):
    client = start(auth={"throttle_failures": "2"})

    guesses = [(EVIL, f"10.0.0.{number}", "anna", "guess" * number) for number in range(1, 3)]

    assert statuses(client, [*guesses, (EVIL, "10.0.0.9", "anna", "secret")]) == [401] * 3
    assert statuses(client, [(PROXY, PHONE, "anna", "secret")]) == [207]


def test_a_proxy_elsewhere_is_named(anna, start):
    client = start(auth={"throttle_failures": "1", "trusted_proxies": "192.0.2.0/24"})

    guess = ("192.0.2.1", EVIL, "anna", "guess")

    assert statuses(client, [guess, ("192.0.2.1", EVIL, "anna", "secret")]) == [401, 401]
    assert statuses(client, [("192.0.2.1", PHONE, "anna", "secret")]) == [207]


def test_behind_a_proxy_that_says_nothing_names_are_bounded_and_not_everybody(anna, start):
    client = start(auth={"throttle_failures": "2", "throttle_address_failures": "3"})

    statuses(client, [(PROXY, "", f"user{number}", "guess") for number in range(4)])

    assert statuses(client, [(PROXY, "", "anna", "secret")]) == [207]


def test_app_passwords_may_be_all_that_counts(anna, start, engine):
    client = start(auth={"app_passwords_only": "yes"})
    with engine.write() as txn:
        secret = add_app_password(txn, principal_by_name(txn, "anna").id, "phone", now=NOW)

    assert client("PROPFIND", "/anna/").status == 401
    client.password = secret
    assert home_of(client) == HOME


def test_an_option_that_is_wrong_is_a_sentence(start):
    with pytest.raises(RuntimeError, match="must be a number"):
        start(auth={"throttle_failures": "many"})
