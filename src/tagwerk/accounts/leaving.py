"""Leaving: what goes when a user is removed, and what of it somebody else can have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tagwerk.accounts.throttle import account_key
from tagwerk.errors import Conflict, NotFound
from tagwerk.model import Binding, Principal
from tagwerk.sharing import shares
from tagwerk.sharing.shares import By
from tagwerk.store.collections import bindings_of, collections_of, find_binding_of, is_taken
from tagwerk.store.credentials import app_passwords_of
from tagwerk.store.engine import Transaction
from tagwerk.store.erasure import forget_account, forget_jobs, objects_that_name
from tagwerk.store.history import kept_bytes, removed_collections
from tagwerk.store.links import links_of
from tagwerk.store.ownership import give_collection, sharees_of
from tagwerk.store.principals import (
    delegates_of,
    delegators_of,
    groups_of,
    remove_principal,
    used_bytes,
)
from tagwerk.store.second_factors import totp_of


@dataclass(frozen=True, slots=True)
class Belongings:
    """What goes with a principal.  `own` is each collection with the names of those who see it by a share."""

    own: tuple[tuple[Binding, tuple[str, ...]], ...]
    shared_with_them: tuple[Binding, ...]
    app_passwords: tuple[str, ...]
    groups: tuple[str, ...]
    bytes: int
    trash: tuple[str, ...] = ()
    """The names of their collections in the trash."""
    kept: int = 0
    """The bytes of these, of deleted objects, and of earlier versions."""
    links: Mapping[str, int] = field(default_factory=dict)
    """How many public links show a collection, by its name."""
    delegates: tuple[str, ...] = ()
    acts_for: tuple[str, ...] = ()
    """For whom they act, themselves or through a group."""
    second_factor: bool = False

    @property
    def shared(self) -> tuple[tuple[Binding, tuple[str, ...]], ...]:
        """The own collections that others see."""
        return tuple((binding, sharees) for binding, sharees in self.own if sharees)


def belongings(txn: Transaction, principal: Principal) -> Belongings:
    """Everything that `remove` would take away."""
    bindings = bindings_of(txn, principal.id)
    own = [binding for binding in bindings if binding.collection.owner == principal.id]
    links = {binding.name: len(links_of(txn, binding.collection.id)) for binding in own}
    return Belongings(
        tuple((binding, tuple(sharees_of(txn, binding.collection.id))) for binding in own),
        tuple(binding for binding in bindings if binding.collection.owner != principal.id),
        tuple(credential.label for credential in app_passwords_of(txn, principal.id)),
        tuple(group.name for group in groups_of(txn, principal.id)),
        used_bytes(txn, principal.id),
        tuple(removed.name for removed in removed_collections(txn, principal.id)),
        kept_bytes(txn, principal.id),
        {name: number for name, number in links.items() if number},
        tuple(delegate.name for delegate, _ in delegates_of(txn, principal.id)),
        tuple(owner.name for owner, _ in delegators_of(txn, principal.id)),
        totp_of(txn, principal.id) is not None,
    )


def remove(txn: Transaction, principal: Principal, *, gifts: Mapping[str, Principal], by: By) -> None:
    """Remove a principal; the collections in `gifts`, by their names, get the owner who is named there.

    Those with whom the others were shared are told that these are gone.

    Raises:
        NotFound: there is no such collection of theirs.
        Conflict: the new owner is the one who leaves.
    """
    for name, heir in gifts.items():
        give(txn, principal, name, heir, by=by)
    for binding in collections_of(txn, principal.id):
        shares.delete(txn, binding.collection.id, by=by, for_ever=True)
    remove_principal(txn, principal.id)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is still known of somebody who was erased, and why."""

    what: str
    why: str


def erase(txn: Transaction, principal: Principal, *, gifts: Mapping[str, Principal], by: By) -> list[Kept]:
    """Remove a principal and every trace that is theirs; what is kept, and why.

    Raises:
        NotFound, Conflict: as `remove`.
    """
    remove(txn, principal, gifts=gifts, by=by)
    forget_account(txn, account_key(principal.name))
    forget_jobs(txn, principal.id)
    kept = [
        Kept(f"{name}, which belongs to {heir.name} now", "it was handed over")
        for name, heir in sorted(gifts.items())
    ]
    for address in principal.addresses:
        for owner, number in objects_that_name(txn, address).items():
            kept.append(
                Kept(
                    f"{number} of the events, tasks and contacts of {owner} that name {address}, earlier versions counted",
                    f"they are data of {owner}, who decides about them",
                )
            )
    kept.append(
        Kept(
            "who shared what with them, in `tagwerk share log`",
            "it is what the others rely on; it is forgotten after [retention] audit_days",
        )
    )
    kept.append(Kept("lines of log files", "the log is not the server's; rotation removes it after its time"))
    kept.append(
        Kept("copies in backups", "a backup is whole or worthless; rotation removes it after its time")
    )
    return kept


def give(txn: Transaction, owner: Principal, name: str, heir: Principal, *, by: By) -> str:
    """Make `heir` the owner of a collection and return its name in their home.

    Everybody who sees it goes on seeing it, with the same sync tokens; the heir sees it in full
    from now on, which is another history where they did not before.

    Raises:
        NotFound: `owner` owns no such collection.
        Conflict: they own it already.
    """
    binding = find_binding_of(txn, owner.id, name)
    if binding is None or binding.collection.owner != owner.id:
        raise NotFound(f"{owner.name} owns no collection {name!r}.")
    if heir.id == owner.id:
        raise Conflict(f"{name} belongs to {owner.name} already.")
    shares.record(txn, binding.collection, "give", by=by, grantee=heir.name)
    wanted = f"{name[:120]}-{owner.name}" if is_taken(txn, heir.id, name) else name
    given = give_collection(txn, binding, heir.id, wanted=wanted, now=by.now)
    shares.refresh_access(txn, [binding.collection.id], now=by.now)
    return given
