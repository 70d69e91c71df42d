"""`tagwerk import`: what other programs exported, all of it that can be stored."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from tagwerk.cli.intake import (
    Intake,
    Item,
    Problem,
    Tally,
    files_in,
    is_empty,
    item_of,
    kind_of,
    parts_of,
    read_file,
)
from tagwerk.cli.invocation import Invocation, common_options, pass_invocation, user_called
from tagwerk.cli.reports import report_options, write_report
from tagwerk.errors import ConfigurationError

BATCH = 200
"""Objects in one transaction: few enough that nobody waits for the writer, enough that the disk does not count."""


@click.command("import")
@click.argument("user")
@click.argument("source", metavar="FILE_OR_FOLDER", type=click.Path(path_type=Path))
@click.option("--collection", metavar="NAME", help="Put everything there; it is made if it does not exist.")
@report_options
@common_options
@pass_invocation
@click.pass_context
def import_(
    context: click.Context,
    invocation: Invocation,
    user: str,
    source: Path,
    collection: str | None,
    dry_run: bool,
    report_to: Path | None,
) -> None:
    """Store the events, tasks and contacts of files as those of USER.

    FILE_OR_FOLDER is an .ics or .vcf file with any number of objects, or a folder of such files. Without
    --collection events go to the user's calendar, tasks to the task list, contacts to the address book. An object
    whose UID is there already is updated; running it again changes nothing. What cannot be stored is listed, and
    the exit code is 1.
    """
    if not source.exists():
        raise ConfigurationError(f"There is no file or folder {click.format_filename(source)}.")
    settings = invocation.settings()
    tally = Tally()
    with invocation.engine(settings) as engine:
        with engine.read() as txn:
            owner = user_called(txn, user)
        intake = Intake(engine, owner, collection=collection, tally=tally, dry=dry_run)
        _take_in(source, intake, tally, limit=settings.dav.max_resource_size)
    _print(tally, dry=dry_run)
    if report_to is not None:
        write_report(report_to, tally)
    context.exit(1 if tally.left_out else 0)


def _take_in(source: Path, intake: Intake, tally: Tally, *, limit: int) -> None:
    """Read every file and store what is in it, batch by batch."""
    files = files_in(source, tally)
    with click.progressbar(
        length=sum(_size(file) for file in files),
        label="Importing",
        file=sys.stderr,
        hidden=not sys.stderr.isatty(),
    ) as progress:
        batch: list[Item] = []
        for item in _items(files, tally, progress.update, limit=limit, named=source):
            batch.append(item)
            if len(batch) == BATCH:
                intake.store(batch)
                batch.clear()
        if batch:
            intake.store(batch)


def _items(
    files: list[Path], tally: Tally, advance: Callable[[int], None], *, limit: int, named: Path
) -> Iterator[Item]:
    """Everything that can be stored; the rest is tallied.  `named` is what the command line says."""
    for file in files:
        content = read_file(file)
        if isinstance(content, Problem):
            tally.left_out.append(content)
            continue
        kind = kind_of(content, name=file.name)
        if kind is None:
            problem = Problem(file, 1, "is neither iCalendar nor vCard")
            (tally.left_out if file == named else tally.passed_over).append(problem)
            continue
        if is_empty(content):
            tally.passed_over.append(Problem(file, 1, "has nothing in it"))
            continue
        parts = parts_of(content, kind)
        shown = 0
        for number, part in enumerate(parts, 1):
            found = item_of(part, file, limit=limit)
            if isinstance(found, Problem):
                tally.left_out.append(found)
            else:
                yield found
            reached = len(content) * number // len(parts)
            advance(reached - shown)
            shown = reached


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _print(tally: Tally, *, dry: bool) -> None:
    """What was left out and why on standard error, how much there was on standard output."""
    for problem in sorted(tally.left_out, key=lambda each: (each.file, each.line)):
        place = click.format_filename(problem.file)
        click.echo(
            f"{place}:{problem.line}: {problem.reason}" if problem.line else f"{place} {problem.reason}",
            err=True,
        )
    for problem in tally.passed_over:
        click.echo(f"{click.format_filename(problem.file)} was passed over: it {problem.reason}", err=True)
    would = "would be " if dry else ""
    for name in tally.created:
        click.echo(f"Collection {name} {would or 'was '}made.")
    repaired = f" ({tally.repaired:,} repaired)" if tally.repaired else ""
    click.echo(
        f"{tally.added:,} {would}added, {tally.changed:,} {would}changed{repaired}, {tally.unchanged:,} unchanged,"
        f" {len(tally.left_out):,} left out{', this was a dry run' if dry else ''}."
    )
