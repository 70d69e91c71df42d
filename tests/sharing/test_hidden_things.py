"""What somebody may not know of answers as if it did not exist: byte for byte.

Everything is asked twice, once about something that is there and once about something that is
not, under names of the same length; the answers may differ in that name alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import authorization
import pytest
from authorization import Spot
from sharedworld import counted, delegate, rehearse, share

from davclient import DAV, NS, Answer, sync_body
from davsamples import event
from enginedav import HOST, EngineDav, World, new_world
from tagwerk.model import Kind

HIDDEN = {
    "calendar": ("work", "wurk"),
    "event": ("plain", "plane"),
    "event in a calendar that is not there": ("work", "wurk"),
    "confidential": ("conf", "cone"),
    "private": ("priv.ics", "prim.ics"),
    "book": ("friends", "friendz"),
    "card": ("card", "cart"),
    "notifications": ("-notifications", "-notificatians"),
    "notification": ("invite-", "invyte-"),
    "proxy": ("calendar-proxy-write", "calendar-proxy-wrote"),
}
"""A part of the path that is there, and what stands in its place in a path that is not."""

AT_ANNAS = ("calendar", "event", "confidential", "book", "card", "notifications", "notification", "proxy")


@dataclass(frozen=True, slots=True)
class Pair:
    """Somebody and a path that is there, and what the other path has instead of a part of it."""

    there: Spot
    name: str
    other: str

    @property
    def nowhere(self) -> Spot:
        return replace(self.there, path=self.there.path.replace(self.name, self.other))


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world that stays as it is, because nothing that is asked is kept."""
    with new_world(tmp_path_factory.mktemp("hidden")) as world:
        world.add_user("anna", display_name="Anna Beispiel", addresses=("anna@example.org",))
        authorization.populate(world)
        yield world


def pairs(world: World) -> dict[str, Pair]:
    """By a name for people: who must not know what."""
    spots = authorization.spots(world)
    found: dict[str, Pair] = {}

    def add(block: str, column: str, *, at: int = 0, name: str = "") -> None:
        spot = spots[block][column][at]
        found[f"{spot.user or 'nobody'} and {spot.path}"] = Pair(spot, *HIDDEN[name or block])

    for block in AT_ANNAS:
        add(block, "other")
    add("event", "other", at=2)
    add("event", "other", at=4, name="event in a calendar that is not there")
    for block in ("calendar", "book"):
        add(block, "ex")
    for block in ("event", "card"):
        add(block, "ex")
    for block in ("book", "card", "notifications", "notification"):
        add(block, "dread")
        add(block, "dwrite")
    for column in ("busy", "read", "write"):
        add("private", column)
    add("private", "dread", at=1)
    for block in ("calendar", "event", "book", "proxy"):
        add(block, "anon")
    return found


PAIRS = [
    *(f"stranger and /anna/{name}" for name in ("work/", "work/plain.ics", "work/conf.ics", "friends/")),
    "stranger and /anna/friends/card.vcf",
    "stranger and /anna/-notifications/",
    "stranger and the notification",
    "stranger and /anna/calendar-proxy-write/",
    "person-manage and /anna/work/plain.ics",
    "guest and /anna/work/plain.ics",
    *(f"ex and /ex/{name}" for name in ("work/", "friends/", "work/plain.ics", "friends/card.vcf")),
    *(
        f"{who} and {path}"
        for path in ("/anna/friends/", "/anna/friends/card.vcf", "/anna/-notifications/", "the notification")
        for who in ("dread", "dwrite")
    ),
    "person-busy and /person-busy/work/priv.ics",
    "person-read and /person-read/work/priv.ics",
    "person-write and /person-write/work/priv.ics",
    "aide and /anna/work/priv.ics",
    *(
        f"nobody and /anna/{name}"
        for name in ("work/", "work/plain.ics", "friends/", "calendar-proxy-write/")
    ),
]


TAKEN = ("PUT", "PUT alarm", "COPY onto", "MOVE onto")
"""What who may write cannot do under a name that they do not see; nobody else is told of it."""


