"""What is masked cannot be found out by asking: two calendars that differ in it alone answer alike.

anna has two calendars, in which others see the same.  In the one stand words, alarms, attendees,
private events and what else of which the other has nothing; every search that could tell is
asked of both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from secrets_everywhere import full, plain
from sharedworld import delegate, rehearse, share

from davclient import NS, Answer, sync_body
from davsamples import card, event
from enginedav import EngineDav, World, new_world
from tagwerk.model import Kind

WORD = "Nadel"
VIEWERS = ("busy", "read", "write", "dread", "dwrite")
SPAN = "start='20260301T000000Z' end='20260401T000000Z'"
OWN_ALARM = """\
BEGIN:VALARM
ACTION:DISPLAY
DESCRIPTION:{word}
TRIGGER;VALUE=DATE-TIME:20260320T120000Z
END:VALARM
BEGIN:VALARM
ACTION:DISPLAY
DESCRIPTION:{word}
TRIGGER:-PT36H
END:VALARM
X-MOZ-LASTACK:20260320T120000Z
"""


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """/anna/one/ says something where /anna/two/ says nothing; busy for one half, confidential for the other."""
    with new_world(tmp_path_factory.mktemp("twins")) as world:
        world.add_user("anna", display_name="Anna Müller")
        for name in VIEWERS:
            world.add_user(name)
            world.add_collection("own", user=name)
        anna = world.client()
        for place, says in (("one", True), ("two", False)):
            path = world.add_collection(place)
            confidential = full("conf", WORD, level="CONFIDENTIAL")
            fill(anna, path, "conf", confidential if says else plain("conf", level="CONFIDENTIAL"))
            alarmed = OWN_ALARM.format(word=WORD) if says else ""
            fill(anna, path, "public", event("public", more=alarmed))
            if says:
                for number in range(5):
                    fill(
                        anna,
                        path,
                        f"private{number}",
                        event(f"private{number}", summary=WORD, more="CLASS:PRIVATE"),
                    )
                fill(anna, path, "late", event("late", start="20260315T080000Z", more="CLASS:PRIVATE"))
                assert anna.proppatch(path + "conf.ics", set=f"<D:x>{WORD}</D:x>").status == 207
                assert anna.delete(path + "late.ics").status == 204
            for name in VIEWERS:
                if not name.startswith("d"):
                    share(world, path, name, name)
        # What is public is masked at level busy, so there both may differ in it as well.
        for place, says in (("busy-one", True), ("busy-two", False)):
            path = world.add_collection(place)
            fill(anna, path, "open", full("open", WORD) if says else plain("open"))
            share(world, path, "busy", "busy")
        # Of the one there is an instance that others do not see; the other is what they see of it.
        for place in ("gap-one", "gap-two"):
            path = world.add_collection(place)
            gap = full("gap", "Alltag", override=WORD, override_level="PRIVATE")
            fill(
                anna,
                path,
                "gap",
                gap if place == "gap-one" else world.client("read").get("/read/gap-one/gap.ics").body,
            )
            for name in ("busy", "read"):
                share(world, path, name, name)
        for name in ("dread", "dwrite"):
            delegate(world, "anna", name, name[1:])
        yield world


def fill(client: EngineDav, path: str, name: str, body: bytes) -> None:
    answer = client.put(f"{path}{name}.ics", body)
    assert answer.status == 201, answer


SPANS = [f"start='202603{day:02}T000000Z' end='202603{day:02}T235959Z'" for day in range(1, 32)]
PROPS = "<D:prop><D:getetag/><D:getcontentlength/><C:calendar-data/></D:prop>"
NAMED = "SUMMARY DESCRIPTION LOCATION COMMENT CONTACT CATEGORIES URL RESOURCES ATTACH ATTENDEE ORGANIZER COLOR CLASS GEO"
NAMED += f" RELATED-TO X-{WORD} REQUEST-STATUS CONFERENCE IMAGE X-MOZ-LASTACK CREATED LAST-MODIFIED PRIORITY DTSTAMP UID"
NAMED += " DTSTART DTEND DURATION RRULE EXDATE RECURRENCE-ID SEQUENCE STATUS TRANSP"
TEXTS = (
    f"<C:text-match>{WORD}</C:text-match>",
    f"<C:text-match match-type='starts-with'>{WORD[:3]}</C:text-match>",
    f"<C:text-match negate-condition='yes'>{WORD}</C:text-match>",
    "<C:text-match negate-condition='yes'>Busy</C:text-match>",
    "<C:text-match collation='i;octet'>Busy</C:text-match>",
    "<C:text-match/>",
)


def conditions() -> Iterator[str]:
    """What can stand in the filter for VEVENT."""
    yield ""
    yield "<C:is-not-defined/>"
    for name in NAMED.split():
        yield f"<C:prop-filter name='{name}'/>"
        yield f"<C:prop-filter name='{name}'><C:is-not-defined/></C:prop-filter>"
        for text in TEXTS:
            yield f"<C:prop-filter name='{name}'>{text}</C:prop-filter>"
    for name in ("DTSTART", "DTEND", "CREATED", "LAST-MODIFIED", "DTSTAMP", "X-MOZ-LASTACK", "RRULE"):
        yield f"<C:prop-filter name='{name}'><C:time-range {SPAN}/></C:prop-filter>"
    for name in ("DTSTART", "SUMMARY", "ATTENDEE", "ORGANIZER", "ATTACH", "UID", "EXDATE", "LOCATION"):
        for param in ("CN", "X-A", "PARTSTAT", "LANGUAGE", "FILENAME", "TZID"):
            for inside in ("", "<C:is-not-defined/>", TEXTS[0]):
                yield (
                    f"<C:prop-filter name='{name}'><C:param-filter name='{param}'>{inside}</C:param-filter>"
                    "</C:prop-filter>"
                )
    for inside in ("VALARM", "PARTICIPANT", "VLOCATION", f"X-{WORD}"):
        yield f"<C:comp-filter name='{inside}'/>"
        yield f"<C:comp-filter name='{inside}'><C:is-not-defined/></C:comp-filter>"
        for prop in ("DESCRIPTION", "SUMMARY", "TRIGGER", "ACTION", "ATTENDEE"):
            yield f"<C:comp-filter name='{inside}'><C:prop-filter name='{prop}'>{TEXTS[0]}</C:prop-filter></C:comp-filter>"
            yield (
                f"<C:comp-filter name='{inside}'><C:prop-filter name='{prop}'><C:is-not-defined/></C:prop-filter>"
                "</C:comp-filter>"
            )
    for day in SPANS:
        span = f"<C:time-range {day}/>"
        yield span
        yield f"<C:comp-filter name='VALARM'>{span}</C:comp-filter>"
    yield f"<C:time-range {SPAN}/><C:prop-filter name='SUMMARY'>{TEXTS[0]}</C:prop-filter>"


def query(inside: str, *, component: str = "VEVENT", props: str = PROPS) -> str:
    return (
        f"<C:calendar-query {NS}>{props}<C:filter><C:comp-filter name='VCALENDAR'>"
        f"<C:comp-filter name='{component}'>{inside}</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"
    )


_TAG = re.compile(rb'(?:"|&quot;)[0-9a-f-]{8,}(?:"|&quot;)')
_TOKEN = re.compile(rb"urn:tagwerk:(?:sync|collection|home):[^<\"]*|urn:uuid:[^<]*")


def said(answer: Answer) -> tuple[int, dict[str, str], list[bytes]]:
    """An answer without entity tags, tokens, the name of the calendar, and the order of lines."""
    headers = {k: v for k, v in answer.headers.items() if k not in ("etag", "last-modified")}
    head = {key: value.replace("one", "two") for key, value in headers.items()}
    body = _TOKEN.sub(b"TOKEN", _TAG.sub(b"ETAG", answer.body)).replace(b"one", b"two")
    return answer.status, head, sorted(body.splitlines())


def differences(
    client: EngineDav, place: str, asked: list[tuple[str, str, str | bytes, dict[str, str]]]
) -> list[str]:
    """The requests to which the calendars answer differently; ``PLACE`` is in the path."""
    found = []
    for method, path, body, headers in asked:
        answers = []
        for name in (place, place.replace("one", "two")):
            text = body.replace("PLACE", name) if isinstance(body, str) else body
            sent = {key: value.replace("PLACE", name) for key, value in headers.items()}
            answers.append(said(client(method, path.replace("PLACE", name), text, **sent)))
        if answers[0] != answers[1]:
            found.append(f"{method} {path} {body!r} {headers}: {answers}")
    return found


def places(viewer: str) -> list[str]:
    home = "/anna" if viewer.startswith("d") else f"/{viewer}"
    return [f"{home}/one", f"{home}/busy-one"] if viewer == "busy" else [f"{home}/one"]


@pytest.mark.parametrize("viewer", ["busy", "read", "dwrite"])
def test_no_filter_tells_what_is_masked(twins: World, viewer: str) -> None:
    client = rehearse(twins, viewer)
    asked = [("REPORT", "PLACE/", query(inside), {"Depth": "1"}) for inside in conditions()]
    asked += [
        ("REPORT", "PLACE/", query(inside, component="VTODO"), {}) for inside in ("", "<C:is-not-defined/>")
    ]
    asked += [
        ("REPORT", f"PLACE/{name}.ics", query(inside), {"Depth": "0"})
        for name in ("conf", "open", "public", "private1")
        for inside in (
            "",
            *(f"<C:prop-filter name='{name}'>{TEXTS[0]}</C:prop-filter>" for name in NAMED.split()[:12]),
        )
    ]
    etags_only = "<D:prop><D:getetag/></D:prop>"
    asked += [
        ("REPORT", "PLACE/", query(inside, props=etags_only), {})
        for inside in conditions()
        if "time" in inside
    ]

    asked += [
        ("REPORT", "PLACE/", f"<C:free-busy-query {NS}><C:time-range {span}/></C:free-busy-query>", {})
        for span in SPANS
    ]

    for place in (*places(viewer), places(viewer)[0].replace("one", "gap-one")):
        assert not differences(client, place, asked), client.user


@pytest.mark.parametrize("viewer", VIEWERS)
def test_what_is_seen_is_found(twins: World, viewer: str) -> None:
    client = rehearse(twins, viewer)
    (place, *_) = places(viewer)

    def found(inside: str) -> list[str]:
        return client.report(f"{place}/", query(inside)).multistatus().names

    assert found("<C:prop-filter name='SUMMARY'><C:text-match>busy</C:text-match></C:prop-filter>") == (
        ["conf.ics", "public.ics"] if viewer == "busy" else ["conf.ics"]
    )
    assert found("<C:time-range start='20260313T000000Z' end='20260314T000000Z'/>") == ["conf.ics"]
    assert found("<C:time-range start='20260304T000000Z' end='20260305T000000Z'/>") == []
    assert found("<C:comp-filter name='VALARM'/>") == []


@pytest.mark.parametrize("viewer", VIEWERS)
def test_no_other_answer_tells_it(twins: World, viewer: str) -> None:
    client = rehearse(twins, viewer)
    own = f"/{viewer}/own/"
    mine = {"Content-Type": "text/calendar", "Prefer": "return=representation"}
    asked: list[tuple[str, str, str | bytes, dict[str, str]]] = [
        ("PROPFIND", "PLACE/", f"<D:propfind {NS}>{props}</D:propfind>", {"Depth": depth})
        for depth in ("0", "1")
        for props in (
            "<D:prop><D:getetag/><D:getcontentlength/><D:x/><D:quota-used-bytes/><D:quota-available-bytes/></D:prop>",
            "<D:prop><D:supported-report-set/><D:current-user-privilege-set/><D:acl/><C:max-resource-size/></D:prop>",
        )
    ]
    asked += [("GET", "PLACE/", "", {}), ("HEAD", "PLACE/", "", {})]
    asked += [
        ("REPORT", "PLACE/", sync_body(limit=limit, props=PROPS), {"Depth": "0"}) for limit in (0, 1, 2, 3)
    ]
    asked += [
        ("REPORT", "PLACE/", f"<C:free-busy-query {NS}><C:time-range {span}/></C:free-busy-query>", {})
        for span in (
            SPAN,
            "start='20260301T080000Z' end='20260301T090000Z'",
            "start='20260101T000000Z' end='20270101T000000Z'",
        )
    ]
    for name in ("conf", "public", "open", "private0", "late", "nothing"):
        path = f"PLACE/{name}.ics"
        asked += [
            ("GET", path, "", {}),
            ("HEAD", path, "", {}),
            ("GET", path, "", {"Range": "bytes=0-99"}),
            ("PROPFIND", path, f"<D:propfind {NS}>{PROPS}</D:propfind>", {"Depth": "0"}),
            ("COPY", path, "", {"Destination": f"http://dav.example.org{own}copied.ics"}),
        ]
        if not (name == "private0" and viewer in ("write", "dwrite")):
            # Who may write cannot take the name or the UID of what they do not see.
            asked += [
                ("PUT", path, event(name, summary="Neu"), {"Content-Type": "text/calendar"}),
                ("PUT", "PLACE/other.ics", event(name, summary="Neu"), mine),
                ("DELETE", path, "", {}),
            ]
    asked += [
        ("COPY", "PLACE/", "", {"Destination": f"http://dav.example.org/{viewer}/copied/"}),
    ]

    for place in places(viewer):
        assert not differences(client, place, asked), client.user


@pytest.mark.parametrize("viewer", VIEWERS)
def test_the_quota_does_not_tell_the_size_of_what_is_copied(twins: World, viewer: str) -> None:
    place = places(viewer)[0]
    asked = [("COPY", "PLACE/", "", {"Destination": f"http://dav.example.org/{viewer}/copied/"})]

    statuses = set()
    for quota in range(200, 4000, 200):
        client = rehearse(twins, viewer, quota=quota)
        assert not differences(client, place, asked), client.user
        statuses.add(client.copy(place + "/", f"/{viewer}/copied/").status)
    assert statuses == {201, 507}


@pytest.mark.parametrize("viewer", VIEWERS)
def test_the_number_of_results_counts_what_is_seen(twins: World, viewer: str) -> None:
    for most in (1, 2, 3):
        client = rehearse(twins, viewer, max_results=most)
        asked = [("REPORT", "PLACE/", query(""), {"Depth": "1"})]
        assert not differences(client, places(viewer)[0], asked)


@pytest.mark.parametrize("viewer", VIEWERS)
def test_pages_hold_as_many_names_where_something_is_hidden(twins: World, viewer: str) -> None:
    client = rehearse(twins, viewer)
    pages: dict[str, list[int]] = {"one": [], "two": []}

    for place, sizes in pages.items():
        path, token = places(viewer)[0].replace("one", place) + "/", ""
        while True:
            found = client.sync(path, token, limit=1).multistatus()
            sizes.append(len(found.names) + len(found.gone))
            token = found.token
            if not found.truncated:
                break

    assert pages["one"] == pages["two"] == [1, 1]


def test_cards_have_nothing_that_is_masked(twins: World) -> None:
    """CLASS is of no meaning for a card that somebody shares (RFC 6350 has none)."""
    book = twins.add_collection("book", Kind.ADDRESSBOOK)
    anna = twins.client()
    assert anna.put(book + "c.vcf", card("c", more="CLASS:PRIVATE")).status == 201
    share(twins, book, "read", "read")

    assert twins.client("read").get("/read/book/c.vcf").body == anna.get(book + "c.vcf").body
