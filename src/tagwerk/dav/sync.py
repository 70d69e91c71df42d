"""The sync-collection report and the sync token (RFC 6578)."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from tagwerk.dav import paths, xml
from tagwerk.dav.message import Response
from tagwerk.dav.multistatus import (
    ObjectWriter,
    Part,
    Wanted,
    answer,
    status_response,
    truncated_response,
    wanted,
)
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import CollectionResource, Context, Resource, Where
from tagwerk.dav.transform import prepare_data
from tagwerk.errors import DAV, InvalidRequest, InvalidXml
from tagwerk.model import Changes
from tagwerk.store.sync import parse_token

feature = Feature("RFC 6578", tokens=("sync-collection",))


@feature.live_property("{DAV:}sync-token", on=Where.SYNCED)
def sync_token(context: Context, resource: Resource) -> str:
    """RFC 6578 4."""
    return token_of(resource)


def token_of(resource: Resource) -> str:
    """The token of a client that knows everything in a collection."""
    assert isinstance(resource, CollectionResource)
    return str(resource.view.token)


@feature.report("{DAV:}sync-collection", on=Where.SYNCED)
def sync_collection(context: Context, resource: Resource, root: Element) -> Response:
    """RFC 6578 3.2: what changed since the token, at most as many as the client and the server take."""
    assert isinstance(resource, CollectionResource)
    sync_level(root)
    check_depth(context)
    text = (root.findtext("{DAV:}sync-token") or "").strip()
    changes = resource.view.changes_since(
        context.txn,
        parse_token(text) if text else None,
        limit=limit_of(root, context.settings.dav.sync_page_size),
    )
    prepare_data(context, root)
    asked = wanted(context.request, root)
    tail = xml.element("{DAV:}sync-token", str(changes.token)) + "\n"
    return answer(_responses(context, resource, changes, asked), tail=tail)


def check_depth(context: Context) -> None:
    """RFC 6578 3.2: Depth is 0.  Clients of older drafts send 1 and mean the same; absent is 0."""
    depth = context.request.header("depth", "0").strip().lower()
    if depth not in ("0", "1"):
        raise InvalidRequest(f"sync-collection is asked with Depth 0, not {depth[:20]!r}.")


def sync_level(root: Element) -> str:
    """``1`` or ``infinite`` (RFC 6578 6.3); a request of an older draft has none and means 1."""
    level = (root.findtext("{DAV:}sync-level") or "1").strip().lower()
    if level not in ("1", "infinite", "infinity"):
        raise InvalidXml(f"sync-level is 1 or infinite, not {level[:40]!r}.")
    return "1" if level == "1" else "infinite"


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
) -> Iterator[Part]:
    yield from object_responses(resource, changes, ObjectWriter(context, resource, asked))
    if changes.truncated:
        yield truncated_response(resource.href)


def object_responses(resource: CollectionResource, changes: Changes, writer: ObjectWriter) -> Iterator[Part]:
    """What changed in a collection, then what is gone."""
    yield from writer.responses_to(changes)
    for name in changes.removed:
        yield status_response(resource.href + paths.segment(name), "404 Not Found")
