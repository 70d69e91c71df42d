"""sync-collection on homes and with level infinite (RFC 6578 3.3, 6.3)."""

from __future__ import annotations

import base64

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from davclient import DAV, NS, Answer, Multistatus, sync_body
from davsamples import card, event
from enginedav import EngineDav, World, new_world
from tagwerk.model import Kind

HOME = "/anna/"


def sync(
    dav: EngineDav, token: str = "", *, level: str = "1", limit: int = 0, depth: str = "0"
) -> Multistatus:
    return ask(dav, token, level=level, limit=limit, depth=depth).multistatus()


def ask(dav: EngineDav, token: str = "", *, level: str = "1", limit: int = 0, depth: str = "0") -> Answer:
    return dav("REPORT", HOME, sync_body(token, level=level, limit=limit), Depth=depth)


def changed(found: Multistatus) -> list[str]:
    return sorted(href for href, one in found.found.items() if one.status is None)


def gone(found: Multistatus) -> list[str]:
    return sorted(href for href, one in found.found.items() if one.status == 404)


def test_a_first_sync_names_every_collection(world: World, dav: EngineDav, calendar: str, book: str) -> None:
    found = sync(dav)

    assert changed(found) == [book, calendar]
    assert not found.truncated
    assert found.token == dav.value(HOME, DAV + "sync-token").text


def test_nothing_changed_is_an_empty_answer_with_the_same_token(dav: EngineDav, calendar: str) -> None:
    first = sync(dav)

    second = sync(dav, first.token)

    assert len(second) == 0
    assert second.token == first.token


def test_new_changed_and_removed_collections_are_named(world: World, dav: EngineDav, calendar: str) -> None:
    removed = world.add_collection("removed")
    world.add_collection("untouched")
    before = sync(dav)
    assert dav("MKCALENDAR", "/anna/new/").status == 201
    assert dav.delete(removed).status == 204
    dav.put(calendar + "a.ics", event("a"))

    found = sync(dav, before.token)

    assert changed(found) == ["/anna/new/", calendar]
    assert gone(found) == [removed]


@pytest.mark.parametrize("how", ["put", "delete", "move", "proppatch"])
def test_whatever_happens_in_a_collection_changes_it(
    world: World, dav: EngineDav, calendar: str, how: str
) -> None:
    other = world.add_collection("other")
    dav.put(calendar + "a.ics", event("a"))
    before = sync(dav)

    if how == "put":
        dav.put(calendar + "a.ics", event("a", summary="new"))
    elif how == "delete":
        dav.delete(calendar + "a.ics")
    elif how == "move":
        dav.move(calendar + "a.ics", other + "a.ics")
    else:
        dav.proppatch(calendar, set="<D:displayname>New</D:displayname>")

    assert changed(sync(dav, before.token)) == ([other, calendar] if how == "move" else [calendar])


def test_a_renamed_collection_is_gone_here_and_new_there(dav: EngineDav, calendar: str) -> None:
    before = sync(dav)
    assert dav.move(calendar, "/anna/renamed/").status == 201

    found = sync(dav, before.token)

    assert changed(found) == ["/anna/renamed/"]
    assert gone(found) == [calendar]


def test_a_collection_that_was_made_anew_is_changed(world: World, dav: EngineDav, calendar: str) -> None:
    before = sync(dav)
    dav.delete(calendar)
    dav("MKCALENDAR", calendar)

    found = sync(dav, before.token)

    assert changed(found) == [calendar]
    assert gone(found) == []


def test_what_apple_asks_for_with_it_is_answered(dav: EngineDav, calendar: str) -> None:
    found = dav(
        "REPORT",
        HOME,
        sync_body(
            props="<D:resourcetype/><D:displayname/><CS:getctag/><I:calendar-color/><D:sync-token/><D:owner/>"
        ),
        Depth="0",
    ).multistatus()

    assert found[calendar].text(DAV + "displayname") == "work"
    assert (
        found[calendar].values[DAV + "resourcetype"].find("{urn:ietf:params:xml:ns:caldav}calendar")
        is not None
    )


def test_pages_lead_to_the_same_end(world: World, dav: EngineDav) -> None:
    made = [world.add_collection(f"c{number}") for number in range(7)]
    pages: list[list[str]] = []
    token = ""
    while True:
        found = sync(dav, token, limit=3)
        pages.append(changed(found))
        token = found.token
        if not found.truncated:
            break
        assert found[HOME].status == 507

    assert [len(page) for page in pages] == [3, 3, 1]
    assert sorted(href for page in pages for href in page) == made
    assert len(sync(dav, token)) == 0


def test_infinite_names_collections_and_what_is_in_them(dav: EngineDav, calendar: str, book: str) -> None:
    dav.put(calendar + "a.ics", event("a"))
    dav.put(book + "c.vcf", card("c"))
    first = sync(dav, level="infinite")
    dav.put(calendar + "b.ics", event("b"))
    dav.delete(book + "c.vcf")

    second = sync(dav, first.token, level="infinite")

    assert changed(first) == sorted([calendar, book, calendar + "a.ics", book + "c.vcf"])
    assert changed(second) == sorted([calendar, book, calendar + "b.ics"])
    assert gone(second) == [book + "c.vcf"]
    assert len(sync(dav, second.token, level="infinite")) == 0


def test_infinite_on_a_collection_is_what_is_in_it(dav: EngineDav, calendar: str) -> None:
    dav.put(calendar + "a.ics", event("a"))

    found = dav("REPORT", calendar, sync_body(level="infinite"), Depth="0").multistatus()

    assert changed(found) == [calendar + "a.ics"]


