"""macOS and iOS: "Share Calendar…" from the picker to the sharee's calendar, and all that comes after.

Anna has a Mac, Berta an iPhone.  Most of it goes to the engine itself; the whole dialogue is
played with a real server too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from appleclient import (
    HEADERS,
    IOS,
    MACOS,
    PRINCIPAL,
    WHO,
    device,
    element,
    multiget,
    propfind,
    proppatch,
    sync,
)
from applesharing import (
    TEXT_XML,
    Invitee,
    add_person,
    ask,
    calendars,
    device_of,
    give_notifications,
    home,
    invitations,
    invitees,
    mark,
    older_search,
    organizer,
    privileges,
    removal,
    replies,
    reply,
    search,
    share,
    share_body,
    shared_as,
    sharee,
    told,
    types,
)

from davclient import CALDAV, CS, DAV, ICAL, Dav
from davsamples import event
from enginedav import EngineDav, World
from serverprocess import ServerProcess
from tagwerk.accounts import leaving
from tagwerk.accounts.users import add_user
from tagwerk.model import Access
from tagwerk.sharing import groups, shares
from tagwerk.sharing.shares import By
from tagwerk.store import open_engine
from tagwerk.store.collections import find_binding_of
from tagwerk.store.principals import principal_by_name

CALENDAR, SHARED = "/anna/calendar/", "/berta/calendar/"
BERTA = "mailto:berta@example.org"
WRITER = {"read", "write", "write-content", "write-properties", "bind", "unbind"}


@pytest.fixture(autouse=True)
def places(world: World) -> None:
    """What every user has who was made with the command line."""
    give_notifications(world, "anna", "berta")


@pytest.fixture
def asking(world: World) -> None:
    """A server that asks before it puts anything into somebody's home."""
    ask(world)


@pytest.fixture
def mac(world: World) -> EngineDav:
    return device(world, MACOS)


@pytest.fixture
def phone(world: World) -> EngineDav:
    return device_of(world, "berta", IOS)


def shared_with(dav: Dav, path: str = CALENDAR) -> list[Invitee]:
    """The list in the dialogue."""
    return invitees(propfind(dav, path, CS + "invite").only())


def set_properties(dav: Dav, path: str, **values: str) -> None:
    """Name, colour and order, as the list of calendars sets them."""
    names = {"name": DAV + "displayname", "color": ICAL + "calendar-color", "order": ICAL + "calendar-order"}
    proppatch(dav, path, "".join(element(names[name], value) for name, value in values.items()))


def look(dav: Dav, path: str) -> tuple[str, str, str]:
    """How a calendar looks to somebody: name, colour, order."""
    names = (DAV + "displayname", ICAL + "calendar-color", ICAL + "calendar-order")
    found = propfind(dav, path, *names).only()
    name, color, order = (found.text(each) if each in found.values else "" for each in names)
    return name, color, order


# Before


def test_sharing_is_offered_where_the_server_says_so_and_the_calendar_too(mac, phone):
    tokens = {token.strip() for token in mac("OPTIONS", "/anna/").headers["dav"].split(",")}

    assert {
        "calendarserver-sharing",
        "calendarserver-principal-search",
        "calendarserver-principal-property-search",
        "calendar-proxy",
    } <= tokens
    found = calendars(mac, "/anna/")[CALENDAR]
    assert [node.tag for node in found.values[CS + "allowed-sharing-modes"]] == [CS + "can-be-shared"]
    assert types(found) == {DAV + "collection", CALDAV + "calendar"}
    # Without these a calendar is one that is shared with nobody.
    assert not {CS + "invite", CS + "shared-url"} & set(found.values)


def test_reports_that_the_picker_needs_are_announced_on_the_principal(mac):
    found = propfind(mac, "/anna/", *PRINCIPAL).only()

    reports = {node.tag for node in found.values[DAV + "supported-report-set"].iter()}
    assert {CS + "calendarserver-principal-search", DAV + "principal-search-property-set"} <= reports


@pytest.mark.parametrize("words", [("ber",), ("wei",), ("WEIß", "bert"), ("berta@ex",), ("example", "berta")])
def test_the_picker_finds_people_by_parts_of_names_and_addresses(mac, words):
    found = search(mac, *words)

    assert list(found) == ["/berta/"]
    assert {name: found.only().text(CS + name) for name in ("first-name", "last-name", "record-type")} == {
        "first-name": "Berta",
        "last-name": "Weiß",
        "record-type": "users",
    }
    assert found.only().text(DAV + "displayname") == "Berta Weiß"
    assert BERTA in found.only().hrefs(CALDAV + "calendar-user-address-set")


@pytest.mark.parametrize("word", ["ber", "weiß", "berta@example"])
def test_the_picker_finds_people_by_the_older_report(mac, word):
    assert list(older_search(mac, word)) == ["/berta/"]


def test_the_picker_keeps_people_groups_and_rooms_apart(world, mac):
    for kind in ("group", "room", "resource"):
        world.add_user(f"berg-{kind}", kind=kind, display_name=f"Berg {kind}")

    def found(context: str) -> dict[str, str]:
        listed = search(mac, "ber", context=context)
        return {one.href: one.text(CS + "record-type") for one in listed.found.values()}

    people, group = {"/berta/": "users"}, {"/berg-group/": "groups"}
    room, thing = {"/berg-room/": "locations"}, {"/berg-resource/": "resources"}
    assert found("user") == people
    assert found("group") == group
    assert found("location") == room
    assert found("resource") == thing
    assert found("attendee") == found("") == people | group | room | thing


def test_a_name_in_one_word_is_no_first_and_no_last_name(world, mac):
    add_person(world, "carla", "Carla")

    found = search(mac, "carl").only()

    assert found.text(DAV + "displayname") == "Carla"
    assert not {CS + "first-name", CS + "last-name"} & set(found.values)


