"""Stock Radicale and the DAV engine show everybody the same of what is shared, and allow them the same."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator

import pytest
from sharedstock import ALL, LEVELS, OTHERS, PLACES, SECRETS, SharedWorld, calendar, shared_world
from stock import Answer, card

from tagwerk.dav.resources import RESERVED_NAMES

C = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
DAY = 'start="20260301T000000Z" end="20260302T000000Z"'
SAME = (
    "{DAV:}displayname",
    "{DAV:}sync-token",
    "{DAV:}getetag",
    "{DAV:}getlastmodified",
    "{http://apple.com/ns/ical/}calendar-color",
    "{urn:ietf:params:xml:ns:caldav}calendar-description",
)
FULL = {"anna", "mona"}
"""Who sees everything."""


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[SharedWorld]:
    """Nothing is written to it."""
    with shared_world(tmp_path_factory.mktemp("shared")) as made:
        yield made


def both(world: SharedWorld, user: str, method: str, path: str, body: str = "", **headers: str):
    """What stock Radicale and what the engine answers."""
    return world.client(user)(method, path, body, **headers), world.engine(
        user, method, path, body, **headers
    )


def propfind(*names: str) -> str:
    props = "".join(f'<x:{name.partition("}")[2]} xmlns:x="{name[1:].partition("}")[0]}"/>' for name in names)
    return f"<propfind {C}><prop>{props}</prop></propfind>"


def query(inner: str, data: str = "") -> str:
    return (
        f'<C:calendar-query {C}><prop><getetag/>{data}</prop><C:filter><C:comp-filter name="VCALENDAR">'
        f'<C:comp-filter name="VEVENT">{inner}</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>'
    )


def values(answer: Answer) -> dict[tuple[str, str], str]:
    """What was found, by href and name; the hrefs inside of values count.  Radicale writes a CR as it is."""
    found = {}
    for response in answer.xml().iterfind("{DAV:}response"):
        href = response.findtext("{DAV:}href")
        for propstat in response.iterfind("{DAV:}propstat"):
            if " 200 " in propstat.findtext("{DAV:}status"):
                for node in propstat.find("{DAV:}prop"):
                    text = (node.text or "") + (node.findtext("{DAV:}href") or "")
                    found[href, node.tag] = text.replace("\r\n", "\n")
    return found


def hrefs(answer: Answer) -> set[str]:
    return {node.text for node in answer.xml().iterfind("{DAV:}response/{DAV:}href")}


def busy(answer: Answer) -> list[str]:
    lines = answer.text.replace("\r\n ", "").split("\r\n")
    found = [line.partition(":")[2] for line in lines if line.startswith("FREEBUSY")]
    return sorted(period for line in found for period in line.split(","))


@pytest.mark.parametrize("user", [*PLACES, *OTHERS])
def test_a_home_holds_the_same_collections(world, user):
    body = propfind("{DAV:}displayname", "{DAV:}owner", "{DAV:}sync-token")

    stock, ours = both(world, user, "PROPFIND", f"/{user}/", body, depth="1")

    # Notifications and the groups of delegates are beyond Radicale.
    kept = {key: value for key, value in values(ours).items() if key[0].split("/")[2] not in RESERVED_NAMES}
    found = values(stock)
    # A home is a collection of its own kind to each of the two.
    assert {key: value for key, value in found.items() if key[0] != f"/{user}/"} == {
        key: value for key, value in kept.items() if key[0] != f"/{user}/"
    }
    if user in LEVELS:
        assert found[PLACES[user], "{DAV:}owner"] == "/anna/"
    if user in OTHERS:
        assert not [href for href, _ in found if "work" in href]


@pytest.mark.parametrize("user", PLACES)
def test_the_calendar_has_the_same_properties(world, user):
    stock, ours = both(world, user, "PROPFIND", PLACES[user], propfind(*SAME), depth="0")

    # Radicale has no empty property: what was never set is not found by either.
    assert values(stock) == values(ours)
    assert len(values(stock)) >= 4


@pytest.mark.parametrize("user", PLACES)
def test_objects_have_the_same_names_tags_and_bodies(world, user):
    place = PLACES[user]
    listed = both(world, user, "PROPFIND", place, propfind("{DAV:}getetag", "{DAV:}owner"), depth="1")
    tags = {href: tag for (href, name), tag in values(listed[0]).items() if name == "{DAV:}getetag"}

    assert values(listed[0]) == values(listed[1])
    assert (f"{place}priv.ics" in tags) == (user in FULL)
    for name in ALL:
        stock, ours = both(world, user, "GET", place + name)
        assert (stock.status, stock.headers.get("ETag")) == (ours.status, ours.headers.get("ETag")), name
        if ours.status == 200:
            assert (stock.body, stock.headers["ETag"]) == (ours.body, tags[place + name])
            assert not leaks(stock, user)


def leaks(answer: Answer, user: str) -> list[str]:
    """The secret words that somebody is told who does not see everything."""
    told = [word for word in SECRETS if word.encode() in answer.body]
    if user == "bea":
        told += [word for word in ("Team", "Hall", "Daily", "Holiday") if word.encode() in answer.body]
    return [] if user in FULL else told


@pytest.mark.parametrize("user", PLACES)
def test_a_length_is_that_of_what_is_seen(world, user):
    listed = world.client(user).propfind(PLACES[user], "{DAV:}getcontentlength", depth="1")

    for (href, _), length in values(listed).items():
        if href.endswith(".ics"):
            assert int(length) == len(world.client(user)("GET", href).body)


@pytest.mark.parametrize("user", PLACES)
def test_a_whole_calendar_holds_what_is_seen(world, user):
    stock, ours = both(world, user, "GET", PLACES[user])

    assert stock.status == ours.status == 200
    assert stock.headers["ETag"] == ours.headers["ETag"]
    assert stock.body == ours.body
    assert not leaks(stock, user)


@pytest.mark.parametrize("user", PLACES)
def test_multiget_says_the_same(world, user):
    place = PLACES[user]
    wanted = "".join(f"<href>{place}{name}</href>" for name in (*ALL, "none.ics"))
    body = f"<C:calendar-multiget {C}><prop><getetag/><C:calendar-data/></prop>{wanted}</C:calendar-multiget>"

    stock, ours = both(world, user, "REPORT", place, body)

    assert stock.statuses() == ours.statuses()
    assert values(stock) == values(ours)
    assert not leaks(stock, user)


@pytest.mark.parametrize("user", PLACES)
def test_a_first_sync_names_the_same_and_gives_the_same_token(world, user):
    place = PLACES[user]
    body = f"<sync-collection {C}><sync-token/><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>"

    stock, ours = both(world, user, "REPORT", place, body)

    assert values(stock) == values(ours)
    token = stock.xml().findtext("{DAV:}sync-token")
    assert token == ours.xml().findtext("{DAV:}sync-token")
    assert token == world.client(user).propfind(place, "{DAV:}sync-token").value("{DAV:}sync-token")
    assert world.client(user).sync(place, token).statuses() == {}


def match(name: str, text: str) -> str:
    return f'<C:prop-filter name="{name}"><C:text-match>{text}</C:text-match></C:prop-filter>'


def has_not(name: str) -> str:
    return f'<C:prop-filter name="{name}"><C:is-not-defined/></C:prop-filter>'


QUERIES = (
    *(match("SUMMARY", word) for word in (*SECRETS, "Team", "Daily", "Busy")),
    match("LOCATION", "Hospital"),
    match("DESCRIPTION", "Divorce"),
    match("ATTENDEE", "x@example.org"),
    has_not("LOCATION"),
    has_not("ATTENDEE"),
    '<C:comp-filter name="VALARM"/>',
    '<C:comp-filter name="VALARM"><C:is-not-defined/></C:comp-filter>',
    f"<C:time-range {DAY}/>",
    '<C:time-range start="20260302T153000Z" end="20260302T180000Z"/>',
    '<C:time-range start="20260303T153000Z" end="20260303T180000Z"/>',
)


@pytest.mark.parametrize("user", ["anna", "bea", "rita", "will", "mona", "dirk"])
def test_queries_find_the_same_and_are_no_oracle(world, user):
    place = PLACES[user]
    for inner in QUERIES:
        stock, ours = both(world, user, "REPORT", place, query(inner, "<C:calendar-data/>"), depth="1")

        assert values(stock) == values(ours), inner
        if user not in FULL and any(word in inner for word in SECRETS):
            assert hrefs(stock) == set()


@pytest.mark.parametrize("user", PLACES)
def test_expanding_shows_no_instance_that_is_hidden(world, user):
    data = '<C:calendar-data><C:expand start="20260301T000000Z" end="20260308T000000Z"/></C:calendar-data>'
    span = '<C:time-range start="20260301T000000Z" end="20260308T000000Z"/>'

    answer = world.client(user)("REPORT", PLACES[user], query(span, data), depth="1")

    shown = values(answer)[f"{PLACES[user]}series.ics", "{urn:ietf:params:xml:ns:caldav}calendar-data"]
    assert ("DTSTART:20260302T160000Z" in shown) == (user in FULL)
    assert "DTSTART:20260303T160000Z" in shown
    assert shown.count("BEGIN:VEVENT") == (5 if user in FULL else 4)
    assert not leaks(answer, user)


@pytest.mark.parametrize("user", PLACES)
def test_free_busy_is_the_same(world, user):
    span = '<C:time-range start="20260301T000000Z" end="20260308T000000Z"/>'

    stock, ours = both(
        world, user, "REPORT", PLACES[user], f"<C:free-busy-query {C}>{span}</C:free-busy-query>", depth="1"
    )

    assert stock.status == ours.status == 200
    assert [merged_end(period) for period in busy(stock)] == [merged_end(period) for period in busy(ours)]
    assert "20260301T080000Z/20260301T090000Z" in busy(stock)
    assert ("20260302T160000Z/20260302T170000Z" in busy(stock)) == (user in FULL)


def merged_end(period: str) -> str:
    """A period with its end, where it says how long it is."""
    start, _, end = period.partition("/")
    return period if not end.startswith("P") else f"{start}/{end}"


@pytest.mark.parametrize("user", PLACES)
def test_radicales_own_view_of_free_busy_tells_no_more(world, user):
    client = world.client(user)
    client.environ["QUERY_STRING"] = "view=freebusy&start=20260301T000000Z&end=20260308T000000Z"

    answer = client("GET", PLACES[user])

    assert answer.status == 200
    assert ("20260302T160000Z" in answer.text) == (user in FULL)
    assert not leaks(answer, user)


@pytest.mark.parametrize("user", PLACES)
def test_what_radicales_pages_ask_tells_no_more(world, user):
    names = ("{http://radicale.org/ns/}displayname", "{http://radicale.org/ns/}getcontentcount")

    answer = world.client(user).propfind(PLACES[user], *names)

    assert answer.value(names[0]) == "Work"
    assert answer.value(names[1]) == str(len(ALL) - (user not in FULL))


def test_cards_are_shown_whole(world):
    for user in ("rita", "will"):
        stock, ours = both(world, user, "GET", f"/{user}/friends/a.vcf")
        assert (stock.status, stock.body, stock.headers["ETag"]) == (200, ours.body, ours.headers["ETag"])
        assert stock.text == card("a")


PROPFIND = propfind("{DAV:}getetag")
WRITES = (
    ("PUT", "new.ics", calendar("new", "SUMMARY:New\n"), {}),
    ("PUT", "", calendar("new", "SUMMARY:New\n"), {}),
    ("DELETE", "plain.ics", "", {}),
    (
        "PROPPATCH",
        "",
        f"<propertyupdate {C}><set><prop><displayname>X</displayname></prop></set></propertyupdate>",
        {},
    ),
    ("MKCALENDAR", "", "", {}),
    ("MKCALENDAR", "deeper/", "", {}),
    ("MOVE", "plain.ics", "", {"destination": "http://127.0.0.1:5232/sven/calendar/x.ics"}),
    ("PROPFIND", "", PROPFIND, {"depth": "1"}),
    ("PROPFIND", "plain.ics", PROPFIND, {"depth": "0"}),
    ("GET", "", "", {}),
    ("GET", "plain.ics", "", {}),
    ("HEAD", "plain.ics", "", {}),
    ("REPORT", "", query(f"<C:time-range {DAY}/>"), {"depth": "1"}),
    ("OPTIONS", "", "", {}),
)


@pytest.mark.parametrize("user", [*OTHERS, None])
def test_what_is_there_and_what_is_not_answer_a_stranger_the_same(world, user):
    client = world.client(user)

    for method, name, body, headers in WRITES:
        answers = []
        for place in ("/anna/work/", "/anna/none/", "/nobody/work/", "/anna/-notifications/"):
            answer = client(method, place + name, body, **headers)
            said = answer.body.replace(place.encode(), b"/PLACE/")
            answers.append((answer.status, sorted(answer.headers), said))
        assert answers.count(answers[0]) == len(answers), (method, name)
        assert answers[0][0] == (200 if method == "OPTIONS" else 403 if user else 401)
    for method in ("PROPFIND", "GET", "DELETE", "PUT"):
        there, missing = client(method, "/anna/"), client(method, "/nobody/")
        assert (there.status, there.body) == (missing.status, missing.body)


@pytest.mark.parametrize("user", OTHERS)
def test_in_the_own_home_nothing_is_left_of_what_is_not_shared(world, user):
    client = world.client(user)

    for method, name, body, headers in WRITES:
        headers = {**headers, **({"destination": f"/{user}/calendar/x.ics"} if method == "MOVE" else {})}
        if method in ("PROPFIND", "GET", "REPORT", "HEAD", "DELETE", "PROPPATCH", "MOVE"):
            answers = [client(method, f"/{user}/{at}/{name}", body, **headers) for at in ("work", "none")]
            assert [answer.status for answer in answers] == [404, 404], (method, name)
            assert answers[0].body == answers[1].body


@pytest.mark.parametrize("user", ["dirk", "dora"])
def test_who_acts_for_somebody_finds_their_calendars_and_nothing_else(world, user):
    client = world.client(user)
    home = client.propfind("/anna/", "{DAV:}displayname", depth="1")
    root = client.propfind("/", "{DAV:}displayname", depth="1")

    assert set(home.statuses()) == {"/anna/", "/anna/calendar/", "/anna/tasks/", "/anna/work/"}
    assert set(root.statuses()) == {"/", "/anna/", f"/{user}/"}
    for method, name, body, headers in WRITES:
        there, missing = (client(method, f"/anna/{at}/{name}", body, **headers) for at in ("friends", "none"))
        said = there.body.replace(b"/friends/", b"/none/")
        assert (there.status, said) == (missing.status, missing.body), (method, name)


def test_a_body_has_no_trace_of_a_hidden_name(world):
    """Not even where a whole home is asked for everything."""
    for user in (*PLACES, *OTHERS):
        if user in FULL:
            continue
        for depth in ("0", "1"):
            for path in ("/", f"/{user}/", PLACES.get(user, f"/{user}/work/")):
                answer = world.client(user)(
                    "PROPFIND", path, f"<propfind {C}><allprop/></propfind>", depth=depth
                )
                assert b"priv" not in re.sub(rb"privilege", b"", answer.body)
                assert not leaks(answer, user)
                if answer.status == 207:
                    ElementTree.fromstring(answer.body)
