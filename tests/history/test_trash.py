"""What is deleted can be had again, by everybody who had it, and stands in nobody's way until then."""

from __future__ import annotations

import dataclasses

import pytest

from davclient import DAV, ICAL, not_collections
from davsamples import card, event
from enginedav import EngineDav, World
from tagwerk.errors import Conflict, NotFound
from tagwerk.history import trash, undo
from tagwerk.model import Access, Binding, Principal
from tagwerk.sharing import groups, links, shares
from tagwerk.sharing.shares import By
from tagwerk.store.check import misfits
from tagwerk.store.collections import bindings_of, find_binding
from tagwerk.store.engine import Transaction
from tagwerk.store.history import (
    forget_removed_collections,
    forget_versions,
    kept_bytes,
    removed_collections,
    versions,
)
from tagwerk.store.objects import find_object
from tagwerk.store.principals import principal_by_name, set_quota, used_bytes
from tagwerk.store.repair import repair

DAY = 24 * 60 * 60


def named(txn: Transaction, name: str) -> Principal:
    found = principal_by_name(txn, name)
    assert found is not None
    return found


def place(txn: Transaction, owner: str, name: str) -> Binding:
    found = find_binding(txn, owner, name)
    assert found is not None
    return found


def handles(world: World, owner: str = "anna") -> list[str]:
    with world.store.read() as txn:
        return [each.handle for each in trash.contents(txn, named(txn, owner))]


def listed(client: EngineDav, home: str) -> set[str]:
    """The collections in a home."""
    return set(client.propfind(home, DAV + "displayname", depth="1").found) - {home} - not_collections(home)


def restore(world: World, *which: str, owner: str = "anna") -> list[str]:
    with world.store.write() as txn:
        return trash.restore(txn, named(txn, owner), which, by=By("tests", world.clock.now))


def share(world: World, path: str, grantee: str, level: Access = Access.WRITE) -> None:
    _, owner, name, _ = path.split("/")
    with world.store.write() as txn:
        shares.share(
            txn, place(txn, owner, name), named(txn, grantee), level, by=By("tests", world.clock.now)
        )


@pytest.fixture
def ben(world: World) -> EngineDav:
    world.add_person("ben")
    return world.client("ben")


def test_a_deleted_object_comes_back_as_it_was(world: World, dav: EngineDav, calendar: str) -> None:
    dav.put(calendar + "a.ics", event("a"))
    token = dav.sync(calendar).multistatus().token
    world.clock.now += 60
    dav.delete(calendar + "a.ics")
    assert dav.sync(calendar, token).multistatus().gone == ["a.ics"]
    gone = dav.sync(calendar, token).multistatus().token

    (handle,) = handles(world)
    assert handle.startswith("work:")
    assert restore(world, handle) == ["anna/work/a.ics"]

    assert dav.get(calendar + "a.ics").body == event("a")
    assert dav.sync(calendar, gone).multistatus().names == ["a.ics"]
    assert handles(world) == []


def test_a_card_does_as_well(world: World, dav: EngineDav, book: str) -> None:
    dav.put(book + "c.vcf", card("c"))
    dav.delete(book + "c.vcf")

    assert restore(world, *handles(world)) == ["anna/friends/c.vcf"]
    assert dav.get(book + "c.vcf").body == card("c")


def test_what_took_its_name_keeps_it(world: World, dav: EngineDav, calendar: str) -> None:
    dav.put(calendar + "a.ics", event("first"))
    dav.delete(calendar + "a.ics")
    dav.put(calendar + "a.ics", event("second"))

    (restored,) = restore(world, *handles(world))

    assert restored != "anna/work/a.ics"
    assert dav.get("/" + restored).body == event("first")
    assert dav.get(calendar + "a.ics").body == event("second")


def test_what_is_there_again_is_not_in_the_trash(world: World, dav: EngineDav, calendar: str) -> None:
    dav.put(calendar + "a.ics", event("a"))
    dav.delete(calendar + "a.ics")
    (handle,) = handles(world)
    dav.put(calendar + "a.ics", event("a", summary="New"))

    assert handles(world) == []
    with pytest.raises(NotFound, match="trash list anna"):
        restore(world, handle)


