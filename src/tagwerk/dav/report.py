"""REPORT: which one, and where (RFC 3253 3.6)."""

from __future__ import annotations

from tagwerk.dav import paths, xml
from tagwerk.dav.message import Response
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import Context, Resource, Where, resolve
from tagwerk.errors import DAV, Refused

feature = Feature("RFC 3253 REPORT")

_SUPPORTED = DAV + "supported-report"


@feature.method("REPORT", on=Where.ANY)
def report(context: Context) -> Response:
    """Hand the body to the report that its root element names."""
    root = xml.parse(context.request.body)
    resource = resolve(context, paths.split(context.request.path))
    found = context.registry.reports.get(root.tag)
    if found is None:
        raise Refused(f"This server has no report {root.tag[:100]}.", condition=_SUPPORTED)
    if resource.where not in found.where:
        raise Refused(
            f"The report {root.tag} is not answered at {context.request.path}.", condition=_SUPPORTED
        )
    return found.handler(context, resource, root)


@feature.live_property("{DAV:}supported-report-set", on=Where.ANY)
def supported_report_set(context: Context, resource: Resource) -> str:
    """RFC 3253 3.1.5."""
    return "".join(
        f"<D:supported-report><D:report>{xml.tags(name)[2]}</D:report></D:supported-report>"
        for name in context.registry.reports_on(resource.where)
    )
