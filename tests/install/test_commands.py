"""Every command of the documents is run: in a shell and on a terminal, as a reader runs it."""

from __future__ import annotations

import io
import logging
import re
import shlex
import shutil
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import MappingProxyType

import psycopg
import pytest
from documents import Machine, blocks, ini, inside, make, sections, sentences, usage

import postgrescluster
import serverprocess
from nameserver import knowing_example_com
from tagwerk.accounts import totp

NOT_HERE = {
    r"packaging/build-deb|apt install": "tests/install/debian does it, in a chroot",
    r"podman": "needs a container engine",
    r"/opt/tagwerk|/etc/systemd|/usr/lib|/etc/tagwerk|systemd-sysusers": "changes the machine; tests/install/debian",
    r"systemctl": "needs systemd as the first process",
    r"pip install": "needs a package index; test_a_newcomer_syncs_with_the_commands_of_the_readme",
    r"pytest": "is this run, or one that takes minutes",
}
"""What is not run, and why."""


def reason(command: str) -> str:
    return next((why for pattern, why in NOT_HERE.items() if re.search(pattern, command)), "")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents") / "template"
    make(folder)
    return folder


@pytest.fixture
def machine(template: Path, tmp_path: Path) -> Machine:
    made = Machine(tmp_path / "machine")
    made.prepare(template)
    return made


@contextmanager
def served(machine: Machine) -> Iterator[None]:
    """Serve the machine's data with HTTPS, under the names that the documents give to servers."""
    server = serverprocess.start(machine.data, "--self-signed")
    port = server.url.rstrip("/").rpartition(":")[2]
    for name in ("calendar.example.com", "old.example.com"):
        machine.places[name] = f"localhost:{port}"
    try:
        with knowing_example_com() as address:
            machine.places["{nameserver}"] = address
            machine.places["--domain example.com"] = f"--domain example.com --nameserver {address}"
            yield
    finally:
        assert server.stop() == 0


@contextmanager
def with_postgresql(machine: Machine, *, role: bool) -> Iterator[None]:
    """A PostgreSQL whose administrator is called as in Debian, with or without the role and database of the documents."""
    with postgrescluster.own(tcp=True) as cluster:
        cluster.query("CREATE ROLE postgres SUPERUSER LOGIN")
        address = f"postgresql://postgres@{cluster.host}:{cluster.port}/postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("ALTER ROLE tagwerk RENAME TO first")
            if role:
                connection.execute("CREATE ROLE tagwerk LOGIN")
                connection.execute("CREATE DATABASE tagwerk OWNER tagwerk TEMPLATE template0 ENCODING 'UTF8'")
        machine.places |= {
            "createuser ": f"createuser -h {cluster.host} -p {cluster.port} ",
            "createdb ": f"createdb -h {cluster.host} -p {cluster.port} ",
            "@db.example.com/": f"@{cluster.host}:{cluster.port}/",
        }
        yield


def works(machine: Machine, command: str) -> Callable[[str], bool] | None:
    """How one knows that what runs until it is ended works; None for a command that ends by itself."""
    if "--help" in command:
        return None
    if "tagwerk serve" in command:
        return lambda said: "listens on" in said
    if "collection watch" in command:
        return lambda said: "calendar" in said
    if "-m radicale" in command:
        return lambda _: listens(machine.port)
    if "tagwerk worker" in command:
        return lambda _: bool(asked(machine, "SELECT 1 FROM outbox WHERE kind = 'upkeep'"))
    return None


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def asked(machine: Machine, sql: str) -> str:
    """What the database of a machine says, or nothing."""
    with closing(sqlite3.connect(machine.data / "tagwerk.sqlite")) as database:
        row = database.execute(sql).fetchone()
    return str(row[0]) if row else ""


def run(machine: Machine, command: str, monkeypatch: pytest.MonkeyPatch | None = None) -> None:
    """Run one command of the documents and expect that it does what it should.

    With `monkeypatch` one that ends and asks nothing is run in this process, without a shell, which saves most of the time.
    """
    if "tagwerk user add anna" in command:
        shutil.rmtree(machine.data)
    machine.places["2026-12-31"] = "2099-12-31"
    if "nextcloud" in command:
        machine.places["postgresql://reader@localhost/nextcloud"] = f"{machine.work}/nextcloud.sqlite"
    words, until = machine.here(command), works(machine, command)
    if until or monkeypatch is None or "user remove anna --export" in command:
        code, said = machine.run(words, until=until)
        assert code == 0, f"{words}: {code} {said}"
        return
    for name, value in machine.environ().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(machine.work)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"secret\n"), encoding="utf-8"))
    assert inside(shlex.split(words)[1:]) == 0