def test_what_a_program_moves_by_deleting_it_is_not_in_the_trash(
    world: World, dav: EngineDav, calendar: str, book: str
) -> None:
    dav.put(calendar + "a.ics", event("a", more="SEQUENCE:1"))
    dav.delete(calendar + "a.ics")
    # Folded, stamped and ordered as the other program does it.
    moved = event("a").replace(b"DTSTAMP:2", b"LAST-MODIFIED:20260102T000000Z\r\nDTSTAMP:3")
    dav.put(calendar + "b.ics", moved.replace(b"SUMMARY:", b"SUM\r\n MARY:"))
    dav.put(book + "a.vcf", card("c"))
    dav.delete(book + "a.vcf")
    dav.put(book + "b.vcf", card("c").replace(b"END:VCARD", b"REV:20260102T000000Z\r\nEND:VCARD"))

    assert handles(world) == []
    dav.put(calendar + "b.ics", event("a", summary="Later"))
    dav.move(calendar + "b.ics", calendar + "c.ics")
    assert handles(world) == []


def test_what_was_deleted_is_in_the_trash_while_its_uid_is_something_elses(
    world: World, dav: EngineDav, calendar: str
) -> None:
    dav.put(calendar + "a.ics", event("a", summary="One"))
    dav.put(calendar + "a.ics", event("a", summary="Two"))
    dav.delete(calendar + "a.ics")
    dav.put(calendar + "b.ics", event("a", summary="Other"))
    dav.put(calendar + "b.ics", event("a", summary="Another"))
    dav.move(calendar + "b.ics", calendar + "c.ics")

    (handle,) = handles(world)
    with pytest.raises(
        Conflict,
        match=rf"has it again, as c\.ics; `tagwerk undo anna/work/a\.ics --to {handle[5:]}` removes c",
    ):
        restore(world, handle)

    with world.store.write() as txn:
        assert trash.empty(txn, named(txn, "anna"), [handle]) == 1
    assert handles(world) == []
    with world.store.read() as txn:
        collection = place(txn, "anna", "work").collection.id
        assert len(versions(txn, collection, name="c.ics", uid="a")) == 2
        assert misfits(txn) == []


def test_undoing_names_what_else_has_to_go_and_leaves_it_in_the_trash(
    world: World, dav: EngineDav, calendar: str
) -> None:
    dav.put(calendar + "u1.ics", event("u", summary="One"))
    dav.delete(calendar + "u1.ics")
    dav.put(calendar + "u2.ics", event("u", summary="Two"))
    (first,) = handles(world)

    with world.store.read() as txn:
        owner, binding = named(txn, "anna"), place(txn, "anna", "work")
        steps = undo.last_change(txn, owner, binding, "u1.ics")
        again = undo.to_version(txn, binding, "u1.ics", int(first.rpartition(":")[2]))
    last_of(world, "u1.ics")

    assert [(step.action, step.name, step.title) for step in undo.in_order(steps)] == [
        ("remove", "u2.ics", "Two"),
        ("restore", "u1.ics", "One"),
    ]
    assert [step.name for step in again] == [step.name for step in steps]
    assert dav.get(calendar + "u2.ics").status == 404
    with world.store.read() as txn:
        assert [(each.name, each.title) for each in trash.contents(txn, owner)] == [("u2.ics", "Two")]
        assert misfits(txn) == []
    last_of(world, "u2.ics")
    assert b"Two" in dav.get(calendar + "u2.ics").body
    assert dav.get(calendar + "u1.ics").status == 404


def test_what_was_stored_after_the_plan_is_not_removed_by_it(
    world: World, dav: EngineDav, calendar: str
) -> None:
    dav.put(calendar + "u1.ics", event("u"))
    dav.delete(calendar + "u1.ics")
    with world.store.read() as txn:
        binding = place(txn, "anna", "work")
        steps = undo.last_change(txn, named(txn, "anna"), binding, "u1.ics")
    dav.put(calendar + "u2.ics", event("u", summary="Two"))

    with (
        pytest.raises(Conflict, match=r"u2\.ics was stored in the meantime"),
        world.store.write() as txn,
    ):
        undo.carry_out(txn, binding.collection.id, steps, now=world.clock.now)

    assert b"Two" in dav.get(calendar + "u2.ics").body


