"""tagwerk_radicale.storage under stock Radicale."""

from __future__ import annotations

import pytest
from stock import NOW, card, event

from tagwerk.accounts.users import add_user
from tagwerk.model import NO_BINDING
from tagwerk.store.collections import find_binding
from tagwerk.store.objects import etag_of, objects
from tagwerk.store.properties import collection_properties, set_collection_properties

DISPLAYNAME = "{DAV:}displayname"
COLOR = "{http://apple.com/ns/ical/}calendar-color"
CTAG = "{http://calendarserver.org/ns/}getctag"
TOKEN = "{DAV:}sync-token"
COMPONENTS = "{urn:ietf:params:xml:ns:caldav}supported-calendar-component-set"

CALENDAR, TASKS, CONTACTS = "/anna/calendar/", "/anna/tasks/", "/anna/contacts/"


def stored(engine, name, *, home="anna"):
    """Name to content of everything in a collection."""
    with engine.read() as txn:
        binding = find_binding(txn, home, name)
        return {one.name: one.content.decode() for one in objects(txn, binding.collection.id, content=True)}


def test_an_event_comes_back_as_radicale_gave_it(anna, engine):
    put = anna("PUT", CALENDAR + "a.ics", event("a"), content_type="text/calendar; charset=utf-8")
    got = anna("GET", CALENDAR + "a.ics")

    assert (put.status, got.status) == (201, 200)
    assert got.text == stored(engine, "calendar")["a.ics"]
    assert "SUMMARY:Frühstück\r\n" in got.text
    assert put.headers["ETag"] == got.headers["ETag"] == etag_of(got.body)
    assert got.headers["Content-Type"] == "text/calendar; charset=utf-8"


def test_a_card_comes_back_as_radicale_gave_it(anna, engine):
    put = anna("PUT", CONTACTS + "a.vcf", card("a"), content_type="text/vcard")
    got = anna("GET", CONTACTS + "a.vcf")

    assert (put.status, got.status) == (201, 200)
    assert got.text == stored(engine, "contacts")["a.vcf"]
    assert got.headers["ETag"] == etag_of(got.body)
    assert got.headers["Content-Type"] == "text/vcard; charset=utf-8"


def test_what_was_stored_as_sent_comes_back_as_sent(anna, engine):
    sent = b"begin:vcard\nVERSION:4.0\nUID:a\nFN:A\nPHOTO:data:image/png;base64,AAAA\nX-ODD:  \xc3\xbc \nEND:VCARD\n"
    from tagwerk.store.objects import put_object
    from tagwerk.vcard.resource import read

    with engine.write() as txn:
        binding = find_binding(txn, "anna", "contacts")
        put_object(txn, binding.collection.id, "a.vcf", upload=read(sent), now=NOW)

    got = anna("GET", CONTACTS + "a.vcf")

    assert got.body == sent
    assert got.headers["ETag"] == etag_of(sent)


def test_an_event_is_replaced_and_removed(anna, engine):
    first = anna("PUT", CALENDAR + "a.ics", event("a"))

    changed = anna("PUT", CALENDAR + "a.ics", event("a", summary="changed"), if_match=first.headers["ETag"])
    stale = anna("PUT", CALENDAR + "a.ics", event("a", summary="lost"), if_match=first.headers["ETag"])
    again = anna("PUT", CALENDAR + "a.ics", event("a", summary="lost"), if_none_match="*")
    wrong = anna("DELETE", CALENDAR + "a.ics", if_match=first.headers["ETag"])
    removed = anna("DELETE", CALENDAR + "a.ics", if_match=changed.headers["ETag"])
    gone = anna("GET", CALENDAR + "a.ics")

    assert [one.status for one in (changed, stale, again, wrong, removed, gone)] == [
        204,
        412,
        412,
        412,
        200,
        404,
    ]
    assert stored(engine, "calendar") == {}


