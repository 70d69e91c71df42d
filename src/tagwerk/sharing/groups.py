"""Groups: members come and go, and what was shared with the group follows them."""

from __future__ import annotations

from collections.abc import Iterable

from tagwerk.errors import Conflict, InvalidRequest, Refused
from tagwerk.model import CollectionId, Principal
from tagwerk.sharing.shares import SETTLED_AT_ONCE, By, log, refresh_access, settle, sweep
from tagwerk.store import shares
from tagwerk.store.audit import Entry, add_entry
from tagwerk.store.collections import collections_of, find_collection
from tagwerk.store.engine import Transaction
from tagwerk.store.principals import (
    add_member,
    add_principal,
    all_groups_of,
    delegators_of,
    everybody_in,
    groups_from,
    principal_by_name,
    remove_member,
    remove_principal,
    set_source,
    source_of,
)


def join(txn: Transaction, group: Principal, member: Principal, *, by: By) -> bool:
    """Put somebody into a group, who then has what it has; whether they were not in it.

    Raises:
        Refused: the one is no group, or the group would be in itself.
    """
    if group.kind != "group":
        raise Refused(f"{group.name} is no group.")
    if member.id == group.id or member.id in all_groups_of(txn, group.id):
        raise Refused(f"{group.name} would be a member of itself.")
    if not add_member(txn, group.id, member.id):
        return False
    _record(txn, group, member, "join", by=by)
    refresh_access(txn, _reached_through(txn, group), now=by.now)
    persons = everybody_in(txn, member.id)
    if len(persons) <= SETTLED_AT_ONCE:
        for person in persons:
            settle(txn, person, by=by)
    return True


def leave(txn: Transaction, group: Principal, member: Principal, *, by: By) -> bool:
    """Take somebody out of a group, and what they had by it alone out of their home; whether they were in it."""
    reached = _reached_through(txn, group)
    if not remove_member(txn, group.id, member.id):
        return False
    _record(txn, group, member, "leave", by=by)
    refresh_access(txn, reached, now=by.now)
    _sweep(txn, reached, everybody_in(txn, member.id), by=by)
    return True


def end(txn: Transaction, group: Principal, *, by: By) -> None:
    """Remove a group with all that it owns; its members lose what they had by it alone."""
    reached = _reached_through(txn, group)
    persons = everybody_in(txn, group.id)
    remove_principal(txn, group.id)
    add_entry(txn, Entry(by.now, by.actor, "remove", group.name, "", "", "group"))
    refresh_access(txn, reached, now=by.now)
    _sweep(txn, reached, persons, by=by)


def synchronize(txn: Transaction, member: Principal, names: Iterable[str], *, source: str, by: By) -> None:
    """Make the groups of a directory that somebody is in exactly those that are named.

    A group that is new is made.  A name that somebody else has, or one that cannot be a
    name, is passed over with a line in the log.
    """
    wanted = set(names)
    for group in groups_from(txn, member.id, source):
        if group.name not in wanted:
            leave(txn, group, member, by=by)
        wanted.discard(group.name)
    for name in sorted(wanted):
        found = principal_by_name(txn, name)
        if found is None:
            try:
                found = add_principal(txn, name, now=by.now, kind="group")
            except (Conflict, InvalidRequest, Refused) as error:
                log.warning("The group %r of %s is passed over: %s", name, source, error)
                continue
            set_source(txn, found.id, source)
        elif found.kind != "group" or source_of(txn, found.id) != source:
            log.warning("The group %r of %s is passed over: somebody else has that name.", name, source)
            continue
        join(txn, found, member, by=by)


def _sweep(txn: Transaction, reached: list[CollectionId], persons: list[Principal], *, by: By) -> None:
    for one in reached:
        collection = find_collection(txn, one)
        if collection is not None:
            invited = set(shares.invitees_of(txn, one))
            sweep(txn, collection, [p.id for p in persons if p.id in invited], by=by)


def _reached_through(txn: Transaction, group: Principal) -> list[CollectionId]:
    """Every collection that reaches the members of a group by it."""
    found: dict[CollectionId, None] = {}
    for one in (group.id, *all_groups_of(txn, group.id)):
        found.update(dict.fromkeys(shares.shared_with(txn, one)))
    for owner, _ in delegators_of(txn, group.id):
        found.update(dict.fromkeys(binding.collection.id for binding in collections_of(txn, owner.id)))
    return sorted(found)


def _record(txn: Transaction, group: Principal, member: Principal, action: str, *, by: By) -> None:
    add_entry(txn, Entry(by.now, by.actor, action, group.name, "", member.name, "group"))
    log.info("%s: %s %s: group %s", by.actor, member.name, action, group.name)