def headers(world: World, pair: Pair) -> list[dict[str, str]]:
    """Conditions that hold, or do not, for what is there; ``PATH`` stands for the path."""
    owner = world.client()
    spot = pair.there
    owners = spot.path if spot.path.startswith("/anna/") else f"/anna/{spot.path.split('/', 2)[2]}"
    collection = "/".join(owners.split("/")[:3]) + "/"
    known = owner.propfind(collection, DAV + "sync-token").only() if "proxy" not in owners else None
    token = known.text(DAV + "sync-token") if known and DAV + "sync-token" in known.values else "urn:x"
    etag = owner.propfind(owners, DAV + "getetag").only().values[DAV + "getetag"].text
    return [
        {"If-Match": f"{etag}"},
        {"If-Match": "*"},
        {"If-None-Match": f"{etag}"},
        {"If-None-Match": "*"},
        {"If-Modified-Since": "Thu, 01 Jan 2037 00:00:00 GMT"},
        {"If-Unmodified-Since": "Thu, 01 Jan 2015 00:00:00 GMT"},
        {"If": f"(<{token}>)"},
        {"If": f"([{etag}])"},
        {"If": f"(Not [{etag}])"},
        {"If": f"<PATH> ([{etag}] <{token}>) (Not <DAV:no-lock>)"},
        {"If": f"<http://{HOST}PATH> (Not <{token}>)"},
        {"Range": "bytes=0-9"},
        {"Content-Range": "bytes 0-9/10"},
        {"Prefer": "return=representation"},
        {"Prefer": "return=minimal", "Depth": "infinity"},
        {"Depth": "1", "Overwrite": "F"},
        {"Content-Type": "application/octet-stream"},
    ]


def said(answer: Answer, pair: Pair) -> tuple[int, dict[str, str], bytes]:
    """The answer as it is for the path that is not there."""
    kept = {
        name: value.replace(pair.name, pair.other) for name, value in answer.headers.items() if name != "date"
    }
    return answer.status, kept, answer.body.replace(pair.name.encode(), pair.other.encode())


def asked(client: EngineDav, row: str, spot: Spot, more: dict[str, str]) -> Answer:
    method, path, body, own = authorization.request(row, spot)
    sent = own | {name: value.replace("PATH", spot.path) for name, value in more.items()}
    return client(method, path, body, **sent)


@pytest.mark.parametrize("number", range(len(PAIRS)), ids=PAIRS)
def test_what_is_hidden_answers_as_if_it_were_not_there(people: World, number: int) -> None:
    pair = list(pairs(people).values())[number]
    assert PAIRS[number] in (
        f"{pair.there.user or 'nobody'} and {pair.there.path}",
        f"{pair.there.user} and the notification",
    )
    client = rehearse(people, pair.there.user)
    conditions = [{}, *headers(people, pair)]
    differ: list[str] = []

    for row in authorization.rows():
        if pair.there.user == "person-write" and row in TAKEN:
            continue
        for more in conditions if row in authorization.METHODS else conditions[:1]:
            there = asked(client, row, pair.there, more)
            nowhere = asked(client, row, pair.nowhere, more)
            if said(there, pair) != said(nowhere, pair):
                differ.append(f"{row} {more}: {said(there, pair)} {said(nowhere, pair)}")

    assert not differ, "\n".join(differ)


@pytest.mark.parametrize(
    "row", ["GET", "PUT", "DELETE", "PROPFIND 1", "ACL", "C:calendar-query", "COPY", "MOVE onto"]
)
@pytest.mark.parametrize("number", range(5))
def test_the_server_does_the_same_work_for_it(people: World, number: int, row: str) -> None:
    pair = list(pairs(people).values())[number]
    client = rehearse(people, pair.there.user)

    with counted(people) as there:
        asked(client, row, pair.there, {})
    with counted(people) as nowhere:
        asked(client, row, pair.nowhere, {})

    assert len(there) == len(nowhere) > 0


# Hidden things that are named elsewhere than in the path.

ELSEWHERE = [
    ("/anna/work/plain.ics", "/anna/work/plane.ics"),
    ("/anna/work/plain.ics", "/anna/wurk/plain.ics"),
    ("/anna/work/", "/anna/wurk/"),
    ("/anna/friends/card.vcf", "/anna/friends/cart.vcf"),
    ("/anna/-notifications/", "/anna/-notificatians/"),
    ("/anna/calendar-proxy-read/", "/anna/calendar-proxy-reed/"),
    ("/carl/club/", "/carl/clab/"),
    ("/carl/club/", "/curl/club/"),
]


