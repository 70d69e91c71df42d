"""The units of systemd: it takes them, finds them hardened, and the program keeps what they promise."""

from __future__ import annotations

import configparser
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection

import pytest
from installed import ROOT, program

import serverprocess
from tagwerk.cli.invocation import MACHINE_CONFIG, MACHINE_DATA
from tagwerk.cli.service_manager import ServiceManager
from tagwerk.errors import ConfigurationError

UNITS = sorted(path.name for path in (ROOT / "systemd").glob("tagwerk*.*"))
SERVICES = [name for name in UNITS if name.endswith(".service")]


@pytest.fixture(scope="module")
def units(tmp_path_factory):
    """A folder with the units, for a program that is there."""
    folder = tmp_path_factory.mktemp("units")
    for name in UNITS:
        text = (ROOT / "systemd" / name).read_text()
        (folder / name).write_text(text.replace("/usr/bin/tagwerk", "/bin/true"))
    return folder


def test_there_are_units():
    assert UNITS == [
        "tagwerk-maintenance.service",
        "tagwerk-maintenance.timer",
        "tagwerk.service",
        "tagwerk.socket",
    ]


def test_systemd_understands_every_line(units):
    done = subprocess.run(
        [program("systemd-analyze", "systemd"), "verify", "--man=no", *(units / name for name in UNITS)],
        capture_output=True,
        text=True,
        env=os.environ | {"SYSTEMD_UNIT_PATH": f"{units}:/lib/systemd/system"},
    )

    ours = [line for line in done.stderr.splitlines() if "tagwerk" in line]
    assert (done.returncode, ours) == (0, [])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_exposed_at_most_to_2(units, name):
    analyze = program("systemd-analyze", "systemd")

    done = subprocess.run(
        [analyze, "security", "--offline=true", "--threshold=20", units / name],
        capture_output=True,
        text=True,
    )

    level = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert level is not None, done.stdout + done.stderr
    assert float(level[1]) <= 2.0
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("file", "tool"), [("sysusers.conf", "systemd-sysusers"), ("tmpfiles.conf", "systemd-tmpfiles")]
)
def test_user_and_folders_are_made(tmp_path, file, tool):
    (tmp_path / "etc").mkdir()
    (tmp_path / "var/lib").mkdir(parents=True)
    run = program(tool, "systemd")
    users = program("systemd-sysusers", "systemd")
    subprocess.run(
        [users, f"--root={tmp_path}", ROOT / "systemd/sysusers.conf"], check=True, capture_output=True
    )
    if file == "tmpfiles.conf":
        subprocess.run(
            [run, "--create", f"--root={tmp_path}", ROOT / "systemd" / file], check=True, capture_output=True
        )

        assert (tmp_path / "var/lib/tagwerk").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "etc/tagwerk").stat().st_mode & 0o777 == 0o750

    assert re.search(r"^tagwerk:.*:/var/lib/tagwerk:", (tmp_path / "etc/passwd").read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_the_file_and_the_data_that_commands_find(name):
    assert words(name, "LoadCredential") == [f"tagwerk.ini:{MACHINE_CONFIG}"]
    assert words(name, "Environment") == [f"XDG_DATA_HOME={MACHINE_DATA.parent}"]
    assert words(name, "StateDirectory") == [MACHINE_DATA.name] == ["tagwerk"]


def words(name: str, key: str) -> list[str]:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str
    parser.read(ROOT / "systemd" / name)
    return parser["Service"][key].split()


class Manager:
    """A service manager: it listens, starts the program on its socket, and hears what it says."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.said = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.said.bind(str(folder / "notify"))
        self.said.settimeout(30)
        (folder / "tagwerk.ini").write_text("")
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, *, watchdog: float = 0.0) -> subprocess.Popen[bytes]:
        command = words("tagwerk.service", "ExecStart")
        assert command[0] == "/usr/bin/tagwerk"
        command = [*serverprocess.command(), *(word.replace("%d", str(self.folder)) for word in command[1:])]
        environ = serverprocess.environment() | {
            "NOTIFY_SOCKET": str(self.folder / "notify"),
            "LISTEN_FDS": "1",
            "XDG_DATA_HOME": str(self.folder),
        }
        if watchdog:
            environ["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
        process = subprocess.Popen(
            ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *command],
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: os.dup2(self.listener.fileno(), 3),
            pass_fds=(3,),
        )
        self.running.append(process)
        return process

    def hear(self) -> str:
        return self.said.recv(4096).decode()

    def hear_until(self, state: str) -> None:
        while self.hear() != state:
            pass

    def ask(self) -> int:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", "/.well-known/caldav")
        status = connection.getresponse().status
        connection.close()
        return status

    def close(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.listener.close()
        self.said.close()


@pytest.fixture
def manager(tmp_path):
    manager = Manager(tmp_path)
    yield manager
    manager.close()


def test_a_restart_drops_no_connection(manager):
    """The socket is systemd's: who comes while nobody is there waits until somebody is."""
    first = manager.start()
    manager.hear_until("READY=1")
    answers: list[object] = []
    enough = threading.Event()

    def keep_asking() -> None:
        while not enough.is_set():
            try:
                answers.append(manager.ask())
            except OSError as error:
                answers.append(error)

    asking = threading.Thread(target=keep_asking)
    asking.start()
    time.sleep(0.3)
    first.send_signal(signal.SIGTERM)
    manager.hear_until("STOPPING=1")
    assert first.wait(30) == 0
    manager.start()
    manager.hear_until("READY=1")
    time.sleep(0.3)
    enough.set()
    asking.join()

    assert len(answers) > 10
    assert set(answers) == {301}


def test_the_watchdog_hears_that_the_server_lives(manager):
    manager.start(watchdog=0.9)
    manager.hear_until("READY=1")
    begin = time.monotonic()

    manager.hear_until("WATCHDOG=1")
    manager.hear_until("WATCHDOG=1")

    assert time.monotonic() - begin < 5


def test_the_maintenance_of_the_unit_runs(tmp_path):
    (tmp_path / "tagwerk.ini").write_text("")
    data = tmp_path / "tagwerk"
    serverprocess.tagwerk("user", "add", "anna", "--password-stdin", "--data", data, stdin="secret\n")
    command = [
        word.replace("%d", str(tmp_path)) for word in words("tagwerk-maintenance.service", "ExecStart")[1:]
    ]

    done = subprocess.run(
        [*serverprocess.command(), *command],
        env=serverprocess.environment() | {"XDG_DATA_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == [
        "backup",
        "forget",
        "check",
        "compact",
    ]


def test_descriptors_that_are_for_somebody_else_are_left_alone():
    assert ServiceManager({"LISTEN_PID": "1", "LISTEN_FDS": "1"}).listening_sockets() == []
    assert ServiceManager({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "x"}).listening_sockets() == []
    assert ServiceManager({}).watchdog_seconds() == 0
    assert ServiceManager({"WATCHDOG_PID": "1", "WATCHDOG_USEC": "3000000"}).watchdog_seconds() == 0
    assert ServiceManager({"WATCHDOG_USEC": "3000000"}).watchdog_seconds() == 1


def test_a_manager_that_does_not_listen_is_no_accident(tmp_path):
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).notify("READY=1")
    ServiceManager({"NOTIFY_SOCKET": "@nobody-is-there"}).notify("READY=1")


def test_a_descriptor_that_is_no_socket_is_refused_in_words():
    program = (
        "import os\nfrom tagwerk.cli.service_manager import ServiceManager\n"
        "os.environ['LISTEN_PID'] = str(os.getpid())\nos.environ['LISTEN_FDS'] = '1'\n"
        "os.dup2(os.open('/dev/null', os.O_RDONLY), 3)\nServiceManager().listening_sockets()\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert f"{ConfigurationError.__name__}: Descriptor 3 is no socket" in done.stderr
