"""Sharing: giving, taking back, accepting and leaving.  Each is one change, and is remembered.

What somebody may do is what `share` says at each request (`tagwerk.store.access`).  Here
it is written, with what follows from it: a place in the sharee's home, a notice to
them, a change of the collection so that every client looks again, and an audit entry.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape

from tagwerk.errors import DAV, Conflict, NotFound, Refused
from tagwerk.model import (
    EVERYBODY,
    NO_BINDING,
    NOBODY,
    Access,
    Binding,
    BindingId,
    Collection,
    CollectionId,
    Kind,
    Principal,
    PrincipalId,
    Status,
)
from tagwerk.sharing.notices import Notice, invitation_name, tell, untell
from tagwerk.store import shares
from tagwerk.store.access import access_of
from tagwerk.store.audit import Entry, add_entry
from tagwerk.store.collections import (
    binding_to,
    bindings_of,
    find_collection,
    is_taken,
    lock_collection,
    next_modseq,
)
from tagwerk.store.engine import Transaction
from tagwerk.store.history import (
    RemovedCollection,
    delete_collection,
    forget_places,
    put_aside,
    put_place,
    take_back,
)
from tagwerk.store.principals import everybody_in, principal_by_id
from tagwerk.store.properties import (
    collection_properties,
    forget_own_value,
    home_properties,
    set_collection_properties,
)

AT_ONCE, ASK = "at-once", "ask"
"""Whether a share is accepted when it is given, or its sharee is asked."""

EVERYBODY_NAME = "everybody"
"""How everybody on this server is called where names are written."""

SETTLED_AT_ONCE = 500
"""Members of a group who get their place when it is given something; more of them when they come."""

_DISPLAYNAME = DAV + "displayname"
_TRANSPARENCY = "{urn:ietf:params:xml:ns:caldav}schedule-calendar-transp"

log = logging.getLogger("tagwerk.audit")


@dataclass(frozen=True, slots=True)
class By:
    """Who does something, when (seconds since 1970), and whether shares are accepted by themselves here.

    `principal` is `NOBODY` where it is no principal that does it.
    """

    actor: str
    now: int
    accept: str = AT_ONCE
    principal: PrincipalId = NOBODY


def share(
    txn: Transaction,
    binding: Binding,
    grantee: Principal | None,
    access: Access,
    *,
    by: By,
    summary: str = "",
) -> None:
    """Give `grantee`, or everybody if it is None, exactly this much of a collection.

    `binding` is any place of the collection; whether `by.actor` may do so is the caller's
    business.

    Raises:
        Refused: it cannot be given, or not to them.
        NotFound: the collection is gone.
    """
    collection = lock_collection(txn, binding.collection.id)
    if collection.kind is Kind.NOTIFICATIONS:
        raise Refused("Notifications cannot be shared.")
    if access is Access.OWNER:
        raise Refused("What can be given is busy, read, write or manage.")
    if access is Access.BUSY and collection.kind is not Kind.CALENDAR:
        raise Refused("An address book has no busy time; share it with read, write or manage.")
    # What a group owns its members have by a share with the group itself.
    if grantee is not None and grantee.id == collection.owner and grantee.kind != "group":
        raise Refused("It belongs to them already.")
    grantee_id = grantee.id if grantee else EVERYBODY
    before = shares.find_share(txn, collection.id, grantee_id)
    summary = summary or (before.summary if before else "")
    if before is None or (before.access, before.summary) != (access, summary):
        shares.put_share(txn, collection.id, grantee_id, access, summary=summary, now=by.now)
        next_modseq(txn, collection.id, now=by.now)
        detail = access.value if before is None else f"{before.access.value} -> {access.value}"
        record(txn, collection, "share", by=by, grantee=_name(grantee), detail=detail)
    if grantee is None:
        return
    if grantee.kind == "person":
        _invite(txn, collection, grantee, by=by, changed=before is None or before.access is not access)
        return
    members = everybody_in(txn, grantee.id)
    if len(members) <= SETTLED_AT_ONCE:
        for member in members:
            settle(txn, member, by=by)


def unshare(txn: Transaction, binding: Binding, grantee: Principal | None, *, by: By) -> None:
    """Take back what a grantee was given.  Who has it by another way keeps that.

    Raises:
        NotFound: they were given nothing.
    """
    collection = lock_collection(txn, binding.collection.id)
    if not shares.remove_share(txn, collection.id, grantee.id if grantee else EVERYBODY):
        raise NotFound(f"It is not shared with {_name(grantee)}.")
    next_modseq(txn, collection.id, now=by.now)
    record(txn, collection, "unshare", by=by, grantee=_name(grantee))
    sweep(txn, collection, shares.invitees_of(txn, collection.id), by=by)


def delete(txn: Transaction, collection: CollectionId, *, by: By, for_ever: bool = False) -> None:
    """Delete a collection for everybody; those with whom it was shared are told.

    Unless it is `for_ever`, it can be had again with `restore` for as long as the trash is kept.

    Raises:
        NotFound: it is gone already.
    """
    found = lock_collection(txn, collection)
    invitees = shares.invitees_of(txn, collection)
    for invitee in invitees:
        invited = shares.invitation(txn, invitee, collection)
        principal = principal_by_id(txn, invitee)
        if invited is not None and principal is not None and invited.status is not Status.DECLINED:
            _tell(txn, found, principal, invited.id, "deleted", access=Access.READ, by=by)
    if invitees or shares.shares_of(txn, collection):
        record(txn, found, "delete", by=by)
    if for_ever:
        delete_collection(txn, collection)
    else:
        put_aside(txn, collection, now=by.now, by=by.principal)


def restore(txn: Transaction, removed: RemovedCollection, *, by: By) -> Binding:
    """Let a collection that was deleted be there again, for everybody whom it still reaches.

    It has the same history: a client that still knows it goes on where it was.  It appears
    under its former name, or one like it where that is taken.

    Raises:
        NotFound: it is not in the trash any more.
    """
    places = take_back(txn, removed.id)
    collection = lock_collection(txn, removed.id)
    # Notices and the audit name its place in the owner's home, which therefore comes first.
    for place in sorted(places, key=lambda place: place.principal != collection.owner):
        own = place.principal == collection.owner
        if not own and access_of(txn, collection.id, place.principal) is None:
            continue
        accepted = place.status is Status.ACCEPTED
        name = shares.free_name(txn, place.principal, place.name) if accepted else ""
        put_place(txn, collection.id, place, name=name)
        invited = shares.invitation(txn, place.principal, collection.id)
        principal = principal_by_id(txn, place.principal)
        access = access_of(txn, collection.id, place.principal) or Access.READ
        if invited is not None and principal is not None and place.status is not Status.DECLINED:
            told = "accepted" if accepted else "noresponse"
            _tell(txn, collection, principal, invited.id, told, access=access, by=by)
    forget_places(txn, collection.id)
    next_modseq(txn, collection.id, now=by.now)
    if shares.shares_of(txn, collection.id):
        record(txn, collection, "restore", by=by)
    binding = binding_to(txn, collection.owner, collection.id)
    assert binding is not None
    return binding


def sweep(txn: Transaction, collection: Collection, invitees: list[PrincipalId], *, by: By) -> None:
    """Remove a collection from the homes of those whom nothing of it reaches any more."""
    for invitee in invitees:
        if access_of(txn, collection.id, invitee) is not None:
            continue
        invited = shares.invitation(txn, invitee, collection.id)
        principal = principal_by_id(txn, invitee)
        shares.forget(txn, invitee, collection.id)
        if invited is not None and principal is not None and invited.status is not Status.DECLINED:
            _tell(txn, collection, principal, invited.id, "deleted", access=Access.READ, by=by)


def settle(txn: Transaction, principal: Principal, *, by: By) -> None:
    """Give everything that reaches somebody, and has no place in their home yet, one, or an invitation."""
    for collection, _ in shares.unsettled(txn, principal.id):
        _invite(txn, collection, principal, by=by, changed=True)


def is_settled(txn: Transaction, principal: PrincipalId) -> bool:
    """Whether `settle` has nothing to do."""
    return not shares.has_unsettled(txn, principal)


def _invite(txn: Transaction, collection: Collection, principal: Principal, *, by: By, changed: bool) -> None:
    """Offer a share to a person who may have been offered it before."""
    invited = shares.invitation(txn, principal.id, collection.id)
    at_once = (principal.accept or by.accept) == AT_ONCE
    access = access_of(txn, collection.id, principal.id) or Access.READ
    if invited is not None and invited.status is not Status.DECLINED:
        if changed:
            status = "accepted" if invited.status is Status.ACCEPTED else "noresponse"
            _tell(txn, collection, principal, invited.id, status, access=access, by=by)
        return
    status = Status.ACCEPTED if at_once else Status.PENDING
    if invited is None:
        wanted = _wanted_name(txn, collection, principal.id)
        binding = shares.settle(txn, principal.id, collection.id, wanted=wanted, status=status, now=by.now)
    else:
        binding = invited.id
        name = ""
        if at_once:
            name = shares.free_name(txn, principal.id, _wanted_name(txn, collection, principal.id))
        shares.answer(txn, binding, status=status, name=name)
    if at_once:
        _first_look(txn, collection, principal.id, binding)
    told = "accepted" if at_once else "noresponse"
    # Where nobody was asked nobody has accepted.
    record(
        txn, collection, "place" if at_once else "invite", by=by, grantee=principal.name, detail=access.value
    )
    _tell(txn, collection, principal, binding, told, access=access, by=by)


def accept(txn: Transaction, principal: Principal, collection: CollectionId, *, by: By) -> Binding:
    """What was offered gets its place in the home of who was asked; the place, also if it had one.

    Raises:
        NotFound: it was not offered, or was taken back.
    """
    invited = _open_invitation(txn, principal, collection)
    found = lock_collection(txn, collection)
    if invited.status is not Status.ACCEPTED:
        name = shares.free_name(txn, principal.id, _wanted_name(txn, found, principal.id))
        shares.answer(txn, invited.id, status=Status.ACCEPTED, name=name)
        _first_look(txn, found, principal.id, invited.id)
        _answered(txn, found, principal, invited.id, "accepted", by=by)
    binding = binding_to(txn, principal.id, collection)
    assert binding is not None
    return binding


def decline(txn: Transaction, principal: Principal, collection: CollectionId, *, by: By) -> None:
    """Say no to what was offered, or leave what was accepted.  The owner's data stays as it is.

    Raises:
        NotFound: it was not offered, or was taken back.
    """
    invited = _open_invitation(txn, principal, collection)
    if invited.status is Status.DECLINED:
        return
    found = lock_collection(txn, collection)
    shares.forget(txn, principal.id, collection)
    shares.settle(txn, principal.id, collection, wanted="", status=Status.DECLINED, now=by.now)
    _answered(txn, found, principal, invited.id, "declined", by=by)


def _open_invitation(txn: Transaction, principal: Principal, collection: CollectionId) -> shares.Invitation:
    invited = shares.invitation(txn, principal.id, collection)
    if invited is None or access_of(txn, collection, principal.id) is None:
        raise NotFound("There is no such invitation.")
    return invited


def _answered(
    txn: Transaction, collection: Collection, principal: Principal, binding: BindingId, said: str, *, by: By
) -> None:
    """Remember an answer, and tell the owner."""
    next_modseq(txn, collection.id, now=by.now)
    record(txn, collection, "accept" if said == "accepted" else "decline", by=by, grantee=principal.name)
    untell(txn, principal.id, invitation_name(f"{collection.id:x}"), now=by.now)
    owner = principal_by_id(txn, collection.owner)
    if owner is not None and owner.kind == "person":
        access = access_of(txn, collection.id, principal.id) or Access.READ
        tell(txn, owner.id, _notice(txn, collection, principal, binding, "reply", said, access, by.now))


def _first_look(txn: Transaction, collection: Collection, principal: PrincipalId, binding: BindingId) -> None:
    """What a sharee finds at first (apple-caldav-sharing.txt 5.5.5): it does not make them busy.

    Where they have something of the same title it says whose it is.
    """
    values: dict[str, str | None] = {}
    if collection.kind is Kind.CALENDAR:
        values[_TRANSPARENCY] = "<C:transparent/>"
    title = title_of(txn, collection.id)
    others = [other.id for other in bindings_of(txn, principal) if other.id != binding]
    taken = {_as_text(values.get(_DISPLAYNAME, "")) for values in home_properties(txn, others).values()}
    owner = principal_by_id(txn, collection.owner)
    if title and title in taken and owner is not None:
        values[_DISPLAYNAME] = _titled(title, owner)
    set_collection_properties(txn, collection.id, values, binding=binding)


def set_common_properties(
    txn: Transaction, collection: Collection, changes: Mapping[str, str | None]
) -> None:
    """Set what everybody sees of a collection, whose row the caller has locked.

    A title that says whose the collection is, and that nobody chose, goes with the title that it was made of.
    """
    if _DISPLAYNAME in changes:
        title, owner = title_of(txn, collection.id), principal_by_id(txn, collection.owner)
        if title and owner is not None:
            forget_own_value(txn, collection.id, _DISPLAYNAME, _titled(title, owner))
    set_collection_properties(txn, collection.id, changes)


def _titled(title: str, owner: Principal) -> str:
    return _as_xml(f"{title} ({owner.display_name})")


def _wanted_name(txn: Transaction, collection: Collection, principal: PrincipalId) -> str:
    """The owner's name for it; with the owner's own name behind it where that is taken."""
    home = binding_to(txn, collection.owner, collection.id)
    owner = principal_by_id(txn, collection.owner)
    if home is None or owner is None:
        raise Conflict("The collection is in nobody's home.")
    name = home.name
    return f"{name[:120]}-{owner.name}" if is_taken(txn, principal, name) else name


def record(
    txn: Transaction, collection: Collection, action: str, *, by: By, grantee: str = "", detail: str = ""
) -> None:
    """Remember what was done to a collection, in the database and in the log."""
    owner = principal_by_id(txn, collection.owner)
    home = binding_to(txn, collection.owner, collection.id)
    entry = Entry(
        by.now,
        by.actor,
        action,
        owner.name if owner else "",
        home.name if home else "",
        grantee,
        detail,
    )
    add_entry(txn, entry)
    log.info(
        "%s: %s %s/%s%s%s",
        entry.actor,
        action,
        entry.owner,
        entry.collection,
        f" {grantee}" if grantee else "",
        f" ({detail})" if detail else "",
    )


def title_of(txn: Transaction, collection: CollectionId, binding: BindingId = NO_BINDING) -> str:
    """What a collection is called where it is shown; "" where it has no title."""
    return _as_text(collection_properties(txn, collection, binding).get(_DISPLAYNAME, ""))


def _as_text(value: str) -> str:
    return unescape(re.sub(r"<[^>]*>", "", value))


def _as_xml(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _tell(
    txn: Transaction,
    collection: Collection,
    principal: Principal,
    binding: BindingId,
    status: str,
    *,
    access: Access,
    by: By,
) -> None:
    tell(txn, principal.id, _notice(txn, collection, principal, binding, "invite", status, access, by.now))


def _notice(
    txn: Transaction,
    collection: Collection,
    principal: Principal,
    binding: BindingId,
    kind: str,
    status: str,
    access: Access,
    now: int,
) -> Notice:
    owner = principal_by_id(txn, collection.owner)
    home = binding_to(txn, collection.owner, collection.id)
    given = shares.find_share(txn, collection.id, principal.id)
    return Notice(
        kind=kind,
        status=status,
        uid=f"{binding:x}",
        place=f"{collection.id:x}",
        owner=owner.name if owner else "",
        collection=home.name if home else "",
        grantee=principal.name,
        access=access.value,
        title=(given.summary if given else "") or title_of(txn, collection.id) or (home.name if home else ""),
        content=collection.kind.value,
        components=collection.components,
        at=now,
    )


def _name(grantee: Principal | None) -> str:
    return grantee.name if grantee else EVERYBODY_NAME


def collection_behind(txn: Transaction, principal: PrincipalId, uid: str) -> CollectionId | None:
    """The collection of the invitation to `principal` that has this `Notice.uid`."""
    for invited in shares.invitations_of(txn, principal):
        if f"{invited.id:x}" == uid:
            return invited.collection
    return None


def refresh_access(txn: Transaction, collections: list[CollectionId], *, now: int) -> None:
    """Let clients look again at collections in which somebody's rights changed."""
    for collection in collections:
        if find_collection(txn, collection) is not None:
            next_modseq(txn, collection, now=now)
