"""Hrefs in requests: paths, URLs of this server, and URLs of others, which are nobody's here (RFC 4918 8.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from davclient import DAV, NS, Answer, Dav
from davsamples import event
from serverprocess import ServerProcess
from tagwerk.accounts.users import add_user
from tagwerk.store import open_engine

FOREIGN = (
    "https://evil.example/",
    "http://other.example{path}",
    "http://127.0.0.1.example{path}",
    "http://127.0.0.1:1{path}",
    "ftp://127.0.0.1{path}",
    "http://127.0.0.1:99999{path}",
    "http://{path}",
    "http:///",
    "http://",
    "?x=1",
    "/?x=1",
)


def share(dav: Dav, path: str, href: str) -> Answer:
    body = f"<CS:share {NS}><CS:set><D:href>{href}</D:href><CS:read/></CS:set></CS:share>"
    return dav("POST", path, body)


def share_resource(dav: Dav, path: str, href: str) -> Answer:
    access = "<D:share-access><D:read/></D:share-access>"
    body = f"<D:share-resource {NS}><D:sharee><D:href>{href}</D:href>{access}</D:sharee></D:share-resource>"
    return dav("POST", path, body, Content_Type="application/davsharing+xml; charset=utf-8")


def acl(dav: Dav, path: str, href: str) -> Answer:
    grant = "<D:grant><D:privilege><D:read/></D:privilege></D:grant>"
    principal = f"<D:principal><D:href>{href}</D:href></D:principal>"
    return dav("ACL", path, f"<D:acl {NS}><D:ace>{principal}{grant}</D:ace></D:acl>")


def sharees(dav: Dav, path: str) -> list[str]:
    found = dav.propfind(path, DAV + "invite").only()
    return [node.findtext(DAV + "href", "") for node in found.values[DAV + "invite"]]


@pytest.mark.parametrize("ask", [share, share_resource, acl])
@pytest.mark.parametrize("href", FOREIGN)
def test_a_url_of_another_server_is_nobody_here(dav, calendar, account, ask, href):
    named = href.format(path=f"/{account.user}/")

    refused = ask(dav, calendar, named)

    if ask is share:
        assert refused.multistatus()[named].status == 403
        assert refused.multistatus()[named].condition == DAV + "recognized-principal"
    else:
        assert (refused.status, refused.condition) == (403, DAV + "recognized-principal")
    assert sharees(dav, calendar) == []


@pytest.mark.parametrize("ask", [share, share_resource, acl])
@pytest.mark.parametrize("origin", ["", "{url}", "HTTP://user@127.0.0.1:{port}", "https://127.0.0.1"])
def test_a_url_of_this_server_is_what_its_path_is(dav, calendar, account, ask, origin):
    before = origin.format(url=dav.url.rstrip("/"), port=urlsplit(dav.url).port)

    assert ask(dav, calendar, f"{before}/{account.user}/").status == 200

    assert sharees(dav, calendar) == [f"/{account.user}/"]


@pytest.mark.parametrize("ask", [share, share_resource])
def test_the_url_of_the_folder_of_all_principals_is_everybody(dav, calendar, ask):
    assert ask(dav, calendar, dav.absolute("/")).status == 200

    assert sharees(dav, calendar) == ["/"]
    # Everybody who is added later would have it.
    assert dav.delete(calendar).status == 204


@pytest.mark.parametrize("href", FOREIGN)
def test_a_url_of_another_server_names_no_delegate(dav, account, href):
    named = href.format(path=f"/{account.user}/")
    group = "/anna/calendar-proxy-write/"

    answer = dav.proppatch(group, set=f"<D:group-member-set><D:href>{named}</D:href></D:group-member-set>")

    assert (answer.status, answer.condition) == (403, DAV + "recognized-principal")
    assert dav.propfind(group, DAV + "group-member-set").only().hrefs(DAV + "group-member-set") == []


@pytest.mark.parametrize(
    "origin", ["", "http://127.0.0.1:5232", "https://other.example", "HTTPS://other.example:8443"]
)
def test_what_is_only_looked_at_is_found_by_its_path(dav, calendar, origin):
    """A proxy that does not pass the Host header on must not make a client forget what it has."""
    assert dav.put(calendar + "a.ics", event("a")).status == 201

    found = dav.multiget(calendar, f"{origin}{calendar}a.ics", f"{origin}{calendar}b.ics").multistatus()

    assert (found.names, found.gone) == (["a.ics"], ["b.ics"])


def test_a_condition_about_another_server_does_not_hold(dav, calendar):
    etag = dav.put(calendar + "a.ics", event("a")).etag

    other = dav.get(calendar + "a.ics", If=f"<http://other.example{calendar}a.ics> ([{etag}])")
    own = dav.get(calendar + "a.ics", If=f"<{dav.absolute(calendar)}a.ics> ([{etag}])")

    assert (other.status, own.status) == (412, 200)


def test_an_invitation_of_another_server_is_none_here(dav, calendar, account):
    assert share(dav, calendar, f"/{account.user}/").status == 200

    for origin, status in (("http://other.example", 403), (dav.url.rstrip("/"), 200)):
        answer = account(
            "POST",
            f"/{account.user}/",
            f"<CS:invite-reply {NS}><CS:invite-accepted/>"
            f"<CS:hosturl><D:href>{origin}{calendar}</D:href></CS:hosturl></CS:invite-reply>",
        )
        assert answer.status == status


@pytest.fixture
def hidden(new_server: Callable[..., ServerProcess], password_hash: str) -> Iterator[Dav]:
    """A client of a server that proxies ask by another name than its clients do."""
    running = new_server(server_public_url="https://dav.example.org/", server_trusted_proxies="127.0.0.1")
    store = open_engine(running.database_url)
    with store.write() as txn:
        for name in ("anna", "bert"):
            add_user(txn, name, now=0, password_hash=password_hash)
    store.close()
    client = Dav(running.url)
    yield client
    client.close()


@pytest.mark.parametrize("any_engine", ["sqlite"], indirect=True)
def test_the_public_url_and_what_a_proxy_says_are_this_server_too(hidden):
    calendar = "/anna/calendar/"
    hidden.put(calendar + "a.ics", event("a"))

    moved = hidden("MOVE", calendar + "a.ics", Destination=f"https://dav.example.org{calendar}b.ics")
    shared = share(hidden, calendar, "https://dav.example.org/bert/")
    listed = sharees(hidden, calendar)
    forwarded = hidden(
        "MOVE",
        calendar + "b.ics",
        Destination=f"https://inside.example{calendar}c.ics",
        X_Forwarded_Host="inside.example",
    )
    elsewhere = hidden("MOVE", calendar + "c.ics", Destination=f"https://inside.example{calendar}d.ics")

    assert (moved.status, shared.status, listed, forwarded.status) == (201, 200, ["/bert/"], 201)
    assert elsewhere.status == 502
    assert "inside.example" in elsewhere.sentence
