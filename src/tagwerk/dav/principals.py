"""Principals: who people are, and reports that find them (RFC 3744 4, 5, 9)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from xml.etree.ElementTree import Element

from tagwerk.collation import UNICODE, MatchType, TextMatch
from tagwerk.dav import paths, xml
from tagwerk.dav.access_control import grants
from tagwerk.dav.message import Response
from tagwerk.dav.multistatus import Wanted, answer, limited, response_for, status_response, wanted
from tagwerk.dav.notifications import parts_of
from tagwerk.dav.proxies import groups_acting, proxy_memberships
from tagwerk.dav.registry import Feature
from tagwerk.dav.resources import (
    CollectionResource,
    Context,
    Home,
    ObjectResource,
    ProxyGroup,
    Resource,
    Where,
    collections_in,
    knows,
    proxy_groups,
    resolve,
    target,
)
from tagwerk.dav.sync import limit_of
from tagwerk.errors import CALDAV, DAV, InvalidXml, NeedPrivileges
from tagwerk.model import EVERYBODY, Principal
from tagwerk.store.principals import delegators_of, groups_of, members_of, principals

feature = Feature(
    "RFC 3744 principals",
    tokens=("access-control", "calendarserver-principal-property-search", "calendarserver-principal-search"),
)

_CS = "{http://calendarserver.org/ns/}"
_SEARCH_PARTS = {
    "{DAV:}property-search",
    "{DAV:}prop",
    "{DAV:}allprop",
    "{DAV:}apply-to-principal-collection-set",
}


@dataclass(frozen=True, slots=True)
class _Searchable:
    """A property in which principals are searched: what it holds as texts, and what people call it."""

    texts: Callable[[Principal], tuple[str, ...]]
    description: str


SEARCHABLE: dict[str, _Searchable] = {
    DAV + "displayname": _Searchable(lambda who: (who.display_name, who.name), "Name"),
    _CS + "email-address-set": _Searchable(lambda who: who.addresses, "E-mail address"),
    CALDAV + "calendar-user-address-set": _Searchable(
        lambda who: (*(f"mailto:{address}" for address in who.addresses), f"/{who.name}/"), "Calendar address"
    ),
    CALDAV + "calendar-user-type": _Searchable(lambda who: (user_type(who),), "Kind of calendar user"),
    _CS + "first-name": _Searchable(lambda who: (who.display_name.partition(" ")[0],), "First name"),
    _CS + "last-name": _Searchable(lambda who: (who.display_name.rpartition(" ")[2],), "Last name"),
}


def user_type(principal: Principal) -> str:
    """RFC 6638 2.4.2."""
    return {"group": "GROUP", "room": "ROOM", "resource": "RESOURCE"}.get(principal.kind, "INDIVIDUAL")


def _shown_home(context: Context, principal: Principal) -> Home:
    where = Where.HOME if principal.id == context.user.id else Where.PRINCIPAL
    return Home(context.href(principal.name, collection=True), principal, where)


@feature.live_property("{DAV:}principal-URL", on=Where.ANYBODY)
def principal_url(context: Context, resource: Resource) -> str:
    """RFC 3744 4.2."""
    return xml.href(resource.href)


@feature.live_property("{DAV:}alternate-URI-set", on=Where.ANYBODY)
def alternate_uri_set(context: Context, resource: Resource) -> str | None:
    """RFC 3744 4.1."""
    if not isinstance(resource, Home):
        return None
    return "".join(xml.href(f"mailto:{address}") for address in resource.principal.addresses)


@feature.live_property("{DAV:}group-member-set", on=Where.ANYBODY)
def group_member_set(context: Context, resource: Resource) -> str | None:
    """RFC 3744 4.3; empty for who is no group."""
    if not isinstance(resource, Home):
        return None
    found = members_of(context.txn, resource.principal.id)
    return "".join(xml.href(context.href(who.name, collection=True)) for who in found if knows(context, who))


@feature.live_property("{DAV:}group-membership", on=Where.ANYBODY)
def group_membership(context: Context, resource: Resource) -> str | None:
    """RFC 3744 4.4; the groups that a principal is directly in."""
    if not isinstance(resource, Home):
        return None
    found = groups_of(context.txn, resource.principal.id)
    own = resource.principal.id == context.user.id
    hrefs = [context.href(who.name, collection=True) for who in found if own or knows(context, who)]
    if own:
        hrefs += proxy_memberships(context)
    return "".join(map(xml.href, hrefs))


@feature.live_property(_CS + "first-name", on=Where.ANYBODY)
def first_name(context: Context, resource: Resource) -> str | None:
    """The first names of a person who has a last name too, for the person pickers of Apple's clients."""
    return _name_of(resource, "first-name")


