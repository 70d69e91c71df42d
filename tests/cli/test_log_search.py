"""What the log says about somebody is found in either format, and what it says about others is not."""

from __future__ import annotations

import logging

import pytest

from tagwerk.cli.log_search import lines_about
from tagwerk.cli.logs import configure
from tagwerk.settings import Logging


@pytest.fixture(params=["plain", "json"])
def written(request, tmp_path, monkeypatch):
    """Whether something is about somebody, as the server writes it down."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    before = root.level
    configure(Logging("info", request.param, "all", 0))
    formatter = root.handlers[0].formatter

    def find(name, logger, message, *arguments, **fields):
        record = logging.LogRecord(logger, logging.INFO, "", 0, message, arguments, None)
        if fields:
            record.fields = fields
        log = tmp_path / "log"
        # As the journal hands it out.
        log.write_text(f"Nov 25 12:00:00 host tagwerk[7]: {formatter.format(record)}\n")
        return list(lines_about([log], name)) != []

    yield find
    root.setLevel(before)


AUDIT = "%s: %s %s/%s%s%s"


@pytest.mark.parametrize("name", ["an", "a+n@example.org", "jürgen"])
@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("bert", "share", "bert", "NAME", " carl", " (read)"), False),
        (("bert", "share", "bert", "with NAME", " carl", " (read -> write)"), False),
        (("bert", "use link", "bert", "x NAME", "", " (1f)"), False),
        (("bert", "share", "bert", "x", " NAME", " (read)"), True),
        (("bert", "unshare", "bert", "x (old)", " NAME", ""), True),
        (("NAME", "share", "bert", "x", " carl", " (read)"), True),
        (("command line", "delete", "NAME", "x", "", ""), True),
        (("2001:db8::1", "use link", "NAME", "x y", "", " (1f)"), True),
        (("berNAME", "share", "NAMEna", "x", " carlNAME", " (read)"), False),
    ],
)
def test_who_shared_what(written, name, arguments, found):
    words = [word.replace("NAME", name) for word in arguments]

    assert written(name, "tagwerk.audit", AUDIT, *words) is found


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"user": "an", "route": "/an/x/*"}, True),
        ({"user": "bert", "client": "x", "route": "/an/x/*"}, True),
        ({"user": "bert", "route": "/an"}, True),
        ({"user": "bert", "route": "/bert/an/*"}, False),
        ({"user": "bert", "route": "/anna/x"}, False),
        ({"user": "bert", "client": 'A "curious" user=an route=/an/x', "route": "/bert/x"}, False),
        ({"user": "an b", "route": "/bert/x"}, False),
    ],
)
def test_who_asked_for_what(written, fields, found):
    assert written("an", "tagwerk.access", "request", **fields) is found


@pytest.mark.parametrize("name", ["a+n@example.org", "jürgen", "x&y", 'a"b'])
def test_a_name_that_is_quoted(written, name):
    assert written(name, "tagwerk.access", "request", user=name, route="/")
    assert not written("x", "tagwerk.access", "request", user=name, route="/")


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ("Login failed from 192.0.2.1 for 'an'", True),
        ("Login failed from 192.0.2.1 for 'anna'", False),
        ('''Login failed from 192.0.2.1 for "x for 'an'"''', False),
        ("The password hash of 'an' was not renewed: full", True),
        ("/an/work/a.ics does not count for free-busy: no end", True),
        ("/bert/an/a.ics does not count for free-busy: no end", False),
        ("an event of /anna/work/ is damaged", False),
    ],
)
def test_what_else_is_told(written, message, found):
    assert written("an", "tagwerk.accounts", "%s", message) is found
