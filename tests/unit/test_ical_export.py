from tagwerk import contentline
from tagwerk.ical import export


def zone(tzid: str, *, offset: str = "+0100") -> str:
    return (
        f"BEGIN:VTIMEZONE\r\nTZID:{tzid}\r\nBEGIN:STANDARD\r\nDTSTART:19701025T030000\r\n"
        f"TZOFFSETFROM:{offset}\r\nTZOFFSETTO:{offset}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    )


def event(uid: str, *, zones: str = "", tzid: str = "", more: str = "") -> bytes:
    start = f"DTSTART;TZID={tzid}:20260101T100000" if tzid else "DTSTART:20260101T100000Z"
    return (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\n{zones}"
        f"BEGIN:VEVENT\r\nUID:{uid}\r\n{start}\r\n{more}END:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()


def merged(*objects: bytes, **options: str) -> str:
    return b"".join(export.merge(objects, **options)).decode()


def test_components_are_passed_on_as_they_are_stored():
    folded = "DESCRIPTION:a very long\r\n  text\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nEND:VALARM\r\n"

    text = merged(event("1", more=folded), event("2"))

    assert text == (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Tagwerk//Tagwerk//EN\r\nCALSCALE:GREGORIAN\r\n"
        f"BEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260101T100000Z\r\n{folded}END:VEVENT\r\n"
        "BEGIN:VEVENT\r\nUID:2\r\nDTSTART:20260101T100000Z\r\nEND:VEVENT\r\n"
        "END:VCALENDAR\r\n"
    )


def test_nothing_to_merge_is_an_empty_calendar():
    text = merged()

    assert [root.children for root in contentline.parse(text)] == [[]]


def test_a_zone_is_there_once_and_before_whoever_needs_it():
    berlin, rome = zone("Europe/Berlin"), zone("Europe/Rome")

    text = merged(
        event("1", zones=berlin, tzid="Europe/Berlin"),
        event("2", zones=berlin + rome, tzid="Europe/Rome"),
        event("3", zones=rome + berlin, tzid="Europe/Berlin"),
    )

    names = [child.value("TZID") or child.value("UID") for child in contentline.parse(text)[0].children]
    assert names == ["Europe/Berlin", "1", "Europe/Rome", "2", "3"]


def test_an_iana_name_means_one_zone_however_it_is_defined():
    text = merged(
        event("1", zones=zone("Europe/Berlin"), tzid="Europe/Berlin"),
        event("2", zones=zone("Europe/Berlin", offset="+0200"), tzid="Europe/Berlin"),
    )

    assert text.count("BEGIN:VTIMEZONE") == 1
    assert text.count("TZID=Europe/Berlin:") == 2


def test_another_zone_of_the_same_private_name_is_renamed_in_its_objects():
    mine, yours = zone("Zone, 1"), zone("Zone, 1", offset="+0900")
    first = event("1", zones=mine, tzid='"Zone, 1"')
    other = event("2", zones=yours, tzid='"Zone, 1"', more="RDATE;TZID=elsewhere:20260102T100000\r\n")
    again = event("3", zones=yours, tzid='"Zone, 1"')

    text = merged(first, other, again, first)

    children = contentline.parse(text)[0].children
    zones = [child.value("TZID") for child in children if child.name == "VTIMEZONE"]
    used = {
        child.value("UID"): line.param("TZID")
        for child in children
        for line in child.all("DTSTART")
        if line.params
    }
    assert zones == ["Zone, 1", "Zone, 1 (2)"]
    assert used == {"1": "Zone, 1", "2": "Zone, 1 (2)", "3": "Zone, 1 (2)"}
    assert "TZID=elsewhere:" in text


def test_line_feeds_alone_become_line_ends():
    text = merged(event("1").replace(b"\r\n", b"\n"))

    assert "\n" not in text.replace("\r\n", "")


def test_unusual_layouts_are_understood():
    lower = event("1").replace(b"BEGIN:VEVENT", b"begin:vevent").replace(b"END:VEVENT", b"end:vevent")
    trailing = event("2").replace(b"END:VCALENDAR", b"X-WR-CALNAME:behind\r\nEND:VCALENDAR")
    nested = event("3", more="BEGIN:VEVENT\r\nUID:inner\r\nEND:VEVENT\r\nX-AFTER:1\r\n")
    unended = event("4").rstrip()

    text = merged(lower, trailing, nested, unended)

    calendar = contentline.parse(text)[0]
    assert [child.value("UID") for child in calendar.children] == ["1", "2", "3", "4"]
    assert [child.value("UID") for child in calendar.children[2].children] == ["inner"]
    assert "behind" not in text


def test_the_calendar_has_its_name_and_color_in_both_dialects():
    text = merged(name="Müller, Anna", description="a;b", color="#ff0000")

    calendar = contentline.parse(text)[0]
    assert calendar.first("NAME").text == calendar.first("X-WR-CALNAME").text == "Müller, Anna"
    assert calendar.first("DESCRIPTION").text == calendar.first("X-WR-CALDESC").text == "a;b"
    assert calendar.value("X-APPLE-CALENDAR-COLOR") == "#ff0000"
    assert calendar.first("COLOR") is None


def test_a_named_color_is_the_color_of_rfc_7986():
    text = merged(color="tomato")

    assert "COLOR:tomato\r\n" in text


def test_an_object_that_is_broken_does_not_lose_the_others():
    told = []

    text = b"".join(
        export.merge(
            [event("1"), b"nonsense", event("2")], skipped=lambda content, why: told.append((content, why))
        )
    )

    assert text.count(b"BEGIN:VEVENT") == 2
    assert [content for content, _ in told] == [b"nonsense"]
