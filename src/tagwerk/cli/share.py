"""`tagwerk share`: who sees and changes what of whom, and public links."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import click

from tagwerk.accounts.passwords import cost_of, hash_password
from tagwerk.cli.collection import collection_called
from tagwerk.cli.invocation import (
    Invocation,
    common_options,
    now,
    pass_invocation,
    person_called,
    user_called,
)
from tagwerk.cli.passphrase import new_password, password_stdin
from tagwerk.cli.table import day, minute, table
from tagwerk.errors import InvalidRequest, NotFound
from tagwerk.model import LEVELS, Access, Binding, Principal
from tagwerk.settings import Settings
from tagwerk.sharing import links, shares
from tagwerk.sharing.shares import EVERYBODY_NAME, By
from tagwerk.store.audit import entries
from tagwerk.store.collections import collections_of
from tagwerk.store.engine import Transaction, run
from tagwerk.store.links import Link, links_of
from tagwerk.store.principals import principals
from tagwerk.store.shares import Share, shares_of

ACTOR = "command line"
"""Who did it, in the audit."""

Command = TypeVar("Command", bound=Callable[..., Any])


def json_option(command: Command) -> Command:
    """Let a command print JSON."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def by(settings: Settings) -> By:
    """Whoever types a command here."""
    return By(ACTOR, now(), settings.sharing.accept)


@click.group()
@common_options
def share() -> None:
    """Share calendars and address books, make public links, and see what is shared.

    PLACE is OWNER/COLLECTION. GRANTEE is a user, a group, or everybody.
    """


@share.command("add")
@click.argument("place")
@click.argument("grantee")
@click.option(
    "--level",
    required=True,
    type=click.Choice([level.value for level in LEVELS]),
    help="busy: see when, not what. read: see it. write: change what is in it. manage: also share and rename it.",
)
@json_option
@common_options
@pass_invocation
def add(invocation: Invocation, place: str, grantee: str, level: str, as_json: bool) -> None:
    """Give somebody exactly this much of a collection, whatever they had before."""
    settings = invocation.settings()

    def work(txn: Transaction) -> dict[str, Any]:
        owner, binding = place_called(txn, place)
        who = grantee_called(txn, grantee)
        shares.share(txn, binding, who, Access(level), by=by(settings))
        found = next(
            one for one in shares_of(txn, binding.collection.id) if one.grantee == (who.id if who else 0)
        )
        return _share_fields(owner, binding, found)

    with invocation.engine(settings) as engine:
        fields = run(engine, work)
    _say(
        fields,
        as_json,
        f"{fields['place']} is shared with {fields['grantee']}: {level} ({fields['status']}).",
    )


@share.command("remove")
@click.argument("place")
@click.argument("grantee")
@json_option
@common_options
@pass_invocation
def remove(invocation: Invocation, place: str, grantee: str, as_json: bool) -> None:
    """Take back what somebody was given; it counts from the next request on.

    What they have by another way, as by a group, stays.
    """
    settings = invocation.settings()

    def work(txn: Transaction) -> tuple[Principal, Binding, Principal | None]:
        owner, binding = place_called(txn, place)
        who = grantee_called(txn, grantee)
        shares.unshare(txn, binding, who, by=by(settings))
        return owner, binding, who

    with invocation.engine(settings) as engine:
        owner, binding, who = run(engine, work)
    fields = {"place": f"{owner.name}/{binding.name}", "grantee": who.name if who else EVERYBODY_NAME}
    _say(fields, as_json, f"{fields['place']} is no longer shared with {fields['grantee']}.")


@share.command("list")
@click.argument("place", required=False)
@json_option
@common_options
@pass_invocation
def list_(invocation: Invocation, place: str | None, as_json: bool) -> None:
    """List what is shared with whom: of everybody, of an OWNER, or of OWNER/COLLECTION; and public links."""
    given: list[dict[str, Any]] = []
    public: list[dict[str, Any]] = []
    with invocation.engine(invocation.settings()) as engine, engine.read() as txn:
        for owner, binding in _places(txn, place):
            given += [_share_fields(owner, binding, one) for one in shares_of(txn, binding.collection.id)]
            public += [_link_fields(owner, binding, one) for one in links_of(txn, binding.collection.id)]
    if as_json:
        click.echo(json.dumps({"shares": given, "links": public}, indent=2, ensure_ascii=False))
        return
    if given or not public:
        rows = [[one[key] for key in ("place", "grantee", "kind", "level", "status")] for one in given]
        click.echo(table(("PLACE", "GRANTEE", "KIND", "LEVEL", "STATUS"), rows))
    if public:
        if given:
            click.echo()
        rows = [
            [
                one["place"],
                one["link"],
                one["level"],
                one["label"],
                "yes" if one["password"] else "",
                day(one["expires"]),
                minute(one["last_used"]),
                one["last_used_from"] or "",
            ]
            for one in public
        ]
        header = ("PLACE", "LINK", "LEVEL", "LABEL", "PASSWORD", "EXPIRES", "LAST USED", "FROM")
        click.echo(table(header, rows))


