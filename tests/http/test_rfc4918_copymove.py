"""COPY and MOVE (RFC 4918 9.8, 9.9), over HTTP."""

from __future__ import annotations

import pytest

from davclient import CALDAV, CARDDAV, DAV
from davsamples import card, event, task
from tagwerk.model import Kind

EX = "{http://example.org/}"


def test_a_moved_object_keeps_bytes_etag_and_properties(dav, calendar, make_collection):
    other = make_collection()
    etag = dav.put(calendar + "a.ics", event("a")).etag
    dav.proppatch(calendar + "a.ics", set='<x:v xmlns:x="http://example.org/">1</x:v>')

    moved = dav.move(calendar + "a.ics", other + "b.ics")

    assert moved.status == 201
    assert dav.get(calendar + "a.ics").status == 404
    assert dav.get(other + "b.ics").etag == etag
    assert dav.get(other + "b.ics").body == event("a")
    assert dav.value(other + "b.ics", EX + "v").text == "1"


def test_a_move_is_one_removal_here_and_one_change_there(dav, calendar, make_collection):
    other = make_collection()
    dav.put(calendar + "a.ics", event("a"))
    here, there = dav.sync(calendar).multistatus().token, dav.sync(other).multistatus().token

    dav.move(calendar + "a.ics", other + "b.ics")

    assert dav.sync(calendar, here).multistatus().gone == ["a.ics"]
    assert dav.sync(other, there).multistatus().names == ["b.ics"]


def test_renaming_inside_a_collection_is_no_uid_conflict(dav, calendar):
    dav.put(calendar + "a.ics", event("a"))
    token = dav.sync(calendar).multistatus().token

    moved = dav.move(calendar + "a.ics", calendar + "b.ics")

    changes = dav.sync(calendar, token).multistatus()
    assert moved.status == 201
    assert (changes.names, changes.gone) == (["b.ics"], ["a.ics"])


def test_an_uid_that_is_there_already_stands_in_the_way(dav, calendar, make_collection):
    other = make_collection()
    dav.put(calendar + "a.ics", event("same"))
    dav.put(other + "b.ics", event("same"))

    answer = dav.move(calendar + "a.ics", other + "c.ics")

    assert answer.status in (403, 409)
    assert answer.condition == CALDAV + "no-uid-conflict"
    assert answer.xml().findtext(f"{CALDAV}no-uid-conflict/{DAV}href") == other + "b.ics"
    assert dav.get(calendar + "a.ics").status == 200
    assert dav.get(other + "c.ics").status == 404


def test_a_card_conflict_names_the_precondition_of_carddav(dav, book, make_collection):
    other = make_collection(Kind.ADDRESSBOOK)
    dav.put(book + "a.vcf", card("same"))
    dav.put(other + "b.vcf", card("same"))

    answer = dav.copy(book + "a.vcf", other + "c.vcf")

    assert answer.condition == CARDDAV + "no-uid-conflict"


def test_moving_onto_an_object_replaces_it_unless_overwrite_is_f(dav, calendar, make_collection):
    other = make_collection()
    dav.put(calendar + "a.ics", event("a"))
    dav.put(other + "b.ics", event("b"))

    kept = dav.move(calendar + "a.ics", other + "b.ics", Overwrite="F")
    replaced = dav.move(calendar + "a.ics", other + "b.ics", Overwrite="T")

    assert (kept.status, replaced.status) == (412, 204)
    assert b"UID:a" in dav.get(other + "b.ics").body


def test_a_copy_leaves_the_original(dav, calendar, make_collection):
    other = make_collection()
    dav.put(calendar + "a.ics", event("a"))

    copied = dav.copy(calendar + "a.ics", other + "a.ics")

    assert copied.status == 201
    assert dav.get(calendar + "a.ics").body == dav.get(other + "a.ics").body


def test_a_copy_inside_a_collection_is_a_uid_conflict(dav, calendar):
    dav.put(calendar + "a.ics", event("a"))

    answer = dav.copy(calendar + "a.ics", calendar + "b.ics")

    assert answer.condition == CALDAV + "no-uid-conflict"


