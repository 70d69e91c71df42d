"""Errors as answers: the one table that knows which error is which status (RFC 4918 11, 16)."""

from __future__ import annotations

import logging

from tagwerk import errors
from tagwerk.dav import paths, xml
from tagwerk.dav.message import Response
from tagwerk.settings import Auth

log = logging.getLogger(__name__)

STATUS: tuple[tuple[type[errors.TagwerkError], int], ...] = (
    (errors.InvalidRequest, 400),
    (errors.Unauthenticated, 401),
    (errors.NotFound, 404),
    (errors.MethodNotAllowed, 405),
    (errors.Refused, 403),
    (errors.Conflict, 409),
    (errors.PreconditionFailed, 412),
    (errors.BodyTooLarge, 413),
    (errors.UnsupportedMedia, 415),
    (errors.BadGateway, 502),
    (errors.InsufficientStorage, 507),
    (errors.Unavailable, 503),
    (errors.TooManyAttempts, 429),
)


def status_of(error: errors.TagwerkError) -> int:
    """The status code of an error; 500 for one that should never reach a client."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def challenges(auth: Auth) -> str:
    """How one can log in here, as WWW-Authenticate has it (RFC 9110 11.6.1).

    One field, which begins with Basic: there are clients that understand the first challenge only,
    and others that keep the last of several fields.
    """
    basic = f'Basic realm="{auth.realm}", charset="UTF-8"'
    return f'{basic}, Bearer realm="{auth.realm}"' if auth.oidc_issuer else basic


def response(error: errors.TagwerkError, *, auth: Auth | None = None) -> Response:
    """The answer to a request that failed: a status, a precondition, and a sentence.

    `auth` is needed for who is to log in.  What a client is not told goes to the log.
    """
    status = status_of(error)
    headers = {"Content-Type": xml.XML_TYPE}
    if isinstance(error, errors.MethodNotAllowed):
        headers["Allow"] = ", ".join(error.allow)
    if isinstance(error, errors.Unauthenticated) and auth is not None:
        headers["WWW-Authenticate"] = challenges(auth)
    if isinstance(error, errors.Unavailable | errors.TooManyAttempts):
        headers["Retry-After"] = str(error.retry_after)
    if error.told:
        log.error("%s", error)
    inside = xml.href(error.href) if error.href else ""
    return Response(status, headers, xml.error_body(error.condition, error.told or str(error), inside=inside))


def uid_conflict(
    error: errors.UidConflict, *, base: str, collection: tuple[str, ...], card: bool
) -> errors.Conflict:
    """The same conflict with the href of the object that has the UID (RFC 4791 5.3.2.1)."""
    namespace = errors.CARDDAV if card else errors.CALDAV
    return errors.Conflict(
        f"{error}.",
        condition=namespace + "no-uid-conflict",
        href=paths.join(base, *collection, error.existing),
    )
