"""What `tagwerk serve` has stored and vobject cannot read is served all the same."""

from __future__ import annotations

import pytest
import vobject
from stock import NOW, card, event

from tagwerk.ical import resource as ical_resource
from tagwerk.store.collections import find_binding
from tagwerk.store.objects import put_object

CALENDAR = "/anna/calendar/"
C = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
RANGE = 'start="20260301T000000Z" end="20260302T000000Z"'

ODD = event("odd").replace("SUMMARY:", "CREATED:yesterday\r\nSUMMARY:")


@pytest.fixture
def odd(anna, engine):
    """A calendar with one event that vobject cannot read and one that it can."""
    with pytest.raises(vobject.base.ParseError):
        vobject.readOne(ODD)
    with engine.write() as txn:
        collection = find_binding(txn, "anna", "calendar").collection.id
        put_object(txn, collection, "odd.ics", upload=ical_resource.read(ODD.encode(), now=NOW), now=NOW)
    assert anna("PUT", CALENDAR + "plain.ics", event("plain")).status == 201
    return anna


def query(data: str, inner: str) -> str:
    return (
        f'<C:calendar-query {C}><prop><getetag/>{data}</prop><C:filter><C:comp-filter name="VCALENDAR">'
        f'<C:comp-filter name="VEVENT">{inner}</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>'
    )


@pytest.mark.parametrize(
    "inner",
    [
        "",
        f"<C:time-range {RANGE}/>",
        '<C:prop-filter name="SUMMARY"><C:text-match>frühstück</C:text-match></C:prop-filter>',
        '<C:prop-filter name="LOCATION"><C:is-not-defined/></C:prop-filter>',
    ],
)
def test_it_is_found(odd, inner):
    answer = odd("REPORT", CALENDAR, query("<C:calendar-data/>", inner))

    assert set(answer.statuses()) == {CALENDAR + "odd.ics", CALENDAR + "plain.ics"}
    assert "CREATED:yesterday" in answer.text


def test_it_is_left_out_where_events_are_expanded_and_the_log_has_nothing_of_it(odd, caplog):
    data = f"<C:calendar-data><C:expand {RANGE}/></C:calendar-data>"

    answer = odd("REPORT", CALENDAR, query(data, f"<C:time-range {RANGE}/>"))

    assert answer.status == 207
    assert CALENDAR + "plain.ics" in answer.statuses()
    said = {record.getMessage() for record in caplog.records if record.levelname == "ERROR"}
    assert said == {"vobject cannot read or expand an object in /anna/calendar/, which is left out."}


def test_free_busy_is_answered_for_the_others(odd):
    busy = event("busy").replace("SUMMARY", "DTEND:20260301T090000Z\r\nSUMMARY")
    odd("PUT", CALENDAR + "busy.ics", busy)

    answer = odd("REPORT", CALENDAR, f"<C:free-busy-query {C}><C:time-range {RANGE}/></C:free-busy-query>")

    assert answer.status == 200
    assert "20260301T080000Z/20260301T090000Z" in answer.text


def test_it_can_be_read_listed_replaced_and_removed(odd):
    listed = odd.propfind(CALENDAR, "{DAV:}getcontentlength", "{DAV:}getetag", depth="1")
    got = odd("GET", CALENDAR + "odd.ics")
    whole = odd("GET", CALENDAR)
    replaced = odd("PUT", CALENDAR + "odd.ics", event("odd"))
    removed = odd("DELETE", CALENDAR + "odd.ics")

    assert got.text == ODD
    assert f">{len(got.body)}<" in listed.text
    assert "CREATED:yesterday" in whole.text
    assert (replaced.status, removed.status) == (204, 200)


def test_a_report_with_a_filter_that_is_none_is_refused(odd):
    answers = [
        odd("REPORT", CALENDAR, query("", '<C:time-range start="yesterday"/>')),
        odd("REPORT", CALENDAR, query("", '<C:time-range start="20260302T000000Z" end="20260301T000000Z"/>')),
    ]

    assert [answer.status for answer in answers] == [400, 400]


def test_a_query_without_a_filter_finds_everything(odd):
    answer = odd("REPORT", CALENDAR, f"<C:calendar-query {C}><prop><getetag/></prop></C:calendar-query>")

    assert len(answer.statuses()) == 2


def test_a_card_keeps_what_vobject_would_lose(anna, engine):
    from tagwerk.vcard.resource import read

    sent = card("a").replace("END:VCARD", "item1.X-ABLABEL:_$!<Other>!$_\r\nEND:VCARD").encode()
    with engine.write() as txn:
        collection = find_binding(txn, "anna", "contacts").collection.id
        put_object(txn, collection, "a.vcf", upload=read(sent), now=NOW)

    assert anna("GET", "/anna/contacts/a.vcf").body == sent
    assert anna("GET", "/anna/contacts/").body == sent
