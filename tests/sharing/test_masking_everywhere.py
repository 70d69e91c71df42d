"""No answer to anybody holds a word of what they may not see, wherever it stands and however they ask.

`HIDDEN` stands in confidential and private things, `ORDINARY` in others, `WAKING` in the owner's alarms.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import authorization
import pytest
from authorization import Spot
from secrets_everywhere import full, holds
from sharedworld import delegate, join, rehearse, share

from davclient import NS, Answer
from davsamples import calendar as calendar_of
from davsamples import event
from enginedav import EngineDav, World, new_world
from tagwerk.dav.features import FEATURES

HIDDEN, ORDINARY, WAKING = "Geheimwort", "Alltagswort", "Weckwort"

FREE_BUSY = f"""\
BEGIN:VFREEBUSY
UID:freebusy
DTSTAMP:20260101T000000Z
DTSTART:20260301T000000Z
DTEND:20260401T000000Z
CLASS:CONFIDENTIAL
FREEBUSY;X-A={HIDDEN}:20260306T080000Z/PT1H
COMMENT:{HIDDEN}
ORGANIZER;CN={HIDDEN}:mailto:{HIDDEN}@example.org
END:VFREEBUSY
"""
AVAILABILITY = f"""\
BEGIN:VAVAILABILITY
UID:available
DTSTAMP:20260101T000000Z
CLASS:CONFIDENTIAL
SUMMARY:{HIDDEN}
BEGIN:AVAILABLE
UID:available-1
DTSTAMP:20260101T000000Z
SUMMARY:{HIDDEN}
DTSTART:20260301T080000Z
DTEND:20260301T160000Z
END:AVAILABLE
END:VAVAILABILITY
"""
OBJECTS = {
    "public": full("public", ORDINARY, alarm=WAKING),
    "conf": full("conf", HIDDEN, level="CONFIDENTIAL"),
    "priv": full("priv", HIDDEN, level="PRIVATE"),
    "todo": full("todo", HIDDEN, kind="VTODO", level="CONFIDENTIAL"),
    "secret-todo": full("secret-todo", HIDDEN, kind="VTODO", level="X-UNKNOWN"),
    "journal": full("journal", HIDDEN, kind="VJOURNAL", level="CONFIDENTIAL"),
    "half": full("half", ORDINARY, alarm=WAKING, override=HIDDEN, override_level="CONFIDENTIAL"),
    "gap": full("gap", ORDINARY, alarm=WAKING, override=HIDDEN, override_level="PRIVATE"),
    "rest": full(
        "rest",
        HIDDEN,
        level="PRIVATE",
        override=ORDINARY,
        override_level="PUBLIC",
        alarm=WAKING,
        shell=ORDINARY,
    ),
    "freebusy": calendar_of(FREE_BUSY),
    "available": calendar_of(AVAILABILITY),
}
"""Of ``half`` an override is confidential, of ``gap`` it is private, of ``rest`` only the override is public."""

VIEWERS = {
    "busy": (HIDDEN, ORDINARY, WAKING),
    "read": (HIDDEN, WAKING),
    "write": (HIDDEN, WAKING),
    "member": (HIDDEN, WAKING),
    "dread": (HIDDEN, WAKING),
    "dwrite": (HIDDEN, WAKING),
    "manage": (WAKING,),
}
"""Who must not see which words."""


@pytest.fixture(scope="module")
def secretive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """anna's calendar, and those to whom she gave something of it."""
    with new_world(tmp_path_factory.mktemp("secretive")) as world:
        world.add_user("anna", display_name="Anna Müller", addresses=("anna@example.org",))
        work = world.add_collection("work")
        anna = world.client()
        for name, body in OBJECTS.items():
            assert anna.put(f"{work}{name}.ics", body).status == 201, name
            word = ORDINARY if name == "public" else HIDDEN
            assert (
                anna.proppatch(
                    f"{work}{name}.ics", set=f"<D:x>{word}</D:x><D:y><D:z>{word}</D:z></D:y>"
                ).status
                == 207
            )
        world.add_user("team", kind="group")
        for name in VIEWERS:
            world.add_user(name)
            world.add_collection("own", user=name)
            if name.startswith("d"):
                delegate(world, "anna", name, name[1:])
            elif name != "member":
                share(world, work, name, name)
        share(world, work, "team", "read")
        join(world, "team", "member")
        yield world


@dataclass(frozen=True, slots=True)
class Asked:
    """A request."""

    method: str
    path: str
    body: str | bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


def home_of(viewer: str) -> str:
    return "/anna/" if viewer.startswith("d") else f"/{viewer}/"


