"""A masked object is never written back, and its entity tags and sizes are those of what is seen."""

from __future__ import annotations

import re

import pytest
from secrets_everywhere import full
from sharedworld import delegate, share

from davclient import CALDAV, DAV, NS, Answer, Multistatus, sync_body
from davsamples import event
from enginedav import EngineDav, World

BELOW_MANAGE = ("busy", "read", "write", "dread", "dwrite")
ALL = (*BELOW_MANAGE, "manage")
OBJECTS = {
    "conf": full("conf", "Geheimwort", level="CONFIDENTIAL"),
    "half": full("half", "Alltag", override="Geheimwort", override_level="CONFIDENTIAL"),
    "gap": full("gap", "Alltag", override="Geheimwort", override_level="PRIVATE"),
    "priv": full("priv", "Geheimwort", level="PRIVATE"),
    "open": full("open", "Alltag"),
    "short": event("short"),
}
MASKED = ("conf", "half", "gap")
ALARM = "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:mine\nTRIGGER:-PT9M\nEND:VALARM"


@pytest.fixture
def work(world: World) -> str:
    """The home of the calendar that all see; anna has it, a sharee at every level, and two delegates."""
    path = world.add_collection("work")
    world.add_collection("own")
    anna = world.client()
    for name, body in OBJECTS.items():
        assert anna.put(f"{path}{name}.ics", body).status == 201
        assert anna.proppatch(f"{path}{name}.ics", set="<D:x>of the owner</D:x>").status == 207
    for name in ALL:
        world.add_user(name)
        world.add_collection("own", user=name)
        if name.startswith("d"):
            delegate(world, "anna", name, name[1:])
        else:
            share(world, path, name, name)
    return path


def place_of(viewer: str) -> str:
    return "/anna/work/" if viewer.startswith("d") else f"/{viewer}/work/"


def stored(world: World, path: str) -> dict[str, tuple[bytes, str | None, str]]:
    """What the owner has: bytes, entity tag and properties, by name."""
    anna = world.client()
    names = anna.propfind(path, DAV + "getetag", depth="1").names
    found = {}
    for name in filter(None, names):
        answer = anna.get(path + name)
        found[name] = (answer.body, answer.etag, anna("PROPFIND", path + name, "", Depth="0").text)
    return found


def calendar_type(**more: str) -> dict[str, str]:
    return {"Content-Type": "text/calendar; charset=utf-8", **more}


def writes(client: EngineDav, viewer: str, name: str) -> list[Answer]:
    """Everything by which somebody could try to write a masked object back, each of them refused."""
    place, own = place_of(viewer), f"/{viewer}/own/"
    path = f"{place}{name}.ics"
    seen = client.get(path)
    assert client.put(f"{own}mine.ics", event(name, summary="Mine")).status in (201, 204)
    text = seen.text if seen.status == 200 else event(name).decode()
    bodies = [
        seen.body if seen.status == 200 else event(name),
        text.replace("SUMMARY:Busy", "SUMMARY:Changed").encode(),
        text.replace("\r\nEND:VEVENT", f"\r\n{ALARM}\nEND:VEVENT".replace("\n", "\r\n"), 1).encode(),
        text.replace("TRANSP:OPAQUE", "")
        .replace("\r\nEND:VEVENT", "\r\nTRANSP:TRANSPARENT\r\nEND:VEVENT")
        .encode(),
        event(name, summary="Another", more="CLASS:PUBLIC"),
    ]
    headers = [{}, {"If-Match": seen.etag or '"x"'}, {"If-Match": "*"}]
    answers = [client("PUT", path, body, **calendar_type(**more)) for body in bodies for more in headers]
    answers += [client("POST", place, body, **calendar_type()) for body in bodies]
    answers += [client("PUT", f"{place}other.ics", body, **calendar_type()) for body in bodies]
    for method in (client.copy, client.move):
        answers += [method(f"{own}mine.ics", path, Overwrite=overwrite) for overwrite in ("T", "F")]
    answers += [client.move(path, f"{place}renamed.ics"), client.move(path, f"{own}moved.ics")]
    answers += [client.copy(path, f"{place}renamed.ics")]
    answers += [client.delete(path), client.delete(path, If_Match=seen.etag or "*")]
    return answers


@pytest.mark.parametrize("name", [*MASKED, "priv"])
@pytest.mark.parametrize("viewer", BELOW_MANAGE)
def test_a_masked_object_is_never_written(world: World, work: str, viewer: str, name: str) -> None:
    before = stored(world, work)
    client = world.client(viewer)

    answers = writes(client, viewer, name)
    path = f"{place_of(viewer)}{name}.ics"
    patched = client.proppatch(path, set="<D:x>of somebody else</D:x><D:y/>", remove="<D:z/>")

    assert {answer.status for answer in answers} <= {403, 404, 409, 412}
    assert patched.status == (404 if name == "priv" else 403 if viewer.startswith("d") else 207)
    assert stored(world, work) == before