@share.command("link")
@click.argument("place")
@click.option("--busy", is_flag=True, help="Show only when there is something, not what.")
@click.option("--expires", metavar="DATE", help="Last day on which it works, as 2026-12-31, or a time.")
@password_stdin
@click.option("--label", default="", metavar="TEXT", help="What it is for; shown in lists.")
@json_option
@common_options
@pass_invocation
def link(
    invocation: Invocation,
    place: str,
    busy: bool,
    expires: str | None,
    password_stdin: bool,
    label: str,
    as_json: bool,
) -> None:
    """Make a public link and print its URL, which cannot be shown again.

    Who knows the URL reads the collection, or with --busy sees when there is something. With --password-stdin
    it asks for a password, with any user name.
    """
    settings = invocation.settings()
    until = None if expires is None else _instant(expires)
    password_hash = (
        hash_password(new_password("the link", from_stdin=True), cost_of(settings.auth))
        if password_stdin
        else None
    )

    def work(txn: Transaction) -> tuple[Principal, Binding, Link, str]:
        owner, binding = place_called(txn, place)
        made, path = links.make_link(
            txn,
            binding,
            Access.BUSY if busy else Access.READ,
            by=by(settings),
            expires=until,
            password_hash=password_hash,
            label=label,
        )
        return owner, binding, made, path

    with invocation.engine(settings) as engine:
        owner, binding, made, path = run(engine, work)
    url = base_url(settings) + path
    fields = {**_link_fields(owner, binding, made), "url": url}
    if as_json:
        click.echo(json.dumps(fields, indent=2, ensure_ascii=False))
    else:
        click.echo(url)
    if not settings.server.public_url:
        click.echo("[server] public_url is not set: host and port of the URL are a guess.", err=True)


@share.command("unlink")
@click.argument("place")
@click.argument("link")
@json_option
@common_options
@pass_invocation
def unlink(invocation: Invocation, place: str, link: str, as_json: bool) -> None:
    """Revoke a public link, named as `share list` shows it."""
    settings = invocation.settings()

    def work(txn: Transaction) -> tuple[Principal, Binding]:
        owner, binding = place_called(txn, place)
        found = next((one for one in links_of(txn, binding.collection.id) if f"{one.id:x}" == link), None)
        if found is None:
            raise NotFound(f"{place} has no link {link!r}; `tagwerk share list {place}` shows them.")
        links.revoke_link(txn, found, by=by(settings))
        return owner, binding

    with invocation.engine(settings) as engine:
        owner, binding = run(engine, work)
    fields = {"place": f"{owner.name}/{binding.name}", "link": link}
    _say(fields, as_json, f"The link {link} to {fields['place']} leads nowhere from now on.")


@share.command("accept")
@click.argument("user")
@click.argument("place")
@json_option
@common_options
@pass_invocation
def accept(invocation: Invocation, user: str, place: str, as_json: bool) -> None:
    """Accept for a user what was shared with them and waits for their answer."""
    settings = invocation.settings()

    def work(txn: Transaction) -> tuple[Principal, Principal, Binding, Binding]:
        principal = person_called(txn, user)
        owner, binding = place_called(txn, place)
        shares.settle(txn, principal, by=by(settings))
        found = shares.accept(txn, principal, binding.collection.id, by=by(settings))
        return principal, owner, binding, found

    with invocation.engine(settings) as engine:
        principal, owner, binding, found = run(engine, work)
    fields = {
        "user": principal.name,
        "place": f"{owner.name}/{binding.name}",
        "bound": f"{principal.name}/{found.name}",
    }
    _say(fields, as_json, f"{principal.name} sees {fields['place']} as {fields['bound']}.")


