"""`tagwerk migrate`: coming from another server, with everything."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from tagwerk.accounts.passwords import cost_of
from tagwerk.cli.imports import import_
from tagwerk.cli.invocation import Invocation, common_options, now, pass_invocation
from tagwerk.cli.passphrase import first_line, on_terminal_or_stdin
from tagwerk.cli.reports import report_options, write_report
from tagwerk.cli.table import counted
from tagwerk.errors import ConfigurationError
from tagwerk.migration import dav as dav_source
from tagwerk.migration import radicale as radicale_source
from tagwerk.migration import sabre as sabre_source
from tagwerk.migration.mover import CollectionReport, Mover, Report
from tagwerk.migration.source import Source
from tagwerk.settings import Settings
from tagwerk.store import Engine, open_engine
from tagwerk.store.address import is_postgresql
from tagwerk.store.sabre import open_tables

only = click.option(
    "--user", "users", metavar="NAME", multiple=True, help="Only this user; may be said several times."
)


@click.group()
@common_options
def migrate() -> None:
    """Bring users, calendars, tasks and contacts along from another server.

    Begin with --dry-run. Running it again changes nothing that is here already, and goes on where it was cut off.
    """


@migrate.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--htpasswd", metavar="FILE", type=click.Path(path_type=Path), help="Take the passwords of this file."
)
@click.option("--plain", is_flag=True, help="The passwords in that file are not hashed.")
@click.option(
    "--settings",
    "there",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Radicale's settings: which passwords and which rights it uses. One beside FOLDER is found.",
)
@click.option(
    "--rights",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Share what this file of rights lets others do. One beside FOLDER is found.",
)
@only
@report_options
@common_options
@pass_invocation
@click.pass_context
def radicale(
    context: click.Context,
    invocation: Invocation,
    folder: Path,
    htpasswd: Path | None,
    plain: bool,
    there: Path | None,
    rights: Path | None,
    users: tuple[str, ...],
    dry_run: bool,
    report_to: Path | None,
) -> None:
    """Move what Radicale keeps in FOLDER, its filesystem_folder."""
    cost = cost_of(invocation.settings().auth)
    source = radicale_source.read(
        folder,
        config=there,
        htpasswd=htpasswd,
        plain=plain,
        rights_file=rights,
        only=users,
        cost=cost,
    )
    context.exit(_move(invocation, source, dry=dry_run, report_to=report_to))


@migrate.command()
@click.argument("url")
@click.argument("user")
@click.option("--as", "owner", metavar="NAME", default="", help="The user here, if the name is another one.")
@click.option(
    "--password-stdin", is_flag=True, help="Read the password there from one line of standard input."
)
@click.option("--ca", metavar="FILE", default=None, help="Trust these authorities, instead of the system's.")
@report_options
@common_options
@pass_invocation
@click.pass_context
def dav(
    context: click.Context,
    invocation: Invocation,
    url: str,
    user: str,
    owner: str,
    password_stdin: bool,
    ca: str | None,
    dry_run: bool,
    report_to: Path | None,
) -> None:
    """Move what USER has on the CalDAV and CardDAV server at URL, whatever server it is.

    It remembers how far it came, and asks the next time only for what changed since.
    """
    password = first_line() if password_stdin else on_terminal_or_stdin(f"Password of {user} at {url}")
    client = dav_source.Client(url, user, password, trust=ca)
    try:
        source = dav_source.read(client, owner=owner or user)
        code = _move(invocation, source, dry=dry_run, report_to=report_to)
    finally:
        client.close()
    context.exit(code)


def _database_command(name: str, help: str, *, nextcloud: bool) -> click.Command:
    @click.argument("source", metavar="URL_OR_SQLITE")
    @click.option(
        "--prefix",
        default="oc_" if nextcloud else "",
        show_default=nextcloud,
        help="What stands before the names of the tables.",
    )
    @only
    @report_options
    @common_options
    @pass_invocation
    @click.pass_context
    def move(
        context: click.Context,
        invocation: Invocation,
        source: str,
        prefix: str,
        users: tuple[str, ...],
        dry_run: bool,
        report_to: Path | None,
    ) -> None:
        with open_tables(source, prefix=prefix) as tables:
            found = sabre_source.read(tables, nextcloud=nextcloud, only=users)
            code = _move(invocation, found, dry=dry_run, report_to=report_to)
        context.exit(code)

    move.__doc__ = help
    return click.command(name)(move)


for _name, _help, _nextcloud in (
    (
        "nextcloud",
        "Move what is in the database of a Nextcloud: a SQLite file, or postgresql:// or mysql://.",
        True,
    ),
    (
        "baikal",
        "Move what is in the database of a Baïkal: its db.sqlite, or postgresql:// or mysql://.",
        False,
    ),
    ("sabre", "Move what is in a database of sabre/dav: a SQLite file, or postgresql:// or mysql://.", False),
):
    migrate.add_command(_database_command(_name, _help, nextcloud=_nextcloud))

for _name, _help in (
    ("ics", "Store the events and tasks of files; the same as `tagwerk import`."),
    ("vcf", "Store the contacts of files; the same as `tagwerk import`."),
):
    migrate.add_command(
        click.Command(_name, callback=import_.callback, params=list(import_.params), help=_help), _name
    )


def _move(invocation: Invocation, source: Source, *, dry: bool, report_to: Path | None) -> int:
    settings = invocation.settings()

    def progress(found: CollectionReport) -> None:
        done = found.added + found.changed + found.unchanged
        if done and done % 1000 == 0:
            click.echo(f"{found.owner}/{found.name}: {done:,} objects", err=True)

    with _engine(invocation, settings, dry=dry) as engine:
        mover = Mover(engine, now=now, limit=settings.dav.max_resource_size, dry=dry, progress=progress)
        report = mover.move(source)
    _print(report, dry=dry)
    if report_to is not None:
        write_report(report_to, report)
    return 1 if report.left_out else 0


@contextmanager
def _engine(invocation: Invocation, settings: Settings, *, dry: bool) -> Iterator[Engine]:
    """The database; for a dry run where there is none yet, an empty one that nobody keeps."""
    try:
        with invocation.engine(settings, create=not dry) as engine:
            yield engine
            return
    except ConfigurationError:
        if not dry or (settings.storage.data.exists() and not is_postgresql(settings.storage.database_url)):
            raise
    with tempfile.TemporaryDirectory(prefix="tagwerk-") as folder:
        engine = open_engine(f"sqlite://{folder}/tagwerk.sqlite")
        try:
            yield engine
        finally:
            engine.close()


def _print_shares(report: Report, would: str) -> None:
    """Groups and shares: what is new, and what could not be made; then their number."""
    for group in report.groups:
        if group.made or group.joined:
            made = f"{would}made" if group.made else "is here"
            click.echo(f"Group {group.name} {made}, with {', '.join(group.joined) or 'nobody new'}.")
        for sentence in group.left_out:
            click.echo(f"left out: group {group.name}: {sentence}", err=True)
    for one in report.shares:
        status = "" if one.status == "accepted" or one.level == "left" else f" ({one.status})"
        if one.why:
            click.echo(f"left out: {one.owner}/{one.name} shared with {one.grantee}: {one.why}", err=True)
        elif one.made and one.level == "left":
            click.echo(f"{one.grantee} has left {one.owner}/{one.name}, as there.")
        elif one.made:
            click.echo(f"{one.owner}/{one.name} {would}shared with {one.grantee}: {one.level}{status}.")
    if report.shares:
        new = sum(one.made for one in report.shares)
        here = sum(not one.made and not one.why for one in report.shares)
        out = len(report.shares) - new - here
        were = "were " if would == "was " else would
        click.echo(f"{counted(new, 'share')} {were}made, {here:,} made before, {out:,} left out.")


def _print(report: Report, *, dry: bool) -> None:
    would = "would be " if dry else ""
    for user in report.users:
        click.echo(f"User {user} {would or 'was '}added.")
    for found in report.collections:
        made = f" ({found.there} there)" if found.there else ""
        made += ", new" if found.made else ""
        repaired = f" ({found.repaired:,} repaired)" if found.repaired else ""
        gone = f", {found.gone:,} gone there and kept here" if found.gone else ""
        click.echo(
            f"{found.owner}/{found.name}{made}: {found.added:,} {would}added, {found.changed:,} {would}changed{repaired},"
            f" {found.unchanged:,} unchanged, {len(found.left_out):,} left out{gone}."
        )
        for sentence in found.left_out:
            click.echo(f"left out: {found.owner}/{found.name}/{sentence}", err=True)
    for sentence in report.lost:
        click.echo(f"left out: {sentence}", err=True)
    for sentence in report.left:
        click.echo(f"note: {sentence}", err=True)
    for user in report.without_password:
        click.echo(f"note: {user} has no password here; `tagwerk user password {user}` sets one.", err=True)
    _print_shares(report, would or "was ")
    total = sum(each.added + each.changed for each in report.collections)
    click.echo(f"{counted(total, 'object')} {would or 'were '}moved{', this was a dry run' if dry else ''}.")