def test_a_uid_is_unique_in_its_collection(anna, engine):
    anna("PUT", CALENDAR + "a.ics", event("a"))

    other = anna("PUT", CALENDAR + "b.ics", event("a"))
    changed = anna("PUT", CALENDAR + "a.ics", event("b"))

    assert (other.status, changed.status) == (409, 409)
    assert "no-uid-conflict" in other.text
    assert list(stored(engine, "calendar")) == ["a.ics"]


@pytest.mark.parametrize("uid", ["a,b;c", "a\\,b", "a:b/c%0A?#", "ü 漢字 🎉", "x" * 300, " a ", "{a}-<b>&"])
def test_an_object_with_an_odd_uid_can_be_replaced(anna, uid):
    first = anna("PUT", CALENDAR + "a.ics", event(uid))

    second = anna("PUT", CALENDAR + "a.ics", event(uid, summary="changed"))

    assert (first.status, second.status) == (201, 204)


@pytest.mark.parametrize("name", ["a b.ics", "ü.ics", "%0A.ics", "a&b<c>;=+$!().ics", "🎉", " ", "x" * 255])
def test_odd_names_are_names(anna, name):
    put = anna("PUT", CALENDAR + name, event("a"))
    got = anna("GET", CALENDAR + name)
    listed = anna.propfind(CALENDAR, "{DAV:}getetag", depth="1")

    assert (put.status, got.status) == (201, 200)
    assert len(listed.statuses()) == 2


@pytest.mark.parametrize("name", ["x" * 256, "a\\b.ics"])
def test_names_that_could_not_be_served_are_refused(anna, engine, name):
    put = anna("PUT", CALENDAR + name, event("a"))

    assert put.status == 400
    assert stored(engine, "calendar") == {}


@pytest.mark.parametrize("name", ["calendar-proxy-read", "calendar-proxy-write", "-notifications"])
def test_the_servers_own_names_are_for_nothing_else(anna, name):
    made = [
        anna("MKCALENDAR", f"/anna/{name}/"),
        anna("PROPFIND", f"/anna/{name}/", depth="0"),
        anna("PUT", f"/anna/{name}/a.ics", event("a")),
        anna("PUT", f"{CALENDAR}{name}", event("a")),
    ]

    assert [answer.status for answer in made] == [403, 404, 409, 201]


def test_what_is_no_calendar_object_is_refused_and_nothing_changes(anna, engine):
    before = anna.propfind(CALENDAR, CTAG).value(CTAG)

    answers = [
        anna("PUT", CALENDAR + "a.ics", "nonsense"),
        anna("PUT", CALENDAR + "a.ics", card("a")),
        anna("PUT", CALENDAR + "a.ics", event("a", component="VTODO")),
        anna("PUT", CALENDAR + "a.ics", event("a").replace("DTSTART:20260301T080000Z", "DTSTART:soon")),
    ]

    assert [answer.status for answer in answers] == [400, 400, 403, 400]
    assert stored(engine, "calendar") == {}
    assert anna.propfind(CALENDAR, CTAG).value(CTAG) == before


def test_propfind_lists_the_home_and_its_collections(anna):
    listed = anna.propfind("/anna/", DISPLAYNAME, "{DAV:}resourcetype", depth="1")

    assert set(listed.statuses()) == {"/anna/", CALENDAR, TASKS, CONTACTS}
    assert "Calendar" in listed.text
    assert "addressbook" in listed.text


def test_propfind_lists_items_without_reading_them_and_with(anna):
    for name in "abc":
        anna("PUT", f"{CALENDAR}{name}.ics", event(name))

    etags = anna.propfind(CALENDAR, "{DAV:}getetag", depth="1")
    lengths = anna.propfind(CALENDAR, "{DAV:}getcontentlength", "{DAV:}getlastmodified", depth="1")

    assert set(etags.statuses()) == {CALENDAR, *(f"{CALENDAR}{name}.ics" for name in "abc")}
    one = anna("GET", CALENDAR + "a.ics")
    assert one.headers["ETag"].strip('"') in etags.text
    assert f">{len(one.body)}<" in lengths.text


