"""Directories that Radicale's backends ask: a real LDAP server, and a PAM whose accounts are made up."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest

PASSWORD = "secret"
SUFFIX = "dc=example,dc=org"
ADMIN = f"cn=admin,{SUFFIX}"
SLAPD = "/usr/sbin/slapd"
_MODULES = Path("/usr/lib/ldap")
_SECONDS = 20.0


class Authority(Protocol):
    """Who knows people and their groups."""

    options: dict[str, str]
    """What Radicale's [auth] says of it."""

    def set_groups(self, user: str, *groups: str) -> None:
        """Let `user`, who is made where they are not known, be in exactly these groups."""


class Pam:
    """A system's accounts, without the system."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.options = {"type": "pam"}
        self._groups: dict[str, tuple[str, ...]] = {}
        self._gids: dict[str, int] = {}
        module = types.ModuleType("pam")
        module.authenticate = lambda login, password, service: password == PASSWORD  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "pam", module)
        # A database that is made meanwhile asks for an account of the system.
        self._others = pwd.getpwnam
        monkeypatch.setattr(pwd, "getpwnam", self._account)
        monkeypatch.setattr(grp, "getgrgid", self._group)
        monkeypatch.setattr(os, "getgrouplist", lambda name, gid: [gid, *map(self._gid, self._groups[name])])

    def set_groups(self, user: str, *groups: str) -> None:
        self._groups[user] = groups

    def _gid(self, name: str) -> int:
        return self._gids.setdefault(name, 100_000 + len(self._gids))

    def _account(self, name: str) -> pwd.struct_passwd:
        if name not in self._groups:
            return self._others(name)
        # As Debian does it, everybody has a group of their own.
        return pwd.struct_passwd((name, "x", 100_000, self._gid(name), "", "/", "/bin/sh"))

    def _group(self, gid: int) -> grp.struct_group:
        name = next(name for name, number in self._gids.items() if number == gid)
        return grp.struct_group((name, "x", gid, []))


class Ldap:
    """An OpenLDAP server with nobody in it."""

    def __init__(self, url: str, *, by_attribute: bool = False) -> None:
        self.options = {
            "type": "ldap",
            "ldap_uri": url,
            "ldap_base": SUFFIX,
            "ldap_reader_dn": ADMIN,
            "ldap_secret": PASSWORD,
            "ldap_filter": "(uid={0})",
        }
        if by_attribute:
            self.options["ldap_groups_attribute"] = "memberOf"
        else:
            self.options |= {
                "ldap_group_members_attribute": "member",
                "ldap_group_base": f"ou=groups,{SUFFIX}",
                "ldap_group_filter": "(objectClass=groupOfNames)",
            }
        import ldap3  # Warns of what it uses itself, so only where that is expected.

        self._add_or_remove = {"add": ldap3.MODIFY_ADD, "remove": ldap3.MODIFY_DELETE}
        self._connection = ldap3.Connection(ldap3.Server(url), ADMIN, PASSWORD, auto_bind=True)
        self._add(SUFFIX, ["dcObject", "organization"], dc="example", o="Example")
        self._add(f"ou=groups,{SUFFIX}", ["organizationalUnit"], ou="groups")

    def set_groups(self, user: str, *groups: str) -> None:
        person = f"uid={user},{SUFFIX}"
        self._add(person, ["inetOrgPerson"], uid=user, cn=user, sn=user, userPassword=PASSWORD)
        for group in groups:
            # The standard wants a member in every group.
            self._add(_group_dn(group), ["groupOfNames"], cn=group, member=f"cn=nobody,{SUFFIX}")
        self._connection.search(f"ou=groups,{SUFFIX}", f"(member={person})")
        for entry in list(self._connection.entries):
            self._modify(entry.entry_dn, "remove", person)
        for group in groups:
            self._modify(_group_dn(group), "add", person)

    def close(self) -> None:
        self._connection.unbind()

    def _modify(self, dn: str, how: str, member: str) -> None:
        assert self._connection.modify(dn, {"member": [(self._add_or_remove[how], [member])]}), dn

    def _add(self, dn: str, classes: list[str], **attributes: str) -> None:
        self._connection.add(dn, classes, attributes)
        assert self._connection.result["description"] in ("success", "entryAlreadyExists"), dn


def _group_dn(name: str) -> str:
    return f"cn={name},ou=groups,{SUFFIX}"


@contextmanager
def running_ldap(folder: Path, *, by_attribute: bool = False) -> Iterator[Ldap]:
    """OpenLDAP on a free port of the loopback."""
    if not Path(SLAPD).exists() and shutil.which("slapd") is None:
        pytest.skip("needs package slapd")
    (folder / "db").mkdir(parents=True)
    config = folder / "slapd.conf"
    config.write_text(
        "".join(f"include /etc/ldap/schema/{name}.schema\n" for name in ("core", "cosine", "inetorgperson"))
        + f"pidfile {folder}/pid\nmodulepath {_MODULES}\nmoduleload back_mdb\nmoduleload memberof\n"
        f'database mdb\nsuffix "{SUFFIX}"\nrootdn "{ADMIN}"\nrootpw {PASSWORD}\ndirectory {folder}/db\n'
        "overlay memberof\n"
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"ldap://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([SLAPD, "-d", "0", "-h", url, "-f", config], stdout=log, stderr=log)
    try:
        _wait(port, process, folder / "log")
        ldap = Ldap(url, by_attribute=by_attribute)
        yield ldap
        ldap.close()
    finally:
        process.terminate()
        process.wait(_SECONDS)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    pytest.fail("slapd did not start: " + log.read_text())
