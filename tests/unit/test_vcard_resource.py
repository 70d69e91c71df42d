import pytest

from tagwerk.errors import InvalidCard
from tagwerk.vcard.resource import read


def card(*lines: str, version: str = "3.0", uid: str = "1", name: str = "Anna") -> bytes:
    own = [f"VERSION:{version}"] if version else []
    own += [f"FN:{name}"] if name else []
    own += [f"UID:{uid}"] if uid else []
    return "\r\n".join(["BEGIN:VCARD", *own, *lines, "END:VCARD", ""]).encode()


def condition(refused: pytest.ExceptionInfo[InvalidCard]) -> str:
    return refused.value.condition.rpartition("}")[2]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(card(), id="3.0"),
        pytest.param(card(version="4.0"), id="4.0"),
        pytest.param(
            card("N:;Anna;;;", "item1.TEL;type=CELL:1", "item1.X-ABLabel:_$!<Other>!$_"), id="Apple"
        ),
        pytest.param(card(f"PHOTO;ENCODING=b;TYPE=JPEG:{'A' * 50_000}"), id="a photo on one line"),
        pytest.param(card("PHOTO;ENCODING=b:AA\r\n  AA\r\n  AA=="), id="a photo with deep folds"),
        pytest.param(card(f"PHOTO:data:image/png;base64,{'A' * 999}", version="4.0"), id="a photo of 4.0"),
        pytest.param(card("PHOTO;VALUE=uri:https://example.com/a.png"), id="a photo elsewhere"),
        pytest.param(card().replace(b"\r\n", b"\n"), id="line feeds"),
        pytest.param(card().lower(), id="lower case"),
        pytest.param(card(name="").replace(b"UID", b"FN:\r\nUID"), id="an empty name"),
        pytest.param(
            b"BEGIN:VCARD\r\nFN:A\r\nUID:1\r\nVERSION:3.0\r\nEND:VCARD\r\n", id="VERSION at the end"
        ),
        pytest.param(card("NOTE:VERSION:2.1\\nBEGIN:VCARD"), id="a note on vCard"),
        pytest.param(card("NOTE;ENCODING=QUOTED-PRINTABLE:a=\r\n C3=BC"), id="an escape across a fold"),
        pytest.param(card("AGENT:BEGIN:VCARD\\nEND:VCARD\\n"), id="a card in a value"),
    ],
)
def test_a_card_is_kept_byte_for_byte(content):
    upload = read(content)

    assert upload.content == content
    assert upload.repairs == ()
    assert (upload.facts.uid, upload.facts.component) == ("1", "VCARD")


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (["N:Doe;John;Q.;Dr.;Jr."], "Dr. John Q. Doe Jr."),
        (["N:;;;;", "ORG:Example\\, Inc.;Sales"], "Example\\, Inc.\\, Sales"),
        (["NICKNAME:Jo", "EMAIL:a@example.com"], "Jo"),
        (["EMAIL;TYPE=home:a@example.com"], "a@example.com"),
        (["TEL:+49 1"], "+49 1"),
        (["N:a\\nb;"], "a b"),
    ],
)
def test_a_card_without_fn_gets_what_it_would_say(lines, name):
    upload = read(card(*lines, name=""))

    assert upload.content == card(*lines, name=name)
    assert len(upload.repairs) == 1


@pytest.mark.parametrize("version", ["3.0", "4.0"])
@pytest.mark.parametrize("lines", [[], ["UID:"]])
def test_a_card_without_uid_gets_one_and_always_the_same(version, lines):
    content = card("NOTE:x", *lines, version=version, uid="")

    upload = read(content)

    uid = upload.facts.uid
    assert uid.startswith("urn:uuid:") == (version == "4.0")
    assert upload.content.count(f"\r\nUID:{uid}\r\n".encode()) == upload.content.count(b"UID:") == 1
    assert read(content.replace(b"\r\n", b"\n")).facts.uid == uid
    assert read(upload.content).repairs == ()


def test_a_card_without_uid_keeps_the_one_it_had():
    upload = read(card(uid=""), uid=lambda: "of the client")

    assert upload.content == b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:of the client\r\nFN:Anna\r\nEND:VCARD\r\n"


def test_a_card_without_uid_and_name_gets_both_with_its_own_line_ends():
    upload = read(b"BEGIN:VCARD\nVERSION:4.0\nEMAIL:a@example.com\nEND:VCARD\n")

    assert b"\r" not in upload.content
    assert upload.content.split(b"\n")[2][:4] == b"UID:"
    assert upload.content.split(b"\n")[3] == b"FN:a@example.com"


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        pytest.param(
            card("NOTE;ENCODING=QUOTED-PRINTABLE:a=C3=\r\n=BC: b=\r\nc"),
            card("NOTE;ENCODING=QUOTED-PRINTABLE:a=C3\r\n =BC: b\r\n c"),
            id="soft line breaks of quoted-printable",
        ),
        pytest.param(
            card("PHOTO;ENCODING=b:AAAA\r\nBBBB\r\n"),
            card("PHOTO;ENCODING=b:AAAA\r\n BBBB\r\n"),
            id="unfolded Base64",
        ),
        pytest.param(card("NOTE:a\r\nb"), card("NOTE:a\r\n \\nb"), id="a raw line end"),
        pytest.param(b"\xef\xbb\xbf" + card(), card(), id="byte order mark"),
    ],
)
def test_what_must_be_repaired_is_repaired_where_it_is_broken(sent, stored):
    upload = read(sent)

    assert upload.content == stored
    assert len(upload.repairs) == 1
    assert read(stored).repairs == ()


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", None),
        (b"hello", 1),
        (b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", 1),
        (card(version=""), 1),
        (card() + card(uid="2"), 6),
        (card(name=""), 1),
        (card("TITLE"), 5),
        (card("NOTE:a\0"), 5),
        (card()[:-11], 1),
    ],
)
def test_what_is_not_one_valid_card_is_refused(content, line):
    with pytest.raises(InvalidCard) as refused:
        read(content)

    assert condition(refused) == "valid-address-data"
    assert refused.value.line == line


@pytest.mark.parametrize("version", ["2.1", "5.0", "nonsense"])
def test_another_version_is_refused_whatever_its_lines_are(version):
    with pytest.raises(InvalidCard) as refused:
        read(card("NOTE;QUOTED-PRINTABLE:a=\r\nthis has no colon", version=version))

    assert condition(refused) == "supported-address-data"
    assert refused.value.line == 2


def test_the_search_text_has_everything_but_pictures():
    content = card(
        "PHOTO;ENCODING=b;TYPE=JPEG:QUJD", "ORG:Größe;Q", "TEL;TYPE=CELL:+49", "REV:2020", name="Änna"
    )

    search = read(content).facts.search

    assert search.split("\n") == ["a\u0308nna", "1", "b", "jpeg", "gro\u0308sse;q", "cell", "+49"]