def test_the_components_of_a_calendar_are_the_stored_ones(anna):
    found = anna.propfind(TASKS, COMPONENTS)

    names = [node.attrib["name"] for node in found.xml().iter("{urn:ietf:params:xml:ns:caldav}comp")]
    assert names == ["VTODO"]


def test_sync_reports_what_changed_and_what_is_gone(anna):
    for name in "abc":
        anna("PUT", f"{CALENDAR}{name}.ics", event(name))
    first = anna.sync(CALENDAR)
    anna("PUT", CALENDAR + "a.ics", event("a", summary="changed"))
    anna("DELETE", CALENDAR + "b.ics")

    second = anna.sync(CALENDAR, first.xml().findtext(TOKEN))
    third = anna.sync(CALENDAR, second.xml().findtext(TOKEN))

    assert first.statuses() == {f"{CALENDAR}{name}.ics": "200" for name in "abc"}
    assert second.statuses() == {CALENDAR + "a.ics": "200", CALENDAR + "b.ics": "404"}
    assert third.statuses() == {}
    assert third.xml().findtext(TOKEN) == second.xml().findtext(TOKEN)


def test_the_token_of_propfind_is_the_one_of_sync(anna):
    anna("PUT", CONTACTS + "a.vcf", card("a"))

    found = anna.propfind(CONTACTS, TOKEN)

    assert found.value(TOKEN) == anna.sync(CONTACTS).xml().findtext(TOKEN)
    assert anna.sync(CONTACTS, found.value(TOKEN)).statuses() == {}


@pytest.mark.parametrize(
    "token",
    [
        "nonsense",
        "http://radicale.org/ns/sync/" + "0" * 64,
        "urn:tagwerk:sync:0123456789abcdef:1",
        "urn:tagwerk:sync:EPOCH:999999",
        "urn:tagwerk:sync:EPOCH:-1",
    ],
)
def test_a_token_that_is_not_valid_is_refused(anna, token):
    epoch = anna.propfind(CALENDAR, TOKEN).value(TOKEN).split(":")[3]

    refused = anna.sync(CALENDAR, token.replace("EPOCH", epoch))

    assert refused.status == 403
    assert refused.xml().find("{DAV:}valid-sync-token") is not None


def test_a_calendar_that_is_made_again_does_not_take_the_old_token(anna):
    anna("MKCALENDAR", "/anna/club/")
    token = anna.propfind("/anna/club/", TOKEN).value(TOKEN)
    anna("DELETE", "/anna/club/")
    anna("MKCALENDAR", "/anna/club/")

    assert anna.sync("/anna/club/", token).status == 403


def test_multiget_answers_for_what_is_there_and_what_is_not(anna):
    anna("PUT", CALENDAR + "a.ics", event("a"))

    answer = anna(
        "REPORT",
        CALENDAR,
        '<C:calendar-multiget xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">'
        "<prop><getetag/><C:calendar-data/></prop>"
        f"<href>{CALENDAR}a.ics</href><href>{CALENDAR}b.ics</href></C:calendar-multiget>",
    )

    assert answer.statuses() == {CALENDAR + "a.ics": "200", CALENDAR + "b.ics": "404"}
    assert "SUMMARY:Frühstück" in answer.text


