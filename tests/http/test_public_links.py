"""Public links over HTTP: what they show, and to whom nothing."""

from __future__ import annotations

import base64
import time

import pytest

from davclient import Dav
from davsamples import card, event
from tagwerk.accounts.passwords import hash_password
from tagwerk.model import Access
from tagwerk.sharing import links
from tagwerk.sharing.shares import By
from tagwerk.store.collections import find_binding
from tagwerk.store.links import links_of

NOTHING = b"There is nothing here.\n"


@pytest.fixture
def visitor(server):
    """Somebody who does not log in."""
    client = Dav(server.url, None)
    yield client
    client.close()


@pytest.fixture
def make(database, account):
    """Make a link to a collection of the account's; its path, and what is stored of it."""

    def made(access=Access.READ, *, collection="calendar", **options):
        with database.write() as txn:
            binding = find_binding(txn, account.user, collection)
            return links.make_link(txn, binding, access, by=By("tests", int(time.time())), **options)

    return made


def private(uid, cls):
    return event(uid, summary=f"Secret {uid}").replace(b"END:VEVENT", f"CLASS:{cls}\r\nEND:VEVENT".encode())


def test_a_link_reads_what_is_not_private(visitor, account, make):
    place = f"/{account.user}/calendar/"
    account.put(place + "a.ics", event("a", summary="Open"))
    account.put(place + "b.ics", private("b", "CONFIDENTIAL"))
    account.put(place + "c.ics", private("c", "PRIVATE"))
    _, path = make()

    answer = visitor.get(path)

    assert (answer.status, answer.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
    assert answer.text.count("BEGIN:VCALENDAR") == 1
    assert answer.text.count("BEGIN:VEVENT") == 2
    assert "SUMMARY:Open" in answer.text
    assert "SUMMARY:Busy" in answer.text
    assert "Secret" not in answer.text


def test_a_busy_link_shows_no_word(visitor, account, make):
    account.put(f"/{account.user}/calendar/a.ics", event("a", summary="Open"))
    _, path = make(Access.BUSY)

    answer = visitor.get(path)

    assert answer.text.count("SUMMARY:Busy") == 1
    assert "Open" not in answer.text


def test_an_address_book_is_read_as_cards(visitor, account, make):
    account.put(f"/{account.user}/contacts/a.vcf", card("a"))
    _, path = make(collection="contacts")

    answer = visitor.get(path)

    assert path.endswith(".vcf")
    assert answer.headers["content-type"] == "text/vcard; charset=utf-8"
    assert answer.text.count("BEGIN:VCARD") == 1


def test_a_subscription_costs_nothing_while_nothing_changes(visitor, account, make):
    _, path = make()
    first = visitor.get(path)

    same = visitor.get(path, If_None_Match=first.etag)
    account.put(f"/{account.user}/calendar/new.ics", event("new"))
    changed = visitor.get(path, If_None_Match=first.etag)

    assert (same.status, same.body) == (304, b"")
    assert changed.status == 200
    assert changed.etag != first.etag


def test_a_subscription_costs_nothing_while_only_private_things_change(visitor, account, make):
    place = f"/{account.user}/calendar/"
    account.put(place + "open.ics", event("open"))
    _, path = make()
    first = visitor.get(path)

    account.put(place + "private.ics", private("private", "PRIVATE"))
    account.delete(place + "private.ics")

    assert visitor.get(path, If_None_Match=first.etag).status == 304


def test_head_says_what_get_says(visitor, account, make):
    account.put(f"/{account.user}/calendar/a.ics", event("a"))
    _, path = make()

    head, get = visitor("HEAD", path), visitor.get(path)

    assert (head.status, head.body) == (200, b"")
    for name in ("etag", "content-length", "content-type", "last-modified"):
        assert head.headers[name] == get.headers[name]


def test_head_of_what_get_streams_names_no_length(visitor, account, make):
    for name in ("a", "b", "c"):
        more = "DESCRIPTION:" + "x" * 100_000
        account.put(f"/{account.user}/calendar/{name}.ics", event(name, more=more))
    _, path = make()

    head, get = visitor("HEAD", path), visitor.get(path)

    assert get.headers["transfer-encoding"] == "chunked"
    assert (head.status, head.body, head.etag) == (200, b"", get.etag)
    assert "content-length" not in head.headers


def test_a_password_is_asked_for_with_any_name(visitor, account, make):
    _, path = make(password_hash=hash_password("open sesame"))

    def asked(password, name="x"):
        login = base64.b64encode(f"{name}:{password}".encode()).decode()
        return visitor.get(path, Authorization=f"Basic {login}")

    bare = visitor.get(path)
    assert bare.status == 401
    assert bare.headers["www-authenticate"].startswith("Basic ")
    assert b"VCALENDAR" not in bare.body
    assert asked("wrong").status == 401
    assert asked("open sesame").status == 200
    assert asked("open sesame", name="").status == 200
    assert visitor.get(path, Authorization="Basic !").status == 401


def test_what_is_no_link_any_more_never_was_one(visitor, account, make, database):
    _, expired = make(expires=int(time.time()) + 1)
    revoked, path = make()
    with database.write() as txn:
        links.revoke_link(txn, revoked, by=By("tests", int(time.time())))
    time.sleep(2.1)
    right = make()[1]

    gone = [
        visitor.get(each)
        for each in (
            expired,
            path,
            "/public/AAAAAAAAAAAAAAAAAAAAAAAAAAA.ics",
            right.replace(".ics", ".vcf"),
            right.replace(".ics", ""),
            "/public/" + right.rsplit("/", 1)[1].upper(),
            right.replace("/public/", "/public//"),
            "/public/",
            "/public/x/y.ics",
            "/public/%00.ics",
        )
    ]

    assert {(each.status, each.body) for each in gone} == {(404, NOTHING)}
    assert visitor.get(right).status == 200


@pytest.mark.parametrize(
    "method", ["PUT", "DELETE", "POST", "PROPFIND", "REPORT", "MKCALENDAR", "PROPPATCH", "MOVE", "ACL"]
)
def test_a_link_is_read_and_nothing_else(visitor, make, method):
    _, path = make()

    answer = visitor(method, path, b"x")

    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert visitor("OPTIONS", path).headers["allow"] == "GET, HEAD, OPTIONS"


def test_the_last_use_is_remembered_and_told(visitor, account, make, database, server):
    link, path = make()
    visitor.get(path)
    visitor.get(path)

    with database.read() as txn:
        (found,) = links_of(txn, link.collection)
        audit = [
            row[0] for row in txn.rows("SELECT action FROM audit WHERE detail LIKE ?", (f"{link.id:x}%",))
        ]

    assert found.last_used_from == "127.0.0.1"
    assert abs(found.last_used - time.time()) < 60
    assert sorted(audit) == ["link", "use link"]
    assert f"use link {account.user}/calendar" in server.log.read_text()
    assert path.rsplit("/", 1)[1].removesuffix(".ics") not in server.log.read_text()


def test_links_stay_below_the_base_path(new_server, tmp_path):
    running = new_server(server_base_path="/dav")
    client = Dav(running.url.removesuffix("dav/"), None)

    assert client.get("/dav/public/nothing.ics").body == NOTHING
    client.close()