def test_what_ios_does_to_the_type_of_a_calendar_changes_nothing_and_is_no_error_of_the_server(mac):
    before = propfind(mac, CALENDAR, DAV + "resourcetype", CS + "getctag").only()

    answers = [mark(mac, CALENDAR), mark(mac, CALENDAR, shared=False)]

    # It goes on whatever this says, as long as something answers.
    assert all(answer.status in (200, 204, 207, 403) for answer in answers)
    after = propfind(mac, CALENDAR, DAV + "resourcetype", CS + "getctag").only()
    assert types(after) == types(before) == {DAV + "collection", CALDAV + "calendar"}


# Done: what the sharer sees


@pytest.mark.parametrize(
    "href", [BERTA, "/berta/", "mailto:BERTA@example.org", "http://dav.example.org/berta/"]
)
def test_somebody_is_added_by_address_or_by_principal(mac, href):
    share(mac, CALENDAR, sharee(href, summary="Familie"))

    found = propfind(mac, CALENDAR, CS + "invite", DAV + "resourcetype").only()
    assert invitees(found) == [Invitee("/berta/", "Berta Weiß", "accepted", "read-write", "Familie")]
    assert organizer(found) == ("/anna/", "Anna Müller")
    assert types(found) == {DAV + "collection", CALDAV + "calendar", CS + "shared-owner"}


def test_several_are_added_and_removed_in_one_request(world, mac):
    carl, dora = add_person(world, "carl", "Carl Lang"), add_person(world, "dora", "Dora Lang")
    share(mac, CALENDAR, sharee(BERTA, "read"), sharee(carl))
    assert {one.href: one.access for one in shared_with(mac)} == {"/berta/": "read", carl: "read-write"}

    share(mac, CALENDAR, sharee("mailto:dora@example.org"), removal(BERTA), sharee(carl, "read"))

    assert {one.href: one.access for one in shared_with(mac)} == {carl: "read", dora: "read-write"}


def test_a_list_names_everybody_as_macos_wants_them(world, mac):
    # One that is incomplete is error 1570 for the whole home; a pair of names that is empty is shown as such.
    carl = add_person(world, "carl")
    group = world.add_user("team", kind="group", display_name="Das ganze Team")

    share(mac, CALENDAR, sharee(carl), sharee("/team/", "read"), sharee(BERTA), sharee("/", "read"))

    found = calendars(mac, "/anna/")[CALENDAR]
    assert {one.href: one.name for one in invitees(found)} == {
        carl: "carl",
        "/berta/": "Berta Weiß",
        f"/{group.name}/": "Das ganze Team",
        "/": "Everybody on this server",
    }
    users = found.values[CS + "invite"].findall(CS + "user")
    assert [
        (user.findtext(CS + "first-name"), user.findtext(CS + "last-name"))
        for user in users
        if user.find(CS + "first-name") is not None
    ] == [("Berta", "Weiß")]


def test_what_the_dialogue_was_shown_can_be_sent_back(world, mac):
    # It names people as CS:invite did when it changes or removes them.
    world.add_user("team", kind="group")
    share(mac, CALENDAR, sharee(BERTA), sharee("/team/"), sharee("/"))

    for one in shared_with(mac):
        share(mac, CALENDAR, sharee(one.href, "read", name=one.name))
    assert {one.access for one in shared_with(mac)} == {"read"}

    for one in shared_with(mac):
        share(mac, CALENDAR, removal(one.href))
    found = propfind(mac, CALENDAR, CS + "invite", DAV + "resourcetype").only()
    assert CS + "invite" not in found.values
    assert CS + "shared-owner" not in types(found)


def test_a_second_calendar_of_the_same_sharer_is_another_share(world, mac, phone):
    world.add_collection("work")

    share(mac, CALENDAR, sharee(BERTA))
    share(mac, "/anna/work/", sharee(BERTA, "read"))

    found = calendars(phone, "/berta/")
    assert {href: "write-content" in privileges(one) for href, one in found.items()} == {
        SHARED: True,
        "/berta/work/": False,
    }
    assert len(invitations(phone, "/berta/")) == 2


# Done: what the sharee gets where shares are accepted at once


def test_the_sharee_finds_it_where_all_calendars_are(mac, phone):
    set_properties(mac, CALENDAR, name="Familie", color="#FF0000FF")
    before = propfind(phone, "/berta/", DAV + "sync-token", CS + "getctag").only()
    share(mac, CALENDAR, sharee(BERTA))

    found = calendars(phone, "/berta/")[SHARED]

    assert types(found) == {DAV + "collection", CALDAV + "calendar", CS + "shared"}
    assert found.hrefs(DAV + "owner") == ["/anna/"]
    assert found.text(DAV + "displayname") == "Familie"
    assert found.values[CALDAV + "schedule-calendar-transp"].find(CALDAV + "transparent") is not None
    assert privileges(found) >= WRITER
    assert "all" not in privileges(found)
    assert CS + "allowed-sharing-modes" not in found.values
    assert organizer(found) == ("/anna/", "Anna Müller")
    # They know of themselves, and of nobody else.
    assert [(one.href, one.status, one.access) for one in invitees(found)] == [
        ("/berta/", "accepted", "read-write")
    ]
    after = propfind(phone, "/berta/", DAV + "sync-token", CS + "getctag").only()
    assert before.text(DAV + "sync-token") != after.text(DAV + "sync-token")
    assert before.text(CS + "getctag") != after.text(CS + "getctag")


def test_the_sharee_can_find_out_who_the_owner_is(mac, phone):
    share(mac, CALENDAR, sharee(BERTA))

    owner = calendars(phone, "/berta/")[SHARED].hrefs(DAV + "owner")[0]
    found = propfind(phone, owner, DAV + "displayname", CALDAV + "calendar-user-address-set").only()
    url = propfind(phone, SHARED, CS + "shared-url").only()

    assert found.text(DAV + "displayname") == "Anna Müller"
    assert "mailto:anna@example.org" in found.hrefs(CALDAV + "calendar-user-address-set")
    assert url.hrefs(CS + "shared-url") == [CALENDAR]


