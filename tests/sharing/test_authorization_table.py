"""Who may ask for what: every method, action and report, at every level and by everybody else.

The answers stand in `TABLE`, in blocks of one kind of resource.  A cell is a status, with a letter
for its precondition (`authorization.CONDITIONS`), or ``x`` where a multistatus holds something
else than 200.  At one level the answer is the same to a person, to a member of a group (in a group)
and by everybody, and all three are asked.  `other` is whoever asks at somebody else's URL: a
stranger, an ex-member, and also those who have the collection in their own home; `ex` is an
ex-member at their own former URL.  ``BREW`` stands for all methods that there are not.
"""

from __future__ import annotations

from collections.abc import Iterator

import authorization
import pytest
from sharedworld import rehearse

from enginedav import EngineDav, World, new_world
from tagwerk.dav.features import FEATURES
from tagwerk.dav.registry import Registry

TABLE = """
calendar
     owner manage  write   read   busy dwrite  dread  other   anon     ex
       200    200    200    200    200    200    200    200    200    200   OPTIONS
       405    405    405    405    405    405    405    405    405    405   BREW
       200    200    200    200    200    200    200   403p    401    404   GET, HEAD, C:free-busy-query
       405    405    405    405    405    405    405    405    401    405   PUT, PUT alarm
       201    201    201   403p   403p    201   403p   403p    401    404   POST member
       204    204    204    204    204   403p   403p   403p    401    404   DELETE
      405n   405n   405n   405n   405n   405n   405n   403p    401    201   MKCOL, MKCALENDAR
       207    207    207    207    207    207    207   403p    401    404   PROPFIND 0, PROPFIND 1, C:calendar-query,
                                                                            C:calendar-multiget, D:sync-collection,
                                                                            D:expand-property, D:principal-match
       207   207x    207    207    207    207    207   403p    401    404   D:acl-principal-prop-set
       207    207    207    207    207   403p   403p   403p    401    404   PROPPATCH
      207x   207x   207x   207x   207x   207x   207x   403p    401    404   PROPPATCH members
       201    201    201    201    201    201    201   403p    401    404   COPY
       201    201    201    201    201   403p   403p   403p    401    404   MOVE
       204    204    204    204    204   403p   403p   403p    401    201   COPY onto, MOVE onto
       200    200   403p   403p   403p   403p   403p   403p    401    404   ACL, POST CS:share, POST D:share-resource
       403    403    403    403    403    403    403   403p    401    404   POST CS:invite-reply, POST D:invite-reply
      403r   403r   403r   403r   403r   403r   403r   403p    401    404   CR:addressbook-query,
                                                                            CR:addressbook-multiget,
                                                                            D:principal-search-property-set,
                                                                            D:principal-property-search,
                                                                            CS:calendarserver-principal-search

event
     owner manage  write   read   busy dwrite  dread  other   anon     ex
       200    200    200    200    200    200    200    200    200    200   OPTIONS
       405    405    405    405    405    405    405    405    405    405   BREW
       200    200    200    200    200    200    200   403p    401    404   GET, HEAD
       204    204    204   403p   403p    204   403p   403p    401    409   PUT, COPY onto, MOVE onto
       204    204    204    204   403p    204    204   403p    401    409   PUT alarm
       405    405    405    405    405    405    405   403p    401    404   POST member, POST CS:share,
                                                                            POST D:share-resource,
                                                                            POST CS:invite-reply, POST D:invite-reply
       204    204    204   403p   403p    204   403p   403p    401    404   DELETE
      405n   405n   405n   405n   405n   405n   405n   403p    401    409   MKCOL, MKCALENDAR
       207    207    207    207    207    207    207   403p    401    404   PROPFIND 0, PROPFIND 1, C:calendar-query,
                                                                            C:calendar-multiget, D:expand-property
       207   207x    207    207    207    207    207   403p    401    404   D:acl-principal-prop-set
       207    207    207    207    207    207   403p   403p    401    404   PROPPATCH
      207x   207x   207x   207x   207x   207x   207x   403p    401    404   PROPPATCH members
       201    201    201    201    201    201    201   403p    401    404   COPY
       201    201    201   403p   403p    201   403p   403p    401    404   MOVE
      403a   403a   403a   403a   403a   403a   403a   403p    401    404   ACL
      403r   403r   403r   403r   403r   403r   403r   403p    401    404   C:free-busy-query, CR:addressbook-query,
                                                                            CR:addressbook-multiget,
                                                                            D:sync-collection, D:principal-match,
                                                                            D:principal-search-property-set,
                                                                            D:principal-property-search,
                                                                            CS:calendarserver-principal-search

confidential
     owner manage  write   read   busy dwrite  dread  other   anon     ex
       200    200    200    200    200    200    200    200    200    200   OPTIONS
       405    405    405    405    405    405    405    405    405    405   BREW
       200    200    200    200    200    200    200   403p    401    404   GET, HEAD
       204    204   403p   403p   403p   403p   403p   403p    401    409   PUT, PUT alarm, COPY onto, MOVE onto
       405    405    405    405    405    405    405   403p    401    404   POST member, POST CS:share,
                                                                            POST D:share-resource,
                                                                            POST CS:invite-reply, POST D:invite-reply
       204    204   403p   403p   403p   403p   403p   403p    401    404   DELETE
      405n   405n   405n   405n   405n   405n   405n   403p    401    409   MKCOL, MKCALENDAR
       207    207    207    207    207    207    207   403p    401    404   PROPFIND 0, PROPFIND 1, C:calendar-query,
                                                                            C:calendar-multiget, D:expand-property
       207   207x    207    207    207    207    207   403p    401    404   D:acl-principal-prop-set
       207    207    207    207    207   403p   403p   403p    401    404   PROPPATCH
      207x   207x   207x   207x   207x   207x   207x   403p    401    404   PROPPATCH members
       201    201    201    201    201    201    201   403p    401    404   COPY
       201    201   403p   403p   403p   403p   403p   403p    401    404   MOVE
      403a   403a   403a   403a   403a   403a   403a   403p    401    404   ACL
      403r   403r   403r   403r   403r   403r   403r   403p    401    404   C:free-busy-query, CR:addressbook-query,
                                                                            CR:addressbook-multiget,
                                                                            D:sync-collection, D:principal-match,
                                                                            D:principal-search-property-set,
                                                                            D:principal-property-search,
                                                                            CS:calendarserver-principal-search

private
     owner manage  write   read   busy dwrite  dread  other   anon     ex
       200    200    200    200    200    200    200    200    200    200   OPTIONS
       405    405    405    405    405    405    405    405    405    405   BREW
       200    200    404    404    404    404    404   403p    401    404   GET, HEAD
       204    204   403p   403p   403p   403p   403p   403p    401    409   PUT, PUT alarm, COPY onto, MOVE onto
       405    405    404    404    404    404    404   403p    401    404   POST member, POST CS:share,
                                                                            POST D:share-resource,
                                                                            POST CS:invite-reply, POST D:invite-reply
       204    204    404    404    404    404    404   403p    401    404   DELETE
      405n   405n    403    403    403   403p   403p   403p    401    409   MKCOL
      405n   405n   403l   403l   403l   403p   403p   403p    401    409   MKCALENDAR
       207    207    404    404    404    404    404   403p    401    404   PROPFIND 0, PROPFIND 1, PROPPATCH,
                                                                            C:calendar-query, C:calendar-multiget,
                                                                            D:expand-property
       207   207x    404    404    404    404    404   403p    401    404   D:acl-principal-prop-set
      207x   207x    404    404    404    404    404   403p    401    404   PROPPATCH members
       201    201    404    404    404    404    404   403p    401    404   COPY, MOVE
      403a   403a    404    404    404    404    404   403p    401    404   ACL
      403r   403r    404    404    404    404    404   403p    401    404   C:free-busy-query, CR:addressbook-query,
                                                                            CR:addressbook-multiget,
                                                                            D:sync-collection, D:principal-match,
                                                                            D:principal-search-property-set,
                                                                            D:principal-property-search,
                                                                            CS:calendarserver-principal-search

new event
     owner manage  write   read   busy dwrite  dread  other   anon     ex
       200    200    200    200    200    200    200    200    200    200   OPTIONS
       405    405    405    405    405    405    405    405    405    405   BREW
       404    404    404    404    404    404    404   403p    401    404   GET, HEAD, POST member, DELETE,
                                                                            PROPFIND 0, PROPFIND 1, PROPPATCH,
                                                                            PROPPATCH members, COPY, MOVE, ACL,
                                                                            POST CS:share, POST D:share-resource,
                                                                            POST CS:invite-reply, POST D:invite-reply,
                                                                            C:calendar-query, C:calendar-multiget,
                                                                            C:free-busy-query, CR:addressbook-query,
                                                                            CR:addressbook-multiget,
                                                                            D:sync-collection, D:expand-property,
                                                                            D:principal-match,
                                                                            D:principal-search-property-set,
                                                                            D:principal-property-search,
                                                                            CS:calendarserver-principal-search,
                                                                            D:acl-principal-prop-set
       201    201    201   403p   403p    201   403p   403p    401    409   PUT, PUT alarm, COPY onto, MOVE onto
       403    403    403    403    403   403p   403p   403p    401    409   MKCOL
      403l   403l   403l   403l   403l   403p   403p   403p    401    409   MKCALENDAR

book
     owner manage  write   read dwrite  dread  other   anon     ex
       200    200    200    200    200    200    200    200    200   OPTIONS
       405    405    405    405    405    405    405    405    405   BREW
       200    200    200    200    404    404   403p    401    404   GET, HEAD
       405    405    405    405    405    405    405    401    405   PUT, PUT alarm
       201    201    201   403p    404    404   403p    401    404   POST member
       204    204    204    204    404    404   403p    401    404   DELETE
      405n   405n   405n   405n   403p   403p   403p    401    201   MKCOL, MKCALENDAR
       207    207    207    207    404    404   403p    401    404   PROPFIND 0, PROPFIND 1, PROPPATCH,
                                                                     CR:addressbook-query, CR:addressbook-multiget,
                                                                     D:sync-collection, D:expand-property,
                                                                     D:principal-match, D:acl-principal-prop-set
      207x   207x   207x   207x    404    404   403p    401    404   PROPPATCH members
       201    201    201    201    404    404   403p    401    404   COPY, MOVE
       204    204    204    204   403p   403p   403p    401    201   COPY onto, MOVE onto
       200    200   403p   403p    404    404   403p    401    404   ACL, POST CS:share, POST D:share-resource
       403    403    403    403    404    404   403p    401    404   POST CS:invite-reply, POST D:invite-reply
      403r   403r   403r   403r    404    404   403p    401    404   C:calendar-query, C:calendar-multiget,
                                                                     C:free-busy-query,
                                                                     D:principal-search-property-set,
                                                                     D:principal-property-search,
                                                                     CS:calendarserver-principal-search

card
     owner manage  write   read dwrite  dread  other   anon     ex
       200    200    200    200    200    200    200    200    200   OPTIONS
       405    405    405    405    405    405    405    405    405   BREW
       200    200    200    200    404    404   403p    401    404   GET, HEAD
       204    204    204   403p    409    409   403p    401    409   PUT, PUT alarm, COPY onto, MOVE onto
       405    405    405    405    404    404   403p    401    404   POST member, POST CS:share,
                                                                     POST D:share-resource, POST CS:invite-reply,
                                                                     POST D:invite-reply
       204    204    204   403p    404    404   403p    401    404   DELETE
      405n   405n   405n   405n   403p   403p   403p    401    409   MKCOL, MKCALENDAR
       207    207    207    207    404    404   403p    401    404   PROPFIND 0, PROPFIND 1, PROPPATCH,
                                                                     CR:addressbook-query, CR:addressbook-multiget,
                                                                     D:expand-property, D:acl-principal-prop-set
      207x   207x   207x   207x    404    404   403p    401    404   PROPPATCH members
       201    201    201    201    404    404   403p    401    404   COPY
       201    201    201   403p    404    404   403p    401    404   MOVE
      403a   403a   403a   403a    404    404   403p    401    404   ACL
      403r   403r   403r   403r    404    404   403p    401    404   C:calendar-query, C:calendar-multiget,
                                                                     C:free-busy-query, D:sync-collection,
                                                                     D:principal-match,
                                                                     D:principal-search-property-set,
                                                                     D:principal-property-search,
                                                                     CS:calendarserver-principal-search

new card
     owner manage  write   read dwrite  dread  other   anon     ex
       200    200    200    200    200    200    200    200    200   OPTIONS
       405    405    405    405    405    405    405    405    405   BREW
       404    404    404    404    404    404   403p    401    404   GET, HEAD, POST member, DELETE, PROPFIND 0,
                                                                     PROPFIND 1, PROPPATCH, PROPPATCH members, COPY,
                                                                     MOVE, ACL, POST CS:share, POST D:share-resource,
                                                                     POST CS:invite-reply, POST D:invite-reply,
                                                                     C:calendar-query, C:calendar-multiget,
                                                                     C:free-busy-query, CR:addressbook-query,
                                                                     CR:addressbook-multiget, D:sync-collection,
                                                                     D:expand-property, D:principal-match,
                                                                     D:principal-search-property-set,
                                                                     D:principal-property-search,
                                                                     CS:calendarserver-principal-search,
                                                                     D:acl-principal-prop-set
       201    201    201   403p    409    409   403p    401    409   PUT, PUT alarm, COPY onto, MOVE onto
       403    403    403    403   403p   403p   403p    401    409   MKCOL
      403l   403l   403l   403l   403p   403p   403p    401    409   MKCALENDAR

home
     owner dwrite  dread  other   anon
       200    200    200    200    200   OPTIONS
       405    405    405    405    405   BREW
       200    200    200    405    401   GET, HEAD
       405    405    405    405    401   PUT, PUT alarm, DELETE, COPY, MOVE
       415    405    405    405    401   POST member
      405n   405n   405n   405n    401   MKCOL, MKCALENDAR
       207    207    207    207    401   PROPFIND 0, PROPFIND 1, D:principal-property-search,
                                         CS:calendarserver-principal-search
       207    405    405    405    401   PROPPATCH
      207x    405    405    405    401   PROPPATCH members
       403   403p   403p   403p    401   COPY onto, MOVE onto
      403a   403a   403a    405    401   ACL
       403    405    405    405    401   POST CS:share, POST D:share-resource, POST D:invite-reply
       200    405    405    405    401   POST CS:invite-reply
       207    207    207   403r    401   C:calendar-query, C:calendar-multiget, CR:addressbook-query,
                                         D:sync-collection
       200    200    200   403r    401   C:free-busy-query
       207   207x   207x   403r    401   CR:addressbook-multiget
       207    207    207   207x    401   D:expand-property
       207   403r   403r   403r    401   D:principal-match, D:acl-principal-prop-set
       200    200    200    200    401   D:principal-search-property-set

notifications
     owner dwrite  dread  other   anon
       200    200    200    200    200   OPTIONS
       405    405    405    405    405   BREW
       200    404    404   403p    401   GET, HEAD
       405    405    405    405    401   PUT, PUT alarm
       405    404    404   403p    401   POST member, DELETE, PROPPATCH, PROPPATCH members, COPY, MOVE, POST CS:share,
                                         POST D:share-resource, POST CS:invite-reply, POST D:invite-reply
      405n   403p   403p   403p    401   MKCOL, MKCALENDAR
       207    404    404   403p    401   PROPFIND 0, PROPFIND 1, D:sync-collection, D:expand-property
       403   403p   403p   403p    401   COPY onto, MOVE onto
      403a    404    404   403p    401   ACL
      403r    404    404   403p    401   C:calendar-query, C:calendar-multiget, C:free-busy-query,
                                         CR:addressbook-query, CR:addressbook-multiget, D:principal-match,
                                         D:principal-search-property-set, D:principal-property-search,
                                         CS:calendarserver-principal-search, D:acl-principal-prop-set

notification
     owner dwrite  dread  other   anon
       200    200    200    200    200   OPTIONS
       405    405    405    405    405   BREW
       200    404    404   403p    401   GET, HEAD
      403p    409    409   403p    401   PUT, PUT alarm, COPY onto, MOVE onto
       415    404    404   403p    401   POST member
       204    404    404   403p    401   DELETE
      405n   403p   403p   403p    401   MKCOL, MKCALENDAR
       207    404    404   403p    401   PROPFIND 0, PROPFIND 1, D:expand-property
       405    404    404   403p    401   PROPPATCH, PROPPATCH members, COPY, MOVE
      403a    404    404   403p    401   ACL
       403    404    404   403p    401   POST CS:share, POST D:share-resource, POST CS:invite-reply
       201    404    404   403p    401   POST D:invite-reply
      403r    404    404   403p    401   C:calendar-query, C:calendar-multiget, C:free-busy-query,
                                         CR:addressbook-query, CR:addressbook-multiget, D:sync-collection,
                                         D:principal-match, D:principal-search-property-set,
                                         D:principal-property-search, CS:calendarserver-principal-search,
                                         D:acl-principal-prop-set

proxy
     owner dwrite  dread  other   anon
       200    200    200    200    200   OPTIONS
       405    405    405    405    405   BREW
       405    405    405   403p    401   GET, HEAD, POST member, DELETE, COPY, MOVE, POST CS:share,
                                         POST D:share-resource, POST CS:invite-reply, POST D:invite-reply
       405    405    405    405    401   PUT, PUT alarm
      405n   405n   405n   403p    401   MKCOL, MKCALENDAR
       207    207    207   403p    401   PROPFIND 0, PROPFIND 1, D:expand-property
      207x   403p   403p   403p    401   PROPPATCH
       207   403p   403p   403p    401   PROPPATCH members
       403   403p   403p   403p    401   COPY onto, MOVE onto
      403a   403a   403a   403p    401   ACL
      403r   403r   403r   403p    401   C:calendar-query, C:calendar-multiget, C:free-busy-query,
                                         CR:addressbook-query, CR:addressbook-multiget, D:sync-collection,
                                         D:principal-match, D:principal-search-property-set,
                                         D:principal-property-search, CS:calendarserver-principal-search,
                                         D:acl-principal-prop-set

new collection
     owner dwrite  dread  other   anon
       200    200    200    200    200   OPTIONS
       405    405    405    405    405   BREW
       404    404    404   403p    401   GET, HEAD, POST member, DELETE, PROPFIND 0, PROPFIND 1, PROPPATCH,
                                         PROPPATCH members, COPY, MOVE, ACL, POST CS:share, POST D:share-resource,
                                         POST CS:invite-reply, POST D:invite-reply, C:calendar-query,
                                         C:calendar-multiget, C:free-busy-query, CR:addressbook-query,
                                         CR:addressbook-multiget, D:sync-collection, D:expand-property,
                                         D:principal-match, D:principal-search-property-set,
                                         D:principal-property-search, CS:calendarserver-principal-search,
                                         D:acl-principal-prop-set
       405    405    405    405    401   PUT, PUT alarm
       201   403p   403p   403p    401   MKCOL, MKCALENDAR, COPY onto, MOVE onto

new in nothing
     owner dwrite  dread  other   anon
       200    200    200    200    200   OPTIONS
       405    405    405    405    405   BREW
       404    404    404   403p    401   GET, HEAD, POST member, DELETE, PROPFIND 0, PROPFIND 1, PROPPATCH,
                                         PROPPATCH members, COPY, MOVE, ACL, POST CS:share, POST D:share-resource,
                                         POST CS:invite-reply, POST D:invite-reply, C:calendar-query,
                                         C:calendar-multiget, C:free-busy-query, CR:addressbook-query,
                                         CR:addressbook-multiget, D:sync-collection, D:expand-property,
                                         D:principal-match, D:principal-search-property-set,
                                         D:principal-property-search, CS:calendarserver-principal-search,
                                         D:acl-principal-prop-set
       409    409    409   403p    401   PUT, PUT alarm, COPY onto, MOVE onto
       409   403p   403p   403p    401   MKCOL, MKCALENDAR

group
     known   anon
       200    200   OPTIONS
       405    405   BREW
       405    401   GET, HEAD, PUT, PUT alarm, POST member, DELETE, PROPPATCH, PROPPATCH members, COPY, MOVE, ACL,
                    POST CS:share, POST D:share-resource, POST CS:invite-reply, POST D:invite-reply
      405n    401   MKCOL, MKCALENDAR
       207    401   PROPFIND 0, PROPFIND 1, D:principal-property-search, CS:calendarserver-principal-search
      403p    401   COPY onto, MOVE onto
      403r    401   C:calendar-query, C:calendar-multiget, C:free-busy-query, CR:addressbook-query,
                    CR:addressbook-multiget, D:sync-collection, D:principal-match, D:acl-principal-prop-set
      207x    401   D:expand-property
       200    401   D:principal-search-property-set
"""