@pytest.mark.parametrize("viewer", BELOW_MANAGE)
def test_what_was_copied_does_not_come_back_either(world: World, work: str, viewer: str) -> None:
    before = stored(world, work)
    client, place = world.client(viewer), place_of(viewer)

    for name in MASKED:
        copied = f"/{viewer}/own/{name}.ics"
        assert client.copy(f"{place}{name}.ics", copied).status == 201
        assert client.copy(copied, f"{place}{name}.ics").status == 403
        assert client.move(copied, f"{place}{name}.ics").status == 403
        assert client.move(copied, f"{place}again.ics").status in (403, 409)

    assert stored(world, work) == before


def writes_of_old(client: EngineDav, viewer: str, name: str, seen: Answer) -> list[Answer]:
    """Everything by which somebody could write back what they `seen` have, without having looked again."""
    path = f"{place_of(viewer)}{name}.ics"
    later = re.sub(r"DTSTART[^\r]*", "DTSTART:20260105T080000Z", seen.text)
    bodies = [
        seen.body,
        later.encode(),
        seen.text.replace("\r\nEND:VEVENT", "\r\nCLASS:PUBLIC\r\nEND:VEVENT"),
    ]
    headers = [{}, {"If-Match": "*"}, {"If-Match": seen.etag or ""}]
    answers = [client("PUT", path, body, **calendar_type(**more)) for body in bodies for more in headers]
    own = f"/{viewer}/own/{name}.ics"
    assert client.put(own, seen.body).status in (201, 204)
    answers += [client.copy(own, path), client.move(own, path)]
    return answers


@pytest.mark.parametrize("name", ["conf", "half", "open", "gap"])
@pytest.mark.parametrize("level", ["write", "manage"])
def test_what_was_masked_is_not_written_back_when_it_is_no_more(
    world: World, work: str, level: str, name: str
) -> None:
    """Whoever saw busy time, and may see and write everything by now."""
    client = world.client("busy")
    seen = client.get(f"/busy/work/{name}.ics")
    share(world, work, "busy", level)
    before = stored(world, work)

    answers = writes_of_old(client, "busy", name, seen)

    assert {answer.status for answer in answers} <= {403, 412}
    assert stored(world, work) == before


def test_what_was_confidential_is_not_written_back_when_it_is_public(world: World, work: str) -> None:
    client, anna = world.client("write"), world.client()
    seen = {name: client.get(f"/write/work/{name}.ics") for name in ("conf", "half")}
    for name in seen:
        public = OBJECTS[name].replace(b"CLASS:CONFIDENTIAL", b"CLASS:PUBLIC")
        assert anna.put(f"{work}{name}.ics", public).status == 204
    before = stored(world, work)

    answers = [answer for name in seen for answer in writes_of_old(client, "write", name, seen[name])]

    assert {answer.status for answer in answers} == {412}
    assert stored(world, work) == before


def test_who_has_seen_an_event_may_call_it_busy(world: World, work: str) -> None:
    client, path = world.client("write"), "/write/work/open.ics"
    seen = client.get(path)
    called = event("open", summary="Busy")

    assert client("PUT", path, called, **calendar_type()).status == 412
    assert client("PUT", path, called, **calendar_type(**{"If-Match": seen.etag or ""})).status == 204
    assert "SUMMARY:Busy" in world.client().get(f"{work}open.ics").text
    assert (
        client("PUT", path, event("open", summary="Busy", more="LOCATION:x"), **calendar_type()).status == 204
    )


@pytest.mark.parametrize("level", ["busy", "read", "write", "manage"])
def test_one_place_of_a_calendar_does_not_write_over_the_other(world: World, work: str, level: str) -> None:
    share(world, work, "dwrite", level)
    before = stored(world, work)
    client = world.client("dwrite")

    for name in OBJECTS:
        for source, to in (("/dwrite/work/", work), (work, "/dwrite/work/")):
            for method in (client.copy, client.move):
                assert method(f"{source}{name}.ics", f"{to}{name}.ics").status in (403, 404)

    assert stored(world, work) == before


def test_who_manages_the_calendar_writes_what_is_private(world: World, work: str) -> None:
    client = world.client("manage")

    for name in (*MASKED, "priv"):
        path = f"/manage/work/{name}.ics"
        text = client.get(path).text.replace("SUMMARY;LANGUAGE=de", "SUMMARY;LANGUAGE=en")
        assert client("PUT", path, text, **calendar_type()).status == 204

        kept = world.client().get(f"{work}{name}.ics").text
        assert "SUMMARY;LANGUAGE=en" in kept
        assert kept.count("BEGIN:VALARM") == 2


