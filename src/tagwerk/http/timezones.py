"""The time zone data distribution service that RFC 7809 3.1.2 wants beside CalDAV (RFC 7808).

Public: it tells what every copy of the time zone database says.
"""

from __future__ import annotations

from hashlib import blake2b
from importlib import metadata
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tagwerk.dav.timezones import SERVICE
from tagwerk.ical.zone_text import FIRST_YEAR, LAST_YEAR, vtimezone
from tagwerk.ical.zones import zone_names

_ERROR = "urn:ietf:params:tzdist:error:"


def routes(base: str) -> list[Route]:
    """The service below the path `base`, and the well-known address that leads to it (RFC 7808 4.2.1.3)."""
    place = base + SERVICE

    async def well_known(_request: Request) -> Response:
        return RedirectResponse(place, status_code=301)

    return [
        Route("/.well-known/timezone", well_known),
        Route(f"{place}/capabilities", _capabilities),
        Route(f"{place}/zones", _list),
        Route(f"{place}/zones/{{name:path}}", _zone),
    ]


async def _capabilities(_request: Request) -> Response:
    """RFC 7808 5.1."""
    return JSONResponse(
        {
            "version": 1,
            "info": {
                "primary-source": f"IANA:{_release()}",
                "formats": ["text/calendar"],
                "truncated": {
                    "any": False,
                    "ranges": [
                        {"start": f"{FIRST_YEAR}-01-01T00:00:00Z", "end": f"{LAST_YEAR}-01-01T00:00:00Z"}
                    ],
                    "untruncated": True,
                },
            },
            "actions": [
                {"name": "capabilities", "uri-template": "/capabilities", "parameters": []},
                {
                    "name": "list",
                    "uri-template": "/zones{?changedsince}",
                    "parameters": [_parameter("changedsince")],
                },
                {"name": "get", "uri-template": "/zones{/tzid}", "parameters": []},
            ],
        }
    )


def _parameter(name: str) -> dict[str, Any]:
    return {"name": name, "required": False, "multi": False}


async def _list(request: Request) -> Response:
    """RFC 7808 5.2: every zone, or with the current token none."""
    release = _release()
    unchanged = request.query_params.get("changedsince") == release
    zones = [
        {"tzid": name, "etag": _etag(name), "publisher": "IANA", "version": release}
        for name in ([] if unchanged else zone_names())
    ]
    return JSONResponse({"synctoken": release, "timezones": zones})


async def _zone(request: Request) -> Response:
    """RFC 7808 5.3."""
    name = request.path_params["name"]
    text = vtimezone(name) if name in zone_names() else None
    if text is None:
        body = {
            "type": _ERROR + "tzid-not-found",
            "title": f"There is no time zone {name[:80]!r}.",
            "status": 404,
        }
        return JSONResponse(body, status_code=404, media_type="application/problem+json")
    etag = f'"{_etag(name)}"'
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"ETag": etag})
    body_text = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Tagwerk//Tagwerk//EN\r\n{text}END:VCALENDAR\r\n"
    return Response(body_text, media_type="text/calendar; charset=utf-8", headers={"ETag": etag})


def _etag(name: str) -> str:
    return blake2b(f"{_release()} {name}".encode(), digest_size=8).hexdigest()


def _release() -> str:
    return metadata.version("tzdata")
