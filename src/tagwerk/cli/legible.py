"""Legibility: whether what is stored as text can still be read by those for whom it was written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping

from tagwerk.accounts import app_passwords, passwords
from tagwerk.contentline import parse
from tagwerk.dav import xml
from tagwerk.errors import InvalidXml
from tagwerk.ical.personal import Personal
from tagwerk.sharing.notices import Notice
from tagwerk.store.check import Stored


def unreadable(texts: Iterable[Stored]) -> Iterator[str]:
    """A sentence for each of `texts` that cannot be read."""
    for stored in texts:
        found = _KINDS.get(stored.kind)
        # Other kinds of credentials are told elsewhere.
        if found is not None and not found[0](stored):
            yield found[1].format(stored.place)


def _is_xml(stored: Stored) -> bool:
    if xml.LANGUAGE_OF in stored.place:
        return True
    try:
        xml.parse(f"<x{xml.DECLARATIONS}>{stored.value!s}</x>".encode())
    except InvalidXml:
        return False
    return True


def _is_payload(stored: Stored) -> bool:
    try:
        return isinstance(json.loads(stored.value), dict)
    except ValueError:
        return False


def _is_personal(stored: Stored) -> bool:
    try:
        for part in Personal.loads(str(stored.value)).values():
            parse("".join(part.alarms))
    except ValueError:
        return False
    return True


def _is_notice(stored: Stored) -> bool:
    try:
        Notice.loads(bytes(stored.value) if isinstance(stored.value, bytes) else stored.value.encode())
    except (ValueError, TypeError, KeyError):
        return False
    return True


_KINDS: Mapping[str, tuple[Callable[[Stored], bool], str]] = {
    "password": (
        lambda stored: passwords.is_known(str(stored.value)),
        "The hash of the password {0} cannot be read.",
    ),
    "app-password": (
        lambda stored: app_passwords.is_hash(str(stored.value)),
        "The hash of the app password {0} cannot be read.",
    ),
    "link": (
        lambda stored: passwords.is_known(str(stored.value)),
        "The hash of the password of the link {0} cannot be read.",
    ),
    "property": (_is_xml, "The property {0} is no XML."),
    "job": (_is_payload, "The payload of the job {0} cannot be read."),
    "personal": (_is_personal, "What somebody has of their own in {0} cannot be read."),
    "notice": (_is_notice, "The notice {0} cannot be read."),
}
