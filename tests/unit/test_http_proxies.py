"""Whom to believe about who asked: a table of peers, headers and what follows from them."""

from __future__ import annotations

import dataclasses

import pytest

from tagwerk.http.proxies import CERTIFICATE, REMOTE_USER, Proxies
from tagwerk.settings import load


def settings(tmp_path, text):
    path = tmp_path / "tagwerk.ini"
    path.write_text(text)
    return load(path, data=tmp_path, environ={})


@pytest.fixture
def read(tmp_path):
    def read(peer, headers, text=""):
        scope = {
            "client": (peer, 1) if peer else None,
            "scheme": "http",
            "headers": [(b"host", b"inside"), *((k.encode(), v.encode()) for k, v in headers)],
        }
        Proxies(settings(tmp_path, text)).read(scope)
        return scope

    return read


@pytest.mark.parametrize(
    ("peer", "headers", "client"),
    [
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", [("x-forwarded-for", "198.51.100.7")], "198.51.100.7"),
        ("::1", [("x-forwarded-for", "2001:db8::7")], "2001:db8::7"),
        ("::ffff:127.0.0.1", [("x-forwarded-for", "198.51.100.7")], "198.51.100.7"),
        ("", [("x-forwarded-for", "198.51.100.7")], "198.51.100.7"),
        # What somebody wrote before the proxy added what it saw does not count.
        ("127.0.0.1", [("x-forwarded-for", "1.1.1.1, 198.51.100.7")], "198.51.100.7"),
        ("127.0.0.1", [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "198.51.100.7")], "198.51.100.7"),
        ("127.0.0.1", [("x-forwarded-for", "198.51.100.7, 127.0.0.1")], "198.51.100.7"),
        ("127.0.0.1", [("x-forwarded-for", "198.51.100.7:4711")], "198.51.100.7"),
        ("127.0.0.1", [("x-forwarded-for", "[2001:db8::7]:4711")], "2001:db8::7"),
        ("127.0.0.1", [("x-forwarded-for", "unknown")], "127.0.0.1"),
        ("127.0.0.1", [("x-forwarded-for", "")], "127.0.0.1"),
        ("127.0.0.1", [("x-forwarded-for", "1.1.1.1, <script>")], "127.0.0.1"),
        # Nobody else is believed.
        ("203.0.113.66", [("x-forwarded-for", "198.51.100.7")], "203.0.113.66"),
        ("203.0.113.66", [("x-forwarded-for", "127.0.0.1")], "203.0.113.66"),
    ],
)
def test_the_client_is_the_last_that_is_no_proxy(read, peer, headers, client):
    assert read(peer, headers)["client"][0] == client


@pytest.mark.parametrize(
    ("peer", "proto", "host", "expected"),
    [
        ("127.0.0.1", "https", "cal.example.org", ("https", b"cal.example.org")),
        ("127.0.0.1", "HTTPS", "cal.example.org:8443", ("https", b"cal.example.org:8443")),
        ("127.0.0.1", "gopher", "a b", ("http", b"inside")),
        ("127.0.0.1", "http, https", "evil, cal.example.org", ("https", b"cal.example.org")),
        ("203.0.113.66", "https", "evil.example", ("http", b"inside")),
    ],
)
def test_scheme_and_host_are_the_proxys(read, peer, proto, host, expected):
    scope = read(peer, [("x-forwarded-proto", proto), ("x-forwarded-host", host)])

    assert (scope["scheme"], dict(scope["headers"])[b"host"]) == expected


@pytest.mark.parametrize("peer", ["127.0.0.1", "203.0.113.66"])
def test_nothing_behind_sees_these_headers(read, peer):
    names = (
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-remote-user",
        "remote-user",
        "x-script-name",
    )

    scope = read(peer, [(name, "1.2.3.4") for name in names])

    assert [name for name, _ in scope["headers"] if name != b"host"] == []


def test_a_user_counts_only_from_a_proxy_and_only_if_that_is_the_way_to_log_in(read):
    option = "[auth]\ntype = http_x_remote_user\n"
    header = [("x-remote-user", "anna")]

    assert read("127.0.0.1", header, option)[REMOTE_USER] == "anna"
    assert REMOTE_USER not in read("203.0.113.66", header, option)
    assert REMOTE_USER not in read("127.0.0.1", header)
    assert REMOTE_USER not in read("127.0.0.1", [("remote-user", "anna")], option)


def test_a_certificate_counts_only_from_a_proxy(read):
    option = "[auth]\ncertificate_header = X-Client-Cert\n"

    assert read("127.0.0.1", [("x-client-cert", "abc")], option)[CERTIFICATE] == b"abc"
    assert CERTIFICATE not in read("203.0.113.66", [("x-client-cert", "abc")], option)
    assert CERTIFICATE not in read("127.0.0.1", [("x-client-cert", "abc")])


def test_networks_are_trusted_as_the_settings_say(read):
    option = "[server]\ntrusted_proxies = 10.0.0.0/8, 2001:db8::/32\n"
    header = [("x-forwarded-for", "198.51.100.7, 10.9.9.9")]

    assert read("10.1.2.3", header, option)["client"][0] == "198.51.100.7"
    assert read("2001:db8::5", header, option)["client"][0] == "198.51.100.7"
    assert read("127.0.0.1", header, option)["client"][0] == "127.0.0.1"
    assert read("", header, option)["client"] is None


def test_an_empty_list_trusts_nobody(tmp_path):
    found = settings(tmp_path, "[server]\ntrusted_proxies =\n")

    assert dataclasses.asdict(found.server)["trusted_proxies"] == ()
