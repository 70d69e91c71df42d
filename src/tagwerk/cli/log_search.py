"""Lines of a log that are about somebody, in either format of [logging] (`cli.logs`)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tagwerk.dav.paths import segment
from tagwerk.http.observer import route

_LINE = re.compile(r"\b(?:debug|info|warning|error|critical) ([\w.]+): (.*)")
_FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')
_REQUEST = re.compile(r" \(request [\w.-]+\)$")
_AUDIT = re.compile(r"(?P<actor>.*?): (?P<action>use link|\w+) (?P<owner>[^/]*)/(?P<rest>.*)")
_DETAIL = re.compile(r" \([^()]*\)$")
_CONCERNS_NOBODY = frozenset({"delete", "restore", "link", "unlink", "use link"})
"""What the audit tells without a grantee."""


def lines_about(logs: Iterable[Path], name: str) -> Iterator[bytes]:
    """The lines of log files that say what somebody did, what was done to theirs, or who asked for it."""
    for log in logs:
        with log.open("rb") as file:
            yield from (line for line in file if _is_about(line.decode(errors="replace").strip(), name))


def _is_about(line: str, name: str) -> bool:
    logger, message, fields = _parsed(line)
    if fields.get("user") == name or _begins(fields.get("route"), route(f"/{name}", "")):
        return True
    if logger == "tagwerk.audit":
        return _audit_is_about(message, name)
    return (
        message.endswith(f" for {name!r}")
        or message.startswith(f"The password hash of {name!r} ")
        or any(_begins(word, f"/{segment(name)}") for word in message.split())
    )


def _parsed(line: str) -> tuple[str, str, Mapping[str, Any]]:
    """The logger, the message and the fields of a line; what stands before, as the journal's time, does not count."""
    try:
        found = json.loads(line[max(line.find("{"), 0) :])
    except ValueError:
        found = None
    if isinstance(found, dict):
        return str(found.get("logger", "")), str(found.get("message", "")), found
    match = _LINE.search(line)
    logger, message = match.groups() if match else ("", line)
    message = _REQUEST.sub("", message)
    fields = {key: _word(value) for key, value in _FIELD.findall(message)} if _FIELD.match(message) else {}
    return logger, "" if fields else message, fields


def _word(text: str) -> object:
    try:
        return json.loads(text) if text.startswith('"') else text
    except ValueError:
        return text


def _begins(path: object, with_: str) -> bool:
    return isinstance(path, str) and (path == with_ or path.startswith(f"{with_}/"))


def _audit_is_about(message: str, name: str) -> bool:
    found = _AUDIT.fullmatch(message)
    if found is None:
        return False
    if name in (found["actor"], found["owner"]):
        return True
    grantee = _DETAIL.sub("", found["rest"]).rpartition(" ")[2]
    return found["action"] not in _CONCERNS_NOBODY and grantee == name
