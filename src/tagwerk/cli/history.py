"""`tagwerk trash`, `history` and `undo`: what people deleted or overwrote, and getting it back."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import click

from tagwerk.cli.collection import collection_called
from tagwerk.cli.invocation import Invocation, common_options, now, on_terminal, pass_invocation, user_called
from tagwerk.cli.share import by, json_option, place_called
from tagwerk.cli.table import counted, minute, table
from tagwerk.errors import InvalidRequest, NotFound
from tagwerk.history import trash as trashes
from tagwerk.history import undo as undoing
from tagwerk.history.trash import Trashed
from tagwerk.history.undo import Part, Step
from tagwerk.history.versions import title_of
from tagwerk.model import Binding, Principal
from tagwerk.settings import Settings
from tagwerk.store import Engine
from tagwerk.store.collections import find_binding_of
from tagwerk.store.engine import Transaction, run
from tagwerk.store.history import (
    Version,
    content_of,
    find_version,
    latest,
)
from tagwerk.store.objects import find_object

DAY = 24 * 60 * 60

STEPS = 200
"""How many objects are undone in one transaction; others write in between."""

_AGO = re.compile(r"(\d{1,6})\s*(s|min|m|h|d|w)")
_SECONDS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": DAY, "w": 7 * DAY}


@click.group()
@common_options
def trash() -> None:
    """See, restore and empty the trash of a user: what was deleted, and collections that were.

    A HANDLE is what `trash list` shows; the name of a deleted collection is one, too.
    """


@trash.command("list")
@click.argument("user")
@json_option
@common_options
@pass_invocation
def list_(invocation: Invocation, user: str, as_json: bool) -> None:
    """List what was deleted from the collections of USER, the latest first."""
    settings = invocation.settings()
    with invocation.engine(settings) as engine, engine.read() as txn:
        found = trashes.contents(txn, user_called(txn, user))
    until = {each.handle: _until(each, settings) for each in found}
    if as_json:
        _print([_trashed(each, until[each.handle]) for each in found])
        return
    rows = [
        [
            each.handle,
            each.what,
            each.name,
            each.title,
            minute(each.removed),
            each.by or "-",
            minute(until[each.handle]),
        ]
        for each in found
    ]
    click.echo(table(("HANDLE", "WHAT", "NAME", "TITLE", "DELETED", "BY", "KEPT UNTIL"), rows))


@trash.command("restore")
@click.argument("user")
@click.argument("handles", metavar="HANDLE...", nargs=-1, required=True)
@json_option
@common_options
@pass_invocation
def restore(invocation: Invocation, user: str, handles: tuple[str, ...], as_json: bool) -> None:
    """Let what was deleted be there again, for every client and everybody with whom it was shared.

    It comes back under its former name, or one like it where that is taken by now.
    """
    settings = invocation.settings()
    with invocation.engine(settings) as engine:
        places = run(
            engine, lambda txn: trashes.restore(txn, user_called(txn, user), handles, by=by(settings))
        )
    if as_json:
        _print(places)
        return
    for place in places:
        click.echo(f"{place} is there again.")


@trash.command("empty")
@click.argument("user")
@click.argument("handles", metavar="HANDLE...", nargs=-1)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@common_options
@pass_invocation
def empty(invocation: Invocation, user: str, handles: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Forget what is named, or everything in the trash of USER, for ever.

    On a terminal it asks before. Earlier versions of what is still there stay.
    """
    with invocation.engine(invocation.settings()) as engine:
        with engine.read() as txn:
            owner = user_called(txn, user)
            number = len(handles) or len(trashes.contents(txn, owner, titles=False))
        if number and not yes and on_terminal():
            click.confirm(
                f"Forget {counted(number, 'thing')} that {owner.name} deleted for ever?", abort=True, err=True
            )
        gone = run(engine, lambda txn: trashes.empty(txn, user_called(txn, user), handles))
    if as_json:
        _print({"forgotten": gone})
    else:
        were = "was" if gone == 1 else "were"
        click.echo(f"{counted(gone, 'thing')} in the trash of {owner.name} {were} forgotten.")


