"""One database connection pool per process and database, whoever asks for it.

An Application of Radicale makes two Storage instances (its own and one for sharing)
and an Auth; in a process that forks workers each worker opens its own.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from radicale.config import Configuration

from tagwerk import settings
from tagwerk.store import Engine, open_engine
from tagwerk_radicale.transactions import Database

OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "url": {
        "value": "",
        "help": "URL of the database, sqlite:///path or postgresql://...; empty: as in `tagwerk serve`",
        "type": str,
    },
    "data": {
        "value": "",
        "help": "folder of everything that is stored; empty: as in `tagwerk serve`",
        "type": str,
    },
}
"""What the plugins add to their sections of Radicale's configuration."""

_databases: dict[tuple[int, str], Database] = {}
_opened_here: set[tuple[int, str]] = set()
_lock = threading.Lock()


def database_of(configuration: Configuration, *sections: str) -> Database:
    """The database that the first of `sections` names which names one, or the default.

    The default is that of `tagwerk serve`: ``$TAGWERK_DATABASE``, ``$TAGWERK_DATA``,
    the user's data folder.

    Raises:
        ConfigurationError: the database cannot be opened.
        SchemaMismatch: it was written by another version of Tagwerk.
    """
    written, data = "", ""
    for section in sections:
        written, data = _option(configuration, section, "url"), _option(configuration, section, "data")
        if written or data:
            break
    folder = Path(data).expanduser() if data else None
    storage = settings.load(None, data=folder, environ=os.environ, database=written or None).storage
    if not written and storage.database_url.startswith(f"sqlite://{storage.data}/"):
        storage.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return database_at(storage.database_url)


def database_at(url: str) -> Database:
    """The database at `url`, opened once."""
    key = _key(url)
    with _lock:
        if key not in _databases:
            _databases[key] = Database(open_engine(url))
            _opened_here.add(key)
        return _databases[key]


def adopt(url: str, engine: Engine) -> Database:
    """Use `engine` for the database at `url` from now on; who opened it closes it."""
    key = _key(url)
    with _lock:
        if key in _opened_here:
            _opened_here.remove(key)
            _databases[key].engine.close()
        _databases[key] = Database(engine)
        return _databases[key]


def close_all() -> None:
    """Close what this process opened; for the end of the process, and of a test."""
    with _lock:
        for key in [key for key in _databases if key[0] == os.getpid()]:
            database = _databases.pop(key)
            if key in _opened_here:
                _opened_here.remove(key)
                database.engine.close()


def _key(url: str) -> tuple[int, str]:
    # After a fork the connections are the parent's; four slashes say what three say.
    return os.getpid(), url.replace("sqlite:////", "sqlite:///", 1)


def _option(configuration: Configuration, section: str, name: str) -> str:
    try:
        return str(configuration.get(section, name))
    except KeyError:
        return ""  # Another type of plugin is configured there.


atexit.register(close_all)
