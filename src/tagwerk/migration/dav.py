"""Any server over CalDAV and CardDAV: found as a client finds it, read by sync-collection (RFC 6578)."""

from __future__ import annotations

import base64
import http.client
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from urllib.parse import unquote, urljoin, urlsplit
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from tagwerk.errors import CALDAV, CARDDAV, DAV, ConfigurationError, Unavailable
from tagwerk.migration.source import (
    BOOK_DESCRIPTION,
    CALENDAR_DESCRIPTION,
    COLOR,
    DISPLAY_NAME,
    ORDER,
    TIMEZONE,
    Left,
    Source,
    SourceCollection,
    SourceObject,
    SourceUser,
    distinct,
    text,
)
from tagwerk.model import Kind

MULTIGET = 50
TIMEOUT = 60
TRIES = 4
MAX_ANSWER = 256 * 1024 * 1024
GONE = (404, 410)

_NS = f'xmlns:D="{DAV[1:-1]}" xmlns:C="{CALDAV[1:-1]}" xmlns:CR="{CARDDAV[1:-1]}" xmlns:I="http://apple.com/ns/ical/"'
_TEXTS = (DISPLAY_NAME, CALENDAR_DESCRIPTION, BOOK_DESCRIPTION, COLOR, ORDER, TIMEZONE)
_KINDS = {CALDAV + "calendar": Kind.CALENDAR, CARDDAV + "addressbook": Kind.ADDRESSBOOK}


@dataclass(frozen=True, slots=True)
class Found:
    """One response of a multistatus; `status` is its own, or 200 where it has properties."""

    href: str
    status: int
    properties: dict[str, Element]

    def text(self, name: str) -> str:
        node = self.properties.get(name)
        return (node.text or "") if node is not None else ""

    def href_in(self, name: str) -> list[str]:
        node = self.properties.get(name)
        return [] if node is None else [each.text or "" for each in node.iter(DAV + "href")]


class Client:
    """A DAV client on one connection, that tries again when a server stumbles."""

    def __init__(self, url: str, user: str, password: str, *, trust: str | None = None) -> None:
        whole = url if "://" in url else f"https://{url}"
        parts = urlsplit(whole)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(f"{url!r} is no URL such as https://calendar.example.com/.")
        self._origin = (parts.scheme, parts.netloc)
        self._context = ssl.create_default_context(cafile=trust) if parts.scheme == "https" else None
        self.start = parts.path or "/"
        self._authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, method: str, path: str, body: str = "", *, depth: str = "0") -> tuple[int, bytes]:
        """The status and the body; redirects are followed on the same host.

        Raises:
            Unavailable: the server does not answer, again and again.
        """
        headers = {"Authorization": self._authorization, "Depth": depth, "User-Agent": "Tagwerk migrate"}
        if body:
            headers["Content-Type"] = "application/xml; charset=utf-8"
        redirects = 0
        tried = 0
        while True:
            try:
                connection = self._connected()
                connection.request(method, path, body.encode() or None, headers)
                answer = connection.getresponse()
                content = answer.read(MAX_ANSWER + 1)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                tried += 1
                if tried == TRIES:
                    raise Unavailable(f"{self._origin[1]} does not answer: {error}") from error
                time.sleep(0.2 * 2**tried)
                continue
            if len(content) > MAX_ANSWER:
                raise Unavailable(f"{path} answers with more than {MAX_ANSWER} bytes.")
            location = answer.headers.get("Location", "")
            if answer.status in (301, 302, 307, 308) and location and redirects < 5:
                redirects += 1
                path = self.path_of(location, path)
                continue
            if answer.status in (429, 503) and tried < TRIES - 1:
                tried += 1
                wait = answer.headers.get("Retry-After", "1")
                time.sleep(min(int(wait) if wait.isdigit() else 1, 30))
                continue
            return answer.status, content

    def multistatus(
        self, method: str, path: str, body: str, *, depth: str = "0"
    ) -> tuple[int, list[Found], str]:
        """The status, the responses and the sync token of an answer."""
        status, content = self.ask(method, path, body, depth=depth)
        if status == 401:
            raise ConfigurationError(f"{self._origin[1]} refuses the user name or the password.")
        if status != 207:
            return status, [], ""
        try:
            root = fromstring(content)
        except (ParseError, DefusedXmlException) as error:
            raise Unavailable(f"{path} answers with something that is no XML: {error}") from error
        return (
            status,
            [_found(node) for node in root.iterfind(DAV + "response")],
            root.findtext(DAV + "sync-token") or "",
        )

    def path_of(self, href: str, base: str) -> str:
        """The path of an href.

        Raises:
            ConfigurationError: it leads to another host, which does not get the password.
        """
        whole = urlsplit(urljoin(f"{self._origin[0]}://{self._origin[1]}{base}", href))
        if whole.netloc.lower() != self._origin[1].lower():
            raise ConfigurationError(f"{self._origin[1]} sends us to {whole.netloc}; begin there.")
        return whole.path + (f"?{whole.query}" if whole.query else "")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            host = self._origin[1]
            if self._context is None:
                self._connection = http.client.HTTPConnection(host, timeout=TIMEOUT)
            else:
                self._connection = http.client.HTTPSConnection(host, timeout=TIMEOUT, context=self._context)
        return self._connection


