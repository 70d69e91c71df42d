"""A body of every report, each about what `/anna/work/a.ics` and `/anna/friends/c.vcf` are."""

from __future__ import annotations

from collections.abc import Mapping

from davclient import CALDAV, CARDDAV, CS, DAV, NS

RANGE = '<C:time-range start="20260101T000000Z" end="20270101T000000Z"/>'
REPORTS: Mapping[str, str] = {
    DAV + "sync-collection": f"<D:sync-collection {NS}><D:sync-token/><D:sync-level>1</D:sync-level>"
    "<D:prop><D:getetag/></D:prop></D:sync-collection>",
    DAV + "expand-property": f'<D:expand-property {NS}><D:property name="owner">'
    '<D:property name="displayname"/></D:property></D:expand-property>',
    DAV + "principal-property-search": f"<D:principal-property-search {NS}><D:property-search><D:prop>"
    "<D:displayname/></D:prop><D:match>a</D:match></D:property-search><D:prop><D:displayname/></D:prop>"
    "</D:principal-property-search>",
    DAV + "principal-search-property-set": f"<D:principal-search-property-set {NS}/>",
    DAV + "principal-match": f"<D:principal-match {NS}><D:self/></D:principal-match>",
    DAV + "acl-principal-prop-set": f"<D:acl-principal-prop-set {NS}><D:prop><D:displayname/></D:prop>"
    "</D:acl-principal-prop-set>",
    CALDAV + "calendar-query": f"<C:calendar-query {NS}><D:prop><D:getetag/></D:prop><C:filter>"
    '<C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>',
    CALDAV + "calendar-multiget": f"<C:calendar-multiget {NS}><D:prop><D:getetag/></D:prop>"
    "<D:href>/anna/work/a.ics</D:href></C:calendar-multiget>",
    CALDAV + "free-busy-query": f"<C:free-busy-query {NS}>{RANGE}</C:free-busy-query>",
    CARDDAV + "addressbook-query": f"<CR:addressbook-query {NS}><D:prop><D:getetag/></D:prop>"
    '<CR:filter><CR:prop-filter name="FN"/></CR:filter></CR:addressbook-query>',
    CARDDAV + "addressbook-multiget": f"<CR:addressbook-multiget {NS}><D:prop><D:getetag/></D:prop>"
    "<D:href>/anna/friends/c.vcf</D:href></CR:addressbook-multiget>",
    CS + "calendarserver-principal-search": f"<CS:calendarserver-principal-search {NS}>"
    "<CS:search-token>a</CS:search-token><D:prop><D:displayname/></D:prop>"
    "</CS:calendarserver-principal-search>",
}