def test_each_object_is_in_the_trash_once_and_last_as_it_was(
    world: World, dav: EngineDav, calendar: str
) -> None:
    for number in range(3):
        dav.put(calendar + "a.ics", event("a", summary=f"Version {number}"))
        dav.delete(calendar + "a.ics")

    restore(world, *handles(world))

    assert b"Version 2" in dav.get(calendar + "a.ics").body


def test_moving_inside_of_a_home_deletes_nothing(world: World, dav: EngineDav, calendar: str) -> None:
    other = world.add_collection("home")
    dav.put(calendar + "a.ics", event("a"))
    assert dav.move(calendar + "a.ics", other + "a.ics").status == 201

    assert handles(world) == []


def test_what_a_sharee_takes_away_is_in_the_trash_of_its_owner(
    world: World, dav: EngineDav, calendar: str, ben: EngineDav
) -> None:
    share(world, calendar, "ben", Access.MANAGE)
    dav.put(calendar + "a.ics", event("a"))
    world.add_collection("own", user="ben")
    assert ben.move("/ben/work/a.ics", "/ben/own/a.ics").status == 201

    with world.store.read() as txn:
        (one,) = trash.contents(txn, named(txn, "anna"))
    assert (one.by, one.title, one.what) == ("ben", "Frühstück", "VEVENT")
    assert handles(world, "ben") == []
    restore(world, one.handle)
    assert dav.get(calendar + "a.ics").status == 200


def test_what_is_copied_over_is_in_the_trash(world: World, dav: EngineDav, calendar: str) -> None:
    other = world.add_collection("home")
    dav.put(calendar + "a.ics", event("a"))
    dav.put(other + "a.ics", event("b", summary="Lost?"))
    assert dav.copy(calendar + "a.ics", other + "a.ics").status == 204

    (restored,) = restore(world, *handles(world))
    assert b"Lost?" in dav.get("/" + restored).body


def test_a_deleted_calendar_frees_its_name_and_a_new_one_is_new(
    world: World, dav: EngineDav, calendar: str
) -> None:
    dav.put(calendar + "a.ics", event("a"))
    token = dav.sync(calendar).multistatus().token

    assert dav.delete(calendar).status == 204
    assert listed(dav, "/anna/") == set()
    assert dav.get(calendar + "a.ics").status == 404
    assert dav("MKCALENDAR", calendar).status == 201
    assert dav.sync(calendar, token).condition == DAV + "valid-sync-token"
    assert dav.put(calendar + "a.ics", event("a", summary="New")).status == 201
    assert dav.sync(calendar).multistatus().names == ["a.ics"]

    (restored,) = restore(world, "work")

    assert restored == "anna/work-2"
    assert dav.get("/anna/work-2/a.ics").body == event("a")
    assert b"New" in dav.get(calendar + "a.ics").body
    # The history is the one that it had, under another URL.
    assert dav.sync("/anna/work-2/", token).status == 207


def test_a_calendar_that_is_deleted_again_and_again_is_there_as_often(world: World, dav: EngineDav) -> None:
    for number in range(3):
        dav("MKCALENDAR", "/anna/work/")
        dav.put("/anna/work/a.ics", event("a", summary=f"Version {number}"))
        world.clock.now += 1
        dav.delete("/anna/work/")

    found = handles(world)
    assert len(set(found)) == 3
    assert restore(world, found[-1]) == ["anna/work"]
    assert b"Version 0" in dav.get("/anna/work/a.ics").body
    # The name alone means the last one.
    assert restore(world, "work") == ["anna/work-2"]
    assert b"Version 2" in dav.get("/anna/work-2/a.ics").body


