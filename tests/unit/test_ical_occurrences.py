"""Which instances an object has, and where they are."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest

from icalsamples import calendar, utc
from tagwerk.contentline import Component, parse
from tagwerk.ical.occurrences import Instance, instances
from tagwerk.ical.rrule import RunawayRule
from tagwerk.ical.timing import TimeError
from tagwerk.ical.values import parse_moment, show_utc
from tagwerk.model import ALWAYS, FOREVER

BERLIN = ZoneInfo("Europe/Berlin")


def found(cal: Component, start: str = "", end: str = "", *, zone: tzinfo = UTC) -> list[Instance]:
    low, high = utc(start) if start else ALWAYS, utc(end) if end else FOREVER
    return list(instances(cal, low, high, zone=zone))


def starts(cal: Component, start: str = "", end: str = "", *, zone: tzinfo = UTC) -> list[str]:
    return [show_utc(instance.start) for instance in found(cal, start, end, zone=zone)]


def test_a_single_event_is_one_instance_without_a_name() -> None:
    (instance,) = found(calendar("DTSTART:20260101T100000Z DTEND:20260101T113000Z"))

    assert (instance.start, instance.end) == (utc("20260101T100000Z"), utc("20260101T113000Z"))
    assert instance.recurrence_id is None
    assert not instance.floating
    assert not instance.all_day


@pytest.mark.parametrize(
    ("lines", "seconds"),
    [
        ("DTSTART:20260101T100000Z", 0),
        ("DTSTART:20260101T100000Z DTEND:20260101T090000Z", 0),
        ("DTSTART:20260101T100000Z DURATION:-PT1H", 0),
        ("DTSTART:20260101T100000Z DURATION:PT1H", 3600),
        ("DTSTART;TZID=Europe/Berlin:20260101T100000 DTEND;TZID=Europe/London:20260101T100000", 3600),
        ("DTSTART;TZID=Europe/Berlin:20260101T100000 DTEND:20260101T110000", 3600),
        ("DTSTART;VALUE=DATE:20260101", 86_400),
        ("DTSTART:20260101 DTEND:20260101", 86_400),
        ("DTSTART;VALUE=DATE:20260101 DTEND;VALUE=DATE:20260104", 3 * 86_400),
        ("DTSTART;VALUE=DATE:20260101 DTEND:20260101T235900", 86_400),
        ("DTSTART;VALUE=DATE:20260101 DURATION:P1W", 7 * 86_400),
    ],
)
def test_an_event_is_as_long_as_its_end_or_its_kind_says(lines: str, seconds: int) -> None:
    (instance,) = found(calendar(lines))

    assert instance.end - instance.start == seconds


def test_an_all_day_event_is_a_day_of_the_default_zone() -> None:
    (instance,) = found(calendar("DTSTART;VALUE=DATE:20260329"), zone=BERLIN)

    assert instance.floating
    assert show_utc(instance.start) == "20260328T230000Z"
    assert instance.end - instance.start == 23 * 3600


def test_a_length_in_days_is_nominal_and_an_end_is_exact() -> None:
    rule = "DTSTART;TZID=Europe/Berlin:20260327T100000 RRULE:FREQ=DAILY;COUNT=3"
    nominal = found(calendar(f"{rule} DURATION:P1D"))
    exact = found(calendar(f"{rule} DTEND;TZID=Europe/Berlin:20260328T100000"))

    assert [instance.end - instance.start for instance in nominal] == [86_400, 82_800, 86_400]
    assert [instance.end - instance.start for instance in exact] == [86_400] * 3


def test_the_clock_decides_when_instances_are() -> None:
    cal = calendar("DTSTART;TZID=Europe/Berlin:20260328T023000 RRULE:FREQ=DAILY;COUNT=3")

    # 02:30 does not exist on the 29th: it counts with the offset before the gap (RFC 5545 3.3.5).
    assert starts(cal) == ["20260328T013000Z", "20260329T013000Z", "20260330T003000Z"]


def test_dtstart_is_the_first_instance_though_no_rule_matches_it() -> None:
    cal = calendar("DTSTART:20260101T100000Z RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=3")

    assert starts(cal) == ["20260101T100000Z", "20260105T100000Z", "20260112T100000Z"]


def test_several_rules_and_dates_are_one_set() -> None:
    cal = calendar(
        "DTSTART:20260101T100000Z RRULE:FREQ=DAILY;COUNT=2 RRULE:FREQ=DAILY;INTERVAL=2;COUNT=2 "
        "RDATE:20260110T100000Z,20260102T100000Z, RDATE:20251224T100000Z EXDATE:20260103T100000Z"
    )

    assert starts(cal) == ["20251224T100000Z", "20260101T100000Z", "20260102T100000Z", "20260110T100000Z"]


def test_a_period_in_rdate_has_a_length_of_its_own() -> None:
    cal = calendar(
        "DTSTART:20260101T100000Z DTEND:20260101T110000Z RDATE;VALUE=PERIOD:20260102T100000Z/PT3H,"
        "20260103T100000Z/20260103T103000Z"
    )

    assert [instance.end - instance.start for instance in found(cal)] == [3600, 10_800, 1800]


def test_an_exclusion_rule_takes_instances_away() -> None:
    cal = calendar("DTSTART:20260101T100000Z RRULE:FREQ=DAILY;COUNT=6 EXRULE:FREQ=DAILY;INTERVAL=2")

    assert starts(cal) == ["20260102T100000Z", "20260104T100000Z", "20260106T100000Z"]


@pytest.mark.parametrize(
    "exdate",
    [
        "EXDATE;TZID=Europe/Berlin:20260102T100000",
        "EXDATE:20260102T090000Z",
        "EXDATE;TZID=America/New_York:20260102T040000",
        "EXDATE:20260102T100000",
        "EXDATE;VALUE=DATE:20260102",
        "EXDATE:20260102",
        "EXDATE: EXDATE:20260102T090000Z",
    ],
)
def test_an_exception_is_found_in_whatever_form_it_is_written(exdate: str) -> None:
    cal = calendar(f"DTSTART;TZID=Europe/Berlin:20260101T100000 RRULE:FREQ=DAILY;COUNT=3 {exdate}")

    assert starts(cal) == ["20260101T090000Z", "20260103T090000Z"]


@pytest.mark.parametrize(
    "exdate",
    [
        "EXDATE;VALUE=DATE:20260102",
        "EXDATE:20260102T000000",
        "EXDATE:20260102T000000Z",
        "EXDATE;TZID=America/New_York:20260102T000000",
        "EXDATE:20260101T230000Z",
    ],
)
def test_an_exception_of_an_all_day_event_may_have_a_time(exdate: str) -> None:
    cal = calendar(f"DTSTART;VALUE=DATE:20260101 RRULE:FREQ=DAILY;COUNT=3 {exdate}")

    assert [instance.local.day for instance in found(cal, zone=BERLIN)] == [1, 3]


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20260103T090000Z", 3),
        ("20260103T085959Z", 2),
        ("20260103T100000", 3),
        ("20260103", 3),
        ("20260102T235959Z", 2),
    ],
)
def test_until_is_inclusive_in_whatever_form_it_is_written(until: str, last: int) -> None:
    cal = calendar(f"DTSTART;TZID=Europe/Berlin:20260101T100000 RRULE:FREQ=DAILY;UNTIL={until}")

    assert [instance.local.day for instance in found(cal)] == list(range(1, last + 1))


def test_until_of_an_all_day_event_may_have_a_time() -> None:
    cal = calendar("DTSTART;VALUE=DATE:20260101 RRULE:FREQ=DAILY;UNTIL=20260103T120000Z;BYHOUR=5")

    assert [instance.local for instance in found(cal)] == [datetime(2026, 1, day) for day in (1, 2, 3)]


@pytest.mark.parametrize(
    "name",
    [
        "RECURRENCE-ID;TZID=Europe/Berlin:20260102T100000",
        "RECURRENCE-ID:20260102T090000Z",
        "RECURRENCE-ID:20260102T100000",
        "RECURRENCE-ID;VALUE=DATE:20260102",
    ],
)
def test_an_override_takes_the_place_of_its_instance(name: str) -> None:
    cal = calendar(
        "DTSTART;TZID=Europe/Berlin:20260101T100000 RRULE:FREQ=DAILY;COUNT=3",
        f"{name} DTSTART:20260210T100000Z",
    )

    assert starts(cal) == ["20260101T090000Z", "20260103T090000Z", "20260210T100000Z"]
    assert starts(cal, "20260102", "20260103") == []
    (moved,) = found(cal, "20260210", "20260211")
    assert moved.component is cal.children[1]
    assert moved.recurrence_id == parse_moment("20260102T100000", tzid="Europe/Berlin")


def test_an_override_without_start_is_where_its_instance_was() -> None:
    cal = calendar("DTSTART:20260101T100000Z RRULE:FREQ=DAILY;COUNT=2", "RECURRENCE-ID:20260102T100000Z")

    assert starts(cal) == ["20260101T100000Z", "20260102T100000Z"]


def test_overrides_without_a_master_are_instances() -> None:
    cal = calendar(
        "RECURRENCE-ID:20260101T100000Z DTSTART:20260101T120000Z",
        "RECURRENCE-ID:20260102T100000Z DTSTART:20260102T120000Z",
    )

    assert starts(cal) == ["20260101T120000Z", "20260102T120000Z"]
    assert found(cal)[1].recurrence_id == parse_moment("20260102T100000Z")


def test_of_two_overrides_of_one_instance_the_later_version_counts() -> None:
    cal = calendar(
        "DTSTART:20260101T100000Z RRULE:FREQ=DAILY;COUNT=2",
        "RECURRENCE-ID:20260102T100000Z DTSTART:20260102T120000Z SEQUENCE:2",
        "RECURRENCE-ID:20260102T100000Z DTSTART:20260102T110000Z SEQUENCE:1",
    )

    assert starts(cal) == ["20260101T100000Z", "20260102T120000Z"]


def test_an_override_of_this_and_future_moves_what_follows() -> None:
    cal = calendar(
        "DTSTART:20260101T100000Z DTEND:20260101T110000Z RRULE:FREQ=DAILY;COUNT=5",
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20260103T100000Z DTSTART:20260103T120000Z DURATION:PT2H",
        "RECURRENCE-ID:20260104T100000Z DTSTART:20260104T080000Z",
    )

    spans = {show_utc(one.start)[6:11]: one.end - one.start for one in found(cal)}
    assert spans == {"01T10": 3600, "02T10": 3600, "03T12": 7200, "04T08": 0, "05T12": 7200}


def test_an_override_of_this_and_future_may_change_the_zone() -> None:
    cal = calendar(
        "DTSTART;TZID=Europe/Berlin:20260101T100000 RRULE:FREQ=WEEKLY",
        "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260108T100000 "
        "DTSTART;TZID=America/New_York:20260109T110000",
    )

    assert starts(cal, "20260101", "20260118") == ["20260101T090000Z", "20260116T160000Z", "20260109T160000Z"]
    assert starts(cal, "20460101", "20460107") == ["20460105T160000Z"]


def test_a_window_cuts_into_long_instances() -> None:
    cal = calendar("DTSTART:20260101T100000Z DURATION:P3D RRULE:FREQ=WEEKLY")

    assert starts(cal, "20260104T095959Z", "20260104T100000Z") == ["20260101T100000Z"]
    assert starts(cal, "20260104T100000Z", "20260108T100000Z") == []


@pytest.mark.parametrize(
    "rule", ["FREQ=DAILY", "FREQ=DAILY;COUNT=100000", "FREQ=DAILY;UNTIL=21991231T000000Z"]
)
@pytest.mark.parametrize("year", [1901, 2026, 2100])
def test_a_rule_of_1900_works_in_every_window(rule: str, year: int) -> None:
    cal = calendar(f"DTSTART:19000101T100000Z RRULE:{rule}")

    assert len(found(cal, f"{year}0101", f"{year}0108")) == 7


def test_the_ends_of_time_do_not_hurt() -> None:
    first = calendar("DTSTART;TZID=Asia/Tokyo:00010101T000000 DURATION:P1D RRULE:FREQ=YEARLY;COUNT=2")
    last = calendar("DTSTART;VALUE=DATE:99991230 DURATION:P30D RRULE:FREQ=DAILY")

    assert len(found(first)) == 2
    assert len(found(last)) == 2


def test_a_rule_that_matches_nothing_leaves_its_start() -> None:
    cal = calendar("DTSTART:20260101T100000Z RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30")

    assert starts(cal) == ["20260101T100000Z"]


def test_too_many_instances_are_not_made() -> None:
    cal = calendar("DTSTART:20260101T100000Z RRULE:FREQ=SECONDLY")

    with pytest.raises(RunawayRule):
        found(cal, "20260102", "20270102")


def test_a_date_that_cannot_be_read_says_where_it_is() -> None:
    with pytest.raises(TimeError, match=r"^DTSTART: 'soon' is neither") as caught:
        found(calendar("DTSTART:soon"))

    assert caught.value.index == 3


@pytest.mark.parametrize(
    ("lines", "span"),
    [
        ("DTSTART:20260101T100000Z DUE:20260103T100000Z", ("20260101T100000Z", "20260103T100000Z")),
        ("DTSTART:20260101T100000Z DURATION:P1D", ("20260101T100000Z", "20260102T100000Z")),
        ("DTSTART:20260101T100000Z", ("20260101T100000Z", "20260101T100000Z")),
        ("DUE:20260103T100000Z", ("20260103T100000Z", "20260103T100000Z")),
    ],
)
def test_a_task_is_between_its_start_and_when_it_is_due(lines: str, span: tuple[str, str]) -> None:
    (instance,) = found(calendar(lines, kind="VTODO"))

    assert (show_utc(instance.start), show_utc(instance.end)) == span


def test_a_task_recurs_by_its_due_date_if_it_has_no_start() -> None:
    cal = calendar("DUE:20260103T100000Z RRULE:FREQ=WEEKLY;COUNT=2", kind="VTODO")

    assert starts(cal) == ["20260103T100000Z", "20260110T100000Z"]


def test_a_task_without_dates_is_always() -> None:
    (instance,) = found(calendar("SUMMARY:x", kind="VTODO"), "20260101", "20260102")

    assert (instance.start, instance.end) == (ALWAYS, FOREVER)


def test_a_journal_entry_without_a_date_never_is() -> None:
    assert found(calendar("SUMMARY:x", kind="VJOURNAL")) == []
    assert starts(calendar("DTSTART;VALUE=DATE:20260101", kind="VJOURNAL"), "20260101T120000Z") == [
        "20260101T000000Z"
    ]


def test_objects_of_several_uids_keep_to_themselves() -> None:
    text = "BEGIN:VEVENT\nUID:{0}\nDTSTART:2026010{0}T100000Z\n{1}END:VEVENT\n"
    override = "BEGIN:VEVENT\nUID:2\nRECURRENCE-ID:20260103T100000Z\nDTSTART:20260103T120000Z\nEND:VEVENT\n"
    body = (
        text.format(1, "RRULE:FREQ=DAILY;COUNT=3\n") + text.format(2, "RRULE:FREQ=DAILY;COUNT=2\n") + override
    )
    cal = parse(f"BEGIN:VCALENDAR\n{body}END:VCALENDAR\n")[0]

    assert sorted(starts(cal)) == [
        "20260101T100000Z",
        "20260102T100000Z",
        "20260102T100000Z",
        "20260103T100000Z",
        "20260103T120000Z",
    ]
