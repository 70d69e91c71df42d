"""Calendar objects with a secret word in every place that can hold one."""

from __future__ import annotations

import base64
import re

from davsamples import calendar, lines

ZONE = """\
BEGIN:VTIMEZONE
TZID:/{word}/Europe/Berlin
X-LIC-LOCATION:{word}
TZURL:https://{word}.example/zone
BEGIN:STANDARD
DTSTART:19701025T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZNAME:{word}
COMMENT;X-A={word}:{word}
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
TZNAME:{word}
END:DAYLIGHT
END:VTIMEZONE
"""

TEXTS = """\
SUMMARY;LANGUAGE=de;ALTREP="https://{word}.example/":{word}
DESCRIPTION:a long text of which the end is folded into the next line, where it says {word}
LOCATION;X-{word}=1:{word}
COMMENT:{word}
CONTACT:{word}
CATEGORIES:{word},other
URL:https://{word}.example/
RESOURCES:{word}
RELATED-TO:{word}
COLOR:{word}
X-ALT-DESC;FMTTYPE=text/html:<b>{word}</b>
X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-TITLE="{word}":geo:1,2
X-{word}:{word}
CONFERENCE;VALUE=URI;LABEL={word}:https://{word}.example/call
IMAGE;VALUE=URI;FMTTYPE=image/png:https://{word}.example/a.png
STRUCTURED-DATA;VALUE=TEXT:{word}
STYLED-DESCRIPTION;VALUE=TEXT:{word}
NAME:{word}
LINK;VALUE=URI;LINKREL={word}:https://{word}.example/
REFID:{word}
CONCEPT:https://{word}.example/
REQUEST-STATUS:2.0;Success;{word}
ATTACH;FILENAME={word}.txt:https://{word}.example/a.txt
ATTACH;ENCODING=BASE64;VALUE=BINARY:{base64}
"""

PEOPLE = """\
ORGANIZER;CN={word};SENT-BY="mailto:{word}@example.org":mailto:{word}@example.org
ATTENDEE;CN={word};PARTSTAT=ACCEPTED;ROLE=CHAIR:mailto:{word}@example.org
ATTENDEE;DIR="https://{word}.example/":mailto:other@example.org
"""

INSIDE = """\
BEGIN:PARTICIPANT
UID:p
PARTICIPANT-TYPE:CONTACT
SUMMARY:{word}
END:PARTICIPANT
BEGIN:VLOCATION
UID:l
NAME:{word}
END:VLOCATION
BEGIN:X-{word}
X-A:{word}
END:X-{word}
"""

ALARM = """\
BEGIN:VALARM
ACTION:EMAIL
TRIGGER;X-A={word}:-PT5M
SUMMARY:{word}
DESCRIPTION:{word}
ATTENDEE:mailto:{word}@example.org
ATTACH:https://{word}.example/sound
X-{word}:{word}
END:VALARM
X-MOZ-LASTACK;X-A={word}:20260101T000000Z
"""


def full(
    uid: str,
    word: str,
    *,
    kind: str = "VEVENT",
    level: str = "",
    alarm: str = "",
    override: str = "",
    override_level: str = "",
    shell: str = "",
) -> bytes:
    """A series with an override; `word` wherever something can be said, `alarm` in its alarms.

    `override` and `override_level` are what the override has instead of `word` and `level`, `shell`
    is what is around both of them, and the zone.
    """
    end = {"VEVENT": "DTEND", "VTODO": "DUE"}.get(kind, "")
    shell = shell or word
    override = override or word

    def component(said: str, stated: str, day: str, more: str) -> str:
        zone = f";X-A={said};TZID=/{shell}/Europe/Berlin"
        till = f"{end}{zone}:{day}T100000\n" if end else ""
        stated = f"CLASS:{stated}\n" if stated else ""
        return (
            f"BEGIN:{kind}\nUID;X-A={said}:{uid}\nDTSTAMP:20260101T000000Z\nSEQUENCE:2\n"
            f"DTSTART{zone}:{day}T090000\n{till}{more.replace('ZONE', zone)}{stated}"
            f"{_inside(said, kind, alarm)}END:{kind}\n"
        )

    return calendar(
        f"X-WR-CALNAME:{shell}\nX-{shell}:{shell}\n{ZONE.format(word=shell)}"
        + component(
            word, level, "20260302", f"RRULE:FREQ=DAILY;COUNT=4;X-{word}={word}\nEXDATEZONE:20260304T090000\n"
        )
        + component(override, override_level or level, "20260313", "RECURRENCE-IDZONE:20260303T090000\n")
    )


def plain(uid: str, *, level: str = "") -> bytes:
    """What `full` says of when it is, and nothing else."""
    text = full(uid, _MARK, level=level).decode().replace("\r\n ", "").replace("\r\n", "\n")
    for said in (f";X-A={_MARK}", f";X-{_MARK}={_MARK}"):
        text = text.replace(said, "")
    text = text.replace(f"/{_MARK}/Europe", "/Europe").replace("TZID=/", "TZID=").replace("TZID:/", "TZID:")
    for inside in ("VALARM", "PARTICIPANT", "VLOCATION", f"X-{_MARK}"):
        text = re.sub(f"BEGIN:{inside}\n.*?END:{inside}\n", "", text, flags=re.DOTALL)
    when = (
        "BEGIN",
        "END",
        "VERSION",
        "PRODID",
        "UID",
        "DT",
        "SEQUENCE",
        "RRULE",
        "EXDATE",
        "RECURRENCE",
        "CLASS",
        "TZ",
    )
    kept = [line for line in text.splitlines() if line.startswith(when) and _MARK not in line]
    return lines("\n".join(kept) + "\n")


_MARK = "MARK"


def _inside(word: str, kind: str, alarm: str) -> str:
    """The properties of a component, then what is in it."""
    text = TEXTS + (PEOPLE if kind != "VJOURNAL" else "") + INSIDE
    said = text.format(word=word, base64=_encoded(word))
    said += ALARM.format(word=alarm or word) if kind != "VJOURNAL" else ""
    outer: list[str] = []
    inner: list[str] = []
    depth = 0
    for line in said.splitlines():
        depth += line.startswith("BEGIN:")
        (inner if depth else outer).append(line)
        depth -= line.startswith("END:")
    return "".join(f"{line}\n" for line in (*outer, *inner))


def _encoded(word: str) -> str:
    return base64.b64encode(f"{word} {word} {word}".encode()).decode()


def holds(body: bytes, word: str) -> bool:
    """Whether a word is in an answer, also where it is folded, escaped or encoded."""
    text = body.replace(b"&#13;", b"\r").replace(b"\r", b"").replace(b"\n ", b"")
    return word.lower().encode() in text.lower() or _encoded(word).encode() in text
