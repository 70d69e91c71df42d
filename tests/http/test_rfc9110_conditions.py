"""Conditional requests (RFC 9110 13), over HTTP."""

from __future__ import annotations

import pytest

from davsamples import event


@pytest.fixture
def stored(dav, calendar):
    """The path of an object, and its ETag."""
    path = calendar + "a.ics"
    etag = dav.put(path, event("a")).etag
    return path, etag


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("{}", 204),
        ("*", 204),
        ('"x", {}', 204),
        ('{},"y"', 204),
        ('"x"', 412),
        ('W/"x", "y"', 412),
        ("W/{}", 412),
    ],
)
def test_if_match_on_put(dav, stored, header, status):
    path, etag = stored

    answer = dav.put(path, event("a", summary="new"), If_Match=header.format(etag))

    assert answer.status == status
    assert (b"new" in dav.get(path).body) == (status == 204)


@pytest.mark.parametrize(("header", "status"), [("*", 412), ('"x"', 412)])
def test_if_match_on_what_is_not_there(dav, calendar, header, status):
    answer = dav.put(calendar + "a.ics", event("a"), If_Match=header)

    assert answer.status == status
    assert dav.get(calendar + "a.ics").status == 404


@pytest.mark.parametrize(
    ("header", "status"),
    [("*", 412), ("{}", 412), ('"x", {}', 412), ("W/{}", 412), ('"x"', 204), ('"x", "y"', 204)],
)
def test_if_none_match_on_put(dav, stored, header, status):
    path, etag = stored

    answer = dav.put(path, event("a", summary="new"), If_None_Match=header.format(etag))

    assert answer.status == status


def test_if_none_match_star_makes_what_is_not_there(dav, calendar):
    assert dav.put(calendar + "a.ics", event("a"), If_None_Match="*").status == 201


@pytest.mark.parametrize(("header", "status"), [("{}", 204), ("*", 204), ('"x"', 412), ('"x", {}', 204)])
def test_if_match_on_delete(dav, stored, header, status):
    path, etag = stored

    assert dav.delete(path, If_Match=header.format(etag)).status == status
    assert dav.get(path).status == (404 if status == 204 else 200)


def test_a_failed_condition_says_so_in_a_sentence(dav, stored):
    path, _ = stored

    answer = dav.put(path, event("a"), If_Match='"x"')

    assert answer.status == 412
    assert answer.sentence


@pytest.mark.parametrize(
    ("header", "status"), [("{}", 304), ("*", 304), ("W/{}", 304), ('"x", {}', 304), ('"x"', 200)]
)
def test_if_none_match_on_get(dav, stored, header, status):
    path, etag = stored

    answer = dav.get(path, If_None_Match=header.format(etag))

    assert answer.status == status
    if status == 304:
        assert answer.body == b""
        assert answer.etag == etag


def test_if_modified_since(dav, stored):
    path, _ = stored
    modified = dav.get(path).headers["last-modified"]

    assert dav.get(path, If_Modified_Since=modified).status == 304
    assert dav.get(path, If_Modified_Since="Thu, 01 Jan 1970 00:00:00 GMT").status == 200
    assert dav.get(path, If_Modified_Since="yesterday").status == 200
    assert dav.get(path, If_Modified_Since=modified, If_None_Match='"x"').status == 200


def test_if_unmodified_since(dav, stored):
    path, _ = stored
    modified = dav.get(path).headers["last-modified"]

    old = dav.put(path, event("a", summary="1"), If_Unmodified_Since="Thu, 01 Jan 1970 00:00:00 GMT")
    now = dav.put(path, event("a", summary="2"), If_Unmodified_Since=modified)

    assert old.status == 412
    assert now.status == 204


def test_if_match_on_get(dav, stored):
    path, etag = stored

    assert dav.get(path, If_Match=etag).status == 200
    assert dav.get(path, If_Match='"x"').status == 412


def test_a_collection_has_an_etag_that_changes_with_its_content(dav, calendar):
    before = dav.get(calendar).etag
    again = dav.get(calendar, If_None_Match=before)
    dav.put(calendar + "a.ics", event("a"))

    assert again.status == 304
    assert dav.get(calendar, If_None_Match=before).status == 200


def test_two_clients_that_change_the_same_object_do_not_overwrite_each_other(dav, stored):
    path, etag = stored

    first = dav.put(path, event("a", summary="first"), If_Match=etag)
    second = dav.put(path, event("a", summary="second"), If_Match=etag)

    assert (first.status, second.status) == (204, 412)
    assert b"first" in dav.get(path).body


def test_the_if_header_of_webdav_is_a_condition_too(dav, stored):
    path, etag = stored

    wrong = dav.put(path, event("a", summary="1"), If='(["x"])')
    right = dav.put(path, event("a", summary="2"), If=f"([{etag}])")
    lock = dav.put(path, event("a", summary="3"), If="(<opaquelocktoken:made-up>)")

    assert (wrong.status, right.status, lock.status) == (412, 204, 412)


@pytest.mark.parametrize("header", ["", ",", '"', "\\", "x" * 5000, '"a" "b"', "W/", '"é"'])
def test_strange_conditions_do_no_harm(dav, stored, header):
    path, _ = stored

    for name in ("If_Match", "If_None_Match", "If", "If_Modified_Since"):
        assert dav.put(path, event("a"), **{name: header.encode().decode("latin-1")}).status in (
            204,
            400,
            412,
        )