def query(inner: str) -> str:
    return (
        '<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/></prop>'
        f'<C:filter><C:comp-filter name="VCALENDAR">{inner}</C:comp-filter></C:filter></C:calendar-query>'
    )


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ("", "ab"),
        ('<C:comp-filter name="VEVENT"/>', "ab"),
        ('<C:comp-filter name="VTODO"/>', ""),
        (
            '<C:comp-filter name="VEVENT"><C:time-range start="20260301T000000Z" end="20260302T000000Z"/></C:comp-filter>',
            "a",
        ),
        ('<C:comp-filter name="VEVENT"><C:time-range start="20260303T000000Z"/></C:comp-filter>', "b"),
        (
            '<C:comp-filter name="VEVENT"><C:time-range start="20300303T090000Z" end="20300303T100000Z"/></C:comp-filter>',
            "b",
        ),
        (
            '<C:comp-filter name="VEVENT"><C:time-range start="20300303T070000Z" end="20300303T080000Z"/></C:comp-filter>',
            "",
        ),
        (
            '<C:comp-filter name="VEVENT"><C:prop-filter name="SUMMARY"><C:text-match>STÜCK</C:text-match>'
            "</C:prop-filter></C:comp-filter>",
            "a",
        ),
    ],
)
def test_a_query_finds_what_matches(anna, inner, expected):
    anna("PUT", CALENDAR + "a.ics", event("a", summary="FRÜHSTÜCK"))
    daily = event("b", summary="other").replace(
        "SUMMARY", "DTEND:20260301T090000Z\r\nRRULE:FREQ=DAILY\r\nSUMMARY"
    )
    daily = daily.replace("DTSTART:20260301T080000Z", "DTSTART:20260305T080000Z").replace(
        "DTEND:20260301", "DTEND:20260305"
    )
    assert anna("PUT", CALENDAR + "b.ics", daily.replace("T090000Z", "T093000Z")).status == 201

    answer = anna("REPORT", CALENDAR, query(inner))

    assert set(answer.statuses()) == {f"{CALENDAR}{name}.ics" for name in expected}


def test_cards_are_found_by_their_text(anna):
    anna("PUT", CONTACTS + "a.vcf", card("a"))
    anna("PUT", CONTACTS + "b.vcf", card("b", name="Berta"))

    answer = anna(
        "REPORT",
        CONTACTS,
        '<R:addressbook-query xmlns="DAV:" xmlns:R="urn:ietf:params:xml:ns:carddav"><prop><getetag/></prop>'
        '<R:filter><R:prop-filter name="FN"><R:text-match>bert</R:text-match></R:prop-filter></R:filter>'
        "</R:addressbook-query>",
    )

    assert set(answer.statuses()) == {CONTACTS + "b.vcf"}


def test_free_busy_is_answered(anna):
    busy = event("a").replace("SUMMARY", "DTEND:20260301T090000Z\r\nSUMMARY")
    anna("PUT", CALENDAR + "a.ics", busy)

    answer = anna(
        "REPORT",
        CALENDAR,
        '<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav">'
        '<C:time-range start="20260301T000000Z" end="20260302T000000Z"/></C:free-busy-query>',
    )

    assert answer.status == 200
    assert "20260301T080000Z/20260301T090000Z" in answer.text


def test_an_event_moves_to_another_calendar_and_leaves_a_trace(anna, engine):
    anna("MKCALENDAR", "/anna/club/")
    put = anna("PUT", CALENDAR + "a.ics", event("a"))
    tokens = {path: anna.propfind(path, TOKEN).value(TOKEN) for path in (CALENDAR, "/anna/club/")}

    moved = anna("MOVE", CALENDAR + "a.ics", destination="http://127.0.0.1:5232/anna/club/b.ics")

    assert moved.status == 201
    assert anna.sync(CALENDAR, tokens[CALENDAR]).statuses() == {CALENDAR + "a.ics": "404"}
    assert anna.sync("/anna/club/", tokens["/anna/club/"]).statuses() == {"/anna/club/b.ics": "200"}
    assert anna("GET", "/anna/club/b.ics").headers["ETag"] == put.headers["ETag"]


def test_an_event_gets_another_name_in_its_calendar(anna, engine):
    anna("PUT", CALENDAR + "a.ics", event("a"))

    renamed = anna("MOVE", CALENDAR + "a.ics", destination="http://127.0.0.1:5232/anna/calendar/b.ics")
    onto_itself = anna(
        "MOVE", CALENDAR + "b.ics", destination="http://127.0.0.1:5232/anna/calendar/b.ics", overwrite="T"
    )

    assert (renamed.status, onto_itself.status) == (201, 204)
    assert list(stored(engine, "calendar")) == ["b.ics"]


