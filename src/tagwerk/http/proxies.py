"""Reverse proxies: whom to believe about who asked, over what, for which host (RFC 7239's elder headers).

Everything that a proxy may say is taken out of the request here, in one place.  What comes
from somebody else in these headers is thrown away, so that nothing behind can trust it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from starlette.types import Scope

from tagwerk.settings import Settings

CERTIFICATE = "tagwerk.certificate"
"""In the scope: the certificate with which the client or the proxy's client proved itself, DER or PEM."""

PEER = "tagwerk.peer"
"""In the scope: the `Peer`."""

REMOTE_USER = "tagwerk.remote_user"
"""In the scope: whom the proxy says that it let in."""

_FORWARDED = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host")
_USER_HEADERS = {"http_x_remote_user": b"x-remote-user", "http_remote_user": b"remote-user"}
_HOST = re.compile(r"[A-Za-z0-9._~-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Peer:
    """Where the connection came from, what it said of the client in which headers, and whether it is believed."""

    address: str
    port: int
    forwarded: tuple[str, ...]
    forwarded_for: str
    trusted: bool


NO_PEER = Peer("", 0, (), "", trusted=False)


class Trusted:
    """The addresses and networks of the proxies, as [server] trusted_proxies has them."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._unix = "unix" in networks
        self._networks = tuple(ipaddress.ip_network(network) for network in networks if network != "unix")
        # One process sees few peers, and few chains of proxies.
        self.includes = lru_cache(4096)(self._look_up)

    def client(self, forwarded: str) -> str:
        """The last address in X-Forwarded-For that is no proxy of ours, or "".

        What stands before it anybody can have written.
        """
        address = ""
        for hop in reversed(forwarded.split(",")):
            found = _address(hop)
            if not found:
                break
            address = found
            if not self.includes(address):
                break
        return address

    def _look_up(self, address: str) -> bool:
        if not address:
            return self._unix
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None)
        return any((mapped or parsed) in network for network in self._networks)


class Proxies:
    """What the settings say about proxies, applied to requests."""

    def __init__(self, settings: Settings) -> None:
        self._trusted = Trusted(settings.server.trusted_proxies)
        self._user_header = _USER_HEADERS.get(settings.auth.type, b"")
        self._certificate_header = settings.auth.certificate_header.lower().encode("latin-1", "replace")

    def read(self, scope: Scope) -> None:
        """Put into the scope who asked (``client``), how (``scheme``) and for which host; remove what is not so."""
        peer = scope.get("client")
        trusted = self._trusted.includes(peer[0] if peer else "")
        removed = {*_FORWARDED, b"x-remote-user", b"remote-user", b"x-script-name"}
        if self._certificate_header:
            removed.add(self._certificate_header)
        said: dict[bytes, bytes] = {}
        kept = []
        for name, value in scope["headers"]:
            if name in removed:
                # Several headers of one name are one list (RFC 9110 5.2).
                said[name] = said[name] + b", " + value if name in said else value
            else:
                kept.append((name, value))
        address, port = peer or ("unix", 0)
        hops = said.get(b"x-forwarded-for", b"").decode("latin-1")
        scope[PEER] = Peer(address, port, tuple(sorted(name.decode() for name in said)), hops, trusted)
        if not said:
            return
        scope["headers"] = kept
        if not trusted:
            return
        if b"x-forwarded-for" in said:
            client = self._trusted.client(hops)
            scope["client"] = (client, 0) if client else peer
        if b"x-forwarded-proto" in said:
            scheme = _last(said[b"x-forwarded-proto"]).lower()
            if scheme in ("http", "https"):
                scope["scheme"] = scheme
        if b"x-forwarded-host" in said:
            host = _last(said[b"x-forwarded-host"])
            if _HOST.fullmatch(host):
                scope["headers"] = [(n, v) for n, v in kept if n != b"host"] + [(b"host", host.encode())]
        if self._user_header in said:
            try:
                scope[REMOTE_USER] = said[self._user_header].decode()
            except UnicodeDecodeError:
                scope[REMOTE_USER] = said[self._user_header].decode("latin-1")
        if self._certificate_header and self._certificate_header in said:
            scope[CERTIFICATE] = said[self._certificate_header]


def _last(value: bytes) -> str:
    return value.decode("latin-1").rpartition(",")[2].strip()


def _address(hop: str) -> str:
    """The address in an element of X-Forwarded-For, with or without a port; "" for no address."""
    text = hop.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""
