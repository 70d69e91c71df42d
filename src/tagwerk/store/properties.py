"""Properties that clients set: dead ones, and live ones that are only remembered (RFC 4918 4).

A value is the XML of the property element's content, as the `dav` layer wrote it.
Where a binding has a value of its own it hides the one for everybody.
"""

from __future__ import annotations

from collections.abc import Mapping

from tagwerk.model import NO_BINDING, BindingId, CollectionId, PrincipalId
from tagwerk.store.engine import Transaction


def collection_properties(
    txn: Transaction, collection: CollectionId, binding: BindingId, *, object_name: str = ""
) -> dict[str, str]:
    """Values by Clark name, as the owner of `binding` sees them."""
    rows = txn.rows(
        "SELECT name, value FROM property"
        " WHERE collection_id = ? AND binding_id IN (?, ?) AND object_name = ? ORDER BY binding_id <> 0",
        (collection, NO_BINDING, binding, object_name),
    )
    return dict(rows)


def objects_properties(txn: Transaction, collection: CollectionId) -> dict[str, dict[str, str]]:
    """Values by object name and Clark name, of every object that has any."""
    found: dict[str, dict[str, str]] = {}
    rows = txn.rows(
        "SELECT object_name, name, value FROM property WHERE collection_id = ? AND binding_id = 0"
        " AND object_name <> ''",
        (collection,),
    )
    for object_name, name, value in rows:
        found.setdefault(object_name, {})[name] = value
    return found


def set_collection_properties(
    txn: Transaction,
    collection: CollectionId,
    changes: Mapping[str, str | None],
    *,
    binding: BindingId = NO_BINDING,
    object_name: str = "",
) -> None:
    """Set the values that are given, remove those given as None."""
    for name, value in changes.items():
        if value is None:
            txn.execute(
                "DELETE FROM property WHERE collection_id = ? AND binding_id = ? AND object_name = ? AND name = ?",
                (collection, binding, object_name, name),
            )
        else:
            txn.execute(
                "INSERT INTO property (collection_id, binding_id, object_name, name, value) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (collection_id, binding_id, object_name, name) DO UPDATE SET value = excluded.value",
                (collection, binding, object_name, name, value),
            )


def collection_properties_size(txn: Transaction, collection: CollectionId) -> int:
    """Characters of all values of a collection and of the objects in it."""
    row = txn.row(
        "SELECT COALESCE(SUM(LENGTH(value)), 0) FROM property WHERE collection_id = ?", (collection,)
    )
    return int(row[0]) if row else 0


def principal_properties_size(txn: Transaction, principal: PrincipalId) -> int:
    """Characters of all values of a principal."""
    row = txn.row(
        "SELECT COALESCE(SUM(LENGTH(value)), 0) FROM principal_property WHERE principal_id = ?", (principal,)
    )
    return int(row[0]) if row else 0


def principal_properties(txn: Transaction, principal: PrincipalId) -> dict[str, str]:
    """Values by Clark name."""
    return dict(txn.rows("SELECT name, value FROM principal_property WHERE principal_id = ?", (principal,)))


def set_principal_properties(
    txn: Transaction, principal: PrincipalId, changes: Mapping[str, str | None]
) -> None:
    """Set the values that are given, remove those given as None."""
    for name, value in changes.items():
        if value is None:
            txn.execute(
                "DELETE FROM principal_property WHERE principal_id = ? AND name = ?", (principal, name)
            )
        else:
            txn.execute(
                "INSERT INTO principal_property (principal_id, name, value) VALUES (?, ?, ?)"
                " ON CONFLICT (principal_id, name) DO UPDATE SET value = excluded.value",
                (principal, name, value),
            )
