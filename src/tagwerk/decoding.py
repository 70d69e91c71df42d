"""From the bytes of an upload to text (RFC 5545 3.1.4 and 6, RFC 6350 3.1).

Both formats are UTF-8, and what a client sends is kept as it is.  What is not
UTF-8, or could not travel inside an XML answer (XML 1.0 2.2), is mended with the
smallest change, and every mending is a sentence.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]|\r(?!\n)")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
_RETURNS = re.compile("\r+\n?")
_CUT_CHARACTER = re.compile(
    rb"([\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})(\r?\n[ \t])([\x80-\xbf]{1,3})"
)
_KNOWN_CHARSET = re.compile(
    r"(iso-?8859-?\d+|latin-?\d|(windows-?|cp)\d+|koi8-[rut]|mac-?roman|shift[-_]?jis|euc-?(jp|kr)|gb(2312|k|18030)"
    r"|big5(-?hkscs)?|utf-?(16|32)(-?[lb]e)?|iso-2022-(jp|kr)(-\d)?|hz(-gb-2312)?)\Z"
)
_NOT_ASCII_BASED = re.compile(r"utf-?(16|32)|iso-2022|hz")
_NULS = re.compile(r"utf-?(16|32)")
_WIDE_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"B\0E\0", "utf-16-le"),
    (b"\0B\0E", "utf-16-be"),
)


class DecodingError(ValueError):
    """Bytes that are no text; `line` is the number of the physical line, from 1, or None."""

    def __init__(self, message: str, *, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Text:
    """Decoded text without anything that XML cannot carry, and the sentences on what was mended."""

    text: str
    repairs: tuple[str, ...] = ()


def decode(content: bytes, *, charset: str = "") -> Text:
    """`content` as text; `charset` is the parameter of its media type, "" when there is none.

    UTF-8 is tried first even if `charset` names another superset of ASCII: text in
    those is hardly ever valid UTF-8 by chance, while wrong labels are common.  Lines
    that are not UTF-8 are read as `charset` says, or else as windows-1252.

    The physical lines of the result are those of `content`.

    Raises:
        DecodingError: a NUL, or bytes that no encoding explains.
    """
    repairs: list[str] = []
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = _decode_other(content, charset, repairs)
    else:
        if charset and _NOT_ASCII_BASED.match(charset.lower()) and not text.startswith("\ufeff"):
            text = _decode_labelled(content, text, charset, repairs)
    if text.startswith("\ufeff"):
        text = text.lstrip("\ufeff")
        repairs.append("The byte order mark at the beginning was removed.")
    if _UNFIT.search(text):
        text = _without_unfit(text, repairs)
    return Text(text, tuple(repairs))


def line_of(text: str, position: int) -> int:
    """The number, from 1, of the physical line of `text` that holds `position`."""
    return text.count("\n", 0, position) + 1


def codec(charset: str) -> str:
    """Python's name of `charset`, "" when it is unknown or UTF-8.

    Only encodings that calendars and cards come in: Python's registry also has some
    that are slow or no encodings at all.
    """
    name = charset.strip().strip('"').lower()
    if not _KNOWN_CHARSET.match(name):
        return ""
    if name in ("iso-8859-1", "iso8859-1", "latin1", "latin-1"):
        return "cp1252"
    try:
        return codecs.lookup(name).name
    except LookupError:
        return ""


def _decode_labelled(content: bytes, utf8: str, charset: str, repairs: list[str]) -> str:
    """For content that could be UTF-8, but is labelled as something that is no superset of ASCII."""
    name = codec(charset)
    if not name or ("\0" not in utf8 and _NULS.match(name)):
        return utf8
    try:
        text = content.decode(name)
    except (UnicodeDecodeError, LookupError):
        return utf8
    if text != utf8:
        repairs.append(f"The text was converted from {charset} to UTF-8.")
    return text


def _decode_other(content: bytes, charset: str, repairs: list[str]) -> str:
    for mark, wide in _WIDE_MARKS:
        if content.startswith(mark):
            try:
                text = content.decode(wide)
            except UnicodeDecodeError as error:
                raise DecodingError(f"the text is no valid {wide.upper()}") from error
            repairs.append(f"The text was converted from {wide.upper()} to UTF-8.")
            return text
    joined, moved = _CUT_CHARACTER.subn(_moved_fold, content)
    if moved and joined != content:
        try:
            text = joined.decode("utf-8")
        except UnicodeDecodeError:
            pass
        else:
            repairs.append("A line that was folded inside of a character is folded before it now.")
            return text
    name = codec(charset)
    if name:
        try:
            text = content.decode(name)
        except UnicodeDecodeError:
            text = ""
        if text:
            repairs.append(f"The text was converted from {charset} to UTF-8.")
            return text
    return _decode_lines(joined, repairs)


def _moved_fold(match: re.Match[bytes]) -> bytes:
    """RFC 5545 3.1: a fold may stand inside of a character, which then is no character in XML."""
    character = match.group(1) + match.group(3)
    try:
        character.decode("utf-8")
    except UnicodeDecodeError:
        return match.group(0)
    return match.group(2) + character


def _decode_lines(content: bytes, repairs: list[str]) -> str:
    lines = content.split(b"\n")
    out: list[str] = []
    wrong: list[int] = []
    for number, line in enumerate(lines, 1):
        try:
            out.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            try:
                out.append(line.decode("cp1252"))
            except UnicodeDecodeError as error:
                raise DecodingError(
                    f"the byte 0x{line[error.start]:02X} belongs neither to UTF-8 nor to windows-1252",
                    line=number,
                ) from error
            wrong.append(number)
    repairs.append(f"{_lines(wrong)} converted from windows-1252 to UTF-8.")
    return "\n".join(out)


def _lines(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"Line {numbers[0]} was"
    shown = ", ".join(map(str, numbers[:10])) + (", ..." if len(numbers) > 10 else "")
    return f"Lines {shown} were"


def _without_unfit(text: str, repairs: list[str]) -> str:
    nul = text.find("\0")
    if nul >= 0:
        raise DecodingError("there is a NUL in the text", line=line_of(text, nul))
    if "\r" in text:
        text = _with_line_ends(text, repairs)
    text, count = _CONTROL.subn("", text)
    if count:
        repairs.append(f"{_count(count, 'control character')} removed.")
    return text


def _with_line_ends(text: str, repairs: list[str]) -> str:
    """`text` whose carriage returns all stand before a line feed."""
    runs = _RETURNS.findall(text)
    lone = sum(len(run) for run in runs if run[-1] == "\r")
    replacement = ""
    if any(len(run) > 2 for run in runs if run[-1] == "\n"):
        repairs.append("Line ends of several carriage returns and a line feed are CRLF now.")
    if lone > text.count("\n"):
        replacement = "\r\n"
        repairs.append("Line ends that were a carriage return alone are CRLF now.")
    elif lone:
        repairs.append(f"{_count(lone, 'stray carriage return')} removed.")
    return _RETURNS.sub(
        lambda match: "\r\n" if match.group()[-1] == "\n" else replacement * len(match.group()), text
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun} was" if number == 1 else f"{number} {noun}s were"
