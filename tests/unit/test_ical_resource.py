import pytest

from tagwerk.collation import casemap
from tagwerk.errors import InvalidCalendar
from tagwerk.ical.resource import read

NOW = 1_767_225_600  # 2026-01-01
HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\n"
ZONE = (
    "BEGIN:VTIMEZONE\r\nTZID:Zone\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
    "TZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
)


def event(*lines: str, uid: str = "1", name: str = "VEVENT") -> str:
    own = [f"UID:{uid}"] if uid else []
    start = [] if any(line.startswith("DTSTART") for line in lines) else ["DTSTART:20260102T100000Z"]
    return "".join(f"{line}\r\n" for line in [f"BEGIN:{name}", *own, *start, *lines, f"END:{name}"])


def calendar(*components: str, head: str = HEAD) -> bytes:
    return "".join([head, *components, "END:VCALENDAR\r\n"]).encode()


def condition(refused: pytest.ExceptionInfo[InvalidCalendar]) -> str:
    return refused.value.condition.rpartition("}")[2]


AS_SENT = [
    pytest.param(calendar(event()), id="plain"),
    pytest.param(calendar(ZONE, event("DTSTART;TZID=Zone:20260102T100000")), id="with its time zone"),
    pytest.param(calendar(event("DTSTART;TZID=Nowhere:20260102T100000")), id="without its time zone"),
    pytest.param(calendar(event()).replace(b"\r\n", b"\n"), id="line feeds"),
    pytest.param(calendar(event()).rstrip(), id="no line end at the end"),
    pytest.param(calendar(event()) + b"\r\n\r\n  \r\n", id="blank lines at the end"),
    pytest.param(b"\r\n\r\n" + calendar(event()), id="blank lines at the beginning"),
    pytest.param(calendar(event(), head="BEGIN:VCALENDAR\r\n"), id="no VERSION and no PRODID"),
    pytest.param(calendar(event(), head=HEAD.replace("2.0", "1.0;2.0")), id="several versions"),
    pytest.param(
        calendar(event()).lower().replace(b"20260102t100000z", b"20260102T100000Z"), id="lower case"
    ),
    pytest.param(calendar(event("RECURRENCE-ID:20260102T100000Z")), id="an override without its master"),
    pytest.param(
        calendar(
            event("RRULE:FREQ=DAILY"),
            event("RECURRENCE-ID:20260103T100000Z"),
            event("RECURRENCE-ID:20260104T100000Z"),
        ),
        id="a master with its overrides",
    ),
    pytest.param(calendar(event("X-FOO;X-BAR=1:<>", "BEGIN:X-BAZ", "A:1", "END:X-BAZ")), id="unknown things"),
    pytest.param(calendar(event(), event(name="X-OTHER", uid="2")), id="an unknown component beside it"),
    pytest.param(calendar(event(name="X-OTHER", uid="2"), event()), id="or before it"),
    pytest.param(calendar(event("SUMMARY:\u2028\x80 \N{GRINNING FACE}")), id="all of Unicode"),
    pytest.param(calendar(event("SUMMARY:" + "x" * 5000)), id="lines that are not folded"),
    pytest.param(calendar(event("DESCRIPTION:a\r\n\t b\r\n \r\n c")), id="strange folds"),
    pytest.param(
        calendar(event("GEO:nonsense", "PRIORITY:high", "URL:\\,")), id="values that are nobody's business"
    ),
    pytest.param(calendar(event('ATTENDEE;CN="a:b;c":mailto:a@example.com')), id="quoted parameters"),
    pytest.param(calendar(event(name="VJOURNAL")), id="a journal entry"),
    pytest.param(calendar(event(name="VTODO")), id="a task"),
]


@pytest.mark.parametrize("content", AS_SENT)
def test_what_can_be_understood_is_kept_byte_for_byte(content):
    upload = read(content, now=NOW)

    assert upload.content == content
    assert upload.repairs == ()
    assert upload.facts.uid == "1"


def test_a_task_needs_no_date():
    content = calendar("BEGIN:VTODO\r\nUID:t\r\nEND:VTODO\r\n")

    upload = read(content, now=NOW)

    assert (upload.content, upload.facts.component) == (content, "VTODO")


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        pytest.param(b"\xef\xbb\xbf" + calendar(event()), calendar(event()), id="byte order mark"),
        pytest.param(calendar(event()).replace(b"\r\n", b"\r"), calendar(event()), id="carriage returns"),
        pytest.param(calendar(event("SUMMARY:\x0bx")), calendar(event("SUMMARY:x")), id="control characters"),
        pytest.param(calendar(event()) + b"\x1a", calendar(event()), id="the end of file of CP/M"),
        pytest.param(
            calendar(event("SUMMARY:ü")).decode().encode("latin-1"),
            calendar(event("SUMMARY:ü")),
            id="not UTF-8",
        ),
        pytest.param(
            calendar(event("DESCRIPTION:a", "b")),
            calendar(event("DESCRIPTION:a", " \\nb")),
            id="a raw line end",
        ),
    ],
)
def test_what_must_be_repaired_is_repaired_where_it_is_broken(sent, stored):
    upload = read(sent, now=NOW)

    assert upload.content == stored
    assert len(upload.repairs) == 1
    assert read(stored, now=NOW).repairs == ()


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        (["BEGIN:VEVENT", "DTSTART:20260102T100000Z", "END:VEVENT"], 1),
        (["BEGIN:VEVENT", "DTSTART:20260102T100000Z", "UID:", "END:VEVENT"], 2),
        (["BEGIN:VEVENT", "UID: \r\n ", "DTSTART:20260102T100000Z", "END:VEVENT"], 1),
    ],
)
def test_an_object_without_uid_gets_one_and_always_the_same(lines, place):
    content = calendar("".join(f"{line}\r\n" for line in lines))

    upload = read(content, now=NOW)

    uid = upload.facts.uid
    inside = upload.content.decode().split("\r\n")[3:]
    assert len(uid) == 36
    assert inside[place] == f"UID:{uid}"
    assert len(upload.repairs) == 1
    assert read(content.replace(b"\r\n", b"\n"), now=0).facts.uid == uid
    assert read(upload.content, now=NOW).repairs == ()


