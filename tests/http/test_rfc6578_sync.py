"""sync-collection (RFC 6578), over HTTP."""

from __future__ import annotations

import time

import pytest

from davclient import CALDAV, CS, DAV, NS, Dav, sync_body
from davsamples import card, event
from serverprocess import tagwerk
from tagwerk.model import Kind
from tagwerk.store.collections import find_binding
from tagwerk.store.sync import prune_tombstones


@pytest.fixture(params=[Kind.CALENDAR, Kind.ADDRESSBOOK])
def place(request, make_collection):
    """An empty collection, of each kind."""
    return make_collection(request.param)


@pytest.fixture
def put(dav, place):
    """Store an object by its name."""
    make = card if "addressbook" in place else event

    def store(name: str, text: str = "Eins Zwei") -> None:
        body = make(name, name=text) if make is card else make(name, summary=text)
        kind = "text/vcard" if make is card else "text/calendar"
        assert dav.put(place + name, body, **{"Content-Type": kind}).status in (201, 204)

    return store


def test_a_first_sync_has_everything_and_nothing_that_is_gone(dav, place, put):
    put("a")
    put("b")
    dav.delete(place + "a")

    found = dav.sync(place).multistatus()

    assert (found.names, found.gone) == (["b"], [])
    assert found.token


def test_nothing_changed_is_an_empty_answer_with_the_same_token(dav, place, put):
    put("a")
    token = dav.sync(place).multistatus().token

    found = dav.sync(place, token).multistatus()

    assert len(found) == 0
    assert found.token == token


def test_a_change_is_named_once_whatever_happened(dav, place, put):
    put("stays")
    put("goes")
    token = dav.sync(place).multistatus().token
    for text in ("One Time", "Two Times"):
        put("new", text)
        put("stays", text)
    put("fleeting")
    dav.delete(place + "fleeting")
    dav.delete(place + "goes")

    found = dav.sync(place, token).multistatus()

    assert found.names == ["new", "stays"]
    assert set(found.gone) - {"fleeting"} == {"goes"}


def test_deleted_and_made_again_is_a_change(dav, place, put):
    put("a")
    token = dav.sync(place).multistatus().token
    dav.delete(place + "a")
    put("a", "Other Name")

    found = dav.sync(place, token).multistatus()

    assert (found.names, found.gone) == (["a"], [])


def test_the_etags_are_those_of_the_objects(dav, place, put):
    put("a")

    found = dav.sync(place).multistatus()

    assert found[place + "a"].etag == dav.get(place + "a").etag


def test_the_token_is_a_uri_and_the_property_of_the_collection(dav, place, put):
    put("a")

    token = dav.sync(place).multistatus().token

    assert ":" in token
    assert dav.value(place, DAV + "sync-token").text == token


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_lead_to_the_same_end(dav, place, put, limit):
    for number in range(7):
        put(f"o{number}")
    seen: list[str] = []
    token, pages = "", 0

    while True:
        found = dav.sync(place, token, limit=limit).multistatus()
        assert len(found.names) + len(found.gone) <= limit
        seen += found.names
        token = found.token
        pages += 1
        if not found.truncated:
            break

    assert sorted(seen) == [f"o{number}" for number in range(7)]
    assert pages == -(-7 // limit)
    assert found.token == dav.value(place, DAV + "sync-token").text


def test_a_truncated_answer_says_507_for_the_collection(dav, place, put):
    put("a")
    put("b")

    found = dav.sync(place, limit=1).multistatus()

    assert found[place].status == 507
    assert found[place].condition == DAV + "number-of-matches-within-limits"


def test_what_changes_between_two_pages_is_not_lost(dav, place, put):
    for number in range(6):
        put(f"o{number}")
    first = dav.sync(place, limit=3).multistatus()
    known = set(first.names)
    victim, kept = sorted(known)[:2]
    dav.delete(place + victim)
    put(kept, "Has Changed")
    put("new")

    token, changed, gone = first.token, set(), set()
    while True:
        found = dav.sync(place, token, limit=2).multistatus()
        changed |= set(found.names)
        gone |= set(found.gone)
        token = found.token
        if not found.truncated:
            break

    assert victim in gone
    assert {kept, "new"} <= changed
    assert (known | changed) - gone == {f"o{n}" for n in range(6)} - {victim} | {"new"}


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "urn:tagwerk:sync:0:1",
        "http://radicale.org/ns/sync/0",
        "urn:tagwerk:sync:abc:99999999999999999999",
        "data:,7",
    ],
)
def test_a_token_of_somewhere_else_is_refused_with_the_precondition(dav, place, token):
    answer = dav.sync(place, token)

    assert answer.status == 403
    assert answer.condition == DAV + "valid-sync-token"
    assert answer.sentence


