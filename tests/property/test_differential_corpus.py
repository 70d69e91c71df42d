"""Real calendars through the engine: queries, expansion and free-busy as recurring-ical-events says.

Each file goes in object by object, as an import brings it, and is asked about as it was stored.
Where the two differ on purpose, a comment in `DIFFERENT` says why ours is right.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import icalendar
import pytest

from enginedav import World, new_world
from eventoracle import asked, instant, wanted
from tagwerk.errors import TagwerkError
from tagwerk.ical.split import split

_CORPUS = Path(__file__).parents[2] / "../shared/corpus"

MOST_OBJECTS = max(4, int(os.environ.get("TAGWERK_EXAMPLES", "0")) // 10)
"""So many of each file; with TAGWERK_EXAMPLES=1000 nearly all there are."""

DIFFERENT = {
    # DTSTART is an instance even where UNTIL is before it (RFC 5545 3.8.5.3).
    "ical4j-lotr.ics",
    # DTSTART counts for COUNT where the rule does not match it (RFC 5545 3.3.10).
    "ical4j-korganizer_sample.ics",
    "ical4j-Christian32Holidays.ics",
    # DTEND that is DTSTART, both dates: the day of the event is shown.
    "icalendar-example.ics",
    # "Western/Central Europe" without a VTIMEZONE: Lotus Notes' name of a zone, floating for the library.
    "icalendar-issue_526_calendar_with_different_events.ics",
    "icalendar-issue_526_calendar_with_event_subset.ics",
    "icalendar-issue_526_calendar_with_events.ics",
    "icalendar-issue_526_calendar_with_shuffeled_events.ics",
}


def files() -> list[Path]:
    return sorted(_CORPUS.glob("i*/*.ics"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with new_world(tmp_path_factory.mktemp("corpus")) as made:
        made.add_user("anna")
        yield made


def objects_of(path: Path) -> list[bytes]:
    """The objects of a file; none where it cannot be read at all."""
    try:
        return list(islice((part.content for part in split(path.read_bytes()) if part.content), MOST_OBJECTS))
    except TagwerkError:
        return []


def windows(content: bytes) -> list[tuple[int, int]]:
    """A few years around everything, and a while around the first starts."""
    calendar = icalendar.Calendar.from_ical(content)
    starts = sorted(
        {instant(event["DTSTART"].dt, UTC) for event in calendar.walk("VEVENT") if "DTSTART" in event}
    )
    starts = [start for start in starts if start > instant(datetime(1902, 1, 1), UTC)]
    if not starts:
        return []
    near = [(start + offset, start + offset + size) for start in starts[:2] for offset, size in SPOTS]
    return [(starts[0] - 30 * DAY, starts[-1] + 400 * DAY), *near]


DAY = 86_400
SPOTS = ((0, 1), (-3600, 3600), (-DAY, DAY), (370 * DAY, 7 * DAY))


@pytest.mark.skipif(not _CORPUS.is_dir(), reason="the corpus of real calendars is not there")
@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_the_events_of_a_real_file_are_found_where_the_oracle_finds_them(world: World, path: Path) -> None:
    place = world.add_collection(path.name)
    dav = world.client()
    compared = 0
    for number, content in enumerate(objects_of(path)):
        name = f"{number}.ics"
        if dav.put(place + name, content).status != 201:
            continue
        stored = dav.get(place + name).body

        for bounds, zone, theirs in answers_of_the_oracle(name, stored):
            compared += 1
            if path.name not in DIFFERENT:
                assert asked(dav, place, bounds, zone) == theirs

        assert dav.delete(place + name).status == 204
    if not compared:
        pytest.skip("nothing in it that the server takes and the oracle reads")


def answers_of_the_oracle(name: str, content: bytes) -> list[tuple[tuple[int, int], ZoneInfo, object]]:
    """What is expected of ranges that an object has to do with; nothing where the oracle gives up."""
    if b"BEGIN:VEVENT" not in content:
        return []
    zones = ZoneInfo("UTC"), ZoneInfo("America/New_York")
    try:
        return [
            (bounds, zone, wanted({name: content}, bounds, zone))
            for number, bounds in enumerate(windows(content))
            for zone in (zones if number else zones[:1])
        ]
    except Exception:  # in as many ways as there are broken files
        return []
