"""vdirsyncer and Python's caldav with what others share: they know nothing of rights, and need not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from programs import program
from test_vdirsyncer import Machine

from davclient import DAV, ICAL, Dav
from davsamples import card, event
from serverprocess import ServerProcess
from tagwerk.model import Access, Kind
from tagwerk.sharing import shares
from tagwerk.sharing.shares import By
from tagwerk.store import Engine
from tagwerk.store.collections import find_binding
from tagwerk.store.principals import principal_by_name

pytestmark = pytest.mark.interop


@pytest.fixture
def give(database: Engine, account: Dav) -> Callable[[str, Access | None], str]:
    """Share a collection of somebody else's with the account; where it is for them."""

    def given(path: str, access: Access | None) -> str:
        _, owner, name, _ = path.split("/")
        by = By("tests", int(time.time()))
        with database.write() as txn:
            found = find_binding(txn, owner, name)
            assert found is not None
            to = principal_by_name(txn, account.user or "")
            if access is None:
                shares.unshare(txn, found, to, by=by)
            else:
                shares.share(txn, found, to, access, by=by)
        return f"/{account.user}/{name}/"

    return given


@pytest.fixture
def laptop(tmp_path: Path, server: ServerProcess, account: Dav) -> Machine:
    """A computer of the account's owner, that has looked for nothing yet."""
    home = tmp_path / "laptop"
    for folder in ("calendars", "contacts"):
        (home / folder).mkdir(parents=True)
    assert account.user is not None
    return Machine(home, program("vdirsyncer", home), server.url, account.user)


def named(path: str) -> str:
    return path.split("/")[2]


def said(done) -> str:
    return done.stdout + done.stderr


def tokens(account: Dav, *places: str) -> list[str]:
    return [account.sync(place).multistatus().token for place in places]


def test_shares_of_every_level_are_synced_twice_without_errors_or_duplicates(
    dav, make_collection, give, account, laptop
):
    own = f"/{account.user}/calendar/"
    account.put(own + "own.ics", event("own"))
    paths = {access: make_collection() for access in (Access.BUSY, Access.READ, Access.WRITE)}
    for access, path in paths.items():
        for number in range(3):
            dav.put(f"{path}{number}.ics", event(f"{access.value}{number}", summary="Arzt"))
        dav.put(f"{path}private.ics", event(f"{access.value}-private", more="CLASS:PRIVATE"))
    places = {access: give(path, access) for access, path in paths.items()}
    book = make_collection(Kind.ADDRESSBOOK)
    dav.put(book + "c.vcf", card("c"))
    shared_book = give(book, Access.READ)
    before = tokens(dav, *paths.values(), book)

    laptop("discover")
    first = laptop.sync()
    second = laptop.sync()

    assert "error" not in (said(first) + said(second)).lower()
    assert "Copying" not in said(second)
    assert {path.name for path in (laptop.home / "calendars").iterdir()} == {
        "calendar",
        "tasks",
        *map(named, places.values()),
    }
    for access, place in places.items():
        files = laptop.files(f"calendars/{named(place)}")
        assert len(files) == 3
        assert all((b"Arzt" in body) is (access is not Access.BUSY) for body in files.values())
    assert list(laptop.files(f"contacts/{named(shared_book)}").values()) == [card("c")]
    # Nothing of it went back.
    assert tokens(dav, *paths.values(), book) == before
    assert dav.get(paths[Access.BUSY] + "0.ics").body == event("busy0", summary="Arzt")


def test_changes_travel_both_ways_through_a_share_that_can_be_written(dav, make_collection, give, laptop):
    path = make_collection()
    for uid in ("a", "b", "c"):
        dav.put(f"{path}{uid}.ics", event(uid))
    folder = f"calendars/{named(give(path, Access.WRITE))}"
    laptop("discover")
    laptop.sync()

    laptop.write("a.ics", event("a", summary="von hier"), folder)
    laptop.write("new.ics", event("new"), folder)
    (laptop.home / folder / "b.ics").unlink()
    dav.put(path + "c.ics", event("c", summary="von dort"))
    laptop.sync()

    expected = [event("a", summary="von hier"), event("c", summary="von dort"), event("new")]
    assert sorted(laptop.files(folder).values()) == sorted(expected)
    listed = [href for href in dav.propfind(path, DAV + "getetag", depth="1") if href != path]
    assert sorted(dav.get(href).body for href in listed) == sorted(expected)


