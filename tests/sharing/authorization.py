"""What is asked in the table of `test_authorization_table`: a world of people, and every request there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sharedworld import by, delegate, find, join, leave, share

from davclient import NS, Answer, sync_body
from davsamples import card, event
from enginedav import EngineDav, World
from tagwerk.model import Kind
from tagwerk.sharing import shares

LEVELS = ("manage", "write", "read", "busy")
OBJECTS = {
    "plain.ics": event("plain"),
    "conf.ics": event("conf", more="CLASS:CONFIDENTIAL"),
    "priv.ics": event("priv", more="CLASS:PRIVATE"),
}


@dataclass(frozen=True, slots=True)
class Spot:
    """Somebody (`user` is empty for nobody) and what they ask about; `own` is a home of theirs."""

    user: str
    path: str
    own: str

    @property
    def is_card(self) -> bool:
        return "friend" in self.path


def populate(world: World) -> None:
    """anna has what others are given; everybody has a calendar and an address book of their own."""
    people = ["carl", "ex", "guest", "dread", "dwrite", "stranger", "aide"]
    people += [f"{how}-{level}" for how in ("person", "member") for level in LEVELS]
    for name in people:
        world.add_user(name, display_name=f"{name.title()} Beispiel", addresses=(f"{name}@example.org",))
    for group in (
        "staff",
        "former",
        "aides",
        *(f"team-{level}" for level in LEVELS),
        *(f"in-{level}" for level in LEVELS),
    ):
        world.add_user(group, kind="group")
    for name in ("anna", *people):
        fill(world, world.add_collection("own", user=name), {"mine.ics": event("mine")})
        fill(world, world.add_collection("contacts", Kind.ADDRESSBOOK, user=name), {"mine.vcf": card("mine")})
    calendar, book = make(world, "work", "friends")
    for level in LEVELS:
        join(world, f"in-{level}", f"member-{level}")
        join(world, f"team-{level}", f"in-{level}")
        for to in (f"person-{level}", f"team-{level}"):
            share(world, calendar, to, level)
            if level != "busy":
                share(world, book, to, level)
        calendar_for_all, book_for_all = make(world, f"work-{level}", f"friends-{level}")
        share(world, calendar_for_all, None, level)
        if level != "busy":
            share(world, book_for_all, None, level)
    join(world, "former", "ex")
    share(world, calendar, "former", "write")
    share(world, book, "former", "write")
    leave(world, "former", "ex")
    join(world, "staff", "dread")
    delegate(world, "anna", "dread", "read")
    delegate(world, "anna", "dwrite", "write")
    join(world, "aides", "aide")
    delegate(world, "anna", "aides", "read")
    club = world.add_collection("club", user="carl")
    share(world, club, "anna", "read", accept="ask")
    for name in people:
        # What was shared with everybody gets its place when a home is looked at.
        with world.store.write() as txn:
            shares.settle(txn, find(txn, name), by=by(world))


def make(world: World, calendar: str, book: str) -> tuple[str, str]:
    paths = world.add_collection(calendar), world.add_collection(book, Kind.ADDRESSBOOK)
    fill(world, paths[0], OBJECTS)
    fill(world, paths[1], {"card.vcf": card("card")})
    return paths


def fill(world: World, path: str, objects: dict[str, bytes]) -> None:
    client = world.client(path.split("/")[1])
    for name, body in objects.items():
        assert client.put(path + name, body).status == 201


def notification(world: World) -> str:
    """The path of the one notification that anna has."""
    found = world.client().propfind("/anna/-notifications/", "{DAV:}getetag", depth="1")
    (path,) = (href for href in found if href.endswith(".xml"))
    return path


def _update(inside: str) -> str:
    return f"<D:propertyupdate {NS}><D:set><D:prop>{inside}</D:prop></D:set></D:propertyupdate>"


def _kind(spot: Spot) -> str:
    return "text/vcard" if spot.is_card else "text/calendar"


def _put(spot: Spot, *, more: str = "", uid: str = "") -> tuple[bytes, dict[str, str]]:
    stem = uid or spot.path.rstrip("/").rpartition("/")[2].partition(".")[0]
    if spot.is_card:
        body = card(stem, name="Neuer Name")
    elif more:
        body = event(
            stem, more=more + {"conf": "\nCLASS:CONFIDENTIAL", "priv": "\nCLASS:PRIVATE"}.get(stem, "")
        )
    else:
        body = event(stem, summary="Neu")
    return body, {"Content-Type": _kind(spot)}


_ALARM = "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:x\nTRIGGER:-PT5M\nEND:VALARM"


def _own(spot: Spot, name: str) -> str:
    """A place of the user's own for something of the same kind."""
    if not spot.path.endswith("/"):
        return f"{spot.own}contacts/{name}.vcf" if spot.is_card else f"{spot.own}own/{name}.ics"
    taken = "contacts/" if spot.is_card else "own/"
    return f"{spot.own}{taken if name == 'mine' else name + '/'}"


