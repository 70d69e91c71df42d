"""sabre/dav, Baïkal and Nextcloud on SQLite, PostgreSQL and MariaDB: the same comes over from each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import sabretables
from davclient import CALDAV, DAV, ICAL
from davsamples import card, event
from migrated import Here
from serverprocess import environment, tagwerk

EVENTS = {f"{n}.ics": event(f"uid-{n}", summary=f"Größe {n} 🎂 \\, \\; 'x' %s {{}}") for n in range(60)}
EVENTS["mit Leerzeichen & Ümlaut.ics"] = event("odd", summary="odd")
EVENTS["big.ics"] = event("big", summary="x" * 300_000)
CARDS = {f"{n}.vcf": card(f"card-{n}") for n in range(5)}
ZONE = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x\r\nBEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nEND:VTIMEZONE\r\nEND:VCALENDAR\r\n"


def fill_sabre(there: sabretables.Writer) -> None:
    """anna shares her calendar with ben, carl and dora; ben has it with a name of his own."""
    for number, name in enumerate(("anna", "ben", "carl", "dora"), 1):
        there.add(
            "principals",
            id=number,
            uri=f"principals/{name}",
            email=f"{name}@example.org",
            displayname=f"{name} Ö.",
        )
        there.add("users", username=name, digesta1="0" * 32)
    there.add("principals", id=9, uri="principals/anna/calendar-proxy-write")
    there.add("groupmembers", principal_id=9, member_id=2)
    there.add("calendars", id=7, synctoken=3, components="VEVENT,VTODO")
    for number, who, access, answer, look in (
        (1, "anna", 1, 2, {"displayname": "Work & play", "uri": "work", "calendarcolor": "#ff8800ff", "calendarorder": 3,
         "description": "What anna does", "timezone": ZONE, "transparent": 1}),
        (2, "ben", 3, 2, {"displayname": "Annas Arbeit", "uri": "0b2c", "calendarcolor": "#00ff00ff", "calendarorder": 3,
         "transparent": 0}),
        (3, "carl", 2, 1, {"displayname": "Work & play", "uri": "0b2d", "calendarorder": 0, "transparent": 0}),
        (4, "dora", 2, 3, {"displayname": "Work & play", "uri": "0b2e", "calendarorder": 0, "transparent": 0}),
        (5, None, 2, 4, {"displayname": "Work & play", "uri": "0b2f", "calendarorder": 0, "transparent": 0}),
    ):  # fmt: skip
        there.add(
            "calendarinstances", id=number, calendarid=7, principaluri=who and f"principals/{who}", access=access,
            share_invitestatus=answer, share_href="mailto:x@example.net" if who is None else None, **look,
        )  # fmt: skip
    there.add(
        "addressbooks",
        id=9,
        principaluri="principals/anna",
        displayname="Friends",
        uri="friends",
        synctoken=1,
    )
    objects(there)


def fill_nextcloud(there: sabretables.Writer, password: str) -> None:
    """anna shares with ben, who has changed the colour, and with two groups, one called as a user is."""
    for name in ("anna", "ben", "carl", "dora"):
        there.add("users", uid=name, displayname=f"{name} Ö.", password=password, uid_lower=name)
        there.add(
            "preferences", userid=name, appid="settings", configkey="email", configvalue=f"{name}@example.org"
        )
    for gid, shown, members in (
        ("Our family", "Our family ♥", ("anna", "carl", "dora")),
        ("ben", "", ("dora",)),
        ("idle", "", ()),
    ):
        there.add("groups", gid=gid, displayname=shown)
        for member in members:
            there.add("group_user", gid=gid, uid=member)
    look = {"calendarorder": 3, "components": "VEVENT,VTODO", "transparent": 0}
    anna = {"principaluri": "principals/users/anna"}
    there.add(
        "calendars", id=7, **anna, **look | {"transparent": 1}, displayname="Work & play", uri="work",
        description="What anna does", calendarcolor="#ff8800ff", timezone=ZONE,
    )  # fmt: skip
    there.add("calendars", id=8, **anna, **look, displayname="Old", uri="old", deleted_at=1700000000)
    there.add("calendars", id=10, **anna, **look, displayname="Birthdays", uri="contact_birthdays")
    there.add(
        "calendars", id=11, **look, principaluri="principals/calendar-rooms/anna", displayname="R", uri="r"
    )
    there.add("calendarsubscriptions", **anna, uri="s", source="https://example.org/holidays.ics")
    there.add("addressbooks", id=9, **anna, displayname="Friends", uri="friends", synctoken=1)
    there.add("addressbooks", id=12, principaluri="principals/system/system", uri="system", synctoken=1)
    for who, kind, access, resource in (
        ("users/ben", "calendar", 2, 7),
        ("groups/Our%20family", "calendar", 3, 7),
        ("users/dora", "calendar", 5, 7),
        ("groups/ben", "addressbook", 2, 9),
        ("users/anna", "calendar", 4, 7),
        ("circles/xyz", "calendar", 3, 7),
        ("users/ben", "calendar", 2, 8),
    ):
        there.add(
            "dav_shares", principaluri=f"principals/{who}", type=kind, access=access, resourceid=resource
        )
    for name, value in ((ICAL + "calendar-color", "#00ff00ff"), (DAV + "displayname", "Annas Arbeit")):
        there.add(
            "properties", userid="ben", propertypath="calendars/ben/work_shared_by_anna", propertyname=name,
            propertyvalue=value, valuetype=1,
        )  # fmt: skip
    there.add(
        "dav_cal_proxy", owner_id="principals/users/anna", proxy_id="principals/users/ben", permissions=2
    )
    objects(there)
    there.add(
        "calendarobjects", calendardata=event("g"), uri="g.ics", calendarid=7, calendartype=0, deleted_at=1
    )
    there.add("calendarobjects", calendardata=event("s"), uri="s.ics", calendarid=7, calendartype=1)


def objects(there: sabretables.Writer) -> None:
    kind = {"calendartype": 0} if there.server == "nextcloud" else {}
    for name, content in EVENTS.items():
        there.add("calendarobjects", calendardata=content, uri=name, calendarid=7, size=len(content), **kind)
    for name, content in CARDS.items():
        there.add("cards", carddata=content, uri=name, addressbookid=9, size=len(content))


def everything(here: Here) -> dict[str, object]:
    """All that has come over."""
    users = ("anna", "ben", "carl", "dora")
    return {
        "objects": {
            (user, name): here.objects(user, name) for user in users for name in here.collections(user)
        },
        "properties": {
            (user, name): here.properties(user, name) for user in users for name in here.collections(user)
        },
        "shares": here.shares(),
        "sees": {user: here.sees(user) for user in users},
    }


def moved(tmp_path: Path, server: str, engine: str, request: pytest.FixtureRequest, password: str = ""):
    """What the commands said, and everything that has come over."""
    path = tmp_path / f"{server}_{engine}_{tmp_path.name[-8:].strip('_')}.sqlite"
    with sabretables.database(
        server,
        engine,
        path=path,
        postgres=request.getfixturevalue("postgres") if engine == "postgresql" else None,
        maria=request.getfixturevalue("maria") if engine == "mysql" else None,
    ) as there:
        fill_nextcloud(there, password) if server == "nextcloud" else fill_sabre(there)
    data = tmp_path / f"data-{engine}"
    dry = tagwerk("migrate", server, there.place, "--data", data, "--dry-run")
    assert not data.exists()
    done = tagwerk("migrate", server, there.place, "--data", data)
    again = tagwerk("migrate", server, there.place, "--data", data)
    return dry, done, again, data


@pytest.mark.parametrize("engine", ["sqlite", "postgresql", "mysql"])
@pytest.mark.parametrize("server", ["sabre", "baikal"])
def test_sabres_tables_come_over_with_their_shares(tmp_path, request, server, engine):
    dry, done, again, data = moved(tmp_path, server, engine, request)

    assert f"anna/work, new: {len(EVENTS)} would be added" in dry.stdout
    assert "anna/work would be shared with ben: write." in dry.stdout
    assert "3 shares would be made" in dry.stdout
    assert f"anna/work, new: {len(EVENTS)} added, 0 changed, 0 unchanged, 0 left out." in done.stdout
    assert "anna/work was shared with carl: read (pending)." in done.stdout
    assert "was offered to mailto:x@example.net, in vain" in done.stderr
    assert "ben acts for anna there" in done.stderr
    assert "Passwords are digests of another kind" in done.stderr
    assert "0 objects were moved." in again.stdout
    assert "0 shares were made, 3 made before, 0 left out." in again.stdout
    with Here(data) as here:
        assert here.objects("anna", "work") == EVENTS
        assert here.objects("anna", "friends") == CARDS
        owners = here.properties("anna", "work")
        assert owners[DAV + "displayname"] == "Work &amp; play"
        assert owners[CALDAV + "calendar-timezone"].replace("\r\n", "\n") == ZONE.replace("\r\n", "\n")
        assert "transparent" in owners[CALDAV + "schedule-calendar-transp"]
        assert here.shares() == {
            ("anna/work", "ben"): "write",
            ("anna/work", "carl"): "read",
            ("anna/work", "dora"): "read",
        }
        assert here.sees("ben") == {"work": "Annas Arbeit"}
        assert here.sees("carl") == here.sees("dora") == {}
        ben = here.client("ben")
        assert ben.value("/ben/work/", ICAL + "calendar-color").text == "#00ff00ff"
        assert ben.value("/ben/work/", ICAL + "calendar-order").text == "3"
        assert ben.get("/ben/work/7.ics").body == EVENTS["7.ics"]
        assert here.client("anna").value("/anna/work/", DAV + "displayname").text == "Work & play"


@pytest.mark.parametrize("engine", ["sqlite", "postgresql", "mysql"])
def test_a_nextcloud_comes_over_with_its_shares_and_groups(tmp_path, request, engine, password_hash):
    dry, done, again, data = moved(tmp_path, "nextcloud", engine, request, f"3|{password_hash}")

    assert "Group Our-family would be made, with anna, carl, dora." in dry.stdout
    assert "anna/work would be shared with Our-family: read." in dry.stdout
    assert "Group ben-group was made, with dora." in done.stdout
    assert "anna/friends was shared with ben-group: write." in done.stdout
    assert "dora has left anna/work, as there." in done.stdout
    assert "anna/work has a public link" in done.stderr
    assert "principals/circles/xyz, who is no user and no group" in done.stderr
    assert "What principals/calendar-rooms/anna has is not taken along" in done.stderr
    assert "ben acts for anna there" in done.stderr
    assert "idle" not in done.stdout + done.stderr
    assert "0 objects were moved." in again.stdout
    assert "0 shares were made, 4 made before, 0 left out." in again.stdout
    assert "Group" not in again.stdout
    with Here(data) as here:
        assert here.objects("anna", "work") == EVENTS
        assert here.objects("anna", "friends") == CARDS
        assert set(here.collections("anna")) == {"work", "friends"}
        assert here.shares() == {
            ("anna/work", "ben"): "write",
            ("anna/work", "Our-family"): "read",
            ("anna/friends", "ben-group"): "write",
        }
        assert here.sees("ben") == {"work": "Annas Arbeit"}
        assert here.sees("carl") == {"work": "Work & play"}
        assert here.sees("dora") == {"friends": "Friends"}
        assert here.client("ben").value("/ben/work/", ICAL + "calendar-color").text == "#00ff00ff"
        assert here.client("carl").put("/carl/work/no.ics", event("no")).status == 403
        assert here.client("dora").put("/dora/friends/new.vcf", card("new")).status == 201
        assert here.login("anna", "secret") == "anna"


@pytest.mark.long
@pytest.mark.parametrize("server", ["sabre", "baikal", "nextcloud"])
@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_each_database_gives_the_same_as_sqlite(tmp_path, request, server, engine, password_hash):
    *_, data = moved(tmp_path, server, engine, request, f"3|{password_hash}")
    *_, other = moved(tmp_path, server, "sqlite", request, f"3|{password_hash}")

    with Here(data) as one, Here(other) as two:
        assert everything(one) == everything(two)


def test_one_user_after_the_other_comes_over_with_what_they_share(tmp_path, request):
    path = tmp_path / "db.sqlite"
    with sabretables.database("nextcloud", "sqlite", path=path) as there:
        fill_nextcloud(there, "")
    words = ("migrate", "nextcloud", path, "--data", tmp_path / "data", "--user")

    first = tagwerk(*words, "anna", check=False)
    second = tagwerk(*words, "ben", check=False)
    tagwerk(*words, "carl", check=False)

    assert "left out: anna/work shared with ben: ben is not here." in first.stderr
    assert "anna/work was shared with ben: write." in second.stdout
    with Here(tmp_path / "data") as here:
        assert here.sees("ben") == {"work": "Annas Arbeit"}
        assert here.sees("carl") == {"work": "Work & play"}


@pytest.mark.parametrize("server", ["sabre", "baikal", "nextcloud"])
def test_an_address_book_that_is_called_as_a_calendar_comes_over_under_another_name(tmp_path, server):
    path, data = tmp_path / "db.sqlite", tmp_path / "data"
    anna = {"principaluri": "principals/users/anna" if server == "nextcloud" else "principals/anna"}
    with sabretables.database(server, "sqlite", path=path) as there:
        if server == "nextcloud":
            there.add("users", uid="anna", uid_lower="anna")
            there.add("users", uid="ben", uid_lower="ben")
            there.add("calendars", id=7, **anna, uri="default", components="VEVENT")
            there.add(
                "dav_shares", principaluri="principals/users/ben", type="calendar", access=3, resourceid=7
            )
            there.add(
                "dav_shares", principaluri="principals/users/ben", type="addressbook", access=2, resourceid=9
            )
        else:
            there.add("principals", id=1, uri="principals/anna")
            there.add("calendars", id=7, components="VEVENT")
            there.add(
                "calendarinstances", id=1, calendarid=7, access=1, share_invitestatus=2, uri="default", **anna
            )
        there.add("addressbooks", id=9, uri="default", **anna)
        objects(there)
    words = ("migrate", server, path, "--data", data)

    dry = tagwerk(*words, "--dry-run")
    done = tagwerk(*words)
    again = tagwerk(*words)

    book = f"anna/default-addressbook (default there), new: {len(CARDS)}"
    assert f"anna/default, new: {len(EVENTS)} would be added" in dry.stdout
    assert f"{book} would be added" in dry.stdout
    assert f"{book} added" in done.stdout
    assert (
        f"anna/default-addressbook (default there): 0 added, 0 changed, {len(CARDS)} unchanged"
        in again.stdout
    )
    with Here(data) as here:
        assert set(here.collections("anna")) == {"default", "default-addressbook"}
        assert here.objects("anna", "default") == EVENTS
        assert here.objects("anna", "default-addressbook") == CARDS
        if server == "nextcloud":
            assert here.shares() == {
                ("anna/default", "ben"): "read",
                ("anna/default-addressbook", "ben"): "write",
            }


def test_who_has_the_name_of_somebody_else_here_gets_nothing_of_theirs(tmp_path):
    path, data = tmp_path / "db.sqlite", tmp_path / "data"
    with sabretables.database("nextcloud", "sqlite", path=path) as there:
        fill_nextcloud(there, "")
    tagwerk("user", "add", "Our-family", "--password-stdin", "--data", data, stdin="secret\n")
    tagwerk("group", "add", "ben", "--data", data)
    words = ("migrate", "nextcloud", path, "--data", data)

    dry = tagwerk(*words, "--dry-run", check=False)
    done = tagwerk(*words, check=False)

    assert done.returncode == dry.returncode == 1
    for said in (dry.stderr, done.stderr):
        assert "left out: group Our-family: Our-family is a person here." in said
        assert "left out: anna/work shared with Our-family: Our-family is a person here." in said
        assert "left out: anna/work shared with ben: ben is a group here." in said
        assert "The user ben is not taken along: it is the name of a group here." in said
    with Here(data) as here:
        assert here.shares() == {("anna/friends", "ben-group"): "write"}


@pytest.mark.parametrize(
    ("url", "driver", "extra"),
    [("postgresql://x@127.0.0.1/y", "psycopg", "postgres"), ("mariadb://x@127.0.0.1/y", "pymysql", "mysql")],
)
def test_a_driver_that_is_missing_is_a_sentence(tmp_path, url, driver, extra):
    program = (
        f"import sys; sys.modules[{driver!r}] = None\nfrom tagwerk.cli.main import main\nmain(sys.argv[1:])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, "migrate", "sabre", url, "--data", tmp_path / "data"],
        capture_output=True,
        text=True,
        env=environment(),
    )

    assert done.returncode == 1
    assert f"needs the Python package {driver}: pip install 'tagwerk[{extra}]'." in done.stderr


def test_mariadb_is_read_by_its_socket_and_a_wrong_password_is_a_sentence(tmp_path, maria):
    with sabretables.database("sabre", "mysql", path=tmp_path / "by_socket.x", maria=maria) as there:
        fill_sabre(there)
    name = str(there.place).rpartition("/")[2]

    by_socket = tagwerk(
        "migrate", "sabre", f"mysql://root@/{name}?socket={maria.socket}", "--data", tmp_path / "data"
    )
    wrong = tagwerk(
        "migrate",
        "sabre",
        f"mysql://reader:no@127.0.0.1:{maria.port}/{name}",
        "--data",
        tmp_path / "d",
        check=False,
    )

    assert f"{len(EVENTS) + len(CARDS)} objects were moved." in by_socket.stdout
    assert wrong.returncode == 1
    assert "The database at 127.0.0.1 cannot be opened" in wrong.stderr
