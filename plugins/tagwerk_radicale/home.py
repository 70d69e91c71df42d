"""The root and the homes of principals, as Radicale's collections without a tag."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from email.utils import formatdate
from typing import Any
from xml.etree.ElementTree import Element

from radicale.storage import BaseCollection

from tagwerk.errors import DAV, Refused
from tagwerk.model import Principal
from tagwerk.store.engine import Transaction
from tagwerk.store.properties import principal_properties, set_principal_properties
from tagwerk_radicale import properties
from tagwerk_radicale.items import Item
from tagwerk_radicale.transactions import Database


class Folder(BaseCollection):
    """The root, or a home.  It holds collections, which `Storage.discover` finds, and no items.

    What its owner's clients remember there is not for others.  It is read when it is asked
    for: Radicale finds every home in the root and shows only few.
    """

    def __init__(self, database: Database, principal: Principal | None, *, own: bool = False) -> None:
        self.principal = principal
        self._database = database
        self._own = own
        self._read: Mapping[str, str] | None = None

    @property
    def path(self) -> str:
        return self.principal.name if self.principal else ""

    @property
    def last_modified(self) -> str:
        return formatdate(self.principal.created if self.principal else 0, usegmt=True)

    @property
    def etag(self) -> str:
        return '""'

    @property
    def _meta(self) -> Mapping[str, str]:
        if self._read is None:
            with self._database.read() as txn:
                self._read = {} if self.principal is None else home_meta(txn, self.principal, own=self._own)
        return self._read

    def get_meta(self, key: str | None = None) -> Any:
        return self._meta if key is None else self._meta.get(key)

    def set_meta(self, props: Mapping[str, str]) -> None:
        with self._database.change() as txn:
            if self.principal is None or not self._own or props.get(properties.TAG):
                raise Refused("The properties of this folder cannot be changed.")
            stored = principal_properties(txn, self.principal.id)
            before = properties.shown(stored)
            # What is only computed and comes back unchanged is not set.
            wanted = {
                name: text for name, text in props.items() if name in before or self._meta.get(name) != text
            }
            set_principal_properties(txn, self.principal.id, properties.changes(stored, wanted))
            self._read = home_meta(txn, self.principal, own=True)

    def get_multi(self, hrefs: Iterable[str]) -> Iterator[tuple[str, None]]:
        return ((href, None) for href in hrefs)

    def get_all(self) -> Iterator[Item]:
        return iter(())

    def get_filtered(self, filters: Iterable[Element]) -> Iterator[tuple[Item, bool]]:
        return iter(())

    def has_uid(self, uid: str) -> bool:
        return False

    def upload(self, href: str, item: Any) -> Any:
        with self._database.change():
            raise Refused("Events and cards belong into a calendar or address book.")

    def delete(self, href: str | None = None) -> None:
        raise PermissionError(f"The home {self.path!r} is removed with `tagwerk user remove` only.")

    def serialize(self, vcf_to_ics: bool = False, ShareActions: Any = None) -> str:
        return ""


def home_meta(txn: Transaction, principal: Principal, *, own: bool) -> dict[str, str]:
    """All that Radicale calls the metadata of a home, to its owner or to others."""
    found = properties.shown(principal_properties(txn, principal.id)) if own else {}
    return {properties.shown_name(DAV + "displayname"): principal.display_name} | found