def test_a_restored_calendar_is_shared_as_it_was(
    world: World, dav: EngineDav, calendar: str, ben: EngineDav
) -> None:
    world.add_person("carl")
    share(world, calendar, "ben")
    share(world, calendar, "carl", Access.READ)
    assert ben.proppatch("/ben/work/", set="<I:calendar-color>#112233</I:calendar-color>").status == 207
    dav.put(calendar + "a.ics", event("a"))
    token = ben.sync("/ben/work/").multistatus().token
    with world.store.write() as txn:
        by = By("tests", world.clock.now)
        link, path = links.make_link(txn, place(txn, "anna", "work"), Access.READ, by=by)

    dav.delete(calendar)
    assert listed(ben, "/ben/") == set()
    with world.store.read() as txn:
        secret = path.rpartition("/")[2].removesuffix(".ics")
        kind = removed_collections(txn, named(txn, "anna").id)[0].kind
        assert links.find(txn, secret, kind=kind, now=world.clock.now) is None
    with world.store.write() as txn:
        shares.settle(txn, named(txn, "ben"), by=by)
    assert ben.get("/ben/work/a.ics").status == 404

    restore(world, "work")

    assert ben.get("/ben/work/a.ics").status == 200
    assert ben.value("/ben/work/", ICAL + "calendar-color").text == "#112233"
    assert ben.sync("/ben/work/", token).status == 207
    assert ben.put("/ben/work/b.ics", event("b")).status == 201
    assert world.client("carl").get("/carl/work/a.ics").status == 200
    assert world.client("carl").put("/carl/work/c.ics", event("c")).status == 403
    with world.store.read() as txn:
        assert links.find(txn, secret, kind=kind, now=world.clock.now) is not None
        assert misfits(txn) == []
    assert link.id


def test_who_lost_a_right_meanwhile_does_not_get_it_back(
    world: World, dav: EngineDav, calendar: str, ben: EngineDav
) -> None:
    world.add_user("team", kind="group")
    by = By("tests", world.clock.now)
    with world.store.write() as txn:
        groups.join(txn, named(txn, "team"), named(txn, "ben"), by=by)
    share(world, calendar, "team")
    dav.delete(calendar)
    with world.store.write() as txn:
        groups.leave(txn, named(txn, "team"), named(txn, "ben"), by=by)

    restore(world, "work")

    assert listed(ben, "/ben/") == set()
    with world.store.read() as txn:
        assert misfits(txn) == []


def test_a_sharee_who_leaves_deletes_nothing(
    world: World, dav: EngineDav, calendar: str, ben: EngineDav
) -> None:
    share(world, calendar, "ben")
    assert ben.delete("/ben/work/").status == 204

    assert (handles(world), handles(world, "ben")) == ([], [])
    assert listed(dav, "/anna/") == {calendar}


def test_the_trash_does_not_count_but_takes_no_more_than_the_quota_again(
    world: World, dav: EngineDav, calendar: str
) -> None:
    with world.store.write() as txn:
        set_quota(txn, named(txn, "anna").id, 2000)
    size = len(event("a00"))
    for number in range(30):
        assert dav.put(f"{calendar}a.ics", event(f"a{number:02}")).status == 201, number
        world.clock.now += 1
        assert dav.delete(f"{calendar}a.ics").status == 204

    with world.store.read() as txn:
        owner = named(txn, "anna")
        assert used_bytes(txn, owner.id) == 0
        # One more than fits may be there until the next change.
        assert 2000 - size < kept_bytes(txn, owner.id) <= 2000 + size
        last = trash.contents(txn, owner)
    restore(world, last[0].handle)
    assert b"UID:a29" in dav.get(f"{calendar}a.ics").body
    assert dav.value("/anna/", DAV + "quota-used-bytes").text == str(size)


def test_a_deleted_calendar_goes_for_the_quota_when_it_is_the_oldest(world: World, dav: EngineDav) -> None:
    with world.store.write() as txn:
        set_quota(txn, named(txn, "anna").id, 1000)
    for name in ("first", "second", "third"):
        assert dav("MKCALENDAR", f"/anna/{name}/").status == 201
        for number in range(3):
            assert dav.put(f"/anna/{name}/{number}.ics", event(str(number))).status == 201
        world.clock.now += 1
        dav.delete(f"/anna/{name}/")
    dav("MKCALENDAR", "/anna/last/")
    dav.put("/anna/last/a.ics", event("a"))

    with world.store.read() as txn:
        names = [each.name for each in trash.contents(txn, named(txn, "anna"))]
    assert names == ["third"]


