"""`tagwerk group`, `tagwerk room`, `tagwerk resource`: the principals that are no persons."""

from __future__ import annotations

import json
from typing import Any

import click

from tagwerk.accounts.users import add_place
from tagwerk.cli.invocation import Invocation, common_options, now, on_terminal, pass_invocation, user_called
from tagwerk.cli.share import by, json_option
from tagwerk.cli.table import table
from tagwerk.cli.user import address_of
from tagwerk.errors import InvalidRequest, NotFound
from tagwerk.model import Principal
from tagwerk.sharing import groups
from tagwerk.store.collections import collections_of
from tagwerk.store.engine import Transaction, run
from tagwerk.store.principals import add_principal, members_of, of_kind, remove_principal, source_of


@click.group()
@common_options
def group() -> None:
    """Add, list and remove groups, and say who is in them.

    What is shared with a group is shared with its members, as they come and go. A group can own collections,
    which its members see: `tagwerk collection add GROUP NAME`.
    """


@group.group("member")
@common_options
def member() -> None:
    """Say who is in a group; a group can be in another one."""


@click.group()
@common_options
def room() -> None:
    """Add, list and remove rooms: each has a calendar, which can be shared."""


@click.group()
@common_options
def resource() -> None:
    """Add, list and remove resources, such as cars and projectors: each has a calendar."""


def _commands(parent: click.Group, kind: str) -> None:
    """The commands that groups, rooms and resources have in common."""

    @parent.command("add", help=f"Add a {kind}; it cannot log in.")
    @click.argument("name")
    @click.option("--email", default="", metavar="ADDRESS", help="Address by which others invite it.")
    @click.option("--display-name", default="", metavar="TEXT", help="Name that others see.")
    @json_option
    @common_options
    @pass_invocation
    def add(invocation: Invocation, name: str, email: str, display_name: str, as_json: bool) -> None:
        address = address_of(email)

        def work(txn: Transaction) -> dict[str, Any]:
            addresses = (address,) if address else ()
            if kind == "group":
                made = add_principal(
                    txn, name, now=now(), kind=kind, display_name=display_name, addresses=addresses
                )
            else:
                made = add_place(
                    txn, name, kind=kind, now=now(), display_name=display_name, addresses=addresses
                )
            return _fields(txn, made)

        with invocation.engine(invocation.settings(), create=True) as engine:
            fields = run(engine, work)
        click.echo(_json(fields) if as_json else f"The {kind} {fields['name']} was added.")

    @parent.command("list", help=f"List the {kind}s.")
    @json_option
    @common_options
    @pass_invocation
    def list_(invocation: Invocation, as_json: bool) -> None:
        with invocation.engine(invocation.settings()) as engine, engine.read() as txn:
            found = [_fields(txn, one) for one in list(of_kind(txn, kind))]
        if as_json:
            click.echo(_json(found))
            return
        keys = ["name", "display_name", "addresses", "collections"]
        header = ["NAME", "DISPLAY NAME", "E-MAIL", "COLLECTIONS"]
        if kind == "group":
            keys, header = [*keys, "members", "source"], [*header, "MEMBERS", "FROM"]
        rows = [[_cell(one[key]) for key in keys] for one in found]
        click.echo(table(header, rows))

    @parent.command(
        "remove", help=f"Remove a {kind} with every collection it owns.\n\nOn a terminal it asks before."
    )
    @click.argument("name")
    @click.option("--yes", is_flag=True, help="Do not ask.")
    @json_option
    @common_options
    @pass_invocation
    def remove(invocation: Invocation, name: str, yes: bool, as_json: bool) -> None:
        settings = invocation.settings()
        with invocation.engine(settings) as engine:
            with engine.read() as txn:
                names = [one.name for one in collections_of(txn, _called(txn, name, kind).id)]
            if not yes and on_terminal():
                what = f" with {', '.join(names)}" if names else ""
                click.confirm(f"Remove the {kind} {name}{what} for ever?", abort=True, err=True)

            def work(txn: Transaction) -> Principal:
                found = _called(txn, name, kind)
                if kind == "group":
                    groups.end(txn, found, by=by(settings))
                else:
                    remove_principal(txn, found.id)
                return found

            found = run(engine, work)
        click.echo(_json({"name": found.name}) if as_json else f"The {kind} {found.name} was removed.")


