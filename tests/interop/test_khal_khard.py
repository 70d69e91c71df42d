"""khal and khard on top of vdirsyncer: what a person sees and types, end to end."""

from __future__ import annotations

from pathlib import Path

import pytest
from programs import Program, program
from test_vdirsyncer import Machine

from davclient import DAV, Dav
from davsamples import BERLIN, card, event
from davsamples import calendar as vcalendar
from serverprocess import ServerProcess

pytestmark = pytest.mark.interop

KHAL = """\
[calendars]
[[calendar]]
path = {home}/calendars/calendar
[[tasks]]
path = {home}/calendars/tasks
readonly = True

[default]
default_calendar = calendar

[locale]
timeformat = %H:%M
dateformat = %Y-%m-%d
longdateformat = %Y-%m-%d
datetimeformat = %Y-%m-%d %H:%M
longdatetimeformat = %Y-%m-%d %H:%M
local_timezone = Europe/Berlin
default_timezone = Europe/Berlin

[sqlite]
path = {home}/khal.db
"""

KHARD = """\
[addressbooks]
[[contacts]]
path = {home}/contacts/contacts

[general]
default_action = list
editor = true
merge_editor = true

[vcard]
preferred_version = {version}
"""


@pytest.fixture
def laptop(tmp_path: Path, server: ServerProcess, account: Dav) -> Machine:
    home = tmp_path / "laptop"
    for folder in ("calendars", "contacts"):
        (home / folder).mkdir(parents=True)
    assert account.user is not None
    machine = Machine(home, program("vdirsyncer", home), server.url, account.user)
    machine("discover")
    machine.sync()
    return machine


@pytest.fixture
def khal(laptop: Machine) -> Program:
    (laptop.home / "khal.conf").write_text(KHAL.format(home=laptop.home))
    return program("khal", laptop.home)


def run_khal(khal: Program, *arguments: str) -> str:
    command, *rest = arguments
    return khal("-c", str(khal.home / "khal.conf"), command, *rest).stdout


@pytest.fixture(params=["3.0", "4.0"])
def khard(laptop: Machine, request: pytest.FixtureRequest) -> Program:
    (laptop.home / "khard.conf").write_text(KHARD.format(home=laptop.home, version=request.param))
    return program("khard", laptop.home)


def run_khard(khard: Program, *arguments: str, stdin: str = "") -> str:
    return khard("-c", str(khard.home / "khard.conf"), *arguments, stdin=stdin).stdout


def test_khal_shows_what_is_on_the_server(account, laptop, khal):
    account.put(f"/{account.user}/calendar/a.ics", event("a", start="20260302T080000Z", summary="Zahnarzt"))
    account.put(
        f"/{account.user}/calendar/w.ics",
        vcalendar(
            BERLIN
            + "BEGIN:VEVENT\nUID:w\nDTSTAMP:20260101T000000Z\nDTSTART;TZID=Europe/Berlin:20260105T140000\n"
            "DURATION:PT1H\nRRULE:FREQ=WEEKLY\nSUMMARY:Chor\nEND:VEVENT"
        ),
    )
    laptop.sync()

    shown = run_khal(khal, "list", "2026-03-02", "2026-03-03")

    assert "09:00-10:00 Zahnarzt" in shown
    assert "14:00-15:00 Chor" in shown


def test_what_is_typed_into_khal_is_found_by_a_query_on_the_server(account, laptop, khal):
    run_khal(khal, "new", "2026-03-04", "10:30", "11:00", "Besprechung Ä", "::", "mit Notiz")

    laptop.sync()

    place = f"/{account.user}/calendar/"
    found = account.query(
        place,
        '<C:comp-filter name="VEVENT"><C:time-range start="20260304T093000Z" end="20260304T094000Z"/></C:comp-filter>',
        props="<C:calendar-data/>",
    ).multistatus()
    assert "SUMMARY:Besprechung Ä" in found.only().text("{urn:ietf:params:xml:ns:caldav}calendar-data")


def test_an_event_that_is_moved_on_the_server_moves_in_khal(account, laptop, khal):
    run_khal(khal, "new", "2026-03-04", "10:30", "11:00", "Besprechung")
    laptop.sync()
    place = f"/{account.user}/calendar/"
    (href,) = [href for href in account.propfind(place, DAV + "getetag", depth="1") if href != place]
    got = account.get(href)
    account.put(
        href,
        got.body.replace(b"20260304T103000", b"20260305T103000").replace(b"20260304T11", b"20260305T11"),
        If_Match=got.etag,
    )

    laptop.sync()

    assert "Besprechung" not in run_khal(khal, "list", "2026-03-04", "1d")
    assert "10:30-11:00 Besprechung" in run_khal(khal, "list", "2026-03-05", "1d")


def test_khard_shows_what_is_on_the_server(account, laptop, khard):
    account.put(
        f"/{account.user}/contacts/a.vcf",
        card("a", name="Jürgen Groß", more="EMAIL;TYPE=WORK:j@example.org\nTEL;TYPE=CELL:+49170"),
    )
    laptop.sync()

    assert "Jürgen Groß" in run_khard(khard, "list")
    assert "j@example.org" in run_khard(khard, "email", "--parsable", "Groß")


def test_what_is_typed_into_khard_is_found_by_a_query_on_the_server(account, laptop, khard):
    template = "First name : Änne\nLast name : Müller\nEmail :\n    work : a@example.org\nPhone :\n    cell : +49 170 1\n"

    run_khard(
        khard, "new", "-a", "contacts", "--input-file", str(written(laptop.home / "new.yaml", template))
    )
    laptop.sync()

    place = f"/{account.user}/contacts/"
    found = account.search(
        place,
        '<CR:prop-filter name="EMAIL"><CR:text-match>a@example</CR:text-match></CR:prop-filter>',
        props="<CR:address-data/>",
    ).multistatus()
    assert "Änne Müller" in found.only().text("{urn:ietf:params:xml:ns:carddav}address-data")


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path
