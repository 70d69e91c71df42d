from datetime import UTC
from pathlib import Path

import pytest

from icalsamples import calendar, utc
from tagwerk import contentline
from tagwerk.contentline import Component, serialize
from tagwerk.errors import InvalidCalendar
from tagwerk.ical import resource, split
from tagwerk.ical.masking import masked, privacy_of
from tagwerk.ical.occurrences import instances
from tagwerk.model import ALWAYS, FOREVER, Privacy

NOW = 1_767_225_600  # 2026-01-01
DAILY = "DTSTART:20260101T100000Z DTEND:20260101T110000Z RRULE:FREQ=DAILY;COUNT=5"
OWN_ZONE = (
    "BEGIN:VTIMEZONE\nTZID:{name}\nX-LIC-LOCATION:Europe/Secret\nTZURL:http://secret/\nBEGIN:STANDARD\n"
    "DTSTART:19700101T000000\nTZOFFSETFROM:+0130\nTZOFFSETTO:+0130\nTZNAME:{tzname}\nCOMMENT:secret\n"
    "END:STANDARD\nEND:VTIMEZONE\n"
)


def read(text: str) -> Component:
    return contentline.parse(f"BEGIN:VCALENDAR\n{text}END:VCALENDAR\n")[0]


def seen_by_others(object_: Component, *, everything: bool = False) -> Component:
    before = serialize(object_)

    seen = masked(object_, everything=everything)

    assert serialize(object_) == before
    assert seen is not None
    return seen


def lines(component: Component) -> list[str]:
    return [f"{line.head}:{line.value}" for line in component.lines]


def starts(object_: Component) -> list[int]:
    return sorted(instance.start for instance in instances(object_, ALWAYS, FOREVER, zone=UTC))


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("SUMMARY:x", Privacy.PUBLIC),
        ("CLASS:PUBLIC", Privacy.PUBLIC),
        ("class:confidential", Privacy.CONFIDENTIAL),
        ("item1.CLASS;X-A=B:PRIVATE", Privacy.PRIVATE),
        ("CLASS:X-FRIENDS", Privacy.PRIVATE),
        ("CLASS:RESTRICTED", Privacy.PRIVATE),
        ("X-CALENDARSERVER-ACCESS:RESTRICTED", Privacy.CONFIDENTIAL),
        ("X-CALENDARSERVER-ACCESS:X-OTHER", Privacy.PRIVATE),
        ("CLASS:PUBLIC X-CALENDARSERVER-ACCESS:CONFIDENTIAL", Privacy.CONFIDENTIAL),
        ("CLASS:PRIVATE CLASS:PUBLIC", Privacy.PRIVATE),
    ],
)
def test_the_privacy_is_what_the_stricter_line_says(line, level):
    assert privacy_of(calendar(f"DTSTART:20260101T100000Z {line}")) is level


def test_what_the_vcalendar_says_holds_for_every_component():
    object_ = read(
        "X-CALENDARSERVER-ACCESS:CONFIDENTIAL\nBEGIN:VEVENT\nUID:1\nCLASS:PUBLIC\nSUMMARY:secret\nEND:VEVENT\n"
    )

    assert privacy_of(object_) is Privacy.CONFIDENTIAL
    assert "secret" not in serialize(seen_by_others(object_))


def test_what_a_time_zone_says_does_not_count():
    object_ = read("BEGIN:VTIMEZONE\nTZID:x\nCLASS:PRIVATE\nEND:VTIMEZONE\nBEGIN:VEVENT\nUID:1\nEND:VEVENT\n")

    assert privacy_of(object_) is Privacy.PUBLIC


@pytest.mark.parametrize(
    ("master", "override", "level"),
    [
        ("CLASS:PUBLIC", "CLASS:PUBLIC", Privacy.PUBLIC),
        ("CLASS:PUBLIC", "CLASS:PRIVATE", Privacy.CONFIDENTIAL),
        ("CLASS:PRIVATE", "CLASS:PUBLIC", Privacy.CONFIDENTIAL),
        ("CLASS:CONFIDENTIAL", "CLASS:CONFIDENTIAL", Privacy.CONFIDENTIAL),
        ("CLASS:PRIVATE", "SUMMARY:x", Privacy.PRIVATE),
    ],
)
def test_an_object_of_which_a_part_is_seen_is_not_private(master, override, level):
    object_ = calendar(f"{DAILY} {master}", f"RECURRENCE-ID:20260102T100000Z {override}")

    assert privacy_of(object_) is level
    assert (masked(object_, everything=False) is None) == (level is Privacy.PRIVATE)