@pytest.mark.parametrize(
    "stated", ["CLASS:PRIVATE", "CLASS:CONFIDENTIAL", "CLASS:X-OTHER", "X-CALENDARSERVER-ACCESS:PRIVATE"]
)
@pytest.mark.parametrize("viewer", ["write", "dwrite"])
def test_nobody_hides_from_themselves_what_they_write(
    world: World, work: str, viewer: str, stated: str
) -> None:
    before = stored(world, work)
    client, place = world.client(viewer), place_of(viewer)
    assert client.put(f"/{viewer}/own/mine.ics", event("mine", more=stated)).status == 201

    answers = [
        client.put(f"{place}new.ics", event("new", more=stated)),
        client.put(f"{place}short.ics", event("short", more=stated)),
        client("POST", place, event("new", more=stated), **calendar_type()),
        client.copy(f"/{viewer}/own/mine.ics", f"{place}mine.ics"),
        client.move(f"/{viewer}/own/mine.ics", f"{place}mine.ics"),
    ]

    assert [answer.status for answer in answers] == [403] * 5
    assert stored(world, work) == before


@pytest.mark.parametrize("viewer", ["write", "dwrite"])
def test_a_uid_in_use_does_not_tell_where(world: World, work: str, viewer: str) -> None:
    client, place = world.client(viewer), place_of(viewer)
    assert client.put(f"/{viewer}/own/mine.ics", event("priv")).status == 201

    answers = [
        client.put(f"{place}new.ics", event("priv")),
        client("POST", place, event("priv"), **calendar_type()),
        client.copy(f"/{viewer}/own/mine.ics", f"{place}new.ics"),
        client.move(f"/{viewer}/own/mine.ics", f"{place}new.ics"),
    ]

    for answer in answers:
        assert (answer.status, answer.condition) == (409, CALDAV + "no-uid-conflict")
        assert "priv.ics" not in answer.text
        assert answer.xml().find(f".//{DAV}href") is None


# Entity tags and sizes


def tags(client: EngineDav, place: str) -> dict[str, str]:
    """Entity tags by name, the same from everywhere where they are told."""
    listed = client.propfind(place, DAV + "getetag", depth="1")
    names = [name for name in listed.names if name]
    found = {name: listed[place + name].etag for name in names}
    for name in names:
        assert client.get(place + name).etag == found[name]
        assert client("HEAD", place + name).etag == found[name]
        assert client.propfind(place + name, DAV + "getetag").only().etag == found[name]
    hrefs = [place + name for name in names]
    props = ("<D:getetag/>", "<D:getetag/><C:calendar-data/>", "<D:getetag/><D:getcontentlength/>")
    for prop in props:
        assert etags_in(client.multiget(place, *hrefs, props=prop).multistatus(), place) == found
        assert etags_in(client.query(place, "", props=prop).multistatus(), place) == found
        assert (
            etags_in(client("REPORT", place, sync_body(props=prop), Depth="0").multistatus(), place) == found
        )
    return found


def etags_in(found: Multistatus, place: str) -> dict[str, str]:
    return {href.removeprefix(place): one.etag for href, one in found.found.items()}


@pytest.mark.parametrize("viewer", ALL)
def test_the_tag_of_what_is_seen_differently_is_another_one(world: World, work: str, viewer: str) -> None:
    owners = tags(world.client(), work)
    seen = tags(world.client(viewer), place_of(viewer))

    differ = {name for name in seen if seen[name] != owners[name]}
    alike = {"busy": set(), "manage": {"short.ics"}}.get(viewer, {"short.ics"})
    assert set(seen) == set(owners) - (set() if viewer == "manage" else {"priv.ics"})
    assert differ == set(seen) - alike
    assert len(set(seen.values())) == len(seen)


def test_everybody_has_tags_of_their_own_for_what_is_masked(world: World, work: str) -> None:
    found = {viewer: tags(world.client(viewer), place_of(viewer)) for viewer in BELOW_MANAGE}

    for name in MASKED:
        assert len({seen[f"{name}.ics"] for seen in found.values()}) == len(found)


@pytest.mark.parametrize("viewer", ALL)
def test_a_tag_stays_while_nothing_that_is_seen_changes(world: World, work: str, viewer: str) -> None:
    before = tags(world.client(viewer), place_of(viewer))
    anna = world.client()

    world.clock.now += 1000
    world.add_user("dora")
    share(world, work, "dora", "write")
    assert anna.put(work + "other.ics", event("other")).status == 201
    assert anna.put(work + "other.ics", event("other", more="CLASS:PRIVATE")).status == 204
    assert anna.delete(work + "other.ics").status == 204
    assert anna.proppatch(work, set="<D:displayname>New</D:displayname>").status == 207
    assert anna.proppatch(work + "conf.ics", set="<D:x>new</D:x>").status == 207
    assert anna.move(work, "/anna/moved/").status == 201
    assert anna.move("/anna/moved/", work).status == 201
    mine = world.client("dora").get("/dora/work/short.ics").text.replace("END:VEVENT", f"{ALARM}\nEND:VEVENT")
    assert world.client("dora").put("/dora/work/short.ics", mine).status == 204
    if not viewer.startswith("d"):
        assert world.client(viewer).move(place_of(viewer), f"/{viewer}/moved/").status == 201
        assert world.client(viewer).move(f"/{viewer}/moved/", place_of(viewer)).status == 201

    assert tags(world.client(viewer), place_of(viewer)) == before


