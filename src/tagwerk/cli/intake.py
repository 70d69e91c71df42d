"""Intake: files of other programs as uploads, and uploads as objects of a user's collections."""

from __future__ import annotations

import os
import re
from collections import ChainMap
from collections.abc import MutableMapping
from dataclasses import dataclass, field, fields
from hashlib import blake2b
from pathlib import Path

from tagwerk import contentline
from tagwerk.cli.collection import add_collection, check_collection_name
from tagwerk.cli.invocation import now
from tagwerk.errors import Conflict, Refused, TagwerkError
from tagwerk.ical import resource as calendars
from tagwerk.ical import split as calendar_streams
from tagwerk.model import Access, Collection, CollectionId, Kind, Modseq, Principal, StoredObject, Upload
from tagwerk.store import Engine, Transaction
from tagwerk.store.collections import collections_of, find_binding_of, lock_collection, plan_collection
from tagwerk.store.engine import run
from tagwerk.store.objects import etag_of, find_object, find_uid, put_object
from tagwerk.vcard import resource as cards
from tagwerk.vcard import split as card_streams

Part = calendar_streams.Part | card_streams.Part
Met = MutableMapping[tuple[CollectionId, str], Path]
"""Which file brought a UID into a collection."""

SUFFIXES = {
    ".ics": Kind.CALENDAR,
    ".ical": Kind.CALENDAR,
    ".icalendar": Kind.CALENDAR,
    ".ifb": Kind.CALENDAR,
    ".vcs": Kind.CALENDAR,
    ".vcf": Kind.ADDRESSBOOK,
    ".vcard": Kind.ADDRESSBOOK,
}
USUAL_PLACE = {"VTODO": "tasks", "VCARD": "contacts"}
"""The collection that is tried first for a component; "calendar" for every other."""

_BEGIN = re.compile(r"BEGIN:(VCALENDAR|VCARD)", re.IGNORECASE)
_COMPONENT = re.compile(rb"^BEGIN:([^\r\n]*)", re.MULTILINE)
_NOTHING = {b"VCALENDAR", b"VTIMEZONE", b"STANDARD", b"DAYLIGHT"}
_LINE = re.compile(r"\Aline \d+: ")
_PLAIN_UID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+=-]{0,149}")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that was left out; `line` counts from 1, and is 0 where the whole file is meant."""

    file: Path
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Item:
    """An object that can be stored, and where it came from."""

    file: Path
    line: int
    upload: Upload


@dataclass(slots=True)
class Tally:
    """What became of everything."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    repaired: int = 0
    created: list[str] = field(default_factory=list)
    passed_over: list[Problem] = field(default_factory=list)
    left_out: list[Problem] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Count what `other` has as well."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


def files_in(path: Path, tally: Tally) -> list[Path]:
    """The file itself, or every file below a folder in a lasting order; hidden ones are passed over."""
    if not path.is_dir():
        return [path]

    def unreadable(error: OSError) -> None:
        tally.left_out.append(Problem(Path(error.filename), 0, f"cannot be read: {error.strerror}"))

    found = []
    for folder, folders, names in os.walk(path, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        candidates = (Path(folder, name) for name in sorted(names) if not name.startswith("."))
        found += [candidate for candidate in candidates if candidate.is_file()]
    return found


def kind_of(content: bytes, *, name: str) -> Kind | None:
    """What a file holds, by its content, or else by the end of its name; None where it is neither."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = content[:8192].decode("utf-16", "replace")
    else:
        head = content[:8192].decode("latin-1")
    match = _BEGIN.search(head)
    if match is None:
        return SUFFIXES.get(Path(name).suffix.lower())
    return Kind.ADDRESSBOOK if match.group(1).upper() == "VCARD" else Kind.CALENDAR


def is_empty(content: bytes) -> bool:
    """Whether there is nothing to store: an empty file, or the calendar of a program that had nothing in it."""
    text = content.strip().upper()
    names = set(_COMPONENT.findall(text))
    return not text or (names <= _NOTHING and b"VCALENDAR" in names and text.endswith(b"END:VCALENDAR"))


