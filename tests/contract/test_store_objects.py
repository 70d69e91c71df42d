"""Objects: bytes as sent, names, UIDs, and the questions that queries ask."""

from __future__ import annotations

import dataclasses

import pytest
from store_samples import NOW, event

from tagwerk.errors import NotFound, UidConflict
from tagwerk.model import FOREVER, Busy
from tagwerk.store.objects import (
    candidates,
    etag_of,
    etags,
    find_object,
    find_uid,
    objects,
    objects_named,
    put_object,
    remove_object,
)


def put(store, calendar, name, upload, *, now=NOW):
    with store.write() as txn:
        return put_object(txn, calendar.id, name, upload=upload, now=now)


def test_an_object_comes_back_byte_for_byte(store, calendar):
    upload = dataclasses.replace(event("a"), content=b"\x00\xff\r\n\n\r \xc3\xa4")

    stored = put(store, calendar, "a.ics", upload)

    with store.read() as txn:
        found = find_object(txn, calendar.id, "a.ics", content=True)
    assert found is not None
    assert found.content == upload.content
    assert found.etag == stored.etag == etag_of(upload.content)
    assert found.size == len(upload.content)
    assert (found.created, found.modified) == (NOW, NOW)


def test_an_etag_is_strong_and_depends_on_every_byte():
    assert etag_of(b"a") != etag_of(b"b")
    assert etag_of(b"a").startswith('"')
    assert etag_of(b"a").endswith('"')


def test_content_is_not_read_unless_it_is_asked_for(store, calendar):
    put(store, calendar, "a.ics", event("a"))

    with store.read() as txn:
        found = find_object(txn, calendar.id, "a.ics")

    assert found is not None
    assert found.content is None


def test_the_same_bytes_again_change_nothing(store, calendar, current):
    first = put(store, calendar, "a.ics", event("a"))

    second = put(store, calendar, "a.ics", event("a"), now=NOW + 60)

    assert second == first
    with store.read() as txn:
        assert current(txn).modseq == first.modseq


def test_a_change_keeps_the_time_of_creation(store, calendar):
    put(store, calendar, "a.ics", event("a"))

    changed = put(store, calendar, "a.ics", event("a", summary="Later"), now=NOW + 60)

    assert (changed.created, changed.modified) == (NOW, NOW + 60)


def test_a_uid_is_unique_in_its_collection(store, calendar, current):
    first = put(store, calendar, "a.ics", event("a"))

    with pytest.raises(UidConflict) as caught:
        put(store, calendar, "b.ics", event("a", summary="Other"))

    assert caught.value.existing == "a.ics"
    with store.read() as txn:
        assert find_object(txn, calendar.id, "b.ics") is None
        assert current(txn).modseq == first.modseq


def test_a_uid_is_free_again_when_its_object_is_removed(store, calendar):
    put(store, calendar, "a.ics", event("a"))

    with store.write() as txn:
        remove_object(txn, calendar.id, "a.ics", now=NOW)
    put(store, calendar, "b.ics", event("a"))

    with store.read() as txn:
        found = find_uid(txn, calendar.id, "a")
    assert found is not None
    assert found.name == "b.ics"


def test_a_name_may_take_another_uid(store, calendar):
    put(store, calendar, "a.ics", event("a"))

    put(store, calendar, "a.ics", event("b"))

    with store.read() as txn:
        assert find_uid(txn, calendar.id, "a") is None
        assert find_uid(txn, calendar.id, "b") is not None


def test_names_and_uids_differ_by_case_and_by_every_character(store, calendar):
    names = ["a.ics", "A.ics", "ä.ics", "a\u0308.ics", "a ics", "a%0Aics", "😀"]

    for name in names:
        put(store, calendar, name, event(name))

    with store.read() as txn:
        assert sorted(name for name, _ in etags(txn, calendar.id)) == sorted(names)


def test_a_removed_object_is_nowhere(store, calendar):
    put(store, calendar, "a.ics", event("a"))

    with store.write() as txn:
        remove_object(txn, calendar.id, "a.ics", now=NOW)

    with store.read() as txn:
        assert find_object(txn, calendar.id, "a.ics") is None
        assert list(objects(txn, calendar.id)) == []
        assert list(objects_named(txn, calendar.id, ["a.ics"])) == []
        assert candidates(txn, calendar.id, component=None, start=0, end=1) == []


