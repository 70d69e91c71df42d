"""Groups of Radicale's LDAP and PAM backends, under stock Radicale and in `tagwerk serve`."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable

import pytest
from directories import PASSWORD, Pam, running_ldap
from radicale.app import Application
from sharedstock import BY, calendar, named, share
from stock import Client, configured

from tagwerk import settings
from tagwerk.accounts.users import add_user, remove_user
from tagwerk.model import Access
from tagwerk.sharing import groups
from tagwerk.store import open_engine
from tagwerk.store.principals import groups_of, principal_by_name, source_of
from tagwerk_radicale import application
from tagwerk_radicale.groups import Directory

# ldap3 uses what pyasn1 no longer wants to be used.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

Ask = Callable[..., int]


@pytest.fixture
def engine(url):
    """Another process, which looks on."""
    opened = open_engine(url)
    yield opened
    opened.close()


@pytest.fixture(params=["pam", "ldap"])
def authority(request, monkeypatch, tmp_path):
    if request.param == "pam":
        yield Pam(monkeypatch)
        return
    with running_ldap(tmp_path / "ldap") as running:
        yield running


@pytest.fixture(params=["stock", "serve"])
def ask(request, authority, url, tmp_path):
    """Send a request with the password of somebody; the status, or the hrefs of a 207."""
    if request.param == "stock":
        stock = Application(configured(url, {"auth": authority.options}))

        def send(user: str, method: str, path: str, body: str = "", **headers: str) -> tuple[int, bytes]:
            answer = Client(stock, user, PASSWORD)(method, path, body, **headers)
            return answer.status, answer.body

        yield send
        return
    own = open_engine(url)
    frame = application.create(served(authority.options, tmp_path), own)

    def send(user: str, method: str, path: str, body: str = "", **headers: str) -> tuple[int, bytes]:
        login = base64.b64encode(f"{user}:{PASSWORD}".encode())
        sent = [(b"authorization", b"Basic " + login), (b"host", b"127.0.0.1:5232")]
        sent += [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"method": method, "headers": sent, "client": ("127.0.0.1", 1)}
        response = frame.handle(scope, body.encode(), path)
        raw = response.body if isinstance(response.body, bytes) else b"".join(response.body)
        return response.status, raw

    yield send
    own.close()


def served(options: dict[str, str], folder) -> settings.Settings:
    """The settings of `tagwerk serve` with these options of [auth]."""
    path = folder / "tagwerk.ini"
    path.write_text("[auth]\n" + "".join(f"{name} = {value}\n" for name, value in options.items()))
    return settings.load(path, data=folder, environ={**os.environ})


def log_in(ask: Ask, user: str) -> bytes:
    """Look at one's home."""
    status, body = ask(user, "PROPFIND", f"/{user}/", '<propfind xmlns="DAV:"><prop/></propfind>', depth="1")
    assert status == 207
    return body


def groups_in(engine, user: str) -> dict[str, str]:
    """The groups of somebody, and where each is from."""
    with engine.read() as txn:
        return {group.name: source_of(txn, group.id) for group in groups_of(txn, named(txn, user).id)}


def give(engine, place: str, grantee: str, level: Access | None = Access.WRITE) -> None:
    with engine.write() as txn:
        share(txn, place, grantee, level)


def test_a_group_appears_with_its_members_and_what_it_is_given_follows_them(ask, authority, engine):
    source = authority.options["type"]
    authority.set_groups("anna", "staff", "board")
    authority.set_groups("bert", "staff")
    assert b"work" not in log_in(ask, "anna")
    assert groups_in(engine, "anna") == {"staff": source, "board": source}

    give(engine, "anna/calendar", "staff")
    give(engine, "anna/contacts", "board", Access.READ)

    assert b"/bert/calendar-anna/" in log_in(ask, "bert")
    assert ask("bert", "PUT", "/bert/calendar-anna/a.ics", calendar("a", "SUMMARY:x\n"))[0] == 201
    assert b"contacts-anna" not in log_in(ask, "bert")

    authority.set_groups("bert", "board")
    found = log_in(ask, "bert")
    assert b"/bert/contacts-anna/" in found
    assert b"calendar-anna" not in found
    assert ask("bert", "GET", "/bert/calendar-anna/a.ics")[0] == 404

    authority.set_groups("bert")
    found = log_in(ask, "bert")
    assert b"anna" not in found
    assert groups_in(engine, "bert") == {}
    assert groups_in(engine, "anna") == {"staff": source, "board": source}


def test_no_request_takes_somebody_out_of_their_groups_for_a_moment(ask, authority, engine):
    """For the destination of a MOVE Radicale asks for rights without naming the groups."""
    authority.set_groups("anna", "staff")
    authority.set_groups("bert", "staff")
    log_in(ask, "anna")
    give(engine, "anna/calendar", "staff")
    log_in(ask, "bert")
    with engine.read() as txn:
        before = txn.row("SELECT id, name FROM binding WHERE name = 'calendar-anna'")

    put = ask("bert", "PUT", "/bert/calendar/a.ics", calendar("a", "SUMMARY:x\n"))
    to = "http://127.0.0.1:5232/bert/calendar-anna/a.ics"
    moved = ask("bert", "MOVE", "/bert/calendar/a.ics", destination=to)

    assert (put[0], moved[0]) == (201, 201)
    assert ask("anna", "GET", "/anna/calendar/a.ics")[0] == 200
    with engine.read() as txn:
        assert txn.row("SELECT id, name FROM binding WHERE name = 'calendar-anna'") == before
        assert txn.row("SELECT COUNT(*) FROM audit WHERE action = 'leave'") == (0,)


