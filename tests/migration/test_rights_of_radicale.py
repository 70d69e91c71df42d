"""What Radicale's rights and its sharing let others do comes over as shares: the same as Radicale itself says."""

from __future__ import annotations

import itertools
import json
import pickle
from pathlib import Path

import pytest
from radicale import config as radicale_config
from radicale.rights import authenticated as authenticated_rights
from radicale.rights import from_file, owner_only, owner_write

from davclient import ICAL, Dav
from davsamples import event
from migrated import Here, stock_radicale
from serverprocess import tagwerk
from tagwerk.migration import rights as our_rights

USERS = ("anna", "ben", "carl.m", "dora@example.org", "dora@example.com")
PATHS = ("anna/work", "ben/home", "public/club", "carl.m/x", "dora@example.org/team", "carlxm/x")
RULES = """
[nobody]
user: mallory
collection: .*
permissions:
[own]
user: .+
collection: {user}(/[^/]+)?
permissions: RrWw
[domain]
user: (.+)@(example\\.org)
collection: public/[^/]+
permissions: rw
[captured]
user: (ben|dora)(@.+|)
collection: anna/w[a-z]{{3}}
permissions: r
[shadow]
user: ben
collection: anna/.*
permissions: rw
[staff]
groups: staff,board
collection: ben/home
permissions: f
[readers]
user: .+
collection: public/.*
permissions: R r
[web]
user: .*
collection: carl\\.m/x
permissions: i
"""


def folder(place: Path, *owners: str, **files: str) -> Path:
    """A folder of Radicale's in which everybody has a calendar called work, of one event."""
    for owner in owners:
        work = place / "collections" / "collection-root" / owner / "work"
        work.mkdir(parents=True)
        (work / ".Radicale.props").write_text(json.dumps({"tag": "VCALENDAR", "D:displayname": f"{owner}'s"}))
        (work / "one.ics").write_bytes(event(f"of-{owner}"))
    for name, content in files.items():
        (place / name).write_text(content)
    return place / "collections"


def migrate(place: Path, *words, check: bool = True):
    return tagwerk("migrate", "radicale", place, "--data", place.parent / "data", *words, check=check)


@pytest.mark.parametrize("groups", [frozenset(), frozenset({"staff"})])
def test_a_file_of_rights_is_read_as_radicale_reads_it(tmp_path, groups):
    file = tmp_path / "rights"
    file.write_text(RULES)
    settings = radicale_config.load()
    settings.update({"rights": {"type": "from_file", "file": str(file)}}, "test")
    theirs = from_file.Rights(settings)

    ours, _ = our_rights.of_file(file, dict.fromkeys(USERS, groups))

    for user, path in itertools.product(("", *USERS), PATHS):
        mine = groups if user else frozenset()
        assert ours(user, path) == theirs.authorization(user, set(mine), f"/{path}/"), (user, path)


@pytest.mark.parametrize(
    ("name", "module"),
    [("authenticated", authenticated_rights), ("owner_only", owner_only), ("owner_write", owner_write)],
)
def test_the_built_in_rights_are_those_of_radicale(name, module):
    settings = radicale_config.load()
    settings.update({"auth": {"type": "htpasswd"}}, "test")
    theirs = module.Rights(settings)

    ours = our_rights.of_type(name)

    for user, path in itertools.product(("", *USERS), PATHS):
        assert ours(user, path) == theirs.authorization(user, set(), f"/{path}/")


