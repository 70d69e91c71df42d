"""tagwerk_radicale.rights, compared with Radicale's own owner_only."""

from __future__ import annotations

import pytest
from radicale.rights import owner_only
from stock import configured

from tagwerk_radicale.rights import Rights

PATHS = (
    "/",
    "/anna/",
    "/anna/calendar/",
    "/anna/calendar/a/",
    "/bert/",
    "/bert/calendar/",
    "/anna2/",
    "/.web/",
)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("user", ["anna", ""])
def test_everybody_has_their_own_home(url, user, path):
    configuration = configured(url)

    ours = Rights(configuration).authorization(user, set(), path)
    theirs = owner_only.Rights(configuration).authorization(user, set(), path)

    assert set(ours) - {"D"} == set(theirs)


def test_nobody_has_rights_without_a_login_even_where_radicale_asks_for_none(url):
    rights = Rights(configured(url, {"auth": {"type": "none"}}))

    assert [rights.authorization("", set(), path) for path in PATHS] == [""] * len(PATHS)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("PROPFIND", "/", 207),
        ("PROPFIND", "/bert/", 403),
        ("PROPFIND", "/bert/calendar/", 403),
        ("GET", "/bert/calendar/a.ics", 403),
        ("PUT", "/bert/calendar/a.ics", 403),
        ("DELETE", "/bert/calendar/", 403),
        ("DELETE", "/", 403),
        ("PROPPATCH", "/bert/calendar/", 403),
        ("MKCALENDAR", "/bert/new/", 403),
        ("REPORT", "/bert/calendar/", 403),
    ],
)
def test_another_home_is_closed(anna, method, path, expected):
    assert anna(method, path, depth="1").status == expected


def test_the_root_shows_the_own_home_only(anna):
    found = anna.propfind("/", "{DAV:}resourcetype", depth="1")

    assert set(found.statuses()) == {"/", "/anna/"}
