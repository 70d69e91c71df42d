"""Disks that are full and files that take no changes, made for one test."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from serverprocess import PROGRAM

UNPRIVILEGED = (
    "import ctypes, os, sys\n"
    "for right in (1, 2): ctypes.CDLL(None).prctl(24, right, 0, 0, 0)\n"
    f"os.execv(sys.executable, [sys.executable, '-c', {PROGRAM!r}, *sys.argv[1:]])"
)
"""Our program as somebody whom permissions hold for, root included: without CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of this size at `folder`, which is made; skips where nothing can be mounted."""
    folder.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", folder],
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        pytest.skip(f"needs the right to mount a file system: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Nothing more goes onto the disk of `folder` until the end of the block."""
    path = folder / "filling"
    try:
        with path.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
        yield
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def unchangeable(*paths: Path) -> Iterator[None]:
    """Nobody can write to these files, not even who has them open, as when a disk becomes read-only."""
    if shutil.which("chattr") is None:
        pytest.skip("needs package e2fsprogs")
    done = subprocess.run(["chattr", "+i", *paths], capture_output=True, text=True)
    try:
        if done.returncode:
            pytest.skip(f"needs the right to make files immutable: {done.stderr.strip()}")
        yield
    finally:
        subprocess.run(["chattr", "-i", *paths], capture_output=True)


@contextmanager
def mode_of(paths: dict[Path, int]) -> Iterator[None]:
    """These permissions until the end of the block."""
    before = {path: path.stat().st_mode for path in paths}
    for path, mode in paths.items():
        os.chmod(path, mode)
    try:
        yield
    finally:
        for path, mode in reversed(before.items()):
            os.chmod(path, mode)