def test_an_object_without_uid_keeps_the_one_it_had():
    upload = read(calendar(event(uid="")), now=NOW, uid=lambda: "of the client")

    assert upload.facts.uid == "of the client"
    assert b"\r\nUID:of the client\r\n" in upload.content


def test_an_override_without_uid_belongs_to_the_master_beside_it():
    override = event("RECURRENCE-ID:20260103T100000Z", uid="")

    upload = read(calendar(event("RRULE:FREQ=DAILY", uid="a,b"), override), now=NOW)

    assert upload.content.count(b"UID:a") == 2
    assert b"UID:a\\,b\r\n" in upload.content


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", None),
        (b"\r\n", None),
        (b"hello", 1),
        (b"BEGIN:VCARD\r\nEND:VCARD\r\n", 1),
        (event().encode(), 1),
        (calendar(event()) + b"X:1\r\n", 9),
        (calendar(event())[:-15], 1),
        (calendar(event("nonsense")), 7),
        (calendar(event("END:VALARM")), 7),
        (calendar(event("SUMMARY:a\0b")), 7),
        (calendar(event("DTSTART:tomorrow")), 6),
        (calendar(event("DESCRIPTION:a\r\n b", "RRULE:FREQ=SOMETIMES")), 9),
        (calendar("BEGIN:A\r\n" * 20, "END:A\r\n" * 20), 11),
    ],
)
def test_what_is_no_icalendar_is_refused_with_its_line(content, line):
    with pytest.raises(InvalidCalendar) as refused:
        read(content, now=NOW)

    assert condition(refused) == "valid-calendar-data"
    assert refused.value.line == line


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (calendar(event(), head=HEAD + "METHOD:PUBLISH\r\n"), 4),
        (calendar(event()) + calendar(event()), 9),
        (calendar(event(), event("RECURRENCE-ID:20260103T100000Z", uid="2")), 8),
        (calendar(event(), event(name="VTODO")), 8),
        (calendar(event(), event()), 8),
        (calendar(event(), event(uid="")), 8),
        (calendar(event(uid=""), event(uid="")), 7),
        (calendar(event(), *[event("RECURRENCE-ID:20260103T100000Z")] * 2), 13),
        (calendar(ZONE), None),
        (calendar(), None),
    ],
)
def test_what_is_not_one_calendar_object_is_refused(content, line):
    with pytest.raises(InvalidCalendar) as refused:
        read(content, now=NOW)

    assert condition(refused) == "valid-calendar-object-resource"
    assert refused.value.line == line


@pytest.mark.parametrize("version", ["1.0", "3.0", "", "nonsense"])
def test_another_version_is_refused(version):
    with pytest.raises(InvalidCalendar) as refused:
        read(calendar(event(), head=HEAD.replace("2.0", version)), now=NOW)

    assert condition(refused) == "supported-calendar-data"


@pytest.mark.parametrize("component", ["VTODO", "VALARM", "X-OWN", "VCALENDAR"])
def test_a_component_that_the_calendar_does_not_hold_is_refused(component):
    with pytest.raises(InvalidCalendar) as refused:
        read(calendar(event(name=component)), now=NOW, components=("VEVENT",))

    assert condition(refused) == "supported-calendar-component"


def test_a_recurrence_that_runs_away_is_refused():
    with pytest.raises(InvalidCalendar) as refused:
        read(calendar(event("RRULE:FREQ=SECONDLY")), now=NOW)

    assert condition(refused) == "max-instances"
    assert refused.value.line == 7


def test_the_search_text_has_what_people_look_for():
    alarm = ["BEGIN:VALARM", "DESCRIPTION:Wake\\, up", "END:VALARM"]
    attendee = 'ATTENDEE;CN="Jörg^nM":MAILTO:J@EXAMPLE.com'
    data = "ATTACH;ENCODING=BASE64;FMTTYPE=text/PLAIN:QUJD"
    content = calendar(ZONE, event("SUMMARY:Größe\\nÄ", attendee, data, *alarm))

    search = read(content, now=NOW).facts.search

    for text in ("Größe\nÄ", "Jörg\nM", "mailto:j@example.com", "Wake, up", "text/plain"):
        assert casemap(text) in search
    assert "qujd" not in search
    assert "zone" not in search


def test_many_components_without_uid_are_read_in_linear_time():
    overrides = [event(f"RECURRENCE-ID:{2000 + number}0101", uid="") for number in range(4000)]

    upload = read(calendar(event(), *overrides), now=NOW)

    assert upload.content.count(b"\r\nUID:1\r\n") == 4001