def alike(
    client: EngineDav, one: str, other: str, method: str, path: str, body: str = "", **more: str
) -> Answer:
    """Ask with ``HREF`` in body and headers for both; the answers are the same, and one of them is returned."""
    answers = []
    for href in (one, other):
        sent = {name: value.replace("HREF", href) for name, value in more.items()}
        answer = client(method, path, body.replace("HREF", href), **sent)
        answers.append((answer.status, dict(answer.headers), answer.body.replace(href.encode(), b"HREF")))
    assert answers[0] == answers[1]
    return answer


@pytest.mark.parametrize(("there", "nowhere"), ELSEWHERE)
@pytest.mark.parametrize("user", ["stranger", "ex", "member-read"])
def test_a_destination_tells_nothing(people: World, user: str, there: str, nowhere: str) -> None:
    client = rehearse(people, user)

    for source in (
        f"/{user}/own/",
        f"/{user}/own/mine.ics",
        f"/{user}/contacts/",
        f"/{user}/contacts/mine.vcf",
    ):
        for method in ("COPY", "MOVE"):
            for overwrite in ("T", "F"):
                to = {"Destination": f"http://{HOST}HREF", "Overwrite": overwrite}
                assert alike(client, there, nowhere, method, source, **to).status in (403, 409)


@pytest.mark.parametrize(("there", "nowhere"), ELSEWHERE)
@pytest.mark.parametrize("user", ["stranger", "ex", "member-read"])
def test_an_if_header_tells_nothing(people: World, user: str, there: str, nowhere: str) -> None:
    client = rehearse(people, user)
    owner = people.client(there.split("/")[1])
    found = owner.propfind(there, DAV + "getetag", DAV + "sync-token").only().values
    etag = found[DAV + "getetag"].text if DAV + "getetag" in found else '"x"'
    token = found[DAV + "sync-token"].text if DAV + "sync-token" in found else "urn:x"
    conditions = [f"([{etag}])", f"(<{token}>)", f"(Not [{etag}])", f"(Not <{token}>)"]

    for condition in conditions:
        for method, path, body in (
            ("PUT", f"/{user}/own/new.ics", event("new").decode()),
            ("DELETE", f"/{user}/own/mine.ics", ""),
            ("PROPFIND", f"/{user}/", ""),
            ("MKCALENDAR", f"/{user}/new/", ""),
            ("GET", f"/{user}/own/mine.ics", ""),
        ):
            answer = alike(
                client,
                there,
                nowhere,
                method,
                path,
                body,
                **{"If": f"<HREF> {condition}", "Content-Type": "text/calendar"},
            )
            assert (answer.status == 412) == ("Not" not in condition)


@pytest.mark.parametrize(("there", "nowhere"), ELSEWHERE)
@pytest.mark.parametrize("user", ["stranger", "ex", "member-read"])
def test_a_multiget_tells_nothing(people: World, user: str, there: str, nowhere: str) -> None:
    client = rehearse(people, user)

    for name in ("C:calendar-multiget", "CR:addressbook-multiget"):
        body = f"<{name} {NS}><D:prop><D:getetag/><C:calendar-data/></D:prop><D:href>HREF</D:href></{name}>"
        for path in (f"/{user}/", f"/{user}/{'own' if name.startswith('C:') else 'contacts'}/"):
            answer = alike(client, there, nowhere, "REPORT", path, body)
            assert answer.multistatus().only().status == 404


@pytest.mark.parametrize(("there", "nowhere"), ELSEWHERE)
@pytest.mark.parametrize("user", ["stranger", "ex"])
def test_an_answer_to_an_invitation_tells_nothing(people: World, user: str, there: str, nowhere: str) -> None:
    client = rehearse(people, user)

    for answered in ("accepted", "declined"):
        body = (
            f"<CS:invite-reply {NS}><CS:invite-{answered}/><CS:hosturl><D:href>HREF</D:href></CS:hosturl>"
            "<CS:in-reply-to>1</CS:in-reply-to></CS:invite-reply>"
        )
        assert alike(client, there, nowhere, "POST", f"/{user}/", body).status == 403


def test_the_name_of_somebody_elses_invitation_tells_nothing(people: World) -> None:
    client = rehearse(people, "stranger")
    uid = authorization.notification(people).rpartition("invite-")[2].removesuffix(".xml")
    body = (
        f"<CS:invite-reply {NS}><CS:invite-accepted/><CS:in-reply-to>HREF</CS:in-reply-to></CS:invite-reply>"
    )

    answer = alike(client, uid, f"{int(uid, 16) ^ 1:x}", "POST", "/stranger/", body)

    assert (answer.status, answer.condition) == (403, "{http://calendarserver.org/ns/}valid-invite")