@pytest.mark.parametrize(
    "commands",
    [
        pytest.param(found, id=f"{name}: {found[0]}"[:60])
        for name, lines in blocks()
        if (found := [line for line in lines if not reason(line)])
    ],
)
def test_what_stands_in_a_block_can_be_typed(machine, commands):
    text = "\n".join(commands)
    with ExitStack() as around:
        if re.search(r"doctor|migrate dav", text):
            around.enter_context(served(machine))
        if re.search(r"createuser|db\.example\.com", text):
            around.enter_context(with_postgresql(machine, role="createuser" not in text))

        for command in commands:
            run(machine, command)


@pytest.mark.parametrize(
    "command", [command for _, command in sentences() if not reason(command) and "vdirsyncer" not in command]
)
def test_what_stands_in_a_sentence_can_be_typed(machine, command, monkeypatch):
    if command in sections() and command != usage(command).partition(" [")[0]:
        # Only its name; its arguments are in docs/cli.md.
        command += " --help"
    with ExitStack() as around:
        if "doctor --url" in command:
            around.enter_context(served(machine))

        run(machine, filled(command, machine, {"GROUP/NAME": "team/plans"}), monkeypatch)


def test_vdirsyncer_with_the_configuration_of_the_page(machine):
    home = machine.folder / "home"
    place = home / ".config/vdirsyncer"
    place.mkdir(parents=True)
    for each in ("calendars", "contacts"):
        (home / each).mkdir()
    (place / "password").write_text("secret\n")
    with served(machine):
        (place / "config").write_text(machine.here(ini("docs/clients.md", "calendars_there")))
        for command in ("vdirsyncer discover", "vdirsyncer sync"):
            assert ("docs/clients.md", command) in sentences()
            run(machine, command)

    assert list((home / "calendars/calendar").glob("*.ics"))
    assert list((home / "contacts/contacts").glob("*.vcf"))


def test_every_reason_is_needed():
    lines = [line for _, found in blocks() for line in found] + [command for _, command in sentences()]

    assert all(any(re.search(pattern, line) for line in lines) for pattern in NOT_HERE)
    assert len([line for line in lines if not reason(line)]) > 40


VALUES = {
    "ADDRESS": "127.0.0.1", "CHOICE": "ask", "COUNT": "3", "DATE": "2099-12-31", "DELEGATE": "bert", "DIR_OR_FILE": "out",
    "FILE": "out.file", "FILE_OR_FOLDER": "export.ics", "FOLDER": "{root}/var/lib/radicale/collections", "FORMAT": "svg",
    "GRANTEE": "ben", "GROUP": "team", "JOB": "{job}", "KIND": "tasks", "LABEL": "New phone", "LEVEL": "read", "LINK": "{link}",
    "MEMBER": "bert", "N": "5", "NAME": "anna", "OWNER": "anna", "PLACE": "anna/club", "RIGHTS": "calendar", "SHARED": "club",
    "SIZE": "500 MiB", "TEXT": "Words", "TO": "ben", "URL": "https://calendar.example.com/", "USER": "anna",
    "URL_OR_SQLITE": "sabre.sqlite", "WHEN": "90d", "CODE": "{code}",
}  # fmt: skip
"""What stands for the words in capitals of docs/cli.md."""

CERTIFICATE = "{root}/var/lib/tagwerk/self-signed.pem"

