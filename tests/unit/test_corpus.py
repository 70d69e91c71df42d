"""Every file of the corpus is stored as it is, repaired with a sentence, or refused with a precondition."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from tagwerk import contentline
from tagwerk.errors import CALDAV, CARDDAV, InvalidCalendar, InvalidCard, Refused
from tagwerk.ical import export, resource, split
from tagwerk.model import Upload
from tagwerk.vcard import convert
from tagwerk.vcard import resource as card_resource
from tagwerk.vcard import split as card_split

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
NOW = 1_767_225_600  # 2026-01-01

CALENDARS = sorted(CORPUS.glob("*/*.ics"))
CARDS = sorted(CORPUS.glob("*/*.vcf"))

pytestmark = pytest.mark.skipif(not CALENDARS, reason=f"the corpus is not in {CORPUS}")

calendars = pytest.mark.parametrize("path", CALENDARS, ids=lambda path: path.stem)
cards = pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)


def stored(content: bytes) -> Upload | Refused:
    try:
        return resource.read(content, now=NOW)
    except InvalidCalendar as refused:
        return refused


def stored_card(content: bytes) -> Upload | Refused:
    try:
        return card_resource.read(content)
    except InvalidCard as refused:
        return refused


def fastest(function) -> float:
    """The shortest of three times in seconds, as other work on the machine only makes it longer."""
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return min(times)


@calendars
def test_a_calendar_file_is_stored_repaired_or_refused(path):
    content = path.read_bytes()

    outcome = stored(content)

    if isinstance(outcome, Refused):
        assert outcome.condition.startswith(CALDAV)
        assert str(outcome)
    else:
        assert bool(outcome.repairs) == (outcome.content != content)
        assert stored(outcome.content) == replace(outcome, repairs=())


@cards
def test_a_card_file_is_stored_repaired_or_refused(path):
    content = path.read_bytes()

    outcome = stored_card(content)

    if isinstance(outcome, Refused):
        assert outcome.condition.startswith(CARDDAV)
        assert str(outcome)
    else:
        assert bool(outcome.repairs) == (outcome.content != content)
        assert stored_card(outcome.content) == replace(outcome, repairs=())


@calendars
def test_nothing_of_a_calendar_file_is_lost_by_splitting(path):
    content = path.read_bytes()

    parts = list(split.split(content))

    assert parts
    assert parts == list(split.split(content))
    for part in parts:
        assert bool(part.content) != bool(part.problem)
    inside = [
        child
        for part in parts
        if part.content
        for child in contentline.parse(part.content.decode())[0].children
        if child.name != "VTIMEZONE"
    ]
    begun = [line.strip().upper() for line in content.decode("utf-8", "replace").splitlines()]
    kinds = {f"BEGIN:{kind}" for kind in ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY")}
    problems = [part for part in parts if part.problem]
    assert len(inside) + len(problems) >= sum(line in kinds for line in begun)


@calendars
def test_what_is_split_off_a_calendar_file_can_be_stored_unless_a_value_is_wrong(path):
    for part in split.split(path.read_bytes()):
        if part.problem:
            continue
        outcome = stored(part.content)
        if isinstance(outcome, Refused):
            assert outcome.condition in (
                CALDAV + "valid-calendar-data",
                CALDAV + "supported-calendar-data",
                CALDAV + "max-instances",
                CALDAV + "supported-rscale",
            )
        else:
            assert outcome.repairs == ()
            assert (outcome.facts.uid, outcome.facts.component) == (part.uid, part.component)


@cards
def test_every_card_of_a_file_can_be_imported_and_converted(path):
    parts = list(card_split.split(path.read_bytes()))

    assert [part.problem for part in parts] == [""] * len(parts)
    for part in parts:
        for version, other in (("3.0", "4.0"), ("4.0", "3.0")):
            converted = card_resource.read(convert.to_version(part.content, version))
            assert converted.repairs == ()
            assert converted.facts.uid == part.uid
            assert card_resource.read(convert.to_version(converted.content, other)).facts.uid == part.uid


@pytest.mark.parametrize("path", [*CALENDARS, *CARDS], ids=lambda path: path.stem)
def test_no_file_takes_long(path):
    content = path.read_bytes()

    def everything() -> None:
        if path.suffix == ".vcf":
            list(card_split.split(content))
            return
        stored(content)
        list(split.split(content))

    assert fastest(everything) < 0.2


def test_all_calendars_can_be_merged_and_split_again():
    outcomes = [stored(part.content) for path in CALENDARS for part in split.split(path.read_bytes())]
    uploads = [outcome for outcome in outcomes if isinstance(outcome, Upload)]

    merged = b"".join(export.merge([upload.content for upload in uploads]))

    expected = {(upload.facts.component, upload.facts.uid) for upload in uploads}
    found = {(part.component, part.uid) for part in split.split(merged) if not part.problem}
    assert len(expected) > 1000
    assert found == expected