def test_after_its_time_it_is_gone(world: World, dav: EngineDav, calendar: str) -> None:
    other = world.add_collection("home")
    dav.put(other + "x.ics", event("x"))
    for uid in ("a", "b"):
        dav.put(f"{calendar}{uid}.ics", event(uid))
        dav.delete(f"{calendar}{uid}.ics")
        world.clock.now += DAY
    dav.delete(other)
    assert len(handles(world)) == 3

    before = world.clock.now - DAY
    assert forget_versions(world.store, before=before) == 1
    assert forget_removed_collections(world.store, before=before) == 0
    assert [handle.partition(":")[0] for handle in handles(world)][1:] == ["work"]
    assert forget_removed_collections(world.store, before=world.clock.now + 1) == 1
    assert forget_versions(world.store, before=world.clock.now + 1) == 1

    assert handles(world) == []
    with world.store.read() as txn:
        assert kept_bytes(txn, named(txn, "anna").id) == 0
        assert misfits(txn) == []


def test_emptying_forgets_what_is_deleted_and_not_what_is_there(
    world: World, dav: EngineDav, calendar: str
) -> None:
    dav.put(calendar + "a.ics", event("a"))
    dav.put(calendar + "a.ics", event("a", summary="Later"))
    dav.put(calendar + "b.ics", event("b"))
    dav.delete(calendar + "b.ics")
    world.add_collection("home")
    dav.delete("/anna/home/")

    with world.store.write() as txn:
        assert trash.empty(txn, named(txn, "anna")) == 2

    assert handles(world) == []
    with world.store.read() as txn:
        collection = place(txn, "anna", "work").collection.id
        assert [each.how.value for each in versions(txn, collection, name="a.ics")] == ["replaced"]
        assert misfits(txn) == []


def test_a_change_is_undone_and_the_undoing_too(world: World, dav: EngineDav, calendar: str) -> None:
    dav.put(calendar + "a.ics", event("a", summary="One"))
    world.clock.now += 60
    dav.put(calendar + "a.ics", event("a", summary="Two"))
    token = dav.sync(calendar).multistatus().token

    def undo_last() -> bytes:
        with world.store.write() as txn:
            binding = place(txn, "anna", "work")
            steps = undo.last_change(txn, named(txn, "anna"), binding, "a.ics")
            undo.carry_out(txn, binding.collection.id, steps, now=world.clock.now)
        return dav.get(calendar + "a.ics").body

    assert undo_last() == event("a", summary="One")
    assert dav.sync(calendar, token).multistatus().names == ["a.ics"]
    assert undo_last() == event("a", summary="Two")


def test_what_was_never_changed_cannot_be_undone(world: World, dav: EngineDav, calendar: str) -> None:
    dav.put(calendar + "a.ics", event("a"))
    dav.put(calendar + "a.ics", event("a"))

    with world.store.write() as txn, pytest.raises(Conflict, match="stored first"):
        undo.last_change(txn, named(txn, "anna"), place(txn, "anna", "work"), "a.ics")
    with world.store.read() as txn, pytest.raises(NotFound, match=r"no object 'b\.ics'"):
        undo.last_change(txn, named(txn, "anna"), place(txn, "anna", "work"), "b.ics")


def test_two_objects_that_changed_their_names_change_back(
    world: World, dav: EngineDav, calendar: str
) -> None:
    dav.put(calendar + "a.ics", event("one"))
    dav.put(calendar + "b.ics", event("two"))
    world.clock.now += 60
    since = world.clock.now
    dav.delete(calendar + "a.ics")
    dav.move(calendar + "b.ics", calendar + "a.ics")
    dav.put(calendar + "b.ics", event("one"))

    with world.store.write() as txn:
        binding = place(txn, "anna", "work")
        steps = undo.objects_since(txn, binding.collection, since, name="work")
        undo.carry_out(txn, binding.collection.id, steps, now=world.clock.now)

    assert dav.get(calendar + "a.ics").body == event("one")
    assert dav.get(calendar + "b.ics").body == event("two")


