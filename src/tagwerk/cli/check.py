"""`tagwerk check`: whether the database is sound, and every object is what is known about it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field

import click

from tagwerk.cli.invocation import Invocation, common_options, now, pass_invocation
from tagwerk.cli.legible import unreadable
from tagwerk.cli.table import counted
from tagwerk.errors import Refused, TagwerkError
from tagwerk.ical import resource as calendars
from tagwerk.model import Facts, Kind
from tagwerk.store import Engine
from tagwerk.store.check import (
    Counts,
    StoredFacts,
    altered_own,
    altered_versions,
    counts,
    misfits,
    stored_facts,
    stored_texts,
)
from tagwerk.store.engine import run
from tagwerk.store.objects import etag_of
from tagwerk.store.repair import repair, set_facts
from tagwerk.store.schema import meta
from tagwerk.store.transfer import Progress
from tagwerk.vcard import resource as cards


@dataclass(slots=True)
class Report:
    """What was found.  `notes` are repairs of what clients sent, and no mistakes."""

    schema: str = ""
    counts: Counts | None = None
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)


@click.command()
@click.option(
    "--repair", "mend", is_flag=True, help="Mend what other rows or the objects themselves know better."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@common_options
@pass_invocation
@click.pass_context
def check(context: click.Context, invocation: Invocation, as_json: bool, mend: bool) -> None:
    """Check the integrity of the database and of every object.

    Nothing is changed without --repair, and the server may run meanwhile. The exit code is 1 when something is wrong.
    Notes tell what was repaired when a client sent it.
    """
    with invocation.engine(invocation.settings()) as engine:
        mended = repaired(engine) if mend else []
        with _progress(engine) as advance:
            report = examine(engine, progress=advance)
        report.mended = mended
    if as_json:
        fields = {"ok": not report.problems, **asdict(report)}
        click.echo(json.dumps(fields, indent=2, ensure_ascii=False))
    else:
        _print(report)
    context.exit(1 if report.problems else 0)


@contextmanager
def _progress(engine: Engine) -> Iterator[Progress]:
    """A bar on the terminal that counts objects."""
    length = 0
    # What cannot be counted is told by `examine`.
    with suppress(TagwerkError), engine.read() as txn:
        length = counts(txn).objects
    with click.progressbar(
        length=length, label="Checking", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as progress:
        yield progress.update


def examine(engine: Engine, *, progress: Progress = lambda _objects: None) -> Report:
    """Everything that is wrong with the database, and everything that was repaired; `progress` is told of objects."""
    report = Report()
    try:
        report.problems += engine.check()
        with engine.read() as txn:
            report.schema = meta(txn, "schema_version")
            report.counts = counts(txn)
            report.problems += misfits(txn)
            for stored in stored_facts(txn):
                report.problems += [f"{stored.path} {sentence}" for sentence in problems_of(stored)]
                report.notes += [f"{stored.path}: {sentence}" for sentence in stored.repairs]
                progress(1)
            for path in altered_versions(txn):
                report.problems.append(f"{path} had bytes that do not match its ETag.")
            for path in altered_own(txn):
                report.problems.append(f"{path} has somebody's own part that does not match its tag.")
            report.problems += unreadable(stored_texts(txn))
    except TagwerkError as error:
        # A page that cannot be read ends the walk; what was found before it still counts.
        report.problems.append(str(error))
    return report


def repaired(engine: Engine) -> list[str]:
    """Mend what is derivable; sentences about what was.  Content, ETags and names stay as they are."""
    with engine.read() as txn:
        stale = [
            (stored.collection_id, stored.name, facts)
            for stored in stored_facts(txn)
            if (facts := _facts_that_differ(stored)) is not None
        ]
    for collection, name, facts in stale:
        run(engine, lambda txn, c=collection, n=name, f=facts: set_facts(txn, c, n, f))  # type: ignore[misc]
    done = [f"What is known about {counted(len(stale), 'object')} was worked out again."] if stale else []
    return done + run(engine, repair)


def _facts_that_differ(stored: StoredFacts) -> Facts | None:
    """The facts of an object whose bytes are the ones that were stored, where others are known about it."""
    content = stored.content
    if content is None or etag_of(content) != stored.etag:
        return None
    try:
        facts = _facts_of(stored, content)
    except Refused:
        return None
    different = (
        any(name != "UID" for name in _differing(stored, facts, content)) or len(content) != stored.size
    )
    return facts if different and facts.uid == stored.uid else None


def problems_of(stored: StoredFacts) -> list[str]:
    """What does not fit between an object's content and what is known about it."""
    content = stored.content
    if content is None:
        return ["has no content."]
    wrong = []
    if etag_of(content) != stored.etag:
        wrong.append("has bytes that do not match its ETag.")
    if len(content) != stored.size:
        wrong.append(f"has {len(content)} bytes, not {stored.size}.")
    try:
        facts = _facts_of(stored, content)
    except Refused as error:
        return [*wrong, f"cannot be read: {error}"]
    if different := _differing(stored, facts, content):
        wrong.append(f"has another {' and another '.join(different)} than is known about it.")
    return wrong


def _facts_of(stored: StoredFacts, content: bytes) -> Facts:
    if stored.kind == Kind.CALENDAR:
        return calendars.read(content, now=now()).facts
    return cards.read(content).facts


def _differing(stored: StoredFacts, facts: Facts, content: bytes) -> list[str]:
    """What is known about an object and is not so."""
    compared: list[tuple[str, object, object]] = [
        ("UID", stored.uid, facts.uid),
        ("component", stored.component, facts.component),
        ("text", stored.search, facts.search),
        ("beginning", stored.first, facts.first),
        ("end", stored.last, facts.last),
        ("kind of time", stored.floating, facts.floating),
        ("free-busy", stored.busy, int(facts.busy)),
        ("privacy", stored.privacy, int(facts.privacy)),
        ("owner's own part", stored.alarms, facts.alarms),
    ]
    different = [name for name, known, found in compared if known != found]
    # Without spans the object itself is looked into, which is right at any time.
    if stored.spans is not None and stored.spans != _spans(stored, facts, content):
        different.append("list of occurrences")
    return different


def _spans(stored: StoredFacts, facts: Facts, content: bytes) -> bytes | None:
    """The occurrences in the time for which they are known; which time that is depends on when it was stored."""
    if (stored.spans_from, stored.spans_until) == (facts.spans_from, facts.spans_until):
        return facts.spans
    if stored.kind != Kind.CALENDAR:
        return None
    return calendars.spans_between(content, stored.spans_from, stored.spans_until)


def _print(report: Report) -> None:
    for sentence in report.mended:
        click.echo(f"mended: {sentence}")
    for note in report.notes:
        click.echo(f"note: {note}")
    for problem in report.problems:
        click.echo(f"wrong: {problem}")
    if report.counts is not None:
        found = report.counts
        click.echo(
            f"Schema {report.schema}: {counted(found.users, 'user')}, {counted(found.collections, 'collection')},"
            f" {counted(found.objects, 'object')}, {counted(found.tombstones, 'remembered removal')}."
        )
    if report.problems:
        click.echo(f"{counted(len(report.problems), 'problem')} in all.")
    else:
        click.echo("Everything is in order.")
