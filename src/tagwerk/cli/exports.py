"""`tagwerk export`: calendars and address books as files that every program reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from html import unescape
from pathlib import Path

import click

from tagwerk.cli.collection import DISPLAY_NAME, collection_called
from tagwerk.cli.invocation import Invocation, common_options, pass_invocation, user_called
from tagwerk.cli.private_file import private_file
from tagwerk.cli.table import counted
from tagwerk.errors import CALDAV, ConfigurationError
from tagwerk.ical import export as calendars
from tagwerk.model import Binding, Kind, Principal
from tagwerk.store.collections import collections_of
from tagwerk.store.engine import Transaction
from tagwerk.store.objects import objects
from tagwerk.store.properties import collection_properties
from tagwerk.vcard import export as cards

SUFFIXES = {Kind.CALENDAR: ".ics", Kind.ADDRESSBOOK: ".vcf"}
COLOR = "{http://apple.com/ns/ical/}calendar-color"


@click.command()
@click.argument("user")
@click.argument("target", metavar="DIR_OR_FILE", type=click.Path(path_type=Path))
@click.option("--collection", metavar="NAME", help="Export this collection only.")
@common_options
@pass_invocation
@click.pass_context
def export(
    context: click.Context, invocation: Invocation, user: str, target: Path, collection: str | None
) -> None:
    """Write the collections of USER to files.

    A name that ends in .ics or .vcf is a file and takes one collection; anything else is a folder, which is made
    if it is missing and takes one file for each collection. A file is complete or not there at all.
    """
    lost = 0
    with invocation.engine(invocation.settings()) as engine, engine.read() as txn:
        owner = user_called(txn, user)
        chosen = [collection_called(txn, owner, collection)] if collection else collections_of(txn, owner.id)
        for binding, path in _plan(owner, chosen, target):
            written, left_out = _export(txn, binding, path)
            lost += left_out
            if path.exists() and not path.is_file():
                continue
            click.echo(f"{click.format_filename(path)}: {counted(written, 'object')} of {binding.name}")
    context.exit(1 if lost else 0)


def _plan(owner: Principal, chosen: list[Binding], target: Path) -> Iterator[tuple[Binding, Path]]:
    """Which collection goes into which file.

    Raises:
        ConfigurationError: several collections for one file, or none at all.
    """
    suffix = target.suffix.lower()
    if target.is_dir() or (suffix not in SUFFIXES.values() and not target.exists()):
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        taken: set[str] = set()
        for binding in chosen:
            yield binding, target / _file_name(binding, taken)
        return
    fitting = [
        binding
        for binding in chosen
        if len(chosen) == 1 or suffix not in SUFFIXES.values() or SUFFIXES[binding.collection.kind] == suffix
    ]
    if len(fitting) != 1:
        names = ", ".join(binding.name for binding in fitting) or "none that fits"
        raise ConfigurationError(
            f"A file takes one collection; say which with --collection. {owner.name} has: {names}."
        )
    yield fitting[0], target


def _file_name(binding: Binding, taken: set[str]) -> str:
    """The collection's name as every file system takes it, and not twice where case does not count."""
    stem = re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]|^\.', "_", binding.name)
    stem = stem.encode()[:200].decode(errors="ignore")
    name, number = stem, 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name.casefold())
    return name + SUFFIXES[binding.collection.kind]


def _export(txn: Transaction, binding: Binding, path: Path) -> tuple[int, int]:
    """Write one collection; how many objects it has in the file, and how many could not be written."""
    read = left_out = 0

    def contents() -> Iterator[bytes]:
        nonlocal read
        for each in objects(txn, binding.collection.id, content=True):
            read += 1
            yield each.content or b""

    def skipped(content: bytes, reason: str) -> None:
        nonlocal left_out
        left_out += 1
        click.echo(f"left out: an object of {binding.name} that begins {content[:60]!r}: {reason}", err=True)

    with private_file(path) as file:
        file.writelines(_merged(txn, binding, contents(), skipped))
    return read - left_out, left_out


def _merged(
    txn: Transaction, binding: Binding, contents: Iterable[bytes], skipped: Callable[[bytes, str], None]
) -> Iterator[bytes]:
    if binding.collection.kind is Kind.ADDRESSBOOK:
        return cards.merge(contents)
    properties = collection_properties(txn, binding.collection.id, binding.id)
    return calendars.merge(
        contents,
        name=unescape(properties.get(DISPLAY_NAME, "")),
        description=unescape(properties.get(CALDAV + "calendar-description", "")),
        color=unescape(properties.get(COLOR, "")).strip(),
        skipped=skipped,
    )
