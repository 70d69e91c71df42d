"""The expand-property report: properties of what properties point to (RFC 3253 3.8)."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree.ElementTree import Element, fromstring

from tagwerk.dav import paths, xml
from tagwerk.dav.message import Response
from tagwerk.dav.multistatus import answer, property_element, propstats, status_response
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import Context, Resource, Where, resolve
from tagwerk.errors import InvalidXml, TagwerkError

feature = Feature("RFC 3253 expand-property")

MAX_LEVELS = 5
MAX_RESPONSES = 2_000
"""Resources that one report may lead to, however they point to each other."""
MAX_VALUES = 50_000
"""Properties of all of them together."""


@dataclass(slots=True)
class _Budget:
    """What one report may still cost."""

    responses: int = MAX_RESPONSES
    values: int = MAX_VALUES

    def take(self, *, values: int) -> None:
        """Raises InvalidXml where one more response with so many properties is too much."""
        self.responses -= 1
        self.values -= values
        if self.responses < 0:
            raise InvalidXml(f"The report leads to more than {MAX_RESPONSES} resources.")
        if self.values < 0:
            raise InvalidXml(f"The report leads to more than {MAX_VALUES} properties.")


@feature.report("{DAV:}expand-property", on=Where.EVERYTHING)
def expand_property(context: Context, resource: Resource, root: Element) -> Response:
    """Each href in a property that has properties asked of it is replaced by a ``DAV:response``."""
    if not list(root.iterfind("{DAV:}property")):
        raise InvalidXml("An expand-property holds a property.")
    return answer(iter([_response(context, resource, root, level=0, left=_Budget())]))


def _response(context: Context, resource: Resource, node: Element, *, level: int, left: _Budget) -> str:
    if level > MAX_LEVELS:
        raise InvalidXml(f"The properties are nested deeper than {MAX_LEVELS} levels.")
    left.take(values=len(node))
    live = context.registry.properties(resource.where)
    dead = context.dead_properties(resource)
    found: list[str] = []
    missing: list[str] = []
    for child in node.iterfind("{DAV:}property"):
        if not child.get("name"):
            raise InvalidXml("A property in expand-property has no name.")
        name = xml.clark_name(child.get("namespace", "DAV:"), child.get("name", ""))
        value = live[name].get(context, resource) if name in live else dead.get(name)
        if value is None:
            missing.append(name)
        else:
            if len(child):
                value = _expanded(context, value, child, level=level, left=left)
            found.append(property_element(name, value, dead))
    return f"<D:response>{xml.href(resource.href)}{propstats(found, missing)}</D:response>\n"


def _expanded(context: Context, value: str, node: Element, *, level: int, left: _Budget) -> str:
    parsed = fromstring(f"<x{xml.DECLARATIONS}>{value}</x>")  # noqa: S314 - written by this server
    parts = []
    for element in parsed.iter("{DAV:}href"):
        href = (element.text or "").strip()
        try:
            pointed = resolve(context, paths.of_href(href, context.request))
            parts.append(_response(context, pointed, node, level=level + 1, left=left))
        except InvalidXml:
            raise
        except TagwerkError:
            if not href.startswith("mailto:"):
                parts.append(status_response(href, "404 Not Found"))
    return "".join(parts)