def test_an_event_replaces_another_with_its_properties(anna, engine):
    anna("MKCALENDAR", "/anna/club/")
    anna("PUT", CALENDAR + "a.ics", event("a", summary="new"))
    anna("PUT", "/anna/club/a.ics", event("a", summary="old"))
    with engine.write() as txn:
        source, target = (find_binding(txn, "anna", name).collection.id for name in ("calendar", "club"))
        set_collection_properties(txn, source, {"{urn:x}p": "new"}, object_name="a.ics")
        set_collection_properties(txn, target, {"{urn:x}p": "old"}, object_name="a.ics")

    moved = anna(
        "MOVE", CALENDAR + "a.ics", destination="http://127.0.0.1:5232/anna/club/a.ics", overwrite="T"
    )

    assert moved.status == 204
    assert "SUMMARY:new" in stored(engine, "club")["a.ics"]
    with engine.read() as txn:
        assert collection_properties(txn, target, NO_BINDING, object_name="a.ics") == {"{urn:x}p": "new"}


def test_an_event_does_not_move_where_it_does_not_belong(anna, engine):
    anna("PUT", CALENDAR + "a.ics", event("a"))

    answers = [
        anna("MOVE", CALENDAR + "a.ics", destination=f"http://127.0.0.1:5232{to}")
        for to in (TASKS + "a.ics", CONTACTS + "a.ics", "/anna/none/a.ics", "/bert/calendar/a.ics")
    ]

    assert [answer.status for answer in answers] == [403, 403, 409, 403]
    assert list(stored(engine, "calendar")) == ["a.ics"]
    assert stored(engine, "calendar", home="bert") == {}


def test_a_calendar_is_made_with_its_properties(anna, engine):
    made = anna(
        "MKCALENDAR",
        "/anna/club/",
        '<C:mkcalendar xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><set><prop>'
        "<displayname>Sport &amp; Spiel &lt;3</displayname>"
        '<C:supported-calendar-component-set><C:comp name="vevent"/></C:supported-calendar-component-set>'
        '<I:calendar-color xmlns:I="http://apple.com/ns/ical/">#ff0000ff</I:calendar-color>'
        "</prop></set></C:mkcalendar>",
    )
    again = anna("MKCALENDAR", "/anna/club/")

    found = anna.propfind("/anna/club/", DISPLAYNAME, COLOR)
    assert (made.status, again.status) == (201, 409)
    assert found.value(DISPLAYNAME) == "Sport & Spiel <3"
    assert found.value(COLOR) == "#ff0000ff"
    with engine.read() as txn:
        binding = find_binding(txn, "anna", "club")
        properties = collection_properties(txn, binding.collection.id, binding.id)
    assert binding.collection.components == ("VEVENT",)
    assert properties == {DISPLAYNAME: "Sport &amp; Spiel &lt;3", COLOR: "#ff0000ff"}


def test_an_address_book_is_made_by_extended_mkcol(anna):
    made = anna(
        "MKCOL",
        "/anna/club/",
        '<mkcol xmlns="DAV:" xmlns:R="urn:ietf:params:xml:ns:carddav"><set><prop>'
        "<resourcetype><collection/><R:addressbook/></resourcetype><displayname>Verein</displayname>"
        "<R:addressbook-description>Alle</R:addressbook-description></prop></set></mkcol>",
    )

    assert made.status == 201
    assert anna("PUT", "/anna/club/a.vcf", card("a")).status == 201
    assert anna.propfind("/anna/club/", DISPLAYNAME).value(DISPLAYNAME) == "Verein"


@pytest.mark.parametrize("path", ["/anna/calendar/deeper/", "/bert/club/", "/club/"])
def test_a_calendar_is_made_in_a_home_only(anna, path):
    assert anna("MKCALENDAR", path).status in (403, 409)


def test_a_plain_folder_is_refused(anna):
    assert anna("MKCOL", "/anna/folder/").status == 403


def test_a_calendar_for_what_calendars_cannot_hold_is_refused(anna):
    made = anna(
        "MKCALENDAR",
        "/anna/club/",
        '<C:mkcalendar xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><set><prop>'
        '<C:supported-calendar-component-set><C:comp name="VALARM"/></C:supported-calendar-component-set>'
        "</prop></set></C:mkcalendar>",
    )

    assert made.status == 403
    assert anna.propfind("/anna/club/", DISPLAYNAME).status == 404


