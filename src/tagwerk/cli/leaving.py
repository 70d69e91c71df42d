"""`tagwerk user remove`, `export` and `erase`: what somebody has, taken along, handed over or gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from tagwerk.accounts import leaving
from tagwerk.accounts.leaving import Belongings, Kept, belongings
from tagwerk.cli.everything import export_user
from tagwerk.cli.invocation import (
    Invocation,
    common_options,
    now,
    on_terminal,
    pass_invocation,
    person_called,
)
from tagwerk.cli.share import by
from tagwerk.cli.table import counted
from tagwerk.errors import Refused
from tagwerk.model import Principal
from tagwerk.store import Engine
from tagwerk.store.engine import run

Command = TypeVar("Command", bound=Callable[..., Any])


def _leaving_options(command: Command) -> Command:
    for option in (
        click.option(
            "--give",
            "gifts",
            metavar="SHARED TO",
            nargs=2,
            multiple=True,
            help="Hand the collection SHARED over to the user TO instead of removing it.",
        ),
        click.option(
            "--export",
            "export_to",
            metavar="FILE",
            type=click.Path(path_type=Path),
            help="Write everything about the user to a .zip file first.",
        ),
        click.option("--yes", is_flag=True, help="Do not ask."),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("name")
@_leaving_options
@common_options
@pass_invocation
def remove(
    invocation: Invocation, name: str, yes: bool, export_to: Path | None, gifts: tuple[tuple[str, str], ...]
) -> None:
    """Remove a user with every calendar and address book they own.

    It says what goes with them. On a terminal it asks before; elsewhere a collection that others see goes only
    with --yes, or to a new owner.
    """
    settings = invocation.settings()
    with invocation.engine(settings) as engine:
        principal, heirs = _prepare(engine, name, yes=yes, export_to=export_to, gifts=gifts)
        run(
            engine,
            lambda txn: leaving.remove(txn, person_called(txn, principal.name), gifts=heirs, by=by(settings)),
        )
    click.echo(f"User {principal.name} was removed.")


@click.command()
@click.argument("name")
@_leaving_options
@common_options
@pass_invocation
def erase(
    invocation: Invocation, name: str, yes: bool, export_to: Path | None, gifts: tuple[tuple[str, str], ...]
) -> None:
    """Remove a user and every trace of them, and say what is kept and why.

    It asks as `remove` does.
    """
    settings = invocation.settings()
    with invocation.engine(settings) as engine:
        principal, heirs = _prepare(engine, name, yes=yes, export_to=export_to, gifts=gifts)
        kept = run(
            engine,
            lambda txn: leaving.erase(txn, person_called(txn, principal.name), gifts=heirs, by=by(settings)),
        )
        if not engine.erased():
            kept.append(
                Kept(
                    "what was just removed, in SQLite's log",
                    "somebody reads it; `tagwerk maintenance` empties it",
                )
            )
    click.echo(f"User {principal.name} was erased. What is kept, and why:")
    for each in kept:
        click.echo(f"* {each.what}: {each.why}")


@click.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--log",
    "logs",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Add the lines of a log file that are about the user.",
)
@common_options
@pass_invocation
def export(invocation: Invocation, name: str, file: Path, logs: tuple[Path, ...]) -> None:
    """Write everything about a user to a .zip FILE: data, shares, devices.

    A file README.txt in it says what is what.
    """
    with invocation.engine(invocation.settings()) as engine, engine.read() as txn:
        principal = person_called(txn, name)
        written = export_user(txn, principal, file, now=now(), logs=logs)
    click.echo(f"{click.format_filename(file)}: {counted(written, 'file')} about {principal.name}")


def _prepare(
    engine: Engine, name: str, *, yes: bool, export_to: Path | None, gifts: tuple[tuple[str, str], ...]
) -> tuple[Principal, dict[str, Principal]]:
    """Say what goes with a user, ask, and write it down; the user, and who gets what."""
    if len({collection for collection, _ in gifts}) < len(gifts):
        raise Refused("A collection can be given to one person only; --give names one twice.")
    with engine.read() as txn:
        principal = person_called(txn, name)
        heirs = {collection: person_called(txn, to) for collection, to in gifts}
        has = belongings(txn, principal)
    for line in _farewell(has, {collection: heir.name for collection, heir in heirs.items()}):
        click.echo(line, err=True)
    orphans = [binding.name for binding, _ in has.shared if binding.name not in heirs]
    if not yes:
        if on_terminal():
            click.confirm(f"Remove {principal.name} for ever?", abort=True, err=True)
        elif orphans:
            raise Refused(
                f"Others see {', '.join(orphans)}: hand it over with --give, or say --yes to remove it for them, too."
            )
    if export_to is not None:
        with engine.read() as txn:
            written = export_user(txn, principal, export_to, now=now())
        click.echo(f"{click.format_filename(export_to)}: {counted(written, 'file')} about {principal.name}")
    return principal, heirs


def _farewell(has: Belongings, gifts: dict[str, str]) -> Iterator[str]:
    """What goes with a user, in sentences."""
    for binding, sharees in has.own:
        links = has.links.get(binding.name, 0)
        seen = f", which {', '.join(sharees)} can see" if sharees else ""
        shown = f", with {counted(links, 'public link')}" if links else ""
        if binding.name in gifts:
            opens = f"; {'its link goes' if links == 1 else 'its links go'} on working" if links else ""
            yield f"{binding.name}{seen}{shown}: goes to {gifts[binding.name]}{opens}"
        else:
            yield f"{binding.name}{seen}{shown}: is removed with everything in it"
    for binding in has.shared_with_them:
        yield f"{binding.name}, which others share with them: stays with its owner"
    if has.app_passwords:
        yield f"App passwords: {', '.join(has.app_passwords)}"
    if has.second_factor:
        yield "The second factor"
    if has.delegates:
        yield f"Who acts for them: {', '.join(has.delegates)}"
    if has.acts_for:
        yield f"For whom they act: {', '.join(has.acts_for)}"
    if has.groups:
        yield f"Memberships: {', '.join(has.groups)}"
    if has.trash:
        yield f"Deleted collections, which are in the trash: {', '.join(has.trash)}"
    yield f"{has.bytes:,} bytes in all" + (
        f", and {has.kept:,} of deleted things and earlier versions" if has.kept else ""
    )
