"""docs/dav.md names what the registry has, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tagwerk.dav import xml
from tagwerk.dav.features import FEATURES
from tagwerk.dav.registry import Registry

PAGE = (Path(__file__).parents[2] / "docs" / "dav.md").read_text(encoding="utf-8")
PREFIXES = {
    "DAV:": "DAV",
    "urn:ietf:params:xml:ns:caldav": "CALDAV",
    "urn:ietf:params:xml:ns:carddav": "CARDDAV",
    "http://calendarserver.org/ns/": "CS",
    "http://apple.com/ns/ical/": "ICAL",
    "http://owncloud.org/ns": "OC",
    "http://nextcloud.com/ns": "NC",
}


def documented(section: str) -> set[str]:
    """The names in the first column of the table under a heading."""
    text = PAGE.partition(f"## {section}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))


def short(name: str) -> str:
    namespace, local = xml.split_name(name)
    return f"{PREFIXES[namespace]}:{local}" if namespace else local


@pytest.mark.parametrize(
    ("section", "names"),
    [
        ("Methods", {short(one.name) for feature in FEATURES for one in feature.methods}),
        ("Reports", {short(one.name) for feature in FEATURES for one in feature.reports}),
        ("What a POST can ask for", {short(one.name) for feature in FEATURES for one in feature.actions}),
        ("Live properties", {short(one.name) for feature in FEATURES for one in feature.properties}),
    ],
)
def test_the_page_names_what_is_there_and_nothing_else(section, names):
    assert documented(section) == names


def test_the_page_names_every_token_of_the_dav_header():
    line = next(line for line in PAGE.splitlines() if line.startswith("The `DAV:` header says"))

    assert tuple(re.findall(r"`([^`]+)`", line)[1:]) == Registry(FEATURES).tokens


def test_every_live_property_method_and_report_says_what_it_is():
    registered = [
        *(one.get for feature in FEATURES for one in feature.properties),
        *(
            one.handler
            for feature in FEATURES
            for one in (*feature.methods, *feature.reports, *feature.actions)
        ),
    ]

    assert [found.__name__ for found in registered if not found.__doc__] == []