def _from(method: str, spot: Spot) -> tuple[str, str, bytes | str, dict[str, str]]:
    return method, spot.path, "", {"Destination": "http://dav.example.org" + _own(spot, "copied")}


def _onto(method: str, spot: Spot) -> tuple[str, str, bytes | str, dict[str, str]]:
    return method, _own(spot, "mine"), "", {"Destination": "http://dav.example.org" + spot.path}


Request = tuple[str, str, bytes | str, dict[str, str]]

_PROPS = "<D:prop><D:getetag/></D:prop>"
_TO_CARL = "<D:href>/carl/</D:href>"
_SEARCH = (
    "<D:property-search><D:prop><D:displayname/></D:prop><D:match>Beispiel</D:match></D:property-search>"
)
REPORTS: dict[str, Callable[[Spot], str]] = {
    "C:calendar-query": lambda spot: (
        f"<C:calendar-query {NS}>{_PROPS}<C:filter><C:comp-filter name='VCALENDAR'/></C:filter></C:calendar-query>"
    ),
    "C:calendar-multiget": lambda spot: (
        f"<C:calendar-multiget {NS}>{_PROPS}<D:href>{_named(spot, 'plain.ics')}</D:href></C:calendar-multiget>"
    ),
    "C:free-busy-query": lambda spot: (
        f"<C:free-busy-query {NS}><C:time-range start='20260301T000000Z' end='20260302T000000Z'/></C:free-busy-query>"
    ),
    "CR:addressbook-query": lambda spot: (
        f"<CR:addressbook-query {NS}>{_PROPS}<CR:filter><CR:prop-filter name='FN'/></CR:filter></CR:addressbook-query>"
    ),
    "CR:addressbook-multiget": lambda spot: (
        f"<CR:addressbook-multiget {NS}>{_PROPS}<D:href>{_named(spot, 'card.vcf')}</D:href></CR:addressbook-multiget>"
    ),
    "D:sync-collection": lambda spot: sync_body(),
    "D:expand-property": lambda spot: (
        f"<D:expand-property {NS}><D:property name='owner'><D:property name='displayname'/></D:property>"
        "</D:expand-property>"
    ),
    "D:principal-match": lambda spot: f"<D:principal-match {NS}><D:self/></D:principal-match>",
    "D:principal-search-property-set": lambda spot: f"<D:principal-search-property-set {NS}/>",
    "D:principal-property-search": lambda spot: (
        f"<D:principal-property-search {NS}>{_SEARCH}</D:principal-property-search>"
    ),
    "CS:calendarserver-principal-search": lambda spot: (
        f"<CS:calendarserver-principal-search {NS}><CS:search-token>Beispiel</CS:search-token>"
        "<D:prop><D:displayname/></D:prop></CS:calendarserver-principal-search>"
    ),
    "D:acl-principal-prop-set": lambda spot: (
        f"<D:acl-principal-prop-set {NS}><D:prop><D:displayname/></D:prop></D:acl-principal-prop-set>"
    ),
}
"""Bodies by the names that the table has for reports."""


