"""Installing it as a newcomer does, and as a Debian package; `.ci/run` does the second."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_the_container_is_made_of_what_is_there():
    text = (ROOT / "Containerfile").read_text()

    for line in text.splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            assert (ROOT / line.split()[1]).exists()
    assert 'ENTRYPOINT ["/opt/tagwerk/bin/tagwerk"]' in text
