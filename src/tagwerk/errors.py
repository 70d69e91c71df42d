"""Every error that crosses a layer, as one tree.

::

    TagwerkError
    ├── InvalidRequest               the request itself is malformed
    │   ├── InvalidXml
    │   └── InvalidPath
    ├── Unauthenticated              nobody, or not who they say they are
    ├── NotFound
    ├── MethodNotAllowed             knows what is allowed instead
    ├── Refused                      understood, and not done; knows the precondition
    │   ├── NeedPrivileges
    │   ├── InvalidCalendar          knows the line
    │   ├── InvalidCard              knows the line
    │   ├── ObjectTooLarge
    │   ├── SyncTokenInvalid
    │   └── ...                      raised as Refused with its condition
    ├── Conflict
    │   └── UidConflict              knows who has the UID
    ├── PreconditionFailed           If-Match and its kin
    ├── BodyTooLarge
    ├── UnsupportedMedia
    ├── BadGateway                   the request names another server
    ├── InsufficientStorage          a quota, or another limit on what is kept
    │   └── DiskFull                 below the database
    ├── Unavailable                  try again later
    │   └── DatabaseUnavailable      knows which, and why
    │       └── Undone               the database asks for the same again
    ├── TooManyAttempts              wrong passwords; knows when to come back
    ├── SchemaMismatch               the database is of another version
    └── ConfigurationError           an option, a file or a command line is wrong

An error is data: a sentence, and where a standard names one the Clark name of its
precondition.  Which HTTP status belongs to which error is decided in one table,
`tagwerk.dav.failures`.
"""

from __future__ import annotations

DAV = "{DAV:}"
CALDAV = "{urn:ietf:params:xml:ns:caldav}"
CARDDAV = "{urn:ietf:params:xml:ns:carddav}"


class TagwerkError(Exception):
    """Something that a person should be told in a sentence.

    `condition` is the Clark name of the precondition that was violated, or "";
    `href` is the resource that stands in the way, where the precondition carries one;
    `told` is what clients are told where the sentence is for those who run the server, as
    it names places that are nobody else's business.
    """

    condition: str = ""
    href: str = ""
    told: str = ""

    def __init__(self, message: str, *, condition: str = "", href: str = "") -> None:
        super().__init__(message)
        if condition:
            self.condition = condition
        if href:
            self.href = href


class InvalidRequest(TagwerkError):
    """The request cannot be understood."""


class InvalidXml(InvalidRequest):
    """The request body is not the XML that the method asks for."""


class InvalidPath(InvalidRequest):
    """The path names nothing that can exist here."""


class Unauthenticated(TagwerkError):
    """No credentials, or wrong ones."""


class NotFound(TagwerkError):
    """There is no such resource."""


class MethodNotAllowed(TagwerkError):
    """The resource does not have this method."""

    def __init__(self, message: str, *, allow: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.allow = allow


class Refused(TagwerkError):
    """Understood and not done; `condition` says why in the terms of the standard."""


class NeedPrivileges(Refused):
    """The user may not do this here (RFC 3744 7.1.1)."""

    condition = DAV + "need-privileges"


class InvalidCalendar(Refused):
    """The body is not a valid calendar object resource (RFC 4791 4.1 and 5.3.2.1).

    `line` is the number of the physical line, from 1, or None.
    """

    condition = CALDAV + "valid-calendar-data"

    def __init__(self, message: str, *, line: int | None = None, condition: str = "") -> None:
        super().__init__(f"line {line}: {message}" if line else message, condition=condition)
        self.line = line


class InvalidCard(Refused):
    """The body is not a valid address object resource (RFC 6352 5.1 and 6.3.2.1)."""

    condition = CARDDAV + "valid-address-data"

    def __init__(self, message: str, *, line: int | None = None, condition: str = "") -> None:
        super().__init__(f"line {line}: {message}" if line else message, condition=condition)
        self.line = line


class ObjectTooLarge(Refused):
    """The object is larger than `max-resource-size` (RFC 4791 5.2.5, RFC 6352 6.2.3)."""


class SyncTokenInvalid(Refused):
    """The token is of another history, of the future, or too old (RFC 6578 3.2)."""

    condition = DAV + "valid-sync-token"


class Conflict(TagwerkError):
    """The state of the server does not allow it."""


class UidConflict(Conflict):
    """Another object of the collection has this UID already (RFC 4791 5.3.2.1, RFC 6352 6.3.2.1)."""

    condition = CALDAV + "no-uid-conflict"

    def __init__(self, uid: str, *, existing: str) -> None:
        super().__init__(f"UID {uid!r} is used by {existing!r}")
        self.uid, self.existing = uid, existing


class PreconditionFailed(TagwerkError):
    """A condition of the request's header does not hold (RFC 9110 13)."""


class BodyTooLarge(TagwerkError):
    """The request body is larger than the server reads."""


class UnsupportedMedia(TagwerkError):
    """The media type of the body does not fit the resource."""


class BadGateway(TagwerkError):
    """The request names another server as its destination."""


class InsufficientStorage(TagwerkError):
    """There is no room for it."""


class DiskFull(InsufficientStorage):
    """The disk below the database is full: no matter of who asked."""

    told = "The disk of the server is full; try again later."


class Unavailable(TagwerkError):
    """The server cannot answer now; `retry_after` is in seconds."""

    retry_after: int = 5


class DatabaseUnavailable(Unavailable):
    """The database cannot be used."""

    told = "The database cannot be used at the moment; try again later."


class Undone(DatabaseUnavailable):
    """The database undid a transaction for the sake of another one, or lost it; done again it may succeed."""

    retry_after = 1


class TooManyAttempts(TagwerkError):
    """So many wrong passwords came from there that none is looked at now; `retry_after` is in seconds."""

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SchemaMismatch(TagwerkError):
    """The database was written by another version of Tagwerk."""


class ConfigurationError(TagwerkError):
    """An option, a file or a command line is wrong."""