def parts_of(content: bytes, kind: Kind) -> list[Part]:
    """The objects of a file, and what could not be used of it."""
    split = calendar_streams.split if kind is Kind.CALENDAR else card_streams.split
    return list(split(content))


def item_of(part: Part, file: Path, *, limit: int) -> Item | Problem:
    """A part as it will be stored, at most `limit` bytes, or why it cannot be."""
    if part.problem:
        return Problem(file, part.line, part.problem)
    what = f"{'VCARD' if isinstance(part, card_streams.Part) else part.component} {part.uid}"
    try:
        if isinstance(part, card_streams.Part):
            upload = cards.read(part.content)
        else:
            upload = calendars.read(part.content, now=now())
    except Refused as error:
        # Lines of the error count in the part, which is not what the file looks like.
        return Problem(file, part.line, f"{what}: {_LINE.sub('', str(error))}")
    if len(upload.content) > limit:
        reason = f"{what} has {len(upload.content):,} bytes; {limit:,} are allowed"
        return Problem(file, part.line, reason)
    return Item(file, part.line, upload)


class Intake:
    """Puts items into the collections of `owner`, each time in one transaction; with `dry` nothing is written.

    `collection` names the one that takes everything; it is made when it is needed.
    Without it each component goes where the owner keeps such things.
    """

    def __init__(
        self, engine: Engine, owner: Principal, *, collection: str | None, tally: Tally, dry: bool = False
    ) -> None:
        self._engine, self._owner, self._collection, self._tally = engine, owner, collection, tally
        self._dry = dry
        self._met: Met = {}
        # What a dry run would have made and stored by now.
        self._planned: Collection | None = None
        self._coming: dict[tuple[CollectionId, str], StoredObject] = {}

    def store(self, items: list[Item]) -> None:
        """Store what can be stored, and tally the rest."""
        if self._dry:
            with self._engine.read() as txn:
                tally, met = self._stored(txn, items)
        else:
            tally, met = run(self._engine, lambda txn: self._stored(txn, items))
        self._tally.add(tally)
        self._met.update(met)

    def _stored(self, txn: Transaction, items: list[Item]) -> tuple[Tally, Met]:
        """What becomes of `items`; nothing of it is remembered here, as it may be done again."""
        tally = Tally()
        met: ChainMap[tuple[CollectionId, str], Path] = ChainMap({}, self._met)
        for item in items:
            try:
                with txn.savepoint():
                    self._put(txn, item, tally, met)
            except (Refused, Conflict) as error:
                tally.left_out.append(Problem(item.file, item.line, str(error)))
        return tally, met.maps[0]

    def _put(self, txn: Transaction, item: Item, tally: Tally, met: Met) -> None:
        facts = item.upload.facts
        collection = self._place(txn, facts.component, tally)
        if not self._dry:
            collection = lock_collection(txn, collection.id)
        key = (collection.id, facts.uid)
        existing = self._coming.get(key) or find_uid(txn, collection.id, facts.uid)
        if existing is not None and _says_the_same(txn, collection.id, existing, item.upload.content):
            tally.unchanged += 1
        elif existing is None:
            name = _free_name(txn, collection.id, facts.uid, collection.kind)
            self._write(txn, collection.id, name, item.upload)
            tally.added += 1
            tally.repaired += bool(item.upload.repairs)
        elif existing.component != facts.component:
            raise Conflict(f"{facts.component}: a {existing.component} has the UID {facts.uid}")
        elif before := met.get(key):
            # Taking the last of two would change both again at every run.
            raise Conflict(f"{facts.component}: the UID {facts.uid} was in {before} with another content")
        else:
            self._write(txn, collection.id, existing.name, item.upload)
            tally.changed += 1
            tally.repaired += bool(item.upload.repairs)
        met.setdefault(key, item.file)

    def _write(self, txn: Transaction, collection: CollectionId, name: str, upload: Upload) -> None:
        if not self._dry:
            put_object(txn, collection, name, upload=upload, now=now())
            return
        facts, content = upload.facts, upload.content
        self._coming[collection, facts.uid] = StoredObject(
            name, facts.uid, facts.component, etag_of(content), len(content), Modseq(0), 0, 0, content=content
        )

    def _place(self, txn: Transaction, component: str, tally: Tally) -> Collection:
        """Where a component goes.

        Raises:
            Conflict: nothing takes it.
        """
        if self._collection is None:
            return self._usual_place(txn, component)
        binding = find_binding_of(txn, self._owner.id, self._collection)
        if binding is not None and binding.access is not Access.OWNER:
            raise Conflict(f"{component}: {self._collection} is somebody else's; import it as its owner")
        collection = self._planned if binding is None else binding.collection
        if collection is None:
            collection = self._make(txn, self._collection, component)
            tally.created.append(self._collection)
        if not _takes(collection, component):
            raise Conflict(f"{component}: {self._collection} does not hold this")
        return collection

    def _make(self, txn: Transaction, name: str, component: str) -> Collection:
        kind = Kind.ADDRESSBOOK if component == "VCARD" else Kind.CALENDAR
        if self._dry:
            check_collection_name(name)
            self._planned = plan_collection(txn, self._owner.id, name=name, kind=kind, now=now())
            return self._planned
        return add_collection(
            txn, self._owner.id, name, kind=kind, components=(), display_name=name
        ).collection

    def _usual_place(self, txn: Transaction, component: str) -> Collection:
        usual = USUAL_PLACE.get(component, "calendar")
        bindings = collections_of(txn, self._owner.id)
        takers = [binding for binding in bindings if _takes(binding.collection, component)]
        takers.sort(key=lambda binding: binding.name != usual)
        if not takers:
            raise Conflict(
                f"{component}: {self._owner.name} has no collection for this; name one with --collection"
            )
        return takers[0].collection


