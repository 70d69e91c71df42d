"""Calendars and cards of any shape: stored and found again, or refused in words; never a 5xx, never slow.

TAGWERK_EXAMPLES is the number of objects of each kind (100 without it).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from davclient import CALDAV, CARDDAV, DAV, NS, Answer
from davsamples import BERLIN, calendar, card, event, lines, task
from enginedav import EngineDav, World, new_world
from tagwerk.model import Kind

EXAMPLES = int(os.environ.get("TAGWERK_EXAMPLES", "100"))
SECONDS = 2.0

_PROFILE = settings(
    max_examples=2 * EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

OBJECTS = tuple(
    content.decode()
    for content in (
        event("a", more="RRULE:FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20270101T000000Z\nEXDATE:20260309T080000Z"),
        event("a", more="RDATE;VALUE=PERIOD:20260401T080000Z/PT2H\nBEGIN:VALARM\nACTION:AUDIO\nTRIGGER:-PT5M\nEND:VALARM"),
        task("a", more="DUE;TZID=Europe/Berlin:20260501T100000\nPRIORITY:1\nCOMPLETED:20260401T000000Z"),
        calendar(
            BERLIN + "BEGIN:VEVENT\nUID:a\nDTSTAMP:20260101T000000Z\nDTSTART;TZID=Europe/Berlin:20260101T100000\n"
            "DTEND;TZID=Europe/Berlin:20260101T110000\nRRULE:FREQ=MONTHLY;BYDAY=-1FR\nEND:VEVENT\nBEGIN:VEVENT\n"
            "UID:a\nDTSTAMP:20260101T000000Z\nRECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260227T100000\n"
            "DTSTART;TZID=Europe/Berlin:20260227T120000\nEND:VEVENT"
        ),
        calendar("BEGIN:VFREEBUSY\nUID:a\nDTSTAMP:20260101T000000Z\nFREEBUSY:20260301T080000Z/PT1H\nEND:VFREEBUSY"),
        calendar(
            "BEGIN:VAVAILABILITY\nUID:a\nDTSTAMP:20260101T000000Z\nPRIORITY:1\nBEGIN:AVAILABLE\nUID:b\n"
            "DTSTART:20260101T080000Z\nDTEND:20260101T160000Z\nRRULE:FREQ=DAILY\nEND:AVAILABLE\nEND:VAVAILABILITY"
        ),
        calendar("BEGIN:VJOURNAL\nUID:a\nDTSTAMP:20260101T000000Z\nDTSTART;VALUE=DATE:20260301\nEND:VJOURNAL"),
    )
)  # fmt: skip

CARDS = tuple(
    content.decode()
    for content in (
        card("a", more="TEL;TYPE=WORK,VOICE:+49 30 123\nADR;TYPE=HOME:;;Weg 1;Berlin;;10115;DE\nBDAY:1980-02-29"),
        card("a", version="4.0", more="KIND:group\nMEMBER:urn:uuid:x\nPHOTO:data:image/png;base64,AAAA\nX-A;B=\"c,d\":e"),
        card("a", more="item1.EMAIL;TYPE=pref:a@example.org\nitem1.X-ABLabel:_$!<Home>!$_\nPHOTO;ENCODING=b;TYPE=JPEG:AAAA"),
    )
)  # fmt: skip

VALUES = (
    "", "0", "-1", "x", "P", "PT", "P1W", "-P9999999999D", "PT99999999999S", "+PT1H", "20260230T000000Z", "00000000T000000",
    "99991231T235959Z", "00010101T000000Z", "18991231", "20260101T240000", "20260101T235960Z", "20260101T000000Z/P1D",
    "20260101T000000Z/20250101T000000Z", "FREQ=SECONDLY", "FREQ=DAILY;COUNT=0", "FREQ=YEARLY;INTERVAL=0",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;UNTIL=19000101", "FREQ=MINUTELY;COUNT=999999999",
    "FREQ=WEEKLY;BYDAY=XX", "FREQ=YEARLY;BYSETPOS=400;BYDAY=MO", "FREQ=DAILY;BYHOUR=25", "FREQ=", "RSCALE=CHINESE;FREQ=YEARLY",
    "FREQ=DAILY;INTERVAL=99999999999999", "FREQ=YEARLY;BYWEEKNO=53;BYDAY=-5MO", "TRUE", "\\", "\\n\\,\\;", "\\x", "a" * 300,
    "\u00e4\u2028\ufeff", "\x01", "\t", "mailto:a@example.org", "urn:uuid:", "data:,", "data:image/png;base64,!!", ";;;;;;", ",,,",
    "4.0", "2.1", "1e400", "NaN", "infinity", "²", "١٢٣",
)  # fmt: skip
HEADS = (
    "DTSTART", "DTSTART;VALUE=DATE", "DTSTART;TZID=Mars/Olympus", "DTSTART;TZID=", "DTEND", "DUE", "DURATION", "RRULE", "RDATE",
    "RDATE;VALUE=PERIOD", "EXDATE", "EXRULE", "RECURRENCE-ID", "RECURRENCE-ID;RANGE=THISANDFUTURE", "TRIGGER", "TRIGGER;RELATED=END",
    "REPEAT", "TZOFFSETTO", "TZOFFSETFROM", "TZID", "UID", "VERSION", "METHOD", "FREEBUSY", "FREEBUSY;FBTYPE=", "PRIORITY",
    "BUSYTYPE", "BEGIN", "END", "FN", "N", "ADR", "TEL;TYPE=\"", "PHOTO;ENCODING=b", "PHOTO;ENCODING=QUOTED-PRINTABLE", "BDAY",
    "NOTE;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE", "item1.TEL", ".TEL", "X-;=;", "KIND", "MEMBER", "REV", "SEQUENCE", "",
    "SUMMARY;LANGUAGE", "ATTENDEE;CN=\"a:b;c\"", "CATEGORIES", "GEO", "COMPLETED", "CREATED",
)  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with new_world(tmp_path_factory.mktemp("objects")) as made:
        made.add_user("anna")
        made.add_collection("work")
        made.add_collection("friends", Kind.ADDRESSBOOK)
        yield made


@st.composite
def mangled(draw: st.DrawFn, samples: tuple[str, ...]) -> bytes:
    """A valid object, some lines of which are gone, doubled, moved, changed or made up."""
    text = draw(st.sampled_from(samples)).split("\r\n")[:-1]
    for _ in range(draw(st.integers(1, 4))):
        if not text:
            break
        place, other = (draw(st.integers(0, len(text) - 1)) for _ in range(2))
        value = draw(st.one_of(st.sampled_from(VALUES), st.text(max_size=12)))
        match draw(st.sampled_from(["value", "value", "line", "line", "remove", "double", "swap", "cut"])):
            case "value":
                text[place] = text[place].partition(":")[0] + ":" + value
            case "line":
                text.insert(place, f"{draw(st.sampled_from(HEADS))}:{value}")
            case "remove":
                del text[place]
            case "double":
                text.insert(other, text[place])
            case "swap":
                text[place], text[other] = text[other], text[place]
            case "cut":
                text[place] = text[place][: draw(st.integers(0, 20))]
    end = draw(st.sampled_from(["\r\n", "\r\n", "\n", "\r"]))
    return end.join([*text, ""]).encode("utf-8", "surrogatepass")


def quick(send: Callable[..., Answer], *arguments: str | bytes, **headers: str) -> Answer:
    """A request, and what holds for every answer."""
    begin = time.perf_counter()
    answer = send(*arguments, **headers)
    if time.perf_counter() - begin > SECONDS:  # the machine may have been busy
        begin = time.perf_counter()
        answer = send(*arguments, **headers)
    assert time.perf_counter() - begin <= SECONDS
    assert answer.status < 500, answer.body
    return answer


def stored(dav: EngineDav, path: str, content: bytes) -> bool:
    """PUT, and whether what was said of it is true."""
    answer = quick(dav.put, path, content)
    if answer.status not in (201, 204):
        assert answer.status in (403, 409, 415), answer.body
        assert answer.condition.startswith((CALDAV, CARDDAV, DAV)), answer.body
        assert len(answer.sentence) > 10
        return False
    got = quick(dav.get, path)
    assert got.status == 200
    # RFC 4791 5.3.4: a strong ETag is only given for bytes that were stored as they came.
    assert (got.body == content) == (answer.etag is not None)
    assert answer.etag in (None, got.etag)
    return True


SPANS = (
    'start="20260301T000000Z" end="20260401T000000Z"',
    'start="20260101T000000Z"',
    'end="20260101T000000Z"',
    'start="00010101T000000Z" end="99991231T235959Z"',
)


@_PROFILE
@given(mangled(OBJECTS))
@example(event("a", start="99991231T235959Z", more="RRULE:FREQ=YEARLY"))
@example(event("a", start="00010101T000000Z", more="RRULE:FREQ=YEARLY"))
@example(event("a", more="RRULE:FREQ=YEARLY;COUNT=2\nRDATE:99991231T235959Z\nEXDATE:00010101T000000Z"))
def test_a_calendar_object_of_any_shape(world: World, content: bytes) -> None:
    dav, place = world.client(), "/anna/work/"
    path = place + "a.ics"
    if not stored(dav, path, content):
        return

    for span in SPANS:
        for kind in ("VEVENT", "VTODO", "VAVAILABILITY"):
            filters = f'<C:comp-filter name="{kind}"><C:time-range {span}/></C:comp-filter>'
            whole(quick(dav.query, place, filters))
        alarm = f'<C:comp-filter name="VALARM"><C:time-range {span}/></C:comp-filter>'
        whole(quick(dav.query, place, f'<C:comp-filter name="VEVENT">{alarm}</C:comp-filter>'))
    for name in ("expand", "limit-recurrence-set", "limit-freebusy-set"):
        data = f"<D:getetag/><C:calendar-data><C:{name} {SPANS[0]}/></C:calendar-data>"
        found = whole(quick(dav.query, place, "", props=data))
        assert found.findtext(f".//{DAV}getetag")
    busy = quick(dav.report, place, f"<C:free-busy-query {NS}><C:time-range {SPANS[0]}/></C:free-busy-query>")
    assert busy.status == 200
    assert quick(dav.get, place).body.startswith(b"BEGIN:VCALENDAR")
    as_data = whole(quick(dav.query, place, "", props="<C:calendar-data/>"))
    # XML cannot hold every character, and every XML parser makes CRLF a line feed.
    plain = dav.get(path).body.decode()
    assert (as_data.findtext(f".//{CALDAV}calendar-data") or "").split() == plain.split()
    assert dav.delete(path).status == 204


@_PROFILE
@given(mangled(CARDS))
def test_a_card_of_any_shape(world: World, content: bytes) -> None:
    dav, place = world.client(), "/anna/friends/"
    path = place + "a.vcf"
    if not stored(dav, path, content):
        return

    for props in (
        "<CR:address-data/>",
        '<CR:address-data version="3.0"/>',
        '<CR:address-data version="4.0"/>',
        '<CR:address-data version="4.0"><CR:prop name="FN"/><CR:prop name="N" novalue="yes"/></CR:address-data>',
    ):
        found = whole(quick(dav.multiget, place, path, props=props, card=True))
        assert (found.findtext(f".//{CARDDAV}address-data") or "").startswith("BEGIN:VCARD")
    for name in ("FN", "TEL", "ADR", "item1.TEL"):
        condition = f'<CR:prop-filter name="{name}"><CR:text-match>e</CR:text-match></CR:prop-filter>'
        whole(quick(dav.search, place, condition))
    assert quick(dav.get, place).status == 200
    assert dav.delete(path).status == 204


def whole(answer: Answer) -> ElementTree.Element:
    """The multistatus, which is well-formed."""
    assert answer.status == 207, answer.body
    return answer.xml()


@_PROFILE
@given(st.binary(max_size=300), st.sampled_from(["/anna/work/a.ics", "/anna/friends/a.vcf"]))
@example(lines("BEGIN:VCALENDAR\nEND:VCALENDAR\n"), "/anna/work/a.ics")
@example(b"\xef\xbb\xbf" + event("a"), "/anna/work/a.ics")
@example(event("a").decode().encode("utf-16"), "/anna/work/a.ics")
def test_bytes_of_any_kind(world: World, content: bytes, path: str) -> None:
    dav = world.client()

    if stored(dav, path, content):
        assert dav.delete(path).status == 204