def test_an_event_does_not_go_where_only_tasks_are(dav, calendar, make_collection):
    tasks = make_collection(components=("VTODO",))
    dav.put(calendar + "a.ics", event("a"))
    dav.put(calendar + "t.ics", task("t"))

    refused, moved = (
        dav.move(calendar + "a.ics", tasks + "a.ics"),
        dav.move(calendar + "t.ics", tasks + "t.ics"),
    )

    assert refused.status == 403
    assert refused.condition == CALDAV + "supported-calendar-component"
    assert moved.status == 201


def test_an_event_does_not_go_into_an_address_book(dav, calendar, book):
    dav.put(calendar + "a.ics", event("a"))

    answer = dav.move(calendar + "a.ics", book + "a.ics")

    assert answer.status == 403
    assert dav.get(calendar + "a.ics").status == 200


def test_a_missing_destination_collection_is_a_conflict(dav, calendar):
    dav.put(calendar + "a.ics", event("a"))

    assert dav.move(calendar + "a.ics", "/anna/nowhere/a.ics").status == 409


def test_what_is_not_there_cannot_be_moved(dav, calendar):
    assert dav.move(calendar + "a.ics", calendar + "b.ics").status == 404


def test_moving_onto_itself_is_refused(dav, calendar):
    dav.put(calendar + "a.ics", event("a"))

    assert dav.move(calendar + "a.ics", calendar + "a.ics").status == 403
    assert dav.get(calendar + "a.ics").status == 200


def test_another_server_is_a_bad_gateway(dav, calendar):
    dav.put(calendar + "a.ics", event("a"))

    answer = dav("MOVE", calendar + "a.ics", Destination="http://elsewhere.example/anna/x/a.ics")

    assert answer.status == 502


def test_a_destination_may_be_an_absolute_path(dav, calendar):
    dav.put(calendar + "a.ics", event("a"))

    assert dav("MOVE", calendar + "a.ics", Destination=calendar + "b.ics").status == 201


@pytest.mark.parametrize("headers", [{}, {"Destination": "http://[bad"}, {"Destination": "/anna/%FF/x"}])
def test_a_destination_that_is_none_is_a_bad_request(dav, calendar, headers):
    dav.put(calendar + "a.ics", event("a"))

    assert dav("MOVE", calendar + "a.ics", **headers).status == 400


def test_if_match_is_about_the_source(dav, calendar):
    etag = dav.put(calendar + "a.ics", event("a")).etag

    wrong = dav.move(calendar + "a.ics", calendar + "b.ics", If_Match='"no"')
    right = dav.move(calendar + "a.ics", calendar + "b.ics", If_Match=etag)

    assert (wrong.status, right.status) == (412, 201)


def test_a_renamed_collection_keeps_everything(dav, calendar):
    dav.put(calendar + "a.ics", event("a"))
    dav.proppatch(calendar, set="<D:displayname>Name</D:displayname>")
    token = dav.sync(calendar).multistatus().token
    renamed = calendar[:-1] + "-renamed/"

    moved = dav.move(calendar, renamed)

    assert moved.status == 201
    assert dav.get(calendar + "a.ics").status == 404
    assert dav.get(renamed + "a.ics").body == event("a")
    assert dav.value(renamed, DAV + "displayname").text == "Name"
    assert dav.sync(renamed, token).multistatus().names == []


def test_a_copied_collection_has_a_history_of_its_own(dav, calendar):
    dav.put(calendar + "a.ics", event("a"))
    token = dav.sync(calendar).multistatus().token
    copy = calendar[:-1] + "-copy/"

    copied = dav.copy(calendar, copy)

    assert copied.status == 201
    assert dav.get(copy + "a.ics").body == event("a")
    assert dav.sync(copy, token).status == 403


def test_homes_cannot_be_moved_or_overwritten(dav, calendar):
    assert dav.move("/anna/", "/anna/x/").status in (403, 405)
    assert dav.move(calendar, "/anna/").status == 403
    assert dav.propfind(calendar, DAV + "resourcetype").only()


def test_a_calendar_does_not_replace_an_address_book(dav, calendar, book):
    answer = dav.move(calendar, book)

    assert answer.status == 403
    assert dav.propfind(calendar, DAV + "resourcetype").only()
    assert dav.propfind(book, DAV + "resourcetype").only()


@pytest.mark.parametrize("depth", ["1", "x"])
def test_a_collection_is_copied_with_depth_0_or_infinity(dav, calendar, depth):
    assert dav.copy(calendar, calendar[:-1] + "-copy/", Depth=depth).status == 400
