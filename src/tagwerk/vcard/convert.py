"""One version of vCard as the other (RFC 6352 5.1.1).

What the other version writes differently is rewritten; what it does not know stays
as it is, since both allow names that they do not define.
"""

from __future__ import annotations

from typing import Literal

from tagwerk import contentline
from tagwerk.contentline import ContentLineError
from tagwerk.errors import CARDDAV, InvalidCard
from tagwerk.vcard.downgrade import downgrade
from tagwerk.vcard.property import Prop
from tagwerk.vcard.upgrade import upgrade

Version = Literal["3.0", "4.0"]

CONVERSION = CARDDAV + "supported-address-data-conversion"


def to_version(content: bytes, version: Version) -> bytes:
    """The card in `content` as vCard `version`; as it is, byte for byte, if it is that already.

    Raises:
        InvalidCard: `content` is no card that can be read (RFC 6352 5.1.1.1).
    """
    try:
        roots = contentline.parse(content.decode("utf-8"))
    except (ContentLineError, UnicodeDecodeError) as error:
        raise InvalidCard(f"the card cannot be read: {error}", condition=CONVERSION) from error
    if len(roots) != 1 or roots[0].name != "VCARD":
        raise InvalidCard("this is not one card", condition=CONVERSION)
    card = roots[0]
    if card.value("VERSION").strip() == version:
        return content
    props = [Prop.of(line) for line in card.lines if line.name != "VERSION"]
    rewritten = upgrade(props) if version == "4.0" else downgrade(props)
    children = [contentline.serialize(child) for child in card.children]
    lines = ["BEGIN:VCARD\r\n", f"VERSION:{version}\r\n", *map(str, rewritten), *children, "END:VCARD\r\n"]
    return "".join(lines).encode()