def test_rules_for_some_become_shares_and_a_rule_for_everybody_one_share(tmp_path):
    place = folder(
        tmp_path, "anna", "ben", "club",
        rights="[own]\nuser: .+\ncollection: {user}(/[^/]+)?\npermissions: RrWw\n"
        "[ben]\nuser: b(e)n\ncollection: anna/.*\npermissions: r\n"
        "[shadow]\nuser: ben\ncollection: anna/work\npermissions: rw\n"
        "[carl]\nuser: carl\ncollection: anna/work\npermissions: f\n"
        "[writers]\nuser: ben\ncollection: club/work\npermissions: rw\n"
        "[club]\nuser: .+\ncollection: club/.*\npermissions: r\n",
        users="anna:a\nben:b\ncarl:c\n",
    )  # fmt: skip
    words = ("--htpasswd", tmp_path / "users", "--plain")

    dry = migrate(place, *words, "--dry-run")
    assert not (tmp_path / "data").exists()
    done = migrate(place, *words, "--report", tmp_path / "report.json")
    again = migrate(place, *words)

    assert "anna/work would be shared with ben: read." in dry.stdout
    assert "anna/work was shared with carl: busy." in done.stdout
    assert "club/work was shared with everybody: read." in done.stdout
    assert "4 shares would be made, 0 made before, 0 left out." in dry.stdout
    assert "4 shares were made, 0 made before, 0 left out." in done.stdout
    assert "0 shares were made, 4 made before, 0 left out." in again.stdout
    assert f"The rights in {tmp_path / 'rights'} were read." in done.stderr
    assert {
        "owner": "anna",
        "name": "work",
        "grantee": "ben",
        "level": "read",
        "status": "accepted",
        "made": True,
        "why": "",
    } in json.loads((tmp_path / "report.json").read_text())["shares"]
    with Here(tmp_path / "data") as here:
        assert here.shares() == {
            ("anna/work", "ben"): "read",
            ("anna/work", "carl"): "busy",
            ("club/work", "ben"): "write",
            ("club/work", "everybody"): "read",
        }
        seen = here.sees("ben")
        ben = here.client("ben")
        assert ben.get("/ben/work-anna/one.ics").body == event("of-anna")
        assert ben.put("/ben/work-anna/new.ics", event("new")).status == 403
        assert ben.put("/ben/work-club/new.ics", event("new")).status == 201
    assert seen == {"work": "ben's", "work-anna": "anna's", "work-club": "club's"}


def test_others_may_do_here_what_they_may_do_at_a_radicale_that_runs(tmp_path):
    names = ("anna", "ben", "carl@example.org", "club")
    rules = (
        "[secret]\nuser: carl.*\ncollection: anna/.*\npermissions:\n"
        "[own]\nuser: .+\ncollection: {user}(/.*)?\npermissions: RrWw\n"
        "[family]\nuser: (anna|ben)\ncollection: (anna|ben)/[a-z]+\npermissions: rw\n"
        "[guests]\nuser: [^@]+\ncollection: carl@example.org/work\npermissions: r\n"
        "[club]\nuser: .+@.+\ncollection: club/work\npermissions: rw\n"
        "[all]\nuser: .+\ncollection: (club|anna)/.*\npermissions: r\n"
    )
    place = folder(tmp_path, *names, rights=rules)
    there, here = {}, {}
    with stock_radicale(
        place, "--rights-type", "from_file", "--rights-file", str(tmp_path / "rights")
    ) as url:
        for user, owner in itertools.permutations(names, 2):
            client = Dav(url, user)
            got = client.get(f"/{owner}/work/one.ics").status == 200
            put = client.put(f"/{owner}/work/by-{user}.ics", event(f"by-{user}")).status == 201
            there[user, owner] = (got, put)
            client.close()

    migrate(place)

    with Here(tmp_path / "data") as data:
        for user, owner in itertools.permutations(names, 2):
            data.sees(user)  # What everybody has appears in a home when it is looked at.
            path, client = data.place(user, owner, "work"), data.client(user)
            got = path is not None and client.get(f"{path}one.ics").status == 200
            put = path is not None and client.put(f"{path}new-{user}.ics", event(f"new-{user}")).status == 201
            here[user, owner] = (got, put)
        assert ("club/work", "everybody") in data.shares()
    assert here == there
    assert set(there.values()) == {(False, False), (True, False), (True, True)}