def proppatch(inner: str) -> str:
    return f'<propertyupdate xmlns="DAV:" xmlns:I="http://apple.com/ns/ical/" xmlns:X="urn:x">{inner}</propertyupdate>'


def test_properties_are_set_and_removed(anna, engine):
    token = anna.propfind(CALENDAR, TOKEN).value(TOKEN)

    answer = anna(
        "PROPPATCH",
        CALENDAR,
        proppatch(
            "<set><prop><displayname>Neu</displayname><I:calendar-color>#00ff00ff</I:calendar-color>"
            "<X:mine>&lt;b&gt;</X:mine></prop></set>"
        ),
    )
    removed = anna("PROPPATCH", CALENDAR, proppatch("<remove><prop><I:calendar-color/></prop></remove>"))

    found = anna.propfind(CALENDAR, DISPLAYNAME, COLOR, "{urn:x}mine")
    assert (answer.status, removed.status) == (207, 207)
    assert (found.value(DISPLAYNAME), found.value(COLOR), found.value("{urn:x}mine")) == ("Neu", None, "<b>")
    assert anna.propfind(CALENDAR, TOKEN).value(TOKEN) != token
    assert anna.sync(CALENDAR, token).statuses() == {}


def test_a_value_that_radicale_cannot_show_survives_other_changes(anna, engine):
    value = '<X:a xmlns:X="urn:x">1</X:a><X:b xmlns:X="urn:x"/>'
    with engine.write() as txn:
        binding = find_binding(txn, "anna", "calendar")
        set_collection_properties(txn, binding.collection.id, {"{urn:x}complex": value, "nameless": "x"})

    anna("PROPPATCH", CALENDAR, proppatch("<set><prop><displayname>Neu</displayname></prop></set>"))

    assert anna.propfind(CALENDAR, DISPLAYNAME).value(DISPLAYNAME) == "Neu"
    with engine.read() as txn:
        properties = collection_properties(txn, binding.collection.id, binding.id)
    assert properties == {"{urn:x}complex": value, "nameless": "x", DISPLAYNAME: "Neu"}


def test_a_calendar_does_not_become_an_address_book(anna):
    answer = anna(
        "PROPPATCH",
        CALENDAR,
        proppatch(
            '<set><prop><resourcetype><collection/><R:addressbook xmlns:R="urn:ietf:params:xml:ns:carddav"/>'
            "</resourcetype><displayname>Neu</displayname></prop></set>"
        ),
    )

    assert answer.status == 403
    assert anna.propfind(CALENDAR, DISPLAYNAME).value(DISPLAYNAME) == "Calendar"


def test_a_home_has_a_name(anna):
    before = anna.propfind("/anna/", DISPLAYNAME).value(DISPLAYNAME)

    answer = anna(
        "PROPPATCH", "/anna/", proppatch("<set><prop><displayname>Anna &amp; Co</displayname></prop></set>")
    )

    assert (before, answer.status) == ("anna", 207)
    assert anna.propfind("/anna/", DISPLAYNAME).value(DISPLAYNAME) == "Anna & Co"


def test_a_collection_is_deleted_with_what_it_holds(anna):
    anna("PUT", CALENDAR + "a.ics", event("a"))

    deleted = anna("DELETE", CALENDAR)

    assert deleted.status == 200
    assert anna("GET", CALENDAR + "a.ics").status == 404
    assert set(anna.propfind("/anna/", DISPLAYNAME, depth="1").statuses()) == {"/anna/", TASKS, CONTACTS}


@pytest.mark.parametrize("permit", ["True", "False"])
def test_a_home_is_not_deleted(anna, start, permit):
    client = start(rights={"permit_delete_collection": permit})

    deleted = client("DELETE", "/anna/")

    assert deleted.status == 403
    assert client("PROPFIND", CALENDAR, depth="0").status == 207