def everything_of(viewer: str) -> list[Asked]:
    """Every request that says something about the calendar or its objects."""
    home = home_of(viewer)
    work = f"{home}work/"
    objects = [f"{work}{name}.ics" for name in OBJECTS]
    depths = [(("Depth", depth),) for depth in ("0", "1")]
    asked = [
        Asked("PROPFIND", path, body, depth)
        for path in ("/", home, work, *objects)
        for body in PROPFINDS
        for depth in depths
    ]
    asked += [
        Asked("REPORT", path, body, depth)
        for path in (home, work, *objects[:2])
        for body in reports(objects)
        for depth in depths[:1]
    ]
    asked += [
        Asked(method, path, b"", headers)
        for path in ("/", home, work, *objects)
        for method in ("GET", "HEAD")
        for headers in ((), (("CalDAV-Timezones", "F"),), (("Range", "bytes=100-"),))
    ]
    spots = [Spot(viewer, path, f"/{viewer}/") for path in (home, work, *objects[:4])]
    for spot in spots:
        for row in authorization.rows():
            method, path, body, headers = authorization.request(row, spot)
            asked.append(Asked(method, path, body, (*headers.items(), ("Prefer", "return=representation"))))
    for name in OBJECTS:
        # What is in the way of a write is told, and what is there instead.
        sent = event(name, summary="Neu")
        calendar_type = ("Content-Type", "text/calendar")
        whole = ("Prefer", "return=representation")
        asked += [
            Asked("PUT", f"{work}{name}.ics", sent, (calendar_type, whole, ("If-None-Match", "*"))),
            Asked("PUT", f"{work}{name}.ics", sent, (calendar_type, whole, ("If-Match", '"x"'))),
            Asked("PUT", f"{work}{name}.ics", event("other"), (calendar_type, whole)),
            Asked("PUT", f"{work}other.ics", sent, (calendar_type, whole)),
            Asked("POST", work, sent, (calendar_type, whole)),
            Asked("PUT", f"{work}{name}.ics", b"BEGIN:VCALENDAR", (calendar_type,)),
        ]
    return asked


_LIVE = sorted({prop.name for feature in FEATURES for prop in feature.properties})
_NAMES = "".join(f'<x:{name.partition("}")[2]} xmlns:x="{name[1:].partition("}")[0]}"/>' for name in _LIVE)
_NAMES += "<D:x/><D:y/>"
PROPFINDS = (
    f"<D:propfind {NS}><D:allprop/><D:include>{_NAMES}</D:include></D:propfind>",
    f"<D:propfind {NS}><D:prop>{_NAMES}</D:prop></D:propfind>",
    f"<D:propfind {NS}><D:propname/></D:propfind>",
)
_SPAN = "start='20260301T000000Z' end='20260401T000000Z'"
_COMPONENTS = "".join(
    f"<C:comp name='{name}'><C:prop name='SUMMARY'/><C:prop name='DESCRIPTION'/><C:prop name='X-{HIDDEN}'/>"
    f"<C:prop name='ATTENDEE' novalue='yes'/><C:comp name='VALARM'><C:allprop/></C:comp></C:comp>"
    for name in ("VEVENT", "VTODO", "VTIMEZONE")
)
DATA = (
    "<C:calendar-data/>",
    f"<C:calendar-data><C:expand {_SPAN}/></C:calendar-data>",
    f"<C:calendar-data><C:limit-recurrence-set {_SPAN}/></C:calendar-data>",
    f"<C:calendar-data><C:limit-freebusy-set {_SPAN}/></C:calendar-data>",
    "<C:calendar-data><C:comp name='VCALENDAR'><C:allprop/><C:allcomp/></C:comp></C:calendar-data>",
    f"<C:calendar-data><C:comp name='VCALENDAR'><C:prop name='X-WR-CALNAME'/>{_COMPONENTS}</C:comp></C:calendar-data>",
)


def reports(objects: list[str]) -> list[str]:
    """Bodies of every report that tells something about objects."""
    hrefs = "".join(f"<D:href>{path}</D:href>" for path in objects)
    props = [f"<D:prop>{data}</D:prop>" for data in DATA]
    props += [f"<D:prop><D:getetag/>{data}</D:prop>" for data in DATA[:2]]
    props += [f"<D:prop>{_NAMES}</D:prop>", "<D:allprop/>", "<D:propname/>"]
    everything = "<C:filter><C:comp-filter name='VCALENDAR'/></C:filter>"
    expand = "".join(
        f'<D:property name="{name.partition("}")[2]}" namespace="{name[1:].partition("}")[0]}">'
        f'<D:property name="displayname"/><D:property name="getetag"/></D:property>'
        for name in (*_LIVE, "{DAV:}x")
    )
    return [
        *(f"<C:calendar-query {NS}>{prop}{everything}</C:calendar-query>" for prop in props),
        *(f"<C:calendar-multiget {NS}>{prop}{hrefs}</C:calendar-multiget>" for prop in props),
        *(
            f"<D:sync-collection {NS}><D:sync-token/><D:sync-level>{level}</D:sync-level>{prop}</D:sync-collection>"
            for prop in props
            for level in ("1", "infinite")
        ),
        f"<C:free-busy-query {NS}><C:time-range {_SPAN}/></C:free-busy-query>",
        f"<D:expand-property {NS}>{expand}</D:expand-property>",
        f"<D:principal-match {NS}><D:principal-property><D:owner/></D:principal-property>{props[-3]}</D:principal-match>",
        f"<D:acl-principal-prop-set {NS}>{props[-3]}</D:acl-principal-prop-set>",
    ]