@click.command()
@click.argument("place")
@click.option(
    "--show", metavar="NUMBER", type=int, help="Print the version with this number as it was stored."
)
@click.option(
    "--most", metavar="N", type=click.IntRange(1), default=100, show_default=True, help="Rows at most."
)
@json_option
@common_options
@pass_invocation
def history(invocation: Invocation, place: str, show: int | None, most: int, as_json: bool) -> None:
    """List what an object was before, or what was overwritten and deleted in a collection.

    PLACE is USER/COLLECTION/OBJECT or USER/COLLECTION. A version has a number within its collection, which --show
    prints and `tagwerk undo --to` brings back; it was in force from one time until the other.
    """
    settings = invocation.settings()
    with invocation.engine(settings) as engine, engine.read() as txn:
        binding, name = _object_place(txn, place)
        if show is not None:
            sys.stdout.buffer.write(_shown(txn, binding, name, show))
            return
        collection = binding.collection.id
        found = undoing.history_of(txn, collection, name) if name else latest(txn, collection, most=most)
        rows = [_version(txn, each) for each in found[:most]]
        live = find_object(txn, collection, name, content=True) if name else None
        if live is not None:
            present = {
                "number": None,
                "name": live.name,
                "title": title_of(live.content or b""),
                "from": live.modified,
                "until": None,
                "end": "",
                "by": "",
                "bytes": live.size,
            }
            rows.insert(0, present)
    if as_json:
        _print(rows)
        return
    shown = [
        [
            "now" if row["number"] is None else str(row["number"]),
            row["name"],
            row["title"],
            minute(row["from"]),
            minute(row["until"]),
            row["end"],
            row["by"] or "-",
            row["bytes"],
        ]
        for row in rows
    ]
    click.echo(table(("NUMBER", "NAME", "TITLE", "FROM", "UNTIL", "WAS", "BY", "BYTES"), shown))


