"""`[auth] type = tagwerk_radicale.auth`: the users of `tagwerk user`.

`config/radicale.ini` sets ``delay = 0``: Radicale would sleep in a worker for every
request without credentials, and clients begin with one.
"""

from __future__ import annotations

import logging
from typing import Any

from radicale.auth import AuthContext, BaseAuth
from radicale.config import Configuration

from tagwerk.accounts.login import Authenticator
from tagwerk.accounts.throttle import Limits
from tagwerk.errors import TooManyAttempts
from tagwerk.model import Rights
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

_LOGGER = logging.getLogger("tagwerk.accounts")


class Auth(BaseAuth):
    """Verifies logins in the database of [auth], or else of [storage]."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration.copy(PLUGIN_CONFIG_SCHEMA))
        database = database_of(self.configuration, "auth", "storage")
        cache_seconds = self.configuration.get("auth", "cache_seconds")
        self._authenticator = Authenticator(database.engine, cache_seconds=cache_seconds, limits=Limits())

    def _login_ext(self, login: str, password: str, context: AuthContext) -> str:
        # `Unavailable` is not caught: after a 401 clients ask for the password, or forget the account.
        try:
            address = context.remote_addr or ""
            found = again(lambda: self._authenticator.authenticate(login, password, address=address))
        except TooManyAttempts as error:
            # There is no way to say 429 here, and a 500 would hide what is wrong.
            _LOGGER.warning("%s (%s)", error, context.remote_addr)
            return ""
        if found is None:
            return ""
        if found.rights is not Rights.ALL:
            _LOGGER.warning(
                "The app password %r of %r is limited to %s, which only `tagwerk serve` can enforce.",
                found.label,
                found.name,
                found.rights.value,
            )
            return ""
        return found.name

    def _sleep_for_constant_exec_time(self, time_ns_begin: int) -> None:
        """Not needed: an unknown name takes as long as a wrong password.

        Radicale sleeps in the worker, until the time of the slowest failure so far.
        """
