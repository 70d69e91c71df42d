"""What makes a calendar component the one that it is (RFC 5545 3.8.4.4 and 3.8.4.7).

Components without a UID get one that is derived from what they say, so that reading
the same text twice does not make two events of it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from tagwerk.contentline import Component

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:tagwerk:uid")
_VOLATILE = frozenset({"CREATED", "DTSTAMP", "LAST-MODIFIED", "SEQUENCE", "UID"})


def uid(component: Component) -> str:
    """The UID of `component`, "" when it has none or an empty one."""
    line = component.first("UID")
    return "" if line is None else line.text.strip()


def recurrence_id(component: Component) -> tuple[str, str] | None:
    """The instance that `component` overrides, as time zone and value, or None for a master."""
    line = component.first("RECURRENCE-ID")
    if line is None:
        return None
    return line.param("TZID"), line.value.strip().upper()


def derived_uid(components: Iterable[Component]) -> str:
    """A UID for components that together are one object and have none.

    It depends on what they say, but neither on folds nor on the stamps that a program
    writes anew with every export.
    """
    lines: list[str] = []
    for component in components:
        for part in component.walk():
            lines.append(f"BEGIN:{part.name}")
            lines.extend(f"{line.head}:{line.value}" for line in part.lines if line.name not in _VOLATILE)
    return str(uuid.uuid5(_NAMESPACE, "\n".join(lines)))