def _named(spot: Spot, name: str) -> str:
    """The object itself, or one in what is asked about."""
    if spot.path.endswith((".ics", ".vcf")):
        return spot.path
    if spot.path.count("/") < 3:
        return spot.path + ("work/" if name == "plain.ics" else "friends/") + name
    return spot.path + name


ACTIONS: dict[str, Callable[[Spot], str]] = {
    "CS:share": lambda spot: f"<CS:share {NS}><CS:set>{_TO_CARL}<CS:read/></CS:set></CS:share>",
    "D:share-resource": lambda spot: (
        f"<D:share-resource {NS}><D:sharee>{_TO_CARL}<D:share-access><D:read/></D:share-access></D:sharee>"
        "</D:share-resource>"
    ),
    "CS:invite-reply": lambda spot: (
        f"<CS:invite-reply {NS}><CS:invite-accepted/><CS:hosturl><D:href>/carl/club/</D:href></CS:hosturl>"
        "</CS:invite-reply>"
    ),
    "D:invite-reply": lambda spot: f"<D:invite-reply {NS}><D:invite-accepted/></D:invite-reply>",
}
"""Bodies by the names that the table has for what a POST asks for."""

METHODS: dict[str, Callable[[Spot], Request]] = {
    "OPTIONS": lambda spot: ("OPTIONS", spot.path, "", {}),
    "BREW": lambda spot: ("BREW", spot.path, "", {}),
    "GET": lambda spot: ("GET", spot.path, "", {}),
    "HEAD": lambda spot: ("HEAD", spot.path, "", {}),
    "PUT": lambda spot: ("PUT", spot.path, *_put(spot)),
    "PUT alarm": lambda spot: ("PUT", spot.path, *_put(spot, more=_ALARM)),
    "POST member": lambda spot: ("POST", spot.path, *_put(spot, uid="member")),
    "DELETE": lambda spot: ("DELETE", spot.path, "", {}),
    "MKCOL": lambda spot: (
        "MKCOL",
        spot.path,
        f"<D:mkcol {NS}><D:set><D:prop><D:resourcetype><D:collection/><CR:addressbook/></D:resourcetype></D:prop>"
        "</D:set></D:mkcol>",
        {},
    ),
    "MKCALENDAR": lambda spot: ("MKCALENDAR", spot.path, "", {}),
    "PROPFIND 0": lambda spot: ("PROPFIND", spot.path, "", {"Depth": "0"}),
    "PROPFIND 1": lambda spot: ("PROPFIND", spot.path, "", {"Depth": "1"}),
    "PROPPATCH": lambda spot: (
        "PROPPATCH",
        spot.path,
        _update("<I:calendar-color>#112233</I:calendar-color>"),
        {},
    ),
    "PROPPATCH members": lambda spot: (
        "PROPPATCH",
        spot.path,
        _update(f"<D:group-member-set>{_TO_CARL}</D:group-member-set>"),
        {},
    ),
    "COPY": lambda spot: _from("COPY", spot),
    "MOVE": lambda spot: _from("MOVE", spot),
    "COPY onto": lambda spot: _onto("COPY", spot),
    "MOVE onto": lambda spot: _onto("MOVE", spot),
    "ACL": lambda spot: (
        "ACL",
        spot.path,
        f"<D:acl {NS}><D:ace><D:principal>{_TO_CARL}</D:principal>"
        "<D:grant><D:privilege><D:read/></D:privilege></D:grant></D:ace></D:acl>",
        {},
    ),
}
"""Requests by the names that the table has for them: a method, and what else is said."""