def test_the_alarms_of_sharees_survive_an_undoing(
    world: World, dav: EngineDav, calendar: str, ben: EngineDav
) -> None:
    share(world, calendar, "ben")
    dav.put(calendar + "a.ics", event("a", summary="One"))
    alarm = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nDESCRIPTION:Ring\nEND:VALARM"
    assert ben.put("/ben/work/a.ics", event("a", summary="One", more=alarm)).status == 204
    world.clock.now += 60
    dav.put(calendar + "a.ics", event("a", summary="Two"))

    with world.store.write() as txn:
        binding = place(txn, "anna", "work")
        steps = undo.last_change(txn, named(txn, "anna"), binding, "a.ics")
        undo.carry_out(txn, binding.collection.id, steps, now=world.clock.now)

    seen = ben.get("/ben/work/a.ics").body
    assert b"SUMMARY:One" in seen
    assert b"TRIGGER:-PT5M" in seen


def test_notices_leave_no_history(world: World, calendar: str, ben: EngineDav) -> None:
    share(world, calendar, "ben")
    with world.store.write() as txn:
        by = By("tests", world.clock.now)
        shares.unshare(txn, place(txn, "anna", "work"), named(txn, "ben"), by=by)

    with world.store.read() as txn:
        assert kept_bytes(txn, named(txn, "ben").id) == 0


def test_without_a_row_of_where_it_was_a_calendar_is_found_again(
    world: World, dav: EngineDav, calendar: str
) -> None:
    dav.put(calendar + "a.ics", event("a"))
    dav.delete(calendar)
    with world.store.write() as txn:
        txn.execute("DELETE FROM removed_binding")
        txn.execute("UPDATE collection SET kept = 7 WHERE removed <> 0")
        assert len(misfits(txn)) == 2
        assert repair(txn)
        assert misfits(txn) == []
        found = [each.name for each in bindings_of(txn, named(txn, "anna").id)]
    assert len(found) == 1
    assert dav.get(f"/anna/{found[0]}/a.ics").body == event("a")


def test_identical_bytes_make_no_version(world: World, dav: EngineDav, calendar: str) -> None:
    for _ in range(3):
        dav.put(calendar + "a.ics", event("a"))

    with world.store.read() as txn:
        collection = place(txn, "anna", "work").collection
        assert versions(txn, collection.id, name="a.ics") == []
        stored = find_object(txn, collection.id, "a.ics")
    assert dataclasses.asdict(stored)["size"] == len(event("a"))


def undo_all(world: World, since: int, *, owner: str = "anna", name: str = "") -> None:
    """As `tagwerk undo OWNER[/NAME] --since`."""
    by = By("tests", world.clock.now)
    with world.store.read() as txn:
        who = named(txn, owner)
        parts = undo.collection_since(txn, who, name, since) if name else undo.user_since(txn, who, since)
    for part in parts:
        with world.store.write() as txn:
            undo.begin(txn, part, by=by)
    for part in parts:
        if part.steps:
            with world.store.write() as txn:
                undo.carry_out(txn, part.collection, part.steps, now=by.now)


def test_a_time_of_which_too_little_is_known_is_refused(world: World, dav: EngineDav, calendar: str) -> None:
    dav.put(calendar + "a.ics", event("a"))
    world.clock.now += DAY
    since = world.clock.now
    world.clock.now += 60
    dav.put(calendar + "a.ics", event("a", summary="Bad"))
    assert forget_versions(world.store, before=world.clock.now + 1) == 1

    with pytest.raises(
        Conflict, match="What work held then is not known any more; it is known from 2026-02-03T"
    ):
        undo_all(world, since)
    with pytest.raises(Conflict, match="not known any more"):
        undo_all(world, since, name="work")

    # Before it was made there was nothing, which is known for ever.
    undo_all(world, since - 30 * DAY, name="work")
    assert listed(dav, "/anna/") == set()


