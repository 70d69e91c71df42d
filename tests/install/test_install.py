"""Installing it as a newcomer does, and as a Debian package; `.ci/run` does the second."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tagwerk.cli.main import tagwerk

ROOT = Path(__file__).parents[2]
VDIRSYNCER = Path(sys.executable).parent / "vdirsyncer"


def test_a_newcomer_syncs_with_the_commands_of_the_readme():
    done = subprocess.run(
        [sys.executable, ROOT / "tests/install/newcomer.py"], capture_output=True, text=True, timeout=600
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.fullmatch(r"Installed in \d+ s, synced [\d.]+ s later\.\n", done.stdout)


@pytest.mark.skipif(
    os.environ.get("TAGWERK_CHROOT") != "1", reason="makes a chroot only with TAGWERK_CHROOT=1"
)
def test_the_debian_package_in_a_clean_chroot():
    if shutil.which("debootstrap", path="/usr/sbin:/usr/bin") is None:
        pytest.skip("needs package debootstrap")

    done = subprocess.run(
        [ROOT / "tests/install/debian"],
        capture_output=True,
        text=True,
        timeout=1200,
        env=os.environ | {"VDIRSYNCER": str(VDIRSYNCER), "PATH": f"/usr/sbin:/sbin:{os.environ['PATH']}"},
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "everything holds" in done.stdout


def documented() -> list[list[str]]:
    """Every command line of ours in the pages, in blocks and in sentences."""
    found = []
    for name in ("README.md", "docs/operations.md", "docs/clients.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        lines = [part for block in blocks for line in block.splitlines() for part in re.split(r"&&|\|", line)]
        lines += re.findall(
            r"(?<!`)`((?:sudo )?tagwerk [^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        )
        for line in lines:
            words = shlex.split(line, comments=True)
            words = words[1:] if words[:1] == ["sudo"] else words
            words = words[2:] if words[:1] == ["-u"] else words
            if words and re.fullmatch(r"(\S*/)?tagwerk", words[0]) and words[1:] not in found:
                found.append(words[1:])
    return found


@pytest.mark.parametrize("words", documented(), ids=" ".join)
def test_every_documented_command_is_understood(words):
    command, context = tagwerk, click.Context(tagwerk, info_name="tagwerk", **tagwerk.context_settings)
    rest = list(words)
    while isinstance(command, click.Group):
        if not rest or rest[0] in ("--help", "--version"):
            return
        found = command.get_command(context, rest.pop(0))
        assert found is not None, words
        command = found
    try:
        command.make_context(command.name, rest, parent=context)
    except click.MissingParameter:
        assert len(words) < 3, "a sentence may name a command alone"
    except click.BadParameter as error:
        if "does not exist" not in error.message:  # Folders of an example are not on this machine.
            raise


def test_there_are_documented_commands():
    assert len(documented()) > 12


def test_the_container_is_made_of_what_is_there():
    text = (ROOT / "Containerfile").read_text()

    for line in text.splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            assert (ROOT / line.split()[1]).exists()
    assert 'ENTRYPOINT ["/opt/tagwerk/bin/tagwerk"]' in text