def read(client: Client, *, owner: str) -> Source:
    """Everything in the homes of who logs in, for `owner` here.

    Raises:
        ConfigurationError: no home can be found.
        Unavailable: the server does not answer.
    """
    left = Left()
    found: dict[str, SourceCollection] = {}
    for service, home_set in (
        ("caldav", CALDAV + "calendar-home-set"),
        ("carddav", CARDDAV + "addressbook-home-set"),
    ):
        for home in _homes(client, service, home_set, left):
            for collection in _collections(client, home, owner, left):
                found.setdefault(collection.key, collection)
    if not found and left.lost:
        raise Unavailable(" ".join(left.lost))
    if not found:
        raise ConfigurationError("No calendars and address books were found there; is it the right URL?")
    return Source([SourceUser(owner)], distinct(found.values()), left)


def _homes(client: Client, service: str, home_set: str, left: Left) -> list[str]:
    body = _propfind(f"<D:current-user-principal/><{_name(home_set)}/>")
    stumbles: list[tuple[str, int]] = []
    for start in (client.start, f"/.well-known/{service}", "/"):
        status, found, _ = client.multistatus("PROPFIND", start, body)
        if status >= 500 and status != 501:
            stumbles.append((start, status))
        for each in found if status == 207 else ():
            homes = each.href_in(home_set)
            principal = next(iter(each.href_in(DAV + "current-user-principal")), "")
            if not homes and principal:
                path = client.path_of(principal, start)
                status, inside, _ = client.multistatus("PROPFIND", path, _propfind(f"<{_name(home_set)}/>"))
                if status != 207:
                    stumbles.append((path, status))
                homes = [href for one in inside for href in one.href_in(home_set)]
            if homes:
                return [client.path_of(href, start) for href in homes]
    for path, status in stumbles:
        left.lose(f"What {service} has for {path}: {_answers(status)}.")
    return []


def _collections(client: Client, home: str, owner: str, left: Left) -> Iterator[SourceCollection]:
    asked = "".join(f"<{_name(name)}/>" for name in _TEXTS)
    body = _propfind(
        f"<D:resourcetype/><C:supported-calendar-component-set/><D:current-user-privilege-set/><D:owner/>{asked}"
    )
    status, found, _ = client.multistatus("PROPFIND", home, body, depth="1")
    if status not in (207, *GONE):
        left.lose(f"Everything in {home}: {_answers(status)}.")
    for each in found:
        if each.status in GONE:
            continue
        if DAV + "resourcetype" not in each.properties:
            path = client.path_of(each.href, home)
            left.lose(f"{path}: {_answers(each.status)} and does not say what it is.")
            continue
        types = {node.tag for node in each.properties.get(DAV + "resourcetype", ())}
        kind = next((_KINDS[tag] for tag in types if tag in _KINDS), None)
        path = client.path_of(each.href, home)
        if kind is None:
            if "{http://calendarserver.org/ns/}subscribed" in types:
                left.say(f"{path} is a subscription, which is not taken along.")
            continue
        components = tuple(
            node.get("name", "")
            for node in each.properties.get(CALDAV + "supported-calendar-component-set", ())
        )
        properties = {tag: text(each.text(tag)) for tag in _TEXTS if each.text(tag).strip()}
        if kind is Kind.ADDRESSBOOK:
            properties.pop(TIMEZONE, None)
        yield SourceCollection(
            owner,
            unquote(path.rstrip("/").rpartition("/")[2]),
            kind,
            tuple(filter(None, components)) if kind is Kind.CALENDAR else (),
            properties,
            _Walker(client, path, kind),
            key=f"migrate {owner} {client._origin[1]}{path}",
        )


