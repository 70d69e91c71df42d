"""`tagwerk onboard`: what comes out sets a device up, which a request with it shows."""

from __future__ import annotations

import plistlib
import re
import shutil
import stat
import subprocess
from urllib.parse import unquote, urlsplit

import pytest

from tagwerk.accounts.login import Authenticator
from tagwerk.accounts.profiles import Account, account_url, davx5_link, mobileconfig
from tagwerk.errors import ConfigurationError
from tagwerk.http import tls
from tagwerk.model import Rights
from tagwerk.store import open_engine

URL = "https://cal.example.org/dav/"


@pytest.fixture
def login(data):
    def login(password):
        engine = open_engine(f"sqlite://{data}/tagwerk.sqlite")
        found = Authenticator(engine).authenticate("anna", password)
        engine.close()
        return found

    return login


def test_the_text_has_what_to_enter_and_a_code(tagwerk, anna, login):
    made = tagwerk("onboard", "anna", "--url", URL, "--label", "Phone")

    password = re.search(r"Password +(\S+)", made.out)[1]
    assert login(password).label == "Phone"
    assert f"Server     {URL}" in made.out
    assert f"davx5://anna:{password}@cal.example.org/dav/" in made.out
    assert "█" in made.out
    assert "called 'Phone'" in made.err


def test_the_link_is_read_as_davx5_reads_it(tagwerk, anna, login):
    link = tagwerk("onboard", "anna", "--url", "cal.example.org", "--format", "link").out.strip()

    parts = urlsplit(link)
    assert (parts.scheme, parts.hostname, parts.path) == ("davx5", "cal.example.org", "/")
    assert unquote(parts.username) == "anna"
    assert login(unquote(parts.password)).name == "anna"


def test_names_with_odd_letters_survive_the_link():
    account = Account(URL, "jürgen@example.org", "a b:c/d")

    parts = urlsplit(davx5_link(account))

    assert (unquote(parts.username), unquote(parts.password)) == ("jürgen@example.org", "a b:c/d")
    assert parts.hostname == "cal.example.org"
    assert davx5_link(Account("http://127.0.0.1:5232/", "a", "b")) == "caldav://a:b@127.0.0.1:5232/"


def test_a_profile_has_both_accounts_and_replaces_an_older_one(tagwerk, anna, login, tmp_path):
    path = tmp_path / "anna.mobileconfig"
    tagwerk("onboard", "anna", "--url", URL, "--format", "mobileconfig", "--output", path)

    profile = plistlib.loads(path.read_bytes())
    calendar, contacts = profile["PayloadContent"]
    again = plistlib.loads(mobileconfig(Account(URL, "anna", "another password")))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert calendar["PayloadType"] == "com.apple.caldav.account"
    assert contacts["PayloadType"] == "com.apple.carddav.account"
    assert (calendar["CalDAVHostName"], calendar["CalDAVPort"]) == ("cal.example.org", 443)
    assert (calendar["CalDAVUseSSL"], calendar["CalDAVPrincipalURL"]) == (True, "/dav/anna/")
    assert login(contacts["CardDAVPassword"]).name == "anna"
    assert (profile["PayloadUUID"], profile["PayloadIdentifier"]) == (
        again["PayloadUUID"],
        "org.example.cal.tagwerk.anna",
    )


def test_a_profile_for_calendars_alone_sets_up_nothing_else(tagwerk, anna, login, tmp_path):
    path = tmp_path / "anna.mobileconfig"
    tagwerk(
        "onboard", "anna", "--url", URL, "--format", "mobileconfig", "--output", path, "--rights", "calendar",
        "--expires", "30d",
    )  # fmt: skip

    (calendar,) = plistlib.loads(path.read_bytes())["PayloadContent"]

    assert login(calendar["CalDAVPassword"]).rights is Rights.CALENDAR


