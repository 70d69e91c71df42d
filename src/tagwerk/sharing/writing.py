"""Writing through a view: what is shared goes to everybody, what is personal stays with who wrote it.

A sharee's PUT holds both.  Alarms and transparency become theirs; the rest, where they may
change it, becomes everybody's, with the owner's alarms in it.  What a sharee sees masked
they can never write back over the original.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from tagwerk.contentline import Component, parse, serialize
from tagwerk.errors import (
    CALDAV,
    NeedPrivileges,
    NotFound,
    ObjectTooLarge,
    PreconditionFailed,
    UidConflict,
)
from tagwerk.ical import resource as ical_resource
from tagwerk.ical.masking import is_what_was_masked
from tagwerk.ical.personal import same_shared, taken_apart
from tagwerk.model import Access, Collection, PrincipalId, Status, StoredObject, Upload
from tagwerk.sharing.views import View
from tagwerk.store.access import access_of, delegated
from tagwerk.store.engine import Transaction
from tagwerk.store.history import How
from tagwerk.store.objects import (
    bury_object,
    copy_object,
    find_object,
    move_object,
    remove_object,
    replace_object,
)
from tagwerk.store.personal import put_own, viewers_of
from tagwerk.store.shares import invitation

MAX_OWN = 64 * 1024
"""Characters that somebody may have of their own in one object: it counts for nobody's quota."""

_ONLY_OWN = "You may not change this collection; only your own alarms in it."


@dataclass(frozen=True, slots=True)
class Plan:
    """What a PUT is going to write: the object for everybody, None where that stays; what is the writer's own.

    `replacing` is what is there, None for nothing; `own` is None where they have nothing
    apart; `grown` is how many bytes the object will have more.
    """

    replacing: StoredObject | None
    shared: Upload | None
    own: str | None
    grown: int


def plan(
    view: View, name: str, upload: Upload, *, replacing: StoredObject | None, now: int, known: bool = False
) -> Plan:
    """Divide what somebody sent, and see whether they may write it.

    `replacing` is what the name has in the database, with its bytes unless the view is plain;
    the caller has read it under the collection's row lock.  `known`: they have shown that it is
    what they saw last.

    Raises:
        NeedPrivileges: they may not.
        PreconditionFailed: they send back what they saw when it was masked.
        UidConflict: another UID has the name, or another name the UID.
    """
    existing = replacing
    if not view.access.writes and (existing is None or view.hides(existing.privacy)):
        # Who could not store it anyway is not told that there is something hidden.
        raise NeedPrivileges(_ONLY_OWN)
    check_place(view, existing)
    if existing is not None and existing.uid != upload.facts.uid:
        raise UidConflict(existing.uid, existing=name)
    if view.plain:
        if not view.access.writes:
            raise NeedPrivileges("You may not change this collection.")
        return Plan(existing, upload, None, len(upload.content) - (existing.size if existing else 0))
    if view.access is Access.BUSY:
        raise NeedPrivileges("You may not change this collection.")
    sent = _calendar(upload.content)
    base = None if existing is None or existing.content is None else _calendar(existing.content)
    shared, own = taken_apart(sent, base)
    if len(own.dumps()) > MAX_OWN:
        raise ObjectTooLarge(
            f"Alarms of one's own may have {MAX_OWN} characters in one object.",
            condition=CALDAV + "max-resource-size",
        )
    if base is not None and same_shared(shared, base):
        return Plan(existing, None, own.dumps(), 0)
    if not view.access.writes:
        raise NeedPrivileges(_ONLY_OWN)
    if base is not None and not known:
        _check_is_not_masked(shared, base)
    if view.masks and upload.facts.privacy > 0:
        raise NeedPrivileges(
            "In a calendar of somebody else you could not see what you mark as private or confidential;"
            " leave CLASS out, or use a calendar of your own."
        )
    written = _read(shared, sent, upload, now=now)
    return Plan(existing, written, own.dumps(), len(written.content) - (existing.size if existing else 0))


def check_place(view: View, existing: StoredObject | None) -> None:
    """Raises NeedPrivileges where the viewer sees less than there is: they would write over the rest."""
    if existing is None or not view.masks or not existing.privacy:
        return
    if view.hides(existing.privacy):
        raise NeedPrivileges("You may not store anything under this name.")
    raise NeedPrivileges("You see only a part of this object, so you may not change it.")


def carry_out(txn: Transaction, view: View, name: str, planned: Plan, *, now: int) -> StoredObject:
    """Write what was planned and return the object as the viewer sees it, with its bytes.

    Raises:
        UidConflict: another name in the collection has its UID.
    """
    if planned.shared is not None:
        written = replace_object(
            txn,
            view.collection.id,
            name,
            upload=planned.shared,
            existing=planned.replacing,
            now=now,
            by=view.viewer,
        )
        if view.plain:
            return dataclasses.replace(written, content=planned.shared.content)
    if planned.own is not None:
        put_own(txn, view.viewer, view.collection.id, name, data=planned.own)
    stored = view.find(txn, name, content=True)
    assert stored is not None
    return stored


