"""Content lines, the syntax that iCalendar and vCard share (RFC 5545 3.1, RFC 6350 3.2, RFC 6868).

A stream is decoded, unfolded and cut into a tree of components.  Nothing is
interpreted: a line keeps its head and its value as they were written, and takes
them apart when somebody asks.  That makes reading cheap enough to do on every write.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_DEPTH = 8
"""Components nested deeper than this are no calendar (VCALENDAR > VEVENT > VALARM > ... is 4)."""

_FOLD = re.compile("\r?\n[ \t]")
_NAME = re.compile(r"[A-Za-z0-9_-]+\Z")
_PARAM = re.compile(r';\s*([^=;:"\s]+)\s*(?:=\s*((?:"[^"]*"|[^";]*)+))?')
_PARAM_VALUE = re.compile(r'"([^"]*)"|([^",]+)|(?<=,)(?=,|$)')
_CARET = re.compile(r"\^(n|\^|')")
_CARET_TEXT = {"n": "\n", "^": "^", "'": '"'}
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class ContentLineError(ValueError):
    """A stream that is not made of content lines; `index` counts unfolded lines from 0."""

    def __init__(self, message: str, index: int) -> None:
        super().__init__(message)
        self.index = index


class Line:
    """One unfolded content line: `name` and parameter names in upper case, the rest as written."""

    __slots__ = ("_params", "group", "head", "index", "name", "value")

    def __init__(self, head: str, value: str, index: int) -> None:
        name, _, _ = head.partition(";")
        group, dot, bare = name.rpartition(".")
        self.head = head
        self.value = value
        self.index = index
        self.group = group
        self.name = (bare if dot else name).strip().upper()
        self._params: dict[str, list[str]] | None = None

    @property
    def params(self) -> dict[str, list[str]]:
        """Parameters by upper-case name, each with its list of values, RFC 6868 decoded.

        A vCard 2.1 style bare value (``TEL;HOME``) is a value of TYPE.
        """
        if self._params is None:
            self._params = {}
            if ";" in self.head:
                for match in _PARAM.finditer(self.head, self.head.index(";")):
                    key, raw = match.group(1).upper(), match.group(2)
                    if raw is None:
                        key, raw = "TYPE", match.group(1)
                    self._params.setdefault(key, []).extend(_param_values(raw))
        return self._params

    def param(self, name: str, default: str = "") -> str:
        """The first value of the parameter `name`, given in upper case."""
        values = self.params.get(name)
        return values[0] if values else default

    @property
    def text(self) -> str:
        """The value as TEXT, unescaped (RFC 5545 3.3.11)."""
        return unescape(self.value)

    def __repr__(self) -> str:
        return f"Line({self.head!r}, {self.value!r})"


class Component:
    """A component: its own lines, and the components inside it, both in their order."""

    __slots__ = ("children", "index", "lines", "name")

    def __init__(self, name: str, index: int) -> None:
        self.name = name
        self.index = index
        self.lines: list[Line] = []
        self.children: list[Component] = []

    def first(self, name: str) -> Line | None:
        """The first line called `name` (upper case)."""
        for line in self.lines:
            if line.name == name:
                return line
        return None

    def all(self, name: str) -> list[Line]:
        """Every line called `name` (upper case)."""
        return [line for line in self.lines if line.name == name]

    def value(self, name: str, default: str = "") -> str:
        """The raw value of the first line called `name`."""
        line = self.first(name)
        return default if line is None else line.value

    def walk(self) -> Iterator[Component]:
        """This component and everything inside it, outermost first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def __repr__(self) -> str:
        return f"Component({self.name!r}, {len(self.lines)} lines, {len(self.children)} children)"


def parse(text: str) -> list[Component]:
    """The components of a stream, outermost first.

    Line ends may be CRLF, LF, or CR alone where there is no LF at all; blank lines
    are passed over; names are compared without case.

    Raises:
        ContentLineError: a line without a colon, an END without its BEGIN, a component
            that is not closed or nested too deeply, a line outside of any component.
    """
    if "\n" not in text:
        text = text.replace("\r", "\n")
    if "\n " in text or "\n\t" in text:
        text = _FOLD.sub("", text)
    roots: list[Component] = []
    stack: list[Component] = []
    current: Component | None = None
    for index, raw in enumerate(text.split("\n")):
        line = raw[:-1] if raw.endswith("\r") else raw
        head, colon, value = line.partition(":")
        if '"' in head:
            head, colon, value = _split_quoted(line)
        if not colon:
            if not line or line.isspace():
                continue
            raise ContentLineError(f"{_shown(line)} is no property: there is no colon in it", index)
        if len(head) <= 5:
            keyword = head.strip().upper()
            if keyword == "BEGIN":
                if len(stack) >= MAX_DEPTH:
                    raise ContentLineError(f"components are nested deeper than {MAX_DEPTH}", index)
                name = value.strip().upper()
                if not _NAME.match(name):
                    raise ContentLineError(f"{_shown(name)} is no name of a component", index)
                current = Component(name, index)
                (stack[-1].children if stack else roots).append(current)
                stack.append(current)
                continue
            if keyword == "END":
                name = value.strip().upper()
                if not stack or stack[-1].name != name:
                    wanted = f"END:{stack[-1].name}" if stack else "no END"
                    raise ContentLineError(f"END:{_shown(name)} where {wanted} was expected", index)
                stack.pop()
                current = stack[-1] if stack else None
                continue
        if current is None:
            raise ContentLineError(f"{_shown(line)} stands outside of any component", index)
        current.lines.append(Line(head, value, index))
    if stack:
        raise ContentLineError(f"END:{stack[-1].name} is missing", stack[-1].index)
    return roots


