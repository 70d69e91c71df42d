"""Real files of real programs through the real server: kept, repaired and noted, or refused in words.

A file that holds several objects is no calendar object resource (RFC 4791 4.1); it is sent
whole first, and then object by object as a client would.
"""

from __future__ import annotations

import json
import time
from itertools import islice
from pathlib import Path

import pytest

from davclient import CALDAV, CARDDAV, DAV, NS, Dav
from serverprocess import tagwerk
from tagwerk.errors import TagwerkError
from tagwerk.ical.split import split as split_calendar
from tagwerk.vcard.split import split as split_cards

SECONDS = 1.0
"""What one file may take, as the issue has it; measured again where the machine was busy."""


def files(corpus: Path) -> list[Path]:
    return sorted(path for path in corpus.rglob("*") if path.suffix in (".ics", ".vcf"))


def send(client: Dav, place: str, name: str, body: bytes, problems: list[str]) -> bool:
    """PUT, and check everything that can be said of the answer; True if it was stored."""
    href = place + name
    namespace = CARDDAV if name.endswith(".vcf") else CALDAV
    begin = time.perf_counter()
    answer = client.put(href, body)
    if time.perf_counter() - begin > SECONDS:
        begin = time.perf_counter()
        answer = client.put(href, body)
    if (took := time.perf_counter() - begin) > SECONDS:
        problems.append(f"{name} took {took:.1f} s")
    if answer.status in (201, 204):
        got = client.get(href)
        same = got.body == body
        if same != (answer.etag is not None):
            problems.append(
                f"{name}: ETag {answer.etag} though the bytes are {'the same' if same else 'others'}"
            )
        if answer.etag not in (None, got.etag):
            problems.append(f"{name}: PUT says {answer.etag}, GET {got.etag}")
        return True
    if answer.status not in (403, 409, 412, 413, 415):
        problems.append(f"{name}: {answer.status} {answer.body[:200]!r}")
    elif not answer.condition.startswith((namespace, DAV)) or len(answer.sentence) < 10:
        problems.append(f"{name}: refused without a reason: {answer.body[:300]!r}")
    return False


@pytest.fixture
def places(account) -> dict[str, str]:
    """A new user's calendar for everything, and address book."""
    account("MKCALENDAR", f"/{account.user}/all/")
    return {".ics": f"/{account.user}/all/", ".vcf": f"/{account.user}/contacts/"}


def repaired_and_not(account, places, stored: dict[str, bytes]) -> tuple[set[str], set[str]]:
    changed, same = set(), set()
    for href, body in stored.items():
        (same if account.get(href).body == body else changed).add(href)
    return changed, same


@pytest.mark.slow
def test_every_file_is_kept_or_repaired_or_refused_in_words(server, account, places, corpus):
    problems: list[str] = []
    stored: dict[str, bytes] = {}
    found = files(corpus)
    for number, path in enumerate(found):
        place = places[path.suffix]
        if path.suffix == ".ics":
            # Half of the samples have the UIDs of others; several calendars take more of them.
            place = place.replace("/all/", f"/all{number % 8}/")
            account("MKCALENDAR", place)
        name = f"{number}-{path.name}".replace(" ", "%20")
        if send(account, place, name, path.read_bytes(), problems):
            stored[place + name] = path.read_bytes()

    changed, same = repaired_and_not(account, places, stored)
    noted = {"/" + note.partition(": ")[0] for note in notes(server)}

    assert problems == []
    assert len(found) > 200
    assert len(same) > 50, f"only {len(same)} of {len(found)} were kept as they are"
    assert changed <= noted
    assert not same & noted


def notes(server) -> list[str]:
    """What `tagwerk check` tells about repairs."""
    checked = tagwerk("check", "--json", "--data", server.data)
    report = json.loads(checked.stdout)
    assert report["ok"], report["problems"]
    found: list[str] = report["notes"]
    return found


@pytest.mark.slow
def test_every_object_of_every_file_is_kept_or_repaired_or_refused_in_words(account, places, corpus):
    problems: list[str] = []
    sent = kept = 0
    for number, path in enumerate(files(corpus)):
        for index, part in enumerate(objects_of(path)):
            sent += 1
            kept += send(account, places[path.suffix], f"{number}-{index}{path.suffix}", part, problems)

    assert problems == []
    assert kept > 0.8 * sent, f"{kept} of {sent} were stored"


def objects_of(path: Path, most: int = 60) -> list[bytes]:
    """The objects of a file, as an import makes them; none where it cannot be read at all."""
    split = split_calendar if path.suffix == ".ics" else split_cards
    parts = (part.content for part in split(path.read_bytes()) if part.content)
    try:
        return list(islice(parts, most))
    except TagwerkError:
        return []


@pytest.mark.slow
def test_reports_over_the_corpus_are_answered_whatever_is_in_it(account, places, corpus):
    for number, path in enumerate(files(corpus)):
        account.put(f"{places[path.suffix]}{number}{path.suffix}", path.read_bytes())
    calendar, book = places[".ics"], places[".vcf"]
    count = len(account.propfind(calendar, DAV + "getetag", depth="1")) - 1
    years = 'start="20040101T000000Z" end="20100101T000000Z"'

    begin = time.perf_counter()
    everything = account.query(calendar, "", props="<D:getetag/><C:calendar-data/>").multistatus()
    expanded = account.query(
        calendar,
        f'<C:comp-filter name="VEVENT"><C:time-range {years}/></C:comp-filter>',
        props=f"<D:getetag/><C:calendar-data><C:expand {years}/></C:calendar-data>",
    ).multistatus()
    busy = account.report(calendar, f"<C:free-busy-query {NS}><C:time-range {years}/></C:free-busy-query>")
    cards = account.search(book, "", props="<CR:address-data/>").multistatus()
    whole = account.get(calendar)
    took = time.perf_counter() - begin

    assert len(everything) == count
    assert expanded.names
    assert busy.status == 200
    assert len(cards) > 10
    assert whole.status == 200
    assert took < 15


def test_a_user_may_send_the_corpus_into_an_address_book_too(account, corpus):
    """The wrong kind of collection refuses every calendar with a precondition of its own."""
    problems: list[str] = []
    for number, path in enumerate(files(corpus)[:40]):
        kind = "text/vcard"
        answer = account.put(
            f"/{account.user}/contacts/{number}.vcf", path.read_bytes(), **{"Content-Type": kind}
        )
        if answer.status not in (403, 415) or not answer.sentence:
            problems.append(f"{path.name}: {answer.status} {answer.body[:100]!r}")

    assert problems == []