def request(row: str, spot: Spot) -> Request:
    """The request of a row of the table."""
    method, _, name = row.partition(" ")
    if row in REPORTS:
        return "REPORT", spot.path, REPORTS[row](spot), {"Depth": "0"}
    if method == "POST" and name in ACTIONS:
        return "POST", spot.path, ACTIONS[name](spot), {}
    return METHODS[row](spot)


def rows() -> list[str]:
    """Every row that a block of the table has to have."""
    return [*METHODS, *(f"POST {name}" for name in ACTIONS), *REPORTS]


def spots(world: World) -> dict[str, dict[str, list[Spot]]]:
    """By block and column of the table, who asks about which path; the answer is the same for all of them."""
    found: dict[str, dict[str, list[Spot]]] = {}
    names = {
        "calendar": "work/",
        "event": "work/plain.ics",
        "confidential": "work/conf.ics",
        "private": "work/priv.ics",
        "new event": "work/new.ics",
        "book": "friends/",
        "card": "friends/card.vcf",
        "new card": "friends/new.vcf",
    }
    for block, name in names.items():
        found[block] = {"owner": [_spot("anna", "/anna/", name)]}
        for level in LEVELS:
            if level == "busy" and "friends" in name:
                continue
            collection, slash, rest = name.partition("/")
            found[block][level] = [
                _spot(f"person-{level}", f"/person-{level}/", name),
                _spot(f"member-{level}", f"/member-{level}/", name),
                _spot("guest", "/guest/", f"{collection}-{level}{slash}{rest}"),
            ]
        found[block] |= _outside(name) | {"ex": [_spot("ex", "/ex/", name)]}
    alone = {
        "home": "",
        "notifications": "-notifications/",
        "notification": notification(world).removeprefix("/anna/"),
        "proxy": "calendar-proxy-write/",
        "new collection": "nothing/",
        "new in nothing": "nothing/new.ics",
    }
    for block, name in alone.items():
        found[block] = {"owner": [_spot("anna", "/anna/", name)]} | _outside(name)
    found["group"] = {
        "known": [_spot("dread", "/staff/", ""), _spot("stranger", "/staff/", "")],
        "anon": [_spot("", "/staff/", "")],
    }
    return found


def _outside(name: str) -> dict[str, list[Spot]]:
    """Those who ask at the owner's own URL."""
    hidden = ("stranger", "ex", "person-manage", "member-write", "guest")
    return {
        "dwrite": [_spot("dwrite", "/anna/", name)],
        "dread": [_spot(user, "/anna/", name) for user in ("dread", "aide")],
        "other": [_spot(user, "/anna/", name) for user in hidden],
        "anon": [_spot("", "/anna/", name)],
    }


def _spot(user: str, home: str, name: str) -> Spot:
    return Spot(user, home + name, f"/{user or 'stranger'}/")


CONDITIONS = {
    "": "",
    "need-privileges": "p",
    "supported-report": "r",
    "no-protected-ace-conflict": "a",
    "resource-must-be-null": "n",
    "calendar-collection-location-ok": "l",
    "cannot-modify-protected-property": "m",
    "valid-invite": "i",
    "no-uid-conflict": "u",
}
"""Preconditions, and the letters that the table has for them."""


def cell(answer: Answer) -> str:
    """An answer as the table says it: the status, and a letter.

    ``x``: something in a multistatus is not as the whole.
    """
    text = str(answer.status)
    if answer.status == 207:
        codes = {part.split()[1] for part in answer.text.split("<D:status>")[1:]}
        return text + ("x" if codes - {"200"} else "")
    if answer.status >= 400 and answer.body.startswith(b"<?xml"):
        root = answer.xml()
        if root.tag.endswith("}error"):
            return text + CONDITIONS[answer.condition.rpartition("}")[2]]
    return text


def ask(client: EngineDav, row: str, spot: Spot) -> Answer:
    """The answer to a row of the table."""
    method, path, body, headers = request(row, spot)
    return client(method, path, body, **headers)
