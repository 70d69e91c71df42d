"""Pictures, sounds and keys inside of cards: Base64 in 3.0, ``data:`` URIs in 4.0 (RFC 2426 2.4.1, RFC 2397)."""

from __future__ import annotations

import base64
import re
from urllib.parse import unquote_to_bytes

_FAMILIES = {"PHOTO": "image", "LOGO": "image", "SOUND": "audio", "KEY": "application"}
_KEY_TYPES = {"PGP": "pgp-keys", "X509": "pkix-cert"}
_SIGNATURES = (
    ("/9j/", "image/jpeg"),
    ("iVBORw0KGgo", "image/png"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
    ("PHN2Zy", "image/svg+xml"),
)
_DATA = re.compile(r"data:([^,;]*)((?:;[^,]*)?),(.*)\Z", re.IGNORECASE | re.DOTALL)
_SPACE = re.compile(r"\s+")


def media_type(name: str, kind: str, base64_text: str = "") -> str:
    """The media type of a property called `name` with the TYPE `kind` of vCard 3.0, e.g. ``image/jpeg``.

    Where `kind` says nothing, the data does, or else it is ``application/octet-stream``.
    """
    if "/" in kind:
        return kind.lower()
    family = _FAMILIES.get(name)
    if kind and family:
        subtype = kind.lower()
        if family == "application":
            subtype = _KEY_TYPES.get(kind.upper(), subtype)
        return f"{family}/{'jpeg' if subtype == 'jpg' else subtype}"
    for signature, known in _SIGNATURES:
        if base64_text.startswith(signature):
            return known
    return "application/octet-stream"


def kind(name: str, media: str) -> str:
    """The TYPE of vCard 3.0 for a media type, e.g. ``JPEG``, or "" where there is none."""
    family, _, subtype = media.lower().partition("/")
    if subtype in ("", "octet-stream"):
        return ""
    if name == "KEY":
        for known, written in _KEY_TYPES.items():
            if written == subtype:
                return known
    return subtype.upper() if family == _FAMILIES.get(name) else media


def data_uri(media: str, base64_text: str) -> str:
    """The ``data:`` URI of something that is in Base64."""
    return f"data:{media};base64,{_SPACE.sub('', base64_text)}"


def from_data_uri(uri: str) -> tuple[str, str] | None:
    """Media type and Base64 text of a ``data:`` URI, or None if it is none (RFC 2397 3)."""
    match = _DATA.match(uri.strip())
    if match is None:
        return None
    media, options, data = match.groups()
    if options.lower().endswith(";base64"):
        return media, _SPACE.sub("", data)
    return media or "text/plain", base64.b64encode(unquote_to_bytes(data)).decode("ascii")
