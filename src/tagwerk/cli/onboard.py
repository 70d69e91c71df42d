"""`tagwerk onboard`: everything that a person needs to set up one device."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import segno

from tagwerk.accounts.app_passwords import add_app_password
from tagwerk.accounts.profiles import Account, account_url, davx5_link, instructions, mobileconfig, sign
from tagwerk.cli.app_password import instant
from tagwerk.cli.invocation import (
    Invocation,
    common_options,
    now,
    pass_invocation,
    person_called,
)
from tagwerk.cli.private_file import private_file
from tagwerk.errors import ConfigurationError
from tagwerk.model import Rights
from tagwerk.settings import Settings
from tagwerk.store.credentials import app_passwords_of
from tagwerk.store.engine import Transaction, run

FORMATS = ("text", "png", "svg", "mobileconfig", "link")


@click.command()
@click.argument("user")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="Text with a QR code, the QR code as a picture, a profile for Apple's devices, or the link for DAVx5.",
)
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write to a file that only you can read.",
)
@click.option(
    "--url", metavar="URL", default="", help="Where clients reach the server, instead of [server] public_url."
)
@click.option("--label", metavar="TEXT", default="", help="Name of the device, for its app password.")
@click.option(
    "--rights",
    type=click.Choice([each.value for each in Rights]),
    default=Rights.ALL.value,
    show_default=True,
    help="What the app password may be used for.",
)
@click.option(
    "--expires", metavar="WHEN", default="", help="Number of days (90d), or the last day (2027-01-31)."
)
@common_options
@pass_invocation
def onboard(
    invocation: Invocation,
    user: str,
    form: str,
    output: Path | None,
    url: str,
    label: str,
    rights: str,
    expires: str,
) -> None:
    """Make an app password for a device of USER, and what sets the device up with it.

    What comes out holds the app password: give it to the person alone.
    """
    settings = invocation.settings()
    place = account_url(url or settings.server.public_url or _own_url(settings))
    binary = form in ("png", "mobileconfig")
    if binary and output is None and sys.stdout.isatty():
        raise click.UsageError(f"A {form} is no text; write it to a file with --output.")
    if form == "mobileconfig" and place.startswith("http:"):
        click.echo(
            f"Apple's devices want https, and {place} is not; they will hardly take this profile.", err=True
        )
    until = instant(expires) if expires else None

    def make(txn: Transaction) -> tuple[str, bytes]:
        principal = person_called(txn, user)
        taken = {each.label for each in app_passwords_of(txn, principal.id)}
        name = label or _free_label(form, taken)
        secret = add_app_password(txn, principal.id, name, now=now(), rights=Rights(rights), expires=until)
        account = Account(
            place,
            principal.name,
            secret,
            title=settings.onboarding.title,
            organization=settings.onboarding.title,
        )
        # Inside of the transaction: what cannot be made or written leaves no app password behind.
        made = _made(form, account, Rights(rights), settings)
        if output is not None:
            with private_file(output) as file:
                file.write(made)
        return name, made

    with invocation.engine(settings) as engine:
        name, made = run(engine, make)
    if output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(made)
        sys.stdout.buffer.flush()
    click.echo(f"The app password is called {name!r}; `tagwerk app-password` lists and revokes it.", err=True)


def _made(form: str, account: Account, rights: Rights, settings: Settings) -> bytes:
    link = davx5_link(account)
    code = segno.make(link, error="m")
    picture = io.BytesIO()
    if form == "png":
        code.save(picture, kind="png", scale=6)
        return picture.getvalue()
    if form == "svg":
        code.save(picture, kind="svg", scale=6)
        return picture.getvalue()
    if form == "link":
        return f"{link}\n".encode()
    if form == "mobileconfig":
        profile = mobileconfig(
            account, calendar=rights is not Rights.CONTACTS, contacts=rights is not Rights.CALENDAR
        )
        certificate, key = _signer(settings)
        return profile if certificate is None or key is None else sign(profile, certificate, key)
    drawn = io.StringIO()
    code.terminal(out=drawn, compact=True)
    return (instructions(account, link=link) + "\n" + drawn.getvalue()).encode()


def _signer(settings: Settings) -> tuple[Path | None, Path | None]:
    """Certificate and key that sign profiles: those for that, or else those of TLS."""
    own = settings.onboarding
    if own.certificate is not None:
        return own.certificate, own.key or own.certificate
    return settings.tls.certificate, settings.tls.key or settings.tls.certificate


def _own_url(settings: Settings) -> str:
    if settings.tls.certificate is not None and settings.server.host not in ("0.0.0.0", "::"):  # noqa: S104
        return f"https://{settings.server.host}:{settings.server.port}{settings.server.base_path}/"
    raise ConfigurationError(
        "Say where clients reach the server: --url https://calendar.example.com/, or [server] public_url in the file."
    )


def _free_label(form: str, taken: set[str]) -> str:
    device = {"mobileconfig": "Apple device", "text": "device"}.get(form, "DAVx5")
    day = datetime.fromtimestamp(now(), UTC).strftime("%Y-%m-%d")
    names = (f"{device} of {day}", *(f"{device} of {day} ({number})" for number in range(2, 1000)))
    return next(name for name in names if name not in taken)
