"""What is announced works, and what works is announced (RFC 9110 10.2.1, RFC 3253 3.1, RFC 4918 10.1)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from davclient import CALDAV, CARDDAV, DAV, NS, Answer
from davsamples import card, event
from enginedav import EngineDav, World
from reportsamples import REPORTS
from tagwerk.dav.features import FEATURES
from tagwerk.dav.registry import Registry
from tagwerk.model import Kind

PLACES: Mapping[str, str] = {
    "root": "/",
    "home": "/anna/",
    "calendar": "/anna/work/",
    "address book": "/anna/friends/",
    "event": "/anna/work/a.ics",
    "card": "/anna/friends/c.vcf",
    "another principal": "/berta/",
    "new collection": "/anna/new/",
    "new event": "/anna/work/new.ics",
    "new card": "/anna/friends/new.vcf",
}
THERE = [place for place in PLACES if not place.startswith("new")]

OTHERWISE: Mapping[str, tuple[int, ...]] = {
    "another principal": (403,),  # nobody may do anything there
    "new collection": (404,),
    "new event": (404, 403),  # RFC 4791 5.3.1: calendars are not nested
    "new card": (404, 403),
}
"""What a method that is not allowed may be answered with instead of 405."""

KNOWN = sorted(Registry(FEATURES).methods)
STRANGE = ["LOCK", "UNLOCK", "PATCH", "SEARCH", "BIND", "TRACE", "CONNECT", "MKREDIRECTREF", "BREW"]


@pytest.fixture
def filled(world: World) -> EngineDav:
    """Anna's client, with something in every place."""
    world.add_user("berta")
    world.add_collection("work")
    world.add_collection("friends", Kind.ADDRESSBOOK)
    dav = world.client()
    assert dav.put("/anna/work/a.ics", event("a")).status == 201
    assert dav.put("/anna/friends/c.vcf", card("c")).status == 201
    return dav


def allowed(answer: Answer) -> list[str]:
    return [name.strip() for name in answer.headers["allow"].split(",")]


def send(dav: EngineDav, method: str, path: str) -> Answer:
    """A request that a client could send with this method to this place."""
    match method:
        case "PUT":
            return dav.put(path, card("new") if "friends" in path else event("new"))
        case "POST":
            kind = "text/vcard" if "friends" in path else "text/calendar"
            return dav(
                method, path, card("new") if "friends" in path else event("new"), **{"Content-Type": kind}
            )
        case "PROPPATCH":
            return dav.proppatch(path, set="<D:displayname>x</D:displayname>")
        case "MKCOL":
            body = (
                f"<D:mkcol {NS}><D:set><D:prop><D:resourcetype><D:collection/><C:calendar/></D:resourcetype>"
                "</D:prop></D:set></D:mkcol>"
            )
            return dav(method, path, body)
        case "COPY" | "MOVE":
            to = path.rstrip("/") + "-2"
            if path.endswith((".ics", ".vcf")):
                to = "/anna/other" + path[path.rindex("/") :]
            return dav(method, path, Destination=dav.absolute(to))
        case "REPORT":
            return dav.report(path, REPORTS[DAV + "expand-property"])
        case "ACL":
            return dav(method, path, f"<D:acl {NS}/>")
        case _:
            return dav(method, path)


@pytest.mark.parametrize("place", PLACES)
def test_every_method_in_allow_is_served(filled: EngineDav, place: str) -> None:
    announced = allowed(filled("OPTIONS", PLACES[place]))

    for method in sorted(announced, key=lambda name: name in ("DELETE", "MOVE")):
        # Each makes what is new at a place of its own.
        answer = send(filled, method, PLACES[place].replace("new", f"new-{method}"))

        assert answer.status not in (405, 501), (method, answer.body)
        if method == "DELETE":
            break


@pytest.mark.parametrize("place", PLACES)
def test_a_method_that_is_not_in_allow_is_405_with_the_same_allow(filled: EngineDav, place: str) -> None:
    announced = allowed(filled("OPTIONS", PLACES[place]))

    for method in sorted({*KNOWN, *STRANGE} - set(announced)):
        answer = send(filled, method, PLACES[place])

        assert answer.status == 405 or answer.status in OTHERWISE.get(place, ()), method
        if answer.status == 405:
            assert allowed(answer) == announced, method


