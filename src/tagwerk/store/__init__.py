"""The database.  SQL lives here and nowhere else; every function takes the transaction first."""

from __future__ import annotations

from pathlib import Path

from tagwerk.errors import ConfigurationError
from tagwerk.store import schema
from tagwerk.store.engine import Engine, Transaction
from tagwerk.store.sqlite import SqliteEngine

__all__ = ["Engine", "Transaction", "open_engine"]


def open_engine(url: str) -> Engine:
    """Open the database at `url` (``sqlite:///absolute/path``) and bring its schema up to date.

    Raises:
        ConfigurationError: no such kind of database, or its folder is missing.
        SchemaMismatch: the database is of a newer Tagwerk.
    """
    scheme, separator, rest = url.partition("://")
    if scheme != "sqlite" or not separator or not rest.startswith("/"):
        raise ConfigurationError(f"{url!r} names no database; write sqlite:///path/to/tagwerk.sqlite.")
    path = Path(rest[1:] if rest.startswith("//") else rest)
    if not path.parent.is_dir():
        raise ConfigurationError(f"The folder {path.parent} of the database does not exist.")
    engine = SqliteEngine(path)
    schema.prepare(engine)
    return engine