def found_in(answer: Answer, words: tuple[str, ...], sent: str | bytes) -> list[str]:
    """The words in an answer that were not in the question."""
    asked = sent.encode() if isinstance(sent, str) else sent
    head = "\r\n".join(f"{name}: {value}" for name, value in answer.headers.items()).encode()
    return [
        word for word in words if holds(head + b"\r\n\r\n" + answer.body, word) and not holds(asked, word)
    ]


@pytest.mark.parametrize("viewer", ["busy", "read", "member", "dwrite", "manage"])
def test_no_answer_holds_a_word_that_is_hidden(secretive: World, viewer: str) -> None:
    client = rehearse(secretive, viewer)
    told: list[str] = []

    for one in everything_of(viewer):
        answer = client(one.method, one.path, one.body, **dict(one.headers))
        told += [f"{word}: {one}" for word in found_in(answer, VIEWERS[viewer], one.body)]

    assert not told, "\n".join(line[:300] for line in told[:20])


def test_the_requests_would_tell_if_they_were_asked_by_the_owner(secretive: World) -> None:
    """That is, they reach the words."""
    client = rehearse(secretive, "anna")
    asked = [
        (one.method, one.body, client(one.method, one.path, one.body, **dict(one.headers)))
        for one in everything_of("dwrite")
    ]

    telling = {method for method, body, answer in asked if found_in(answer, (HIDDEN,), body)}
    assert telling == {"PROPFIND", "REPORT", "GET", "PUT"}
    found = [body for method, body, answer in asked if method == "REPORT" and holds(answer.body, HIDDEN)]
    assert len(found) > 90


@pytest.mark.parametrize("viewer", list(VIEWERS))
def test_a_copy_of_ones_own_holds_only_what_was_seen(secretive: World, viewer: str) -> None:
    client, work = secretive.client(viewer), f"{home_of(viewer)}work/"
    copied = {name: client.copy(f"{work}{name}.ics", f"/{viewer}/own/{name}.ics").status for name in OBJECTS}
    assert client.copy(work, f"/{viewer}/copied/").status == 201

    for place in ("own", "copied"):
        listed = client.propfind(f"/{viewer}/{place}/", "{DAV:}getetag", depth="1")
        names = {href.rpartition("/")[2].removesuffix(".ics") for href in listed} - {""}
        assert names == {name for name, status in copied.items() if status == 201}
        for name in names:
            answer = client.get(f"/{viewer}/{place}/{name}.ics")
            assert not found_in(answer, VIEWERS[viewer], b""), f"{place}/{name}"
        properties = client("PROPFIND", f"/{viewer}/{place}/", PROPFINDS[0], Depth="1")
        assert not found_in(properties, VIEWERS[viewer], b"")

    hidden = {"priv", "secret-todo"}
    assert {name for name, status in copied.items() if status == 404} == (
        set() if viewer == "manage" else hidden
    )


@pytest.mark.parametrize("viewer", list(VIEWERS))
def test_what_is_seen_is_still_something(secretive: World, viewer: str) -> None:
    client, work = secretive.client(viewer), f"{home_of(viewer)}work/"

    public, confidential = client.get(f"{work}public.ics"), client.get(f"{work}conf.ics")

    assert holds(public.body, ORDINARY) == (viewer != "busy")
    assert holds(confidential.body, HIDDEN) == (viewer == "manage")
    for answer in (public, confidential):
        text = answer.text
        assert text.count("BEGIN:VEVENT") == 2
        assert "COUNT=4" in text
        assert "EXDATE" in text
        assert "RECURRENCE-ID" in text
    if viewer != "manage":
        assert confidential.text.count("SUMMARY:Busy") == 2
        assert client.get(f"{work}gap.ics").text.count("BEGIN:VEVENT") == 1
        assert client.get(f"{work}priv.ics").status == 404


def test_notifications_tell_of_the_calendar_alone(secretive: World) -> None:
    for viewer in VIEWERS:
        client: EngineDav = secretive.client(viewer)
        path = f"/{viewer}/-notifications/"
        if client("PROPFIND", path).status == 404:
            continue
        for href in client.propfind(path, "{DAV:}getetag", depth="1"):
            answer = client.get(href)
            assert not found_in(answer, (HIDDEN, ORDINARY, WAKING), b"")
