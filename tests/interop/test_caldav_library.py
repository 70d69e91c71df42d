"""Python's caldav against the server: create, search, sync, tasks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from davclient import Dav
from davsamples import event, task
from serverprocess import ServerProcess

caldav = pytest.importorskip("caldav", reason="caldav is not installed")
error = pytest.importorskip("caldav.lib.error")

pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("default")]

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def principal(server: ServerProcess, account: Dav) -> Iterator[object]:
    with caldav.DAVClient(url=server.url, username=account.user, password="secret") as client:
        yield client.principal()


def summaries(found) -> list[str]:
    return sorted(str(one.icalendar_component["SUMMARY"]) for one in found)


def test_the_principal_has_the_calendars_of_a_new_user(principal):
    names = {calendar.get_display_name() for calendar in principal.calendars()}

    assert names == {"Calendar", "Tasks"}


def test_a_calendar_is_made_used_and_deleted(principal):
    calendar = principal.make_calendar(name="Neu", cal_id="neu")
    calendar.save_event(dtstart=START, dtend=START + timedelta(hours=1), summary="Termin")

    assert [calendar.get_display_name() for calendar in principal.calendars()].count("Neu") == 1
    assert summaries(calendar.events()) == ["Termin"]
    calendar.delete()
    with pytest.raises(error.NotFoundError):
        calendar.events()


def test_searches(principal):
    calendar = principal.make_calendar(name="Suche")
    calendar.save_event(
        dtstart=START, dtend=START + timedelta(hours=1), summary="Zahnarzt", categories=["privat"]
    )
    calendar.save_event(
        dtstart=START + timedelta(days=40), dtend=START + timedelta(days=40, hours=1), summary="Später"
    )
    calendar.save_event(dtstart=date(2026, 3, 3), summary="Ganztags")
    calendar.save_event(
        dtstart=START, dtend=START + timedelta(hours=1), summary="Wöchentlich", rrule={"FREQ": "WEEKLY"}
    )

    month = {
        "start": datetime(2026, 3, 1, tzinfo=UTC),
        "end": datetime(2026, 4, 1, tzinfo=UTC),
        "event": True,
    }
    assert summaries(calendar.search(**month)) == ["Ganztags", "Wöchentlich", "Zahnarzt"]
    assert summaries(calendar.search(event=True, summary="Zahn")) == ["Zahnarzt"]
    assert summaries(calendar.search(event=True, category="privat")) == ["Zahnarzt"]
    assert summaries(calendar.search(**month, expand=True)).count("Wöchentlich") == 5
    assert calendar.search(event=True, summary="niemals") == []


def test_a_changed_event_is_saved_and_a_lost_race_is_seen(principal):
    calendar = principal.make_calendar(name="Rennen")
    mine = calendar.save_event(dtstart=START, dtend=START + timedelta(hours=1), summary="eins")
    theirs = calendar.event_by_uid(mine.icalendar_component["UID"])

    theirs.icalendar_component["SUMMARY"] = "zwei"
    theirs.save()
    mine.load()

    assert mine.icalendar_component["SUMMARY"] == "zwei"


def test_sync_finds_every_change(principal):
    calendar = principal.make_calendar(name="Abgleich")
    first = calendar.save_event(event("a").decode())
    second = calendar.save_event(event("b").decode())
    known = calendar.objects_by_sync_token(load_objects=True)
    assert len(list(known)) == 2

    first.delete()
    second.icalendar_component["SUMMARY"] = "geändert"
    second.save()
    calendar.save_event(event("c").decode())
    updated, deleted = known.sync()

    assert len(list(updated)) == 2
    assert len(list(deleted)) == 1
    assert list(known.sync()[0]) == []


def test_tasks(principal):
    tasks = principal.make_calendar(name="Aufgaben", supported_calendar_component_set=["VTODO"])
    tasks.save_todo(task("offen", summary="offen").decode())
    done = tasks.save_todo(summary="erledigt", due=START)

    done.complete()

    assert summaries(tasks.todos()) == ["offen"]
    assert summaries(tasks.todos(include_completed=True)) == ["erledigt", "offen"]
    with pytest.raises(error.DAVError):
        tasks.save_event(dtstart=START, summary="kein Termin hier")


def test_journals(principal):
    calendar = principal.make_calendar(name="Tagebuch")

    calendar.save_journal(dtstart=date(2026, 3, 1), summary="Liebes Tagebuch")

    assert summaries(calendar.journals()) == ["Liebes Tagebuch"]


def test_free_busy(principal):
    calendar = principal.make_calendar(name="Frei")
    calendar.save_event(dtstart=START, dtend=START + timedelta(hours=1), summary="geheim")

    busy = calendar.freebusy_request(START - timedelta(days=1), START + timedelta(days=1))

    assert "20260302T090000Z" in busy.data
    assert "geheim" not in busy.data


def test_a_refused_object_is_an_error_and_not_stored(principal):
    calendar = principal.make_calendar(name="Streng")
    broken = event("a").decode().replace("DTSTART:20260301T080000Z", "DTSTART:20261301T080000Z")

    with pytest.raises(error.AuthorizationError):
        calendar.save_event(broken)

    assert calendar.events() == []
