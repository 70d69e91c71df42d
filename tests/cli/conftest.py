"""The command line as a person uses it, in this process: arguments in, exit code and texts out."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tagwerk.cli.main import main


@dataclass(frozen=True, slots=True)
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder that does not exist yet, and no other place that a command could find."""
    for name in ("TAGWERK_DATA", "TAGWERK_DATABASE", "TAGWERK_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    return tmp_path / "data"


@pytest.fixture
def bare(data, monkeypatch, capfd) -> Callable[..., Result]:
    """Run ``tagwerk`` with exactly these words."""

    def run(*words: object, stdin: str | bytes = "") -> Result:
        given = stdin.encode() if isinstance(stdin, str) else stdin
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


@pytest.fixture
def anna(tagwerk) -> str:
    """A user."""
    result = tagwerk("user", "add", "anna", "--password-stdin", stdin="secret of anna\n")
    assert result.code == 0, result.err
    return "anna"