@feature.live_property(_CS + "last-name", on=Where.ANYBODY)
def last_name(context: Context, resource: Resource) -> str | None:
    """The last name of a person who has a first name too."""
    return _name_of(resource, "last-name")


def _name_of(resource: Resource, part: str) -> str | None:
    if not isinstance(resource, Home):
        return None
    found = parts_of(resource.principal.display_name, resource.principal.kind).get(part)
    return xml.escape(found) if found else None


@feature.live_property(_CS + "record-type", on=Where.ANYBODY)
def record_type(context: Context, resource: Resource) -> str | None:
    """What person pickers show beside a name: a person, a group, a room, or something else."""
    if not isinstance(resource, Home):
        return None
    return {"group": "groups", "room": "locations", "resource": "resources"}.get(
        resource.principal.kind, "users"
    )


@feature.report("{DAV:}principal-search-property-set", on=Where.ROOT | Where.ANYBODY)
def principal_search_property_set(context: Context, resource: Resource, root: Element) -> Response:
    """RFC 3744 9.5."""
    content = "".join(
        f"<D:principal-search-property><D:prop>{xml.tags(name)[2]}</D:prop>"
        f'<D:description xml:lang="en">{one.description}</D:description></D:principal-search-property>'
        for name, one in SEARCHABLE.items()
    )
    body = xml.document("{DAV:}principal-search-property-set", content)
    return Response(200, {"Content-Type": xml.XML_TYPE}, body)


@feature.report("{DAV:}principal-property-search", on=Where.ROOT | Where.ANYBODY)
def principal_property_search(context: Context, resource: Resource, root: Element) -> Response:
    """RFC 3744 9.4: caseless and by substring, or as `match-type` and `test` say (calendarserver.org).

    Only those are found whom the user may look up.  Clients that ask for everybody send no
    condition, and some name the properties they want beside DAV:prop instead of in it.
    """
    conditions = [_condition(node) for node in root.iterfind("{DAV:}property-search")]
    every = all if root.get("test", "allof") == "allof" else any
    asked = wanted(context.request, root)
    beside = (node.tag for node in root if node.tag not in _SEARCH_PARTS)
    asked = replace(asked, names=(*asked.names, *beside))
    found = (
        response_for(context, _shown_home(context, who), asked)
        for who in principals(context.txn)
        if knows(context, who) and (not conditions or every(condition(who) for condition in conditions))
    )
    return answer(limited(found, resource.href, most=context.settings.dav.max_results))


def _condition(node: Element) -> Callable[[Principal], bool]:
    names = [child.tag for child in node.iterfind("{DAV:}prop/*")]
    match = node.find("{DAV:}match")
    if not names or match is None:
        raise InvalidXml("A property-search holds a prop with names, and a match.")
    kind = match.get("match-type", "contains")
    if kind not in {member.value for member in MatchType}:
        raise InvalidXml(f"match-type is contains, equals, starts-with or ends-with, not {kind[:40]!r}.")
    text = TextMatch((match.text or "").strip(), UNICODE, MatchType(kind))

    def holds(who: Principal) -> bool:
        # 9.4: every property that is named must match; one that cannot be searched matches nobody.
        return all(
            name in SEARCHABLE and any(text.holds_for(value) for value in SEARCHABLE[name].texts(who))
            for name in names
        )

    return holds


