"""Run the test suite of Python's caldav against this server, and say how it ended.

    python tests/interop/run_caldav_suite.py [--work DIR] [--markdown FILE]

The suite comes with caldav's source distribution, which pip downloads; it runs in a virtual
environment of its own, because its tests want packages that ours must not have.  Everything
lies in the work folder, so that a second run is quick.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from importlib import metadata
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import serverprocess
from serverprocess import ServerProcess, tagwerk

SERVER = """\
test-servers:
  tagwerk:
    type: external
    enabled: true
    url: {url}
    username: anna
    password: secret
    features:
      scheduling: {{support: unsupported}}
      scheduling.calendar-user-address-set: {{support: full}}
"""
"""What is said about this server: that it does not schedule yet."""

FILES = ("test_caldav.py", "test_async_integration.py")
"""The tests that talk to a server; the others are about the client alone."""

# The suite calls a function that caldav itself has deprecated.
OPTIONS = ("-o", "asyncio_default_fixture_loop_scope=function", "-W", "default::DeprecationWarning")

LEFT_OUT = {
    "testAutoEmbeddedServer": "is about the Xandikos that the suite starts itself",
    "test_multi_server_meta_section": "is about the Xandikos that the suite starts itself",
    "testWithProxyParams": "its proxy looks for `Content-Type` in capitals; ASGI servers write header names in lower case",
    "testWithProxyParamsWithoutScheme": "the same",
}
"""Tests that say nothing about a server, and why."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "tagwerk-caldav-suite")
    parser.add_argument(
        "--markdown", type=Path, help="Write the result as a section for docs/conformance.md."
    )
    parser.add_argument("tests", nargs="*", help="Arguments for pytest, such as -k NAME.")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    source = unpacked(arguments.work)
    python = prepared(arguments.work, source)
    server = start(arguments.work)
    try:
        began = time.monotonic()
        result = run(python, source, server, arguments.tests)
        seconds = time.monotonic() - began
    finally:
        server.stop()
    text = summary(result, seconds=seconds)
    print(text)
    if arguments.markdown:
        arguments.markdown.write_text(text)
    if "Traceback" in (log := server.log.read_text()):
        print(log[-5000:])
        return 1
    return 1 if outcomes(result)["failed"] else 0


def unpacked(work: Path) -> Path:
    """The source distribution of the caldav that is installed here."""
    version = metadata.version("caldav")
    folder = work / f"caldav-{version}"
    if not folder.is_dir():
        pip(
            sys.executable,
            "download",
            "--no-binary",
            "caldav",
            "--no-deps",
            "-d",
            str(work),
            f"caldav=={version}",
        )
        with tarfile.open(work / f"caldav-{version}.tar.gz") as archive:
            archive.extractall(work, filter="data")
    return folder


def prepared(work: Path, source: Path) -> Path:
    """A Python that has what the suite wants."""
    python = work / "venv" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(work / "venv")], check=True)
        pip(python, "install", "-q", f"{source}[test]")
    return python


def pip(python: str | Path, *arguments: str) -> None:
    subprocess.run([str(python), "-m", "pip", *arguments], check=True)


def start(work: Path) -> ServerProcess:
    data = Path(tempfile.mkdtemp(dir=work)) / "data"
    server = serverprocess.start(data)
    tagwerk(
        "user",
        "add",
        "anna",
        "--password-stdin",
        "--email",
        "anna@example.org",
        "--data",
        data,
        stdin="secret\n",
    )
    return server


def run(python: Path, source: Path, server: ServerProcess, arguments: list[str]) -> ElementTree.Element:
    """The suite's report in JUnit's format."""
    (source / "tests" / "caldav_test_servers.yaml").write_text(SERVER.format(url=server.url))
    report = source / "report.xml"
    report.unlink(missing_ok=True)
    home = source / "home"
    home.mkdir(exist_ok=True)
    environ = os.environ | {
        "PYTHON_CALDAV_TEST_EMBEDDED": "0",
        "PYTHON_CALDAV_TEST_DOCKER": "0",
        "HOME": str(home),
        "PYTHONPATH": "",
    }
    files = [f"tests/{name}" for name in FILES if (source / "tests" / name).exists()]
    left_out = " or ".join(LEFT_OUT)
    subprocess.run(
        [
            str(python),
            "-m",
            "pytest",
            "-q",
            "--no-header",
            *OPTIONS,
            f"--junitxml={report}",
            "-k",
            f"not ({left_out})",
            *files,
            *arguments,
        ],
        cwd=source,
        env=environ,
        check=False,
    )
    return ElementTree.parse(report).getroot()


def outcomes(report: ElementTree.Element) -> Counter[str]:
    """How many tests passed, failed and were skipped."""
    count: Counter[str] = Counter()
    for case in report.iter("testcase"):
        count[outcome(case)] += 1
    return count


def outcome(case: ElementTree.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"


def summary(report: ElementTree.Element, *, seconds: float) -> str:
    """The result as Markdown."""
    count = outcomes(report)
    lines = [
        f"caldav {metadata.version('caldav')}: {count['passed']} passed, {count['failed']} failed,"
        f" {count['skipped']} skipped, in {seconds:.0f} s.",
        "",
    ]
    failed = [case for case in report.iter("testcase") if outcome(case) == "failed"]
    for case in failed:
        node = case.find("failure")
        node = case.find("error") if node is None else node
        assert node is not None
        lines.append(f"* failed: `{case.get('name')}`: {first_line(node.get('message') or '')}")
    reasons: Counter[str] = Counter()
    for case in report.iter("testcase"):
        node = case.find("skipped")
        if node is not None:
            reasons[first_line(node.get("message") or "")] += 1
    lines += [f"* skipped {number}: {reason}" for reason, number in reasons.most_common()]
    lines += [f"* left out `{name}`: {reason}" for name, reason in LEFT_OUT.items()]
    return "\n".join(lines) + "\n"


def first_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)[:160]


if __name__ == "__main__":
    sys.exit(main())