def store(txn: Transaction, view: View, name: str, upload: Upload, *, now: int) -> StoredObject:
    """Write what somebody sent and return it as they see it, with its bytes; raises as `plan` and `carry_out` do."""
    replacing = find_object(txn, view.collection.id, name, content=not view.plain)
    return carry_out(txn, view, name, plan(view, name, upload, replacing=replacing, now=now), now=now)


def remove(txn: Transaction, view: View, name: str, *, now: int) -> None:
    """Remove an object.

    Raises:
        NotFound: there is none that the viewer sees.
        NeedPrivileges: they may not.
    """
    if not view.access.writes:
        raise NeedPrivileges("You may not change this collection.")
    existing = find_object(txn, view.collection.id, name)
    if existing is None:
        raise NotFound(f"There is no object {name!r}.")
    check_place(view, existing)
    bury_object(txn, view.collection.id, existing, now=now, by=view.viewer)


def move(txn: Transaction, view: View, name: str, *, to: View, as_name: str, now: int) -> None:
    """Move an object: the row as it is where it stays with its owner, else what the mover sees of it.

    What others have of their own in it goes along for those who have `to` as well.  What has
    the other name already is removed.

    Raises:
        NotFound: there is none that the mover sees.
        NeedPrivileges: they may not take it away, or not put it there.
        PreconditionFailed: it is what they saw of the other one when that was masked.
        UidConflict: another name in `to` has its UID.
    """
    if not view.access.writes or not to.access.writes:
        raise NeedPrivileges("You may not change this collection.")
    moved = find_object(txn, view.collection.id, name)
    if moved is None:
        raise NotFound(f"There is no object {name!r}.")
    check_place(view, moved)
    _make_room(txn, view, name, to=to, as_name=as_name, now=now)
    same_owner = view.collection.owner == to.collection.owner
    # What leaves for somebody else's collection is gone for its owner.
    how = How.MOVED if same_owner else How.REMOVED
    # `store` refuses what the mover would not see there.
    if (view.plain and to.plain) or (same_owner and not (to.masks and moved.privacy)):
        move_object(
            txn,
            view.collection.id,
            name,
            to=to.collection.id,
            as_name=as_name,
            now=now,
            by=view.viewer,
            how=how,
            keeping=_keeping(txn, view.collection, name, to=to.collection),
        )
        return
    upload = _seen(txn, view, name, now=now)
    remove_object(txn, view.collection.id, name, now=now, by=view.viewer, how=how)
    store(txn, to, as_name, upload, now=now)


def _keeping(txn: Transaction, collection: Collection, name: str, *, to: Collection) -> list[PrincipalId]:
    """Of those who have something of their own in an object, who has it in `to` as well."""
    viewers = viewers_of(txn, collection.id, name)
    return [viewer for viewer in viewers if to.id == collection.id or _has(txn, to, viewer)]


def _has(txn: Transaction, collection: Collection, viewer: PrincipalId) -> bool:
    """Whether somebody other than its owner has a collection, or will when they next look at their home."""
    if delegated(txn, collection.owner, viewer) is not None:
        return True
    invited = invitation(txn, viewer, collection.id)
    declined = invited is not None and invited.status is Status.DECLINED
    return not declined and access_of(txn, collection.id, viewer) is not None


def copy(txn: Transaction, view: View, name: str, *, to: View, as_name: str, now: int) -> None:
    """Store an object a second time, as `move` moves it."""
    if not to.access.writes:
        raise NeedPrivileges("You may not change this collection.")
    _make_room(txn, view, name, to=to, as_name=as_name, now=now)
    if view.plain and to.plain:
        copy_object(txn, view.collection.id, name, to=to.collection.id, as_name=as_name, now=now)
        return
    upload = _seen(txn, view, name, now=now)
    store(txn, to, as_name, upload, now=now)


def _make_room(txn: Transaction, view: View, name: str, *, to: View, as_name: str, now: int) -> None:
    """Remove what is to be replaced by the object `name`."""
    existing = find_object(txn, to.collection.id, as_name, content=not to.plain)
    check_place(to, existing)
    if existing is None:
        return
    if existing.content is not None:
        coming = _seen(txn, view, name, now=now)
        if coming.facts.uid == existing.uid:
            _check_is_not_masked(_calendar(coming.content), _calendar(existing.content))
    bury_object(txn, to.collection.id, existing, now=now, by=view.viewer)


def _check_is_not_masked(sent: Component, stored: Component) -> None:
    """Raises PreconditionFailed where somebody sends back what they saw of an object when it was masked."""
    if is_what_was_masked(sent, stored):
        raise PreconditionFailed(
            "This is what you saw of it when only busy time was shown; get it again and change that."
        )


def _seen(txn: Transaction, view: View, name: str, *, now: int) -> Upload:
    """An object as somebody sees it, to be stored elsewhere."""
    stored = view.find(txn, name, content=True)
    if stored is None or stored.content is None:
        raise NotFound(f"There is no object {name!r}.")
    return ical_resource.read(stored.content, now=now)


def _read(shared: Component, sent: Component, upload: Upload, *, now: int) -> Upload:
    """The shared part as an object: the very bytes that were sent where nothing personal was in them."""
    text = serialize(shared)
    if text == serialize(sent):
        return upload
    return ical_resource.read(text.encode(), now=now)


def _calendar(content: bytes) -> Component:
    return parse(content.decode())[0]
