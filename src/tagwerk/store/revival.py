"""Revival: what belonged to somebody beside their collections, when they are made again from a backup.

What they gave comes back as far as those to whom they gave it are still there.  What others gave
them does not: these may have thought better of it since, so it is told instead.
"""

from __future__ import annotations

from collections.abc import Sequence

from tagwerk.model import CollectionId, Kind, PrincipalId
from tagwerk.store.access import access_of, delegated
from tagwerk.store.collections import NOTIFICATIONS, create_collection, is_taken
from tagwerk.store.engine import Transaction
from tagwerk.store.shares import free_name
from tagwerk.store.tables import read_rows, table

_MINE = " WHERE collection_id = ?"


def revive(backup: Transaction, txn: Transaction, owner: PrincipalId, *, now: int) -> list[str]:
    """Give somebody, who is there again with their collections, what else was theirs; sentences about the rest.

    `now` is in seconds since 1970: links that have expired by then stay away.
    """
    _copy(backup, txn, "totp", " WHERE principal_id = ?", (owner,))
    lost = _groups_and_delegates(backup, txn, owner)
    if txn.row("SELECT 1 FROM principal WHERE id = ? AND kind = 'person'", (owner,)) and not is_taken(
        txn, owner, NOTIFICATIONS
    ):
        create_collection(txn, owner, name=NOTIFICATIONS, kind=Kind.NOTIFICATIONS, now=now)
    own = "SELECT id, removed FROM collection WHERE owner_id = ? AND kind <> 'notifications' ORDER BY id"
    for collection, removed in list(txn.rows(own, (owner,))):
        lost += _shares(backup, txn, collection)
        if removed:
            _removed_places(backup, txn, owner, collection)
        else:
            _places(backup, txn, owner, collection)
        _personal(backup, txn, owner, collection)
        lost += _links(backup, txn, collection, now=now)
    return lost + _given(backup, txn, owner)


def _groups_and_delegates(backup: Transaction, txn: Transaction, owner: int) -> list[str]:
    lost = []
    for group, member in backup.rows(
        "SELECT group_id, member_id FROM membership WHERE group_id = ? OR member_id = ?", (owner, owner)
    ):
        if _is_there(txn, other := member if group == owner else group):
            _copy(backup, txn, "membership", " WHERE group_id = ? AND member_id = ?", (group, member))
        elif group == owner:
            lost.append(f"{_name(backup, other)} was a member, and is gone.")
        else:
            lost.append(f"The group {_name(backup, other)} is gone.")
    for (delegate,) in backup.rows("SELECT delegate_id FROM delegation WHERE principal_id = ?", (owner,)):
        if _is_there(txn, delegate):
            where = " WHERE principal_id = ? AND delegate_id = ?"
            _copy(backup, txn, "delegation", where, (owner, delegate))
        else:
            lost.append(f"{_name(backup, delegate)} was a delegate, and is gone.")
    return lost


def _shares(backup: Transaction, txn: Transaction, collection: int) -> list[str]:
    lost = []
    for (grantee,) in backup.rows("SELECT grantee_id FROM share WHERE collection_id = ?", (collection,)):
        if grantee == 0 or _is_there(txn, grantee):
            _copy(backup, txn, "share", f"{_MINE} AND grantee_id = ?", (collection, grantee))
        else:
            lost.append(
                f"{_title(backup, collection)} was shared with {_name(backup, grantee)}, who is gone."
            )
    return lost


def _places(backup: Transaction, txn: Transaction, owner: int, collection: CollectionId) -> None:
    """Where the others saw a collection that reaches them, with what was their own there."""
    places = table("binding")
    for row in list(read_rows(backup, places, f"{_MINE} AND principal_id <> ?", (collection, owner))):
        place, who, name = (row[places.place(column)] for column in ("id", "principal_id", "name"))
        if not _is_there(txn, who) or access_of(txn, collection, who) is None:
            continue
        values = list(row)
        values[places.place("name")] = free_name(txn, who, name) if name else ""
        txn.many(places.insert, [values])
        _copy(backup, txn, "property", f"{_MINE} AND binding_id = ?", (collection, place))


def _removed_places(backup: Transaction, txn: Transaction, owner: int, collection: int) -> None:
    """Where the others saw a collection in the trash, if it is taken out of it."""
    rows = backup.rows(
        "SELECT principal_id, id FROM removed_binding WHERE collection_id = ? AND principal_id <> ?",
        (collection, owner),
    )
    for who, place in list(rows):
        if _is_there(txn, who):
            _copy(backup, txn, "removed_binding", f"{_MINE} AND principal_id = ?", (collection, who))
            _copy(backup, txn, "property", f"{_MINE} AND binding_id = ?", (collection, place))


def _personal(backup: Transaction, txn: Transaction, owner: PrincipalId, collection: CollectionId) -> None:
    """What those who see a collection have of their own in its objects."""
    for (who,) in list(
        backup.rows("SELECT DISTINCT principal_id FROM personal WHERE collection_id = ?", (collection,))
    ):
        if _is_there(txn, who) and (
            access_of(txn, collection, who) is not None or delegated(txn, owner, who) is not None
        ):
            _copy(backup, txn, "personal", f"{_MINE} AND principal_id = ?", (collection, who))


def _links(backup: Transaction, txn: Transaction, collection: int, *, now: int) -> list[str]:
    lost = []
    for link, expires in backup.rows("SELECT id, expires FROM link WHERE collection_id = ?", (collection,)):
        if expires is None or expires > now:
            _copy(backup, txn, "link", " WHERE id = ?", (link,))
        else:
            lost.append(f"A link to {_title(backup, collection)} has expired.")
    return lost


def _given(backup: Transaction, txn: Transaction, owner: int) -> list[str]:
    """What others gave that is still there."""
    lost = []
    for (collection,) in backup.rows("SELECT collection_id FROM share WHERE grantee_id = ?", (owner,)):
        found = txn.row(
            "SELECT p.name, b.name FROM collection c JOIN principal p ON p.id = c.owner_id"
            " JOIN binding b ON b.collection_id = c.id AND b.principal_id = p.id WHERE c.id = ?",
            (collection,),
        )
        if found is not None:
            lost.append(f"{found[0]}/{found[1]} was shared with them; {found[0]} can do that again.")
    for (principal,) in backup.rows("SELECT principal_id FROM delegation WHERE delegate_id = ?", (owner,)):
        if _is_there(txn, principal):
            name = _name(txn, principal)
            lost.append(f"They were a delegate of {name}; {name} can do that again.")
    return lost


def _copy(backup: Transaction, txn: Transaction, name: str, where: str, params: Sequence[object]) -> None:
    of = table(name)
    if rows := list(read_rows(backup, of, where, params)):
        txn.many(of.insert, rows)


def _is_there(txn: Transaction, principal: int) -> bool:
    return txn.row("SELECT 1 FROM principal WHERE id = ?", (principal,)) is not None


def _name(txn: Transaction, principal: int) -> str:
    row = txn.row("SELECT name FROM principal WHERE id = ?", (principal,))
    return str(row[0]) if row else f"principal {principal}"


def _title(txn: Transaction, collection: int) -> str:
    """What the owner calls a collection, also in the trash."""
    row = txn.row(
        "SELECT b.name FROM binding b JOIN collection c ON c.id = b.collection_id AND c.owner_id = b.principal_id"
        " WHERE c.id = ? UNION SELECT r.name FROM removed_binding r JOIN collection c ON c.id = r.collection_id"
        " AND c.owner_id = r.principal_id WHERE c.id = ?",
        (collection, collection),
    )
    return str(row[0]) if row else f"collection {collection}"
