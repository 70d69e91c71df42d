import pytest

from tagwerk.decoding import DecodingError, decode

UTF8 = "Grüße €"


def test_utf8_is_kept_as_it_is():
    decoded = decode(f"A:{UTF8}\r\nB:\t\x80\u2028\r\n".encode(), charset="utf-8")

    assert decoded.text == f"A:{UTF8}\r\nB:\t\x80\u2028\r\n"
    assert decoded.repairs == ()


@pytest.mark.parametrize(
    "charset", ["iso-8859-1", "US-ASCII", "windows-1252", "utf-16", "nonsense", "zlib_codec"]
)
def test_a_wrong_label_does_not_hurt_utf8(charset):
    decoded = decode(UTF8.encode(), charset=charset)

    assert decoded.text == UTF8
    assert decoded.repairs == ()


@pytest.mark.parametrize(
    ("content", "charset", "text"),
    [
        pytest.param(b"\xef\xbb\xbfA:b", "", "A:b", id="byte order mark"),
        pytest.param(b"\xef\xbb\xbf\xef\xbb\xbfA:b", "utf-8", "A:b", id="two byte order marks"),
        pytest.param("A:ü\n".encode("utf-16"), "", "A:ü\n", id="UTF-16 with its mark"),
        pytest.param("BEGIN:ü\n".encode("utf-16-be"), "", "BEGIN:ü\n", id="UTF-16 that looks like it"),
        pytest.param("BEGIN:u\n".encode("utf-16-le"), "utf-16le", "BEGIN:u\n", id="UTF-16 as labelled"),
        pytest.param("A:ü€\n".encode("cp1252"), "", "A:ü€\n", id="windows-1252 by guess"),
        pytest.param("A:ü\n".encode("latin-1"), "ISO-8859-1", "A:ü\n", id="latin-1 as labelled"),
        pytest.param("A:Ж\n".encode("koi8-r"), '"KOI8-R"', "A:Ж\n", id="as labelled, in quotes"),
        pytest.param("A:日本\n".encode("shift_jis"), "Shift_JIS", "A:日本\n", id="Shift_JIS"),
        pytest.param(
            "A:日本\n".encode("iso-2022-jp"), "iso-2022-jp", "A:日本\n", id="escapes that look like ASCII"
        ),
        pytest.param("A:ü\n".encode() + b"B:\xfc\n", "", "A:ü\nB:ü\n", id="one line of another encoding"),
        pytest.param(b"A:gr\xc3\r\n \xbcn\r\n", "", "A:gr\r\n ün\r\n", id="folded inside of a character"),
        pytest.param(b"A:\xe2\x82\r\n\t\xacx\r\n", "", "A:\r\n\t€x\r\n", id="and after two of three octets"),
        pytest.param(b"A:a\x0bb\x1a\x7f", "", "A:ab", id="control characters"),
        pytest.param("A:a\ufffeb\uffff".encode(), "", "A:ab", id="what XML cannot carry"),
        pytest.param(b"A:a\rB:b\r", "", "A:a\r\nB:b\r\n", id="carriage returns as line ends"),
        pytest.param(b"A:a\r\r\nB:b\r\r\n", "", "A:a\r\nB:b\r\n", id="one carriage return too many"),
        pytest.param(b"A:a\rb\r\nB:b\r\n", "", "A:ab\r\nB:b\r\n", id="a stray carriage return"),
    ],
)
def test_what_is_not_as_it_should_be_is_mended_and_told(content, charset, text):
    decoded = decode(content, charset=charset)

    assert decoded.text == text
    assert len(decoded.repairs) == 1


def test_the_lines_that_were_converted_are_named():
    decoded = decode(b"A\n\xfc\nB\n\xe4\n")

    assert decoded.repairs == ("Lines 2, 4 were converted from windows-1252 to UTF-8.",)


@pytest.mark.parametrize(
    ("content", "line"),
    [(b"A\nB\0\n", 2), (b"A\n\xfc\x81\n", 2), (b"\xff\xfeA", None), (b"\xff\xfe\x00\xd8", None)],
)
def test_what_is_no_text_is_refused(content, line):
    with pytest.raises(DecodingError) as refused:
        decode(content)

    assert refused.value.line == line
