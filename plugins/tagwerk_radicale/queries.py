"""Radicale's filters answered by the core, so that both ways to run find the same.

Radicale itself would parse every object with vobject, and one that vobject cannot read
would turn the whole report into an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC
from xml.etree.ElementTree import Element

from radicale.log import logger

from tagwerk.contentline import ContentLineError, parse
from tagwerk.dav import addressbook_query, calendar_filter, calendar_query
from tagwerk.errors import CALDAV, CARDDAV, Refused
from tagwerk.ical.filter import prefilter
from tagwerk.model import ALWAYS, FOREVER, Kind, StoredObject
from tagwerk.sharing.views import View
from tagwerk.store.engine import Transaction
from tagwerk.vcard import filter as card_filter

_BATCH = 200

Matcher = Callable[[bytes], bool]


def matching(txn: Transaction, view: View, *, filters: Iterable[Element]) -> Iterator[StoredObject]:
    """The objects, with their bytes, that match the filter elements of a query.

    Floating times count as UTC.

    Raises:
        ValueError: a filter is not valid or not supported.
    """
    kind = view.collection.kind
    name = (CALDAV if kind is Kind.CALENDAR else CARDDAV) + "filter"
    asked = [node for node in filters if node.tag == name and len(node)]
    if not asked:
        yield from view.objects(txn, content=True)
        return
    root = Element("query")
    root.extend(asked)
    try:
        of_kind = _calendar_verdicts if kind is Kind.CALENDAR else _card_verdicts
        sure, matches = of_kind(txn, view, root)
    except Refused as error:
        raise ValueError(str(error)) from error
    names = list(sure)
    for begin in range(0, len(names), _BATCH):
        for stored in view.named(txn, names[begin : begin + _BATCH]):
            if sure[stored.name] or _matches(stored, matches):
                yield stored


def _calendar_verdicts(txn: Transaction, view: View, root: Element) -> tuple[dict[str, bool], Matcher]:
    condition = calendar_filter.read_filter(root)
    narrowed = prefilter(condition)
    found = view.candidates(
        txn,
        component=narrowed.component,
        start=narrowed.start,
        end=narrowed.end,
        needles=tuple((needle,) for needle in narrowed.needles),
    )
    verdicts = ((one.name, calendar_query.verdict(view, one, narrowed, UTC)) for one in found)
    sure = {name: bool(verdict) for name, verdict in verdicts if verdict is not False}
    return sure, lambda content: calendar_query.matches_content(content, condition, UTC)


def _card_verdicts(txn: Transaction, view: View, root: Element) -> tuple[dict[str, bool], Matcher]:
    condition = addressbook_query.read_filter(root)
    needles = card_filter.needles(condition) or ()
    found = view.candidates(txn, component=None, start=ALWAYS, end=FOREVER, needles=needles)

    def matches(content: bytes) -> bool:
        cards = parse(content.decode())
        return bool(cards) and card_filter.matches(cards[0], condition)

    return {one.name: False for one in found}, matches


def _matches(stored: StoredObject, matches: Matcher) -> bool:
    try:
        return matches(stored.content or b"")
    except (ContentLineError, UnicodeDecodeError):
        logger.error("A stored object cannot be read (change %d); tagwerk check says which.", stored.modseq)
        return False
