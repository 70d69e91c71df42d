"""tagwerk_radicale.properties"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagwerk.errors import InvalidRequest, Refused
from tagwerk_radicale import properties

XML_TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs"]).filter(
        lambda char: char in "\t\n\r" or (char >= " " and char not in "\ufffe\uffff")
    )
)


@given(XML_TEXT)
def test_a_text_comes_back_as_it_was_set(text):
    changes = properties.changes({}, {"D:displayname": text, "tag": "VCALENDAR"})

    assert properties.shown(changes) == {"D:displayname": text}


@given(st.dictionaries(st.sampled_from(["D:displayname", "ICAL:calendar-color", "{urn:x}y"]), XML_TEXT))
def test_what_is_shown_and_comes_back_changes_nothing(wanted):
    stored = properties.changes({}, wanted)

    assert properties.changes(stored, properties.shown(stored)) == {}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("&#228;&#xE4;&amp;lt;&quot;&apos;", "ää&lt;\"'"),
        ("&unknown;&#x110000;", "&unknown;&#x110000;"),
        ('before<D:href xmlns:D="DAV:">x</D:href>after', "before"),
        ("a&#13;\nb", "a\r\nb"),
    ],
)
def test_stored_xml_is_shown_as_text(value, text):
    assert properties.shown({"{DAV:}displayname": value}) == {"D:displayname": text}


@pytest.mark.parametrize("text", ["\x00", "a\x1bb", "\ud800", "\ufffe"])
def test_what_xml_cannot_hold_is_refused(text):
    with pytest.raises(InvalidRequest):
        properties.changes({}, {"D:displayname": text})


def test_what_is_missing_is_removed():
    assert properties.changes({"{DAV:}displayname": "x"}, {"tag": "VCALENDAR"}) == {"{DAV:}displayname": None}


def test_components_are_those_of_the_standard():
    assert properties.components_of("vevent, VTODO,VEVENT,") == ("VEVENT", "VTODO")
    assert properties.components_of(None) == ()
    with pytest.raises(Refused):
        properties.components_of("VEVENT,VALARM")