def test_a_token_of_the_future_is_refused(dav, place, put):
    put("a")
    token = dav.sync(place).multistatus().token
    head, _, number = token.rpartition(":")

    answer = dav.sync(place, f"{head}:{int(number) + 1}")

    assert answer.condition == DAV + "valid-sync-token"


def test_a_token_of_another_collection_is_refused(dav, place, make_collection):
    other = make_collection()

    answer = dav.sync(place, dav.sync(other).multistatus().token)

    assert answer.condition == DAV + "valid-sync-token"


def test_a_token_that_is_older_than_what_is_remembered_is_refused(dav, place, put, database):
    put("a")
    old = dav.sync(place).multistatus().token
    dav.delete(place + "a")
    put("b")
    new = dav.sync(place).multistatus().token
    with database.write() as txn:
        _, user, name, _ = place.split("/")
        pruned = prune_tombstones(
            txn, find_binding(txn, user, name).collection.id, before=int(time.time()) + 10
        )

    refused, served = dav.sync(place, old), dav.sync(place, new)

    assert pruned == 1
    assert refused.condition == DAV + "valid-sync-token"
    assert served.multistatus().names == []
    assert dav.sync(place).multistatus().names == ["b"]


def test_the_data_comes_with_the_changes(dav, calendar):
    dav.put(calendar + "a.ics", event("a"))

    found = dav.sync(calendar, props="<D:getetag/><C:calendar-data/>").multistatus()

    assert found.only().text(CALDAV + "calendar-data").encode() == event("a")


def test_the_ctag_changes_with_every_change_and_only_then(dav, place, put):
    seen = []
    for step in (
        lambda: put("a"),
        lambda: put("a", "New Name"),
        lambda: dav.delete(place + "a"),
        lambda: dav.get(place),
    ):
        step()
        seen.append(dav.value(place, CS + "getctag").text)

    assert len(set(seen)) == 3
    assert seen[2] == seen[3]


@pytest.mark.parametrize("depth", ["0", "1"])
def test_older_clients_may_send_depth_1(dav, place, depth):
    assert dav("REPORT", place, sync_body(), Depth=depth).status == 207


def test_a_missing_depth_is_zero(dav, place):
    assert dav("REPORT", place, sync_body()).status == 207


def test_infinite_depth_is_a_bad_request(dav, place):
    assert dav("REPORT", place, sync_body(), Depth="infinity").status == 400


@pytest.mark.parametrize("limit", ["0", "-1", "x", "99999999999999999999999", ""])
def test_a_strange_limit_does_no_harm(dav, place, limit):
    body = (
        f"<D:sync-collection {NS}><D:sync-token/><D:sync-level>1</D:sync-level>"
        f"<D:limit><D:nresults>{limit}</D:nresults></D:limit><D:prop><D:getetag/></D:prop></D:sync-collection>"
    )

    assert dav("REPORT", place, body, Depth="0").status in (207, 400, 403)


def test_names_that_need_escaping_are_named_as_elsewhere(dav, place, put):
    put("a%26%3C%20%C3%A4")
    listed = [href for href in dav.propfind(place, DAV + "getetag", depth="1") if href != place]
    token = dav.sync(place).multistatus().token
    synced = list(dav.sync(place).multistatus())
    dav.delete(place + "a%26%3C%20%C3%A4")

    gone = list(dav.sync(place, token).multistatus())

    assert listed == synced == gone


def test_the_server_has_a_page_size_of_its_own(new_server, password_hash):
    server = new_server(dav_sync_page_size="10")
    tagwerk("user", "add", "anna", "--password-stdin", "--data", server.data, stdin="secret\n")
    client = Dav(server.url)
    for number in range(25):
        assert client.put(f"/anna/calendar/{number}.ics", event(str(number))).status == 201
    sizes, token = [], ""

    while True:
        found = client.sync("/anna/calendar/", token).multistatus()
        sizes.append(len(found.names))
        token = found.token
        if not found.truncated:
            break
    client.close()

    assert sizes == [10, 10, 5]


def test_a_home_can_be_asked_what_changed_in_it_or_says_that_it_cannot(account):
    home = f"/{account.user}/"
    reports = {node.tag for node in account.value(home, DAV + "supported-report-set").iter()}

    answer = account.sync(home)

    if DAV + "sync-collection" in reports:
        found = answer.multistatus()
        account("MKCALENDAR", home + "new/")
        account.delete(home + "tasks/")
        changes = account.sync(home, found.token).multistatus()
        assert home + "new/" in changes.found
        assert changes[home + "tasks/"].status == 404
    else:
        assert answer.condition == DAV + "supported-report"
