"""TLS without a proxy (RFC 9325): certificates, their renewal while the server runs, and one for trying things out."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tagwerk.errors import ConfigurationError
from tagwerk.settings import Tls

SELF_SIGNED_DAYS = 397
"""Apple's devices refuse what lasts longer than 398 days if an authority signed it, 825 otherwise."""


def context(settings: Tls) -> ssl.SSLContext:
    """A server's context for the certificate of the settings.

    Raises:
        ConfigurationError: a file is missing, or does not fit the others.
    """
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(["http/1.1"])
    load(made, settings)
    if settings.client_ca is not None:
        try:
            made.load_verify_locations(settings.client_ca)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"[tls] client_ca: {settings.client_ca} cannot be used: {error}."
            ) from error
        # Who shows none can still send a password.
        made.verify_mode = ssl.CERT_OPTIONAL
    return made


def load(made: ssl.SSLContext, settings: Tls) -> None:
    """Read certificate and key again; connections that begin from now on see the new ones.

    Raises:
        ConfigurationError: they cannot be used; the old ones stay.
    """
    certificate, key = settings.certificate, settings.key or settings.certificate
    if certificate is None or key is None:
        raise ConfigurationError("[tls] key says where a key is, and [tls] certificate is empty.")
    try:
        # A pair that does not fit must not replace half of one that does.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
        made.load_cert_chain(certificate, key, password="")
    except (OSError, ssl.SSLError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigurationError(
            f"The certificate {certificate} with the key {key} cannot be used: {reason}."
        ) from error


def self_signed(folder: Path, hosts: Iterable[str]) -> Tls:
    """A certificate of our own for `hosts`, made where there is none that fits, and kept for the next time."""
    wanted = tuple(dict.fromkeys(hosts))
    certificate, key = folder / "self-signed.pem", folder / "self-signed.key"
    if not _fits(certificate, key, wanted):
        private = ec.generate_private_key(ec.SECP256R1())
        made = _certificate(private, wanted)
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _write(key, pem)
        _write(certificate, made.public_bytes(Encoding.PEM))
    return Tls(certificate, key, None)


def fingerprint(certificate: Path) -> str:
    """The SHA-256 of a certificate as programs show it."""
    parsed = x509.load_pem_x509_certificate(certificate.read_bytes())
    return parsed.fingerprint(hashes.SHA256()).hex(":").upper()


def local_hosts() -> list[str]:
    """The names and addresses under which this machine may be called."""
    hosts = ["localhost", "127.0.0.1", "::1"]
    name = socket.gethostname()
    if name:
        hosts.append(name)
        if "." not in name:
            hosts.append(f"{name}.local")
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        # Nothing is sent: connecting a datagram socket only chooses the address that would send.
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))
            hosts.append(str(probe.getsockname()[0]))
    return list(dict.fromkeys(hosts))


def _fits(certificate: Path, key: Path, hosts: tuple[str, ...]) -> bool:
    if not key.is_file():
        return False
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    known = {*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))}
    return found.not_valid_after_utc > datetime.now(UTC) + timedelta(days=1) and known >= set(hosts)


def _certificate(private: ec.EllipticCurvePrivateKey, hosts: tuple[str, ...]) -> x509.Certificate:
    now = datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Tagwerk on {socket.gethostname()}"[:64])])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=SELF_SIGNED_DAYS))
        .add_extension(x509.SubjectAlternativeName([_name(host) for host in hosts]), critical=False)
        # Devices that are to trust it want an authority, which can sign for nobody else here.
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".new")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    temporary.replace(path)
