"""The ``If`` header: lists of state tokens and entity tags (RFC 4918 10.4, RFC 6578 5).

There are no locks here, so the state tokens that can hold are sync tokens.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tagwerk.dav import paths
from tagwerk.dav.resources import CollectionResource, Context, ObjectResource, Resource, resolve
from tagwerk.dav.sync import token_of
from tagwerk.dav.webdav import collection_etag
from tagwerk.errors import InvalidRequest, PreconditionFailed, TagwerkError

_TOKEN = re.compile(r"\s*(?:(\()|(\))|(Not\b)|<([^<>]*)>|\[([^\[\]]*)\])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Condition:
    negated: bool
    token: str
    etag: str


def check(context: Context) -> None:
    """Evaluate the header of a request, if it has one.

    Raises:
        InvalidRequest: it cannot be read.
        PreconditionFailed: no list in it holds.
    """
    header = context.request.header("if").strip()
    if not header:
        return
    for href, conditions in _lists(header):
        resource = _resource(context, href)
        if all(_holds(condition, resource) is not condition.negated for condition in conditions):
            return
    raise PreconditionFailed("None of the lists in the If header holds.")


def _lists(header: str) -> list[tuple[str, list[_Condition]]]:
    """Every list with the resource it is about; "" is the one that the request names."""
    found: list[tuple[str, list[_Condition]]] = []
    href = ""
    current: list[_Condition] | None = None
    negated = False
    position = 0
    while position < len(header.rstrip()):
        match = _TOKEN.match(header, position)
        if match is None:
            raise InvalidRequest(f"The If header cannot be read at {header[position : position + 40]!r}.")
        position = match.end()
        opened, closed, no, token, etag = match.groups()
        if opened and current is None:
            current = []
        elif closed and current:
            found.append((href, current))
            current = None
        elif no and current is not None:
            negated = True
        elif token is not None and current is None:
            href = token
        elif current is not None and (token is not None or etag is not None):
            current.append(_Condition(negated, token or "", (etag or "").strip()))
            negated = False
        else:
            raise InvalidRequest(f"The If header cannot be read before {header[position : position + 40]!r}.")
    if current is not None or not found:
        raise InvalidRequest("The If header ends inside of a list.")
    return found


def _resource(context: Context, href: str) -> Resource | None:
    try:
        segments = paths.of_href(href, context.request) if href else paths.split(context.request.path)
        return resolve(context, segments)
    except TagwerkError:
        return None


def _holds(condition: _Condition, resource: Resource | None) -> bool:
    if condition.token:
        collection = resource.parent if isinstance(resource, ObjectResource) else resource
        return isinstance(collection, CollectionResource) and condition.token == token_of(collection)
    if isinstance(resource, ObjectResource):
        return condition.etag == resource.stored.etag
    return isinstance(resource, CollectionResource) and condition.etag == collection_etag(resource)
