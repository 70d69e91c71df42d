"""The database.  SQL lives here and nowhere else; every function takes the transaction first."""

from __future__ import annotations

from tagwerk.errors import ConfigurationError, Conflict, NotFound
from tagwerk.store import schema
from tagwerk.store.address import is_postgresql, shown, sqlite_path
from tagwerk.store.engine import Engine, Transaction
from tagwerk.store.sqlite import SqliteEngine

__all__ = ["Engine", "Transaction", "open_engine"]


def open_engine(url: str, *, create: bool = True, unfinished: bool = False) -> Engine:
    """Open the database at `url` and bring its schema up to date; where there is none it is made, if `create`.

    Only who asks for an `unfinished` one gets one into which a transfer was begun and not ended.

    The URL is ``sqlite:///absolute/path``, or PostgreSQL's own: ``postgresql://user@host/database``.

    Raises:
        ConfigurationError: no such kind of database, its folder is missing, or the extra
            that brings psycopg is.
        NotFound: there is none, and it is not to be made.
        Unavailable: it cannot be reached or used.
        Conflict: a transfer into it was begun and not ended.
        SchemaMismatch: the database is of a newer Tagwerk.
    """
    engine = _postgresql(url) if is_postgresql(url) else _sqlite(url, create=create)
    try:
        if not create and not schema.is_there(engine):
            raise NotFound(f"There is no database at {shown(url)}.")
        schema.prepare(engine)
        engine.opened()
        if not unfinished:
            _refuse_unfinished(engine)
    except BaseException:
        engine.close()
        raise
    return engine


def _refuse_unfinished(engine: Engine) -> None:
    with engine.read() as txn:
        source = schema.meta(txn, schema.UNFINISHED)
    if source:
        raise Conflict(
            f"The transfer from {source} into this database was interrupted; run `tagwerk transfer` again."
        )


def _sqlite(url: str, *, create: bool) -> Engine:
    path = sqlite_path(url)
    if not create and not path.exists():
        # To open it would make it.
        raise NotFound(f"There is no database at {shown(url)}.")
    if not path.parent.is_dir():
        raise ConfigurationError(f"The folder {path.parent} of the database does not exist.")
    return SqliteEngine(path)


def _postgresql(url: str) -> Engine:
    # Only who uses PostgreSQL has psycopg, and waits for its import.
    try:
        from tagwerk.store.postgresql import PostgresEngine
    except ImportError as error:
        raise ConfigurationError(
            f"PostgreSQL needs psycopg ({error}); install it with pip install 'tagwerk[postgres]'."
        ) from error
    return PostgresEngine(url)