def test_a_sharee_who_may_only_read_sees_that(mac, phone):
    mac.put(CALENDAR + "a.ics", event("a"))
    share(mac, CALENDAR, sharee(BERTA, "read"))

    granted = privileges(calendars(phone, "/berta/")[SHARED])

    assert "read" in granted
    # Any of these makes a calendar editable for Apple.
    assert not {"all", "write", "write-content", "bind", "unbind"} & granted
    assert phone.get(SHARED + "a.ics").status == 200
    for answer in (
        phone.put(SHARED + "b.ics", event("b"), If_None_Match="*"),
        phone.delete(SHARED + "a.ics"),
    ):
        assert (answer.status, answer.condition) == (403, DAV + "need-privileges")


def test_the_sharee_is_told_in_words_that_apple_reads(mac, phone):
    before = propfind(phone, "/berta/-notifications/", CS + "getctag", DAV + "sync-token").only()
    share(mac, CALENDAR, sharee(BERTA, summary="Familie"))

    (found,) = invitations(phone, "/berta/")

    assert (found.status, found.access, found.summary) == ("accepted", "read-write", "Familie")
    assert (found.host, found.organizer, found.organizer_name) == (CALENDAR, "/anna/", "Anna Müller")
    after = propfind(phone, "/berta/-notifications/", CS + "getctag", DAV + "sync-token").only()
    assert before.text(CS + "getctag") != after.text(CS + "getctag")
    news = sync(phone, "/berta/-notifications/", before.text(DAV + "sync-token"))
    assert news.names == [found.path.rpartition("/")[2]]


def test_a_notification_that_was_read_is_deleted(mac, phone):
    share(mac, CALENDAR, sharee(BERTA))
    (found,) = invitations(phone, "/berta/")
    token = propfind(phone, "/berta/-notifications/", DAV + "sync-token").only().text(DAV + "sync-token")

    assert phone.delete(found.path).status == 204

    assert told(phone, "/berta/") == {}
    assert sync(phone, "/berta/-notifications/", token).gone == [found.path.rpartition("/")[2]]
    assert SHARED in calendars(phone, "/berta/")


def test_the_components_of_a_list_of_reminders_are_in_the_invitation(world, mac, phone):
    path = world.add_collection("tasks", components=("VTODO",))

    share(mac, path, sharee(BERTA))

    (found,) = invitations(phone, "/berta/")
    assert found.components == ("VTODO",)
    components = calendars(phone, "/berta/")["/berta/tasks/"].values[
        CALDAV + "supported-calendar-component-set"
    ]
    assert [node.get("name") for node in components] == ["VTODO"]


def test_the_first_sync_through_a_share_is_like_any_other(mac, phone):
    bodies = {f"{number}.ics": event(str(number)) for number in range(3)}
    for name, body in bodies.items():
        mac.put(CALENDAR + name, body)
    share(mac, CALENDAR, sharee(BERTA))

    listed = sync(phone, SHARED)
    got = multiget(
        phone, SHARED, [SHARED + name for name in listed.names], DAV + "getetag", CALDAV + "calendar-data"
    )
    assert listed.names == sorted(bodies)
    assert {
        href.removeprefix(SHARED): one.text(CALDAV + "calendar-data").encode()
        for href, one in got.found.items()
    } == bodies

    etag = got[SHARED + "1.ics"].etag
    assert phone.put(SHARED + "1.ics", event("1", summary="von Berta"), If_Match=etag).status == 204
    assert phone.put(SHARED + "new.ics", event("new"), If_None_Match="*").status == 201
    assert phone.delete(SHARED + "2.ics", If_Match=got[SHARED + "2.ics"].etag).status == 204
    after = sync(phone, SHARED, listed.token)
    assert (after.names, after.gone) == (["1.ics", "new.ics"], ["2.ics"])
    assert mac.get(CALENDAR + "1.ics").body == event("1", summary="von Berta")


# Invitations that wait for an answer


@pytest.mark.usefixtures("asking")
def test_an_invitation_waits_and_is_accepted(mac, phone):
    share(mac, CALENDAR, sharee(BERTA, "read", summary="Familie"))
    assert [(one.href, one.status) for one in shared_with(mac)] == [("/berta/", "noresponse")]
    assert calendars(phone, "/berta/") == {}
    (found,) = invitations(phone, "/berta/")
    assert (found.status, found.access, found.host) == ("noresponse", "read", CALENDAR)

    answer = reply(phone, "/berta/", found, href=BERTA)

    assert shared_as(answer) == SHARED
    assert list(calendars(phone, "/berta/")) == [SHARED]
    assert [(one.href, one.status) for one in shared_with(mac)] == [("/berta/", "accepted")]
    assert replies(mac, "/anna/") == [("/berta/", "accepted", found.uid)]
    # Then it deletes the invitation, and does not mind that it is gone.
    assert phone.delete(found.path).status in (204, 404)
    assert told(phone, "/berta/") == {}


@pytest.mark.usefixtures("asking")
def test_an_invitation_is_declined_and_given_once_more(mac, phone):
    share(mac, CALENDAR, sharee(BERTA))
    (first,) = invitations(phone, "/berta/")

    said = reply(phone, "/berta/", first, accepted=False)

    assert said.status in (200, 204)
    assert calendars(phone, "/berta/") == {}
    assert told(phone, "/berta/") == {}
    assert [(one.href, one.status) for one in shared_with(mac)] == [("/berta/", "declined")]
    assert replies(mac, "/anna/") == [("/berta/", "declined", first.uid)]

    share(mac, CALENDAR, sharee(BERTA))
    (second,) = invitations(phone, "/berta/")
    assert second.status == "noresponse"
    assert shared_as(reply(phone, "/berta/", second)) == SHARED
    assert [(one.href, one.status) for one in shared_with(mac)] == [("/berta/", "accepted")]


