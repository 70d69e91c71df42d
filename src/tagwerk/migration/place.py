"""Places: where the objects of one collection go, and what can be stored there."""

from __future__ import annotations

from dataclasses import dataclass, field

from tagwerk.dav import paths
from tagwerk.errors import Conflict, InvalidPath, Refused
from tagwerk.model import CollectionId, Kind, Upload
from tagwerk.store import Transaction
from tagwerk.store.objects import etag_of, find_object, find_uid


@dataclass(slots=True)
class Place:
    """Where the objects of a collection go; `id` is None in a dry run for what is not here yet.

    What a dry run would have stored by now, `coming`, counts as if it were here.
    """

    kind: Kind
    components: tuple[str, ...]
    id: CollectionId | None
    coming: dict[str, tuple[str, str]] = field(default_factory=dict)
    """UIDs and ETags by name."""
    names: dict[str, str] = field(default_factory=dict)
    """The names of these, by UID."""

    def etag(self, txn: Transaction, name: str) -> str:
        """The ETag of what has this name, or ""."""
        if name in self.coming:
            return self.coming[name][1]
        stored = None if self.id is None else find_object(txn, self.id, name)
        return "" if stored is None else stored.etag

    def check(self, txn: Transaction, name: str, upload: Upload) -> None:
        """Raises Refused, Conflict or InvalidPath for what cannot be stored under this name."""
        facts = upload.facts
        if self.kind is Kind.CALENDAR and facts.component not in self.components:
            raise Refused(f"the calendar does not hold {facts.component}")
        other = self._name(txn, facts.uid)
        if other not in ("", name):
            raise Conflict(f"{other} has its UID {facts.uid}")
        if paths.split(paths.segment(name)) != (name,):
            raise InvalidPath(f"{name!r} cannot be the name of an object.")

    def expect(self, name: str, upload: Upload) -> None:
        """Count an object as stored."""
        if name in self.coming:
            del self.names[self.coming[name][0]]
        self.coming[name] = (upload.facts.uid, etag_of(upload.content))
        self.names[upload.facts.uid] = name

    def _name(self, txn: Transaction, uid: str) -> str:
        """The name of what has this UID, or ""."""
        if uid in self.names:
            return self.names[uid]
        stored = None if self.id is None else find_uid(txn, self.id, uid)
        # What comes under the name of something here takes its place, with a UID of its own.
        return "" if stored is None or stored.name in self.coming else stored.name
