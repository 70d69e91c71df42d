"""The command line as a person uses it, in this process: arguments in, exit code and texts out."""

from __future__ import annotations

import io
import logging
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tagwerk.accounts.passwords import hash_password
from tagwerk.accounts.users import add_user
from tagwerk.cli.main import main
from tagwerk.store import open_engine


@dataclass(frozen=True, slots=True)
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder that does not exist yet, and no other place that a command could find."""
    for name in ("TAGWERK_DATA", "TAGWERK_DATABASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TAGWERK_CONFIG", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    return tmp_path / "data"


@pytest.fixture
def bare(data, monkeypatch, capfd) -> Callable[..., Result]:
    """Run ``tagwerk`` with exactly these words."""

    def run(*words: object, stdin: str | bytes = "") -> Result:
        given = stdin.encode() if isinstance(stdin, str) else stdin
        # What `serve` of another test has set up writes to a stream that is closed by now.
        monkeypatch.setattr(logging.getLogger(), "handlers", [])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given), encoding="utf-8"))
        with pytest.raises(SystemExit) as stopped:
            main([str(word) for word in words])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        code = stopped.value.code
        assert isinstance(code, int)
        return Result(code, out, err)

    return run


@pytest.fixture
def tagwerk(bare, data) -> Callable[..., Result]:
    """Run ``tagwerk`` on the data folder of the test."""

    def run(*words: object, stdin: str | bytes = "") -> Result:
        return bare(*words, "--data", data, stdin=stdin)

    return run


@pytest.fixture(scope="session")
def with_anna(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one user, made once: hashing a password is slow on purpose."""
    folder = tmp_path_factory.mktemp("with_anna")
    engine = open_engine(f"sqlite://{folder}/tagwerk.sqlite")
    with engine.write() as txn:
        add_user(txn, "anna", now=int(time.time()), password_hash=hash_password("secret of anna"))
    engine.close()
    return folder


@pytest.fixture
def anna(data: Path, with_anna: Path) -> str:
    """A user whose password is "secret of anna"."""
    data.mkdir(mode=0o700)
    shutil.copytree(with_anna, data, dirs_exist_ok=True, copy_function=shutil.copyfile)
    return "anna"