def test_a_home_is_not_deleted_whatever_the_rights_say(anna, start):
    client = start(rights={"type": "authenticated"})

    assert client("DELETE", "/anna/").status == 500
    assert client("PROPFIND", CALENDAR, depth="0").status == 207


def whole(*events: str) -> str:
    inner = "".join(
        one.partition("PRODID:-//Test//EN\r\n")[2].replace("END:VCALENDAR\r\n", "") for one in events
    )
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Test//EN\r\n{inner}END:VCALENDAR\r\n"


def test_a_whole_calendar_is_replaced_and_clients_see_what_changed(anna, engine):
    anna(
        "PROPPATCH",
        CALENDAR,
        proppatch("<set><prop><I:calendar-color>#00ff00ff</I:calendar-color></prop></set>"),
    )
    for name in "abc":
        anna("PUT", f"{CALENDAR}{name}.ics", event(name))
    token = anna.propfind(CALENDAR, TOKEN).value(TOKEN)

    replaced = anna("PUT", CALENDAR, whole(event("b"), event("c", summary="changed"), event("d/e")))

    names = set(stored(engine, "calendar"))
    assert replaced.status == 201
    assert {"b.ics", "c.ics"} < names
    assert len(names) == 3
    statuses = anna.sync(CALENDAR, token).statuses()
    assert statuses.pop(CALENDAR + "a.ics") == "404"
    assert set(statuses.values()) == {"200"}
    assert CALENDAR + "c.ics" in statuses
    assert anna.propfind(CALENDAR, COLOR).value(COLOR) == "#00ff00ff"


def test_a_calendar_is_made_by_putting_it(anna, engine):
    put = anna("PUT", "/anna/club", whole(event("a"), event("b")), content_type="text/calendar")

    assert put.status == 201
    assert set(stored(engine, "club")) == {"a.ics", "b.ics"}


def test_an_address_book_is_made_by_putting_it(anna, engine):
    put = anna("PUT", "/anna/club", card("a") + card("b"), content_type="text/vcard")

    assert put.status == 201
    assert set(stored(engine, "club")) == {"a.vcf", "b.vcf"}
    assert (
        anna("GET", "/anna/club/").text == stored(engine, "club")["a.vcf"] + stored(engine, "club")["b.vcf"]
    )


def test_a_calendar_that_cannot_be_replaced_stays_as_it_is(anna, engine):
    anna("PUT", CALENDAR + "a.ics", event("a"))
    before = anna.propfind(CALENDAR, CTAG, TOKEN)

    replaced = anna("PUT", CALENDAR, whole(event("b"), event("c", component="VTODO")))
    twice = anna("PUT", CONTACTS, card("a") + card("a", name="other"))

    assert (replaced.status, twice.status) == (400, 400)
    assert list(stored(engine, "calendar")) == ["a.ics"]
    assert stored(engine, "contacts") == {}
    assert anna.propfind(CALENDAR, CTAG, TOKEN).body == before.body


@pytest.mark.parametrize("content_type", ["", "text/calendar", "text/vcard"])
def test_an_empty_body_does_not_empty_a_calendar(anna, engine, content_type):
    anna("PUT", CALENDAR + "a.ics", event("a"))

    put = anna("PUT", CALENDAR, "", content_type=content_type)

    assert put.status == 400
    assert list(stored(engine, "calendar")) == ["a.ics"]


def test_cards_do_not_replace_a_calendar(anna, engine):
    anna("PUT", CALENDAR + "a.ics", event("a"))

    put = anna("PUT", CALENDAR, card("a"), content_type="text/vcard")

    assert put.status == 400
    assert list(stored(engine, "calendar")) == ["a.ics"]


def test_what_the_server_computes_is_not_set(anna):
    answer = anna("PROPPATCH", CALENDAR, proppatch("<set><prop><getetag>x</getetag></prop></set>"))

    assert answer.status == 403


