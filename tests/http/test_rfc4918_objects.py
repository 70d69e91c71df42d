"""GET, HEAD, PUT and DELETE (RFC 4918 9.4-9.7), over HTTP."""

from __future__ import annotations

from davclient import DAV, Dav
from davsamples import card, event, task


def test_an_object_comes_back_byte_for_byte_with_its_strong_etag(dav, calendar):
    body = event("a", summary="Ä \U0001f600 \t weiß", more="X-ODD;X=1:  trailing \nx-lower:yes")

    stored = dav.put(calendar + "a.ics", body)
    got = dav.get(calendar + "a.ics")

    assert stored.status == 201
    assert stored.etag == got.etag
    assert got.etag.startswith('"')
    assert got.body == body
    assert got.headers["content-type"] == "text/calendar; charset=utf-8; component=VEVENT"
    assert got.headers["content-length"] == str(len(body))


def test_bare_line_feeds_and_long_lines_are_kept(dav, calendar):
    body = event("a", more="X-LONG:" + "ä" * 500).replace(b"\r\n", b"\n")

    stored = dav.put(calendar + "a.ics", body)

    assert stored.etag is not None
    assert dav.get(calendar + "a.ics").body == body


def test_a_card_comes_back_byte_for_byte(dav, book):
    body = card("c", version="4.0", more="PHOTO:data:image/png;base64," + "iVBORw0K" * 500)

    stored = dav.put(book + "c.vcf", body)
    got = dav.get(book + "c.vcf")

    assert stored.status == 201
    assert got.body == body
    assert got.etag == stored.etag
    assert got.headers["content-type"].startswith("text/vcard")


def test_replacing_an_object_answers_204_with_another_etag(dav, calendar):
    first = dav.put(calendar + "a.ics", event("a"))

    second = dav.put(calendar + "a.ics", event("a", summary="changed"))

    assert (first.status, second.status) == (201, 204)
    assert first.etag != second.etag
    assert b"changed" in dav.get(calendar + "a.ics").body


def test_head_answers_like_get_without_a_body(dav, calendar):
    dav.put(calendar + "a.ics", event("a"))

    got, head = dav.get(calendar + "a.ics"), dav("HEAD", calendar + "a.ics")

    assert head.status == 200
    assert head.body == b""
    for name in ("etag", "content-length", "content-type", "last-modified"):
        assert head.headers[name] == got.headers[name]


def test_head_of_a_collection_answers_like_get_without_a_body(dav, calendar):
    dav.put(calendar + "a.ics", event("a"))

    got, head = dav.get(calendar), dav("HEAD", calendar)

    assert (head.status, head.body) == (200, b"")
    for name in ("etag", "content-length", "content-type", "last-modified"):
        assert head.headers[name] == got.headers[name]


def test_head_of_what_get_streams_names_no_length(dav, calendar):
    for name in ("a", "b", "c"):
        dav.put(f"{calendar}{name}.ics", event(name, more="DESCRIPTION:" + "x" * 100_000))

    got, head = dav.get(calendar), dav("HEAD", calendar)

    assert got.headers["transfer-encoding"] == "chunked"
    assert (head.status, head.body, head.etag) == (200, b"", got.etag)
    assert "content-length" not in head.headers


def test_head_of_a_page_has_the_length_of_what_is_compressed(account):
    home = f"/{account.user}/"
    for number in range(30):
        assert account("MKCALENDAR", f"{home}{number}/").status == 201

    got, head = (account(method, home, Accept_Encoding="gzip") for method in ("GET", "HEAD"))

    assert got.headers["content-encoding"] == "gzip"
    for name in ("content-encoding", "content-length", "vary"):
        assert head.headers[name] == got.headers[name]


def test_a_deleted_object_is_gone(dav, calendar):
    dav.put(calendar + "a.ics", event("a"))

    first, second = dav.delete(calendar + "a.ics"), dav.delete(calendar + "a.ics")

    assert (first.status, second.status) == (204, 404)
    assert dav.get(calendar + "a.ics").status == 404


def test_a_deleted_object_can_be_put_again(dav, calendar):
    dav.put(calendar + "a.ics", event("a"))
    dav.delete(calendar + "a.ics")

    again = dav.put(calendar + "a.ics", event("b"), If_None_Match="*")

    assert again.status == 201


def test_a_deleted_collection_is_gone_and_can_be_made_again_empty(dav, calendar):
    dav.put(calendar + "a.ics", event("a"))

    deleted = dav.delete(calendar)
    missing = dav.get(calendar + "a.ics")
    made = dav("MKCALENDAR", calendar)

    assert (deleted.status, missing.status, made.status) == (204, 404, 201)
    assert dav.propfind(calendar, DAV + "getetag", depth="1").found.keys() == {calendar}


def test_a_home_cannot_be_deleted(account):
    answer = account.delete(f"/{account.user}/")

    assert answer.status in (403, 405)
    assert account.propfind(f"/{account.user}/", DAV + "resourcetype", depth="1").found.keys() > {
        f"/{account.user}/"
    }


def test_a_missing_collection_is_a_conflict_for_put(dav):
    answer = dav.put("/anna/nowhere/a.ics", event("a"))

    assert answer.status == 409
    assert answer.sentence


def test_a_folder_below_a_collection_is_a_conflict_for_put(dav, calendar):
    answer = dav.put(calendar + "folder/a.ics", event("a"))

    assert answer.status == 409


