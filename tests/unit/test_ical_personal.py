from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icalsamples import calendar
from tagwerk import contentline
from tagwerk.contentline import Component, parse, serialize
from tagwerk.errors import InvalidCalendar
from tagwerk.ical import resource, split
from tagwerk.ical.identity import recurrence_id
from tagwerk.ical.personal import (
    Part,
    Personal,
    has_personal,
    same_shared,
    seen,
    taken_apart,
    without_alarms,
)

NOW = 1_767_225_600  # 2026-01-01
DAILY = "DTSTART:20260101T100000Z DTEND:20260101T110000Z RRULE:FREQ=DAILY SUMMARY:x"
SECOND = "RECURRENCE-ID:20260102T100000Z DTSTART:20260102T100000Z DTEND:20260102T110000Z SUMMARY:x"


def alarm(trigger: str = "TRIGGER:-PT5M") -> str:
    return f"BEGIN:VALARM ACTION:DISPLAY {trigger} END:VALARM"


def text_of(trigger: str = "TRIGGER:-PT5M") -> str:
    return alarm(trigger).replace(" ", "\r\n") + "\r\n"


def alarms(component: Component) -> list[str]:
    return sorted(serialize(child) for child in component.children if child.name == "VALARM")


def transp(component: Component) -> str:
    return component.value("TRANSP").strip().upper() or "OPAQUE"


def own_lines(component: Component) -> list[str]:
    return sorted(f"{line.head}:{line.value}" for line in component.lines if line.name.startswith("X-MOZ-"))


def personal_things(object_: Component) -> dict[object, object]:
    return {
        recurrence_id(child): (alarms(child), transp(child), own_lines(child))
        for child in object_.children
        if child.name != "VTIMEZONE"
    }


def divided(sent: Component, base: Component | None) -> tuple[Component, Personal]:
    """`taken_apart`, after the checks that hold for any two objects."""
    before = serialize(sent), base and serialize(base)

    shared, own = taken_apart(sent, base)

    again = seen(shared, own)
    assert (serialize(sent), base and serialize(base)) == before
    assert same_shared(again, sent)
    assert personal_things(again) == personal_things(sent)
    theirs = personal_things(base) if base is not None else {}
    things = personal_things(shared)
    assert {key: things[key] for key in theirs if key in things} == {
        key: theirs[key] for key in theirs if key in things
    }
    assert Personal.loads(own.dumps()) == own
    return shared, own


def test_personal_things_are_written_as_text_and_read_again():
    own = Personal(
        {"": Part("", ("BEGIN:VALARM\r\nEND:VALARM\r\n",), ("X-MOZ-LASTACK:ä",)), "20260101": Part()}
    )

    assert Personal.loads(own.dumps()) == own
    assert own.dumps().startswith('{"":["",["BEGIN')
    assert own
    assert not Personal()
    assert Personal().dumps() == ""
    assert Personal.loads("") == Personal()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (alarm(), True),
        ("X-MOZ-LASTACK:20260101T000000Z", True),
        ("X-MOZ-SNOOZE-TIME-1231250400000000:20260101T000000Z", True),
        ("TRANSP:TRANSPARENT", False),
        ("X-MOZ-SEND-INVITATIONS:TRUE", False),
        ("BEGIN:X-A BEGIN:VALARM END:VALARM END:X-A", False),
    ],
)
def test_alarms_and_their_state_are_personal(line, expected):
    assert has_personal(calendar(f"{DAILY} {line}")) is expected


def test_somebody_else_sees_no_alarm_of_the_owner_but_the_transparency():
    stored = calendar(f"{DAILY} X-MOZ-GENERATION:2 TRANSP:TRANSPARENT {alarm()}", f"{SECOND} {alarm()}")
    before = serialize(stored)

    object_ = seen(stored, Personal())

    assert not has_personal(object_)
    assert same_shared(object_, stored)
    assert transp(object_.children[0]) == "TRANSPARENT"
    assert serialize(stored) == before


def test_everybody_sees_their_own_alarms():
    stored = calendar(f"{DAILY} TRANSP:OPAQUE {alarm()}")
    own = Personal({"": Part("TRANSPARENT", (text_of("TRIGGER:-PT1H"),), ("X-MOZ-LASTACK:1",))})

    (event,) = seen(stored, own).children

    assert alarms(event) == [text_of("TRIGGER:-PT1H")]
    assert [line.value for line in event.all("TRANSP")] == ["TRANSPARENT"]
    assert event.value("X-MOZ-LASTACK") == "1"


