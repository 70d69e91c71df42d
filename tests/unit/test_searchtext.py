import pytest

from tagwerk.contentline import parse
from tagwerk.searchtext import gather, is_searched


def search(*lines: str) -> list[str]:
    text = "\n".join(["BEGIN:VCALENDAR", *lines, "END:VCALENDAR", ""])
    return gather(parse(text)[0], skip=frozenset({"VTIMEZONE"})).split("\n")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("SUMMARY:Ä\\, B", ["a\u0308, b"]),
        ("ATTENDEE;CN=^'Jo^';ROLE=CHAIR:mailto:A@b", ['"jo"', "chair", "mailto:a@b"]),
        ("X-ANY:THING", ["thing"]),
        ("DTSTART;TZID=Zone:20260101T100000", [""]),
        ("ATTACH:HTTP://example.com/A", ["http://example.com/a"]),
        ("ATTACH;ENCODING=base64;FMTTYPE=a/B:QUJD", ["base64", "a/b"]),
        ("IMAGE;VALUE=URI:DATA:image/png;base64,QUJD", ["uri"]),
        ("PHOTO;JPEG;BASE64:QUJD", ["jpeg", "base64"]),
        ("X-DATA;ENCODING=BASE64:QUJD", ["base64", "qujd"]),
    ],
)
def test_the_search_text_is_what_a_property_says(line, found):
    assert search(line) == found


def test_the_search_text_has_what_is_inside_but_no_zones():
    inside = ["BEGIN:VEVENT", "SUMMARY:e", "BEGIN:VALARM", "SUMMARY:a", "END:VALARM", "END:VEVENT"]
    zone = ["BEGIN:VTIMEZONE", "TZID:z", "BEGIN:STANDARD", "TZNAME:s", "END:STANDARD", "END:VTIMEZONE"]

    assert search("NAME:c", *zone, *inside) == ["c", "e", "a"]


@pytest.mark.parametrize(
    ("name", "expected"), [("SUMMARY", True), ("X-ANY", True), ("PHOTO", False), ("DTSTART", False)]
)
def test_what_is_left_out_is_said(name, expected):
    assert is_searched(name) is expected
