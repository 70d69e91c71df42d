"""The gate as the settings want it."""

from __future__ import annotations

import time
from collections.abc import Callable

from tagwerk.accounts.certificates import reader
from tagwerk.accounts.gate import Gate
from tagwerk.accounts.login import Authenticator, Backend
from tagwerk.accounts.oidc import verifier
from tagwerk.accounts.passwords import cost_of
from tagwerk.accounts.throttle import Limits
from tagwerk.settings import Auth, Settings
from tagwerk.store import Engine


def limits_of(auth: Auth) -> Limits:
    """How often [auth] lets somebody guess."""
    return Limits(auth.throttle_failures, auth.throttle_address_failures, auth.throttle_seconds)


def gate(
    settings: Settings, engine: Engine, *, backend: Backend | None, canonical: Callable[[str], str]
) -> Gate:
    """Everything that `[auth]` allows, on one database."""
    auth = settings.auth
    authenticator = Authenticator(
        engine,
        cache_seconds=auth.cache_seconds,
        cost=cost_of(auth),
        limits=limits_of(auth),
        app_passwords_only=auth.app_passwords_only,
        backend=backend,
    )
    return Gate(
        engine,
        authenticator,
        canonical=canonical,
        tokens=verifier(auth),
        certificates=reader(engine, auth),
        create_users=auth.create_users,
        clock=time.time,
    )
