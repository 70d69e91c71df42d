"""Objects as Radicale's items."""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import vobject
from radicale import item as radicale_item
from radicale.log import logger

from tagwerk.model import Kind, StoredObject

if TYPE_CHECKING:
    from tagwerk_radicale.collection import Collection

_NEVER = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:never\r\nDTSTART:00010102T000000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
"""Stands for an event that cannot be read: it happens when nobody asks."""


class Item(radicale_item.Item):
    """A stored object; its text is read when it is asked for."""

    collection: Collection
    href: str

    def __init__(self, collection: Collection, stored: StoredObject) -> None:
        super().__init__(
            collection=collection,
            href=stored.name,
            last_modified=formatdate(stored.modified, usegmt=True),
            text="" if stored.content is None else decoded(stored.content),
            etag=stored.etag,
            name="VCALENDAR" if collection.binding.collection.kind is Kind.CALENDAR else "VCARD",
            component_name="" if stored.component == "VCARD" else stored.component,
        )
        if stored.content is None:
            self._text = None
        self._stored_uid = stored.uid

    def serialize(self) -> str:
        if self._text is None:
            self._text = self.collection.text_of(self.href)
        return self._text

    @property
    def uid(self) -> str:
        """The UID as vobject reads it: Radicale compares it with what vobject read from a request.

        Parsing is needed only where that may differ from the UID in the store: it is
        folded, escaped or padded.
        """
        if self._uid is None:
            text = self.serialize()
            if any(f"\nUID:{self._stored_uid}{end}" in text for end in ("\r\n", "\n")):
                self._uid = self._stored_uid
            else:
                self._uid = self._parsed_uid()
        return self._uid

    def _parsed_uid(self) -> str:
        try:
            return radicale_item.get_uid_from_object(super().vobject_item) or self._stored_uid
        except RuntimeError:
            return self._stored_uid  # vobject cannot read it; it must be replaceable all the same.

    @property
    def vobject_item(self) -> Any:
        """For expanding and free-busy.  What vobject cannot read must not spoil a whole report."""
        self.serialize()
        try:
            return super().vobject_item
        except RuntimeError as error:
            logger.error("%s", error)
            return vobject.readOne(_NEVER)


def decoded(content: bytes) -> str:
    """Stored bytes as Radicale has them."""
    # What is stored is UTF-8; if a disk says otherwise the other objects must still be served.
    return content.decode("utf-8", "replace")
