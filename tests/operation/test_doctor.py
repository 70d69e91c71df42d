"""`tagwerk doctor`: behind a good proxy it finds nothing, and behind each bad one what is bad."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time

import pytest
from installed import program

import serverprocess
from nameserver import knowing_example_com
from serverprocess import tagwerk

GOOD_LOCATION = """
        proxy_pass http://127.0.0.1:{port};
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_request_buffering off;
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A server with a backup and a user, and nothing that a doctor would mind."""
    data = tmp_path_factory.mktemp("doctor") / "data"
    server = serverprocess.start(data)
    tagwerk("user", "add", "anna", "--password-stdin", "--data", data, stdin="secret\n")
    tagwerk("maintenance", "--data", data)
    yield server
    assert server.stop() == 0


@pytest.fixture
def proxy(tmp_path, certificate, running):
    """nginx with TLS before the server."""
    nginx = program("nginx", "nginx-light")
    started = []

    def start(location=GOOD_LOCATION, *, rest="client_max_body_size 32m;") -> str:
        port = free_port()
        path = tmp_path / f"nginx{port}.conf"
        inside = location.replace("{port}", running.url.rsplit(":", 1)[1].strip("/"))
        path.write_text(
            f"daemon off; master_process off; pid {tmp_path}/pid{port}; error_log {tmp_path}/error;\n"
            f"events {{}} http {{ access_log off; client_body_temp_path {tmp_path}/body{port};\n"
            f"proxy_temp_path {tmp_path}/p{port}; fastcgi_temp_path {tmp_path}/f{port};\n"
            f"uwsgi_temp_path {tmp_path}/u{port}; scgi_temp_path {tmp_path}/s{port};\n"
            f"server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {certificate[0]};\n"
            f"ssl_certificate_key {certificate[1]}; {rest} location / {{ {inside} }} }} }}\n"
        )
        started.append(subprocess.Popen([nginx, "-c", path], stderr=subprocess.DEVNULL))
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.02)
        return f"https://localhost:{port}/"

    yield start
    for process in started:
        process.terminate()
        process.wait(10)


def examine(running, url, certificate, *words):
    """Whether all is well, and the findings that are not."""
    found = tagwerk(
        "doctor", "--data", running.data, "--url", url, "--ca", certificate[0], "--json", *words, check=False
    )
    result = json.loads(found.stdout)
    assert found.returncode == (0 if result["ok"] else 1)
    return [each for each in result["findings"] if each["level"] == "wrong"], result["findings"]


def test_behind_a_good_proxy_nothing_has_to_be_changed(running, proxy, certificate):
    bad, found = examine(running, proxy(), certificate)

    assert bad == []
    assert {each["area"] for each in found} >= {
        "configuration", "permissions", "disk", "database", "clock", "backup", "reach", "tls", "login", "methods",
        "well-known", "options", "body size", "chunked", "proxy headers",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("location", "rest", "area", "advice"),
    [
        pytest.param(GOOD_LOCATION, "", "body size", "client_max_body_size", id="small bodies"),
        pytest.param(
            "limit_except GET HEAD POST PUT DELETE OPTIONS { deny all; }" + GOOD_LOCATION,
            "client_max_body_size 32m;",
            "methods",
            "every method",
            id="methods that are refused",
        ),
        pytest.param(
            GOOD_LOCATION.replace("proxy_set_header X-Forwarded-Proto $scheme;", ""),
            "client_max_body_size 32m;",
            "proxy headers",
            "X-Forwarded-Proto",
            id="a scheme that is not told",
        ),
        pytest.param(
            GOOD_LOCATION.replace("proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;", ""),
            "client_max_body_size 32m;",
            "proxy headers",
            "X-Forwarded-For",
            id="clients that are not told",
        ),
        pytest.param(
            GOOD_LOCATION.replace("$proxy_add_x_forwarded_for", "$http_x_forwarded_for"),
            "client_max_body_size 32m;",
            "proxy headers",
            "to the client's address",
            id="clients that choose their address",
        ),
        pytest.param(
            GOOD_LOCATION.replace("$proxy_add_x_forwarded_for", '""'),
            "client_max_body_size 32m;",
            "proxy headers",
            "set X-Forwarded-For.",
            id="clients that all have one address",
        ),
        pytest.param(
            GOOD_LOCATION + 'proxy_set_header Authorization "";',
            "client_max_body_size 32m;",
            "proxy headers",
            "no password of its own",
            id="passwords that are lost",
        ),
        pytest.param(
            GOOD_LOCATION.replace("$http_host", "inside"),
            "client_max_body_size 32m;",
            "proxy headers",
            "Host",
            id="another host",
        ),
        pytest.param(
            GOOD_LOCATION + 'proxy_set_header Depth "";',
            "client_max_body_size 32m;",
            "proxy headers",
            "every header",
            id="Depth that is lost",
        ),
        pytest.param(
            GOOD_LOCATION,
            "client_max_body_size 32m; location /.well-known/ { return 404; }",
            "well-known",
            "hand it on",
            id="well-known addresses that are kept",
        ),
        pytest.param(
            "if ($request_method = OPTIONS) { return 204; }" + GOOD_LOCATION,
            "client_max_body_size 32m;",
            "options",
            "OPTIONS",
            id="OPTIONS that the proxy answers",
        ),
    ],
)
def test_behind_a_bad_proxy_it_says_what_to_change(running, proxy, certificate, location, rest, area, advice):
    bad, _ = examine(running, proxy(location, rest=rest), certificate)

    # Without PROPFIND nothing works; everything else is one thing that is wrong, and nothing besides.
    assert {each["area"] for each in bad} == {area} or area == "methods"
    assert any(advice in each["advice"] for each in bad if each["area"] == area)
    assert len(bad) == 1 or area in ("methods", "well-known")


def test_without_a_proxy_nobody_is_missed(running):
    done = tagwerk("doctor", "--data", running.data, "--url", running.url, "--json", check=False)

    assert [each for each in json.loads(done.stdout)["findings"] if each["level"] == "wrong"] == []


@pytest.mark.parametrize(
    ("option", "more", "good"),
    [
        ("type = http_x_remote_user", 'proxy_set_header X-Remote-User "anna";', True),
        ("type = http_x_remote_user", 'proxy_set_header X-Remote-User "";', True),
        ("type = http_x_remote_user", "proxy_set_header X-Remote-User $remote_user;", False),
        ("type = http_x_remote_user", "", False),
        ("certificate_header = X-Cert", "proxy_set_header X-Cert $ssl_client_escaped_cert;", True),
        ("certificate_header = X-Cert", 'proxy_set_header X-Cert "";', True),
        ("certificate_header = X-Cert", "proxy_set_header X-Cert $http_x_cert;", False),
        (
            "certificate_header = X-Cert",
            "proxy_set_header X-Client-Certificate $ssl_client_escaped_cert;",
            False,
        ),
    ],
)
def test_a_proxy_that_lets_clients_say_who_they_are(
    running, proxy, certificate, tmp_path, option, more, good
):
    config = tmp_path / "tagwerk.ini"
    config.write_text(f"[auth]\n{option}\n")
    other = serverprocess.start(tmp_path / "data", "--config", config)
    tagwerk("maintenance", "--data", other.data)
    url = proxy(GOOD_LOCATION.replace("{port}", other.url.rsplit(":", 1)[1].strip("/")) + more)

    _, found = examine(other, url, certificate, "--config", config)

    assert other.stop() == 0
    bad = [each for each in found if each["sentence"].startswith("Everybody can be anybody")]
    assert [each["level"] for each in bad] == ([] if good else ["wrong"])


def test_a_proxy_that_is_not_trusted_is_named(running, proxy, certificate, tmp_path):
    config = tmp_path / "tagwerk.ini"
    config.write_text("[server]\ntrusted_proxies = 192.0.2.1\n")
    other = serverprocess.start(tmp_path / "data", "--config", config)
    tagwerk("maintenance", "--data", other.data)
    url = proxy(GOOD_LOCATION.replace("{port}", other.url.rsplit(":", 1)[1].strip("/")))

    bad, _ = examine(other, url, certificate, "--config", config)

    assert other.stop() == 0
    assert [each["area"] for each in bad] == ["proxy headers"]
    assert bad[0]["advice"].startswith("Add 127.0.0.1 to [server] trusted_proxies")


def test_another_server_is_not_taken_for_this_one(running, proxy, certificate, tmp_path):
    other = tmp_path / "other"
    tagwerk("user", "add", "anna", "--password-stdin", "--data", other, stdin="secret\n")
    done = tagwerk("doctor", "--data", other, "--url", proxy(), "--ca", certificate[0], check=False)

    assert done.returncode == 1
    assert "does not know this database (404)" in done.stdout


def test_a_certificate_that_nobody_trusts_and_a_port_where_nobody_is(running, proxy):
    tls = tagwerk("doctor", "--data", running.data, "--url", proxy(), check=False)
    nobody = tagwerk(
        "doctor", "--data", running.data, "--url", f"http://127.0.0.1:{free_port()}", check=False
    )

    assert "wrong  tls: The certificate is not good" in tls.stdout
    assert "wrong  reach: 127.0.0.1:" in nobody.stdout


def test_permissions_backups_and_the_clock(tmp_path):
    data = tmp_path / "data"
    tagwerk("user", "add", "anna", "--password-stdin", "--data", data, stdin="secret\n")
    tagwerk("maintenance", "--data", data)
    (backup,) = (data / "backups").iterdir()
    long_ago = time.time() - 5 * 86400
    os.utime(backup, (long_ago, long_ago))
    os.chmod(data / "tagwerk.sqlite", 0o644)

    done = tagwerk("doctor", "--data", data, check=False)

    assert done.returncode == 1
    assert f"-> chmod 600 {data}/tagwerk.sqlite" in done.stdout
    assert "The newest backup is 5 days old" in done.stdout
    assert done.stdout.endswith("2 things to change.\n")


def test_a_database_outside_of_the_data_folder(tmp_path):
    place = tmp_path / "elsewhere"
    place.mkdir()
    config = tmp_path / "tagwerk.ini"
    config.write_text(f"[storage]\ndata = data\nurl = sqlite://{place}/my[1].sqlite\n")
    words = ("--config", config)
    tagwerk("user", "add", "anna", "--password-stdin", *words, stdin="secret\n")
    os.chmod(place / "my[1].sqlite", 0o644)

    done = tagwerk("doctor", *words, check=False)

    assert f"Others on this machine can look into {place}/my[1].sqlite." in done.stdout
    assert f"{place}/my[1].sqlite-queue is its owner's alone." in done.stdout
    assert f"MiB are free at {place}." in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has files that are not its own")
def test_files_of_root_in_the_folder_of_the_server(tmp_path):
    data = tmp_path / "data"
    tagwerk("user", "add", "anna", "--password-stdin", "--data", data, stdin="secret\n")
    queue = data / "tagwerk.sqlite-queue"
    for path in (data, data / "tagwerk.sqlite"):
        os.chown(path, 65534, 65534)

    done = tagwerk("doctor", "--data", data, check=False)
    again = tagwerk("doctor", "--data", data, check=False)

    assert f"{queue} belongs to somebody else than {data}." in done.stdout
    assert f"-> chown --reference={data} {queue}" in done.stdout
    # Whoever opens the database as root leaves nothing behind that shuts its server out.
    assert f"{queue} is its owner's alone." in again.stdout
    assert {path.stat().st_uid for path in data.glob("tagwerk.sqlite*")} == {65534}


def test_a_backup_folder_that_is_none(tmp_path):
    config = tmp_path / "tagwerk.ini"
    config.write_text("[maintenance]\nbackup_folder = tagwerk.ini\n")
    words = ("--config", config, "--data", tmp_path / "data")
    tagwerk("user", "add", "anna", "--password-stdin", *words, stdin="secret\n")

    done = tagwerk("doctor", *words, check=False)

    assert f"wrong  backup: [maintenance] backup_folder {config} is no folder." in done.stdout


def test_a_provider_that_is_not_reached(tmp_path):
    config = tmp_path / "tagwerk.ini"
    issuer = f"http://127.0.0.1:{free_port()}"

    said = []
    for more in ("", "oidc_audience = tagwerk\n"):
        config.write_text(f"[auth]\noidc_issuer = {issuer}\n{more}")
        said.append(tagwerk("doctor", "--config", config, "--data", tmp_path / "data", check=False).stdout)

    assert "wrong  oidc: [auth] oidc_audience is empty" in said[0]
    assert f"wrong  oidc: The keys of {issuer} cannot be read: " in said[1]
    assert "Connection refused" in said[1]


def test_secrets_that_everybody_can_read(tmp_path):
    config = tmp_path / "tagwerk.ini"
    config.write_text("[auth]\ntype = ldap\nldap_secret = hush\n[onboarding]\nkey = sign.key\n")
    (tmp_path / "sign.key").write_text("x")
    (tmp_path / "sign.key").chmod(0o604)
    config.chmod(0o644)

    done = tagwerk("doctor", "--config", config, "--data", tmp_path / "data", check=False)

    assert f"-> chmod o= {config}" in done.stdout
    assert f"-> chmod o= {tmp_path}/sign.key" in done.stdout
    assert "hush" not in done.stdout


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[server]\nprot = 1\n", "there is no option 'prot'"),
        ("[auth]\ntype = none\n[server]\nhost = 0.0.0.0\n", "lets everybody in"),
        ("[server]\ntrusted_proxies = 0.0.0.0/0\n", "nearly everybody may say who they are"),
        ("[tls]\ncertificate = nothing.pem\n", "nothing.pem"),
    ],
)
def test_a_configuration_that_is_wrong(tmp_path, text, sentence):
    config = tmp_path / "tagwerk.ini"
    config.write_text(text)

    done = tagwerk("doctor", "--config", config, "--data", tmp_path / "data", check=False)

    assert done.returncode == 1
    assert sentence in done.stdout


@pytest.fixture
def nameserver():
    with knowing_example_com() as address:
        yield address


def test_the_records_of_a_domain(running, nameserver):
    good = tagwerk(
        "doctor", "--data", running.data, "--domain", "example.com", "--nameserver", nameserver, check=False
    )
    bad = tagwerk(
        "doctor", "--data", running.data, "--domain", "example.org", "--nameserver", nameserver, check=False
    )

    assert good.returncode == 0
    assert "_caldavs._tcp.example.com leads to calendar.example.com:443." in good.stdout
    assert bad.returncode == 1
    assert "_caldavs._tcp.example.org says that there is no such service" in bad.stdout
    assert "There is no record _carddavs._tcp.example.org" in bad.stdout
