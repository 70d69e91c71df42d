"""REPORT: which one, and where (RFC 3253 3.6)."""

from __future__ import annotations

from tagwerk.dav import xml
from tagwerk.dav.message import Response
from tagwerk.dav.multistatus import wants_minimal
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import Context, Resource, Where, target
from tagwerk.errors import DAV, Refused

feature = Feature("RFC 3253 REPORT")

_SUPPORTED = DAV + "supported-report"


@feature.method("REPORT", on=Where.EVERYTHING)
def report(context: Context) -> Response:
    """Hand the body to the report that its root element names."""
    root = xml.parse(context.request.body)
    resource = target(context)
    found = context.registry.report(root.tag, resource.where)
    if found is None:
        place = f"at {context.request.path}" if context.registry.has_report(root.tag) else "on this server"
        raise Refused(f"There is no report {root.tag[:100]} {place}.", condition=_SUPPORTED)
    response = found.handler(context, resource, root)
    if response.status == 207 and wants_minimal(context.request):
        response.headers["Preference-Applied"] = "return=minimal"
    return response


@feature.live_property("{DAV:}supported-report-set", on=Where.EVERYTHING)
def supported_report_set(context: Context, resource: Resource) -> str:
    """RFC 3253 3.1.5."""
    return "".join(
        f"<D:supported-report><D:report>{xml.tags(name)[2]}</D:report></D:supported-report>"
        for name in context.registry.reports_on(resource.where)
    )
