"""Everything about one person, as files in an archive (GDPR 15 and 20)."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from urllib.parse import quote

from tagwerk.accounts.leaving import Belongings, belongings
from tagwerk.accounts.throttle import account_key
from tagwerk.cli.collection import DISPLAY_NAME
from tagwerk.cli.log_search import lines_about
from tagwerk.cli.private_file import private_file
from tagwerk.ical import export as calendars
from tagwerk.model import NO_BINDING, Binding, CollectionId, Kind, Principal, PrincipalId
from tagwerk.sharing.shares import EVERYBODY_NAME
from tagwerk.store.audit import entries_about
from tagwerk.store.collections import bindings_of, find_collection
from tagwerk.store.credentials import credentials_of
from tagwerk.store.engine import Transaction
from tagwerk.store.history import RemovedCollection, content_of, latest, removed_collections
from tagwerk.store.links import links_of
from tagwerk.store.login_places import places_of
from tagwerk.store.objects import objects
from tagwerk.store.personal import everything_own
from tagwerk.store.principals import delegates_of, delegators_of, principal_by_id
from tagwerk.store.properties import collection_properties, principal_properties
from tagwerk.store.second_factors import totp_of
from tagwerk.store.shares import invitations_of, shares_of
from tagwerk.vcard import export as cards

README = """\
Everything that this Tagwerk server knows about {name}, written on {day}.

person.json        name, addresses, groups, and what clients remember about the account
devices.json       the password and the app passwords, without their secrets: when, from where and by what last used;
                   the addresses from which {name} logged in, each with the time
shares.json        whose collections {name} sees, and who sees those of {name}: shares, links, invitations, delegates
audit.json         who shared what with whom, as far as it is about {name}
own.json           alarms and transparency of {name}'s own in events of others
collections/       each collection as one file that every program reads, and its properties
objects/           the same once more, every object as it was stored, byte for byte
history/           earlier versions of the objects, and what was deleted, with versions.json that says what is what
trash/             collections that were deleted, each with its history
log.txt            the lines of the log files that were given which are about {name}: requests of {name} and for what is
                   {name}'s, failed logins, and who shared what with whom
"""


def export_user(
    txn: Transaction, principal: Principal, path: Path, *, now: int, logs: Iterable[Path] = ()
) -> int:
    """Write the archive, complete or not at all and for its owner alone; the number of files in it."""
    with private_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files(txn, principal, now=now, logs=logs):
            archive.writestr(name, content)
        return len(archive.namelist())


def files(
    txn: Transaction, principal: Principal, *, now: int, logs: Iterable[Path] = ()
) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the archive."""
    day = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")
    yield "README.txt", README.format(name=principal.name, day=day).encode()
    has = belongings(txn, principal)
    yield (
        "person.json",
        _json(
            {
                **asdict(principal),
                "groups": has.groups,
                "properties": principal_properties(txn, principal.id),
            }
        ),
    )
    yield "devices.json", _json(_devices(txn, principal))
    yield "shares.json", _json(_shares(txn, principal, has))
    done = [asdict(entry) for entry in entries_about(txn, principal.name)]
    yield "audit.json", _json(done)
    own = _own(txn, principal, has)
    if own:
        yield "own.json", _json(own)
    for binding in bindings_of(txn, principal.id):
        # What others own is theirs to take along.
        if binding.collection.owner == principal.id:
            yield from _collection(txn, binding)
            folder = f"history/{quote(binding.name, safe='@ ')}"
            yield from _history(txn, binding.collection.id, folder)
    for removed in removed_collections(txn, principal.id):
        yield from _trashed(txn, removed)
    lines = list(lines_about(logs, principal.name))
    if lines:
        yield "log.txt", b"".join(lines)


def _devices(txn: Transaction, principal: Principal) -> dict[str, object]:
    credentials = [
        {name: value for name, value in asdict(each).items() if name not in ("id", "hash")}
        for each in credentials_of(txn, principal.name)
    ]
    return {
        "credentials": credentials,
        "second_factor": totp_of(txn, principal.id) is not None,
        "addresses": dict(places_of(txn, account_key(principal.name))),
    }


