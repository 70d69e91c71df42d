"""Properties that clients set: dead ones, and live ones that are only remembered (RFC 4918 4).

A value is the XML of the property element's content, as the `dav` layer wrote it.
Where a binding has a value of its own it hides the one for everybody.  What the owner's programs
remember about the owner's alarms is for nobody else.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from tagwerk.errors import Refused
from tagwerk.model import MAX_INDEXED, NO_BINDING, BindingId, CollectionId, PrincipalId
from tagwerk.store.engine import Transaction

_BATCH = 500

_OWNERS = tuple(
    "{urn:ietf:params:xml:ns:caldav}" + name
    for name in (
        "calendar-alarm",
        "default-alarm-vevent-date",
        "default-alarm-vevent-datetime",
        "default-alarm-vtodo-date",
        "default-alarm-vtodo-datetime",
    )
)
_IS_OWNERS = f"IN ({', '.join('?' * len(_OWNERS))})"

_BUSY = frozenset(
    {
        "{DAV:}displayname",
        "{http://apple.com/ns/ical/}calendar-color",
        "{http://apple.com/ns/ical/}calendar-order",
        "{urn:ietf:params:xml:ns:caldav}calendar-timezone",
        "{urn:ietf:params:xml:ns:caldav}calendar-timezone-id",
    }
)
"""What those find who only see when there is something, beside what they set themselves."""


def collection_properties(
    txn: Transaction,
    collection: CollectionId,
    binding: BindingId,
    *,
    object_name: str = "",
    only: bool = False,
    busy: bool = False,
) -> dict[str, str]:
    """Values by Clark name, as the owner of `binding` sees them; with `only`, just those of the binding's own.

    `busy`: they only see when there is something in the collection.
    """
    if only and not binding:
        return {}
    rows = txn.rows(
        "SELECT name, value, binding_id FROM property"
        " WHERE collection_id = ? AND binding_id IN (?, ?) AND object_name = ?"
        f" AND (binding_id = ? OR name NOT {_IS_OWNERS}) ORDER BY binding_id <> 0",
        (collection, binding if only else NO_BINDING, binding, object_name, binding, *_OWNERS),
    )
    return {name: value for name, value, of in rows if not busy or of or name in _BUSY}


def home_properties(
    txn: Transaction, bindings: Sequence[BindingId], *, busy: Container[BindingId] = ()
) -> dict[BindingId, dict[str, str]]:
    """Values by binding and Clark name, of the collections behind many bindings; `busy` as `collection_properties`."""
    found: dict[BindingId, dict[str, str]] = {}
    for begin in range(0, len(bindings), _BATCH):
        batch = bindings[begin : begin + _BATCH]
        rows = txn.rows(
            "SELECT b.id, p.name, p.value, p.binding_id FROM binding b JOIN property p ON p.collection_id = b.collection_id"
            " AND p.object_name = '' AND (p.binding_id = 0 OR p.binding_id = b.id)"
            " JOIN collection c ON c.id = b.collection_id"
            f" WHERE b.id IN ({', '.join('?' * len(batch))})"
            f" AND (p.binding_id <> 0 OR c.owner_id = b.principal_id OR p.name NOT {_IS_OWNERS})"
            " ORDER BY p.binding_id <> 0",
            (*batch, *_OWNERS),
        )
        for binding, name, value, of in rows:
            if of or name in _BUSY or binding not in busy:
                found.setdefault(binding, {})[name] = value
    return found


def objects_properties(
    txn: Transaction, collection: CollectionId, binding: BindingId = NO_BINDING, *, only: bool = False
) -> dict[str, dict[str, str]]:
    """Values by object name and Clark name, of every object that has any, as `collection_properties` says."""
    found: dict[str, dict[str, str]] = {}
    if only and not binding:
        return found
    rows = txn.rows(
        "SELECT object_name, name, value FROM property WHERE collection_id = ? AND binding_id IN (?, ?)"
        " AND object_name <> '' ORDER BY binding_id <> 0",
        (collection, binding if only else NO_BINDING, binding),
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
    """Set the values that are given, remove those given as None.

    Raises:
        Refused: a name is too long.
    """
    for name, value in changes.items():
        if value is None:
            txn.execute(
                "DELETE FROM property WHERE collection_id = ? AND binding_id = ? AND object_name = ? AND name = ?",
                (collection, binding, object_name, name),
            )
        else:
            _check_name(name)
            txn.execute(
                "INSERT INTO property (collection_id, binding_id, object_name, name, value) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (collection_id, binding_id, object_name, name) DO UPDATE SET value = excluded.value",
                (collection, binding, object_name, name, value),
            )


def forget_own_value(txn: Transaction, collection: CollectionId, name: str, value: str) -> None:
    """Whoever has exactly this as their own value of a property of the collection has none of their own."""
    txn.execute(
        "DELETE FROM property WHERE collection_id = ? AND binding_id <> 0 AND object_name = '' AND name = ?"
        " AND value = ?",
        (collection, name, value),
    )


def properties_size(txn: Transaction, principal: PrincipalId) -> int:
    """Characters of all names and values that somebody has: of their own, of all that they own, and in shares.

    What is in the trash counts.
    """
    size = "LENGTH(p.name) + LENGTH(p.value)"
    row = txn.row(
        f"SELECT COALESCE(SUM(size), 0) FROM (SELECT {size} AS size FROM principal_property p"
        " WHERE p.principal_id = ?"
        f" UNION ALL SELECT {size} FROM collection c JOIN property p ON p.collection_id = c.id AND p.binding_id = 0"
        " WHERE c.owner_id = ?"
        f" UNION ALL SELECT {size} FROM binding b JOIN property p ON p.collection_id = b.collection_id"
        " AND p.binding_id = b.id WHERE b.principal_id = ?) AS sizes",
        (principal, principal, principal),
    )
    return int(row[0]) if row else 0


def principal_properties(txn: Transaction, principal: PrincipalId) -> dict[str, str]:
    """Values by Clark name."""
    return dict(txn.rows("SELECT name, value FROM principal_property WHERE principal_id = ?", (principal,)))


def set_principal_properties(
    txn: Transaction, principal: PrincipalId, changes: Mapping[str, str | None]
) -> None:
    """Set the values that are given, remove those given as None; raises as `set_collection_properties` does."""
    for name, value in changes.items():
        if value is None:
            txn.execute(
                "DELETE FROM principal_property WHERE principal_id = ? AND name = ?", (principal, name)
            )
        else:
            _check_name(name)
            txn.execute(
                "INSERT INTO principal_property (principal_id, name, value) VALUES (?, ?, ?)"
                " ON CONFLICT (principal_id, name) DO UPDATE SET value = excluded.value",
                (principal, name, value),
            )


def _check_name(name: str) -> None:
    if (size := len(name.encode())) > MAX_INDEXED:
        raise Refused(f"The name of a property may have {MAX_INDEXED} bytes; this has {size}.")
