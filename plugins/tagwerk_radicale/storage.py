"""`[storage] type = tagwerk_radicale.storage`: Radicale on the database of `tagwerk serve`.

Translation only.  What Radicale cannot express (invitations, versions) is not lost, it is
not shown.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from radicale import item as radicale_item
from radicale import pathutils
from radicale.config import Configuration
from radicale.log import logger
from radicale.storage import BaseCollection, BaseStorage

from tagwerk.accounts.users import add_user
from tagwerk.errors import InvalidRequest, NotFound, TagwerkError
from tagwerk.model import Access, Binding, Kind, Principal, PrincipalId, Upload
from tagwerk.sharing import writing
from tagwerk.sharing.shares import By, is_settled, settle
from tagwerk.store import collections, objects
from tagwerk.store.access import delegated
from tagwerk.store.check import misfits
from tagwerk.store.engine import Transaction
from tagwerk.store.principals import principal_by_id, principal_by_name, principals
from tagwerk_radicale import properties
from tagwerk_radicale.collection import Collection, check_name
from tagwerk_radicale.engines import OPTIONS, database_of
from tagwerk_radicale.home import Folder, home_meta
from tagwerk_radicale.items import Item

PLUGIN_CONFIG_SCHEMA: dict[str, Any] = {"storage": dict(OPTIONS)}

_SUFFIX = {Kind.CALENDAR: ".ics", Kind.ADDRESSBOOK: ".vcf"}
_PLAIN_NAME = re.compile(r"[A-Za-z0-9@_-][A-Za-z0-9@._-]{0,200}")

ChildContext = Callable[[str, "str | None"], AbstractContextManager[None]]


class Storage(BaseStorage):
    """The store as Radicale wants it."""

    _is_collision_free = True
    _supports_unicode = True
    _supports_trailing_whitespace = True
    _supports_problematic_chars = True

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration.copy(PLUGIN_CONFIG_SCHEMA))
        self._database = database_of(self.configuration, "storage")
        if self.configuration.get("storage", "hook"):
            logger.warning("[storage] hook is not run: there are no files that it could look at.")

    @contextmanager
    def acquire_lock(self, mode: str, user: str = "", *args: Any, **kwargs: Any) -> Iterator[None]:
        # The only lock without a request is the one in which a principal is made at the first
        # login.  There Radicale goes on after a predefined collection that failed, and so do we.
        self._settle(user)
        paths = [_segments(str(kwargs[name])) for name in ("path", "to_path") if kwargs.get(name)]
        places = [tuple(segments[:2]) for segments in paths if len(segments) > 1]
        with self._database.lock(mode, user=user, tolerant="request" not in kwargs, places=places):
            yield

    def _settle(self, user: str) -> None:
        """Before a home is looked at, what was shared with a group or everybody gets its place in it."""
        if not user or self._database.user:
            return
        with self._database.engine.read() as txn:
            principal = principal_by_name(txn, user)
            if principal is None or is_settled(txn, principal.id):
                return
        with self._database.engine.write() as txn:
            settle(txn, principal, by=By(user, int(time.time())))

    def discover(
        self,
        path: str,
        depth: str = "0",
        child_context_manager: ChildContext | None = None,
        user_groups: Iterable[str] = (),
    ) -> Iterator[Any]:
        child_context = child_context_manager or (lambda *_: nullcontext())
        segments = _segments(path)
        with self._database.read() as txn:
            found = self._find(txn, segments)
        if found is None:
            return
        yield found
        if depth == "0" or not isinstance(found, Folder | Collection):
            return
        with self._database.read() as txn:
            children = self._children(txn, found)
        for child in children:
            is_item = isinstance(child, Item)
            with child_context(found.path if is_item else child.path, child.href if is_item else None):
                yield child

    def _find(self, txn: Transaction, segments: list[str]) -> Folder | Collection | Item | None:
        if not segments:
            return Folder(self._database, None, {})
        if len(segments) == 1:
            principal = principal_by_name(txn, segments[0])
            return None if principal is None else self._home(txn, principal)
        if len(segments) > 3 or (collection := self._collection(txn, *segments[:2])) is None:
            return None
        return collection if len(segments) == 2 else collection.find(txn, segments[2])

    def _children(self, txn: Transaction, found: Folder | Collection) -> list[Any]:
        if isinstance(found, Collection):
            return found.items(txn)
        if found.principal is None:
            return [self._home(txn, principal) for principal in list(principals(txn))]
        bindings = collections.bindings_of(txn, found.principal.id)
        if self._acts_for(txn, found.principal.name) is not None:
            bindings = collections.collections_of(txn, found.principal.id)
        names = [binding.name for binding in bindings]
        return [one for name in names if (one := self._collection(txn, found.principal.name, name))]

    def _home(self, txn: Transaction, principal: Principal) -> Folder:
        return Folder(self._database, principal, home_meta(txn, principal))

    def _collection(self, txn: Transaction, home: str, name: str) -> Collection | None:
        binding = collections.find_binding(txn, home, name)
        if binding is None or binding.collection.kind is Kind.NOTIFICATIONS:
            return None
        viewer, access = binding.principal, self._acts_for(txn, home)
        if access is not None:
            if binding.access is not Access.OWNER or binding.collection.kind is not Kind.CALENDAR:
                return None
            delegate = principal_by_name(txn, self._database.user)
            assert delegate is not None
            binding, viewer = replace(binding, access=access), delegate.id
        return self._shown(txn, home, binding, viewer)

    def _shown(self, txn: Transaction, home: str, binding: Binding, viewer: PrincipalId) -> Collection:
        found = Collection(self._database, home, binding, viewer, {})
        if binding.access is not Access.OWNER:
            owner = principal_by_id(txn, binding.collection.owner)
            found.owner = owner.name if owner else home
        found.refresh(txn)
        return found

    def _acts_for(self, txn: Transaction, home: str) -> Access | None:
        """What the user of this lock may do for the owner of another home; None in their own."""
        user = self._database.user
        if not user or user == home:
            return None
        owner, delegate = principal_by_name(txn, home), principal_by_name(txn, user)
        return None if owner is None or delegate is None else delegated(txn, owner.id, delegate.id)

    def move(self, item: radicale_item.Item, to_collection: BaseCollection, to_href: str) -> None:
        with self._database.change() as txn:
            if not isinstance(item, Item) or not isinstance(to_collection, Collection):
                raise InvalidRequest("Only events, tasks and cards can be moved, to another collection.")
            check_name(to_href)
            source = item.collection
            source_id, target = source.binding.collection.id, to_collection.binding.collection
            if (source_id, item.href) == (target.id, to_href):
                return
            if target.kind is Kind.CALENDAR and item.component_name not in target.components:
                raise InvalidRequest(f"{to_collection.path} holds no {item.component_name}.")
            now = int(time.time())
            writing.move(txn, source.view, item.href, to=to_collection.view, as_name=to_href, now=now)
            source.refresh(txn)
            to_collection.refresh(txn)

    def create_collection(
        self,
        href: str,
        items: Iterable[radicale_item.Item] | None = None,
        props: Mapping[str, str] | None = None,
    ) -> tuple[BaseCollection, dict[str, Any], list[str]]:
        segments = _segments(href)
        with self._database.change() as txn:
            if len(segments) == 1:
                return self._create_home(txn, segments[0], props or {}), {}, []
            if len(segments) != 2:
                raise InvalidRequest(f"A collection cannot be made at {href}.")
            existing = self._collection(txn, *segments)
            if not props and existing is not None:
                return existing, {}, []
            collection = self._create(txn, *segments, props=props or {}, existing=existing)
            replaced, new = ({}, []) if items is None else _fill(txn, collection, items)
            collection.refresh(txn)
            return collection, replaced, new

    def _create_home(self, txn: Transaction, name: str, props: Mapping[str, str]) -> Folder:
        if props.get(properties.TAG):
            raise InvalidRequest("A calendar or address book belongs into the home of a user.")
        principal = principal_by_name(txn, name)
        if principal is None:
            principal = add_user(txn, name, now=int(time.time()))
            if principal.name != name:
                raise InvalidRequest(f"{name!r} is not normalized (NFC), so it cannot be found again.")
        home = self._home(txn, principal)
        if props:
            home.set_meta(props)
        return home

    def _create(
        self,
        txn: Transaction,
        home: str,
        name: str,
        *,
        props: Mapping[str, str],
        existing: Collection | None,
    ) -> Collection:
        """The collection with these properties, made where there is none."""
        check_name(name)
        kind = properties.kind_of(props.get(properties.TAG, ""))
        components = properties.components_of(props.get(properties.COMPONENTS))
        if existing is not None:
            if existing.binding.collection.kind is not kind:
                raise InvalidRequest(f"/{existing.path} is of another kind; delete it first.")
            # A client that replaces all that is in a calendar does not mean its name and colour.
            existing.overlay(txn, props, keep=existing.get_meta())
            existing.refresh(txn)
            return existing
        principal = principal_by_name(txn, home)
        if principal is None:
            raise NotFound(f"There is no user {home!r}.")
        binding = collections.create_collection(
            txn, principal.id, name=name, kind=kind, now=int(time.time()), components=components
        )
        made = self._shown(txn, home, binding, binding.principal)
        made.overlay(txn, props, keep=())
        made.refresh(txn)
        return made

    def verify(self) -> bool:
        """Check the database and every object; what is wrong is in the log."""
        wrong = self._database.engine.check()
        with self._database.read() as txn:
            wrong += misfits(txn)
        for home in self.discover("/", "1"):
            for collection in (
                self.discover(pathutils.unstrip_path(home.path, True), "1") if home.path else ()
            ):
                if isinstance(collection, Collection):
                    wrong += _check(collection)
        for sentence in wrong:
            logger.error("%s", sentence)
        return not wrong


def _segments(path: str) -> list[str]:
    sane = pathutils.strip_path(path)
    return sane.split("/") if sane else []


def _fill(
    txn: Transaction, collection: Collection, items: Iterable[radicale_item.Item]
) -> tuple[dict[str, Any], list[str]]:
    """Make `items` all that is in the collection; what was replaced by name, and the names that are new.

    The collection stays the same one, with its history, so clients see what changed
    instead of starting again.  An object keeps its name as long as it has its UID.
    """
    old = {stored.uid: stored for stored in collection.view.objects(txn)}
    taken = {stored.name for stored in old.values()}
    wanted: dict[str, Upload] = {}
    for item in items:
        upload = collection.read(item.serialize().encode())
        if upload.facts.uid in wanted:
            raise InvalidRequest(f"The UID {upload.facts.uid!r} is there twice.")
        wanted[upload.facts.uid] = upload
    if old and not wanted:
        # Radicale reads a chunked body as an empty one, and would delete everything.
        raise InvalidRequest(f"The request holds nothing to put in the place of {len(old)} objects.")
    for uid in old.keys() - wanted.keys():
        writing.remove(txn, collection.view, old[uid].name, now=int(time.time()))
    replaced: dict[str, Any] = {}
    new: list[str] = []
    for uid, upload in wanted.items():
        if uid in old:
            name = old[uid].name
            replaced[name] = Item(collection, old[uid])
        else:
            name = _name_for(uid, _SUFFIX[collection.binding.collection.kind], taken)
            taken.add(name)
            new.append(name)
        collection.put(txn, name, upload)
    return replaced, new


def _name_for(uid: str, suffix: str, taken: set[str]) -> str:
    name = uid if uid.lower().endswith(suffix) else uid + suffix
    if _PLAIN_NAME.fullmatch(name) and name not in taken:
        return name
    return blake2b(uid.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest() + suffix


def _check(collection: Collection) -> list[str]:
    wrong = []
    for item in collection.get_all():
        content = item.serialize().encode()
        if objects.etag_of(content) != item.etag:
            wrong.append(f"/{collection.path}/{item.href}: the content is not what was stored.")
            continue
        try:
            collection.check(content)
        except TagwerkError as error:
            wrong.append(f"/{collection.path}/{item.href}: {error}")
    return wrong