def _read(table: str) -> dict[str, dict[str, dict[str, str]]]:
    """The cells by block, row and column."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for part in table.strip().split("\n\n"):
        block, head, *lines = part.split("\n")
        columns = head.split()
        rows = found.setdefault(block, {})
        cells: dict[str, str] = {}
        for line in lines:
            words = line.split(maxsplit=len(columns))
            if words[0][0].isdigit():
                cells = dict(zip(columns, words, strict=False))
                line = words[-1]
            for row in filter(None, map(str.strip, line.split(","))):
                assert row not in rows, f"{block} has {row} twice"
                rows[row] = cells
    return found


EXPECTED = _read(TABLE)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world that stays as it is, because nothing that is asked is kept."""
    with new_world(tmp_path_factory.mktemp("people")) as world:
        world.add_user("anna", display_name="Anna Beispiel", addresses=("anna@example.org",))
        authorization.populate(world)
        yield world


@pytest.mark.parametrize("block", list(EXPECTED))
def test_the_answer_is_what_the_table_says(people: World, block: str) -> None:
    clients: dict[str, EngineDav] = {}
    wrong: list[str] = []
    columns = authorization.spots(people)[block]
    for row, cells in EXPECTED[block].items():
        for column, spots in columns.items():
            for spot in spots:
                client = clients.setdefault(spot.user, rehearse(people, spot.user))
                said = authorization.cell(authorization.ask(client, row, spot))
                if said != cells[column]:
                    wrong.append(f"{column} ({spot.user}): {row} {spot.path} is {said}, not {cells[column]}")

    assert not wrong, "\n".join(wrong)


