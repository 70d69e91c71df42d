"""The addressbook-query report (RFC 6352 8.6)."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from tagwerk.collation import UNICODE
from tagwerk.contentline import parse
from tagwerk.dav.calendar_filter import text_match
from tagwerk.dav.message import Response
from tagwerk.dav.multistatus import ObjectWriter, Part, Wanted, answer, limited, wanted
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import (
    CollectionResource,
    Context,
    Home,
    ObjectResource,
    Resource,
    Where,
    collections_in,
)
from tagwerk.dav.sync import limit_of
from tagwerk.dav.transform import prepare_data
from tagwerk.errors import CARDDAV, Refused
from tagwerk.model import ALWAYS, FOREVER
from tagwerk.vcard.filter import CardFilter, ParamFilter, PropFilter, Test, matches, needles

feature = Feature("RFC 6352 addressbook-query")

_FILTER = CARDDAV + "supported-filter"


@feature.report(CARDDAV + "addressbook-query", on=Where.HOMES | Where.ADDRESSBOOK | Where.CARD)
def addressbook_query(context: Context, resource: Resource, root: Element) -> Response:
    """RFC 6352 8.6, on an address book, on one card, or on every address book of a home."""
    asked = wanted(context.request, root)
    condition = read_filter(root)
    prepare_data(context, root)
    most = limit_of(root, context.settings.dav.max_results, namespace=CARDDAV)
    return answer(limited(_responses(context, resource, asked, condition), resource.href, most=most))


def _responses(context: Context, resource: Resource, asked: Wanted, condition: CardFilter) -> Iterator[Part]:
    only = resource.stored.name if isinstance(resource, ObjectResource) else ""
    if isinstance(resource, ObjectResource):
        places = [resource.parent]
    elif isinstance(resource, Home):
        places = [place for place in collections_in(context, resource) if place.where is Where.ADDRESSBOOK]
    else:
        assert isinstance(resource, CollectionResource)
        places = [resource]
    for place in places:
        yield from _of_collection(context, place, asked, condition, only=only)


def _of_collection(
    context: Context, place: CollectionResource, asked: Wanted, condition: CardFilter, *, only: str
) -> Iterator[Part]:
    found = place.view.candidates(
        context.txn,
        component=None,
        start=ALWAYS,
        end=FOREVER,
        needles=needles(condition) or (),
    )
    writer = ObjectWriter(context, place, asked)
    names = [candidate.name for candidate in found if not only or candidate.name == only]
    for stored in place.view.named(context.txn, names):
        cards = parse((stored.content or b"").decode())
        if cards and matches(cards[0], condition):
            yield writer.response(stored)


def read_filter(root: Element) -> CardFilter:
    """The filter of an addressbook-query (RFC 6352 10.5); without one everything matches.

    Raises:
        Refused: CARDDAV:supported-filter or CARDDAV:supported-collation.
    """
    node = root.find(CARDDAV + "filter")
    if node is None:
        raise Refused("An addressbook-query holds a filter.", condition=_FILTER)
    props = tuple(_prop_filter(child) for child in _children(node, "prop-filter"))
    return CardFilter(props, _test(node))


def _prop_filter(node: Element) -> PropFilter:
    _children(node, "is-not-defined", "text-match", "param-filter")
    return PropFilter(
        name=_name(node),
        test=_test(node),
        is_not_defined=node.find(CARDDAV + "is-not-defined") is not None,
        texts=tuple(
            text_match(child, collation=UNICODE, namespace=CARDDAV)
            for child in node.iterfind(CARDDAV + "text-match")
        ),
        params=tuple(_param_filter(child) for child in node.iterfind(CARDDAV + "param-filter")),
    )


def _param_filter(node: Element) -> ParamFilter:
    _children(node, "is-not-defined", "text-match")
    text = node.find(CARDDAV + "text-match")
    return ParamFilter(
        name=_name(node),
        is_not_defined=node.find(CARDDAV + "is-not-defined") is not None,
        text=None if text is None else text_match(text, collation=UNICODE, namespace=CARDDAV),
    )


def _children(node: Element, *allowed: str) -> list[Element]:
    for child in node:
        if child.tag not in {CARDDAV + name for name in allowed}:
            raise Refused(f"{child.tag} cannot stand in {node.tag}.", condition=_FILTER)
    return list(node)


def _name(node: Element) -> str:
    name = node.get("name")
    if not name:
        raise Refused(f"{node.tag} has no name.", condition=_FILTER)
    return name.upper()


def _test(node: Element) -> Test:
    test = node.get("test", "anyof")
    if test == "anyof":
        return "anyof"
    if test == "allof":
        return "allof"
    raise Refused(f"test is anyof or allof, not {test[:20]!r}.", condition=_FILTER)
