"""A rights check costs no query per object, and a home with many shares none per share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sharedworld import by, counted, delegate, find, join, place

from davclient import CALDAV, CS, DAV, ICAL, NS, propfind_body, sync_body
from davsamples import event
from enginedav import NOW, World, new_world
from tagwerk.dav.features import FEATURES
from tagwerk.ical import resource
from tagwerk.model import Access, Kind
from tagwerk.sharing import shares
from tagwerk.store.collections import create_collection
from tagwerk.store.engine import Transaction
from tagwerk.store.objects import put_object
from tagwerk.store.personal import put_own
from tagwerk.store.properties import set_collection_properties

FEW, MANY = 10, 200
LEVELS = ("busy", "read", "write", "manage")
VIEWERS = ("anna", *LEVELS, "member", "guest", "dread", "dwrite")
ALARM = "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:x\nTRIGGER:-PT5M\nEND:VALARM"
OWN = '{"":[null,["BEGIN:VALARM\\r\\nACTION:DISPLAY\\r\\nTRIGGER:-PT7M\\r\\nEND:VALARM\\r\\n"],[]]}'
MORE = ("", ALARM, "CLASS:CONFIDENTIAL", "CLASS:PRIVATE", "", "")


def fill(txn: Transaction, world: World, path: str, number: int) -> None:
    """Events of every kind, each with a property that a client set, every second with alarms of everybody's own."""
    collection = place(txn, path).collection.id
    for n in range(number):
        body = event(f"e{n}", summary=f"Event {n}", more=MORE[n % len(MORE)])
        put_object(txn, collection, f"e{n}.ics", upload=resource.read(body, now=NOW), now=NOW)
        set_collection_properties(txn, collection, {"{DAV:}x": "y"}, object_name=f"e{n}.ics")
        for who in VIEWERS if n % 2 else ():
            put_own(txn, find(txn, who).id, collection, f"e{n}.ics", data=OWN)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A small and a large calendar of anna's that everybody has at their level."""
    with new_world(tmp_path_factory.mktemp("places")) as world:
        for name in VIEWERS:
            world.add_user(name)
        world.add_user("inner", kind="group")
        world.add_user("outer", kind="group")
        join(world, "outer", "inner")
        join(world, "inner", "member")
        for name, number in (("few", FEW), ("many", MANY)):
            path = world.add_collection(name)
            with world.store.write() as txn:
                fill(txn, world, path, number)
                for level in (*LEVELS, "outer"):
                    access = Access(level) if level in LEVELS else Access.WRITE
                    shares.share(txn, place(txn, path), find(txn, level), access, by=by(world))
        for name in ("dread", "dwrite"):
            delegate(world, "anna", name, name[1:])
        every = world.add_collection("every-few"), world.add_collection("every-many")
        for path, number in zip(every, (FEW, MANY), strict=True):
            with world.store.write() as txn:
                fill(txn, world, path, number)
                shares.share(txn, place(txn, path), None, Access.READ, by=by(world))
        yield world


def path_of(viewer: str, name: str) -> str:
    if viewer == "guest":
        return f"/guest/every-{name}/"
    return f"/anna/{name}/" if viewer in ("anna", "dread", "dwrite") else f"/{viewer}/{name}/"


_LIVE = {prop.name for feature in FEATURES for prop in feature.properties}
_DATA = "<D:getetag/><C:calendar-data/>"
_EVERYTHING = f"<D:propfind {NS}><D:allprop/></D:propfind>"
_QUERY = "<C:comp-filter name='VEVENT'>{}</C:comp-filter>"
_TEXT = "<C:prop-filter name='SUMMARY'><C:text-match>Event</C:text-match></C:prop-filter>"
_SPAN = "<C:time-range start='20260301T000000Z' end='20260401T000000Z'/>"


def query(inside: str, props: str) -> str:
    return (
        f"<C:calendar-query {NS}><D:prop>{props}</D:prop><C:filter><C:comp-filter name='VCALENDAR'>"
        f"{_QUERY.format(inside)}</C:comp-filter></C:filter></C:calendar-query>"
    )


REQUESTS = {
    "PROPFIND etags": ("PROPFIND", propfind_body(DAV + "getetag")),
    "PROPFIND sizes": ("PROPFIND", propfind_body(DAV + "getcontentlength", DAV + "x")),
    "PROPFIND all": ("PROPFIND", _EVERYTHING),
    "PROPFIND live": ("PROPFIND", propfind_body(*sorted(_LIVE))),
    "sync etags": ("REPORT", sync_body()),
    "sync data": ("REPORT", sync_body(props=_DATA)),
    "sync more": ("REPORT", sync_body(props=_DATA + "<D:getcontenttype/><D:x/><D:acl/><D:owner/>")),
    "query etags": ("REPORT", query("", "<D:getetag/>")),
    "query text": ("REPORT", query(_TEXT, _DATA)),
    "query time": ("REPORT", query(_SPAN, _DATA)),
    "query time more": ("REPORT", query(_SPAN, "<D:getetag/><D:x/><D:current-user-privilege-set/>")),
    "free-busy": ("REPORT", f"<C:free-busy-query {NS}>{_SPAN}</C:free-busy-query>"),
    "GET": ("GET", ""),
}


