"""Calendars and address books as Radicale's collections.

Radicale reads the metadata of a PROPFIND after it has left its lock, so a collection
holds everything but its objects; an object's text is read when somebody asks for it,
in the transaction of the lock or in one of its own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from email.utils import formatdate
from typing import Any
from xml.etree.ElementTree import Element

from radicale import item as radicale_item
from radicale import pathutils
from radicale.storage import BaseCollection, ComponentNotFoundError

from tagwerk.dav.proppatch import OF_THE_COLLECTION
from tagwerk.errors import InvalidRequest, NeedPrivileges, NotFound, Refused, SyncTokenInvalid
from tagwerk.ical import export as ical_export
from tagwerk.ical import resource as ical_resource
from tagwerk.model import NO_BINDING, Access, Binding, BindingId, Kind, PrincipalId, Upload
from tagwerk.sharing import shares, writing
from tagwerk.sharing.shares import By
from tagwerk.sharing.views import View, view_of
from tagwerk.store import collections, objects, sync
from tagwerk.store.engine import Transaction
from tagwerk.store.principals import principal_by_id
from tagwerk.store.properties import collection_properties, set_collection_properties
from tagwerk.vcard import export as vcard_export
from tagwerk.vcard import resource as vcard_resource
from tagwerk_radicale import properties, queries
from tagwerk_radicale.items import Item, decoded
from tagwerk_radicale.transactions import Database

MAX_NAME = 255
"""Characters of an object's or collection's name."""

_BATCH = 200
_TITLE = "D:displayname"


class Collection(BaseCollection):
    """A calendar or address book as `Storage.discover` found it."""

    def __init__(
        self,
        database: Database,
        home: str,
        binding: Binding,
        viewer: PrincipalId,
        *,
        owner: str,
        stored: Mapping[str, str],
    ) -> None:
        self.binding = binding
        self.viewer = viewer
        self._owner = owner
        self._database = database
        self._home = home
        self._meta = properties.shown_of_collection(binding.collection, stored)

    @property
    def path(self) -> str:
        return f"{self._home}/{self.binding.name}"

    @property
    def owner(self) -> str:
        """Whose it is; a share is not that of the one in whose home it is."""
        return self._owner

    @property
    def view(self) -> View:
        """What is read of the collection is read through it."""
        return view_of(self.binding, self.viewer)

    @property
    def own(self) -> BindingId:
        """Under which binding the viewer has properties of their own; NO_BINDING for the owner."""
        return own_binding(self.binding, self.viewer)

    @property
    def etag(self) -> str:
        """Also the ctag: it changes with everything in the collection."""
        return self.view.etag

    @property
    def last_modified(self) -> str:
        return formatdate(self.view.modified, usegmt=True)

    def sync(self, old_token: str = "") -> tuple[str, Iterable[str]]:
        """RFC 6578.  Radicale asks for the token alone too, outside of the lock, so names are read lazily."""
        if not old_token:
            return str(self.view.token), self._names()
        try:
            token = sync.parse_token(old_token)
            with self._database.read() as txn:
                changes = self.view.changes_since(txn, token, limit=sys.maxsize // 2)
        except SyncTokenInvalid as error:
            raise ValueError(str(error)) from error  # Radicale answers valid-sync-token.
        return str(changes.token), [name for name, _ in changes.changed] + changes.removed

    def _names(self) -> Iterator[str]:
        with self._database.read() as txn:
            names = [name for name, _ in self.view.etags(txn)]
        yield from names

    def get_multi(self, hrefs: Iterable[str]) -> Iterator[tuple[str, Item | None]]:
        # Taking all of `hrefs` first is what tells Radicale whether the collection itself is meant.
        wanted = list(dict.fromkeys(hrefs))
        for begin in range(0, len(wanted), _BATCH):
            batch = wanted[begin : begin + _BATCH]
            with self._database.read() as txn:
                found = {one.name: one for one in self.view.named(txn, batch)}
            for name in batch:
                yield name, Item(self, found[name]) if name in found else None

    def get_all(self) -> Iterator[Item]:
        for _, item in self.get_multi(self._names()):
            if item is not None:
                yield item

    def get_filtered(self, filters: Iterable[Element]) -> Iterator[tuple[Item, bool]]:
        """The items that match, for sure: Radicale's own filters need not look again."""
        with self._database.read() as txn:
            found = list(queries.matching(txn, self.view, filters=filters))
        return ((Item(self, stored), True) for stored in found)

    def has_uid(self, uid: str) -> bool:
        if not self.view.access.writes:
            return False  # They store nothing new, and are not told what is hidden.
        with self._database.read() as txn:
            return objects.find_uid(txn, self.binding.collection.id, uid.strip()) is not None

    def find(self, txn: Transaction, href: str) -> Item | None:
        """The item called `href`, its text unread."""
        stored = self.view.find(txn, href)
        return None if stored is None else Item(self, stored)

    def keeps(self, txn: Transaction, href: str) -> bool:
        """Whether the viewer may not remove what they see there."""
        stored = self.view.find(txn, href)
        if stored is None:
            return False
        try:
            writing.check_place(self.view, stored)
        except NeedPrivileges:
            return True
        return not self.view.access.writes

    def items(self, txn: Transaction) -> list[Item]:
        """Every item, its text unread."""
        return [Item(self, stored) for stored in self.view.objects(txn)]

    def text_of(self, href: str) -> str:
        """The text of an item; "" if it is gone by now."""
        with self._database.read() as txn:
            stored = self.view.find(txn, href, content=True)
        return "" if stored is None or stored.content is None else decoded(stored.content)

    def upload(self, href: str, item: radicale_item.Item) -> tuple[Item, Item | None]:
        with self._database.change() as txn:
            check_name(href)
            old = self.view.find(txn, href, content=True)
            put = self.put(txn, href, self.read(item.serialize().encode()))
            self.refresh(txn)
        return put, None if old is None else Item(self, old)

    def put(self, txn: Transaction, href: str, upload: Upload) -> Item:
        """Store what was read, without looking at the name."""
        now = int(time.time())
        collections.lock_collection(txn, self.binding.collection.id)
        return Item(self, writing.store(txn, self.view, href, upload, now=now))

    def read(self, content: bytes) -> Upload:
        """An object that is to be stored here.

        Raises:
            Refused: it is not valid, or does not belong into this collection.
        """
        if self.tag == properties.SUBSCRIBED:
            raise Refused("A subscribed calendar holds nothing of its own.")
        return self._read(content, self.binding.collection.components)

    def check(self, content: bytes) -> None:
        """Raises Refused if a stored object is not valid."""
        self._read(content, collections.CALENDAR_COMPONENTS)

    def _read(self, content: bytes, components: tuple[str, ...]) -> Upload:
        if self.binding.collection.kind is Kind.CALENDAR:
            return ical_resource.read(content, now=int(time.time()), components=components)
        return vcard_resource.read(content)

    def delete(self, href: str | None = None) -> None:
        with self._database.change() as txn:
            if href is None:
                self._delete_or_leave(txn)
                return
            try:
                writing.remove(txn, self.view, href, now=int(time.time()))
            except NotFound as error:
                raise ComponentNotFoundError(href) from error
            self.refresh(txn)

    def _delete_or_leave(self, txn: Transaction) -> None:
        """A share is left; the data is its owner's."""
        principal = principal_by_id(txn, self.viewer)
        if principal is None or self.binding.principal != self.viewer:
            raise NeedPrivileges(f"/{self.path} may not be deleted from here.")
        by = By(self._database.user or principal.name, int(time.time()), principal=self.viewer)
        if self.binding.access is Access.OWNER:
            shares.delete(txn, self.binding.collection.id, by=by)
        else:
            shares.decline(txn, principal, self.binding.collection.id, by=by)

    def get_meta(self, key: str | None = None) -> Any:
        # A collection without a title shows its name.
        found = {_TITLE: self.binding.name} | self._meta
        return found if key is None else found.get(key)

    def set_meta(self, props: Mapping[str, str]) -> None:
        with self._database.change() as txn:
            if props.get(properties.TAG) != self.tag:
                raise Refused("A calendar stays a calendar, and an address book an address book.")
            if _TITLE not in self._meta and props.get(_TITLE) == self.binding.name:
                props = {name: text for name, text in props.items() if name != _TITLE}
            self.overlay(txn, props, keep=())
            self.refresh(txn)

    def overlay(self, txn: Transaction, props: Mapping[str, str], *, keep: Iterable[str]) -> None:
        """Make `props` and, of what is not among them, `keep` the metadata of the collection."""
        collection = self.binding.collection
        if self.binding.principal != self.viewer:
            raise NeedPrivileges(f"/{self.path} may not be changed from here.")
        stored = collection_properties(txn, collection.id, self.own)
        before = properties.shown(stored)
        changes = properties.changes(
            stored, {name: before[name] for name in keep if name in before} | dict(props)
        )
        components = properties.components_of(props.get(properties.COMPONENTS)) or collection.components
        owned = self.binding.access is Access.OWNER
        if owned and collection.kind is Kind.CALENDAR and components != collection.components:
            collections.set_components(txn, collection.id, components)
        elif not changes:
            return
        self._set(txn, changes, owned=owned)

    def _set(self, txn: Transaction, changes: Mapping[str, str | None], *, owned: bool) -> None:
        """In a share everybody has properties of their own, and who manages it sets some for everybody."""
        collection = self.binding.collection
        common = {
            name: value
            for name, value in changes.items()
            if owned or (self.binding.access.manages and name in OF_THE_COLLECTION)
        }
        # A value of one's own would hide the new one.
        own = {name: None if name in common else value for name, value in changes.items()}
        shares.set_common_properties(txn, collection, common)
        if not owned:
            set_collection_properties(txn, collection.id, own, binding=self.own)
        if owned or common:
            collections.next_modseq(txn, collection.id, now=int(time.time()))
        else:
            collections.next_personal_modseq(txn, collection.id)

    def refresh(self, txn: Transaction) -> None:
        """Look again at what was changed."""
        binding = collections.find_binding_of(txn, self.binding.principal, self.binding.name)
        if binding is not None:
            # Somebody who acts for another has no more rights than before.
            self.binding = replace(binding, access=self.binding.access)
            busy = binding.access is Access.BUSY
            stored = collection_properties(txn, binding.collection.id, self.own, busy=busy)
            self._meta = properties.shown_of_collection(binding.collection, stored)

    def serialize(self, vcf_to_ics: bool = False, ShareActions: Any = None) -> str:
        if vcf_to_ics:
            return str(super().serialize(vcf_to_ics=True, ShareActions=ShareActions or {}))
        contents = (item.serialize().encode() for item in self.get_all())
        if self.binding.collection.kind is Kind.CALENDAR:
            merged = ical_export.merge(
                contents,
                name=self._meta.get(_TITLE, ""),
                description=self._meta.get("C:calendar-description", ""),
                color=self._meta.get("ICAL:calendar-color", ""),
            )
        else:
            merged = vcard_export.merge(contents)
        return decoded(b"".join(merged))


def own_binding(binding: Binding, viewer: PrincipalId) -> BindingId:
    """Under which binding somebody has properties of their own in what they see through one."""
    shared = binding.access is not Access.OWNER and binding.principal == viewer
    return binding.id if shared else NO_BINDING


def check_name(name: str) -> None:
    """Raises InvalidRequest if `name` cannot be one segment of a path."""
    if not pathutils.is_safe_path_component(name) or "\\" in name or "\x00" in name:
        raise InvalidRequest(f"{name!r} cannot be the name of anything.")
    if len(name) > MAX_NAME:
        raise InvalidRequest(f"The name has {len(name)} characters; {MAX_NAME} are allowed.")
