import pytest

from tagwerk.vcard.resource import read
from tagwerk.vcard.split import split


def card(uid: str, *lines: str, version: str = "3.0", name: str = "Anna") -> str:
    own = ([f"UID:{uid}"] if uid else []) + ([f"FN:{name}"] if name else [])
    return "".join(f"{line}\r\n" for line in ["BEGIN:VCARD", f"VERSION:{version}", *own, *lines, "END:VCARD"])


def parts(*pieces: str, encoding: str = "utf-8"):
    found = list(split("".join(pieces).encode(encoding)))
    return [part for part in found if not part.problem], [part for part in found if part.problem]


def test_every_card_is_an_object():
    cards = [card("a"), card("b", version="4.0"), card("c", "PHOTO;ENCODING=b:AA\r\n AA")]

    objects, problems = parts(cards[0], "\r\n", cards[1].replace("\r\n", "\n"), cards[2])

    assert [part.content.decode() for part in objects] == cards
    assert [(part.line, part.uid) for part in objects] == [(1, "a"), (7, "b"), (12, "c")]
    assert problems == []


@pytest.mark.parametrize(
    ("broken", "line", "problem"),
    [
        (card("x", "TITLE"), 6, "line 10: 'TITLE' is no property"),
        (card("x", name=""), 6, "line 6: the card has no FN"),
        ("BEGIN:VCARD\r\nVERSION:3.0\r\n", 6, "END:VCARD is missing"),
        (card("x", version="9"), 6, "line 7: vCard '9' is not supported"),
        ("hello\r\nthere\r\n", 6, "this is outside of any card"),
        (
            card("x", "AGENT:\r\nBEGIN:VCARD\r\nEND:VCARD", version="2.1"),
            6,
            "line 11: there is another card inside",
        ),
    ],
)
def test_a_broken_card_does_not_lose_the_others(broken, line, problem):
    objects, problems = parts(card("a"), broken, card("b"))

    assert [part.uid for part in objects] == ["a", "b"]
    assert [part.line for part in problems] == [line]
    assert problems[0].problem.startswith(problem)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("TEL;CELL;PREF:1", "TEL;TYPE=CELL,PREF:1"),
        ("TEL;TYPE=HOME;TYPE=VOICE:1", "TEL;TYPE=HOME,VOICE:1"),
        ("N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller=2C;J;;;", "N:Müller\\,;J;;;"),
        ("NOTE;QUOTED-PRINTABLE;CHARSET=ISO-8859-1:a=0D=0A=FC =\r\nb: c", "NOTE:a\\nü b: c"),
        ("NOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:=C3=BC=C3=BC=C3=BC=C3=BC=C3", "NOTE:üüüü\ufffd"),
        ("NOTE;QUOTED-PRINTABLE:a=\r\n\t b=3D=\r\n", "NOTE:ab="),
        ("NOTE:a; b, c\\; d", "NOTE:a\\; b\\, c\\; d"),
        ("ORG:A, B;C\\;D", "ORG:A\\, B;C\\;D"),
        ("PHOTO;JPEG;BASE64:\r\n    AAAA\r\n    BBBB\r\n", "PHOTO;TYPE=JPEG;ENCODING=b:AAAABBBB"),
        ("PHOTO;TYPE=JPEG;ENCODING=BASE64:AAAA\r\nBB==\r\n", "PHOTO;TYPE=JPEG;ENCODING=b:AAAABB=="),
        ("PHOTO;VALUE=URL:http://example.com/a.jpg", "PHOTO;VALUE=uri:http://example.com/a.jpg"),
        ("X-OWN;LANGUAGE=de:x", "X-OWN;LANGUAGE=de:x"),
        ("item1.ADR;HOME:;;a;b;c;d;e", "item1.ADR;TYPE=HOME:;;a;b;c;d;e"),
    ],
)
def test_vcard_2_becomes_3(old, new):
    objects, problems = parts(card("a", old, version="2.1"))

    assert problems == []
    assert objects[0].content.decode() == card("a", new)


def test_the_charset_that_the_properties_name_is_that_of_the_file():
    objects, _ = parts(card("a", "NOTE;CHARSET=Shift_JIS:日本", version="2.1"), encoding="shift_jis")

    assert "NOTE:日本\r\n" in objects[0].content.decode()


def test_a_card_of_an_outlook_without_name_and_uid_gets_both():
    objects, _ = parts(card("", "N:Doe;John", version="2.1", name=""))

    assert "FN:John Doe\r\n" in objects[0].content.decode()
    assert read(objects[0].content).repairs == ()
    assert objects[0].uid == parts(card("", "N:Doe;John", version="2.1", name=""))[0][0].uid


def test_the_newer_one_of_two_is_kept():
    old, new = card("a", "REV:20250101T000000Z"), card("a", "REV:2026-01-01T00:00:00Z")

    objects, problems = parts(old, new, card("a"))

    assert [part.content.decode() for part in objects] == [new]
    assert [part.line for part in problems] == [1, 13]


@pytest.mark.parametrize(
    ("content", "problem"), [(b"", "there is no card in it"), (b"\0", "there is a NUL in the text")]
)
def test_a_stream_without_cards_says_so(content, problem):
    found = list(split(content))

    assert [part.problem for part in found] == [problem]
