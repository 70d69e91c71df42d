"""`tagwerk doctor`: what is not as it should be, and what to change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

import click

from tagwerk.cli import doctor_here, doctor_outside
from tagwerk.cli.findings import Finding, Level, wrong
from tagwerk.cli.invocation import Invocation, common_options, pass_invocation
from tagwerk.cli.table import counted
from tagwerk.errors import ConfigurationError, TagwerkError


@click.command()
@click.option("--url", metavar="URL", default="", help="Where clients reach the server, through every proxy.")
@click.option(
    "--ca", metavar="FILE", default=None, help="Trust these authorities for --url, instead of the system's."
)
@click.option("--domain", metavar="NAME", default="", help="Look up the SRV records of this domain.")
@click.option(
    "--nameserver", metavar="ADDRESS", default="", help="Ask this name server, instead of the system's."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@common_options
@pass_invocation
@click.pass_context
def doctor(
    context: click.Context,
    invocation: Invocation,
    url: str,
    ca: str | None,
    domain: str,
    nameserver: str,
    as_json: bool,
) -> None:
    """Look for what is wrong with this server, and say what to change.

    It checks the configuration, permissions, database, backups and clock; with --domain the DNS records; and
    with --url, from outside inwards, whether proxies hand on what calendars need. The exit code is 1 when
    something is wrong.
    """
    found = list(_examine(invocation, url=url, ca=ca, domain=domain, nameserver=nameserver))
    bad = [each for each in found if each.level is Level.WRONG]
    if as_json:
        fields = {"ok": not bad, "findings": [asdict(each) for each in found]}
        click.echo(json.dumps(fields, indent=2, ensure_ascii=False))
    else:
        for each in found:
            click.echo(f"{each.level.value:5}  {each.area}: {each.sentence}")
            if each.advice:
                click.echo(f"       -> {each.advice}")
        click.echo(f"{counted(len(bad), 'thing')} to change." if bad else "Nothing has to be changed.")
    context.exit(1 if bad else 0)


def _examine(
    invocation: Invocation, *, url: str, ca: str | None, domain: str, nameserver: str
) -> Iterator[Finding]:
    try:
        settings = invocation.settings()
    except ConfigurationError as error:
        yield wrong("configuration", str(error), "docs/options.md has every option.")
        return
    yield doctor_here.source(invocation)
    yield from doctor_here.configuration(settings)
    yield from doctor_here.permissions(settings)
    yield from doctor_here.secrets_of(settings, invocation.config_path())
    yield from doctor_here.provider(settings)
    try:
        with invocation.engine(settings) as engine:
            yield from doctor_here.database(engine, settings)
            if url:
                yield from doctor_outside.examine(doctor_outside.Outside(url, trust=ca), engine, settings)
    except TagwerkError as error:
        yield wrong("database", str(error), "See --data and --database.")
    if domain:
        yield from doctor_here.records(domain, nameserver)
