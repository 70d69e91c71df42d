"""The sync-collection report and the sync token (RFC 6578)."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from tagwerk.dav import xml
from tagwerk.dav.message import Response
from tagwerk.dav.multistatus import ObjectWriter, Wanted, answer, status_response, wanted
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import CollectionResource, Context, Resource, Where
from tagwerk.dav.transform import prepare_data
from tagwerk.errors import DAV, InvalidRequest, InvalidXml
from tagwerk.model import Changes
from tagwerk.store.objects import objects_named
from tagwerk.store.sync import changes_since, current_token, parse_token

feature = Feature("RFC 6578", tokens=("sync-collection",))

_BATCH = 200


@feature.live_property("{DAV:}sync-token", on=Where.COLLECTION)
def sync_token(context: Context, resource: Resource) -> str:
    """RFC 6578 4."""
    return token_of(resource)


def token_of(resource: Resource) -> str:
    """The token of a client that knows everything in a collection."""
    assert isinstance(resource, CollectionResource)
    return str(current_token(resource.binding.collection))


@feature.report("{DAV:}sync-collection", on=Where.COLLECTION)
def sync_collection(context: Context, resource: Resource, root: Element) -> Response:
    """RFC 6578 3.2: what changed since the token, at most as many as the client and the server take."""
    assert isinstance(resource, CollectionResource)
    if context.request.header("depth", "0").strip() not in ("0", "1"):
        # 3.2 wants 0; clients of older drafts send 1 and mean the same.
        raise InvalidRequest("sync-collection is asked with Depth 0.")
    level = (root.findtext("{DAV:}sync-level") or "1").strip()
    if level not in ("1", "infinite", "infinity"):
        raise InvalidXml(f"sync-level is 1 or infinite, not {level[:40]!r}.")
    text = (root.findtext("{DAV:}sync-token") or "").strip()
    changes = changes_since(
        context.txn,
        resource.binding.collection,
        parse_token(text) if text else None,
        limit=limit_of(root, context.settings.dav.sync_page_size),
    )
    prepare_data(context, root)
    asked = wanted(context.request, root)
    tail = xml.element("{DAV:}sync-token", str(changes.token)) + "\n"
    return answer(_responses(context, resource, changes, asked), tail=tail)


def limit_of(root: Element, most: int, *, namespace: str = DAV) -> int:
    """``limit``/``nresults`` (RFC 5323 5.17, RFC 6352 10.6), bounded by what the server gives."""
    text = root.findtext(f"{namespace}limit/{namespace}nresults")
    if text is None:
        return most
    if not text.strip().isdecimal() or len(text.strip()) > 9 or int(text) == 0:
        raise InvalidXml(f"nresults is a number above 0, not {text.strip()[:40]!r}.")
    return min(int(text), most)


def _responses(
    context: Context, resource: CollectionResource, changes: Changes, asked: Wanted
) -> Iterator[str]:
    writer = ObjectWriter(context, resource, asked)
    if writer.needs_only_etag or not (asked.names or asked.every or asked.names_only):
        for name, etag in changes.changed:
            yield writer.etag_response(name, etag)
    else:
        yield from _in_batches(context, resource, changes, writer)
    for name in changes.removed:
        yield status_response(resource.href + writer.segment(name), "404 Not Found")
    if changes.truncated:
        yield status_response(
            resource.href, "507 Insufficient Storage", condition=DAV + "number-of-matches-within-limits"
        )


def _in_batches(
    context: Context, resource: CollectionResource, changes: Changes, writer: ObjectWriter
) -> Iterator[str]:
    collection = resource.binding.collection.id
    for begin in range(0, len(changes.changed), _BATCH):
        names = [name for name, _ in changes.changed[begin : begin + _BATCH]]
        for stored in objects_named(context.txn, collection, names, content=writer.needs_content):
            yield writer.response(stored)