@pytest.mark.usefixtures("asking")
@pytest.mark.parametrize("href", [BERTA, "/berta/", "mailto:somebody@else.example", "urn:uuid:1-2-3", ""])
def test_whichever_address_the_answer_says_it_is_the_users_own(mac, phone, href):
    share(mac, CALENDAR, sharee(BERTA))
    (found,) = invitations(phone, "/berta/")

    assert shared_as(reply(phone, "/berta/", found, href=href)) == SHARED


@pytest.mark.usefixtures("asking")
@pytest.mark.parametrize(
    "host", ["/anna/calendar/", "/anna/calendar", "http://dav.example.org/anna/calendar/"]
)
def test_an_answer_without_the_name_of_the_invitation_is_known_by_the_url(mac, phone, host):
    share(mac, CALENDAR, sharee(BERTA))
    inside = (
        "<C:invite-accepted/>"
        f'<C:hosturl><A:href xmlns:A="DAV:">{host}</A:href></C:hosturl><C:summary>calendar</C:summary>'
    )
    body = f'<C:invite-reply xmlns:C="http://calendarserver.org/ns/">{inside}</C:invite-reply>'

    assert shared_as(phone("POST", "/berta/", body, **TEXT_XML)) == SHARED


@pytest.mark.usefixtures("asking")
def test_an_invitation_to_a_calendar_with_an_odd_name_is_answered(world, mac, phone):
    path = world.add_collection("Arbeit & mehr äöü")
    place = next(href for href in calendars(mac, "/anna/") if href != CALENDAR)
    share(mac, place, sharee(BERTA))
    (found,) = invitations(phone, "/berta/")

    where = shared_as(reply(phone, "/berta/", found))

    assert path == "/anna/Arbeit & mehr äöü/"
    assert where in calendars(phone, "/berta/")


@pytest.mark.usefixtures("asking")
def test_an_answer_that_comes_twice_says_the_same(mac, phone):
    share(mac, CALENDAR, sharee(BERTA))
    (found,) = invitations(phone, "/berta/")

    assert shared_as(reply(phone, "/berta/", found)) == shared_as(reply(phone, "/berta/", found)) == SHARED
    # Declining what was accepted is leaving it.
    assert reply(phone, "/berta/", found, accepted=False).status in (200, 204)
    assert calendars(phone, "/berta/") == {}


@pytest.mark.usefixtures("asking")
def test_an_answer_to_what_was_taken_back_says_so_and_changes_nothing(mac, phone):
    share(mac, CALENDAR, sharee(BERTA))
    (found,) = invitations(phone, "/berta/")
    share(mac, CALENDAR, removal(BERTA))

    answer = reply(phone, "/berta/", found)

    assert (answer.status, answer.condition) == (403, CS + "valid-invite")
    assert calendars(phone, "/berta/") == {}
    assert all(one.status == "deleted" for one in invitations(phone, "/berta/"))


@pytest.mark.usefixtures("asking")
def test_access_that_changes_before_the_answer_changes_the_invitation(mac, phone):
    share(mac, CALENDAR, sharee(BERTA, "read"))

    share(mac, CALENDAR, sharee(BERTA, "read-write"))

    (found,) = invitations(phone, "/berta/")
    assert (found.status, found.access) == ("noresponse", "read-write")
    assert [(one.status, one.access) for one in shared_with(mac)] == [("noresponse", "read-write")]


def test_who_wants_to_be_asked_is_asked_where_others_are_not(world, mac, phone):
    with world.store.write() as txn:
        txn.execute("UPDATE principal SET accept = 'ask' WHERE name = 'berta'")
    carl = add_person(world, "carl", "Carl Lang")

    share(mac, CALENDAR, sharee(BERTA), sharee(carl))

    assert {one.href: one.status for one in shared_with(mac)} == {"/berta/": "noresponse", carl: "accepted"}
    assert calendars(phone, "/berta/") == {}


# Afterwards


@pytest.mark.parametrize("removed", [False, True], ids=["set", "removed and set"])
def test_access_is_changed(mac, phone, removed):
    # Older versions send a removal and an addition of the same person, and mean a change.
    share(mac, CALENDAR, sharee(BERTA, "read-write"))
    set_properties(phone, SHARED, name="Meins", color="#00FF00FF")
    phone.put(SHARED + "a.ics", event("a", more="BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nEND:VALARM"))
    (first,) = invitations(phone, "/berta/")
    token = home_token(phone)
    (at,) = (one.href for one in shared_with(mac))

    parts = [sharee(at, "read")]
    share(mac, CALENDAR, *([removal(at), *parts] if removed else parts))

    assert [(one.href, one.access) for one in shared_with(mac)] == [("/berta/", "read")]
    assert "write-content" not in privileges(calendars(phone, "/berta/")[SHARED])
    assert look(phone, SHARED)[:2] == ("Meins", "#00FF00FF")
    assert b"VALARM" in phone.get(SHARED + "a.ics").body
    (second,) = invitations(phone, "/berta/")
    assert (second.uid, second.status, second.access) == (first.uid, "accepted", "read")
    # The home says that something about it is new.
    assert "calendar" in changed_in_home(phone, token)[0]


def home_token(dav: Dav) -> str:
    return propfind(dav, f"/{dav.user}/", DAV + "sync-token").only().text(DAV + "sync-token")


def changed_in_home(dav: Dav, token: str) -> tuple[set[str], set[str]]:
    """What has changed in a home, and what has gone from it."""
    found = sync(dav, f"/{dav.user}/", token).found

    def names(gone: bool) -> set[str]:
        return {href.split("/")[2] for href, one in found.items() if (one.status == 404) is gone}

    return names(False), names(True)


