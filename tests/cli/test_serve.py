"""`tagwerk serve`, as a process of its own."""

from __future__ import annotations

import http.client
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

import serverprocess
from tagwerk.cli.invocation import Invocation
from tagwerk.cli.serve import listen, url_of
from tagwerk.errors import ConfigurationError
from tagwerk.settings import load


class Process:
    """A server with its output."""

    def __init__(self, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tagwerk.cli.main", "serve", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        assert self.process.stdout is not None
        self.first_line = self.process.stdout.readline().decode()

    @property
    def port(self) -> int:
        found = re.search(r":(\d+)/", self.first_line)
        assert found is not None, self.first_line
        return int(found.group(1))

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, self.first_line + out.decode(), err.decode()

    def status(self, path: str = "/.well-known/caldav") -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", path)
        status = connection.getresponse().status
        connection.close()
        return status


@pytest.fixture
def start(data):
    """Start servers on the data folder of the test; those that still run are stopped at its end."""
    running = []

    def begin(*words: str) -> Process:
        server = Process("--data", str(data), "--port", "0", *words)
        running.append(server)
        return server

    yield begin
    for server in running:
        if server.process.poll() is None:
            server.process.kill()
        server.process.communicate()


def test_without_a_user_it_prints_its_url_and_the_command_that_adds_one(start, data):
    server = start()

    status = server.status()
    code, out, err = server.stop()

    assert (status, code, err) == (301, 0, "")
    assert re.fullmatch(
        r"Tagwerk listens on http://127\.0\.0\.1:\d+/\n"
        r"There is no user yet\. This adds one:\n"
        rf"  tagwerk user add NAME --data {re.escape(str(data))}\n",
        out,
    )
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_with_a_user_it_prints_its_url_alone(start, anna):
    server = start()

    _, out, _ = server.stop()

    assert out.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (
            ["--database", "postgresql://t:geheim@db/t?password=geheim&host=h"],
            ["--database", "postgresql://t@db/t?host=h"],
        ),
        (
            ["--data", "/d", "--database", "postgresql://t@db/t"],
            ["--data", "/d", "--database", "postgresql://t@db/t"],
        ),
        (["--data", "/d"], ["--data", "/d"]),
        ([], ["--database", "postgresql://e@db/t"]),
    ],
)
def test_the_command_that_is_shown_finds_the_same_database_and_tells_no_password(options, shown):
    words = dict(zip((word.removeprefix("--") for word in options[::2]), options[1::2], strict=True))
    data = Path(words["data"]) if "data" in words else None
    environ = {"HOME": "/", "TAGWERK_DATABASE": "postgresql://e:geheim@db/t"}

    command = Invocation(data=data, database=words.get("database"), environ=environ).command("user", "list")

    assert shlex.split(command)[1:] == ["user", "list", *shown]


def test_the_command_that_is_shown_leaves_the_folder_out_where_the_file_names_a_database(tmp_path):
    config = tmp_path / "tagwerk.ini"
    config.write_text("[storage]\nurl = postgresql://t@db/t\n")

    command = Invocation(config=config, environ={"TAGWERK_DATA": "/d"}).command("user", "list")

    assert shlex.split(command)[1:] == ["user", "list", "--config", str(config)]


@pytest.mark.parametrize("words", [(), ("--workers", "3")])
def test_a_server_that_is_ended_while_it_starts_has_not_failed(words, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://t@127.0.0.1:{silent.getsockname()[1]}/t?sslmode=disable&gssencmode=disable"
        process = subprocess.Popen(
            [*serverprocess.command(), "serve", "--database", url, *words],
            stderr=subprocess.PIPE,
            env=serverprocess.environment(),
        )
        connection, _ = silent.accept()
        with connection:
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=20)

    assert (process.returncode, err) == (0, b"")


def test_ctrl_c_is_no_failure(start):
    server = start()

    code, _, err = server.stop(signal.SIGINT)

    assert (code, err) == (0, "")


def test_a_second_server_works_on_the_same_data(start, anna):
    first, second = start(), start()

    statuses = first.status(), second.status()
    first.stop()
    after = second.status()

    assert (statuses, after) == ((301, 301), 301)
    assert second.stop()[0] == 0


def test_stopping_finishes_what_was_begun(start, anna):
    server = start()
    body = b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c1\r\nFN:A\r\nN:A;;;;\r\nEND:VCARD\r\n"
    head = (
        "PUT /anna/contacts/c1.vcf HTTP/1.1\r\nHost: x\r\nContent-Type: text/vcard\r\n"
        f"Authorization: Basic {'YW5uYTpzZWNyZXQgb2YgYW5uYQ=='}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(head.encode() + body[:10])
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        connection.sendall(body[10:])
        answer = connection.recv(4096)

    out, err = server.process.communicate(timeout=30)

    assert answer.startswith(b"HTTP/1.1 201 ")
    assert server.process.returncode == 0, (out, err)


def test_options_come_from_a_file_and_the_command_line_wins(start, tmp_path):
    config = tmp_path / "tagwerk.ini"
    config.write_text("[server]\nport = 1\nbase_path = /dav\n[logging]\nformat = json\n")

    server = start("--config", str(config))
    status = server.status("/dav/.well-known/carddav")
    _, out, _ = server.stop()

    assert status == 301
    assert re.match(r"Tagwerk listens on http://127\.0\.0\.1:\d+/dav/\n", out)
    assert f"--config {config}" in out


def test_a_port_in_use_is_a_sentence(bare, data):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        result = bare("serve", "--data", data, "--port", port)

    assert result.code == 1
    assert result.err == (
        f"tagwerk: Port {port} of 127.0.0.1 is in use; stop what listens there, or take another with --port.\n"
    )


@pytest.mark.parametrize(
    ("host", "sentence"),
    [
        ("192.0.2.1", "192.0.2.1 is no address of this machine."),
        ("no such host", "'no such host' is neither an address nor a name that is known here."),
        ("x" * 300, "is neither an address nor a name that is known here."),
    ],
)
def test_a_host_that_cannot_be_had_is_a_sentence(host, sentence):
    with pytest.raises(ConfigurationError) as caught:
        listen(host, 0)

    assert str(caught.value).endswith(sentence)


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:"), ("0.0.0.0", "http://127.0.0.1:"), ("::1", "http://[::1]:")],
)
def test_the_url_can_be_opened(host, url):
    settings = load(None, data=None, environ={"HOME": "/"})
    try:
        sockets = listen(host, 0)
    except ConfigurationError as error:
        pytest.skip(f"{host} cannot be had here: {error}")

    found = url_of(settings, sockets[0])

    for each in sockets:
        each.close()
    assert found.startswith(url)


def test_every_address_of_a_name_has_the_same_port():
    sockets = listen("localhost", 0)

    ports = {each.getsockname()[1] for each in sockets}

    for each in sockets:
        each.close()
    assert len(ports) == 1


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_data_folder_that_cannot_be_made_is_a_sentence(bare, tmp_path, place):
    (tmp_path / "file").write_text("")

    result = bare("serve", "--data", tmp_path / place)

    assert result.code == 1
    assert result.err.startswith(f"tagwerk: {tmp_path}/file")
