"""`tagwerk collection`: the calendars, task lists and address books of the users."""

from __future__ import annotations

import json
import sys
from contextlib import closing, suppress
from datetime import UTC, datetime
from html import escape, unescape
from queue import SimpleQueue

import click

from tagwerk.cli.invocation import Invocation, common_options, now, on_terminal, pass_invocation, user_called
from tagwerk.cli.table import counted, table
from tagwerk.dav import paths
from tagwerk.errors import DAV, InvalidPath, NotFound
from tagwerk.model import Access, Binding, CollectionId, Kind, Modseq, Principal, PrincipalId
from tagwerk.sharing import shares
from tagwerk.sharing.shares import By
from tagwerk.store.collections import (
    bindings_of,
    collections_of,
    create_collection,
    find_binding_of,
)
from tagwerk.store.engine import Transaction, run
from tagwerk.store.feed import GONE, Feed
from tagwerk.store.objects import etags
from tagwerk.store.principals import principal_by_id, principals
from tagwerk.store.properties import collection_properties, set_collection_properties

DISPLAY_NAME = DAV + "displayname"

KINDS: dict[str, tuple[Kind, tuple[str, ...]]] = {
    "calendar": (Kind.CALENDAR, ()),
    "tasks": (Kind.CALENDAR, ("VTODO",)),
    "addressbook": (Kind.ADDRESSBOOK, ()),
}


@click.group()
@common_options
def collection() -> None:
    """List, add and remove calendars, task lists and address books."""


@collection.command("list")
@click.argument("user", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@common_options
@pass_invocation
def list_(invocation: Invocation, user: str | None, as_json: bool) -> None:
    """List the collections of USER, or of everybody."""
    found: list[dict[str, str | int | list[str]]] = []
    with invocation.engine(invocation.settings()) as engine, engine.read() as txn:
        owners = [user_called(txn, user)] if user else list(principals(txn))
        for owner in owners:
            found += [_described(txn, owner, binding) for binding in bindings_of(txn, owner.id)]
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    rows = []
    for fields in found:
        held = fields["components"]
        holds = ", ".join(held) if isinstance(held, list) else ""
        row = [fields[key] for key in ("user", "name", "kind", "display_name", "objects")]
        rows.append([value for value in row if not isinstance(value, list)] + [holds])
    click.echo(table(("USER", "NAME", "KIND", "DISPLAY NAME", "OBJECTS", "HOLDS"), rows))


@collection.command("add")
@click.argument("user")
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(list(KINDS)),
    default="calendar",
    show_default=True,
    help="What it holds: events and everything else of iCalendar, tasks alone, or contacts.",
)
@click.option("--display-name", default="", metavar="TEXT", help="Name that clients show.")
@common_options
@pass_invocation
def add(invocation: Invocation, user: str, name: str, kind: str, display_name: str) -> None:
    """Add an empty collection called NAME, which is its place in the URL.

    USER may be a group, whose members then change what is in it; `tagwerk share add` sets another level.
    """
    what, components = KINDS[kind]

    def make(txn: Transaction) -> Principal:
        owner = user_called(txn, user)
        binding = add_collection(
            txn, owner.id, name, kind=what, components=components, display_name=display_name or name
        )
        if owner.kind == "group":
            shares.share(txn, binding, owner, Access.WRITE, by=By("command line", now()))
        return owner

    with invocation.engine(invocation.settings()) as engine:
        owner = run(engine, make)
    click.echo(f"Collection {name} of {owner.name} was added.")


