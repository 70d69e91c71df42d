"""From nothing to a synced vdirsyncer, with the commands of the README as they stand there; timed.

    python tests/install/newcomer.py          in a fresh venv, in a copy of this tree

The commands are read from README.md, so what is tried is what a newcomer reads.
"""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
START_SECONDS = 300

EVENT = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Newcomer//EN
BEGIN:VEVENT
UID:first
DTSTAMP:20260101T000000Z
DTSTART:20260301T080000Z
DURATION:PT1H
SUMMARY:The first event
END:VEVENT
END:VCALENDAR
"""


def block(language: str, word: str) -> str:
    """The code block of the README that holds a word."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    (found,) = [each for each in blocks if word in each]
    return str(found).strip()


def type_in(command: str, answers: list[str], *, folder: Path, environ: dict[str, str]) -> None:
    """Run a command on a terminal and type answers to what it asks."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        ["sh", "-c", command], cwd=folder, env=environ, stdin=follower, stdout=follower, stderr=follower,
        start_new_session=True,
    )  # fmt: skip
    os.close(follower)
    seen = ""
    for answer in answers:
        before = len(seen)
        while not re.search(r":\s*$", seen[before:]):
            if not select.select([leader], [], [], 60)[0]:
                raise AssertionError(f"{command} waits: {seen}")
            seen += os.read(leader, 4096).decode()
        os.write(leader, f"{answer}\n".encode())
    code = process.wait(60)
    os.close(leader)
    assert code == 0, f"{command}: {code} {seen}"


def main(vdirsyncer: str) -> None:
    """Do it, and say how long it took."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="newcomer-") as scratch:
        tree, home = Path(scratch, "tagwerk"), Path(scratch, "home")
        tree.mkdir()
        home.mkdir()
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        for name in filter(None, listed.decode().split("\0")):
            if (ROOT / name).is_file():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, tree / name)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        # The port is the only thing that is not as in the README: somebody may sit on it.
        (home / "tagwerk.ini").write_text(f"[server]\nport = {port}\n")
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("TAGWERK_", "XDG_"))
        }
        environ = kept | {"HOME": str(home), "TAGWERK_CONFIG": str(home / "tagwerk.ini")}
        server = subprocess.Popen(
            ["sh", "-c", "exec 2>&1; " + block("sh", "tagwerk serve")],
            cwd=tree, env=environ, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        try:
            wait_for(server, "listens on")
            installed = time.monotonic()
            type_in(block("sh", "user add anna"), ["secret", "secret"], folder=tree, environ=environ)
            sync(vdirsyncer, home, port, environ)
            exported = subprocess.run(
                [".venv/bin/tagwerk", "export", "anna", "backup/"],
                cwd=tree,
                env=environ,
                capture_output=True,
                text=True,
            )
            assert exported.returncode == 0, exported.stderr
            assert "The first event" in (tree / "backup/calendar.ics").read_text()
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.communicate(timeout=60)
    done = time.monotonic()
    print(f"Installed in {installed - begin:.0f} s, synced {done - installed:.1f} s later.")


def wait_for(server: subprocess.Popen[bytes], words: str) -> None:
    assert server.stdout is not None
    until = time.monotonic() + START_SECONDS
    seen = b""
    while words.encode() not in seen:
        assert time.monotonic() < until, seen.decode()
        if select.select([server.stdout], [], [], 1)[0]:
            chunk = os.read(server.stdout.fileno(), 65536)
            assert chunk, seen.decode()
            seen += chunk


def sync(vdirsyncer: str, home: Path, port: int, environ: dict[str, str]) -> None:
    """The README's configuration of vdirsyncer, an event, and the same event back on another machine."""
    text = (
        block("ini", "[pair anna]")
        .replace("127.0.0.1:5232", f"127.0.0.1:{port}")
        .replace('"..."', '"secret"')
    )
    for machine in ("one", "two"):
        place = home / machine
        place.mkdir()
        (place / "config").write_text(text.replace("~/", f"{place}/"))
        (place / "calendars").mkdir()
    for machine in ("one", "two"):
        place = home / machine
        here = environ | {"VDIRSYNCER_CONFIG": str(place / "config")}
        answers = subprocess.run(
            [vdirsyncer, "discover"], env=here, input="y\n" * 20, capture_output=True, text=True, timeout=120
        )
        assert answers.returncode == 0, answers.stdout + answers.stderr
        if machine == "one":
            (place / "calendars/calendar/first.ics").write_text(EVENT)
        done = subprocess.run([vdirsyncer, "sync"], env=here, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        if machine == "two":
            (there,) = (place / "calendars/calendar").glob("*.ics")
            assert "The first event" in there.read_text()


if __name__ == "__main__":
    main(shutil.which("vdirsyncer", path=str(Path(sys.executable).parent)) or "vdirsyncer")
