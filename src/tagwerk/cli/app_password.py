"""`tagwerk app-password`: a password for each device, which can be taken back alone."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, time

import click

from tagwerk.accounts.app_passwords import add_app_password, revoke_app_password
from tagwerk.cli.invocation import (
    Invocation,
    common_options,
    now,
    pass_invocation,
    person_called,
    user_called,
)
from tagwerk.cli.table import table
from tagwerk.errors import InvalidRequest
from tagwerk.model import Principal, Rights
from tagwerk.store.credentials import app_passwords_of
from tagwerk.store.engine import Transaction, run

DAY = 24 * 60 * 60


@click.group("app-password")
@common_options
def app_password() -> None:
    """Add, list and revoke the app passwords of a user."""


@app_password.command("add")
@click.argument("user")
@click.argument("label")
@click.option(
    "--rights",
    type=click.Choice([each.value for each in Rights]),
    default=Rights.ALL.value,
    show_default=True,
    help="What it may be used for.",
)
@click.option(
    "--expires", metavar="WHEN", default="", help="Number of days (90d), or the last day (2027-01-31)."
)
@common_options
@pass_invocation
def add(invocation: Invocation, user: str, label: str, rights: str, expires: str) -> None:
    """Make an app password for a device called LABEL, and show it once.

    It is what the device asks for as the password of USER.
    """
    until = instant(expires) if expires else None

    def make(txn: Transaction) -> tuple[Principal, str]:
        principal = person_called(txn, user)
        secret = add_app_password(txn, principal.id, label, now=now(), rights=Rights(rights), expires=until)
        return principal, secret

    with invocation.engine(invocation.settings()) as engine:
        principal, secret = run(engine, make)
    click.echo(secret)
    click.echo(
        f"This is the app password {label.strip()!r} of {principal.name}. It cannot be shown again.", err=True
    )


@app_password.command("list")
@click.argument("user")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@common_options
@pass_invocation
def list_(invocation: Invocation, user: str, as_json: bool) -> None:
    """List the app passwords of USER, and when, from where and by what they were used last."""
    with invocation.engine(invocation.settings()) as engine, engine.read() as txn:
        found = app_passwords_of(txn, user_called(txn, user).id)
    if as_json:
        fields = [
            {
                "label": each.label,
                "rights": each.rights,
                "created": each.created,
                "expires": each.expires,
                "last_used": each.last_used,
                "last_used_from": each.last_used_from,
                "last_used_by": each.last_used_by,
            }
            for each in found
        ]
        click.echo(json.dumps(fields, indent=2, ensure_ascii=False))
        return
    rows = [
        (
            each.label,
            each.rights,
            shown(each.created),
            shown(each.expires) + (" (over)" if each.expires is not None and each.expires <= now() else ""),
            shown(each.last_used, with_time=True) or "never",
            each.last_used_from or "",
            each.last_used_by or "",
        )
        for each in found
    ]
    click.echo(table(("LABEL", "RIGHTS", "CREATED", "EXPIRES", "LAST USED", "FROM", "BY"), rows))


@app_password.command("revoke")
@click.argument("user")
@click.argument("label")
@common_options
@pass_invocation
def revoke(invocation: Invocation, user: str, label: str) -> None:
    """Revoke the app password LABEL of USER; the device is refused from its next request on."""

    def drop(txn: Transaction) -> Principal:
        principal = user_called(txn, user)
        revoke_app_password(txn, principal.id, label)
        return principal

    with invocation.engine(invocation.settings()) as engine:
        principal = run(engine, drop)
    click.echo(f"The app password {label.strip()!r} of {principal.name} was revoked.")


def instant(text: str) -> int:
    """When something ends, in seconds since 1970: after some days, or with the end of a day (UTC).

    Raises:
        InvalidRequest: it is neither, or is past.
    """
    if match := re.fullmatch(r"(\d{1,5})\s*d(ays?)?", text.strip(), re.ASCII):
        until = now() + int(match.group(1)) * DAY
    else:
        try:
            day = datetime.strptime(text.strip(), "%Y-%m-%d").date()
        except ValueError as error:
            raise InvalidRequest(
                f"{text!r} is neither a number of days (90d) nor a day (2027-01-31)."
            ) from error
        until = int(datetime.combine(day, time(), UTC).timestamp()) + DAY
    if until <= now():
        raise InvalidRequest(f"{text} is over already.")
    return until


def shown(instant: int | None, *, with_time: bool = False) -> str:
    """An instant in UTC for a person, "" for none."""
    if instant is None:
        return ""
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%d %H:%M" if with_time else "%Y-%m-%d")
