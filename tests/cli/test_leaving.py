"""`tagwerk user remove`, `export`, `erase`, `disable`: nothing goes unseen, and nothing stays unsaid."""

from __future__ import annotations

import json
import stat
import time
import zipfile

import pytest

from davsamples import event
from tagwerk.accounts.app_passwords import add_app_password
from tagwerk.accounts.login import Authenticator
from tagwerk.accounts.throttle import account_key
from tagwerk.accounts.users import add_user
from tagwerk.ical import resource
from tagwerk.model import Access
from tagwerk.sharing import shares
from tagwerk.sharing.shares import By
from tagwerk.store import open_engine, sqlite
from tagwerk.store.collections import find_binding
from tagwerk.store.login_places import remember_login
from tagwerk.store.objects import objects, put_object
from tagwerk.store.personal import put_own
from tagwerk.store.principals import principal_by_name
from tagwerk.store.sync import changes_since

SHARED = "calendar-anna"


@pytest.fixture
def engine(anna, data):
    """anna, with an event and a share that ben sees, and ben, whose event names anna."""
    engine = open_engine(f"sqlite://{data}/tagwerk.sqlite")
    now = int(time.time())
    with engine.write() as txn:
        txn.execute("UPDATE principal SET addresses = ? WHERE name = 'anna'", ('["anna@example.org"]',))
        ben = add_user(txn, "ben", now=now)
        anna = principal_by_name(txn, "anna")
        add_app_password(txn, anna.id, "Phone", now=now)
        put(txn, "anna", "calendar", event("a"))
        put(
            txn,
            "ben",
            "calendar",
            event("b", more="ATTENDEE:mailto:Anna@Example.org"),
        )
        share(txn, find_binding(txn, "anna", "calendar"), ben)
    yield engine
    engine.close()


def put(txn, user, collection, raw):
    now = int(time.time())
    upload = resource.read(raw, now=now)
    binding = find_binding(txn, user, collection)
    put_object(txn, binding.collection.id, f"{upload.facts.uid}.ics", upload=upload, now=now)


def share(txn, binding, sharee):
    by = By("test", int(time.time()))
    shares.share(txn, binding, sharee, Access.WRITE, by=by)


def names(engine, user, collection):
    with engine.read() as txn:
        binding = find_binding(txn, user, collection)
        return binding and [each.name for each in objects(txn, binding.collection.id)]


def test_removing_says_what_goes_and_refuses_to_orphan_others(tagwerk, engine):
    refused = tagwerk("user", "remove", "anna")

    assert refused.code == 1
    assert "calendar, which ben can see: is removed with everything in it" in refused.err
    assert "App passwords: Phone" in refused.err
    assert "hand it over with --give" in refused.err
    assert names(engine, "anna", "calendar") == ["a.ics"]


def test_with_yes_it_goes_for_everybody(tagwerk, engine):
    assert tagwerk("user", "remove", "anna", "--yes").code == 0

    assert names(engine, "ben", SHARED) is None
    assert names(engine, "ben", "calendar") == ["b.ics"]


def test_a_shared_collection_is_handed_over_where_the_heir_sees_it_with_its_tokens(tagwerk, engine):
    with engine.read() as txn:
        before = find_binding(txn, "ben", SHARED).collection
        token = changes_since(txn, before, None, limit=10).token

    done = tagwerk("user", "remove", "anna", "--give", "calendar", "ben")

    assert done.code == 0
    assert "calendar, which ben can see: goes to ben" in done.err
    with engine.read() as txn:
        binding = find_binding(txn, "ben", SHARED)
        changes = changes_since(txn, binding.collection, token, limit=10)
    assert (binding.access, binding.collection.epoch) == ("owner", before.epoch)
    assert (changes.changed, changes.removed) == ([], [])


def test_a_collection_that_nobody_saw_gets_a_free_name_in_the_heirs_home(tagwerk, engine):
    assert tagwerk("user", "remove", "anna", "--yes", "--give", "contacts", "ben").code == 0

    with engine.read() as txn:
        binding = find_binding(txn, "ben", "contacts-anna")
    assert (binding.access, binding.name) == ("owner", "contacts-anna")