@pytest.mark.parametrize("level", ["1", "infinite"])
@pytest.mark.parametrize(
    "token",
    [
        "x",
        "urn:tagwerk:home:",
        "urn:tagwerk:home:AAAA",
        "urn:tagwerk:home:" + base64.urlsafe_b64encode(b"x" * 100).decode(),
        "urn:tagwerk:sync:0:1",
        "http://other.example/sync/1",
    ],
)
def test_a_token_that_is_none_is_refused_with_the_precondition(
    dav: EngineDav, calendar: str, token: str, level: str
) -> None:
    answer = ask(dav, token, level=level)

    assert (answer.status, answer.condition) == (403, DAV + "valid-sync-token")


def test_the_token_of_one_level_is_none_of_the_other(dav: EngineDav, calendar: str) -> None:
    one, infinite = sync(dav).token, sync(dav, level="infinite").token

    assert ask(dav, one, level="infinite").condition == DAV + "valid-sync-token"
    assert ask(dav, infinite).condition == DAV + "valid-sync-token"


@pytest.mark.parametrize(("depth", "status"), [("0", 207), ("1", 207), ("infinity", 400), ("x", 400)])
def test_depth_is_0_and_1_is_what_older_drafts_say(
    dav: EngineDav, calendar: str, depth: str, status: int
) -> None:
    assert ask(dav, depth=depth).status == status
    assert dav("REPORT", calendar, sync_body(), Depth=depth).status == status


@pytest.mark.parametrize("level", ["0", "2", "all", "-1"])
def test_another_level_is_a_bad_request(dav: EngineDav, calendar: str, level: str) -> None:
    assert ask(dav, level=level).status == 400
    assert dav("REPORT", calendar, sync_body(level=level), Depth="0").status == 400


def test_the_ctag_of_the_home_changes_with_what_is_in_it(dav: EngineDav, calendar: str) -> None:
    name = "{http://calendarserver.org/ns/}getctag"
    before = dav.value(HOME, name).text

    dav.put(calendar + "a.ics", event("a"))

    assert dav.value(HOME, name).text != before


def test_a_sync_without_getetag_or_without_properties(dav: EngineDav, calendar: str) -> None:
    dav.put(calendar + "a.ics", event("a"))
    body = f"<D:sync-collection {NS}><D:sync-token/><D:sync-level>1</D:sync-level>%s</D:sync-collection>"

    for inside in ("", "<D:prop/>", "<D:prop><D:displayname/></D:prop>"):
        found = dav("REPORT", calendar, body % inside, Depth="0").multistatus()
        assert changed(found) == [calendar + "a.ics"]


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "delete", "make", "remove", "sync"]),
        st.integers(0, 2),
        st.integers(0, 3),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_STEPS, st.integers(1, 4), st.sampled_from(["1", "infinite"]))
def test_a_client_that_follows_the_tokens_knows_the_home(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]], limit: int, level: str
) -> None:
    with new_world(tmp_path_factory.mktemp("model")) as world:
        world.add_user("anna")
        dav = world.client()
        known: dict[str, str] = {}
        token = ""
        for what, collection, number in [*steps, ("sync", 0, 0)]:
            place = f"/anna/c{collection}/"
            if what == "put":
                dav.put(
                    f"{place}{number}.ics", event(str(number), summary=f"{len(known)}-{what}-{token[-9:]}")
                )
            elif what == "delete":
                dav.delete(f"{place}{number}.ics")
            elif what == "make":
                dav("MKCALENDAR", place)
            elif what == "remove":
                dav.delete(place)
            else:
                known, token = followed(dav, known, token, limit, level)

        assert known == everything(dav, level)


def followed(
    dav: EngineDav, known: dict[str, str], token: str, limit: int, level: str
) -> tuple[dict[str, str], str]:
    """What a client knows after it has fetched all pages from `token` on."""
    known = dict(known)
    for _ in range(100):
        answer = ask(dav, token, limit=limit, level=level)
        if answer.status == 403:
            assert answer.condition == DAV + "valid-sync-token"
            known, token = {}, ""
            continue
        found = answer.multistatus()
        assert len(gone(found)) + len(changed(found)) <= limit
        for href in gone(found):
            # What was in it is gone with it.
            known = {other: tag for other, tag in known.items() if not other.startswith(href)}
        known |= {href: found[href].etag for href in changed(found)}
        token = found.token
        if not found.truncated:
            return known, token
    raise AssertionError("the pages have no end")


def everything(dav: EngineDav, level: str) -> dict[str, str]:
    """ETags of the collections, and of what is in them where the level is infinite."""
    collections = dav.propfind(HOME, DAV + "getetag", depth="1")
    hrefs = [href for href in collections if href != HOME and "/calendar-proxy-" not in href]
    found = {href: collections[href].etag for href in hrefs}
    if level == "infinite":
        for href in hrefs:
            inside = dav.propfind(href, DAV + "getetag", depth="1")
            found |= {one: inside[one].etag for one in inside if one != href}
    return found


def test_a_home_without_anything_has_a_token(dav: EngineDav) -> None:
    found = sync(dav)

    assert len(found) == 0
    assert len(sync(dav, found.token)) == 0


def test_an_object_has_no_sync(world: World, dav: EngineDav, calendar: str) -> None:
    world.add_collection("friends", Kind.ADDRESSBOOK)
    dav.put(calendar + "a.ics", event("a"))

    answer = dav("REPORT", calendar + "a.ics", sync_body(), Depth="0")

    assert (answer.status, answer.condition) == (403, DAV + "supported-report")
