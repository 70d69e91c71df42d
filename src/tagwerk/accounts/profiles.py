"""What sets a device up: a configuration profile for Apple's, a link for DAVx5, a page of text for people.

Pure: everything that is in them is given.
"""

from __future__ import annotations

import plistlib
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs7

from tagwerk.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Account:
    """Where somebody logs in, and with what; `url` ends with a slash."""

    url: str
    user: str
    password: str
    title: str = "Tagwerk"
    organization: str = ""

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        parts = urlsplit(self.url)
        return parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def encrypted(self) -> bool:
        return urlsplit(self.url).scheme == "https"

    @property
    def principal_path(self) -> str:
        return f"{urlsplit(self.url).path}{quote(self.user, safe='@')}/"


_HOST = re.compile(r"[\w-]+(\.[\w-]+)*\.?|[0-9a-f:.]*:[0-9a-f:.]*(%\w+)?")


def account_url(url: str) -> str:
    """A URL as people write it, as clients need it.

    Raises:
        ConfigurationError: it is none.
    """
    whole = url if "://" in url else f"https://{url}"
    try:
        parts = urlsplit(whole)
        hostname, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ConfigurationError(f"{url!r} is no URL such as https://calendar.example.com/.") from error
    if (
        parts.scheme not in ("http", "https")
        or not _HOST.fullmatch(hostname)
        or any(char.isspace() or not char.isprintable() for char in url)
        or parts.query
        or parts.fragment
        or "@" in parts.netloc
    ):
        raise ConfigurationError(f"{url!r} is no URL such as https://calendar.example.com/.")
    host = f"[{hostname}]" if ":" in hostname else hostname
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path.rstrip('/')}/"


def davx5_link(account: Account) -> str:
    """What DAVx5 opens its login with, everything filled in."""
    parts = urlsplit(account.url)
    scheme = "davx5" if account.encrypted else "caldav"
    login = f"{quote(account.user, safe='')}:{quote(account.password, safe='')}"
    return f"{scheme}://{login}@{parts.netloc}{parts.path}"


def mobileconfig(account: Account, *, calendar: bool = True, contacts: bool = True) -> bytes:
    """A configuration profile with a CalDAV and a CardDAV account (Apple's Configuration Profile Reference).

    Identifiers depend on server and user alone: a newer profile replaces an older one.
    """
    name = f"{account.user}@{account.host}"
    identifier = ".".join(reversed(account.host.split("."))) + f".tagwerk.{account.user}"
    payloads = [
        {
            "PayloadType": f"com.apple.{kind.lower()}.account",
            "PayloadVersion": 1,
            "PayloadIdentifier": f"{identifier}.{kind.lower()}",
            "PayloadUUID": _uuid(account, kind),
            "PayloadDisplayName": f"{shown} of {name}",
            f"{kind}AccountDescription": account.title,
            f"{kind}HostName": account.host,
            f"{kind}Port": account.port,
            f"{kind}UseSSL": account.encrypted,
            f"{kind}PrincipalURL": account.principal_path,
            f"{kind}Username": account.user,
            f"{kind}Password": account.password,
        }
        for kind, shown, wanted in (("CalDAV", "Calendars", calendar), ("CardDAV", "Contacts", contacts))
        if wanted
    ]
    profile = {
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadIdentifier": identifier,
        "PayloadUUID": _uuid(account, "profile"),
        "PayloadDisplayName": f"{account.title} ({name})",
        "PayloadDescription": "Calendars, reminders and contacts.",
        "PayloadOrganization": account.organization or account.title,
        "PayloadRemovalDisallowed": False,
        "PayloadContent": payloads,
    }
    return plistlib.dumps(profile)


def sign(profile: bytes, certificate: Path, key: Path) -> bytes:
    """The profile inside of a CMS SignedData (RFC 5652), as Apple's devices verify it.

    Raises:
        ConfigurationError: certificate and key cannot be read, or cannot sign.
    """
    try:
        chain = x509.load_pem_x509_certificates(certificate.read_bytes())
        private = load_pem_private_key(key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"The profile cannot be signed with {certificate} and {key}: {error}."
        ) from error
    if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ConfigurationError(f"The key {key} cannot sign profiles; it must be RSA or EC.")
    builder = pkcs7.PKCS7SignatureBuilder().set_data(profile).add_signer(chain[0], private, hashes.SHA256())
    for each in chain[1:]:
        builder = builder.add_certificate(each)
    return builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary])


def instructions(account: Account, *, link: str) -> str:
    """What a person enters, in the words of the programs."""
    note = (
        ""
        if account.encrypted
        else "\nApple's devices want https, which this server does not have at this URL.\n"
    )
    return f"""\
Calendars, tasks and contacts of {account.user}

  Server     {account.url}
  User name  {account.user}
  Password   {account.password}
{note}
Android    Install DAVx5, then open this link, or scan its QR code (tagwerk onboard --format png):
           {link}
iPhone     Settings > Apps > Calendar > Calendar Accounts > Add Account > Other > CalDAV, and the same
           under Contacts; or open the profile (tagwerk onboard --format mobileconfig).
Others     docs/clients.md has every step.

The password is for one device. Who loses it asks for a new one; nothing else changes.
"""


def _uuid(account: Account, what: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{account.url}{account.user}/{what}")).upper()