@pytest.mark.parametrize(("there", "nowhere"), ELSEWHERE)
def test_an_expanded_property_tells_nothing(people: World, there: str, nowhere: str) -> None:
    bodies = []
    for href in (there, nowhere):
        with_href = people.client("stranger")
        with_href.proppatch("/stranger/own/", set=f"<D:x><D:href>{href}</D:href></D:x>")
        answer = with_href.report(
            "/stranger/own/",
            f'<D:expand-property {NS}><D:property name="x"><D:property name="displayname"/>'
            '<D:property name="getetag"/><D:property name="sync-token"/></D:property></D:expand-property>',
            depth="0",
        )
        assert answer.status == 207
        bodies.append(answer.body.replace(href.encode(), b"HREF"))
    with_href.proppatch("/stranger/own/", remove="<D:x/>")

    assert bodies[0] == bodies[1]
    assert b"404" in bodies[0]


def test_a_sync_token_of_somebody_else_is_like_any_other(people: World) -> None:
    client = rehearse(people, "stranger")
    of_calendar = people.client().value("/anna/work/", DAV + "sync-token").text or ""
    prefix, _, number = of_calendar.rpartition(":")
    made_up = f"{prefix[:-16]}{'0123456789abcdef'}:{number}"

    answer = alike(client, of_calendar, made_up, "REPORT", "/stranger/own/", sync_body("HREF"), Depth="0")

    assert (answer.status, answer.condition) == (403, DAV + "valid-sync-token")


def test_the_token_of_somebody_elses_home_tells_nothing(people: World) -> None:
    client = rehearse(people, "stranger")
    token = people.client().value("/anna/", DAV + "sync-token").text or ""

    found = client.sync("/stranger/", token).multistatus()

    assert all(href.startswith("/stranger/") for href in found)
    assert found.token == client.sync("/stranger/").multistatus().token


# Principals whom one may not look up.


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """anna, who may look up nobody but bert, who shares with her; and carl, whom bert knows, and a group of them."""
    with new_world(tmp_path_factory.mktemp("strangers")) as world:
        for name in ("anna", "bert", "carl", "dora"):
            world.add_user(name, display_name=f"{name.title()} Beispiel", addresses=(f"{name}@example.org",))
            world.add_collection("own", user=name)
            world.add_collection("cards", Kind.ADDRESSBOOK, user=name)
        team = world.add_user(
            "team", kind="group", display_name="Team Beispiel", addresses=("team@example.org",)
        )
        with world.store.write() as txn:
            txn.execute(
                "INSERT INTO membership (group_id, member_id) SELECT ?, id FROM principal WHERE name IN ('bert', 'carl')",
                (team.id,),
            )
        share(world, "/bert/own/", "anna", "read")
        share(world, "/bert/own/", "carl", "write")
        delegate(world, "bert", "carl", "read")
        yield world


NAMED = [
    "/NAME/",
    "mailto:NAME@example.org",
    f"http://{HOST}/NAME/",
    "principal:principals/users/NAME",
    "NAME@example.org",
]


@pytest.mark.parametrize("named", NAMED)
@pytest.mark.parametrize(("there", "nowhere"), [("carl", "curl"), ("team", "teem")])
def test_nobody_can_be_found_out_by_sharing_with_them(
    strangers: World, named: str, there: str, nowhere: str
) -> None:
    client = rehearse(strangers, "anna", principal_lookup="nobody")
    names = there, nowhere
    href = named.replace("NAME", "HREF")

    for body, method, path in (
        (
            f"<CS:share {NS}><CS:set><D:href>{href}</D:href><CS:read/></CS:set></CS:share>",
            "POST",
            "/anna/own/",
        ),
        (f"<CS:share {NS}><CS:remove><D:href>{href}</D:href></CS:remove></CS:share>", "POST", "/anna/own/"),
        (
            f"<D:share-resource {NS}><D:sharee><D:href>{href}</D:href><D:share-access><D:read/></D:share-access>"
            "</D:sharee></D:share-resource>",
            "POST",
            "/anna/cards/",
        ),
        (
            f"<D:acl {NS}><D:ace><D:principal><D:href>{href}</D:href></D:principal><D:grant><D:privilege><D:read/>"
            "</D:privilege></D:grant></D:ace></D:acl>",
            "ACL",
            "/anna/own/",
        ),
        (
            f"<D:propertyupdate {NS}><D:set><D:prop><D:group-member-set><D:href>{href}</D:href></D:group-member-set>"
            "</D:prop></D:set></D:propertyupdate>",
            "PROPPATCH",
            "/anna/calendar-proxy-read/",
        ),
    ):
        answer = alike(client, *names, method, path, body)
        # CS:share tells it for each sharee.
        assert answer.status in (403, 207)
        assert "<D:recognized-principal/>" in answer.text


