"""Delegation: somebody acts for another on all of their calendars (apple-caldav-proxy.txt)."""

from __future__ import annotations

from tagwerk.errors import Refused
from tagwerk.model import Access, Principal
from tagwerk.sharing.shares import By, log
from tagwerk.store.audit import Entry, add_entry
from tagwerk.store.collections import collections_of, next_personal_modseq
from tagwerk.store.engine import Transaction
from tagwerk.store.principals import add_delegate, delegates_of, remove_delegate

GROUPS = {Access.READ: "calendar-proxy-read", Access.WRITE: "calendar-proxy-write"}
"""The names of the groups in which a principal has their delegates."""


def delegate(txn: Transaction, owner: Principal, to: Principal, access: Access, *, by: By) -> None:
    """Let somebody read, or also write, all calendars of `owner`, now and later.

    Raises:
        Refused: they are the same, or the level is none of a delegate's.
    """
    if to.id == owner.id:
        raise Refused(f"{owner.name} needs no delegate to be {owner.name}.")
    if access not in GROUPS:
        raise Refused("A delegate may read or write.")
    add_delegate(txn, owner.id, to.id, access)
    _look_again(txn, owner)
    _record(txn, owner, to, "delegate", access.value, by=by)


def undelegate(txn: Transaction, owner: Principal, to: Principal, *, by: By) -> bool:
    """End that; whether it was so."""
    if not remove_delegate(txn, owner.id, to.id):
        return False
    _look_again(txn, owner)
    _record(txn, owner, to, "undelegate", "", by=by)
    return True


def set_delegates(
    txn: Transaction, owner: Principal, access: Access, members: list[Principal], *, by: By
) -> None:
    """Make `members` all who may read, or all who may write; who was in the other group moves.

    Raises as `delegate` does.
    """
    wanted = {member.id for member in members}
    before = delegates_of(txn, owner.id)
    for member, level in before:
        if level is access and member.id not in wanted:
            undelegate(txn, owner, member, by=by)
    has = {member.id for member, level in before if level is access}
    for member in members:
        if member.id not in has:
            delegate(txn, owner, member, access, by=by)


def _look_again(txn: Transaction, owner: Principal) -> None:
    """Let the clients of delegates see that their rights changed; for the owner nothing did."""
    for binding in collections_of(txn, owner.id):
        next_personal_modseq(txn, binding.collection.id)


def _record(txn: Transaction, owner: Principal, to: Principal, action: str, detail: str, *, by: By) -> None:
    add_entry(txn, Entry(by.now, by.actor, action, owner.name, "", to.name, detail))
    log.info("%s: %s %s to %s %s", by.actor, action, owner.name, to.name, detail)
