"""vdirsyncer against the server: two ways, with conflicts, for calendars and contacts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from programs import Program, program

from davclient import CALDAV, CARDDAV, DAV, ICAL, Dav
from davsamples import calendar as vcalendar
from davsamples import card, event
from serverprocess import ServerProcess

pytestmark = pytest.mark.interop

CONFIG = """\
[general]
status_path = "{home}/status/"

[pair calendars]
a = "calendars_here"
b = "calendars_there"
collections = ["from a", "from b"]
metadata = ["color", "displayname"]
{resolution}

[storage calendars_here]
type = "filesystem"
path = "{home}/calendars/"
fileext = ".ics"

[storage calendars_there]
type = "caldav"
url = "{url}"
username = "{user}"
password = "secret"

[pair contacts]
a = "contacts_here"
b = "contacts_there"
collections = ["from a", "from b"]
{resolution}

[storage contacts_here]
type = "filesystem"
path = "{home}/contacts/"
fileext = ".vcf"

[storage contacts_there]
type = "carddav"
url = "{url}"
username = "{user}"
password = "secret"
"""


class Machine:
    """A computer with vdirsyncer on it."""

    def __init__(self, home: Path, vdirsyncer: Program, url: str, user: str) -> None:
        self.home, self._vdirsyncer, self._url, self._user = home, vdirsyncer, url, user
        self.configure()

    def configure(self, resolution: str = "") -> None:
        line = f'conflict_resolution = "{resolution}"' if resolution else ""
        text = CONFIG.format(home=self.home, url=self._url, user=self._user, resolution=line)
        (self.home / "config").write_text(text)

    def __call__(self, *arguments: str, check: bool = True):
        return self._vdirsyncer("-c", str(self.home / "config"), *arguments, stdin="y\n" * 50, check=check)

    def sync(self, *, check: bool = True):
        return self("sync", check=check)

    def files(self, collection: str = "calendars/calendar") -> dict[str, bytes]:
        """What lies here, by file name."""
        return {
            path.name: path.read_bytes()
            for path in sorted((self.home / collection).iterdir())
            if path.suffix in (".ics", ".vcf")
        }

    def write(self, name: str, body: bytes, collection: str = "calendars/calendar") -> None:
        (self.home / collection / name).write_bytes(body)


@pytest.fixture
def machine(tmp_path: Path, server: ServerProcess, account: Dav) -> Callable[[str], Machine]:
    """Make a computer of the account's owner that has discovered what there is."""

    def make(name: str = "laptop") -> Machine:
        home = tmp_path / name
        for folder in ("calendars", "contacts"):
            (home / folder).mkdir(parents=True)
        assert account.user is not None
        made = Machine(home, program("vdirsyncer", home), server.url, account.user)
        made("discover")
        return made

    return make


def on_server(account: Dav, collection: str = "calendar") -> dict[str, bytes]:
    """What lies on the server, by name."""
    place = f"/{account.user}/{collection}/"
    hrefs = [href for href in account.propfind(place, DAV + "getetag", depth="1") if href != place]
    return {href.removeprefix(place): account.get(href).body for href in hrefs}


def test_discovery_finds_every_collection(account, machine):
    laptop = machine()

    laptop.sync()

    assert {path.name for path in (laptop.home / "calendars").iterdir()} == {"calendar", "tasks"}
    assert {path.name for path in (laptop.home / "contacts").iterdir()} == {"contacts"}


def test_events_and_contacts_travel_both_ways_byte_for_byte(account, machine):
    laptop = machine()
    laptop.sync()
    here, there = event("here", summary="von hier \U0001f600"), event("there", summary="von dort")
    account.put(f"/{account.user}/calendar/there.ics", there)
    account.put(f"/{account.user}/contacts/there.vcf", card("there"))
    laptop.write("here.ics", here)
    laptop.write("here.vcf", card("here", version="4.0"), "contacts/contacts")

    laptop.sync()

    assert sorted(on_server(account).values()) == sorted([here, there])
    assert sorted(laptop.files().values()) == sorted([here, there])
    assert sorted(on_server(account, "contacts").values()) == sorted(
        [card("there"), card("here", version="4.0")]
    )
    assert sorted(laptop.files("contacts/contacts").values()) == sorted(
        [card("there"), card("here", version="4.0")]
    )


def test_changes_and_deletions_travel_both_ways(account, machine):
    laptop = machine()
    for uid in ("a", "b", "c", "d"):
        account.put(f"/{account.user}/calendar/{uid}.ics", event(uid))
    laptop.sync()

    laptop.write("a.ics", event("a", summary="changed here"))
    (laptop.home / "calendars/calendar/b.ics").unlink()
    account.put(f"/{account.user}/calendar/c.ics", event("c", summary="changed there"))
    account.delete(f"/{account.user}/calendar/d.ics")
    laptop.sync()

    expected = {"a.ics": event("a", summary="changed here"), "c.ics": event("c", summary="changed there")}
    assert on_server(account) == expected
    assert laptop.files() == expected


def test_a_second_sync_changes_nothing(account, machine):
    laptop = machine()
    for number in range(20):
        laptop.write(f"{number}.ics", event(f"uid{number}")) if number % 2 else account.put(
            f"/{account.user}/calendar/{number}.ics", event(f"uid{number}")
        )
    laptop.sync()
    token = account.sync(f"/{account.user}/calendar/").multistatus().token

    done = laptop.sync()

    assert account.sync(f"/{account.user}/calendar/").multistatus().token == token
    assert "Copying" not in done.stdout + done.stderr


