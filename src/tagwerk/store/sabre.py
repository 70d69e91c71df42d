"""Other servers' databases, read and never written: sabre/dav's tables, as Baïkal and Nextcloud have them too.

SQLite files, and PostgreSQL and MySQL by URL where their drivers are installed.  The
statements have no parameters that a driver would write in its own way.
"""

from __future__ import annotations

import contextlib
import importlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tagwerk.errors import ConfigurationError

_DRIVERS = {
    "postgresql": ("psycopg", "postgres"),
    "postgres": ("psycopg", "postgres"),
    "mysql": ("pymysql", "mysql"),
    "mariadb": ("pymysql", "mysql"),
}
"""The driver of a scheme, and the extra of ours that installs it."""


class Tables:
    """One connection; `prefix` stands before the names of tables (``oc_`` for Nextcloud)."""

    def __init__(self, connection: Any, prefix: str = "") -> None:
        self._connection, self._prefix = connection, prefix

    def has(self, table: str, *columns: str) -> bool:
        """Whether there is a table with these columns."""
        try:
            with contextlib.closing(self._connection.cursor()) as cursor:
                cursor.execute(f"SELECT {', '.join(columns) or '1'} FROM {self._prefix}{table} WHERE 1 = 0")
        except Exception:
            # Every driver has errors of its own; PostgreSQL wants to hear that it is over.
            self._connection.rollback()
            return False
        return True

    def rows(
        self, columns: str, table: str, *, where: str = "", order: str = "", raw: bool = False
    ) -> Iterator[tuple[Any, ...]]:
        """Rows of one table, a thousand at a time; with `raw` as the driver gives them.

        Text is text, also where MySQL keeps it as bytes (VARBINARY).
        """
        sql = f"SELECT {columns} FROM {self._prefix}{table}"
        sql += f" WHERE {where}" if where else ""
        sql += f" ORDER BY {order}" if order else ""
        with contextlib.closing(self._connection.cursor()) as cursor:
            cursor.execute(sql)
            while rows := cursor.fetchmany(1000):
                yield from rows if raw else (tuple(map(_as_text, row)) for row in rows)


@contextmanager
def open_tables(place: str, *, prefix: str = "") -> Iterator[Tables]:
    """The database at a path of a SQLite file, or at ``postgresql://`` or ``mysql://``.

    Raises:
        ConfigurationError: there is none, or its driver is not installed.
    """
    connection = _sqlite(place) if "://" not in place or place.startswith("sqlite:") else _server(place)
    try:
        yield Tables(connection, prefix)
    finally:
        connection.close()


def _as_text(value: Any) -> Any:
    return bytes(value).decode("utf-8", "replace") if isinstance(value, bytes | memoryview) else value


def _sqlite(place: str) -> Any:
    path = Path(urlsplit(place).path if place.startswith("sqlite:") else place)
    if not path.is_file():
        raise ConfigurationError(f"There is no database {path}.")
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        connection.execute("SELECT 1 FROM sqlite_master")
    except sqlite3.Error as error:
        raise ConfigurationError(f"{path} is no SQLite database: {error}.") from error
    # Some wrote Latin-1 into it.
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return connection


def _server(place: str) -> Any:
    parts = urlsplit(place)
    driver, extra = _DRIVERS.get(parts.scheme, ("", ""))
    if not driver:
        raise ConfigurationError(f"{parts.scheme}: is no kind of database that can be read.")
    try:
        module = importlib.import_module(driver)
    except ImportError as error:
        raise ConfigurationError(
            f"Reading {parts.scheme} needs the Python package {driver}: pip install 'tagwerk[{extra}]'."
        ) from error
    try:
        if driver == "psycopg":
            connection = module.connect(place)
            connection.read_only = True
            return connection
        return module.connect(
            host=parts.hostname or "localhost",
            port=parts.port or 3306,
            unix_socket=dict(parse_qsl(parts.query)).get("socket"),
            user=unquote(parts.username or ""),
            password=unquote(parts.password or "").encode(),  # The driver would take it for Latin-1.
            database=unquote(parts.path.strip("/")),
            charset="utf8mb4",
            init_command="SET SESSION TRANSACTION READ ONLY",
        )
    except Exception as error:
        where = parts.hostname or dict(parse_qsl(parts.query)).get("socket") or "this machine"
        raise ConfigurationError(f"The database at {where} cannot be opened: {error}") from error
