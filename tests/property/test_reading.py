"""Whatever bytes come, reading ends with an object or with a refusal that says why."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagwerk import contentline
from tagwerk.errors import InvalidCalendar, InvalidCard, Refused
from tagwerk.ical import export, resource, split
from tagwerk.model import Upload
from tagwerk.vcard import convert
from tagwerk.vcard import resource as card_resource
from tagwerk.vcard import split as card_split

NOW = 1_767_225_600  # 2026-01-01

CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//x//y
BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:STANDARD
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
UID:a
DTSTART;TZID=Europe/Berlin:20260102T100000
DURATION:PT1H
RRULE:FREQ=WEEKLY;COUNT=10
EXDATE;TZID="Europe/Berlin":20260109T100000
ATTENDEE;CN="Jörg: ""M;ROLE=CHAIR:mailto:j@example.com
DESCRIPTION:a\\nb\\, c
  folded
BEGIN:VALARM
TRIGGER:-PT10M
END:VALARM
END:VEVENT
BEGIN:VEVENT
UID:a
RECURRENCE-ID;TZID=Europe/Berlin:20260116T100000
DTSTART;TZID=Europe/Berlin:20260116T110000
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n").encode()

CARD = """BEGIN:VCARD
VERSION:3.0
N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=
=C3=B6rg;;;
item1.TEL;HOME;PREF:1
PHOTO;ENCODING=b;TYPE=JPEG:AAAA
 BBBB
BDAY:1980-03-22
GEO:1;2
TZ:+01:00
LABEL;TYPE=HOME:a\\nb
X-GENDER:Male
NOTE:ä\\, b
END:VCARD
""".replace("\n", "\r\n").encode()

NASTY = st.sampled_from(
    [
        b"\r",
        b"\n",
        b"\r\n",
        b"\r\r\n",
        b"\n ",
        b":",
        b";",
        b'"',
        b"\\",
        b",",
        b"=",
        b"\0",
        b"\x1a",
        b"\xff",
        b"\xc3",
        b"\xef\xbb\xbf",
        b"\xe2\x82\r\n \xac",
        b"BEGIN:VEVENT\r\n",
        b"END:VEVENT\r\n",
        b"END:VCALENDAR\r\n",
        b"X\r\n",
        b"BEGIN:VCARD\r\n",
        b"END:VCARD\r\n",
        b"VERSION:2.1\r\n",
        b"ENCODING=QUOTED-PRINTABLE:=\r\n",
        b"UID:\r\n",
    ]
)


@st.composite
def mutated(draw: st.DrawFn, sample: bytes) -> bytes:
    """`sample` with some of it removed, repeated, or mixed with what breaks parsers."""
    content = sample
    for _ in range(draw(st.integers(0, 6))):
        begin = draw(st.integers(0, len(content)))
        end = min(len(content), begin + draw(st.integers(0, 60)))
        what = draw(st.one_of(NASTY, st.binary(max_size=8), st.just(b""), st.just(content[begin:end] * 2)))
        content = content[:begin] + what + content[draw(st.sampled_from([begin, end])) :]
    return content


def read_calendar(content: bytes, charset: str = "") -> Upload | Refused:
    try:
        return resource.read(content, charset=charset, now=NOW)
    except InvalidCalendar as refused:
        return refused


def read_card(content: bytes, charset: str = "") -> Upload | Refused:
    try:
        return card_resource.read(content, charset=charset)
    except InvalidCard as refused:
        return refused


@given(mutated(CALENDAR), st.sampled_from(["", "utf-8", "iso-8859-1", "utf-16", "shift_jis", "nonsense"]))
def test_a_calendar_is_read_or_refused(content, charset):
    outcome = read_calendar(content, charset)

    if isinstance(outcome, InvalidCalendar):
        assert outcome.condition
        assert outcome.line is None or 1 <= outcome.line <= content.count(b"\n") + content.count(b"\r") + 1
    else:
        assert bool(outcome.repairs) == (outcome.content != content)
        assert read_calendar(outcome.content) == replace(outcome, repairs=())
        merged = b"".join(export.merge([outcome.content])).decode()
        assert outcome.facts.component in [child.name for child in contentline.parse(merged)[0].children]


@given(mutated(CARD), st.sampled_from(["", "utf-8", "iso-8859-1"]))
def test_a_card_is_read_or_refused(content, charset):
    outcome = read_card(content, charset)

    if isinstance(outcome, InvalidCard):
        assert outcome.condition
        assert outcome.line is None or 1 <= outcome.line <= content.count(b"\n") + content.count(b"\r") + 1
    else:
        assert bool(outcome.repairs) == (outcome.content != content)
        assert read_card(outcome.content) == replace(outcome, repairs=())
        for version in ("3.0", "4.0"):
            converted = read_card(convert.to_version(outcome.content, version))
            assert converted.facts.uid == outcome.facts.uid


@given(st.lists(st.one_of(mutated(CALENDAR), st.just(CALENDAR)), max_size=3).map(b"".join))
def test_a_calendar_stream_is_split_into_what_can_be_read(content):
    parts = list(split.split(content))

    assert parts == list(split.split(content))
    for part in parts:
        assert bool(part.content) != bool(part.problem)
        outcome = read_calendar(part.content)
        if isinstance(outcome, Upload):
            assert (outcome.repairs, outcome.facts.uid) == ((), part.uid)


@given(st.lists(st.one_of(mutated(CARD), st.just(CARD)), max_size=3).map(b"".join))
def test_a_stream_of_cards_is_split_into_what_can_be_read(content):
    parts = list(card_split.split(content))

    assert parts == list(card_split.split(content))
    for part in parts:
        assert bool(part.content) != bool(part.problem)
        if part.content:
            outcome = read_card(part.content)
            assert (outcome.repairs, outcome.facts.uid) == ((), part.uid)


@given(st.binary(max_size=300))
@pytest.mark.parametrize(
    "read", [lambda c: resource.read(c, now=NOW), card_resource.read], ids=["calendar", "card"]
)
def test_anything_at_all_is_refused_in_words(read, content):
    with pytest.raises((InvalidCalendar, InvalidCard)) as refused:
        read(content)

    assert str(refused.value)
