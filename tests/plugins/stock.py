"""Stock Radicale with our plugins, called as WSGI calls it."""

from __future__ import annotations

import base64
import io
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field

import radicale.config
from radicale.app import Application

from tagwerk.accounts.passwords import hash_password

NOW = 1_750_000_000
HASH = hash_password("secret")

OURS = {
    "auth": {"type": "tagwerk_radicale.auth", "delay": "0"},
    "storage": {"type": "tagwerk_radicale.storage"},
    "rights": {"type": "tagwerk_radicale.rights"},
    "logging": {"level": "critical"},
}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def xml(self) -> ElementTree.Element:
        return ElementTree.fromstring(self.body)

    def statuses(self) -> dict[str, str]:
        """Href to its status, or to that of its first propstat."""
        return {
            response.findtext("{DAV:}href"): (
                response.findtext("{DAV:}status") or response.findtext("{DAV:}propstat/{DAV:}status")
            ).split()[1]
            for response in self.xml().iterfind("{DAV:}response")
        }

    def value(self, name: str) -> str | None:
        """The text of the first property called `name` that was found."""
        for propstat in self.xml().iterfind("{DAV:}response/{DAV:}propstat"):
            if " 200 " in propstat.findtext("{DAV:}status"):
                found = propstat.find("{DAV:}prop/" + name)
                if found is not None:
                    return found.text or ""
        return None


@dataclass(slots=True)
class Client:
    application: Application
    user: str | None = "anna"
    password: str = "secret"
    environ: dict[str, str] = field(default_factory=dict)

    def __call__(self, method: str, path: str, body: str | bytes = b"", **headers: str) -> Answer:
        raw = body.encode() if isinstance(body, str) else body
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "SCRIPT_NAME": "",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "5232",
            "HTTP_HOST": "127.0.0.1:5232",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(raw),
            "wsgi.errors": io.StringIO(),
            "CONTENT_LENGTH": str(len(raw)),
            **self.environ,
        }
        if self.user is not None:
            login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            environ["HTTP_AUTHORIZATION"] = f"Basic {login}"
        for name, value in headers.items():
            key = name.upper()
            environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
        seen: list[tuple[str, list[tuple[str, str]]]] = []
        chunks = self.application(environ, lambda status, headers: seen.append((status, headers)))
        ((status, pairs),) = seen
        return Answer(int(status.split()[0]), dict(pairs), b"".join(chunks))

    def propfind(self, path: str, *names: str, depth: str = "0") -> Answer:
        props = "".join(
            f'<x:{name.partition("}")[2]} xmlns:x="{name[1:].partition("}")[0]}"/>' for name in names
        )
        body = f'<propfind xmlns="DAV:"><prop>{props}</prop></propfind>'
        return self("PROPFIND", path, body, depth=depth)

    def sync(self, path: str, token: str = "") -> Answer:
        return self(
            "REPORT",
            path,
            f'<sync-collection xmlns="DAV:"><sync-token>{token}</sync-token><sync-level>1</sync-level>'
            "<prop><getetag/></prop></sync-collection>",
        )


def configured(url: str, changes: dict[str, dict[str, str]] | None = None) -> radicale.config.Configuration:
    configuration = radicale.config.load([])
    values = {section: dict(options) for section, options in OURS.items()}
    values["storage"]["url"] = url
    for section, options in (changes or {}).items():
        values.setdefault(section, {}).update(options)
        values[section] = {name: value for name, value in values[section].items() if value is not None}
    configuration.update(values, "test")
    return configuration


def event(uid: str, *, summary: str = "Frühstück", component: str = "VEVENT") -> str:
    """As vobject writes it, so that Radicale passes it on unchanged."""
    start = "DTSTART:20260301T080000Z\r\n"
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Test//EN\r\n"
        f"BEGIN:{component}\r\nUID:{uid}\r\n{start}"
        f"DTSTAMP:20260101T000000Z\r\nSUMMARY:{summary}\r\nEND:{component}\r\nEND:VCALENDAR\r\n"
    )


def card(uid: str, *, name: str = "Jürgen Groß") -> str:
    """As vobject writes it."""
    return f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{name}\r\nN:Groß;Jürgen;;;\r\nEND:VCARD\r\n"
