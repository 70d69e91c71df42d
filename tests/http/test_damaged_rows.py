"""What one damaged row costs: at most itself; `tagwerk check` names it."""

from __future__ import annotations

import time

import pytest

from davsamples import event
from tagwerk.model import Access
from tagwerk.sharing import shares
from tagwerk.sharing.shares import AT_ONCE, By
from tagwerk.store.collections import find_binding
from tagwerk.store.principals import principal_by_name

RANGE = '<C:time-range start="20260201T000000Z" end="20260401T000000Z"/>'


@pytest.fixture
def damage(database):
    """Run a statement on the server's database; a second one undoes it after the test, as others use it, too."""

    undoing: list[tuple[str, tuple[object, ...]]] = []

    def run(sql: str, *params: object, undo: str, of: object) -> None:
        with database.write() as txn:
            assert txn.execute(sql, params) == 1
        undoing.append((undo, (of,)))

    yield run
    with database.write() as txn:
        for sql, params in undoing:
            assert txn.execute(sql, params) == 1


def test_an_event_whose_occurrences_cannot_be_read_is_found(dav, calendar, damage):
    dav.put(calendar + "a.ics", event("damaged-spans"))
    undo = "UPDATE object SET spans = NULL WHERE uid = ?"
    damage("UPDATE object SET spans = ? WHERE uid = 'damaged-spans'", b"x", undo=undo, of="damaged-spans")

    found = dav.query(calendar, f'<C:comp-filter name="VEVENT">{RANGE}</C:comp-filter>').multistatus()
    busy = dav.report(
        calendar, f'<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav">{RANGE}</C:free-busy-query>'
    )

    assert found.names == ["a.ics"]
    assert b"20260301T080000Z/" in busy.body


def test_an_event_is_there_without_what_is_ones_own_if_that_cannot_be_read(
    dav, account, calendar, database, damage
):
    dav.put(calendar + "a.ics", event("damaged-own"))
    _, owner, name, _ = calendar.split("/")
    with database.write() as txn:
        by = By("the test", int(time.time()), AT_ONCE)
        bert = principal_by_name(txn, account.user)
        shares.share(txn, find_binding(txn, owner, name), bert, Access.READ, by=by)
    seen = f"/{account.user}/{name}/" if account.get(f"/{account.user}/{name}/").status == 200 else ""
    seen = seen or f"/{account.user}/{name}-{owner}/"
    alarm = "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:x\nTRIGGER:-PT5M\nEND:VALARM"
    account.put(seen + "a.ics", event("damaged-own", more=alarm))
    undo = "DELETE FROM personal WHERE principal_id = ?"
    damage("UPDATE personal SET data = 'garbage' WHERE principal_id = ?", bert.id, undo=undo, of=bert.id)

    answer = account.get(seen + "a.ics")

    assert answer.status == 200
    assert b"SUMMARY" in answer.body
    assert b"VALARM" not in answer.body


def test_somebody_whose_addresses_cannot_be_read_has_none(account, damage):
    undo = "UPDATE principal SET addresses = '[]' WHERE name = ?"
    damage("UPDATE principal SET addresses = '{' WHERE name = ?", account.user, undo=undo, of=account.user)

    found = account.propfind(f"/{account.user}/", "{urn:ietf:params:xml:ns:caldav}calendar-user-address-set")

    assert f"/{account.user}/" in found.only().hrefs(
        "{urn:ietf:params:xml:ns:caldav}calendar-user-address-set"
    )
