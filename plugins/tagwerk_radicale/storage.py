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
from tagwerk.dav.resources import RESERVED_NAMES
from tagwerk.errors import InvalidRequest, NeedPrivileges, NotFound, Refused, TagwerkError
from tagwerk.model import Access, Binding, Kind, Principal, PrincipalId, Upload
from tagwerk.sharing import writing
from tagwerk.sharing.shares import ASK, AT_ONCE, By, is_settled, settle
from tagwerk.store import collections, objects
from tagwerk.store.access import delegated
from tagwerk.store.check import misfits
from tagwerk.store.engine import Transaction, run
from tagwerk.store.principals import principal_by_id, principal_by_name, principals
from tagwerk.store.properties import home_properties
from tagwerk_radicale import properties
from tagwerk_radicale.collection import Collection, check_name, own_binding
from tagwerk_radicale.engines import OPTIONS, database_of
from tagwerk_radicale.home import Folder
from tagwerk_radicale.items import Item


def accept(value: str) -> str:
    """Raises ValueError if it is not one of the two."""
    if value not in (AT_ONCE, ASK):
        raise ValueError(value)
    return value


PLUGIN_CONFIG_SCHEMA: dict[str, Any] = {
    "storage": {
        **OPTIONS,
        "accept": {
            "value": AT_ONCE,
            "help": "whether a share is in a home at-once, or its sharee is asked: [sharing] accept of `tagwerk serve`",
            "type": accept,
        },
    }
}

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
        self._accept = self.configuration.get("storage", "accept")
        if self.configuration.get("storage", "hook"):
            logger.warning("[storage] hook is not run: there are no files that it could look at.")

    @contextmanager
    def acquire_lock(self, mode: str, user: str = "", *args: Any, **kwargs: Any) -> Iterator[None]:
        # The only lock without a request is the one in which a principal is made at the first
        # login.  There Radicale goes on after a predefined collection that failed, and so do we.
        self._settle(user)
        request = kwargs.get("request", "")
        paths = [_segments(str(kwargs[name])) for name in ("path", "to_path") if kwargs.get(name)]
        places = [tuple(segments[:2]) for segments in paths if len(segments) > 1]
        with self._database.lock(mode, user=user, request=request, tolerant=not request, places=places):
            yield

    def _settle(self, user: str) -> None:
        """Before a home is looked at, what was shared with a group or everybody gets its place in it."""
        if not user or self._database.user:
            return
        with self._database.engine.read() as txn:
            principal = principal_by_name(txn, user)
            if principal is None or principal.kind != "person" or is_settled(txn, principal.id):
                return
        by = By(user, int(time.time()), self._accept)
        run(self._database.engine, lambda txn: settle(txn, principal, by=by))

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
            return Folder(self._database, None)
        if len(segments) == 1:
            principal = principal_by_name(txn, segments[0])
            return None if principal is None else self._home(principal)
        if len(segments) > 3 or (collection := self._collection(txn, *segments[:2])) is None:
            return None
        if len(segments) == 2:
            return collection
        if self._database.request == "DELETE" and collection.keeps(txn, segments[2]):
            # Radicale would answer an error of `delete` with 500, and to a folder nobody has rights.
            return Folder(self._database, None)
        return collection.find(txn, segments[2])

    def _children(self, txn: Transaction, found: Folder | Collection) -> list[Any]:
        if isinstance(found, Collection):
            return found.items(txn)
        if found.principal is None:
            return [self._home(principal) for principal in list(principals(txn))]
        home = found.principal
        acting = self._acting(txn, home.name)
        if acting is None:
            return self._shown(txn, home.name, collections.bindings_of(txn, home.id), home.id)
        bindings = [
            seen
            for binding in collections.collections_of(txn, home.id)
            if (seen := _as_delegate(binding, acting[0]))
        ]
        return self._shown(txn, home.name, bindings, acting[1])

    def _home(self, principal: Principal) -> Folder:
        return Folder(self._database, principal, own=self._database.user in ("", principal.name))

    def _collection(self, txn: Transaction, home: str, name: str) -> Collection | None:
        binding = collections.find_binding(txn, home, name)
        if binding is None or binding.collection.kind is Kind.NOTIFICATIONS:
            return None
        viewer = binding.principal
        if acting := self._acting(txn, home):
            access, viewer = acting
            binding = _as_delegate(binding, access)
        return self._shown(txn, home, [binding], viewer)[0] if binding else None

    def _shown(
        self, txn: Transaction, home: str, bindings: list[Binding], viewer: PrincipalId
    ) -> list[Collection]:
        """Collections as `viewer` sees them in a home; it takes a query for each owner, and one more."""
        owners: dict[PrincipalId, str] = {}
        for owner in {binding.collection.owner for binding in bindings}:
            found = principal_by_id(txn, owner)
            owners[owner] = found.name if found else home
        busy = {one.id for one in bindings if one.access is Access.BUSY}
        stored = home_properties(txn, [own_binding(one, viewer) or one.id for one in bindings], busy=busy)
        return [
            Collection(
                self._database,
                home,
                binding,
                viewer,
                owner=owners[binding.collection.owner],
                stored=stored.get(binding.id, {}),
            )
            for binding in bindings
        ]

    def _acting(self, txn: Transaction, home: str) -> tuple[Access, PrincipalId] | None:
        """What the user of this lock may do for the owner of another home, and who they are."""
        user = self._database.user
        if not user or user == home:
            return None
        owner, delegate = principal_by_name(txn, home), principal_by_name(txn, user)
        if owner is None or delegate is None:
            return None
        access = delegated(txn, owner.id, delegate.id)
        return None if access is None else (access, delegate.id)

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
                raise Refused(f"{to_collection.path} holds no {item.component_name}.")
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
            if self._acting(txn, segments[0]):
                raise NeedPrivileges("You may not make collections for those for whom you act.")
            existing = self._collection(txn, *segments)
            if not props and existing is not None:
                return existing, {}, []
            if existing is not None and existing.binding.access is not Access.OWNER:
                raise NeedPrivileges(f"/{existing.path} holds what you do not see; it cannot be replaced.")
            collection = self._create(txn, *segments, props=props or {}, existing=existing)
            replaced, new = ({}, []) if items is None else _fill(txn, collection, items)
            collection.refresh(txn)
            return collection, replaced, new

    def _create_home(self, txn: Transaction, name: str, props: Mapping[str, str]) -> Folder:
        if props.get(properties.TAG):
            raise Refused("A calendar or address book belongs into the home of a user.")
        principal = principal_by_name(txn, name)
        if principal is None:
            principal = add_user(txn, name, now=int(time.time()))
            if principal.name != name:
                raise InvalidRequest(f"{name!r} is not normalized (NFC), so it cannot be found again.")
        home = self._home(principal)
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
        if name in RESERVED_NAMES:
            raise Refused(f"{name!r} is the server's own name for something.")
        kind = properties.kind_of(props.get(properties.TAG, ""))
        components = properties.components_of(props.get(properties.COMPONENTS))
        if existing is not None:
            if existing.binding.collection.kind is not kind:
                raise Refused(f"/{existing.path} is of another kind; delete it first.")
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
        made = self._shown(txn, home, [binding], binding.principal)[0]
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


def _as_delegate(binding: Binding, access: Access) -> Binding | None:
    """A calendar that somebody owns, as who acts for them sees it."""
    if binding.access is not Access.OWNER or binding.collection.kind is not Kind.CALENDAR:
        return None
    return replace(binding, access=access)


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
