"""HTTPS without a proxy: certificates, their renewal, and clients that prove themselves with one."""

from __future__ import annotations

import base64
import datetime
import http.client
import re
import signal
import ssl
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

import serverprocess
from tagwerk.accounts.users import add_user
from tagwerk.errors import ConfigurationError
from tagwerk.http import tls
from tagwerk.settings import Tls
from tagwerk.store import open_engine


def issue(name: str, signer=None, *, authority=False, host=""):
    """A key and a certificate, signed by another pair or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer[1].subject if signer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if host:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    return key, builder.sign(signer[0] if signer else key, hashes.SHA256())


def write(folder, name, pair):
    """Both in one file, as `[tls] certificate` without a key takes them."""
    path = folder / name
    path.write_bytes(
        pair[1].public_bytes(Encoding.PEM)
        + pair[0].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return path


def ask(url, trust, *, shows=None, authorization=""):
    """The status and the serial number of the server's certificate."""
    context = ssl.create_default_context(cafile=trust)
    if shows is not None:
        context.load_cert_chain(shows)
    port = int(re.search(r":(\d+)/", url)[1])
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=20)
    headers = {"Depth": "0"} | ({"Authorization": authorization} if authorization else {})
    connection.request("PROPFIND", "/anna/calendar/", headers=headers)
    serial = connection.sock.getpeercert()["serialNumber"]
    status = connection.getresponse().status
    connection.close()
    return status, serial


def test_certificates_of_server_and_client_over_tls_and_a_renewal(tmp_path, password_hash, monkeypatch):
    monkeypatch.setattr(serverprocess, "_URL", re.compile(rb"listens on (https://\S+)"))
    authority, stranger = issue("Authority", authority=True), issue("Stranger", authority=True)
    ca = write(tmp_path, "ca.pem", authority)
    server_pem = write(tmp_path, "server.pem", issue("server", authority, host="localhost"))
    anna = write(tmp_path, "anna.pem", issue("anna", authority))
    eve = write(tmp_path, "eve.pem", issue("anna", stranger))
    config = tmp_path / "tagwerk.ini"
    config.write_text("[tls]\ncertificate = server.pem\nclient_ca = ca.pem\n")
    running = serverprocess.start(tmp_path / "data", "--config", config)
    try:
        engine = open_engine(running.database_url)
        with engine.write() as txn:
            add_user(txn, "anna", now=int(time.time()), password_hash=password_hash)
        engine.close()
        password = "Basic " + base64.b64encode(b"anna:secret").decode()

        nobody, first = ask(running.url, ca)
        assert nobody == 401
        assert ask(running.url, ca, shows=anna)[0] == 207
        assert ask(running.url, ca, authorization=password)[0] == 207
        with pytest.raises((ssl.SSLError, ConnectionError)):
            ask(running.url, ca, shows=eve)

        write(tmp_path, "server.pem", issue("renewed", authority, host="localhost"))
        running.process.send_signal(signal.SIGHUP)
        second = first
        for _ in range(100):
            second = ask(running.url, ca)[1]
            if second != first:
                break
            time.sleep(0.05)
        assert second != first

        server_pem.write_text("nonsense")
        running.process.send_signal(signal.SIGHUP)
        for _ in range(100):
            if "the old certificate stays" in running.log.read_text():
                break
            time.sleep(0.05)
        assert ask(running.url, ca)[1] == second
    finally:
        assert running.stop() == 0
    assert "the certificate was read again" in running.log.read_text()


def test_a_self_signed_certificate_is_made_once_and_again_when_it_does_not_fit(tmp_path):
    made = tls.self_signed(tmp_path, ["localhost", "127.0.0.1"])
    first = tls.fingerprint(made.certificate)

    again = tls.fingerprint(tls.self_signed(tmp_path, ["localhost"]).certificate)
    other = tls.fingerprint(tls.self_signed(tmp_path, ["localhost", "192.0.2.9"]).certificate)

    assert first == again
    assert first != other
    assert made.key.stat().st_mode & 0o777 == 0o600
    assert tls.context(made).minimum_version == ssl.TLSVersion.TLSv1_2


def test_serve_self_signed_prints_what_to_compare(tmp_path, monkeypatch):
    monkeypatch.setattr(serverprocess, "_URL", re.compile(rb"listens on (https://\S+)"))
    running = serverprocess.start(tmp_path / "data", "--self-signed")

    status, _ = ask(running.url, running.data / "self-signed.pem")

    assert running.stop() == 0
    assert status == 401


@pytest.mark.parametrize("missing", ["certificate", "key", "client_ca"])
def test_a_file_that_is_not_there_is_named(tmp_path, missing):
    made = tls.self_signed(tmp_path, ["localhost"])
    files = {"certificate": made.certificate, "key": made.key, "client_ca": made.certificate}

    with pytest.raises(ConfigurationError, match=r"nothing\.pem"):
        tls.context(Tls(**(files | {missing: tmp_path / "nothing.pem"})))


def test_a_key_without_a_certificate_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="certificate is empty"):
        tls.context(Tls(None, tmp_path / "key.pem", None))
