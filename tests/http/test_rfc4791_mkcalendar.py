"""MKCALENDAR (RFC 4791 5.3.1), over HTTP."""

from __future__ import annotations

from davclient import CALDAV, DAV, ICAL, NS, not_collections
from davsamples import event, task


def made(properties: str) -> str:
    return f"<C:mkcalendar {NS}><D:set><D:prop>{properties}</D:prop></D:set></C:mkcalendar>"


def test_a_calendar_is_made_without_a_body(account):
    path = f"/{account.user}/new/"

    answer = account("MKCALENDAR", path)

    assert answer.status == 201
    kinds = {node.tag for node in account.value(path, DAV + "resourcetype")}
    assert kinds == {DAV + "collection", CALDAV + "calendar"}
    assert account.put(path + "a.ics", event("a")).status == 201


def test_a_calendar_is_made_with_its_properties(account):
    path = f"/{account.user}/new/"

    answer = account(
        "MKCALENDAR",
        path,
        made(
            "<D:displayname>Böhm &amp; Söhne</D:displayname><I:calendar-color>#112233</I:calendar-color>"
            '<C:supported-calendar-component-set><C:comp name="VTODO"/></C:supported-calendar-component-set>'
        ),
    )

    found = account.propfind(path, DAV + "displayname", ICAL + "calendar-color").only()
    assert answer.status == 201
    assert found.text(DAV + "displayname") == "Böhm & Söhne"
    assert found.text(ICAL + "calendar-color") == "#112233"
    assert account.put(path + "t.ics", task()).status == 201
    assert account.put(path + "a.ics", event("a")).condition == CALDAV + "supported-calendar-component"


def test_nothing_is_made_when_a_property_is_refused(account):
    path = f"/{account.user}/new/"

    answer = account("MKCALENDAR", path, made('<D:displayname>x</D:displayname><D:getetag>"x"</D:getetag>'))

    assert answer.status in (207, 403)
    assert b"getetag" in answer.body
    assert account("PROPFIND", path, Depth="0").status == 404


def test_components_that_no_calendar_holds_are_refused(account):
    answer = account(
        "MKCALENDAR",
        f"/{account.user}/new/",
        made(
            '<C:supported-calendar-component-set><C:comp name="VPIZZA"/></C:supported-calendar-component-set>'
        ),
    )

    assert answer.status in (207, 403)
    assert account("PROPFIND", f"/{account.user}/new/", Depth="0").status == 404


def test_what_is_there_cannot_be_made_again(account):
    path = f"/{account.user}/calendar/"
    account.put(path + "a.ics", event("a"))

    answer = account("MKCALENDAR", path)

    assert answer.status in (403, 405)
    assert answer.condition == DAV + "resource-must-be-null"
    assert account.get(path + "a.ics").status == 200


def test_a_calendar_in_a_calendar_is_refused(account):
    answer = account("MKCALENDAR", f"/{account.user}/calendar/inner/")

    assert answer.status == 403
    assert answer.condition == CALDAV + "calendar-collection-location-ok"


def test_a_calendar_in_nothing_is_a_conflict(account):
    assert account("MKCALENDAR", f"/{account.user}/nothing/inner/").status == 409


def test_a_calendar_beside_the_homes_is_refused(account):
    assert account("MKCALENDAR", "/somewhere/").status in (403, 405, 409)
    assert account("MKCALENDAR", "/").status in (403, 405)


def test_names_of_calendars_are_free_but_for_what_a_path_cannot_hold(account):
    for name in ("%C3%84rzte", "a%20b", "x.y", "%F0%9F%98%80", "A" * 255):
        assert account("MKCALENDAR", f"/{account.user}/{name}/").status == 201, name
    for name in ("..", ".", "%2E%2E", "a%2Fb", "a%00b", "a%0Ab", "a%5Cb", "%FF", "B" * 256):
        answer = account("MKCALENDAR", f"/{account.user}/{name}/")
        assert 400 <= answer.status < 500, name

    found = account.propfind(f"/{account.user}/", DAV + "resourcetype", depth="1")
    assert len([href for href in found if href not in not_collections(f"/{account.user}/")]) == 1 + 3 + 5


def test_the_slash_at_the_end_may_be_missing(account):
    assert account("MKCALENDAR", f"/{account.user}/new").status == 201
    assert (
        account.propfind(f"/{account.user}/new", DAV + "resourcetype").only().href == f"/{account.user}/new/"
    )


def test_a_calendar_that_was_deleted_can_be_made_again_and_has_a_new_history(account):
    path = f"/{account.user}/calendar/"
    account.put(path + "a.ics", event("a"))
    token = account.sync(path).multistatus().token
    account.delete(path)

    account("MKCALENDAR", path)

    assert account.sync(path, token).condition == DAV + "valid-sync-token"
    assert account.sync(path).multistatus().names == []