@collection.command("watch")
@click.argument("user")
@click.argument("names", metavar="NAME...", nargs=-1)
@common_options
@pass_invocation
def watch(invocation: Invocation, user: str, names: tuple[str, ...]) -> None:
    """Print a line whenever a collection of USER changes, until Ctrl-C.

    A line holds the time, the name and the number of the change. The first lines say where the collections are now.
    """
    with invocation.engine(invocation.settings()) as engine:
        with engine.read() as txn:
            owner = user_called(txn, user)
            bindings = bindings_of(txn, owner.id)
            if names:
                bindings = [collection_called(txn, owner, name) for name in names]
        shown = {binding.collection.id: binding.name for binding in bindings}
        told: SimpleQueue[tuple[CollectionId, Modseq]] = SimpleQueue()
        with (
            suppress(KeyboardInterrupt),
            closing(Feed(engine)) as feed,
            feed.watch(shown, lambda *news: told.put(news)),
        ):
            while True:
                changed, modseq = told.get()
                instant = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                click.echo(f"{instant} {shown[changed]} {'gone' if modseq == GONE else modseq}")
                sys.stdout.flush()


@collection.command("remove")
@click.argument("user")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@common_options
@pass_invocation
def remove(invocation: Invocation, user: str, name: str, yes: bool) -> None:
    """Remove a collection with everything in it; `tagwerk trash` has it for some time.

    On a terminal it asks before.
    """
    settings = invocation.settings()
    with invocation.engine(settings) as engine:
        with engine.read() as txn:
            owner = user_called(txn, user)
            objects = sum(1 for _ in etags(txn, collection_called(txn, owner, name).collection.id))
        if not yes and on_terminal():
            click.confirm(
                f"Remove {name} of {owner.name} with {counted(objects, 'object')}?",
                abort=True,
                err=True,
            )
        by = By("command line", now())
        run(
            engine,
            lambda txn: shares.delete(txn, collection_called(txn, owner, name).collection.id, by=by),
        )
    click.echo(f"Collection {name} of {owner.name} was removed.")
    days = settings.retention.trash_days
    if days:
        click.echo(f"For {counted(days, 'day')} `tagwerk undo {owner.name}/{name}` has it again.")


def collection_called(txn: Transaction, owner: Principal, name: str) -> Binding:
    """What the user owns as `name`.

    Raises:
        NotFound: with what there is.
    """
    binding = find_binding_of(txn, owner.id, name)
    if binding is not None and binding.access is not Access.OWNER:
        whose = principal_by_id(txn, binding.collection.owner)
        raise NotFound(
            f"{name} is a share of {whose.name if whose else 'somebody'}'s; name it as its owner does,"
            " or leave it with `tagwerk share leave`."
        )
    if binding is None or binding.collection.kind is Kind.NOTIFICATIONS:
        names = ", ".join(other.name for other in collections_of(txn, owner.id)) or "none"
        raise NotFound(f"{owner.name} has no collection {name!r}. There are: {names}.")
    return binding


def add_collection(
    txn: Transaction,
    owner: PrincipalId,
    name: str,
    *,
    kind: Kind,
    components: tuple[str, ...],
    display_name: str,
) -> Binding:
    """Create an empty collection that clients show as `display_name`.

    Raises:
        InvalidPath: the name cannot stand in a URL.
        Conflict: there is one of that name.
    """
    check_collection_name(name)
    binding = create_collection(txn, owner, name=name, kind=kind, now=now(), components=components)
    shown = {DISPLAY_NAME: escape(display_name, quote=False)}
    set_collection_properties(txn, binding.collection.id, shown)
    return binding


def check_collection_name(name: str) -> None:
    """Raises InvalidPath for a name that cannot stand in a URL."""
    if paths.split(paths.segment(name)) != (name,):
        raise InvalidPath("The name of a collection cannot be empty.")


def display_name_of(txn: Transaction, binding: Binding) -> str:
    """What clients show, or ""; a property is stored as XML."""
    return unescape(collection_properties(txn, binding.collection.id, binding.id).get(DISPLAY_NAME, ""))


def _described(txn: Transaction, owner: Principal, binding: Binding) -> dict[str, str | int | list[str]]:
    collection = binding.collection
    return {
        "user": owner.name,
        "name": binding.name,
        "kind": collection.kind.value,
        "display_name": display_name_of(txn, binding),
        "objects": sum(1 for _ in etags(txn, collection.id)),
        "components": list(collection.components),
        "access": binding.access.value,
        "path": paths.join("", owner.name, binding.name, collection=True),
    }
