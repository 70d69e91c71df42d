"""`tagwerk transfer`: everything in a database into another one, such as SQLite to PostgreSQL."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import click

from tagwerk.cli.invocation import common_options
from tagwerk.cli.table import counted
from tagwerk.errors import ConfigurationError
from tagwerk.store import Engine, open_engine
from tagwerk.store.address import shown
from tagwerk.store.check import Counts, counts
from tagwerk.store.transfer import count_rows
from tagwerk.store.transfer import transfer as move


@click.command()
@click.option("--from", "source", metavar="URL", required=True, help="The database to read.")
@click.option("--to", "target", metavar="URL", required=True, help="The empty database to fill.")
@common_options
def transfer(source: str, target: str) -> None:
    """Copy everything from one database into another, empty one.

    Sync tokens and ETags stay valid, so that no client notices. Stop the servers before: what is written meanwhile
    is not copied. A transfer that was interrupted goes on when it is run again.
    """
    if source == target:
        raise ConfigurationError("--from and --to name the same database.")
    os.umask(0o077)
    with (
        closing(open_engine(source, create=False)) as reading,
        closing(open_engine(target, unfinished=True)) as writing,
    ):
        with progress_of(reading, "Transferring") as advance:
            move(reading, writing, name=shown(source), progress=advance)
        with writing.read() as txn:
            click.echo(f"{described(counts(txn))} are in {shown(target)}.")


def described(found: Counts) -> str:
    """How much a database holds, in words."""
    return (
        f"{counted(found.users, 'user')}, {counted(found.collections, 'collection')}"
        f" and {counted(found.objects, 'object')}"
    )


@contextmanager
def progress_of(engine: Engine, label: str) -> Iterator[Callable[[int], None]]:
    """A bar on the terminal that counts the rows of a database."""
    with engine.read() as txn:
        length = count_rows(txn)
    with click.progressbar(
        length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as progress:
        yield progress.update
