"""Addresses: the URLs of databases, and how they are shown to people and logs."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from tagwerk.errors import ConfigurationError

POSTGRESQL = ("postgresql", "postgres")

_SECRETS = re.compile(r"(?i)([?&](?:password|sslpassword|passfile|sslkey)=)[^&#]*")
_USERINFO = re.compile(r"(?i)^([a-z][a-z0-9+.-]*://[^/?#@:]*):[^/?#]*@")


def is_postgresql(url: str) -> bool:
    """Whether it is PostgreSQL's to open."""
    return url.partition("://")[0].lower() in POSTGRESQL and "://" in url


def sqlite_path(url: str) -> Path:
    """The file that ``sqlite:///absolute/path`` names.

    Raises:
        ConfigurationError: it names none.
    """
    scheme, separator, rest = url.partition("://")
    if scheme != "sqlite" or not separator or not rest.startswith("/"):
        raise ConfigurationError(
            f"{shown(url)!r} names no database; write sqlite:///path/to/tagwerk.sqlite"
            " or postgresql://user@host/database."
        )
    return Path(rest[1:] if rest.startswith("//") else rest)


def shown(url: str) -> str:
    """The URL without its password, wherever that stands in it."""
    return _SECRETS.sub(r"\1***", _USERINFO.sub(r"\1:***@", url))


def without_secrets(url: str) -> str:
    """The URL as it works where the password is known from elsewhere, as from ``~/.pgpass``."""
    place, mark, query = _USERINFO.sub(r"\1@", url).partition("?")
    kept = [each for each in query.split("&") if not _SECRETS.match(f"?{each}")]
    return place + mark + "&".join(kept) if query and kept else place


def secrets_of(url: str) -> tuple[str, ...]:
    """What must not be seen in what a library says about the URL."""
    found = [match.group(0).partition("=")[2] for match in _SECRETS.finditer(url)]
    if match := _USERINFO.match(url):
        found.append(url[match.end(1) + 1 : match.end() - 1])
    return tuple({text for secret in found for text in (secret, unquote(secret)) if text})
