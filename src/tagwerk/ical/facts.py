"""What queries need to know about a calendar object, found out once when it is stored.

Free-busy and time ranges (RFC 4791 7.8, 7.10, 9.9) are then answered from columns.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Final

from tagwerk.contentline import Component, Line
from tagwerk.errors import CALDAV, InvalidCalendar
from tagwerk.ical.occurrences import bounds
from tagwerk.ical.occurrences import spans as spans_of
from tagwerk.ical.rrule import Rule, RunawayRule, UnsupportedRule
from tagwerk.ical.schedule import all_series, offers
from tagwerk.ical.series import Series
from tagwerk.ical.spans import pack_spans
from tagwerk.ical.timing import TimeError, time_lines, timing
from tagwerk.ical.values import DAY, clamped
from tagwerk.ical.zones import Zones
from tagwerk.model import ALWAYS, FOREVER, Busy, Facts

MAX_SPANS: Final = 1500
"""So many occurrences are kept of one object."""

YEAR: Final = 366 * DAY
BEFORE: Final = 2 * YEAR
"""How far before now the occurrences of a long series are kept."""
AFTER: Final = 3 * YEAR
"""How far after now they are kept."""

MAX_A_YEAR: Final = 9000
"""An endless series may have so many instances a year: one an hour."""

MAX_FINITE: Final = 50_000
"""A series that ends may have so many instances."""

MAX_RULES: Final = 50
"""A component may have so many RRULE and EXRULE; one is usual."""


class InvalidTime(InvalidCalendar):
    """A date or rule that cannot be read or must not be stored; `index` is that of its line, or None."""

    def __init__(self, message: str, *, index: int | None = None, condition: str = "") -> None:
        super().__init__(message, condition=condition)
        self.index = index


def facts(calendar: Component, *, now: int) -> Facts:
    """What is known about the one object in `calendar`; `now` is in seconds since 1970.

    `search` stays empty.  Floating times are counted as if they were UTC.

    Raises:
        InvalidTime: a rule is of another calendar (RFC 7529 7, CALDAV:supported-rscale), a date or rule cannot be read, an event has no start, or there are
            more instances than a calendar may have (RFC 4791 5.2.8, CALDAV:max-instances).
    """
    main = next((child for child in calendar.children if child.name != "VTIMEZONE"), None)
    if main is None:
        raise InvalidTime("there is nothing in the calendar object")
    uid = main.first("UID")
    name, uid_text = main.name, "" if uid is None else uid.text.strip()
    zones = Zones(calendar, UTC)
    try:
        series = all_series(calendar.children, zones)
        if name == "VAVAILABILITY":
            _check_availability(calendar, zones)
    except TimeError as error:
        condition = CALDAV + "supported-rscale" if isinstance(error.__cause__, UnsupportedRule) else ""
        raise InvalidTime(str(error), index=error.index, condition=condition) from error
    for each in series:
        _check_start(each)
        if each.rules or each.dates:
            _check_size(each)
    if not series:
        return Facts(uid_text, name)
    first, last, zoneless = _bounds(series)
    floating = any(zoneless)
    if name != "VEVENT":
        return Facts(uid_text, name, first, last, floating)
    spans, since, until = _spans(series, (first, last), now)
    if floating and not all(zoneless):
        # Spans do not say which of them would move with the zone.
        spans, since, until = None, ALWAYS, ALWAYS
    return Facts(
        uid_text,
        name,
        first,
        last,
        floating,
        busy=_busy(calendar),
        spans=spans,
        spans_from=since,
        spans_until=until,
    )


def _check_availability(calendar: Component, zones: Zones) -> None:
    for child in calendar.children:
        if child.name == "VAVAILABILITY":
            timing(child, time_lines(child), zones)
            for series in offers(child, zones):
                if series.rules or series.dates:
                    _check_size(series)


def busy_of(component: Component) -> Busy:
    """What the time of a VEVENT is for others (the table of RFC 4791 7.10)."""
    transp = status = ""
    for line in component.lines:
        if line.name == "TRANSP":
            transp = line.value.strip().upper()
        elif line.name == "STATUS":
            status = line.value.strip().upper()
    if transp == "TRANSPARENT" or status in ("CANCELLED", "CANCELED"):
        return Busy.FREE
    return Busy.TENTATIVE if status == "TENTATIVE" else Busy.BUSY


def _busy(calendar: Component) -> Busy:
    kinds = {busy_of(child) for child in calendar.children if child.name == "VEVENT"}
    return kinds.pop() if len(kinds) == 1 else Busy.MIXED


def _bounds(series: list[Series]) -> tuple[int, int, set[bool]]:
    """First and last instant, and whether there are times without and with a zone."""
    limits = [bounds(each) for each in series]
    zoneless = {
        timing.floating
        for each in series
        for timing in (each.timing, *(override.timing for override in each.overrides.values()))
        if timing is not None
    }
    return min(first for first, _ in limits), max(last for _, last in limits), zoneless


def _check_start(series: Series) -> None:
    master = series.master
    if master is None or series.timing is not None or master.name != "VEVENT":
        return
    raise InvalidTime("the VEVENT has no DTSTART", index=master.index)


def _check_size(series: Series) -> None:
    """Refuse rules that run away.  Most are seen to be harmless without evaluating them."""
    assert series.timing is not None
    first = series.timing.moment.local
    left, left_a_year = MAX_FINITE - len(series.dates), MAX_A_YEAR
    index = None
    if len(series.rules) + len(series.exclusions) > MAX_RULES:
        raise _too_many(f"there are more than {MAX_RULES} recurrence rules", series.master)
    for (rule, until), line in zip(series.rules, _rules(series), strict=True):
        index = line
        try:
            if not rule.endless:
                left -= _amount(rule, first, until, left)
            elif rule.density * 366 <= left_a_year:
                left_a_year -= int(rule.density * 366)
            else:
                year = rule.between(first, first, clamped(first, YEAR))
                left_a_year -= sum(1 for _ in islice(year, left_a_year + 1))
        except RunawayRule:
            if rule.count is not None and rule.count > MAX_FINITE:
                left = -1
            # Otherwise it matches nothing more: what it has is what there is.
        if left_a_year < 0:
            raise _too_many(f"a recurrence without end has over {MAX_A_YEAR} instances a year", line)
        if left < 0:
            break
    if left < 0:
        raise _too_many(f"the recurrence has over {MAX_FINITE} instances", index)


def _amount(rule: Rule, first: datetime, until: datetime | None, limit: int) -> int:
    """How many instances a finite rule has at most; beyond `limit` it is not known how many more."""
    if rule.count is not None and (rule.until is None or rule.count <= limit):
        return rule.count
    final = rule.last(first, until=until) or first
    guess = int((max(0, (final - first).days) + 366) * rule.density) + 1
    if guess <= limit:
        return guess
    return sum(1 for _ in islice(rule.between(first, first, final, until=until), limit + 1))


def _too_many(message: str, place: Line | Component | None) -> InvalidTime:
    index = None if place is None else place.index
    return InvalidTime(message, index=index, condition=CALDAV + "max-instances")


def _rules(series: Series) -> list[Line]:
    assert series.master is not None
    return series.master.all("RRULE")


def _spans(series: list[Series], limits: tuple[int, int], now: int) -> tuple[bytes | None, int, int]:
    """Packed occurrences, and from when until when they are all there.

    Short series are there as a whole; of long ones what is around now, or around the
    end that is nearest to now, and so much of it that `MAX_SPANS` is not exceeded.
    """
    first, last = limits
    pivot = min(max(now, first), last)
    density = sum(rule.density for each in series for rule, _ in each.rules) / DAY
    scale = min(1.0, MAX_SPANS / (density * (BEFORE + AFTER))) if density else 1.0
    since, until = pivot - int(BEFORE * scale), pivot + int(AFTER * scale)
    if not density or first >= since or _is_short(series):
        since = ALWAYS
    if not density or last <= until or _is_short(series):
        until = FOREVER
    spans = _packed(series, since, until)
    return (None, ALWAYS, ALWAYS) if spans is None else (spans, since, until)


def spans_between(calendar: Component, since: int, until: int) -> bytes | None:
    """What `Facts.spans` are for the time from `since` to `until`; None where they do not say it all.

    Raises:
        InvalidTime: as `facts`.
    """
    try:
        series = all_series(calendar.children, Zones(calendar, UTC))
    except TimeError as error:
        raise InvalidTime(str(error), index=error.index) from error
    if not series or len(_bounds(series)[2]) > 1:
        return None
    return _packed(series, since, until)


def _packed(series: list[Series], since: int, until: int) -> bytes | None:
    most = 4 * MAX_SPANS
    try:
        spans = sorted(span for each in series for span in spans_of(each, since, until, limit=most))
    except RunawayRule:
        return None
    return pack_spans(spans) if len(spans) < most else None


def _is_short(series: list[Series]) -> bool:
    counts = [rule.count for each in series for rule, _ in each.rules]
    return all(count is not None and count <= MAX_SPANS for count in counts)
