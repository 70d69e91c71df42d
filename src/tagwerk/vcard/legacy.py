"""vCard 2.1, which phones and Outlook still export, rewritten as 3.0 (vCard 2.1 2, RFC 2426 5).

Everything has a place in 3.0; what changes is how values are encoded and how
parameters are written.
"""

from __future__ import annotations

import re

from tagwerk import mending
from tagwerk.contentline import Component, Line, escape, fold, param_value
from tagwerk.vcard import quoted
from tagwerk.vcard.grammar import GRAMMAR

_STRUCTURED = frozenset({"ADR", "N", "ORG"})
_ENCODINGS = frozenset({"7BIT", "8BIT", "BASE64", "B", "QUOTED-PRINTABLE"})
_VALUES = {"INLINE": "", "URL": "uri", "URI": "uri", "CONTENT-ID": "uri", "CID": "uri"}
_ESCAPED = re.compile(r"\\([;,\\nN])")
_SEPARATOR = re.compile(r"(?<!\\);")
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/=]+")


def to_version_3(text: str) -> str:
    """The vCard 2.1 in `text`, one card, as vCard 3.0 with CRLF.

    Raises:
        BrokenText: it is no card, or has another card inside (AGENT).
    """
    joined, _ = quoted.join_soft_breaks(text, indented=True)
    parsed = mending.parse(joined, GRAMMAR)
    if len(parsed.roots) != 1 or parsed.roots[0].name != "VCARD":
        raise mending.BrokenText("this is no card", line=1)
    card = parsed.roots[0]
    if card.children:
        raise mending.BrokenText(
            "there is another card inside the card", line=parsed.line(card.children[0].index)
        )
    return "".join(["BEGIN:VCARD\r\nVERSION:3.0\r\n", *_lines(card), "END:VCARD\r\n"])


def _lines(card: Component) -> list[str]:
    return [fold(_rewritten(line)) for line in card.lines if line.name != "VERSION"]


def _rewritten(line: Line) -> str:
    params = {name: list(values) for name, values in line.params.items()}
    encoding = "".join(params.pop("ENCODING", ())[:1]).upper()
    charset = "".join(params.pop("CHARSET", ())[:1])
    types: list[str] = []
    for word in params.pop("TYPE", ()):
        if word.upper() in _ENCODINGS:
            encoding = word.upper()
        elif word.upper() in _VALUES:
            params.setdefault("VALUE", [word])
        else:
            types.append(word)
    value_type = "".join(params.pop("VALUE", ())[:1])
    value_type = _VALUES.get(value_type.upper(), value_type)
    head = f"{line.group}.{line.name}" if line.group else line.name
    if types:
        head += ";TYPE=" + ",".join(param_value(word) for word in types)
    if value_type:
        head += f";VALUE={value_type}"
    for name, values in params.items():
        head += f";{name}=" + ",".join(param_value(value) for value in values)
    if encoding in ("BASE64", "B"):
        return f"{head};ENCODING=b:{_NOT_BASE64.sub('', line.value)}"
    return f"{head}:{_value(line, encoding, charset)}"


def _value(line: Line, encoding: str, charset: str) -> str:
    """The value escaped as 3.0 asks; 2.1 escapes only the semicolons of structured values."""
    parts = _SEPARATOR.split(line.value) if line.name in _STRUCTURED else [line.value]
    if encoding == "QUOTED-PRINTABLE":
        parts = [quoted.decode(part, charset) for part in parts]
    return ";".join(escape(_unescape(part).replace("\r", "")) for part in parts)


def _unescape(value: str) -> str:
    return _ESCAPED.sub(lambda match: "\n" if match.group(1) in "nN" else match.group(1), value)
