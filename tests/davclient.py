"""A small DAV client for tests: sends what it is told, byte for byte, and reads what comes back.

Nothing is normalized on the way out (`requests` and `httpx` rewrite paths), so a test can
send the path that a bad client sends.
"""

from __future__ import annotations

import base64
import http.client
import socket
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

DAV = "{DAV:}"
CALDAV = "{urn:ietf:params:xml:ns:caldav}"
CARDDAV = "{urn:ietf:params:xml:ns:carddav}"
CS = "{http://calendarserver.org/ns/}"
ICAL = "{http://apple.com/ns/ical/}"

NS = (
    'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CR="urn:ietf:params:xml:ns:carddav"'
    ' xmlns:CS="http://calendarserver.org/ns/" xmlns:I="http://apple.com/ns/ical/"'
)
_PREFIXES = {DAV: "D", CALDAV: "C", CARDDAV: "CR", CS: "CS", ICAL: "I"}

TIMEOUT = 60.0


def not_collections(home: str) -> set[str]:
    """What Depth 1 of a home names that is neither a calendar nor an address book."""
    return {home + name for name in ("-notifications/", "calendar-proxy-read/", "calendar-proxy-write/")}


@dataclass(frozen=True, slots=True)
class Found:
    """One ``DAV:response``: its own status (None where it has propstats) and what they hold."""

    href: str
    status: int | None
    values: Mapping[str, Element]
    others: Mapping[str, int]
    """Properties that were not given, with their status."""
    condition: str = ""

    def text(self, name: str) -> str:
        """The text of a property; fails where it was not given."""
        return self.values[name].text or ""

    def hrefs(self, name: str) -> list[str]:
        """The hrefs that a property holds."""
        return [node.text or "" for node in self.values[name].iter(DAV + "href")]

    @property
    def etag(self) -> str:
        return self.text(DAV + "getetag")


@dataclass(frozen=True, slots=True)
class Multistatus:
    """The answer to PROPFIND, PROPPATCH and REPORT, by href, in its order."""

    found: Mapping[str, Found]
    token: str = ""

    def __getitem__(self, href: str) -> Found:
        return self.found[href]

    def __iter__(self):
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def only(self) -> Found:
        """The one response; fails where there are more."""
        (found,) = self.found.values()
        return found

    @property
    def names(self) -> list[str]:
        """The last segments of the hrefs of what is there, sorted."""
        return sorted(href.rsplit("/", 1)[1] for href, found in self.found.items() if found.status is None)

    @property
    def gone(self) -> list[str]:
        """The last segments of the hrefs of what is not there, sorted."""
        return sorted(href.rsplit("/", 1)[1] for href, found in self.found.items() if found.status == 404)

    @property
    def truncated(self) -> bool:
        return any(found.status == 507 for found in self.found.values())


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def etag(self) -> str | None:
        return self.headers.get("etag")

    def xml(self) -> Element:
        return ElementTree.fromstring(self.body)

    @property
    def condition(self) -> str:
        """The Clark name of the precondition in a ``DAV:error``, "" without one."""
        root = self.xml()
        assert root.tag == DAV + "error", root.tag
        return next((child.tag for child in root if child.tag != DAV + "responsedescription"), "")

    @property
    def sentence(self) -> str:
        """What the server tells the person; "" where it does not."""
        if not self.body.startswith(b"<?xml"):
            return ""
        return self.xml().findtext(DAV + "responsedescription") or ""

    def multistatus(self) -> Multistatus:
        assert self.status == 207, (self.status, self.body[:500])
        root = self.xml()
        assert root.tag == DAV + "multistatus"
        found = [_found(node) for node in root.iterfind(DAV + "response")]
        by_href = {one.href: one for one in found}
        assert len(by_href) == len(found), "a multistatus names an href twice"
        return Multistatus(by_href, root.findtext(DAV + "sync-token") or "")


def _found(node: Element) -> Found:
    values: dict[str, Element] = {}
    others: dict[str, int] = {}
    for propstat in node.iterfind(DAV + "propstat"):
        status = _code(propstat.findtext(DAV + "status") or "")
        for prop in propstat.iterfind(DAV + "prop"):
            for value in prop:
                if status == 200:
                    values[value.tag] = value
                else:
                    others[value.tag] = status
    text = node.findtext(DAV + "status")
    error = node.find(DAV + "error")
    condition = error[0].tag if error is not None and len(error) else ""
    href = node.findtext(DAV + "href") or ""
    return Found(href, _code(text) if text else None, values, others, condition)


def _code(line: str) -> int:
    return int(line.split()[1])


