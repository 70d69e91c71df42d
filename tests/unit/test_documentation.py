"""The paper says what the program does: every command, every option, both ways."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tagwerk.cli.main import tagwerk
from tagwerk.cli.printed import ini, markdown
from tagwerk.options import OPTIONS
from tagwerk.settings import load

ROOT = Path(__file__).parents[2]
START = "python3 -m venv .venv && .venv/bin/pip install -q -e . && .venv/bin/tagwerk serve"
TEST = "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/python -m pytest"
COMMON = {"--config", "--data", "--database", "--help"}


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from commands(child, f"{path} {name}")


def sections() -> dict[str, str]:
    """The sections of docs/cli.md by their titles."""
    parts = re.split(r"^## (.+)\n", text("docs/cli.md"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def long_options(command: click.Command) -> set[str]:
    options = (parameter for parameter in command.params if isinstance(parameter, click.Option))
    return {name for option in options for name in option.opts if name.startswith("--")}


TREE = dict(commands(tagwerk, "tagwerk"))


def test_every_command_has_its_section_and_every_section_its_command():
    titles = set(sections()) - {"Options of every command"}

    assert titles == set(TREE)


@pytest.mark.parametrize("path", TREE)
def test_every_option_of_a_command_is_described_and_no_other(path):
    described = set(re.findall(r"^- `(--[a-z-]+)", sections()[path], re.MULTILINE))

    assert described == long_options(TREE[path]) - COMMON


@pytest.mark.parametrize(
    "path", [path for path, command in TREE.items() if not isinstance(command, click.Group)]
)
def test_the_arguments_of_a_command_are_shown(path):
    arguments = [each for each in TREE[path].params if isinstance(each, click.Argument)]
    metavars = [each.metavar or str(each.name).upper() for each in arguments]
    names = [name if each.required else f"[{name}]" for each, name in zip(arguments, metavars, strict=True)]

    assert f"`{' '.join([path, *names])}" in sections()[path]


@pytest.mark.parametrize("path", TREE)
def test_every_command_takes_the_common_options(path):
    described = set(re.findall(r"`(--[a-z-]+)", sections()["Options of every command"]))

    assert described >= COMMON
    assert long_options(TREE[path]) >= COMMON - {"--help"}


def test_every_command_and_option_has_a_help_text():
    for path, command in TREE.items():
        assert command.help, path
        assert all(each.help for each in command.params if isinstance(each, click.Option)), path


def test_the_example_file_is_what_the_program_prints():
    assert text("config/tagwerk.ini") == ini()


def test_the_page_of_options_is_what_the_program_prints():
    assert text("docs/options.md") == markdown()


def test_the_page_of_options_names_every_option():
    named = re.findall(r"^\| `(\w+)` \|", text("docs/options.md"), re.MULTILINE)

    assert named == [option.name for option in OPTIONS]


def test_the_example_file_says_the_defaults():
    environ = {"HOME": "/home/anna"}

    assert load(ROOT / "config" / "tagwerk.ini", data=None, environ=environ) == load(
        None, data=None, environ=environ
    )


def test_the_readme_has_one_command_to_start_and_one_to_test():
    blocks = re.findall(r"```sh\n(.*?)```", text("README.md"), re.DOTALL)

    assert [block for block in blocks if "venv .venv" in block] == [f"{START}\n", f"{TEST}\n"]


def test_continuous_integration_runs_the_readmes_test_command():
    lines = [line.strip() for line in text(".ci/run").splitlines()]

    assert TEST in lines


def test_the_script_of_continuous_integration_can_run():
    script = ROOT / ".ci" / "run"

    checked = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False)

    assert (checked.returncode, checked.stderr) == (0, "")
    assert os.access(script, os.X_OK)


def test_every_link_leads_to_a_file():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_version_is_the_one_in_the_changelog():
    project = tomllib.loads(text("pyproject.toml"))
    version = re.search(r'__version__ = "(.+)"', text(project["tool"]["hatch"]["version"]["path"]))

    assert version is not None
    assert f"## {version.group(1)}" in text("docs/changelog.md")
