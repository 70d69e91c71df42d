"""Client certificates: whom one that TLS or a trusted proxy has verified stands for (RFC 5280, RFC 9440)."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID

from tagwerk.accounts.gate import CertificateReader
from tagwerk.errors import Unauthenticated
from tagwerk.settings import Auth
from tagwerk.store import Engine
from tagwerk.store.principals import principals

_ARMOUR = re.compile(rb"-----(BEGIN|END) CERTIFICATE-----")


def reader(engine: Engine, auth: Auth) -> CertificateReader:
    """What reads certificates as [auth] says: DER or PEM in, the name of a user out."""

    def read(raw: bytes) -> str:
        certificate = parse(raw)
        if certificate.not_valid_after_utc < datetime.now(UTC):
            raise Unauthenticated("The client certificate has expired.")
        if auth.certificate_user == "name":
            return common_name(certificate)
        wanted = {address.casefold() for address in addresses(certificate)}
        with engine.read() as txn:
            found = [p.name for p in principals(txn) if wanted & {a.casefold() for a in p.addresses}]
        if len(found) != 1:
            raise Unauthenticated("The client certificate has the e-mail address of no user, or of several.")
        return found[0]

    return read


@lru_cache(256)
def parse(raw: bytes) -> x509.Certificate:
    """A certificate as TLS and the headers of nginx, Apache, Caddy and RFC 9440 bring it.

    Raises:
        Unauthenticated: it is none.
    """
    try:
        if raw[:1] == b"\x30":
            return x509.load_der_x509_certificate(raw)
        # Percent-encoded PEM, PEM with its line ends replaced, bare Base64, or Base64 between colons.
        text = unquote_to_bytes(raw) if b"%" in raw else raw
        bare = re.sub(rb"[\s:]", b"", _ARMOUR.sub(b"", text))
        return x509.load_der_x509_certificate(base64.b64decode(bare, validate=True))
    except (ValueError, binascii.Error) as error:
        raise Unauthenticated("The client certificate cannot be read.") from error


def common_name(certificate: x509.Certificate) -> str:
    """The common name of the subject.

    Raises:
        Unauthenticated: it has none, or several.
    """
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(names) != 1:
        raise Unauthenticated("The client certificate names nobody.")
    return str(names[0].value)


def addresses(certificate: x509.Certificate) -> list[str]:
    """The e-mail addresses of the subject."""
    try:
        extension = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    except x509.ExtensionNotFound:
        found = []
    else:
        value = extension.value
        assert isinstance(value, x509.SubjectAlternativeName)
        found = value.get_values_for_type(x509.RFC822Name)
    named = certificate.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS)
    return [*found, *(str(each.value) for each in named)]
