import pytest

from tagwerk.ical.grammar import GRAMMAR
from tagwerk.mending import BrokenText, edit, parse


def component(*lines: str) -> str:
    return "\r\n".join(["BEGIN:VEVENT", *lines, "END:VEVENT", ""])


def test_whole_lines_are_left_alone():
    text = component(
        "REFRESH - INTERVAL; VALUE = X:1", "SUMMARY:a", "X-A_B:1", "item1.X-C:1", "summary;x=1:b"
    )

    parsed = parse(text, GRAMMAR)

    assert parsed.text == text
    assert parsed.repairs == ()


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        pytest.param(["DESCRIPTION:one", "two"], "one\\ntwo", id="a raw line end"),
        pytest.param(["DESCRIPTION:one", "", "two"], "one\\n\\ntwo", id="and an empty line"),
        pytest.param(["DESCRIPTION:" + "x" * 63, "two"], "x" * 63 + "two", id="a fold without its space"),
        pytest.param(["DESCRIPTION:one", " more", "two", " too"], "onemore\\ntwotoo", id="between folds"),
        pytest.param(["DESCRIPTION:one", "two", "three"], "one\\ntwo\\nthree", id="several lines"),
        pytest.param(
            ["DESCRIPTION:one", "Phone: 12", "two"], "one\\nPhone: 12\\ntwo", id="with a colon between"
        ),
        pytest.param(
            ["DESCRIPTION:one", "see <http://x>"], "one\\nsee <http://x>", id="no name before the colon"
        ),
        pytest.param(["DESCRIPTION", "", " :one"], "one", id="an empty line inside of a fold"),
        pytest.param(["ATTACH;ENCODING=BASE64:AA", "AA=="], "AAAA==", id="Base64"),
        pytest.param(["ATTACH;ENCODING=BASE64:", "AA=="], "AA==", id="Base64 on a line of its own"),
        pytest.param(["X-ALT-DESC;FMTTYPE=text/html:<p>", "</p>"], "<p>\\n</p>", id="HTML"),
    ],
)
def test_a_line_without_a_colon_belongs_to_the_text_before_it(lines, value):
    text = component(*lines, "DTSTART:20260101T000000Z")

    parsed = parse(text, GRAMMAR)

    assert [line.value for line in parsed.roots[0].lines] == [value, "20260101T000000Z"]
    assert parsed.repairs
    assert parsed.text.count("\n") == text.count("\n")


@pytest.mark.parametrize(
    ("lines", "number"),
    [
        (["DTSTART:20260101T000000Z", "nonsense"], 3),
        (["nonsense"], 2),
        (["DESCRIPTION:x", "BEGIN:VALARM", "nonsense", "END:VALARM"], 4),
        (["DESCRIPTION:x", " y", "UID:1", "nonsense", "DTSTART:1"], 5),
        (["DTSTART:1", "<b>:x"], 3),
        (["DTSTART:1", "größe:x"], 3),
        (["DTSTART:1", ":x"], 3),
    ],
)
def test_other_broken_lines_are_refused_with_their_number(lines, number):
    with pytest.raises(BrokenText) as refused:
        parse(component(*lines), GRAMMAR)

    assert refused.value.line == number


def test_the_number_is_that_of_the_sender_after_mending_too():
    with pytest.raises(BrokenText) as refused:
        parse(component("DESCRIPTION:x", "y", "z", "UID:1", "nonsense"), GRAMMAR)

    assert refused.value.line == 6


def test_lines_are_replaced_and_added_by_their_unfolded_number():
    text = "A:1\r\n 2\r\nB:1\r\n\t2\r\n\r\nC:1\r\n"

    edited = edit(text, replaced={1: "X:1"}, added={0: "N:1", 3: "M:1\r\nM:2"})

    assert edited == "A:1\r\n 2\r\nN:1\r\nX:1\r\n\r\nC:1\r\nM:1\r\nM:2\r\n"


def test_edits_have_the_line_ends_of_the_text():
    edited = edit("A:1\nB:1\n", replaced={1: "X:1"}, added={0: "N:1\r\nN:2"})

    assert edited == "A:1\nN:1\nN:2\nX:1\n"
