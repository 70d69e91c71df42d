"""`[auth] type = tagwerk_radicale.auth`: the users of `tagwerk user`.

`config/radicale.ini` sets ``delay = 0``: Radicale would sleep in a worker for every
request without credentials, and clients begin with one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from radicale.auth import AuthContext, BaseAuth
from radicale.config import Configuration

from tagwerk import options
from tagwerk.accounts.login import Authenticator
from tagwerk.accounts.throttle import Limits
from tagwerk.errors import TooManyAttempts
from tagwerk.http.proxies import Trusted
from tagwerk.model import Rights
from tagwerk.store.engine import again
from tagwerk_radicale.engines import OPTIONS, database_of

_SHARED = {
    ("auth", "cache_seconds"),
    ("auth", "app_passwords_only"),
    ("auth", "throttle_failures"),
    ("auth", "throttle_address_failures"),
    ("auth", "throttle_seconds"),
    ("server", "trusted_proxies"),
}
"""Options of `tagwerk serve` that the section [auth] of Radicale has with this plugin, in the same words."""


def _typed(option: options.Option) -> Callable[[str], Any]:
    def typed(text: str) -> Any:
        return options.parse_value(option, str(text), where="Radicale's configuration")

    return typed


PLUGIN_CONFIG_SCHEMA: dict[str, Any] = {
    "auth": {
        **OPTIONS,
        **{
            each.name: {"value": each.default, "help": each.doc, "type": _typed(each)}
            for each in options.OPTIONS
            if (each.section, each.name) in _SHARED
        },
    }
}

_LOGGER = logging.getLogger("tagwerk.accounts")


class Auth(BaseAuth):
    """Verifies logins in the database of [auth], or else of [storage]."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration.copy(PLUGIN_CONFIG_SCHEMA))
        database = database_of(self.configuration, "auth", "storage")

        def option(name: str) -> Any:
            return self.configuration.get("auth", name)

        self._proxies = Trusted(option("trusted_proxies"))
        self._here = threading.local()
        self._authenticator = Authenticator(
            database.engine,
            cache_seconds=option("cache_seconds"),
            limits=Limits(
                option("throttle_failures"), option("throttle_address_failures"), option("throttle_seconds")
            ),
            app_passwords_only=option("app_passwords_only"),
        )

    def get_external_login(self, environ: Any) -> Any:
        """Nothing; but only here Radicale shows what a proxy says of the client, just before it asks for the login."""
        peer = environ.get("REMOTE_ADDR", "")
        forwarded = environ.get("HTTP_X_FORWARDED_FOR", "")
        client = self._proxies.client(forwarded) if self._proxies.includes(peer) else ""
        self._here.address = client or peer
        return super().get_external_login(environ)

    def _login_ext(self, login: str, password: str, context: AuthContext) -> str:
        # `Unavailable` is not caught: after a 401 clients ask for the password, or forget the account.
        address = getattr(self._here, "address", "") or context.remote_addr or ""
        try:
            found = again(lambda: self._authenticator.authenticate(login, password, address=address))
        except TooManyAttempts as error:
            # There is no way to say 429 here, and a 500 would hide what is wrong.
            _LOGGER.warning("%s (%s)", error, address)
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