@click.command()
@click.argument("place")
@click.option(
    "--to", metavar="NUMBER", type=int, help="Make an object the version that `tagwerk history` numbers so."
)
@click.option(
    "--since",
    metavar="TIME",
    help="Undo everything since then: 2026-11-25T14:00, or 30min, 2h, 3d ago.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@common_options
@pass_invocation
def undo(
    invocation: Invocation,
    place: str,
    to: int | None,
    since: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Make an object, a collection, or everything of a user what it was before.

    PLACE is USER/COLLECTION/OBJECT: the last change is undone, or everything since --to or --since. With
    USER/COLLECTION or USER and --since, every object is again as it was then: what was deleted or changed comes
    back, what is new goes to the trash, new and deleted collections as well. USER/COLLECTION alone restores a
    collection that was deleted. Names and colours of collections stay as they are.

    What it does are ordinary changes, which sync to every client and can be undone in turn.
    """
    settings = invocation.settings()
    if to is not None and since is not None:
        raise InvalidRequest("Name a version with --to, or a time with --since, not both.")
    instant = None if since is None else moment(since, now=now())
    if instant is not None and instant > now():
        raise InvalidRequest(f"{since} is still to come; everything since then is yet to happen.")
    with invocation.engine(settings) as engine:
        with engine.read() as txn:
            owner, parts = _planned(txn, place, to=to, instant=instant)
            described = _described(txn, owner, parts)
        if not as_json:
            for line in described:
                click.echo(
                    f"{line['action']} {line['place']}" + (f" ({line['title']})" if line["title"] else "")
                )
        if not dry_run and described:
            if not yes and on_terminal() and len(described) > 1:
                click.confirm(f"Do this to {counted(len(described), 'thing')}?", abort=True, err=True)
            _carry_out(engine, parts, settings)
    if as_json:
        _print({"done": not dry_run, "steps": described})
    elif not described:
        click.echo("There is nothing to undo.")
    elif dry_run:
        click.echo("Nothing was done yet: this was a dry run.")
    else:
        click.echo(f"{counted(len(described), 'thing')} {'is' if len(described) == 1 else 'are'} as before.")


def _described(txn: Transaction, owner: Principal, parts: Iterable[Part]) -> list[dict[str, str]]:
    found = []
    for part in parts:
        place = f"{owner.name}/{part.name}"
        if part.goes or part.restored is not None:
            action = "remove" if part.goes else "restore"
            title = counted(undoing.size_of(txn, part), "object")
            found.append({"action": action, "place": place, "title": title})
        found += [
            {"action": step.action, "place": f"{place}/{step.name}", "title": step.title}
            for step in undoing.in_order(part.steps)
        ]
    return found


def _planned(
    txn: Transaction, place: str, *, to: int | None, instant: int | None
) -> tuple[Principal, list[Part]]:
    parts = place.strip("/").split("/", 2)
    owner = user_called(txn, parts[0])
    if len(parts) < 3 and to is not None:
        raise InvalidRequest("--to names a version of one object; write USER/COLLECTION/OBJECT.")
    if len(parts) == 1:
        if instant is None:
            raise InvalidRequest("Everything of a user is undone since a time; name it with --since.")
        return owner, undoing.user_since(txn, owner, instant)
    name = parts[1]
    if len(parts) == 2 and instant is not None:
        return owner, undoing.collection_since(txn, owner, name, instant)
    if len(parts) == 2:
        if find_binding_of(txn, owner.id, name) is None:
            found = undoing.last_removed(txn, owner, name)
            if found:
                return owner, found
        collection_called(txn, owner, name)
        raise InvalidRequest(f"Name the time since which everything in {name} is undone with --since.")
    binding = collection_called(txn, owner, name)
    collection, of = binding.collection, parts[2]
    if to is not None:
        steps = undoing.to_version(txn, binding, of, to)
    elif instant is not None:
        steps = undoing.object_since(txn, collection, of, instant, name=name)
    else:
        steps = undoing.last_change(txn, owner, binding, of)
    return owner, [Part(collection.id, name, tuple(steps))] if steps else []


def _carry_out(engine: Engine, parts: Iterable[Part], settings: Settings) -> None:
    planned = list(parts)
    total = sum(len(part.steps) for part in planned)
    with click.progressbar(
        length=total, label="Undoing", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as progress:
        for part in planned:
            run(engine, lambda txn, part=part: undoing.begin(txn, part, by=by(settings)))  # type: ignore[misc]
        for part in planned:
            ordered = undoing.in_order(part.steps)
            for begin in range(0, len(ordered), STEPS):
                some = ordered[begin : begin + STEPS]

                def work(txn: Transaction, part: Part = part, some: list[Step] = some) -> None:
                    undoing.carry_out(txn, part.collection, some, now=now(), others=part.steps)

                run(engine, work)
                progress.update(len(some))


def moment(text: str, *, now: int) -> int:
    """A time here, or how long ago, in seconds since 1970.

    Raises:
        InvalidRequest: it is neither.
    """
    ago = _AGO.fullmatch(text.strip())
    if ago is not None:
        return now - int(ago.group(1)) * _SECONDS[ago.group(2)]
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(
            f"{text!r} is no time; write it as 2026-11-25T14:00, or how long ago, as 30min, 2h or 3d."
        ) from error


def _object_place(txn: Transaction, place: str) -> tuple[Binding, str]:
    """A collection, and the name of an object that is or was in it, or ""."""
    parts = place.strip("/").split("/", 2)
    _, binding = place_called(txn, "/".join(parts[:2]))
    return binding, parts[2] if len(parts) == 3 else ""


def _shown(txn: Transaction, binding: Binding, name: str, number: int) -> bytes:
    found = find_version(txn, binding.collection.id, number)
    if name and found is not None and found not in undoing.history_of(txn, binding.collection.id, name):
        # Numbers count in the whole collection; this one is of another object.
        same = [
            each for each in undoing.history_of(txn, binding.collection.id, name) if each.modseq == number
        ]
        found = find_version(txn, binding.collection.id, number, name=same[0].name) if same else None
    if found is None:
        raise NotFound(
            f"There is no version {number}; `tagwerk history` without --show says which there are."
        )
    return found.content or b""


def _version(txn: Transaction, version: Version) -> dict[str, Any]:
    return {
        "number": version.modseq,
        "name": version.name,
        "title": title_of(content_of(txn, version)),
        "from": version.began,
        "until": version.ended,
        "end": version.how.value,
        "by": version.by,
        "bytes": version.size,
    }


def _until(trashed: Trashed, settings: Settings) -> int:
    retention = settings.retention
    days = retention.trash_days if trashed.collection is not None else retention.history_days
    return trashed.removed + days * DAY


def _trashed(trashed: Trashed, until: int) -> dict[str, Any]:
    return {
        "handle": trashed.handle,
        "what": trashed.what,
        "name": trashed.name,
        "title": trashed.title,
        "deleted": trashed.removed,
        "by": trashed.by,
        "bytes": trashed.size,
        "kept_until": until,
    }


def _print(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