class _Walker:
    """Walks one collection from a sync token on, in pages, and remembers each page's token."""

    def __init__(self, client: Client, path: str, kind: Kind) -> None:
        self._client, self._path, self._kind = client, path, kind

    def __call__(self, point: str, reached: list[str]) -> Iterator[SourceObject]:
        token = point
        while True:
            status, found, after = self._client.multistatus("REPORT", self._path, _sync(token))
            if status != 207 and point and token == point:
                # The token is too old there; what is here already is found unchanged.
                token = point = ""
                continue
            if status != 207 or not after:
                yield from self._everything()
                return
            yield from self._listed(found)
            truncated = any(each.status == 507 for each in found)
            if truncated and after == token:
                # It never comes to the rest.
                yield from self._everything()
                return
            reached.append(after)
            if not truncated:
                return
            token = after

    def _everything(self) -> Iterator[SourceObject]:
        """Servers without sync-collection tell their names by PROPFIND."""
        status, found, _ = self._client.multistatus(
            "PROPFIND", self._path, _propfind("<D:getetag/><D:resourcetype/>"), depth="1"
        )
        if status != 207:
            yield SourceObject("", None, _answers(status))
        yield from self._listed(found)

    def _listed(self, found: list[Found]) -> Iterator[SourceObject]:
        """What some responses name, except the collection itself."""
        members = [each for each in found if not self._is_self(each.href)]
        for each in members:
            if each.status != 200:
                problem = "" if each.status in GONE else _answers(each.status)
                yield SourceObject(self._name(each.href), None, problem)
        yield from self._contents([each.href for each in members if each.status == 200])

    def _contents(self, hrefs: list[str]) -> Iterator[SourceObject]:
        for begin in range(0, len(hrefs), MULTIGET):
            batch = hrefs[begin : begin + MULTIGET]
            got = self._multiget(batch)
            for href in batch:
                path = self._client.path_of(href, self._path)
                content = got.get(path)
                problem = ""
                if content is None:
                    status, raw = self._client.ask("GET", path)
                    if status == 200:
                        content = raw
                    elif status not in GONE:
                        problem = _answers(status)
                yield SourceObject(self._name(href), content, problem)

    def _multiget(self, hrefs: list[str]) -> dict[str, bytes]:
        report, data = (
            ("C:calendar-multiget", CALDAV + "calendar-data")
            if self._kind is Kind.CALENDAR
            else ("CR:addressbook-multiget", CARDDAV + "address-data")
        )
        listed = "".join(f"<D:href>{escape(href)}</D:href>" for href in hrefs)
        body = f"<{report} {_NS}><D:prop><D:getetag/><{_name(data)}/></D:prop>{listed}</{report}>"
        status, found, _ = self._client.multistatus("REPORT", self._path, body, depth="1")
        if status != 207:
            return {}
        return {
            self._client.path_of(each.href, self._path): each.text(data)
            .replace("\r\n", "\n")
            .replace("\n", "\r\n")
            .encode()
            for each in found
            if each.text(data)
        }

    def _is_self(self, href: str) -> bool:
        return unquote(self._client.path_of(href, self._path)).rstrip("/") == unquote(self._path).rstrip("/")

    def _name(self, href: str) -> str:
        return unquote(urlsplit(href).path.rstrip("/").rpartition("/")[2])


def _found(node: Element) -> Found:
    properties: dict[str, Element] = {}
    own = node.findtext(DAV + "status")
    status = _code(own) if own else 200
    for propstat in node.iterfind(DAV + "propstat"):
        if _code(propstat.findtext(DAV + "status") or "") == 200:
            properties |= {child.tag: child for prop in propstat.iterfind(DAV + "prop") for child in prop}
    return Found((node.findtext(DAV + "href") or "").strip(), status, properties)


def _answers(status: int) -> str:
    return f"the server answers with {status}"


def _code(line: str) -> int:
    parts = line.split()
    return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0


def _propfind(names: str) -> str:
    return f"<D:propfind {_NS}><D:prop>{names}</D:prop></D:propfind>"


def _sync(token: str) -> str:
    return (
        f"<D:sync-collection {_NS}><D:sync-token>{escape(token)}</D:sync-token><D:sync-level>1</D:sync-level>"
        "<D:prop><D:getetag/></D:prop></D:sync-collection>"
    )


def _name(clark: str) -> str:
    namespace, _, local = clark[1:].partition("}")
    prefix = {DAV[1:-1]: "D", CALDAV[1:-1]: "C", CARDDAV[1:-1]: "CR"}.get(namespace, "I")
    return f"{prefix}:{local}"
