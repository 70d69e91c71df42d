"""`tagwerk version`: what runs here, for a report."""

from __future__ import annotations

import json
import platform
from importlib import metadata

import click

from tagwerk import __version__
from tagwerk.cli.invocation import common_options
from tagwerk.store.check import libraries
from tagwerk.store.schema import SCHEMA

_LIBRARIES = ("radicale", "starlette", "uvicorn", "icalendar")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@common_options
def version(as_json: bool) -> None:
    """Show the versions of Tagwerk and of what it stands on."""
    found: dict[str, str | int] = {
        "tagwerk": __version__,
        "schema": SCHEMA,
        "python": platform.python_version(),
        **libraries(),
    }
    for library in _LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            found[library] = "not installed"
    if as_json:
        click.echo(json.dumps(found))
    else:
        for name, text in found.items():
            click.echo(f"{name} {text}")
