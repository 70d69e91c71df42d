"""`tagwerk worker`: does the jobs of the outbox, as every `tagwerk serve` does unless it is told not to."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import click

from tagwerk.cli.invocation import Invocation, common_options, pass_invocation
from tagwerk.cli.logs import configure
from tagwerk.cli.upkeep import UPKEEP, do_upkeep, plan_upkeep
from tagwerk.jobs import Handler, JobWorker, at_work
from tagwerk.settings import Settings
from tagwerk.store import Engine


@click.command()
@common_options
@pass_invocation
def worker(invocation: Invocation) -> None:
    """Do what changes have caused: mail, upkeep, and what else `tagwerk jobs` lists.

    It runs until SIGTERM or Ctrl-C, and finishes the job that it has begun. Any number may run, on any machine.
    """
    settings = invocation.settings()
    configure(settings.logging)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with invocation.engine(settings) as engine:
        click.echo("Tagwerk does the jobs.")
        _worker(settings, engine).run(stopped)


@contextmanager
def jobs_in_server(settings: Settings, engine: Engine) -> Iterator[None]:
    """Do the jobs in this process until the end of the block, if [jobs] says so."""
    if settings.jobs.run != "serve":
        yield
        return
    with at_work(_worker(settings, engine)):
        yield


def _worker(settings: Settings, engine: Engine) -> JobWorker:
    return JobWorker(engine, handlers(settings, engine), plan=lambda: plan_upkeep(engine))


def handlers(settings: Settings, engine: Engine) -> Mapping[str, Handler]:
    """Who does which kind of job."""
    return {UPKEEP: lambda _job: do_upkeep(engine, settings)}