@pytest.mark.parametrize("gift", [("nothing", "ben"), ("calendar", "nobody"), ("calendar", "anna")])
def test_a_gift_that_cannot_be_given_removes_nothing(tagwerk, engine, gift):
    assert tagwerk("user", "remove", "anna", "--yes", "--give", *gift).code == 1

    assert names(engine, "anna", "calendar") == ["a.ics"]


def test_an_export_has_everything_and_no_secret(tagwerk, engine, tmp_path, data):
    log = tmp_path / "log"
    log.write_text(
        '{"user": "anna", "route": "/"}\n{"user": "ben"}\n2026 info x: user=anna status=207\n'
        "2026 info tagwerk.audit: ben: share ben/x anna (read)\n2026 info tagwerk.audit: ben: share ben/x annabel\n"
    )
    path = tmp_path / "anna.zip"
    with engine.write() as txn:
        remember_login(txn, "192.0.2.7", account_key("anna"), now=1_770_000_000)

    done = tagwerk("user", "export", "anna", path, "--log", log)

    assert done.out == f"{path}: 13 files about anna\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with zipfile.ZipFile(path) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    assert (
        found["objects/calendar/a.ics"] == event("a").encode() if isinstance(event("a"), str) else event("a")
    )
    assert b"UID:a" in found["collections/calendar.ics"]
    assert json.loads(found["person.json"])["addresses"] == ["anna@example.org"]
    own = json.loads(found["shares.json"])["own"][0]
    assert (own["collection"], own["seen_by"], own["links"]) == ("calendar", ["ben"], [])
    assert [(each["with"], each["level"]) for each in own["shares"]] == [("ben", "write")]
    assert [each["action"] for each in json.loads(found["audit.json"])] == ["share", "place"]
    assert {each["label"] for each in json.loads(found["devices.json"])["credentials"]} == {"", "Phone"}
    assert json.loads(found["devices.json"])["addresses"] == {"192.0.2.7": 1_770_000_000}
    assert found["log.txt"].count(b"\n") == 3
    assert not any(b"$argon2" in content or b"sha256:" in content for content in found.values())


def test_an_export_has_all_that_others_may_and_what_is_ones_own_in_theirs(tagwerk, engine, tmp_path):
    for words in (
        ("share", "add", "anna/calendar", "everybody", "--level", "read"),
        ("share", "link", "anna/calendar", "--label", "web"),
        ("delegate", "add", "anna", "ben", "--level", "read"),
        ("user", "invitations", "ben", "ask"),
        ("share", "add", "anna/tasks", "ben", "--level", "read"),
        ("collection", "remove", "anna", "contacts"),
    ):
        assert tagwerk(*words).code == 0, words
    with engine.write() as txn:
        ben, place = principal_by_name(txn, "ben"), find_binding(txn, "anna", "calendar").collection.id
        put_own(txn, ben.id, place, "a.ics", data='{"alarms": "mine"}')

    for name in ("anna", "ben"):
        assert tagwerk("user", "export", name, tmp_path / f"{name}.zip").code == 0

    with zipfile.ZipFile(tmp_path / "anna.zip") as archive:
        shares = json.loads(archive.read("shares.json"))
        assert any(name.startswith("trash/contacts-") for name in archive.namelist())
        assert b"own.json" in archive.read("README.txt")
    calendar = next(each for each in shares["own"] if each["collection"] == "calendar")
    assert {(each["with"], each["level"]) for each in calendar["shares"]} == {
        ("ben", "write"),
        ("everybody", "read"),
    }
    assert [(each["label"], "password_hash" in each) for each in calendar["links"]] == [("web", False)]
    assert shares["delegates"] == [{"name": "ben", "access": "read"}]
    with zipfile.ZipFile(tmp_path / "ben.zip") as archive:
        shares = json.loads(archive.read("shares.json"))
        (mine,) = json.loads(archive.read("own.json"))
    assert shares["acts_for"] == [{"name": "anna", "access": "read"}]
    assert shares["invitations"] == [{"owner": "anna", "status": "pending"}]
    assert (mine["owner"], mine["object"], mine["data"]) == ("anna", "a.ics", '{"alarms": "mine"}')