OTHERS: dict[str, dict[str, str]] = {
    "tagwerk user add": {"NAME": "carla", "ADDRESS": "carla@example.org"},
    "tagwerk app-password revoke": {"LABEL": "Old phone"},
    "tagwerk group": {"NAME": "team2", "ADDRESS": "team2@example.org"},
    "tagwerk group remove": {"NAME": "team"},
    "tagwerk group member remove": {"MEMBER": "ben"},
    "tagwerk room": {"NAME": "cellar", "ADDRESS": "cellar@example.org"},
    "tagwerk room remove": {"NAME": "attic"},
    "tagwerk resource": {"NAME": "bike", "ADDRESS": "bike@example.org"},
    "tagwerk resource remove": {"NAME": "car"},
    "tagwerk collection add": {"NAME": "new"},
    "tagwerk collection remove": {"NAME": "work"},
    "tagwerk trash": {"HANDLE": "old"},
    "tagwerk history": {"PLACE": "anna/calendar/one.ics", "NUMBER": "{version}"},
    "tagwerk undo": {"PLACE": "anna/calendar/one.ics", "NUMBER": "{version}", "TIME": "2h"},
    "tagwerk delegate remove": {"DELEGATE": "ben"},
    "tagwerk export": {"NAME": "calendar"},
    "tagwerk import": {"NAME": "work"},
    "tagwerk share accept": {"USER": "bert", "PLACE": "anna/work"},
    "tagwerk share leave": {"USER": "ben", "PLACE": "anna/club"},
    "tagwerk share link": {"PLACE": "anna/calendar"},
    "tagwerk share unlink": {"PLACE": "anna/calendar"},
    "tagwerk restore": {
        "FILE": "{root}/backup/tagwerk-2026-03-01.sqlite",
        "--collection NAME": "work",
    },
    "tagwerk transfer": {
        "--from URL": "sqlite://{root}/var/lib/tagwerk/tagwerk.sqlite",
        "--to URL": "sqlite://{root}/work/new.sqlite",
    },
    "tagwerk doctor": {
        "--ca FILE": CERTIFICATE,
        "NAME": "example.com",
        "--nameserver ADDRESS": "{nameserver}",
    },
    "tagwerk migrate dav": {"--ca FILE": CERTIFICATE, "--as NAME": "dora"},
    "tagwerk migrate radicale": {
        "--htpasswd FILE": "{root}/etc/radicale/users",
        "--rights FILE": "{root}/etc/radicale/rights",
        "--settings FILE": "{root}/etc/radicale/config",
    },
    "tagwerk user export": {"--log FILE": "{root}/var/log/tagwerk.log"},
    "tagwerk migrate": {"--prefix TEXT": ""},
    "tagwerk migrate nextcloud": {"URL_OR_SQLITE": "nextcloud.sqlite", "--prefix TEXT": "oc_"},
    "tagwerk collection watch": {"NAME": "calendar"},
    "tagwerk migrate vcf": {"FILE_OR_FOLDER": "contacts.vcf", "NAME": "contacts"},
    "tagwerk migrate ics": {"NAME": "work"},
}
"""What stands for them in one command, or in all that begin so."""


def filled(text: str, machine: Machine, others: Mapping[str, str] = MappingProxyType({})) -> str:
    """A line of the documents with something for each word in capitals, or for that of one option."""
    for words, value in sorted((VALUES | dict(others)).items(), key=lambda each: -len(each[0])):
        before, _, word = words.rpartition(" ")
        shown = f"{before} {shlex.quote(value)}".strip()
        text = re.sub(rf"(?<![\w-]){before} ?{word}(?![\w-])", lambda _, shown=shown: shown, text)
    known = {"{root}": str(machine.folder), **machine.places}
    if "{code}" in text:
        known["{code}"] = totp.code((machine.folder / "totp").read_text(), int(time.time()) // totp.STEP)
    if "{link}" in text:
        known["{link}"] = f"{int(asked(machine, 'SELECT id FROM link')):x}"
    if "{version}" in text:
        known["{version}"] = asked(machine, "SELECT modseq FROM version")
    if "{job}" in text:
        known["{job}"] = asked(machine, "SELECT id FROM outbox")
    for name, value in known.items():
        text = text.replace(name, value)
    return text


WITH_A_SERVER = {"tagwerk migrate dav", "tagwerk doctor", "tagwerk serve"}
"""What takes seconds: with all of its options at once."""


def variants() -> Iterator[tuple[str, str]]:
    """Each command of docs/cli.md as its usage shows it, and once with each option that it has."""
    for command, text in sections().items():
        if not (line := usage(command)):
            continue
        bare = re.sub(r" \[[^]]*\]|\.\.\.", "", line)
        yield command, bare
        if "[" in line and "[--" not in line:
            yield command, re.sub(r"[][]|\.\.\.", "", line)
        options = [
            option
            for option in re.findall(r"^- `(--[^`]+)`", text, re.MULTILINE)
            if option.split()[0] not in bare
        ]
        for each in [" ".join(options)] if command in WITH_A_SERVER else options:
            yield command, f"{bare} {each}"


NEEDS = {
    "tagwerk user add": "--password-stdin",
    "tagwerk user password": "--password-stdin",
    "tagwerk migrate dav": "--password-stdin",
    "tagwerk restore": "--yes",
    **{f"tagwerk {kind} remove": "--yes" for kind in ("user", "group", "room", "resource", "collection")},
    "tagwerk user erase": "--yes",
    "tagwerk restore FILE --collection": "--user anna",
}
"""What each needs where there is no terminal to ask somebody, and an option that needs another one."""


@pytest.mark.parametrize(("command", "line"), list(variants()), ids=lambda each: each[:70])
def test_every_command_and_option_of_the_page_does_something(machine, command, line, monkeypatch):
    others: dict[str, str] = {}
    for name, values in OTHERS.items():
        if command.startswith(name):
            others |= values
    needed = [more for words, more in NEEDS.items() if line.startswith(words) and more not in line]
    words = " ".join([line, *needed])
    with ExitStack() as around:
        if re.search(r"migrate dav|--url|--ca|--domain|--nameserver", line) and "onboard" not in command:
            around.enter_context(served(machine))
        run(machine, filled(words, machine, others), monkeypatch)
