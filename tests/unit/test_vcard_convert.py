import pytest

from tagwerk.errors import InvalidCard
from tagwerk.vcard.convert import CONVERSION, to_version

PHOTO = "AAECAwQF" * 40


def card(version: str, *lines: str) -> bytes:
    return "\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""]).encode()


def converted(line: str, *, to: str) -> list[str]:
    """The lines, without what every card has, of a card with one `line` as the other version."""
    other = "3.0" if to == "4.0" else "4.0"
    text = to_version(card(other, "N:x;;;;", line), to).decode().replace("\r\n ", "")
    return text.split("\r\n")[3:-2]


BOTH_WAYS = [
    ("FN:Jörg\\, M.", "FN:Jörg\\, M."),
    ("item1.X-ABLabel:_$!<Home>!$_", "item1.X-ABLabel:_$!<Home>!$_"),
    (f"PHOTO;ENCODING=b;TYPE=JPEG:{PHOTO}", f"PHOTO:data:image/jpeg;base64,{PHOTO}"),
    (f"SOUND;ENCODING=b;TYPE=OGG:{PHOTO}", f"SOUND:data:audio/ogg;base64,{PHOTO}"),
    (f"KEY;ENCODING=b;TYPE=PGP:{PHOTO}", f"KEY:data:application/pgp-keys;base64,{PHOTO}"),
    (
        "LOGO;VALUE=uri;TYPE=PNG:https://example.com/a.png",
        "LOGO;MEDIATYPE=image/png:https://example.com/a.png",
    ),
    ("TEL;TYPE=CELL,pref:1", "TEL;PREF=1;TYPE=CELL:1"),
    ("X-ADDRESSBOOKSERVER-KIND:group", "KIND:group"),
    ("X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:1", "MEMBER:urn:uuid:1"),
    ("X-GENDER:M", "GENDER:M"),
    ("BDAY:1980-03-22", "BDAY:19800322"),
    ("BDAY;X-APPLE-OMIT-YEAR=1604:1604-03-22", "BDAY:--0322"),
    ("X-ANNIVERSARY:2009-08-08", "ANNIVERSARY:20090808"),
    ("IMPP:xmpp:a@example.com", "IMPP:xmpp:a@example.com"),
    ("GEO:37.386;-122.08", "GEO:geo:37.386,-122.08"),
    ("TZ:-05:00", "TZ;VALUE=utc-offset:-0500"),
    ("UID:abc", "UID;VALUE=text:abc"),
    ("UID:urn:uuid:1", "UID:urn:uuid:1"),
    ("X-OWN;X-P=1:kept", "X-OWN;X-P=1:kept"),
]


@pytest.mark.parametrize(("old", "new"), BOTH_WAYS)
def test_3_becomes_4(old, new):
    assert converted(old, to="4.0") == [new]


@pytest.mark.parametrize(("old", "new"), BOTH_WAYS)
def test_4_becomes_3(old, new):
    back = converted(new, to="3.0")

    assert [line.upper() for line in back] == [old.upper()]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("X-GENDER:Female", ["GENDER:F"]),
        ("X-GENDER:it's complicated", ["GENDER:;it's complicated"]),
        ("EMAIL;TYPE=INTERNET:a@example.com", ["EMAIL:a@example.com"]),
        ("LABEL;TYPE=HOME:Main St\\nTown", ["ADR;TYPE=HOME;LABEL=Main St^nTown:;;;;;;"]),
        ("BDAY:1980", ["BDAY;VALUE=text:1980"]),
        ("BDAY;VALUE=date-time:1980-03-22T10:30:00+01:00", ["BDAY:19800322T103000+0100"]),
        ("TZ:Europe/Berlin", ["TZ:Europe/Berlin"]),
        ("PHOTO;BASE64:/9j/AAAA", ["PHOTO:data:image/jpeg;base64,/9j/AAAA"]),
        ("NOTE;ENCODING=QUOTED-PRINTABLE:a=C3=A4=0D=0Ab", ["NOTE:aä\\nb"]),
        ("PROFILE:VCARD", []),
    ],
)
def test_what_only_3_has_finds_its_place(old, new):
    assert converted(old, to="4.0") == new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('TEL;VALUE=uri;TYPE="voice,home":tel:+1-555;ext=5', ["TEL;TYPE=voice,home:+1-555 ext. 5"]),
        ("PHOTO:data:image/svg+xml,%3Csvg%2F%3E", ["PHOTO;ENCODING=b;TYPE=SVG+XML:PHN2Zy8+"]),
        ("TZ:Europe/Berlin", ["TZ;VALUE=text:Europe/Berlin"]),
        ("ADR;LABEL=a^nb;TYPE=home:;;Main;;;;", ["ADR;TYPE=home:;;Main;;;;", "LABEL;TYPE=home:a\\nb"]),
        ("BDAY;VALUE=text:in spring", ["BDAY;VALUE=text:in spring"]),
    ],
)
def test_what_only_4_has_finds_its_place(old, new):
    assert converted(old, to="3.0") == new


def test_the_most_preferred_one_is_preferred():
    text = to_version(card("4.0", "N:x", "TEL;PREF=7:a", "TEL;PREF=2:b", "TEL:c"), "3.0").decode()

    assert "TEL:a\r\nTEL;TYPE=pref:b\r\nTEL:c\r\n" in text


def test_3_has_a_structured_name():
    text = to_version(card("4.0", "UID:urn:uuid:1", "FN:The Team", "NOTE:x"), "3.0").decode()

    assert "FN:The Team\r\nN:The Team;;;;\r\nNOTE:x\r\n" in text


@pytest.mark.parametrize("version", ["3.0", "4.0"])
def test_a_card_of_the_version_is_not_touched(version):
    content = card(version, "fn:x", "NOTE:" + "x" * 200).replace(b"\r\n", b"\n")

    assert to_version(content, version) is content


@pytest.mark.parametrize("content", [b"", b"nonsense", b"BEGIN:VEVENT\r\nEND:VEVENT\r\n", b"\xff"])
def test_what_is_no_card_is_refused(content):
    with pytest.raises(InvalidCard) as refused:
        to_version(content, "4.0")

    assert refused.value.condition == CONVERSION