def test_who_is_removed_loses_it_and_nothing_is_left_that_fails(mac, phone):
    mac.put(CALENDAR + "a.ics", event("a"))
    share(mac, CALENDAR, sharee(BERTA))
    token, inside = home_token(phone), sync(phone, SHARED).token

    share(mac, CALENDAR, removal(BERTA))

    assert shared_with(mac) == []
    assert CS + "shared-owner" not in types(calendars(mac, "/anna/")[CALENDAR])
    assert changed_in_home(phone, token)[1] == {"calendar"}
    assert calendars(phone, "/berta/") == {}
    (found,) = invitations(phone, "/berta/")
    assert (found.status, found.host) == ("deleted", CALENDAR)
    # A client that looks there nevertheless sees that there is nothing.
    body = f"<A:sync-token>{inside}</A:sync-token><A:sync-level>1</A:sync-level><A:prop/>"
    answer = phone(
        "REPORT", SHARED, f'<A:sync-collection xmlns:A="DAV:">{body}</A:sync-collection>', Depth="1"
    )
    assert {answer.status, phone.get(SHARED + "a.ics").status} == {404}
    assert mac.get(CALENDAR + "a.ics").status == 200


def test_what_has_no_sharee_can_be_told_to_have_none(mac):
    share(
        mac, CALENDAR, removal(BERTA), removal("/berta/", '<D:no-mute xmlns:D="http://apple.com/ns/ical/"/>')
    )

    assert shared_with(mac) == []


def test_who_was_removed_is_added_again(mac, phone):
    mac.put(CALENDAR + "a.ics", event("a"))
    share(mac, CALENDAR, sharee(BERTA))
    set_properties(phone, SHARED, name="Meins")
    share(mac, CALENDAR, removal(BERTA))

    share(mac, CALENDAR, sharee(BERTA))

    assert sync(phone, SHARED).names == ["a.ics"]
    assert look(phone, SHARED)[0] == "calendar"
    assert "accepted" in [one.status for one in invitations(phone, "/berta/")]


def test_leaving_is_deleting_the_share_and_deletes_nothing_else(mac, phone):
    mac.put(CALENDAR + "a.ics", event("a"))
    share(mac, CALENDAR, sharee(BERTA, "read"))
    token, (invitation,) = home_token(phone), invitations(phone, "/berta/")

    assert phone.delete(SHARED).status == 204

    assert calendars(phone, "/berta/") == {}
    assert changed_in_home(phone, token)[1] == {"calendar"}
    assert mac.get(CALENDAR + "a.ics").status == 200
    assert [(one.href, one.status) for one in shared_with(mac)] == [("/berta/", "declined")]
    assert replies(mac, "/anna/") == [("/berta/", "declined", invitation.uid)]
    assert told(phone, "/berta/") == {}

    share(mac, CALENDAR, sharee(BERTA))
    assert list(calendars(phone, "/berta/")) == [SHARED]
    assert [(one.href, one.status) for one in shared_with(mac)] == [("/berta/", "accepted")]


def test_deleting_the_calendar_ends_it_for_everybody(mac, phone):
    share(mac, CALENDAR, sharee(BERTA))
    token = home_token(phone)

    assert mac.delete(CALENDAR).status == 204

    assert changed_in_home(phone, token)[1] == {"calendar"}
    (found,) = invitations(phone, "/berta/")
    assert found.status == "deleted"


@pytest.mark.parametrize("access", ["read", "read-write"])
def test_name_colour_order_and_transparency_are_the_sharees_own(mac, phone, access):
    set_properties(mac, CALENDAR, name="Familie", color="#FF0000FF", order="1")
    share(mac, CALENDAR, sharee(BERTA, access))

    set_properties(phone, SHARED, name="Annas Familie", color="#0000FFFF", order="7")
    proppatch(phone, SHARED, element(CALDAV + "schedule-calendar-transp", element(CALDAV + "opaque")))

    assert look(phone, SHARED) == ("Annas Familie", "#0000FFFF", "7")
    transparency = propfind(phone, SHARED, CALDAV + "schedule-calendar-transp").only()
    assert transparency.values[CALDAV + "schedule-calendar-transp"].find(CALDAV + "opaque") is not None
    assert look(mac, CALENDAR) == ("Familie", "#FF0000FF", "1")
    set_properties(mac, CALENDAR, name="Anders", color="#FFFFFFFF")
    assert look(phone, SHARED) == ("Annas Familie", "#0000FFFF", "7")


ALARM = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT{}M\nDESCRIPTION:x\nEND:VALARM"


def alarms(dav: Dav, path: str) -> list[str]:
    return [line for line in dav.get(path).text.split("\r\n") if line.startswith("TRIGGER")]


@pytest.mark.parametrize("method", ["move", "copy"])
def test_an_event_goes_between_own_and_shared_calendars_and_takes_ones_own_alarms_along(
    world, mac, phone, method
):
    own = world.add_collection("own", user="berta")
    share(mac, CALENDAR, sharee(BERTA))
    mac.put(CALENDAR + "a.ics", event("a", more=ALARM.format(5)))
    phone.put(own + "b.ics", event("b", more=ALARM.format(30)))

    there = getattr(phone, method)(own + "b.ics", SHARED + "b.ics")
    back = getattr(phone, method)(SHARED + "a.ics", own + "a.ics")

    assert (there.status, back.status) == (201, 201)
    assert (alarms(phone, SHARED + "b.ics"), alarms(mac, CALENDAR + "b.ics")) == (["TRIGGER:-PT30M"], [])
    assert alarms(phone, own + "a.ics") == []
    assert mac.get(CALENDAR + "a.ics").status == (404 if method == "move" else 200)


