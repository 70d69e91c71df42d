"""`tagwerk options`: every option of the settings, as a page, as a file to begin with, or as a table."""

from __future__ import annotations

import textwrap

import click

from tagwerk.cli.invocation import common_options
from tagwerk.cli.table import table
from tagwerk.options import OPTIONS, SECTIONS, Option

_HEAD = """\
# Every option of Tagwerk with its default.  Nothing here has to be said: a server
# without this file behaves as one with it.  A file may hold only what differs.
#
#   tagwerk serve --config tagwerk.ini
"""

_PAGE = """\
# Options

Everything below may stand in an INI file that `--config FILE` or else `$TAGWERK_CONFIG` names, or else in
`/etc/tagwerk/tagwerk.ini`; [`config/tagwerk.ini`](../config/tagwerk.ini) holds every option with its default. Nothing
has to be said: without a file all defaults hold. What is not known is refused with the line it stands in.

`--data`, `--database`, `--host` and `--port` on the command line win over `$TAGWERK_DATA` and `$TAGWERK_DATABASE`,
which win over the file. `--data` without `--database` means the database in that folder, whatever the variables and
the file say. A path in the file counts from the file's folder. A size is a number of bytes, or one with a unit: `kB`,
`MB` and `GB` are thousands, `KiB`, `MiB` and `GiB` (also `K`, `M`, `G`) are 1024s. A comment stands on a line of its
own, after `#` or `;`.

This page and the file are printed by `tagwerk options --markdown` and `tagwerk options --ini`.
"""


@click.command()
@click.option("--ini", "form", flag_value="ini", help="Print a file with every option and its default.")
@click.option("--markdown", "form", flag_value="markdown", help="Print the page docs/options.md.")
@common_options
def options(form: str | None) -> None:
    """Show every option that a configuration file can hold."""
    if form == "ini":
        click.echo(ini(), nl=False)
    elif form == "markdown":
        click.echo(markdown(), nl=False)
    else:
        rows = [(f"[{option.section}]", option.name, option.default, allowed(option)) for option in OPTIONS]
        click.echo(table(("SECTION", "OPTION", "DEFAULT", "VALUES"), rows))


def ini() -> str:
    """config/tagwerk.ini"""
    lines = [_HEAD]
    for section, doc in SECTIONS.items():
        lines.append(f"# {doc}\n[{section}]\n")
        for option in OPTIONS:
            if option.section == section:
                text = option.doc if option.type in ("text", "path") else f"{option.doc} ({allowed(option)})"
                lines.append(textwrap.fill(text, 96, initial_indent="# ", subsequent_indent="# "))
                lines.append(f"{option.name} = {option.default}".rstrip() + "\n")
    return "\n".join(lines)


def markdown() -> str:
    """docs/options.md"""
    lines = [_PAGE]
    for section, doc in SECTIONS.items():
        lines.append(f"## [{section}]\n\n{doc}\n\n| option | default | values | meaning |\n|---|---|---|---|")
        for option in OPTIONS:
            if option.section == section:
                default = f"`{option.default}`" if option.default else "(empty)"
                lines.append(f"| `{option.name}` | {default} | {allowed(option)} | {option.doc} |")
        lines.append("")
    return "\n".join(lines)


def allowed(option: Option) -> str:
    """The values that an option can have, in words."""
    if option.type == "choice":
        return ", ".join(option.choices)
    if option.type == "integer":
        return f"{option.minimum} to {option.maximum}"
    if option.type == "size":
        return f"size, at least {option.minimum // 1024} KiB" if option.minimum else "size"
    return {"boolean": "yes, no", "networks": "addresses, networks, unix"}.get(option.type, option.type)
