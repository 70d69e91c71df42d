"""The commands of the documents, and a throw-away machine on which they make sense.

A machine is a folder with what the documents name: users and collections, a backup, folders
of other programs, a configuration.  `Machine.here` turns the places of the documents into
places in that folder.
"""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from davsamples import card, event
from sabresamples import NEXTCLOUD, SABRE
from serverprocess import PROGRAM, environment
from tagwerk.accounts import totp
from tagwerk.accounts.app_passwords import add_app_password
from tagwerk.accounts.passwords import hash_password
from tagwerk.accounts.users import add_user
from tagwerk.cli.main import main
from tagwerk.ical.resource import read
from tagwerk.store import open_engine
from tagwerk.store.collections import find_binding
from tagwerk.store.objects import put_object
from tagwerk.store.outbox import add_job

ROOT = Path(__file__).parents[2]
PAGES = (
    "README.md",
    *(f"docs/{name}.md" for name in ("operations", "cli", "clients", "sharing", "reliability")),
)
SECONDS = 60.0


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks() -> list[tuple[str, list[str]]]:
    """The lines of each block of commands, with the name of their page."""
    return [
        (name, [line.strip() for line in block.splitlines() if line.strip() and not line.startswith("#")])
        for name in PAGES
        for block in re.findall(r"```sh\n(.*?)```", page(name), re.DOTALL)
    ]


def sentences() -> list[tuple[str, str]]:
    """The commands in sentences, with the name of their page; what cli.md explains has its own test."""
    found = {}
    for name in PAGES:
        text = re.sub(r"```.*?```", "", page(name), flags=re.DOTALL)
        if name == "docs/cli.md":
            text = re.sub(r"^(## .*\n\n`tagwerk .*|- `--[^`]*`)", "", text, flags=re.MULTILINE)
        for command in re.findall(
            r"(?<!`)`((?:\S*/)?(?:tagwerk|vdirsyncer|pytest|systemctl|pip) [^`]+)`", text
        ):
            found.setdefault(" ".join(command.split()), name)
    return [(name, command) for command, name in found.items()]