def test_what_is_taken_back_here_is_not_given_again_and_a_change_there_is_followed(tmp_path):
    rule = "[x]\nuser: ben\ncollection: anna/work\npermissions: {}\n[own]\nuser: .+\ncollection: {{user}}/.*\npermissions: rw\n"
    place = folder(tmp_path, "anna", "ben", rights=rule.format("r"))
    data = tmp_path / "data"
    migrate(place)
    (tmp_path / "rights").write_text(rule.format("rw"))

    changed = migrate(place)
    with Here(data) as here:
        after = here.shares()
    tagwerk("share", "remove", "anna/work", "ben", "--data", data)
    again = migrate(place)
    (tmp_path / "rights").write_text(rule.format("r"))
    other = migrate(place)

    assert "anna/work was shared with ben: write." in changed.stdout
    assert after == {("anna/work", "ben"): "write"}
    assert "0 shares were made" in again.stdout
    assert "0 shares were made" in other.stdout
    with Here(data) as here:
        assert here.shares() == {}


def test_what_is_no_level_here_is_said(tmp_path):
    place = folder(
        tmp_path, "anna", "ben",
        rights="[in]\nuser: ben\ncollection: anna/work\npermissions: i\n"
        "[blind]\nuser: anna\ncollection: ben/work\npermissions: w\n"
        "[staff]\ngroups: staff\ncollection: anna/work\npermissions: r\n"
        "[new]\nuser: zoe\ncollection: ben/work\npermissions: r\n"
        "[all]\nuser: .*\ncollection: [^/]+/[^/]+\npermissions: r\n",
    )  # fmt: skip

    done = migrate(place, check=False)

    assert "anna/work: ben may fetch it by GET only there" in done.stderr
    assert "ben/work: anna may write and not read it there" in done.stderr
    assert "who is in staff is not known here" in done.stderr
    assert "anna/work is open to whoever has no password there" in done.stderr
    assert "anna may not change it there; here it is theirs" in done.stderr
    assert "ben/work: users whom nothing names may read it there" in done.stderr
    assert "left out: ben/work shared with zoe: zoe is not here." in done.stderr
    assert done.returncode == 1
    with Here(tmp_path / "data") as here:
        assert here.shares() == {}


@pytest.mark.parametrize(
    ("type", "level"), [("authenticated", "write"), ("owner_write", "read"), ("owner_only", None)]
)
def test_the_type_in_the_settings_decides(tmp_path, type, level):
    place = folder(
        tmp_path, "anna", "ben",
        config=f"[auth]\ntype = htpasswd\nhtpasswd_filename = /nowhere/users\nhtpasswd_encryption = plain\n"
        f"[rights]\ntype = {type}\n",
        users="anna:secret of anna\nben:b\n",
    )  # fmt: skip

    done = migrate(place)

    assert f"The settings in {tmp_path / 'config'} were read." in done.stderr
    with Here(tmp_path / "data") as here:
        expected = {} if level is None else {(f"{who}/work", "everybody"): level for who in ("anna", "ben")}
        assert here.shares() == expected
        assert here.login("anna", "secret of anna") == "anna"


def test_settings_of_another_place_name_their_files_groups_and_shares(tmp_path):
    place = folder(
        tmp_path / "there", "anna", "ben", "carl",
    )  # fmt: skip
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "radicale.ini").write_text(
        f"[rights]\ntype = from_file\nfile = {etc}/who\n[group]\ntype = htgroup\nhtgroup_filename = {etc}/groups\n"
    )
    (etc / "who").write_text(
        "[own]\nuser: .+\ncollection: {user}/.*\npermissions: rw\n[staff]\ngroups: staff\ncollection: anna/work\npermissions: r\n"
    )
    (etc / "groups").write_text("staff: ben\nother: carl\n")

    migrate(place, "--settings", etc / "radicale.ini")

    with Here(tmp_path / "there" / "data") as here:
        assert here.shares() == {("anna/work", "ben"): "read"}