def read_file(path: Path) -> bytes | Problem:
    """The bytes of a file, or why there are none."""
    try:
        if path.exists() and not path.is_file():
            return Problem(path, 0, "is no file; a device or pipe has no end that one could wait for")
        return path.read_bytes()
    except OSError as error:
        return Problem(path, 0, f"cannot be read: {error.strerror}")


def _says_the_same(
    txn: Transaction, collection: CollectionId, existing: StoredObject, content: bytes
) -> bool:
    """Whether `content` has what is stored already, whichever program wrote it out last.

    An export has its own PRODID and its own copy of the zones.  Taking that for a change
    would make every device fetch everything again.
    """
    if existing.etag == etag_of(content):
        return True
    known = existing.content
    if known is None:
        stored = find_object(txn, collection, existing.name, content=True)
        known = stored.content if stored else None
    return known is not None and _substance(known) == _substance(content)


def _substance(content: bytes) -> list[str]:
    """What an object says, without what belongs to the file around it."""
    try:
        (root,) = contentline.parse(content.decode())
    except (ValueError, UnicodeDecodeError):
        return [content.decode("latin-1")]
    if root.name != "VCALENDAR":
        return [contentline.serialize(root)]
    return sorted(contentline.serialize(each) for each in root.children if each.name != "VTIMEZONE")


def _takes(collection: Collection, component: str) -> bool:
    if component == "VCARD":
        return collection.kind is Kind.ADDRESSBOOK
    return collection.kind is Kind.CALENDAR and component in collection.components


def _free_name(txn: Transaction, collection: CollectionId, uid: str, kind: Kind) -> str:
    """A name made of the UID, the same at every import, that no other object has."""
    suffix = ".vcf" if kind is Kind.ADDRESSBOOK else ".ics"
    plain = [uid] if _PLAIN_UID.fullmatch(uid) else []
    digests = (
        blake2b(f"{n}{uid}".encode(errors="surrogatepass"), digest_size=16).hexdigest() for n in range(9)
    )
    for stem in (*plain, *digests):
        if find_object(txn, collection, stem + suffix) is None:
            return stem + suffix
    raise TagwerkError(f"No name is free for the UID {uid}.")
