"""Reports: what a command would do, before it does it, and as JSON what became of everything."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Command = TypeVar("Command", bound=Callable[..., Any])


def report_options(command: Command) -> Command:
    """Let a command take --dry-run as `dry_run` and --report as `report_to`."""
    for option in (
        click.option(
            "--report",
            "report_to",
            metavar="FILE",
            type=click.Path(path_type=Path),
            help="Write a JSON report.",
        ),
        click.option(
            "--dry-run", is_flag=True, help="Read everything, tell what would be done, and write nothing."
        ),
    ):
        command = option(command)
    return command


def write_report(path: Path, report: DataclassInstance) -> None:
    """Write a report as JSON; paths as a terminal shows them."""
    text = json.dumps(asdict(report), indent=2, ensure_ascii=False, default=click.format_filename)
    path.write_text(text + "\n", encoding="utf-8", errors="replace")
