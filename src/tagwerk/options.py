"""Options: their names, types, defaults and meaning, as data, and what a value may be.

`OPTIONS` is the only place that knows them; `config/tagwerk.ini` and `docs/options.md`
are printed from it.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tagwerk.errors import ConfigurationError

KIB, MIB, GIB = 1024, 1024**2, 1024**3

TAGWERK = "tagwerk"
RADICALE_AUTH_TYPES = (
    "htpasswd",
    "ldap",
    "imap",
    "pam",
    "dovecot",
    "oauth2",
    "http_x_remote_user",
    "http_remote_user",
    "remote_user",
    "none",
    "denyall",
)

# Radicale 3.9's own options of [auth]; a test compares them with its schema.  `type`, `realm`
# and `delay` are not among them: the first two are ours, and we throttle ourselves.
_RADICALE_AUTH = (
    "cache_failed_logins_expiry cache_logins cache_successful_logins_expiry dovecot_connection_type dovecot_host"
    " dovecot_port dovecot_socket htpasswd_cache htpasswd_encryption htpasswd_filename imap_append_domain imap_host"
    " imap_security lc_username ldap_base ldap_filter ldap_group_base ldap_group_filter"
    " ldap_group_members_attribute ldap_groups_attribute ldap_ignore_attribute_create_modify_timestamp"
    " ldap_reader_dn ldap_secret ldap_secret_file ldap_security ldap_ssl_ca_file ldap_ssl_verify_mode ldap_uri"
    " ldap_user_attribute oauth2_client_id oauth2_client_secret oauth2_token_endpoint pam_group_membership"
    " pam_service remote_ip_source strip_domain uc_username urldecode_username"
)
RADICALE_AUTH_OPTIONS = frozenset(_RADICALE_AUTH.split())

BOOLEANS = MappingProxyType(
    {"yes": True, "no": False, "true": True, "false": False, "on": True, "off": False, "1": True, "0": False}
)

NAME_OPTIONS = frozenset({"lc_username", "uc_username", "strip_domain", "urldecode_username"})
"""What Radicale does with a user name before it asks anybody, whoever is asked."""

SECTIONS: Mapping[str, str] = MappingProxyType(
    {
        "server": "Where the server listens and what it accepts.",
        "tls": "HTTPS without a reverse proxy.",
        "storage": "Where the data lies.",
        "auth": "Who may come in.",
        "dav": "Limits of CalDAV and CardDAV requests.",
        "sharing": "How people share with each other.",
        "maintenance": "What `tagwerk maintenance` does.",
        "retention": "How long things that are gone are remembered.",
        "jobs": "Work that is done after the answer, such as mail and upkeep.",
        "onboarding": "What `tagwerk onboard` tells devices.",
        "logging": "What is written to the log, on standard error.",
        "observe": "Who may see how the server is: `/-/health` and `/-/metrics`.",
    }
)


@dataclass(frozen=True, slots=True)
class Option:
    """One option.  `type` is one of text, path, integer, size (bytes), boolean, networks and choice.

    `default` is written as it stands in a file; `minimum` and `maximum` bound integers
    and sizes; `attribute` is its name in `Settings` where that is another one.
    """

    section: str
    name: str
    type: str
    default: str
    doc: str
    choices: tuple[str, ...] = ()
    minimum: int = 0
    maximum: int = 2**53
    attribute: str = ""


OPTIONS: tuple[Option, ...] = (
    Option(
        "server", "host", "text", "127.0.0.1", "Address or name to listen on; 0.0.0.0 and :: mean every one."
    ),
    Option("server", "port", "integer", "5232", "TCP port to listen on; 0 takes a free one.", maximum=65535),
    Option(
        "server",
        "workers",
        "integer",
        "1",
        "Processes that answer requests. One is enough for a household; more use more processors.",
        minimum=1,
        maximum=64,
    ),
    Option(
        "server",
        "base_path",
        "text",
        "",
        "Path under which a reverse proxy shows the server, for example /dav; empty for the root of the host.",
    ),
    Option(
        "server",
        "public_url",
        "text",
        "",
        "Where clients reach the server, for example https://dav.example.org: public links begin with it, and devices"
        " are set up with it; requests may name things by its URLs, besides those of the host that they ask. Empty: host"
        " and port.",
    ),
    Option(
        "server",
        "max_body_size",
        "size",
        "32 MiB",
        "Largest request body, chunked or not; a larger one is answered with 413.",
        minimum=64 * KIB,
    ),
    Option(
        "server",
        "trusted_proxies",
        "networks",
        "127.0.0.1, ::1, unix",
        "Addresses and networks of the reverse proxies. Only what comes from these may say with X-Forwarded-For, -Proto"
        " and -Host who asked for what, and only they may name a user or a certificate in a header. unix: sockets of"
        " this machine that are no network's.",
    ),
    Option(
        "tls",
        "certificate",
        "path",
        "",
        "File with the certificate and those that lead to its authority (PEM); empty for HTTP. SIGHUP reads it again.",
    ),
    Option("tls", "key", "path", "", "File with the key (PEM), if it is not in the same file."),
    Option(
        "tls",
        "client_ca",
        "path",
        "",
        "File with the authorities (PEM) whose client certificates are asked for and let in; empty for none.",
    ),
    Option(
        "storage",
        "data",
        "path",
        "",
        "Folder of everything that is stored. Empty: $TAGWERK_DATA, else /var/lib/tagwerk if this is"
        " /etc/tagwerk/tagwerk.ini, else tagwerk in $XDG_DATA_HOME, which is usually ~/.local/share/tagwerk."
        " It is created with mode 0700.",
    ),
    Option(
        "storage",
        "url",
        "text",
        "",
        "URL of the database: sqlite:///var/lib/tagwerk/tagwerk.sqlite or postgresql://tagwerk@host/tagwerk, with"
        " everything that PostgreSQL's own URLs can say. Empty: tagwerk.sqlite in the data folder.",
        attribute="database_url",
    ),
    Option(
        "auth",
        "type",
        "choice",
        TAGWERK,
        "Who checks passwords: tagwerk knows the users of `tagwerk user`, every other type is Radicale's."
        " With one of those, all of Radicale's options of [auth] may stand in this section as well"
        " (htpasswd_filename, ldap_uri, imap_host, ...) and are handed on as they are."
        " none lets everybody in without a password.",
        choices=(TAGWERK, *RADICALE_AUTH_TYPES),
    ),
    Option("auth", "realm", "text", "Tagwerk", "The name that clients show when they ask for a password."),
    Option(
        "auth",
        "cache_seconds",
        "integer",
        "300",
        "How long a verified password is remembered in memory, in seconds; 0 verifies it at every request."
        " A changed password or a removed user is refused at once in any case.",
        maximum=86400,
    ),
    Option(
        "auth",
        "argon2_memory",
        "size",
        "64 MiB",
        "Memory that computing one password hash takes (RFC 9106); hashes of other parameters are renewed at the"
        " next login.",
        minimum=8 * MIB,
        maximum=4 * GIB,
    ),
    Option(
        "auth",
        "argon2_passes",
        "integer",
        "3",
        "Passes over that memory.",
        minimum=1,
        maximum=100,
    ),
    Option(
        "auth",
        "argon2_lanes",
        "integer",
        "4",
        "Lanes that are computed side by side.",
        minimum=1,
        maximum=64,
    ),
    Option(
        "auth",
        "app_passwords_only",
        "boolean",
        "no",
        "Let clients in with app passwords alone (`tagwerk app-password`), never with the password of the user.",
    ),
    Option(
        "auth",
        "throttle_failures",
        "integer",
        "10",
        "Wrong passwords for one user name from one address, in throttle_seconds, after which that address gets 429"
        " for that name; 0 for no limit. Nobody else is locked out, and what is known to be right is let in.",
        maximum=1_000_000,
    ),
    Option(
        "auth",
        "throttle_address_failures",
        "integer",
        "50",
        "Wrong passwords for all names together from one address (IPv6: one /64) after which it gets 429, but for names"
        " that have logged in from there; 0 for no limit.",
        maximum=1_000_000,
    ),
    Option(
        "auth",
        "throttle_seconds",
        "integer",
        "900",
        "The time in which wrong passwords are counted, and after which they are forgotten.",
        minimum=1,
        maximum=86400,
    ),
    Option(
        "auth",
        "certificate_header",
        "text",
        "",
        "Header in which a trusted proxy hands on the client certificate that it has verified, as PEM, percent-encoded"
        " or not: X-Client-Certificate, for example. Empty: certificates count only if TLS ends here ([tls]"
        " client_ca).",
    ),
    Option(
        "auth",
        "certificate_user",
        "choice",
        "name",
        "What of a client certificate is the user: the common name of its subject (name), or the user with its e-mail"
        " address (email).",
        choices=("name", "email"),
    ),
    Option(
        "auth",
        "oidc_issuer",
        "text",
        "",
        "URL of an OpenID Connect provider whose access and ID tokens are taken as Bearer tokens, as it stands in"
        " their iss; empty for none.",
    ),
    Option(
        "auth",
        "oidc_audience",
        "text",
        "",
        "What the aud of a token has to name; needed with oidc_issuer.",
    ),
    Option(
        "auth",
        "oidc_user_claim",
        "text",
        "preferred_username",
        "The claim of a token that is the user name.",
    ),
    Option(
        "auth",
        "create_users",
        "boolean",
        "yes",
        "Give whom a token, a certificate or a proxy names a calendar, a task list and an address book at the first"
        " login; no: only users who are there already come in.",
    ),
    Option(
        "dav",
        "max_resource_size",
        "size",
        "10 MiB",
        "Largest event, task or card; announced to clients as max-resource-size.",
        minimum=KIB,
    ),
    Option(
        "dav",
        "sync_page_size",
        "integer",
        "100000",
        "Changes in one answer to sync-collection; clients fetch the next page with the token they get.",
        minimum=1,
        maximum=1_000_000,
    ),
    Option(
        "dav",
        "max_multiget",
        "integer",
        "5000",
        "Objects that one multiget may ask for.",
        minimum=1,
        maximum=1_000_000,
    ),
    Option(
        "dav",
        "max_results",
        "integer",
        "50000",
        "Objects in the answer to one query; more is answered with number-of-matches-within-limits.",
        minimum=1,
        maximum=10_000_000,
    ),
    Option(
        "dav",
        "quota",
        "size",
        "0",
        "Bytes that everything a user owns may take, where `tagwerk user quota` says nothing else; 0 for no limit.",
    ),
    Option(
        "dav",
        "principal_lookup",
        "choice",
        "everyone",
        "Whom a user may look up by name or address, for inviting and sharing: everyone on this server, those in a"
        " common group (groups), or nobody.",
        choices=("everyone", "groups", "nobody"),
    ),
    Option(
        "sharing",
        "accept",
        "choice",
        "at-once",
        "Whether what is shared with somebody on this server is in their home at once, or they are asked before;"
        " `tagwerk user invitations` says it for one user. Whoever was given something can leave it.",
        choices=("at-once", "ask"),
    ),
    Option(
        "maintenance",
        "backup_folder",
        "path",
        "",
        "Where backups go; empty: backups in the data folder. Better on another disk.",
    ),
    Option(
        "maintenance",
        "backups",
        "integer",
        "14",
        "How many backups are kept; 0 makes none.",
        maximum=10_000,
    ),
    Option(
        "retention",
        "tombstone_days",
        "integer",
        "365",
        "Days for which removals are remembered, so that a device that was away as long still syncs without"
        " starting again; at least 90.",
        minimum=90,
        maximum=36500,
    ),
    Option(
        "retention",
        "audit_days",
        "integer",
        "730",
        "Days for which it is remembered who shared what with whom.",
        minimum=1,
        maximum=36500,
    ),
    Option(
        "retention",
        "trash_days",
        "integer",
        "30",
        "Days for which collections that were deleted can be had again (`tagwerk trash`); with 0 until the next"
        " daily upkeep.",
        maximum=36500,
    ),
    Option(
        "retention",
        "history_days",
        "integer",
        "30",
        "Days for which objects that were deleted, and earlier versions of those that were changed, can be had"
        " again (`tagwerk trash`, `history`, `undo`); with 0 until the next daily upkeep.",
        maximum=36500,
    ),
    Option(
        "jobs",
        "run",
        "choice",
        "serve",
        "Who does the jobs: every process of `tagwerk serve` (serve), or only `tagwerk worker` (worker).",
        choices=("serve", "worker"),
    ),
    Option("onboarding", "title", "text", "Tagwerk", "What devices call the account, and who it is from."),
    Option(
        "onboarding",
        "certificate",
        "path",
        "",
        "File with the certificate (PEM, with those that lead to its authority) that signs profiles for Apple's"
        " devices; empty: that of [tls], or none.",
    ),
    Option("onboarding", "key", "path", "", "File with its key (PEM), if it is not in the same file."),
    Option(
        "logging",
        "level",
        "choice",
        "info",
        "The least severe messages that are written.",
        choices=("debug", "info", "warning", "error"),
    ),
    Option(
        "logging",
        "format",
        "choice",
        "text",
        "text for people, json for programs (one object in a line).",
        choices=("text", "json"),
    ),
    Option(
        "logging",
        "access",
        "choice",
        "errors",
        "Requests that are logged, with id, user, client, route, status, duration and bytes, and never with names of"
        " objects, passwords or contents: all, those that the server failed to answer (errors), or none.",
        choices=("all", "errors", "none"),
    ),
    Option(
        "logging",
        "slow_request_ms",
        "integer",
        "2000",
        "Requests that take longer, in milliseconds, are logged with the times of their queries; 0 for none.",
        maximum=3_600_000,
    ),
    Option(
        "observe",
        "allow",
        "networks",
        "127.0.0.1, ::1, unix",
        "Addresses and networks that may ask; everybody else is told that there is nothing.",
    ),
    Option(
        "observe",
        "port",
        "integer",
        "0",
        "A port for this alone, on [observe] host; 0: it is on the server's own port.",
        maximum=65535,
    ),
    Option("observe", "host", "text", "127.0.0.1", "The address of that port."),
)


def parse_value(option: Option, text: str, *, where: str) -> str | int | tuple[str, ...]:
    """What `text` means for the option: a number, bytes as a number, yes or no, networks, or the text itself.

    `where` begins the sentence of the error, as in ``tagwerk.ini, line 3``.

    Raises:
        ConfigurationError: it is none of the values that the option can have.
    """
    title = f"{where}: [{option.section}] {option.name}"
    if option.type == "integer":
        return _bounded(
            option, int(text) if re.fullmatch(r"-?\d{1,15}", text, re.ASCII) else None, text, title
        )
    if option.type == "size":
        return _bounded(option, size_of(text), text, title)
    if option.type == "boolean":
        if text.lower() not in BOOLEANS:
            raise ConfigurationError(f"{title} must be yes or no, not {text!r}.")
        return BOOLEANS[text.lower()]
    if option.type == "networks":
        return _networks(text, title)
    if option.type == "choice" and text not in option.choices:
        raise ConfigurationError(f"{title} cannot be {text!r}. {choices(text, list(option.choices))}")
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise ConfigurationError(f"{title} must be one line without control characters.")
    if option.name == "base_path":
        return _base_path(text, title)
    if option.name == "public_url" and text and not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", text):
        raise ConfigurationError(f"{title} must be a URL such as https://dav.example.org, not {text!r}.")
    if option.name in ("host", "realm") and not text:
        raise ConfigurationError(f"{title} is empty.")
    if option.name == "realm" and '"' in text:
        raise ConfigurationError(f"{title} must not hold quotation marks.")
    return text


def _networks(text: str, title: str) -> tuple[str, ...]:
    """Networks in their canonical form; ``unix`` stands for whoever comes through a socket of this machine."""
    found = []
    for word in text.replace(",", " ").split():
        try:
            found.append("unix" if word == "unix" else str(ipaddress.ip_network(word, strict=False)))
        except ValueError as error:
            raise ConfigurationError(
                f"{title} holds addresses such as 192.0.2.1 or 2001:db8::/32, not {word!r}."
            ) from error
    return tuple(dict.fromkeys(found))


def _bounded(option: Option, number: int | None, text: str, title: str) -> int:
    if number is None:
        what = "a size such as 10 MiB" if option.type == "size" else "a number"
        raise ConfigurationError(f"{title} must be {what}, not {text!r}.")
    if not option.minimum <= number <= option.maximum:
        raise ConfigurationError(
            f"{title} must lie between {option.minimum} and {option.maximum}, {text} does not."
        )
    return number


def size_of(text: str) -> int | None:
    """The bytes that a size such as ``10 MiB`` stands for, None where it is no size."""
    match = re.fullmatch(r"(\d{1,15})\s*(?:([kmg])(i?)b?|b)?", text, re.ASCII | re.IGNORECASE)
    if match is None:
        return None
    number, letter, binary = match.groups()
    power = " kmg".index(letter.lower()) if letter else 0
    # "10M" is what other programs' files say, and they mean 1024.
    thousand = 1000 if letter and not binary and text[-1] in "bB" else 1024
    return int(int(number) * thousand**power)


def _base_path(text: str, title: str) -> str:
    path = "/" + text.strip("/")
    if path == "/":
        return ""
    if not re.fullmatch(r"(/[A-Za-z0-9._~@+-]+)+", path) or {".", ".."} & set(path.split("/")):
        raise ConfigurationError(f"{title} must be a path such as /dav, not {text!r}.")
    return path


def choices(wrong: str, names: Iterable[str]) -> str:
    """What could have been meant, and what there is, as sentences."""
    names = list(names)
    close = difflib.get_close_matches(wrong, names, n=1)
    there = f"There are {', '.join(names)}."
    return f"Did you mean {close[0]!r}? {there}" if close else there