@pytest.mark.parametrize(("there", "nowhere"), [("carl", "curl"), ("team", "teem"), ("dora", "dura")])
def test_who_may_not_be_looked_up_is_like_nobody(strangers: World, there: str, nowhere: str) -> None:
    client = rehearse(strangers, "anna", principal_lookup="nobody")
    differ: list[str] = []

    for name in ("", "own/", "own/x.ics", "calendar-proxy-read/", "-notifications/"):
        pair = Pair(Spot("anna", f"/{there}/{name}", "/anna/"), f"/{there}/", f"/{nowhere}/")
        for row in authorization.rows():
            answers = [said(asked(client, row, spot, {}), pair) for spot in (pair.there, pair.nowhere)]
            if answers[0] != answers[1]:
                differ.append(f"{row} {name}: {answers}")

    assert not differ, "\n".join(differ)


@pytest.mark.parametrize(
    "body",
    [
        f"<D:principal-property-search {NS}><D:prop><D:displayname/></D:prop></D:principal-property-search>",
        f"<D:principal-property-search {NS}><D:property-search><D:prop><D:displayname/></D:prop>"
        "<D:match>Beispiel</D:match></D:property-search></D:principal-property-search>",
        f"<CS:calendarserver-principal-search {NS}><CS:search-token>Beispiel</CS:search-token>"
        "</CS:calendarserver-principal-search>",
        f"<D:principal-match {NS}><D:self/></D:principal-match>",
        f"<D:principal-match {NS}><D:principal-property><D:owner/></D:principal-property></D:principal-match>",
        f'<D:expand-property {NS}><D:property name="principal-collection-set"><D:property name="resourcetype"/>'
        '</D:property><D:property name="current-user-principal"><D:property name="group-membership"/></D:property>'
        "</D:expand-property>",
    ],
)
def test_searches_find_only_who_may_be_looked_up(strangers: World, body: str) -> None:
    client = rehearse(strangers, "anna", principal_lookup="nobody")

    answer = client.report("/", body, depth="0")

    assert answer.status == 207
    for secret in ("carl", "team", "dora"):
        assert secret not in answer.text.lower()


@pytest.mark.parametrize("row", ["PROPFIND 0", "PROPFIND 1", "D:expand-property"])
def test_who_may_be_looked_up_does_not_lead_to_others(strangers: World, row: str) -> None:
    client = rehearse(strangers, "anna", principal_lookup="nobody")
    names = ("displayname", "group-member-set", "group-membership", "owner", "acl", "alternate-URI-set")
    wanted = "".join(f"<D:{name}/>" for name in names)
    inside = "".join(
        f'<D:property name="{name}"><D:property name="displayname"/></D:property>' for name in names
    )

    for path in ("/bert/", "/anna/", "/anna/own-bert/"):
        if row == "D:expand-property":
            answer = client.report(path, f"<D:expand-property {NS}>{inside}</D:expand-property>", depth="0")
        else:
            answer = client(
                "PROPFIND", path, f"<D:propfind {NS}><D:prop>{wanted}</D:prop></D:propfind>", Depth=row[-1]
            )
        assert answer.status == 207
        for secret in ("carl", "team", "dora"):
            assert secret not in answer.text.lower()


def test_what_is_shared_does_not_lead_to_the_other_sharees(strangers: World) -> None:
    client = rehearse(strangers, "anna", principal_lookup="nobody")
    names = "<CS:invite/><D:invite/><D:acl/><D:owner/><CS:shared-url/><CS:allowed-sharing-modes/>"

    texts = [
        client("PROPFIND", "/anna/own-bert/", f"<D:propfind {NS}><D:prop>{names}</D:prop></D:propfind>").text,
        client.report(
            "/anna/own-bert/",
            f"<D:acl-principal-prop-set {NS}><D:prop><D:displayname/></D:prop></D:acl-principal-prop-set>",
            depth="0",
        ).text,
    ]

    assert "/bert/" in texts[0]
    assert "Anna Beispiel" in texts[1]
    assert not any("carl" in text.lower() for text in texts)
