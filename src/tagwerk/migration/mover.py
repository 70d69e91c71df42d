"""The mover: puts what a source has into the database, batch by batch, and tells what became of everything.

Running it again changes nothing that is here already, so a move that was cut off goes on
where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace

from tagwerk.dav import paths
from tagwerk.dav.resources import RESERVED_NAMES
from tagwerk.errors import Conflict, InvalidPath, InvalidRequest, Refused, TagwerkError
from tagwerk.ical import resource as calendars
from tagwerk.migration.place import Place
from tagwerk.migration.sharer import GroupReport, Sharer, ShareReport
from tagwerk.migration.source import Source, SourceCollection, SourceObject, SourceUser
from tagwerk.model import Access, Binding, Kind, Principal, Upload
from tagwerk.store import Engine, Transaction
from tagwerk.store.collections import CALENDAR_COMPONENTS, create_collection, find_binding_of, is_taken
from tagwerk.store.credentials import credentials_of, set_password
from tagwerk.store.engine import run
from tagwerk.store.objects import etag_of, put_object
from tagwerk.store.principals import add_principal, check_name, principal_by_name
from tagwerk.store.properties import collection_properties, set_collection_properties
from tagwerk.store.schema import meta, set_meta
from tagwerk.vcard import resource as cards

BATCH = 100


@dataclass(slots=True)
class CollectionReport:
    """What became of one collection; `there` is its name there, where it is another one."""

    owner: str
    name: str
    there: str = ""
    made: bool = False
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    gone: int = 0
    repaired: int = 0
    left_out: list[str] = field(default_factory=list)

    def take(self, other: CollectionReport) -> None:
        """Become what `other` is."""
        for each in fields(self):
            setattr(self, each.name, getattr(other, each.name))


@dataclass(slots=True)
class Report:
    """What became of everything.

    `left` are sentences about what is not taken along, `lost` about what is in none of the collections because
    it could not be read.
    """

    users: list[str] = field(default_factory=list)
    without_password: list[str] = field(default_factory=list)
    collections: list[CollectionReport] = field(default_factory=list)
    groups: list[GroupReport] = field(default_factory=list)
    shares: list[ShareReport] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    @property
    def left_out(self) -> int:
        collections = sum(len(each.left_out) for each in self.collections)
        groups = sum(len(each.left_out) for each in self.groups)
        return len(self.lost) + collections + groups + sum(bool(each.why) for each in self.shares)


class Mover:
    """Moves sources into one database; with `dry` nothing is written."""

    def __init__(
        self,
        engine: Engine,
        *,
        now: Callable[[], int],
        limit: int,
        dry: bool = False,
        progress: Callable[[CollectionReport], None] = lambda _: None,
    ) -> None:
        self._engine, self._now, self._limit, self._dry, self._progress = engine, now, limit, dry, progress
        self._coming: set[str] = set()

    def move(self, source: Source) -> Report:
        """Move everything that is not here yet."""
        report = Report()
        for user in source.users:
            self._move_user(user, report)
        for collection in source.collections:
            found = CollectionReport(collection.owner, collection.name, collection.there)
            report.collections.append(found)
            self._move_collection(collection, found)
            self._progress(found)
        self._share(source, report)
        report.left += source.left.sentences
        report.lost += source.left.lost
        return report

    def _share(self, source: Source, report: Report) -> None:
        """Groups and shares come last: then everybody whom they name is here."""
        sharer = Sharer(self._engine, now=self._now, dry=self._dry)
        if self._dry:
            sharer.coming.update(report.users)
            sharer.arriving.update((each.owner, each.name) for each in report.collections if each.made)
        report.groups += map(sharer.group, source.groups)
        report.shares += map(sharer.share, source.shares)

    def _move_user(self, user: SourceUser, report: Report) -> None:
        with self._engine.read() as txn:
            known = principal_by_name(txn, user.name)
            has_password = known is not None and bool(credentials_of(txn, user.name))
        if known is None:
            try:
                check_name(user.name)
            except InvalidRequest as error:
                report.left.append(f"The user {user.name} is not taken along: {error}")
                return
            report.users.append(user.name)
            self._coming.add(user.name)
        elif known.kind != "person":
            report.left.append(
                f"The user {user.name} is not taken along: it is the name of a {known.kind} here."
            )
            return
        if not (has_password or user.password_hash):
            report.without_password.append(user.name)
        if self._dry or (known is not None and (has_password or user.password_hash is None)):
            return

        def add(txn: Transaction) -> None:
            principal = known or add_principal(
                txn, user.name, now=self._now(), display_name=user.display_name, addresses=user.addresses
            )
            if user.password_hash is not None and not has_password:
                set_password(txn, principal.id, user.password_hash, now=self._now())

        run(self._engine, add)

    def _move_collection(self, collection: SourceCollection, report: CollectionReport) -> None:
        try:
            place = self._place(collection, report)
        except TagwerkError as error:
            report.left_out.append(f"the collection: {error}")
            return
        point = ""
        if collection.key and not report.made:
            with self._engine.read() as txn:
                point = meta(txn, collection.key)
        reached: list[str] = []
        for batch in _batches(collection.walk(point, reached), reached):
            self._store(place, batch, report)
            self._progress(report)
            self._remember(collection.key, reached, report)
        self._remember(collection.key, reached, report)

    def _remember(self, key: str, reached: list[str], report: CollectionReport) -> None:
        """How far a collection was read, for the next time: never past something that was left out."""
        if key and reached and not report.left_out and not self._dry:
            # Everything up to here is in the database already.
            run(self._engine, lambda txn: set_meta(txn, key, reached[-1]))

    def _place(self, collection: SourceCollection, report: CollectionReport) -> Place:
        name = collection.name
        if paths.split(paths.segment(name)) != (name,) or name in RESERVED_NAMES:
            raise InvalidPath(f"{name!r} cannot be the name of a collection.")
        with self._engine.read() as txn:
            owner = principal_by_name(txn, collection.owner)
            if owner is None and collection.owner not in self._coming:
                raise Refused(f"There is no user {collection.owner!r}.")
            if owner is not None and owner.kind != "person":
                raise Refused(f"{owner.name} is a {owner.kind} here.")
            taken = owner is not None and is_taken(txn, owner.id, name)
            binding = find_binding_of(txn, owner.id, name) if owner is not None else None
        if taken and (
            binding is None
            or binding.collection.kind is not collection.kind
            or binding.access is not Access.OWNER
        ):
            raise Conflict(f"{collection.owner} has another {name!r} here.")
        report.made = binding is None
        if not self._dry:
            binding = run(self._engine, lambda txn: self._prepare(txn, owner, binding, collection))
        if binding is None:
            return Place(collection.kind, collection.components or CALENDAR_COMPONENTS, None)
        return Place(collection.kind, binding.collection.components, binding.collection.id)

    def _prepare(
        self, txn: Transaction, owner: Principal | None, binding: Binding | None, collection: SourceCollection
    ) -> Binding:
        if owner is None:
            raise Refused(f"There is no user {collection.owner!r}.")
        if binding is None:
            binding = create_collection(
                txn,
                owner.id,
                name=collection.name,
                kind=collection.kind,
                now=self._now(),
                components=collection.components,
            )
        # What somebody changed here since the last time stays.
        here = collection_properties(txn, binding.collection.id, binding.id)
        missing = {name: value for name, value in collection.properties.items() if name not in here}
        set_collection_properties(txn, binding.collection.id, missing)
        return binding

    def _store(self, place: Place, batch: list[SourceObject], report: CollectionReport) -> None:
        uploads = []
        for each in batch:
            if each.problem:
                report.left_out.append(f"{each.name or 'the collection'}: {each.problem}")
                continue
            if each.content is None:
                report.gone += 1
                continue
            try:
                uploads.append((each.name, self._read(place.kind, each.content)))
            except TagwerkError as error:
                report.left_out.append(f"{each.name}: {error}")
        if self._dry:
            with self._engine.read() as txn:
                for name, upload in uploads:
                    self._put(txn, place, name, upload, report)
            return

        def store(txn: Transaction) -> CollectionReport:
            counted = replace(report, left_out=list(report.left_out))
            for name, upload in uploads:
                self._put(txn, place, name, upload, counted)
            return counted

        # Only what was committed is told: a batch may be begun again.
        report.take(run(self._engine, store))

    def _read(self, kind: Kind, content: bytes) -> Upload:
        if len(content) > self._limit:
            raise Refused(f"it has {len(content):,} bytes; {self._limit:,} are allowed")
        if kind is Kind.ADDRESSBOOK:
            return cards.read(content)
        return calendars.read(content, now=self._now())

    def _put(
        self, txn: Transaction, place: Place, name: str, upload: Upload, report: CollectionReport
    ) -> None:
        """Store an object, unless it is here as it is, and tally what became of it."""
        before = place.etag(txn, name)
        if before == etag_of(upload.content):
            report.unchanged += 1
            return
        try:
            place.check(txn, name, upload)
            if place.id is None or self._dry:
                place.expect(name, upload)
            else:
                put_object(txn, place.id, name, upload=upload, now=self._now())
        except (Refused, Conflict, InvalidPath) as error:
            report.left_out.append(f"{name}: {error}")
            return
        if before:
            report.changed += 1
        else:
            report.added += 1
        report.repaired += bool(upload.repairs)


def _batches(objects: Iterator[SourceObject], reached: list[str]) -> Iterator[list[SourceObject]]:
    """Objects in batches, none of which goes past a point that `reached` was given."""
    batch: list[SourceObject] = []
    points = 0
    for each in objects:
        if batch and len(reached) > points:
            yield batch
            batch = []
        points = len(reached)
        batch.append(each)
        if len(batch) == BATCH:
            yield batch
            batch = []
    yield batch
