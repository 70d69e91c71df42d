"""WebDAV resource sharing as Tasks.org and sabre/dav's clients send it (draft-pot-webdav-resource-sharing-04)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from applesharing import ask, give_notifications

from davclient import CALDAV, CARDDAV, CS, DAV, ICAL, NS, Answer, Dav, Found
from davsamples import card, event, task
from enginedav import EngineDav, World
from tagwerk.model import Access, Kind
from tagwerk.sharing import shares
from tagwerk.sharing.shares import By
from tagwerk.store.collections import find_binding
from tagwerk.store.principals import principal_by_name

CALENDAR, SHARED = "/anna/calendar/", "/berta/calendar/"
BERTA = "mailto:berta@example.org"
MEDIA = {"Content-Type": "application/davsharing+xml; charset=utf-8"}

LISTED = (
    DAV + "resourcetype",
    DAV + "displayname",
    CALDAV + "supported-calendar-component-set",
    CS + "getctag",
    ICAL + "calendar-color",
    DAV + "sync-token",
    DAV + "share-access",
    DAV + "invite",
    "{http://owncloud.org/ns}owner-principal",
    "{http://owncloud.org/ns}invite",
    DAV + "current-user-privilege-set",
    DAV + "current-user-principal",
)
"""What Tasks.org asks of a home."""


@pytest.fixture(autouse=True)
def places(world: World) -> None:
    give_notifications(world, "anna", "berta")


@pytest.fixture
def asking(world: World) -> None:
    ask(world)


@pytest.fixture
def app(world: World) -> EngineDav:
    """Anna's app."""
    return world.client()


@pytest.fixture
def berta(world: World) -> EngineDav:
    return world.client("berta")


def sharee(href: str, access: str = "read-write", more: str = "") -> str:
    return f"<d:sharee><d:href>{href}</d:href><d:share-access><d:{access}/></d:share-access>{more}</d:sharee>"


def post(dav: Dav, path: str, *parts: str) -> Answer:
    """The request has no XML declaration."""
    body = f'<d:share-resource xmlns:d="DAV:">{"".join(parts)}</d:share-resource>'
    return dav("POST", path, body, **MEDIA)


def share(dav: Dav, path: str, *parts: str) -> None:
    answer = post(dav, path, *parts)
    assert (answer.status, answer.body) == (200, b""), answer.text


@dataclass(frozen=True, slots=True)
class Sharee:
    """One of ``DAV:invite``."""

    href: str
    name: str
    access: str
    status: str
    comment: str = ""


def invited(dav: Dav, path: str = CALENDAR) -> list[Sharee]:
    """With whom something is shared; each of these elements must be there, and once."""
    return [
        Sharee(
            node.findtext(DAV + "href", ""),
            node.findtext(f"{DAV}prop/{DAV}displayname", ""),
            only_tag(node, f"{DAV}share-access/*"),
            only_tag(
                node, "*", ("invite-accepted", "invite-noresponse", "invite-declined", "invite-invalid")
            ),
            node.findtext(DAV + "comment", ""),
        )
        for node in dav.value(path, DAV + "invite").findall(DAV + "sharee")
    ]


def only_tag(node, path: str, among: tuple[str, ...] = ()) -> str:
    found = [child.tag.removeprefix(DAV) for child in node.iterfind(path)]
    (tag,) = [tag for tag in found if tag in among or not among]
    return tag


def access_to(dav: Dav, path: str) -> str:
    (node,) = dav.value(path, DAV + "share-access")
    return node.tag.removeprefix(DAV)


def listed(dav: Dav) -> dict[str, Found]:
    """The collections of a home as Tasks.org lists them."""
    found = dav.propfind(f"/{dav.user}/", *LISTED, depth="1").found
    return {
        href: one
        for href, one in found.items()
        if {CALDAV + "calendar", CARDDAV + "addressbook"} & {n.tag for n in one.values[DAV + "resourcetype"]}
    }


def manage(world: World) -> None:
    """Berta manages anna's calendar: what no client can ask for."""
    with world.store.write() as txn:
        found = find_binding(txn, "anna", "calendar")
        assert found is not None
        who = principal_by_name(txn, "berta")
        shares.share(txn, found, who, Access.MANAGE, by=By("tests", world.clock.now))


def test_it_is_announced(app):
    assert "resource-sharing" in app("OPTIONS", CALENDAR).headers["dav"]


