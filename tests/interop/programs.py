"""Real client programs, run as people run them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SECONDS = 120


@dataclass(frozen=True, slots=True)
class Program:
    """An installed program with a home folder of its own."""

    path: str
    home: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    def __call__(
        self, *arguments: str, stdin: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [self.path, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env=os.environ
            | {"HOME": str(self.home), "LC_ALL": "C.UTF-8", "TZ": "Europe/Berlin", "PYTHONWARNINGS": ""}
            | dict(self.environ),
            timeout=SECONDS,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done


def program(name: str, home: Path, **environ: str) -> Program:
    """The program of that name, from the environment of the tests or from the system; else the test is skipped."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return Program(found, home, environ)
