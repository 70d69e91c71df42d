"""Undoing: an object, or a whole collection, as it was before.

Whatever is undone is an ordinary change: it syncs to every client, takes its place in the
history, and can be undone itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

from tagwerk.errors import Conflict, NotFound, UidConflict
from tagwerk.history.versions import read, title_of
from tagwerk.model import NOBODY, Binding, CollectionId, PrincipalId
from tagwerk.store.collections import lock_collection
from tagwerk.store.engine import Transaction
from tagwerk.store.history import Version, content_of, find_version, new_since, versions, versions_at
from tagwerk.store.objects import etag_of, find_object, find_uid, put_object, remove_object


@dataclass(frozen=True, slots=True)
class Step:
    """What is going to be done to one object: be as in `version`, or be gone where that is None."""

    name: str
    title: str
    version: Version | None

    def described(self, *, exists: bool) -> str:
        """One word: restore, revert or remove."""
        if self.version is None:
            return "remove"
        return "revert" if exists else "restore"


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


def last_change(txn: Transaction, binding: Binding, name: str, *, to: int | None = None) -> Step:
    """How to undo the last change of an object, or everything since it was the version `to`.

    Raises:
        NotFound: there is no such object or version.
        Conflict: it is as it was when it was stored first.
    """
    collection = binding.collection.id
    found = history_of(txn, collection, name)
    if to is not None:
        # A version under another name of the same object counts as well.
        if not any(each.modseq == to for each in found):
            raise NotFound(f"{name} has no version {to}; `tagwerk history` says which it has.")
        version = next(each for each in found if each.modseq == to)
    elif not found:
        raise Conflict(
            f"{name} is as it was when it was stored first; to undo that, delete it, or name a time with --since."
        )
    else:
        version = found[0]
    whole = find_version(txn, collection, version.modseq, name=version.name)
    assert whole is not None
    return Step(name, title_of(whole.content or b""), whole)


def everything_since(txn: Transaction, binding: Binding, instant: int) -> list[Step]:
    """How to make a collection what it was just before `instant`, in seconds since 1970."""
    collection = binding.collection.id
    before = {version.name: version for version in versions_at(txn, collection, instant)}
    steps = []
    for name in new_since(txn, collection, instant):
        if name not in before:
            live = find_object(txn, collection, name, content=True)
            assert live is not None
            steps.append(Step(name, title_of(live.content or b""), None))
    for name, version in before.items():
        now_there = find_object(txn, collection, name)
        if now_there is None or now_there.etag != version.etag:
            steps.append(Step(name, title_of(version.content or b""), version))
    return steps


def carry_out(
    txn: Transaction, binding: Binding, steps: Iterable[Step], *, now: int, by: PrincipalId = NOBODY
) -> None:
    """Do what was planned.  What has to go goes first, so that UIDs and names are free.

    Raises:
        InvalidCalendar, InvalidCard: a version is not taken any more; nothing is done then.
    """
    collection = lock_collection(txn, binding.collection.id)
    for step in sorted(steps, key=lambda step: step.version is not None):
        if step.version is None:
            if find_object(txn, collection.id, step.name) is not None:
                remove_object(txn, collection.id, step.name, now=now, by=by)
            continue
        content = step.version.content or content_of(txn, step.version)
        upload = read(content, collection.kind, now=now)
        try:
            put_object(txn, collection.id, step.name, upload=upload, now=now, by=by)
        except UidConflict as error:
            # Two objects have changed their names; the other one's step, if any, is still to come.
            remove_object(txn, collection.id, error.existing, now=now, by=by)
            put_object(txn, collection.id, step.name, upload=upload, now=now, by=by)


def bring_back(
    txn: Transaction, binding: Binding, version: Version, *, now: int, by: PrincipalId = NOBODY
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
            f"{binding.name} has it again, as {there.name}; `tagwerk undo` makes that what it was before."
        )
    name = version.name
    if find_object(txn, collection.id, name) is not None:
        suffix = ".vcf" if version.component == "VCARD" else ".ics"
        name = blake2b(f"{version.uid} {etag_of(content)}".encode(), digest_size=16).hexdigest() + suffix
    put_object(txn, collection.id, name, upload=upload, now=now, by=by)
    return name
