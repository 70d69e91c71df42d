"""Parts, instances and limited sets of calendar data (RFC 4791 7.6, 9.6)."""

from __future__ import annotations

import time

import pytest

from davclient import CALDAV, NS, Answer
from davsamples import BERLIN, event
from davsamples import calendar as wrapped
from enginedav import EngineDav

DATA = CALDAV + "calendar-data"
YEAR = 'start="20260101T000000Z" end="20270101T000000Z"'
MARCH = 'start="20260301T000000Z" end="20260401T000000Z"'


def vevent(text: str, kind: str = "VEVENT") -> str:
    return f"BEGIN:{kind}\nUID:x\nDTSTAMP:20260101T000000Z\n{text}\nEND:{kind}\n"


def expanded(dav: EngineDav, calendar: str, *components: str, span: str = YEAR) -> list[list[str]]:
    """What expansion makes of an object: the lines that are about time, of every instance."""
    answer = dav.put(calendar + "x.ics", wrapped("".join(components)))
    assert answer.status in (201, 204), answer.body
    text = data(
        dav.multiget(
            calendar, calendar + "x.ics", props=f"<C:calendar-data><C:expand {span}/></C:calendar-data>"
        )
    )
    assert "RRULE" not in text
    assert "VTIMEZONE" not in text
    parts = [part.partition("\r\nEND:V")[0] for part in text.split("BEGIN:V")[2:]]
    times = ("DTSTART", "DTEND", "DUE", "DURATION", "RECURRENCE-ID", "SUMMARY")
    return [[line for line in part.split("\r\n") if line.startswith(times)] for part in parts]


def data(answer: Answer) -> str:
    return answer.multistatus().only().text(DATA)


def test_an_event_that_does_not_recur_keeps_no_zone_and_gets_no_recurrence_id(
    dav: EngineDav, calendar: str
) -> None:
    found = expanded(
        dav,
        calendar,
        BERLIN,
        vevent("DTSTART;TZID=Europe/Berlin:20260701T100000\nDTEND;TZID=Europe/Berlin:20260701T110000"),
    )

    assert found == [["DTSTART:20260701T080000Z", "DTEND:20260701T090000Z"]]


def test_instances_follow_the_clock_of_their_zone(dav: EngineDav, calendar: str) -> None:
    found = expanded(
        dav,
        calendar,
        vevent("DTSTART;TZID=Europe/Berlin:20260322T100000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=2"),
    )

    assert found == [
        ["DTSTART:20260322T090000Z", "RECURRENCE-ID:20260322T090000Z", "DURATION:PT1H"],
        ["DTSTART:20260329T080000Z", "RECURRENCE-ID:20260329T080000Z", "DURATION:PT1H"],
    ]


def test_days_stay_days(dav: EngineDav, calendar: str) -> None:
    found = expanded(
        dav,
        calendar,
        vevent("DTSTART;VALUE=DATE:20260301\nDTEND;VALUE=DATE:20260303\nRRULE:FREQ=MONTHLY;COUNT=2"),
    )

    assert found == [
        ["DTSTART;VALUE=DATE:20260301", "RECURRENCE-ID;VALUE=DATE:20260301", "DTEND;VALUE=DATE:20260303"],
        ["DTSTART;VALUE=DATE:20260401", "RECURRENCE-ID;VALUE=DATE:20260401", "DTEND;VALUE=DATE:20260403"],
    ]


def test_floating_times_stay_floating(dav: EngineDav, calendar: str) -> None:
    found = expanded(dav, calendar, vevent("DTSTART:20260301T100000\nRRULE:FREQ=DAILY;COUNT=2"), span=MARCH)

    assert found == [
        ["DTSTART:20260301T100000", "RECURRENCE-ID:20260301T100000"],
        ["DTSTART:20260302T100000", "RECURRENCE-ID:20260302T100000"],
    ]


