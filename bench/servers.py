"""Servers to measure Tagwerk beside, each in a temporary folder and on a free loopback port.

A server that is not installed says what would install it.  Only processes that were
started here are ended, by their id.
"""

from __future__ import annotations

import base64
import http.client
import imaplib
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

USER, PASSWORD = "bench", "bench-secret"


@dataclass(frozen=True)
class Address:
    """Where a running server is, and the homes in which davbench makes its collections."""

    url: str
    home: str = f"/{USER}/"
    book_home: str = f"/{USER}/"


class Server:
    """One server, from start to stop."""

    name = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / self.name
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def missing(self) -> str:
        """What has to be installed first, as a sentence; "" if it can start."""
        return ""

    def start(self) -> Address:
        """Start it and wait until it answers."""
        raise NotImplementedError

    def stop(self) -> None:
        """End what `start` started."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def run(self, command: list[str], **environment: str) -> None:
        """Start the server's process, its output in a file beside its data."""
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **environment}
            )

    def ready(self, path: str = "/") -> None:
        """Wait until something below 500 is answered."""
        token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        for _ in range(300):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            try:
                connection.request("OPTIONS", path, headers={"Authorization": f"Basic {token}"})
                if connection.getresponse().status < 500:
                    return
            except OSError:
                pass
            finally:
                connection.close()
            time.sleep(0.1)
        raise SystemExit(f"{self.name} does not answer; see {self.folder / 'log'}")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Tagwerk(Server):
    """This project, as its README starts it."""

    name = "tagwerk"
    database = ""
    """The URL of an empty database, where it is not the one in the folder."""
    options: tuple[str, ...] = ()
    """More options of `serve`."""

    def start(self) -> Address:
        self.folder.mkdir()
        command = [
            sys.executable,
            "-c",
            "from tagwerk.cli.main import main; main()",
            "--data",
            str(self.folder),
            *(["--database", self.database] if self.database else []),
        ]
        subprocess.run(
            [*command, "user", "add", USER, "--password-stdin"],
            input=PASSWORD.encode(),
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "TAGWERK_CONFIG": ""},
        )
        self.run([*command, "serve", "--port", str(self.port), *self.options], TAGWERK_CONFIG="")
        self.ready()
        return Address(self.url)

    def resident(self) -> int:
        """Resident memory of the process, in bytes."""
        assert self.process is not None
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


class Radicale(Server):
    """Radicale with its own storage and its defaults, plain passwords in a file."""

    name = "radicale"

    def start(self) -> Address:
        self.folder.mkdir()
        (self.folder / "users").write_text(f"{USER}:{PASSWORD}\n")
        self.run(
            [
                sys.executable,
                "-m",
                "radicale",
                "--config",
                "",
                f"--server-hosts=127.0.0.1:{self.port}",
                f"--storage-filesystem-folder={self.folder / 'collections'}",
                "--auth-type=htpasswd",
                f"--auth-htpasswd-filename={self.folder / 'users'}",
                "--auth-htpasswd-encryption=plain",
                "--auth-delay=0",
                "--logging-level=error",
            ]
        )
        self.ready()
        return Address(self.url)


class Xandikos(Server):
    """Xandikos with its default collections; it has no logins."""

    name = "xandikos"

    def missing(self) -> str:
        return "" if self.program() else "pip install xandikos (and put it on PATH)"

    @staticmethod
    def program() -> str | None:
        """The command, on PATH or beside this Python."""
        return shutil.which("xandikos") or shutil.which("xandikos", path=str(Path(sys.executable).parent))

    def start(self) -> Address:
        self.folder.mkdir()
        self.run(
            [
                self.program() or "xandikos",
                "serve",
                "--defaults",
                "--listen-address=127.0.0.1",
                f"--port={self.port}",
                f"--directory={self.folder / 'data'}",
                f"--current-user-principal=/{USER}/",
            ]
        )
        self.ready()
        return Address(self.url, home=f"/{USER}/calendars/", book_home=f"/{USER}/contacts/")


class Cyrus(Server):
    """Cyrus IMAP's httpd, from Debian's cyrus-caldav; needs root to become the user cyrus."""

    name = "cyrus"
    programs = Path("/usr/lib/cyrus/bin")

    def missing(self) -> str:
        if (
            not (self.programs / "httpd").exists()
            or not (self.programs / "imapd").exists()
            or not shutil.which("saslpasswd2")
        ):
            return "apt-get install cyrus-caldav cyrus-imapd sasl2-bin"
        return "" if os.geteuid() == 0 else "run as root"

    def start(self) -> Address:
        imap = free_port()
        self.folder.mkdir()
        paths = {name: self.folder / name for name in ("conf", "spool", "socket", "run")}
        for path in paths.values():
            path.mkdir()
        (paths["conf"] / "socket").mkdir()
        configuration = self.folder / "imapd.conf"
        configuration.write_text(
            f"configdirectory: {paths['conf']}\npartition-default: {paths['spool']}\ndefaultpartition: default\n"
            f"admins: cyrus\nallowplaintext: yes\nsasl_pwcheck_method: auxprop\nsasl_auxprop_plugin: sasldb\n"
            f"sasl_sasldb_path: {self.folder}/sasldb2\nsasl_mech_list: PLAIN\nhttpmodules: caldav carddav\n"
            f"unixhierarchysep: yes\nvirtdomains: off\nservername: localhost\nautocreate_quota: 0\n"
            f"caldav_create_default: yes\ncarddav_create_default: yes\nhttpkeepalive: 20\nhttptimeout: 5\n"
            f"proc_path: {paths['run']}/proc\nlmtpsocket: {paths['socket']}/lmtp\n"
            f"master_pid_file: {paths['run']}/master.pid\nhttpallowcompress: no\n"
        )
        (self.folder / "cyrus.conf").write_text(
            f'START {{\n  recover cmd="ctl_cyrusdb -C {configuration} -r"\n}}\nSERVICES {{\n'
            f'  imap cmd="imapd -C {configuration}" listen="127.0.0.1:{imap}" prefork=0\n'
            f'  http cmd="httpd -C {configuration}" listen="127.0.0.1:{self.port}" prefork=4\n}}\nEVENTS {{\n}}\n'
        )
        subprocess.run(
            ["saslpasswd2", "-p", "-c", "-f", f"{self.folder}/sasldb2", "-u", "localhost", USER],
            input=PASSWORD.encode(),
            check=True,
        )
        subprocess.run(["chown", "-R", "cyrus:mail", str(self.folder)], check=True)
        for parent in (self.folder.parent, self.folder):
            parent.chmod(0o755)
        self.run(
            [
                str(self.programs / "master"),
                "-C",
                str(configuration),
                "-M",
                str(self.folder / "cyrus.conf"),
                "-p",
                f"{paths['run']}/master.pid",
            ]
        )
        self._create_mailbox(imap)
        self.ready(f"/dav/calendars/user/{USER}/")
        return Address(
            self.url, home=f"/dav/calendars/user/{USER}/", book_home=f"/dav/addressbooks/user/{USER}/"
        )

    def _create_mailbox(self, port: int) -> None:
        """Log in once, which makes the user's mailbox and with it the homes."""
        for _ in range(100):
            try:
                with imaplib.IMAP4("127.0.0.1", port) as client:
                    client.login(USER, PASSWORD)
                    return
            except OSError:
                time.sleep(0.1)
        raise SystemExit(f"Cyrus does not answer; see {self.folder / 'log'}")


SERVERS: tuple[type[Server], ...] = (Tagwerk, Cyrus, Xandikos, Radicale)


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
