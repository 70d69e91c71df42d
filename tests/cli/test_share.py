"""`tagwerk share`, `tagwerk delegate` and `tagwerk user invitations`."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from tagwerk.accounts.users import add_user
from tagwerk.sharing.links import hash_of
from tagwerk.store import open_engine


@pytest.fixture
def people(tagwerk, anna, data):
    """anna, bert and carl."""
    engine = open_engine(f"sqlite://{data}/tagwerk.sqlite")
    with engine.write() as txn:
        for name in ("bert", "carl"):
            add_user(txn, name, now=1_700_000_000, display_name=name.title())
    engine.close()


def listed(tagwerk, *place):
    return json.loads(tagwerk("share", "list", *place, "--json").out)


def homes(tagwerk, user):
    found = json.loads(tagwerk("collection", "list", user, "--json").out)
    return {each["name"]: each["access"] for each in found}


def test_a_share_appears_in_the_home_of_its_grantee(tagwerk, people):
    result = tagwerk("share", "add", "anna/calendar", "bert", "--level", "read")

    assert (result.code, result.out) == (0, "anna/calendar is shared with bert: read (accepted).\n")
    assert homes(tagwerk, "bert")["calendar-anna"] == "read"
    assert [(one["grantee"], one["level"]) for one in listed(tagwerk, "anna/calendar")["shares"]] == [
        ("bert", "read")
    ]


def test_a_second_level_replaces_the_first(tagwerk, people):
    for level in ("busy", "manage", "write"):
        tagwerk("share", "add", "anna/calendar", "bert", "--level", level)

    assert [one["level"] for one in listed(tagwerk)["shares"]] == ["write"]
    assert homes(tagwerk, "bert")["calendar-anna"] == "write"


def test_what_is_taken_back_leaves_the_home(tagwerk, people):
    tagwerk("share", "add", "anna/calendar", "bert", "--level", "read")

    result = tagwerk("share", "remove", "anna/calendar", "bert", "--json")

    assert json.loads(result.out) == {"place": "anna/calendar", "grantee": "bert"}
    assert "calendar-anna" not in homes(tagwerk, "bert")
    assert listed(tagwerk) == {"shares": [], "links": []}
    again = tagwerk("share", "remove", "anna/calendar", "bert")
    assert (again.code, again.err) == (1, "tagwerk: It is not shared with bert.\n")


def test_the_list_is_a_table_for_people(tagwerk, people):
    tagwerk("share", "add", "anna/calendar", "bert", "--level", "read")
    tagwerk("share", "add", "anna/contacts", "everybody", "--level", "write")

    lines = tagwerk("share", "list", "anna").out.splitlines()

    assert lines[0].split() == ["PLACE", "GRANTEE", "KIND", "LEVEL", "STATUS"]
    assert [line.split() for line in lines[1:]] == [
        ["anna/calendar", "bert", "person", "read", "accepted"],
        ["anna/contacts", "everybody", "everybody", "write", "accepted"],
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("anna", "bert", "--level", "read"), "'anna' names no collection; write OWNER/COLLECTION."),
        (("anna/nothing", "bert", "--level", "read"), "anna has no collection 'nothing'. There are: "),
        (("nobody/calendar", "bert", "--level", "read"), "There is no user 'nobody'."),
        (("anna/calendar", "nobody", "--level", "read"), "There is no user or group 'nobody'."),
        (("anna/calendar", "anna", "--level", "read"), "It belongs to them already."),
        (("anna/contacts", "bert", "--level", "busy"), "An address book has no busy time"),
        (("anna/-notifications", "bert", "--level", "read"), "anna has no collection '-notifications'"),
    ],
)
def test_what_cannot_be_shared_is_a_sentence(tagwerk, people, words, sentence):
    result = tagwerk("share", "add", *words)

    assert result.code == 1
    assert sentence in result.err
    assert listed(tagwerk)["shares"] == []


def test_what_is_somebody_elses_is_not_removed_exported_or_filled_by_its_sharee(tagwerk, people, tmp_path):
    tagwerk("share", "add", "anna/calendar", "bert", "--level", "manage")
    (tmp_path / "a.ics").write_text(
        "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:a\nDTSTART:20260301\nEND:VEVENT\nEND:VCALENDAR\n"
    )

    removed = tagwerk("collection", "remove", "bert", "calendar-anna", "--yes")
    tagwerk("export", "bert", tmp_path / "out")
    filled = tagwerk("import", "bert", tmp_path / "a.ics", "--collection", "calendar-anna")

    assert removed.err.startswith("tagwerk: calendar-anna is a share of anna's; ")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "calendar.ics",
        "contacts.vcf",
        "tasks.ics",
    ]
    assert filled.code == 1
    assert "calendar" in homes(tagwerk, "anna")


def test_who_is_asked_accepts_or_leaves(tagwerk, people):
    tagwerk("user", "invitations", "bert", "ask")
    pending = tagwerk("share", "add", "anna/calendar", "bert", "--level", "read")
    before = homes(tagwerk, "bert")

    accepted = tagwerk("share", "accept", "bert", "anna/calendar")
    between = homes(tagwerk, "bert")
    left = tagwerk("share", "leave", "bert", "anna/calendar")

    assert pending.out == "anna/calendar is shared with bert: read (pending).\n"
    assert "calendar-anna" not in before
    assert accepted.out == "bert sees anna/calendar as bert/calendar-anna.\n"
    assert "calendar-anna" in between
    assert left.out == "bert does not see anna/calendar any more.\n"
    assert "calendar-anna" not in homes(tagwerk, "bert")
    assert [one["status"] for one in listed(tagwerk)["shares"]] == ["declined"]


def test_an_invitation_that_was_never_made_cannot_be_accepted(tagwerk, people):
    result = tagwerk("share", "accept", "carl", "anna/calendar")

    assert (result.code, result.err) == (1, "tagwerk: There is no such invitation.\n")


def test_the_choice_about_invitations_is_shown(tagwerk, people):
    assert tagwerk("user", "invitations", "bert").out == "bert has what others share at once, the default.\n"
    assert tagwerk("user", "invitations", "bert", "ask").out == "bert is asked about what others share.\n"
    assert tagwerk("user", "invitations", "bert", "default").out.endswith(", the default.\n")
    for choice, fields in (("ask", ("ask", False)), ("default", ("at-once", True))):
        found = json.loads(tagwerk("user", "invitations", "bert", choice, "--json").out)
        assert found == {"name": "bert", "invitations": fields[0], "default": fields[1]}


def test_an_invitation_that_was_accepted_is_no_place_at_once(tagwerk, people):
    tagwerk("user", "invitations", "bert", "ask")
    tagwerk("share", "add", "anna/calendar", "bert", "--level", "read")
    tagwerk("share", "accept", "bert", "anna/calendar")

    found = json.loads(tagwerk("share", "log", "anna/calendar", "--json").out)

    assert [one["action"] for one in reversed(found)] == ["share", "invite", "accept"]


def test_a_link_is_printed_once_and_only_its_hash_is_kept(tagwerk, people, data):
    result = tagwerk("share", "link", "anna/calendar", "--label", "for the club")

    url = result.out.strip()
    assert url.startswith("http://127.0.0.1:5232/public/")
    assert result.err == "[server] public_url is not set: host and port of the URL are a guess.\n"
    assert url.endswith(".ics")
    token = url.rsplit("/", 1)[1].removesuffix(".ics")
    kept = (
        (data / "tagwerk.sqlite").read_bytes() + (data / "tagwerk.sqlite-wal").read_bytes()
        if (data / "tagwerk.sqlite-wal").exists()
        else (data / "tagwerk.sqlite").read_bytes()
    )
    assert token.encode() not in kept
    assert hash_of(token).encode() in kept
    (link,) = listed(tagwerk, "anna/calendar")["links"]
    assert (link["level"], link["label"], link["password"]) == ("read", "for the club", False)
    assert token not in json.dumps(link)


def test_a_link_has_what_it_was_made_with(tagwerk, people):
    day = (datetime.now() + timedelta(days=30)).strftime("%Y-%m-%d")

    made = tagwerk(
        "share",
        "link",
        "anna/calendar",
        "--busy",
        "--expires",
        day,
        "--password-stdin",
        "--json",
        stdin="let me in\n",
    )

    fields = json.loads(made.out)
    assert (fields["level"], fields["password"]) == ("busy", True)
    assert datetime.fromtimestamp(fields["expires"]).strftime("%Y-%m-%d %H:%M") == f"{day} 23:59"
    table = tagwerk("share", "list").out
    assert day in table
    assert "busy" in table


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("anna/contacts", "--busy"), "An address book has no busy time."),
        (("anna/calendar", "--expires", "soon"), "'soon' is no date"),
        (("anna/calendar", "--expires", "2001-01-01"), "The link would have expired already."),
    ],
)
def test_a_link_that_makes_no_sense_is_refused(tagwerk, people, words, sentence):
    result = tagwerk("share", "link", *words)

    assert result.code == 1
    assert sentence in result.err


def test_a_link_begins_with_the_public_url(tagwerk, people, tmp_path):
    config = tmp_path / "tagwerk.ini"
    config.write_text("[server]\npublic_url = https://dav.example.org/\n")

    result = tagwerk("share", "link", "anna/contacts", "--config", config)

    assert result.err == ""
    assert result.out.startswith("https://dav.example.org/public/")
    assert result.out.strip().endswith(".vcf")


def test_a_link_is_revoked_by_its_name(tagwerk, people):
    made = json.loads(tagwerk("share", "link", "anna/calendar", "--json").out)

    result = tagwerk("share", "unlink", "anna/calendar", made["link"])

    assert result.out == f"The link {made['link']} to anna/calendar leads nowhere from now on.\n"
    assert listed(tagwerk)["links"] == []
    assert tagwerk("share", "unlink", "anna/calendar", made["link"]).code == 1


def test_the_log_tells_who_did_what(tagwerk, people):
    tagwerk("share", "add", "anna/calendar", "bert", "--level", "read")
    tagwerk("share", "leave", "bert", "anna/calendar")
    tagwerk("share", "remove", "anna/calendar", "bert")

    found = json.loads(tagwerk("share", "log", "anna/calendar", "--json").out)

    assert {(one["action"], one["grantee"]) for one in found} == {
        ("share", "bert"),
        ("place", "bert"),
        ("decline", "bert"),
        ("unshare", "bert"),
    }
    assert {one["actor"] for one in found} == {"command line"}
    assert "unshare" in tagwerk("share", "log").out


def test_a_removed_user_leaves_no_share_behind(tagwerk, people):
    tagwerk("share", "add", "anna/calendar", "bert", "--level", "read")
    tagwerk("delegate", "add", "anna", "bert", "--level", "read")

    tagwerk("user", "remove", "bert", "--yes")

    assert listed(tagwerk)["shares"] == []
    assert json.loads(tagwerk("delegate", "list", "--json").out) == []
    assert tagwerk("check").code == 0


def test_delegates_are_added_listed_and_removed(tagwerk, people):
    added = tagwerk("delegate", "add", "anna", "bert", "--level", "write")
    found = json.loads(tagwerk("delegate", "list", "anna", "--json").out)
    table = tagwerk("delegate", "list").out.splitlines()

    removed = tagwerk("delegate", "remove", "anna", "bert")

    assert added.out == "bert may write all calendars of anna.\n"
    assert found == [{"owner": "anna", "delegate": "bert", "level": "write"}]
    assert table[1].split() == ["anna", "bert", "write"]
    assert removed.out == "bert no longer acts for anna.\n"
    assert tagwerk("delegate", "remove", "anna", "bert").code == 1
    assert tagwerk("delegate", "add", "anna", "anna", "--level", "read").code == 1
