"""`[rights] type = tagwerk_radicale.rights`: everybody has their own home, nobody another's."""

from __future__ import annotations

from radicale import pathutils
from radicale.config import Configuration
from radicale.rights import BaseRights


class Rights(BaseRights):
    """Owner only."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        # "D" is the permission to delete a collection where that is not permitted by
        # default, and on a home, where it is, it is the prohibition (app/delete.py).
        permit = configuration.get("rights", "permit_delete_collection")
        self._home = "RWD" if permit else "RW"

    def authorization(self, user: str, user_groups: set[str], path: str) -> str:
        """Radicale's letters for what `user` may do with the collection at `path`; "" for nothing."""
        if not user:
            return ""
        segments = pathutils.strip_path(path).split("/")
        if segments == [""]:
            return "R"
        if segments[0] != user:
            return ""
        if len(segments) == 1:
            return self._home
        return "rw" if len(segments) == 2 else ""
