"""Quoted-printable values, which vCard 2.1 has and some write into 3.0 (RFC 2045 6.7, RFC 2426 5).

A soft line break there is ``=`` at the end of a line, and the next line goes on
without the space that makes a fold.
"""

from __future__ import annotations

import re

from tagwerk.decoding import codec

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ESCAPE = re.compile(rb"=([0-9A-Fa-f]{2})")


def join_soft_breaks(text: str, *, indented: bool = False) -> tuple[str, int]:
    """`text` with every soft line break made a fold, and how many there were.

    `indented`: the next line may begin with white space, which then is no part of the
    value.  In 3.0 that is a fold already, and the ``=`` before it is meant.

    No physical line is added or removed.
    """
    if "QUOTED-PRINTABLE" not in text.upper():
        return text, 0
    lines = text.split("\n")
    quoted = False
    count = 0
    for number, raw in enumerate(lines):
        is_fold = raw.startswith((" ", "\t"))
        if not is_fold:
            quoted = "QUOTED-PRINTABLE" in raw.partition(":")[0].upper()
        line = raw.rstrip()
        if not quoted or not line.endswith("=") or number + 1 == len(lines):
            continue
        following = lines[number + 1]
        if following[:4].upper() == "END:" or (following.startswith((" ", "\t")) and not indented):
            continue
        lines[number] = line[:-1] + ("\r" if raw.endswith("\r") else "")
        lines[number + 1] = " " + following.lstrip(" \t")
        count += 1
    return "\n".join(lines), count


def decode(value: str, charset: str) -> str:
    """The quoted-printable `value` as text, without control characters; `charset` "" is UTF-8.

    Bytes that do not fit are those of a character that was cut, so one of them does
    not change how the others are read, unless nothing fits.
    """
    data = _ESCAPE.sub(lambda match: bytes([int(match.group(1), 16)]), value.encode())
    name = codec(charset) or "utf-8"
    text = data.decode(name, "replace")
    wrong = text.count("\ufffd")
    if name == "utf-8" and wrong > len(text) // 4:
        text = data.decode("cp1252", "replace")
    return _CONTROL.sub("", text)
