"""`tagwerk totp`: second factors for logging in on web pages."""

from __future__ import annotations

import io

import click
import segno

from tagwerk.accounts import totp as factors
from tagwerk.cli.invocation import (
    Invocation,
    common_options,
    now,
    pass_invocation,
    person_called,
)
from tagwerk.errors import NotFound, Refused
from tagwerk.model import Principal
from tagwerk.store.engine import Transaction, run
from tagwerk.store.second_factors import remove_totp


@click.group()
@common_options
def totp() -> None:
    """Give users a second factor, verify and remove it."""


@totp.command("add")
@click.argument("user")
@common_options
@pass_invocation
def add(invocation: Invocation, user: str) -> None:
    """Make a secret for the authenticator of USER, and show it once, as a QR code too.

    It counts once `tagwerk totp verify` has seen a code of it. Clients of calendars and contacts do not ask for
    codes; give them app passwords.
    """

    def make(txn: Transaction) -> tuple[Principal, str]:
        principal = person_called(txn, user)
        return principal, factors.begin(txn, principal.id, now=now())

    with invocation.engine(invocation.settings()) as engine:
        principal, secret = run(engine, make)
    place = factors.uri(secret, principal)
    picture = io.StringIO()
    segno.make(place).terminal(out=picture, compact=True)
    click.echo(picture.getvalue(), nl=False)
    click.echo(place)
    click.echo(f"Then: {invocation.command('totp', 'verify', principal.name, 'CODE')}", err=True)


@totp.command("verify")
@click.argument("user")
@click.argument("code")
@common_options
@pass_invocation
def verify(invocation: Invocation, user: str, code: str) -> None:
    """Verify a CODE that the authenticator of USER shows now; each code counts once."""

    def look(txn: Transaction) -> tuple[Principal, bool]:
        principal = person_called(txn, user)
        return principal, factors.verify(txn, principal.id, code, now=now())

    with invocation.engine(invocation.settings()) as engine:
        principal, right = run(engine, look)
    if not right:
        raise Refused("The code is wrong, or was used already.")
    click.echo(f"The code is right; {principal.name} has a second factor.")


@totp.command("remove")
@click.argument("user")
@common_options
@pass_invocation
def remove(invocation: Invocation, user: str) -> None:
    """Remove the second factor of USER."""

    def drop(txn: Transaction) -> Principal:
        principal = person_called(txn, user)
        if not remove_totp(txn, principal.id):
            raise NotFound(f"{principal.name} has no second factor.")
        return principal

    with invocation.engine(invocation.settings()) as engine:
        principal = run(engine, drop)
    click.echo(f"{principal.name} has no second factor any more.")
