"""What may be changed in a share through stock Radicale: what `tagwerk serve` allows, with the same effects."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sharedstock import BY, PLACES, SharedWorld, calendar, named, share, shared_world
from stock import Answer, card

from tagwerk.model import Access
from tagwerk.sharing import delegation, groups
from tagwerk.store.audit import entries
from tagwerk.store.collections import bindings_of, find_binding
from tagwerk.store.shares import invitation

DAV = "{DAV:}"
COLOR = "{http://apple.com/ns/ical/}calendar-color"
TOKEN = "{DAV:}sync-token"
PRIVILEGES = "{DAV:}current-user-privilege-set"
ALARM = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT{}M\nDESCRIPTION:y\nEND:VALARM\n"
SERVER = "http://127.0.0.1:5232"


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    """A database that every test gets a copy of."""
    folder = tmp_path_factory.mktemp("template")
    with shared_world(folder):
        pass
    return folder / "tagwerk.sqlite"


@pytest.fixture
def world(template, tmp_path):
    shutil.copy(template, tmp_path)
    with shared_world(tmp_path, full=False) as made:
        yield made


@pytest.fixture
def other(template, tmp_path_factory):
    """The same world a second time, for the engine."""
    folder = tmp_path_factory.mktemp("other")
    shutil.copy(template, folder)
    with shared_world(folder, full=False) as made:
        yield made


def proppatch(inner: str) -> str:
    return f'<propertyupdate xmlns="DAV:" xmlns:I="http://apple.com/ns/ical/">{inner}</propertyupdate>'


def named_so(title: str) -> str:
    return proppatch(f"<set><prop><displayname>{title}</displayname></prop></set>")


PAINT = proppatch("<set><prop><I:calendar-color>#123456ff</I:calendar-color></prop></set>")
NEW = calendar("new", "SUMMARY:New\n")
CHANGED = calendar("plain", "SUMMARY:Changed\n")
ONLY_ALARM = calendar("plain", "SUMMARY:Team\nLOCATION:Hall\n" + ALARM.format(30))
TO_OWN = {"destination": f"{SERVER}/USER/calendar/x.ics"}

WRITERS = {"anna", "will", "mona", "gina", "nora", "dirk"}
FULL = {"anna", "mona"}
SHAREES = {"bea", "rita", "will", "mona", "gina", "nora"}
EVERYBODY = set(PLACES)

TABLE = {
    # What is sent, who may do it, and the status for everybody else.
    "put a new object": ("PUT", "new.ics", NEW, {}, WRITERS, 403),
    "put a changed object": ("PUT", "plain.ics", CHANGED, {}, WRITERS, 403),
    "put an alarm of one's own": ("PUT", "plain.ics", ONLY_ALARM, {}, EVERYBODY - {"bea"}, 403),
    "put over a masked object": ("PUT", "conf.ics", calendar("conf", "SUMMARY:Taken\n"), {}, FULL, 403),
    "put over a hidden object": ("PUT", "priv.ics", calendar("priv", "SUMMARY:Taken\n"), {}, FULL, None),
    "put over it what was seen masked": (
        "PUT",
        "plain.ics",
        calendar("plain", "SUMMARY:Busy\n"),
        {},
        {"anna"},
        None,
    ),
    "put under a hidden name": ("PUT", "priv.ics", calendar("else", "SUMMARY:Busy\n"), {}, set(), None),
    "put what one would not see": (
        "PUT",
        "new.ics",
        calendar("new", "SUMMARY:New\nCLASS:PRIVATE\n"),
        {},
        FULL,
        403,
    ),
    "put with a stale tag": ("PUT", "plain.ics", CHANGED, {"if_match": '"stale"'}, set(), None),
    "put as new what is there": ("PUT", "plain.ics", CHANGED, {"if_none_match": "*"}, set(), None),
    "put what does not belong there": (
        "PUT",
        "a.vcf",
        card("a"),
        {"content_type": "text/vcard"},
        set(),
        None,
    ),
    "delete an object": ("DELETE", "plain.ics", "", {}, WRITERS, 403),
    "delete a masked object": ("DELETE", "conf.ics", "", {}, FULL, 403),
    "delete a hidden object": ("DELETE", "priv.ics", "", {}, FULL, 404),
    "delete nothing": ("DELETE", "none.ics", "", {}, set(), 404),
    "delete with a stale tag": ("DELETE", "plain.ics", "", {"if_match": '"stale"'}, set(), None),
    "leave": ("DELETE", "", "", {}, SHAREES | {"anna"}, 403),
    "paint": ("PROPPATCH", "", PAINT, {}, SHAREES | {"anna"}, 403),
    "name": ("PROPPATCH", "", named_so("Neu"), {}, SHAREES | {"anna"}, 403),
    "take an object home": ("MOVE", "plain.ics", "", TO_OWN, WRITERS, 403),
    "take a masked object home": ("MOVE", "conf.ics", "", TO_OWN, FULL, 403),
    "take a hidden object home": ("MOVE", "priv.ics", "", TO_OWN, FULL, 404),
    "make another calendar there": ("MKCALENDAR", "deeper/", "", {}, set(), 403),
}


@pytest.mark.parametrize("what", TABLE)
def test_everybody_may_do_what_the_engine_lets_them_do(template, tmp_path, what):
    method, name, body, headers, may, otherwise = TABLE[what]
    for user in PLACES:
        sent = {key: value.replace("USER", user) for key, value in headers.items()}
        answers = []
        for number in range(2):
            folder = tmp_path / f"{user}{number}"
            folder.mkdir()
            shutil.copy(template, folder)
            with shared_world(folder, full=False) as world:
                if number:
                    answers.append(world.engine(user, method, PLACES[user] + name, body, **sent))
                else:
                    answers.append(world.client(user)(method, PLACES[user] + name, body, **sent))
        stock, ours = answers
        assert stock.status < 500, (user, stock.text)
        assert (stock.status < 300) == (ours.status < 300) == (user in may), (user, stock, ours)
        if user not in may and otherwise:
            assert stock.status == ours.status == otherwise, (user, stock, ours)


def test_put_of_a_whole_calendar_is_for_its_owner(world):
    for user in (*SHAREES, "dirk", "dora"):
        assert world.client(user)("PUT", PLACES[user], NEW).status == 403
    assert world.client("will")("PUT", "/will/friends/", card("b")).status == 403

    assert world.client("anna")("GET", "/anna/work/priv.ics").status == 200
    assert world.client("anna")("PUT", "/anna/work/", NEW).status == 201


@pytest.mark.parametrize("option", ["permit_overwrite_collection", "permit_delete_collection"])
def test_the_options_that_forbid_more_leave_leaving_alone(template, tmp_path, option):
    shutil.copy(template, tmp_path)
    with shared_world(tmp_path, full=False, rights={option: "False"}) as world:
        assert world.client("will")("PUT", "/will/work/", NEW).status == 403
        assert world.client("dirk")("DELETE", "/anna/work/").status == 403
        assert world.client("rita")("DELETE", "/rita/work/").status == 200
        assert world.client("rita")("DELETE", "/rita/").status == 403


def test_rights_that_let_everything_through_in_a_home_change_nothing(template, tmp_path):
    """What may be changed in a share is decided by the storage."""
    shutil.copy(template, tmp_path)
    with shared_world(tmp_path, full=False, rights={"type": "owner_only"}) as world:
        rita, will = world.client("rita"), world.client("will")

        answers = [
            rita("PUT", "/rita/work/plain.ics", CHANGED),
            rita("DELETE", "/rita/work/plain.ics"),
            will("DELETE", "/will/work/conf.ics"),
            will("PUT", "/will/work/", NEW),
            rita("DELETE", "/rita/work/"),
        ]

        assert [answer.status for answer in answers] == [403, 403, 403, 400, 200]
        assert "SUMMARY:Clinic" in world.engine("anna", "GET", "/anna/work/conf.ics").text


def test_what_a_sharee_writes_everybody_sees_and_alarms_stay_with_everybody(world):
    anna, will, rita = (world.client(user) for user in ("anna", "will", "rita"))
    before = anna("GET", "/anna/work/plain.ics")
    body = calendar("plain", "SUMMARY:Moved\nLOCATION:Attic\n" + ALARM.format(15))

    put = will(
        "PUT", "/will/work/plain.ics", body, if_match=will("GET", "/will/work/plain.ics").headers["ETag"]
    )

    assert put.status == 204
    seen = {
        user: world.client(user)("GET", PLACES[user] + "plain.ics").text for user in ("anna", "will", "rita")
    }
    assert all("SUMMARY:Moved" in text for text in seen.values())
    assert {user: text.count("BEGIN:VALARM") for user, text in seen.items()} == {
        "anna": 1,
        "will": 1,
        "rita": 0,
    }
    assert "-PT5M" in seen["anna"]
    assert "-PT15M" in seen["will"]
    assert put.headers["ETag"] == will("GET", "/will/work/plain.ics").headers["ETag"]
    assert anna("GET", "/anna/work/plain.ics").headers["ETag"] != before.headers["ETag"]
    assert (
        rita("GET", "/rita/work/plain.ics").text == world.engine("rita", "GET", "/rita/work/plain.ics").text
    )


def test_an_alarm_of_ones_own_is_a_change_for_nobody_else(world):
    rita, will = world.client("rita"), world.client("will")
    tokens = {user: token_of(world, user) for user in ("anna", "rita", "will", "bea")}

    put = rita("PUT", "/rita/work/plain.ics", ONLY_ALARM)

    assert put.status == 204
    assert "-PT30M" in rita("GET", "/rita/work/plain.ics").text
    assert "-PT30M" not in will("GET", "/will/work/plain.ics").text
    changed = {user: changes(world, user, token) for user, token in tokens.items()}
    assert changed.pop("rita") == {"/rita/work/plain.ics": "200"}
    assert not any(changed.values())


def token_of(world: SharedWorld, user: str) -> str:
    return world.client(user).propfind(PLACES[user], TOKEN).value(TOKEN)


def changes(world: SharedWorld, user: str, token: str) -> dict[str, str]:
    """What a sync tells, which is the same from both."""
    stock = world.client(user).sync(PLACES[user], token)
    body = (
        f'<sync-collection xmlns="DAV:"><sync-token>{token}</sync-token><sync-level>1</sync-level>'
        "<prop><getetag/></prop></sync-collection>"
    )
    ours = world.engine(user, "REPORT", PLACES[user], body)
    assert stock.status == ours.status == 207
    assert stock.statuses() == ours.statuses()
    assert stock.xml().findtext(TOKEN) == ours.xml().findtext(TOKEN)
    return stock.statuses()


def test_what_becomes_private_is_gone_and_comes_back(world):
    anna = world.client("anna")
    tokens = {user: token_of(world, user) for user in ("anna", "will", "bea", "mona")}
    anna("PUT", "/anna/work/free.ics", calendar("free", "SUMMARY:Holiday\nCLASS:PRIVATE\n"))
    anna(
        "PUT", "/anna/work/priv.ics", calendar("priv", "SUMMARY:Surprise\nDESCRIPTION:more\nCLASS:PRIVATE\n")
    )

    told = {user: changes(world, user, token) for user, token in tokens.items()}

    assert told["anna"] == {"/anna/work/free.ics": "200", "/anna/work/priv.ics": "200"}
    assert told["mona"] == {"/mona/work/free.ics": "200", "/mona/work/priv.ics": "200"}
    assert told["will"] == {"/will/work/free.ics": "404"}
    assert told["bea"] == {"/bea/work/free.ics": "404"}


def test_name_and_colour_are_the_sharees_own(world):
    will, rita = world.client("will"), world.client("rita")
    token = token_of(world, "anna")
    both = proppatch(
        "<set><prop><displayname>Annas Arbeit</displayname><I:calendar-color>#ff0000ff</I:calendar-color></prop></set>"
    )

    assert rita("PROPPATCH", "/rita/work/", both).status == 207

    for ask in (
        lambda user: world.client(user)("PROPFIND", PLACES[user], ASKED, depth="0"),
        lambda user: world.engine(user, "PROPFIND", PLACES[user], ASKED, depth="0"),
    ):
        assert (ask("rita").value(DAV + "displayname"), ask("rita").value(COLOR)) == (
            "Annas Arbeit",
            "#ff0000ff",
        )
        assert (ask("will").value(DAV + "displayname"), ask("will").value(COLOR)) == ("Work", None)
        assert (ask("anna").value(DAV + "displayname"), ask("anna").value(COLOR)) == ("Work", None)
    assert changes(world, "anna", token) == {}
    assert token_of(world, "anna") == token

    removed = proppatch("<remove><prop><displayname/></prop></remove>")
    assert rita("PROPPATCH", "/rita/work/", removed).status == 207
    assert rita.propfind("/rita/work/", DAV + "displayname").value(DAV + "displayname") == "Work"
    assert will.propfind("/will/work/", DAV + "displayname").value(DAV + "displayname") == "Work"


ASKED = '<propfind xmlns="DAV:" xmlns:I="http://apple.com/ns/ical/"><prop><displayname/><I:calendar-color/></prop></propfind>'


def test_who_manages_a_calendar_names_it_for_everybody(world):
    both = proppatch(
        "<set><prop><displayname>Büro</displayname><I:calendar-color>#00ff00ff</I:calendar-color></prop></set>"
    )

    assert world.client("mona")("PROPPATCH", "/mona/work/", both).status == 207

    seen = {
        user: world.client(user)("PROPFIND", PLACES[user], ASKED, depth="0")
        for user in ("anna", "mona", "will")
    }
    assert {user: answer.value(DAV + "displayname") for user, answer in seen.items()} == dict.fromkeys(
        seen, "Büro"
    )
    assert {user: answer.value(COLOR) for user, answer in seen.items()} == {
        "anna": None,
        "mona": "#00ff00ff",
        "will": None,
    }


def test_a_share_without_a_title_is_called_by_its_name(world):
    world.client("anna")(
        "PROPPATCH", "/anna/work/", proppatch("<remove><prop><displayname/></prop></remove>")
    )
    will = world.client("will")

    assert will.propfind("/will/work/", DAV + "displayname").value(DAV + "displayname") == "work"
    assert will("PROPPATCH", "/will/work/", PAINT).status == 207
    world.client("anna")("PROPPATCH", "/anna/work/", named_so("Later"))
    assert will.propfind("/will/work/", DAV + "displayname").value(DAV + "displayname") == "Later"


def privileges(answer: Answer) -> set[str]:
    found = answer.xml().iterfind(f".//{PRIVILEGES}/{DAV}privilege/*")
    return {node.tag.partition("}")[2] for node in found}


def test_only_who_writes_is_told_that_they_may_write(world):
    for user in PLACES:
        for path, depth in ((PLACES[user], "0"), (f"/{PLACES[user].split('/')[1]}/", "1")):
            answer = world.client(user).propfind(path, PRIVILEGES, depth=depth)
            (told,) = (
                {node.tag.partition("}")[2] for node in response.iterfind(f".//{DAV}privilege/*")}
                for response in answer.xml().iterfind(f"{DAV}response")
                if response.findtext(f"{DAV}href") == PLACES[user]
            )
            assert ("write-content" in told) == (user in WRITERS), user
            assert "read" in told
    assert "write-properties" not in privileges(world.client("dirk").propfind("/anna/work/", PRIVILEGES))


def test_leaving_a_share_leaves_the_owners_data_alone(world):
    rita, anna = world.client("rita"), world.client("anna")
    before = anna("GET", "/anna/work/").body

    assert rita("DELETE", "/rita/work/").status == 200

    assert rita("PROPFIND", "/rita/work/", depth="0").status == 404
    assert rita("DELETE", "/rita/work/").status == 404
    assert "/rita/work/" not in rita.propfind("/rita/", DAV + "displayname", depth="1").statuses()
    assert anna("GET", "/anna/work/").body == before
    with world.store.read() as txn:
        work = find_binding(txn, "anna", "work")
        assert invitation(txn, named(txn, "rita").id, work.collection.id).status == "declined"
        assert [(one.actor, one.action) for one in entries(txn)][:1] == [("rita", "decline")]


def test_the_owner_deletes_it_for_everybody_and_it_is_remembered(world):
    assert world.client("anna")("DELETE", "/anna/work/").status == 200

    for user, place in PLACES.items():
        assert world.client(user)("PROPFIND", place, depth="0").status == 404, user
    with world.store.read() as txn:
        assert [(one.actor, one.action) for one in entries(txn)][:1] == [("anna", "delete")]
        notices = txn.row(
            "SELECT COUNT(*) FROM object o JOIN binding b ON b.collection_id = o.collection_id"
            " JOIN principal p ON p.id = b.principal_id WHERE p.name = 'rita' AND b.name = '-notifications'"
            " AND NOT o.removed"
        )
    assert notices == (2,)


def test_objects_move_between_what_is_shared_and_what_is_ones_own(world):
    will, anna = world.client("will"), world.client("anna")
    tokens = {user: token_of(world, user) for user in ("anna", "will", "rita")}
    will("PUT", "/will/calendar/mine.ics", calendar("mine", "SUMMARY:Mine\n" + ALARM.format(20)))

    into = will("MOVE", "/will/calendar/mine.ics", destination=f"{SERVER}/will/work/mine.ics")
    out = will("MOVE", "/will/work/plain.ics", destination=f"{SERVER}/will/calendar/taken.ics")

    assert (into.status, out.status) == (201, 201)
    assert "SUMMARY:Mine" in anna("GET", "/anna/work/mine.ics").text
    assert "VALARM" not in anna("GET", "/anna/work/mine.ics").text
    assert "-PT20M" in will("GET", "/will/work/mine.ics").text
    assert "-PT5M" not in will("GET", "/will/calendar/taken.ics").text
    for user, token in tokens.items():
        place = PLACES[user]
        assert changes(world, user, token) == {place + "mine.ics": "200", place + "plain.ics": "404"}


def test_what_is_moved_onto_something_takes_its_place(world):
    will = world.client("will")
    will("PUT", "/will/calendar/plain.ics", calendar("plain", "SUMMARY:Mine\n"))
    to = f"{SERVER}/will/work/plain.ics"

    kept = will("MOVE", "/will/calendar/plain.ics", destination=to, overwrite="F")
    taken = will("MOVE", "/will/calendar/plain.ics", destination=to, overwrite="T")
    onto_masked = will("PUT", "/will/calendar/conf.ics", calendar("conf", "SUMMARY:Mine\n"))
    refused = will(
        "MOVE", "/will/calendar/conf.ics", destination=f"{SERVER}/will/work/conf.ics", overwrite="T"
    )
    hidden = will("PUT", "/will/calendar/priv.ics", calendar("else", "SUMMARY:Mine\n"))
    unseen = will(
        "MOVE", "/will/calendar/priv.ics", destination=f"{SERVER}/will/work/priv.ics", overwrite="T"
    )

    assert (kept.status, taken.status, onto_masked.status, refused.status) == (412, 204, 201, 403)
    assert (hidden.status, unseen.status) == (201, 403)
    assert "SUMMARY:Mine" in world.client("anna")("GET", "/anna/work/plain.ics").text
    assert "SUMMARY:Clinic" in world.client("anna")("GET", "/anna/work/conf.ics").text
    assert "SUMMARY:Surprise" in world.client("anna")("GET", "/anna/work/priv.ics").text
    assert will("GET", "/will/calendar/conf.ics").status == 200


@pytest.mark.parametrize("user", ["bea", "rita", "dora"])
def test_who_stores_nothing_is_not_told_which_names_and_uids_are_hidden(world, user):
    def answers(ask) -> set[tuple[int, bytes]]:
        return {
            (answer.status, answer.body)
            for name in ("priv.ics", "none.ics")
            for uid in ("priv", "none")
            for headers in ({}, {"if_none_match": "*"})
            for answer in [ask("PUT", PLACES[user] + name, calendar(uid, "SUMMARY:x\n"), **headers)]
        }

    assert len(answers(world.client(user))) == 1
    assert len(answers(lambda *args, **headers: world.engine(user, *args, **headers))) == 1
    world.client(user)("PUT", f"/{user}/calendar/x.ics", calendar("priv", "SUMMARY:x\n"))
    for name in ("priv.ics", "none.ics"):
        moved = world.client(user)(
            "MOVE", f"/{user}/calendar/x.ics", destination=SERVER + PLACES[user] + name, overwrite="T"
        )
        assert moved.status == 403


def test_a_uid_that_is_hidden_is_taken_and_nothing_more_is_told(world):
    will = world.client("will")

    put = will("PUT", "/will/work/other.ics", calendar("priv", "SUMMARY:x\n"))
    will("PUT", "/will/calendar/other.ics", calendar("priv", "SUMMARY:x\n"))
    moved = will("MOVE", "/will/calendar/other.ics", destination=f"{SERVER}/will/work/other.ics")

    assert (put.status, moved.status) == (409, 409)
    assert b"priv.ics" not in put.body + moved.body


@pytest.mark.parametrize("user", ["will", "gina", "dirk"])
def test_rights_that_end_are_a_collection_that_is_gone(world, user):
    client, token = world.client(user), token_of(world, user)
    with world.store.write() as txn:
        if user == "dirk":
            delegation.undelegate(txn, named(txn, "anna"), named(txn, "dirk"), by=BY)
        elif user == "gina":
            groups.leave(txn, named(txn, "club"), named(txn, "gina"), by=BY)
        else:
            share(txn, "anna/work", "will", None)
    gone = 403 if user == "dirk" else 404

    answers = [
        client.sync(PLACES[user], token),
        client("PROPFIND", PLACES[user], depth="1"),
        client("GET", PLACES[user] + "plain.ics"),
        client("DELETE", PLACES[user] + "plain.ics"),
        client("PROPPATCH", PLACES[user], PAINT),
    ]

    assert [answer.status for answer in answers] == [gone] * 5
    # A client that puts what it still has makes nothing of it.
    assert client("PUT", PLACES[user] + "plain.ics", CHANGED).status in (403, 409)


def test_a_lower_level_is_another_history(world):
    will, token = world.client("will"), token_of(world, "will")
    world.share("anna/work", "will", Access.BUSY)

    refused = will.sync("/will/work/", token)
    again = will.sync("/will/work/")

    assert refused.status == 403
    assert refused.xml().find(f"{DAV}valid-sync-token") is not None
    assert again.status == 207
    assert "Team" not in will("GET", "/will/work/plain.ics").text
    assert will("PUT", "/will/work/plain.ics", CHANGED).status == 403
    assert "write-content" not in privileges(will.propfind("/will/work/", PRIVILEGES))


def test_what_is_shared_with_everybody_is_there_when_somebody_comes(world):
    sven = world.client("sven")
    world.share("anna/work", "everybody", Access.READ)

    assert "/sven/work/" in sven.propfind("/sven/", DAV + "displayname", depth="1").statuses()
    assert sven("GET", "/sven/work/plain.ics").status == 200
    assert sven("DELETE", "/sven/work/").status == 200
    assert "/sven/work/" not in sven.propfind("/sven/", DAV + "displayname", depth="1").statuses()
    world.share("anna/work", "everybody", None)
    assert world.client("bea").propfind("/bea/work/", DAV + "displayname").status == 207


def test_what_a_group_is_given_is_there_at_the_next_request(world):
    gina = world.client("gina")
    world.share("anna/friends", "union", Access.READ)

    assert gina("GET", "/gina/friends/a.vcf").text == card("a")
    world.share("anna/friends", "club", Access.WRITE)
    assert gina("PUT", "/gina/friends/b.vcf", card("b")).status == 201
    world.share("anna/friends", "club", None)
    assert gina("PUT", "/gina/friends/c.vcf", card("c")).status == 403
    world.share("anna/friends", "union", None)
    assert gina("GET", "/gina/friends/a.vcf").status == 404


def test_who_is_to_be_asked_is_not_given_a_place(template, tmp_path):
    shutil.copy(template, tmp_path)
    with shared_world(tmp_path, full=False, storage={"accept": "ask"}) as world:
        world.share("anna/work", "everybody", Access.READ)

        listed = world.client("sven").propfind("/sven/", DAV + "displayname", depth="1")

        assert "/sven/work/" not in listed.statuses()
        with world.store.read() as txn:
            work = find_binding(txn, "anna", "work")
            assert invitation(txn, named(txn, "sven").id, work.collection.id).status == "pending"


def test_a_group_or_a_room_of_that_name_is_nobody_who_logs_in(world):
    for user in ("club", "union"):
        client = world.client(user)
        answers = [
            client("PROPFIND", path, depth="1")
            for path in ("/", f"/{user}/", f"/{user}/calendar/", "/anna/work/")
        ]
        assert [answer.status for answer in answers] == [403] * 4
        assert client("MKCALENDAR", f"/{user}/calendar/").status == 403
        assert world.engine(user, "PROPFIND", "/", depth="0").status == 401
        with world.store.read() as txn:
            assert not bindings_of(txn, named(txn, user).id, notifications=True)


def test_who_was_disabled_is_let_in_by_nobody(world):
    assert world.client("will")("GET", "/will/work/plain.ics").status == 200
    with world.store.write() as txn:
        txn.execute("UPDATE principal SET state = 'disabled' WHERE name = 'will'")

    answers = [world.client("will")("PROPFIND", path, depth="1") for path in ("/", "/will/", "/will/work/")]

    assert [answer.status for answer in answers] == [403] * 3


def test_what_a_group_owns_is_in_the_homes_of_its_members(world):
    from tagwerk.model import Kind
    from tagwerk.store.collections import create_collection

    with world.store.write() as txn:
        create_collection(txn, named(txn, "club").id, name="team", kind=Kind.CALENDAR, now=BY.now)
        share(txn, "club/team", "club", Access.WRITE)
    gina = world.client("gina")

    assert gina("PUT", "/gina/team/a.ics", NEW).status == 201
    found = gina.propfind("/gina/team/", DAV + "owner")
    assert found.xml().findtext(f".//{DAV}owner/{DAV}href") == "/club/"
    assert gina("GET", "/club/team/a.ics").status == 403


def test_who_acts_for_somebody_is_not_told_what_their_clients_remember(world):
    world.client("anna")(
        "PROPPATCH",
        "/anna/",
        '<propertyupdate xmlns="DAV:" xmlns:X="urn:x"><set><prop><X:note>secret</X:note></prop></set></propertyupdate>',
    )

    for path, depth in (("/anna/", "0"), ("/", "1")):
        shown = world.client("dirk")(
            "PROPFIND", path, '<propfind xmlns="DAV:"><allprop/></propfind>', depth=depth
        )
        assert b"secret" not in shown.body
    asked = world.client("dirk").propfind("/anna/", "{urn:x}note", DAV + "displayname")
    assert (asked.value("{urn:x}note"), asked.value(DAV + "displayname")) == (None, "Anna")
    assert world.client("anna").propfind("/anna/", "{urn:x}note").value("{urn:x}note") == "secret"
