"""Passwords: whose hash is taken can log in with it, at a server that runs."""

from __future__ import annotations

import argon2
import bcrypt
import passlib.hash
import pytest

import sabretables
import serverprocess
from davclient import Dav
from davsamples import event
from serverprocess import tagwerk

PASSWORD = "Geheim ß 1"


def _bcrypt(prefix: str) -> str:
    """As PHP and Apache write it: the letter after the 2 tells who made it, not how."""
    return prefix + bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()[4:]


def _argon2(kind: argon2.Type) -> str:
    return argon2.PasswordHasher(1, 8192, 1, type=kind).hash(PASSWORD)


HTPASSWD = {
    "apache-bcrypt": _bcrypt("$2y$"),
    "bcrypt": _bcrypt("$2b$"),
    "apr1": passlib.hash.apr_md5_crypt.hash(PASSWORD),
    "sha256": passlib.hash.sha256_crypt.using(rounds=1000).hash(PASSWORD),
    "sha512": passlib.hash.sha512_crypt.using(rounds=1000).hash(PASSWORD),
    "sha1": passlib.hash.ldap_sha1.hash(PASSWORD),
    "argon2id": _argon2(argon2.Type.ID),
}
NEXTCLOUD = {
    "argon2id": f"3|{_argon2(argon2.Type.ID)}",
    "argon2i": f"2|{_argon2(argon2.Type.I)}",
    "bcrypt": f"1|{_bcrypt('$2y$')}",
    "owncloud": _bcrypt("$2y$"),
}


@pytest.fixture
def knocks(tmp_path):
    """Who is let in with the password, and nobody with another one."""

    def knock(data, names) -> set[str]:
        server = serverprocess.start(data)
        found = set()
        for name in names:
            for password in (PASSWORD, PASSWORD + "!"):
                client = Dav(server.url, name, password)
                if client("PROPFIND", f"/{name}/", Depth="0").status == 207:
                    found.add(name if password == PASSWORD else f"{name} with a wrong password")
                client.close()
        assert server.stop() == 0
        return found

    return knock


def test_hashes_of_an_htpasswd_file_let_in(tmp_path, knocks):
    work = tmp_path / "radicale" / "collection-root" / "apr1" / "work"
    work.mkdir(parents=True)
    (work / ".Radicale.props").write_text('{"tag": "VCALENDAR"}')
    (work / "one.ics").write_bytes(event("one"))
    lines = [f"{name}:{hash}" for name, hash in HTPASSWD.items()]
    (tmp_path / "users").write_text("\n".join([*lines, "des:rqXexS6ZhobKA", "# nobody"]) + "\n")
    words = ("--htpasswd", tmp_path / "users", "--data", tmp_path / "data")

    done = tagwerk("migrate", "radicale", tmp_path / "radicale", *words)

    assert "The password of des is stored in a way that cannot be verified here" in done.stderr
    assert "note: des has no password here" in done.stderr
    assert knocks(tmp_path / "data", [*HTPASSWD, "des"]) == set(HTPASSWD)


def test_hashes_of_a_nextcloud_let_in(tmp_path, knocks):
    with sabretables.database("nextcloud", "sqlite", path=tmp_path / "nextcloud.sqlite") as there:
        for name, hash in {**NEXTCLOUD, "sha1": "a" * 40, "ldap": ""}.items():
            there.add("users", uid=name, displayname=None, password=hash, uid_lower=name)

    done = tagwerk("migrate", "nextcloud", tmp_path / "nextcloud.sqlite", "--data", tmp_path / "data")

    for name in ("sha1", "ldap"):
        assert f"The password of {name} is stored in a way that cannot be verified here" in done.stderr
    assert knocks(tmp_path / "data", [*NEXTCLOUD, "sha1", "ldap"]) == set(NEXTCLOUD)


def test_digests_of_a_baikal_let_nobody_in_and_that_is_said(tmp_path, knocks):
    with sabretables.database("baikal", "sqlite", path=tmp_path / "baikal.sqlite") as there:
        there.add("principals", uri="principals/anna", email="anna@example.org", displayname="Anna")
        there.add("users", username="anna", digesta1="0" * 32)

    done = tagwerk("migrate", "baikal", tmp_path / "baikal.sqlite", "--data", tmp_path / "data")

    assert "Passwords are digests of another kind" in done.stderr
    assert "note: anna has no password here; `tagwerk user password anna` sets one." in done.stderr
    assert knocks(tmp_path / "data", ["anna"]) == set()
