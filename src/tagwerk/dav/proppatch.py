"""PROPPATCH: all of it or nothing (RFC 4918 9.2)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from tagwerk.dav import xml
from tagwerk.dav.message import Response
from tagwerk.dav.multistatus import answer, wants_minimal
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import (
    CollectionResource,
    Context,
    Home,
    ObjectResource,
    Resource,
    Where,
    may_write,
    target,
)
from tagwerk.dav.timezones import agreeing
from tagwerk.errors import DAV, InsufficientStorage, InvalidXml, NeedPrivileges, Refused
from tagwerk.store.collections import lock_collection, next_modseq
from tagwerk.store.properties import (
    collection_properties_size,
    principal_properties_size,
    set_collection_properties,
    set_principal_properties,
)

feature = Feature("RFC 4918 PROPPATCH")

MAX_VALUE = 256 * 1024
"""Characters that one dead property may hold as XML."""

MAX_VALUES = 8 * 1024 * 1024
"""Characters that all properties of a collection and its objects may hold, or those of a principal."""

PROTECTED = DAV + "cannot-modify-protected-property"


@feature.method("PROPPATCH", on=Where.ANY ^ Where.ROOT, writes=True)
def proppatch(context: Context) -> Response:
    """Set and remove properties in the order of the request."""
    root = xml.parse(context.request.body)
    if root.tag != "{DAV:}propertyupdate":
        raise InvalidXml(f"The body of PROPPATCH is DAV:propertyupdate, not {root.tag}.")
    resource = target(context)
    changes, failures = evaluate(context, resource, root)
    if failures:
        stats = failed_propstats(list(changes), failures)
        return answer(iter([f"<D:response>{xml.href(resource.href)}{stats}</D:response>\n"]))
    store(context, resource, changes, languages=xml.languages(root))
    if wants_minimal(context.request):
        # RFC 8144 2.2: where everything was done there is nothing to tell.
        return Response(204, {"Preference-Applied": "return=minimal"})
    done = "".join(xml.tags(name)[2] for name in changes)
    stat = f"<D:propstat><D:prop>{done}</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
    return answer(iter([f"<D:response>{xml.href(resource.href)}{stat}</D:response>\n"]))


def evaluate(
    context: Context, resource: Resource, root: Element
) -> tuple[dict[str, str | None], dict[str, Refused]]:
    """What the ``set`` and ``remove`` elements ask for: new values (None: remove), and what is refused."""
    changes: dict[str, str | None] = {}
    failures: dict[str, Refused] = {}
    for instruction in root:
        if instruction.tag not in ("{DAV:}set", "{DAV:}remove"):
            continue
        for node in (child for prop in instruction.iterfind("{DAV:}prop") for child in prop):
            try:
                value = check(context, resource.where, node) if instruction.tag == "{DAV:}set" else None
                if value is None:
                    _check_settable(context, resource.where, node.tag)
                changes[node.tag] = value
            except Refused as error:
                failures[node.tag] = error
    if not changes and not failures:
        raise InvalidXml("The request names no property to set or remove.")
    return changes, failures


def check(context: Context, where: Where, node: Element) -> str:
    """The XML to remember for a property that a client sets.

    Raises:
        Refused: it is protected, or the value does not fit.
    """
    _check_settable(context, where, node.tag)
    live = context.registry.properties(where).get(node.tag)
    if live is not None and live.set is not None:
        return live.set(context, node)
    value = xml.content_of(node)
    if len(value) > MAX_VALUE:
        raise Refused(f"{node.tag} may have {MAX_VALUE} characters; this has {len(value)}.")
    return value


def _check_settable(context: Context, where: Where, name: str) -> None:
    live = context.registry.properties(where).get(name)
    if context.registry.computed(name) or (live is not None and live.set is None):
        raise Refused(f"{name} is computed by the server.", condition=PROTECTED)


def store(
    context: Context, resource: Resource, changes: dict[str, str | None], *, languages: dict[str, str]
) -> None:
    """Write what `evaluate` returned, with its languages, and move the collection's counter.

    Raises:
        NeedPrivileges: the user may not change the resource.
        InsufficientStorage: there would be more than `MAX_VALUES`.
    """
    if resource.where is Where.CALENDAR:
        changes = agreeing(changes)
    tagged = {xml.LANGUAGE_OF + name: languages.get(name) or None for name in changes}
    changes = changes | tagged
    if isinstance(resource, Home):
        set_principal_properties(context.txn, resource.principal.id, changes)
        _check_size(principal_properties_size(context.txn, resource.principal.id))
        return
    if isinstance(resource, ObjectResource):
        binding, name = resource.parent.binding, resource.stored.name
    else:
        assert isinstance(resource, CollectionResource)
        binding, name = resource.binding, ""
    if not may_write(binding):
        raise NeedPrivileges("You may not change the properties of this resource.")
    lock_collection(context.txn, binding.collection.id)
    set_collection_properties(context.txn, binding.collection.id, changes, object_name=name)
    _check_size(collection_properties_size(context.txn, binding.collection.id))
    next_modseq(context.txn, binding.collection.id, now=context.now)


def _check_size(size: int) -> None:
    # They are no part of the quota, and come with every allprop.
    if size > MAX_VALUES:
        raise InsufficientStorage(f"The properties would hold {size} characters; {MAX_VALUES} are allowed.")


def failed_propstats(others: list[str], failures: dict[str, Refused]) -> str:
    """The ``propstat`` elements of a change that was not made: 403 for what stood in the way, 424 for the rest."""
    parts = []
    for name, error in failures.items():
        condition = xml.element("{DAV:}error", xml.element(error.condition)) if error.condition else ""
        parts.append(
            f"<D:propstat><D:prop>{xml.tags(name)[2]}</D:prop><D:status>HTTP/1.1 403 Forbidden</D:status>"
            f"{condition}<D:responsedescription>{xml.escape(str(error))}</D:responsedescription></D:propstat>"
        )
    rest = "".join(xml.tags(name)[2] for name in others if name not in failures)
    if rest:
        parts.append(
            f"<D:propstat><D:prop>{rest}</D:prop>"
            "<D:status>HTTP/1.1 424 Failed Dependency</D:status></D:propstat>"
        )
    return "".join(parts)