def test_put_cannot_replace_a_collection(dav, calendar):
    dav.put(calendar + "a.ics", event("a"))

    answer = dav.put(calendar, event("b"))

    assert answer.status == 405
    assert "PUT" not in answer.headers["allow"]
    assert dav.get(calendar + "a.ics").status == 200


def test_a_collection_can_be_read_as_one_calendar(dav, calendar):
    dav.put(calendar + "a.ics", event("a"))
    dav.put(calendar + "t.ics", task("t"))

    got = dav.get(calendar)

    assert got.status == 200
    assert got.headers["content-type"].startswith("text/calendar")
    assert got.body.count(b"BEGIN:VCALENDAR") == 1
    assert b"UID:a\r\n" in got.body
    assert b"UID:t\r\n" in got.body


def test_an_address_book_can_be_read_as_one_file(dav, book):
    bodies = [card("a"), card("b")]
    for number, body in enumerate(bodies):
        dav.put(f"{book}{number}.vcf", body)

    got = dav.get(book)

    assert got.headers["content-type"].startswith("text/vcard")
    assert sorted(got.body.split(b"END:VCARD\r\n")) == sorted(b"".join(bodies).split(b"END:VCARD\r\n"))


def test_the_names_of_objects_are_free(dav, calendar):
    names = [
        "a%20b.ics",
        "%C3%A4.ics",
        "%F0%9F%98%80.ics",
        "a%0Ab.ics",
        "no-suffix",
        "x.txt",
        "a%25b",
        "a;b,c=d&e'f(g)",
        "%3F%23.ics",
        ".hidden",
        "a" * 255,
    ]

    for number, name in enumerate(names):
        assert dav.put(calendar + name, event(f"uid{number}")).status == 201, name

    found = dav.propfind(calendar, DAV + "getetag", depth="1")
    hrefs = [href for href in found if href != calendar]
    assert len(hrefs) == len(names)
    for number, name in enumerate(names):
        assert f"UID:uid{number}\r\n".encode() in dav.get(calendar + name).body, name
    for href in hrefs:
        assert dav.get(href).etag == found[href].etag, href


def test_the_same_name_encoded_in_another_way_is_the_same_object(dav, calendar):
    dav.put(calendar + "a@b~c!.ics", event("a"))

    answer = dav.get(calendar + "%61%40b%7Ec%21.ics")

    assert answer.status == 200


def test_putting_the_same_bytes_again_keeps_the_etag(dav, calendar):
    first = dav.put(calendar + "a.ics", event("a"))
    token = dav.sync(calendar).multistatus().token

    second = dav.put(calendar + "a.ics", event("a"))

    assert second.etag == first.etag
    assert dav.sync(calendar, token).multistatus().names == []


def test_what_post_is_asked_for_is_refused_in_words(dav, calendar):
    answer = dav("POST", calendar, b"x", Content_Type="text/calendar")

    assert answer.status in (403, 405, 501)
    assert answer.status != 501 or answer.body


def test_a_method_that_is_not_there_is_not_allowed(dav, calendar):
    answer = dav("SUBSCRIBE", calendar)

    assert answer.status == 405
    assert "PROPFIND" in answer.headers["allow"]


def test_a_method_that_nobody_knows_is_a_bad_request(dav, calendar):
    answer = dav("BREW", calendar)

    assert answer.status in (400, 405, 501)
    assert answer.body


def test_lock_is_neither_announced_nor_served(dav, calendar):
    options, lock = dav("OPTIONS", calendar), dav("LOCK", calendar + "a.ics", b"<x/>")

    assert "2" not in [token.strip() for token in options.headers["dav"].split(",")]
    assert "LOCK" not in options.headers["allow"]
    assert lock.status == 405


def test_every_method_that_options_allows_is_served(dav, calendar, book):
    for path in ("/", "/anna/", calendar, book):
        for method in dav("OPTIONS", path).headers["allow"].split(", "):
            if method in ("DELETE", "MOVE", "COPY", "MKCOL", "MKCALENDAR"):
                continue  # do what they say, or 405 because there is something; tested elsewhere
            assert dav(method, path).status not in (405, 501), (method, path)


def test_options_announces_what_is_there_for_nobody_too(server):
    client = Dav(server.url, None)

    answer = client("OPTIONS", "/")
    client.close()

    tokens = {token.strip() for token in answer.headers["dav"].split(",")}
    assert answer.status == 200
    assert {"1", "3", "calendar-access", "addressbook", "extended-mkcol"} <= tokens


def test_another_users_collections_are_closed_whether_they_are_there_or_not(dav, account, calendar):
    dav.put(calendar + "a.ics", event("a"))

    answers = [
        account(method, path)
        for method in ("GET", "PROPFIND", "DELETE")
        for path in (
            calendar,
            calendar + "a.ics",
            "/anna/nothing/",
            "/nobody-at-all/x/",
            "/nobody-at-all/x/y.ics",
        )
    ]

    assert {answer.status for answer in answers} == {403}
    assert account.put(calendar + "b.ics", event("b")).status == 403
    assert account("MKCALENDAR", "/anna/mine/").status == 403
    assert account.move(calendar + "a.ics", f"/{account.user}/calendar/a.ics").status == 403
    assert account.copy(calendar + "a.ics", f"/{account.user}/calendar/a.ics").status == 403
    assert dav.get(calendar + "a.ics").status == 200