def test_an_event_is_not_moved_into_or_out_of_what_is_only_read(world, mac, phone):
    own = world.add_collection("own", user="berta")
    share(mac, CALENDAR, sharee(BERTA, "read"))
    mac.put(CALENDAR + "a.ics", event("a"))
    phone.put(own + "b.ics", event("b"))

    for answer in (phone.move(own + "b.ics", SHARED + "b.ics"), phone.move(SHARED + "a.ics", own + "a.ics")):
        assert (answer.status, answer.condition) == (403, DAV + "need-privileges")
    assert (phone.get(own + "b.ics").status, mac.get(CALENDAR + "a.ics").status) == (200, 200)
    assert phone.copy(SHARED + "a.ics", own + "a.ics").status == 201


@pytest.mark.parametrize("access", ["read", "read-write"])
def test_alarms_that_a_calendar_sets_by_itself_are_the_sharees_own(mac, phone, access):
    default = CALDAV + "default-alarm-vevent-datetime"
    proppatch(mac, CALENDAR, element(default, "BEGIN:VALARM END:VALARM"))
    share(mac, CALENDAR, sharee(BERTA, access))
    assert default not in propfind(phone, SHARED, default).only().values

    proppatch(phone, SHARED, element(default, "BEGIN:VALARM X:1 END:VALARM"))

    assert propfind(phone, SHARED, default).only().text(default) == "BEGIN:VALARM X:1 END:VALARM"
    assert propfind(mac, CALENDAR, default).only().text(default) == "BEGIN:VALARM END:VALARM"


def test_a_name_that_the_sharee_has_already_is_another_place_and_says_whose_it_is(world, mac, phone):
    world.add_collection("calendar", user="berta")
    set_properties(mac, CALENDAR, name="Kalender")
    set_properties(phone, SHARED, name="Kalender")

    share(mac, CALENDAR, sharee(BERTA))

    names = {href: one.text(DAV + "displayname") for href, one in calendars(phone, "/berta/").items()}
    assert len(names) == 2
    assert names.pop(SHARED) == "Kalender"
    assert list(names.values()) == ["Kalender (Anna Müller)"]


# What is not as usual


def test_a_group_is_shared_with_and_its_members_are_as_they_come_and_go(world, mac, phone):
    group = world.add_user("team", kind="group", display_name="Team")
    by = By("tests", world.clock.now)
    with world.store.write() as txn:
        berta = principal_by_name(txn, "berta")
        assert berta is not None
        groups.join(txn, group, berta, by=by)

    share(mac, CALENDAR, sharee("/team/"))

    assert [(one.href, one.status) for one in shared_with(mac)] == [("/team/", "accepted")]
    assert list(calendars(phone, "/berta/")) == [SHARED]
    (found,) = invitations(phone, "/berta/")
    assert (found.status, found.organizer) == ("accepted", "/anna/")
    with world.store.write() as txn:
        groups.leave(txn, group, berta, by=by)
    assert calendars(phone, "/berta/") == {}
    assert [one.status for one in invitations(phone, "/berta/")] == ["deleted"]


def test_a_sharee_reads_the_same_level_everywhere_however_they_have_it(world, mac, phone):
    group = world.add_user("team", kind="group", display_name="Team")
    with world.store.write() as txn:
        berta, anna = principal_by_name(txn, "berta"), principal_by_name(txn, "anna")
        assert berta is not None
        assert anna is not None
        by = By("tests", world.clock.now)
        groups.join(txn, group, berta, by=by)
        binding = find_binding_of(txn, anna.id, "calendar")
        assert binding is not None
        shares.share(txn, binding, berta, Access.BUSY, by=by)
        shares.share(txn, binding, group, Access.WRITE, by=by)

    found = propfind(phone, SHARED, CS + "invite", DAV + "invite", DAV + "share-access").only()

    assert [(one.href, one.access) for one in invitees(found)] == [("/berta/", "read-write")]
    (sharee_access,) = found.values[DAV + "invite"].iter(DAV + "share-access")
    assert [node.tag for node in found.values[DAV + "share-access"]] == [DAV + "read-write"]
    assert [node.tag for node in sharee_access] == [DAV + "read-write"]
    # The owner reads what was given to whom.
    assert {one.href: one.access for one in shared_with(mac)} == {"/berta/": "read", "/team/": "read-write"}


def test_an_owner_who_was_removed_is_still_named(world, mac, phone):
    share(mac, CALENDAR, sharee(BERTA))
    with world.store.write() as txn:
        anna = principal_by_name(txn, "anna")
        assert anna is not None
        leaving.remove(txn, anna, gifts={}, by=By("tests", world.clock.now))

    (found,) = invitations(phone, "/berta/")

    assert (found.status, found.organizer, found.organizer_name) == ("deleted", "/anna/", "anna")


def test_sharing_with_everybody_reaches_everybody_who_looks(world, mac, phone):
    share(mac, CALENDAR, sharee("/", "read"))

    assert [(one.href, one.access) for one in shared_with(mac)] == [("/", "read")]
    assert list(calendars(phone, "/berta/")) == [SHARED]
    found = calendars(phone, "/berta/")[SHARED]
    assert "write-content" not in privileges(found)
    assert organizer(found)[0] == "/anna/"


@pytest.mark.parametrize(
    "href",
    [
        "mailto:nobody@example.org",
        "/nobody/",
        "urn:uuid:0-1-2",
        "tel:+4912345",
        "invalid:nobody@example.org",
        "mailto:",
        "https://elsewhere.example/berta/x/",
    ],
)
def test_with_somebody_unknown_nothing_is_done_for_anybody(mac, phone, href):
    answer = mac("POST", CALENDAR, share_body(sharee(BERTA), sharee(href)), **TEXT_XML)

    # Its parser wants a status for each, and marks the wrong one.
    said = {one.href: one.status for one in answer.multistatus().found.values()}
    assert said == {BERTA: 424, href: 403}
    assert "recognized-principal" in answer.text
    assert shared_with(mac) == []
    assert (calendars(phone, "/berta/"), told(phone, "/berta/")) == ({}, {})