def test_names_that_cannot_be_groups_are_passed_over_with_a_line_in_the_log(ask, authority, engine, caplog):
    with engine.write() as txn:
        add_user(txn, "staff", now=BY.now)
    authority.set_groups("anna", "staff", "Domain Users", "everybody", "board")

    log_in(ask, "anna")
    log_in(ask, "anna")

    assert list(groups_in(engine, "anna")) == ["board"]
    said = [record.getMessage() for record in caplog.records if record.name == "tagwerk.audit"]
    for name in ("staff", "Domain Users", "everybody"):
        assert sum(f"{name!r}" in line and "passed over" in line for line in said) == 1
    with engine.read() as txn:
        assert named(txn, "staff").kind == "person"


def test_a_group_of_ours_is_not_the_directorys(ask, authority, engine, caplog):
    with engine.write() as txn:
        from tagwerk.store.principals import add_principal

        ours = add_principal(txn, "ours", now=BY.now, kind="group")
        groups.join(txn, ours, add_user(txn, "anna", now=BY.now), by=BY)
        add_principal(txn, "staff", now=BY.now, kind="group")
    authority.set_groups("anna", "staff")

    log_in(ask, "anna")

    assert groups_in(engine, "anna") == {"ours": ""}
    assert "'staff'" in caplog.text


def test_who_has_the_name_of_a_group_is_not_let_in_as_the_group(ask, authority, engine):
    authority.set_groups("anna", "board")
    log_in(ask, "anna")
    give(engine, "anna/calendar", "board")
    authority.set_groups("board")

    answers = [
        ask("board", "PROPFIND", path, depth="1")[0] for path in ("/", "/board/", "/anna/", "/anna/calendar/")
    ]

    assert set(answers) <= {401, 403}
    with engine.read() as txn:
        assert named(txn, "board").kind == "group"


def test_who_was_removed_and_comes_again_has_their_groups_again(ask, authority, engine):
    authority.set_groups("anna", "staff")
    log_in(ask, "anna")
    with engine.write() as txn:
        remove_user(txn, "anna")

    log_in(ask, "anna")

    assert list(groups_in(engine, "anna")) == ["staff"]


def test_a_wrong_password_changes_nothing(url, engine, monkeypatch):
    pam = Pam(monkeypatch)
    pam.set_groups("anna", "staff")
    stock = Application(configured(url, {"auth": pam.options}))

    assert Client(stock, "anna", "wrong")("PROPFIND", "/anna/").status == 401
    with engine.read() as txn:
        assert principal_by_name(txn, "anna") is None
        assert principal_by_name(txn, "staff") is None


def test_the_groups_that_a_system_makes_for_its_users_are_none(url, engine, monkeypatch):
    """Whoever may read bert's files is in the group bert; bert has not come yet."""
    pam = Pam(monkeypatch)
    pam.set_groups("bert")
    pam.set_groups("anna", "bert", "staff")
    client = Client(Application(configured(url, {"auth": pam.options})), "anna", PASSWORD)

    assert client.propfind("/anna/", "{DAV:}displayname").status == 207

    assert list(groups_in(engine, "anna")) == ["staff"]
    client.user = "bert"
    assert client.propfind("/bert/", "{DAV:}displayname").status == 207


def test_groups_named_in_the_entry_of_the_user_count_as_well(url, engine, tmp_path):
    with running_ldap(tmp_path / "ldap", by_attribute=True) as ldap:
        ldap.set_groups("anna", "staff", "board")
        client = Client(Application(configured(url, {"auth": ldap.options})), "anna", PASSWORD)

        client.propfind("/anna/", "{DAV:}displayname")
        client.propfind("/anna/", "{DAV:}displayname")
        first = set(groups_in(engine, "anna"))
        ldap.set_groups("anna", "staff")
        client.propfind("/anna/", "{DAV:}displayname")

    assert first == {"staff", "board"}
    assert set(groups_in(engine, "anna")) == {"staff"}


def test_what_another_process_saw_is_not_forgotten(engine):
    """Two processes: what one of them knows may be long out of date."""
    with engine.write() as txn:
        add_user(txn, "anna", now=BY.now)
    first, second = Directory(engine, "ldap"), Directory(engine, "ldap")

    first.synchronize("anna", {"staff"})
    second.synchronize("anna", set())
    first.synchronize("anna", {"staff"})

    assert list(groups_in(engine, "anna")) == ["staff"]


def test_other_backends_say_nothing_about_groups(engine):
    with engine.write() as txn:
        anna = add_user(txn, "anna", now=BY.now)
        groups.synchronize(txn, anna, ["staff"], source="ldap", by=BY)

    for source in ("tagwerk_radicale.auth", "htpasswd", "none", "imap"):
        Directory(engine, source).synchronize("anna", set())

    assert list(groups_in(engine, "anna")) == ["staff"]