def test_a_new_override_has_the_relative_alarms_that_a_person_has_in_the_master():
    own = Personal(
        {"": Part("TRANSPARENT", (text_of(), text_of("TRIGGER;VALUE=DATE-TIME:20260101T090000Z")))}
    )

    override = seen(calendar(DAILY, f"{SECOND} LOCATION:y"), own).children[1]

    assert alarms(override) == [text_of()]
    assert transp(override) == "TRANSPARENT"


@pytest.mark.parametrize(
    ("master", "name", "expected"),
    [
        (
            "DTSTART;TZID=Europe/Berlin:20260328T100000 DTEND;TZID=Europe/Berlin:20260328T120000",
            "20260329T100000;TZID=Europe/Berlin",
            "DTSTART;TZID=Europe/Berlin:20260329T100000 DTEND;TZID=Europe/Berlin:20260329T120000"
            " RECURRENCE-ID;TZID=Europe/Berlin:20260329T100000",
        ),
        (
            "DTSTART;TZID=Europe/Berlin:20260328T100000 DURATION:PT1H",
            "20260329T080000Z",
            "DTSTART;TZID=Europe/Berlin:20260329T100000 DURATION:PT1H RECURRENCE-ID:20260329T080000Z",
        ),
        (
            "DTSTART;VALUE=DATE:20260101 DTEND;VALUE=DATE:20260103",
            "20260104",
            "DTSTART;VALUE=DATE:20260104 DTEND;VALUE=DATE:20260106 RECURRENCE-ID;VALUE=DATE:20260104",
        ),
    ],
)
def test_an_instance_that_a_person_has_something_for_becomes_an_override(master, name, expected):
    stored = calendar(f"{master} RRULE:FREQ=DAILY EXDATE:20300101T000000Z SUMMARY:x {alarm()}")

    _, override = seen(stored, Personal({name: Part(None, (text_of("TRIGGER:PT0S"),))})).children

    head, _, recurrence = expected.rpartition(" ")
    assert [f"{line.head}:{line.value}" for line in override.lines] == [
        "UID:1",
        *head.split(),
        "SUMMARY:x",
        recurrence,
    ]
    assert alarms(override) == [text_of("TRIGGER:PT0S")]


def test_a_task_that_only_has_a_due_date_has_instances_too():
    stored = calendar("DUE:20260101T100000Z RRULE:FREQ=DAILY", kind="VTODO")

    _, override = seen(stored, Personal({"20260103T100000Z": Part()})).children

    assert override.value("DUE") == "20260103T100000Z"


@pytest.mark.parametrize(
    "events",
    [
        (f"{DAILY} EXDATE:20260103T100000Z",),
        ("DTSTART:20260101T100000Z RRULE:FREQ=DAILY;UNTIL=20260102T100000Z",),
        ("DTSTART:20260103T100000Z",),
        (SECOND,),
        (DAILY, "RECURRENCE-ID;RANGE=THISANDFUTURE:20260102T100000Z SUMMARY:y"),
        ("DTSTART:20260101T100000Z RDATE;VALUE=PERIOD:20260103T100000Z/PT3H",),
        ("DTSTART:secret RRULE:FREQ=DAILY",),
    ],
)
def test_an_instance_that_is_none_any_more_is_left_out(events):
    object_ = seen(calendar(*events), Personal({"20260103T100000Z": Part("TRANSPARENT"), "secret": Part()}))

    assert len(object_.children) == len(events)


def test_what_somebody_sends_keeps_the_alarms_of_the_owner():
    base = calendar(f"{DAILY} TRANSP:OPAQUE X-MOZ-LASTACK:1 {alarm()}")
    sent = calendar(f"{DAILY} LOCATION:y TRANSP:TRANSPARENT X-MOZ-LASTACK:2 {alarm('TRIGGER:-PT1H')}")

    shared, own = divided(sent, base)

    assert personal_things(shared) == personal_things(base)
    assert shared.children[0].value("LOCATION") == "y"
    assert own == Personal({"": Part("TRANSPARENT", (text_of("TRIGGER:-PT1H"),), ("X-MOZ-LASTACK:2",))})


def test_who_changes_an_alarm_only_changes_nothing_that_is_shared():
    base = calendar(f"{DAILY} DTSTAMP:20260101T000000Z {alarm()}")
    sent = calendar(f"{DAILY} DTSTAMP:20260102T000000Z SEQUENCE:1 TRANSP:OPAQUE")

    shared, own = divided(sent, base)

    assert same_shared(shared, base)
    assert not own


