"""`[auth] type = tagwerk_radicale.auth`: the users of `tagwerk user`.

`config/radicale.ini` sets ``delay = 0``: Radicale would sleep in a worker for every
request without credentials, and clients begin with one.
"""

from __future__ import annotations

from typing import Any

from radicale.auth import BaseAuth
from radicale.config import Configuration

from tagwerk.accounts.login import Authenticator
from tagwerk.store.engine import again
from tagwerk_radicale.engines import OPTIONS, database_of

CACHE_SECONDS = 300

PLUGIN_CONFIG_SCHEMA: dict[str, Any] = {
    "auth": {
        **OPTIONS,
        "cache_seconds": {
            "value": str(CACHE_SECONDS),
            "help": "how long a verified password is remembered, in seconds",
            "type": int,
        },
    }
}


class Auth(BaseAuth):
    """Verifies logins in the database of [auth], or else of [storage]."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration.copy(PLUGIN_CONFIG_SCHEMA))
        database = database_of(self.configuration, "auth", "storage")
        cache_seconds = self.configuration.get("auth", "cache_seconds")
        self._authenticator = Authenticator(database.engine, cache_seconds=cache_seconds)

    def _login(self, login: str, password: str) -> str:
        # `Unavailable` is not caught: after a 401 clients ask for the password, or forget the account.
        return again(lambda: self._authenticator.login(login, password)) or ""

    def _sleep_for_constant_exec_time(self, time_ns_begin: int) -> None:
        """Not needed: an unknown name takes as long as a wrong password.

        Radicale sleeps in the worker, until the time of the slowest failure so far.
        """
