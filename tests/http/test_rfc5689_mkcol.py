"""MKCOL and extended MKCOL (RFC 4918 9.3, RFC 5689), over HTTP."""

from __future__ import annotations

import pytest

from davclient import CALDAV, CARDDAV, DAV, NS
from davsamples import card, event


def mkcol(properties: str) -> str:
    return f"<D:mkcol {NS}><D:set><D:prop>{properties}</D:prop></D:set></D:mkcol>"


BOOK = "<D:resourcetype><D:collection/><CR:addressbook/></D:resourcetype>"
CALENDAR = "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>"


def test_an_address_book_is_made(account):
    path = f"/{account.user}/new/"

    answer = account("MKCOL", path, mkcol(BOOK + "<D:displayname>Leute</D:displayname>"))

    assert answer.status == 201
    kinds = {node.tag for node in account.value(path, DAV + "resourcetype")}
    assert kinds == {DAV + "collection", CARDDAV + "addressbook"}
    assert account.value(path, DAV + "displayname").text == "Leute"
    assert account.put(path + "c.vcf", card()).status == 201


def test_a_calendar_is_made(account):
    path = f"/{account.user}/new/"

    answer = account("MKCOL", path, mkcol(CALENDAR))

    assert answer.status == 201
    assert account.put(path + "a.ics", event("a")).status == 201


@pytest.mark.parametrize(
    "kind",
    [
        "<D:resourcetype><D:collection/></D:resourcetype>",
        "<D:resourcetype><D:collection/><x:pizza xmlns:x='urn:x'/></D:resourcetype>",
        "<D:resourcetype><D:collection/><C:calendar/><CR:addressbook/></D:resourcetype>",
        "<D:resourcetype/>",
    ],
)
def test_other_kinds_of_collections_are_refused_with_the_precondition(account, kind):
    answer = account("MKCOL", f"/{account.user}/new/", mkcol(kind))

    assert answer.status == 403
    assert b"valid-resourcetype" in answer.body
    assert account("PROPFIND", f"/{account.user}/new/", Depth="0").status == 404


def test_nothing_is_made_when_a_property_is_refused(account):
    answer = account(
        "MKCOL",
        f"/{account.user}/new/",
        mkcol(BOOK + '<D:displayname>x</D:displayname><D:getetag>"x"</D:getetag>'),
    )

    root = answer.xml()
    assert answer.status == 403
    assert root.tag == DAV + "mkcol-response"
    statuses = {
        node.tag: stat.findtext(DAV + "status").split()[1]
        for stat in root.iterfind(DAV + "propstat")
        for node in stat.find(DAV + "prop")
    }
    assert statuses[DAV + "getetag"] == "403"
    assert statuses[DAV + "displayname"] == "424"
    assert account("PROPFIND", f"/{account.user}/new/", Depth="0").status == 404


def test_plain_mkcol_makes_nothing_that_nobody_could_use(account):
    answer = account("MKCOL", f"/{account.user}/new/")

    assert answer.status == 403
    assert answer.sentence


def test_a_body_that_is_no_xml_is_an_unsupported_media_type(account):
    answer = account("MKCOL", f"/{account.user}/new/", b"hello", Content_Type="text/plain")

    assert answer.status == 415


def test_what_is_there_cannot_be_made_again(account):
    assert account("MKCOL", f"/{account.user}/contacts/", mkcol(BOOK)).status == 405
    assert account("MKCOL", f"/{account.user}/", mkcol(BOOK)).status == 405
    assert account("MKCOL", "/", mkcol(BOOK)).status == 405


def test_a_missing_parent_is_a_conflict(account):
    assert account("MKCOL", f"/{account.user}/nothing/new/", mkcol(BOOK)).status == 409


def test_a_property_of_calendars_is_no_property_of_address_books(account):
    path = f"/{account.user}/new/"

    account("MKCOL", path, mkcol(BOOK))

    found = account.propfind(path, CALDAV + "supported-calendar-component-set").only()
    assert found.others == {CALDAV + "supported-calendar-component-set": 404}