def test_an_override_that_says_nothing_is_like_its_master():
    object_ = calendar(f"{DAILY} CLASS:CONFIDENTIAL", "RECURRENCE-ID:20260102T100000Z SUMMARY:secret")

    assert "secret" not in serialize(seen_by_others(object_))


def test_a_class_inside_of_a_component_counts_for_all_of_it():
    object_ = read("BEGIN:VEVENT\nUID:1\nBEGIN:X-A\nCLASS:PRIVATE\nEND:X-A\nEND:VEVENT\n")

    assert privacy_of(object_) is Privacy.PRIVATE
    assert masked(object_, everything=False) is None


def test_a_public_object_is_seen_as_it_is():
    object_ = calendar(f"{DAILY} SUMMARY:x", "RECURRENCE-ID:20260102T100000Z SUMMARY:y")

    assert serialize(seen_by_others(object_)) == serialize(object_)


def test_a_private_object_is_not_seen_at_all():
    object_ = calendar(f"{DAILY} CLASS:PRIVATE", "RECURRENCE-ID:20260102T100000Z SUMMARY:y")

    assert masked(object_, everything=False) is None
    assert masked(object_, everything=True) is None


def test_a_confidential_event_keeps_only_when_it_is():
    object_ = read(
        "VERSION:2.0\nPRODID:secret\nX-WR-CALNAME:secret\nCALSCALE:GREGORIAN\nBEGIN:VEVENT\nUID;X-A=secret:1\n"
        "DTSTAMP:20260101T000000Z\nCLASS:CONFIDENTIAL\nSUMMARY:secret\nDTSTART;X-A=secret;TZID=Europe/Berlin:20260101T100000\n"
        "a.DURATION:pt1h\nSTATUS:TENTATIVE\nTRANSP:TRANSPARENT\nSEQUENCE:3\nLOCATION:secret\nPRIORITY:1\nCREATED:20250101T000000Z\n"
        "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:secret\nTRIGGER:-PT5M\nEND:VALARM\nEND:VEVENT\n"
    )

    seen = seen_by_others(object_)

    assert lines(seen) == ["VERSION:2.0", "PRODID:-//Tagwerk//Tagwerk//EN", "CALSCALE:GREGORIAN"]
    (event,) = seen.children
    assert event.children == []
    assert lines(event) == [
        "UID:1",
        "DTSTAMP:20260101T000000Z",
        "DTSTART;TZID=Europe/Berlin:20260101T100000",
        "DURATION:PT1H",
        "SEQUENCE:3",
        "STATUS:TENTATIVE",
        "TRANSP:TRANSPARENT",
        "SUMMARY:Busy",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "STATUS:SECRET",
        "TRANSP:SECRET",
        "DTEND:secret",
        "DTEND:20260101T110000Zsecret",
        "RDATE:secret",
        "SEQUENCE:secret",
        "DURATION:PT1Hsecret",
        "RRULE:FREQ=DAILY;BYDAY=SECRET",
        "RRULE:FREQ=SECRET",
        "DTSTAMP:secret",
        "BUSYTYPE:BUSY",
        "FREEBUSY:20260101T100000Z/PT1H",
    ],
)
def test_a_line_that_does_not_hold_what_it_should_is_dropped(line):
    seen = seen_by_others(calendar(f"CLASS:CONFIDENTIAL DTSTART:20260101T100000Z {line}"))

    assert lines(seen.children[0]) == ["UID:1", "DTSTART:20260101T100000Z", "SUMMARY:Busy"]


