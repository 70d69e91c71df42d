"""`tagwerk jobs`: what waits in the outbox, and what was given up."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime

import click

from tagwerk.cli.invocation import Invocation, common_options, now, pass_invocation
from tagwerk.cli.table import table
from tagwerk.store.engine import run
from tagwerk.store.outbox import DEAD, Job, drop_job, retry_job
from tagwerk.store.outbox import jobs as all_jobs


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@common_options
@click.pass_context
def jobs(context: click.Context, as_json: bool) -> None:
    """Show, retry and drop the jobs that changes have caused and that are not done.

    Without a command it lists them.
    """
    if context.invoked_subcommand is None:
        context.invoke(list_, dead=False, as_json=as_json)


@jobs.command("list")
@click.option("--dead", is_flag=True, help="Only those that were given up.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@common_options
@pass_invocation
def list_(invocation: Invocation, dead: bool, as_json: bool) -> None:
    """List the jobs that are not done, with why they failed."""
    with invocation.engine(invocation.settings()) as engine, engine.read() as txn:
        found = [job for job in all_jobs(txn) if not dead or job.state == DEAD]
    if as_json:
        click.echo(json.dumps([_shown(job) for job in found], indent=2, ensure_ascii=False))
        return
    rows = [
        (str(job.id), job.kind, job.key, job.state, _instant(job.due), job.attempts, job.error)
        for job in found
    ]
    click.echo(table(("JOB", "KIND", "KEY", "STATE", "DUE", "ATTEMPTS", "ERROR"), rows))


@jobs.command("retry")
@click.argument("job", type=int)
@common_options
@pass_invocation
def retry(invocation: Invocation, job: int) -> None:
    """Let a job be done now, as if it had never failed."""
    with invocation.engine(invocation.settings()) as engine:
        run(engine, lambda txn: retry_job(txn, job, now=now()))
    click.echo(f"Job {job} is due now.")


@jobs.command("drop")
@click.argument("job", type=int)
@common_options
@pass_invocation
def drop(invocation: Invocation, job: int) -> None:
    """Forget a job without doing it."""
    with invocation.engine(invocation.settings()) as engine:
        run(engine, lambda txn: drop_job(txn, job))
    click.echo(f"Job {job} was dropped.")


def _shown(job: Job) -> dict[str, object]:
    """A job as JSON; what cannot be read of it is there as it is stored."""
    found = asdict(job)
    unreadable = found.pop("unreadable")
    return found if unreadable is None else found | {"payload": unreadable}


def _instant(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
