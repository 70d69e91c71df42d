"""Files that other programs might have exported."""

from __future__ import annotations

BERLIN = """\
BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:STANDARD
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE
"""


def event(uid: str, *, summary: str = "Meeting", more: str = "") -> str:
    return (
        f"BEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20260101T000000Z\nDTSTART;TZID=Europe/Berlin:20260105T090000\n"
        f"DTEND;TZID=Europe/Berlin:20260105T100000\nSUMMARY:{summary}\n{more}END:VEVENT\n"
    )


def task(uid: str) -> str:
    return f"BEGIN:VTODO\nUID:{uid}\nDTSTAMP:20260101T000000Z\nSUMMARY:Do it\nEND:VTODO\n"


def calendar(*components: str) -> str:
    head = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Example//EN\nMETHOD:PUBLISH\nX-WR-CALNAME:Example\n"
    return head + BERLIN + "".join(components) + "END:VCALENDAR\n"


def card(uid: str, *, name: str = "Anna Example") -> str:
    return f"BEGIN:VCARD\nVERSION:3.0\nUID:{uid}\nN:Example;Anna;;;\nFN:{name}\nEND:VCARD\n"