def test_rules_and_lists_of_dates_lose_what_is_none():
    seen = seen_by_others(
        calendar(
            "DTSTART:20260101T100000Z RRULE:freq=daily;X-SECRET=SECRET;until=2026-01-05T10:00:00Z;BYDAY=",
            "RECURRENCE-ID;RANGE=THISANDFUTURE;X-A=SECRET:20260102T100000Z "
            "RDATE;VALUE=PERIOD:20260103T100000Z/pt1h,SECRET/PT1H,20260104T100000Z/20260104T110000Z",
        ),
        everything=True,
    )

    master, override = seen.children
    assert "RRULE:FREQ=DAILY;UNTIL=20260105T100000Z" in lines(master)
    assert "RECURRENCE-ID;RANGE=THISANDFUTURE:20260102T100000Z" in lines(override)
    assert "RDATE;VALUE=PERIOD:20260103T100000Z/PT1H,20260104T100000Z/20260104T110000Z" in lines(override)


def test_only_the_confidential_components_of_an_object_are_masked():
    object_ = calendar(
        f"{DAILY} SUMMARY:team LOCATION:room",
        "RECURRENCE-ID:20260102T100000Z CLASS:CONFIDENTIAL SUMMARY:secret",
    )
    object_.lines += contentline.parse("BEGIN:A\nX-WR-CALNAME:team\nEND:A\n")[0].lines

    seen = seen_by_others(object_)

    assert "X-WR-CALNAME:team" in lines(seen)
    assert lines(seen.children[0]) == lines(object_.children[0])
    assert lines(seen.children[1]) == ["UID:1", "RECURRENCE-ID:20260102T100000Z", "SUMMARY:Busy"]


@pytest.mark.parametrize(
    ("form", "exdate"),
    [
        (":20260102T100000Z", "EXDATE:20260102T100000Z"),
        (";TZID=Europe/Berlin:20260102T110000", "EXDATE;TZID=Europe/Berlin:20260102T110000"),
        (";VALUE=DATE:20260102", "EXDATE;VALUE=DATE:20260102"),
    ],
)
def test_the_instance_of_a_private_override_does_not_come_back(form, exdate):
    object_ = calendar(
        f"{DAILY} SUMMARY:x", f"RECURRENCE-ID{form} DTSTART:20260109T100000Z CLASS:PRIVATE SUMMARY:secret"
    )

    seen = seen_by_others(object_)

    (master,) = seen.children
    assert lines(master)[-1] == exdate
    assert starts(seen) == [utc(f"202601{day:02}T100000Z") for day in (1, 3, 4, 5)]


def test_a_private_master_leaves_its_visible_overrides():
    object_ = calendar(
        f"{DAILY} CLASS:PRIVATE SUMMARY:secret",
        "RECURRENCE-ID:20260102T100000Z CLASS:PUBLIC SUMMARY:x",
        "RECURRENCE-ID:20260103T100000Z SUMMARY:secret",
    )

    seen = seen_by_others(object_)

    assert [lines(child) for child in seen.children] == [
        ["UID:1", "RECURRENCE-ID:20260102T100000Z", "CLASS:PUBLIC", "SUMMARY:x"]
    ]


def test_a_single_event_goes_with_its_private_override():
    object_ = calendar("DTSTART:20260101T100000Z", "RECURRENCE-ID:20260101T100000Z CLASS:PRIVATE")

    assert masked(object_, everything=True) is None


@pytest.mark.parametrize(
    ("master", "name", "left"),
    [
        (DAILY, ":20260103T100000Z", ("20260101T100000Z", "20260102T100000Z")),
        (
            "DTSTART;TZID=Europe/Berlin:20260328T023000 RRULE:FREQ=DAILY",
            ";TZID=Europe/Berlin:20260330T023000",
            ("20260328T013000Z", "20260329T013000Z"),
        ),
        ("DTSTART;VALUE=DATE:20260101 RRULE:FREQ=DAILY", ";VALUE=DATE:20260103", ("20260101", "20260102")),
        (
            "DTSTART:20260101T100000 RRULE:UNTIL=20260110T100000;FREQ=DAILY",
            ":20260103T100000",
            ("20260101T100000", "20260102T100000"),
        ),
        (
            "DTSTART:20260101T100000Z RRULE:FREQ=DAILY;COUNT=2",
            ":20260105T100000Z",
            ("20260101T100000Z", "20260102T100000Z"),
        ),
    ],
)
def test_a_master_ends_where_all_later_instances_are_private(master, name, left):
    head, _, value = name.rpartition(":")
    object_ = calendar(
        f"{master} SUMMARY:x", f"RECURRENCE-ID;RANGE=THISANDFUTURE{head}:{value} CLASS:PRIVATE"
    )

    seen = seen_by_others(object_)

    assert starts(seen) == [utc(text) for text in left]


