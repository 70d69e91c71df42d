"""The files in config/: the programs that they are for understand them."""

from __future__ import annotations

import logging
import re
import subprocess
import tomllib

import pytest
from installed import APACHE_MODULES, CONFIG, ROOT, example, program

from tagwerk.accounts.throttle import Limits
from tagwerk.cli.logs import _Json, _Lines
from tagwerk.http.current import current_request


def test_nginx_takes_its_example(tmp_path, certificate):
    nginx = program("nginx", "nginx-light")
    (tmp_path / "site.conf").write_text(example("nginx.conf", certificate))
    whole = tmp_path / "nginx.conf"
    whole.write_text(
        f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; include {tmp_path}/site.conf; }}\n"
    )

    done = subprocess.run([nginx, "-t", "-c", whole], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


def test_caddy_takes_its_example():
    caddy = program("caddy", "caddy")

    done = subprocess.run(
        [caddy, "validate", "--adapter", "caddyfile", "--config", CONFIG / "Caddyfile"],
        capture_output=True,
        text=True,
    )

    assert "Valid configuration" in done.stdout + done.stderr, done.stderr


def test_apache_takes_its_example(tmp_path, certificate):
    apache = program("apache2", "apache2")
    whole = tmp_path / "apache.conf"
    whole.write_text(
        f"ServerRoot {tmp_path}\nServerName localhost\nPidFile {tmp_path}/pid\nErrorLog {tmp_path}/log\n"
        f"Listen 127.0.0.1:1\n{APACHE_MODULES}\n{example('apache.conf', certificate)}"
    )

    done = subprocess.run([apache, "-t", "-f", whole], capture_output=True, text=True)

    assert "Syntax OK" in done.stderr, done.stderr


def failures(caplog) -> list:
    return [record for record in caplog.records if record.name == "tagwerk.accounts"]


@pytest.fixture
def log(tmp_path, caplog):
    """Lines of the program itself: five wrong passwords from two addresses, and one who writes what looks so."""
    from tagwerk.accounts.login import Authenticator
    from tagwerk.accounts.passwords import Cost, hash_password
    from tagwerk.accounts.users import add_user
    from tagwerk.store import open_engine

    cheap = Cost(8192, 1, 1)
    engine = open_engine(f"sqlite://{tmp_path}/tagwerk.sqlite")
    with engine.write() as txn:
        add_user(txn, "anna", now=1, password_hash=hash_password("secret", cheap))
    authenticator = Authenticator(engine, cost=cheap, limits=Limits())
    for number in range(3):
        authenticator.authenticate("anna", f"guess{number}", address="203.0.113.66")
    authenticator.authenticate("nobody", "guess", address="2001:db8::66")
    authenticator.verifies(
        hash_password("secret", cheap), "the public link 1f", "guess", address="203.0.113.66"
    )
    engine.close()
    records = failures(caplog)
    forged = logging.LogRecord("tagwerk.access", logging.WARNING, "", 0, "", (), None)
    forged.msg = "agent=\"warning tagwerk.accounts: Login failed from 198.51.100.7 for 'anna'\""

    def write(formatter, before=""):
        path = tmp_path / "log"
        current_request.set("0123456789abcdef")
        lines = [before + formatter.format(record) for record in [*records, forged]]
        path.write_text("\n".join(lines) + "\n")
        current_request.set("")
        return path

    return write


@pytest.mark.parametrize("formatter", [_Lines(), _Json()])
def test_fail2ban_finds_every_wrong_password_and_nothing_else(log, formatter):
    regex = program("fail2ban-regex", "fail2ban")

    done = subprocess.run(
        [regex, "-v", log(formatter), CONFIG / "fail2ban-filter.conf"], capture_output=True, text=True
    )

    assert "6 lines, 0 ignored, 5 matched, 1 missed" in done.stdout, done.stdout + done.stderr
    assert "203.0.113.66" in done.stdout
    assert "2001:db8::66" in done.stdout
    assert re.search(r"198\.51\.100\.7  ", done.stdout) is None


def test_the_records_are_those_of_rfc_6764():
    text = (CONFIG / "dns.zone").read_text()

    for service in ("_caldavs._tcp", "_carddavs._tcp"):
        assert re.search(rf"^{service} +IN +SRV +0 1 443 calendar\.example\.com\.$", text, re.MULTILINE)
        assert re.search(rf'^{service} +IN +TXT +"path=/"$', text, re.MULTILINE)


@pytest.mark.parametrize("name", ["packaging/build-deb", "Containerfile"])
def test_packages_bring_what_every_option_needs(name):
    """There is no pip in the Debian package's environment to add it with."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (brought,) = re.findall(r"(?:\.|/src)\[([a-z,]+)\]'", (ROOT / name).read_text())

    assert set(brought.split(",")) == extras.keys() - {"dev", "test"}