@pytest.mark.parametrize("config", ["Host *\n  User x\n", "[core]\nbare = false\n"])
def test_settings_of_another_program_are_passed_over(tmp_path, config):
    place = folder(tmp_path, "anna", config=config)

    found = migrate(place)
    named = migrate(place, "--settings", tmp_path / "nothing", check=False)

    assert "were read" not in found.stderr
    assert f"{tmp_path / 'nothing'} cannot be read" in named.stderr


@pytest.mark.parametrize(
    "rights", ["[x]\nuser: (\ncollection: .*\npermissions: r\n", "[x]\nuser: .*\n", "no section"]
)
def test_rights_that_cannot_be_read_are_a_sentence(tmp_path, rights):
    place = folder(tmp_path, "anna", rights=rights)

    done = migrate(place, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith("tagwerk: ") or "\ntagwerk: " in done.stderr
    assert "rights" in done.stderr


@pytest.mark.parametrize("kind", ["csv", "files"])
def test_what_radicale_itself_shared_comes_over_with_its_name_and_colour(tmp_path, kind):
    place = folder(tmp_path, "anna", "ben", "carl")
    options = f"""--sharing-type {kind} --sharing-collection-by-map True --sharing-collection-by-token True
        --sharing-permit-create-map True --sharing-permit-create-token True --sharing-permit-properties-overlay True"""
    with stock_radicale(place, *options.split()) as url:
        anna, ben = Dav(url, "anna"), Dav(url, "ben")

        def say(who, what, **values):
            answer = who("POST", f"/.sharing/v1/{what}", json.dumps(values), Content_Type="application/json")
            assert answer.status == 200, answer.text

        of, to = {"PathMapped": "/anna/work/"}, {"PathOrToken": "/ben/work-of-anna/"}
        on = {"Enabled": True, "Hidden": False}
        look = {"D:displayname": 'Anna\'s "work"', "ICAL:calendar-color": "#00ff00ff"}
        say(anna, "map/create", **of, **to, **on, User="ben", Permissions="rw")
        say(ben, "map/update", **to, **on, Properties=look)
        say(anna, "map/create", **of, **on, PathOrToken="/carl/asked/", User="carl", Permissions="r")
        say(anna, "token/create", **of, **on, Permissions="r")
        assert ben.get("/ben/work-of-anna/one.ics").status == 200
        anna.close()
        ben.close()
    (tmp_path / "config").write_text(f"[sharing]\ntype = {kind}\ncollection_by_map = true\n")

    dry = migrate(place, "--dry-run")
    done = migrate(place)
    again = migrate(place)

    assert "anna/work would be shared with ben: write." in dry.stdout
    assert "anna/work was shared with carl: read (pending)." in done.stdout
    assert "anna/work has a public link, whose address cannot be kept" in done.stderr
    assert "0 shares were made, 2 made before" in again.stdout
    with Here(tmp_path / "data") as here:
        assert here.sees("ben") == {"work": "ben's", "work-of-anna": 'Anna\'s "work"'}
        assert here.sees("carl") == {"work": "carl's"}
        assert here.client("ben").get("/ben/work-of-anna/one.ics").body == event("of-anna")
        assert here.client("ben").value("/ben/work-of-anna/", ICAL + "calendar-color").text == "#00ff00ff"
        assert here.sees("anna") == {"work": "anna's"}


def test_shares_that_the_settings_switch_off_are_said(tmp_path):
    place = folder(tmp_path, "anna", config="[rights]\ntype = owner_only\n")
    (place / "collection-db").mkdir()
    (place / "collection-db" / "sharing.csv").write_text("ShareType;PathOrToken\n")

    assert "which its settings switch off" in migrate(place).stderr


def test_a_database_of_shares_that_would_run_something_is_refused(tmp_path):
    place = folder(tmp_path, "anna")
    rows = place / "collection-db" / "files" / "map"
    rows.mkdir(parents=True)
    (rows / "x").write_bytes(pickle.dumps(("1", Path("/"))))

    done = migrate(place, check=False)

    assert done.returncode == 1
    assert "is no value" in done.stderr
