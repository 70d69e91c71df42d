"""Reading and writing XML (RFC 4918 8.2, 14, 17).

Bodies are read by expat behind defusedxml: no DTD, no entities, bounded depth and
number of elements.  Answers are written as text by templates, never as a tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, tostring

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from tagwerk.errors import InvalidXml

MAX_DEPTH = 40
MAX_ELEMENTS = 100_000

XML_TYPE = "application/xml; charset=utf-8"
PROLOG = '<?xml version="1.0" encoding="utf-8"?>\n'

PREFIXES = {
    "DAV:": "D",
    "urn:ietf:params:xml:ns:caldav": "C",
    "urn:ietf:params:xml:ns:carddav": "CR",
    "http://calendarserver.org/ns/": "CS",
    "http://apple.com/ns/ical/": "ICAL",
}
DECLARATIONS = "".join(f' xmlns:{prefix}="{namespace}"' for namespace, prefix in PREFIXES.items())

LANGUAGE_OF = "xml:lang of "
"""Before the name of a property: where its language is remembered, beside its value."""

_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_MAX_LANG = 100
_MAX_CACHED = 200
_XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"
_RESERVED = (_XML_NAMESPACE, "http://www.w3.org/2000/xmlns/")
_WORD = re.compile(r"[\w.\-·]{1,200}\Z")
_CONTROLS = bytes(code for code in range(32) if code not in (9, 10, 13))
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class _BoundedBuilder(TreeBuilder):
    def __init__(self) -> None:
        super().__init__()
        self._depth = self._count = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        self._depth += 1
        self._count += 1
        if self._depth > MAX_DEPTH:
            raise InvalidXml(f"The XML is nested deeper than {MAX_DEPTH} elements.")
        if self._count > MAX_ELEMENTS:
            raise InvalidXml(f"The XML has more than {MAX_ELEMENTS} elements.")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)


def parse(body: bytes) -> Element:
    """The root element of a request body.

    Raises:
        InvalidXml: empty, not well-formed, with a DTD, or too large for a request.
    """
    if not body.strip():
        raise InvalidXml("The request body is empty; this method needs XML.")
    parser = DefusedXMLParser(target=_BoundedBuilder(), forbid_dtd=True)
    try:
        parser.feed(body)
        root: Element = parser.close()
    except ParseError as error:
        raise InvalidXml(f"The request body is not well-formed XML: {error}.") from error
    except DefusedXmlException as error:
        raise InvalidXml("The request body declares a DTD or entities, which are not allowed.") from error
    except (LookupError, ValueError) as error:
        raise InvalidXml(f"The request body cannot be decoded: {error}.") from error
    return root


def escape(text: str) -> str:
    """Character data; CR is written as a reference, so that it survives line-end normalization."""
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text:
        text = text.replace("<", "&lt;")
    if ">" in text:
        text = text.replace(">", "&gt;")
    if "\r" in text:
        text = text.replace("\r", "&#13;")
    if _ILLEGAL.search(text):
        text = _ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text)
    return text


def escape_bytes(text: bytes) -> bytes:
    """`escape` of UTF-8, for the contents of thousands of objects."""
    if len(text.translate(None, _CONTROLS)) != len(text) or b"\xef\xbf" in text:
        return escape(text.decode(errors="replace")).encode()
    if b"&" in text:
        text = text.replace(b"&", b"&amp;")
    if b"<" in text:
        text = text.replace(b"<", b"&lt;")
    if b">" in text:
        text = text.replace(b">", b"&gt;")
    return text.replace(b"\r", b"&#13;")


def split_name(name: str) -> tuple[str, str]:
    """Namespace and local name of a Clark name; the namespace is "" where there is none."""
    if not name.startswith("{"):
        return "", name
    namespace, _, local = name[1:].rpartition("}")  # a namespace may hold braces, a name may not
    return namespace, local


def clark_name(namespace: str, local: str) -> str:
    """The Clark name of an element that a request names in attributes.

    Raises:
        InvalidXml: no element can be called so.
    """
    if not _WORD.match(local) or namespace in _RESERVED or "}" in namespace:
        raise InvalidXml(f"{local[:40]!r} in the namespace {namespace[:60]!r} is no name of a property.")
    parse(f"<{local}/>".encode())
    return f"{{{namespace}}}{local}" if namespace else local


def tags(name: str) -> tuple[str, str, str]:
    """Start tag, end tag and empty-element tag of a Clark name.

    The prefixes of `PREFIXES` are declared on the root of every answer; another
    namespace is declared on the spot.
    """
    # Names come from requests: what is remembered of them must not be megabytes.
    return _cached_tags(name) if len(name) <= _MAX_CACHED else _tags(name)


def _tags(name: str) -> tuple[str, str, str]:
    namespace, local = split_name(name)
    if namespace == _XML_NAMESPACE:
        return f"<xml:{local}>", f"</xml:{local}>", f"<xml:{local}/>"
    if prefix := PREFIXES.get(namespace):
        qualified = f"{prefix}:{local}"
        return f"<{qualified}>", f"</{qualified}>", f"<{qualified}/>"
    if not namespace:
        return f"<{local}>", f"</{local}>", f"<{local}/>"
    quoted = escape(namespace).replace('"', "&quot;")
    return f'<x:{local} xmlns:x="{quoted}">', f"</x:{local}>", f'<x:{local} xmlns:x="{quoted}"/>'


_cached_tags = lru_cache(maxsize=4096)(_tags)


def element(name: str, content: str = "") -> str:
    """An element around `content`, which is XML already."""
    start, end, empty = tags(name)
    return f"{start}{content}{end}" if content else empty


def href(path: str) -> str:
    """``DAV:href`` around a path that is percent-encoded already."""
    return f"<D:href>{escape(path)}</D:href>"


def content_of(node: Element) -> str:
    """What is inside an element, as XML that carries its own namespace declarations."""
    return escape(node.text or "") + "".join(_outer(child) for child in node)


def text_of(content: str) -> str:
    """The character data of `content`, an element's content as this module wrote it."""
    if "<" in content:
        return "".join(parse(f"<x>{content}</x>".encode()).itertext())
    text = content.replace("&#13;", "\r").replace("&lt;", "<").replace("&gt;", ">")
    return text.replace("&amp;", "&")