def test_exdate_rdate_and_overrides(dav: EngineDav, calendar: str) -> None:
    found = expanded(
        dav,
        calendar,
        vevent(
            "SUMMARY:s\nDTSTART:20260301T100000Z\nDTEND:20260301T110000Z\nRRULE:FREQ=DAILY;COUNT=4\n"
            "EXDATE:20260302T100000Z\nRDATE:20260310T100000Z\nRDATE;VALUE=PERIOD:20260311T100000Z/PT3H"
        ),
        vevent(
            "SUMMARY:moved\nRECURRENCE-ID:20260303T100000Z\nDTSTART:20260305T120000Z\nDTEND:20260305T130000Z"
        ),
    )

    assert sorted(found, key=lambda lines: [line for line in lines if line.startswith("DTSTART")]) == [
        ["SUMMARY:s", "DTSTART:20260301T100000Z", "RECURRENCE-ID:20260301T100000Z", "DTEND:20260301T110000Z"],
        ["SUMMARY:s", "DTSTART:20260304T100000Z", "RECURRENCE-ID:20260304T100000Z", "DTEND:20260304T110000Z"],
        [
            "SUMMARY:moved",
            "RECURRENCE-ID:20260303T100000Z",
            "DTSTART:20260305T120000Z",
            "DTEND:20260305T130000Z",
        ],
        ["SUMMARY:s", "DTSTART:20260310T100000Z", "RECURRENCE-ID:20260310T100000Z", "DTEND:20260310T110000Z"],
        ["SUMMARY:s", "DTSTART:20260311T100000Z", "RECURRENCE-ID:20260311T100000Z", "DTEND:20260311T130000Z"],
    ]


def test_this_and_future(dav: EngineDav, calendar: str) -> None:
    found = expanded(
        dav,
        calendar,
        vevent("SUMMARY:old\nDTSTART:20260301T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=4"),
        vevent(
            "SUMMARY:new\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260303T100000Z\nDTSTART:20260303T113000Z\nDURATION:PT2H"
        ),
    )

    starts = sorted(
        (next(line for line in lines if line.startswith("DTSTART")), lines[0], lines[-1]) for lines in found
    )
    assert starts == [
        ("DTSTART:20260301T100000Z", "SUMMARY:old", "DURATION:PT1H"),
        ("DTSTART:20260302T100000Z", "SUMMARY:old", "DURATION:PT1H"),
        ("DTSTART:20260303T113000Z", "SUMMARY:new", "DURATION:PT2H"),
        ("DTSTART:20260304T113000Z", "SUMMARY:new", "DURATION:PT2H"),
    ]


def test_tasks_recur_as_well(dav: EngineDav, calendar: str) -> None:
    found = expanded(
        dav,
        calendar,
        vevent("DTSTART:20260301T100000Z\nDUE:20260301T180000Z\nRRULE:FREQ=WEEKLY;COUNT=2", "VTODO"),
    )

    assert found == [
        ["DTSTART:20260301T100000Z", "RECURRENCE-ID:20260301T100000Z", "DUE:20260301T180000Z"],
        ["DTSTART:20260308T100000Z", "RECURRENCE-ID:20260308T100000Z", "DUE:20260308T180000Z"],
    ]


def test_only_instances_in_the_range_are_returned(dav: EngineDav, calendar: str) -> None:
    dav.put(calendar + "x.ics", event("x", start="20260101T100000Z", more="RRULE:FREQ=DAILY"))

    def instances(span: str) -> int:
        props = f"<C:calendar-data><C:expand {span}/></C:calendar-data>"
        return data(dav.multiget(calendar, calendar + "x.ics", props=props)).count("BEGIN:VEVENT")

    assert instances(MARCH) == 31
    assert instances('start="20260301T100000Z" end="20260301T100001Z"') == 1
    # The end of an instance is not in it.
    assert instances('start="20260301T110000Z" end="20260302T100000Z"') == 0


def test_an_expanded_object_without_instances_is_an_empty_calendar(dav: EngineDav, calendar: str) -> None:
    dav.put(calendar + "x.ics", event("x"))

    found = data(
        dav.multiget(
            calendar,
            calendar + "x.ics",
            props='<C:calendar-data><C:expand start="20300101T000000Z" end="20300102T000000Z"/></C:calendar-data>',
        )
    )

    assert found.startswith("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n")
    assert "VEVENT" not in found


@pytest.mark.parametrize("report", ["query", "multiget", "sync"])
def test_every_report_that_returns_data_expands_it(dav: EngineDav, calendar: str, report: str) -> None:
    dav.put(calendar + "x.ics", event("x", more="RRULE:FREQ=DAILY;COUNT=3"))
    props = f"<C:calendar-data><C:expand {YEAR}/></C:calendar-data>"

    answer = {
        "query": lambda: dav.query(calendar, "", props=props),
        "multiget": lambda: dav.multiget(calendar, calendar + "x.ics", props=props),
        "sync": lambda: dav.sync(calendar, props=props),
    }[report]()

    assert data(answer).count("BEGIN:VEVENT") == 3