def test_a_whole_calendar_is_one_file(anna):
    anna("PUT", CALENDAR + "a.ics", event("a"))
    anna("PUT", CALENDAR + "b.ics", event("b"))

    got = anna("GET", CALENDAR)

    assert got.status == 200
    assert got.text.count("BEGIN:VCALENDAR") == 1
    assert got.text.count("BEGIN:VEVENT") == 2
    assert "Calendar.ics" in got.headers["Content-Disposition"]


def test_the_ctag_moves_with_every_change_and_only_then(anna):
    seen = [anna.propfind(CALENDAR, CTAG).value(CTAG)]
    for step in (
        lambda: anna("PUT", CALENDAR + "a.ics", event("a")),
        lambda: anna("PUT", CALENDAR + "a.ics", event("a", summary="x")),
        lambda: anna("DELETE", CALENDAR + "a.ics"),
    ):
        step()
        seen.append(anna.propfind(CALENDAR, CTAG).value(CTAG))
    anna("PUT", CONTACTS + "a.vcf", card("a"))

    assert len(set(seen)) == 4
    assert anna.propfind(CALENDAR, CTAG).value(CTAG) == seen[-1]


def test_a_subscribed_calendar_is_remembered(anna):
    made = anna(
        "MKCOL",
        "/anna/holidays/",
        '<mkcol xmlns="DAV:" xmlns:CS="http://calendarserver.org/ns/"><set><prop>'
        "<resourcetype><collection/><CS:subscribed/></resourcetype>"
        "<CS:source>https://example.org/holidays.ics</CS:source></prop></set></mkcol>",
    )

    found = anna.propfind("/anna/holidays/", "{DAV:}resourcetype", "{http://calendarserver.org/ns/}source")
    assert made.status == 201
    assert "subscribed" in found.text
    assert "https://example.org/holidays.ics" in found.text
    assert anna("PUT", "/anna/holidays/a.ics", event("a")).status == 400


def test_what_is_verified_is_sound_until_somebody_breaks_it(anna, engine):
    anna("PUT", CALENDAR + "a.ics", event("a"))
    storage = anna.application._storage

    with storage.acquire_lock("r"):
        sound = storage.verify()
    with engine.write() as txn:
        txn.execute("UPDATE object SET content = ?", (b"broken",))
    with storage.acquire_lock("r"):
        broken = storage.verify()

    assert (sound, broken) == (True, False)


def test_discover_lets_the_caller_look_at_every_child(anna):
    from contextlib import contextmanager

    anna("PUT", CALENDAR + "a.ics", event("a"))
    seen = []

    @contextmanager
    def context(path, href):
        seen.append((path, href))
        yield

    storage = anna.application._storage
    with storage.acquire_lock("r"):
        for path in ("/", "/anna/", CALENDAR):
            list(storage.discover(path, "1", context))

    assert ("anna", None) in seen
    assert ("anna/calendar", None) in seen
    assert ("anna/calendar", "a.ics") in seen


def test_a_user_without_a_home_gets_one(engine, start):
    with engine.write() as txn:
        add_user(txn, "zoe", now=NOW)

    client = start(auth={"type": "none"})
    client.user = "carl"

    assert set(client.propfind("/carl/", DISPLAYNAME, depth="1").statuses()) == {
        "/carl/",
        "/carl/calendar/",
        "/carl/tasks/",
        "/carl/contacts/",
    }


def test_predefined_collections_come_with_ours_and_one_that_fails_does_not_spoil_them(start):
    client = start(
        auth={"type": "none"},
        storage={
            "predefined_collections": '{"calendar": {"D:displayname": "Mein", "tag": "VCALENDAR"},'
            ' "folder": {"D:displayname": "no tag"}, "team": {"D:displayname": "Team", "tag": "VADDRESSBOOK"}}'
        },
    )
    client.user = "carl"

    found = client.propfind("/carl/", DISPLAYNAME, depth="1")

    assert set(found.statuses()) == {
        "/carl/",
        "/carl/calendar/",
        "/carl/tasks/",
        "/carl/contacts/",
        "/carl/team/",
    }
    assert client.propfind("/carl/calendar/", DISPLAYNAME).value(DISPLAYNAME) == "Mein"
