"""Invocations: what every command is told, and the settings and the database that follow from it."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click

from tagwerk.errors import ConfigurationError, NotFound
from tagwerk.model import Principal
from tagwerk.settings import Settings, database_in, load
from tagwerk.store import Engine, Transaction, open_engine
from tagwerk.store.address import is_postgresql, without_secrets
from tagwerk.store.principals import principal_by_name

Command = TypeVar("Command", bound=Callable[..., Any])

MACHINE_CONFIG = Path("/etc/tagwerk/tagwerk.ini")
"""What the service of this machine reads, and every command that is told nothing else."""
MACHINE_DATA = Path("/var/lib/tagwerk")
"""Where the data lie with that file, unless something says otherwise."""


@dataclass(slots=True)
class Invocation:
    """Where the command line says that the settings and the data are; None where it does not.

    `machine` is the file that counts where neither it nor the environment names one.
    """

    config: Path | None = None
    data: Path | None = None
    database: str | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    machine: Path = MACHINE_CONFIG

    def settings(self) -> Settings:
        """Says on standard error where the file of the machine is there and cannot be read.

        Raises:
            ConfigurationError: a file cannot be read, or says something that is not understood.
        """
        path = self.config_path()
        if path is None and self.unreadable():
            click.echo(
                f"{self.machine} cannot be read by this user, so nothing in it counts;"
                " run this as the user of the server, or name another file with --config.",
                err=True,
            )
        return load(
            path,
            data=self.data,
            environ=self.environ,
            database=self.database,
            default=MACHINE_DATA if path == self.machine else None,
        )

    def config_path(self) -> Path | None:
        """The file that the options are read from, if there is one.

        An empty ``$TAGWERK_CONFIG`` says that there is none.
        """
        named = self.config or self.environ.get("TAGWERK_CONFIG")
        if named is None:
            return self.machine if _readable(self.machine) else None
        return Path(named) if named else None

    def unreadable(self) -> bool:
        """Whether the file of the machine would count, and is kept from this user."""
        named = self.config or "TAGWERK_CONFIG" in self.environ
        return not named and _readable(self.machine) is False

    @contextmanager
    def engine(self, settings: Settings, *, create: bool = False) -> Iterator[Engine]:
        """The database, closed at the end of the block; made with its folder if `create`.

        Raises:
            ConfigurationError: there is none, or its folder cannot be made.
            SchemaMismatch: it is of a newer Tagwerk.
        """
        storage = settings.storage
        if create:
            # The folder may be older and open to others; the database is not for them.
            os.umask(0o077)
            if not is_postgresql(storage.database_url):
                make_private_folder(storage.data)
        try:
            engine = open_engine(storage.database_url, create=create)
        except NotFound as error:
            raise ConfigurationError(
                f"{str(error).rstrip('.')};"
                f" `tagwerk serve` or `tagwerk user add` makes one, --data DIR names another folder."
            ) from error
        try:
            yield engine
        finally:
            engine.close()

    def command(self, *words: str) -> str:
        """A command line that works on the same data, as a person would type it here."""
        # Another terminal does not have the variables of this one.
        config = self.config or self.environ.get("TAGWERK_CONFIG")
        data = self.data or self.environ.get("TAGWERK_DATA")
        database = self.database or ("" if self.data else self.environ.get("TAGWERK_DATABASE"))
        places = ["--config", str(config)] if config else []
        storage = self.settings().storage
        if data and (database or storage.database_url == database_in(storage.data)):
            # Where the file names the database, the folder would name another one.
            places += ["--data", str(data)]
        if database:
            places += ["--database", without_secrets(database)]
        return shlex.join([_program(), *words, *places])


pass_invocation = click.make_pass_decorator(Invocation, ensure=True)


def common_options(command: Command) -> Command:
    """Let a command take --config, --data and --database; groups take them too, and the last one counts."""
    for name, metavar, kind, text in (
        (
            "database",
            "URL",
            str,
            "URL of the database: sqlite:///path/to/tagwerk.sqlite or postgresql://user@host/name.",
        ),
        ("data", "DIR", click.Path(path_type=Path), "Folder of the data, instead of $TAGWERK_DATA."),
        (
            "config",
            "FILE",
            click.Path(path_type=Path),
            f"Read options from an INI file, instead of $TAGWERK_CONFIG or {MACHINE_CONFIG}.",
        ),
    ):
        command = click.option(
            f"--{name}", metavar=metavar, type=kind, help=text, expose_value=False, callback=_remember
        )(command)
    return command


def _remember(context: click.Context, parameter: click.Parameter, value: object) -> None:
    invocation = context.ensure_object(Invocation)
    if value is not None and parameter.name is not None:
        setattr(invocation, parameter.name, value)


def make_private_folder(path: Path) -> None:
    """Create a folder that only its owner can look into, and the folders above it.

    Raises:
        ConfigurationError: it cannot be made, or there is something else.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
    except FileExistsError as error:
        raise ConfigurationError(f"{path} is no folder.") from error
    except OSError as error:
        raise ConfigurationError(f"The data folder {path} cannot be made: {error.strerror}.") from error
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigurationError(f"The data folder {path} cannot be written by this user.")


def find_user(txn: Transaction, name: str) -> Principal | None:
    """The user of that name; names are stored as NFC, terminals type what they like."""
    return principal_by_name(txn, name) or principal_by_name(txn, unicodedata.normalize("NFC", name))


def user_called(txn: Transaction, name: str, *, what: str = "user") -> Principal:
    """The user, group, room or resource of that name; `what` is expected there.

    Raises:
        NotFound: there is nobody of that name.
    """
    principal = find_user(txn, name)
    if principal is None:
        raise NotFound(f"There is no {what} {name!r}.")
    return principal


def person_called(txn: Transaction, name: str) -> Principal:
    """The person of that name.

    Raises:
        NotFound: there is none, or it is a group, a room or a resource.
    """
    principal = user_called(txn, name)
    if principal.kind != "person":
        raise NotFound(f"{principal.name} is a {principal.kind}; `tagwerk {principal.kind}` is for these.")
    return principal


def now() -> int:
    """Seconds since 1970: the command line is where the clock is read."""
    return int(time.time())


def on_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin is not None and sys.stdin.isatty()


def _readable(path: Path) -> bool | None:
    """Whether this user can read a file; None where there is none."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return False
    return True


def _program() -> str:
    """How this program was called, as short as a shell understands it."""
    script = Path(sys.argv[0])
    if script.name != "tagwerk" or not script.is_file():
        return "tagwerk"
    found = shutil.which("tagwerk")
    if found and script.samefile(found):
        return "tagwerk"
    return str(script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script)
