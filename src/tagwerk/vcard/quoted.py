"""Quoted-printable values, which vCard 2.1 has and some write into 3.0 (RFC 2045 6.7, RFC 2426 5).

A soft line break there is ``=`` at the end of a line, and the next line goes on
without the space that makes a fold.
"""

from __future__ import annotations

import re

from tagwerk.decoding import codec

_ESCAPE = re.compile(rb"=([0-9A-Fa-f]{2})")


def join_soft_breaks(text: str) -> tuple[str, int]:
    """`text` with every soft line break made a fold, and how many there were.

    No physical line is added or removed.
    """
    if "QUOTED-PRINTABLE" not in text.upper():
        return text, 0
    lines = text.split("\n")
    quoted = broken = False
    count = 0
    for number, raw in enumerate(lines):
        line = raw.rstrip()
        if broken and line[:4].upper() != "END:":
            raw = lines[number] = raw if raw.startswith((" ", "\t")) else " " + raw
            count += 1
        elif not raw.startswith((" ", "\t")):
            quoted = "QUOTED-PRINTABLE" in line.partition(":")[0].upper()
        broken = quoted and line.endswith("=") and number + 1 < len(lines)
        if broken and lines[number + 1][:4].upper() != "END:":
            lines[number] = raw.rstrip()[:-1] + ("\r" if raw.endswith("\r") else "")
    return "\n".join(lines), count


def decode(value: str, charset: str) -> str:
    """The quoted-printable `value` as text; `charset` is that of the property, "" or unknown is UTF-8."""
    data = _ESCAPE.sub(lambda match: bytes([int(match.group(1), 16)]), value.encode())
    for name in (codec(charset), "utf-8"):
        if name:
            try:
                return data.decode(name)
            except UnicodeDecodeError:
                continue
    return data.decode("cp1252", "replace")