def _outer(node: Element) -> str:
    tail, node.tail = node.tail, None
    text = tostring(node, encoding="unicode").replace("\r", "&#13;")
    node.tail = tail
    return text + escape(tail or "")


def languages(root: Element) -> dict[str, str]:
    """The language in scope of every property that a ``propertyupdate`` or its kin sets (RFC 4918 4.3)."""
    found: dict[str, str] = {}
    for part in root.iterfind("{DAV:}set"):
        for prop in part.iterfind("{DAV:}prop"):
            around = prop.get(_LANG) or part.get(_LANG) or root.get(_LANG) or ""
            for node in prop:
                found[node.tag] = node.get(_LANG, around)[:_MAX_LANG]
    return found


def in_language(start: str, language: str) -> str:
    """A start or empty-element tag with ``xml:lang``."""
    name, end = (start[:-2], "/>") if start.endswith("/>") else (start[:-1], ">")
    return f'{name} xml:lang="{escape(language).replace(chr(34), "&quot;")}"{end}'


def document(name: str, content: str) -> bytes:
    """A whole answer with `name` as its root."""
    namespace, local = split_name(name)
    root = f"{PREFIXES[namespace]}:{local}"
    return f"{PROLOG}<{root}{DECLARATIONS}>{content}</{root}>\n".encode()


def error_body(condition: str, message: str, *, inside: str = "") -> bytes:
    """``DAV:error`` with a precondition and the sentence for people (RFC 4918 14.5)."""
    content = element(condition, inside) if condition else ""
    return document("{DAV:}error", content + element("{DAV:}responsedescription", escape(message)))


def names(nodes: Iterable[Element]) -> list[str]:
    """The Clark names of some elements, each once, in their order."""
    return list(dict.fromkeys(node.tag for node in nodes))