def test_an_override_for_an_alarm_alone_stays_with_its_person():
    base = calendar(f"{DAILY} {alarm()}")
    sent = calendar(
        f"{DAILY} LOCATION:y", f"{SECOND} LOCATION:y SEQUENCE:3 TRANSP:TRANSPARENT {alarm('TRIGGER:-P1D')}"
    )

    shared, own = divided(sent, base)

    assert len(shared.children) == 1
    assert own == Personal({"20260102T100000Z": Part("TRANSPARENT", (text_of("TRIGGER:-P1D"),))})


def test_an_override_without_the_alarm_of_the_master_is_remembered():
    sent = calendar(f"{DAILY} {alarm()}", SECOND)

    _, own = divided(sent, calendar(DAILY))

    assert own["20260102T100000Z"] == Part()


def test_an_override_of_the_owner_stays_though_it_says_nothing():
    base = calendar(DAILY, f"{SECOND} {alarm()}")

    shared, own = divided(calendar(DAILY, f"{SECOND} {alarm('TRIGGER:-PT1H')}"), base)

    assert personal_things(shared) == personal_things(base)
    assert list(own) == ["20260102T100000Z"]


def test_a_new_override_gets_what_the_owner_has_for_every_instance():
    absolute = alarm("TRIGGER;VALUE=DATE-TIME:20260101T090000Z")
    base = calendar(f"{DAILY} TRANSP:TRANSPARENT X-MOZ-LASTACK:1 {alarm()} {absolute}")
    sent = calendar(f"{DAILY} TRANSP:TRANSPARENT", f"{SECOND} LOCATION:y TRANSP:TRANSPARENT")

    shared, own = divided(sent, base)

    override = shared.children[1]
    assert (alarms(override), transp(override), own_lines(override)) == ([text_of()], "TRANSPARENT", [])
    assert not own


def test_a_new_object_has_no_alarm_for_its_owner():
    sent = calendar(f"{DAILY} TRANSP:TRANSPARENT {alarm()}", f"{SECOND} LOCATION:y {alarm()}")

    shared, own = divided(sent, None)

    assert not has_personal(shared)
    assert shared.children[0].first("TRANSP") is None
    assert own[""] == Part("TRANSPARENT", (text_of(),))


def test_what_nobody_made_personal_is_passed_on_line_by_line():
    sent = calendar(f"TRANSP:TRANSPARENT {DAILY}")

    shared, own = divided(sent, calendar(f"{DAILY} TRANSP:TRANSPARENT"))

    assert serialize(shared) == serialize(sent)
    assert not own


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("SUMMARY:x", "SUMMARY:x DTSTAMP:20260101T000000Z", True),
        ("SUMMARY:x LOCATION:y", "LOCATION:y SUMMARY:x", True),
        ('ORGANIZER;CN="a";X-B=c:d', "organizer;X-B=c;CN=a:d", True),
        ("DTSTART;VALUE=DATE-TIME:20260101T100000Z", "DTSTART:20260101T100000Z", True),
        ("TRANSP:OPAQUE", f"TRANSP:TRANSPARENT {alarm()} X-MOZ-LASTACK:1", True),
        ("SUMMARY:x", "SUMMARY:y", False),
        ("SUMMARY:x", "SUMMARY:x SUMMARY:x", False),
        ("SUMMARY;LANGUAGE=de:x", "SUMMARY:x", False),
        ("SUMMARY:x", "SUMMARY:x BEGIN:PARTICIPANT END:PARTICIPANT", False),
    ],
)
def test_two_objects_are_compared_by_what_they_say_to_everybody(one, other, expected):
    assert same_shared(calendar(one), calendar(other)) is expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("PRODID:x", True),
        ("X-WR-CALNAME:x", True),
        ("CALSCALE:GREGORIAN", True),
        ("X-CALENDARSERVER-ACCESS:PRIVATE", False),
    ],
)
def test_what_a_program_writes_into_the_vcalendar_is_no_change(line, expected):
    other = calendar(DAILY)
    other.lines += contentline.parse(f"BEGIN:A\n{line}\nEND:A\n")[0].lines
    other.children.insert(0, Component("VTIMEZONE", 0))

    assert same_shared(calendar(DAILY), other) is expected


FORMS = (
    "{}:{:%Y%m%dT%H%M%S}",
    "{}:{:%Y%m%dT%H%M%S}Z",
    "{};TZID=Europe/Berlin:{:%Y%m%dT%H%M%S}",
    "{};VALUE=DATE:{:%Y%m%d}",
)
TRIGGERS = ("TRIGGER:-PT5M", "TRIGGER;RELATED=END:P1D", "TRIGGER;VALUE=DATE-TIME:20260101T090000Z")


