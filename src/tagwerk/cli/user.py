"""`tagwerk user`: who may come in."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from tagwerk.accounts.passwords import cost_of, hash_password
from tagwerk.accounts.users import add_user
from tagwerk.cli.invocation import (
    Invocation,
    common_options,
    find_user,
    now,
    pass_invocation,
    person_called,
    user_called,
)
from tagwerk.cli.leaving import erase, export, remove
from tagwerk.cli.passphrase import new_password, password_stdin
from tagwerk.cli.table import table
from tagwerk.errors import Conflict, InvalidRequest
from tagwerk.model import Principal
from tagwerk.options import size_of
from tagwerk.store.collections import bindings_of
from tagwerk.store.credentials import set_password
from tagwerk.store.engine import Transaction, run
from tagwerk.store.principals import persons, set_accept, set_quota, set_state, used_bytes


@click.group()
@common_options
def user() -> None:
    """Add, list and remove users, and set their passwords."""


for command in (remove, export, erase):
    user.add_command(command)


@user.command("add")
@click.argument("name")
@password_stdin
@click.option("--email", default="", metavar="ADDRESS", help="Address by which others invite the user.")
@click.option("--display-name", default="", metavar="TEXT", help="Name that others see.")
@common_options
@pass_invocation
def add(invocation: Invocation, name: str, password_stdin: bool, email: str, display_name: str) -> None:
    """Add a user, who gets a calendar, a task list and an address book.

    The password is asked for twice.
    """
    address = address_of(email)
    settings = invocation.settings()
    with invocation.engine(settings, create=True) as engine:
        with engine.read() as txn:
            if find_user(txn, name) is not None:
                raise Conflict(f"There is a user {name!r} already.")
        password_hash = hash_password(new_password(name, from_stdin=password_stdin), cost_of(settings.auth))
        principal = run(
            engine,
            lambda txn: add_user(
                txn, name, now=now(), password_hash=password_hash, email=address, display_name=display_name
            ),
        )
    click.echo(f"User {principal.name} was added.")


@user.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@common_options
@pass_invocation
def list_(invocation: Invocation, as_json: bool) -> None:
    """List the users."""
    with invocation.engine(invocation.settings()) as engine, engine.read() as txn:
        found = [(principal, len(bindings_of(txn, principal.id))) for principal in list(persons(txn))]
    if as_json:
        fields = [
            {
                "name": principal.name,
                "display_name": principal.display_name,
                "addresses": list(principal.addresses),
                "state": principal.state,
                "created": principal.created,
                "collections": collections,
            }
            for principal, collections in found
        ]
        click.echo(json.dumps(fields, indent=2, ensure_ascii=False))
        return
    rows = [
        (
            principal.name,
            principal.display_name,
            ", ".join(principal.addresses),
            collections,
            datetime.fromtimestamp(principal.created, UTC).strftime("%Y-%m-%d"),
            "" if principal.state == "active" else principal.state,
        )
        for principal, collections in found
    ]
    click.echo(table(("NAME", "DISPLAY NAME", "E-MAIL", "COLLECTIONS", "CREATED", ""), rows))


@user.command("disable")
@click.argument("name")
@common_options
@pass_invocation
def disable(invocation: Invocation, name: str) -> None:
    """Refuse a user everywhere, and keep what they have."""
    _set_state(invocation, name, "disabled")


@user.command("enable")
@click.argument("name")
@common_options
@pass_invocation
def enable(invocation: Invocation, name: str) -> None:
    """Let a user in again who was disabled."""
    _set_state(invocation, name, "active")


def _set_state(invocation: Invocation, name: str, state: str) -> None:
    def change(txn: Transaction) -> Principal:
        principal = person_called(txn, name)
        set_state(txn, principal.id, state)
        return principal

    with invocation.engine(invocation.settings()) as engine:
        principal = run(engine, change)
    click.echo(f"User {principal.name} is {state}.")


@user.command("password")
@click.argument("name")
@password_stdin
@common_options
@pass_invocation
def password(invocation: Invocation, name: str, password_stdin: bool) -> None:
    """Set a new password; the old one is refused from then on.

    The password is asked for twice.
    """
    settings = invocation.settings()
    with invocation.engine(settings) as engine:
        with engine.read() as txn:
            person_called(txn, name)
        password_hash = hash_password(new_password(name, from_stdin=password_stdin), cost_of(settings.auth))

        def change(txn: Transaction) -> Principal:
            principal = person_called(txn, name)
            set_password(txn, principal.id, password_hash, now=now())
            return principal

        principal = run(engine, change)
    click.echo(f"The password of {principal.name} was set.")


@user.command("quota")
@click.argument("name")
@click.argument("size", required=False)
@common_options
@pass_invocation
def quota(invocation: Invocation, name: str, size: str | None) -> None:
    """Show how much a user may store, or set it.

    SIZE is such as "500 MiB", 0 for no limit, or "default" for what [dav] quota says. Without SIZE nothing changes.
    """
    limit = None if size in (None, "default") else size_of(size or "")
    if limit is None and size not in (None, "default"):
        raise InvalidRequest(f"{size!r} is no size such as 500 MiB, and not 'default'.")
    settings = invocation.settings()
    with invocation.engine(settings) as engine:
        if size is not None:
            run(engine, lambda txn: set_quota(txn, user_called(txn, name).id, limit))
        with engine.read() as txn:
            principal = user_called(txn, name)
            used = used_bytes(txn, principal.id)
    allowed = settings.dav.quota if principal.quota is None else principal.quota
    source = ", the default" if principal.quota is None else ""
    most = f"may store {allowed:,} bytes" if allowed else "may store without limit"
    click.echo(f"{principal.name} {most}{source}, and has {used:,} bytes.")


@user.command("invitations")
@click.argument("name")
@click.argument("choice", required=False, type=click.Choice(["at-once", "ask", "default"]))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@common_options
@pass_invocation
def invitations(invocation: Invocation, name: str, choice: str | None, as_json: bool) -> None:
    """Show or set whether what others share with a user is in their home at once, or they are asked.

    "default" is what [sharing] accept says. Without CHOICE nothing changes.
    """
    settings = invocation.settings()
    with invocation.engine(settings) as engine:
        if choice is not None:
            wanted = "" if choice == "default" else choice
            run(engine, lambda txn: set_accept(txn, person_called(txn, name).id, wanted))
        with engine.read() as txn:
            principal = person_called(txn, name)
    accept = principal.accept or settings.sharing.accept
    if as_json:
        fields = {"name": principal.name, "invitations": accept, "default": not principal.accept}
        click.echo(json.dumps(fields, indent=2, ensure_ascii=False))
        return
    source = "" if principal.accept else ", the default"
    asked = accept == "ask"
    what = "is asked about what others share" if asked else "has what others share at once"
    click.echo(f"{principal.name} {what}{source}.")


def address_of(email: str) -> str:
    """An address as it stands in ``mailto:``, or ""."""
    address = email.strip().removeprefix("mailto:")
    local, _, host = address.rpartition("@")
    if address and (not local or not host or any(char.isspace() or ord(char) < 32 for char in address)):
        raise InvalidRequest(f"{email!r} is no e-mail address.")
    return address