@pytest.mark.parametrize(
    "href",
    [
        BERTA,
        "mailto:Berta@Example.org",
        "berta@example.org",
        "/berta/",
        "/berta",
        "http://dav.example.org/berta/",
        "principal:principals/users/berta",
        "principals/users/berta",
        "/principals/users/berta/",
        "  mailto:berta@example.org\n",
    ],
)
def test_a_sharee_is_named_as_clients_name_people(app, berta, href):
    share(app, CALENDAR, sharee(href))

    assert invited(app) == [Sharee("/berta/", "Berta Weiß", "read-write", "invite-accepted")]
    assert access_to(berta, SHARED) == "read-write"


@pytest.mark.parametrize(
    "media", ["application/davsharing+xml", "application/xml; charset=utf-8", "text/xml", ""]
)
def test_it_is_understood_whatever_the_client_calls_it(app, berta, media):
    body = (
        f'<?xml version="1.0"?><D:share-resource {NS}>{sharee(BERTA).replace("d:", "D:")}</D:share-resource>'
    )

    assert app("POST", CALENDAR, body, **{"Content-Type": media}).status == 200
    assert SHARED in listed(berta)


def test_everybody_is_told_their_own_access(app, berta):
    assert access_to(app, CALENDAR) == "not-shared"

    share(app, CALENDAR, sharee(BERTA, "read"))

    assert (access_to(app, CALENDAR), access_to(berta, SHARED)) == ("shared-owner", "read")
    share(app, CALENDAR, sharee(BERTA, "read-write"))
    assert (access_to(app, CALENDAR), access_to(berta, SHARED)) == ("shared-owner", "read-write")
    share(app, CALENDAR, sharee(BERTA, "no-access"))
    assert access_to(app, CALENDAR) == "not-shared"
    assert SHARED not in listed(berta)


def test_access_is_what_can_be_done(app, berta):
    app.put(CALENDAR + "a.ics", event("a"))
    share(app, CALENDAR, sharee(BERTA, "read"))
    assert (berta.get(SHARED + "a.ics").status, berta.put(SHARED + "b.ics", event("b")).status) == (200, 403)

    share(app, CALENDAR, sharee(BERTA, "read-write"))
    assert berta.put(SHARED + "b.ics", event("b")).status == 201

    share(app, CALENDAR, sharee("/berta/", "no-access"))
    assert (berta.get(SHARED + "a.ics").status, berta.put(SHARED + "c.ics", event("c")).status) == (404, 409)
    assert app.get(CALENDAR + "b.ics").status == 200


def test_one_request_gives_changes_and_takes_back(world, app):
    for name in ("carl", "dora"):
        world.add_user(name, addresses=(f"{name}@example.org",))
    share(app, CALENDAR, sharee(BERTA), sharee("/carl/", "read"))

    share(app, CALENDAR, sharee("/dora/", "read"), sharee(BERTA, "no-access"), sharee("/carl/", "read-write"))

    assert {one.href: one.access for one in invited(app)} == {"/carl/": "read-write", "/dora/": "read"}


def test_what_was_never_given_can_be_taken_back(app):
    share(app, CALENDAR, sharee(BERTA, "no-access"))

    assert invited(app) == []


def test_a_comment_goes_with_it_and_stays(app):
    share(app, CALENDAR, sharee(BERTA, "read", "<d:comment>Für &amp; dich</d:comment>"))
    assert [one.comment for one in invited(app)] == ["Für & dich"]

    share(app, CALENDAR, sharee(BERTA, "read-write", "<d:prop><d:displayname>Berta</d:displayname></d:prop>"))
    assert [(one.comment, one.access) for one in invited(app)] == [("Für & dich", "read-write")]


def test_the_uri_of_what_is_shared_is_the_same_for_all(app, berta):
    share(app, CALENDAR, sharee(BERTA))

    def uri(dav: Dav, path: str) -> str | None:
        return dav.value(path, DAV + "share-resource-uri").findtext(DAV + "href")

    assert uri(app, CALENDAR) == uri(berta, SHARED)
    assert uri(app, "/anna/contacts/") != uri(app, CALENDAR)


