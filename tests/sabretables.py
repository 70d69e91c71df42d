"""The tables of sabre/dav, Baïkal and Nextcloud, in the types that each has on each database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import mariadbserver
import postgrescluster

TYPES: dict[tuple[str, str], dict[str, str]] = {
    # key, number, small, name, uri, blob, text
    ("sabre", "sqlite"): {
        "key": "INTEGER PRIMARY KEY ASC NOT NULL", "number": "INTEGER", "small": "INTEGER", "name": "TEXT",
        "uri": "TEXT", "blob": "BLOB", "text": "TEXT",
    },
    ("sabre", "postgresql"): {
        "key": "SERIAL PRIMARY KEY", "number": "INTEGER", "small": "SMALLINT", "name": "VARCHAR(100)",
        "uri": "VARCHAR(200)", "blob": "BYTEA", "text": "TEXT",
    },
    ("sabre", "mysql"): {
        "key": "INTEGER UNSIGNED NOT NULL PRIMARY KEY AUTO_INCREMENT", "number": "INT(11) UNSIGNED",
        "small": "TINYINT(1)", "name": "VARCHAR(100)", "uri": "VARBINARY(200)", "blob": "MEDIUMBLOB", "text": "TEXT",
    },
    ("nextcloud", "sqlite"): {
        "key": "INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL", "number": "BIGINT UNSIGNED", "small": "SMALLINT",
        "name": "VARCHAR(255)", "uri": "VARCHAR(255)", "blob": "BLOB", "text": "CLOB",
    },
    ("nextcloud", "postgresql"): {
        "key": "BIGSERIAL PRIMARY KEY", "number": "BIGINT", "small": "SMALLINT", "name": "VARCHAR(255)",
        "uri": "VARCHAR(255)", "blob": "BYTEA", "text": "TEXT",
    },
    ("nextcloud", "mysql"): {
        "key": "BIGINT UNSIGNED NOT NULL PRIMARY KEY AUTO_INCREMENT", "number": "BIGINT UNSIGNED",
        "small": "SMALLINT", "name": "VARCHAR(255) COLLATE utf8mb4_bin", "uri": "VARCHAR(255) COLLATE utf8mb4_bin",
        "blob": "LONGBLOB", "text": "LONGTEXT COLLATE utf8mb4_bin",
    },
}  # fmt: skip
TYPES["baikal", "sqlite"] = TYPES["sabre", "sqlite"]
TYPES["baikal", "mysql"] = TYPES["sabre", "mysql"]
TYPES["baikal", "postgresql"] = TYPES["sabre", "postgresql"] | {"uri": "TEXT", "blob": "TEXT"}

SABRE = {
    "principals": "id key, uri uri, email uri, displayname name",
    "groupmembers": "id key, principal_id number, member_id number",
    "users": "id key, username uri, digesta1 uri",
    "calendars": "id key, synctoken number, components uri",
    "calendarinstances": "id key, calendarid number, principaluri uri, access small, displayname name, uri uri,"
    " description text, calendarorder number, calendarcolor uri, timezone text, transparent small, share_href uri,"
    " share_displayname name, share_invitestatus small",
    "calendarobjects": "id key, calendardata blob, uri uri, calendarid number, lastmodified number, etag uri,"
    " size number, componenttype uri, uid uri",
    "addressbooks": "id key, principaluri uri, displayname name, uri uri, description text, synctoken number",
    "cards": "id key, addressbookid number, carddata blob, uri uri, lastmodified number, etag uri, size number",
}
NEXTCLOUD = {
    "users": "uid name, displayname name, password name, uid_lower name",
    "groups": "gid name, displayname name",
    "group_user": "gid name, uid name",
    "preferences": "userid name, appid name, configkey name, configvalue text",
    "properties": "id key, userid name, propertypath name, propertyname name, propertyvalue text, valuetype small",
    "calendars": "id key, principaluri uri, displayname name, uri uri, synctoken number, description name,"
    " calendarorder number, calendarcolor name, timezone text, components name, transparent small, deleted_at number",
    "calendarobjects": "id key, calendardata blob, uri uri, calendarid number, lastmodified number, etag name,"
    " size number, componenttype name, uid name, classification small, calendartype small, deleted_at number",
    "calendarsubscriptions": "id key, uri uri, principaluri uri, source name, displayname name",
    "addressbooks": "id key, principaluri uri, displayname name, uri uri, description name, synctoken number",
    "cards": "id key, addressbookid number, carddata blob, uri uri, lastmodified number, etag name, size number,"
    " uid name",
    "dav_shares": "id key, principaluri name, type name, access small, resourceid number, publicuri name",
    "dav_cal_proxy": "id key, owner_id name, proxy_id name, permissions number",
}


class Writer:
    """Writes rows, and says how `tagwerk migrate` is told of the database."""

    def __init__(self, server: str, engine: str, connection: Any, place: str | Path) -> None:
        self.server, self._engine, self._connection, self.place = server, engine, connection, place
        self._prefix = "oc_" if server == "nextcloud" else ""
        types = TYPES[server, engine]
        for table, columns in (NEXTCLOUD if server == "nextcloud" else SABRE).items():
            typed = ", ".join(
                f"{name} {types[kind]}" for name, kind in (each.split() for each in columns.split(","))
            )
            self._run(f"CREATE TABLE {self._prefix}{table} ({typed})")

    def add(self, table: str, **values: object) -> None:
        """A row; bytes go where the server keeps text as well."""
        if TYPES[self.server, self._engine]["blob"] == "TEXT":
            values = {k: v.decode() if isinstance(v, bytes) else v for k, v in values.items()}
        mark = "?" if self._engine == "sqlite" else "%s"
        self._run(
            f"INSERT INTO {self._prefix}{table} ({', '.join(values)}) VALUES ({', '.join([mark] * len(values))})",
            tuple(values.values()),
        )

    def _run(self, statement: str, values: tuple[object, ...] = ()) -> None:
        cursor = self._connection.cursor()
        cursor.execute(statement, values) if values else cursor.execute(statement)
        cursor.close()


@contextmanager
def database(
    server: str, engine: str, *, path: Path, postgres: Any = None, maria: mariadbserver.MariaDb | None = None
) -> Iterator[Writer]:
    """An empty database of a server's, on an engine."""
    place: str | Path
    if engine == "sqlite":
        place, connection = path, sqlite3.connect(path)
    elif engine == "postgresql":
        import psycopg

        place = postgrescluster.new_database(postgres, empty=True)
        connection = psycopg.connect(place)
    else:
        name = f"there_{path.stem}"
        maria.query(f"CREATE DATABASE {name}")
        connection = maria.connect(name)
        account = f"{mariadbserver.READER}:{quote(mariadbserver.PASSWORD, safe='')}"
        place = f"mysql://{account}@127.0.0.1:{maria.port}/{name}"
    writer = Writer(server, engine, connection, place)
    yield writer
    connection.commit()
    connection.close()