def test_limit_recurrence_set_keeps_the_master_and_what_touches_the_range(
    dav: EngineDav, calendar: str
) -> None:
    master = vevent("SUMMARY:m\nDTSTART:20260101T100000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY")
    inside = vevent("SUMMARY:in\nRECURRENCE-ID:20260305T100000Z\nDTSTART:20260305T120000Z\nDURATION:PT1H")
    moved_in = vevent(
        "SUMMARY:moved in\nRECURRENCE-ID:20260611T100000Z\nDTSTART:20260310T120000Z\nDURATION:PT1H"
    )
    moved_out = vevent(
        "SUMMARY:moved out\nRECURRENCE-ID:20260312T100000Z\nDTSTART:20260910T120000Z\nDURATION:PT1H"
    )
    outside = vevent("SUMMARY:out\nRECURRENCE-ID:20260806T100000Z\nDTSTART:20260806T120000Z\nDURATION:PT1H")
    dav.put(calendar + "x.ics", wrapped(master + inside + moved_in + moved_out + outside))

    found = data(
        dav.query(calendar, "", props=f"<C:calendar-data><C:limit-recurrence-set {MARCH}/></C:calendar-data>")
    )

    summaries = [line for line in found.split("\r\n") if line.startswith("SUMMARY")]
    assert summaries == ["SUMMARY:m", "SUMMARY:in", "SUMMARY:moved in", "SUMMARY:moved out"]
    assert "RRULE:FREQ=WEEKLY" in found


WHOLE = wrapped(
    BERLIN
    + vevent(
        "DTSTART;TZID=Europe/Berlin:20260301T100000\nSUMMARY:s\nDESCRIPTION:"
        + "long " * 40
        + "\nBEGIN:VALARM\nACTION:AUDIO\nTRIGGER:-PT5M\nEND:VALARM"
    )
)


def part(dav: EngineDav, calendar: str, inside: str) -> str:
    assert dav.put(calendar + "x.ics", WHOLE).status in (201, 204)
    return data(dav.query(calendar, "", props=f"<C:calendar-data>{inside}</C:calendar-data>"))


def test_everything_that_is_in_a_component(dav: EngineDav, calendar: str) -> None:
    everything = '<C:comp name="VCALENDAR"><C:allprop/><C:allcomp/></C:comp>'

    assert part(dav, calendar, everything) == WHOLE.decode()
    assert part(dav, calendar, '<C:comp name="VCALENDAR"/>') == WHOLE.decode()


def test_some_properties_some_without_their_values(dav: EngineDav, calendar: str) -> None:
    wanted = '<C:prop name="UID"/><C:prop name="description" novalue="yes"/><C:prop name="X-NONE"/>'

    found = part(
        dav,
        calendar,
        f'<C:comp name="VCALENDAR"><C:prop name="VERSION"/><C:comp name="VEVENT">{wanted}</C:comp></C:comp>',
    )

    assert found == (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:x\r\nDESCRIPTION:\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )


def test_all_properties_and_only_alarms(dav: EngineDav, calendar: str) -> None:
    found = part(
        dav,
        calendar,
        '<C:comp name="VCALENDAR"><C:allprop/><C:comp name="VEVENT"><C:prop name="UID"/>'
        '<C:comp name="VALARM"><C:prop name="TRIGGER"/></C:comp></C:comp></C:comp>',
    )

    assert found == (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Tests//EN\r\nBEGIN:VEVENT\r\nUID:x\r\nBEGIN:VALARM\r\n"
        "TRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )


def test_parts_of_instances(dav: EngineDav, calendar: str) -> None:
    dav.put(calendar + "x.ics", event("x", more="RRULE:FREQ=DAILY;COUNT=2"))

    found = data(
        dav.query(
            calendar,
            "",
            props=f'<C:calendar-data><C:expand {YEAR}/><C:comp name="VCALENDAR"><C:comp name="VEVENT">'
            '<C:prop name="DTSTART"/></C:comp></C:comp></C:calendar-data>',
        )
    )

    assert found == (
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:20260301T080000Z\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\n"
        "DTSTART:20260302T080000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )


@pytest.mark.parametrize(
    ("inside", "status"),
    [
        (f"<C:expand {MARCH}/><C:limit-recurrence-set {MARCH}/>", 400),
        ("<C:expand/>", 403),
        ('<C:expand start="20260101T000000Z"/>', 403),
        ('<C:expand start="20260101T000000Z" end="20260101T000000Z"/>', 403),
        ('<C:expand start="20260101" end="20260102"/>', 403),
        ('<C:limit-freebusy-set end="20260101T000000Z"/>', 403),
    ],
)
def test_what_cannot_be_asked_of_the_data_is_refused(
    dav: EngineDav, calendar: str, inside: str, status: int
) -> None:
    props = f"<C:calendar-data>{inside}</C:calendar-data>"

    answers = [
        dav.query(calendar, "", props=props),
        dav.multiget(calendar, calendar + "x.ics", props=props),
        dav.sync(calendar, props=props),
    ]

    assert [answer.status for answer in answers] == [status] * 3


def test_the_etag_is_that_of_the_object_whatever_is_made_of_it(dav: EngineDav, calendar: str) -> None:
    put = dav.put(calendar + "x.ics", event("x", more="RRULE:FREQ=DAILY"))

    found = dav.query(
        calendar, "", props=f"<D:getetag/><C:calendar-data><C:expand {MARCH}/></C:calendar-data>"
    ).multistatus()

    assert found.only().etag == put.etag


def test_line_ends_survive_the_xml(dav: EngineDav, calendar: str) -> None:
    unix = event("x").replace(b"\r\n", b"\n")
    dav.put(calendar + "x.ics", unix)

    raw = dav.query(calendar, "", props="<C:calendar-data/>")

    assert data(raw) == unix.decode()
    dav.put(calendar + "x.ics", event("x"))
    assert b"&#13;\n" in dav.query(calendar, "", props="<C:calendar-data/>").body


def test_characters_that_xml_cannot_hold_do_not_break_the_answer(dav: EngineDav, calendar: str) -> None:
    strange = event("x", summary="a\x0bb \ufffe \U0001f600 ]]> &amp; <x>")
    dav.put(calendar + "x.ics", strange)

    found = data(dav.multiget(calendar, calendar + "x.ics", props="<C:calendar-data/>"))

    assert "\U0001f600 ]]> &amp; <x>" in found


def test_multiget_without_hrefs_is_a_bad_request(dav: EngineDav, calendar: str) -> None:
    answer = dav.report(
        calendar, f"<C:calendar-multiget {NS}><D:prop><D:getetag/></D:prop></C:calendar-multiget>"
    )

    assert answer.status == 400


def test_a_multiget_of_one_object_names_it_in_many_ways(dav: EngineDav, calendar: str) -> None:
    dav.put(calendar + "x%20y.ics", event("x"))
    hrefs = (
        calendar + "x%20y.ics",
        "http://dav.example.org" + calendar + "x%20y.ics",
        calendar.upper() + "x%20y.ics",
        calendar + "%78%20y.ics",
    )

    answer = dav.multiget(calendar, *hrefs, calendar + "x%20y.ics")

    found = answer.multistatus()
    assert found[calendar + "x%20y.ics"].status is None
    assert found[calendar.upper() + "x%20y.ics"].status == 404


def test_an_answer_holds_so_many_instances_and_no_more(dav: EngineDav, calendar: str) -> None:
    for number in range(8):
        dav.put(
            f"{calendar}{number}.ics", event(str(number), start="19500101T100000Z", more="RRULE:FREQ=DAILY")
        )
    dav.put(calendar + "x.ics", event("x", start="19600101T100000Z"))

    begun = time.perf_counter()
    found = dav.query(
        calendar,
        "",
        props='<C:calendar-data><C:expand start="19500101T000000Z" end="19800101T000000Z"/></C:calendar-data>',
    ).multistatus()

    whole = [one for one in found.found.values() if "RRULE" in one.text(DATA)]
    instances = sum(one.text(DATA).count("BEGIN:VEVENT") for one in found.found.values())
    assert len(found) == 9
    assert 0 < len(whole) < 8
    assert instances <= 60_000
    # What has one instance is always given as it was asked for.
    assert "DTSTART:19600101T100000Z" in found[calendar + "x.ics"].text(DATA)
    assert time.perf_counter() - begun < 10