for _parent, _kind in ((group, "group"), (room, "room"), (resource, "resource")):
    _commands(_parent, _kind)


@member.command("add")
@click.argument("group")
@click.argument("member")
@json_option
@common_options
@pass_invocation
def add_member(invocation: Invocation, group: str, member: str, as_json: bool) -> None:
    """Put a user, or another group, into GROUP."""
    settings = invocation.settings()

    def work(txn: Transaction) -> tuple[Principal, Principal, bool]:
        into, who = _editable(txn, group), user_called(txn, member, what="user or group")
        new = groups.join(txn, into, who, by=by(settings))
        return into, who, new

    with invocation.engine(settings) as engine:
        into, who, new = run(engine, work)
    was = "is" if new else "was already"
    _say_member(into, who, as_json, f"{who.name} {was} in {into.name}.")


@member.command("remove")
@click.argument("group")
@click.argument("member")
@json_option
@common_options
@pass_invocation
def remove_member(invocation: Invocation, group: str, member: str, as_json: bool) -> None:
    """Take somebody out of GROUP; what they had by it alone leaves their home."""
    settings = invocation.settings()

    def work(txn: Transaction) -> tuple[Principal, Principal]:
        out_of, who = _editable(txn, group), user_called(txn, member, what="user or group")
        if not groups.leave(txn, out_of, who, by=by(settings)):
            raise NotFound(f"{who.name} is not in {out_of.name}.")
        return out_of, who

    with invocation.engine(settings) as engine:
        out_of, who = run(engine, work)
    _say_member(out_of, who, as_json, f"{who.name} is no longer in {out_of.name}.")


@member.command("list")
@click.argument("group")
@json_option
@common_options
@pass_invocation
def list_members(invocation: Invocation, group: str, as_json: bool) -> None:
    """List who is in GROUP itself."""
    with invocation.engine(invocation.settings()) as engine, engine.read() as txn:
        found = members_of(txn, _called(txn, group, "group").id)
    if as_json:
        fields = [{"name": who.name, "kind": who.kind, "display_name": who.display_name} for who in found]
        click.echo(_json(fields))
        return
    click.echo(
        table(("NAME", "KIND", "DISPLAY NAME"), [(who.name, who.kind, who.display_name) for who in found])
    )


def _called(txn: Transaction, name: str, kind: str) -> Principal:
    found = user_called(txn, name, what=kind)
    if found.kind != kind:
        raise NotFound(f"{found.name} is a {found.kind}, no {kind}.")
    return found


def _editable(txn: Transaction, name: str) -> Principal:
    """A group whose members are said here.

    Raises:
        InvalidRequest: a directory says them, at each login.
    """
    found = _called(txn, name, "group")
    source = source_of(txn, found.id)
    if source:
        raise InvalidRequest(f"Who is in {found.name} is said by {source}, at each login.")
    return found


def _fields(txn: Transaction, principal: Principal) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": principal.name,
        "display_name": principal.display_name,
        "addresses": list(principal.addresses),
        "created": principal.created,
        "collections": len(collections_of(txn, principal.id)),
    }
    if principal.kind == "group":
        fields["members"] = [who.name for who in members_of(txn, principal.id)]
        fields["source"] = source_of(txn, principal.id)
    return fields


def _cell(value: Any) -> str | int:
    return ", ".join(value) if isinstance(value, list) else value


def _say_member(group: Principal, who: Principal, as_json: bool, sentence: str) -> None:
    click.echo(_json({"group": group.name, "member": who.name}) if as_json else sentence)


def _json(fields: Any) -> str:
    return json.dumps(fields, indent=2, ensure_ascii=False)