@pytest.mark.parametrize("more", ["RDATE:20260109T100000Z", ""])
def test_a_master_that_cannot_be_cut_is_left_out(more):
    first = "20260102T100000Z" if more else "20260101T100000Z"
    object_ = calendar(
        f"{DAILY} {more or 'SUMMARY:x'}",
        f"RECURRENCE-ID;RANGE=THISANDFUTURE:{first} CLASS:PRIVATE",
        "RECURRENCE-ID:20260104T100000Z CLASS:PUBLIC",
    )

    seen = seen_by_others(object_)

    assert [child.value("RECURRENCE-ID") for child in seen.children] == ["20260104T100000Z"]


def test_an_override_that_says_nothing_may_belong_to_a_private_range():
    object_ = calendar(
        f"{DAILY} SUMMARY:x",
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20260103T100000Z CLASS:PRIVATE",
        "RECURRENCE-ID:20260104T100000Z SUMMARY:secret",
    )

    assert "secret" not in serialize(seen_by_others(object_))


def test_an_override_whose_instance_cannot_be_read_hides_the_master():
    object_ = calendar(DAILY, "RECURRENCE-ID:secret CLASS:PRIVATE")

    assert masked(object_, everything=False) is None


@pytest.mark.parametrize(
    ("tzid", "shown"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("/secret.example/secret/Europe/Berlin", "Europe/Berlin"),
        ("W. Europe Standard Time 17", "Europe/Berlin"),
        ("Secret meeting", "Zone-1"),
        ("UTC+2", '"UTC+02:00"'),
    ],
)
def test_the_name_of_a_zone_says_only_which_zone_it_is(tzid, shown):
    zone = OWN_ZONE.format(name=tzid, tzname="secret")
    object_ = read(f'{zone}BEGIN:VEVENT\nUID:1\nDTSTART;TZID="{tzid}":20260101T100000\nEND:VEVENT\n')
    if tzid == "UTC+2":
        object_.children.pop(0)

    seen = seen_by_others(object_, everything=True)

    text = serialize(seen)
    assert "ecret" not in text
    assert f"DTSTART;TZID={shown}:20260101T100000" in text
    assert starts(seen) == starts(object_)


def test_a_zone_that_nobody_knows_has_no_name():
    object_ = read("BEGIN:VEVENT\nUID:1\nDTSTART;TZID=Secret meeting:20260101T100000\nEND:VEVENT\n")

    seen = seen_by_others(object_, everything=True)

    assert lines(seen.children[0])[1] == "DTSTART:20260101T100000"


def test_zones_keep_their_clocks_and_nothing_else():
    zone = OWN_ZONE.format(name="mine", tzname="CEST").replace(
        "COMMENT:secret", "RRULE:FREQ=YEARLY;X-SECRET=1\nRDATE:19800101T000000"
    )
    unused = OWN_ZONE.format(name="Asia/Secret", tzname="CET")
    broken = "BEGIN:DAYLIGHT\nDTSTART:19700101T000000\nTZOFFSETFROM:secret\nTZOFFSETTO:+0200\nEND:DAYLIGHT\nEND:VTIMEZONE"
    zone = zone.replace("END:VTIMEZONE", broken)
    event = "BEGIN:VEVENT\nUID:1\nDTSTART;TZID=mine:20260101T100000\nEND:VEVENT\n"

    seen = seen_by_others(read(unused + zone + event), everything=True)

    timezone, _ = seen.children
    assert lines(timezone) == ["TZID:Zone-1"]
    assert [child.name for child in timezone.children] == ["STANDARD"]
    assert lines(timezone.children[0]) == [
        "DTSTART:19700101T000000",
        "TZOFFSETFROM:+0130",
        "TZOFFSETTO:+0130",
        "TZNAME:CEST",
        "RRULE:FREQ=YEARLY",
        "RDATE:19800101T000000",
    ]