def test_what_may_not_be_written_is_refused_and_the_rest_goes_on(dav, make_collection, give, account, laptop):
    paths = {access: make_collection() for access in (Access.BUSY, Access.READ, Access.WRITE)}
    for path in paths.values():
        dav.put(path + "a.ics", event("a", summary="Arzt"))
    folders = {access: f"calendars/{named(give(path, access))}" for access, path in paths.items()}
    laptop("discover")
    laptop.sync()

    for folder in folders.values():
        mine = laptop.files(folder)["a.ics"]
        laptop.write("a.ics", mine.replace(b"DURATION:PT1H", b"DURATION:PT2H"), folder)
        laptop.write("mine.ics", event("mine"), folder)
    done = laptop.sync(check=False)

    assert done.returncode != 0
    for access, path in paths.items():
        unchanged = dav.get(path + "a.ics").body == event("a", summary="Arzt")
        number = len(dav.propfind(path, DAV + "getetag", depth="1")) - 1
        assert (unchanged, number) == ((False, 2) if access.writes else (True, 1)), access


def test_name_and_colour_are_ones_own_in_a_share_that_is_only_read(
    dav, make_collection, give, account, laptop
):
    path = make_collection()
    dav.proppatch(
        path, set="<D:displayname>Familie</D:displayname><I:calendar-color>#112233</I:calendar-color>"
    )
    place = give(path, Access.READ)
    folder = laptop.home / "calendars" / named(place)
    laptop.configure("a wins")
    laptop("discover")
    laptop("metasync")
    assert (folder / "displayname").read_text().strip() == "Familie"

    (folder / "displayname").write_text("Annas")
    (folder / "color").write_text("#445566")
    laptop("metasync")

    names = (DAV + "displayname", ICAL + "calendar-color")
    mine, theirs = account.propfind(place, *names).only(), dav.propfind(path, *names).only()
    assert [mine.text(name) for name in names] == ["Annas", "#445566"]
    assert [theirs.text(name) for name in names] == ["Familie", "#112233"]


def test_a_share_that_ends_is_an_error_there_alone_and_deletes_nothing_here(
    dav, make_collection, give, account, laptop
):
    path = make_collection()
    dav.put(path + "a.ics", event("a"))
    folder = f"calendars/{named(give(path, Access.WRITE))}"
    laptop("discover")
    laptop.sync()

    give(path, None)
    account.put(f"/{account.user}/calendar/own.ics", event("own"))
    done = laptop.sync(check=False)

    assert done.returncode != 0
    assert list(laptop.files(folder).values()) == [event("a")]
    assert list(laptop.files().values()) == [event("own")]
    assert dav.get(path + "a.ics").status == 200


# Python's caldav


@pytest.fixture
def principal(server: ServerProcess, account: Dav) -> Iterator[object]:
    caldav = pytest.importorskip("caldav", reason="caldav is not installed")
    with caldav.DAVClient(url=server.url, username=account.user, password="secret") as client:
        yield client.principal()


@pytest.mark.filterwarnings("default")
def test_the_library_lists_shares_among_ones_calendars(dav, make_collection, give, account, principal):
    paths = {access: make_collection() for access in (Access.BUSY, Access.READ, Access.WRITE)}
    for access, path in paths.items():
        dav.put(path + "a.ics", event(access.value, summary="Arzt"))
    places = {access: give(path, access) for access, path in paths.items()}

    found = {calendar.url.path: calendar for calendar in principal.calendars()}

    assert set(found) == {f"/{account.user}/calendar/", f"/{account.user}/tasks/", *places.values()}
    titles = {
        access: [str(one.icalendar_component["SUMMARY"]) for one in found[place].events()]
        for access, place in places.items()
    }
    assert titles == {Access.BUSY: ["Busy"], Access.READ: ["Arzt"], Access.WRITE: ["Arzt"]}


@pytest.mark.filterwarnings("default")
def test_the_library_writes_where_it_may_and_learns_where_it_may_not(dav, make_collection, give, principal):
    error = pytest.importorskip("caldav.lib.error")
    readable, writable = make_collection(), make_collection()
    places = give(readable, Access.READ), give(writable, Access.WRITE)
    found = {calendar.url.path: calendar for calendar in principal.calendars()}

    found[places[1]].save_event(event("a").decode())
    with pytest.raises(error.DAVError):
        found[places[0]].save_event(event("b").decode())

    assert len(dav.propfind(writable, DAV + "getetag", depth="1")) == 2
    assert len(dav.propfind(readable, DAV + "getetag", depth="1")) == 1