def _collection(txn: Transaction, binding: Binding) -> Iterator[tuple[str, bytes]]:
    found = [(each.name, each.content or b"") for each in objects(txn, binding.collection.id, content=True)]
    contents = [content for _, content in found]
    properties = collection_properties(txn, binding.collection.id, binding.id)
    name = quote(binding.name, safe="@ ")
    if binding.collection.kind is Kind.ADDRESSBOOK:
        yield f"collections/{name}.vcf", b"".join(cards.merge(contents))
    else:
        title = unescape(properties.get(DISPLAY_NAME, ""))
        # What cannot be merged is among the objects all the same.
        merged = calendars.merge(contents, name=title, skipped=lambda _content, _reason: None)
        yield f"collections/{name}.ics", b"".join(merged)
    yield f"collections/{name}.properties.json", _json(properties)
    for each, content in found:
        yield f"objects/{name}/{quote(each, safe='@ ')}", content


def _shares(txn: Transaction, principal: Principal, has: Belongings) -> dict[str, object]:
    """Who sees what, in both directions."""
    shared = {each.collection.id: each for each in has.shared_with_them}
    asked = [each for each in invitations_of(txn, principal.id) if each.collection not in shared]
    return {
        "own": [
            {
                "collection": each.name,
                "seen_by": sharees,
                "shares": [
                    {
                        "with": share.name or EVERYBODY_NAME,
                        "level": share.access.value,
                        "status": share.status.value,
                        "summary": share.summary,
                        "since": share.created,
                    }
                    for share in shares_of(txn, each.collection.id)
                ],
                "links": [
                    {key: value for key, value in asdict(link).items() if key not in _NOT_OF_LINKS}
                    for link in links_of(txn, each.collection.id)
                ],
            }
            for each, sharees in has.own
        ],
        "shared_with_them": [
            {
                "name": each.name,
                "access": each.access.value,
                "owner": _name(txn, each.collection.owner),
                "properties": collection_properties(txn, each.collection.id, each.id, only=True),
            }
            for each in has.shared_with_them
        ],
        "invitations": [
            {"owner": _owner(txn, each.collection), "status": each.status.value} for each in asked
        ],
        "delegates": [
            {"name": other.name, "access": access.value} for other, access in delegates_of(txn, principal.id)
        ],
        "acts_for": [
            {"name": other.name, "access": access.value} for other, access in delegators_of(txn, principal.id)
        ],
    }


_NOT_OF_LINKS = ("id", "collection", "password_hash")


def _name(txn: Transaction, principal: PrincipalId) -> str:
    found = principal_by_id(txn, principal)
    return found.name if found else ""


def _owner(txn: Transaction, collection: CollectionId) -> str:
    found = find_collection(txn, collection)
    return _name(txn, found.owner) if found else ""


def _own(txn: Transaction, principal: Principal, has: Belongings) -> list[dict[str, str]]:
    """What somebody has of their own in what others own."""
    names = {each.collection.id: each.name for each in has.shared_with_them}
    return [
        {
            "collection": names.get(collection, ""),
            "owner": _owner(txn, collection),
            "object": name,
            "data": data,
        }
        for collection, name, data in everything_own(txn, principal.id)
    ]


def _history(txn: Transaction, collection: CollectionId, folder: str) -> Iterator[tuple[str, bytes]]:
    """What the objects of a collection were before, and what was deleted from it."""
    found = latest(txn, collection)
    if not found:
        return
    described = []
    for version in found:
        file = f"{version.modseq}-{quote(version.name, safe='@ ')}"
        yield f"{folder}/{file}", content_of(txn, version)
        described.append(
            {
                "file": file,
                "name": version.name,
                "from": version.began,
                "until": version.ended,
                "end": version.how.value,
                "by": version.by,
            }
        )
    yield f"{folder}/versions.json", _json(described)


def _trashed(txn: Transaction, removed: RemovedCollection) -> Iterator[tuple[str, bytes]]:
    """A collection that was deleted, as objects and properties."""
    folder = f"trash/{quote(removed.name, safe='@ ')}-{removed.id % 2**31:x}"
    yield f"{folder}/properties.json", _json(collection_properties(txn, removed.id, NO_BINDING))
    for each in objects(txn, removed.id, content=True):
        yield f"{folder}/{quote(each.name, safe='@ ')}", each.content or b""
    yield from _history(txn, removed.id, f"{folder}.history")


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n").encode()
