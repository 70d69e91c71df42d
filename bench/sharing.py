"""What sharing costs: the same requests as owner and through shares, on the DAV engine itself.

    python bench/sharing.py [--events 5000] [--shares 500] [--repeat 7]

Medians in milliseconds, and how many times the owner's time a share costs.  The last rows are
a home with so many collections: all its owner's, and all shared with them.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tagwerk import settings as configuration
from tagwerk.accounts.users import add_user
from tagwerk.dav.engine import DavEngine
from tagwerk.dav.message import Request
from tagwerk.ical import resource
from tagwerk.model import Access, Kind, Principal
from tagwerk.sharing.shares import By, share
from tagwerk.store import Engine, open_engine
from tagwerk.store.collections import binding_to, create_collection, find_binding
from tagwerk.store.objects import put_object

NOW = int(time.time())
LEVELS = ("owner", "manage", "write", "read", "busy")

_NS = (
    'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CS="http://calendarserver.org/ns/"'
    ' xmlns:I="http://apple.com/ns/ical/"'
)
_DATA = "<D:prop><D:getetag/><C:calendar-data/></D:prop>"
_HOME = (
    f"<D:propfind {_NS}><D:prop><D:add-member/><D:current-user-privilege-set/><D:displayname/><D:owner/>"
    "<D:quota-available-bytes/><D:quota-used-bytes/><D:resource-id/><D:resourcetype/><D:supported-report-set/>"
    "<D:sync-token/><C:calendar-description/><C:calendar-free-busy-set/><C:calendar-timezone/>"
    "<C:schedule-calendar-transp/><C:supported-calendar-component-set/><CS:allowed-sharing-modes/><CS:getctag/>"
    "<CS:invite/><CS:pre-publish-url/><CS:publish-url/><CS:shared-url/><CS:source/><I:calendar-color/>"
    "<I:calendar-order/></D:prop></D:propfind>"
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=5000)
    parser.add_argument("--shares", type=int, default=500)
    parser.add_argument("--repeat", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = configuration.load(None, data=Path(folder), environ={})
        store = open_engine(f"sqlite://{folder}/tagwerk.sqlite")
        people = _people(store)
        dav = DavEngine(store, settings)
        _fill(store, people["owner"], arguments.events)
        _of_calendars(dav, _places(store, people), arguments.repeat, arguments.events)
        _of_homes(store, dav, people, arguments.shares, arguments.repeat)
        store.close()


def _people(store: Engine) -> dict[str, Principal]:
    with store.write() as txn:
        return {name: add_user(txn, name, now=NOW) for name in (*LEVELS, "lister", "shared")}


def _event(number: int) -> bytes:
    chosen = random.Random(number)
    start = NOW + chosen.randrange(-300, 300) * 86400
    extra = chosen.choice(("", "", "RRULE:FREQ=WEEKLY;COUNT=20\r\n"))
    alarm = (
        "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT15M\r\nEND:VALARM\r\n"
        if chosen.random() < 0.3
        else ""
    )
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(start))
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//EN\r\nBEGIN:VEVENT\r\n"
        f"UID:{number}@bench\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:{stamp}\r\nDURATION:PT1H\r\n{extra}"
        f"SUMMARY:Event {number}\r\nDESCRIPTION:{'word ' * 40}\r\nLOCATION:Room {number % 17}\r\n{alarm}"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()


def _fill(store: Engine, owner: Principal, events: int) -> None:
    with store.write() as txn:
        binding = create_collection(txn, owner.id, name="bench", kind=Kind.CALENDAR, now=NOW)
        for number in range(events):
            upload = resource.read(_event(number), now=NOW)
            put_object(txn, binding.collection.id, f"{number}.ics", upload=upload, now=NOW)


def _places(store: Engine, people: dict[str, Principal]) -> dict[str, str]:
    """Where everybody sees the calendar."""
    found = {"owner": "/owner/bench/"}
    with store.write() as txn:
        binding = find_binding(txn, "owner", "bench")
        assert binding is not None
        for level in LEVELS[1:]:
            share(txn, binding, people[level], Access(level), by=By("bench", NOW))
            seen = binding_to(txn, people[level].id, binding.collection.id)
            assert seen is not None
            found[level] = f"/{level}/{seen.name}/"
    return found


def _ask(dav: DavEngine, method: str, path: str, body: str | bytes = "", **headers: str) -> tuple[int, bytes]:
    raw = body.encode() if isinstance(body, str) else body
    sent = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    response = dav.handle(Request(method, path, sent, raw, path.split("/")[1]))
    answered = response.body if isinstance(response.body, bytes) else b"".join(response.body)
    assert response.status < 300, (response.status, answered[:300])
    return response.status, answered


def _median(repeat: int, action: Callable[[], object]) -> float:
    action()
    taken = []
    for _ in range(repeat):
        begun = time.perf_counter()
        action()
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken)


def _of_calendars(dav: DavEngine, places: dict[str, str], repeat: int, events: int) -> None:
    start = time.strftime("%Y%m%dT000000Z", time.gmtime(NOW))
    end = time.strftime("%Y%m%dT000000Z", time.gmtime(NOW + 31 * 86400))
    span = f'<C:time-range start="{start}" end="{end}"/>'

    def query(asked: str, inside: str) -> str:
        return (
            f'<C:calendar-query {_NS}>{asked}<C:filter><C:comp-filter name="VCALENDAR">'
            f'<C:comp-filter name="VEVENT">{inside}</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>'
        )

    def sync(asked: str, token: str = "") -> str:
        return (
            f"<D:sync-collection {_NS}><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level>"
            f"{asked}</D:sync-collection>"
        )

    etags = "<D:prop><D:getetag/></D:prop>"
    expanded = f'<D:prop><D:getetag/><C:calendar-data><C:expand start="{start}" end="{end}"/></C:calendar-data></D:prop>'
    search = '<C:prop-filter name="SUMMARY"><C:text-match>Event 77</C:text-match></C:prop-filter>'
    poll = f"<D:propfind {_NS}><D:prop><CS:getctag/><D:sync-token/></D:prop></D:propfind>"
    numbers = random.Random(1).sample(range(events), min(100, events))
    rows: dict[str, Callable[[str], object]] = {
        "poll": lambda place: _ask(dav, "PROPFIND", place, poll, Depth="0"),
        "get-one": lambda place: _ask(dav, "GET", f"{place}{numbers[0]}.ics"),
        "propfind-depth1-etags": lambda place: _ask(
            dav, "PROPFIND", place, f"<D:propfind {_NS}>{etags}</D:propfind>", Depth="1"
        ),
        "sync-initial-etags": lambda place: _ask(dav, "REPORT", place, sync(etags)),
        "sync-initial-data": lambda place: _ask(dav, "REPORT", place, sync(_DATA)),
        "multiget-100": lambda place: _ask(
            dav,
            "REPORT",
            place,
            f"<C:calendar-multiget {_NS}>{_DATA}"
            + "".join(f"<D:href>{place}{number}.ics</D:href>" for number in numbers)
            + "</C:calendar-multiget>",
        ),
        "query-one-month": lambda place: _ask(dav, "REPORT", place, query(_DATA, span)),
        "query-one-month-expand": lambda place: _ask(dav, "REPORT", place, query(expanded, span)),
        "query-text": lambda place: _ask(dav, "REPORT", place, query(etags, search)),
        "free-busy-one-month": lambda place: _ask(
            dav, "REPORT", place, f"<C:free-busy-query {_NS}>{span}</C:free-busy-query>", Depth="1"
        ),
    }
    print(f"{'ms':26}" + "".join(f"{level:>16}" for level in places))
    for name, action in rows.items():
        _row(name, {who: _median(repeat, lambda a=action, p=place: a(p)) for who, place in places.items()})
    counter = iter(range(10**9))

    def put(place: str) -> object:
        number = next(counter) + 10**6
        return _ask(dav, "PUT", f"{place}{number}.ics", _event(number), Content_Type="text/calendar")

    writers = {who: place for who, place in places.items() if who in ("owner", "manage", "write")}
    _row("put-event", {who: _median(5 * repeat, lambda p=place: put(p)) for who, place in writers.items()})


def _of_homes(store: Engine, dav: DavEngine, people: dict[str, Principal], shares: int, repeat: int) -> None:
    with store.write() as txn:
        owners = [add_user(txn, f"owner{number}", now=NOW) for number in range(20)]
        for number in range(shares):
            create_collection(txn, people["lister"].id, name=f"own{number}", kind=Kind.CALENDAR, now=NOW)
            owner = owners[number % len(owners)]
            binding = create_collection(txn, owner.id, name=f"c{number}", kind=Kind.CALENDAR, now=NOW)
            share(txn, binding, people["shared"], Access.WRITE, by=By("bench", NOW))
    times = {
        who: _median(repeat, lambda w=who: _ask(dav, "PROPFIND", f"/{w}/", _HOME, Depth="1"))
        for who in ("lister", "shared")
    }
    print(f"\nA home with {shares} collections, the properties that iOS asks:")
    print(f"  its owner's {times['lister']:.1f} ms, shared {times['shared']:.1f} ms,", end=" ")
    print(f"{times['shared'] / times['lister']:.2f} times")


def _row(name: str, times: dict[str, float]) -> None:
    first = next(iter(times.values()))
    cells = [f"{value:8.2f} ({value / first:4.1f})" for value in times.values()]
    print(f"{name:26}" + "".join(f"{cell:>16}" for cell in cells))


if __name__ == "__main__":
    sys.exit(main())
