"""Who may do what is asked once a request, however much is shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sharedstock import BY, SharedWorld, calendar, named, share, shared_world, statements

from tagwerk.accounts.users import add_user
from tagwerk.ical import resource
from tagwerk.model import Access, Kind
from tagwerk.sharing import groups
from tagwerk.store.collections import create_collection
from tagwerk.store.objects import put_object
from tagwerk.store.principals import add_principal

ETAG = "{DAV:}getetag"
HOME = ("{DAV:}displayname", "{DAV:}owner", "{DAV:}sync-token", "{DAV:}current-user-privilege-set")


@pytest.fixture
def world(tmp_path):
    """Anna, and two members of a group."""
    with shared_world(tmp_path, full=False) as made:
        with made.store.write() as txn:
            for name in ("anna", "bert", "carl"):
                add_user(txn, name, now=BY.now)
            club = add_principal(txn, "club", now=BY.now, kind="group")
            for name in ("bert", "carl"):
                groups.join(txn, club, named(txn, name), by=BY)
        yield made


def shared_calendar(world: SharedWorld, name: str, *, objects: int = 0) -> None:
    upload = resource.read(calendar("x", "SUMMARY:x\nLOCATION:y\n").encode(), now=BY.now)
    with world.store.write() as txn:
        made = create_collection(txn, named(txn, "anna").id, name=name, kind=Kind.CALENDAR, now=BY.now)
        for number in range(objects):
            facts = replace(upload.facts, uid=str(number))
            one = replace(upload, facts=facts)
            put_object(txn, made.collection.id, f"{number}.ics", upload=one, now=BY.now)
        share(txn, f"anna/{name}", "club", Access.WRITE)


def cost(world: SharedWorld, user: str, path: str, *names: str) -> tuple[int, int]:
    """How many statements a PROPFIND takes, and how many resources it lists."""
    ask = world.client(user)
    ask.propfind(path, *names, depth="1")
    with statements(world.store) as ran:
        answer = ask.propfind(path, *names, depth="1")
    assert answer.status == 207
    return len(ran), len(answer.statuses())


def test_a_listing_of_5000_objects_asks_for_rights_as_often_as_one_of_ten(world):
    shared_calendar(world, "few", objects=10)
    shared_calendar(world, "many", objects=5000)

    few, many = cost(world, "bert", "/bert/few/", ETAG), cost(world, "bert", "/bert/many/", ETAG)

    assert (few[1], many[1]) == (11, 5001)
    assert many[0] == few[0] < 50


@pytest.mark.parametrize("user", ["anna", "bert"])
def test_a_home_costs_the_same_however_much_is_in_it(world, user):
    for number in range(5):
        shared_calendar(world, f"a{number}")
    few = cost(world, user, f"/{user}/", *HOME)
    for number in range(45):
        shared_calendar(world, f"b{number}")

    many = cost(world, user, f"/{user}/", *HOME)

    assert (few[1], many[1]) == (4 + 5, 4 + 50)
    assert many[0] == few[0] < 50


def test_many_other_people_cost_nothing(world):
    few = cost(world, "bert", "/", *HOME)
    with world.store.write() as txn:
        for number in range(50):
            add_principal(txn, f"user{number}", now=BY.now)

    assert cost(world, "bert", "/", *HOME) == few
