"""`tagwerk check`: whether the database is sound, and every object is what is known about it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

import click

from tagwerk.cli.invocation import Invocation, common_options, now, pass_invocation
from tagwerk.cli.table import counted
from tagwerk.errors import Refused, TagwerkError
from tagwerk.ical import resource as calendars
from tagwerk.model import Facts, Kind
from tagwerk.store import Engine
from tagwerk.store.check import Counts, StoredFacts, counts, misfits, stored_facts
from tagwerk.store.objects import etag_of
from tagwerk.store.schema import meta
from tagwerk.vcard import resource as cards


@dataclass(slots=True)
class Report:
    """What was found.  `notes` are repairs of what clients sent, and no mistakes."""

    schema: str = ""
    counts: Counts | None = None
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@common_options
@pass_invocation
@click.pass_context
def check(context: click.Context, invocation: Invocation, as_json: bool) -> None:
    """Check the integrity of the database and of every object.

    Nothing is changed, and the server may run meanwhile. The exit code is 1 when something is wrong.
    Notes tell what was repaired when a client sent it.
    """
    with invocation.engine(invocation.settings()) as engine:
        report = examine(engine)
    if as_json:
        fields = {"ok": not report.problems, **asdict(report)}
        click.echo(json.dumps(fields, indent=2, ensure_ascii=False))
    else:
        _print(report)
    context.exit(1 if report.problems else 0)


def examine(engine: Engine) -> Report:
    """Everything that is wrong with the database, and everything that was repaired."""
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
    except TagwerkError as error:
        # A page that cannot be read ends the walk; what was found before it still counts.
        report.problems.append(str(error))
    return report


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
        if stored.kind == Kind.CALENDAR:
            facts = calendars.read(content, now=now()).facts
        else:
            facts = cards.read(content).facts
    except Refused as error:
        return [*wrong, f"cannot be read: {error}"]
    different = [name for name, known, found in _compared(stored, facts) if known != found]
    if different:
        wrong.append(f"has another {' and another '.join(different)} than is known about it.")
    return wrong


def _compared(stored: StoredFacts, facts: Facts) -> list[tuple[str, object, object]]:
    found: list[tuple[str, object, object]] = [
        ("UID", stored.uid, facts.uid),
        ("component", stored.component, facts.component),
        ("text", stored.search, facts.search),
    ]
    if stored.kind == Kind.CALENDAR:
        found += [
            ("beginning", stored.first, facts.first),
            ("end", stored.last, facts.last),
            ("kind of time", stored.floating, facts.floating),
            ("free-busy", stored.busy, int(facts.busy)),
            ("privacy", stored.privacy, int(facts.privacy)),
            ("owner's own part", stored.alarms, facts.alarms),
        ]
    return found


def _print(report: Report) -> None:
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