def test_sharing_with_oneself_is_refused_without_a_trace(mac):
    for href in ("/anna/", "mailto:anna@example.org"):
        assert mac("POST", CALENDAR, share_body(sharee(href)), **TEXT_XML).status == 403

    assert shared_with(mac) == []
    assert told(mac, "/anna/") == {}


def test_who_may_not_look_anybody_up_can_take_back_what_the_list_shows(world, mac):
    share(mac, CALENDAR, sharee(BERTA))
    private = device_of(world, "anna", principal_lookup="nobody")

    for one in shared_with(private):
        share(private, CALENDAR, removal(one.href))

    assert shared_with(private) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"<", 400),
        (b'<C:share xmlns:C="http://calendarserver.org/ns/"/>', 400),
        (share_body('<C:set><A:href xmlns:A="DAV:">/berta/</A:href></C:set>').encode(), 400),
        (
            share_body(
                '<C:set><A:href xmlns:A="DAV:">/berta/</A:href><C:read/><C:read-write/></C:set>'
            ).encode(),
            400,
        ),
        (share_body("<C:set><C:read/></C:set>").encode(), 400),
        (b'<C:publish-calendar xmlns:C="http://calendarserver.org/ns/"/>', 403),
    ],
)
def test_what_says_nothing_is_refused_as_such(mac, body, status):
    assert mac("POST", CALENDAR, body, **TEXT_XML).status == status
    assert shared_with(mac) == []


def test_what_is_not_known_in_a_request_is_passed_over(mac):
    odd = (
        '<C:set><A:href xmlns:A="DAV:">mailto:berta@example.org</A:href><C:common-name/><C:first-name/><x/>'
        "<C:summary/><C:read-write/></C:set><C:what/>"
    )

    share(mac, CALENDAR, odd)

    assert [(one.href, one.summary) for one in shared_with(mac)] == [("/berta/", "")]


def test_a_request_without_a_type_is_known_by_what_it_is(mac):
    mac.headers = {name: value for name, value in HEADERS.items() if name != "Content-Type"}

    share_it = mac("POST", CALENDAR, share_body(sharee(BERTA)), **{"Content-Type": ""})

    assert share_it.status == 200
    assert len(shared_with(mac)) == 1


def test_who_was_given_it_cannot_give_it_on(world, mac, phone):
    add_person(world, "carl")
    share(mac, CALENDAR, sharee(BERTA))

    answer = phone("POST", SHARED, share_body(sharee("/carl/")), **TEXT_XML)

    assert (answer.status, answer.condition) == (403, DAV + "need-privileges")
    assert [one.href for one in shared_with(mac)] == ["/berta/"]


def test_who_manages_it_shares_it_on_and_sees_the_whole_list(world, mac, phone):
    carl = add_person(world, "carl", "Carl Lang")
    with world.store.write() as txn:
        anna, berta = principal_by_name(txn, "anna"), principal_by_name(txn, "berta")
        assert anna is not None
        binding = find_binding_of(txn, anna.id, "calendar")
        assert binding is not None
        shares.share(txn, binding, berta, Access.MANAGE, by=By("tests", world.clock.now))

    assert CS + "allowed-sharing-modes" in calendars(phone, "/berta/")[SHARED].values
    share(phone, SHARED, sharee(carl, "read"))

    assert {one.href for one in shared_with(phone, SHARED)} == {"/berta/", carl}
    assert organizer(propfind(phone, SHARED, CS + "invite").only()) == ("/anna/", "Anna Müller")
    # Saying again what the dialogue showed takes nothing away from who manages.
    share(mac, CALENDAR, sharee("/berta/", "read-write"))
    assert CS + "allowed-sharing-modes" in calendars(phone, "/berta/")[SHARED].values
    # And deleting it is leaving it, for them as well.
    mac.put(CALENDAR + "a.ics", event("a"))
    assert phone.delete(SHARED).status == 204
    assert mac.get(CALENDAR + "a.ics").status == 200
    assert {one.href: one.status for one in shared_with(mac)} == {"/berta/": "declined", carl: "accepted"}


def test_an_address_book_is_shared_with_the_same_request(world, mac, phone):
    share(mac, "/anna/contacts/", sharee(BERTA))

    found = home(phone, "/berta/")["/berta/contacts/"]
    assert "{urn:ietf:params:xml:ns:carddav}addressbook" in types(found)
    assert CS + "shared" in types(found)
    assert calendars(phone, "/berta/") == {}


def test_notifications_are_no_calendar_and_cannot_be_shared(world, mac, phone):
    listed = home(phone, "/berta/")

    assert types(listed["/berta/-notifications/"]) == {
        DAV + "collection",
        CS + "notification",
        CS + "notifications",
    }
    answer = mac("POST", "/anna/-notifications/", share_body(sharee(BERTA)), **TEXT_XML)
    assert answer.status in (403, 405)
    for method in ("DELETE", "MKCOL", "PUT"):
        assert phone(method, "/berta/-notifications/").status in (403, 405)
    assert phone.put("/berta/-notifications/x.xml", "<x/>").status in (403, 405, 415)
    assert told(phone, "/berta/") == {}


def test_who_is_disabled_can_be_removed(world, mac):
    share(mac, CALENDAR, sharee(BERTA))
    with world.store.write() as txn:
        txn.execute("UPDATE principal SET state = 'disabled' WHERE name = 'berta'")

    share(mac, CALENDAR, removal("/berta/"))

    assert shared_with(mac) == []