def test_the_blocks_and_their_columns_are_those_of_the_table(people: World) -> None:
    asked = authorization.spots(people)

    assert list(asked) == list(EXPECTED)
    for block, rows in EXPECTED.items():
        assert all(list(cells) == list(asked[block]) for cells in rows.values())


@pytest.mark.parametrize("block", list(EXPECTED))
def test_every_request_there_is_has_a_row(block: str) -> None:
    assert sorted(EXPECTED[block]) == sorted(authorization.rows())


def test_every_method_action_and_report_of_the_server_is_asked() -> None:
    registry = Registry(FEATURES)

    methods = {row.partition(" ")[0] for row in authorization.METHODS} - {"BREW"}
    assert methods | {"REPORT"} == set(registry.methods)
    assert {_clark(name) for name in authorization.REPORTS} == {
        report.name for feature in FEATURES for report in feature.reports
    }
    assert {_clark(name) for name in authorization.ACTIONS} == {
        action.name for feature in FEATURES for action in feature.actions
    }


_NAMESPACES = {
    "D": "DAV:",
    "C": "urn:ietf:params:xml:ns:caldav",
    "CR": "urn:ietf:params:xml:ns:carddav",
    "CS": "http://calendarserver.org/ns/",
}


def _clark(name: str) -> str:
    prefix, _, local = name.partition(":")
    return f"{{{_NAMESPACES[prefix]}}}{local}"


def test_nothing_that_was_asked_is_kept(people: World) -> None:
    with people.store.read() as txn:
        before = [
            list(txn.rows(f"SELECT * FROM {table} ORDER BY 1, 2")) for table in ("object", "share", "binding")
        ]

    client = rehearse(people, "anna")
    assert client.delete("/anna/work/").status == 204

    with people.store.read() as txn:
        after = [
            list(txn.rows(f"SELECT * FROM {table} ORDER BY 1, 2")) for table in ("object", "share", "binding")
        ]
    assert after == before
