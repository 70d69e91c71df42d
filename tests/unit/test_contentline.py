import pytest

from tagwerk.contentline import (
    MAX_DEPTH,
    ContentLineError,
    escape,
    fold,
    param_value,
    parse,
    physical_line,
    serialize,
    split_unescaped,
    unescape,
)


def test_a_stream_is_a_tree_of_components():
    roots = parse("BEGIN:A\r\nX:1\r\nBEGIN:B\r\nY:2\r\nEND:B\r\nZ:3\r\nEND:A\r\n\r\nBEGIN:C\r\nEND:C\r\n")

    assert [[part.name for part in root.walk()] for root in roots] == [["A", "B"], ["C"]]
    assert [line.name for line in roots[0].lines] == ["X", "Z"]
    assert roots[0].children[0].value("Y") == "2"


@pytest.mark.parametrize("ending", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("space", [" ", "\t"])
def test_folds_are_removed_whatever_the_line_ends(ending, space):
    if ending == "\r":
        text = ending.join(["BEGIN:A", "X:on", space + "e", "END:A", ""])
    else:
        text = ending.join(["BEGIN:A", "X:on", space + "e", "END:A"])

    roots = parse(text)

    assert roots[0].value("X") == "one"


def test_names_are_compared_without_case():
    roots = parse("begin:vEvent\nsummary;Language=de:X\nEnd:VEVENT\n")

    line = roots[0].first("SUMMARY")
    assert (roots[0].name, line.value, line.param("LANGUAGE"), line.head) == (
        "VEVENT",
        "X",
        "de",
        "summary;Language=de",
    )


@pytest.mark.parametrize(
    ("head", "params"),
    [
        ("X", {}),
        ("X;A=1", {"A": ["1"]}),
        ("X;a=1;A=2", {"A": ["1", "2"]}),
        ('X;A=1,2,"3,4"', {"A": ["1", "2", "3,4"]}),
        ('X;A="b;c:d";E=f', {"A": ["b;c:d"], "E": ["f"]}),
        ("X;A=", {"A": [""]}),
        ('X;A=""', {"A": [""]}),
        ("X;A=1,", {"A": ["1", ""]}),
        ("X;HOME;VOICE", {"TYPE": ["HOME", "VOICE"]}),
        ("X;TYPE=HOME;VOICE", {"TYPE": ["HOME", "VOICE"]}),
        ("X ; A = 1", {"A": ["1"]}),
        ("X;A=^n^^^'^x", {"A": ['\n^"^x']}),
        ("X;A=ä ö", {"A": ["ä ö"]}),
    ],
)
def test_parameters_are_taken_apart(head, params):
    line = parse(f"BEGIN:A\n{head}:v\nEND:A\n")[0].lines[0]

    assert (line.name, line.params, line.value) == ("X", params, "v")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('X;CN="a:b":c', "c"),
        ('X;CN="a:b";D="e:f":c:d', "c:d"),
        ('X:a"b:c', 'a"b:c'),
        ('X;CN="odd:c', "c"),
        ("X:", ""),
        ("X::", ":"),
    ],
)
def test_the_value_begins_behind_the_first_colon_that_is_not_quoted(text, value):
    line = parse(f"BEGIN:A\n{text}\nEND:A\n")[0].lines[0]

    assert line.value == value


def test_a_group_is_no_part_of_the_name():
    line = parse("BEGIN:A\nitem1.X-ABLabel;A=b.c:d\nEND:A\n")[0].lines[0]

    assert (line.group, line.name) == ("item1", "X-ABLABEL")


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("nonsense", 0),
        ("BEGIN:A\nnonsense\nEND:A", 1),
        ("BEGIN:A\nX:1\n 2\nnonsense\nEND:A", 2),
        ("X:1", 0),
        ("BEGIN:A\nEND:B", 1),
        ("END:A", 0),
        ("BEGIN:A\nEND:A\nEND:A", 2),
        ("X:1\nBEGIN:A", 0),
        ("BEGIN:A\nBEGIN:B\nEND:B", 0),
        ("BEGIN:a b\nEND:a b", 0),
        ("BEGIN:\nEND:", 0),
    ],
)
def test_what_is_not_made_of_content_lines_is_refused(text, index):
    with pytest.raises(ContentLineError) as refused:
        parse(text)

    assert refused.value.index == index


def test_components_are_not_nested_without_end():
    deep = "BEGIN:A\n" * MAX_DEPTH

    assert len(list(parse(deep + "END:A\n" * MAX_DEPTH)[0].walk())) == MAX_DEPTH
    with pytest.raises(ContentLineError):
        parse(deep + "BEGIN:A\n")


@pytest.mark.parametrize(("index", "number"), [(0, 1), (1, 2), (2, 4), (3, 5), (4, 7)])
def test_an_unfolded_line_has_a_physical_line(index, number):
    text = "BEGIN:A\r\nX:1\r\n 2\r\n\r\nY:1\r\n\t2\r\nEND:A\r\n"

    assert physical_line(text, index) == number


def test_a_component_is_written_as_it_was_read():
    text = 'BEGIN:A\r\nx;y="1:2":3\\n\r\nBEGIN:B\r\nEND:B\r\nEND:A\r\n'

    assert serialize(parse(text)[0]) == text


def test_long_lines_are_folded_between_characters():
    line = "X:" + "aä€\N{GRINNING FACE}" * 40

    folded = fold(line)

    assert folded.replace("\r\n ", "") == line + "\r\n"
    assert max(len(physical.encode()) for physical in folded.split("\r\n")) <= 75


def test_a_line_of_75_octets_is_not_folded():
    assert fold("x" * 75) == "x" * 75 + "\r\n"
    assert fold("x" * 76) == "x" * 75 + "\r\n x\r\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [("a", "a"), ("a,b;c", "a\\,b\\;c"), ("\\", "\\\\"), ("a\nb\r\nc\rd", "a\\nb\\nc\\nd"), ("a:b", "a:b")],
)
def test_text_is_escaped(text, value):
    assert escape(text) == value
    assert unescape(value) == text.replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.parametrize(("value", "text"), [("\\N", "\n"), ("\\:", ":"), ("a\\", "a\\"), ("\\\\n", "\\n")])
def test_unusual_escapes_are_understood(value, text):
    assert unescape(value) == text


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("", [""]),
        ("a", ["a"]),
        ("a,b", ["a", "b"]),
        ("a\\,b,c", ["a\\,b", "c"]),
        ("a\\\\,b", ["a\\\\", "b"]),
        (",", ["", ""]),
    ],
)
def test_lists_are_cut_at_separators_that_are_not_escaped(value, parts):
    assert split_unescaped(value, ",") == parts


@pytest.mark.parametrize(
    ("value", "written"),
    [("a", "a"), ("a b", "a b"), ("a:b", '"a:b"'), ('"', "^'"), ("^\r\n\r", "^^^n^n"), ("a,b", '"a,b"')],
)
def test_parameter_values_are_written_as_rfc_6868_asks(value, written):
    assert param_value(value) == written