@pytest.mark.parametrize("viewer", VIEWERS)
@pytest.mark.parametrize("request_name", [*REQUESTS, "multiget", "multiget more"])
def test_many_objects_cost_no_more_queries_than_few(places: World, viewer: str, request_name: str) -> None:
    client = places.client(viewer)
    assert client("PROPFIND", f"/{viewer}/").status == 207
    found: dict[str, int] = {}

    for name, number in (("few", FEW), ("many", MANY)):
        path = path_of(viewer, name)
        if request_name.startswith("multiget"):
            props = _DATA if request_name == "multiget" else _DATA + "<D:x/><D:owner/><D:acl/>"
            hrefs = "".join(f"<D:href>{path}e{n}.ics</D:href>" for n in range(number))
            method, body = (
                "REPORT",
                f"<C:calendar-multiget {NS}><D:prop>{props}</D:prop>{hrefs}</C:calendar-multiget>",
            )
        else:
            method, body = REQUESTS[request_name]
        depth = "0" if request_name.startswith("sync") else "1"
        with counted(places) as statements:
            answer = client(method, path, body, Depth=depth)
        assert answer.status in (200, 207), answer
        if request_name not in ("GET", "free-busy") and (viewer, request_name) != ("busy", "query text"):
            assert answer.body.count(b".ics") > number // 3
        found[name] = len(statements)

    assert found["many"] <= found["few"] + 1


# Homes

IOS = (
    *(
        DAV + name
        for name in ("add-member", "current-user-privilege-set", "displayname", "owner", "resource-id")
    ),
    *(
        DAV + name
        for name in ("quota-available-bytes", "quota-used-bytes", "resourcetype", "supported-report-set")
    ),
    *(DAV + name for name in ("sync-token", "acl", "share-access", "invite", "group", "getetag")),
    *(CS + name for name in ("allowed-sharing-modes", "getctag", "invite", "pre-publish-url", "publish-url")),
    *(
        CS + name
        for name in ("push-transports", "pushkey", "source", "subscribed-strip-alarms", "shared-url")
    ),
    *(
        ICAL + name
        for name in ("autoprovisioned", "calendar-color", "calendar-order", "language-code", "refreshrate")
    ),
    *(CALDAV + name for name in ("calendar-alarm", "calendar-description", "calendar-free-busy-set")),
    *(
        CALDAV + name
        for name in ("calendar-timezone", "default-alarm-vevent-date", "schedule-calendar-transp")
    ),
    *(CALDAV + name for name in ("schedule-default-calendar-URL", "supported-calendar-component-set")),
)
"""What iOS asks of a home (`appleclient.HOME`), and what is of sharing besides."""


def share_many(world: World, number: int, *, owners: int, level: str) -> None:
    """`number` calendars, of `owners` people, for sharee."""
    names = [f"owner{n}" for n in range(owners)]
    for name in (*names, "sharee"):
        world.add_user(name, display_name=name.title())
    with world.store.write() as txn:
        sharee = find(txn, "sharee")
        for n in range(number):
            owner = find(txn, names[n % owners])
            made = create_collection(txn, owner.id, name=f"cal{n}", kind=Kind.CALENDAR, now=NOW)
            set_collection_properties(txn, made.collection.id, {DAV + "displayname": f"Calendar {n}"})
            shares.share(txn, made, sharee, Access(level), by=by(world))


@pytest.mark.parametrize("viewer", ["sharee", "owner0"])
@pytest.mark.parametrize("level", ["read", "manage"])
def test_many_shares_cost_no_more_queries_than_few(
    tmp_path_factory: pytest.TempPathFactory, viewer: str, level: str
) -> None:
    found = []

    for number in (5, 100):
        with new_world(tmp_path_factory.mktemp("home")) as world:
            share_many(world, number, owners=5 if viewer == "sharee" else 1, level=level)
            client = world.client(viewer)
            client("PROPFIND", f"/{viewer}/")
            with counted(world) as statements:
                listed = client.propfind(f"/{viewer}/", *IOS, depth="1")
            assert len([href for href in listed if "/cal" in href and "proxy" not in href]) == number
            with counted(world) as synced:
                assert client.sync(f"/{viewer}/", props="<D:resourcetype/><D:owner/>").status == 207
            found.append((len(statements), len(synced)))

    (few, few_synced), (many, many_synced) = found
    assert many <= few
    assert many_synced <= few_synced