@pytest.mark.parametrize("viewer", ALL)
@pytest.mark.parametrize("name", ["conf", "half", "gap", "open", "short"])
def test_a_tag_changes_with_what_is_seen(world: World, work: str, viewer: str, name: str) -> None:
    before = tags(world.client(viewer), place_of(viewer))
    anna = world.client()

    later = (
        OBJECTS[name]
        .replace(b"20260302T090000", b"20260302T083000")
        .replace(b"20260301T080000Z", b"20260301T083000Z")
    )
    assert anna.put(f"{work}{name}.ics", later).status == 204

    after = tags(world.client(viewer), place_of(viewer))
    assert {one for one in after if after[one] != before[one]} == {f"{name}.ics"}


@pytest.mark.parametrize("viewer", ["read", "write", "manage", "dread", "dwrite"])
def test_a_tag_changes_with_ones_own_alarm(world: World, work: str, viewer: str) -> None:
    others = [one for one in ALL if one != viewer]
    before = {one: tags(world.client(one), place_of(one)) for one in ALL}
    owners = stored(world, work)
    client, path = world.client(viewer), f"{place_of(viewer)}short.ics"

    body = client.get(path).text.replace("END:VEVENT", f"{ALARM}\nEND:VEVENT")
    assert client.put(path, body).status == 204

    after = tags(client, place_of(viewer))
    assert {one for one in after if after[one] != before[viewer][one]} == {"short.ics"}
    assert client.get(path).text.count("BEGIN:VALARM") == 1
    assert stored(world, work) == owners
    for one in others:
        assert tags(world.client(one), place_of(one)) == before[one]
    assert client.put(path, event("short")).status == 204
    assert tags(client, place_of(viewer)) == before[viewer]


@pytest.mark.parametrize("viewer", [*ALL, "anna"])
def test_the_length_is_that_of_what_get_returns(world: World, work: str, viewer: str) -> None:
    client = world.client(viewer)
    place = "/anna/work/" if viewer == "anna" else place_of(viewer)
    if viewer not in ("anna", "busy"):
        body = client.get(f"{place}short.ics").text.replace("END:VEVENT", f"{ALARM}\nEND:VEVENT")
        assert client.put(f"{place}short.ics", body).status == 204
    names = [name for name in client.propfind(place, DAV + "getetag", depth="1").names if name]
    lengths = {name: str(len(client.get(place + name).body)) for name in names}
    hrefs = [place + name for name in names]

    def said(found: Multistatus) -> dict[str, str]:
        return {
            href.removeprefix(place): one.text(DAV + "getcontentlength")
            for href, one in found.found.items()
            if DAV + "getcontentlength" in one.values and href != place
        }

    every = f"<D:propfind {NS}><D:allprop/></D:propfind>"
    assert said(client("PROPFIND", place, every, Depth="1").multistatus()) == lengths
    assert said(client("PROPFIND", place, "", Depth="1").multistatus()) == lengths
    for props in (
        "<D:getcontentlength/>",
        "<D:getetag/><D:getcontentlength/>",
        "<D:getcontentlength/><C:calendar-data/>",
    ):
        body = f"<D:propfind {NS}><D:prop>{props}</D:prop></D:propfind>"
        assert said(client("PROPFIND", place, body, Depth="1").multistatus()) == lengths
        assert said(client.multiget(place, *hrefs, props=props).multistatus()) == lengths
        assert said(client.query(place, "", props=props).multistatus()) == lengths
        assert said(client("REPORT", place, sync_body(props=props), Depth="0").multistatus()) == lengths
        home = place[: place[1:].index("/") + 2]
        deep = client("REPORT", home, sync_body(level="infinite", props=props), Depth="0").multistatus()
        assert said(Multistatus({h: one for h, one in deep.found.items() if h.startswith(place)})) == lengths
    for name in names:
        assert (
            client.propfind(place + name, DAV + "getcontentlength").only().text(DAV + "getcontentlength")
            == lengths[name]
        )
        assert client("HEAD", place + name).headers["content-length"] == lengths[name]
        assert (
            client.get(place + name, Range="bytes=0-0").headers["content-range"].endswith(f"/{lengths[name]}")
        )
