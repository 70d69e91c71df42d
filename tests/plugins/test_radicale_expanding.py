"""What stock Radicale could not expand, of its own or because a part of it is masked, spoils no report."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from sharedstock import PLACES, SharedWorld, shared_world
from stock import NOW

from tagwerk.ical import resource as ical_resource
from tagwerk.store.collections import find_binding
from tagwerk.store.objects import put_object

C = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
WEEK = 'start="20260601T000000Z" end="20260608T000000Z"'
QUERY = (
    f"<C:calendar-query {C}><prop><getetag/><C:calendar-data><C:expand {WEEK}/></C:calendar-data></prop>"
    '<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">'
    f"<C:time-range {WEEK}/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"
)
FREE_BUSY = f"<C:free-busy-query {C}><C:time-range {WEEK}/></C:free-busy-query>"

UTC = "DTSTART:20260602T080000Z\nDTEND:20260602T090000Z\nRRULE:FREQ=DAILY;COUNT=3\n"
FLOATING = UTC.replace("00Z", "00")
NOWHERE = FLOATING.replace("DTSTART", "DTSTART;TZID=Nowhere").replace("DTEND", "DTEND;TZID=Nowhere")
MOVED = "RECURRENCE-ID:20260603T080000Z\nDTSTART:20260603T100000Z\nDTEND:20260603T110000Z\n"
OTHER = MOVED.replace("603", "604")

SEEN: dict[str, tuple[list[str], list[str]]] = {
    "a private series with a public override": (
        [UTC + "CLASS:PRIVATE\n", MOVED + "CLASS:PUBLIC\n"],
        ["0310"],
    ),
    "an override alone": ([MOVED + "CLASS:CONFIDENTIAL\n"], ["0310"]),
    "overrides alone": ([MOVED, OTHER], ["0310", "0410"]),
    "an override of all-day events alone": (
        ["RECURRENCE-ID;VALUE=DATE:20260603\nDTSTART;VALUE=DATE:20260604\nDTEND;VALUE=DATE:20260605\n"],
        ["0400"],
    ),
    "a masked series in an unknown zone": ([NOWHERE + "CLASS:CONFIDENTIAL\n"], ["0208", "0308", "0408"]),
    "a floating series": ([FLOATING + "EXDATE:20260603T080000\n"], ["0208", "0408"]),
    "a floating series with an override that has a zone": ([FLOATING, MOVED], ["0208", "0310", "0408"]),
    "an exception that is a day": ([UTC + "EXDATE;VALUE=DATE:20260603\n"], ["0208", "0408"]),
    "an override that names a day": (
        [UTC, MOVED.replace("RECURRENCE-ID:20260603T080000Z", "RECURRENCE-ID;VALUE=DATE:20260603")],
        ["0208", "0310", "0408"],
    ),
    "an end in an unknown zone": (
        ["DTSTART:20260602T080000Z\nDTEND;TZID=Nowhere:20260602T090000\n"],
        ["0208"],
    ),
    "a rule that dateutil does not know": ([UTC.replace("FREQ", "RSCALE=GREGORIAN;FREQ")], []),
}
"""Events of one object, and day and hour of what a sharee sees of them."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedWorld]:
    with shared_world(tmp_path_factory.mktemp("expanding")) as made:
        yield made


@pytest.fixture
def put(world: SharedWorld):
    """Make the events of one object all that happens in that week, beside a plain one."""

    def put(*events: str) -> None:
        plain = "DTSTART:20260607T120000Z\nDTEND:20260607T130000Z\n"
        with world.store.write() as txn:
            collection = find_binding(txn, "anna", "work").collection.id
            for uid, parts in (("odd", events), ("beside", (plain,))):
                upload = ical_resource.read(calendar(uid, *parts).encode(), now=NOW)
                put_object(txn, collection, f"{uid}.ics", upload=upload, now=NOW)

    return put


def calendar(uid: str, *events: str) -> str:
    inner = "".join(
        f"BEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20260101T000000Z\n{each}END:VEVENT\n" for each in events
    )
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//T//EN\n{inner}END:VCALENDAR\n".replace("\n", "\r\n")


def begins(text: str, pattern: str) -> list[str]:
    """Day and hour of what begins in June."""
    return sorted(
        f"{day}{hour or '00'}" for day, hour in re.findall(pattern + r"202606(\d\d)(?:T(\d\d))?", text)
    )


@pytest.mark.parametrize("name", SEEN)
@pytest.mark.parametrize("user", ["will", "bea"])
def test_a_sharee_is_told_of_it_as_far_as_radicale_can(world: SharedWorld, put, user: str, name: str) -> None:
    events, seen = SEEN[name]
    put(*events)

    expanded = world.client(user)("REPORT", PLACES[user], QUERY)
    busy = world.client(user)("REPORT", PLACES[user], FREE_BUSY)

    assert (expanded.status, busy.status) == (207, 200)
    assert begins(expanded.text, "DTSTART[^:]*:") == [*seen, "0712"]
    assert begins(busy.text, r"\nFREEBUSY[^:\n]*:") == [*seen, "0712"]


@pytest.mark.parametrize("name", SEEN)
def test_the_owner_is_told_of_it_too(world: SharedWorld, put, name: str) -> None:
    put(*SEEN[name][0])

    expanded = world.client("anna")("REPORT", PLACES["anna"], QUERY)
    busy = world.client("anna")("REPORT", PLACES["anna"], FREE_BUSY)

    assert (expanded.status, busy.status) == (207, 200)
    assert begins(expanded.text, "DTSTART[^:]*:") == begins(busy.text, r"\nFREEBUSY[^:\n]*:")


def test_an_event_without_a_zone_that_does_not_recur_stays_so(world: SharedWorld, put) -> None:
    put("DTSTART:20260602T080000\nDTEND:20260602T090000\n")

    expanded = world.client("will")("REPORT", PLACES["will"], QUERY)

    assert "DTSTART:20260602T080000\r" in expanded.text.replace("\n", "\r")