def test_a_home_tells_what_tasks_asks_for(world, app, berta):
    own = world.add_collection("own", user="berta", components=("VTODO",))
    share(app, CALENDAR, sharee(BERTA, "read"))
    tasks = world.add_collection("tasks", components=("VTODO",))
    share(app, tasks, sharee(BERTA))

    found = listed(berta)

    shown = {href: one.values[DAV + "share-access"][0].tag.removeprefix(DAV) for href, one in found.items()}
    assert shown == {own: "not-shared", SHARED: "read", "/berta/tasks/": "read-write"}
    owners = {href: one.text("{http://owncloud.org/ns}owner-principal") for href, one in found.items()}
    assert owners == {own: "/berta/", SHARED: "/anna/", "/berta/tasks/": "/anna/"}
    # Only what is asked for and not there is missing.
    assert {name for one in found.values() for name in one.others} <= {
        "{http://owncloud.org/ns}invite",
        ICAL + "calendar-color",
        DAV + "displayname",
    }
    assert berta.put("/berta/tasks/t.ics", task("t")).status == 201


def test_sharees_see_themselves_and_not_each_other(world, app, berta):
    world.add_user("carl")
    share(app, CALENDAR, sharee(BERTA), sharee("/carl/", "read"))

    assert [one.href for one in invited(berta, SHARED)] == ["/berta/"]
    assert {one.href for one in invited(app)} == {"/berta/", "/carl/"}


def test_an_address_book_is_shared(app, berta):
    app.put("/anna/contacts/c.vcf", card("c"))

    share(app, "/anna/contacts/", sharee(BERTA, "read"))

    assert list(listed(berta)) == ["/berta/contacts/"]
    assert access_to(berta, "/berta/contacts/") == "read"
    assert berta.get("/berta/contacts/c.vcf").body == card("c")
    assert berta.put("/berta/contacts/d.vcf", card("d")).status == 403


def test_groups_and_everybody_are_shared_with(world, app, berta):
    group = world.add_user("team", kind="group", display_name="Team")
    share(app, CALENDAR, sharee("principal:principals/groups/team", "read"), sharee("/", "read"))

    assert {(one.href, one.name, one.status) for one in invited(app)} == {
        (f"/{group.name}/", "Team", "invite-accepted"),
        ("/", "Everybody on this server", "invite-accepted"),
    }
    # It is there once they have looked for what they have.
    assert list(listed(berta)) == [SHARED]
    assert access_to(berta, SHARED) == "read"
    for one in invited(app):
        share(app, CALENDAR, sharee(one.href, "no-access"))
    assert access_to(app, CALENDAR) == "not-shared"
    assert listed(berta) == {}


def test_both_protocols_say_the_same(app):
    share(app, CALENDAR, sharee(BERTA, "read", "<d:comment>Familie</d:comment>"))

    user = app.value(CALENDAR, CS + "invite").find(CS + "user")

    assert user is not None
    assert user.findtext(DAV + "href") == "/berta/"
    assert user.find(f"{CS}access/{CS}read") is not None
    assert user.findtext(CS + "summary") == "Familie"


def test_levels_that_it_has_no_words_for_are_kept(world, app, berta):
    manage(world)
    assert [one.access for one in invited(app)] == ["read-write"]

    # An app sends again what it was shown.
    share(app, CALENDAR, sharee("/berta/", "read-write"))

    assert {"write-acl"} <= {
        node[0].tag.removeprefix(DAV) for node in berta.value(SHARED, DAV + "current-user-privilege-set")
    }
    share(app, CALENDAR, sharee("/berta/", "read"))
    assert access_to(berta, SHARED) == "read"


def test_who_manages_it_shares_it(world, app, berta):
    manage(world)
    world.add_user("carl")

    share(berta, SHARED, sharee("/carl/", "read"))

    assert (
        {one.href for one in invited(app)}
        == {"/berta/", "/carl/"}
        == {one.href for one in invited(berta, SHARED)}
    )


# Invitations


def notifications(dav: Dav) -> list[str]:
    place = dav.value(f"/{dav.user}/", CS + "notification-URL").findtext(DAV + "href") or ""
    return [href for href in dav.propfind(place, DAV + "getetag", depth="1") if href != place]


def answer(dav: Dav, path: str, said: str) -> Answer:
    body = f'<D:invite-reply xmlns:D="DAV:"><D:invite-{said}/></D:invite-reply>'
    return dav("POST", path, body, **MEDIA)


@pytest.mark.usefixtures("asking")
def test_an_invitation_is_accepted_at_the_notification(app, berta):
    share(app, CALENDAR, sharee(BERTA))
    assert listed(berta) == {}
    assert [one.status for one in invited(app)] == ["invite-noresponse"]
    (place,) = notifications(berta)

    said = answer(berta, place, "accepted")

    assert (said.status, said.headers["location"]) == (201, SHARED)
    assert list(listed(berta)) == [SHARED]
    assert [one.status for one in invited(app)] == ["invite-accepted"]
    assert len(notifications(app)) == 1