def test_a_zone_in_full_view_stays_and_one_of_a_masked_component_does_not():
    zones = OWN_ZONE.format(name="mine", tzname="open") + OWN_ZONE.format(
        name="Secret place", tzname="hidden"
    )
    object_ = read(
        f"{zones}BEGIN:VEVENT\nUID:1\nDTSTART;TZID=mine:20260101T100000\nRRULE:FREQ=DAILY\nEND:VEVENT\n"
        "BEGIN:VEVENT\nUID:1\nRECURRENCE-ID;TZID=mine:20260102T100000\nCLASS:CONFIDENTIAL\n"
        "DTSTART;TZID=Secret place:20260102T120000\nEND:VEVENT\n"
    )

    seen = seen_by_others(object_)

    assert [child.value("TZID") for child in seen.children] == ["mine", "Zone-1", "", ""]
    assert serialize(seen.children[0]) == serialize(object_.children[0])
    assert lines(seen.children[3])[1:3] == [
        "RECURRENCE-ID;TZID=mine:20260102T100000",
        "DTSTART;TZID=Zone-1:20260102T120000",
    ]


def test_unknown_components_beside_a_masked_one_are_left_out():
    hidden = "BEGIN:X-A\nBEGIN:VEVENT\nUID:2\nSUMMARY:secret\nEND:VEVENT\nEND:X-A\n"
    public = "BEGIN:VEVENT\nUID:1\nSUMMARY:x\nEND:VEVENT\n"
    private = hidden.replace("SUMMARY", "CLASS:PRIVATE\nSUMMARY")

    assert "secret" in serialize(seen_by_others(read(public + hidden)))
    assert "secret" not in serialize(seen_by_others(read(public + hidden), everything=True))
    assert "secret" not in serialize(seen_by_others(read(public + private)))


def test_availability_keeps_its_offers_and_free_busy_its_periods():
    availability = read(
        "BEGIN:VAVAILABILITY\nUID:1\nSUMMARY:secret\nBUSYTYPE:BUSY\nBEGIN:AVAILABLE\nUID:2\nSUMMARY:secret\n"
        "DTSTART:20260101T080000Z\nDURATION:PT8H\nRRULE:FREQ=DAILY\nBEGIN:X-A\nX-B:secret\nEND:X-A\nEND:AVAILABLE\n"
        "BEGIN:X-C\nX-D:secret\nEND:X-C\nEND:VAVAILABILITY\n"
    )
    freebusy = calendar(
        "FREEBUSY;FBTYPE=X-SECRET;X-A=B:20260101T100000Z/PT1H,secret COMMENT:secret", kind="VFREEBUSY"
    )

    offer = seen_by_others(availability, everything=True).children[0]
    periods = seen_by_others(freebusy, everything=True).children[0]

    assert lines(offer) == ["UID:1", "BUSYTYPE:BUSY"]
    assert [lines(child) for child in offer.children] == [
        ["UID:2", "DTSTART:20260101T080000Z", "DURATION:PT8H", "RRULE:FREQ=DAILY"]
    ]
    assert lines(periods) == ["UID:1", "FREEBUSY:20260101T100000Z/PT1H"]


def test_real_objects_are_when_they_were_and_say_nothing_else(corpus: Path):
    kept = (
        "UID:",
        "SUMMARY:Busy",
        "DT",
        "DUE",
        "DURATION:",
        "RRULE:",
        "EX",
        "RDATE",
        "RECURRENCE-ID",
        "SEQUENCE:",
        "STATUS:",
        "TRANSP:",
    )
    checked = 0
    for path in sorted(corpus.glob("icalendar/*.ics")):
        for part in split.split(path.read_bytes()):
            try:
                stored = resource.read(part.content, now=NOW)
            except InvalidCalendar:
                continue
            object_ = contentline.parse(stored.content.decode())[0]
            seen = masked(object_, everything=True)
            if privacy_of(object_) is Privacy.PRIVATE:
                continue
            assert seen is not None
            upload = resource.read(serialize(seen).encode(), now=NOW)
            facts, shown = stored.facts, upload.facts
            assert upload.repairs == ()
            assert (facts.first, facts.last, facts.spans, facts.busy, facts.floating) == (
                shown.first, shown.last, shown.spans, shown.busy, shown.floating,
            ), path.name  # fmt: skip
            for child in seen.children:
                if child.name in ("VEVENT", "VTODO", "VJOURNAL"):
                    assert child.children == []
                    assert all(line.startswith(kept) for line in lines(child))
            checked += 1
    assert checked > 100
