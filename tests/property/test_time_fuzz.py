"""Whatever an object says about time: it is stored or refused, and what is stored can always be asked."""

from __future__ import annotations

import time
from datetime import UTC
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from tagwerk.contentline import Component, parse
from tagwerk.ical.expand import expand, limit_recurrence_set
from tagwerk.ical.facts import InvalidTime, facts
from tagwerk.ical.filter import CompFilter, TimeRange, matches
from tagwerk.ical.freebusy import busy_periods, merge, render
from tagwerk.ical.rrule import RunawayRule
from tagwerk.ical.spans import spans_overlap
from tagwerk.model import ALWAYS, FOREVER

_MOMENTS = [
    "20260101T100000Z",
    "20260101T100000",
    "20260329T023000",
    "20261025T023000",
    "20260102",
    "20260229",
    "00010101T000000Z",
    "00010101",
    "99991231T235959Z",
    "99991231T235959",
    "19000101T000000",
    "",
    "x",
    "20260101T100000Z,20260102T100000Z,20260103",
    "20260101T100000Z/PT1H",
    "20260101T100000Z/20250101T100000Z",
    "20260101T100000Z/-P1D",
    "99991231/P9999D",
]
_HEADS = [
    "",
    ";VALUE=DATE",
    ";TZID=Europe/Berlin",
    ";TZID=Own",
    ";TZID=../x",
    ";VALUE=PERIOD",
    ";TZID=Asia/Tokyo",
]
_RULES = [
    "FREQ=DAILY",
    "FREQ=SECONDLY",
    "FREQ=HOURLY;INTERVAL=999999999",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=MONTHLY;BYMONTHDAY=31;COUNT=400",
    "FREQ=WEEKLY;UNTIL=00010101",
    "FREQ=WEEKLY;BYDAY=SU,MO;WKST=SU;UNTIL=99991231T235959Z",
    "FREQ=YEARLY;BYWEEKNO=1,53,-53;BYDAY=MO,SU",
    "FREQ=YEARLY;BYYEARDAY=366,-366",
    "FREQ=MINUTELY;BYHOUR=3;BYSETPOS=-1",
    "FREQ=DAILY;COUNT=49999",
    "RSCALE=GREGORIAN;SKIP=FORWARD;FREQ=MONTHLY;BYMONTHDAY=31,-31",
    "FREQ=DAILY;BYHOUR=1,2,3,4,5,6,7,8,9;BYMINUTE=0,30",
    "",
]
_LENGTHS = ["PT1H", "P1D", "P9999999D", "-P1D", "PT0S", "P1W", "", "P"]
_OWN_ZONE = (
    "BEGIN:VTIMEZONE\nTZID:Own\nBEGIN:STANDARD\nDTSTART:16010101T000000\nTZOFFSETFROM:+2359\nTZOFFSETTO:-2359\n"
    "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\nEND:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:16010101T000000\n"
    "TZOFFSETFROM:-2359\nTZOFFSETTO:+2359\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\nEND:DAYLIGHT\nEND:VTIMEZONE\n"
)

_head = st.sampled_from(_HEADS)
_moment = st.sampled_from(_MOMENTS)
_line = st.one_of(
    st.builds(
        "{}{}:{}".format, st.sampled_from(["DTSTART", "DTEND", "DUE", "RDATE", "EXDATE"]), _head, _moment
    ),
    st.builds("{}:{}".format, st.sampled_from(["RRULE", "RRULE", "EXRULE"]), st.sampled_from(_RULES)),
    st.builds("DURATION:{}".format, st.sampled_from(_LENGTHS)),
    st.builds("{}:{}".format, st.sampled_from(["COMPLETED", "CREATED", "SEQUENCE"]), _moment),
    st.sampled_from(
        ["TRANSP:TRANSPARENT", "STATUS:TENTATIVE", "BEGIN:VALARM\nTRIGGER:-P9999999D\nEND:VALARM"]
    ),
    st.sampled_from(
        ["BEGIN:VALARM\nTRIGGER;RELATED=END:P1D\nREPEAT:9999999999\nDURATION:P9999999D\nEND:VALARM"]
    ),
)
_name = st.builds(
    "RECURRENCE-ID{}{}:{}".format, _head, st.sampled_from(["", ";RANGE=THISANDFUTURE"]), _moment
)


@st.composite
def _objects(draw: st.DrawFn) -> Component:
    kind = draw(st.sampled_from(["VEVENT", "VEVENT", "VTODO", "VJOURNAL"]))
    parts = []
    for position in range(draw(st.integers(1, 3))):
        lines = draw(st.lists(_line, max_size=5))
        start = draw(st.builds("DTSTART{}:{}".format, _head, st.sampled_from(_MOMENTS[:11])))
        lines = [start, *lines, *([draw(_name)] if position else [])]
        parts.append(f"BEGIN:{kind}\nUID:1\n" + "\n".join(lines) + f"\nEND:{kind}\n")
    return parse(f"BEGIN:VCALENDAR\n{_OWN_ZONE}{''.join(parts)}END:VCALENDAR\n")[0]


_RANGES = [
    (ALWAYS, FOREVER),
    (0, 1),
    (1_767_225_600, 1_769_904_000),
    (-(2**61), 0),
    (253_402_214_400, FOREVER),
    (1_774_742_400, 1_774_828_800),
]


@settings(max_examples=400, deadline=None)
@given(_objects(), st.sampled_from(_RANGES), st.sampled_from([UTC, ZoneInfo("Pacific/Apia")]))
def test_what_is_stored_can_be_asked(calendar: Component, span: tuple[int, int], zone: ZoneInfo) -> None:
    begin = time.process_time()
    try:
        known = facts(calendar, now=1_780_000_000)
    except InvalidTime:
        return
    finally:
        assert time.process_time() - begin < 2

    kind = known.component
    alarm = CompFilter("VALARM", time_range=TimeRange(*span))
    try:
        timed = CompFilter("VCALENDAR", comps=(CompFilter(kind, time_range=TimeRange(*span)),))
        found = matches(calendar, timed, zone=zone)
        assert not found or (known.first <= span[1] and known.last >= span[0]) or known.floating
        matches(calendar, CompFilter("VCALENDAR", comps=(CompFilter(kind, comps=(alarm,)),)), zone=zone)
        expanded = expand(calendar, *span, zone=zone, limit=2000)
        assert (expanded is not None) == found
        assert limit_recurrence_set(calendar, *span, zone=zone)
        render(merge(busy_periods(calendar, *span, zone=zone)), *span, dtstamp=0)
        if (
            known.spans is not None
            and zone is UTC
            and known.spans_from <= span[0]
            and span[1] <= known.spans_until
        ):
            assert spans_overlap(known.spans, *span) == found
    except RunawayRule:
        pass  # an endless question to an endless series
    assert time.process_time() - begin < 10
