import pytest

from tagwerk import contentline
from tagwerk.vcard.partial import Prop, select

CARD = contentline.parse(
    "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nFN:A\r\nTEL;TYPE=HOME:1\r\nX-ABC.TEL:2\r\n"
    "x-abc-1.Tel;TYPE=CELL:3\r\nNOTE:long\r\nEND:VCARD\r\n"
)[0]


@pytest.mark.parametrize(
    ("props", "expected"),
    [
        ([], ""),
        ([Prop("fn")], "FN:A\r\n"),
        ([Prop("TEL")], "TEL;TYPE=HOME:1\r\nX-ABC.TEL:2\r\nx-abc-1.Tel;TYPE=CELL:3\r\n"),
        ([Prop("X-ABC.TEL")], "X-ABC.TEL:2\r\n"),
        ([Prop("TEL", novalue=True)], "TEL;TYPE=HOME:\r\nX-ABC.TEL:\r\nx-abc-1.Tel;TYPE=CELL:\r\n"),
        ([Prop("NOTE", novalue=True), Prop("NOTE")], "NOTE:long\r\n"),
        (
            [Prop("TEL", novalue=True), Prop("X-ABC.TEL")],
            "TEL;TYPE=HOME:\r\nX-ABC.TEL:2\r\nx-abc-1.Tel;TYPE=CELL:\r\n",
        ),
        ([Prop("ADR")], ""),
    ],
)
def test_a_card_has_the_properties_that_were_asked_for(props, expected):
    card = select(CARD, props)

    assert card.decode() == f"BEGIN:VCARD\r\nVERSION:3.0\r\n{expected}END:VCARD\r\n"


def test_long_lines_are_folded():
    card = contentline.parse("BEGIN:VCARD\nVERSION:3.0\nNOTE:" + "ä" * 100 + "\nEND:VCARD\n")[0]

    selected = select(card, [Prop("NOTE")])

    assert max(map(len, selected.split(b"\r\n"))) <= 75
    assert contentline.parse(selected.decode())[0].value("NOTE") == "ä" * 100
