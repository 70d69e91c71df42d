"""sync-collection on a home: new, changed and removed collections (RFC 6578 3.3).

A home has no counter of its own.  Its token says what the client knows of each
collection: name, epoch and modseq.  So it is always right, whoever changes what, and
costs as much as the home has collections.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from tagwerk.dav import paths, xml
from tagwerk.dav.message import Response
from tagwerk.dav.multistatus import (
    ObjectWriter,
    Part,
    Wanted,
    answer,
    response_for,
    status_response,
    truncated_response,
    wanted,
)
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import CollectionResource, Context, Home, Resource, Where, collections_in
from tagwerk.dav.sync import check_depth, limit_of, object_responses, sync_level
from tagwerk.dav.transform import prepare_data
from tagwerk.errors import SyncTokenInvalid
from tagwerk.model import Changes, Modseq, SyncToken

feature = Feature("RFC 6578 on homes")

PREFIX = "urn:tagwerk:home:"
_LONGEST = 256 * 1024

Known = dict[str, SyncToken]
"""What a client knows: of every collection by its name, the point in its history."""


@dataclass(frozen=True, slots=True)
class _Step:
    """What is to be said about one name.

    `changes` are in it where the level is infinite; `shown`: the collection itself is named, too.
    """

    name: str
    collection: CollectionResource | None
    changes: Changes | None = None
    shown: bool = True


def write_token(known: Known, *, deep: bool = False) -> str:
    """The token of a client that knows `known`; one of infinite level is of no use for level 1 and reverse."""
    rows = [[name, token.epoch, token.position, token.began] for name, token in sorted(known.items())]
    packed = zlib.compress(json.dumps([int(deep), rows], separators=(",", ":")).encode(), 9)
    return PREFIX + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def read_token(text: str, *, deep: bool) -> Known:
    """What the client that has this token knows.

    Raises:
        SyncTokenInvalid: it is none of ours, or one of the other level.
    """
    invalid = SyncTokenInvalid("This sync token is not one of this home's; start again without a token.")
    if not text.startswith(PREFIX) or len(text) > _LONGEST:
        raise invalid
    encoded = text[len(PREFIX) :]
    try:
        unpacker = zlib.decompressobj()
        raw = unpacker.decompress(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)), _LONGEST * 8)
        level, rows = json.loads(raw)
        known = {
            _name(name): SyncToken(str(epoch), Modseq(int(position)), Modseq(int(began)))
            for name, epoch, position, began in rows
        }
    except (ValueError, TypeError, zlib.error, binascii.Error, RecursionError) as error:
        raise invalid from error
    if bool(level) != deep:
        raise invalid
    return known


def _name(value: object) -> str:
    if not isinstance(value, str) or len(value.encode()) > 4 * paths.MAX_NAME:
        raise ValueError("a token holds names of collections")
    return value


@feature.live_property("{DAV:}sync-token", on=Where.HOMES)
def sync_token(context: Context, resource: Resource) -> str | None:
    """RFC 6578 4, for level 1."""
    assert isinstance(resource, Home)
    found = collections_in(context, resource, notifications=True)
    return write_token({one.binding.name: one.view.token for one in found})


@feature.live_property("{http://calendarserver.org/ns/}getctag", on=Where.HOMES)
def getctag(context: Context, resource: Resource) -> str | None:
    """Changes with everything in the home."""
    return sync_token(context, resource)


@feature.report("{DAV:}sync-collection", on=Where.HOMES)
def sync_home(context: Context, resource: Resource, root: Element) -> Response:
    """The collections that changed, are new or gone since the token; with level infinite what is in them, too.

    A collection changes with everything that is in it.
    """
    assert isinstance(resource, Home)
    check_depth(context)
    deep = sync_level(root) == "infinite"
    text = (root.findtext("{DAV:}sync-token") or "").strip()
    known = read_token(text, deep=deep) if text else {}
    limit = limit_of(root, context.settings.dav.sync_page_size)
    prepare_data(context, root)
    steps, after, truncated = _steps(context, resource, known, limit=limit, deep=deep)
    asked = wanted(context.request, root)
    tail = xml.element("{DAV:}sync-token", write_token(after, deep=deep)) + "\n"
    return answer(_responses(context, resource, steps, asked, truncated=truncated), tail=tail)


def _steps(
    context: Context, resource: Home, known: Known, *, limit: int, deep: bool
) -> tuple[list[_Step], Known, bool]:
    """What is to be said, at most `limit` names; what the client knows then; whether that is not all."""
    there = {one.binding.name: one for one in collections_in(context, resource, notifications=True)}
    after = dict(known)
    steps: list[_Step] = []
    for name in sorted({*there, *known}):
        found, before = there.get(name), known.get(name)
        if found is not None and before == found.view.token:
            continue
        if limit <= 0:
            return steps, after, True
        if found is None:
            steps.append(_Step(name, None))
            del after[name]
            limit -= 1
        elif not deep:
            steps.append(_Step(name, found))
            after[name] = found.view.token
            limit -= 1
        else:
            step, after[name], limit = _inside(context, found, before, limit=limit)
            steps.append(step)
            if after[name] != found.view.token:
                return steps, after, True
    return steps, after, False


def _inside(
    context: Context, found: CollectionResource, before: SyncToken | None, *, limit: int
) -> tuple[_Step, SyncToken, int]:
    """A collection and what changed in it, at most `limit` names; what the client knows then; what is left of the limit.

    A new collection is named before what is in it, others after it, as they change with it.
    A token whose walk began at its own position says that only the collection is left to be named.
    """
    name, now = found.binding.name, found.view.token
    if before is None and limit == 1:
        return _Step(name, found), SyncToken(now.epoch, Modseq(0), now.position), 0
    new = before is None
    # A collection that was made anew under its old name has another epoch: the token is refused.
    changes = found.view.changes_since(context.txn, before, limit=limit - new)
    limit -= new + len(changes.changed) + len(changes.removed)
    if changes.truncated:
        return _Step(name, found, changes, shown=new), changes.token, 0
    if not new and limit == 0:
        left = SyncToken(now.epoch, now.position, now.position)
        return _Step(name, found, changes, shown=False), left, 0
    return _Step(name, found, changes), changes.token, limit - (not new)


def _responses(
    context: Context, resource: Home, steps: list[_Step], asked: Wanted, *, truncated: bool
) -> Iterator[Part]:
    context.read_collection_properties([step.collection for step in steps if step.collection and step.shown])
    for step in steps:
        if step.collection is None:
            yield status_response(
                context.href(resource.principal.name, step.name, collection=True), "404 Not Found"
            )
            continue
        if step.shown:
            yield response_for(context, step.collection, asked)
        if step.changes is not None:
            writer = ObjectWriter(context, step.collection, asked)
            yield from object_responses(step.collection, step.changes, writer)
    if truncated:
        yield truncated_response(resource.href)