@st.composite
def personal_text(draw: st.DrawFn) -> str:
    parts = [alarm(trigger) for trigger in draw(st.lists(st.sampled_from(TRIGGERS), max_size=2))]
    for line in ("TRANSP:TRANSPARENT", "TRANSP:OPAQUE", "X-MOZ-LASTACK:1", "X-MOZ-SNOOZE-TIME-1:2"):
        if draw(st.integers(0, 3)) == 0 and not (line == "TRANSP:OPAQUE" and "TRANSP:TRANSPARENT" in parts):
            parts.insert(0, line)
    return " ".join(parts)


@st.composite
def shared_events(draw: st.DrawFn, form: str) -> Component:
    """Versions of one event, so that two of them are alike in much."""

    def written(name: str, when: datetime) -> str:
        return form.format(name, when)

    def event(start: datetime, *more: str) -> str:
        location = draw(st.sampled_from(["", "", "", "LOCATION:y", "SUMMARY:z", "SEQUENCE:1"]))
        texts = [*more, written("DTSTART", start), written("DTEND", start + timedelta(days=1)), location]
        return " ".join(text for text in [*texts, draw(personal_text())] if text)

    first = datetime(2026, 3, 25, 0, 0) if "DATE:" in form else datetime(2026, 3, 25, 10, 0)
    rule = draw(st.sampled_from(["RRULE:FREQ=DAILY", "RRULE:FREQ=DAILY;COUNT=4", "X-NO:RULE"]))
    gone = [
        written("EXDATE", first + timedelta(days=day)) for day in draw(st.sets(st.integers(1, 6), max_size=2))
    ]
    events = [event(first, rule, *gone)] if draw(st.integers(0, 9)) else []
    for day in draw(st.sets(st.integers(0, 6), min_size=0 if events else 1, max_size=4)):
        original = first + timedelta(days=day)
        moved = original + timedelta(days=draw(st.sampled_from([0, 0, 0, 1])))
        name = "RECURRENCE-ID" + draw(st.sampled_from(["", "", "", "", ";RANGE=THISANDFUTURE"]))
        events.append(event(moved, written(name, original)))
    return calendar(*events)


@given(
    st.sampled_from(FORMS).flatmap(
        lambda form: st.tuples(shared_events(form), shared_events(form) | st.none())
    )
)
@settings(max_examples=300, deadline=None)
def test_whatever_somebody_sends_they_see_again_and_the_owner_keeps_what_is_theirs(both):
    sent, base = both

    shared, own = divided(sent, base)

    again, mine = taken_apart(seen(shared, own), shared)
    assert same_shared(again, shared)
    assert mine == own
    assert personal_things(again) == personal_things(shared)


def test_real_objects_are_divided_and_put_together_again(corpus):
    checked = 0
    for path in sorted(corpus.glob("icalendar/*.ics")):
        for part in split.split(path.read_bytes()):
            try:
                stored = resource.read(part.content, now=NOW)
            except InvalidCalendar:
                continue
            object_ = contentline.parse(stored.content.decode())[0]
            shared, _ = divided(object_, None)
            assert not has_personal(shared)
            divided(shared, object_)
            assert not has_personal(seen(object_, Personal()))
            checked += 1
    assert checked > 100


@pytest.mark.parametrize(
    "text",
    [
        "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\n",
        "begin:valarm\nACTION:DISPLAY\nTRIGGER:-PT5M\nend:valarm\n",
        "BEGIN:VAL\r\n ARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\n",
        "BEGIN\r\n :VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\n",
        "B\r\n EGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\n",
        "BEGIN:VALARM \r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nEND: VALARM\r\n",
        "X-MOZ-LASTACK:20260101T000000Z\r\n",
        "X-M\r\n OZ-LASTACK:20260101T000000Z\r\n",
        "BEGIN:VALARM\r\nACTION:DISPLAY\r\nBEGIN:VLOCATION\r\nNAME:x\r\nEND:VLOCATION\r\nEND:VALARM\r\n",
        "BEGIN:VALARM\r\nEND:VALARM\r\nBEGIN:VALARM\r\nTRIGGER:PT0S\r\nEND:VALARM\r\n",
        "DESCRIPTION:a\r\n BEGIN:VALARM\r\n b\\nEND:VALARM\r\n",
        "",
    ],
)
def test_cutting_alarms_out_of_the_text_says_what_reading_it_says(text):
    content = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTART:20260301T080000Z\r\n"
        f"{text}SUMMARY:Kept\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()

    cut = parse(without_alarms(content).decode())[0]

    assert serialize(cut) == serialize(seen(parse(content.decode())[0], Personal()))
