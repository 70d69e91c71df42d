import pytest

from tagwerk import contentline
from tagwerk.ical.split import split

HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\n"
END = "END:VCALENDAR\r\n"


def zone(tzid: str, more: str = "") -> str:
    return (
        f"BEGIN:VTIMEZONE\r\nTZID:{tzid}\r\n{more}BEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
        "TZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    )


def event(uid: str, *lines: str, name: str = "VEVENT") -> str:
    own = [f"UID:{uid}"] if uid else []
    return "".join(
        f"{line}\r\n" for line in [f"BEGIN:{name}", *own, "DTSTART:20260102T100000Z", *lines, f"END:{name}"]
    )


def parts(*pieces: str):
    found = list(split("".join(pieces).encode()))
    return [part for part in found if not part.problem], [part for part in found if part.problem]


def test_every_uid_is_an_object_of_its_own():
    a, b, override = event("a", "RRULE:FREQ=DAILY"), event("b"), event("a", "RECURRENCE-ID:20260103T100000Z")

    objects, problems = parts(
        HEAD, "METHOD:PUBLISH\r\nX-WR-CALNAME:n\r\nCALSCALE:GREGORIAN\r\n", a, b, override, END
    )

    head = HEAD + "CALSCALE:GREGORIAN\r\n"
    assert [(part.uid, part.component, part.line) for part in objects] == [
        ("a", "VEVENT", 7),
        ("b", "VEVENT", 12),
    ]
    assert [part.content.decode() for part in objects] == [head + a + override + END, head + b + END]
    assert problems == []


def test_an_object_has_exactly_the_zones_that_it_uses():
    rome, berlin, quoted = zone("Rome"), zone("Berlin"), zone("a\\, b")
    first = event(
        "1", "DTEND;TZID=Rome:20260102T110000", "BEGIN:VALARM", "TRIGGER;TZID=Berlin:20260102", "END:VALARM"
    )
    second = event("2", 'DTEND;TZID="a, b":20260102T110000', "EXDATE;TZID=Nowhere:20260102")

    objects, _ = parts(HEAD, berlin, first, second, event("3"), END, HEAD, rome, quoted, END)

    assert [part.content.decode() for part in objects] == [
        HEAD + rome + berlin + first + END,
        HEAD + quoted + second + END,
        HEAD + event("3") + END,
    ]


def test_a_zone_of_the_same_calendar_is_preferred():
    mine, yours = zone("Z", "X-WHOSE:mine\r\n"), zone("Z", "X-WHOSE:yours\r\n")
    uses = "DTEND;TZID=Z:20260102T110000"

    objects, _ = parts(HEAD, mine, event("1", uses), END, HEAD, yours, event("2", uses), END)

    assert [b"X-WHOSE:yours" in part.content for part in objects] == [False, True]


def test_kinds_of_components_are_told_apart_even_with_one_uid():
    objects, problems = parts(HEAD, event("a"), event("a", name="VTODO"), event("a", name="VJOURNAL"), END)

    assert [part.component for part in objects] == ["VEVENT", "VTODO", "VJOURNAL"]
    assert problems == []


@pytest.mark.parametrize(
    ("broken", "line", "problem"),
    [
        ("BEGIN:VEVENT\r\nUID:x\r\nnonsense\r\nEND:VEVENT\r\n", 8, "line 10: 'nonsense' is no property"),
        ("BEGIN:VEVENT\r\nUID:x\r\n", 8, "END:VEVENT is missing"),
        (
            "BEGIN:VEVENT\r\nBEGIN:VALARM\r\nEND:VEVENT\r\n",
            8,
            "line 10: END:'VEVENT' where END:VALARM was expected",
        ),
        (
            "BEGIN:VEVENT\r\nEND:VALARM\r\nEND:VEVENT\r\n",
            8,
            "line 9: END:'VALARM' where END:VEVENT was expected",
        ),
        ("BEGIN:VVENUE\r\nEND:VVENUE\r\n", 8, "VVENUE is no component that a calendar keeps"),
    ],
)
def test_a_broken_component_does_not_lose_the_others(broken, line, problem):
    objects, problems = parts(HEAD, event("a"), broken, event("b"), END)

    assert [part.uid for part in objects] == ["a", "b"]
    assert [part.line for part in problems] == [line]
    assert problems[0].problem.startswith(problem)


def test_a_file_that_was_cut_off_keeps_what_was_whole():
    text = HEAD + event("a") + event("b")

    objects, problems = parts(text[:-20])

    assert [part.uid for part in objects] == ["a"]
    assert [part.problem for part in problems] == ["END:VEVENT is missing"]


def test_several_calendars_keep_their_own_product_identifier():
    other = HEAD.replace("-//x//y", "-//o")

    objects, problems = parts(
        HEAD, event("a"), END, "\r\n", other, event("b"), END, "\ufeff" + HEAD, event("c"), END
    )

    assert [b"PRODID:-//o\r\n" in part.content for part in objects[:2]] == [False, True]
    assert len(objects) == 3
    assert problems == []


def test_what_is_outside_of_calendars_is_reported_once():
    objects, problems = parts("Dear all,\r\nthis is it\r\n", HEAD, event("a"), END, "Bye\r\n")

    assert [part.uid for part in objects] == ["a"]
    assert [part.line for part in problems] == [1, 11]


def test_the_newer_one_of_two_is_kept():
    first = event("a", "SEQUENCE:1", "SUMMARY:old")
    second = event("a", "SEQUENCE:2", "SUMMARY:new", "DTSTAMP:20260101T000000Z")
    third = event("a", "SEQUENCE:2", "SUMMARY:older", "DTSTAMP:20250101T000000Z")

    objects, problems = parts(HEAD, first, second, third, END)

    assert [b"SUMMARY:new" in part.content for part in objects] == [True]
    assert [(part.line, part.uid) for part in problems] == [(4, "a"), (17, "a")]
    assert "line 10" in problems[0].problem


def test_components_without_uid_get_one_that_depends_on_what_they_say():
    stamped = event("", "SUMMARY:x", "DTSTAMP:20260101T000000Z")

    objects, problems = parts(HEAD, event("", "SUMMARY:x"), event("", "SUMMARY:y"), stamped, END)

    again, _ = parts(HEAD, event("", "SUMMARY:y"), END)
    assert len(objects) == 2
    assert objects[1].uid == again[0].uid
    assert f"UID:{again[0].uid}\r\n".encode() in objects[1].content
    assert len(problems) == 1


def test_what_comes_out_comes_out_again():
    objects, _ = parts(HEAD, zone("Z"), event("a", "DTEND;TZID=Z:20260102T110000"), event(""), END)

    again = [part for found in objects for part in split(found.content)]

    assert [part.content for part in again] == [part.content for part in objects]


@pytest.mark.parametrize("content", [b"", b"\r\n", (HEAD + END).encode(), (HEAD + zone("Z") + END).encode()])
def test_a_stream_without_objects_says_so(content):
    found = list(split(content))

    assert [part.problem for part in found] == ["there is no event, task or journal entry in it"]


def test_a_stream_that_is_no_text_says_so():
    found = list(split(b"BEGIN:VCALENDAR\r\n\0"))

    assert [(part.line, part.problem) for part in found] == [(2, "there is a NUL in the text")]


def test_thousands_of_components_are_cut_in_linear_time():
    text = (
        HEAD
        + zone("Z")
        + "".join(event(str(number), "DTEND;TZID=Z:20260102T110000") for number in range(5000))
    )

    objects, problems = parts(text, END)

    assert len(objects) == 5000
    assert problems == []
    assert len(contentline.parse(objects[-1].content.decode())[0].children) == 2
