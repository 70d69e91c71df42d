"""What a sharee finds on a collection: its title, and of its properties what their level lets them know."""

from __future__ import annotations

import pytest
from sharedworld import share

from davclient import DAV, NS
from enginedav import EngineDav, World

CALDAV = "{urn:ietf:params:xml:ns:caldav}"
COLOR = "{http://apple.com/ns/ical/}calendar-color"
DESCRIPTION = CALDAV + "calendar-description"
NOTE = DAV + "note"


@pytest.fixture
def work(world: World) -> str:
    """A calendar called Work, of which ben and mona, who have a Work of their own, get something."""
    path = world.add_collection("work")
    rename(world.client(), path, "Work")
    for name, level in (("ben", "read"), ("mona", "manage")):
        world.add_user(name, display_name=name.title())
        world.add_collection("own", user=name)
        rename(world.client(name), f"/{name}/own/", "Work")
        share(world, path, name, level)
    return path


def rename(client: EngineDav, path: str, title: str) -> None:
    assert client.proppatch(path, set=f"<D:displayname>{title}</D:displayname>").status == 207


def title(world: World, viewer: str) -> str | None:
    return world.client(viewer).value(f"/{viewer}/work/", DAV + "displayname").text


@pytest.mark.parametrize("by", ["anna", "mona"])
def test_a_title_that_nobody_chose_goes_with_the_calendars_own(world: World, work: str, by: str) -> None:
    assert title(world, "ben") == "Work (Anna Müller)"

    rename(world.client(by), f"/{by}/work/", "Family &amp; friends")

    assert [title(world, viewer) for viewer in ("anna", "ben", "mona")] == ["Family & friends"] * 3


def test_a_title_that_somebody_chose_stays(world: World, work: str) -> None:
    rename(world.client("ben"), "/ben/work/", "Annas work")

    rename(world.client(), work, "Family")

    assert title(world, "ben") == "Annas work"
    assert title(world, "mona") == "Family"


def test_busy_time_has_no_description(world: World, work: str) -> None:
    world.add_user("emil")
    share(world, work, "emil", "busy")
    world.client().proppatch(
        work,
        set="<C:calendar-description>Chemotherapy</C:calendar-description><D:note>secret</D:note>"
        "<I:calendar-color>#123456</I:calendar-color>",
    )
    emil, path = world.client("emil"), "/emil/work/"
    bodies = (
        '<D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>',
        '<D:propfind xmlns:D="DAV:"><D:propname/></D:propfind>',
    )

    found = [emil.propfind(path, DESCRIPTION, NOTE, COLOR, DAV + "displayname").only()]
    found.append(emil.propfind("/emil/", DESCRIPTION, NOTE, COLOR, DAV + "displayname", depth="1")[path])

    for one in found:
        assert (one.text(COLOR), one.text(DAV + "displayname")) == ("#123456", "Work")
        assert one.others == {DESCRIPTION: 404, NOTE: 404}
    for where, depth in ((path, "0"), ("/emil/", "1")):
        for body in bodies:
            text = emil("PROPFIND", where, body, Depth=depth).text
            assert not [word for word in ("Chemo", "calendar-description", "secret", "note") if word in text]
    assert world.client("ben").value("/ben/work/", DESCRIPTION).text == "Chemotherapy"


def test_who_sees_busy_time_has_properties_of_their_own(world: World, work: str) -> None:
    world.add_user("emil")
    share(world, work, "emil", "busy")
    world.client().proppatch(work, set="<D:note>secret</D:note>")

    assert world.client("emil").proppatch("/emil/work/", set="<D:note>mine</D:note>").status == 207

    assert world.client("emil").value("/emil/work/", NOTE).text == "mine"
    assert world.client().value(work, NOTE).text == "secret"


@pytest.mark.parametrize("data", ["<C:calendar-data/>", "<CR:address-data/>"])
def test_a_notification_is_neither_an_event_nor_a_card(world: World, work: str, data: str) -> None:
    body = f"<D:sync-collection {NS}><D:sync-token/><D:sync-level>1</D:sync-level><D:prop>{data}</D:prop></D:sync-collection>"

    found = world.client("ben")("REPORT", "/ben/-notifications/", body).multistatus().only()

    assert (found.values, list(found.others.values())) == ({}, [404])