@dataclass(slots=True)
class Dav:
    """One user on one kept-alive connection; not for several threads at once."""

    url: str
    user: str | None = "anna"
    password: str = "secret"
    headers: dict[str, str] = field(default_factory=dict)
    _connection: http.client.HTTPConnection | None = None

    def __call__(self, method: str, path: str, body: str | bytes = b"", **headers: str) -> Answer:
        """Send a request; ``If_Match=...`` is the header ``If-Match``."""
        raw = body.encode() if isinstance(body, str) else body
        send = dict(self.headers)
        if self.user is not None:
            send["Authorization"] = basic(self.user, self.password)
        send |= {name.replace("_", "-"): value for name, value in headers.items()}
        if raw and "Content-Type" not in send:
            send["Content-Type"] = "application/xml; charset=utf-8"
        connection = self._connected()
        try:
            connection.request(method, path, raw or None, send)
            response = connection.getresponse()
            answer = Answer(
                response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
            )
        except BaseException:
            self.close()
            raise
        if response.will_close:
            self.close()
        return answer

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            parts = urlsplit(self.url)
            assert parts.hostname is not None
            self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT)
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def put(self, path: str, body: str | bytes, **headers: str) -> Answer:
        kind = "text/vcard" if path.endswith(".vcf") else "text/calendar"
        return self("PUT", path, body, **{"Content-Type": f"{kind}; charset=utf-8", **headers})

    def get(self, path: str, **headers: str) -> Answer:
        return self("GET", path, **headers)

    def delete(self, path: str, **headers: str) -> Answer:
        return self("DELETE", path, **headers)

    def move(self, path: str, to: str, **headers: str) -> Answer:
        return self("MOVE", path, **{"Destination": self.absolute(to), **headers})

    def copy(self, path: str, to: str, **headers: str) -> Answer:
        return self("COPY", path, **{"Destination": self.absolute(to), **headers})

    def absolute(self, path: str) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{path}"

    def propfind(self, path: str, *names: str, depth: str = "0", **headers: str) -> Multistatus:
        return self("PROPFIND", path, propfind_body(*names), Depth=depth, **headers).multistatus()

    def value(self, path: str, name: str) -> Element:
        """One property of one resource; fails where it has none."""
        return self.propfind(path, name).only().values[name]

    def proppatch(self, path: str, *, set: str = "", remove: str = "") -> Answer:
        """PROPPATCH with the elements `set` and `remove`, written with the prefixes of `NS`."""
        parts = f"<D:set><D:prop>{set}</D:prop></D:set>" if set else ""
        parts += f"<D:remove><D:prop>{remove}</D:prop></D:remove>" if remove else ""
        return self("PROPPATCH", path, f"<D:propertyupdate {NS}>{parts}</D:propertyupdate>")

    def report(self, path: str, body: str, depth: str = "1", **headers: str) -> Answer:
        return self("REPORT", path, body, Depth=depth, **headers)

    def sync(self, path: str, token: str = "", *, limit: int = 0, props: str = "<D:getetag/>") -> Answer:
        """RFC 6578 3.2."""
        return self("REPORT", path, sync_body(token, limit=limit, props=props), Depth="0")

    def multiget(self, path: str, *hrefs: str, props: str = "<D:getetag/>", card: bool = False) -> Answer:
        """RFC 4791 7.9, RFC 6352 8.7."""
        name = "CR:addressbook-multiget" if card else "C:calendar-multiget"
        wanted = "".join(f"<D:href>{href}</D:href>" for href in hrefs)
        return self.report(path, f"<{name} {NS}><D:prop>{props}</D:prop>{wanted}</{name}>")

    def query(
        self, path: str, filters: str, *, props: str = "<D:getetag/>", rest: str = "", depth: str = "1"
    ) -> Answer:
        """RFC 4791 7.8 with `filters` inside of the ``comp-filter`` for VCALENDAR."""
        return self.report(
            path,
            f"<C:calendar-query {NS}><D:prop>{props}</D:prop><C:filter>"
            f'<C:comp-filter name="VCALENDAR">{filters}</C:comp-filter></C:filter>{rest}</C:calendar-query>',
            depth,
        )

    def search(self, path: str, filters: str, *, test: str = "", props: str = "<D:getetag/>", rest: str = ""):
        """RFC 6352 8.6 with `filters` inside of the ``filter``."""
        attribute = f' test="{test}"' if test else ""
        return self.report(
            path,
            f"<CR:addressbook-query {NS}><D:prop>{props}</D:prop>"
            f"<CR:filter{attribute}>{filters}</CR:filter>{rest}</CR:addressbook-query>",
        )


def basic(user: str, password: str, *, charset: str = "utf-8") -> str:
    """RFC 7617 2."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode(charset)).decode()


def propfind_body(*names: str) -> str:
    """RFC 4918 14.20; Clark names."""
    return f"<D:propfind {NS}><D:prop>{elements(*names)}</D:prop></D:propfind>"


def sync_body(token: str = "", *, limit: int = 0, props: str = "<D:getetag/>", level: str = "1") -> str:
    """RFC 6578 6.1."""
    most = f"<D:limit><D:nresults>{limit}</D:nresults></D:limit>" if limit else ""
    return (
        f"<D:sync-collection {NS}><D:sync-token>{token}</D:sync-token>"
        f"<D:sync-level>{level}</D:sync-level>{most}<D:prop>{props}</D:prop></D:sync-collection>"
    )


def elements(*names: str) -> str:
    """Empty elements by Clark names."""
    parts = []
    for name in names:
        namespace, _, local = name.rpartition("}")
        prefix = _PREFIXES.get(namespace + "}")
        parts.append(f"<{prefix}:{local}/>" if prefix else f'<x:{local} xmlns:x="{namespace[1:]}"/>')
    return "".join(parts)


def raw(url: str, request: bytes, *, timeout: float = 30.0, end: bool = False) -> bytes:
    """Everything the server answers to some bytes until it closes the connection.

    `end` closes our side after sending.
    """
    parts = urlsplit(url)
    assert parts.hostname is not None
    with socket.create_connection((parts.hostname, parts.port or 80), timeout=timeout) as connection:
        connection.sendall(request)
        if end:
            connection.shutdown(socket.SHUT_WR)
        got = []
        try:
            while part := connection.recv(65536):
                got.append(part)
        except ConnectionResetError:
            pass  # The server may close before it has read everything; what it said counts.
        return b"".join(got)


def parse_raw(answer: bytes) -> Answer:
    """The first response in some bytes, bodies as they are."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(int(first.split()[1]), headers, body)
