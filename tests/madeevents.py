"""Events that nobody wrote: hypothesis strategies for calendar objects as programs write them.

Whatever is drawn is valid, and recurring-ical-events means the same by it as RFC 5545 does.
That leaves out, on purpose: a DTSTART that its rule does not match (RFC 5545 3.8.5.3 counts it
as the first instance, the library does not), times in the hours in which clocks change, and
overrides of instances after the end of the rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from dateutil.rrule import rrulestr
from hypothesis import strategies as st

from davsamples import BERLIN, lines

DATE, FLOATING, UTC = "DATE", "", "Z"

CUSTOM = "Our own time"
_OWN = BERLIN.replace("TZID:Europe/Berlin", f"TZID:{CUSTOM}")
_WRONG = (
    "BEGIN:VTIMEZONE\nTZID:Europe/Berlin\nBEGIN:STANDARD\nDTSTART:19700101T000000\n"
    "TZOFFSETFROM:+0900\nTZOFFSETTO:+0900\nEND:STANDARD\nEND:VTIMEZONE\n"
)

ZONES: tuple[tuple[str, str], ...] = (
    (UTC, ""),
    (FLOATING, ""),
    (DATE, ""),
    ("Europe/Berlin", ""),
    ("Europe/Berlin", BERLIN),
    ("America/New_York", ""),
    ("Australia/Lord_Howe", ""),
    ("W. Europe Standard Time", ""),
    ("Eastern Standard Time", ""),
    (CUSTOM, _OWN),
)
"""TZID and the VTIMEZONE that comes with it."""

WRONG_ZONE = ("Europe/Berlin", _WRONG)
"""A VTIMEZONE that says something else than its name."""

YEARS = (1900, 1970, 1999, 2024, 2025, 2026, 2037, 2099)

RULES = (
    "",
    "FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=3",
    "FREQ=WEEKLY",
    "FREQ=WEEKLY;BYDAY=MO,WE,FR",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,TU;WKST=SU",
    "FREQ=MONTHLY",
    "FREQ=MONTHLY;BYMONTHDAY=31",
    "FREQ=MONTHLY;BYMONTHDAY=-1",
    "FREQ=MONTHLY;BYDAY=-1FR",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "FREQ=YEARLY",
    "FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29",
    "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU",
    "FREQ=YEARLY;BYYEARDAY=1,100,-1",
    "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
)


@dataclass(frozen=True, slots=True)
class Made:
    """An object, and what of it a test may want to know without reading it."""

    content: bytes
    start: datetime
    tzid: str


def written(name: str, local: datetime | date, tzid: str) -> str:
    """A property with a time, as RFC 5545 3.3.4 and 3.3.5 write it."""
    if tzid == DATE:
        return f"{name};VALUE=DATE:{local:%Y%m%d}"
    if tzid == UTC:
        return f"{name}:{local:%Y%m%dT%H%M%S}Z"
    return f"{name};TZID={tzid}:{local:%Y%m%dT%H%M%S}" if tzid else f"{name}:{local:%Y%m%dT%H%M%S}"


@st.composite
def events(draw: st.DrawFn, uid: str = "1", zones: tuple[tuple[str, str], ...] = ZONES) -> Made:
    """A VEVENT, recurring or not, with exceptions, additions and overrides."""
    tzid, vtimezone = draw(st.sampled_from(zones))
    years = [year for year in YEARS if tzid != CUSTOM or 1969 < year < 2030]
    rule = draw(st.sampled_from(RULES))
    minutes = draw(st.integers(6 * 60, 20 * 60)) if tzid != DATE else 0
    start = datetime(draw(st.sampled_from(years)), 1, 1) + timedelta(
        days=draw(st.integers(0, 364)), minutes=minutes
    )
    originals: list[datetime] = [start]
    ending = ""
    if rule:
        if "MONTHDAY=29" in rule:
            start = start.replace(year=max(start.year // 4 * 4, 1904), month=1, day=1)
        start = rrulestr(rule, dtstart=start)[0]
        ending = draw(st.sampled_from(["", "", ";COUNT=9", "UNTIL"]))
        if ending == "UNTIL":
            ending = _until(start + timedelta(days=draw(st.integers(0, 900))), tzid)
        finite = rrulestr(rule, dtstart=start)
        originals = [moment for moment, _ in zip(finite, range(9), strict=False)]
        ends = rrulestr(rule + ending.replace("Z", ""), dtstart=start)
        originals = [moment for moment in originals if moment in ends] if "COUNT" not in ending else originals
    text = [written("DTSTART", start, tzid), *_length(draw, start, tzid)]
    text += [f"RRULE:{rule}{ending}"] if rule else []
    removed = draw(st.lists(st.sampled_from(originals[1:]), max_size=2, unique=True)) if originals[1:] else []
    text += [written("EXDATE", moment, tzid) for moment in removed]
    added = draw(st.lists(st.integers(1, 60), max_size=2, unique=True)) if rule else []
    # Not where an instance is already: the library would count it once more or once less.
    extra = [start + timedelta(days=400 * days + 1, minutes=0 if tzid == DATE else 7) for days in added]
    text += [written("RDATE", moment, tzid) for moment in extra if moment.year < 2100 or tzid != CUSTOM]
    text += draw(
        st.sampled_from([[], [], ["TRANSP:TRANSPARENT"], ["STATUS:TENTATIVE"], ["STATUS:CANCELLED"]])
    )
    parts = [_component(uid, "plain", text)]
    left = [moment for moment in originals if moment not in removed]
    for original in draw(st.lists(st.sampled_from(left), max_size=2, unique=True)) if rule and left else []:
        parts.append(_override(draw, uid, original, tzid))
    body = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//made//EN\n{vtimezone}{''.join(parts)}END:VCALENDAR\n"
    return Made(lines(body), start, tzid)


def _until(moment: datetime, tzid: str) -> str:
    """RFC 5545 3.3.10: a DATE for days, in UTC where there is a zone."""
    if tzid == DATE:
        return f";UNTIL={moment:%Y%m%d}"
    return f";UNTIL={moment:%Y%m%d}T235959" + ("" if tzid == FLOATING else "Z")


def _length(draw: st.DrawFn, start: datetime, tzid: str) -> list[str]:
    kind = draw(st.sampled_from(["none", "duration", "end"]))
    if kind == "none":
        return []
    if tzid == DATE:
        days = draw(st.integers(1, 4))
        return [
            f"DURATION:P{days}D"
            if kind == "duration"
            else written("DTEND", start + timedelta(days=days), tzid)
        ]
    minutes = draw(st.integers(1, 150))
    if kind == "duration":
        return [f"DURATION:PT{minutes}M"]
    return [written("DTEND", start + timedelta(minutes=minutes), tzid)]


def _override(draw: st.DrawFn, uid: str, original: datetime, tzid: str) -> str:
    moved = original + timedelta(days=draw(st.integers(-20, 20)))
    text = [
        written("RECURRENCE-ID", original, tzid),
        written("DTSTART", moved, tzid),
        *_length(draw, moved, tzid),
    ]
    text += draw(st.sampled_from([[], ["TRANSP:TRANSPARENT"], ["STATUS:CANCELLED"]]))
    return _component(uid, "override", text)


def _component(uid: str, summary: str, text: list[str]) -> str:
    inside = "\n".join(text)
    return f"BEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20240101T000000Z\nSUMMARY:{summary}\n{inside}\nEND:VEVENT\n"