@feature.report(
    "{http://calendarserver.org/ns/}calendarserver-principal-search", on=Where.ROOT | Where.ANYBODY
)
def calendarserver_principal_search(context: Context, resource: Resource, root: Element) -> Response:
    """What the person pickers of Apple's clients send: words that a name or an address begins with."""
    tokens = [(node.text or "").strip() for node in root.iterfind(_CS + "search-token")]
    words = [TextMatch(token, UNICODE) for token in tokens if token]
    if not words:
        raise InvalidXml("A calendarserver-principal-search holds a search-token.")
    kinds = {
        "attendee": ("person", "group", "room", "resource"),
        "user": ("person",),
        "group": ("group",),
        "location": ("room",),
        "resource": ("resource",),
    }
    allowed = kinds.get(root.get("context", ""), ("person", "group", "room", "resource"))
    asked = wanted(context.request, root)
    found = (
        response_for(context, _shown_home(context, who), asked)
        for who in principals(context.txn)
        if who.kind in allowed
        and knows(context, who)
        and all(
            any(word.holds_for(text) for text in (who.name, who.display_name, *who.addresses))
            for word in words
        )
    )
    most = limit_of(root, context.settings.dav.max_results, namespace=_CS)
    return answer(limited(found, resource.href, most=most))


@feature.report("{DAV:}principal-match", on=Where.CONTAINER)
def principal_match(context: Context, resource: Resource, root: Element) -> Response:
    """RFC 3744 9.3: below this resource, what is the user's, or is the user."""
    asked = wanted(context.request, root)
    if root.find("{DAV:}self") is not None:
        found: list[Resource] = []
        if resource.where in Where.ROOT | Where.HOME:
            found.append(_shown_home(context, context.user))
        if resource.where is Where.ROOT:
            found += [_shown_home(context, who) for who in groups_of(context.txn, context.user.id)]
            found += [
                group
                for who, access in delegators_of(context.txn, context.user.id)
                for group in proxy_groups(context, Home("", who))
                if group.access is access
            ]
        return answer(response_for(context, one, asked) for one in found)
    named = [child.tag for child in root.iterfind("{DAV:}principal-property/*")]
    if not named:
        raise InvalidXml("A principal-match holds self, or principal-property with a property in it.")
    mine = xml.href(context.href(context.user.name, collection=True))
    return answer(
        response_for(context, found, asked)
        for found in _below(context, resource)
        if any(_value(context, found, name) == mine for name in named)
    )


def _below(context: Context, resource: Resource) -> Iterator[Resource]:
    yield resource
    if resource.where is Where.ROOT:
        resource = _shown_home(context, context.user)
        yield resource
    if isinstance(resource, Home):
        yield from collections_in(context, resource)


def _value(context: Context, resource: Resource, name: str) -> str | None:
    live = context.registry.properties(resource.where).get(name)
    return live.get(context, resource) if live else context.dead_properties(resource).get(name)


@feature.report("{DAV:}acl-principal-prop-set", on=Where.COLLECTION | Where.OBJECT | Where.HOME)
def acl_principal_prop_set(context: Context, resource: Resource, root: Element) -> Response:
    """RFC 3744 9.2: the properties of everybody whom the ACL of a resource names."""
    asked = wanted(context.request, root)
    target(context)
    found: list[Principal | None] = []
    groups: list[ProxyGroup] = []
    if isinstance(resource, Home):
        found = [resource.principal]
    elif isinstance(resource, CollectionResource | ObjectResource):
        parent = resource.parent if isinstance(resource, ObjectResource) else resource
        found = [context.principal(parent.binding.collection.owner)]
        found += [context.principal(one) for one, _, _ in grants(context, parent) if one != EVERYBODY]
        groups = groups_acting(context, parent)
    people = (response_for(context, _shown_home(context, who), asked) for who in found if who is not None)
    return answer(chain(people, (_of_group(context, group, asked) for group in groups)))


def _of_group(context: Context, group: ProxyGroup, asked: Wanted) -> str:
    """Who manages a calendar knows that somebody acts for its owner, not who that is."""
    try:
        return response_for(context, resolve(context, paths.of_href(group.href, context.request)), asked)
    except NeedPrivileges:
        return status_response(group.href, "403 Forbidden")