def test_what_the_quota_made_go_is_not_known_either(world: World, dav: EngineDav, calendar: str) -> None:
    with world.store.write() as txn:
        set_quota(txn, named(txn, "anna").id, 700)
    for uid in ("a", "b"):
        assert dav.put(f"{calendar}{uid}.ics", event(uid)).status == 201
    world.clock.now += 60
    since = world.clock.now
    for number in range(5):
        world.clock.now += 1
        for uid in ("a", "b"):
            assert dav.put(f"{calendar}{uid}.ics", event(uid, summary=f"Bad {number}")).status == 204

    with pytest.raises(Conflict, match="not known any more"):
        undo_all(world, since)
    assert len(dav.propfind(calendar, depth="1").found) == 3
    undo_all(world, world.clock.now)
    assert b"Bad 3" in dav.get(f"{calendar}a.ics").body


def test_everything_of_somebody_is_what_it_was_also_in_what_was_deleted(
    world: World, dav: EngineDav, calendar: str
) -> None:
    other = world.add_collection("home")
    for uid in ("a", "b", "c"):
        dav.put(f"{calendar}{uid}.ics", event(uid))
    dav.put(f"{other}h.ics", event("h"))
    world.clock.now += 60
    since = world.clock.now
    dav.delete(f"{calendar}a.ics")
    dav.put(f"{calendar}b.ics", event("b", summary="Bad"))
    dav.put(f"{calendar}new.ics", event("new"))
    dav.move(f"{other}h.ics", f"{calendar}h.ics")
    dav.delete(calendar)
    dav("MKCALENDAR", calendar)
    dav.put(f"{calendar}x.ics", event("x"))
    dav("MKCALENDAR", "/anna/fresh/")
    dav("MKCALENDAR", "/anna/brief/")
    dav.delete("/anna/brief/")
    world.clock.now += 60

    undo_all(world, since)

    assert listed(dav, "/anna/") == {calendar, other}
    assert [href for href in dav.propfind(calendar, depth="1").found if href != calendar] == [
        f"{calendar}{uid}.ics" for uid in ("c", "a", "b")
    ]
    assert dav.get(f"{calendar}b.ics").body == event("b")
    assert dav.get(f"{other}h.ics").status == 200
    with world.store.read() as txn:
        assert misfits(txn) == []
        assert undo.user_since(txn, named(txn, "anna"), since) == []


def test_one_calendar_is_what_was_called_so_then(world: World, dav: EngineDav, calendar: str) -> None:
    dav.put(f"{calendar}a.ics", event("a"))
    dav.put(f"{calendar}b.ics", event("b"))
    world.clock.now += 60
    since = world.clock.now
    dav.delete(f"{calendar}a.ics")
    dav.delete(calendar)
    dav("MKCALENDAR", calendar)
    dav.put(f"{calendar}x.ics", event("x"))

    undo_all(world, since, name="work")

    assert dav.get(f"{calendar}a.ics").status == 200
    assert dav.get(f"{calendar}b.ics").status == 200
    assert dav.get(f"{calendar}x.ics").status == 404
    assert listed(dav, "/anna/") == {calendar}


def last_of(world: World, name: str, *, collection: str = "work") -> None:
    with world.store.write() as txn:
        binding = place(txn, "anna", collection)
        steps = undo.last_change(txn, named(txn, "anna"), binding, name)
        undo.carry_out(txn, binding.collection.id, steps, now=world.clock.now)


def test_a_deletion_that_was_undone_is_done_again(world: World, dav: EngineDav, calendar: str) -> None:
    dav.put(calendar + "a.ics", event("a"))
    dav.delete(calendar + "a.ics")

    last_of(world, "a.ics")
    assert dav.get(calendar + "a.ics").body == event("a")
    last_of(world, "a.ics")
    assert dav.get(calendar + "a.ics").status == 404
    last_of(world, "a.ics")
    assert dav.get(calendar + "a.ics").body == event("a")


def test_another_name_is_undone(world: World, dav: EngineDav, calendar: str) -> None:
    dav.put(calendar + "a.ics", event("a"))
    dav.move(calendar + "a.ics", calendar + "b.ics")

    last_of(world, "b.ics")

    assert dav.get(calendar + "a.ics").body == event("a")
    assert dav.get(calendar + "b.ics").status == 404
    with world.store.read() as txn:
        assert misfits(txn) == []


