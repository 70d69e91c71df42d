"""The trash of somebody: what was deleted from their collections, and collections that were deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tagwerk.errors import Conflict, NotFound
from tagwerk.history.undo import bring_back
from tagwerk.history.versions import says_the_same, title_of
from tagwerk.model import Binding, Principal
from tagwerk.sharing import shares
from tagwerk.sharing.shares import By
from tagwerk.store.collections import collections_of, find_binding_of, lock_collection
from tagwerk.store.engine import Transaction
from tagwerk.store.history import (
    RemovedCollection,
    Version,
    content_of,
    delete_removed,
    forget_object,
    forget_removed,
    removed_collections,
    removed_objects,
    versions,
)
from tagwerk.store.objects import find_object


@dataclass(frozen=True, slots=True)
class Trashed:
    """Something in a trash.

    `handle` names it there: ``COLLECTION:NUMBER`` for an object, ``COLLECTION@ID`` for a
    collection.  `what` is its component or kind, `removed` in seconds since 1970, `by` the name of
    who deleted it, "" for the command line.  `again_as` is the name under which an object with its
    UID is there again.
    """

    handle: str
    what: str
    name: str
    title: str
    removed: int
    by: str
    size: int
    version: Version | None = None
    collection: RemovedCollection | None = None
    again_as: str = ""


def contents(txn: Transaction, owner: Principal, *, titles: bool = True) -> list[Trashed]:
    """Everything in the trash of `owner`, what was deleted last first; titles are read from the objects."""
    found = [
        Trashed(
            f"{each.name}@{each.id % 2**31:x}",
            each.kind.value,
            each.name,
            "1 object" if each.objects == 1 else f"{each.objects:,} objects",
            each.removed,
            each.by,
            each.bytes,
            collection=each,
        )
        for each in removed_collections(txn, owner.id)
    ]
    for binding in collections_of(txn, owner.id):
        found += [
            Trashed(
                f"{binding.name}:{version.modseq}",
                version.component,
                version.name,
                title_of(content_of(txn, version)) if titles else "",
                version.ended,
                version.by,
                version.size,
                version=version,
                again_as=again_as,
            )
            for version, again_as in removed_objects(txn, binding.collection.id)
            if not (again_as and _is_there(txn, version, again_as))
        ]
    found.sort(key=lambda each: -each.removed)
    return found


def _is_there(txn: Transaction, version: Version, again_as: str) -> bool:
    """Whether what was deleted came back under another name as it was.

    So some programs move an object: nobody has lost anything, whatever became of it since.
    """
    content = content_of(txn, version)
    live = find_object(txn, version.collection, again_as, content=True)
    if live is not None and says_the_same(content, live.content or b""):
        return True
    since = (
        each
        for each in versions(txn, version.collection, name=again_as, uid=version.uid)
        if each.modseq > version.modseq
    )
    return any(says_the_same(content, content_of(txn, each)) for each in since)


def restore(txn: Transaction, owner: Principal, handles: Sequence[str], *, by: By) -> list[str]:
    """Let everything that is named be there again, as ordinary changes; where each is now, as a path.

    Raises:
        NotFound: there is nothing of that name in the trash.
        Conflict: the collection has an object with its UID again.
    """
    done = []
    for one in _named(txn, owner, handles):
        if one.collection is not None:
            done.append(f"{owner.name}/{shares.restore(txn, one.collection, by=by).name}")
            continue
        binding = _place(txn, owner, one)
        assert one.version is not None
        name = bring_back(txn, owner, binding, one.version, now=by.now, by=by.principal)
        done.append(f"{owner.name}/{binding.name}/{name}")
    return done


def empty(txn: Transaction, owner: Principal, handles: Sequence[str] = ()) -> int:
    """Forget what is named, or everything in the trash, for ever, as it was at any time; how much that was.

    Raises:
        NotFound: there is nothing of that name in the trash.
    """
    # Nobody adds to what is kept, or restores it, while it is forgotten.
    bindings = sorted(collections_of(txn, owner.id), key=lambda binding: binding.collection.id)
    for binding in bindings:
        lock_collection(txn, binding.collection.id)
    chosen = _named(txn, owner, handles) if handles else contents(txn, owner, titles=False)
    gone = 0
    for one in chosen:
        if one.collection is not None:
            gone += delete_removed(txn, one.collection.id)
        elif one.version is not None:
            forget_object(txn, one.version, again_as=one.again_as)
            gone += 1
    if not handles:
        for binding in bindings:
            forget_removed(txn, owner.id, binding.collection.id)
    return gone


def _named(txn: Transaction, owner: Principal, handles: Sequence[str]) -> list[Trashed]:
    there = contents(txn, owner, titles=False)
    found: dict[str, Trashed] = {}
    for handle in handles:
        # A collection's name alone means the last of those that were called so.
        matching = [each for each in there if handle == each.handle]
        if not matching:
            matching = [each for each in there if each.collection is not None and handle == each.name]
        if not matching:
            raise NotFound(
                f"There is no {handle!r} in the trash of {owner.name}; `tagwerk trash list {owner.name}` says what is."
            )
        found.setdefault(matching[0].handle, matching[0])
    # Collections first, as objects may go into them.
    return sorted(found.values(), key=lambda each: each.collection is None)


def _place(txn: Transaction, owner: Principal, one: Trashed) -> Binding:
    name = one.handle.rpartition(":")[0]
    binding = find_binding_of(txn, owner.id, name)
    if binding is None:
        raise Conflict(f"The collection {name} is gone; restore it first.")
    return binding
