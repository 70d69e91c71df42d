"""Undoing: an object, a collection, or everything of somebody, as it was before.

Whatever is undone is an ordinary change: it syncs to every client, takes its place in the
history, and can be undone itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from tagwerk.errors import Conflict, NotFound, UidConflict
from tagwerk.history.versions import read, title_of
from tagwerk.model import NOBODY, Binding, Collection, CollectionId, Principal, PrincipalId
from tagwerk.sharing import shares
from tagwerk.sharing.shares import By
from tagwerk.store.collections import collections_of, find_binding_of, find_collection, lock_collection
from tagwerk.store.engine import Transaction
from tagwerk.store.history import (
    How,
    RemovedCollection,
    Version,
    content_of,
    find_version,
    known_from,
    new_since,
    removed_collections,
    versions,
    versions_at,
)
from tagwerk.store.objects import etag_of, find_object, find_uid, objects, put_object, remove_object


@dataclass(frozen=True, slots=True)
class Step:
    """What is going to be done to one object: be as in `version`, or be gone where that is None.

    `exists` is whether there is something of its name now.
    """

    name: str
    title: str
    version: Version | None
    exists: bool = True

    @property
    def action(self) -> str:
        """One word: restore, revert or remove."""
        if self.version is None:
            return "remove"
        return "revert" if self.exists else "restore"


@dataclass(frozen=True, slots=True)
class Part:
    """What is going to be done to one collection of somebody's, which is or was called `name`.

    `restored` is it where it has to come out of the trash; with `goes` it has to go there.
    """

    collection: CollectionId
    name: str
    steps: tuple[Step, ...] = ()
    restored: RemovedCollection | None = None
    goes: bool = False


def user_since(txn: Transaction, owner: Principal, instant: int) -> list[Part]:
    """How to make what somebody owns what it was just before `instant`, in seconds since 1970.

    Raises:
        Conflict: that is not known any more, or they were not here then.
    """
    if owner.created >= instant:
        raise Conflict(f"{owner.name} is here since {_shown(owner.created)}; name a later time.")
    parts = [_since(txn, binding, instant) for binding in collections_of(txn, owner.id)]
    parts += [
        _restored_since(txn, removed, instant)
        for removed in removed_collections(txn, owner.id)
        if removed.created < instant <= removed.removed
    ]
    # What has to go goes first, so that names are free.
    return sorted(
        (part for part in parts if part.steps or part.goes or part.restored), key=lambda part: not part.goes
    )


def collection_since(txn: Transaction, owner: Principal, name: str, instant: int) -> list[Part]:
    """The same for what somebody had as `name` then.

    Raises:
        NotFound: they have and had no such collection.
        Conflict: what it was is not known any more.
    """
    binding = find_binding_of(txn, owner.id, name)
    live = binding if binding is not None and binding.collection.owner == owner.id else None
    removed = [each for each in removed_collections(txn, owner.id) if each.name == name]
    then = [each for each in removed if each.created < instant <= each.removed]
    if live is None and not removed:
        raise NotFound(f"{owner.name} has no collection {name!r}, and none in the trash.")
    parts = [] if live is None else [_since(txn, live, instant)]
    if live is None or live.collection.created >= instant:
        # The last of those that were called so while it was not there.
        parts += [_restored_since(txn, each, instant) for each in then[:1]]
    return [part for part in parts if part.steps or part.goes or part.restored]


def last_removed(txn: Transaction, owner: Principal, name: str) -> list[Part]:
    """How to have a collection again that was called `name`; nothing where none is in the trash."""
    removed = [each for each in removed_collections(txn, owner.id) if each.name == name]
    return [Part(each.id, each.name, restored=each) for each in removed[:1]]


def _since(txn: Transaction, binding: Binding, instant: int) -> Part:
    collection = binding.collection
    if collection.created >= instant:
        return Part(collection.id, binding.name, goes=True)
    return Part(
        collection.id, binding.name, tuple(objects_since(txn, collection, instant, name=binding.name))
    )


def _restored_since(txn: Transaction, removed: RemovedCollection, instant: int) -> Part:
    steps = _differences(txn, removed.id, instant, created=removed.created, name=removed.name)
    return Part(removed.id, removed.name, tuple(steps), restored=removed)


def objects_since(txn: Transaction, collection: Collection, instant: int, *, name: str) -> list[Step]:
    """How to make the objects of a collection what they were just before `instant`.

    Raises:
        Conflict: that is not known any more; `name` says in the sentence of what.
    """
    return _differences(txn, collection.id, instant, created=collection.created, name=name)


def _differences(
    txn: Transaction, collection: CollectionId, instant: int, *, created: int, name: str
) -> list[Step]:
    known = known_from(txn, collection)
    if created < instant < known:
        raise Conflict(f"What {name} held then is not known any more; it is known from {_shown(known)} on.")
    before = {version.name: version for version in versions_at(txn, collection, instant)}
    steps = []
    for each in new_since(txn, collection, instant):
        if each not in before:
            live = find_object(txn, collection, each, content=True)
            steps.append(Step(each, title_of(live.content or b"") if live else "", None))
    for each, version in before.items():
        now_there = find_object(txn, collection, each)
        if now_there is None or now_there.etag != version.etag:
            title = title_of(version.content or b"")
            steps.append(Step(each, title, version, exists=now_there is not None))
    return steps


def _shown(instant: int) -> str:
    """An instant as --since takes it."""
    return datetime.fromtimestamp(instant).astimezone().strftime("%Y-%m-%dT%H:%M:%S")


def history_of(txn: Transaction, collection: CollectionId, name: str) -> list[Version]:
    """What an object was before, newest first; also under another name, and if it is gone.

    Raises:
        NotFound: there is no such object, and nothing is known of one.
    """
    live = find_object(txn, collection, name)
    found = versions(txn, collection, name=name, uid=live.uid if live else "")
    if live is None and not found:
        raise NotFound(f"There is no object {name!r}, and nothing is known of an earlier one.")
    return found


def object_since(txn: Transaction, collection: Collection, of: str, instant: int, *, name: str) -> list[Step]:
    """How to make the object called `of` what it was just before `instant`.

    Raises:
        NotFound: there is no such object, and nothing is known of one.
        Conflict: as `objects_since`.
    """
    history_of(txn, collection.id, of)
    steps = [step for step in objects_since(txn, collection, instant, name=name) if step.name == of]
    return _freeing_uids(txn, collection.id, steps)


def last_change(txn: Transaction, owner: Principal, binding: Binding, name: str) -> list[Step]:
    """How to undo the last change of an object: to have its content, its name, or its absence of before.

    Another object that has its UID by now goes.

    Raises:
        NotFound: there is no such object, and nothing is known of one.
        Conflict: it is as it was when it was stored first, or it is in another collection.
    """
    collection = binding.collection.id
    found = history_of(txn, collection, name)
    if not found:
        raise Conflict(
            f"{name} is as it was when it was stored first; to undo that, delete it, or name a time with --since."
        )
    newest = found[0]
    live = find_object(txn, collection, name, content=True)
    if live is None:
        _check_not_elsewhere(txn, owner, binding, newest)
        return _freeing_uids(txn, collection, [_becomes(txn, newest, newest.name, exists=False)])
    if newest.how is How.REPLACED and newest.name == name:
        return _freeing_uids(txn, collection, [_becomes(txn, newest, name, exists=True)])
    gone = Step(name, title_of(live.content or b""), None)
    if newest.how is How.MOVED and newest.uid == live.uid and newest.name != name:
        if find_object(txn, collection, newest.name) is not None:
            raise Conflict(f"{name} was called {newest.name} before, and something else is called so now.")
        return [gone, _becomes(txn, newest, newest.name, exists=False)]
    # It was not there before.
    return [gone]


def to_version(txn: Transaction, binding: Binding, name: str, number: int) -> list[Step]:
    """How to make an object what it was in the version with that number; nothing where it is.

    Another object that has its UID by now goes.

    Raises:
        NotFound: there is no such object or version.
    """
    collection = binding.collection.id
    same = [each for each in history_of(txn, collection, name) if each.modseq == number]
    if not same:
        raise NotFound(f"{name} has no version {number}; `tagwerk history` says which it has.")
    live = find_object(txn, collection, name)
    if live is not None and live.etag == same[0].etag:
        return []
    return _freeing_uids(txn, collection, [_becomes(txn, same[0], name, exists=live is not None)])


def _freeing_uids(txn: Transaction, collection: CollectionId, steps: list[Step]) -> list[Step]:
    """The steps, and before them the removal of every other object that has a UID which one of them needs."""
    names = {step.name for step in steps}
    freed = []
    for step in steps:
        there = None if step.version is None else find_uid(txn, collection, step.version.uid)
        if there is not None and there.name not in names:
            live = find_object(txn, collection, there.name, content=True)
            freed.append(Step(there.name, title_of(live.content or b"") if live else "", None))
    return freed + steps


def _becomes(txn: Transaction, version: Version, name: str, *, exists: bool) -> Step:
    whole = find_version(txn, version.collection, version.modseq, name=version.name)
    if whole is None:
        raise NotFound("The version was forgotten in the meantime.")
    return Step(name, title_of(whole.content or b""), whole, exists=exists)


def _check_not_elsewhere(txn: Transaction, owner: Principal, binding: Binding, version: Version) -> None:
    """Raises Conflict where an object was only moved: it would be there twice."""
    if version.how is not How.MOVED:
        return
    for other in collections_of(txn, owner.id):
        there = find_uid(txn, other.collection.id, version.uid)
        if there is not None and other.collection.id != binding.collection.id:
            raise Conflict(
                f"{version.name} was moved to {other.name}/{there.name}; move it back, or undo everything of"
                f" {owner.name} since a time with --since."
            )


def begin(txn: Transaction, part: Part, *, by: By) -> None:
    """Do to the collection itself what was planned.

    Raises:
        NotFound: somebody else did it, or something else to it, in the meantime.
    """
    if part.goes:
        shares.delete(txn, part.collection, by=by)
    elif part.restored is not None:
        shares.restore(txn, part.restored, by=by)


def carry_out(
    txn: Transaction,
    collection: CollectionId,
    steps: Iterable[Step],
    *,
    now: int,
    by: PrincipalId = NOBODY,
    others: Iterable[Step] = (),
) -> None:
    """Do to its objects what was planned.  What has to go goes first, so that UIDs and names are free.

    `others` are steps of the same plan that are done in other transactions.

    Raises:
        InvalidCalendar, InvalidCard: a version is not taken any more; nothing is done then.
        Conflict: an object that is not in the plan was given a UID that it needs in the meantime.
    """
    kind = lock_collection(txn, collection).kind
    ordered = in_order(steps)
    planned = {step.name for step in (*ordered, *others)}
    for step in ordered:
        if step.version is None:
            if find_object(txn, collection, step.name) is not None:
                remove_object(txn, collection, step.name, now=now, by=by)
            continue
        upload = read(step.version.content or content_of(txn, step.version), kind, now=now)
        try:
            put_object(txn, collection, step.name, upload=upload, now=now, by=by)
        except UidConflict as error:
            if error.existing not in planned:
                raise Conflict(
                    f"{error.existing} was stored in the meantime with the UID of {step.name}; look at it, and begin again."
                ) from error
            # Two objects have changed their names; the other one's step is still to come.
            remove_object(txn, collection, error.existing, now=now, by=by)
            put_object(txn, collection, step.name, upload=upload, now=now, by=by)


def in_order(steps: Iterable[Step]) -> list[Step]:
    """The steps as they have to be done."""
    return sorted(steps, key=lambda step: step.version is not None)


def bring_back(
    txn: Transaction,
    owner: Principal,
    binding: Binding,
    version: Version,
    *,
    now: int,
    by: PrincipalId = NOBODY,
) -> str:
    """Store an object of the trash again and return its name: the former one, unless another has that now.

    Raises:
        Conflict: its UID is in the collection again.
    """
    collection = lock_collection(txn, binding.collection.id)
    content = version.content or content_of(txn, version)
    upload = read(content, collection.kind, now=now)
    there = find_uid(txn, collection.id, upload.facts.uid)
    if there is not None:
        raise Conflict(
            f"{binding.name} has it again, as {there.name};"
            f" `tagwerk undo {owner.name}/{binding.name}/{version.name} --to {version.modseq}`"
            f" removes {there.name} and brings back what {version.name} was."
        )
    name = version.name
    if find_object(txn, collection.id, name) is not None:
        suffix = ".vcf" if version.component == "VCARD" else ".ics"
        name = blake2b(f"{version.uid} {etag_of(content)}".encode(), digest_size=16).hexdigest() + suffix
    put_object(txn, collection.id, name, upload=upload, now=now, by=by)
    return name


def size_of(txn: Transaction, part: Part) -> int:
    """How many objects a collection holds that comes or goes as a whole."""
    if part.restored is not None:
        return part.restored.objects
    there = find_collection(txn, part.collection)
    return 0 if there is None else sum(1 for _ in objects(txn, there.id))