def test_the_former_name_of_an_object_brings_it_back_once(
    world: World, dav: EngineDav, calendar: str
) -> None:
    dav.put(calendar + "a.ics", event("a"))
    dav.move(calendar + "a.ics", calendar + "b.ics")

    last_of(world, "a.ics")

    assert dav.get(calendar + "a.ics").body == event("a")
    assert dav.get(calendar + "b.ics").status == 404
    with world.store.read() as txn:
        assert misfits(txn) == []
        assert used_bytes(txn, named(txn, "anna").id) == len(event("a"))


def test_what_was_moved_to_another_calendar_is_not_there_twice(
    world: World, dav: EngineDav, calendar: str
) -> None:
    other = world.add_collection("home")
    dav.put(calendar + "a.ics", event("a"))
    dav.move(calendar + "a.ics", other + "b.ics")

    with pytest.raises(Conflict, match=r"was moved to home/b\.ics"):
        last_of(world, "a.ics")

    dav.delete(other + "b.ics")
    last_of(world, "a.ics")
    assert dav.get(calendar + "a.ics").body == event("a")


def test_an_alarm_of_a_sharee_is_in_the_object_and_not_under_its_name(
    world: World, dav: EngineDav, calendar: str, ben: EngineDav
) -> None:
    share(world, calendar, "ben")
    dav.put(calendar + "x.ics", event("a"))
    world.clock.now += 60
    since = world.clock.now
    dav.delete(calendar + "x.ics")
    dav.put(calendar + "x.ics", event("b"))
    alarm = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nDESCRIPTION:Ring\nEND:VALARM"
    assert ben.put("/ben/work/x.ics", event("b", more=alarm)).status == 204

    undo_all(world, since)

    seen = ben.get("/ben/work/x.ics").body
    assert b"UID:a" in seen
    assert b"VALARM" not in seen


def test_emptying_forgets_an_object_as_it_was_at_any_time(
    world: World, dav: EngineDav, calendar: str
) -> None:
    other = world.add_collection("home")
    for summary in ("One", "Two", "Three"):
        dav.put(calendar + "a.ics", event("a", summary=summary))
        dav.put(calendar + "m.ics", event("m", summary=summary))
    dav.delete(calendar + "a.ics")
    dav.move(calendar + "m.ics", other + "m.ics")
    dav.put(calendar + "still.ics", event("still"))
    dav.put(calendar + "still.ics", event("still", summary="Here"))
    with world.store.read() as txn:
        collection = place(txn, "anna", "work").collection.id

    with world.store.write() as txn:
        assert trash.empty(txn, named(txn, "anna"), handles(world)) == 1
    assert handles(world) == []
    with world.store.read() as txn:
        assert versions(txn, collection, name="a.ics") == []
        # It was only moved: its versions are of what is still there.
        assert len(versions(txn, collection, name="m.ics")) == 3

    dav.delete(other + "m.ics")
    with world.store.write() as txn:
        assert trash.empty(txn, named(txn, "anna")) == 1
    with world.store.read() as txn:
        assert versions(txn, collection, name="m.ics") == []
        assert len(versions(txn, collection, name="still.ics")) == 1
        assert misfits(txn) == []


def test_collections_of_one_name_are_told_apart(world: World, dav: EngineDav) -> None:
    for number in range(3):
        dav("MKCALENDAR", "/anna/same/")
        dav.put("/anna/same/a.ics", event(str(number)))
        dav.delete("/anna/same/")

    assert len(set(handles(world))) == 3
    assert sorted(restore(world, *handles(world))) == ["anna/same", "anna/same-2", "anna/same-3"]


def test_a_handle_is_of_an_object_before_it_is_the_name_of_a_collection(
    world: World, dav: EngineDav, calendar: str
) -> None:
    dav.put(calendar + "a.ics", event("a"))
    dav.delete(calendar + "a.ics")
    (handle,) = handles(world)
    made = world.add_collection(handle)
    dav.delete(made.replace(":", "%3A"))

    assert restore(world, handle) == ["anna/work/a.ics"]
