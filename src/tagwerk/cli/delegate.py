"""`tagwerk delegate`: who acts for whom on all of their calendars."""

from __future__ import annotations

import json

import click

from tagwerk.cli.invocation import Invocation, common_options, pass_invocation, person_called, user_called
from tagwerk.cli.share import by, json_option
from tagwerk.cli.table import table
from tagwerk.errors import NotFound
from tagwerk.model import Access, Principal
from tagwerk.sharing import delegation
from tagwerk.store.engine import Transaction, run
from tagwerk.store.principals import delegates_of, persons


@click.group()
@common_options
def delegate() -> None:
    """Let somebody act for a user: read or change all of their calendars, those to come as well.

    Programs show it as delegation, or calendar-proxy-read and -write.
    """


@delegate.command("add")
@click.argument("owner")
@click.argument("delegate")
@click.option(
    "--level",
    required=True,
    type=click.Choice([Access.READ.value, Access.WRITE.value]),
    help="What they may do with the calendars.",
)
@json_option
@common_options
@pass_invocation
def add(invocation: Invocation, owner: str, delegate: str, level: str, as_json: bool) -> None:
    """Let DELEGATE, a user or a group, act for OWNER."""
    settings = invocation.settings()

    def work(txn: Transaction) -> tuple[Principal, Principal]:
        of, to = person_called(txn, owner), user_called(txn, delegate, what="user or group")
        delegation.delegate(txn, of, to, Access(level), by=by(settings))
        return of, to

    with invocation.engine(settings) as engine:
        of, to = run(engine, work)
    _say(of.name, to.name, level, as_json, f"{to.name} may {level} all calendars of {of.name}.")


@delegate.command("remove")
@click.argument("owner")
@click.argument("delegate")
@json_option
@common_options
@pass_invocation
def remove(invocation: Invocation, owner: str, delegate: str, as_json: bool) -> None:
    """End it."""
    settings = invocation.settings()

    def work(txn: Transaction) -> tuple[Principal, Principal]:
        of, to = person_called(txn, owner), user_called(txn, delegate, what="user or group")
        if not delegation.undelegate(txn, of, to, by=by(settings)):
            raise NotFound(f"{to.name} does not act for {of.name}.")
        return of, to

    with invocation.engine(settings) as engine:
        of, to = run(engine, work)
    _say(of.name, to.name, "", as_json, f"{to.name} no longer acts for {of.name}.")


@delegate.command("list")
@click.argument("owner", required=False)
@json_option
@common_options
@pass_invocation
def list_(invocation: Invocation, owner: str | None, as_json: bool) -> None:
    """List who acts for OWNER, or for everybody."""
    with invocation.engine(invocation.settings()) as engine, engine.read() as txn:
        owners = [person_called(txn, owner)] if owner else list(persons(txn))
        found = [(of.name, to.name, access.value) for of in owners for to, access in delegates_of(txn, of.id)]
    if as_json:
        fields = [{"owner": of, "delegate": to, "level": level} for of, to, level in found]
        click.echo(json.dumps(fields, indent=2, ensure_ascii=False))
        return
    click.echo(table(("OWNER", "DELEGATE", "LEVEL"), found))


def _say(owner: str, delegate: str, level: str, as_json: bool, sentence: str) -> None:
    fields = {"owner": owner, "delegate": delegate, "level": level}
    click.echo(json.dumps(fields, indent=2, ensure_ascii=False) if as_json else sentence)