def sections() -> dict[str, str]:
    """The sections of docs/cli.md that describe a command, by its words."""
    parts = re.split(r"^## (tagwerk.*)\n", page("docs/cli.md"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def usage(command: str) -> str:
    """What stands below the title of a section of docs/cli.md, as in ``tagwerk user add NAME``; "" for a group."""
    found = re.match(rf"\s*`({command}[^`]*)`\n", sections()[command])
    return found[1] if found else ""


def ini(name: str, word: str) -> str:
    """The configuration in a page that holds a word."""
    (found,) = [each for each in re.findall(r"```ini\n(.*?)```", page(name), re.DOTALL) if word in each]
    return str(found)


def make(folder: Path) -> None:
    """Put what the documents name into a folder."""
    data, work, backup = folder / "var/lib/tagwerk", folder / "work", folder / "backup"
    for each in (work / "config", backup, folder / "etc/radicale", folder / "var/log", folder / "home"):
        each.mkdir(parents=True)
    data.mkdir(mode=0o700, parents=True)
    engine = open_engine(f"sqlite://{data}/tagwerk.sqlite")
    now, password_hash = int(time.time()), hash_password("secret")
    with engine.write() as txn:
        anna, *_ = [
            add_user(txn, each, now=now, password_hash=password_hash) for each in ("anna", "ben", "bert")
        ]
        add_app_password(txn, anna.id, "Old phone", now=now)
        (folder / "totp").write_text(totp.begin(txn, anna.id, now=now))
        add_job(txn, "letter", key="one", payload={}, now=now)
    engine.close()
    (work / "export.ics").write_bytes(event("one"))
    (work / "contacts.vcf").write_bytes(card("one"))
    (folder / "var/log/tagwerk.log").write_text("user=anna\n")
    (folder / "etc/radicale/users").write_text("anna:secret\n")
    (folder / "etc/radicale/rights").write_text(
        "[own]\nuser: .+\ncollection: {user}/[^/]+\npermissions: rw\n"
    )
    (folder / "etc/radicale/config").write_text("[rights]\ntype = owner_only\n")
    there = folder / "var/lib/radicale/collections/collection-root/anna/calendar"
    there.mkdir(parents=True)
    (there / ".Radicale.props").write_text('{"tag": "VCALENDAR"}')
    (there / "one.ics").write_bytes(event("one"))
    for name, sql in (("nextcloud", NEXTCLOUD), ("sabre", SABRE)):
        database = sqlite3.connect(work / f"{name}.sqlite")
        database.executescript(sql)
        database.close()
    for words in (
        ["import", "anna", work / "export.ics"],
        ["import", "anna", work / "contacts.vcf"],
        *(["collection", "add", "anna", name] for name in ("work", "club")),
        ["group", "add", "team"],
        ["group", "member", "add", "team", "ben"],
        ["collection", "add", "team", "plans"],
        ["room", "add", "attic"],
        ["resource", "add", "car"],
        ["user", "invitations", "bert", "ask"],
        ["share", "add", "anna/club", "ben", "--level", "read"],
        ["share", "add", "anna/work", "bert", "--level", "read"],
        ["delegate", "add", "anna", "ben", "--level", "read"],
        ["share", "link", "anna/calendar"],
        ["backup", backup / "tagwerk-2026-03-01.sqlite"],
        ["collection", "add", "anna", "old"],
        ["collection", "remove", "anna", "old"],
    ):  # fmt: skip
        assert inside([*map(str, words), "--data", str(data)]) == 0, words
    engine = open_engine(f"sqlite://{data}/tagwerk.sqlite")
    with engine.write() as txn:
        binding = find_binding(txn, "anna", "calendar")
        assert binding is not None
        upload = read(event("one", summary="Changed"), now=now)
        put_object(txn, binding.collection.id, "one.ics", upload=upload, now=now)
        # They were here before what the documents undo.
        txn.execute("UPDATE principal SET created = ?", (now - 24 * 60 * 60,))
    engine.close()


def inside(words: list[str]) -> int:
    """The exit code of our program, run in this process."""
    try:
        main(words)
    except SystemExit as stopped:
        return int(stopped.code or 0)


@dataclass(slots=True)
class Machine:
    """A copy of what `make` made; `places` are more words of the documents, with what they are here."""

    folder: Path
    places: dict[str, str] = field(default_factory=dict)
    port: int = 0

    def prepare(self, template: Path) -> None:
        shutil.copytree(template, self.folder, copy_function=shutil.copyfile)
        self.data.chmod(0o700)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        (self.folder / "tagwerk.ini").write_text(
            f"[server]\nport = {self.port}\npublic_url = https://calendar.example.com/\n"
            f"[maintenance]\nbackup_folder = {self.folder}/backup\n"
        )
        radicale = (
            (ROOT / "config/radicale.ini").read_text().replace("127.0.0.1:5232", f"127.0.0.1:{self.port}")
        )
        (self.work / "config/radicale.ini").write_text(radicale)
        programs = self.folder / "bin"
        programs.mkdir()
        for name, text in {
            "tagwerk": f'exec {sys.executable} -c "{PROGRAM}" "$@"',
            "python": f'exec {sys.executable} "$@"',
            "vdirsyncer": f'exec {Path(sys.executable).parent}/vdirsyncer "$@"',
            # Nobody has to be root, and a user of PostgreSQL's programs is one of the database.
            "sudo": 'if [ "$1" = -u ]; then export PGUSER="$2"; shift 2; fi; exec "$@"',
        }.items():
            (programs / name).write_text(f"#!/bin/sh\n{text}\n")
            (programs / name).chmod(0o755)
        (self.work / ".venv").mkdir()
        (self.work / ".venv/bin").symlink_to(programs)

    @property
    def data(self) -> Path:
        return self.folder / "var/lib/tagwerk"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def here(self, text: str) -> str:
        """A command of the documents, with the places of this machine."""
        for place, found in self.places.items():
            text = text.replace(place, found)
        return re.sub(r"(?<![\w.])/(var|backup|etc/radicale)\b", rf"{self.folder}/\1", text)

    def environ(self) -> dict[str, str]:
        return environment() | {
            "HOME": str(self.folder / "home"),
            "XDG_DATA_HOME": str(self.folder / "home/share"),
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "TAGWERK_DATA": str(self.data),
            "TAGWERK_CONFIG": str(self.folder / "tagwerk.ini"),
            "SSL_CERT_FILE": str(self.data / "self-signed.pem"),
        }

    def run(self, command: str, *, until: Callable[[str], bool] | None = None) -> tuple[int, str]:
        """Run a command on a terminal, answer what it asks, and return its exit code and what it said.

        Where it is one that goes on, it is ended as by Ctrl-C once `until` holds of what it said.
        """
        leader, follower = pty.openpty()
        process = subprocess.Popen(
            ["sh", "-c", f"exec {command}" if until else command], cwd=self.work, env=self.environ(),
            stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
        )  # fmt: skip
        os.close(follower)
        said, answered = "", 0
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            try:
                if select.select([leader], [], [], 0.2)[0]:
                    said += os.read(leader, 65536).decode(errors="replace")
            except OSError:  # The other end is closed.
                break
            if re.search(r"[:?] $", said[answered:]):
                os.write(leader, b"y\n" if "[y/N]" in said[answered:] else b"secret\n")
                answered = len(said)
            if until and until(said):
                process.send_signal(signal.SIGINT)
                until = None
        else:
            os.killpg(process.pid, signal.SIGKILL)
        os.close(leader)
        return process.wait(SECONDS), said
