"""`tagwerk backup` and `tagwerk restore`: one file with everything, on every engine."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from tagwerk.cli.invocation import Invocation, common_options, now, on_terminal, pass_invocation
from tagwerk.cli.transfer import described, progress_of
from tagwerk.errors import ConfigurationError, Conflict
from tagwerk.store.address import shown
from tagwerk.store.backup import opened_backup, write_backup
from tagwerk.store.check import counts
from tagwerk.store.engine import run
from tagwerk.store.transfer import restore_all, restore_user


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@common_options
@pass_invocation
def backup(invocation: Invocation, file: Path) -> None:
    """Write everything into FILE, while the server goes on.

    The file holds one moment. It appears under its name when it is complete and on the disk; an older one is
    replaced then.
    """
    path = file.absolute()
    if not path.parent.is_dir():
        raise ConfigurationError(f"There is no folder {click.format_filename(path.parent)}.")
    os.umask(0o077)
    with (
        invocation.engine(invocation.settings()) as engine,
        progress_of(engine, "Backing up") as advance,
    ):
        found = write_backup(engine, path, now=now(), progress=advance)
    click.echo(f"{described(found)} are in {click.format_filename(file)} ({path.stat().st_size:,} bytes).")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--user", metavar="NAME", help="Restore only what this user owns.")
@click.option("--collection", metavar="NAME", help="Restore only this collection of the user.")
@click.option("--damaged", is_flag=True, help="Restore also where the bytes of objects have changed in FILE.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@common_options
@pass_invocation
def restore(
    invocation: Invocation, file: Path, *, user: str | None, collection: str | None, damaged: bool, yes: bool
) -> None:
    """Put what is in FILE in the place of what is there.

    Without --user that is everything: what came after the backup is gone. With it only the collections of that user
    are replaced, or the one that is named; what the user has made since stays. It is one transaction, and the
    servers may run. Clients see new histories and fetch what is there, instead of deleting it. On a terminal it
    asks before.
    """
    if collection is not None and user is None:
        raise click.UsageError("--collection needs the --user whose it is.")
    if not file.is_file():
        raise ConfigurationError(f"There is no file {click.format_filename(file)}.")
    settings = invocation.settings()
    place = shown(settings.storage.database_url)
    with (
        opened_backup(file, damaged=damaged) as (copy, instant),
        invocation.engine(settings, create=True) as engine,
        copy.read() as source,
    ):
        written = datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        if not yes and on_terminal():
            what = f"{user}/{collection or '*'}" if user else "everything"
            click.confirm(f"Replace {what} in {place} by the backup of {written}?", abort=True, err=True)
        if user is None:
            with progress_of(copy, "Restoring") as advance:
                run(engine, lambda txn: restore_all(source, txn, progress=advance))
            with engine.read() as txn:
                click.echo(f"{described(counts(txn))} were restored as of {written}, in {place}.")
        else:
            name, only = user, collection or ""
            restored = run(engine, lambda txn: restore_user(source, txn, name, now=now(), collection=only))
            for left, heir in restored.left:
                click.echo(f"{left} belongs to {heir} by now and stays as it is.", err=True)
            for sentence in restored.lost:
                click.echo(f"Not restored: {sentence}", err=True)
            if restored.left and not restored.collections:
                raise Conflict(f"Nothing of {user} was restored.")
            names = ", ".join(restored.collections) or "Nothing"
            click.echo(f"{names} of {user} was restored as of {written}, in {place}.")