def physical_line(text: str, index: int) -> int:
    """The number, from 1, of the physical line on which unfolded line `index` begins."""
    if "\n" not in text:
        text = text.replace("\r", "\n")
    unfolded = -1
    number = 0
    for number, line in enumerate(text.split("\n"), 1):
        if number == 1 or not line.startswith((" ", "\t")):
            unfolded += 1
        if unfolded == index:
            return number
    return number


def serialize(component: Component) -> str:
    """The component as text, folded at 75 octets, CRLF (RFC 5545 3.1)."""
    parts: list[str] = []
    _write(component, parts)
    return "".join(parts)


def _write(component: Component, parts: list[str]) -> None:
    parts.append(f"BEGIN:{component.name}\r\n")
    parts.extend(fold(f"{line.head}:{line.value}") for line in component.lines)
    for child in component.children:
        _write(child, parts)
    parts.append(f"END:{component.name}\r\n")


def fold(line: str) -> str:
    """One unfolded line with its line end, folded so that no physical line has over 75 octets."""
    if line.isascii():
        if len(line) <= 75:
            return line + "\r\n"
        parts = [line[:75], *(line[begin : begin + 74] for begin in range(75, len(line), 74))]
        return "\r\n ".join(parts) + "\r\n"
    raw = line.encode("utf-8", "surrogatepass")
    cuts = [0]
    end = 75
    while end < len(raw):
        while raw[end] & 0xC0 == 0x80:  # inside of a character
            end -= 1
        cuts.append(end)
        end += 74
    pieces = (raw[begin:stop] for begin, stop in zip(cuts, [*cuts[1:], len(raw)], strict=True))
    return b"\r\n ".join(pieces).decode("utf-8", "surrogatepass") + "\r\n"


def unescape(value: str) -> str:
    """A TEXT value as it is meant (RFC 5545 3.3.11): ``\\n`` is a line end, ``\\,`` a comma."""
    if "\\" not in value:
        return value
    return _ESCAPED.sub(lambda match: "\n" if match.group(1) in "nN" else match.group(1), value)


def escape(text: str) -> str:
    """`text` as a TEXT value."""
    text = text.replace("\\", "\\\\").replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\n")
    return text.replace(";", "\\;").replace(",", "\\,")


def split_unescaped(value: str, separator: str) -> list[str]:
    """`value` cut at every `separator` that has no backslash before it; the parts stay escaped."""
    if "\\" not in value:
        return value.split(separator)
    parts: list[str] = []
    begin = position = 0
    while position < len(value):
        if value[position] == "\\":
            position += 2
            continue
        if value[position] == separator:
            parts.append(value[begin:position])
            begin = position + 1
        position += 1
    parts.append(value[begin:])
    return parts


def param_value(value: str) -> str:
    """A parameter value as it must be written: RFC 6868 encoded, quoted where needed."""
    value = (
        value.replace("^", "^^")
        .replace("\r\n", "^n")
        .replace("\n", "^n")
        .replace("\r", "^n")
        .replace('"', "^'")
    )
    return f'"{value}"' if any(char in value for char in ",;:") else value


def _param_values(raw: str) -> list[str]:
    values: list[str] = []
    if '"' in raw or "," in raw:
        values = [match.group(1) or match.group(2) or "" for match in _PARAM_VALUE.finditer(raw)]
    if not values:
        values = [raw.strip()]
    return [_CARET.sub(lambda match: _CARET_TEXT[match.group(1)], v) if "^" in v else v for v in values]


def _split_quoted(line: str) -> tuple[str, str, str]:
    """Head, colon and value of a line that has quotes before its first colon."""
    quoted = False
    for position, char in enumerate(line):
        if char == '"':
            quoted = not quoted
        elif char == ":" and not quoted:
            return line[:position], ":", line[position + 1 :]
    # An odd quote: fall back on the first colon rather than lose the line.
    return line.partition(":")


def _shown(line: str) -> str:
    return repr(line if len(line) <= 60 else line[:57] + "...")
