"""LDAP and IMAP through Radicale's login types, against a real slapd and a small IMAP server (RFC 3501)."""

from __future__ import annotations

import base64
import shutil
import socket
import socketserver
import subprocess
import threading
import time
from contextlib import ExitStack

import pytest

from asgi import running

SLAPD = shutil.which("slapd", path="/usr/sbin:/usr/bin:/sbin")

CONFIG = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix "dc=example,dc=org"
rootdn "cn=reader,dc=example,dc=org"
rootpw reader-secret
directory {folder}/db
"""

PEOPLE = """\
dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: uid=anna,dc=example,dc=org
objectClass: inetOrgPerson
uid: anna
cn: Anna
sn: Anna
userPassword: in the directory
"""


@pytest.fixture
def start(tmp_path):
    with ExitStack() as stack:
        yield lambda text: stack.enter_context(running(tmp_path, text))


def home(app, password, user="anna"):
    return app("PROPFIND", "/anna/calendar/", user=user, password=password, Depth="0").status


@pytest.fixture(scope="module")
def ldap_port(tmp_path_factory):
    if SLAPD is None:
        pytest.skip("needs package slapd")
    folder = tmp_path_factory.mktemp("slapd")
    (folder / "db").mkdir()
    (folder / "slapd.conf").write_text(CONFIG.format(folder=folder))
    subprocess.run(
        [SLAPD.replace("slapd", "slapadd"), "-f", folder / "slapd.conf"], input=PEOPLE, text=True, check=True
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [SLAPD, "-d", "0", "-f", folder / "slapd.conf", "-h", f"ldap://127.0.0.1:{port}"],
        stderr=subprocess.DEVNULL,
    )
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.05)
    yield port
    process.terminate()
    process.wait(10)


# ldap3 warns about itself.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_who_is_in_the_directory_comes_in_and_gets_a_home(start, ldap_port):
    app = start(
        f"[auth]\ntype = ldap\nldap_uri = ldap://127.0.0.1:{ldap_port}\nldap_base = dc=example,dc=org\n"
        "ldap_reader_dn = cn=reader,dc=example,dc=org\nldap_secret = reader-secret\nldap_filter = (uid={0})\n"
    )

    assert home(app, "wrong") == 401
    assert home(app, "in the directory") == 207
    assert home(app, "in the directory", user="nobody") == 401


class Imap(socketserver.StreamRequestHandler):
    """AUTHENTICATE PLAIN (RFC 4616) and LOGOUT, for one user."""

    def handle(self) -> None:
        self.say("* OK IMAP4rev1 ready")
        for line in self.rfile:
            tag, command, *_ = line.decode().strip().upper().split()
            good = True
            if command == "CAPABILITY":
                self.say("* CAPABILITY IMAP4rev1 AUTH=PLAIN")
            if command == "AUTHENTICATE":
                self.say("+ ")
                good = base64.b64decode(self.rfile.readline()) == b"anna\0anna\0in the mailbox"
            self.say(f"{tag} {'OK' if good else 'NO'} done")
            if command == "LOGOUT":
                return

    def say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


@pytest.fixture
def imap_port():
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Imap)
    server.daemon_threads = True  # Radicale leaves connections open.
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


# Radicale leaves the connection of a failed login to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_who_has_a_mailbox_comes_in_and_gets_a_home(start, imap_port):
    app = start(f"[auth]\ntype = imap\nimap_host = 127.0.0.1:{imap_port}\nimap_security = none\n")

    assert home(app, "wrong") == 401
    assert home(app, "in the mailbox") == 207
