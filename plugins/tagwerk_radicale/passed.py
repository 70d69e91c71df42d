"""The auth plugin of `tagwerk serve`: whoever comes to Radicale's dispatch has been let in already.

Every way to log in, and its limits, are decided in `tagwerk.accounts.gate`; Radicale's
dispatch only hears the result.
"""

from __future__ import annotations

import threading
from typing import Any

from radicale.auth import AuthContext, BaseAuth

from tagwerk.model import Login

LOGIN = "tagwerk.login"
"""In the environ: the `Login`, or None for nobody."""


class Auth(BaseAuth):
    """Tells Radicale what the gate found."""

    _here = threading.local()

    def get_external_login(self, environ: Any) -> tuple[str, str]:
        login: Login | None = environ.get(LOGIN)
        self._here.groups = set(login.groups) if login else set()
        return (login.name if login else ""), ""

    def _login_ext_with_groups(self, login: str, password: str, context: AuthContext) -> tuple[str, set[str]]:
        return login, self._here.groups