def test_a_profile_is_signed_with_the_certificate_of_the_settings(tagwerk, anna, tmp_path):
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs package openssl")
    made = tls.self_signed(tmp_path, ["cal.example.org"])
    config = tmp_path / "tagwerk.ini"
    config.write_text(
        f"[server]\npublic_url = {URL}\n[onboarding]\ncertificate = self-signed.pem\nkey = self-signed.key\n"
    )
    path = tmp_path / "anna.mobileconfig"

    tagwerk("onboard", "anna", "--config", config, "--format", "mobileconfig", "--output", path)

    verified = subprocess.run(
        [
            openssl,
            "cms",
            "-verify",
            "-inform",
            "DER",
            "-in",
            path,
            "-CAfile",
            made.certificate,
            "-purpose",
            "any",
        ],
        capture_output=True,
    )
    assert verified.returncode == 0, verified.stderr
    assert plistlib.loads(verified.stdout)["PayloadType"] == "Configuration"


@pytest.mark.parametrize(("form", "begins"), [("png", b"\x89PNG\r\n"), ("svg", b"<?xml")])
def test_pictures(tagwerk, anna, tmp_path, form, begins):
    path = tmp_path / "code"

    assert tagwerk("onboard", "anna", "--url", URL, "--format", form, "--output", path).code == 0

    assert path.read_bytes().startswith(begins)


def test_a_file_that_others_could_read_is_not_written_into(tagwerk, anna, tmp_path):
    path = tmp_path / "anna.mobileconfig"
    path.write_text("older")
    path.chmod(0o644)
    with path.open() as opened:
        tagwerk("onboard", "anna", "--url", URL, "--format", "mobileconfig", "--output", path)

        assert opened.read() == "older"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes().startswith(b"<?xml")
    assert list(tmp_path.glob(".*")) == []


@pytest.mark.parametrize(("url", "told"), [("http://cal.example.org/", True), (URL, False)])
def test_a_profile_for_a_server_without_https_is_doubted(tagwerk, anna, tmp_path, url, told):
    made = tagwerk("onboard", "anna", "--url", url, "--format", "mobileconfig", "--output", tmp_path / "x")

    assert (made.code, "Apple's devices want https" in made.err) == (0, told)


@pytest.mark.parametrize(
    ("url", "made"),
    [
        ("cal.example.org", "https://cal.example.org/"),
        ("http://localhost:5232", "http://localhost:5232/"),
        ("https://[fe80::1]:8443/dav", "https://[fe80::1]:8443/dav/"),
        ("https://kalender.müller.example/", "https://kalender.müller.example/"),
        ("https://192.0.2.7/", "https://192.0.2.7/"),
    ],
)
def test_urls_as_people_write_them(url, made):
    assert account_url(url) == made


def test_every_device_gets_an_app_password_of_its_own(tagwerk, anna):
    for _ in range(3):
        tagwerk("onboard", "anna", "--url", URL, "--format", "link")

    labels = [line.split("  ")[0] for line in tagwerk("app-password", "list", "anna").out.splitlines()[1:]]
    assert len(set(labels)) == 3


def test_what_cannot_be_written_leaves_no_app_password(tagwerk, anna, tmp_path):
    assert tagwerk("onboard", "anna", "--url", URL, "--output", tmp_path / "no" / "where").code == 1
    assert tagwerk("onboard", "anna").err.startswith("tagwerk: Say where clients reach the server")

    assert len(tagwerk("app-password", "list", "anna").out.splitlines()) == 1


@pytest.mark.parametrize(
    "url",
    ["", "ftp://x/", "https://", "https://a:b@c/", "https://c/?q", "https://c/#f", "https://c:port/", "https://exa mple/",
     "https://exa\tmple/", "https://example/a b/", "https://a..b/", "https://a,b/", "https://a%20b/", "https://ex\u200bample/"],
)  # fmt: skip
def test_no_url(url):
    with pytest.raises(ConfigurationError):
        account_url(url)