def test_two_machines_see_each_others_changes(account, machine):
    laptop, desktop = machine("laptop"), machine("desktop")
    laptop.write("a.ics", event("a"))
    laptop.sync()
    desktop.sync()
    (name,) = desktop.files()
    desktop.write(name, event("a", summary="from the desktop"))
    desktop.sync()

    laptop.sync()

    assert list(laptop.files().values()) == [event("a", summary="from the desktop")]


def conflict(account: Dav, laptop: Machine) -> None:
    account.put(f"/{account.user}/calendar/a.ics", event("a", summary="first"))
    laptop.sync()
    laptop.write("a.ics", event("a", summary="here"))
    account.put(f"/{account.user}/calendar/a.ics", event("a", summary="there"))


def test_a_conflict_stops_and_loses_nothing(account, machine):
    laptop = machine()
    conflict(account, laptop)

    done = laptop.sync(check=False)

    assert done.returncode != 0
    assert laptop.files() == {"a.ics": event("a", summary="here")}
    assert on_server(account) == {"a.ics": event("a", summary="there")}


@pytest.mark.parametrize(("resolution", "winner"), [("a wins", "here"), ("b wins", "there")])
def test_a_conflict_ends_as_its_owner_decided(account, machine, resolution, winner):
    laptop = machine()
    conflict(account, laptop)
    laptop.configure(resolution)

    laptop.sync()

    assert laptop.files() == on_server(account) == {"a.ics": event("a", summary=winner)}


def test_names_colours_and_new_collections_travel(account, machine):
    laptop = machine()
    new = laptop.home / "calendars" / "new list"
    new.mkdir()
    (new / "displayname").write_text("Neue Liste")
    (new / "color").write_text("#FF8800")
    (new / "a.ics").write_bytes(event("a"))
    account.proppatch(f"/{account.user}/calendar/", set="<D:displayname>Arbeit</D:displayname>")
    account.proppatch(f"/{account.user}/calendar/", set="<I:calendar-color>#00FF00</I:calendar-color>")

    # A collection without a name shows that of its path, which is another one for vdirsyncer.
    laptop.configure("a wins")
    laptop("discover")
    laptop.sync()
    laptop("metasync")

    place = f"/{account.user}/new%20list/"
    found = account.propfind(place, DAV + "displayname", ICAL + "calendar-color", DAV + "resourcetype").only()
    assert found.text(DAV + "displayname") == "Neue Liste"
    assert found.text(ICAL + "calendar-color").upper().startswith("#FF8800")
    assert found.values[DAV + "resourcetype"].find(CALDAV + "calendar") is not None
    assert list(on_server(account, "new%20list").values()) == [event("a")]
    assert (laptop.home / "calendars/calendar/displayname").read_text().strip() == "Arbeit"
    assert (laptop.home / "calendars/calendar/color").read_text().strip() == "#00FF00"


def test_a_new_address_book_is_made(account, machine):
    laptop = machine()
    (laptop.home / "contacts" / "friends").mkdir()
    laptop.write("a.vcf", card("a"), "contacts/friends")

    laptop("discover")
    laptop.sync()

    kinds = account.value(f"/{account.user}/friends/", DAV + "resourcetype")
    assert kinds.find(CARDDAV + "addressbook") is not None
    assert list(on_server(account, "friends").values()) == [card("a")]


ODD = [
    "a b",
    "ä",
    "\U0001f600",
    "a+b",
    "a%b",
    "a&b=c",
    "a;b",
    "a'b",
    "(x)",
    "x" * 200,
    "a@b",
    "{brace}",
    "a,b",
    "a#b?c",
    "a\nb",
]


def test_odd_names_on_the_server_come_down_and_changes_go_back_to_them(account, machine):
    laptop = machine()
    for number, name in enumerate(ODD):
        path = f"/{account.user}/calendar/{quote(name)}.ics"
        assert account.put(path, event(f"uid{number}")).status == 201, name
    names = set(on_server(account))

    laptop.sync()
    files = laptop.files()
    for name, body in files.items():
        laptop.write(name, body.replace(b"Fr\xc3\xbchst\xc3\xbcck", b"Abendbrot"))
    laptop.sync()

    assert len(files) == len(ODD)
    there = on_server(account)
    assert set(there) == names
    assert all(b"Abendbrot" in body for body in there.values())


def test_odd_uids_go_up_and_come_down(account, machine):
    laptop, desktop = machine("laptop"), machine("desktop")
    uids = [uid.replace("\n", "%0A") for uid in ODD] + [
        "/",
        "..",
        "a/b/c",
        "\\\\server\\share",
        "http://x/y?z",
    ]
    for number, uid in enumerate(uids):
        written = uid.replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;")
        laptop.write(
            f"{number}.ics",
            vcalendar(
                f"BEGIN:VEVENT\nUID:{written}\nDTSTAMP:20260101T000000Z\nDTSTART:20260301T080000Z\n"
                f"SUMMARY:{number}\nEND:VEVENT"
            ),
        )

    laptop.sync()
    desktop.sync()

    assert sorted(desktop.files().values()) == sorted(laptop.files().values())
    assert len(on_server(account)) == len(uids)


def test_one_file_that_the_server_refuses_does_not_stop_the_others(account, machine):
    laptop = machine()
    laptop.write("good.ics", event("good"))
    laptop.write("bad.ics", event("bad").replace(b"DTSTART:20260301T080000Z", b"DTSTART:someday"))

    done = laptop.sync(check=False)

    assert done.returncode != 0
    assert list(on_server(account).values()) == [event("good")]
