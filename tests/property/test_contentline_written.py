"""What is written is read again, and read as another library reads it."""

import icalendar
from hypothesis import given
from hypothesis import strategies as st

from tagwerk import contentline
from tagwerk.collation import ASCII, OCTET, UNICODE, MatchType, TextMatch, casemap
from tagwerk.contentline import Component, Line, escape, param_value, split_unescaped, unescape

texts = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t"), max_size=120)
names = st.from_regex(r"X-[A-Z0-9-]{1,12}", fullmatch=True)


def written(head: str, value: str) -> str:
    component = Component("VEVENT", 0)
    component.lines.append(Line(head, value, 0))
    return contentline.serialize(component)


@given(names, names, texts, texts)
def test_a_written_line_is_read_again(name, param, value, text):
    stream = written(f"{name};{param}={param_value(value)}", escape(text))

    line = contentline.parse(stream)[0].lines[0]

    assert (line.name, line.text) == (name, text)
    # A line end is written as ^n, so it is no space that could be lost.
    bare = value.replace("\n", "\0").strip().replace("\0", "\n")
    assert line.params == {param: [value if any(char in value for char in ",;:") else bare]}
    assert max(len(physical.encode()) for physical in stream.split("\r\n")) <= 75


# icalendar takes a backslash in a parameter for an escape, which RFC 5545 3.1 does not know there.
@given(texts.filter(lambda value: "\\" not in value), texts)
def test_other_libraries_read_what_is_written(value, text):
    stream = written(f"SUMMARY;X-PARAM={param_value(value)}", escape(text))

    event = icalendar.Event.from_ical(stream)

    assert str(event["SUMMARY"]) == text


@given(texts)
def test_what_other_libraries_write_is_read(text):
    event = icalendar.Event()
    event.add("summary", text)

    line = contentline.parse(event.to_ical().decode())[0].first("SUMMARY")

    assert line is not None
    assert line.text == text


@given(st.lists(texts, min_size=1, max_size=5), st.sampled_from(",;"))
def test_lists_are_cut_where_they_were_joined(parts, separator):
    value = separator.join(map(escape, parts))

    assert [unescape(part) for part in split_unescaped(value, separator)] == parts


@given(texts, texts, texts, st.sampled_from([ASCII, OCTET, UNICODE]), st.sampled_from(MatchType))
def test_what_a_collation_finds_is_found_in_folded_text(before, needle, after, collation, match_type):
    text = before + needle + after

    found = TextMatch(needle, collation, match_type).finds(text)

    assert not found or casemap(needle) in casemap(text)
    assert casemap(needle) in casemap(text)
