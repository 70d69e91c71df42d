"""`tagwerk maintenance`: what a timer does once a day, on a server that runs or not."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click

from tagwerk.cli.check import examine
from tagwerk.cli.invocation import Invocation, common_options, make_private_folder, now, pass_invocation
from tagwerk.cli.table import counted
from tagwerk.cli.upkeep import forget_what_is_old
from tagwerk.errors import Refused, TagwerkError
from tagwerk.settings import Settings
from tagwerk.store import Engine
from tagwerk.store.backup import write_backup

_NAME = re.compile(r"tagwerk-\d{8}T\d{6}Z\.\w+")


@click.command()
@click.option("--no-backup", is_flag=True, help="Make no backup.")
@click.option("--no-check", is_flag=True, help="Do not check the objects.")
@common_options
@pass_invocation
def maintenance(invocation: Invocation, no_backup: bool, no_check: bool) -> None:
    """Make a backup, forget what is old enough, check everything, and give room back.

    The server may run meanwhile. The exit code is 1 when something is wrong; the other steps are done all the same.
    """
    settings = invocation.settings()
    with invocation.engine(settings) as engine:
        steps: list[tuple[str, bool, Callable[[], str]]] = [
            ("backup", not no_backup and settings.maintenance.backups > 0, lambda: back_up(engine, settings)),
            ("forget", True, lambda: _forget(engine, settings)),
            ("check", not no_check, lambda: _check(engine)),
            ("compact", True, lambda: _compact(engine)),
        ]
        failed = []
        for name, wanted, step in steps:
            if not wanted:
                continue
            try:
                click.echo(f"{name}: {step()}")
            except (TagwerkError, OSError) as error:
                failed.append(name)
                click.echo(f"{name}: {error}", err=True)
    if failed:
        raise Refused(f"Not everything is in order: {', '.join(failed)}.")


def back_up(engine: Engine, settings: Settings) -> str:
    """Write a backup, whole or not at all, and remove those that are too many; what was done."""
    folder = settings.maintenance.backup_folder
    if folder.is_relative_to(settings.storage.data):
        # With a database elsewhere nobody has made it yet.
        make_private_folder(settings.storage.data)
    make_private_folder(folder)
    for left in folder.glob(".tagwerk-*.part*"):
        left.unlink()
    stamp = datetime.fromtimestamp(now(), UTC).strftime("%Y%m%dT%H%M%SZ")
    path = folder / f"tagwerk-{stamp}.backup"
    write_backup(engine, path, now=now())
    there = sorted(each for each in folder.iterdir() if _NAME.fullmatch(each.name))
    for old in there[: -settings.maintenance.backups]:
        old.unlink()
    kept = min(len(there), settings.maintenance.backups)
    return f"{click.format_filename(path)}, {path.stat().st_size:,} bytes; {counted(kept, 'backup')} kept"


def newest_backup(folder: Path) -> Path | None:
    """The newest backup in a folder."""
    found = sorted(each for each in folder.glob("tagwerk-*") if _NAME.fullmatch(each.name))
    return found[-1] if found else None


def _forget(engine: Engine, settings: Settings) -> str:
    forgotten = forget_what_is_old(engine, settings)
    return ", ".join(counted(number, noun) for noun, number in forgotten.items() if number) or "nothing"


def _check(engine: Engine) -> str:
    report = examine(engine)
    for problem in report.problems:
        click.echo(f"wrong: {problem}", err=True)
    if report.problems:
        raise Refused(f"{counted(len(report.problems), 'problem')}; `tagwerk check` tells them again")
    objects = report.counts.objects if report.counts else 0
    return f"{counted(objects, 'object')} in order"


def _compact(engine: Engine) -> str:
    return f"{engine.compact():,} bytes given back"
