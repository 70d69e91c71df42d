"""Queries, expansion and free-busy through the engine against recurring-ical-events.

What is stored goes in by PUT and comes out by REPORT; what is expected is worked out from the
same bytes by `icalendar` and `recurring_ical_events`, which share no code with the server.
TAGWERK_EXAMPLES is the number of made-up calendars (60 without it); thousands take minutes.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from enginedav import EngineDav, World, new_world
from eventoracle import asked, expanded, expected, instant, queried, wanted
from madeevents import WRONG_ZONE, Made, events

EXAMPLES = int(os.environ.get("TAGWERK_EXAMPLES", "60"))
_PROFILE = settings(
    max_examples=EXAMPLES,
    deadline=None,
    # What is found is told at once: shrinking asks the slow oracle thousands of times.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with new_world(tmp_path_factory.mktemp("differential")) as made:
        made.add_user("anna")
        yield made


@st.composite
def windows(draw: st.DrawFn, made: list[Made]) -> tuple[int, int]:
    """A range near the start of an event, or far after it."""
    near = draw(st.sampled_from(made)).start
    days = draw(st.one_of(st.integers(-3, 30), st.integers(-40, 700), st.integers(700, 45_000)))
    start = near + timedelta(days=days, seconds=draw(st.integers(0, 86_399)))
    start = min(start, datetime(2140, 1, 1))
    size = draw(
        st.one_of(
            st.integers(1, 86_400),
            st.integers(86_400, 90 * 86_400),
            st.integers(200, 500).map((86_400).__mul__),
        )
    )
    first = instant(start, UTC)
    return first, first + size


PLACES = (UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Pacific/Auckland"))


def stored(world: World, made: list[Made]) -> tuple[EngineDav, str]:
    """The path of a new calendar with these objects in it."""
    path = world.add_collection(f"c{next(_numbers)}")
    dav = world.client()
    for number, one in enumerate(made):
        answer = dav.put(f"{path}{number}.ics", one.content)
        assert answer.status == 201, answer.body
    return dav, path


@_PROFILE
@given(st.data())
def test_made_up_calendars_are_queried_expanded_and_busy_as_the_oracle_says(
    world: World, data: st.DataObject
) -> None:
    made = [data.draw(events(uid=str(number))) for number in range(data.draw(st.integers(1, 3)))]
    dav, path = stored(world, made)

    contents = {f"{number}.ics": one.content for number, one in enumerate(made)}
    for _ in range(3):
        bounds, zone = data.draw(windows(made)), data.draw(st.sampled_from(PLACES))
        assert asked(dav, path, bounds, zone) == wanted(contents, bounds, zone)


@_PROFILE
@given(st.data())
def test_a_wrong_vtimezone_does_not_move_an_event_whose_zone_everybody_knows(
    world: World, data: st.DataObject
) -> None:
    one = data.draw(events(zones=(WRONG_ZONE,)))
    dav, path = stored(world, [one])

    bounds = data.draw(windows([one]))

    # The oracle takes Europe/Berlin for what it is, too.
    assert asked(dav, path, bounds, UTC) == wanted({"0.ics": one.content}, bounds, UTC)


def as_tasks(made: Made) -> bytes:
    """The same as a VTODO, which has no transparency."""
    text = made.content.replace(b"VEVENT", b"VTODO").replace(b"DTEND", b"DUE")
    return text.replace(b"TRANSP:TRANSPARENT\r\n", b"").replace(b"STATUS:TENTATIVE", b"STATUS:IN-PROCESS")


@_PROFILE
@given(st.data())
def test_tasks_recur_as_the_oracle_says(world: World, data: st.DataObject) -> None:
    # With DURATION instead of DUE the table of RFC 4791 9.9 has another row.
    one = data.draw(events().filter(lambda made: b"DURATION" not in made.content))
    content = as_tasks(one)
    dav, path = stored(world, [Made(content, one.start, one.tzid)])

    for _ in range(3):
        (start, end), zone = data.draw(windows([one])), data.draw(st.sampled_from(PLACES))
        known = expected(content, start, end, zone, component="VTODO")

        assert bool(queried(dav, path, start, end, zone, component="VTODO")) is bool(known)
        if known:
            assert expanded(dav, path, start, end, zone, component="VTODO") == {"0.ics": known}
