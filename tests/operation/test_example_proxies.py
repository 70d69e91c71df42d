"""The examples for proxies, running: nobody writes themselves who they are, and verified certificates are handed on."""

from __future__ import annotations

import datetime
import http.client
import re
import socket
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from installed import APACHE_MODULES, example, program

from tagwerk.accounts.certificates import common_name, parse

SAYS_WHO = ("X-Remote-User", "Remote-User", "X-Client-Certificate")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def behind():
    """Something that a proxy asks: its port, and the headers of the last request."""

    class Seen(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.clear()
            seen.update({name.lower(): value for name, value in self.headers.items() if value})
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_args):
            pass

    seen: dict[str, str] = {}
    server = HTTPServer(("127.0.0.1", 0), Seen)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port, seen
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def anna(tmp_path):
    """A client certificate and its key in one file, which is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "anna")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "anna.pem"
    path.write_bytes(
        made.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return path


def nginx(folder, text, port):
    text = re.sub(r"listen \[::\].*", "", text)
    text = text.replace("listen 80;", f"listen 127.0.0.1:{free_port()};")
    text = text.replace("listen 443 ", f"listen 127.0.0.1:{port} ")
    kept = "".join(
        f"{name}_temp_path {folder}/{name}; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    path = folder / "nginx.conf"
    path.write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log stderr;\n"
        f"events {{}} http {{ access_log off; {kept}\n{text} }}\n"
    )
    return [program("nginx", "nginx-light"), "-c", path]


def caddy(folder, text, port, certificate):
    text = text.replace("calendar.example.com {", f"https://localhost:{port} {{", 1)
    pair = f"tls {certificate[0]} {certificate[1]}"
    text = (
        text.replace("\ttls {", f"\t{pair} {{")
        if "\ttls {" in text
        else re.sub(r"\}\s*$", f"{pair}\n}}\n", text)
    )
    path = folder / "Caddyfile"
    path.write_text(f"{{\n\tadmin off\n\tauto_https off\n\tstorage file_system {folder}/caddy\n}}\n{text}")
    return [program("caddy", "caddy"), "run", "--adapter", "caddyfile", "--config", path]


def apache(folder, text, port):
    other = free_port()
    text = text.replace("*:80>", f"*:{other}>").replace("*:443>", f"*:{port}>")
    path = folder / "apache.conf"
    path.write_text(
        f"ServerRoot {folder}\nServerName localhost\nPidFile {folder}/pid\nErrorLog {folder}/log\n"
        f"DefaultRuntimeDir {folder}\n"
        f"Listen 127.0.0.1:{port}\nListen 127.0.0.1:{other}\n{APACHE_MODULES}\n{text}"
    )
    return [program("apache2", "apache2"), "-X", "-f", path]


@pytest.fixture(params=["nginx.conf", "Caddyfile", "apache.conf"])
def proxy(request, tmp_path, certificate, behind, anna):
    """Start the example; with `verifying` the lines are in force that are there for client certificates."""
    started = []

    def start(*, verifying=False):
        text = example(request.param, certificate).replace("127.0.0.1:5232", f"127.0.0.1:{behind[0]}")
        if verifying:
            marked = re.search(r"of these authorities:\n((?:[ \t]*# .*\n)+)", text)
            text = text.replace(marked[1], marked[1].replace("# ", ""))
            text = text.replace("/etc/tagwerk/clients-ca.pem", str(anna))
        port = free_port()
        if request.param == "Caddyfile":
            command = caddy(tmp_path, text, port, certificate)
        else:
            command = (nginx if request.param == "nginx.conf" else apache)(tmp_path, text, port)
        with (tmp_path / "said").open("wb") as said:
            started.append(subprocess.Popen(command, stdout=said, stderr=said, cwd=tmp_path))
        for _ in range(400):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return port
            except OSError:
                assert started[-1].poll() is None, (tmp_path / "said").read_text()
                time.sleep(0.05)
        return pytest.fail((tmp_path / "said").read_text())

    yield start
    for process in started:
        process.terminate()
        process.wait(10)


def ask(port, certificate, *, shows=None) -> int:
    """The status of a request that says in every header that it is from somebody else."""
    context = ssl.create_default_context(cafile=certificate[0])
    if shows is not None:
        context.load_cert_chain(shows)
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=20)
    try:
        connection.request("GET", "/", headers=dict.fromkeys(SAYS_WHO, "eve"))
        return connection.getresponse().status
    finally:
        connection.close()


def test_nobody_writes_themselves_who_they_are(proxy, certificate, behind, anna):
    port = proxy()

    for shows in (None, anna):
        assert ask(port, certificate, shows=shows) == 204
        assert not {name.lower() for name in SAYS_WHO} & behind[1].keys()


def test_a_certificate_that_was_verified_is_handed_on_and_nothing_else(proxy, certificate, behind, anna):
    port = proxy(verifying=True)

    assert ask(port, certificate, shows=anna) == 204
    assert common_name(parse(behind[1]["x-client-certificate"].encode("latin-1"))) == "anna"
    assert ask(port, certificate) == 204
    assert not {name.lower() for name in SAYS_WHO} & behind[1].keys()