def test_what_can_only_be_made_where_nothing_is_is_announced_there(filled: EngineDav) -> None:
    new, there, event_there, new_event = (
        allowed(filled("OPTIONS", PLACES[place]))
        for place in ("new collection", "calendar", "event", "new event")
    )

    assert {"MKCOL", "MKCALENDAR"} <= set(new)
    assert not {"MKCOL", "MKCALENDAR"} & set(there)
    assert "PUT" in event_there
    assert new_event == ["OPTIONS", "PUT"]


@pytest.mark.parametrize("place", THERE)
def test_supported_method_set_is_what_allow_says(filled: EngineDav, place: str) -> None:
    announced = allowed(filled("OPTIONS", PLACES[place]))

    node = filled.value(PLACES[place], DAV + "supported-method-set")

    assert [child.get("name") for child in node.iterfind(DAV + "supported-method")] == announced


def supported_reports(dav: EngineDav, path: str) -> set[str]:
    node = dav.value(path, DAV + "supported-report-set")
    return {name.tag for name in node.iterfind(f"{DAV}supported-report/{DAV}report/*")}


def test_there_is_a_sample_of_every_report() -> None:
    registry = Registry(FEATURES)

    registered = {report.name for feature in registry.features for report in feature.reports}

    assert registered == set(REPORTS)


@pytest.mark.parametrize("place", THERE)
def test_a_report_is_answered_where_it_is_announced_and_only_there(filled: EngineDav, place: str) -> None:
    announced = supported_reports(filled, PLACES[place])

    for name, body in REPORTS.items():
        answer = filled.report(PLACES[place], body, depth="0")

        if name in announced:
            assert answer.status in (200, 207), (name, answer.body)
        else:
            assert (answer.status, answer.condition) == (403, DAV + "supported-report"), name


@pytest.mark.parametrize("place", THERE)
def test_every_property_that_is_named_can_be_asked_for(filled: EngineDav, place: str) -> None:
    named = filled("PROPFIND", PLACES[place], f"<D:propfind {NS}><D:propname/></D:propfind>", Depth="0")
    names = list(named.multistatus().only().values)

    found = filled.propfind(PLACES[place], *names).only()

    assert names
    assert not found.others


@pytest.mark.parametrize("place", THERE)
def test_every_property_of_a_place_is_registered_for_it_and_has_a_value_or_404(
    filled: EngineDav, place: str
) -> None:
    every = {p.name for feature in FEATURES for p in feature.properties}

    found = filled.propfind(PLACES[place], *every).only()

    assert set(found.values) | set(found.others) == every
    assert set(found.others.values()) <= {404}


def test_the_dav_header_names_each_token_once_and_no_locks(filled: EngineDav) -> None:
    tokens = [token.strip() for token in filled("OPTIONS", "/anna/work/").headers["dav"].split(",")]

    assert len(tokens) == len(set(tokens))
    assert "2" not in tokens
    assert {"1", "3", "access-control", "calendar-access", "addressbook", "extended-mkcol"} <= set(tokens)


@pytest.mark.parametrize(
    ("token", "place", "report"),
    [
        ("calendar-access", "calendar", CALDAV + "calendar-query"),
        ("addressbook", "address book", CARDDAV + "addressbook-query"),
        ("sync-collection", "calendar", DAV + "sync-collection"),
        ("access-control", "home", DAV + "principal-property-search"),
    ],
)
def test_a_token_stands_for_reports_that_are_there(
    filled: EngineDav, token: str, place: str, report: str
) -> None:
    tokens = filled("OPTIONS", PLACES[place]).headers["dav"]

    assert token in tokens
    assert report in supported_reports(filled, PLACES[place])


def test_nobody_learns_what_a_server_can_do_without_learning_what_is_there(filled: EngineDav) -> None:
    stranger = EngineDav(filled.url, None, engine=filled.engine)

    there, not_there = (stranger("OPTIONS", path) for path in ("/anna/work/", "/anna/nothing/"))

    assert there.status == not_there.status == 200
    assert there.headers == not_there.headers
    assert {"PROPFIND", "REPORT", "MKCALENDAR"} <= set(allowed(there))