@share.command("leave")
@click.argument("user")
@click.argument("place")
@json_option
@common_options
@pass_invocation
def leave(invocation: Invocation, user: str, place: str, as_json: bool) -> None:
    """Decline or leave for a user what was shared with them; the owner's data stays."""
    settings = invocation.settings()

    def work(txn: Transaction) -> tuple[Principal, Principal, Binding]:
        principal = person_called(txn, user)
        owner, binding = place_called(txn, place)
        shares.settle(txn, principal, by=by(settings))
        shares.decline(txn, principal, binding.collection.id, by=by(settings))
        return principal, owner, binding

    with invocation.engine(settings) as engine:
        principal, owner, binding = run(engine, work)
    fields = {"user": principal.name, "place": f"{owner.name}/{binding.name}"}
    _say(fields, as_json, f"{principal.name} does not see {fields['place']} any more.")


@share.command("log")
@click.argument("place", required=False)
@click.option("--most", default=100, show_default=True, metavar="N", help="So many entries, the newest.")
@json_option
@common_options
@pass_invocation
def log(invocation: Invocation, place: str | None, most: int, as_json: bool) -> None:
    """Show who shared, accepted, revoked and used what, newest first; of an OWNER, or of OWNER/COLLECTION."""
    owner, _, collection = (place or "").partition("/")
    with invocation.engine(invocation.settings()) as engine, engine.read() as txn:
        found = list(entries(txn, owner=owner, collection=collection, most=most))
    if as_json:
        fields = [
            {
                "at": one.at,
                "actor": one.actor,
                "action": one.action,
                "owner": one.owner,
                "collection": one.collection,
                "grantee": one.grantee,
                "detail": one.detail,
            }
            for one in found
        ]
        click.echo(json.dumps(fields, indent=2, ensure_ascii=False))
        return
    rows = [
        [
            minute(one.at),
            one.actor,
            one.action,
            f"{one.owner}/{one.collection}" if one.collection else one.owner,
            one.grantee,
            one.detail,
        ]
        for one in found
    ]
    click.echo(table(("WHEN", "WHO", "DID", "TO", "FOR", ""), rows))


def place_called(txn: Transaction, place: str) -> tuple[Principal, Binding]:
    """An owner and their collection, from OWNER/COLLECTION.

    Raises:
        InvalidRequest: it is not written so.
        NotFound: there is none, with what there is.
    """
    name, slash, collection = place.strip("/").partition("/")
    if not slash or not collection:
        raise InvalidRequest(f"{place!r} names no collection; write OWNER/COLLECTION.")
    owner = user_called(txn, name)
    return owner, collection_called(txn, owner, collection)


def grantee_called(txn: Transaction, name: str) -> Principal | None:
    """A user or a group; None for everybody."""
    return None if name == EVERYBODY_NAME else user_called(txn, name, what="user or group")


def base_url(settings: Settings) -> str:
    """What the URLs of this server begin with, without a slash at the end."""
    server = settings.server
    if server.public_url:
        return server.public_url.rstrip("/")
    host = "127.0.0.1" if server.host in ("0.0.0.0", "::", "") else server.host  # noqa: S104
    scheme = "http" if settings.tls.certificate is None else "https"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{server.port}{server.base_path}"


def _places(txn: Transaction, place: str | None) -> list[tuple[Principal, Binding]]:
    if place and "/" in place.strip("/"):
        return [place_called(txn, place)]
    owners = [user_called(txn, place.strip("/"))] if place else list(principals(txn))
    return [(owner, binding) for owner in owners for binding in collections_of(txn, owner.id)]


def _share_fields(owner: Principal, binding: Binding, share: Share) -> dict[str, Any]:
    everybody = not share.grantee
    return {
        "place": f"{owner.name}/{binding.name}",
        "grantee": EVERYBODY_NAME if everybody else share.name,
        "kind": EVERYBODY_NAME if everybody else share.kind,
        "level": share.access.value,
        "status": share.status.value,
        "since": share.created,
    }


def _link_fields(owner: Principal, binding: Binding, link: Link) -> dict[str, Any]:
    return {
        "place": f"{owner.name}/{binding.name}",
        "link": f"{link.id:x}",
        "level": link.access.value,
        "label": link.label,
        "password": link.password_hash is not None,
        "created": link.created,
        "expires": link.expires,
        "last_used": link.last_used,
        "last_used_from": link.last_used_from,
    }


def _instant(text: str) -> int:
    """A day to its end, or a time, here, in seconds since 1970."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest(f"{text!r} is no date; write it as 2026-12-31, or 2026-12-31T18:00.") from error
    if len(text) <= 10:
        moment = moment.replace(hour=23, minute=59, second=59)
    return int(moment.timestamp())


def _say(fields: dict[str, Any], as_json: bool, sentence: str) -> None:
    click.echo(json.dumps(fields, indent=2, ensure_ascii=False) if as_json else sentence)