@pytest.mark.usefixtures("asking")
def test_an_invitation_is_declined_at_the_notification(app, berta):
    share(app, CALENDAR, sharee(BERTA))
    (place,) = notifications(berta)

    assert answer(berta, place, "declined").status == 204

    assert listed(berta) == {}
    assert notifications(berta) == []
    assert [one.status for one in invited(app)] == ["invite-declined"]


@pytest.mark.usefixtures("asking")
def test_only_the_invited_answer_and_only_yes_or_no(world, app, berta):
    share(app, CALENDAR, sharee(BERTA))
    (place,) = notifications(berta)
    both = "<D:invite-accepted/><D:invite-declined/>"

    assert answer(app, place, "accepted").status in (403, 404)
    for inside in ("", both, "<D:invite-noresponse/>"):
        body = f'<D:invite-reply xmlns:D="DAV:">{inside}</D:invite-reply>'
        assert berta("POST", place, body, **MEDIA).status == 400
    assert answer(berta, place + "x", "accepted").status == 404
    assert answer(berta, "/berta/-notifications/", "accepted").status in (403, 405)
    assert [one.status for one in invited(app)] == ["invite-noresponse"]


@pytest.mark.usefixtures("asking")
def test_the_answer_to_an_invitation_is_no_invitation(app, berta):
    share(app, CALENDAR, sharee(BERTA))
    answer(berta, notifications(berta)[0], "accepted")
    (place,) = notifications(app)

    assert answer(app, place, "accepted").status == 403


@pytest.mark.usefixtures("asking")
def test_the_answer_to_what_was_taken_back_changes_nothing(app, berta):
    share(app, CALENDAR, sharee(BERTA))
    (place,) = notifications(berta)
    share(app, CALENDAR, sharee(BERTA, "no-access"))

    assert answer(berta, place, "accepted").status in (403, 404)
    assert listed(berta) == {}


# What is refused


@pytest.mark.parametrize(
    "inside",
    [
        "",
        "<d:href>mailto:berta@example.org</d:href>",
        "<d:sharee><d:href>/berta/</d:href></d:sharee>",
        "<d:sharee><d:href>/berta/</d:href><d:share-access/></d:sharee>",
        sharee(BERTA, "owner"),
        sharee(BERTA, "shared-owner"),
        "<d:sharee><d:href>/berta/</d:href><d:share-access><d:read/><d:read-write/></d:share-access></d:sharee>",
        "<d:sharee><d:share-access><d:read/></d:share-access></d:sharee>",
    ],
)
def test_a_request_that_says_nothing_clear_is_refused(app, inside):
    assert post(app, CALENDAR, inside).status == 400
    assert invited(app) == []


def test_one_who_is_unknown_stops_the_others(app, berta):
    said = post(app, CALENDAR, sharee(BERTA), sharee("mailto:nobody@example.org"))

    assert (said.status, said.condition) == (403, DAV + "recognized-principal")
    assert invited(app) == []
    assert listed(berta) == {}


def test_who_does_not_own_it_cannot_share_it(world, app, berta):
    world.add_user("carl")
    assert post(berta, CALENDAR, sharee("/berta/")).status in (403, 404)
    share(app, CALENDAR, sharee(BERTA))

    for access in ("read", "read-write", "no-access"):
        said = post(berta, SHARED, sharee("/carl/", access))
        assert (said.status, said.condition) == (403, DAV + "need-privileges")


@pytest.mark.parametrize("path", ["/anna/", "/", "/anna/calendar/a.ics", "/anna/-notifications/"])
def test_only_collections_are_shared(app, path):
    app.put("/anna/calendar/a.ics", event("a"))

    assert post(app, path, sharee(BERTA)).status in (403, 405)


def test_a_request_of_another_kind_is_no_sharing(world, app):
    body = '<x3:share xmlns:x3="http://owncloud.org/ns"><x3:set><x0:href xmlns:x0="DAV:">principal:principals/users/berta</x0:href></x3:set></x3:share>'

    assert app("POST", CALENDAR, body, **{"Content-Type": "application/xml"}).status == 403
    assert invited(app) == []


def test_the_kinds_of_collections_have_what_they_can(world, app):
    # A list of tasks and a book: both have the properties, so a client may ask for them anywhere.
    world.add_collection("friends", Kind.ADDRESSBOOK)

    for path in (CALENDAR, "/anna/friends/"):
        assert access_to(app, path) == "not-shared"
        assert invited(app, path) == []
