"""``CALDAV:filter`` from XML (RFC 4791 9.7-9.9)."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree.ElementTree import Element

from tagwerk.collation import ASCII, COLLATIONS, MatchType, TextMatch
from tagwerk.errors import CALDAV, Refused
from tagwerk.ical.filter import CompFilter, ParamFilter, PropFilter, TimeRange
from tagwerk.model import ALWAYS, FOREVER

VALID_FILTER = CALDAV + "valid-filter"


def read_filter(root: Element) -> CompFilter:
    """The filter of a calendar-query.

    Raises:
        Refused: CALDAV:valid-filter, CALDAV:supported-filter or CALDAV:supported-collation.
    """
    holder = root.find(CALDAV + "filter")
    tops = list(holder) if holder is not None else []
    if (
        len(tops) != 1
        or tops[0].tag != CALDAV + "comp-filter"
        or (tops[0].get("name") or "").upper() != "VCALENDAR"
    ):
        raise Refused(
            "A calendar-query holds one filter with one comp-filter called VCALENDAR.", condition=VALID_FILTER
        )
    return _comp_filter(tops[0])


def _comp_filter(node: Element) -> CompFilter:
    _only(node, "is-not-defined", "time-range", "prop-filter", "comp-filter")
    return CompFilter(
        name=_name(node),
        is_not_defined=_is_not_defined(node),
        time_range=_time_range(node),
        props=tuple(_prop_filter(child) for child in node.iterfind(CALDAV + "prop-filter")),
        comps=tuple(_comp_filter(child) for child in node.iterfind(CALDAV + "comp-filter")),
    )


def _prop_filter(node: Element) -> PropFilter:
    _only(node, "is-not-defined", "time-range", "text-match", "param-filter")
    return PropFilter(
        name=_name(node),
        is_not_defined=_is_not_defined(node),
        time_range=_time_range(node),
        text=_text(node),
        params=tuple(_param_filter(child) for child in node.iterfind(CALDAV + "param-filter")),
    )


def _param_filter(node: Element) -> ParamFilter:
    _only(node, "is-not-defined", "text-match")
    return ParamFilter(name=_name(node), is_not_defined=_is_not_defined(node), text=_text(node))


def _text(node: Element) -> TextMatch | None:
    child = node.find(CALDAV + "text-match")
    return None if child is None else text_match(child, collation=ASCII, namespace=CALDAV)


def text_match(node: Element, *, collation: str, namespace: str) -> TextMatch:
    """A ``text-match`` element; `collation` is what counts where it names none or the default.

    Raises:
        Refused: a collation that is not served, or an attribute with another value than it may have.
    """
    named = node.get("collation", collation)
    if named == "default":
        named = collation
    if named not in COLLATIONS:
        raise Refused(
            f"The collation {named[:60]!r} is not served; {', '.join(COLLATIONS)} are.",
            condition=namespace + "supported-collation",
        )
    negate = node.get("negate-condition", "no")
    kind = node.get("match-type", "contains")
    if negate not in ("yes", "no") or kind not in {member.value for member in MatchType}:
        raise Refused(
            f"A text-match with negate-condition={negate!r} and match-type={kind!r} is not valid.",
            condition=(namespace + "valid-filter")
            if namespace == CALDAV
            else (namespace + "supported-filter"),
        )
    return TextMatch(node.text or "", named, MatchType(kind), negate == "yes")


def _time_range(node: Element) -> TimeRange | None:
    child = node.find(CALDAV + "time-range")
    return None if child is None else time_range(child)


def time_range(node: Element, *, needs_both: bool = False) -> TimeRange:
    """The `start` and `end` of an element, in UTC (RFC 4791 9.9); an open side is `ALWAYS` or `FOREVER`.

    Raises:
        Refused: CALDAV:valid-filter for anything that is not an interval of UTC times.
    """
    start, end = node.get("start"), node.get("end")
    if start is None and end is None:
        raise Refused("A time-range has a start, an end, or both.", condition=VALID_FILTER)
    if needs_both and (start is None or end is None):
        raise Refused("This time range needs a start and an end.", condition=VALID_FILTER)
    made = TimeRange(_instant(start, ALWAYS), _instant(end, FOREVER))
    if made.start >= made.end:
        raise Refused(f"The time-range from {start} to {end} has no length.", condition=VALID_FILTER)
    return made


def _instant(text: str | None, default: int) -> int:
    if text is None:
        return default
    try:
        moment = datetime.strptime(text.strip(), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise Refused(
            f"{text[:40]!r} is no time in UTC; write it as 20260131T120000Z.", condition=VALID_FILTER
        ) from error
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())


def _name(node: Element) -> str:
    name = node.get("name")
    if not name:
        raise Refused(f"{node.tag} has no name.", condition=VALID_FILTER)
    return name.upper()


def _is_not_defined(node: Element) -> bool:
    found = node.find(CALDAV + "is-not-defined") is not None
    if found and len(node) > 1:
        raise Refused("is-not-defined stands alone in its filter.", condition=VALID_FILTER)
    return found


def _only(node: Element, *allowed: str) -> None:
    for child in node:
        if child.tag not in {CALDAV + name for name in allowed}:
            raise Refused(f"{child.tag} cannot stand in {node.tag}.", condition=CALDAV + "supported-filter")