def test_a_calendar_that_is_renamed_on_either_side_stays_shared(mac, phone):
    share(mac, CALENDAR, sharee(BERTA))

    assert mac.move(CALENDAR, "/anna/family/").status == 201
    assert phone.move(SHARED, "/berta/annas/").status == 201

    assert list(calendars(phone, "/berta/")) == ["/berta/annas/"]
    found = propfind(phone, "/berta/annas/", CS + "shared-url").only()
    assert found.hrefs(CS + "shared-url") == ["/anna/family/"]
    assert [one.status for one in shared_with(mac, "/anna/family/")] == ["accepted"]
    share(mac, "/anna/family/", removal(BERTA))
    assert calendars(phone, "/berta/") == {}


@pytest.mark.usefixtures("asking")
def test_below_a_base_path_every_url_is_below_it(world):
    mac, phone = (device_of(world, name) for name in ("anna", "berta"))
    mac.base = phone.base = "/dav"
    share(mac, CALENDAR, sharee("/dav/berta/"), sharee("/dav/"))

    listed = shared_with(mac)

    assert {one.href for one in listed} == {"/dav/berta/", "/dav/"}
    place = propfind(phone, "/berta/", CS + "notification-URL").only().hrefs(CS + "notification-URL")
    assert place == ["/dav/berta/-notifications/"]
    found = propfind(phone, "/berta/-notifications/", DAV + "getetag", depth="1").found
    (path,) = [href.removeprefix("/dav") for href in found if href.endswith(".xml")]
    host = phone.get(path).xml().findtext(f".//{CS}hosturl/{DAV}href")
    assert host == "/dav" + CALENDAR
    body = (
        '<C:invite-reply xmlns:C="http://calendarserver.org/ns/"><C:invite-accepted/>'
        f'<C:hosturl><A:href xmlns:A="DAV:">{host}</A:href></C:hosturl></C:invite-reply>'
    )
    assert shared_as(phone("POST", "/berta/", body, **TEXT_XML)) == "/dav" + SHARED
    for one in listed:
        share(mac, CALENDAR, removal(one.href))
    assert shared_with(mac) == []


# The whole dialogue with a real server


@pytest.fixture(params=["at-once", "ask"])
def pair(
    request, new_server: Callable[..., ServerProcess], password_hash: str
) -> Iterator[tuple[str, Dav, Dav]]:
    """A server that accepts at once or asks; anna's Mac and berta's phone."""
    running = new_server(sharing_accept=request.param)
    store = open_engine(running.database_url)
    people = {"anna": "Anna Müller", "berta": "Berta Weiß"}
    with store.write() as txn:
        for name, shown in people.items():
            add_user(
                txn,
                name,
                now=int(time.time()),
                password_hash=password_hash,
                email=f"{name}@example.org",
                display_name=shown,
            )
    store.close()
    mac, phone = (
        Dav(running.url, name, headers={**HEADERS, "Accept-Encoding": "identity", "User-Agent": agent})
        for name, agent in (("anna", MACOS), ("berta", IOS))
    )
    yield request.param, mac, phone
    mac.close()
    phone.close()


def test_the_whole_dialogue_ends_with_the_calendar_on_the_sharees_phone(pair):
    accept, mac, phone = pair
    # Both have set up their accounts.
    for dav in pair[1:]:
        principal = propfind(dav, "/", *WHO).only().hrefs(DAV + "current-user-principal")[0]
        found = propfind(dav, principal, *PRINCIPAL).only()
        assert found.hrefs(CALDAV + "calendar-home-set") == [f"/{dav.user}/"]
        assert found.hrefs(CS + "notification-URL") == [f"/{dav.user}/-notifications/"]
    assert "calendarserver-sharing" in mac("OPTIONS", "/anna/").headers["dav"]
    own = set(calendars(phone, "/berta/"))
    assert CS + "allowed-sharing-modes" in calendars(mac, "/anna/")[CALENDAR].values
    mac.put(CALENDAR + "a.ics", event("a"))
    token = home_token(phone)

    # Share Calendar…, a few letters, Done.
    picked = search(mac, "ber").only().hrefs(CALDAV + "calendar-user-address-set")[0]
    assert mark(mac, CALENDAR).status in (204, 207, 403)
    share(mac, CALENDAR, sharee(picked, summary="Familie"))
    status = "accepted" if accept == "at-once" else "noresponse"
    assert [(one.name, one.status) for one in shared_with(mac)] == [("Berta Weiß", status)]

    # The phone looks.
    (invitation,) = invitations(phone, "/berta/")
    assert (invitation.status, invitation.summary) == (status, "Familie")
    if accept == "ask":
        assert set(calendars(phone, "/berta/")) == own
        place = shared_as(reply(phone, "/berta/", invitation))
        assert [what for _, what, _ in replies(mac, "/anna/")] == ["accepted"]
    else:
        (place,) = set(calendars(phone, "/berta/")) - own
    phone.delete(invitation.path)
    shared = calendars(phone, "/berta/")[place]
    assert CS + "shared" in types(shared)
    assert privileges(shared) >= WRITER
    assert place.split("/")[2] in changed_in_home(phone, token)[0]
    assert sync(phone, place).names == ["a.ics"]
    assert phone.put(place + "b.ics", event("b"), If_None_Match="*").status == 201
    set_properties(phone, place, name="Annas", color="#00FF00FF")
    assert mac.get(CALENDAR + "b.ics").status == 200
    assert [one.status for one in shared_with(mac)] == ["accepted"]

    # Read only, then nothing.
    share(mac, CALENDAR, sharee("/berta/", "read"))
    assert not privileges(calendars(phone, "/berta/")[place]) & {"write", "write-content", "all"}
    assert look(phone, place)[:2] == ("Annas", "#00FF00FF")
    token = home_token(phone)
    share(mac, CALENDAR, removal("/berta/"))
    assert changed_in_home(phone, token)[1] == {place.split("/")[2]}
    assert set(calendars(phone, "/berta/")) == own
    assert [one.status for one in invitations(phone, "/berta/")] == ["deleted"]
    assert shared_with(mac) == []
