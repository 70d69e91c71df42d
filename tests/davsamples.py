"""Calendar objects and cards for tests, as small as they can be and still be valid."""

from __future__ import annotations

BERLIN = """\
BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:DAYLIGHT
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
TZNAME:CEST
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:CET
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
"""


def calendar(inside: str) -> bytes:
    """A VCALENDAR around some lines, with the line ends of RFC 5545 3.1."""
    return lines(f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Tests//EN\n{inside.strip()}\nEND:VCALENDAR\n")


def event(
    uid: str = "a", *, start: str = "20260301T080000Z", summary: str = "Frühstück", more: str = ""
) -> bytes:
    """An event of one hour; `more` are further lines of it."""
    extra = more.strip() + "\n" if more.strip() else ""
    return calendar(
        f"BEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20260101T000000Z\nDTSTART:{start}\nDURATION:PT1H\n"
        f"SUMMARY:{summary}\n{extra}END:VEVENT"
    )


def task(uid: str = "t", *, summary: str = "Steuer", more: str = "") -> bytes:
    """A task without dates."""
    extra = more.strip() + "\n" if more.strip() else ""
    return calendar(f"BEGIN:VTODO\nUID:{uid}\nDTSTAMP:20260101T000000Z\nSUMMARY:{summary}\n{extra}END:VTODO")


def card(uid: str = "c", *, name: str = "Jürgen Groß", version: str = "3.0", more: str = "") -> bytes:
    """A card; `more` are further lines of it."""
    first, _, last = name.partition(" ")
    extra = more.strip() + "\n" if more.strip() else ""
    return lines(
        f"BEGIN:VCARD\nVERSION:{version}\nUID:{uid}\nFN:{name}\nN:{last};{first};;;\n{extra}END:VCARD\n"
    )


def lines(text: str) -> bytes:
    """Text with CRLF and UTF-8."""
    return text.replace("\r\n", "\n").replace("\n", "\r\n").encode()