def test_removing_what_is_not_there_is_an_error(store, calendar):
    with pytest.raises(NotFound), store.write() as txn:
        remove_object(txn, calendar.id, "a.ics", now=NOW)


def test_an_object_that_comes_again_is_a_new_one(store, calendar):
    put(store, calendar, "a.ics", event("a"))
    with store.write() as txn:
        remove_object(txn, calendar.id, "a.ics", now=NOW + 1)

    again = put(store, calendar, "a.ics", event("a"), now=NOW + 2)

    assert again.created == NOW + 2


def test_objects_come_in_the_order_of_their_last_changes(store, calendar):
    for uid in ("a", "b", "c"):
        put(store, calendar, f"{uid}.ics", event(uid))
    put(store, calendar, "a.ics", event("a", summary="Later"))

    with store.read() as txn:
        names = [each.name for each in objects(txn, calendar.id)]

    assert names == ["b.ics", "c.ics", "a.ics"]


def test_any_number_of_objects_can_be_named(store, calendar):
    with store.write() as txn:
        for number in range(1200):
            put_object(txn, calendar.id, f"{number}.ics", upload=event(str(number)), now=NOW)

    with store.read() as txn:
        names = [f"{number}.ics" for number in range(1300)] * 2
        found = [each.name for each in objects_named(txn, calendar.id, names)]

    assert len(found) == 1200
    assert len(set(found)) == 1200


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 50, set()),
        (50, 100, {"early"}),
        (150, 500, {"early"}),
        (150, 1000, {"early", "late"}),
        (5000, 6000, {"endless"}),
        (2000, 2000, {"late", "endless"}),
    ],
)
def test_candidates_are_what_may_happen_in_a_time(store, calendar, start, end, expected):
    put(store, calendar, "early", event("early", first=100, last=200))
    put(store, calendar, "late", event("late", first=1000, last=2000))
    put(store, calendar, "endless", event("endless", first=2000, last=FOREVER))

    with store.read() as txn:
        found = candidates(txn, calendar.id, component="VEVENT", start=start, end=end)

    assert {each.name for each in found} == expected


def test_floating_times_are_candidates_a_day_around(store, calendar):
    put(store, calendar, "a", event("a", first=100_000, last=100_100, floating=True))

    with store.read() as txn:
        near = candidates(txn, calendar.id, component=None, start=180_000, end=180_100)
        far = candidates(txn, calendar.id, component=None, start=190_000, end=190_100)

    assert [each.floating for each in near] == [True]
    assert far == []


@pytest.mark.parametrize(
    ("needles", "expected"),
    [
        ([("100",)], ["a", "b"]),
        ([("100%",)], ["a"]),
        ([("of_it",)], ["a"]),
        ([("\\now",)], ["a"]),
        ([("100",), ("percent",)], ["b"]),
        ([("percent",), ("%",)], []),
        ([("percent", "%")], ["a", "b"]),
    ],
)
def test_candidates_hold_one_string_of_every_choice_literally(store, calendar, needles, expected):
    put(store, calendar, "a", event("a", search="100% of_it\\now"))
    put(store, calendar, "b", event("b", search="100 percent of it"))

    with store.read() as txn:
        found = candidates(txn, calendar.id, component=None, start=0, end=9, needles=tuple(needles))

    assert sorted(each.name for each in found) == expected


def test_candidates_carry_what_decides_without_reading(store, calendar):
    upload = event("a", first=5, last=9, busy=Busy.TENTATIVE, spans=b"\x01\x02", spans_from=1, spans_until=7)
    put(store, calendar, "a", upload)

    with store.read() as txn:
        (found,) = candidates(txn, calendar.id, component="VEVENT", start=0, end=9)

    assert (found.busy, found.first, found.last) == (Busy.TENTATIVE, 5, 9)
    assert (found.spans, found.spans_from, found.spans_until) == (b"\x01\x02", 1, 7)


def test_candidates_are_of_one_component_if_it_is_named(store, calendar):
    put(store, calendar, "a", event("a"))
    put(store, calendar, "b", event("b", component="VTODO"))

    with store.read() as txn:
        found = candidates(txn, calendar.id, component="VTODO", start=0, end=9)

    assert [each.name for each in found] == ["b"]
