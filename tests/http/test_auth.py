"""Who comes in (RFC 7617), over HTTP."""

from __future__ import annotations

import base64
import threading
import time
import unicodedata

import pytest

from davclient import DAV, Dav, basic
from davsamples import event
from serverprocess import tagwerk
from tagwerk.accounts.passwords import hash_password
from tagwerk.accounts.users import add_user


@pytest.fixture
def nobody(server):
    client = Dav(server.url, None)
    yield client
    client.close()


def add(database, name: str, password: str) -> None:
    with database.write() as txn:
        add_user(txn, name, now=int(time.time()), password_hash=hash_password(password))


def ask(client: Dav, authorization: str):
    return client("PROPFIND", "/", Depth="0", Authorization=authorization)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic YW5uYQ==",  # no colon
        "Basic " + base64.b64encode(b":").decode(),
        "Basic " + base64.b64encode(b"anna:").decode(),
        "Basic " + base64.b64encode(b":secret").decode(),
        "Basic " + base64.b64encode(b"anna:secret\x00").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
        "Basic " + base64.b64encode(b"anna:" + b"x" * 100_00).decode(),
        "Basic " + base64.b64encode(b"a" * 10_000 + b":x").decode(),
        "Bearer abc",
        "Digest username=anna",
        "Negotiate YII=",
        "basic",
        "anna:secret",
        "Basic YW5uYTpzZWNyZXQ",  # no padding, and not accepted: nobody sends that
    ],
)
def test_a_malformed_or_wrong_header_is_401_with_a_challenge(nobody, anna, header):
    answer = ask(nobody, header)

    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert answer.sentence


def test_the_name_of_the_scheme_is_written_as_one_likes(nobody, anna):
    assert ask(nobody, basic(anna, "secret").replace("Basic", "bAsIc")).status == 207


@pytest.mark.parametrize(
    "password", ["pässwörd", "пароль", "\U0001f511 key", "a:b:c", " spaces around ", "x" * 500]
)
def test_passwords_of_every_kind(nobody, database, password):
    name = f"u{abs(hash(password))}"
    add(database, name, password)

    assert ask(nobody, basic(name, password)).status == 207
    assert ask(nobody, basic(name, password + "x")).status == 401


def test_an_umlaut_may_come_as_latin_1(nobody, database):
    add(database, "latin", "pässwörd")

    assert ask(nobody, basic("latin", "pässwörd", charset="latin-1")).status == 207
    assert ask(nobody, basic("latin", "password", charset="latin-1")).status == 401


def test_an_umlaut_may_come_decomposed(nobody, database):
    add(database, "decomposed", "pässwörd")

    assert ask(nobody, basic("decomposed", unicodedata.normalize("NFD", "pässwörd"))).status == 207


def test_a_name_with_an_umlaut_has_a_home(server, database):
    add(database, "jürgen", "secret")
    client = Dav(server.url, "jürgen")

    (principal,) = (
        client.propfind("/", DAV + "current-user-principal").only().hrefs(DAV + "current-user-principal")
    )
    found = client.propfind(principal, DAV + "resourcetype", depth="1")
    client.close()

    assert principal == "/j%C3%BCrgen/"
    assert principal + "calendar/" in found.found


def test_a_changed_password_counts_at_once(server, nobody, database):
    add(database, "changes", "old")
    before = ask(nobody, basic("changes", "old")).status

    tagwerk("user", "password", "changes", "--password-stdin", "--data", server.data, stdin="new\n")

    assert before == 207
    assert ask(nobody, basic("changes", "old")).status == 401
    assert ask(nobody, basic("changes", "new")).status == 207


def test_a_removed_user_is_refused_at_once(server, nobody, database):
    add(database, "leaves", "secret")
    before = ask(nobody, basic("leaves", "secret")).status

    tagwerk("user", "remove", "leaves", "--yes", "--data", server.data)

    assert before == 207
    assert ask(nobody, basic("leaves", "secret")).status == 401


def test_a_removed_user_who_is_added_again_finds_an_empty_home(server, database):
    add(database, "returns", "secret")
    client = Dav(server.url, "returns")
    client.put("/returns/calendar/a.ics", event("a"))
    tagwerk("user", "remove", "returns", "--yes", "--data", server.data)

    tagwerk("user", "add", "returns", "--password-stdin", "--data", server.data, stdin="secret\n")

    assert client.get("/returns/calendar/a.ics").status == 404
    client.close()


def test_known_and_unknown_names_are_refused_alike(nobody, database):
    add(database, "known", "secret")

    one, other = ask(nobody, basic("known", "wrong")), ask(nobody, basic("unknown", "wrong"))

    assert (one.status, one.body) == (other.status, other.body)
    assert one.headers["www-authenticate"] == other.headers["www-authenticate"]


def test_a_remembered_login_is_fast(dav):
    dav("PROPFIND", "/", Depth="0")
    begin = time.perf_counter()

    for _ in range(50):
        assert dav("PROPFIND", "/", Depth="0").status == 207

    assert time.perf_counter() - begin < 5


def test_wrong_logins_do_not_slow_down_others(server, dav):
    stop = threading.Event()

    def knock() -> None:
        client = Dav(server.url, "anna")
        number = 0
        while not stop.is_set():
            number += 1
            client.password = f"wrong{number}"
            client("PROPFIND", "/", Depth="0")
        client.close()

    threads = [threading.Thread(target=knock) for _ in range(4)]
    for thread in threads:
        thread.start()
    slowest = 0.0
    for _ in range(20):
        begin = time.perf_counter()
        assert dav("PROPFIND", "/", Depth="0").status == 207
        slowest = max(slowest, time.perf_counter() - begin)
    stop.set()
    for thread in threads:
        thread.join()

    assert slowest < 5


def test_the_password_is_in_no_log(server, nobody, database):
    add(database, "secretive", "Xyzzy-4711")

    ask(nobody, basic("secretive", "Xyzzy-4711"))
    ask(nobody, basic("secretive", "Xyzzy-4711-wrong"))

    assert "Xyzzy-4711" not in server.log.read_text()
