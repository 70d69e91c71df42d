"""What psycopg and libpq are told, and what their errors mean to us."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.adapt import AdaptersMap
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.numeric import NumericBinaryLoader

from tagwerk.errors import (
    ConfigurationError,
    DatabaseUnavailable,
    DiskFull,
    InvalidRequest,
    Refused,
    Undone,
)
from tagwerk.model import CollectionId, Modseq
from tagwerk.store.address import secrets_of, shown
from tagwerk.store.engine import Row

STATEMENT_SECONDS = 30
"""How long one statement may take, waiting for other writers included."""

IDLE_SECONDS = 300
"""How long a transaction may do nothing: then the process behind it hangs."""

CHANNEL = "tagwerk_changes"

_TOLD_AT_ONCE = 150

_DEFAULTS = {
    "application_name": "tagwerk",
    "connect_timeout": "5",
    # A machine that is gone does not say so.
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}

_TWICE = ("23505", "23503", "23P01")
"""Another transaction was first: the rows that stand in the way were not there when this one looked."""

_CANCELLED, _DISK_FULL, _TOO_LARGE = "57014", "53100", "54000"


class Context:
    """How values of the database become Python's."""

    connection = None

    def __init__(self) -> None:
        self.adapters = AdaptersMap(psycopg.adapters)
        # SUM of BIGINT is NUMERIC; all of ours are whole.
        self.adapters.register_loader("numeric", _WholeLoader)
        self.adapters.register_loader("numeric", _WholeBinaryLoader)


def configure(connection: Connection[Row]) -> None:
    connection.execute(
        f"SET statement_timeout = '{STATEMENT_SECONDS}s';"
        f" SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s';"
        " SET TIME ZONE 'UTC'; SET client_encoding = 'UTF8'",
        prepare=False,
    )


class _WholeLoader(psycopg.adapt.Loader):
    def load(self, data: Any) -> int:
        return int(bytes(data))


class _WholeBinaryLoader(NumericBinaryLoader):
    def load(self, data: Any) -> int:  # type: ignore[override]
        return int(super().load(data))


def conninfo(url: str) -> str:
    """What libpq is told, with our defaults where the URL says nothing.

    Raises:
        ConfigurationError: libpq does not understand it.
    """
    scheme, mark, rest = url.partition("://")
    try:
        # libpq knows schemes in lower case only (RFC 3986 3.1).
        given = conninfo_to_dict(scheme.lower() + mark + rest)
    except psycopg.Error as error:
        raise ConfigurationError(f"{shown(url)!r} is no URL of a database: {_said(error, url)}.") from error
    # The password may stand there, but `make_conninfo` is called by nobody who prints it.
    return make_conninfo("", **(_DEFAULTS | {name: str(value) for name, value in given.items()}))


def notifications(changes: Mapping[CollectionId, Modseq]) -> Iterator[str]:
    """The statements that tell `changes`; a payload holds 8,000 bytes."""
    told = [f"{collection}:{modseq}" for collection, modseq in changes.items()]
    for begin in range(0, len(told), _TOLD_AT_ONCE):
        yield f"NOTIFY {CHANNEL}, '{' '.join(told[begin : begin + _TOLD_AT_ONCE])}'"


def told(payload: str) -> dict[CollectionId, Modseq]:
    pairs = (each.split(":") for each in payload.split())
    return {CollectionId(int(collection)): Modseq(int(modseq)) for collection, modseq in pairs}


def is_read_only(connection: Connection[Row]) -> bool:
    """Whether an administrator asks for no changes; PostgreSQL tells since version 14."""
    return connection.pgconn.parameter_status(b"default_transaction_read_only") == b"on"


def _said(error: psycopg.Error, url: str = "") -> str:
    """The first line of what PostgreSQL or libpq said, without anything secret."""
    text = (error.diag.message_primary or str(error)).strip().partition("\n")[0].rstrip(".")
    for secret in secrets_of(url):
        text = text.replace(secret, "***")
    return text


def translate(error: psycopg.Error, url: str, *, connecting: bool = False) -> Exception:
    """What one of psycopg's errors means to us; the error itself where it is a mistake of ours."""
    code = error.sqlstate or ""
    said = _said(error, url)
    place = shown(url)
    if code.startswith("40") or code in _TWICE or code == "55P03":
        return Undone(f"The database {place} was busy with the same rows; try again in a moment.")
    if code == _DISK_FULL:
        return DiskFull(f"The disk of the database {place} is full.")
    if code == _CANCELLED:
        return DatabaseUnavailable(f"The database {place} took more than {STATEMENT_SECONDS} seconds.")
    if code == _TOO_LARGE:
        return Refused("A UID or a name is longer than the database can index.")
    if code.startswith("22"):
        return InvalidRequest(f"The database does not take a text of this request: {said}.")
    if code == "28P01" or (connecting and code.startswith(("28", "3D"))):
        return DatabaseUnavailable(f"The database {place} does not let us in: {said}.")
    if code.startswith(("08", "57P")) or (isinstance(error, psycopg.OperationalError) and not code):
        kind = DatabaseUnavailable if connecting else Undone
        return kind(f"The database {place} cannot be reached: {said}.")
    if code.startswith(("25", "42501", "53", "55", "58", "XX", "3D", "28", "0A")):
        return DatabaseUnavailable(f"The database {place} cannot be used: {said}.")
    if isinstance(error, psycopg.DataError) and not code:
        return InvalidRequest(f"The database does not take a text of this request: {said}.")
    return error