def test_what_goes_includes_what_is_in_the_trash(tagwerk, engine):
    assert tagwerk("collection", "remove", "ben", "calendar").code == 0

    gone = tagwerk("user", "remove", "ben", "--yes")

    assert "Deleted collections, which are in the trash: calendar" in gone.err
    assert "of deleted things and earlier versions" in gone.err


def test_one_thing_cannot_be_given_twice(tagwerk, engine):
    done = tagwerk(
        "user", "remove", "anna", "--yes", "--give", "calendar", "ben", "--give", "calendar", "ben"
    )

    assert done.code == 1
    assert names(engine, "anna", "calendar") == ["a.ics"]


def test_removing_exports_first(tagwerk, engine, tmp_path):
    path = tmp_path / "anna.zip"

    done = tagwerk("user", "remove", "anna", "--yes", "--export", path)

    assert done.code == 0
    assert zipfile.ZipFile(path).testzip() is None
    failed = tagwerk("user", "remove", "ben", "--yes", "--export", tmp_path / "missing" / "ben.zip")
    assert failed.code == 1
    assert "There is no folder" in failed.err
    assert names(engine, "ben", "calendar") == ["b.ics"]


def test_erasing_says_what_is_kept_and_why(tagwerk, engine):
    authenticator = Authenticator(engine)
    authenticator._throttle.failed("192.0.2.1", "anna", now=int(time.time()))

    done = tagwerk("user", "erase", "anna", "--yes", "--give", "calendar", "ben")

    assert done.code == 0
    assert "* calendar, which belongs to ben now: it was handed over" in done.out
    assert "* 1 of the events, tasks and contacts of ben that name anna@example.org" in done.out
    assert "copies in backups" in done.out
    with engine.read() as txn:
        assert txn.row("SELECT COUNT(*) FROM credential") == (0,)
        assert principal_by_name(txn, "anna") is None


def test_what_goes_includes_links_delegates_and_the_second_factor(tagwerk, engine):
    for words in (
        ("share", "link", "anna/calendar"),
        ("share", "link", "anna/tasks"),
        ("share", "link", "anna/tasks", "--busy"),
        ("delegate", "add", "anna", "ben", "--level", "read"),
        ("delegate", "add", "ben", "anna", "--level", "write"),
        ("totp", "add", "anna"),
    ):
        assert tagwerk(*words).code == 0, words

    gone = tagwerk("user", "remove", "anna", "--yes", "--give", "calendar", "ben")

    assert (
        "calendar, which ben can see, with 1 public link: goes to ben; its link goes on working" in gone.err
    )
    assert "tasks, with 2 public links: is removed with everything in it" in gone.err
    assert "The second factor\nWho acts for them: ben\nFor whom they act: ben\n" in gone.err
    listed = json.loads(tagwerk("share", "list", f"ben/{SHARED}", "--json").out)
    assert len(listed["links"]) == 1


def test_what_was_erased_is_in_no_file(tagwerk, engine, data):
    with engine.write() as txn:
        put(txn, "anna", "tasks", event("c", summary="Erase me please").replace(b"VEVENT", b"VTODO"))
    there = b"".join(path.read_bytes() for path in data.glob("tagwerk.sqlite*"))

    done = tagwerk("user", "erase", "anna", "--yes")

    assert b"Erase me please" in there
    assert "SQLite's log" not in done.out
    assert (data / "tagwerk.sqlite-wal").stat().st_size == 0
    assert not any(b"Erase me please" in path.read_bytes() for path in data.glob("tagwerk.sqlite*"))


def test_a_reader_who_keeps_what_was_erased_is_told_of(tagwerk, engine, data, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    with engine.read() as txn:
        txn.row("SELECT COUNT(*) FROM object")
        done = tagwerk("user", "erase", "anna", "--yes")

    assert done.code == 0
    assert "* what was just removed, in SQLite's log: somebody reads it" in done.out


def test_a_disabled_user_is_refused_and_let_in_again(tagwerk, engine):
    assert tagwerk("user", "disable", "anna").out == "User anna is disabled.\n"
    assert Authenticator(engine).login("anna", "secret of anna") is None

    assert tagwerk("user", "enable", "anna").code == 0
    assert Authenticator(engine).login("anna", "secret of anna") == "anna"
